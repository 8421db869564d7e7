// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ICounter } from "programs/counter/ICounter.sol";

/// @title The typed ABI of the example program `counter`, for explorers
/// @notice Deployed once, verified, and given to `createProgramWithAbiInterface`: explorers then find it in the
/// ERC-1967 implementation slot of the program's Mirror and offer its methods there. Nobody calls it.
contract CounterAbi is ICounter {
    function create(bool, uint32) external returns (bytes32) { }
    function counterAdd(bool, uint32) external returns (bytes32) { }
    function counterSub(bool, uint32) external returns (bytes32) { }
    function counterDeposit(bool) external payable returns (bytes32) { }
    function counterWithdraw(bool, uint128) external returns (bytes32) { }
    function counterValue(bool) external returns (bytes32) { }
    function counterDepositOf(bool, address) external returns (bytes32) { }
}
