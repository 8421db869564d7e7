// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IBaseDelegator } from "@symbioticfi/core/src/interfaces/delegator/IBaseDelegator.sol";
import { Checkpoints } from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { IMiddleware } from "../IMiddleware.sol";
import { Calls } from "../libraries/Calls.sol";
import { MiddlewareGovernance } from "./MiddlewareGovernance.sol";

/// @title Stakes at a time: what validators read to agree on ETH stake
abstract contract MiddlewareStakes is MiddlewareGovernance {
    using Checkpoints for Checkpoints.Trace208;

    /// @notice Gas that reading one vault may use. A vault that needs more, or fails, holds nothing.
    uint256 internal constant STAKE_GAS = 250_000;

    /// @inheritdoc IMiddleware
    function operatorsCount() external view returns (uint256) {
        return _layout().operators.length;
    }

    /// @inheritdoc IMiddleware
    /// @dev What vaults held at `timestamp` (not in the future) for operators [from, to) of the list, vaults in the
    /// order of registration; those with nothing are left out.
    function stakesAt(uint48 timestamp, uint256 from, uint256 to) external view returns (VaultStake[] memory stakes) {
        Layout storage state = _layout();
        if (to > state.operators.length) to = state.operators.length;
        uint256 most = 0;
        for (uint256 i = from; i < to; ++i) {
            most += state.operatorOf[state.operators[i]].vaults.length;
        }
        stakes = new VaultStake[](most);
        uint256 count = 0;
        for (uint256 i = from; i < to; ++i) {
            count = _read(state.operators[i], timestamp, stakes, count);
        }
        _truncate(stakes, count);
    }

    /// @notice The same for one operator.
    function stakesOf(address operator, uint48 timestamp) external view returns (VaultStake[] memory stakes) {
        stakes = new VaultStake[](_layout().operatorOf[operator].vaults.length);
        _truncate(stakes, _read(operator, timestamp, stakes, 0));
    }

    function _read(address operator, uint48 timestamp, VaultStake[] memory stakes, uint256 count)
        private
        view
        returns (uint256)
    {
        if (timestamp > block.timestamp) revert FutureTimestamp(timestamp);
        Layout storage state = _layout();
        Operator storage entry = state.operatorOf[operator];
        if (entry.enabled.upperLookupRecent(timestamp) != 1) return count;
        for (uint256 i = 0; i < entry.vaults.length; ++i) {
            address vault = entry.vaults[i];
            VaultEntry storage registered = state.vaultOf[vault];
            if (!_countedAt(registered, timestamp)) continue;
            (bool success, uint256 amount) = _stakeAt(registered, timestamp);
            if (registered.share != ONE) amount = Math.mulDiv(amount, registered.share, ONE);
            if (!success || amount == 0) continue;
            stakes[count++] = VaultStake(operator, vault, registered.collateral, amount);
        }
        return count;
    }

    /// @dev Whole, in base units of the collateral. What it answers does not depend on the gas that the caller gave.
    function _stakeAt(VaultEntry storage entry, uint48 timestamp) internal view returns (bool success, uint256 amount) {
        uint256 needed = Calls.needed(STAKE_GAS);
        if (gasleft() < needed) revert NotEnoughGas(needed);
        return Calls.read(
            entry.delegator,
            STAKE_GAS,
            abi.encodeCall(IBaseDelegator.stakeAt, (_subnetwork(), entry.operator, timestamp, ""))
        );
    }

    function _truncate(VaultStake[] memory stakes, uint256 count) private pure {
        assembly ("memory-safe") {
            mstore(stakes, count)
        }
    }
}
