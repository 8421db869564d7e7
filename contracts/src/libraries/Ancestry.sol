// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// @title Which blocks are ancestors of the current one
/// @notice `blockhash` knows 256 of them; the history contract of EIP-2935 knows 8191.
library Ancestry {
    /// @notice The block is older than any source knows.
    error AnchorTooOld(uint64 number);
    /// @notice The block is not on this branch of Ethereum.
    error AnchorNotAncestor(uint64 number, bytes32 hash);

    /// @notice EIP-2935's history contract.
    address internal constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;
    /// @notice How far back EIP-2935 reaches.
    uint256 internal constant HISTORY_WINDOW = 8191;

    /// @notice Reverts unless block `number` with `hash` is an ancestor of the current block.
    function requireAncestor(uint64 number, bytes32 hash) internal view {
        if (number >= block.number) revert AnchorNotAncestor(number, hash);
        uint256 depth = block.number - number;
        bytes32 known;
        if (depth <= 256) {
            known = blockhash(number);
        } else {
            if (depth > HISTORY_WINDOW) revert AnchorTooOld(number);
            (bool success, bytes memory data) = HISTORY.staticcall(abi.encode(uint256(number)));
            if (!success || data.length != 32) revert AnchorTooOld(number);
            known = abi.decode(data, (bytes32));
        }
        if (known != hash || hash == bytes32(0)) revert AnchorNotAncestor(number, hash);
    }
}
