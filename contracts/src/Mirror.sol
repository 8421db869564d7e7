// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ERC1967Utils } from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Utils.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { IERC20Permit } from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import { StorageSlot } from "@openzeppelin/contracts/utils/StorageSlot.sol";
import { ICallbacks } from "./ICallbacks.sol";
import { IMirror } from "./IMirror.sol";
import { IRouter } from "./IRouter.sol";
import { EventLog } from "./libraries/EventLog.sol";
import { Gear } from "./libraries/Gear.sol";

/// @title A program's representative on Ethereum: the code that every Mirror proxy runs
/// @notice Inwards it turns calls into events that validators execute; their ETH goes to the Router's custody.
/// Outwards it applies the program's transitions: pays, replies, calls back, emits.
/// The Mirror's own ETH is what the program owns plus `totalPending`, which failed payouts still owe.
contract Mirror is IMirror, ReentrancyGuardTransient {
    /// @notice Gas for a plain payout: enough for a smart wallet, too little to be a burden on a batch.
    uint256 public constant PAYOUT_GAS = 50_000;
    /// @notice What this contract itself needs around a call, beside the callee's stipend.
    uint256 private constant CALL_MARGIN = 30_000;

    /// @inheritdoc IMirror
    address public immutable router;

    /// @inheritdoc IMirror
    bytes32 public stateHash;
    /// @inheritdoc IMirror
    uint256 public nonce;
    /// @inheritdoc IMirror
    address public initializer;
    /// @notice Whether typed calls are refused: the Mirror was made without a typed ABI.
    bool public isSmall;
    /// @inheritdoc IMirror
    bool public exited;
    /// @inheritdoc IMirror
    address public inheritor;
    /// @notice Wei that failed payouts owe, over all owners.
    uint256 public totalPending;
    /// @inheritdoc IMirror
    mapping(address owner => uint256 value) public pendingWithdrawal;

    modifier onlyRouter() {
        _onlyRouter();
        _;
    }

    modifier whenActive() {
        _whenActive();
        _;
    }

    /// @param router_ The Router that deploys the proxies of this code.
    constructor(address router_) {
        router = router_;
    }

    function _onlyRouter() private view {
        if (msg.sender != router) revert CallerNotRouter();
    }

    function _whenActive() private view {
        _whenNotPaused();
        if (exited) revert ProgramExited();
    }

    function _whenNotPaused() private view {
        if (IRouter(router).paused()) revert EnforcedPause();
    }

    /// @inheritdoc IMirror
    function initialize(address initializer_, address abiInterface, bool isSmall_) external onlyRouter {
        if (initializer != address(0)) revert InitializerAlreadySet();
        initializer = initializer_;
        isSmall = isSmall_;
        if (abiInterface != address(0)) {
            StorageSlot.getAddressSlot(ERC1967Utils.IMPLEMENTATION_SLOT).value = abiInterface;
        }
    }

    /// @inheritdoc IMirror
    /// @dev Its first message came from its creator, so that users may send theirs at once.
    function initializeByProgram(address creator) external onlyRouter {
        if (initializer != address(0)) revert InitializerAlreadySet();
        initializer = creator;
        isSmall = true;
        nonce = 1;
    }

    // Inwards

    /// @inheritdoc IMirror
    function sendMessage(bytes calldata payload, bool callReply) external payable whenActive returns (bytes32) {
        return _sendMessage(payload, callReply);
    }

    /// @inheritdoc IMirror
    function sendReply(bytes32 repliedTo, bytes calldata payload) external payable whenActive {
        if (nonce == 0) revert InitMessageNotCreated();
        emit ReplyQueueingRequested(repliedTo, msg.sender, payload, _deposit());
    }

    /// @inheritdoc IMirror
    /// @dev Also after an exit: what is in a mailbox belongs to the user.
    function claimValue(bytes32 claimedId) external {
        _whenNotPaused();
        if (nonce == 0) revert InitMessageNotCreated();
        emit ValueClaimingRequested(claimedId, msg.sender);
    }

    /// @inheritdoc IMirror
    function executableBalanceTopUp(uint128 value) external whenActive {
        _topUp(value);
    }

    /// @inheritdoc IMirror
    /// @dev A permit that somebody else has used already is no obstacle while the allowance is there.
    function executableBalanceTopUpWithPermit(uint128 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        whenActive
    {
        try IERC20Permit(IRouter(router).wrappedVara()).permit(msg.sender, address(this), value, deadline, v, r, s) { }
            catch { }
        _topUp(value);
    }

    /// @notice A bare transfer tops the owned balance up; a typed call is a message whose payload is the calldata and
    /// whose first argument says whether the reply calls back.
    fallback() external payable whenActive {
        if (msg.data.length == 0 && msg.value > 0) {
            emit OwnedBalanceTopUpRequested(_deposit());
        } else if (!isSmall && msg.data.length >= 0x24) {
            uint256 callReply;
            assembly ("memory-safe") {
                callReply := calldataload(4)
            }
            bytes32 id = _sendMessage(msg.data, callReply != 0);
            assembly ("memory-safe") {
                mstore(0, id)
                return(0, 32)
            }
        } else {
            revert InvalidFallbackCall();
        }
    }

    function _sendMessage(bytes calldata payload, bool callReply) private returns (bytes32 id) {
        uint256 current = nonce;
        if (current == 0 && msg.sender != initializer) revert InitMessageNotCreatedAndCallerNotInitializer();
        nonce = current + 1;
        id = keccak256(abi.encodePacked(address(this), current));
        emit MessageQueueingRequested(id, msg.sender, payload, _deposit(), callReply);
    }

    function _deposit() private returns (uint128 value) {
        value = uint128(msg.value);
        if (value != 0) _sendToRouter(value);
    }

    function _sendToRouter(uint256 value) private {
        (bool success,) = router.call{ value: value }("");
        if (!success) revert EtherTransferToRouterFailed();
    }

    function _topUp(uint128 value) private {
        bool success = IERC20(IRouter(router).wrappedVara()).transferFrom(msg.sender, router, value);
        if (!success) revert WVaraTransferFailed();
        IRouter(router).creditExecutable(value);
        emit ExecutableBalanceTopUpRequested(value);
    }

    /// @inheritdoc IMirror
    function noteExecutableBalance(uint128 value) external onlyRouter {
        emit ExecutableBalanceTopUpRequested(value);
    }

    // Outwards

    /// @inheritdoc IMirror
    function returnValue(uint128 value) external onlyRouter {
        _requireOwned(value);
        _sendToRouter(value);
    }

    /// @inheritdoc IMirror
    function performStateTransition(Gear.StateTransition calldata transition, uint256 callbackStipend)
        external
        payable
        onlyRouter
        nonReentrant
    {
        if (transition.actorId != address(this)) revert InvalidActorId();
        // The state comes first, so that a contract that is called back reads the state that it is told of.
        if (stateHash != transition.newStateHash) {
            stateHash = transition.newStateHash;
            emit StateChanged(transition.newStateHash);
        }
        Gear.Message[] calldata messages = transition.messages;
        for (uint256 i = 0; i < messages.length; ++i) {
            Gear.Message calldata message = messages[i];
            if (message.replyDetails.to == bytes32(0)) {
                _emitMessage(message);
            } else if (message.call) {
                _callBack(message, callbackStipend);
            } else {
                if (!_pay(message.destination, message.value)) {
                    emit ReplyTransferFailed(message.destination, message.value);
                }
                emit Reply(message.payload, message.value, message.replyDetails.to, message.replyDetails.code);
            }
        }
        Gear.ValueClaim[] calldata claims = transition.valueClaims;
        for (uint256 i = 0; i < claims.length; ++i) {
            Gear.ValueClaim calldata claim = claims[i];
            if (_pay(claim.destination, claim.value)) emit ValueClaimed(claim.messageId, claim.value);
            else emit ValueClaimFailed(claim.messageId, claim.value);
        }
        // Whatever failed to leave is owed, so an overspent Mirror owes more than it holds.
        if (address(this).balance < totalPending) revert InsufficientOwnedValue(address(this).balance, totalPending);
        if (transition.exited) {
            exited = true;
            inheritor = transition.inheritor;
            _leaveToInheritor();
        } else if (transition.inheritor != address(0)) {
            revert InheritorMustBeZero();
        }
    }

    /// @inheritdoc IMirror
    function transferLockedValueToInheritor() external nonReentrant {
        if (!exited) revert ProgramNotExited();
        if (!_leaveToInheritor()) revert TransferLockedValueToInheritorExternalFailed();
    }

    /// @inheritdoc IMirror
    function withdrawPending(address payable to) external nonReentrant {
        uint256 value = pendingWithdrawal[msg.sender];
        if (value == 0) revert NothingPending();
        pendingWithdrawal[msg.sender] = 0;
        totalPending -= value;
        (bool success,) = to.call{ value: value }("");
        if (!success) revert PendingWithdrawalFailed(to);
        emit PendingWithdrawn(msg.sender, to, value);
    }

    function _owned() private view returns (uint256) {
        return address(this).balance - totalPending;
    }

    function _requireOwned(uint256 needed) private view {
        uint256 owned = _owned();
        if (owned < needed) revert InsufficientOwnedValue(owned, needed);
    }

    function _emitMessage(Gear.Message calldata message) private {
        if (message.destination == EventLog.ADDRESS && message.value == 0 && EventLog.tryEmit(message.payload)) return;
        emit Message(message.id, message.destination, message.payload, message.value);
    }

    /// @dev A success calls with what the program built; an error calls `onErrorReply` with the id of the request. If
    /// the call fails, its value is paid plainly, or stays claimable.
    function _callBack(Gear.Message calldata message, uint256 stipend) private {
        bytes memory data = message.payload;
        if (message.replyDetails.code[0] != 0) {
            data = abi.encodeCall(
                ICallbacks.onErrorReply, (message.replyDetails.to, message.payload, message.replyDetails.code)
            );
        }
        if (_call(message.destination, message.value, stipend, data)) return;
        if (!_pay(message.destination, message.value)) {
            emit ReplyTransferFailed(message.destination, message.value);
        }
        emit ReplyCallFailed(message.value, message.replyDetails.to, message.replyDetails.code);
    }

    function _pay(address destination, uint256 value) private returns (bool success) {
        if (value == 0) return true;
        success = _call(destination, value, PAYOUT_GAS, "");
        if (!success) {
            pendingWithdrawal[destination] += value;
            totalPending += value;
            emit PayoutPending(destination, value);
        }
    }

    /// @dev Reverts unless the callee can get all of `stipend`: the submitter must not be able to make calls fail. What
    /// the callee returns is not copied.
    function _call(address destination, uint256 value, uint256 stipend, bytes memory data)
        private
        returns (bool success)
    {
        uint256 needed = (stipend + CALL_MARGIN) * 64 / 63;
        if (gasleft() < needed) revert InsufficientGasForCallbacks(needed);
        assembly ("memory-safe") {
            success := call(stipend, destination, value, add(data, 32), mload(data), 0, 0)
        }
    }

    function _leaveToInheritor() private returns (bool success) {
        uint256 value = _owned();
        if (value == 0) return true;
        success = _call(inheritor, value, PAYOUT_GAS, "");
        if (!success) emit TransferLockedValueToInheritorFailed(inheritor, uint128(value));
    }
}
