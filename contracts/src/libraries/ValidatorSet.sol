// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// @title A validator set as the code of a contract, and the check of a quorum against it
/// @notice 28 bytes per validator: address, then weight (uint64, big endian). Reading it costs one EXTCODECOPY.
library ValidatorSet {
    /// @notice A set needs members.
    error EmptyValidatorsList();
    /// @notice Addresses and weights differ in number.
    error InvalidWeights();
    /// @notice A validator is the zero address, occurs twice, or has no weight.
    error InvalidValidator(uint256 index);
    /// @notice A set is larger than a contract's code may be.
    error TooManyValidators(uint256 count);
    /// @notice A bit is set beyond the last validator.
    error SignerOutOfRange();
    /// @notice The number of signatures is not the number of set bits.
    error InvalidSignaturesLength(uint256 expected, uint256 actual);
    /// @notice The signature at `index` of the set is malformed or of another key.
    error InvalidSignature(uint256 index);
    /// @notice Not more than two thirds of the validators signed.
    error NotEnoughHeads(uint256 signed, uint256 total);
    /// @notice Not more than two thirds of the weight signed.
    error NotEnoughWeight(uint256 signed, uint256 total);
    /// @notice The set could not be stored.
    error ValidatorSetNotStored();

    uint256 internal constant ENTRY = 28;
    uint256 internal constant MAX_VALIDATORS = 256;
    /// @notice Half of the order of secp256k1: the largest `s` of a signature (EIP-2).
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice Stores a set.
    function store(address[] memory validators, uint64[] memory weights) internal returns (address pointer) {
        uint256 total = validators.length;
        if (total == 0) revert EmptyValidatorsList();
        if (total > MAX_VALIDATORS) revert TooManyValidators(total);
        if (weights.length != total) revert InvalidWeights();
        for (uint256 i = 0; i < total; ++i) {
            if (validators[i] == address(0) || weights[i] == 0 || contains(validators, i, validators[i])) {
                revert InvalidValidator(i);
            }
        }
        bytes memory data = pack(validators, weights);
        // A leading STOP, so that nobody can run the data; before it the code that returns everything behind itself.
        bytes memory creation = bytes.concat(hex"600b5981380380925939f300", data);
        assembly ("memory-safe") {
            pointer := create(0, add(creation, 32), mload(creation))
        }
        if (pointer == address(0)) revert ValidatorSetNotStored();
    }

    /// @notice A set as it is stored, in memory. Both lists have the same length.
    function pack(address[] memory validators, uint64[] memory weights) internal pure returns (bytes memory data) {
        uint256 total = validators.length;
        // Entries are written as whole words, so the last one needs four bytes more.
        data = new bytes(total * ENTRY + 4);
        for (uint256 i = 0; i < total; ++i) {
            uint256 entry = uint256(uint160(validators[i])) << 96 | uint256(weights[i]) << 32;
            assembly ("memory-safe") {
                mstore(add(add(data, 32), mul(i, 28)), entry)
            }
        }
        assembly ("memory-safe") {
            mstore(data, mul(total, 28))
        }
    }

    /// @dev Whether `validator` is among the first `total`. Every pair of a set is compared, 32,640 of them for 256
    /// validators, hence by hand.
    function contains(address[] memory validators, uint256 total, address validator) private pure returns (bool found) {
        assembly ("memory-safe") {
            let place := add(validators, 32)
            for { let end := add(place, shl(5, total)) } lt(place, end) { place := add(place, 32) } {
                found := or(found, eq(mload(place), validator))
            }
        }
    }

    /// @notice Number of validators.
    function count(address pointer) internal view returns (uint256) {
        uint256 size = pointer.code.length;
        return size == 0 ? 0 : (size - 1) / ENTRY;
    }

    /// @notice The whole set.
    function load(address pointer) internal view returns (address[] memory validators, uint64[] memory weights) {
        bytes memory data = read(pointer);
        uint256 total = data.length / ENTRY;
        validators = new address[](total);
        weights = new uint64[](total);
        for (uint256 i = 0; i < total; ++i) {
            (validators[i], weights[i]) = entryAt(data, i);
        }
    }

    /// @notice Reverts unless `signers` with `signatures` over `digest` are a quorum of the set.
    /// @param signers Bitmap; bit `i % 8` from the least significant of byte `i / 8` stands for validator `i`.
    /// @param signatures EIP-2098, 64 bytes each, in ascending order of validators.
    function requireQuorum(address pointer, bytes32 digest, bytes calldata signers, bytes calldata signatures)
        internal
        view
    {
        requireQuorumOf(read(pointer), digest, signers, signatures);
    }

    /// @notice As `requireQuorum`, of a set that `pack` has made.
    function requireQuorumOf(bytes memory data, bytes32 digest, bytes calldata signers, bytes calldata signatures)
        internal
        pure
    {
        uint256 total = data.length / ENTRY;
        uint256 offset = 0;
        uint256 weight = 0;
        uint256 totalWeight = 0;
        uint256 bits = 0;
        for (uint256 i = 0; i < total; ++i) {
            if (i & 7 == 0) bits = i >> 3 < signers.length ? uint8(signers[i >> 3]) : 0;
            (address validator, uint64 share) = entryAt(data, i);
            unchecked {
                totalWeight += share;
            }
            if ((bits >> (i & 7)) & 1 == 0) continue;
            if (recover(digest, signatures, offset) != validator) revert InvalidSignature(i);
            unchecked {
                offset += 64;
                weight += share;
            }
        }
        if (offset != signatures.length) revert InvalidSignaturesLength(offset, signatures.length);
        requireNoBitsFrom(signers, total);
        uint256 heads = offset / 64;
        if (heads * 3 <= total * 2) revert NotEnoughHeads(heads, total);
        if (weight * 3 <= totalWeight * 2) revert NotEnoughWeight(weight, totalWeight);
    }

    /// @dev The zero address for anything that is no signature with a low `s`.
    function recover(bytes32 digest, bytes calldata signatures, uint256 offset) private pure returns (address) {
        if (offset + 64 > signatures.length) revert InvalidSignaturesLength(offset + 64, signatures.length);
        bytes32 r;
        uint256 vs;
        assembly ("memory-safe") {
            r := calldataload(add(signatures.offset, offset))
            vs := calldataload(add(signatures.offset, add(offset, 32)))
        }
        uint256 s = vs & (type(uint256).max >> 1);
        if (s > HALF_ORDER) return address(0);
        return ecrecover(digest, uint8((vs >> 255) + 27), r, bytes32(s));
    }

    function requireNoBitsFrom(bytes calldata signers, uint256 total) private pure {
        uint256 used = (total + 7) / 8;
        if (signers.length > used) revert SignerOutOfRange();
        if (total & 7 != 0 && signers.length == used && uint8(signers[used - 1]) >> (total & 7) != 0) {
            revert SignerOutOfRange();
        }
    }

    function entryAt(bytes memory data, uint256 index) private pure returns (address validator, uint64 weight) {
        assembly ("memory-safe") {
            // The entry starts at its first byte, so one word holds all of it.
            let word := mload(add(add(data, 32), mul(index, 28)))
            validator := shr(96, word)
            weight := and(shr(32, word), 0xffffffffffffffff)
        }
    }

    function read(address pointer) private view returns (bytes memory data) {
        assembly ("memory-safe") {
            let size := extcodesize(pointer)
            size := sub(size, iszero(iszero(size)))
            data := mload(0x40)
            mstore(data, size)
            extcodecopy(pointer, add(data, 32), 1, size)
            // One spare word, since `entryAt` reads 32 bytes from the start of the last entry.
            mstore(0x40, and(add(add(data, size), 0x7f), not(31)))
        }
    }
}
