// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import { IMirror } from "../IMirror.sol";
import { Ancestry } from "../libraries/Ancestry.sol";
import { Gear } from "../libraries/Gear.sol";
import { ValidatorSet } from "../libraries/ValidatorSet.sol";
import { RouterItems } from "./RouterItems.sol";
import { RouterPrograms } from "./RouterPrograms.sol";

/// @title Settlement: batches that a quorum signed
/// @notice A batch is verified as a whole, then applied. No transition and no outbox item that validators signed in
/// good faith can make it revert.
abstract contract RouterSettlement is RouterPrograms, ReentrancyGuardTransient {
    /// @notice Gas kept back when an outbox item is applied, so that skipping it never fails.
    uint256 private constant ITEM_RESERVE = 100_000;

    function commitBatch(Gear.Batch calldata batch, bytes calldata signers, bytes calldata signatures)
        external
        nonReentrant
        whenNotPaused
    {
        bytes32 digest = _verify(batch, signers, signatures);
        _createByPrograms(batch.creations);
        _requireConserved(batch.transitions);
        uint64 outboxStart = _layout().lastBatch.outboxEnd;
        _note(batch, digest);
        _takeBack(batch.transitions);
        _apply(batch);
        for (uint256 i = 0; i < batch.outbox.length; ++i) {
            _applyItem(outboxStart + uint64(i), batch.outbox[i]);
        }
        if (batch.transitions.length != 0) emit MBCommitted(batch.lastRoundHash);
        emit EBCommitted(batch.anchorHash);
        emit BatchCommitted(digest);
        emit BatchApplied(
            batch.nonce,
            digest,
            batch.sealNumber,
            batch.sealHash,
            batch.lastRound,
            batch.lastRoundHash,
            batch.outboxEnd,
            _layout().setId,
            _layout().lastBatch.spent
        );
    }

    /// @notice The EIP-712 digest that validators sign.
    function batchDigest(Gear.Batch calldata batch) public view returns (bytes32) {
        return _digest(Gear.batchHash(batch));
    }

    /// @notice The last batch.
    function lastBatch() external view returns (Gear.AppliedBatch memory) {
        return _layout().lastBatch;
    }

    function _verify(Gear.Batch calldata batch, bytes calldata signers, bytes calldata signatures)
        private
        view
        returns (bytes32 digest)
    {
        Layout storage state = _layout();
        Gear.AppliedBatch storage last = state.lastBatch;
        if (batch.genesis != state.chainGenesis) revert InvalidGenesis();
        if (batch.nonce != last.nonce + 1) revert InvalidNonce(last.nonce + 1, batch.nonce);
        if (batch.parent != last.digest) revert InvalidParent(last.digest, batch.parent);
        if (batch.setId != state.setId) revert InvalidSet(state.setId, batch.setId);
        if (block.timestamp > batch.expiry) revert BatchExpired(batch.expiry);
        if (block.timestamp > uint256(state.setSince) + state.maxStaleness) {
            revert ValidatorSetStale(state.setSince);
        }
        if (batch.anchorNumber < last.anchorNumber) revert AnchorBackwards(last.anchorNumber, batch.anchorNumber);
        if (batch.lastRound < last.lastRound) revert RoundBackwards(last.lastRound, batch.lastRound);
        uint64 cursor = last.outboxEnd + uint64(batch.outbox.length);
        if (batch.outboxEnd != cursor) revert InvalidOutboxCursor(cursor, batch.outboxEnd);
        Ancestry.requireAncestor(batch.anchorNumber, batch.anchorHash);
        digest = batchDigest(batch);
        ValidatorSet.requireQuorum(state.setPointer, digest, signers, signatures);
    }

    /// @dev The second wall: whatever validators signed, no program gives more than it has, and nothing comes from
    /// nowhere.
    function _requireConserved(Gear.StateTransition[] calldata transitions) private view {
        Layout storage state = _layout();
        int256 sum = 0;
        address previous = address(0);
        for (uint256 i = 0; i < transitions.length; ++i) {
            Gear.StateTransition calldata transition = transitions[i];
            if (transition.actorId <= previous) revert TransitionsNotSorted(i);
            previous = transition.actorId;
            if (transition.actorId != Gear.DEPOSITS && state.programs[transition.actorId] == bytes32(0)) {
                revert UnknownProgram();
            }
            sum += transition.netTransfer;
            int256 received = int256(uint256(transition.valueToReceive));
            if (transition.valueToReceiveNegativeSign) received = -received;
            if (int256(state.custody[transition.actorId]) + transition.netTransfer - received < 0) {
                revert ValueNotConserved();
            }
        }
        if (sum != 0) revert ValueNotConserved();
    }

    function _note(Gear.Batch calldata batch, bytes32 digest) private {
        Gear.AppliedBatch storage last = _layout().lastBatch;
        last.nonce = batch.nonce;
        last.sealNumber = batch.sealNumber;
        last.lastRound = batch.lastRound;
        last.outboxEnd = batch.outboxEnd;
        last.digest = digest;
        last.sealHash = batch.sealHash;
        last.lastRoundHash = batch.lastRoundHash;
        last.anchorHash = batch.anchorHash;
        last.anchorNumber = batch.anchorNumber;
        last.timestamp = uint48(block.timestamp);
        // No sum of what programs paid comes near the end of the type; if one did, a batch must still apply.
        unchecked {
            uint128 spent = last.spent + batch.spent;
            last.spent = spent < batch.spent ? type(uint128).max : spent;
        }
    }

    /// @dev First everything that Mirrors give back, so that the Router holds what it then hands out.
    function _takeBack(Gear.StateTransition[] calldata transitions) private {
        for (uint256 i = 0; i < transitions.length; ++i) {
            Gear.StateTransition calldata transition = transitions[i];
            if (transition.valueToReceiveNegativeSign && transition.valueToReceive != 0) {
                IMirror(transition.actorId).returnValue(transition.valueToReceive);
            }
        }
    }

    function _apply(Gear.Batch calldata batch) private {
        Gear.StateTransition[] calldata transitions = batch.transitions;
        Layout storage state = _layout();
        uint256 stipend = state.callbackStipend;
        // Encoders write transitions in order, and behind them the outbox: what follows a transition is not its own.
        uint256 end;
        {
            Gear.OutboxItem[] calldata outbox = batch.outbox;
            assembly ("memory-safe") {
                end := sub(outbox.offset, 0x20)
            }
        }
        for (uint256 i = 0; i < transitions.length; ++i) {
            Gear.StateTransition calldata transition = transitions[i];
            uint256 received = transition.valueToReceiveNegativeSign ? 0 : transition.valueToReceive;
            if (received != 0 || transition.netTransfer != 0) {
                uint256 held = state.custody[transition.actorId];
                state.custody[transition.actorId] = uint256(int256(held) + transition.netTransfer - int256(received));
            }
            Gear.StateTransition calldata next = transition;
            if (i + 1 < transitions.length) next = transitions[i + 1];
            _perform(transition, next, end, received, stipend);
        }
    }

    /// @dev Calls the Mirror with the transition's own bytes, which `Gear.transitionHash` has checked: decoding and
    /// encoding a hundred messages would cost more than hashing them. The Mirror decodes them, so a submitter who
    /// leaves out bytes gets a revert.
    function _perform(
        Gear.StateTransition calldata transition,
        Gear.StateTransition calldata next,
        uint256 end,
        uint256 received,
        uint256 stipend
    ) private {
        address program = transition.actorId;
        // Deposits have no Mirror: what leaves them leaves from here.
        if (program == Gear.DEPOSITS) (program, received) = (address(this), 0);
        bytes4 selector = IMirror.performStateTransition.selector;
        assembly ("memory-safe") {
            // In any other order than encoders' all that is left of the calldata goes along.
            if gt(next, transition) { end := next }
            if iszero(gt(end, transition)) { end := calldatasize() }
            let size := sub(end, transition)
            let data := mload(0x40)
            mstore(data, selector)
            mstore(add(data, 0x04), 0x40)
            mstore(add(data, 0x24), stipend)
            calldatacopy(add(data, 0x44), transition, size)
            if iszero(call(gas(), program, received, data, add(0x44, size), 0, 0)) {
                returndatacopy(data, 0, returndatasize())
                revert(data, returndatasize())
            }
        }
    }

    function _applyItem(uint64 index, Gear.OutboxItem calldata item) private {
        uint256 before = gasleft();
        if (before < ITEM_RESERVE * 2) revert IMirror.InsufficientGasForCallbacks(ITEM_RESERVE * 2);
        (bool success, bytes memory reason) = address(ITEMS).delegatecall{ gas: before - ITEM_RESERVE }(
            abi.encodeCall(RouterItems.applyItem, (item.kind, item.data))
        );
        if (success) return;
        // An empty reason is what running out of gas looks like: the submitter must not decide that.
        if (reason.length == 0 && gasleft() < before / 32 + ITEM_RESERVE) {
            revert IMirror.InsufficientGasForCallbacks(before * 2);
        }
        // Nor must it decide that an item finds its Middleware busy, or with too little gas.
        bytes4 selector = bytes4(reason);
        if (selector == MiddlewareBusy.selector || selector == IMirror.InsufficientGasForCallbacks.selector) {
            assembly ("memory-safe") {
                revert(add(reason, 0x20), mload(reason))
            }
        }
        emit OutboxItemSkipped(index, item.kind, reason);
    }
}
