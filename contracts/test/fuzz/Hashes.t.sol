// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { Gear } from "../../src/libraries/Gear.sol";

/// @dev Hands calldata to the library under test.
contract GearHarness {
    function message(Gear.Message calldata value) external pure returns (bytes32) {
        return Gear.messageHash(value);
    }

    function claim(Gear.ValueClaim calldata value) external pure returns (bytes32) {
        return Gear.claimHash(value);
    }

    function transition(Gear.StateTransition calldata value) external pure returns (bytes32) {
        return Gear.transitionHash(value);
    }

    function content(Gear.Batch calldata value) external pure returns (bytes32) {
        return Gear.contentHash(value);
    }

    function batch(Gear.Batch calldata value) external pure returns (bytes32) {
        return Gear.batchHash(value);
    }
}

/// @title The hashes of `Gear`, against a second computation that appends bytes field by field
contract HashesFuzz {
    GearHarness private harness;

    function setUp() public {
        harness = new GearHarness();
    }

    function testFuzz_message(uint256 seed) public view {
        Gear.Message memory value = makeMessage(seed);
        require(harness.message(value) == messageHash(value), "message");
    }

    function testFuzz_claim(bytes32 messageId, address destination, uint128 amount) public view {
        Gear.ValueClaim memory value = Gear.ValueClaim(messageId, destination, amount);
        require(harness.claim(value) == claimHash(value), "claim");
    }

    function testFuzz_transition(uint256 seed) public view {
        Gear.StateTransition memory value = makeTransition(seed);
        require(harness.transition(value) == transitionHash(value), "transition");
    }

    function testFuzz_batch(uint256 seed) public view {
        Gear.Batch memory value = makeBatch(seed);
        require(harness.content(value) == contentHash(value), "content");
        require(harness.batch(value) == batchHash(value), "batch");
    }

    function test_emptyBatch() public view {
        Gear.Batch memory value;
        require(harness.content(value) == contentHash(value), "content");
        require(harness.batch(value) == batchHash(value), "batch");
    }

    function test_emptyListIsTheHashOfNothing() public pure {
        require(Gear.EMPTY == keccak256(""), "empty");
    }

    function testFuzz_negativeTransferIsTwosComplement(uint96 amount) public view {
        Gear.StateTransition memory value;
        value.netTransfer = -int128(uint128(amount));
        bytes16 expected = bytes16(uint128(2 ** 128 - uint256(amount)));
        if (amount == 0) expected = bytes16(0);
        bytes memory packed = bytes.concat(new bytes(20), new bytes(32), new bytes(1), new bytes(20), new bytes(16));
        packed = bytes.concat(packed, new bytes(1), expected, keccak256(""), keccak256(""));
        require(harness.transition(value) == keccak256(packed), "two's complement");
    }

    /// @dev Another number for every use of a seed.
    function draw(uint256 seed, uint256 use) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, use)));
    }

    function makeBytes(uint256 seed, uint256 most) private pure returns (bytes memory value) {
        value = new bytes(draw(seed, 0) % (most + 1));
        for (uint256 i = 0; i < value.length; ++i) {
            value[i] = bytes1(uint8(draw(seed, i + 1)));
        }
    }

    function makeMessage(uint256 seed) private pure returns (Gear.Message memory value) {
        value.id = bytes32(draw(seed, 1));
        value.destination = address(uint160(draw(seed, 2)));
        value.payload = makeBytes(draw(seed, 3), 70);
        value.value = uint128(draw(seed, 4));
        value.replyDetails.to = bytes32(draw(seed, 5));
        value.replyDetails.code = bytes4(uint32(draw(seed, 6)));
        value.call = draw(seed, 7) & 1 == 1;
    }

    function makeTransition(uint256 seed) private pure returns (Gear.StateTransition memory value) {
        value.actorId = address(uint160(draw(seed, 1)));
        value.newStateHash = bytes32(draw(seed, 2));
        value.exited = draw(seed, 3) & 1 == 1;
        value.inheritor = address(uint160(draw(seed, 4)));
        value.valueToReceive = uint128(draw(seed, 5));
        value.valueToReceiveNegativeSign = draw(seed, 6) & 1 == 1;
        value.netTransfer = int128(uint128(draw(seed, 7)));
        value.valueClaims = new Gear.ValueClaim[](draw(seed, 8) % 4);
        for (uint256 i = 0; i < value.valueClaims.length; ++i) {
            uint256 own = draw(seed, 100 + i);
            value.valueClaims[i] =
                Gear.ValueClaim(bytes32(draw(own, 1)), address(uint160(draw(own, 2))), uint128(draw(own, 3)));
        }
        value.messages = new Gear.Message[](draw(seed, 9) % 4);
        for (uint256 i = 0; i < value.messages.length; ++i) {
            value.messages[i] = makeMessage(draw(seed, 200 + i));
        }
    }

    function makeBatch(uint256 seed) private pure returns (Gear.Batch memory value) {
        value.genesis = bytes32(draw(seed, 1));
        value.sealNumber = uint64(draw(seed, 2));
        value.sealHash = bytes32(draw(seed, 3));
        value.lastRound = uint64(draw(seed, 4));
        value.lastRoundHash = bytes32(draw(seed, 5));
        value.nonce = uint64(draw(seed, 6));
        value.parent = bytes32(draw(seed, 7));
        value.anchorNumber = uint64(draw(seed, 8));
        value.anchorHash = bytes32(draw(seed, 9));
        value.setId = uint64(draw(seed, 10));
        value.expiry = uint64(draw(seed, 11));
        value.outboxEnd = uint64(draw(seed, 12));
        value.spent = uint128(draw(seed, 16));
        value.creations = new Gear.ProgramCreation[](draw(seed, 15) % 4);
        for (uint256 i = 0; i < value.creations.length; ++i) {
            uint256 own = draw(seed, 300 + i);
            value.creations[i] =
                Gear.ProgramCreation(address(uint160(draw(own, 0))), bytes32(draw(own, 1)), bytes32(draw(own, 2)));
        }
        value.transitions = new Gear.StateTransition[](draw(seed, 13) % 4);
        for (uint256 i = 0; i < value.transitions.length; ++i) {
            value.transitions[i] = makeTransition(draw(seed, 100 + i));
        }
        value.outbox = new Gear.OutboxItem[](draw(seed, 14) % 4);
        for (uint256 i = 0; i < value.outbox.length; ++i) {
            value.outbox[i] = Gear.OutboxItem(uint8(draw(seed, 200 + i)), makeBytes(draw(seed, 300 + i), 70));
        }
    }

    function messageHash(Gear.Message memory value) private pure returns (bytes32) {
        bytes memory packed = bytes.concat(value.id, bytes20(value.destination), value.payload, bytes16(value.value));
        packed = bytes.concat(packed, value.replyDetails.to, value.replyDetails.code);
        return keccak256(bytes.concat(packed, flag(value.call)));
    }

    function claimHash(Gear.ValueClaim memory value) private pure returns (bytes32) {
        return keccak256(bytes.concat(value.messageId, bytes20(value.destination), bytes16(value.value)));
    }

    function transitionHash(Gear.StateTransition memory value) private pure returns (bytes32) {
        bytes memory claims;
        for (uint256 i = 0; i < value.valueClaims.length; ++i) {
            claims = bytes.concat(claims, claimHash(value.valueClaims[i]));
        }
        bytes memory messages;
        for (uint256 i = 0; i < value.messages.length; ++i) {
            messages = bytes.concat(messages, messageHash(value.messages[i]));
        }
        bytes memory packed = bytes.concat(bytes20(value.actorId), value.newStateHash, flag(value.exited));
        packed = bytes.concat(packed, bytes20(value.inheritor), bytes16(value.valueToReceive));
        packed = bytes.concat(packed, flag(value.valueToReceiveNegativeSign), bytes16(uint128(value.netTransfer)));
        return keccak256(bytes.concat(packed, keccak256(claims), keccak256(messages)));
    }

    function contentHash(Gear.Batch memory value) private pure returns (bytes32) {
        bytes memory transitions;
        for (uint256 i = 0; i < value.transitions.length; ++i) {
            transitions = bytes.concat(transitions, transitionHash(value.transitions[i]));
        }
        bytes memory items;
        for (uint256 i = 0; i < value.outbox.length; ++i) {
            bytes memory item = bytes.concat(bytes1(value.outbox[i].kind), keccak256(value.outbox[i].data));
            items = bytes.concat(items, keccak256(item));
        }
        bytes memory creations;
        for (uint256 i = 0; i < value.creations.length; ++i) {
            Gear.ProgramCreation memory creation = value.creations[i];
            bytes memory packed = bytes.concat(bytes20(creation.creator), creation.codeId, creation.salt);
            creations = bytes.concat(creations, keccak256(packed));
        }
        bytes memory front = bytes.concat(keccak256(creations), keccak256(transitions));
        return keccak256(bytes.concat(front, bytes16(value.spent), bytes8(value.outboxEnd), keccak256(items)));
    }

    function batchHash(Gear.Batch memory value) private pure returns (bytes32) {
        bytes memory typeName = "Batch(bytes32 genesis,uint64 sealNumber,bytes32 sealHash,uint64 lastRound,";
        typeName = bytes.concat(typeName, "bytes32 lastRoundHash,uint64 nonce,bytes32 parent,uint64 anchorNumber,");
        typeName = bytes.concat(typeName, "bytes32 anchorHash,uint64 setId,bytes32 content,uint64 expiry)");
        bytes memory packed = bytes.concat(keccak256(typeName), value.genesis, word(value.sealNumber), value.sealHash);
        packed = bytes.concat(packed, word(value.lastRound), value.lastRoundHash, word(value.nonce), value.parent);
        packed = bytes.concat(packed, word(value.anchorNumber), value.anchorHash, word(value.setId));
        return keccak256(bytes.concat(packed, contentHash(value), word(value.expiry)));
    }

    function flag(bool value) private pure returns (bytes1) {
        return value ? bytes1(0x01) : bytes1(0x00);
    }

    function word(uint64 value) private pure returns (bytes32) {
        return bytes32(uint256(value));
    }
}
