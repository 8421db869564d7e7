// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { OwnableUpgradeable } from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import { PausableUpgradeable } from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";
import { Initializable } from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import { UUPSUpgradeable } from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import { Address } from "@openzeppelin/contracts/utils/Address.sol";
import { SafeCast } from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import { IRouter } from "../IRouter.sol";
import { Gear } from "../libraries/Gear.sol";
import { RouterItems } from "./RouterItems.sol";
import { RouterStorage } from "./RouterStorage.sol";

/// @title What the owner may do, and when
/// @notice The owner is a contract. Replacing the code of the Router or of all Mirrors, or shortening the delay itself,
/// is scheduled in public and possible only after the delay; halting is possible at once.
abstract contract RouterGovernance is
    Initializable,
    OwnableUpgradeable,
    PausableUpgradeable,
    UUPSUpgradeable,
    RouterStorage,
    IRouter
{
    /// @notice The least delay of a replacement, in seconds.
    uint48 public constant MIN_UPGRADE_DELAY = 1 hours;

    /// @notice What applies outbox items. It is part of this code, in a contract of its own because of EIP-170: made
    /// by the constructor, and replaced with the Router's code only.
    RouterItems public immutable ITEMS = new RouterItems();

    /// @notice Halts messages, top-ups, claims, code requests and batches.
    function pause() external onlyOwner {
        _pause();
    }

    /// @notice Lets everything go on.
    function unpause() external onlyOwner {
        _unpause();
    }

    /// @inheritdoc IRouter
    function paused() public view override(IRouter, PausableUpgradeable) returns (bool) {
        return super.paused();
    }

    /// @notice Schedules another code for all Mirrors.
    function setMirror(address newMirror) external onlyOwner {
        _schedule(mirrorChange(newMirror));
    }

    /// @notice Makes the scheduled change of the Mirrors' code.
    function applyMirror(address newMirror) external onlyOwner {
        _consume(mirrorChange(newMirror));
        _layout().mirrorImpl = newMirror;
        emit MirrorChanged(newMirror);
    }

    /// @notice Schedules another Middleware; zero for none.
    function setMiddleware(address newMiddleware) external onlyOwner {
        _schedule(middlewareChange(newMiddleware));
    }

    /// @notice Makes the scheduled change of the Middleware.
    function applyMiddleware(address newMiddleware) external onlyOwner {
        _consume(middlewareChange(newMiddleware));
        _layout().middleware = newMiddleware;
        emit MiddlewareChanged(newMiddleware);
    }

    /// @notice Schedules another code for the Router; then `upgradeToAndCall` makes the change.
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

    /// @notice Replaces a validator set that is too old to sign its own successor.
    /// @param update `abi.encode(uint64 setId, address[] validators, uint64[] weights)`, as in a batch.
    function recoverValidatorSet(bytes calldata update) external onlyOwner {
        Layout storage state = _layout();
        if (block.timestamp <= uint256(state.setSince) + state.maxStaleness) {
            revert NotScheduled(keccak256("recoverValidatorSet"));
        }
        _applyNow(Gear.SET_UPDATE, update);
    }

    /// @notice Sets the price of a code request, in wVARA base units.
    function setRequestCodeValidationBaseFee(uint256 newBaseFee) external onlyOwner {
        _layout().baseFee = SafeCast.toUint128(newBaseFee);
    }

    /// @notice Sets what a request on behalf of somebody costs besides, in wVARA base units.
    function setRequestCodeValidationExtraFee(uint256 newExtraFee) external onlyOwner {
        _layout().extraFee = SafeCast.toUint128(newExtraFee);
    }

    /// @notice Name of the change of the Mirrors' code.
    function mirrorChange(address newMirror) public pure returns (bytes32) {
        return keccak256(abi.encode("mirror", newMirror));
    }

    /// @notice Name of the change of the Middleware.
    function middlewareChange(address newMiddleware) public pure returns (bytes32) {
        return keccak256(abi.encode("middleware", newMiddleware));
    }

    /// @notice Name of the change of the Router's code.
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

    /// @dev Applies an outbox item, or reverts for the item's reason.
    function _applyNow(uint8 kind, bytes memory data) internal {
        Address.functionDelegateCall(address(ITEMS), abi.encodeCall(RouterItems.applyItem, (kind, data)));
    }

    function _authorizeUpgrade(address newImplementation) internal override onlyOwner {
        _consume(upgradeChange(newImplementation));
    }

    /// @dev Giving the Router up would leave nobody to renew a stale set.
    function _transferOwnership(address newOwner) internal override {
        if (newOwner.code.length == 0) revert OwnerNotContract(newOwner);
        super._transferOwnership(newOwner);
    }
}
