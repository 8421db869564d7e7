// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title What the Router does with wVARA
interface IWrappedVara is IERC20 {
    /// @notice Makes new tokens; only the minter.
    function mint(address to, uint256 amount) external;
    /// @notice Destroys tokens of the caller.
    function burn(uint256 amount) external;
}
