// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// @title What the parts of the Middleware have in common: structures, errors, events
/// @notice Fractions and shares are in parts per billion, times in Unix seconds, rewards in wVARA base units.
interface IMiddlewareTypes {
    /// @notice What a vault held for an operator.
    struct VaultStake {
        address operator;
        address vault;
        address collateral;
        /// In base units of the collateral.
        uint256 amount;
    }

    /// @notice What the signature of a validator under a batch says. `docs/protocol.md` explains the fields.
    struct BatchHeader {
        bytes32 genesis;
        uint64 sealNumber;
        bytes32 sealHash;
        uint64 lastRound;
        bytes32 lastRoundHash;
        uint64 nonce;
        bytes32 parent;
        uint64 anchorNumber;
        bytes32 anchorHash;
        uint64 setId;
        bytes32 content;
        uint64 expiry;
    }

    /// @notice Where a slash is. `Covered`: what other slashes took for the same capture is as much already.
    enum SlashState {
        None,
        Requested,
        Executed,
        Cancelled,
        Covered
    }

    /// @notice Where a slash is in one vault.
    enum VaultSlashState {
        Open,
        Executed,
        Vetoed,
        Expired
    }

    /// @notice A slash in one vault.
    struct VaultSlash {
        address vault;
        /// Of what time the vault counts it: the offence's capture, or that of a later one that was executed before.
        uint48 capture;
        /// From then on it may be executed.
        uint48 vetoDeadline;
        VaultSlashState state;
        /// Which request of the vault's slasher it is.
        uint128 index;
        /// Asked for; once executed, taken.
        uint256 amount;
    }

    // Registration.
    /// @notice Only the Router may call this.
    error NotRouter(address caller);
    /// @notice Symbiotic's registry does not know the operator.
    error OperatorNotRegistered(address operator);
    /// @notice The operator has not opted in to this network.
    error OperatorNotOptedIn(address operator);
    /// @notice The operator is registered here already.
    error OperatorKnown(address operator);
    /// @notice No such operator is registered here.
    error UnknownOperator(address operator);
    /// @notice No such vault is registered here.
    error UnknownVault(address vault);
    /// @notice The vault is registered here already.
    error VaultKnown(address vault);
    /// @notice Only the operator of a vault may do this.
    error NotOperatorOf(address vault, address caller);
    /// @notice It is enabled, or disabled, already.
    error AlreadySet();
    /// @notice Symbiotic's factory did not make this vault.
    error NotAVault(address vault);
    /// @notice The vault has no delegator or no slasher yet.
    error VaultNotReady(address vault);
    /// @notice The vault takes a collateral that does not count here.
    error CollateralNotAccepted(address collateral);
    /// @notice Slashed collateral must go where governance decided for this collateral.
    error WrongBurner(address expected, address actual);
    /// @notice The vault's slasher gives no time for a veto.
    error WrongSlasher(uint64 slasherType);
    /// @notice The vault's stake is not for one operator alone, or is restaked to other networks.
    error WrongDelegator(uint64 delegatorType);
    /// @notice A slash could come too late for an epoch so short: see the arithmetic of windows in the README.
    error EpochTooShort(uint256 needed, uint256 actual);
    /// @notice Governance could not stop a slash in a veto phase so short.
    error VetoTooShort(uint256 needed, uint256 actual);
    /// @notice An operator may have only so many vaults.
    error TooManyVaults(uint256 most);

    // Slashing.
    /// @notice The time is not over yet.
    error FutureTimestamp(uint48 timestamp);
    /// @notice An id of the chain is below 2^63.
    error InvalidSlashId(uint64 id);
    /// @notice This slash came already.
    error SlashKnown(uint64 id);
    /// @notice There is no such slash.
    error UnknownSlash(uint64 id);
    /// @notice This slash was executed or cancelled.
    error SlashClosed(uint64 id);
    /// @notice A fraction is from 1 to 1,000,000,000 parts per billion.
    error InvalidFraction(uint32 fraction);
    /// @notice No vault held anything for the operator, or everything that may be taken is taken.
    error NothingToSlash(address operator, uint48 capture);
    /// @notice The vaults could be asked until `deadline` only.
    error SlashTooLate(uint48 capture, uint48 deadline);
    /// @notice The slash could be executed until `deadline` only.
    error SlashExpired(uint48 deadline);
    /// @notice Governance may still veto.
    error VetoNotOver(uint48 until);
    /// @notice An older offence in the same vault comes first.
    error OlderSlashPending(uint64 id);
    /// @notice The vault has so many open slashes that another has to wait: `retrySlash`.
    error TooManyPending(uint256 most);
    /// @notice The vault was asked for this slash already.
    error AlreadyRequested(uint64 id, address vault);
    /// @notice The vault counted for nothing at the slash's capture.
    error VaultNotCounted(address vault, uint48 capture);
    /// @notice The vault's contracts refused or failed; `reason` is what they said, at most 256 bytes of it.
    error VaultCallFailed(address vault, bytes reason);
    /// @notice The call cannot be given all the gas that it may use.
    error NotEnoughGas(uint256 needed);

    // Reports.
    /// @notice Who stands behind this set is known already.
    error SetKnown(uint64 setId);
    /// @notice The lists differ in length, or are too long.
    error InvalidLists();
    /// @notice The headers are of different seals: no fault.
    error DifferentSeals();
    /// @notice The headers are the same: no fault.
    error SameDigest();
    /// @notice The signatures are of different keys, or none.
    error DifferentSigners(address signerA, address signerB);
    /// @notice This signer was reported for this seal already.
    error AlreadyReported(address signer, bytes32 sealHash);
    /// @notice Nobody with stake on Ethereum stands behind the signer in this set.
    error UnknownSigner(uint64 setId, address signer);

    // Rewards.
    /// @notice More is to be given than came.
    error RewardsNotFunded(uint256 needed, uint256 held);
    /// @notice Another root, total or capture was given for this era.
    error EraKnown(uint32 era);
    /// @notice This was claimed already, or there is nothing to claim.
    error NothingToClaim();
    /// @notice The proof does not lead to the era's root.
    error InvalidProof();

    // Governance.
    /// @notice The owner must be a contract.
    error OwnerNotContract(address owner);
    /// @notice The delay is below the least one.
    error DelayTooShort(uint256 least);
    /// @notice The change was not scheduled, or is not due.
    error NotScheduled(bytes32 change);
    /// @notice A window is zero, or all together are longer than a year.
    error WindowsOutOfRange();

    event OperatorRegistered(address indexed operator);
    event OperatorEnabled(address indexed operator, bool enabled);
    event VaultRegistered(address indexed operator, address indexed vault, address collateral, uint32 share);
    event VaultEnabled(address indexed vault, bool enabled);
    event CollateralSet(address indexed collateral, address burner, bool enabled);
    event WindowsSet(uint48 slashWindow, uint48 executionMargin, uint48 minVetoDuration);
    event FractionsSet(uint32 maxFraction, uint32 doubleSignFraction, uint32 restakedShare);
    event ChangeScheduled(bytes32 indexed change, uint256 readyAt);
    event ChangeCancelled(bytes32 indexed change);
    /// @notice A slash of `applied` goes to the vaults: `fraction` less what others took for the same capture.
    event SlashRequested(uint64 indexed id, address indexed operator, uint32 fraction, uint32 applied, uint48 capture);
    /// @notice A vault was asked to give `amount`; it may be executed from `vetoDeadline` on.
    event VaultSlashRequested(uint64 indexed id, address indexed vault, uint256 amount, uint48 vetoDeadline);
    /// @notice A vault gave `amount`; zero if other slashes had taken all that was captured.
    event VaultSlashed(uint64 indexed id, address indexed vault, uint256 amount);
    /// @notice A vault could not be asked, slashed or told the veto; this does not hold up others. `reason` is one of
    /// the errors of this interface.
    event VaultSlashFailed(uint64 indexed id, address indexed vault, bytes reason);
    event SlashExecuted(uint64 indexed id);
    event SlashCancelled(uint64 indexed id);
    event OperatorsOfSet(uint64 indexed setId, uint48 capture);
    event DoubleSignReported(uint64 indexed id, address indexed operator, address signer, bytes32 sealHash);
    event RewardsDistributed(uint32 indexed era, uint48 capture, bytes32 operatorsRoot, uint256 total);
    event OperatorRewardClaimed(uint32 indexed era, address indexed operator, uint256 amount);
    event StakerRewardClaimed(uint32 indexed era, address indexed vault, address indexed staker, uint256 amount);
}

/// @title ETH stake behind validators, as Router and validators call it
interface IMiddleware is IMiddlewareTypes {
    /// @notice Slashes `fraction` of what each vault held for `operator` at `capture`; only the Router.
    function slash(uint64 id, address operator, uint32 fraction, uint48 capture) external;
    /// @notice Takes a slash back; only the Router.
    function cancelSlash(uint64 id) external;
    /// @notice Notes who stands behind each signer of a set (zero: nobody); only the Router.
    function setOperators(uint64 setId, uint48 capture, address[] calldata signers, address[] calldata operators)
        external;
    /// @notice Divides wVARA that the Router has transferred; only the Router.
    function distributeRewards(
        uint32 era,
        uint48 capture,
        bytes32 operatorsRoot,
        uint128 operatorsTotal,
        address[] calldata vaults,
        uint128[] calldata amounts
    ) external;
    /// @notice Whether a call that changes something is under way: then the Router has to wait.
    function busy() external view returns (bool);
    /// @notice Operators registered so far.
    function operatorsCount() external view returns (uint256);
    /// @notice What vaults held at `timestamp` for operators [from, to) of the list.
    function stakesAt(uint48 timestamp, uint256 from, uint256 to) external view returns (VaultStake[] memory);
}
