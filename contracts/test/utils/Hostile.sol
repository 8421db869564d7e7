// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// @title What a contract does instead of what it should
contract Moody {
    enum Mood {
        Good,
        Reverts,
        Bombs,
        Spends,
        Lies
    }

    mapping(bytes4 selector => Mood) public moods;

    function setMood(bytes4 selector, Mood mood) external {
        moods[selector] = mood;
    }

    modifier moody() {
        Mood mood = moods[msg.sig];
        if (mood == Mood.Reverts) revert("bad mood");
        if (mood == Mood.Bombs) {
            assembly ("memory-safe") {
                revert(0, 200000)
            }
        }
        if (mood == Mood.Spends) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        _;
    }

    function lies() internal view returns (bool) {
        return moods[msg.sig] == Mood.Lies;
    }
}

/// @title A vault's code that Symbiotic let in by mistake, with delegator and slasher of its own
contract HostileVault is Moody {
    address public immutable FACTORY;
    address public collateral;
    address public burner;
    HostileDelegator public delegator;
    HostileSlasher public slasher;

    constructor(address factory) {
        FACTORY = factory;
    }

    function initialize(uint64, address, bytes calldata data) external {
        address operator;
        address network;
        (collateral, burner, network, operator) = abi.decode(data, (address, address, address, address));
        delegator = new HostileDelegator(network, operator);
        slasher = new HostileSlasher();
    }

    function isInitialized() external pure returns (bool) {
        return true;
    }

    function epochDuration() external pure returns (uint48) {
        return 14 days;
    }

    function activeSharesAt(uint48, bytes calldata) external view moody returns (uint256) {
        return 10;
    }

    function activeSharesOfAt(address, uint48, bytes calldata) external view moody returns (uint256) {
        return lies() ? 10 : 5;
    }
}

contract HostileDelegator is Moody {
    uint64 public constant TYPE = 3;
    address public immutable network;
    address public immutable operator;

    constructor(address network_, address operator_) {
        (network, operator) = (network_, operator_);
    }

    function maxNetworkLimit(bytes32) external pure returns (uint256) {
        return 0;
    }

    function setMaxNetworkLimit(uint96, uint256) external moody { }

    function stakeAt(bytes32, address, uint48, bytes calldata) external view moody returns (uint256) {
        return lies() ? type(uint256).max : 100 ether;
    }
}

contract HostileSlasher is Moody {
    uint64 public constant TYPE = 1;
    uint48 public constant vetoDuration = 3 days;
    uint256 public requests;
    uint256 public executed;

    function resolver(bytes32, bytes calldata) external pure returns (address) {
        return address(0);
    }

    function setResolver(uint96, address, bytes calldata) external moody { }

    function latestSlashedCaptureTimestamp(bytes32, address) external view moody returns (uint48) {
        return lies() ? type(uint48).max : 0;
    }

    function requestSlash(bytes32, address, uint256, uint48, bytes calldata) external moody returns (uint256) {
        ++requests;
        return lies() ? type(uint128).max : requests;
    }

    function executeSlash(uint256, bytes calldata) external moody returns (uint256) {
        ++executed;
        return lies() ? type(uint256).max : 1;
    }

    function vetoSlash(uint256, bytes calldata) external moody { }
}
