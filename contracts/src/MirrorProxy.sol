// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { MirrorProxySmall } from "./MirrorProxySmall.sol";

/// @title A Mirror that wallets and explorers can call by name
/// @notice Besides delegating everything it declares the write methods of a Mirror, and it carries the address of the
/// program's typed ABI in the ERC-1967 implementation slot, where explorers look for it. A typed call reaches the
/// Mirror as it is, and its whole calldata becomes the message.
contract MirrorProxy is MirrorProxySmall {
    /// @notice See `IMirror.sendMessage`.
    function sendMessage(bytes calldata, bool) external payable returns (bytes32) {
        delegate();
    }

    /// @notice See `IMirror.sendReply`.
    function sendReply(bytes32, bytes calldata) external payable {
        delegate();
    }

    /// @notice See `IMirror.claimValue`.
    function claimValue(bytes32) external {
        delegate();
    }

    /// @notice See `IMirror.executableBalanceTopUp`.
    function executableBalanceTopUp(uint128) external {
        delegate();
    }

    /// @notice See `IMirror.executableBalanceTopUpWithPermit`.
    function executableBalanceTopUpWithPermit(uint128, uint256, uint8, bytes32, bytes32) external {
        delegate();
    }

    /// @notice See `IMirror.transferLockedValueToInheritor`.
    function transferLockedValueToInheritor() external {
        delegate();
    }

    /// @notice See `IMirror.withdrawPending`.
    function withdrawPending(address payable) external {
        delegate();
    }
}
