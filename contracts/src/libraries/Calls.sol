// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// @title Calls of contracts that may be hostile: bounded in gas, and in what they answer
library Calls {
    /// @notice The most bytes of an answer that are kept.
    uint256 internal constant MOST = 256;

    /// @notice Gas that the caller needs so that a call may use `stipend`.
    function needed(uint256 stipend) internal pure returns (uint256) {
        return stipend * 64 / 63 + 10_000;
    }

    /// @notice Calls with at most `stipend` gas. The caller makes sure that there is so much.
    function attempt(address target, uint256 stipend, bytes memory data)
        internal
        returns (bool success, bytes memory answer)
    {
        uint256 most = MOST;
        assembly ("memory-safe") {
            success := call(stipend, target, 0, add(data, 0x20), mload(data), 0, 0)
            answer := mload(0x40)
            let size := returndatasize()
            if gt(size, most) { size := most }
            mstore(answer, size)
            returndatacopy(add(answer, 0x20), 0, size)
            mstore(0x40, add(add(answer, 0x20), and(add(size, 0x1f), not(0x1f))))
        }
    }

    /// @notice Reads one word with at most `stipend` gas.
    function read(address target, uint256 stipend, bytes memory data)
        internal
        view
        returns (bool success, uint256 word)
    {
        assembly ("memory-safe") {
            success := staticcall(stipend, target, add(data, 0x20), mload(data), 0, 0x20)
            success := and(success, gt(returndatasize(), 0x1f))
            if success { word := mload(0) }
        }
    }
}
