// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// The part of ERC-20 that is measured. Anyone may mint: the accounts are set up that way.
contract Token {
    event Transfer(address indexed from, address indexed to, uint256 value);

    error InsufficientBalance(address from, uint256 balance, uint256 value);

    uint256 public totalSupply;
    mapping(address account => uint256 balance) public balanceOf;

    function mint(address to, uint256 value) external {
        totalSupply += value;
        unchecked {
            balanceOf[to] += value;
        }
        emit Transfer(address(0), to, value);
    }

    function transfer(address to, uint256 value) external returns (bool) {
        uint256 balance = balanceOf[msg.sender];
        if (balance < value) revert InsufficientBalance(msg.sender, balance, value);
        unchecked {
            balanceOf[msg.sender] = balance - value;
            balanceOf[to] += value;
        }
        emit Transfer(msg.sender, to, value);
        return true;
    }
}
