// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IRouter } from "../../src/IRouter.sol";
import { ReceiptVerifier } from "../../src/ReceiptVerifier.sol";
import { Certificates } from "../../src/libraries/Certificates.sol";
import { RouterFixture } from "./RouterFixture.sol";

/// @title A verifier on a deployed Router, and rounds with receipts that its validators sign
abstract contract ReceiptFixture is RouterFixture {
    uint64 internal constant ROUND = 77;
    address internal constant PROGRAM = address(0xC0DE);

    ReceiptVerifier internal verifier;

    function setUp() public virtual override {
        super.setUp();
        verifier = new ReceiptVerifier(IRouter(address(router)));
    }

    /// @dev What the proof of receipt `index` of `count` says, and the statement on its round.
    function round(uint256 count, uint256 index, bytes memory reply)
        internal
        view
        returns (Certificates.RoundStatement memory statement, Certificates.ReceiptProof memory proof)
    {
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            leaves[i] = leafOf(receiptAt(i, reply));
        }
        proof.receipt = receiptAt(index, reply);
        proof.index = uint64(index);
        proof.count = uint64(count);
        (proof.receiptsRoot, proof.siblings) = climb(leaves, index);
        proof.stateRoot = keccak256("state");
        proof.transitionsHash = keccak256("transitions");
        statement.genesis = GENESIS;
        statement.setId = router.setId();
        statement.blockNumber = ROUND;
        statement.blockHash = keccak256("block");
        statement.anchorNumber = uint64(vm.getBlockNumber() - 1);
        statement.anchorHash = blockhash(statement.anchorNumber);
        statement.outcome = outcomeOf(proof);
    }

    function receiptAt(uint256 index, bytes memory reply) internal pure returns (Certificates.Receipt memory receipt) {
        receipt.messageId = keccak256(abi.encode("message", index));
        receipt.programId = bytes32(uint256(uint160(PROGRAM)));
        receipt.code = 0x00010000;
        receipt.payloadHash = keccak256(reply);
        receipt.value = uint128(index);
        receipt.gasBurned = uint64(1000 + index);
        receipt.round = ROUND;
    }

    /// @dev A second opinion on the hashes: by other means than `Certificates`.
    function leafOf(Certificates.Receipt memory receipt) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(
                hex"00",
                receipt.messageId,
                receipt.programId,
                receipt.code,
                receipt.payloadHash,
                bytes16(receipt.value),
                bytes8(receipt.gasBurned),
                bytes8(receipt.round)
            )
        );
    }

    function outcomeOf(Certificates.ReceiptProof memory proof) internal pure returns (bytes32) {
        return keccak256(bytes.concat(proof.receiptsRoot, proof.stateRoot, proof.transitionsHash));
    }

    function climb(bytes32[] memory level, uint256 index)
        internal
        pure
        returns (bytes32 root, bytes32[] memory siblings)
    {
        uint64 total = uint64(level.length);
        while (level.length > 1) {
            if ((index ^ 1) < level.length) {
                bytes32[] memory more = new bytes32[](siblings.length + 1);
                for (uint256 i = 0; i < siblings.length; ++i) {
                    more[i] = siblings[i];
                }
                more[siblings.length] = level[index ^ 1];
                siblings = more;
            }
            bytes32[] memory up = new bytes32[]((level.length + 1) / 2);
            for (uint256 i = 0; i < up.length; ++i) {
                up[i] = 2 * i + 1 < level.length
                    ? keccak256(bytes.concat(hex"01", level[2 * i], level[2 * i + 1]))
                    : level[2 * i];
            }
            (level, index) = (up, index / 2);
        }
        root = keccak256(bytes.concat(hex"02", bytes8(total), level[0]));
    }

    function digestOf(Certificates.RoundStatement memory statement) internal view returns (bytes32) {
        bytes32 structure = keccak256(
            abi.encode(
                keccak256(
                    "Round(bytes32 genesis,uint64 setId,uint64 blockNumber,bytes32 blockHash,uint64 anchorNumber,bytes32 anchorHash,bytes32 outcome)"
                ),
                statement.genesis,
                statement.setId,
                statement.blockNumber,
                statement.blockHash,
                statement.anchorNumber,
                statement.anchorHash,
                statement.outcome
            )
        );
        return keccak256(bytes.concat(hex"1901", router.DOMAIN_SEPARATOR(), structure));
    }

    /// @dev By the first `count` validators.
    function certify(Certificates.RoundStatement memory statement, uint256 count)
        internal
        view
        returns (bytes memory bitmap, bytes memory signatures)
    {
        bytes32 signed = digestOf(statement);
        bitmap = new bytes((count + 7) / 8);
        for (uint256 i = 0; i < count; ++i) {
            bitmap[i / 8] |= bytes1(uint8(1 << (i % 8)));
            signatures = bytes.concat(signatures, compact(keys[i], signed));
        }
    }

    function quorum() internal view returns (uint256) {
        return keys.length * 2 / 3 + 1;
    }
}
