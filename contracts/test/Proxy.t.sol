// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ERC1967Utils } from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Utils.sol";
import { ICounter } from "programs/counter/ICounter.sol";
import { IMirror } from "../src/IMirror.sol";
import { IRouter } from "../src/IRouter.sol";
import { Mirror } from "../src/Mirror.sol";
import { MirrorProxy } from "../src/MirrorProxy.sol";
import { CounterAbi } from "../src/examples/CounterAbi.sol";
import { CounterCaller } from "../src/examples/CounterCaller.sol";
import { Gear } from "../src/libraries/Gear.sol";
import { RouterFixture } from "./utils/RouterFixture.sol";
import { Vm } from "./utils/Vm.sol";

/// @notice A program as wallets and explorers see it: a proxy that declares methods, and a typed ABI behind it.
contract ProxyTest is RouterFixture {
    address internal abiInterface;
    MirrorProxy internal proxy;

    function setUp() public override {
        super.setUp();
        validateCode();
        abiInterface = address(new CounterAbi());
        vm.prank(user);
        proxy = MirrorProxy(payable(router.createProgramWithAbiInterface(CODE, 0, address(0), abiInterface)));
    }

    function test_explorersFindTheTypedAbi() public {
        bytes32 slot = vm.load(address(proxy), ERC1967Utils.IMPLEMENTATION_SLOT);
        ensure(address(uint160(uint256(slot))) == abiInterface, "in the slot of ERC-1967");
        Mirror small = createProgram(bytes32(uint256(1)));
        ensure(vm.load(address(small), ERC1967Utils.IMPLEMENTATION_SLOT) == 0, "none for a small one");
        ensure(address(small).code.length == 173, "small");
        // Nothing runs there: the Router names the code.
        ensure(Mirror(payable(address(proxy))).router() == address(router), "delegates to the Mirror's code");
    }

    function test_declaredMethodsReachTheMirror() public {
        vm.prank(user);
        bytes32 id = proxy.sendMessage{ value: 2 }("init", false);
        ensure(id == keccak256(abi.encodePacked(address(proxy), uint256(0))), "what the Mirror returns");
        vm.recordLogs();
        vm.prank(user);
        proxy.sendReply{ value: 3 }(keccak256("mail"), "answer");
        vm.prank(user);
        proxy.claimValue(keccak256("mail"));
        vm.prank(user);
        vara.approve(address(proxy), 9);
        vm.prank(user);
        proxy.executableBalanceTopUp(4);
        vm.prank(user);
        proxy.executableBalanceTopUpWithPermit(5, 0, 0, 0, 0);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        ensure(count(logs, IMirror.ReplyQueueingRequested.selector) == 1, "reply");
        ensure(count(logs, IMirror.ValueClaimingRequested.selector) == 1, "claim");
        ensure(count(logs, IMirror.ExecutableBalanceTopUpRequested.selector) == 2, "top-ups");
        ensure(router.custody(address(proxy)) == 5 && router.totalExecutableDeposits() == 9, "value");
        // What the Mirror refuses comes back by its name.
        vm.expectRevert(IMirror.ProgramNotExited.selector);
        proxy.transferLockedValueToInheritor();
        vm.expectRevert(IMirror.NothingPending.selector);
        proxy.withdrawPending(payable(user));
    }

    function test_topUpByPermit() public {
        uint256 key = 0xA11CE;
        address payer = vm.addr(key);
        vara.mint(payer, 10);
        (uint8 v, bytes32 r, bytes32 s) = signPermit(key, address(proxy), 10, block.timestamp);
        vm.prank(payer);
        proxy.executableBalanceTopUpWithPermit(10, block.timestamp, v, r, s);
        ensure(vara.balanceOf(address(router)) == 1000e12 + 10 && router.totalExecutableDeposits() == 10, "paid");
    }

    /// The whole way of a dApp contract: constructor, call, batch, call-back, all by the typed ABI.
    function test_typedCallsWithACaller() public {
        ICounter counter = ICounter(address(proxy));
        CounterCaller caller = new CounterCaller(address(proxy));
        vm.expectRevert(IMirror.InitMessageNotCreatedAndCallerNotInitializer.selector);
        counter.create(false, 40);
        vm.prank(user);
        counter.create(false, 40);
        vm.recordLogs();
        bytes32 id = caller.add(2);
        (bytes32 logged, bytes memory payload,, bool callReply) =
            abi.decode(vm.getRecordedLogs()[0].data, (bytes32, bytes, uint128, bool));
        ensure(logged == id && callReply, "asks for a call-back");
        ensure(keccak256(payload) == keccak256(abi.encodeCall(ICounter.counterAdd, (true, 2))), "calldata");
        Gear.Batch memory batch = emptyBatch();
        bytes memory answer = abi.encodeCall(CounterCaller.replyOn_counterAdd, (id, 42));
        withMessage(withTransition(batch, address(proxy)), reply(address(caller), id, answer, 0, 0x00010000, true));
        commit(batch);
        ensure(caller.lastValue() == 42 && caller.answers() == 1 && !caller.pending(id), "answered");
        vm.expectRevert(CounterCaller.NotTheProgram.selector);
        caller.replyOn_counterAdd(id, 43);
        vm.prank(user);
        counter.counterDeposit{ value: 7 }(false);
        ensure(router.custody(address(proxy)) == 7, "payable method");
    }

    function test_mirrorsFollowTheRouter() public {
        address next = address(new Mirror(address(router)));
        router.setMirror(next);
        vm.warp(block.timestamp + 2 days);
        vm.recordLogs();
        router.applyMirror(next);
        ensure(count(vm.getRecordedLogs(), IRouter.MirrorChanged.selector) == 1, "announced");
        vm.prank(user);
        proxy.sendMessage("init", false);
        ensure(Mirror(payable(address(proxy))).nonce() == 1, "runs the next code on the same state");
    }
}
