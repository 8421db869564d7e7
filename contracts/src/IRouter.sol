// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { Gear } from "./libraries/Gear.sol";

/// @title Codes, programs and settlement of Gear.exe on Ethereum
interface IRouter {
    /// @notice The Router's state, as clients read it.
    struct StorageView {
        Gear.GenesisBlockInfo genesisBlock;
        Gear.CommittedBatchInfo latestCommittedBatch;
        Gear.AddressBook implAddresses;
        Gear.ValidationSettingsView validationSettings;
        Gear.ComputationSettings computeSettings;
        Gear.Timelines timelines;
        uint256 programsCount;
        uint256 validatedCodesCount;
        uint16 maxValidators;
        uint256 requestCodeValidationBaseFee;
        uint256 requestCodeValidationExtraFee;
        uint256 protocolVersion;
    }

    /// @notice wVARA that was burnt for VARA on the chain.
    struct Burn {
        /// The account on the chain, 32 bytes.
        bytes32 account;
        /// In base units.
        uint128 amount;
    }

    // Settlement: one error per way in which a batch can be wrong.
    /// @notice The batch is of another chain.
    error InvalidGenesis();
    /// @notice The batch is not the next one.
    error InvalidNonce(uint64 expected, uint64 actual);
    /// @notice The batch is not built on the one that the Router holds.
    error InvalidParent(bytes32 expected, bytes32 actual);
    /// @notice Another validator set must sign.
    error InvalidSet(uint64 expected, uint64 actual);
    /// @notice The batch came too late.
    error BatchExpired(uint64 expiry);
    /// @notice The anchor lies below that of the last batch.
    error AnchorBackwards(uint64 last, uint64 actual);
    /// @notice The rounds end before those of the last batch.
    error RoundBackwards(uint64 last, uint64 actual);
    /// @notice The outbox cursor does not move by the number of items.
    error InvalidOutboxCursor(uint64 expected, uint64 actual);
    /// @notice The validator set is too old to be trusted; the owner must renew it.
    error ValidatorSetStale(uint256 since);
    /// @notice Custody does not add up.
    error ValueNotConserved();
    /// @notice Transitions must be in ascending order of programs, one for each.
    error TransitionsNotSorted(uint256 index);
    /// @notice A transition of a program that this Router did not create.
    error UnknownProgram();

    // Codes and programs.
    /// @notice The request is pending, or the code is validated.
    error CodeAlreadyOnValidationOrValidated();
    /// @notice The code is not validated.
    error CodeNotValidated();
    /// @notice The transaction carries no blob.
    error BlobNotFound();
    /// @notice Another number of blobs was signed.
    error InvalidBlobHashesLength(uint256 expected, uint256 actual);
    /// @notice Another blob was signed.
    error InvalidBlobHash(uint256 index, bytes32 expected, bytes32 actual);
    /// @notice The signature's deadline is over.
    error ExpiredSignature(uint256 deadline);
    /// @notice The signature is not the requester's.
    error InvalidSigner(address signer, address requester);
    /// @notice wVARA could not be taken.
    error TransferFromFailed();
    /// @notice Nothing to transfer.
    error ZeroValueTransfer();
    /// @notice The genesis block is known already.
    error GenesisHashAlreadySet();
    /// @notice The genesis block is too old to be looked up.
    error GenesisHashNotFound();

    // Governance.
    /// @notice The owner must be a contract.
    error OwnerNotContract(address owner);
    /// @notice The delay is below the least one.
    error DelayTooShort(uint256 least);
    /// @notice The change was not scheduled, or is not due.
    error NotScheduled(bytes32 change);
    /// @notice An outbox item of a kind that this Router does not know.
    error UnknownItem(uint8 kind);
    /// @notice No parameter has this key.
    error UnknownParameter(bytes32 key);
    /// @notice A parameter's value is out of its range.
    error ParameterOutOfRange(uint256 value, uint256 most);
    /// @notice No Middleware is set.
    error NoMiddleware();
    /// @notice The batch was submitted from within a call of the Middleware.
    error MiddlewareBusy();
    /// @notice The Middleware refused; `reason` is its error.
    error MiddlewareRefused(bytes reason);
    /// @notice Programs have not paid so much.
    error RewardsExceedPool(uint256 pool, uint256 total);
    /// @notice This wVARA was made already.
    error AlreadyMinted(uint64 id);
    /// @notice A version has three numbers.
    error UnknownVersionType(uint8 versionType);

    event BatchCommitted(bytes32 hash);
    event MBCommitted(bytes32 head);
    event EBCommitted(bytes32 ethBlockHash);
    event CodeValidationRequested(bytes32 codeId);
    event CodeGotValidated(bytes32 codeId, bool indexed valid);
    event ProgramCreated(address actorId, bytes32 indexed codeId);
    event ComputationSettingsChanged(uint64 threshold, uint128 wvaraPerSecond);
    event ValidatorsCommittedForEra(uint256 eraIndex);
    event ProtocolVersionChanged(uint256 newProtocolVersion);
    /// @notice A batch was applied; what the chain and the relayers follow. `spent` is what programs have paid in all
    /// batches so far, in wVARA base units.
    event BatchApplied(
        uint64 indexed nonce,
        bytes32 digest,
        uint64 sealNumber,
        bytes32 sealHash,
        uint64 lastRound,
        bytes32 lastRoundHash,
        uint64 outboxEnd,
        uint64 setId,
        uint128 spent
    );
    /// @notice In which blobs the bytes of a code are.
    event CodeBlobsAnnounced(bytes32 indexed codeId, bytes32 requestId, bytes32[] blobHashes);
    /// @notice One request for a code failed; others may be pending.
    event CodeRequestRefused(bytes32 indexed codeId, bytes32 requestId);
    /// @notice An outbox item could not be applied; the batch was.
    event OutboxItemSkipped(uint64 index, uint8 kind, bytes reason);
    /// @notice A parameter has a new value.
    event ParameterChanged(bytes32 indexed key, uint256 value);
    /// @notice A change may be made from `readyAt` on.
    event ChangeScheduled(bytes32 indexed change, uint256 readyAt);
    /// @notice A scheduled change will not be made.
    event ChangeCancelled(bytes32 indexed change);
    /// @notice Mirrors run another code from now on.
    event MirrorChanged(address mirror);
    /// @notice Slashes and rewards go to another Middleware from now on.
    event MiddlewareChanged(address middleware);
    /// @notice Part of what programs paid went to the Middleware for an era, in wVARA base units.
    event RewardsPaid(uint32 indexed era, uint256 total);
    /// @notice VARA that was locked on the chain is wVARA now.
    event MintedFromVara(uint64 indexed id, address indexed to, uint128 amount);
    /// @notice wVARA was burnt; the chain unlocks as much VARA for `account`. Numbers are from 0, without a gap.
    event BurnedToVara(uint64 indexed number, address indexed from, uint128 amount, bytes32 account);

    /// @notice Applies a batch that a quorum signed.
    /// @param signers Bitmap of the signers.
    /// @param signatures Their EIP-2098 signatures over the batch's EIP-712 digest.
    function commitBatch(Gear.Batch calldata batch, bytes calldata signers, bytes calldata signatures) external;

    /// @notice The code that all Mirrors run.
    function mirrorImpl() external view returns (address);
    /// @notice The domain of signatures for this Router.
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32);
    /// @notice Genesis hash of the chain whose batches the Router takes.
    function chainGenesis() external view returns (bytes32);
    /// @notice Id of the validator set that signs now.
    function setId() external view returns (uint64);
    /// @notice The validator set with its weights, in the order of the signer bitmap.
    function validatorSet() external view returns (address[] memory list, uint64[] memory weights);
    /// @notice Seconds after which a set that was not renewed may not sign.
    function maxStaleness() external view returns (uint48);
    /// @notice Everything at once, for clients that start up.
    function storageView() external view returns (StorageView memory all);
    /// @notice The wVARA token.
    function wrappedVara() external view returns (address);
    /// @notice Whether everything is halted.
    function paused() external view returns (bool);
    /// @notice Notes wVARA that a Mirror brought; only Mirrors.
    function creditExecutable(uint128 value) external;
}
