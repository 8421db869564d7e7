// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// What a counter's Mirror understands. Every function queues a message and returns its id; the result arrives later, as a reply.
/// With `callReply` the Mirror calls the matching function of ICounterCallbacks on the sender; without it, it emits the reply.
interface ICounter {
    /// The counter has a new value. Emitted by the Mirror.
    event Changed(address indexed by, uint32 value);

    /// The constructor: the first message to a new Mirror. Starts counting at `value`.
    function create(bool callReply, uint32 value) external returns (bytes32 messageId);

    function counterAdd(bool callReply, uint32 amount) external returns (bytes32 messageId);
    function counterSub(bool callReply, uint32 amount) external returns (bytes32 messageId);
    function counterDeposit(bool callReply) external payable returns (bytes32 messageId);
    function counterWithdraw(bool callReply, uint128 amount) external returns (bytes32 messageId);
    function counterValue(bool callReply) external returns (bytes32 messageId);
    function counterDepositOf(bool callReply, address who) external returns (bytes32 messageId);
}

/// What a contract implements that wants the results. Only the Mirror may be believed: check `msg.sender`.
interface ICounterCallbacks {
    function replyOn_create(bytes32 messageId) external;
    function replyOn_counterAdd(bytes32 messageId, uint32 value) external;
    function replyOn_counterSub(bytes32 messageId, uint32 value) external;
    function replyOn_counterDeposit(bytes32 messageId, uint128 balance) external;
    function replyOn_counterWithdraw(bytes32 messageId, uint128 balance) external payable;
    function replyOn_counterValue(bytes32 messageId, uint32 value) external;
    function replyOn_counterDepositOf(bytes32 messageId, uint128 balance) external;
    function onErrorReply(bytes32 messageId, bytes calldata payload, bytes4 replyCode) external payable;
}
