// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { Checkpoints } from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import { IMiddlewareTypes } from "../IMiddleware.sol";

/// @title The Middleware's state, in one ERC-7201 namespace, so that upgrades cannot shift it
/// @notice What decides which vaults count is kept by time, so that a stake of the past never changes.
abstract contract MiddlewareStorage {
    struct Collateral {
        /// Where slashed collateral goes.
        address burner;
        Checkpoints.Trace208 enabled;
    }

    struct Operator {
        Checkpoints.Trace208 enabled;
        /// In the order of registration.
        address[] vaults;
        uint256 enabledVaults;
    }

    /// @dev An open slash of a vault.
    struct Pending {
        uint64 id;
        /// The offence's capture, and the one by which the vault counts it.
        uint48 capture;
        uint48 counted;
        bool byReport;
    }

    struct VaultEntry {
        address operator;
        uint48 epochDuration;
        uint48 vetoDuration;
        address collateral;
        /// How much of its stake counts, in parts per billion.
        uint32 share;
        address delegator;
        address slasher;
        Checkpoints.Trace208 enabled;
        Pending[] pending;
    }

    struct Slash {
        address operator;
        uint48 capture;
        IMiddlewareTypes.SlashState state;
        bool byReport;
        /// What was decided, and what of that went to the vaults, in parts per billion.
        uint32 fraction;
        uint32 applied;
        /// Requests that are neither executed nor expired.
        uint16 open;
        uint16 executed;
        IMiddlewareTypes.VaultSlash[] vaults;
    }

    /// @dev Fractions slashed for one operator and one capture, less those cancelled.
    struct Tally {
        uint64 items;
        uint64 reports;
        uint64 applied;
    }

    struct Era {
        bytes32 operatorsRoot;
        uint128 operatorsTotal;
        uint128 operatorsClaimed;
        uint48 capture;
    }

    struct VaultReward {
        uint128 amount;
        uint128 claimed;
    }

    /// @custom:storage-location erc7201:gear.exe.middleware
    struct Layout {
        address router;
        uint48 upgradeDelay;
        address wrappedVara;
        uint32 maxFraction;
        uint32 doubleSignFraction;
        uint32 restakedShare;
        address vaultFactory;
        address operatorRegistry;
        address operatorNetworkOptIn;
        mapping(bytes32 change => uint256 readyAt) scheduled;
        /// `slashWindow << 96 | executionMargin << 48 | minVetoDuration`.
        Checkpoints.Trace208 windows;
        mapping(address collateral => Collateral) collaterals;
        address[] operators;
        mapping(address operator => Operator) operatorOf;
        mapping(address vault => VaultEntry) vaultOf;
        mapping(uint64 id => Slash) slashes;
        mapping(address operator => mapping(uint48 capture => Tally)) tallies;
        uint64 reportsCount;
        /// Code that holds who stands behind the signers of a set.
        mapping(uint64 setId => address) setPointers;
        mapping(uint64 setId => uint48) setCaptures;
        mapping(address signer => mapping(bytes32 sealHash => bool)) reported;
        /// wVARA that was given and not claimed.
        uint256 owed;
        mapping(uint32 era => Era) eras;
        mapping(uint32 era => mapping(address vault => VaultReward)) vaultRewards;
        mapping(uint32 era => mapping(address operator => bool)) operatorClaimed;
        mapping(uint32 era => mapping(address vault => mapping(address staker => bool))) stakerClaimed;
    }

    /// @notice Parts in a whole.
    uint256 internal constant ONE = 1_000_000_000;

    // keccak256(abi.encode(uint256(keccak256("gear.exe.middleware")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant LOCATION = 0x5484d2d74a60de4a348d79176ca929a0a0b50fe8cdbcc787d1d83e46e285d700;

    function _layout() internal pure returns (Layout storage state) {
        bytes32 location = LOCATION;
        assembly {
            state.slot := location
        }
    }

    /// @dev The network in Symbiotic's terms: this contract, without subdivision.
    function _subnetwork() internal view returns (bytes32) {
        return bytes32(uint256(uint160(address(this))) << 96);
    }
}
