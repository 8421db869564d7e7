// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IRouter } from "../../src/IRouter.sol";
import { ReceiptVerifier } from "../../src/ReceiptVerifier.sol";
import { Certificates } from "../../src/libraries/Certificates.sol";
import { ReceiptFixture } from "../utils/ReceiptFixture.sol";

/// @dev Says what arguments the calldata of `verify` means, in the one form that encoders make.
contract Reader {
    function verify(
        Certificates.RoundStatement calldata statement,
        bytes calldata signers,
        bytes calldata signatures,
        Certificates.ReceiptProof calldata proof
    ) external pure returns (bytes memory) {
        return abi.encode(statement, signers, signatures, proof);
    }
}

/// @title Whatever is changed in a proof, it proves nothing any more
contract ReceiptFuzz is ReceiptFixture {
    Reader private reader;

    function setUp() public override {
        super.setUp();
        reader = new Reader();
    }

    /// Padding says nothing, so a change there may pass: what passes must mean exactly what was signed.
    function testFuzz_anyChangedBitIsRefused(uint256 seed, uint8 size, uint8 receipts) public {
        bytes memory data = _valid(seed, 1 + size % 12, 1 + receipts % 9);
        bytes memory meant = _meaning(data);
        ensure(_accepted(data), "what is right is believed");
        for (uint256 i = 0; i < 24; ++i) {
            uint256 bit = uint256(keccak256(abi.encode(seed, i))) % ((data.length - 4) * 8);
            bytes memory changed = bytes.concat(data);
            changed[4 + bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
            if (!_accepted(changed)) continue;
            ensure(keccak256(_meaning(changed)) == keccak256(meant), "something else was believed");
        }
    }

    /// Bits of the statement, of the receipt and of the roots: none of them is padding.
    function testFuzz_noWordOfStatementOrProofMayChange(uint256 seed, uint8 size, uint8 receipts) public {
        bytes memory data = _valid(seed, 1 + size % 12, 1 + receipts % 9);
        (Certificates.RoundStatement memory statement, bytes memory signers, bytes memory signatures,) =
            abi.decode(_meaning(data), (Certificates.RoundStatement, bytes, bytes, Certificates.ReceiptProof));
        (,,, Certificates.ReceiptProof memory proof) =
            abi.decode(_meaning(data), (Certificates.RoundStatement, bytes, bytes, Certificates.ReceiptProof));
        bytes32 bit = bytes32(1 << (seed % 256));
        for (uint256 field = 0; field < 12; ++field) {
            Certificates.RoundStatement memory said = abi.decode(abi.encode(statement), (Certificates.RoundStatement));
            Certificates.ReceiptProof memory shown = abi.decode(abi.encode(proof), (Certificates.ReceiptProof));
            if (field == 0) said.genesis ^= bit;
            else if (field == 1) said.setId ^= uint64(1 << (seed % 64));
            else if (field == 2) said.blockNumber ^= uint64(1 << (seed % 64));
            else if (field == 3) said.blockHash ^= bit;
            else if (field == 4) said.anchorNumber ^= uint64(1 << (seed % 64));
            else if (field == 5) said.anchorHash ^= bit;
            else if (field == 6) said.outcome ^= bit;
            else if (field == 7) shown.receipt.messageId ^= bit;
            else if (field == 8) shown.receipt.gasBurned ^= uint64(1 << (seed % 64));
            else if (field == 9) shown.count ^= uint64(1 << (seed % 64));
            else if (field == 10) shown.stateRoot ^= bit;
            else shown.receipt.value ^= uint128(1 << (seed % 128));
            ensure(!_accepted(abi.encodeCall(verifier.verifyOffBranch, (said, signers, signatures, shown))), "believed");
        }
    }

    /// A quorum is more than two thirds; one less is refused, whatever the set.
    function testFuzz_oneSignerLessIsRefused(uint256 seed, uint8 size) public {
        deploy(1 + size % 12);
        verifier = new ReceiptVerifier(IRouter(address(router)));
        (Certificates.RoundStatement memory statement, Certificates.ReceiptProof memory proof) =
            round(1 + seed % 5, seed % (1 + seed % 5), abi.encode(seed));
        (bytes memory signers, bytes memory signatures) = certify(statement, quorum());
        ensure(_accepted(abi.encodeCall(verifier.verify, (statement, signers, signatures, proof))), "a quorum");
        (signers, signatures) = certify(statement, quorum() - 1);
        ensure(!_accepted(abi.encodeCall(verifier.verify, (statement, signers, signatures, proof))), "no quorum");
    }

    function _valid(uint256 seed, uint256 validators, uint256 receipts) private returns (bytes memory) {
        deploy(validators);
        verifier = new ReceiptVerifier(IRouter(address(router)));
        (Certificates.RoundStatement memory statement, Certificates.ReceiptProof memory proof) =
            round(receipts, seed % receipts, abi.encode(seed));
        (bytes memory signers, bytes memory signatures) = certify(statement, quorum());
        return abi.encodeCall(verifier.verify, (statement, signers, signatures, proof));
    }

    function _accepted(bytes memory data) private view returns (bool success) {
        (success,) = address(verifier).staticcall{ gas: 5_000_000 }(data);
    }

    function _meaning(bytes memory data) private view returns (bytes memory) {
        (bool success, bytes memory answer) = address(reader).staticcall(data);
        ensure(success, "it decodes");
        return abi.decode(answer, (bytes));
    }
}
