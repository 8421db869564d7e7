// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IRouter } from "../IRouter.sol";
import { MerkleTree } from "./MerkleTree.sol";
import { ValidatorSet } from "./ValidatorSet.sol";

/// @title What validators sign of a round, and the way from there to the receipt of one message
/// @notice The Rust side is `primitives/src/certificate.rs`; `primitives/vectors/certificates.json` holds worked examples
/// that both sides check. A node's `gear_messageStatus` gives all that is needed.
library Certificates {
    /// @notice The bitmap of signers ends in a zero byte: the same signers would have two forms.
    error TrailingZeroByte();
    /// @notice The receipt, or one of the roots beside it, is not of the round that was signed.
    error NotInRound();
    /// @notice The receipt names another round than the one that was signed.
    error WrongRound(uint64 signed, uint64 named);

    /// @notice The EIP-712 type of what every validator signs of a round.
    bytes32 internal constant ROUND_TYPEHASH = keccak256(
        "Round(bytes32 genesis,uint64 setId,uint64 blockNumber,bytes32 blockHash,uint64 anchorNumber,bytes32 anchorHash,bytes32 outcome)"
    );

    /// @notice What came out of the execution of a block.
    struct RoundStatement {
        /// Genesis hash of the chain.
        bytes32 genesis;
        /// The validator set that the signers belong to.
        uint64 setId;
        uint64 blockNumber;
        bytes32 blockHash;
        /// The Ethereum block up to which the round has taken events.
        uint64 anchorNumber;
        bytes32 anchorHash;
        /// `keccak256(receiptsRoot ‖ stateRoot ‖ transitionsHash)`.
        bytes32 outcome;
    }

    /// @notice What happened to one message.
    struct Receipt {
        bytes32 messageId;
        /// Who executed or refused it; a program's address stands on the right.
        bytes32 programId;
        /// How it ended: `[0 success | 1 error, reason, sub-reason, 0]`. `0x00010000` is a reply of the program's own.
        bytes4 code;
        /// Keccak-256 of the reply's payload.
        bytes32 payloadHash;
        /// ETH that went back with the reply, in wei.
        uint128 value;
        uint64 gasBurned;
        /// Number of the chain block in whose round it ended.
        uint64 round;
    }

    /// @notice The way from a receipt to what was signed of its round.
    struct ReceiptProof {
        Receipt receipt;
        /// Its place among the round's receipts, and their number.
        uint64 index;
        uint64 count;
        /// From the leaf to the root, lowest first.
        bytes32[] siblings;
        bytes32 receiptsRoot;
        bytes32 stateRoot;
        bytes32 transitionsHash;
    }

    /// @notice Reverts unless the validators that the Router holds now have signed the statement: more than two thirds of
    /// heads and of weight. A certificate of an earlier set proves nothing here any more, one of the next nothing yet.
    /// @param signers Bitmap; bit `i % 8` from the least significant of byte `i / 8` stands for validator `i`.
    /// @param signatures EIP-2098, 64 bytes each, in ascending order of validators.
    function requireCertified(
        IRouter router,
        RoundStatement calldata statement,
        bytes calldata signers,
        bytes calldata signatures
    ) internal view {
        if (statement.genesis != router.chainGenesis()) revert IRouter.InvalidGenesis();
        uint64 setId = router.setId();
        if (statement.setId != setId) revert IRouter.InvalidSet(setId, statement.setId);
        // Whoever left a set that was not renewed has nothing at stake any more.
        uint256 since = router.storageView().validationSettings.validators0.useFromTimestamp;
        if (block.timestamp > since + router.maxStaleness()) revert IRouter.ValidatorSetStale(since);
        if (signers.length != 0 && signers[signers.length - 1] == 0) revert TrailingZeroByte();
        (address[] memory list, uint64[] memory weights) = router.validatorSet();
        bytes32 signed = digest(router.DOMAIN_SEPARATOR(), statement);
        ValidatorSet.requireQuorumOf(ValidatorSet.pack(list, weights), signed, signers, signatures);
    }

    /// @notice Reverts unless the receipt is one of the round of the statement. Who signed that is another question.
    function requireReceipt(RoundStatement calldata statement, ReceiptProof calldata proof) internal pure {
        if (!MerkleTree.verify(proof.receiptsRoot, proof.count, proof.index, leaf(proof.receipt), proof.siblings)) {
            revert NotInRound();
        }
        if (outcome(proof) != statement.outcome) revert NotInRound();
        if (proof.receipt.round != statement.blockNumber) {
            revert WrongRound(statement.blockNumber, proof.receipt.round);
        }
    }

    /// @notice The 32 bytes that validators sign (EIP-712).
    function digest(bytes32 domain, RoundStatement calldata statement) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(ROUND_TYPEHASH, statement))));
    }

    /// @notice The leaf of a receipt in its round's tree.
    function leaf(Receipt calldata receipt) internal pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(
                uint8(0),
                receipt.messageId,
                receipt.programId,
                receipt.code,
                receipt.payloadHash,
                receipt.value,
                receipt.gasBurned,
                receipt.round
            )
        );
    }

    /// @notice What is signed of a round with these roots.
    function outcome(ReceiptProof calldata proof) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(proof.receiptsRoot, proof.stateRoot, proof.transitionsHash));
    }
}
