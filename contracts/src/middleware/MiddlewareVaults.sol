// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IRegistry } from "@symbioticfi/core/src/interfaces/common/IRegistry.sol";
import { IEntity } from "@symbioticfi/core/src/interfaces/common/IEntity.sol";
import { IBaseDelegator } from "@symbioticfi/core/src/interfaces/delegator/IBaseDelegator.sol";
import {
    IOperatorNetworkSpecificDelegator
} from "@symbioticfi/core/src/interfaces/delegator/IOperatorNetworkSpecificDelegator.sol";
import { IOperatorSpecificDelegator } from "@symbioticfi/core/src/interfaces/delegator/IOperatorSpecificDelegator.sol";
import { IVetoSlasher } from "@symbioticfi/core/src/interfaces/slasher/IVetoSlasher.sol";
import { IVault } from "@symbioticfi/core/src/interfaces/vault/IVault.sol";
import { Checkpoints } from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import { MiddlewareOperators } from "./MiddlewareOperators.sol";

/// @title Vaults: what stands behind an operator
/// @notice A vault is accepted if what it holds can be taken in time, goes where governance decided, and stands behind
/// one operator alone.
abstract contract MiddlewareVaults is MiddlewareOperators {
    using Checkpoints for Checkpoints.Trace208;

    /// @notice The most vaults that count for an operator at a time.
    uint256 public constant MAX_VAULTS = 6;
    /// @notice The most vaults that an operator ever registers.
    uint256 public constant MAX_VAULTS_EVER = 32;
    /// @dev Symbiotic's numbers of its kinds of delegators and slashers.
    uint64 private constant OPERATOR_SPECIFIC = 2;
    uint64 private constant OPERATOR_NETWORK_SPECIFIC = 3;
    uint64 private constant VETO_SLASHER = 1;

    /// @notice Registers a vault of the calling operator. Its stake counts from now on.
    function registerVault(address vault) external nonReentrant {
        Layout storage state = _layout();
        Operator storage operator = state.operatorOf[msg.sender];
        if (!_isKnown(operator)) revert UnknownOperator(msg.sender);
        if (operator.vaults.length == MAX_VAULTS_EVER) revert TooManyVaults(MAX_VAULTS_EVER);
        VaultEntry storage entry = state.vaultOf[vault];
        if (entry.operator != address(0)) revert VaultKnown(vault);
        if (!IRegistry(state.vaultFactory).isEntity(vault)) revert NotAVault(vault);
        if (!IVault(vault).isInitialized()) revert VaultNotReady(vault);
        entry.operator = msg.sender;
        _takeCollateral(entry, vault);
        _takeSlasher(entry, vault);
        _takeDelegator(entry, vault);
        _requireWindows(entry);
        operator.vaults.push(vault);
        _enable(operator, entry);
        emit VaultRegistered(msg.sender, vault, entry.collateral, entry.share);
    }

    /// @notice Lets a vault's stake count, or not; only its operator. What was captured before stays slashable.
    function setVaultEnabled(address vault, bool enabled) external {
        Layout storage state = _layout();
        VaultEntry storage entry = state.vaultOf[vault];
        if (entry.operator == address(0)) revert UnknownVault(vault);
        if (entry.operator != msg.sender) revert NotOperatorOf(vault, msg.sender);
        if ((entry.enabled.latest() == 1) == enabled) revert AlreadySet();
        Operator storage operator = state.operatorOf[msg.sender];
        if (enabled) {
            _enable(operator, entry);
        } else {
            operator.enabledVaults -= 1;
            entry.enabled.push(uint48(block.timestamp), 0);
        }
        emit VaultEnabled(vault, enabled);
    }

    /// @notice The vaults that an operator ever registered, in that order.
    function vaultsOf(address operator) external view returns (address[] memory) {
        return _layout().operatorOf[operator].vaults;
    }

    /// @notice What is noted of a vault. `share` is how much of its stake counts, in parts per billion.
    function vaultInfo(address vault)
        external
        view
        returns (
            address operator,
            address collateral,
            uint48 epochDuration,
            uint48 vetoDuration,
            uint32 share,
            bool enabled
        )
    {
        VaultEntry storage entry = _layout().vaultOf[vault];
        return (
            entry.operator,
            entry.collateral,
            entry.epochDuration,
            entry.vetoDuration,
            entry.share,
            entry.enabled.latest() == 1
        );
    }

    function _enable(Operator storage operator, VaultEntry storage entry) private {
        if (operator.enabledVaults == MAX_VAULTS) revert TooManyVaults(MAX_VAULTS);
        operator.enabledVaults += 1;
        entry.enabled.push(uint48(block.timestamp), 1);
    }

    /// @dev A burner that gives back to the vault's owner would make slashes free.
    function _takeCollateral(VaultEntry storage entry, address vault) private {
        address collateral = IVault(vault).collateral();
        Collateral storage accepted = _layout().collaterals[collateral];
        if (accepted.enabled.latest() != 1) revert CollateralNotAccepted(collateral);
        address burner = IVault(vault).burner();
        if (burner != accepted.burner) revert WrongBurner(accepted.burner, burner);
        entry.collateral = collateral;
    }

    function _takeSlasher(VaultEntry storage entry, address vault) private {
        address slasher = IVault(vault).slasher();
        if (slasher == address(0)) revert VaultNotReady(vault);
        uint64 kind = IEntity(slasher).TYPE();
        if (kind != VETO_SLASHER) revert WrongSlasher(kind);
        entry.slasher = slasher;
        entry.vetoDuration = IVetoSlasher(slasher).vetoDuration();
        entry.epochDuration = IVault(vault).epochDuration();
        // From the first moment that counts, so that there is always somebody to veto.
        if (IVetoSlasher(slasher).resolver(_subnetwork(), "") != address(this)) {
            IVetoSlasher(slasher).setResolver(0, address(this), "");
        }
    }

    function _takeDelegator(VaultEntry storage entry, address vault) private {
        address delegator = IVault(vault).delegator();
        uint64 kind = IEntity(delegator).TYPE();
        address operator;
        if (kind == OPERATOR_NETWORK_SPECIFIC) {
            if (IOperatorNetworkSpecificDelegator(delegator).network() != address(this)) revert WrongDelegator(kind);
            operator = IOperatorNetworkSpecificDelegator(delegator).operator();
            entry.share = uint32(ONE);
        } else if (kind == OPERATOR_SPECIFIC && _layout().restakedShare != 0) {
            operator = IOperatorSpecificDelegator(delegator).operator();
            entry.share = _layout().restakedShare;
        } else {
            revert WrongDelegator(kind);
        }
        if (operator != msg.sender) revert NotOperatorOf(vault, msg.sender);
        entry.delegator = delegator;
        if (IBaseDelegator(delegator).maxNetworkLimit(_subnetwork()) != type(uint256).max) {
            IBaseDelegator(delegator).setMaxNetworkLimit(0, type(uint256).max);
        }
    }

    function _requireWindows(VaultEntry storage entry) private view {
        (uint48 slashWindow, uint48 executionMargin, uint48 minVetoDuration) = _windowsAt(uint48(block.timestamp));
        if (entry.vetoDuration < minVetoDuration) revert VetoTooShort(minVetoDuration, entry.vetoDuration);
        uint256 needed = uint256(slashWindow) + entry.vetoDuration + executionMargin;
        if (entry.epochDuration < needed) revert EpochTooShort(needed, entry.epochDuration);
    }
}
