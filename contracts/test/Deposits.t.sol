// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { PausableUpgradeable } from "@openzeppelin/contracts-upgradeable/utils/PausableUpgradeable.sol";
import { IDeposits } from "../src/IDeposits.sol";
import { IMirror } from "../src/IMirror.sol";
import { IRouter } from "../src/IRouter.sol";
import { Mirror } from "../src/Mirror.sol";
import { Gear } from "../src/libraries/Gear.sol";
import { RouterDeposits } from "../src/router/RouterDeposits.sol";
import { RouterItems } from "../src/router/RouterItems.sol";
import { RouterFixture } from "./utils/RouterFixture.sol";
import { Vm } from "./utils/Vm.sol";

/// @dev A depositor that is a contract, and takes ETH only in some moods.
contract Depositor {
    enum Mood {
        Takes,
        Refuses,
        Burns,
        Bombs,
        Returns
    }

    Mood public mood;
    IDeposits private immutable ROUTER;

    constructor(IDeposits router) {
        ROUTER = router;
    }

    function setMood(Mood value) external {
        mood = value;
    }

    function withdrawPending(address payable to) external {
        ROUTER.withdrawPendingDeposit(to);
    }

    receive() external payable {
        require(mood != Mood.Refuses, "no");
        while (mood == Mood.Burns) { }
        if (mood == Mood.Bombs) {
            assembly ("memory-safe") {
                revert(0, 300000)
            }
        }
        if (mood == Mood.Returns) ROUTER.depositFor{ value: msg.value }(msg.sender);
    }
}

/// @notice ETH that users put by at the Router: in, to programs, and back.
contract DepositsTest is RouterFixture {
    bytes32 private constant ID = keccak256("withdrawal");

    function deposits() private view returns (IDeposits) {
        return IDeposits(address(router));
    }

    function put(address account, uint256 value) private {
        vm.deal(user, value);
        vm.prank(user);
        deposits().depositFor{ value: value }(account);
    }

    /// A batch in which deposits give `given` to `program` and pay `claims`.
    function batchOf(address program, uint128 given, Gear.ValueClaim[] memory claims)
        private
        view
        returns (Gear.Batch memory batch)
    {
        batch = emptyBatch();
        Gear.StateTransition memory own = withTransition(batch, Gear.DEPOSITS);
        own.valueClaims = claims;
        for (uint256 i = 0; i < claims.length; ++i) {
            own.valueToReceive += claims[i].value;
        }
        if (program == address(0)) return batch;
        own.netTransfer = -int128(given);
        withTransition(batch, program).netTransfer = int128(given);
    }

    function one(address account, uint128 value) private pure returns (Gear.ValueClaim[] memory claims) {
        claims = new Gear.ValueClaim[](1);
        claims[0] = Gear.ValueClaim(ID, account, value);
    }

    function pay(address account, uint128 value) private {
        commit(batchOf(address(0), 0, one(account, value)));
    }

    function conserved() private view {
        uint256 kept = router.custody(Gear.DEPOSITS) + deposits().totalPendingDeposits();
        ensure(address(router).balance == kept, "balance");
    }

    function test_depositIsInCustody() public {
        vm.recordLogs();
        vm.prank(user);
        deposits().deposit{ value: 3 }();
        Vm.Log[] memory logs = vm.getRecordedLogs();
        ensure(logs.length == 1 && logs[0].topics[0] == IDeposits.Deposited.selector, "event");
        ensure(logs[0].emitter == address(router), "emitter");
        ensure(logs[0].topics[1] == bytes32(uint256(uint160(user))), "account");
        ensure(abi.decode(logs[0].data, (uint128)) == 3, "value");
        put(address(0xD00D), 4);
        ensure(router.custody(Gear.DEPOSITS) == 7, "custody");
        ensure(router.programCodeId(Gear.DEPOSITS) == 0, "no program");
        conserved();
    }

    function test_nothingIsNoDeposit() public {
        vm.expectRevert(IRouter.ZeroValueTransfer.selector);
        deposits().deposit();
        vm.expectRevert(IRouter.ZeroValueTransfer.selector);
        deposits().requestWithdrawal(0);
    }

    function test_plainTransfersAreStillRefused() public {
        vm.prank(user);
        (bool success, bytes memory reason) = address(router).call{ value: 1 }("");
        ensure(!success && bytes4(reason) == IRouter.UnknownProgram.selector, "transfer");
        (success,) = address(router).call(hex"12345678");
        ensure(!success, "unknown function");
    }

    function test_pauseHaltsDepositsAndRequests() public {
        put(user, 1);
        router.pause();
        vm.deal(user, 1);
        vm.expectRevert(PausableUpgradeable.EnforcedPause.selector);
        vm.prank(user);
        deposits().deposit{ value: 1 }();
        vm.expectRevert(PausableUpgradeable.EnforcedPause.selector);
        vm.prank(user);
        deposits().requestWithdrawal(1);
    }

    function test_requestsHaveIds() public {
        vm.recordLogs();
        vm.prank(user);
        bytes32 first = deposits().requestWithdrawal(5);
        vm.prank(user);
        bytes32 second = deposits().requestWithdrawal(5);
        ensure(first == keccak256(abi.encodePacked(address(router), uint256(0))), "first");
        ensure(second == keccak256(abi.encodePacked(address(router), uint256(1))), "second");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        ensure(count(logs, IDeposits.WithdrawalRequested.selector) == 2, "events");
        (uint128 amount, bytes32 id) = abi.decode(logs[0].data, (uint128, bytes32));
        ensure(amount == 5 && id == first, "data");
    }

    function test_valueGoesToAProgram() public {
        validateCode();
        Mirror mirror = createProgram(0);
        initMessage(mirror);
        put(user, 10);
        Gear.Batch memory batch = batchOf(address(mirror), 4, new Gear.ValueClaim[](0));
        for (uint256 i = 0; i < batch.transitions.length; ++i) {
            if (batch.transitions[i].actorId == address(mirror)) batch.transitions[i].valueToReceive = 3;
        }
        commit(batch);
        ensure(router.custody(Gear.DEPOSITS) == 6, "deposits");
        ensure(router.custody(address(mirror)) == 1 && address(mirror).balance == 3, "program");
        ensure(address(router).balance == 7, "balance");
    }

    function test_withdrawalIsPaid() public {
        put(user, 10);
        address payee = address(0xD00D);
        vm.recordLogs();
        pay(payee, 4);
        ensure(payee.balance == 4 && router.custody(Gear.DEPOSITS) == 6, "paid");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        ensure(count(logs, IDeposits.Withdrawn.selector) == 1, "event");
        ensure(count(logs, IDeposits.WithdrawalPending.selector) == 0, "pending");
        conserved();
    }

    function test_whatCannotBePaidStaysClaimable() public {
        put(user, 100);
        Depositor payee = new Depositor(deposits());
        Depositor.Mood[3] memory moods = [Depositor.Mood.Refuses, Depositor.Mood.Burns, Depositor.Mood.Bombs];
        for (uint256 i = 0; i < moods.length; ++i) {
            payee.setMood(moods[i]);
            pay(address(payee), 10);
            ensure(deposits().pendingDeposit(address(payee)) == 10 * (i + 1), "pending");
            conserved();
        }
        payee.setMood(Depositor.Mood.Refuses);
        vm.expectRevert(abi.encodeWithSelector(IDeposits.PendingDepositFailed.selector, address(payee)));
        payee.withdrawPending(payable(address(payee)));
        payee.withdrawPending(payable(address(0xB0B)));
        ensure(address(0xB0B).balance == 30 && deposits().totalPendingDeposits() == 0, "withdrawn");
        vm.expectRevert(IDeposits.NothingPending.selector);
        payee.withdrawPending(payable(address(0xB0B)));
        conserved();
    }

    function test_payeeMayDepositAnew() public {
        put(user, 10);
        Depositor payee = new Depositor(deposits());
        payee.setMood(Depositor.Mood.Returns);
        pay(address(payee), 4);
        ensure(router.custody(Gear.DEPOSITS) == 10 && address(payee).balance == 0, "back");
        conserved();
    }

    function test_onlyTheRouterPays() public {
        put(user, 10);
        Gear.Batch memory batch = batchOf(address(0), 0, one(user, 1));
        RouterDeposits part = RouterDeposits(address(router));
        vm.expectRevert(IMirror.CallerNotRouter.selector);
        part.performStateTransition(batch.transitions[0], 0);
        RouterDeposits alone = new RouterDeposits();
        vm.expectRevert(IMirror.CallerNotRouter.selector);
        alone.performStateTransition(batch.transitions[0], 0);
    }

    function test_thePartAloneTakesNothing() public {
        RouterDeposits alone = new RouterDeposits();
        vm.expectRevert(RouterItems.OnlyByDelegatecall.selector);
        alone.deposit{ value: 1 }();
        vm.expectRevert(RouterItems.OnlyByDelegatecall.selector);
        alone.requestWithdrawal(1);
        vm.expectRevert(RouterItems.OnlyByDelegatecall.selector);
        alone.withdrawPendingDeposit(payable(user));
    }

    function test_moreThanThereIsIsRefused() public {
        validateCode();
        Mirror mirror = createProgram(0);
        put(user, 10);
        commitReverts(batchOf(address(0), 0, one(user, 11)), abi.encodeWithSelector(IRouter.ValueNotConserved.selector));
        commitReverts(
            batchOf(address(mirror), 11, new Gear.ValueClaim[](0)),
            abi.encodeWithSelector(IRouter.ValueNotConserved.selector)
        );
        commitReverts(
            batchOf(address(mirror), 6, one(user, 5)), abi.encodeWithSelector(IRouter.ValueNotConserved.selector)
        );
        // Claims that are not what leaves custody.
        Gear.Batch memory batch = batchOf(address(0), 0, one(user, 5));
        batch.transitions[0].valueToReceive = 4;
        commitReverts(batch, abi.encodeWithSelector(IRouter.ValueNotConserved.selector));
        batch.transitions[0].valueToReceive = 6;
        commitReverts(batch, abi.encodeWithSelector(IRouter.ValueNotConserved.selector));
        commit(batchOf(address(mirror), 6, one(user, 4)));
        ensure(router.custody(Gear.DEPOSITS) == 0, "all of it");
    }

    function test_tooLittleGasIsTheSubmittersFault() public {
        put(user, 10);
        Gear.Batch memory batch = batchOf(address(0), 0, one(user, 1));
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        bytes memory data = abi.encodeCall(router.commitBatch, (batch, bitmap, signatures));
        for (uint256 gas = 100_000; gas < 800_000; gas += 10_000) {
            (bool success,) = address(router).call{ gas: gas }(data);
            if (!success) continue;
            ensure(deposits().totalPendingDeposits() == 0, "a payout failed for want of gas");
            return;
        }
        revert AssertionFailed("never applied");
    }

    /// Whatever is put in, given to a program, taken out and refused: nothing is lost.
    function testFuzz_everyWeiIsSomewhere(uint96 put_, uint96 given, uint96[5] calldata out, uint8 moods) public {
        validateCode();
        Mirror mirror = createProgram(0);
        vm.assume(put_ != 0);
        put(user, put_);
        uint128 left = put_;
        uint128 toProgram = uint128(given % (uint256(left) + 1));
        left -= toProgram;
        Gear.ValueClaim[] memory claims = new Gear.ValueClaim[](out.length);
        Depositor[] memory payees = new Depositor[](out.length);
        for (uint256 i = 0; i < out.length; ++i) {
            payees[i] = new Depositor(deposits());
            if ((moods >> i) & 1 == 1) payees[i].setMood(Depositor.Mood.Refuses);
            claims[i] = Gear.ValueClaim(ID, address(payees[i]), uint128(out[i] % (uint256(left) + 1)));
            left -= claims[i].value;
        }
        commit(batchOf(address(mirror), toProgram, claims));
        uint256 pending = 0;
        for (uint256 i = 0; i < out.length; ++i) {
            bool refuses = (moods >> i) & 1 == 1;
            ensure(address(payees[i]).balance == (refuses ? 0 : claims[i].value), "paid");
            ensure(deposits().pendingDeposit(address(payees[i])) == (refuses ? claims[i].value : 0), "pending");
            if (refuses) pending += claims[i].value;
        }
        ensure(deposits().totalPendingDeposits() == pending, "sum of what is pending");
        ensure(router.custody(Gear.DEPOSITS) == left && router.custody(address(mirror)) == toProgram, "custody");
        ensure(address(router).balance == uint256(left) + toProgram + pending, "balance");
    }
}
