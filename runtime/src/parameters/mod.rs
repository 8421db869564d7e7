//! What governance may set without an upgrade: every price, limit, threshold and window of the network.
//!
//! A referendum on the track `parameter_admin` calls `parameters.setParameter`. The value takes effect when the next era
//! begins ([`turn::on_new_era`]): on the chain at once, and on the Router with the batch that carries it. What was never set has
//! its value from the genesis. A value that would break the network is not taken: the event `ParametersRefused` says
//! why, and the old values stay in force until governance sets others.
//!
//! What is not here:
//!
//! * Staking and NominationPools have calls of their own for their limits: `staking.setStakingConfigs` (least bonds,
//!   numbers of nominators and validators, least commission, `maxStakedRewards`), `staking.setValidatorCount`,
//!   `staking.setMinCommission`, `nominationPools.setConfigs`. They take effect at once. So do `restaking.setAsset`, of which
//!   there are as many as tokens, and `validatorElection.forceVaraOnly`, which ends by itself.
//! * Bounds of storage and of a block's work are constants (`Max…`, depths of history, `HistoryDepth` of claims and payouts,
//!   the size of an election, the bags): another value needs another runtime, with a look at what it costs.
//! * The slot is set at the genesis. The existential deposit is a constant, since every account was made by it, and so are
//!   what is true of Ethereum, and what makes a quorum or a majority: more than two thirds, more ayes than nays.
//!
//! polkadot.js shows constants of pallets, as `referenda.tracks`, as they were when it connected: who wants to see what has
//! changed since connects again, or reads `parametersInForce`.

mod rules;
mod store;
mod turn;

pub(crate) use rules::check_deposit;
pub use rules::*;
pub use store::pallet as in_force;
pub use turn::on_new_era;

use crate::{
    Balance, Runtime, RuntimeOrigin, UNITS,
    governance::{
        origins,
        tracks::{self as first, TrackRules},
    },
};
use polkadot_sdk::{
    frame_support::{
        dynamic_params::{dynamic_pallet_params, dynamic_params},
        traits::EnsureOriginWithArg,
    },
    frame_system::RawOrigin,
    pallet_parameters,
};

/// The dynamic parameters, by concern.
#[dynamic_params(RuntimeParameters, pallet_parameters::Parameters::<Runtime>)]
pub mod values {
    use super::*;
    use polkadot_sdk::sp_runtime::Perbill;

    /// Prices and limits of execution. The values shown as defaults are those that are used if the genesis has no others.
    #[dynamic_pallet_params]
    #[codec(index = 0)]
    pub mod execution {
        /// Version of the executor's behaviour. Nodes that do not know it abstain.
        #[codec(index = 0)]
        pub static ExecutorVersion: u32 = 1;
        /// Price of one unit of gas, in wVARA base units.
        #[codec(index = 1)]
        pub static ValuePerGas: u128 = 100;
        /// Gas that all messages of a round may burn together.
        #[codec(index = 2)]
        pub static RoundGasLimit: u64 = 4_000_000_000_000;
        /// Gas that one run of a message may burn.
        #[codec(index = 3)]
        pub static MessageGasLimit: u64 = 250_000_000_000;
        /// WASM pages (64 KiB) of memory that a program may have.
        #[codec(index = 4)]
        pub static MaxMemoryPages: u32 = 32_768;
        /// Messages that one run may send.
        #[codec(index = 5)]
        pub static MaxOutgoingMessages: u32 = 1_024;
        /// Bytes that one run may send.
        #[codec(index = 6)]
        pub static MaxOutgoingBytes: u32 = 1 << 20;
        /// Longest payload of one message, in bytes.
        #[codec(index = 7)]
        pub static MaxPayloadBytes: u32 = 126 << 10;
        /// Ethereum blocks for which a message stays in a mailbox.
        #[codec(index = 8)]
        pub static MailboxValidity: u32 = 54_000;
        /// Longest wait that a message may ask for, in Ethereum blocks.
        #[codec(index = 9)]
        pub static MaxWait: u32 = 54_000;
        /// Messages to Ethereum addresses that one round may produce.
        #[codec(index = 10)]
        pub static MaxRoundMessages: u32 = 150;
        /// Bytes of such messages that one round may produce.
        #[codec(index = 11)]
        pub static MaxRoundBytes: u32 = 48 << 10;
        /// What a program pays for each message of its own that goes to Ethereum, in wVARA base units.
        #[codec(index = 12)]
        pub static ValuePerSettledMessage: u128 = 1_000_000_000;
        /// What a program pays for each byte of its part of a batch, in wVARA base units.
        #[codec(index = 13)]
        pub static ValuePerSettledByte: u128 = 1_000_000;
    }

    /// How validators' views of Ethereum are taken.
    #[dynamic_pallet_params]
    #[codec(index = 1)]
    pub mod views {
        /// Blocks of this chain after which a view that was not renewed is forgotten.
        #[codec(index = 0)]
        pub static MaxAge: u32 = 1_200;
        /// Ethereum blocks that a tip may be ahead of the anchor.
        #[codec(index = 1)]
        pub static MaxAhead: u32 = 256;
        /// Ethereum blocks behind the head at which validators report their tip.
        #[codec(index = 2)]
        pub static Depth: u32 = 0;
    }

    /// How native messages are taken.
    #[dynamic_pallet_params]
    #[codec(index = 16)]
    pub mod natives {
        /// Ethereum blocks that a message's reference block may lie behind the highest anchor. Not zero.
        #[codec(index = 0)]
        pub static Window: u32 = 64;
        /// Messages that a block takes: 1 to 4,096.
        #[codec(index = 1)]
        pub static MaxPerBlock: u32 = 2_048;
    }

    /// Batches to Ethereum.
    #[dynamic_pallet_params]
    #[codec(index = 2)]
    pub mod settlement {
        /// Seconds after the anchor's timestamp until which the Router accepts a batch.
        #[codec(index = 0)]
        pub static ExpirySeconds: u64 = 600;
        /// Signed batches that may wait for Ethereum at a time.
        #[codec(index = 1)]
        pub static MaxInFlight: u32 = 1;
        /// Blocks for which a seal that has no quorum yet holds back the next one.
        #[codec(index = 2)]
        pub static Patience: u32 = 40;
        /// Blocks for which the session does not rotate while the Router has not got the current set.
        #[codec(index = 3)]
        pub static HandoverPatience: u32 = 14_400;
        /// Bytes that a batch may have: no more than Ethereum's nodes relay, 131,072.
        #[codec(index = 4)]
        pub static MaxBatchBytes: u64 = 96 << 10;
        /// Gas that a batch may need, by the sums below: no more than a transaction may, 16,777,216.
        #[codec(index = 5)]
        pub static MaxBatchGas: u64 = 12_000_000;
        /// Gas of a batch, whatever is in it.
        #[codec(index = 6)]
        pub static GasOfBatch: u64 = 400_000;
        /// Gas of a program's transition.
        #[codec(index = 7)]
        pub static GasOfTransition: u64 = 60_000;
        /// Gas of a program's creation.
        #[codec(index = 8)]
        pub static GasOfCreation: u64 = 200_000;
        /// Gas of a message to Ethereum.
        #[codec(index = 9)]
        pub static GasOfMessage: u64 = 40_000;
        /// Gas of a message that calls a contract back.
        #[codec(index = 10)]
        pub static GasOfCallback: u64 = 530_000;
        /// Gas of a byte.
        #[codec(index = 11)]
        pub static GasOfByte: u64 = 48;
        /// Gas of an item of the outbox.
        #[codec(index = 12)]
        pub static GasOfOutboxItem: u64 = 60_000;
        /// Blocks after which the Router is told of the validator set again, though it has not changed. Less than the
        /// Router's `MaxStaleness`.
        #[codec(index = 13)]
        pub static Renewal: u32 = 691_200;
        /// The part of the seals that were decided in a session on which a validator must have voted; else it was away.
        #[codec(index = 14)]
        pub static Attendance: Perbill = Perbill::from_percent(50);
        /// Seals that must have been decided in a session before anybody is called away.
        #[codec(index = 15)]
        pub static LeastSeals: u32 = 16;
    }

    /// What the Router on Ethereum holds too.
    #[dynamic_pallet_params]
    #[codec(index = 3)]
    pub mod router {
        /// Price of a request for code validation, in wVARA base units.
        #[codec(index = 0)]
        pub static RequestCodeValidationBaseFee: u128 = 0;
        /// What a request on behalf of somebody costs besides, in wVARA base units.
        #[codec(index = 1)]
        pub static RequestCodeValidationExtraFee: u128 = 0;
        /// Gas that a call-back gets, at most 5,000,000.
        #[codec(index = 2)]
        pub static CallbackStipend: u32 = 0;
        /// Seconds after which the Router refuses batches of a validator set that was not renewed.
        #[codec(index = 3)]
        pub static MaxStaleness: u64 = 0;
    }

    /// How fast the chain's clocks run.
    #[dynamic_pallet_params]
    #[codec(index = 4)]
    pub mod pace {
        /// Blocks of a session.
        #[codec(index = 0)]
        pub static Session: u32 = 28_800;
        /// Sessions of an era.
        #[codec(index = 1)]
        pub static SessionsPerEra: u32 = 6;
        /// Eras for which stake stays bonded after it was unbonded.
        #[codec(index = 2)]
        pub static Bonding: u32 = 28;
        /// Eras between a slash of VARA and its execution; less than `Bonding`.
        #[codec(index = 3)]
        pub static SlashDeferral: u32 = 27;
        /// Blocks of a day, in which the periods of referenda and the windows of governance are counted: 24 to 2,419,200.
        /// Root sets it.
        #[codec(index = 4)]
        pub static Day: u32 = 345_600;
    }

    /// How much is slashed, and when.
    #[dynamic_pallet_params]
    #[codec(index = 6)]
    pub mod slashing {
        /// The least fraction for two signatures on one seal.
        #[codec(index = 0)]
        pub static DoubleSignFloor: Perbill = Perbill::from_percent(5);
        /// The greatest fraction for not signing, in VARA.
        #[codec(index = 1)]
        pub static AbsenceMaximum: Perbill = Perbill::from_percent(1);
        /// The greatest fraction of an operator's ETH stake for all its offences of one era.
        #[codec(index = 2)]
        pub static MaximumPerEra: Perbill = Perbill::one();
        /// Blocks for which an ETH slash waits, so that governance may cancel it.
        #[codec(index = 3)]
        pub static Deferral: u32 = 691_200;
        /// Seconds after a capture within which the vault must have executed a slash.
        #[codec(index = 4)]
        pub static Window: u64 = 14 * 86_400;
        /// Seconds that a slash needs from the outbox to the vault.
        #[codec(index = 5)]
        pub static Relay: u64 = 43_200;
        /// Seconds that the vault needs from the request to the execution, veto included.
        #[codec(index = 6)]
        pub static Execution: u64 = 4 * 86_400;
        /// Seconds after the end of an era within which a fault of it may be reported and still cost ETH in any case.
        #[codec(index = 7)]
        pub static Reporting: u64 = 2 * 86_400;
    }

    /// Who gets which part of what programs pay. An era is divided by what is in force when it ends; the three shares sum
    /// up to 100 % at most.
    #[dynamic_pallet_params]
    #[codec(index = 8)]
    pub mod rewards {
        /// The share of validators.
        #[codec(index = 0)]
        pub static Validators: Perbill = Perbill::from_percent(20);
        /// The share of stakers of VARA.
        #[codec(index = 1)]
        pub static VaraStakers: Perbill = Perbill::from_percent(50);
        /// The share of stakers of ETH. If none has counted in an era, stakers of VARA get it.
        #[codec(index = 2)]
        pub static EthStakers: Perbill = Perbill::from_percent(30);
        /// The least that can be claimed at a time, in wVARA base units.
        #[codec(index = 3)]
        pub static MinClaim: u128 = 1_000_000_000_000;
    }

    /// New VARA for stakers and the treasury. Read when an era ends.
    #[dynamic_pallet_params]
    #[codec(index = 5)]
    pub mod inflation {
        /// New VARA a year, as a share of all VARA, if nothing is staked.
        #[codec(index = 0)]
        pub static Least: Perbill = Perbill::from_percent(2);
        /// New VARA a year, as a share of all VARA, if the ideal share is staked.
        #[codec(index = 1)]
        pub static Most: Perbill = Perbill::from_percent(6);
        /// The share of all VARA that should be staked.
        #[codec(index = 2)]
        pub static IdealStake: Perbill = Perbill::from_percent(60);
        /// How fast inflation falls with more stake than that. At least 1 %.
        #[codec(index = 3)]
        pub static Falloff: Perbill = Perbill::from_percent(5);
        /// Seconds for which an era is paid at most. Who stops the chain for a month does not get a month's inflation at
        /// once.
        #[codec(index = 4)]
        pub static LongestEra: u64 = 2 * 86_400;
    }

    /// VARA as wVARA and back. Takes effect at once.
    #[dynamic_pallet_params]
    #[codec(index = 7)]
    pub mod bridge {
        /// The least VARA that can be locked, in base units: each lock costs a batch gas on Ethereum.
        #[codec(index = 0)]
        pub static MinLock: u128 = 10_000_000_000_000;
        /// Nothing is locked, and burns of wVARA wait.
        #[codec(index = 1)]
        pub static Paused: bool = false;
    }

    /// How collateral on Ethereum counts. Rules of a single token are set by `restaking.setAsset`, since there are as many as
    /// there are tokens.
    #[dynamic_pallet_params]
    #[codec(index = 9)]
    pub mod restaking {
        /// By how much of itself an operator's weight may grow from one era to the next.
        #[codec(index = 0)]
        pub static MaxGrowth: Perbill = Perbill::from_percent(50);
        /// By how much it may grow besides (18 decimals): so that new operators can begin. Not zero.
        #[codec(index = 1)]
        pub static GrowthStep: u128 = 10_000_000_000_000_000_000_000;
        /// What does not count when the stake of the era before is used again.
        #[codec(index = 2)]
        pub static ReuseHaircut: Perbill = Perbill::from_percent(20);
    }

    /// How ETH counts beside VARA when validators are elected, and in a quorum.
    #[dynamic_pallet_params]
    #[codec(index = 10)]
    pub mod election {
        /// The share of an election that VARA decides at least: half of it or more.
        #[codec(index = 0)]
        pub static VaraShare: Perbill = Perbill::from_percent(67);
        /// The weight of collateral (18 decimals) from which on ETH decides all of its share. Not zero.
        #[codec(index = 1)]
        pub static FullWeight: u128 = 10_000_000_000_000_000_000_000;
        /// The share of all collateral that may count for one operator. Not zero.
        #[codec(index = 2)]
        pub static MaxOperatorShare: Perbill = Perbill::from_percent(25);
        /// The most that a validator may weigh in a quorum, in percent of the mean: 100 to 100,000.
        #[codec(index = 3)]
        pub static MaxWeight: u32 = 200;
    }

    /// What is held of an account as long as something of it is kept, in VARA's base units: from the existential deposit to
    /// 1,000,000 VARA. What was held before is given back as it was held.
    #[dynamic_pallet_params]
    #[codec(index = 11)]
    pub mod deposits {
        /// For a preimage, whatever its length.
        #[codec(index = 0)]
        pub static PreimageBase: Balance = UNITS;
        /// For each byte of a preimage: one VARA at most.
        #[codec(index = 1)]
        pub static PreimageByte: Balance = UNITS / 1_000;
        /// For a referendum, from its submission on.
        #[codec(index = 2)]
        pub static Submission: Balance = 10 * UNITS;
        /// For the binding of an operator to its Ethereum address.
        #[codec(index = 3)]
        pub static Operator: Balance = 100 * UNITS;
        /// For a validator's session keys.
        #[codec(index = 4)]
        pub static SessionKeys: Balance = UNITS;
    }

    /// How long referenda of each track take, and how much they need: periods are hours of `Pace.Day`. Numbers are those of
    /// the tracks. Root sets them, since they say what it takes to be root.
    #[dynamic_pallet_params]
    #[codec(index = 12)]
    pub mod tracks {
        /// Everything.
        #[codec(index = 0)]
        pub static Root: TrackRules = first::ROOT;
        /// What the technical committee has whitelisted.
        #[codec(index = 1)]
        pub static WhitelistedCaller: TrackRules = first::WHITELISTED_CALLER;
        /// Staking's limits.
        #[codec(index = 10)]
        pub static StakingAdmin: TrackRules = first::STAKING_ADMIN;
        /// Payments of the treasury without a limit.
        #[codec(index = 11)]
        pub static Treasurer: TrackRules = first::TREASURER;
        /// Dynamic parameters.
        #[codec(index = 12)]
        pub static ParameterAdmin: TrackRules = first::PARAMETER_ADMIN;
        /// Cancelling of slashes. If its periods become longer, all together must fit into `Slashing.Deferral`.
        #[codec(index = 13)]
        pub static SlashCanceller: TrackRules = first::SLASH_CANCELLER;
        /// Pausing of batches.
        #[codec(index = 14)]
        pub static SettlementPauser: TrackRules = first::SETTLEMENT_PAUSER;
        /// Cancelling of referenda.
        #[codec(index = 20)]
        pub static ReferendumCanceller: TrackRules = first::REFERENDUM_CANCELLER;
        /// Killing of referenda.
        #[codec(index = 21)]
        pub static ReferendumKiller: TrackRules = first::REFERENDUM_KILLER;
        /// Payments of the treasury up to `Governance.SmallSpend`.
        #[codec(index = 30)]
        pub static SmallSpender: TrackRules = first::SMALL_SPENDER;
        /// Payments of the treasury up to `Governance.BigSpend`.
        #[codec(index = 31)]
        pub static BigSpender: TrackRules = first::BIG_SPENDER;
    }

    /// Windows of governance, in days of `Pace.Day`, 1 to 366; and what spenders may spend, in VARA's base units. Root sets
    /// them.
    #[dynamic_pallet_params]
    #[codec(index = 13)]
    pub mod governance {
        /// For how long a vote's VARA stays locked, for each step of conviction.
        #[codec(index = 0)]
        pub static VoteLocking: u32 = 7;
        /// How long a referendum may wait to be decided.
        #[codec(index = 1)]
        pub static Undeciding: u32 = 14;
        /// How long the technical committee may vote on a motion.
        #[codec(index = 2)]
        pub static Motion: u32 = 7;
        /// How long a whitelisted call may wait to be dispatched.
        #[codec(index = 3)]
        pub static Whitelisting: u32 = 7;
        /// How long a payment of the treasury can be claimed.
        #[codec(index = 4)]
        pub static TreasuryPayout: u32 = 30;
        /// How often the treasury's books are closed.
        #[codec(index = 5)]
        pub static TreasuryPeriod: u32 = 7;
        /// The most that the track `small_spender` may spend at a time.
        #[codec(index = 6)]
        pub static SmallSpend: Balance = 10_000 * UNITS;
        /// The most that the track `big_spender` may spend at a time.
        #[codec(index = 7)]
        pub static BigSpend: Balance = 1_000_000 * UNITS;
    }

    /// What transactions on this chain cost, in VARA's base units: 0.001 VARA at most.
    #[dynamic_pallet_params]
    #[codec(index = 14)]
    pub mod fees {
        /// A byte of a transaction.
        #[codec(index = 0)]
        pub static PerByte: Balance = 1;
        /// A microsecond of a transaction's weight. Not zero.
        #[codec(index = 1)]
        pub static PerMicrosecond: Balance = 1_000_000;
    }

    /// Staking's values that none of its calls sets.
    #[dynamic_pallet_params]
    #[codec(index = 15)]
    pub mod staking {
        /// Validators below which an election does not count: the old ones stay, and no era begins. No more than there are.
        #[codec(index = 0)]
        pub static MinimumValidators: u32 = 1;
        /// The share of a slash that who reported the offence gets, at most: half of it at most.
        #[codec(index = 1)]
        pub static ReporterReward: Perbill = Perbill::from_percent(10);
        /// The share of a slash that who applies it to a pool's member gets: half of it at most.
        #[codec(index = 2)]
        pub static PoolSlashReward: Perbill = Perbill::from_percent(1);
    }
}

#[cfg(feature = "runtime-benchmarks")]
impl Default for RuntimeParameters {
    fn default() -> Self {
        Self::Execution(values::execution::Parameters::ValuePerGas(
            values::execution::ValuePerGas,
            Some(100),
        ))
    }
}

/// Who may set a parameter: root, and referenda on the track `parameter_admin`. What governance itself decides by is root's
/// alone: who can set how much root takes could be root.
pub struct Admin;

fn is_roots(key: &RuntimeParametersKey) -> bool {
    matches!(
        key,
        RuntimeParametersKey::Tracks(_)
            | RuntimeParametersKey::Governance(_)
            | RuntimeParametersKey::Pace(values::pace::ParametersKey::Day(_))
    )
}

impl EnsureOriginWithArg<RuntimeOrigin, RuntimeParametersKey> for Admin {
    type Success = ();

    fn try_origin(origin: RuntimeOrigin, key: &RuntimeParametersKey) -> Result<(), RuntimeOrigin> {
        use polkadot_sdk::frame_support::traits::EnsureOrigin as _;
        match origin.clone().into() {
            Ok(RawOrigin::Root) => Ok(()),
            _ if is_roots(key) => Err(origin),
            _ => origins::ParameterAdmin::try_origin(origin),
        }
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn try_successful_origin(_: &RuntimeParametersKey) -> Result<RuntimeOrigin, ()> {
        Ok(RawOrigin::Root.into())
    }
}
