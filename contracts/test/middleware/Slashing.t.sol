// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IVetoSlasher } from "@symbioticfi/core/src/interfaces/slasher/IVetoSlasher.sol";
import { IVault } from "@symbioticfi/core/src/interfaces/vault/IVault.sol";
import { IMiddlewareTypes } from "../../src/IMiddleware.sol";
import { MiddlewareFixture } from "../utils/MiddlewareFixture.sol";

/// @notice Slashes on real vaults: the collateral moves, in time or not at all.
contract SlashingTest is MiddlewareFixture {
    function test_aSlashInABatchTakesTheFractionAfterTheVeto() public {
        (IVault vault, uint48 capture) = operatorWith(alice, 100 ether);
        slashItem(1, alice, ONE / 4, capture);
        same(requestsOf(1)[0].amount, 25 ether, "a quarter is asked for");
        same(weth.balanceOf(address(vault)), 100 ether, "nothing moves yet");
        uint48 deadline = now48() + VETO;
        executeReverts(1, abi.encodeWithSelector(IMiddlewareTypes.VetoNotOver.selector, deadline));
        pass(VETO - 1);
        executeReverts(1, abi.encodeWithSelector(IMiddlewareTypes.VetoNotOver.selector, deadline));
        pass(1);
        vm.prank(address(0x0ddba11));
        same(middleware.executeSlash(1), 1, "one vault");
        same(burnt(), 25 ether, "the burner has it");
        same(weth.balanceOf(address(vault)), 75 ether, "the vault lost it");
        same(vault.activeStake(), 75 ether, "stakers lost it");
        ensure(stateOf(1) == IMiddlewareTypes.SlashState.Executed, "closed");
        executeReverts(1, abi.encodeWithSelector(IMiddlewareTypes.SlashClosed.selector, uint64(1)));
        same(burnt(), 25 ether, "once");
    }

    function test_whoWithdrawsAfterTheCaptureIsSlashedToo() public {
        (IVault vault, uint48 capture) = operatorWith(alice, 100 ether);
        vm.prank(staker);
        vault.withdraw(staker, 60 ether);
        same(vault.activeStake(), 40 ether, "withdrawn");
        slashItem(1, alice, ONE / 2, capture);
        pass(VETO);
        middleware.executeSlash(1);
        same(burnt(), 50 ether, "half of what was captured");
        same(vault.activeStake(), 20 ether, "half of the active");
        pass(2 * uint256(EPOCH));
        vm.prank(staker);
        same(vault.claim(staker, 1), 30 ether, "half of the withdrawal");
        same(weth.balanceOf(staker) + burnt() + weth.balanceOf(address(vault)), 100 ether, "conserved");
    }

    function test_whoLeftBeforeTheCaptureIsNot() public {
        registerOperator(alice);
        IVault vault = addVault(alice);
        stake(vault, staker, 50 ether);
        stake(vault, bob, 50 ether);
        vm.prank(bob);
        vault.withdraw(bob, 50 ether);
        // The withdrawal is of the first epoch, and may be claimed after the second.
        pass(20 days);
        renewSet();
        pass(8 days + 1);
        uint48 capture = now48();
        pass(12);
        slashItem(1, alice, ONE, capture);
        pass(VETO);
        middleware.executeSlash(1);
        same(burnt(), 50 ether, "all that was captured");
        vm.prank(bob);
        same(vault.claim(bob, 1), 50 ether, "who left has all");
    }

    function test_aSlashOnceAndForOneId() public {
        (, uint48 capture) = operatorWith(alice, 100 ether);
        slashDirectly(1, alice, ONE / 4, capture);
        vm.prank(address(router));
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.SlashKnown.selector, uint64(1)));
        middleware.slash(1, alice, ONE / 4, capture);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.UnknownSlash.selector, uint64(2)));
        middleware.executeSlash(2);
    }

    function test_badNumbers() public {
        (, uint48 capture) = operatorWith(alice, 100 ether);
        uint64 first = middleware.REPORTS_FROM();
        refused(first, alice, 1, capture, abi.encodeWithSelector(IMiddlewareTypes.InvalidSlashId.selector, first));
        refused(1, alice, 0, capture, abi.encodeWithSelector(IMiddlewareTypes.InvalidFraction.selector, uint32(0)));
        refused(1, alice, ONE + 1, capture, abi.encodeWithSelector(IMiddlewareTypes.InvalidFraction.selector, ONE + 1));
        refused(1, alice, 1, now48(), abi.encodeWithSelector(IMiddlewareTypes.FutureTimestamp.selector, now48()));
        refused(1, bob, 1, capture, abi.encodeWithSelector(IMiddlewareTypes.UnknownOperator.selector, bob));
        refused(
            1,
            alice,
            1,
            capture - 1,
            abi.encodeWithSelector(IMiddlewareTypes.NothingToSlash.selector, alice, capture - 1)
        );
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.NotRouter.selector, address(this)));
        middleware.slash(1, alice, 1, capture);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.NotRouter.selector, address(this)));
        middleware.cancelSlash(1);
    }

    function test_tooLateIsSaid() public {
        (, uint48 capture) = operatorWith(alice, 100 ether);
        uint48 latest = capture + EPOCH - VETO;
        vm.warp(latest + 1);
        refused(1, alice, ONE, capture, abi.encodeWithSelector(IMiddlewareTypes.SlashTooLate.selector, capture, latest));
        vm.warp(latest);
        slashDirectly(1, alice, ONE, capture);
        vm.warp(uint256(capture) + EPOCH + 1);
        executeReverts(1, abi.encodeWithSelector(IMiddlewareTypes.SlashExpired.selector, uint256(capture) + EPOCH));
        vm.warp(uint256(capture) + EPOCH);
        middleware.executeSlash(1);
        same(burnt(), 100 ether, "in the last second");
    }

    function test_aCancelledSlashTakesNothing() public {
        (IVault vault, uint48 capture) = operatorWith(alice, 100 ether);
        slashItem(1, alice, ONE / 2, capture);
        same(middleware.slashedFraction(alice, capture), ONE / 2, "noted");
        pass(VETO - 1);
        cancelItem(1);
        (,,,,, bool completed) = IVetoSlasher(vault.slasher()).slashRequests(0);
        ensure(completed, "the vault's slasher has the veto");
        ensure(stateOf(1) == IMiddlewareTypes.SlashState.Cancelled, "cancelled");
        same(middleware.slashedFraction(alice, capture), 0, "not counted");
        pass(1 days);
        executeReverts(1, abi.encodeWithSelector(IMiddlewareTypes.SlashClosed.selector, uint64(1)));
        same(burnt(), 0, "nothing");
        cancelRefused(1, abi.encodeWithSelector(IMiddlewareTypes.SlashClosed.selector, uint64(1)));
        cancelRefused(7, abi.encodeWithSelector(IMiddlewareTypes.UnknownSlash.selector, uint64(7)));
    }

    function test_aCancellationHoldsAfterTheVetoPhaseToo() public {
        (IVault vault, uint48 capture) = operatorWith(alice, 100 ether);
        slashDirectly(1, alice, ONE / 2, capture);
        pass(VETO);
        cancelDirectly(1);
        (,,,,, bool completed) = IVetoSlasher(vault.slasher()).slashRequests(0);
        ensure(!completed, "too late for the vault's slasher");
        executeReverts(1, abi.encodeWithSelector(IMiddlewareTypes.SlashClosed.selector, uint64(1)));
        address slasher = vault.slasher();
        vm.expectRevert(bytes4(keccak256("NotNetworkMiddleware()")));
        IVetoSlasher(slasher).executeSlash(0, "");
        same(burnt(), 0, "nothing");
    }

    function test_neverMoreThanTheMostOfACapture() public {
        (, uint48 capture) = operatorWith(alice, 100 ether);
        middleware.setFractions(ONE / 2, 0, 0);
        slashDirectly(1, alice, ONE * 3 / 10, capture);
        slashDirectly(2, alice, ONE * 3 / 10, capture);
        slashDirectly(3, alice, ONE * 3 / 10, capture);
        same(requestsOf(2)[0].amount, 20 ether, "what is left");
        ensure(stateOf(3) == IMiddlewareTypes.SlashState.Covered, "nothing is left");
        executeReverts(3, abi.encodeWithSelector(IMiddlewareTypes.SlashClosed.selector, uint64(3)));
        pass(VETO);
        middleware.executeSlash(2);
        middleware.executeSlash(1);
        same(burnt(), 50 ether, "half");
    }

    function test_captureByCapture() public {
        (IVault vault, uint48 first) = operatorWith(alice, 100 ether);
        pass(1 days);
        uint48 second = now48();
        pass(12);
        slashDirectly(2, alice, ONE / 2, second);
        pass(1 hours);
        slashDirectly(1, alice, ONE / 2, first);
        pass(VETO - 1 hours);
        executeReverts(2, abi.encodeWithSelector(IMiddlewareTypes.OlderSlashPending.selector, uint64(1)));
        pass(1 hours);
        executeReverts(2, abi.encodeWithSelector(IMiddlewareTypes.OlderSlashPending.selector, uint64(1)));
        middleware.executeSlash(1);
        middleware.executeSlash(2);
        same(burnt(), 100 ether, "both");
        same(vault.activeStake(), 0, "all");
    }

    function test_anOldOffenceIsNotForgottenWhenANewerOneWasExecuted() public {
        (IVault vault, uint48 first) = operatorWith(alice, 100 ether);
        pass(1 days);
        uint48 second = now48();
        pass(12);
        slashDirectly(2, alice, ONE / 10, second);
        pass(VETO);
        middleware.executeSlash(2);
        slashDirectly(1, alice, ONE / 2, first);
        same(requestsOf(1)[0].capture, second, "counted by the newer capture");
        pass(VETO);
        middleware.executeSlash(1);
        same(burnt(), 60 ether, "both fractions of what was captured");
        same(vault.activeStake(), 40 ether, "what is left");
    }

    function test_aPendingOneThatExpiredHoldsUpNobody() public {
        (, uint48 first) = operatorWith(alice, 100 ether);
        pass(5 days);
        uint48 second = now48();
        pass(12);
        slashDirectly(1, alice, ONE / 2, first);
        slashDirectly(2, alice, ONE / 2, second);
        pass(VETO);
        executeReverts(2, abi.encodeWithSelector(IMiddlewareTypes.OlderSlashPending.selector, uint64(1)));
        vm.warp(uint256(first) + EPOCH + 1);
        same(middleware.executeSlash(2), 1, "its turn");
        same(burnt(), 50 ether, "once");
    }

    function test_whereNothingIsLeftNobodyWaits() public {
        (IVault vault, uint48 first) = operatorWith(alice, 100 ether);
        pass(1 days);
        uint48 second = now48();
        pass(1 days);
        uint48 third = now48();
        pass(12);
        slashDirectly(1, alice, 600_000_000, first);
        slashDirectly(2, alice, 600_000_000, second);
        slashDirectly(3, alice, 600_000_000, third);
        pass(VETO);
        middleware.executeSlash(1);
        middleware.executeSlash(2);
        same(burnt(), 100 ether, "all that was captured");
        same(middleware.executeSlash(3), 1, "done");
        same(requestsOf(3)[0].amount, 0, "with nothing");
        same(burnt(), 100 ether, "nothing more");
        ensure(stateOf(3) == IMiddlewareTypes.SlashState.Executed, "closed");
        stake(vault, bob, 50 ether);
        uint48 later = now48();
        pass(12);
        slashDirectly(4, alice, ONE / 2, later);
        pass(VETO);
        middleware.executeSlash(4);
        ensure(burnt() > 124 ether, "the next one has its turn");
    }

    function test_allVaultsOfAnOperator() public {
        (IVault one, uint48 unused) = operatorWith(alice, 100 ether);
        unused;
        IVault two = addVault(alice);
        stake(two, bob, 40 ether);
        registerOperator(bob);
        IVault other = addVault(bob);
        stake(other, bob, 30 ether);
        uint48 capture = now48();
        pass(12);
        slashItem(1, alice, ONE / 10, capture);
        same(requestsOf(1).length, 2, "both");
        pass(VETO);
        same(middleware.executeSlash(1), 2, "both");
        same(one.activeStake(), 90 ether, "first");
        same(two.activeStake(), 36 ether, "second");
        same(other.activeStake(), 30 ether, "not another operator's");
    }

    function test_disablingAfterTheCaptureDoesNotHelp() public {
        (IVault vault, uint48 capture) = operatorWith(alice, 100 ether);
        vm.prank(alice);
        members.setVaultEnabled(address(vault), false);
        vm.prank(alice);
        members.setOperatorEnabled(false);
        middleware.setCollateral(address(weth), BURNER, false);
        middleware.setWindows(100 days, 1 days, 1 days);
        slashItem(1, alice, ONE, capture);
        pass(VETO);
        middleware.executeSlash(1);
        same(burnt(), 100 ether, "all");
    }

    function test_fractionsOfACaptureAddUp() public {
        (, uint48 capture) = operatorWith(alice, 100 ether);
        slashDirectly(1, alice, ONE / 10, capture);
        slashDirectly(2, alice, ONE / 10, capture);
        same(middleware.slashedFraction(alice, capture), ONE / 5, "sum");
        cancelDirectly(1);
        same(middleware.slashedFraction(alice, capture), ONE / 10, "less the cancelled");
        slashDirectly(3, alice, ONE, capture);
        same(middleware.slashedFraction(alice, capture), ONE, "never more than all");
        pass(VETO);
        middleware.executeSlash(2);
        middleware.executeSlash(3);
        same(burnt(), 100 ether, "all");
    }

    function refused(uint64 id, address operator, uint32 fraction, uint48 capture, bytes memory reason) private {
        vm.prank(address(router));
        vm.expectRevert(reason);
        middleware.slash(id, operator, fraction, capture);
    }

    function cancelRefused(uint64 id, bytes memory reason) private {
        vm.prank(address(router));
        vm.expectRevert(reason);
        middleware.cancelSlash(id);
    }
}

/// @notice The same for any amounts.
contract SlashingFuzz is MiddlewareFixture {
    function testFuzz_theFractionOfWhatWasCaptured(uint256 amount, uint32 fraction, uint256 later) public {
        amount = amount % 1_000_000 ether + 1;
        fraction = fraction % ONE + 1;
        later = later % 1_000_000 ether + 1;
        registerOperator(alice);
        IVault vault = addVault(alice);
        stake(vault, staker, amount);
        uint48 capture = now48();
        pass(12);
        stake(vault, bob, later);
        uint256 expected = amount * fraction / ONE;
        if (expected == 0) {
            vm.prank(address(router));
            vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.NothingToSlash.selector, alice, capture));
            middleware.slash(1, alice, fraction, capture);
            return;
        }
        slashItem(1, alice, fraction, capture);
        pass(VETO);
        middleware.executeSlash(1);
        same(burnt(), expected, "the fraction of the capture");
        same(weth.balanceOf(address(vault)), amount + later - expected, "conserved");
    }
}
