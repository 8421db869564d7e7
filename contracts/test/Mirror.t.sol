// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ICallbacks } from "../src/ICallbacks.sol";
import { IMirror } from "../src/IMirror.sol";
import { IRouter } from "../src/IRouter.sol";
import { Mirror } from "../src/Mirror.sol";
import { ICounter } from "programs/counter/ICounter.sol";
import { CounterCaller } from "../src/examples/CounterCaller.sol";
import { Gear } from "../src/libraries/Gear.sol";
import { RouterFixture } from "./utils/RouterFixture.sol";
import { Vm } from "./utils/Vm.sol";

/// @notice A destination that refuses ETH until told otherwise.
contract Refuser {
    bool public open;

    function setOpen(bool open_) external {
        open = open_;
    }

    function withdraw(Mirror mirror) external {
        mirror.withdrawPending(payable(address(this)));
    }

    receive() external payable {
        require(open, "closed");
    }
}

/// @notice A destination that returns more than anybody wants to copy, and burns its gas.
contract Bomb is ICallbacks {
    function onErrorReply(bytes32, bytes calldata, bytes4) external payable {
        assembly {
            revert(0, 1000000)
        }
    }
}

/// @notice Messages to programs, and what comes back.
contract MirrorTest is RouterFixture {
    bytes4 internal constant OK = 0x00010000;
    bytes4 internal constant PANIC = 0x01000300;
    Mirror internal mirror;

    function setUp() public override {
        super.setUp();
        validateCode();
        mirror = createTyped(0);
    }

    function test_firstMessageIsTheInitialisers() public {
        vm.expectRevert(IMirror.InitMessageNotCreatedAndCallerNotInitializer.selector);
        mirror.sendMessage("", false);
        vm.expectRevert(IMirror.InitMessageNotCreated.selector);
        mirror.claimValue(0);
        bytes32 id = initMessage(mirror);
        ensure(id == keccak256(abi.encodePacked(address(mirror), uint256(0))), "id");
        ensure(mirror.sendMessage("", false) == keccak256(abi.encodePacked(address(mirror), uint256(1))), "next id");
    }

    function test_onlyRouter() public {
        Gear.StateTransition memory transition;
        vm.expectRevert(IMirror.CallerNotRouter.selector);
        mirror.performStateTransition(transition, 0);
        vm.expectRevert(IMirror.CallerNotRouter.selector);
        mirror.returnValue(1);
        vm.expectRevert(IMirror.CallerNotRouter.selector);
        mirror.initialize(user, address(0), true);
        vm.expectRevert(IRouter.UnknownProgram.selector);
        router.creditExecutable(1);
        (bool success,) = address(router).call{ value: 1 }("");
        ensure(!success, "foreign ETH");
    }

    function test_typedCallIsTheWholeCalldata() public {
        initMessage(mirror);
        vm.recordLogs();
        bytes32 id = ICounter(address(mirror)).counterAdd(true, 5);
        Vm.Log memory log = vm.getRecordedLogs()[0];
        (bytes32 loggedId, bytes memory payload, uint128 value, bool callReply) =
            abi.decode(log.data, (bytes32, bytes, uint128, bool));
        ensure(loggedId == id && value == 0 && callReply, "fields");
        ensure(keccak256(payload) == keccak256(abi.encodeCall(ICounter.counterAdd, (true, 5))), "payload");
        Mirror small = createProgram(bytes32(uint256(1)));
        initMessage(small);
        vm.expectRevert(IMirror.InvalidFallbackCall.selector);
        ICounter(address(small)).counterAdd(true, 5);
    }

    function test_depositsGoToCustody() public {
        vm.prank(user);
        mirror.sendMessage{ value: 3 }("init", false);
        (bool success,) = address(mirror).call{ value: 4 }("");
        ensure(success, "top-up");
        ensure(router.custody(address(mirror)) == 7 && address(router).balance == 7, "custody");
        ensure(address(mirror).balance == 0, "mirror");
    }

    function test_executableBalance() public {
        vm.prank(user);
        vara.approve(address(mirror), 10);
        vm.prank(user);
        mirror.executableBalanceTopUp(4);
        // A permit that does not verify is no obstacle: the allowance is there.
        vm.prank(user);
        mirror.executableBalanceTopUpWithPermit(6, 0, 0, 0, 0);
        ensure(router.totalExecutableDeposits() == 10, "deposits");
        vm.prank(user);
        vm.expectPartialRevert(bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)")));
        mirror.executableBalanceTopUp(1);
    }

    function test_replyPaysAndEmits() public {
        vm.prank(user);
        bytes32 id = mirror.sendMessage{ value: 10 }("init", false);
        Gear.Batch memory batch = emptyBatch();
        Gear.StateTransition memory transition = withTransition(batch, address(mirror));
        transition.valueToReceive = 10;
        withMessage(transition, reply(address(0xCAFE), id, "hello", 4, OK, false));
        vm.recordLogs();
        commit(batch);
        ensure(count(vm.getRecordedLogs(), IMirror.Reply.selector) == 1, "reply");
        ensure(address(0xCAFE).balance == 4 && address(mirror).balance == 6, "paid");
        ensure(mirror.stateHash() == transition.newStateHash, "state");
    }

    function test_transferBetweenPrograms() public {
        Mirror other = createProgram(bytes32(uint256(1)));
        vm.prank(user);
        mirror.sendMessage{ value: 10 }("init", false);
        Gear.Batch memory batch = emptyBatch();
        withTransition(batch, address(mirror)).valueToReceive = 10;
        commit(batch);
        // All of it leaves for the other program, which takes it out of custody in the same batch.
        batch = emptyBatch();
        Gear.StateTransition memory giver = withTransition(batch, address(mirror));
        (giver.valueToReceive, giver.valueToReceiveNegativeSign, giver.netTransfer) = (10, true, -10);
        Gear.StateTransition memory taker = withTransition(batch, address(other));
        (taker.valueToReceive, taker.netTransfer) = (10, 10);
        commit(batch);
        ensure(address(mirror).balance == 0 && address(other).balance == 10, "moved");
        ensure(router.custody(address(mirror)) == 0 && router.custody(address(other)) == 0, "custody");
    }

    function test_failedPayoutStaysClaimable() public {
        Refuser refuser = new Refuser();
        vm.prank(user);
        bytes32 id = mirror.sendMessage{ value: 10 }("init", false);
        Gear.Batch memory batch = emptyBatch();
        Gear.StateTransition memory transition = withTransition(batch, address(mirror));
        transition.valueToReceive = 10;
        withMessage(transition, reply(address(refuser), id, "", 4, OK, false));
        transition.valueClaims = new Gear.ValueClaim[](1);
        transition.valueClaims[0] = Gear.ValueClaim(keccak256("mail"), address(refuser), 3);
        vm.recordLogs();
        commit(batch);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        ensure(count(logs, IMirror.ReplyTransferFailed.selector) == 1, "reply failed");
        ensure(count(logs, IMirror.ValueClaimFailed.selector) == 1, "claim failed");
        ensure(mirror.pendingWithdrawal(address(refuser)) == 7 && mirror.totalPending() == 7, "pending");
        // What is owed is not the program's any more.
        batch = emptyBatch();
        transition = withTransition(batch, address(mirror));
        (transition.valueToReceive, transition.valueToReceiveNegativeSign) = (4, true);
        commitReverts(batch, abi.encodeWithSelector(IMirror.InsufficientOwnedValue.selector, 3, 4));
        vm.expectRevert(abi.encodeWithSelector(IMirror.PendingWithdrawalFailed.selector, address(refuser)));
        refuser.withdraw(mirror);
        refuser.setOpen(true);
        refuser.withdraw(mirror);
        ensure(address(refuser).balance == 7 && mirror.totalPending() == 0, "taken");
        vm.expectRevert(IMirror.NothingPending.selector);
        refuser.withdraw(mirror);
    }

    function test_callBacks() public {
        initMessage(mirror);
        CounterCaller caller = new CounterCaller(address(mirror));
        bytes32 good = caller.add(5);
        bytes32 bad = caller.add(6);
        Gear.Batch memory batch = emptyBatch();
        Gear.StateTransition memory transition = withTransition(batch, address(mirror));
        bytes memory answer = abi.encodeCall(CounterCaller.replyOn_counterAdd, (good, 42));
        withMessage(transition, reply(address(caller), good, answer, 0, OK, true));
        withMessage(transition, reply(address(caller), bad, "why", 0, PANIC, true));
        vm.recordLogs();
        commit(batch);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        ensure(caller.lastValue() == 42 && caller.answers() == 1, "answer");
        ensure(!caller.pending(bad), "the error names the request");
        ensure(count(logs, CounterCaller.Failed.selector) == 1, "error reply");
        ensure(count(logs, IMirror.ReplyCallFailed.selector) == 0, "no failure");
        ensure(count(logs, IMirror.Reply.selector) == 0, "no event besides");
    }

    function test_failedCallBackKeepsItsValue() public {
        Bomb bomb = new Bomb();
        vm.prank(user);
        bytes32 id = mirror.sendMessage{ value: 10 }("init", true);
        Gear.Batch memory batch = emptyBatch();
        Gear.StateTransition memory transition = withTransition(batch, address(mirror));
        transition.valueToReceive = 10;
        withMessage(transition, reply(address(bomb), id, "", 10, PANIC, true));
        vm.recordLogs();
        commit(batch);
        ensure(count(vm.getRecordedLogs(), IMirror.ReplyCallFailed.selector) == 1, "failed");
        ensure(mirror.pendingWithdrawal(address(bomb)) == 10, "claimable");
    }

    function test_submitterCannotStarveACallBack() public {
        initMessage(mirror);
        CounterCaller caller = new CounterCaller(address(mirror));
        bytes32 id = caller.add(5);
        Gear.Batch memory batch = emptyBatch();
        Gear.StateTransition memory transition = withTransition(batch, address(mirror));
        bytes memory answer = abi.encodeCall(CounterCaller.replyOn_counterAdd, (id, 42));
        withMessage(transition, reply(address(caller), id, answer, 0, OK, true));
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        for (uint256 gas = 200_000; gas < 1_200_000; gas += 20_000) {
            (bool success,) =
                address(router).call{ gas: gas }(abi.encodeCall(router.commitBatch, (batch, bitmap, signatures)));
            if (success) {
                ensure(caller.answers() == 1, "called, not starved");
                return;
            }
        }
        ensure(false, "never applied");
    }

    function test_programEvents() public {
        initMessage(mirror);
        Gear.Batch memory batch = emptyBatch();
        Gear.StateTransition memory transition = withTransition(batch, address(mirror));
        address events = 0xFFfFfFffFFfffFFfFFfFFFFFffFFFffffFfFFFfF;
        bytes32 topic = keccak256("Changed(uint32)");
        Gear.Message memory message;
        message.destination = events;
        message.payload = abi.encodePacked(uint8(2), topic, bytes32(uint256(9)), uint256(5));
        withMessage(transition, message);
        Gear.Message memory forged;
        forged.destination = events;
        forged.payload = abi.encodePacked(uint8(1), IMirror.StateChanged.selector, uint256(5));
        withMessage(transition, forged);
        Gear.Message memory short;
        short.destination = events;
        short.payload = hex"04";
        withMessage(transition, short);
        vm.recordLogs();
        commit(batch);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        ensure(count(logs, topic) == 1, "emitted");
        ensure(count(logs, IMirror.StateChanged.selector) == 1, "only the Mirror's own");
        ensure(count(logs, IMirror.Message.selector) == 2, "what is no event is a message");
    }

    function test_exit() public {
        vm.prank(user);
        mirror.sendMessage{ value: 10 }("init", false);
        Refuser heir = new Refuser();
        Gear.Batch memory batch = emptyBatch();
        Gear.StateTransition memory transition = withTransition(batch, address(mirror));
        transition.valueToReceive = 10;
        (transition.exited, transition.inheritor) = (true, address(heir));
        vm.recordLogs();
        commit(batch);
        ensure(count(vm.getRecordedLogs(), IMirror.TransferLockedValueToInheritorFailed.selector) == 1, "refused");
        ensure(mirror.exited() && mirror.inheritor() == address(heir), "exited");
        vm.expectRevert(IMirror.TransferLockedValueToInheritorExternalFailed.selector);
        mirror.transferLockedValueToInheritor();
        heir.setOpen(true);
        mirror.transferLockedValueToInheritor();
        ensure(address(heir).balance == 10, "inherited");
        vm.expectRevert(IMirror.ProgramExited.selector);
        mirror.sendMessage("", false);
        mirror.claimValue(keccak256("mail"));
    }

    function test_pauseCoversMirrors() public {
        initMessage(mirror);
        router.pause();
        vm.expectRevert(IMirror.EnforcedPause.selector);
        mirror.sendMessage("", false);
        vm.expectRevert(IMirror.EnforcedPause.selector);
        mirror.claimValue(0);
        vm.expectRevert(IMirror.EnforcedPause.selector);
        mirror.executableBalanceTopUp(1);
    }
}
