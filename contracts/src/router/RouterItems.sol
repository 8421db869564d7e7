// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { IMiddleware } from "../IMiddleware.sol";
import { IMirror } from "../IMirror.sol";
import { IRouter } from "../IRouter.sol";
import { IWrappedVara } from "../IWrappedVara.sol";
import { Calls } from "../libraries/Calls.sol";
import { Gear } from "../libraries/Gear.sol";
import { ValidatorSet } from "../libraries/ValidatorSet.sol";
import { RouterStorage } from "./RouterStorage.sol";

/// @title What outbox items do
/// @notice A part of the Router that runs by delegatecall, on the Router's storage and under its address. A call of its
/// own lets the Router undo and skip an item that fails. Called directly it does nothing.
contract RouterItems is RouterStorage {
    /// @notice Only the Router's own storage may be changed.
    error OnlyByDelegatecall();

    /// @dev Gas that the Middleware may use for an item, measured in `test/middleware/`: six vaults, 64 rewarded vaults,
    /// 256 signers.
    uint256 private constant SLASH_GAS = 5_500_000;
    uint256 private constant CANCEL_GAS = 1_500_000;
    uint256 private constant REWARDS_GAS = 2_500_000;
    uint256 private constant OPERATORS_GAS = 3_000_000;
    /// @dev What the Router keeps to note the outcome.
    uint256 private constant CALL_RESERVE = 100_000;

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
        } else if (kind == Gear.SLASH) {
            _callMiddleware(SLASH_GAS, bytes.concat(IMiddleware.slash.selector, data));
        } else if (kind == Gear.SLASH_CANCEL) {
            _callMiddleware(CANCEL_GAS, bytes.concat(IMiddleware.cancelSlash.selector, data));
        } else if (kind == Gear.REWARDS) {
            _payRewards(data);
        } else if (kind == Gear.MINT) {
            (uint64 id, address to, uint128 amount) = abi.decode(data, (uint64, address, uint128));
            _mint(id, to, amount);
        } else if (kind == Gear.OPERATOR_SET) {
            _callMiddleware(OPERATORS_GAS, bytes.concat(IMiddleware.setOperators.selector, data));
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

    /// @dev The money goes first, in the same call: it comes back if the Middleware refuses.
    function _payRewards(bytes calldata data) private {
        (uint32 era,,, uint128 operatorsTotal,, uint128[] memory amounts) =
            abi.decode(data, (uint32, uint48, bytes32, uint128, address[], uint128[]));
        Layout storage state = _layout();
        address middleware = _middleware();
        uint256 total = operatorsTotal;
        for (uint256 i = 0; i < amounts.length; ++i) {
            total += amounts[i];
        }
        // The second wall: whatever validators signed, no more was paid than came in.
        uint256 income = Math.min(state.lastBatch.spent, state.totalExecutableDeposits) + state.totalCodeFees;
        uint256 pool = income - state.totalRewards;
        if (total > pool) revert IRouter.RewardsExceedPool(pool, total);
        state.totalRewards += total;
        if (!IWrappedVara(state.wrappedVara).transfer(middleware, total)) revert IRouter.TransferFromFailed();
        _callMiddleware(REWARDS_GAS, bytes.concat(IMiddleware.distributeRewards.selector, data));
        emit IRouter.RewardsPaid(era, total);
    }

    function _mint(uint64 id, address to, uint128 amount) private {
        Layout storage state = _layout();
        if (state.minted[id]) revert IRouter.AlreadyMinted(id);
        state.minted[id] = true;
        IWrappedVara(state.wrappedVara).mint(to, amount);
        emit IRouter.MintedFromVara(id, to, amount);
    }

    /// @dev The submitter's gas decides nothing: either the call may use all of its stipend, or the batch reverts.
    function _callMiddleware(uint256 stipend, bytes memory call) private {
        address middleware = _middleware();
        uint256 needed = Calls.needed(stipend) + CALL_RESERVE;
        if (gasleft() < needed) revert IMirror.InsufficientGasForCallbacks(needed);
        if (IMiddleware(middleware).busy()) revert IRouter.MiddlewareBusy();
        (bool success, bytes memory reason) = Calls.attempt(middleware, stipend, call);
        if (!success) revert IRouter.MiddlewareRefused(reason);
    }

    function _middleware() private view returns (address middleware) {
        middleware = _layout().middleware;
        if (middleware.code.length == 0) revert IRouter.NoMiddleware();
    }

    function _narrow128(uint256 value) private pure returns (uint128) {
        return uint128(_bounded(value, type(uint128).max));
    }

    function _bounded(uint256 value, uint256 most) private pure returns (uint256) {
        if (value > most) revert IRouter.ParameterOutOfRange(value, most);
        return value;
    }
}
