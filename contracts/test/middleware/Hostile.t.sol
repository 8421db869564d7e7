// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IMigratablesFactory } from "@symbioticfi/core/src/interfaces/common/IMigratablesFactory.sol";
import { IVault } from "@symbioticfi/core/src/interfaces/vault/IVault.sol";
import { IRouter } from "../../src/IRouter.sol";
import { IMiddlewareTypes } from "../../src/IMiddleware.sol";
import { Gear } from "../../src/libraries/Gear.sol";
import { HostileDelegator, HostileSlasher, HostileVault, Moody } from "../utils/Hostile.sol";
import { BadCollateral } from "../utils/Weth.sol";
import { MiddlewareFixture } from "../utils/MiddlewareFixture.sol";
import { Symbiotic } from "../utils/Symbiotic.sol";
import { Vm } from "../utils/Vm.sol";

/// @notice Vaults and collateral that revert, re-enter, spend or lie: they hurt nobody but their own stakers.
contract HostileTest is MiddlewareFixture {
    bytes32 private constant FAILED = keccak256("VaultSlashFailed(uint64,address,bytes)");
    bytes32 private constant SKIPPED = keccak256("OutboxItemSkipped(uint64,uint8,bytes)");

    BadCollateral private bad;
    IVault private good;
    IVault private badVault;
    uint48 private capture;

    /// @dev An operator with a good vault and one whose collateral will turn bad.
    function twoVaults() private {
        bad = new BadCollateral();
        middleware.setCollateral(address(bad), BURNER, true);
        registerOperator(alice);
        Symbiotic.VaultParams memory params = vaultParams(alice);
        params.collateral = address(bad);
        badVault = registerVault(params);
        bad.mint(staker, 100 ether);
        vm.prank(staker);
        bad.approve(address(badVault), 100 ether);
        vm.prank(staker);
        badVault.deposit(staker, 100 ether);
        good = addVault(alice);
        stake(good, staker, 100 ether);
        capture = now48();
        pass(12);
    }

    function test_aCollateralThatRevertsHoldsUpNobody() public {
        twoVaults();
        slashItem(1, alice, ONE / 2, capture);
        slashItem(2, alice, ONE / 4, capture);
        pass(VETO);
        bad.setBroken(true);
        vm.recordLogs();
        same(middleware.executeSlash(1), 1, "the good one");
        same(count(vm.getRecordedLogs(), FAILED), 1, "the bad one is told");
        same(burnt(), 50 ether, "taken");
        ensure(stateOf(1) == IMiddlewareTypes.SlashState.Requested, "still open");
        same(middleware.executeSlash(2), 1, "another slash");
        vm.expectPartialRevert(IMiddlewareTypes.VaultCallFailed.selector);
        middleware.executeSlash(1);
        bad.setBroken(false);
        same(middleware.executeSlash(1), 1, "when it works again");
        same(middleware.executeSlash(2), 1, "both");
        same(bad.balanceOf(BURNER), 75 ether, "taken there too");
        same(burnt(), 75 ether, "and here once");
    }

    function test_aCollateralThatReentersGetsNothing() public {
        twoVaults();
        slashItem(1, alice, ONE / 2, capture);
        pass(VETO);
        bad.setCall(address(middleware), abi.encodeCall(middleware.executeSlash, (1)));
        same(middleware.executeSlash(1), 2, "both");
        ensure(!bad.succeeded() && bytes4(bad.answer()) == bytes4(keccak256("ReentrancyGuardReentrantCall()")), "shut");
        same(burnt(), 50 ether, "once");
        same(bad.balanceOf(BURNER), 50 ether, "once there");
    }

    /// @dev Who executes a slash with a batch in hand could otherwise have the batch's own slashes skipped.
    function test_aBatchFromWithinTheMiddlewareSkipsNothing() public {
        twoVaults();
        slashItem(1, alice, ONE / 2, capture);
        pass(VETO);
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.SLASH, abi.encode(uint64(2), alice, ONE / 4, capture));
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        bad.setCall(address(router), abi.encodeCall(IRouter.commitBatch, (batch, bitmap, signatures)));
        same(middleware.executeSlash(1), 2, "both");
        ensure(!bad.succeeded() && bad.answer().length != 0, "the batch reverted");
        bad.setCall(address(0), "");
        ensure(stateOf(2) == IMiddlewareTypes.SlashState.None, "not consumed");
        commit(batch);
        ensure(stateOf(2) == IMiddlewareTypes.SlashState.Requested, "the same batch applies");
    }

    function test_theRouterRefusesABusyMiddleware() public {
        Busy busy = new Busy();
        router.setMiddleware(address(busy));
        pass(2 days);
        router.applyMiddleware(address(busy));
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.SLASH_CANCEL, abi.encode(uint64(2)));
        commitReverts(batch, abi.encodeWithSelector(IRouter.MiddlewareBusy.selector));
        busy.setBusy(false);
        commit(batch);
    }

    function test_vaultsThatSpendEverythingLeaveEnough() public {
        registerOperator(alice);
        HostileVault[] memory vaults = new HostileVault[](5);
        for (uint256 i = 0; i < 5; ++i) {
            vaults[i] = hostile(alice);
        }
        good = addVault(alice);
        stake(good, staker, 100 ether);
        capture = now48();
        pass(12);
        for (uint256 i = 0; i < 5; ++i) {
            // A trap each: when its stake is read, or when it is asked.
            if (i == 0) setMood(vaults[i].delegator(), HostileDelegator.stakeAt.selector, Moody.Mood.Spends);
            else setMood(vaults[i].slasher(), HostileSlasher.requestSlash.selector, Moody.Mood.Spends);
        }
        same(middleware.stakesOf(alice, capture).length, 5, "what can be read");
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.SLASH, abi.encode(uint64(1), alice, ONE / 2, capture));
        vm.recordLogs();
        commit(batch);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        same(count(logs, FAILED), 5, "each is told");
        same(count(logs, SKIPPED), 0, "the item is applied");
        same(requestsOf(1).length, 1, "the good one is asked");
        pass(VETO);
        middleware.executeSlash(1);
        same(burnt(), 50 ether, "taken");
    }

    function test_aVaultThatCouldNotBeAskedIsAskedAgain() public {
        registerOperator(alice);
        HostileVault vault = hostile(alice);
        capture = now48();
        pass(12);
        HostileSlasher slasher = vault.slasher();
        Moody.Mood[3] memory moods = [Moody.Mood.Reverts, Moody.Mood.Bombs, Moody.Mood.Spends];
        setMood(slasher, HostileSlasher.requestSlash.selector, moods[0]);
        slashItem(1, alice, ONE / 2, capture);
        ensure(stateOf(1) == IMiddlewareTypes.SlashState.Requested, "it waits");
        for (uint256 i = 0; i < moods.length; ++i) {
            setMood(slasher, HostileSlasher.requestSlash.selector, moods[i]);
            vm.expectPartialRevert(IMiddlewareTypes.VaultCallFailed.selector);
            middleware.retrySlash(1, address(vault));
            setMood(slasher, HostileSlasher.latestSlashedCaptureTimestamp.selector, moods[i]);
            vm.expectPartialRevert(IMiddlewareTypes.VaultCallFailed.selector);
            middleware.retrySlash(1, address(vault));
            setMood(slasher, HostileSlasher.latestSlashedCaptureTimestamp.selector, Moody.Mood.Good);
        }
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.NothingToSlash.selector, alice, capture));
        middleware.executeSlash(1);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.VaultNotCounted.selector, address(this), capture));
        middleware.retrySlash(1, address(this));
        setMood(slasher, HostileSlasher.requestSlash.selector, Moody.Mood.Good);
        middleware.retrySlash(1, address(vault));
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.AlreadyRequested.selector, uint64(1), address(vault)));
        middleware.retrySlash(1, address(vault));
        same(slasher.requests(), 1, "once");
    }

    function test_noAskingAfterACancellation() public {
        registerOperator(alice);
        HostileVault vault = hostile(alice);
        capture = now48();
        pass(12);
        setMood(vault.slasher(), HostileSlasher.requestSlash.selector, Moody.Mood.Reverts);
        slashItem(1, alice, ONE / 2, capture);
        cancelItem(1);
        setMood(vault.slasher(), HostileSlasher.requestSlash.selector, Moody.Mood.Good);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.SlashClosed.selector, uint64(1)));
        middleware.retrySlash(1, address(vault));
    }

    function test_aVaultThatIgnoresTheVetoIsNotExecutedEither() public {
        registerOperator(alice);
        HostileVault vault = hostile(alice);
        capture = now48();
        pass(12);
        slashItem(1, alice, ONE / 2, capture);
        setMood(vault.slasher(), HostileSlasher.vetoSlash.selector, Moody.Mood.Spends);
        cancelItem(1);
        pass(VETO);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.SlashClosed.selector, uint64(1)));
        middleware.executeSlash(1);
        same(vault.slasher().executed(), 0, "never");
    }

    function test_liesStayInTheVault() public {
        registerOperator(alice);
        HostileVault vault = hostile(alice);
        good = addVault(alice);
        stake(good, staker, 100 ether);
        capture = now48();
        pass(12);
        setMood(vault.delegator(), HostileDelegator.stakeAt.selector, Moody.Mood.Lies);
        setMood(vault.slasher(), HostileSlasher.latestSlashedCaptureTimestamp.selector, Moody.Mood.Lies);
        setMood(vault.slasher(), HostileSlasher.requestSlash.selector, Moody.Mood.Lies);
        setMood(vault.slasher(), HostileSlasher.executeSlash.selector, Moody.Mood.Lies);
        same(middleware.stakesOf(alice, capture)[0].amount, type(uint256).max, "whatever it says");
        slashItem(1, alice, ONE / 2, capture);
        same(requestsOf(1)[0].capture, capture, "no capture of the future");
        pass(VETO);
        same(middleware.executeSlash(1), 2, "both");
        same(burnt(), 50 ether, "the good one");
    }

    function test_aVaultThatLiesAboutSharesPaysItsOwnStakersOnly() public {
        registerOperator(alice);
        HostileVault vault = hostile(alice);
        good = addVault(alice);
        stake(good, staker, 100 ether);
        capture = now48();
        pass(12);
        address[] memory vaults = new address[](2);
        uint128[] memory amounts = new uint128[](2);
        (vaults[0], vaults[1], amounts[0], amounts[1]) = (address(vault), address(good), 100, 100);
        vm.prank(user);
        vara.transfer(address(middleware), 200);
        vm.prank(address(router));
        middleware.distributeRewards(1, capture, 0, 0, vaults, amounts);
        setMood(vault, HostileVault.activeSharesOfAt.selector, Moody.Mood.Lies);
        vm.prank(bob);
        same(members.claimStakerReward(1, address(vault), bob), 100, "all of the vault's");
        vm.prank(alice);
        vm.expectRevert(IMiddlewareTypes.NothingToClaim.selector);
        members.claimStakerReward(1, address(vault), alice);
        setMood(vault, HostileVault.activeSharesAt.selector, Moody.Mood.Reverts);
        vm.prank(staker);
        same(members.claimStakerReward(1, address(good), staker), 100, "another vault's");
    }

    function hostile(address operator) private returns (HostileVault) {
        IMigratablesFactory factory = IMigratablesFactory(symbiotic.vaultFactory());
        if (factory.lastVersion() == 1) symbiotic.whitelistVault(address(new HostileVault(address(factory))));
        HostileVault vault =
            HostileVault(factory.create(2, alice, abi.encode(address(weth), BURNER, address(middleware), operator)));
        vm.prank(operator);
        members.registerVault(address(vault));
        return vault;
    }

    function setMood(Moody who, bytes4 selector, Moody.Mood mood) private {
        who.setMood(selector, mood);
    }
}

/// @dev A Middleware in the middle of something.
contract Busy {
    bool public busy = true;

    function setBusy(bool value) external {
        busy = value;
    }

    function cancelSlash(uint64) external { }
}
