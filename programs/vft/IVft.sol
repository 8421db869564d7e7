// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// What a token's Mirror understands. Every function queues a message and returns its id; the result arrives later, as a reply.
/// With `callReply` the Mirror calls the matching function of IVftCallbacks on the sender; without it, it emits the reply.
interface IVft {
    /// Tokens have a new holder; minted tokens come from the zero address. The topics are those of ERC-20.
    event Transfer(address indexed from, address indexed to, uint256 value);
    /// An account lets another one spend that much of its tokens.
    event Approval(address indexed owner, address indexed spender, uint256 value);

    /// The constructor: the first message to a new Mirror. Its sender owns the token and may mint.
    function create(bool callReply, string calldata name, string calldata symbol, uint16 decimals)
        external
        returns (bytes32 messageId);

    function vftMint(bool callReply, address to, uint256 value) external returns (bytes32 messageId);
    function vftTransfer(bool callReply, address to, uint256 value) external returns (bytes32 messageId);
    function vftApprove(bool callReply, address spender, uint256 value) external returns (bytes32 messageId);
    function vftTransferFrom(bool callReply, address from, address to, uint256 value) external returns (bytes32 messageId);
    function vftBalanceOf(bool callReply, address account) external returns (bytes32 messageId);
    function vftAllowance(bool callReply, address owner, address spender) external returns (bytes32 messageId);
    function vftTotalSupply(bool callReply) external returns (bytes32 messageId);
    function vftName(bool callReply) external returns (bytes32 messageId);
    function vftSymbol(bool callReply) external returns (bytes32 messageId);
    function vftDecimals(bool callReply) external returns (bytes32 messageId);
}

/// What a contract implements that wants the results. Only the Mirror may be believed: check `msg.sender`.
interface IVftCallbacks {
    function replyOn_create(bytes32 messageId) external;
    function replyOn_vftMint(bytes32 messageId, bool done) external;
    function replyOn_vftTransfer(bytes32 messageId, bool done) external;
    function replyOn_vftApprove(bytes32 messageId, bool done) external;
    function replyOn_vftTransferFrom(bytes32 messageId, bool done) external;
    function replyOn_vftBalanceOf(bytes32 messageId, uint256 balance) external;
    function replyOn_vftAllowance(bytes32 messageId, uint256 allowance) external;
    function replyOn_vftTotalSupply(bytes32 messageId, uint256 supply) external;
    function replyOn_vftName(bytes32 messageId, string calldata name) external;
    function replyOn_vftSymbol(bytes32 messageId, string calldata symbol) external;
    function replyOn_vftDecimals(bytes32 messageId, uint16 decimals) external;
    function onErrorReply(bytes32 messageId, bytes calldata payload, bytes4 replyCode) external payable;
}
