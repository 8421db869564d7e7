// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { Ancestry } from "../../src/libraries/Ancestry.sol";

interface AncestryVm {
    function etch(address target, bytes calldata code) external;
    function roll(uint256 number) external;
    function setBlockhash(uint256 number, bytes32 hash) external;
    function store(address target, bytes32 slot, bytes32 value) external;
}

contract AncestryHarness {
    function check(uint64 number, bytes32 hash) external view {
        Ancestry.requireAncestor(number, hash);
    }
}

/// @title Ancestors of the current block, against what each source was told
contract AncestryFuzz {
    AncestryVm private constant vm = AncestryVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    /// The code that EIP-2935 deploys.
    bytes private constant HISTORY_CODE =
        hex"3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500";
    uint64 private constant HEAD = 1_000_000;

    AncestryHarness private harness;

    function setUp() public {
        harness = new AncestryHarness();
        vm.roll(HEAD);
    }

    /// Depths around each boundary come as often as all others together.
    function depthFrom(uint256 seed) private pure returns (uint64) {
        uint64[8] memory edges = [uint64(0), 1, 255, 256, 257, 8190, 8191, 8192];
        if (seed & 1 == 0) return edges[(seed >> 1) % edges.length];
        return uint64((seed >> 1) % 9_000);
    }

    function testFuzz_theFirstSourceThatAnswersDecides(
        uint256 seed,
        bool installed,
        bytes32 recorded,
        bytes32 byBlockhash,
        bytes32 given,
        uint8 choice
    ) public {
        uint64 depth = depthFrom(seed);
        uint64 number = HEAD - depth;
        if (choice % 4 == 0) recorded = 0;
        if (installed) {
            vm.etch(Ancestry.HISTORY, HISTORY_CODE);
            vm.store(Ancestry.HISTORY, bytes32(uint256(number) % 8191), recorded);
        }
        bool reached = depth > 0 && depth <= 256;
        if (reached) vm.setBlockhash(number, byBlockhash);

        bytes32 known = installed && depth > 0 && depth <= 8191 ? recorded : bytes32(0);
        if (known == 0 && reached) known = byBlockhash;
        // Half of the time the hash is the right one, sometimes that of the source that must not decide.
        if (choice & 16 == 0) given = known;
        else if (choice & 32 == 0) given = byBlockhash;

        if (depth == 0) expect(number, given, Ancestry.AnchorNotAncestor.selector);
        else if (depth > 8191 || (depth > 256 && known == 0)) expect(number, given, Ancestry.AnchorTooOld.selector);
        else if (given == 0 || given != known) expect(number, given, Ancestry.AnchorNotAncestor.selector);
        else expect(number, given, 0);
    }

    /// Code at the history contract's address that answers with any length but 32 counts as silent.
    function testFuzz_anAnswerOfAnotherLengthIsNone(uint256 seed, uint8 length, bytes32 byBlockhash) public {
        if (length == 32 || byBlockhash == 0) return;
        uint64 depth = depthFrom(seed);
        if (depth == 0 || depth > 8191) return;
        uint64 number = HEAD - depth;
        // Returns `length` bytes, the first of them the number that was asked for.
        vm.etch(Ancestry.HISTORY, abi.encodePacked(hex"5f355f5260", length, hex"5ff3"));
        if (depth > 256) {
            expect(number, bytes32(uint256(number)), Ancestry.AnchorTooOld.selector);
            return;
        }
        vm.setBlockhash(number, byBlockhash);
        expect(number, byBlockhash, 0);
        expect(number, bytes32(uint256(number)), Ancestry.AnchorNotAncestor.selector);
    }

    function expect(uint64 number, bytes32 hash, bytes4 refusal) private view {
        try harness.check(number, hash) {
            require(refusal == 0, "accepted");
        } catch (bytes memory data) {
            require(bytes4(data) == refusal, "another refusal");
        }
    }
}
