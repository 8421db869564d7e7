// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

// Makes forge build the proxy that Router and WrappedVara stand behind, so that its artifact can be committed.
import { ERC1967Proxy } from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
