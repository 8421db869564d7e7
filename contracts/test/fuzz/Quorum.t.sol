// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ValidatorSet } from "../../src/libraries/ValidatorSet.sol";

interface QuorumVm {
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
}

/// @dev Holds one set and hands calldata to the library under test.
contract SetHarness {
    address public pointer;

    function store(address[] memory validators, uint64[] memory weights) external {
        pointer = ValidatorSet.store(validators, weights);
    }

    function load() external view returns (address[] memory, uint64[] memory) {
        return ValidatorSet.load(pointer);
    }

    function count() external view returns (uint256) {
        return ValidatorSet.count(pointer);
    }

    function check(bytes32 digest, bytes calldata signers, bytes calldata signatures) external view {
        ValidatorSet.requireQuorum(pointer, digest, signers, signatures);
    }
}

/// @title Stored sets and quorum checks, against counting heads and weight one by one
contract QuorumFuzz {
    QuorumVm private constant vm = QuorumVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 private constant MOST = 20;

    SetHarness private harness;

    struct Signed {
        bytes signers;
        bytes signatures;
        uint256 heads;
        uint256 weight;
        uint256 total;
    }

    function setUp() public {
        harness = new SetHarness();
    }

    function testFuzz_storedSetIsReadBack(uint256 seed, uint8 size) public {
        uint256 n = 1 + size % MOST;
        (address[] memory validators, uint64[] memory weights) = makeSet(seed, n);
        (address[] memory list, uint64[] memory shares) = harness.load();
        require(harness.count() == n && list.length == n && shares.length == n, "length");
        for (uint256 i = 0; i < n; ++i) {
            require(list[i] == validators[i] && shares[i] == weights[i], "entry");
        }
    }

    function testFuzz_quorumIsMoreThanTwoThirdsOfBoth(uint256 seed, uint8 size, uint256 bitmap, bytes32 digest) public {
        uint256 n = 1 + size % MOST;
        (, uint64[] memory weights) = makeSet(seed, n);
        Signed memory signed = sign(n, bitmap, digest, weights);
        bool enoughHeads = signed.heads * 3 > n * 2;
        bool enoughWeight = signed.weight * 3 > signed.total * 2;
        (bool success, bytes4 reason) = check(digest, signed);
        if (enoughHeads && enoughWeight) require(success, "a quorum is refused");
        else if (!enoughHeads) require(!success && reason == ValidatorSet.NotEnoughHeads.selector, "heads");
        else require(!success && reason == ValidatorSet.NotEnoughWeight.selector, "weight");
    }

    function testFuzz_trailingZeroBytesOfTheBitmapMayBeMissing(uint256 seed, uint8 size, bytes32 digest) public {
        uint256 n = 9 + size % (MOST - 8);
        (, uint64[] memory weights) = makeSet(seed, n);
        Signed memory signed = sign(n, 0xff, digest, weights);
        signed.signers = hex"ff";
        (bool success, bytes4 reason) = check(digest, signed);
        bool enoughHeads = 8 * 3 > n * 2;
        bool enoughWeight = signed.weight * 3 > signed.total * 2;
        require(success == (enoughHeads && enoughWeight), "short bitmap");
        if (!success) {
            require(
                reason == (enoughHeads ? ValidatorSet.NotEnoughWeight.selector : ValidatorSet.NotEnoughHeads.selector),
                "reason"
            );
        }
    }

    function testFuzz_bitBeyondTheSetIsRefused(uint256 seed, uint8 size, uint8 beyond, bytes32 digest) public {
        uint256 n = 1 + size % MOST;
        (, uint64[] memory weights) = makeSet(seed, n);
        Signed memory signed = sign(n, type(uint256).max, digest, weights);
        uint256 bit = n + beyond % 16;
        bytes memory signers = new bytes(bit / 8 + 1 > signed.signers.length ? bit / 8 + 1 : signed.signers.length);
        for (uint256 i = 0; i < signed.signers.length; ++i) {
            signers[i] = signed.signers[i];
        }
        signers[bit / 8] |= bytes1(uint8(1 << (bit % 8)));
        signed.signers = signers;
        (bool success, bytes4 reason) = check(digest, signed);
        require(!success && reason == ValidatorSet.SignerOutOfRange.selector, "beyond the set");
    }

    function testFuzz_signaturesOfAnotherDigestAreRefused(uint256 seed, uint8 size, bytes32 digest, bytes32 other)
        public
    {
        if (digest == other) return;
        uint256 n = 1 + size % MOST;
        (, uint64[] memory weights) = makeSet(seed, n);
        (bool success, bytes4 reason) = check(other, sign(n, type(uint256).max, digest, weights));
        require(!success && reason == ValidatorSet.InvalidSignature.selector, "another digest");
    }

    function testFuzz_anyChangedBitIsRefused(uint256 seed, uint8 size, uint256 position, bytes32 digest) public {
        uint256 n = 1 + size % MOST;
        (, uint64[] memory weights) = makeSet(seed, n);
        Signed memory signed = sign(n, type(uint256).max, digest, weights);
        position %= signed.signatures.length * 8;
        signed.signatures[position / 8] ^= bytes1(uint8(1 << (position % 8)));
        (bool success, bytes4 reason) = check(digest, signed);
        require(!success && reason == ValidatorSet.InvalidSignature.selector, "changed bit");
    }

    function testFuzz_numberOfSignaturesIsExact(uint256 seed, uint8 size, uint8 cut, bytes32 digest) public {
        uint256 n = 1 + size % MOST;
        (, uint64[] memory weights) = makeSet(seed, n);
        Signed memory signed = sign(n, type(uint256).max, digest, weights);
        bytes memory whole = signed.signatures;
        bytes memory changed = new bytes(whole.length - 1 - cut % whole.length);
        for (uint256 i = 0; i < changed.length; ++i) {
            changed[i] = whole[i];
        }
        signed.signatures = changed;
        (bool success, bytes4 reason) = check(digest, signed);
        require(!success && reason == ValidatorSet.InvalidSignaturesLength.selector, "too few");
        signed.signatures = bytes.concat(whole, new bytes(1 + uint256(cut)));
        (success, reason) = check(digest, signed);
        require(!success && reason == ValidatorSet.InvalidSignaturesLength.selector, "too many");
    }

    function testFuzz_wrongOrderIsRefused(uint256 seed, uint8 size, bytes32 digest) public {
        uint256 n = 2 + size % (MOST - 1);
        (, uint64[] memory weights) = makeSet(seed, n);
        Signed memory signed = sign(n, type(uint256).max, digest, weights);
        for (uint256 i = 0; i < 64; ++i) {
            (signed.signatures[i], signed.signatures[64 + i]) = (signed.signatures[64 + i], signed.signatures[i]);
        }
        (bool success, bytes4 reason) = check(digest, signed);
        require(!success && reason == ValidatorSet.InvalidSignature.selector, "order");
    }

    function testFuzz_twiceTheSameValidatorIsNoSet(uint256 seed, uint8 size, uint8 first, uint8 second) public {
        uint256 n = 2 + size % (MOST - 1);
        (address[] memory validators, uint64[] memory weights) = makeSet(seed, n);
        uint256 a = first % n;
        uint256 b = second % n;
        if (a == b) return;
        validators[a] = validators[b];
        try harness.store(validators, weights) {
            revert("a validator counts twice");
        } catch (bytes memory reason) {
            require(bytes4(reason) == ValidatorSet.InvalidValidator.selector, "reason");
        }
    }

    function makeSet(uint256 seed, uint256 n) private returns (address[] memory validators, uint64[] memory weights) {
        validators = new address[](n);
        weights = new uint64[](n);
        for (uint256 i = 0; i < n; ++i) {
            validators[i] = vm.addr(i + 1);
            uint64 weight = uint64(uint256(keccak256(abi.encode(seed, i))));
            weights[i] = weight == 0 ? 1 : weight;
        }
        harness.store(validators, weights);
    }

    function sign(uint256 n, uint256 bitmap, bytes32 digest, uint64[] memory weights)
        private
        pure
        returns (Signed memory signed)
    {
        signed.signers = new bytes((n + 7) / 8);
        for (uint256 i = 0; i < n; ++i) {
            signed.total += weights[i];
            if (bitmap >> i & 1 == 0) continue;
            signed.signers[i / 8] |= bytes1(uint8(1 << (i % 8)));
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(i + 1, digest);
            signed.signatures = bytes.concat(signed.signatures, r, bytes32(uint256(s) | uint256(v - 27) << 255));
            signed.heads += 1;
            signed.weight += weights[i];
        }
    }

    function check(bytes32 digest, Signed memory signed) private view returns (bool success, bytes4 reason) {
        try harness.check(digest, signed.signers, signed.signatures) {
            success = true;
        } catch (bytes memory data) {
            reason = bytes4(data);
        }
    }
}
