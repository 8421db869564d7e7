// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IMirror } from "../IMirror.sol";

/// @title Programs' own Ethereum events
/// @notice A program sends `[n = 1..4][n × 32 bytes of topics][data]` to `ADDRESS`; its Mirror emits that as a log. A
/// program cannot forge the events of Mirrors themselves.
library EventLog {
    /// @notice The address to which programs send events.
    address internal constant ADDRESS = 0xFFfFfFffFFfffFFfFFfFFFFFffFFFffffFfFFFfF;

    /// @notice Emits the log that `payload` describes.
    /// @return emitted False if it describes none, or one of a Mirror's own.
    function tryEmit(bytes calldata payload) internal returns (bool emitted) {
        if (payload.length == 0) return false;
        uint256 topics = uint8(payload[0]);
        if (topics == 0 || topics > 4 || payload.length < 1 + topics * 32) return false;
        if (isReserved(bytes32(payload[1:33]))) return false;
        bytes memory copy = payload;
        assembly ("memory-safe") {
            let first := add(copy, 33)
            let data := add(first, mul(topics, 32))
            let size := sub(sub(mload(copy), 1), mul(topics, 32))
            switch topics
            case 1 { log1(data, size, mload(first)) }
            case 2 { log2(data, size, mload(first), mload(add(first, 32))) }
            case 3 { log3(data, size, mload(first), mload(add(first, 32)), mload(add(first, 64))) }
            default {
                log4(data, size, mload(first), mload(add(first, 32)), mload(add(first, 64)), mload(add(first, 96)))
            }
        }
        return true;
    }

    /// @notice Whether `topic` is an event of Mirrors.
    function isReserved(bytes32 topic) internal pure returns (bool) {
        return topic == IMirror.StateChanged.selector || topic == IMirror.MessageQueueingRequested.selector
            || topic == IMirror.ReplyQueueingRequested.selector || topic == IMirror.ValueClaimingRequested.selector
            || topic == IMirror.OwnedBalanceTopUpRequested.selector
            || topic == IMirror.ExecutableBalanceTopUpRequested.selector || topic == IMirror.Message.selector
            || topic == IMirror.MessageCallFailed.selector || topic == IMirror.Reply.selector
            || topic == IMirror.ReplyCallFailed.selector || topic == IMirror.ReplyTransferFailed.selector
            || topic == IMirror.ValueClaimed.selector || topic == IMirror.ValueClaimFailed.selector
            || topic == IMirror.TransferLockedValueToInheritorFailed.selector || topic == IMirror.PayoutPending.selector
            || topic == IMirror.PendingWithdrawn.selector;
    }
}
