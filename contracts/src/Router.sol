// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { Gear } from "./libraries/Gear.sol";
import { ValidatorSet } from "./libraries/ValidatorSet.sol";
import { RouterDeposits } from "./router/RouterDeposits.sol";
import { RouterSettlement } from "./router/RouterSettlement.sol";

/// @title The Router: codes, programs and settlement of Gear.exe on Ethereum
/// @notice Behind an ERC-1967 proxy. `router/` holds its parts, one concern each; here are only construction and views.
/// What it has no function for is in `RouterDeposits`.
contract Router is RouterSettlement {
    /// @notice Version of this contract: 1.0.0, as `protocolVersion` packs it.
    uint256 private constant PROTOCOL_VERSION = 1 << 32;

    /// @notice What a Router starts with.
    struct InitParams {
        /// The contract that governance holds.
        address owner;
        /// The code that Mirrors run.
        address mirror;
        /// The wVARA token.
        address wrappedVara;
        /// Symbiotic's network middleware; zero for none.
        address middleware;
        /// Genesis hash of the chain.
        bytes32 genesis;
        /// The first validator set, with id 1.
        address[] validators;
        uint64[] weights;
        /// Seconds that a replacement of code waits.
        uint48 upgradeDelay;
        /// Seconds after which a set that was not renewed may not sign.
        uint48 maxStaleness;
        /// Gas of a call-back.
        uint32 callbackStipend;
        /// wVARA base units.
        uint128 requestCodeValidationBaseFee;
        uint128 requestCodeValidationExtraFee;
        uint64 computeThreshold;
        uint128 wvaraPerSecond;
    }

    /// @notice Deposits are in a contract of their own because of EIP-170: made by the constructor, and replaced with
    /// this code only.
    RouterDeposits private immutable DEPOSITS = new RouterDeposits();

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @dev What is not here is there.
    fallback() external payable {
        address deposits = address(DEPOSITS);
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let success := delegatecall(gas(), deposits, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if success { return(data, returndatasize()) }
            revert(data, returndatasize())
        }
    }

    /// @notice Sets the Router up; once.
    function initialize(InitParams calldata params) external initializer {
        if (params.upgradeDelay < MIN_UPGRADE_DELAY) revert DelayTooShort(MIN_UPGRADE_DELAY);
        __Ownable_init(params.owner);
        __Pausable_init();
        Layout storage state = _layout();
        state.chainGenesis = params.genesis;
        state.genesisBlockNumber = uint32(block.number);
        state.genesisTimestamp = uint48(block.timestamp);
        state.mirrorImpl = params.mirror;
        state.wrappedVara = params.wrappedVara;
        state.middleware = params.middleware;
        state.upgradeDelay = params.upgradeDelay;
        state.maxStaleness = params.maxStaleness;
        state.callbackStipend = params.callbackStipend;
        state.baseFee = params.requestCodeValidationBaseFee;
        state.extraFee = params.requestCodeValidationExtraFee;
        state.computeThreshold = params.computeThreshold;
        state.wvaraPerSecond = params.wvaraPerSecond;
        _applyNow(Gear.SET_UPDATE, abi.encode(uint64(1), params.validators, params.weights));
        emit ProtocolVersionChanged(PROTOCOL_VERSION);
    }

    /// @notice Looks the hash of the block of deployment up, which no block knows of itself.
    function lookupGenesisHash() external {
        Layout storage state = _layout();
        if (state.genesisBlockHash != 0) revert GenesisHashAlreadySet();
        bytes32 hash = blockhash(state.genesisBlockNumber);
        if (hash == 0) revert GenesisHashNotFound();
        state.genesisBlockHash = hash;
    }

    /// @notice Genesis hash of the chain whose batches the Router takes.
    function chainGenesis() external view returns (bytes32) {
        return _layout().chainGenesis;
    }

    /// @notice Hash of the block in which the Router was set up.
    function genesisBlockHash() external view returns (bytes32) {
        return _layout().genesisBlockHash;
    }

    /// @notice Time of that block, in Unix seconds.
    function genesisTimestamp() external view returns (uint48) {
        return _layout().genesisTimestamp;
    }

    /// @notice Digest of the last batch.
    function latestCommittedBatchHash() external view returns (bytes32) {
        return _layout().lastBatch.digest;
    }

    /// @notice When the last batch was applied, in Unix seconds.
    function latestCommittedBatchTimestamp() external view returns (uint48) {
        return _layout().lastBatch.timestamp;
    }

    function mirrorImpl() external view returns (address) {
        return _layout().mirrorImpl;
    }

    function wrappedVara() external view returns (address) {
        return _layout().wrappedVara;
    }

    /// @notice Symbiotic's network middleware; zero for none.
    function middleware() external view returns (address) {
        return _layout().middleware;
    }

    /// @notice Gas of a call-back.
    function callbackStipend() external view returns (uint32) {
        return _layout().callbackStipend;
    }

    /// @notice Seconds after which a set that was not renewed may not sign.
    function maxStaleness() external view returns (uint48) {
        return _layout().maxStaleness;
    }

    /// @notice Version of the contract: `major << 32 | minor << 16 | patch`.
    function protocolVersion() external pure returns (uint256) {
        return PROTOCOL_VERSION;
    }

    /// @notice One number of the version.
    /// @param versionType 0 for major, 1 for minor, 2 for patch.
    function subProtocolVersion(uint8 versionType) external pure returns (uint256) {
        if (versionType > 2) revert UnknownVersionType(versionType);
        return (PROTOCOL_VERSION >> (32 - 16 * versionType)) & 0xffff;
    }

    /// @notice Everything at once, for clients that start up.
    function storageView() external view returns (StorageView memory all) {
        Layout storage state = _layout();
        all.genesisBlock =
            Gear.GenesisBlockInfo(state.genesisBlockHash, state.genesisBlockNumber, state.genesisTimestamp);
        all.latestCommittedBatch = Gear.CommittedBatchInfo(state.lastBatch.digest, state.lastBatch.timestamp);
        all.implAddresses = Gear.AddressBook(state.mirrorImpl, state.wrappedVara, state.middleware);
        (all.validationSettings.thresholdNumerator, all.validationSettings.thresholdDenominator) = (2, 3);
        all.validationSettings.validators0.list = validators();
        all.validationSettings.validators0.useFromTimestamp = state.setSince;
        all.computeSettings = Gear.ComputationSettings(state.computeThreshold, state.wvaraPerSecond);
        all.programsCount = state.programsCount;
        all.validatedCodesCount = state.validatedCodesCount;
        all.maxValidators = uint16(ValidatorSet.MAX_VALIDATORS);
        all.requestCodeValidationBaseFee = state.baseFee;
        all.requestCodeValidationExtraFee = state.extraFee;
        all.protocolVersion = PROTOCOL_VERSION;
    }

    /// @notice Price of execution.
    function computeSettings() external view returns (Gear.ComputationSettings memory) {
        return Gear.ComputationSettings(_layout().computeThreshold, _layout().wvaraPerSecond);
    }

    /// @notice Id of the validator set that signs now.
    function setId() external view returns (uint64) {
        return _layout().setId;
    }

    /// @notice The validator set with its weights, in the order of the signer bitmap.
    function validatorSet() public view returns (address[] memory list, uint64[] memory weights) {
        return ValidatorSet.load(_layout().setPointer);
    }

    /// @notice The validators, in the order of the signer bitmap.
    function validators() public view returns (address[] memory list) {
        (list,) = validatorSet();
    }

    /// @notice How many there are.
    function validatorsCount() public view returns (uint256) {
        return ValidatorSet.count(_layout().setPointer);
    }

    /// @notice How many must sign at least. They must have more than two thirds of the weight besides.
    function validatorsThreshold() external view returns (uint256) {
        return validatorsCount() * 2 / 3 + 1;
    }

    /// @notice More than this fraction of heads, and of weight, must sign.
    function signingThresholdFraction()
        external
        pure
        returns (uint128 thresholdNumerator, uint128 thresholdDenominator)
    {
        return (2, 3);
    }

    /// @notice Whether an address is a validator.
    function isValidator(address validator) public view returns (bool) {
        address[] memory list = validators();
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i] == validator) return true;
        }
        return false;
    }

    /// @notice Whether all addresses are validators.
    function areValidators(address[] calldata list) external view returns (bool) {
        for (uint256 i = 0; i < list.length; ++i) {
            if (!isValidator(list[i])) return false;
        }
        return true;
    }

    /// @notice Eras are the chain's; the Router has no clock of its own.
    function timelines() external pure returns (Gear.Timelines memory) {
        return Gear.Timelines(0, 0, 0);
    }

    /// @notice There is no aggregated key: each validator signs.
    function validatorsAggregatedPublicKey() external pure returns (Gear.AggregatedPublicKey memory) {
        return Gear.AggregatedPublicKey(0, 0);
    }

    /// @notice There is no shared secret either.
    function validatorsVerifiableSecretSharingCommitment() external pure returns (bytes memory) {
        return "";
    }
}
