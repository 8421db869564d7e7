// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title Wrapped ETH, as a collateral
contract Weth is ERC20("Wrapped Ether", "WETH") {
    function deposit() external payable {
        _mint(msg.sender, msg.value);
    }

    function withdraw(uint256 amount) external {
        _burn(msg.sender, amount);
        (bool success,) = msg.sender.call{ value: amount }("");
        require(success);
    }
}

/// @title A collateral that turns bad: its transfers fail, or call somebody first
contract BadCollateral is ERC20("Bad", "BAD") {
    bool public broken;
    address public target;
    bytes public call;
    /// @notice How the call ended: what a nested failure said.
    bytes public answer;
    bool public succeeded;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setBroken(bool value) external {
        broken = value;
    }

    function setCall(address to, bytes calldata data) external {
        (target, call) = (to, data);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (broken) {
            // A long reason, which callers must not have to pay for.
            assembly ("memory-safe") {
                revert(0, 100000)
            }
        }
        if (target != address(0)) (succeeded, answer) = target.call(call);
        super._update(from, to, amount);
    }
}
