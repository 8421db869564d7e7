// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ReceiptVerifier } from "../ReceiptVerifier.sol";
import { Certificates } from "../libraries/Certificates.sol";

/// @title A dApp contract that takes a program's certified answer, without waiting for a batch
/// @notice Shows what a contract has to ask beside the proof: is it this program, did it succeed, is it this payload, was it
/// taken before.
contract CounterReader {
    /// @notice The receipt is of another program.
    error NotTheProgram(bytes32 programId);
    /// @notice The message failed.
    error MessageFailed(bytes4 code);
    /// @notice This is not what was replied.
    error NotTheReply();
    /// @notice The answer to this message was taken.
    error AlreadyTaken(bytes32 messageId);

    event Taken(bytes32 indexed messageId, uint32 value);

    /// @notice Who checks proofs.
    ReceiptVerifier public immutable verifier;
    /// @notice The program's Mirror.
    address public immutable program;
    /// @notice Messages whose answers were taken.
    mapping(bytes32 messageId => bool) public taken;
    /// @notice The newest answer.
    uint32 public value;
    /// @notice Where it stands: round, and place among the round's receipts.
    uint128 public place;

    constructor(ReceiptVerifier verifier_, address program_) {
        verifier = verifier_;
        program = program_;
    }

    /// @notice Takes an answer of the program; anyone may bring it, in any order.
    /// @param reply What the program replied.
    function take(
        Certificates.RoundStatement calldata statement,
        bytes calldata signers,
        bytes calldata signatures,
        Certificates.ReceiptProof calldata proof,
        bytes calldata reply
    ) external {
        verifier.verify(statement, signers, signatures, proof);
        Certificates.Receipt calldata receipt = proof.receipt;
        if (receipt.programId != bytes32(uint256(uint160(program)))) revert NotTheProgram(receipt.programId);
        if (receipt.code != 0x00010000) revert MessageFailed(receipt.code);
        if (keccak256(reply) != receipt.payloadHash) revert NotTheReply();
        if (taken[receipt.messageId]) revert AlreadyTaken(receipt.messageId);
        taken[receipt.messageId] = true;
        uint32 answer = abi.decode(reply, (uint32));
        emit Taken(receipt.messageId, answer);
        uint128 position = uint128(receipt.round) << 64 | proof.index;
        if (position >= place) (value, place) = (answer, position);
    }
}
