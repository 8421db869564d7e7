// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IRegistry } from "@symbioticfi/core/src/interfaces/common/IRegistry.sol";
import { IOptInService } from "@symbioticfi/core/src/interfaces/service/IOptInService.sol";
import { Checkpoints } from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import { MiddlewareBase } from "./MiddlewareBase.sol";

/// @title Operators: who stakes on Ethereum for a validator
/// @notice An operator of Symbiotic registers itself. It binds itself to a validator on the chain, not here.
abstract contract MiddlewareOperators is MiddlewareBase {
    using Checkpoints for Checkpoints.Trace208;

    /// @notice Registers the caller, which has opted in to this network.
    function registerOperator() external {
        Layout storage state = _layout();
        if (!IRegistry(state.operatorRegistry).isEntity(msg.sender)) revert OperatorNotRegistered(msg.sender);
        if (!IOptInService(state.operatorNetworkOptIn).isOptedIn(msg.sender, address(this))) {
            revert OperatorNotOptedIn(msg.sender);
        }
        Operator storage operator = state.operatorOf[msg.sender];
        if (_isKnown(operator)) revert OperatorKnown(msg.sender);
        operator.enabled.push(uint48(block.timestamp), 1);
        state.operators.push(msg.sender);
        emit OperatorRegistered(msg.sender);
    }

    /// @notice Lets the caller's stake count, or not. What was captured before stays slashable.
    function setOperatorEnabled(bool enabled) external {
        Operator storage operator = _layout().operatorOf[msg.sender];
        if (!_isKnown(operator)) revert UnknownOperator(msg.sender);
        if ((operator.enabled.latest() == 1) == enabled) revert AlreadySet();
        operator.enabled.push(uint48(block.timestamp), enabled ? 1 : 0);
        emit OperatorEnabled(msg.sender, enabled);
    }

    /// @notice The operator at a place of the list.
    function operatorAt(uint256 index) external view returns (address) {
        return _layout().operators[index];
    }

    /// @notice Whether an operator's stake counted at a time.
    function isOperatorAt(address operator, uint48 timestamp) external view returns (bool) {
        return _layout().operatorOf[operator].enabled.upperLookupRecent(timestamp) == 1;
    }
}
