// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// @title What a contract that calls programs with `callReply` implements besides its `replyOn_…` functions
interface ICallbacks {
    /// @notice A request failed.
    /// @param messageId The id that the request returned.
    /// @param payload What the program or the executor says of the failure.
    /// @param replyCode Why it failed: see the list of reply codes.
    function onErrorReply(bytes32 messageId, bytes calldata payload, bytes4 replyCode) external payable;
}
