// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { MiddlewareRewards } from "./MiddlewareRewards.sol";

/// @title Registration and rewards: what operators and stakers do
/// @notice A part of the Middleware that runs by delegatecall, on the Middleware's storage and under its address: both
/// together are larger than EIP-170 lets one contract be. Called directly it knows no Router and no registry, and does
/// nothing.
contract MiddlewareMembers is MiddlewareRewards { }
