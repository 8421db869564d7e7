// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { Gear } from "./libraries/Gear.sol";

/// @title A program's representative on Ethereum
interface IMirror {
    /// @notice Only the Router may call.
    error CallerNotRouter();
    /// @notice The Router is paused.
    error EnforcedPause();
    /// @notice The program has exited.
    error ProgramExited();
    /// @notice The program has not exited.
    error ProgramNotExited();
    /// @notice The first message is the initialiser's.
    error InitMessageNotCreatedAndCallerNotInitializer();
    /// @notice The program has had no first message yet.
    error InitMessageNotCreated();
    /// @notice Calldata that is no typed call.
    error InvalidFallbackCall();
    /// @notice The Mirror is initialised already.
    error InitializerAlreadySet();
    /// @notice ETH could not be handed to the Router.
    error EtherTransferToRouterFailed();
    /// @notice wVARA could not be taken.
    error WVaraTransferFailed();
    /// @notice A program that has not exited has no inheritor.
    error InheritorMustBeZero();
    /// @notice A transition for another program.
    error InvalidActorId();
    /// @notice More ETH leaves than the program owns. Of a whole transition: the Mirror's balance after it, and what it
    /// would owe then.
    error InsufficientOwnedValue(uint256 owned, uint256 needed);
    /// @notice The submitter gave too little gas for a call to get its whole stipend.
    error InsufficientGasForCallbacks(uint256 needed);
    /// @notice Nothing is owed to the caller.
    error NothingPending();
    /// @notice The inheritor refuses the program's ETH.
    error TransferLockedValueToInheritorExternalFailed();
    /// @notice The pending ETH could not be sent to `to`.
    error PendingWithdrawalFailed(address to);

    event StateChanged(bytes32 stateHash);
    event MessageQueueingRequested(bytes32 id, address indexed source, bytes payload, uint128 value, bool callReply);
    event ReplyQueueingRequested(bytes32 repliedTo, address indexed source, bytes payload, uint128 value);
    event ValueClaimingRequested(bytes32 claimedId, address indexed source);
    event OwnedBalanceTopUpRequested(uint128 value);
    event ExecutableBalanceTopUpRequested(uint128 value);
    event Message(bytes32 id, address indexed destination, bytes payload, uint128 value);
    event MessageCallFailed(bytes32 id, address indexed destination, uint128 value);
    event Reply(bytes payload, uint128 value, bytes32 replyTo, bytes4 indexed replyCode);
    event ReplyCallFailed(uint128 value, bytes32 replyTo, bytes4 indexed replyCode);
    event ReplyTransferFailed(address destination, uint128 value);
    event ValueClaimed(bytes32 claimedId, uint128 value);
    event ValueClaimFailed(bytes32 claimedId, uint128 value);
    event TransferLockedValueToInheritorFailed(address inheritor, uint128 value);
    /// @notice A payout failed and waits for `withdrawPending` of `owner`.
    event PayoutPending(address indexed owner, uint256 value);
    /// @notice `owner` took what was owed to it.
    event PendingWithdrawn(address indexed owner, address to, uint256 value);

    /// @notice The Router.
    function router() external view returns (address);
    /// @notice Hash of the program's state after the last batch that changed it.
    function stateHash() external view returns (bytes32);
    /// @notice Messages sent to the program by this Mirror.
    function nonce() external view returns (uint256);
    /// @notice Whether the program has exited.
    function exited() external view returns (bool);
    /// @notice Who inherits what an exited program owns.
    function inheritor() external view returns (address);
    /// @notice Who may send the first message.
    function initializer() external view returns (address);
    /// @notice Wei owed to `owner` by payouts that failed.
    function pendingWithdrawal(address owner) external view returns (uint256);

    /// @notice Sends a message to the program. ETH goes with it.
    /// @return messageId `keccak256(mirror ‖ nonce)`.
    function sendMessage(bytes calldata payload, bool callReply) external payable returns (bytes32 messageId);
    /// @notice Replies to a message in the caller's mailbox.
    function sendReply(bytes32 repliedTo, bytes calldata payload) external payable;
    /// @notice Asks for the value of a message in the caller's mailbox.
    function claimValue(bytes32 claimedId) external;
    /// @notice Pays for the program's execution, in wVARA base units approved to this Mirror.
    function executableBalanceTopUp(uint128 value) external;
    /// @notice The same with a signed approval.
    function executableBalanceTopUpWithPermit(uint128 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;
    /// @notice Sends what an exited program owns to its inheritor, if the exit itself could not.
    function transferLockedValueToInheritor() external;
    /// @notice Takes what failed payouts owe to the caller.
    function withdrawPending(address payable to) external;

    /// @notice Sets a new Mirror up; once, by the Router.
    function initialize(address initializer, address abiInterface, bool isSmall) external;
    /// @notice Sets the Mirror of a program up that `creator`, a program itself, has created; once, by the Router.
    function initializeByProgram(address creator) external;
    /// @notice Notes wVARA that was given at creation; only the Router.
    function noteExecutableBalance(uint128 value) external;
    /// @notice Hands owned ETH back to the Router's custody; only the Router, before the transitions of a batch.
    function returnValue(uint128 value) external;
    /// @notice Applies a transition; only the Router.
    function performStateTransition(Gear.StateTransition calldata transition, uint256 callbackStipend) external payable;
}
