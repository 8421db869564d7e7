// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// @title The Merkle tree of `primitives/src/merkle.rs`
/// @notice Leaves, nodes and the root have prefixes of their own; the root binds the number of leaves. A node without a
/// sibling goes up unchanged.
library MerkleTree {
    /// @notice Whether `hash` is the leaf at `index` of `count` under `root`.
    /// @param siblings From the leaf to the root.
    function verify(bytes32 root, uint64 count, uint64 index, bytes32 hash, bytes32[] calldata siblings)
        internal
        pure
        returns (bool)
    {
        if (index >= count) return false;
        uint256 place = index;
        uint256 width = count;
        uint256 used = 0;
        while (width > 1) {
            if (place ^ 1 < width) {
                if (used == siblings.length) return false;
                bytes32 sibling = siblings[used++];
                hash = place % 2 == 0
                    ? keccak256(abi.encodePacked(uint8(1), hash, sibling))
                    : keccak256(abi.encodePacked(uint8(1), sibling, hash));
            }
            place /= 2;
            width = (width + 1) / 2;
        }
        return used == siblings.length && keccak256(abi.encodePacked(uint8(2), count, hash)) == root;
    }
}
