// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { OwnableUpgradeable } from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import { Initializable } from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import { UUPSUpgradeable } from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import { Checkpoints } from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import { IMiddleware } from "../IMiddleware.sol";
import { MiddlewareBase } from "./MiddlewareBase.sol";

/// @title What the owner may do, and when
/// @notice The owner is a contract. It decides which collateral counts, and the windows and fractions within bounds, at
/// once; replacing the code waits in public. It can neither slash nor move stake or rewards.
abstract contract MiddlewareGovernance is
    Initializable,
    OwnableUpgradeable,
    UUPSUpgradeable,
    MiddlewareBase,
    IMiddleware
{
    using Checkpoints for Checkpoints.Trace208;

    /// @notice The least delay of a replacement, in seconds.
    uint48 public constant MIN_UPGRADE_DELAY = 1 hours;
    /// @notice The most that all windows together may be, in seconds.
    uint48 public constant MAX_WINDOWS = 365 days;

    /// @inheritdoc IMiddleware
    function busy() external view returns (bool) {
        return _reentrancyGuardEntered();
    }

    /// @notice Decides whether vaults of a collateral count, and where slashed collateral goes.
    /// @param burner What vaults must name as their burner when they register. It must not give anything back.
    function setCollateral(address collateral, address burner, bool enabled) external onlyOwner {
        Collateral storage entry = _layout().collaterals[collateral];
        if (enabled && burner == address(0)) revert WrongBurner(collateral, burner);
        entry.burner = burner;
        entry.enabled.push(uint48(block.timestamp), enabled ? 1 : 0);
        emit CollateralSet(collateral, burner, enabled);
    }

    /// @notice Sets the windows, in seconds. Vaults whose epoch has become too short count no more.
    /// @param slashWindow What may pass between a capture and the arrival of a slash for it.
    /// @param executionMargin What is kept for the execution after the veto phase.
    /// @param minVetoDuration How long governance needs for a veto.
    function setWindows(uint48 slashWindow, uint48 executionMargin, uint48 minVetoDuration) external onlyOwner {
        _setWindows(slashWindow, executionMargin, minVetoDuration);
    }

    /// @notice Sets fractions, in parts per billion.
    /// @param maxFraction The most that is slashed for one operator and one capture.
    /// @param doubleSignFraction What a double signature that is reported here costs.
    /// @param restakedShare What counts of a vault that may also serve other networks, from its registration on. At zero
    /// such vaults cannot register.
    function setFractions(uint32 maxFraction, uint32 doubleSignFraction, uint32 restakedShare) external onlyOwner {
        _setFractions(maxFraction, doubleSignFraction, restakedShare);
    }

    /// @notice Schedules other code; then `upgradeToAndCall` makes the change.
    function scheduleUpgrade(address newImplementation) external onlyOwner {
        _schedule(upgradeChange(newImplementation));
    }

    /// @notice Schedules another delay, in seconds.
    function setUpgradeDelay(uint48 newDelay) external onlyOwner {
        if (newDelay < MIN_UPGRADE_DELAY) revert DelayTooShort(MIN_UPGRADE_DELAY);
        _schedule(delayChange(newDelay));
    }

    /// @notice Makes the scheduled change of the delay.
    function applyUpgradeDelay(uint48 newDelay) external onlyOwner {
        _consume(delayChange(newDelay));
        _layout().upgradeDelay = newDelay;
    }

    /// @notice Takes a scheduled change back.
    function cancelChange(bytes32 change) external onlyOwner {
        delete _layout().scheduled[change];
        emit ChangeCancelled(change);
    }

    /// @notice Name of the change of the code.
    function upgradeChange(address newImplementation) public pure returns (bytes32) {
        return keccak256(abi.encode("upgrade", newImplementation));
    }

    /// @notice Name of the change of the delay.
    function delayChange(uint48 newDelay) public pure returns (bytes32) {
        return keccak256(abi.encode("delay", newDelay));
    }

    /// @notice From when on a change may be made; zero if it is not scheduled.
    function scheduledAt(bytes32 change) external view returns (uint256) {
        return _layout().scheduled[change];
    }

    /// @notice How long a replacement waits, in seconds.
    function upgradeDelay() external view returns (uint48) {
        return _layout().upgradeDelay;
    }

    /// @notice The windows at a time, in seconds.
    function windowsAt(uint48 timestamp)
        external
        view
        returns (uint48 slashWindow, uint48 executionMargin, uint48 minVetoDuration)
    {
        return _windowsAt(timestamp);
    }

    /// @notice The fractions, in parts per billion.
    function fractions() external view returns (uint32 maxFraction, uint32 doubleSignFraction, uint32 restakedShare) {
        Layout storage state = _layout();
        return (state.maxFraction, state.doubleSignFraction, state.restakedShare);
    }

    /// @notice Whether vaults of a collateral count, and where slashed collateral goes.
    function collateralInfo(address collateral) external view returns (address burner, bool enabled) {
        Collateral storage entry = _layout().collaterals[collateral];
        return (entry.burner, entry.enabled.latest() == 1);
    }

    function _setWindows(uint48 slashWindow, uint48 executionMargin, uint48 minVetoDuration) internal {
        uint256 sum = uint256(slashWindow) + executionMargin + minVetoDuration;
        if (slashWindow == 0 || executionMargin == 0 || minVetoDuration == 0 || sum > MAX_WINDOWS) {
            revert WindowsOutOfRange();
        }
        _layout().windows
            .push(
                uint48(block.timestamp), uint208(slashWindow) << 96 | uint208(executionMargin) << 48 | minVetoDuration
            );
        emit WindowsSet(slashWindow, executionMargin, minVetoDuration);
    }

    function _setFractions(uint32 maxFraction, uint32 doubleSignFraction, uint32 restakedShare) internal {
        if (maxFraction == 0 || maxFraction > ONE) revert InvalidFraction(maxFraction);
        if (doubleSignFraction > maxFraction) revert InvalidFraction(doubleSignFraction);
        if (restakedShare > ONE) revert InvalidFraction(restakedShare);
        Layout storage state = _layout();
        state.maxFraction = maxFraction;
        state.doubleSignFraction = doubleSignFraction;
        state.restakedShare = restakedShare;
        emit FractionsSet(maxFraction, doubleSignFraction, restakedShare);
    }

    function _schedule(bytes32 change) private {
        uint256 readyAt = block.timestamp + _layout().upgradeDelay;
        _layout().scheduled[change] = readyAt;
        emit ChangeScheduled(change, readyAt);
    }

    function _consume(bytes32 change) private {
        uint256 readyAt = _layout().scheduled[change];
        if (readyAt == 0 || block.timestamp < readyAt) revert NotScheduled(change);
        delete _layout().scheduled[change];
    }

    function _authorizeUpgrade(address newImplementation) internal override onlyOwner {
        _consume(upgradeChange(newImplementation));
    }

    function _transferOwnership(address newOwner) internal override {
        if (newOwner.code.length == 0) revert OwnerNotContract(newOwner);
        super._transferOwnership(newOwner);
    }
}
