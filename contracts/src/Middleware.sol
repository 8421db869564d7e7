// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { INetworkRegistry } from "@symbioticfi/core/src/interfaces/INetworkRegistry.sol";
import { INetworkMiddlewareService } from "@symbioticfi/core/src/interfaces/service/INetworkMiddlewareService.sol";
import { IMiddleware } from "./IMiddleware.sol";
import { IRouter } from "./IRouter.sol";
import { MiddlewareMembers } from "./middleware/MiddlewareMembers.sol";
import { MiddlewareReports } from "./middleware/MiddlewareReports.sol";

/// @title The Middleware: Gear.exe as a network of Symbiotic
/// @notice Behind an ERC-1967 proxy. `middleware/` holds its parts, one concern each; here is only construction. It is
/// the network itself, its middleware, and the resolver of every slasher: nobody else can slash or veto for it.
contract Middleware is MiddlewareReports {
    /// @notice What a Middleware starts with.
    struct InitParams {
        /// The contract that governance holds.
        address owner;
        /// The Router, which gives slashes and rewards.
        address router;
        /// Symbiotic's contracts.
        address networkRegistry;
        address networkMiddlewareService;
        address operatorRegistry;
        address operatorNetworkOptIn;
        address vaultFactory;
        /// Seconds that a replacement of code waits.
        uint48 upgradeDelay;
        /// Seconds: see `setWindows`.
        uint48 slashWindow;
        uint48 executionMargin;
        uint48 minVetoDuration;
        /// Parts per billion: see `setFractions`.
        uint32 maxFraction;
        uint32 doubleSignFraction;
        uint32 restakedShare;
    }

    /// @notice Registration and rewards, in a contract of their own because of EIP-170: made by the constructor, and
    /// replaced with this code only.
    MiddlewareMembers public immutable MEMBERS = new MiddlewareMembers();

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @dev What is not here is there.
    fallback() external {
        _delegate();
    }

    /// @inheritdoc IMiddleware
    function distributeRewards(uint32, uint48, bytes32, uint128, address[] calldata, uint128[] calldata) external {
        _delegate();
    }

    /// @notice Sets the Middleware up, and registers it with Symbiotic; once.
    function initialize(InitParams calldata params) external initializer {
        if (params.upgradeDelay < MIN_UPGRADE_DELAY) revert DelayTooShort(MIN_UPGRADE_DELAY);
        __Ownable_init(params.owner);
        Layout storage state = _layout();
        state.router = params.router;
        state.wrappedVara = IRouter(params.router).wrappedVara();
        state.upgradeDelay = params.upgradeDelay;
        state.operatorRegistry = params.operatorRegistry;
        state.operatorNetworkOptIn = params.operatorNetworkOptIn;
        state.vaultFactory = params.vaultFactory;
        _setWindows(params.slashWindow, params.executionMargin, params.minVetoDuration);
        _setFractions(params.maxFraction, params.doubleSignFraction, params.restakedShare);
        INetworkRegistry(params.networkRegistry).registerNetwork();
        INetworkMiddlewareService(params.networkMiddlewareService).setMiddleware(address(this));
    }

    /// @notice The Router, the only one that slashes and gives rewards.
    function router() external view returns (address) {
        return _layout().router;
    }

    /// @notice The token of rewards.
    function wrappedVara() external view returns (address) {
        return _layout().wrappedVara;
    }

    /// @notice How Symbiotic's contracts name this network.
    function subnetwork() external view returns (bytes32) {
        return _subnetwork();
    }

    function _delegate() private {
        address members = address(MEMBERS);
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let success := delegatecall(gas(), members, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if success { return(data, returndatasize()) }
            revert(data, returndatasize())
        }
    }
}
