// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IVault } from "@symbioticfi/core/src/interfaces/vault/IVault.sol";
import { IMiddlewareTypes } from "../../src/IMiddleware.sol";
import { Gear } from "../../src/libraries/Gear.sol";
import { MiddlewareFixture } from "../utils/MiddlewareFixture.sol";

/// @notice Double signatures: real batches, signed for the real Router.
contract ReportsTest is MiddlewareFixture {
    uint48 private capture;

    function setUp() public override {
        super.setUp();
        (, capture) = operatorWith(alice, 100 ether);
        address[] memory operators = new address[](4);
        operators[1] = alice;
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.OPERATOR_SET, abi.encode(router.setId(), capture, router.validators(), operators));
        commit(batch);
    }

    function test_theSetIsKnown() public {
        ensure(middleware.operatorOfSigner(1, vm.addr(keys[1])) == alice, "alice");
        ensure(middleware.operatorOfSigner(1, vm.addr(keys[0])) == address(0), "nobody");
        ensure(middleware.operatorOfSigner(1, address(0)) == address(0), "no signer");
        ensure(middleware.operatorOfSigner(2, vm.addr(keys[1])) == address(0), "no set");
        same(middleware.captureOfSet(1), capture, "capture");
        setRefused(1, capture, 1, 1, abi.encodeWithSelector(IMiddlewareTypes.SetKnown.selector, uint64(1)));
        setRefused(2, capture, 1, 2, abi.encodeWithSelector(IMiddlewareTypes.InvalidLists.selector));
        setRefused(2, capture, 257, 257, abi.encodeWithSelector(IMiddlewareTypes.InvalidLists.selector));
        setRefused(2, now48(), 1, 1, abi.encodeWithSelector(IMiddlewareTypes.FutureTimestamp.selector, now48()));
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.NotRouter.selector, address(this)));
        middleware.setOperators(2, capture, new address[](0), new address[](0));
    }

    function test_twoBatchesOfOneSealAreSlashed() public {
        Gear.Batch memory batch = emptyBatch();
        (IMiddlewareTypes.BatchHeader memory a, bytes memory signatureA) = signed(batch, 1);
        batch.nonce += 1;
        (IMiddlewareTypes.BatchHeader memory b, bytes memory signatureB) = signed(batch, 1);
        vm.prank(address(0xABCD));
        uint64 id = middleware.reportDoubleSign(a, signatureA, b, signatureB);
        same(id, middleware.REPORTS_FROM(), "its id");
        same(requestsOf(id)[0].amount, 10 ether, "a tenth");
        pass(VETO);
        middleware.executeSlash(id);
        same(burnt(), 10 ether, "taken");
        reportRefused(
            a,
            signatureA,
            b,
            signatureB,
            abi.encodeWithSelector(IMiddlewareTypes.AlreadyReported.selector, vm.addr(keys[1]), a.sealHash)
        );
        reportRefused(
            b,
            signatureB,
            a,
            signatureA,
            abi.encodeWithSelector(IMiddlewareTypes.AlreadyReported.selector, vm.addr(keys[1]), a.sealHash)
        );
    }

    function test_noFault() public {
        Gear.Batch memory batch = emptyBatch();
        (IMiddlewareTypes.BatchHeader memory a, bytes memory signatureA) = signed(batch, 1);
        reportRefused(a, signatureA, a, signatureA, abi.encodeWithSelector(IMiddlewareTypes.SameDigest.selector));
        batch.nonce += 1;
        (IMiddlewareTypes.BatchHeader memory b, bytes memory signatureB) = signed(batch, 2);
        reportRefused(
            a,
            signatureA,
            b,
            signatureB,
            abi.encodeWithSelector(IMiddlewareTypes.DifferentSigners.selector, vm.addr(keys[1]), vm.addr(keys[2]))
        );
        (, signatureA) = signed(batch, 0);
        (b, signatureB) = signed(batch, 1);
        IMiddlewareTypes.BatchHeader memory other = b;
        batch.sealHash = keccak256("another seal");
        (a, signatureA) = signed(batch, 1);
        reportRefused(
            a, signatureA, other, signatureB, abi.encodeWithSelector(IMiddlewareTypes.DifferentSeals.selector)
        );
    }

    function test_nobodyBehindTheSigner() public {
        Gear.Batch memory batch = emptyBatch();
        (IMiddlewareTypes.BatchHeader memory a, bytes memory signatureA) = signed(batch, 0);
        batch.nonce += 1;
        (IMiddlewareTypes.BatchHeader memory b, bytes memory signatureB) = signed(batch, 0);
        reportRefused(
            a,
            signatureA,
            b,
            signatureB,
            abi.encodeWithSelector(IMiddlewareTypes.UnknownSigner.selector, uint64(1), vm.addr(keys[0]))
        );
    }

    function test_brokenSignatures() public {
        Gear.Batch memory batch = emptyBatch();
        (IMiddlewareTypes.BatchHeader memory a, bytes memory signatureA) = signed(batch, 1);
        batch.nonce += 1;
        (IMiddlewareTypes.BatchHeader memory b, bytes memory signatureB) = signed(batch, 1);
        bytes memory nobody =
            abi.encodeWithSelector(IMiddlewareTypes.DifferentSigners.selector, vm.addr(keys[1]), address(0));
        reportRefused(a, signatureA, b, bytes.concat(signatureB, hex"00"), nobody);
        reportRefused(a, signatureA, b, "", nobody);
        reportRefused(a, signatureA, b, new bytes(64), nobody);
        nobody = abi.encodeWithSelector(IMiddlewareTypes.DifferentSigners.selector, address(0), address(0));
        reportRefused(a, "", b, "", nobody);
    }

    function test_aReportIsAnAdvanceOnWhatTheChainDecides() public {
        uint64 report = reported(1);
        slashDirectly(1, alice, ONE / 4, capture);
        same(middleware.slashedFraction(alice, capture), ONE / 4, "the greater of both");
        same(requestsOf(1)[0].amount, 15 ether, "what is above the report");
        pass(VETO);
        middleware.executeSlash(report);
        middleware.executeSlash(1);
        same(burnt(), 25 ether, "not 35");
    }

    function test_whatTheChainDecidedCoversAReport() public {
        slashDirectly(1, alice, ONE / 4, capture);
        Gear.Batch memory batch = emptyBatch();
        (IMiddlewareTypes.BatchHeader memory a, bytes memory signatureA) = signed(batch, 1);
        batch.nonce += 1;
        (IMiddlewareTypes.BatchHeader memory b, bytes memory signatureB) = signed(batch, 1);
        reportRefused(
            a,
            signatureA,
            b,
            signatureB,
            abi.encodeWithSelector(IMiddlewareTypes.NothingToSlash.selector, alice, capture)
        );
        cancelDirectly(1);
        middleware.reportDoubleSign(a, signatureA, b, signatureB);
        same(middleware.slashedFraction(alice, capture), ONE / 10, "the report's");
    }

    function test_governanceCancelsAReport() public {
        uint64 report = reported(1);
        cancelItem(report);
        pass(VETO);
        executeReverts(report, abi.encodeWithSelector(IMiddlewareTypes.SlashClosed.selector, report));
        same(burnt(), 0, "nothing");
    }

    function test_reportsDoNotFillTheVault() public {
        middleware.setFractions(ONE, 1, 0);
        // Of the same capture each adds one part per billion, and takes a place.
        for (uint256 i = 1; i <= 16; ++i) {
            reported(i);
        }
        uint64 last = reported(17);
        same(requestsOf(last).length, 0, "no place for another report");
        IVault vault = IVault(members.vaultsOf(alice)[0]);
        vm.expectRevert(abi.encodeWithSelector(IMiddlewareTypes.TooManyPending.selector, 32));
        middleware.retrySlash(last, address(vault));
        slashDirectly(1, alice, ONE / 2, capture);
        same(requestsOf(1).length, 1, "the chain's has one");
        pass(VETO);
        middleware.executeSlash(1);
        middleware.executeSlash(middleware.REPORTS_FROM());
        middleware.retrySlash(last, address(vault));
        same(requestsOf(last).length, 1, "then there is");
    }

    function reported(uint256 seal) private returns (uint64) {
        Gear.Batch memory batch = emptyBatch();
        batch.sealHash = keccak256(abi.encode("double", seal));
        (IMiddlewareTypes.BatchHeader memory a, bytes memory signatureA) = signed(batch, 1);
        batch.expiry += 1;
        (IMiddlewareTypes.BatchHeader memory b, bytes memory signatureB) = signed(batch, 1);
        return middleware.reportDoubleSign(a, signatureA, b, signatureB);
    }

    function signed(Gear.Batch memory batch, uint256 key)
        private
        view
        returns (IMiddlewareTypes.BatchHeader memory header, bytes memory signature)
    {
        header = IMiddlewareTypes.BatchHeader({
            genesis: batch.genesis,
            sealNumber: batch.sealNumber,
            sealHash: batch.sealHash,
            lastRound: batch.lastRound,
            lastRoundHash: batch.lastRoundHash,
            nonce: batch.nonce,
            parent: batch.parent,
            anchorNumber: batch.anchorNumber,
            anchorHash: batch.anchorHash,
            setId: batch.setId,
            content: contentOf(batch),
            expiry: batch.expiry
        });
        signature = compact(keys[key], router.batchDigest(batch));
    }

    function contentOf(Gear.Batch memory batch) private view returns (bytes32) {
        return this.content(batch);
    }

    function content(Gear.Batch calldata batch) external pure returns (bytes32) {
        return Gear.contentHash(batch);
    }

    function setRefused(uint64 setId, uint48 time, uint256 signers, uint256 operators, bytes memory reason) private {
        vm.prank(address(router));
        vm.expectRevert(reason);
        middleware.setOperators(setId, time, new address[](signers), new address[](operators));
    }

    function reportRefused(
        IMiddlewareTypes.BatchHeader memory a,
        bytes memory signatureA,
        IMiddlewareTypes.BatchHeader memory b,
        bytes memory signatureB,
        bytes memory reason
    ) private {
        vm.expectRevert(reason);
        middleware.reportDoubleSign(a, signatureA, b, signatureB);
    }
}
