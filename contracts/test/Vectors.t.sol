// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { Router } from "../src/Router.sol";
import { Gear } from "../src/libraries/Gear.sol";
import { Vm } from "./utils/Vm.sol";

/// @dev Hands calldata to the library under test.
contract VectorHarness {
    function message(Gear.Message calldata value) external pure returns (bytes32) {
        return Gear.messageHash(value);
    }

    function claim(Gear.ValueClaim calldata value) external pure returns (bytes32) {
        return Gear.claimHash(value);
    }

    function creation(Gear.ProgramCreation calldata value) external pure returns (bytes32) {
        return Gear.creationHash(value);
    }

    function transition(Gear.StateTransition calldata value) external pure returns (bytes32) {
        return Gear.transitionHash(value);
    }

    function item(Gear.OutboxItem calldata value) external pure returns (bytes32) {
        return Gear.itemHash(value);
    }

    function content(Gear.Batch calldata value) external pure returns (bytes32) {
        return Gear.contentHash(value);
    }
}

/// @notice What Rust and Solidity must both make of the batches in `primitives/vectors/batches.json`. The Rust side is
/// `primitives/tests/vectors.rs`, which also writes the file.
contract VectorsTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    string private constant BATCH =
        "Batch(bytes32 genesis,uint64 sealNumber,bytes32 sealHash,uint64 lastRound,bytes32 lastRoundHash,uint64 nonce,bytes32 parent,uint64 anchorNumber,bytes32 anchorHash,uint64 setId,uint64 expiry,uint128 spent,uint64 outboxEnd,ProgramCreation[] creations,StateTransition[] transitions,OutboxItem[] outbox)Message(bytes32 id,address destination,bytes payload,uint128 value,ReplyDetails replyDetails,bool call)OutboxItem(uint8 kind,bytes data)ProgramCreation(address creator,bytes32 codeId,bytes32 salt)ReplyDetails(bytes32 to,bytes4 code)StateTransition(address actorId,bytes32 newStateHash,bool exited,address inheritor,uint128 valueToReceive,bool valueToReceiveNegativeSign,int128 netTransfer,ValueClaim[] valueClaims,Message[] messages)ValueClaim(bytes32 messageId,address destination,uint128 value)";
    string private constant HASHES =
        "Hashes(bytes32[][] messages,bytes32[][] claims,bytes32[] creations,bytes32[] transitions,bytes32[] items,bytes32 content,bytes32 domain,bytes32 digest)";

    struct Hashes {
        bytes32[][] messages;
        bytes32[][] claims;
        bytes32[] creations;
        bytes32[] transitions;
        bytes32[] items;
        bytes32 content;
        bytes32 domain;
        bytes32 digest;
    }

    error Differs(string vector, string what);

    VectorHarness private harness;
    Router private implementation;

    function setUp() public {
        harness = new VectorHarness();
        implementation = new Router();
    }

    function test_solidityComputesWhatRustDoes() public {
        string memory json = vm.readFile("../primitives/vectors/batches.json");
        uint256 vectors = 0;
        uint256 messages = 0;
        uint256 items = 0;
        for (;;) {
            string memory key = string.concat(".vectors[", vm.toString(vectors), "]");
            if (!vm.keyExistsJson(json, key)) break;
            Gear.Batch memory batch =
                abi.decode(vm.parseJsonType(json, string.concat(key, ".batch"), BATCH), (Gear.Batch));
            Hashes memory hashes = abi.decode(vm.parseJsonType(json, string.concat(key, ".hashes"), HASHES), (Hashes));
            string memory name = vm.parseJsonString(json, string.concat(key, ".name"));
            messages += checkContent(name, batch, hashes);
            items += batch.outbox.length;
            checkDigest(
                name,
                vm.parseJsonAddress(json, string.concat(key, ".router")),
                vm.parseJsonUint(json, string.concat(key, ".chainId")),
                batch,
                hashes
            );
            ++vectors;
        }
        // So that an empty file is no success.
        if (vectors < 9 || messages < 20 || items < 22) revert Differs("all", "number");
    }

    function checkContent(string memory name, Gear.Batch memory batch, Hashes memory hashes)
        private
        view
        returns (uint256 messages)
    {
        same(name, "number of creations", bytes32(hashes.creations.length), bytes32(batch.creations.length));
        for (uint256 i = 0; i < batch.creations.length; ++i) {
            same(name, "creation", hashes.creations[i], harness.creation(batch.creations[i]));
        }
        same(name, "number of transitions", bytes32(hashes.transitions.length), bytes32(batch.transitions.length));
        for (uint256 i = 0; i < batch.transitions.length; ++i) {
            Gear.StateTransition memory transition = batch.transitions[i];
            for (uint256 j = 0; j < transition.messages.length; ++j) {
                same(name, "message", hashes.messages[i][j], harness.message(transition.messages[j]));
            }
            for (uint256 j = 0; j < transition.valueClaims.length; ++j) {
                same(name, "claim", hashes.claims[i][j], harness.claim(transition.valueClaims[j]));
            }
            same(name, "transition", hashes.transitions[i], harness.transition(transition));
            messages += transition.messages.length;
        }
        same(name, "number of items", bytes32(hashes.items.length), bytes32(batch.outbox.length));
        for (uint256 i = 0; i < batch.outbox.length; ++i) {
            same(name, "item", hashes.items[i], harness.item(batch.outbox[i]));
        }
        same(name, "content", hashes.content, harness.content(batch));
    }

    /// @dev By the real Router, at the address and on the chain that the vector names.
    function checkDigest(
        string memory name,
        address router,
        uint256 chainId,
        Gear.Batch memory batch,
        Hashes memory hashes
    ) private {
        vm.chainId(chainId);
        vm.etch(router, address(implementation).code);
        same(name, "domain", hashes.domain, Router(payable(router)).DOMAIN_SEPARATOR());
        same(name, "digest", hashes.digest, Router(payable(router)).batchDigest(batch));
    }

    function same(string memory name, string memory what, bytes32 expected, bytes32 actual) private pure {
        if (expected != actual) revert Differs(name, what);
    }
}
