// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// What `programs/counter` does when it adds.
contract Counter {
    event Changed(address indexed by, uint32 value);

    uint32 public value;

    function add(uint32 amount) external returns (uint32 sum) {
        sum = value + amount;
        value = sum;
        emit Changed(msg.sender, sum);
    }
}
