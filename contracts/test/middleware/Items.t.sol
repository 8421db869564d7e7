// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IRouter } from "../../src/IRouter.sol";
import { IMirror } from "../../src/IMirror.sol";
import { WrappedVara } from "../../src/WrappedVara.sol";
import { IMiddlewareTypes } from "../../src/IMiddleware.sol";
import { Gear } from "../../src/libraries/Gear.sol";
import { MiddlewareFixture } from "../utils/MiddlewareFixture.sol";
import { Vm } from "../utils/Vm.sol";

/// @notice The outbox items of stake and of wVARA, and the Router's part in them.
contract ItemsTest is MiddlewareFixture {
    bytes32 private constant SKIPPED = keccak256("OutboxItemSkipped(uint64,uint8,bytes)");
    bytes32 private constant BURNED = keccak256("BurnedToVara(uint64,address,uint128,bytes32)");
    bytes32 private constant ACCOUNT = bytes32(uint256(0xACC));

    function test_eachMintOnce() public {
        uint256 supply = vara.totalSupply();
        applied(Gear.MINT, abi.encode(uint64(0), bob, uint128(5)));
        applied(Gear.MINT, abi.encode(uint64(2), bob, uint128(7)));
        same(vara.balanceOf(bob), 12, "minted");
        skipped(
            Gear.MINT,
            abi.encode(uint64(0), bob, uint128(5)),
            abi.encodeWithSelector(IRouter.AlreadyMinted.selector, uint64(0))
        );
        same(vara.totalSupply(), supply + 12, "nothing else");
    }

    function test_aMintThatFailsMayComeAgain() public {
        skipped(
            Gear.MINT,
            abi.encode(uint64(1), address(0), uint128(5)),
            abi.encodeWithSignature("ERC20InvalidReceiver(address)", address(0))
        );
        applied(Gear.MINT, abi.encode(uint64(1), bob, uint128(5)));
        same(vara.balanceOf(bob), 5, "minted");
    }

    function test_onlyTheRouterMints() public {
        vm.expectRevert(abi.encodeWithSelector(WrappedVara.NotMinter.selector, address(router)));
        vara.mint(address(this), 1);
        vm.expectRevert(abi.encodeWithSelector(WrappedVara.MinterAlreadySet.selector, address(router)));
        vara.setMinter(address(this));
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", alice));
        vara.setMinter(alice);
    }

    function test_burnsAreNumbered() public {
        uint256 supply = vara.totalSupply();
        vm.prank(user);
        vara.approve(address(router), 10);
        vm.recordLogs();
        same(burn(user, 4), 0, "first");
        same(burn(user, 6), 1, "second");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        same(count(logs, BURNED), 2, "each with its event");
        (uint128 amount, bytes32 account) = abi.decode(logs[logs.length - 1].data, (uint128, bytes32));
        ensure(amount == 6 && account == ACCOUNT, "what and for whom");
        same(vara.totalSupply(), supply - 10, "gone");
        vm.prank(user);
        vm.expectRevert(IRouter.ZeroValueTransfer.selector);
        router.burnToVara(0, ACCOUNT, 0, 0, 0, 0);
        vm.prank(user);
        vm.expectRevert(
            abi.encodeWithSignature("ERC20InsufficientAllowance(address,uint256,uint256)", address(router), 0, 1)
        );
        router.burnToVara(1, ACCOUNT, 0, 0, 0, 0);
        router.pause();
        vm.prank(user);
        vm.expectRevert(bytes4(keccak256("EnforcedPause()")));
        router.burnToVara(1, ACCOUNT, 0, 0, 0, 0);
    }

    function test_burnsAreKept() public {
        same(router.burnsCount(), 0, "none");
        same(router.burns(0, type(uint64).max).length, 0, "nothing to read");
        vm.prank(user);
        vara.approve(address(router), 15);
        for (uint128 amount = 1; amount <= 5; ++amount) {
            burn(user, amount);
        }
        same(router.burnsCount(), 5, "five");
        IRouter.Burn[] memory list = router.burns(1, 3);
        same(list.length, 2, "those that were asked for");
        ensure(list[0].amount == 2 && list[1].amount == 3, "in their order");
        ensure(list[0].account == ACCOUNT && list[1].account == ACCOUNT, "for whom");
        same(router.burns(3, 100).length, 2, "no more than there are");
        same(router.burns(5, 100).length, 0, "none yet");
        same(router.burns(3, 3).length, 0, "none of none");
        same(router.burns(4, 2).length, 0, "none backwards");
        same(router.burns(type(uint64).max, 0).length, 0, "nor from beyond");
    }

    function test_aBurnThatFailsIsNotKept() public {
        vm.prank(user);
        vm.expectRevert(
            abi.encodeWithSignature("ERC20InsufficientAllowance(address,uint256,uint256)", address(router), 0, 1)
        );
        router.burnToVara(1, ACCOUNT, 0, 0, 0, 0);
        same(router.burnsCount(), 0, "none");
    }

    function test_aBurnWithASignedApproval() public {
        address holder = vm.addr(77);
        applied(Gear.MINT, abi.encode(uint64(1), holder, uint128(50)));
        (uint8 v, bytes32 r, bytes32 s) = signPermit(77, address(router), 50, now48() + 60);
        vm.prank(holder);
        router.burnToVara(50, ACCOUNT, now48() + 60, v, r, s);
        same(vara.balanceOf(holder), 0, "burnt");
    }

    function test_whatCannotBeIsSkipped() public {
        skipped(
            Gear.SLASH,
            abi.encode(uint64(1), alice, uint32(1), now48() - 1),
            refusal(abi.encodeWithSelector(IMiddlewareTypes.UnknownOperator.selector, alice))
        );
        skipped(
            Gear.SLASH_CANCEL,
            abi.encode(uint64(1)),
            refusal(abi.encodeWithSelector(IMiddlewareTypes.UnknownSlash.selector, uint64(1)))
        );
        // A field beyond its type, too few bytes: what no chain sends.
        skipped(Gear.SLASH, abi.encode(uint64(1), alice, uint256(1) << 32, now48() - 1), refusal(""));
        skipped(Gear.SLASH_CANCEL, "", refusal(""));
        skipped(Gear.OPERATOR_SET, hex"01", refusal(""));
        skipped(8, "", abi.encodeWithSelector(IRouter.UnknownItem.selector, uint8(8)));
    }

    function test_withoutMiddleware() public {
        router.setMiddleware(address(0));
        vm.expectRevert(abi.encodeWithSelector(IRouter.NotScheduled.selector, router.middlewareChange(address(0))));
        router.applyMiddleware(address(0));
        pass(2 days);
        router.applyMiddleware(address(0));
        ensure(router.middleware() == address(0), "none");
        bytes memory none = abi.encodeWithSelector(IRouter.NoMiddleware.selector);
        skipped(Gear.SLASH, abi.encode(uint64(1), alice, uint32(1), now48() - 1), none);
        skipped(Gear.SLASH_CANCEL, abi.encode(uint64(1)), none);
        skipped(
            Gear.REWARDS,
            abi.encode(uint32(1), now48() - 1, bytes32(0), uint128(0), new address[](0), new uint128[](0)),
            none
        );
        skipped(Gear.OPERATOR_SET, abi.encode(uint64(1), now48() - 1, new address[](0), new address[](0)), none);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", alice));
        router.setMiddleware(alice);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", alice));
        router.applyMiddleware(alice);
    }

    function test_tooLittleGasIsSaid() public {
        (, uint48 capture) = operatorWith(alice, 100 ether);
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.SLASH, abi.encode(uint64(1), alice, ONE / 2, capture));
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        vm.expectPartialRevert(IMirror.InsufficientGasForCallbacks.selector);
        router.commitBatch{ gas: 3_000_000 }(batch, bitmap, signatures);
    }

    function burn(address who, uint128 amount) private returns (uint64) {
        vm.prank(who);
        return router.burnToVara(amount, ACCOUNT, 0, 0, 0, 0);
    }

    function refusal(bytes memory reason) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IRouter.MiddlewareRefused.selector, reason);
    }

    function applied(uint8 kind, bytes memory data) private {
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, kind, data);
        vm.recordLogs();
        commit(batch);
        same(count(vm.getRecordedLogs(), SKIPPED), 0, "applied");
    }

    function skipped(uint8 kind, bytes memory data, bytes memory reason) private {
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, kind, data);
        vm.recordLogs();
        commit(batch);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        bool found = false;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != SKIPPED) continue;
            (, uint8 actualKind, bytes memory actual) = abi.decode(logs[i].data, (uint64, uint8, bytes));
            ensure(actualKind == kind && keccak256(actual) == keccak256(reason), "the reason");
            found = true;
        }
        ensure(found, "skipped");
    }
}

/// @notice The same with any gas.
contract ItemsFuzz is MiddlewareFixture {
    bytes32 private constant SKIPPED = keccak256("OutboxItemSkipped(uint64,uint8,bytes)");

    /// @dev Whatever gas the submitter gives: the slash is applied, or the batch reverts as a whole.
    function testFuzz_theSubmittersGasDecidesNothing(uint256 gas) public {
        (, uint48 capture) = operatorWith(alice, 100 ether);
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.SLASH, abi.encode(uint64(1), alice, ONE / 2, capture));
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        bytes memory call = abi.encodeCall(IRouter.commitBatch, (batch, bitmap, signatures));
        gas = 100_000 + gas % 7_000_000;
        vm.recordLogs();
        (bool success,) = address(router).call{ gas: gas }(call);
        ensure(count(vm.getRecordedLogs(), SKIPPED) == 0 || !success, "never skipped");
        same(requestsOf(1).length, success ? 1 : 0, "applied with the batch");
        if (!success) commit(batch);
        same(requestsOf(1).length, 1, "the same batch with enough gas");
    }
}
