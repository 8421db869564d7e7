// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IOptInService } from "@symbioticfi/core/src/interfaces/service/IOptInService.sol";
import { IOperatorRegistry } from "@symbioticfi/core/src/interfaces/IOperatorRegistry.sol";
import { IVault } from "@symbioticfi/core/src/interfaces/vault/IVault.sol";
import { ERC1967Proxy } from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import { IMiddlewareTypes } from "../../src/IMiddleware.sol";
import { Middleware } from "../../src/Middleware.sol";
import { Gear } from "../../src/libraries/Gear.sol";
import { MiddlewareMembers } from "../../src/middleware/MiddlewareMembers.sol";
import { RouterFixture } from "./RouterFixture.sol";
import { Symbiotic } from "./Symbiotic.sol";
import { Weth } from "./Weth.sol";

/// @title A Router with a Middleware on Symbiotic's own contracts, operators with vaults, and WETH in them
/// @notice The test contract is the owner of everything, and administrator of the vaults.
abstract contract MiddlewareFixture is RouterFixture {
    uint48 internal constant SLASH_WINDOW = 5 days;
    uint48 internal constant EXECUTION_MARGIN = 1 days;
    uint48 internal constant MIN_VETO = 1 days;
    uint48 internal constant VETO = 3 days;
    uint48 internal constant EPOCH = 14 days;
    uint32 internal constant ONE = 1_000_000_000;
    address internal constant BURNER = address(0xB0B0);

    Symbiotic internal symbiotic;
    Middleware internal middleware;
    /// @dev The same contract: registration and rewards.
    MiddlewareMembers internal members;
    Weth internal weth;
    address internal alice = address(0xA11CE);
    address internal bob = address(0xB0B);
    address internal staker = address(0x57A);

    function setUp() public virtual override {
        super.setUp();
        symbiotic = new Symbiotic();
        weth = new Weth();
        address implementation = address(new Middleware());
        middleware = Middleware(
            address(new ERC1967Proxy(implementation, abi.encodeCall(Middleware.initialize, (initParams()))))
        );
        members = MiddlewareMembers(address(middleware));
        middleware.setCollateral(address(weth), BURNER, true);
        router.setMiddleware(address(middleware));
        pass(2 days);
        router.applyMiddleware(address(middleware));
        vara.setMinter(address(router));
    }

    function initParams() internal view returns (Middleware.InitParams memory) {
        return Middleware.InitParams({
            owner: address(this),
            router: address(router),
            networkRegistry: symbiotic.networkRegistry(),
            networkMiddlewareService: symbiotic.networkMiddlewareService(),
            operatorRegistry: symbiotic.operatorRegistry(),
            operatorNetworkOptIn: symbiotic.operatorNetworkOptIn(),
            vaultFactory: symbiotic.vaultFactory(),
            upgradeDelay: 2 days,
            slashWindow: SLASH_WINDOW,
            executionMargin: EXECUTION_MARGIN,
            minVetoDuration: MIN_VETO,
            maxFraction: ONE,
            doubleSignFraction: ONE / 10,
            restakedShare: ONE / 2
        });
    }

    /// @dev A set is renewed before it is too old to sign.
    function renewSet() internal {
        (address[] memory list, uint64[] memory weights) = router.validatorSet();
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.SET_UPDATE, abi.encode(router.setId() + 1, list, weights));
        commit(batch);
    }

    function pass(uint256 time) internal {
        vm.warp(vm.getBlockTimestamp() + time);
        vm.roll(vm.getBlockNumber() + 1);
    }

    function now48() internal view returns (uint48) {
        return uint48(vm.getBlockTimestamp());
    }

    // Operators and vaults

    function enterSymbiotic(address operator) internal {
        IOperatorRegistry registry = IOperatorRegistry(symbiotic.operatorRegistry());
        vm.prank(operator);
        registry.registerOperator();
        address service = symbiotic.operatorNetworkOptIn();
        vm.prank(operator);
        IOptInService(service).optIn(address(middleware));
    }

    function registerOperator(address operator) internal {
        enterSymbiotic(operator);
        vm.prank(operator);
        members.registerOperator();
    }

    function vaultParams(address operator) internal view returns (Symbiotic.VaultParams memory) {
        return Symbiotic.VaultParams({
            collateral: address(weth),
            burner: BURNER,
            epochDuration: EPOCH,
            vetoDuration: VETO,
            delegator: 3,
            slasher: 1,
            withSlasher: true,
            network: address(middleware),
            operator: operator
        });
    }

    function makeVault(Symbiotic.VaultParams memory params) internal returns (IVault vault) {
        vault = IVault(symbiotic.makeVault(params));
        address service = symbiotic.operatorVaultOptIn();
        vm.prank(params.operator);
        IOptInService(service).optIn(address(vault));
    }

    function registerVault(Symbiotic.VaultParams memory params) internal returns (IVault vault) {
        vault = makeVault(params);
        vm.prank(params.operator);
        members.registerVault(address(vault));
    }

    function addVault(address operator) internal returns (IVault) {
        return registerVault(vaultParams(operator));
    }

    function stake(IVault vault, address who, uint256 amount) internal {
        vm.deal(who, amount);
        vm.prank(who);
        weth.deposit{ value: amount }();
        vm.prank(who);
        weth.approve(address(vault), amount);
        vm.prank(who);
        vault.deposit(who, amount);
    }

    /// @dev An operator with one vault that holds `amount`, and a capture of it that is over.
    function operatorWith(address operator, uint256 amount) internal returns (IVault vault, uint48 capture) {
        registerOperator(operator);
        vault = addVault(operator);
        stake(vault, staker, amount);
        capture = now48();
        pass(12);
    }

    // Slashes

    function slashItem(uint64 id, address operator, uint32 fraction, uint48 capture) internal {
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.SLASH, abi.encode(id, operator, fraction, capture));
        commit(batch);
    }

    function cancelItem(uint64 id) internal {
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.SLASH_CANCEL, abi.encode(id));
        commit(batch);
    }

    function slashDirectly(uint64 id, address operator, uint32 fraction, uint48 capture) internal {
        vm.prank(address(router));
        middleware.slash(id, operator, fraction, capture);
    }

    function cancelDirectly(uint64 id) internal {
        vm.prank(address(router));
        middleware.cancelSlash(id);
    }

    function stateOf(uint64 id) internal view returns (IMiddlewareTypes.SlashState state) {
        (,,,, state,) = middleware.slashInfo(id);
    }

    function requestsOf(uint64 id) internal view returns (IMiddlewareTypes.VaultSlash[] memory vaults) {
        (,,,,, vaults) = middleware.slashInfo(id);
    }

    function burnt() internal view returns (uint256) {
        return weth.balanceOf(BURNER);
    }

    function executeReverts(uint64 id, bytes memory reason) internal {
        vm.expectRevert(reason);
        middleware.executeSlash(id);
    }

    function same(uint256 actual, uint256 expected, string memory what) internal pure {
        ensure(actual == expected, what);
    }
}
