// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IOperatorRegistry } from "@symbioticfi/core/src/interfaces/IOperatorRegistry.sol";
import { IRegistry } from "@symbioticfi/core/src/interfaces/common/IRegistry.sol";
import { INetworkMiddlewareService } from "@symbioticfi/core/src/interfaces/service/INetworkMiddlewareService.sol";
import { IVetoSlasher } from "@symbioticfi/core/src/interfaces/slasher/IVetoSlasher.sol";
import { IVault } from "@symbioticfi/core/src/interfaces/vault/IVault.sol";
import { IMiddlewareTypes } from "../../src/IMiddleware.sol";
import { Middleware } from "../../src/Middleware.sol";
import { MiddlewareMembers } from "../../src/middleware/MiddlewareMembers.sol";
import { BadCollateral } from "../utils/Weth.sol";
import { MiddlewareFixture } from "../utils/MiddlewareFixture.sol";
import { Symbiotic } from "../utils/Symbiotic.sol";

/// @notice Who may take part: operators of Symbiotic, and vaults from which a slash can be taken in time.
contract RegistrationTest is MiddlewareFixture {
    function test_theMiddlewareIsTheNetwork() public view {
        ensure(IRegistry(symbiotic.networkRegistry()).isEntity(address(middleware)), "a network");
        address own = INetworkMiddlewareService(symbiotic.networkMiddlewareService()).middleware(address(middleware));
        ensure(own == address(middleware), "its own middleware");
        ensure(middleware.router() == address(router) && router.middleware() == address(middleware), "both know it");
        ensure(middleware.wrappedVara() == address(vara), "token");
    }

    function test_operators() public {
        operatorRefused(alice, abi.encodeWithSelector(IMiddlewareTypes.OperatorNotRegistered.selector, alice));
        IOperatorRegistry registry = IOperatorRegistry(symbiotic.operatorRegistry());
        vm.prank(bob);
        registry.registerOperator();
        operatorRefused(bob, abi.encodeWithSelector(IMiddlewareTypes.OperatorNotOptedIn.selector, bob));
        registerOperator(alice);
        operatorRefused(alice, abi.encodeWithSelector(IMiddlewareTypes.OperatorKnown.selector, alice));
        same(middleware.operatorsCount(), 1, "one");
        ensure(members.operatorAt(0) == alice && members.isOperatorAt(alice, now48()), "listed");

        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.UnknownOperator.selector, bob));
        members.setOperatorEnabled(false);
        vm.prank(alice);
        vm.expectRevert(IMiddlewareTypes.AlreadySet.selector);
        members.setOperatorEnabled(true);
        pass(1 days);
        vm.prank(alice);
        members.setOperatorEnabled(false);
        ensure(!members.isOperatorAt(alice, now48()), "disabled now");
        ensure(members.isOperatorAt(alice, now48() - 1 days), "enabled then");
    }

    function test_aGoodVault() public {
        registerOperator(alice);
        IVault vault = addVault(alice);
        (address operator, address collateral, uint48 epoch, uint48 veto, uint32 share, bool enabled) =
            members.vaultInfo(address(vault));
        ensure(operator == alice && collateral == address(weth) && enabled, "noted");
        ensure(epoch == EPOCH && veto == VETO && share == ONE, "numbers");
        address resolver = IVetoSlasher(vault.slasher()).resolver(middleware.subnetwork(), "");
        ensure(resolver == address(middleware), "the veto is ours");
        ensure(members.vaultsOf(alice)[0] == address(vault), "listed");
    }

    function test_aVaultOfANetworkThatServesOthersCountsLess() public {
        registerOperator(alice);
        Symbiotic.VaultParams memory params = vaultParams(alice);
        params.delegator = 2;
        IVault vault = registerVault(params);
        (,,,, uint32 share,) = members.vaultInfo(address(vault));
        same(share, ONE / 2, "half");
        middleware.setFractions(ONE, 0, 0);
        vaultRefused(params, abi.encodeWithSelector(IMiddlewareTypes.WrongDelegator.selector, uint64(2)));
    }

    function test_vaultsFromWhichNothingCouldBeTaken() public {
        registerOperator(alice);
        Symbiotic.VaultParams memory params = vaultParams(alice);
        params.epochDuration = SLASH_WINDOW + VETO + EXECUTION_MARGIN - 1;
        vaultRefused(
            params,
            abi.encodeWithSelector(
                IMiddlewareTypes.EpochTooShort.selector, params.epochDuration + 1, params.epochDuration
            )
        );
        params.epochDuration += 1;
        registerVault(params);

        params = vaultParams(alice);
        params.vetoDuration = MIN_VETO - 1;
        vaultRefused(
            params, abi.encodeWithSelector(IMiddlewareTypes.VetoTooShort.selector, MIN_VETO, params.vetoDuration)
        );
        params = vaultParams(alice);
        params.slasher = 0;
        vaultRefused(params, abi.encodeWithSelector(IMiddlewareTypes.WrongSlasher.selector, uint64(0)));
        params.withSlasher = false;
        IVault vault = makeVault(params);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.VaultNotReady.selector, address(vault)));
        members.registerVault(address(vault));
    }

    function test_vaultsWhoseSlashesGoElsewhere() public {
        registerOperator(alice);
        Symbiotic.VaultParams memory params = vaultParams(alice);
        params.burner = alice;
        vaultRefused(params, abi.encodeWithSelector(IMiddlewareTypes.WrongBurner.selector, BURNER, alice));
        params.burner = BURNER;
        params.collateral = address(new BadCollateral());
        vaultRefused(params, abi.encodeWithSelector(IMiddlewareTypes.CollateralNotAccepted.selector, params.collateral));
        middleware.setCollateral(address(weth), BURNER, false);
        vaultRefused(
            vaultParams(alice), abi.encodeWithSelector(IMiddlewareTypes.CollateralNotAccepted.selector, address(weth))
        );
    }

    function test_vaultsOfSomebodyElse() public {
        registerOperator(alice);
        registerOperator(bob);
        IVault vault = makeVault(vaultParams(bob));
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.NotOperatorOf.selector, address(vault), alice));
        members.registerVault(address(vault));
        Symbiotic.VaultParams memory params = vaultParams(alice);
        params.delegator = 0;
        vaultRefused(params, abi.encodeWithSelector(IMiddlewareTypes.WrongDelegator.selector, uint64(0)));
        params = vaultParams(alice);
        enterSymbiotic(address(this));
        params.network = otherNetwork();
        vaultRefused(params, abi.encodeWithSelector(IMiddlewareTypes.WrongDelegator.selector, uint64(3)));
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.NotAVault.selector, address(this)));
        members.registerVault(address(this));
        vm.prank(address(0xE));
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.UnknownOperator.selector, address(0xE)));
        members.registerVault(address(vault));
    }

    function test_aVaultOnce() public {
        registerOperator(alice);
        IVault vault = addVault(alice);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.VaultKnown.selector, address(vault)));
        members.registerVault(address(vault));
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.NotOperatorOf.selector, address(vault), bob));
        members.setVaultEnabled(address(vault), false);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.UnknownVault.selector, address(this)));
        members.setVaultEnabled(address(this), false);
        vm.prank(alice);
        vm.expectRevert(IMiddlewareTypes.AlreadySet.selector);
        members.setVaultEnabled(address(vault), true);
    }

    function test_onlySoManyVaults() public {
        registerOperator(alice);
        IVault first = addVault(alice);
        for (uint256 i = 1; i < members.MAX_VAULTS(); ++i) {
            addVault(alice);
        }
        vaultRefused(vaultParams(alice), abi.encodeWithSelector(IMiddlewareTypes.TooManyVaults.selector, 6));
        vm.prank(alice);
        members.setVaultEnabled(address(first), false);
        addVault(alice);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.TooManyVaults.selector, 6));
        members.setVaultEnabled(address(first), true);
    }

    function test_onlyTheOwnerGoverns() public {
        bytes memory reason = abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", alice);
        vm.prank(alice);
        vm.expectRevert(reason);
        middleware.setCollateral(address(weth), BURNER, true);
        vm.prank(alice);
        vm.expectRevert(reason);
        middleware.setWindows(1, 1, 1);
        vm.prank(alice);
        vm.expectRevert(reason);
        middleware.setFractions(1, 1, 1);
        vm.prank(alice);
        vm.expectRevert(reason);
        middleware.scheduleUpgrade(address(1));
        vm.prank(alice);
        vm.expectRevert(reason);
        middleware.upgradeToAndCall(address(1), "");
        vm.prank(alice);
        vm.expectRevert(reason);
        middleware.setUpgradeDelay(3 days);
        vm.prank(alice);
        vm.expectRevert(reason);
        middleware.cancelChange(0);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.OwnerNotContract.selector, alice));
        middleware.transferOwnership(alice);
    }

    function test_boundsOfGovernance() public {
        vm.expectRevert(IMiddlewareTypes.WindowsOutOfRange.selector);
        middleware.setWindows(0, 1, 1);
        vm.expectRevert(IMiddlewareTypes.WindowsOutOfRange.selector);
        middleware.setWindows(365 days, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.InvalidFraction.selector, ONE + 1));
        middleware.setFractions(ONE + 1, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.InvalidFraction.selector, uint32(0)));
        middleware.setFractions(0, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.InvalidFraction.selector, uint32(2)));
        middleware.setFractions(1, 2, 0);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.InvalidFraction.selector, ONE + 1));
        middleware.setFractions(1, 1, ONE + 1);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.WrongBurner.selector, address(weth), address(0)));
        middleware.setCollateral(address(weth), address(0), true);
    }

    function test_codeChangesInPublicOnly() public {
        registerOperator(alice);
        address code = address(new Middleware());
        bytes32 change = middleware.upgradeChange(code);
        bytes memory notScheduled = abi.encodeWithSelector(IMiddlewareTypes.NotScheduled.selector, change);
        vm.expectRevert(notScheduled);
        middleware.upgradeToAndCall(code, "");
        middleware.scheduleUpgrade(code);
        pass(2 days - 1);
        vm.expectRevert(notScheduled);
        middleware.upgradeToAndCall(code, "");
        pass(1);
        middleware.upgradeToAndCall(code, "");
        same(middleware.operatorsCount(), 1, "the state stays");
        vm.expectRevert(notScheduled);
        middleware.upgradeToAndCall(code, "");

        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.DelayTooShort.selector, 1 hours));
        middleware.setUpgradeDelay(1 hours - 1);
        middleware.setUpgradeDelay(3 days);
        middleware.scheduleUpgrade(code);
        middleware.cancelChange(change);
        pass(2 days);
        middleware.applyUpgradeDelay(3 days);
        same(middleware.upgradeDelay(), 3 days, "applied");
        vm.expectRevert(notScheduled);
        middleware.upgradeToAndCall(code, "");
    }

    function test_thePartsAloneDoNothing() public {
        Middleware.InitParams memory params = initParams();
        vm.expectRevert(bytes4(keccak256("InvalidInitialization()")));
        middleware.initialize(params);
        MiddlewareMembers alone = middleware.MEMBERS();
        vm.prank(address(router));
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.NotRouter.selector, address(router)));
        alone.distributeRewards(1, 1, 0, 0, new address[](0), new uint128[](0));
        (bool success,) = address(alone).call(abi.encodeWithSignature("registerOperator()"));
        ensure(!success, "no registry");
        (success,) = address(middleware).call(abi.encodeWithSignature("nothing()"));
        ensure(!success, "no such function");
    }

    function otherNetwork() private returns (address) {
        (bool success,) = symbiotic.networkRegistry().call(abi.encodeWithSignature("registerNetwork()"));
        ensure(success, "registered");
        return address(this);
    }

    function operatorRefused(address operator, bytes memory reason) private {
        vm.prank(operator);
        vm.expectRevert(reason);
        members.registerOperator();
    }

    function vaultRefused(Symbiotic.VaultParams memory params, bytes memory reason) private {
        IVault vault = makeVault(params);
        vm.prank(params.operator);
        vm.expectRevert(reason);
        members.registerVault(address(vault));
    }
}
