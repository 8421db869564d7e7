// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { IRouter } from "../IRouter.sol";
import { Gear } from "../libraries/Gear.sol";

/// @title The Router's state, in one ERC-7201 namespace, so that upgrades cannot shift it
abstract contract RouterStorage {
    struct Code {
        Gear.CodeState state;
        /// Requests that validators have not answered.
        uint32 pending;
    }

    /// @custom:storage-location erc7201:gear.exe.router
    struct Layout {
        bytes32 chainGenesis;
        bytes32 genesisBlockHash;
        uint32 genesisBlockNumber;
        uint48 genesisTimestamp;
        Gear.AppliedBatch lastBatch;
        uint64 setId;
        uint48 setSince;
        address setPointer;
        address mirrorImpl;
        address wrappedVara;
        address middleware;
        uint48 upgradeDelay;
        uint48 maxStaleness;
        uint32 callbackStipend;
        uint64 computeThreshold;
        uint128 wvaraPerSecond;
        uint128 baseFee;
        uint128 extraFee;
        uint256 programsCount;
        uint256 validatedCodesCount;
        /// wVARA that programs were given, in base units.
        uint256 totalExecutableDeposits;
        /// wVARA that code validation cost, in base units.
        uint256 totalCodeFees;
        mapping(bytes32 codeId => Code) codes;
        /// The code that a pending request is for.
        mapping(bytes32 requestId => bytes32 codeId) requests;
        mapping(address program => bytes32 codeId) programs;
        /// Wei in transit that belong to a program, or to `Gear.DEPOSITS`. With `totalPendingDeposits` they sum to the
        /// Router's balance.
        mapping(address program => uint256 value) custody;
        mapping(bytes32 change => uint256 readyAt) scheduled;
        /// wVARA that went to the Middleware as rewards, in base units.
        uint256 totalRewards;
        /// Burns so far.
        uint64 burnsCount;
        mapping(uint64 id => bool) minted;
        mapping(uint64 number => IRouter.Burn) burns;
        /// Wei that withdrawals that failed owe, and their sum.
        mapping(address owner => uint256 value) pendingDeposits;
        uint256 totalPendingDeposits;
        /// Withdrawals that were asked for so far.
        uint256 withdrawalsCount;
    }

    // keccak256(abi.encode(uint256(keccak256("gear.exe.router")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant LOCATION = 0xd2412ba14c1619600eca9940b3de47668c8be2f8b47845676e85d128c18a6600;

    function _layout() internal pure returns (Layout storage state) {
        bytes32 location = LOCATION;
        assembly {
            state.slot := location
        }
    }
}
