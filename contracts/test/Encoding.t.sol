// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IMirror } from "../src/IMirror.sol";
import { Mirror } from "../src/Mirror.sol";
import { Gear } from "../src/libraries/Gear.sol";
import { RouterFixture } from "./utils/RouterFixture.sol";
import { Vm } from "./utils/Vm.sol";

/// @dev Two programs, and a batch for both that replies and pays claims.
abstract contract EncodingFixture is RouterFixture {
    Mirror internal first;
    Mirror internal second;

    function setUp() public override {
        super.setUp();
        validateCode();
        (Mirror one, Mirror other) = (createProgram(0), createProgram(bytes32(uint256(1))));
        (first, second) = address(one) < address(other) ? (one, other) : (other, one);
        initMessage(first);
        initMessage(second);
    }

    function signed() internal view returns (bytes memory data, uint256[2] memory transitions) {
        Gear.Batch memory batch = emptyBatch();
        withReplies(withTransition(batch, address(first)));
        withReplies(withTransition(batch, address(second)));
        (bytes memory bitmap, bytes memory signatures) = signBy(batch, type(uint256).max);
        data = abi.encodeCall(router.commitBatch, (batch, bitmap, signatures));
        uint256 list = listAt(data);
        transitions = [list + word(data, list), list + word(data, list + 32)];
    }

    function withReplies(Gear.StateTransition memory transition) internal view {
        withMessage(transition, reply(user, keccak256("one"), "some payload", 0, 0x00010000, false));
        withMessage(transition, reply(user, keccak256("two"), "", 0, 0x00010000, false));
        transition.valueClaims = new Gear.ValueClaim[](1);
        transition.valueClaims[0] = Gear.ValueClaim(keccak256("mail"), user, 0);
    }

    /// @dev Where the offsets of the transitions are.
    function listAt(bytes memory data) internal pure returns (uint256) {
        uint256 batch = 4 + word(data, 4);
        return batch + word(data, batch + 14 * 32) + 32;
    }

    function messageAt(bytes memory data, uint256 transition, uint256 index) internal pure returns (uint256) {
        uint256 list = transition + word(data, transition + 0x100) + 32;
        return list + word(data, list + 32 * index);
    }

    function refuse(bytes memory data, uint256 place, uint256 value) internal {
        uint256 saved = word(data, place);
        put(data, place, value);
        (bool success, bytes memory reason) = address(router).call(data);
        ensure(!success && bytes4(reason) == Gear.MalformedBatch.selector, "refused by name");
        put(data, place, saved);
    }

    function apply_(bytes memory data) internal {
        (bool success,) = address(router).call(data);
        ensure(success, "applied");
    }

    function word(bytes memory data, uint256 place) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(add(data, 32), place))
        }
    }

    function put(bytes memory data, uint256 place, uint256 value) internal pure {
        assembly ("memory-safe") {
            mstore(add(add(data, 32), place), value)
        }
    }
}

/// @notice Batches whose content is what validators signed but whose bytes are not what an encoder makes. The submitter
/// chooses the bytes, and signatures cover only what they mean: none may mean one thing to the Router and another to a
/// Mirror.
contract EncodingTest is EncodingFixture {
    function test_whatAnEncoderMakesIsApplied() public {
        (bytes memory data,) = signed();
        apply_(data);
        ensure(first.stateHash() != 0 && second.stateHash() != 0, "states");
    }

    function test_fieldsBeyondTheirTypeAreRefused() public {
        (bytes memory data, uint256[2] memory transitions) = signed();
        uint256 message = messageAt(data, transitions[0], 1);
        refuse(data, message + 0x20, word(data, message + 0x20) | 1 << 160);
        refuse(data, message + 0x60, word(data, message + 0x60) | 1 << 128);
        refuse(data, message + 0xa0, word(data, message + 0xa0) | 1);
        refuse(data, message + 0xc0, 2);
        refuse(data, message + 0x40, 1 << 32);
        refuse(data, message + 0x40, type(uint256).max - 31);
    }

    function test_payloadsBeyondTheEndAreRefused() public {
        (bytes memory data, uint256[2] memory transitions) = signed();
        uint256 message = messageAt(data, transitions[1], 1);
        uint256 payload = message + word(data, message + 0x40);
        refuse(data, payload, data.length);
        refuse(data, payload, type(uint256).max);
        refuse(data, message + 0x40, data.length);
    }

    /// Both programs send the same messages, so the second's list may as well be the first's, as far as hashes go. The
    /// second's Mirror does not get those bytes.
    function test_listsOfAnotherTransitionAreRefused() public {
        (bytes memory data, uint256[2] memory transitions) = signed();
        uint256 list = transitions[0] + word(data, transitions[0] + 0x100);
        unchecked {
            refuse(data, transitions[1] + 0x100, list - transitions[1]);
            // A single message of it neither.
            uint256 own = transitions[1] + word(data, transitions[1] + 0x100) + 32;
            refuse(data, own, messageAt(data, transitions[0], 0) - own);
        }
    }

    function test_listsBehindTheTransitionRevertInTheMirror() public {
        (bytes memory data, uint256[2] memory transitions) = signed();
        uint256 list = transitions[1] + word(data, transitions[1] + 0x100);
        put(data, transitions[0] + 0x100, list - transitions[0]);
        (bool success,) = address(router).call(data);
        ensure(!success && first.stateHash() == 0, "reverts");
    }

    function test_claimsOfAnotherTransitionAreRefused() public {
        (bytes memory data, uint256[2] memory transitions) = signed();
        uint256 list = transitions[0] + word(data, transitions[0] + 0xe0);
        unchecked {
            refuse(data, transitions[1] + 0xe0, list - transitions[1]);
        }
    }

    /// The order of the bytes is free as long as each Mirror gets its own.
    function test_transitionsInAnotherOrderOfBytes() public {
        (bytes memory data, uint256[2] memory transitions) = signed();
        uint256 size = transitions[1] - transitions[0];
        for (uint256 i = 0; i < size; i += 32) {
            uint256 saved = word(data, transitions[0] + i);
            put(data, transitions[0] + i, word(data, transitions[1] + i));
            put(data, transitions[1] + i, saved);
        }
        uint256 list = listAt(data);
        uint256 saved_ = word(data, list);
        put(data, list, word(data, list + 32));
        put(data, list + 32, saved_);
        apply_(data);
        ensure(first.stateHash() == keccak256(abi.encode("state", uint64(2), address(first))), "first");
        ensure(second.stateHash() == keccak256(abi.encode("state", uint64(2), address(second))), "second");
    }
}

/// @notice The same for bytes that nobody thought of.
contract EncodingFuzz is EncodingFixture {
    /// Every single word of a batch may be spoilt: it is refused, or it means the same.
    function testFuzz_spoiltWord(uint256 place, uint256 value) public {
        (bytes memory data,) = signed();
        // Small numbers hit lengths and offsets.
        put(data, 4 + place % ((data.length - 4) / 32) * 32, value & 1 == 0 ? value : value % (2 * data.length));
        vm.recordLogs();
        (bool success,) = address(router).call(data);
        if (!success) return;
        ensure(first.stateHash() == keccak256(abi.encode("state", uint64(2), address(first))), "first");
        ensure(second.stateHash() == keccak256(abi.encode("state", uint64(2), address(second))), "second");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        ensure(count(logs, IMirror.Reply.selector) == 4, "replies");
        ensure(count(logs, IMirror.ValueClaimed.selector) == 2, "claims");
    }
}
