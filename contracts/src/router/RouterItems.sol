// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IRouter } from "../IRouter.sol";
import { Gear } from "../libraries/Gear.sol";
import { ValidatorSet } from "../libraries/ValidatorSet.sol";
import { RouterStorage } from "./RouterStorage.sol";

/// @title What outbox items do
/// @notice A part of the Router that runs by delegatecall, on the Router's storage and under its address. A call of its
/// own lets the Router undo and skip an item that fails. Called directly it does nothing.
contract RouterItems is RouterStorage {
    /// @notice Only the Router's own storage may be changed.
    error OnlyByDelegatecall();

    address private immutable SELF = address(this);

    /// @notice Applies an item, or reverts.
    /// @param kind What it is: see `Gear`.
    /// @param data Its content, ABI encoded.
    function applyItem(uint8 kind, bytes calldata data) external {
        if (address(this) == SELF) revert OnlyByDelegatecall();
        if (kind == Gear.CODE_RESULT) {
            (bytes32 codeId, bytes32 requestId, bool valid) = abi.decode(data, (bytes32, bytes32, bool));
            if (!_applyCodeResult(codeId, requestId, valid)) revert IRouter.CodeNotValidated();
        } else if (kind == Gear.SET_UPDATE) {
            _updateSet(data);
        } else if (kind == Gear.PARAMETER_CHANGE) {
            (bytes32 key, uint256 value) = abi.decode(data, (bytes32, uint256));
            _setParameter(key, value);
        } else {
            revert IRouter.UnknownItem(kind);
        }
    }

    function _updateSet(bytes calldata update) private {
        (uint64 newSetId, address[] memory validators, uint64[] memory weights) =
            abi.decode(update, (uint64, address[], uint64[]));
        Layout storage state = _layout();
        if (newSetId <= state.setId) revert IRouter.InvalidSet(state.setId + 1, newSetId);
        state.setPointer = ValidatorSet.store(validators, weights);
        state.setId = newSetId;
        state.setSince = uint48(block.timestamp);
        emit IRouter.ValidatorsCommittedForEra(newSetId);
    }

    /// @dev The validators' answer. Returns false if there is nothing to answer.
    function _applyCodeResult(bytes32 codeId, bytes32 requestId, bool valid) private returns (bool) {
        Layout storage state = _layout();
        Code storage code = state.codes[codeId];
        if (codeId == bytes32(0) || state.requests[requestId] != codeId) return false;
        delete state.requests[requestId];
        code.pending -= 1;
        if (code.state == Gear.CodeState.Validated) return true;
        if (valid) {
            code.state = Gear.CodeState.Validated;
            state.validatedCodesCount += 1;
            emit IRouter.CodeGotValidated(codeId, true);
        } else {
            emit IRouter.CodeRequestRefused(codeId, requestId);
            if (code.pending == 0) {
                code.state = Gear.CodeState.Unknown;
                emit IRouter.CodeGotValidated(codeId, false);
            }
        }
        return true;
    }

    function _setParameter(bytes32 key, uint256 value) private {
        Layout storage state = _layout();
        if (key == keccak256("requestCodeValidationBaseFee")) {
            state.baseFee = _narrow128(value);
        } else if (key == keccak256("requestCodeValidationExtraFee")) {
            state.extraFee = _narrow128(value);
        } else if (key == keccak256("callbackStipend")) {
            state.callbackStipend = uint32(_bounded(value, 5_000_000));
        } else if (key == keccak256("maxStaleness")) {
            state.maxStaleness = uint48(_bounded(value, 3650 days));
        } else if (key == keccak256("computeThreshold")) {
            state.computeThreshold = uint64(_bounded(value, type(uint64).max));
        } else if (key == keccak256("wvaraPerSecond")) {
            state.wvaraPerSecond = _narrow128(value);
        } else {
            revert IRouter.UnknownParameter(key);
        }
        emit IRouter.ParameterChanged(key, value);
        if (key == keccak256("computeThreshold") || key == keccak256("wvaraPerSecond")) {
            emit IRouter.ComputationSettingsChanged(state.computeThreshold, state.wvaraPerSecond);
        }
    }

    function _narrow128(uint256 value) private pure returns (uint128) {
        return uint128(_bounded(value, type(uint128).max));
    }

    function _bounded(uint256 value, uint256 most) private pure returns (uint256) {
        if (value > most) revert IRouter.ParameterOutOfRange(value, most);
        return value;
    }
}
