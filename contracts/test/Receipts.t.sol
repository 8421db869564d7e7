// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IRouter } from "../src/IRouter.sol";
import { CounterReader } from "../src/examples/CounterReader.sol";
import { ReceiptVerifier } from "../src/ReceiptVerifier.sol";
import { Ancestry } from "../src/libraries/Ancestry.sol";
import { Certificates } from "../src/libraries/Certificates.sol";
import { Gear } from "../src/libraries/Gear.sol";
import { ValidatorSet } from "../src/libraries/ValidatorSet.sol";
import { ReceiptFixture } from "./utils/ReceiptFixture.sol";

/// @title Receipts that a contract believes, and what it refuses
/// @notice That any changed bit is refused is `fuzz/Receipts.t.sol`; the cases of Rust are `CertificateVectors.t.sol`.
contract ReceiptsTest is ReceiptFixture {
    event Measured(string what, uint256 gas);

    function test_everyReceiptOfARound() public view {
        for (uint256 count = 1; count < 8; ++count) {
            for (uint256 index = 0; index < count; ++index) {
                (Certificates.RoundStatement memory statement, Certificates.ReceiptProof memory proof) =
                    round(count, index, "reply");
                (bytes memory signers, bytes memory signatures) = certify(statement, 3);
                verifier.verify(statement, signers, signatures, proof);
                verifier.verifyOffBranch(statement, signers, signatures, proof);
            }
        }
    }

    function test_twoOfFourAreNotEnough() public {
        (Certificates.RoundStatement memory statement, Certificates.ReceiptProof memory proof) = round(3, 1, "reply");
        (bytes memory signers, bytes memory signatures) = certify(statement, 2);
        vm.expectRevert(abi.encodeWithSelector(ValidatorSet.NotEnoughHeads.selector, 2, 4));
        verifier.verify(statement, signers, signatures, proof);
    }

    function test_anotherBranchOfEthereum() public {
        (Certificates.RoundStatement memory statement, Certificates.ReceiptProof memory proof) = round(1, 0, "reply");
        statement.anchorHash = keccak256("uncle");
        (bytes memory signers, bytes memory signatures) = certify(statement, 3);
        vm.expectRevert(
            abi.encodeWithSelector(Ancestry.AnchorNotAncestor.selector, statement.anchorNumber, statement.anchorHash)
        );
        verifier.verify(statement, signers, signatures, proof);
        // The signatures are right all the same.
        verifier.verifyOffBranch(statement, signers, signatures, proof);
    }

    function test_anAnchorThatNobodyRemembers() public {
        (Certificates.RoundStatement memory statement, Certificates.ReceiptProof memory proof) = round(1, 0, "reply");
        (bytes memory signers, bytes memory signatures) = certify(statement, 3);
        vm.roll(vm.getBlockNumber() + 8192);
        vm.expectRevert(abi.encodeWithSelector(Ancestry.AnchorTooOld.selector, statement.anchorNumber));
        verifier.verify(statement, signers, signatures, proof);
        verifier.verifyOffBranch(statement, signers, signatures, proof);
    }

    function test_afterAHandover() public {
        (Certificates.RoundStatement memory statement, Certificates.ReceiptProof memory proof) = round(1, 0, "reply");
        (bytes memory signers, bytes memory signatures) = certify(statement, 3);
        (address[] memory list, uint64[] memory weights) = router.validatorSet();
        Gear.Batch memory batch = emptyBatch();
        withItem(batch, Gear.SET_UPDATE, abi.encode(uint64(2), list, weights));
        commit(batch);
        vm.expectRevert(abi.encodeWithSelector(IRouter.InvalidSet.selector, uint64(2), uint64(1)));
        verifier.verify(statement, signers, signatures, proof);
        statement.setId = 2;
        (signers, signatures) = certify(statement, 3);
        verifier.verify(statement, signers, signatures, proof);
    }

    /// Validators that have left long ago risk nothing by signing what is false.
    function test_aSetThatIsTooOld() public {
        vm.warp(vm.getBlockTimestamp() + 30 days);
        (Certificates.RoundStatement memory statement, Certificates.ReceiptProof memory proof) = round(1, 0, "reply");
        (bytes memory signers, bytes memory signatures) = certify(statement, 4);
        verifier.verify(statement, signers, signatures, proof);
        uint256 since = vm.getBlockTimestamp() - 30 days;
        vm.warp(vm.getBlockTimestamp() + 1);
        vm.expectRevert(abi.encodeWithSelector(IRouter.ValidatorSetStale.selector, since));
        verifier.verify(statement, signers, signatures, proof);
    }

    function test_anotherRouterIsNotBelieved() public {
        (Certificates.RoundStatement memory statement, Certificates.ReceiptProof memory proof) = round(1, 0, "reply");
        (bytes memory signers, bytes memory signatures) = certify(statement, 3);
        deploy(4);
        ReceiptVerifier other = new ReceiptVerifier(IRouter(address(router)));
        vm.expectRevert(abi.encodeWithSelector(ValidatorSet.InvalidSignature.selector, 0));
        other.verify(statement, signers, signatures, proof);
        verifier.verify(statement, signers, signatures, proof);
    }

    function test_aContractTakesAnAnswerOnce() public {
        CounterReader reader = new CounterReader(verifier, PROGRAM);
        bytes memory reply = abi.encode(uint32(12));
        (Certificates.RoundStatement memory statement, Certificates.ReceiptProof memory proof) = round(3, 1, reply);
        (bytes memory signers, bytes memory signatures) = certify(statement, 3);
        vm.expectRevert(CounterReader.NotTheReply.selector);
        reader.take(statement, signers, signatures, proof, abi.encode(uint32(13)));
        reader.take(statement, signers, signatures, proof, reply);
        ensure(reader.value() == 12 && reader.taken(proof.receipt.messageId), "taken");
        vm.expectRevert(abi.encodeWithSelector(CounterReader.AlreadyTaken.selector, proof.receipt.messageId));
        reader.take(statement, signers, signatures, proof, reply);

        CounterReader ofAnother = new CounterReader(verifier, address(1));
        vm.expectRevert(abi.encodeWithSelector(CounterReader.NotTheProgram.selector, proof.receipt.programId));
        ofAnother.take(statement, signers, signatures, proof, reply);
    }

    function test_anOlderAnswerDoesNotReplaceANewerOne() public {
        CounterReader reader = new CounterReader(verifier, PROGRAM);
        bytes memory reply = abi.encode(uint32(5));
        for (uint256 left = 3; left > 0; --left) {
            (Certificates.RoundStatement memory statement, Certificates.ReceiptProof memory proof) =
                round(3, left - 1, reply);
            (bytes memory signers, bytes memory signatures) = certify(statement, 3);
            reader.take(statement, signers, signatures, proof, reply);
            ensure(reader.place() == uint128(ROUND) << 64 | 2, "the newest stands");
        }
    }

    function test_aFailedMessageIsNoAnswer() public {
        CounterReader reader = new CounterReader(verifier, PROGRAM);
        (Certificates.RoundStatement memory statement, Certificates.ReceiptProof memory proof) = round(1, 0, "");
        proof.receipt.code = 0x01000300;
        bytes32[] memory leaves = new bytes32[](1);
        leaves[0] = leafOf(proof.receipt);
        (proof.receiptsRoot,) = climb(leaves, 0);
        statement.outcome = outcomeOf(proof);
        (bytes memory signers, bytes memory signatures) = certify(statement, 3);
        vm.expectRevert(abi.encodeWithSelector(CounterReader.MessageFailed.selector, bytes4(0x01000300)));
        reader.take(statement, signers, signatures, proof, "");
    }

    function test_gasOf4() public {
        ensure(_gas(4) <= 130_000, "4 validators");
    }

    function test_gasOf10() public {
        ensure(_gas(10) <= 160_000, "10 validators");
    }

    function test_gasOf50() public {
        ensure(_gas(50) <= 320_000, "50 validators");
    }

    /// Of a receipt among a thousand, signed by as many as must, with everything cold as in a transaction of its own.
    function _gas(uint256 validators) private returns (uint256 gas) {
        deploy(validators);
        verifier = new ReceiptVerifier(IRouter(address(router)));
        (Certificates.RoundStatement memory statement, Certificates.ReceiptProof memory proof) =
            round(1000, 500, "reply");
        (bytes memory signers, bytes memory signatures) = certify(statement, quorum());
        bytes memory data = abi.encodeCall(verifier.verify, (statement, signers, signatures, proof));
        vm.cool(address(router));
        vm.cool(address(verifier));
        uint256 before = gasleft();
        (bool success,) = address(verifier).staticcall(data);
        gas = before - gasleft();
        ensure(success, "verified");
        emit Measured("a receipt with its certificate", gas);
    }
}
