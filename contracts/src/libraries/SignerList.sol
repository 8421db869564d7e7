// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// @title Who stands behind the signers of a set, as the code of a contract
/// @notice 40 bytes for each: signer, then operator. A fifth of what storage would cost.
library SignerList {
    /// @notice The list could not be stored.
    error SignerListNotStored();

    /// @notice The most signers of a set.
    uint256 internal constant MOST = 256;

    uint256 private constant ENTRY = 40;

    /// @notice Stores the list. Both parts have the same length, at most `MOST`.
    function store(address[] calldata signers, address[] calldata operators) internal returns (address pointer) {
        uint256 size = signers.length * ENTRY;
        // Addresses are written as whole words from their first byte, so the last one needs twelve bytes more.
        bytes memory data = new bytes(size + 12);
        for (uint256 i = 0; i < signers.length; ++i) {
            uint256 signer = uint256(uint160(signers[i])) << 96;
            uint256 operator = uint256(uint160(operators[i])) << 96;
            assembly ("memory-safe") {
                let place := add(add(data, 32), mul(i, 40))
                mstore(place, signer)
                mstore(add(place, 20), operator)
            }
        }
        assembly ("memory-safe") {
            mstore(data, size)
        }
        // A leading STOP, so that nobody can run the data; before it the code that returns everything behind itself.
        bytes memory creation = bytes.concat(hex"600b5981380380925939f300", data);
        assembly ("memory-safe") {
            pointer := create(0, add(creation, 32), mload(creation))
        }
        if (pointer == address(0)) revert SignerListNotStored();
    }

    /// @notice The operator behind a signer; zero if it is not in the list.
    function find(address pointer, address signer) internal view returns (address operator) {
        assembly ("memory-safe") {
            let size := sub(extcodesize(pointer), 1)
            let data := mload(0x40)
            extcodecopy(pointer, data, 1, size)
            for { let end := add(data, size) } lt(data, end) { data := add(data, 40) } {
                if eq(shr(96, mload(data)), signer) {
                    operator := shr(96, mload(add(data, 20)))
                    break
                }
            }
        }
    }
}
