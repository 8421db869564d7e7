// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ICounter } from "programs/counter/ICounter.sol";
import { ICallbacks } from "../ICallbacks.sol";

/// @title A dApp contract that calls a program and gets its answer
/// @notice Shows the pattern: keep the id that the call returns, and accept answers from the program's Mirror only.
contract CounterCaller is ICallbacks {
    /// @notice The caller is not the program's Mirror.
    error NotTheProgram();
    /// @notice An answer to a request that was not made, or was answered.
    error UnknownRequest(bytes32 messageId);

    event Asked(bytes32 indexed messageId, uint32 value);
    event Answered(bytes32 indexed messageId, uint32 value);
    event Failed(bytes32 indexed messageId, bytes4 replyCode, bytes payload);

    /// @notice The program's Mirror.
    address public immutable program;
    /// @notice Requests without an answer.
    mapping(bytes32 messageId => bool) public pending;
    /// @notice The last answer.
    uint32 public lastValue;
    /// @notice Answers so far.
    uint256 public answers;

    /// @param program_ The program's Mirror.
    constructor(address program_) {
        program = program_;
    }

    modifier onlyProgram(bytes32 messageId) {
        if (msg.sender != program) revert NotTheProgram();
        if (!pending[messageId]) revert UnknownRequest(messageId);
        delete pending[messageId];
        _;
    }

    /// @notice Asks the program to add `value`.
    function add(uint32 value) external returns (bytes32 messageId) {
        messageId = ICounter(program).counterAdd(true, value);
        pending[messageId] = true;
        emit Asked(messageId, value);
    }

    /// @notice The program's answer.
    // solhint-disable-next-line func-name-mixedcase
    function replyOn_counterAdd(bytes32 messageId, uint32 value) external onlyProgram(messageId) {
        lastValue = value;
        answers += 1;
        emit Answered(messageId, value);
    }

    /// @inheritdoc ICallbacks
    function onErrorReply(bytes32 messageId, bytes calldata payload, bytes4 replyCode)
        external
        payable
        onlyProgram(messageId)
    {
        emit Failed(messageId, replyCode, payload);
    }
}
