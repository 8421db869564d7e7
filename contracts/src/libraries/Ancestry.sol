// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// @title Which blocks are ancestors of the current one
/// @notice The history contract of EIP-2935 knows 8191 of them, `blockhash` 256. The history contract is asked first: it
/// is part of the state, so a node that restarts answers as before, which not every development node's `blockhash` does.
/// `blockhash` decides where there is no history contract, and for blocks from before it was activated.
library Ancestry {
    /// @notice The block is older than any source knows.
    error AnchorTooOld(uint64 number);
    /// @notice The block is not on this branch of Ethereum.
    error AnchorNotAncestor(uint64 number, bytes32 hash);

    /// @notice EIP-2935's history contract.
    address internal constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;
    /// @notice How far back EIP-2935 reaches.
    uint256 internal constant HISTORY_WINDOW = 8191;
    /// @notice How far back `blockhash` reaches.
    uint256 internal constant BLOCKHASH_WINDOW = 256;

    /// @notice Reverts unless block `number` with `hash` is an ancestor of the current block.
    function requireAncestor(uint64 number, bytes32 hash) internal view {
        if (number >= block.number) revert AnchorNotAncestor(number, hash);
        uint256 depth = block.number - number;
        if (depth > HISTORY_WINDOW) revert AnchorTooOld(number);
        bytes32 known = _recorded(number);
        if (known == bytes32(0)) {
            // From further back nobody says anything.
            if (depth > BLOCKHASH_WINDOW) revert AnchorTooOld(number);
            known = blockhash(number);
        }
        if (known != hash || hash == bytes32(0)) revert AnchorNotAncestor(number, hash);
    }

    /// @dev What the history contract says; zero if it is not there, reverts, answers anything but a word, or has no
    /// record of the block.
    function _recorded(uint256 asked) private view returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0x00, asked)
            if staticcall(gas(), HISTORY, 0x00, 0x20, 0x00, 0x20) {
                if eq(returndatasize(), 0x20) { hash := mload(0x00) }
            }
        }
    }
}
