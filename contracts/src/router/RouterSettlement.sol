// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import { IMirror } from "../IMirror.sol";
import { Ancestry } from "../libraries/Ancestry.sol";
import { Gear } from "../libraries/Gear.sol";
import { ValidatorSet } from "../libraries/ValidatorSet.sol";
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
        uint64 outboxStart = _layout().lastBatch.outboxEnd;
        _note(batch, digest);
        _takeBack(batch.transitions);
        _apply(batch.transitions);
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
            _layout().setId
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

    /// @notice Applies an outbox item; only this contract itself, so that a failure can be caught.
    function applyItem(uint8 kind, bytes calldata data) external {
        if (msg.sender != address(this)) revert OnlySelf();
        if (kind == Gear.CODE_RESULT) {
            (bytes32 codeId, bytes32 requestId, bool valid) = abi.decode(data, (bytes32, bytes32, bool));
            if (!_applyCodeResult(codeId, requestId, valid)) revert CodeNotValidated();
        } else if (kind == Gear.SET_UPDATE) {
            _updateSet(data);
        } else if (kind == Gear.PARAMETER_CHANGE) {
            (bytes32 key, uint256 value) = abi.decode(data, (bytes32, uint256));
            _setParameter(key, value);
        } else {
            revert UnknownItem(kind);
        }
    }

    function _verify(Gear.Batch calldata batch, bytes calldata signers, bytes calldata signatures)
        private
        view
        returns (bytes32 digest)
    {
        Layout storage layout = _layout();
        Gear.AppliedBatch storage last = layout.lastBatch;
        if (batch.genesis != layout.chainGenesis) revert InvalidGenesis();
        if (batch.nonce != last.nonce + 1) revert InvalidNonce(last.nonce + 1, batch.nonce);
        if (batch.parent != last.digest) revert InvalidParent(last.digest, batch.parent);
        if (batch.setId != layout.setId) revert InvalidSet(layout.setId, batch.setId);
        if (block.timestamp > batch.expiry) revert BatchExpired(batch.expiry);
        if (block.timestamp > uint256(layout.setSince) + layout.maxStaleness) {
            revert ValidatorSetStale(layout.setSince);
        }
        if (batch.anchorNumber < last.anchorNumber) revert AnchorBackwards(last.anchorNumber, batch.anchorNumber);
        if (batch.lastRound < last.lastRound) revert RoundBackwards(last.lastRound, batch.lastRound);
        uint64 cursor = last.outboxEnd + uint64(batch.outbox.length);
        if (batch.outboxEnd != cursor) revert InvalidOutboxCursor(cursor, batch.outboxEnd);
        Ancestry.requireAncestor(batch.anchorNumber, batch.anchorHash);
        digest = batchDigest(batch);
        ValidatorSet.requireQuorum(layout.setPointer, digest, signers, signatures);
        _requireConserved(batch.transitions);
    }

    /// @dev The second wall: whatever validators signed, no program gives more than it has, and nothing comes from
    /// nowhere.
    function _requireConserved(Gear.StateTransition[] calldata transitions) private view {
        Layout storage layout = _layout();
        int256 sum = 0;
        address previous = address(0);
        for (uint256 i = 0; i < transitions.length; ++i) {
            Gear.StateTransition calldata transition = transitions[i];
            if (transition.actorId <= previous) revert TransitionsNotSorted(i);
            previous = transition.actorId;
            if (layout.programs[transition.actorId] == bytes32(0)) revert UnknownProgram();
            sum += transition.netTransfer;
            int256 received = int256(uint256(transition.valueToReceive));
            if (transition.valueToReceiveNegativeSign) received = -received;
            if (int256(layout.custody[transition.actorId]) + transition.netTransfer - received < 0) {
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

    function _apply(Gear.StateTransition[] calldata transitions) private {
        Layout storage layout = _layout();
        uint256 stipend = layout.callbackStipend;
        for (uint256 i = 0; i < transitions.length; ++i) {
            Gear.StateTransition calldata transition = transitions[i];
            uint256 received = transition.valueToReceiveNegativeSign ? 0 : transition.valueToReceive;
            if (received != 0 || transition.netTransfer != 0) {
                uint256 held = layout.custody[transition.actorId];
                layout.custody[transition.actorId] = uint256(int256(held) + transition.netTransfer - int256(received));
            }
            IMirror(transition.actorId).performStateTransition{ value: received }(transition, stipend);
        }
    }

    function _applyItem(uint64 index, Gear.OutboxItem calldata item) private {
        if (gasleft() < ITEM_RESERVE * 2) revert IMirror.InsufficientGasForCallbacks(ITEM_RESERVE * 2);
        uint256 before = gasleft();
        try this.applyItem{ gas: before - ITEM_RESERVE }(item.kind, item.data) { }
        catch (bytes memory reason) {
            // An empty reason is what running out of gas looks like: the submitter must not decide that.
            if (reason.length == 0 && gasleft() < before / 32 + ITEM_RESERVE) {
                revert IMirror.InsufficientGasForCallbacks(before * 2);
            }
            emit OutboxItemSkipped(index, item.kind, reason);
        }
    }

    function _setParameter(bytes32 key, uint256 value) private {
        Layout storage layout = _layout();
        if (key == keccak256("requestCodeValidationBaseFee")) {
            layout.baseFee = _narrow128(value);
        } else if (key == keccak256("requestCodeValidationExtraFee")) {
            layout.extraFee = _narrow128(value);
        } else if (key == keccak256("callbackStipend")) {
            layout.callbackStipend = uint32(_bounded(value, 5_000_000));
        } else if (key == keccak256("maxStaleness")) {
            layout.maxStaleness = uint48(_bounded(value, 3650 days));
        } else if (key == keccak256("computeThreshold")) {
            layout.computeThreshold = uint64(_bounded(value, type(uint64).max));
        } else if (key == keccak256("wvaraPerSecond")) {
            layout.wvaraPerSecond = _narrow128(value);
        } else {
            revert UnknownParameter(key);
        }
        emit ParameterChanged(key, value);
        if (key == keccak256("computeThreshold") || key == keccak256("wvaraPerSecond")) {
            emit ComputationSettingsChanged(layout.computeThreshold, layout.wvaraPerSecond);
        }
    }

    function _narrow128(uint256 value) private pure returns (uint128) {
        return uint128(_bounded(value, type(uint128).max));
    }

    function _bounded(uint256 value, uint256 most) private pure returns (uint256) {
        if (value > most) revert ParameterOutOfRange(value, most);
        return value;
    }
}
