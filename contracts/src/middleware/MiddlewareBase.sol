// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ReentrancyGuardTransient } from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import { Checkpoints } from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import { IMiddlewareTypes } from "../IMiddleware.sol";
import { MiddlewareStorage } from "./MiddlewareStorage.sol";

/// @title What all parts of the Middleware need
abstract contract MiddlewareBase is ReentrancyGuardTransient, MiddlewareStorage, IMiddlewareTypes {
    using Checkpoints for Checkpoints.Trace208;

    modifier onlyRouter() {
        if (msg.sender != _layout().router) revert NotRouter(msg.sender);
        _;
    }

    function _isKnown(Operator storage operator) internal view returns (bool) {
        return operator.enabled.length() != 0;
    }

    /// @dev Whether a vault counted at a time, its operator aside.
    function _countedAt(VaultEntry storage entry, uint48 timestamp) internal view returns (bool) {
        if (entry.enabled.upperLookupRecent(timestamp) != 1) return false;
        if (_layout().collaterals[entry.collateral].enabled.upperLookupRecent(timestamp) != 1) return false;
        (uint48 slashWindow, uint48 executionMargin, uint48 minVetoDuration) = _windowsAt(timestamp);
        return entry.vetoDuration >= minVetoDuration
            && entry.epochDuration >= uint256(slashWindow) + entry.vetoDuration + executionMargin;
    }

    function _windowsAt(uint48 timestamp)
        internal
        view
        returns (uint48 slashWindow, uint48 executionMargin, uint48 minVetoDuration)
    {
        uint208 packed = _layout().windows.upperLookupRecent(timestamp);
        return (uint48(packed >> 96), uint48(packed >> 48), uint48(packed));
    }
}
