//! What the pallet stores, and what it asks of the runtime around it.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{BoundedVec, traits::ConstU32};
use gear_exe_primitives::{H160, H256, batch::RouterDomain, quorum::Member};
use polkadot_sdk::{
    frame_support,
    sp_runtime::{
        Perbill,
        transaction_validity::{InvalidTransaction, TransactionValidityError},
    },
    sp_staking::{EraIndex, SessionIndex, offence::Kind},
};
use scale_info::TypeInfo;

/// Records of VARA that one slash remembers: one per raise, and an incident raises it once per other offender.
pub const MAX_RECORDS: u32 = 128;
/// Slashes of one operator that may be open at a time.
pub const MAX_OPEN: u32 = 64;
/// Faults that the settlement pallet saw and that wait for their report.
pub const MAX_SEEN: u32 = 128;

/// Sessions and eras, as Staking counts them.
pub trait Eras {
    /// The session that runs.
    fn session() -> SessionIndex;
    /// The era that a session belongs to; nothing if its validators' bonds may be gone.
    fn era_of(session: SessionIndex) -> Option<EraIndex>;
    /// The oldest era whose validators are still bonded, and its first session.
    fn oldest() -> (EraIndex, SessionIndex);
}

/// VARA slashes that Staking has decided on and not yet taken, known by the hash of their record.
pub trait VaraQueue<AccountId> {
    /// How many wait for offences of `era`.
    fn len(era: EraIndex) -> u32;
    /// Those from the `from`th on: the validator and the record.
    fn since(era: EraIndex, from: u32) -> Vec<(AccountId, H256)>;
    /// Sees to it that what waits for offences of `era` will be taken, also if the time for that is over.
    fn keep(era: EraIndex);
    /// Drops those of `records` that still wait, and says how many did.
    fn cancel(era: EraIndex, records: &[H256]) -> u32;
}

/// Who stands behind a validator on Ethereum.
pub trait Operators<AccountId> {
    /// The Ethereum address whose vaults' stake counted for `validator` in `era`.
    ///
    /// It must be that of the era: a validator that offends and then binds another address, or none, must not escape.
    fn operator(era: EraIndex, validator: &AccountId) -> Option<H160>;
    /// The time, in seconds, at which the vaults' stake of `era` was read; nothing if ETH did not count.
    fn capture(era: EraIndex) -> Option<u64>;
    /// Makes `operator` stand behind `validator`, with stake of all eras read at `capture`.
    #[cfg(feature = "runtime-benchmarks")]
    fn bind(validator: &AccountId, operator: H160, capture: u64);
}

/// What the chain knows of seals.
pub trait Seals {
    /// Genesis hash of the chain.
    fn genesis() -> H256;
    /// Chain id of Ethereum, and the Router; nothing while the chain settles nowhere.
    fn domain() -> Option<RouterDomain>;
    /// The digest that a quorum signed for the seal: its batch's, or the empty statement's. Nothing while it is not
    /// decided, or is kept no longer.
    fn decided(number: u64, hash: H256) -> Option<H256>;
    /// The members of a validator set, in the order of its bitmap, with their weights. Nothing of a set that is kept no longer:
    /// certificates of it are not taken as evidence any more.
    fn members(set_id: u64) -> Option<Vec<Member>>;
    /// Makes this the Router that signatures are bound to.
    #[cfg(feature = "runtime-benchmarks")]
    fn set_domain(domain: RouterDomain);
    /// Makes these the members of a validator set.
    #[cfg(feature = "runtime-benchmarks")]
    fn set_members(set_id: u64, members: Vec<Member>);
}

/// What Ethereum is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commitment {
    /// Take a part of what the operator had at stake.
    Slash {
        /// Number of the slash, never used twice.
        id: u64,
        /// Whose vaults.
        operator: H160,
        /// The part, in parts per billion of the stake at `capture`.
        fraction: u32,
        /// The time whose stake counts, in seconds.
        capture: u64,
    },
    /// Do not take it.
    Cancel {
        /// The slash.
        id: u64,
    },
}

/// The outbox as the pallet sees it.
pub trait Outbox {
    /// Appends a commitment and returns the number of the outbox item.
    fn push(commitment: Commitment) -> u64;
}

/// How much is slashed, and when: all governed.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct SlashingParameters {
    /// The least fraction for two signatures on one seal.
    pub double_sign_floor: Perbill,
    /// The greatest fraction for not signing, in VARA.
    pub absence_maximum: Perbill,
    /// The greatest fraction of an operator's ETH stake that is slashed for all its offences of one era.
    pub maximum_per_era: Perbill,
    /// Blocks for which an ETH slash waits on the chain, so that governance may cancel it.
    pub deferral: u32,
    /// Seconds after a capture within which the vault must have executed a slash: its epoch, less a reserve.
    pub window: u64,
    /// Seconds that a slash needs from the outbox to the vault.
    pub relay: u64,
    /// Seconds that the vault needs from the request to the execution, veto included.
    pub execution: u64,
    /// Seconds after the end of an era within which a fault of it may be reported and still cost ETH in any case. What is
    /// reported later costs ETH if it still fits the window, and VARA as long as that is bonded.
    pub reporting: u64,
}

impl Default for SlashingParameters {
    fn default() -> Self {
        const HOUR: u64 = 3_600;
        Self {
            double_sign_floor: Perbill::from_percent(5),
            absence_maximum: Perbill::from_percent(1),
            maximum_per_era: Perbill::one(),
            // Two days of blocks of 250 ms.
            deferral: 691_200,
            window: 14 * 24 * HOUR,
            relay: 12 * HOUR,
            execution: 4 * 24 * HOUR,
            reporting: 48 * HOUR,
        }
    }
}

impl SlashingParameters {
    /// Whether a slash that is reported at the last moment still fits: the age of the capture, the time in which offences
    /// are reported, the deferral, and the way to the vault, all within the window.
    ///
    /// - `age`: seconds between the capture of an era and its end.
    /// - `block_millis`: milliseconds of a block.
    pub const fn fits(&self, age: u64, block_millis: u64) -> bool {
        let deferral = (self.deferral as u64).saturating_mul(block_millis) / 1_000;
        age.saturating_add(self.reporting)
            .saturating_add(deferral)
            .saturating_add(self.relay)
            .saturating_add(self.execution)
            <= self.window
    }

    /// When a slash for what was captured at `capture` must have left the chain.
    pub(crate) const fn deadline(&self, capture: u64) -> u64 {
        capture
            .saturating_add(self.window)
            .saturating_sub(self.relay)
            .saturating_sub(self.execution)
    }
}

/// How a slash on Ethereum stands.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum State {
    /// It waits for its time to be cancelled to end, or for its approval.
    Deferred,
    /// It may go, and waits for an older one of the same operator.
    Queued,
    /// It is in the outbox.
    Committed {
        /// Number of the outbox item.
        item: u64,
    },
    /// The Router has it. Unless it is told otherwise, the chain takes it for executed when the time for that is over.
    Requested {
        /// When the chain learned it, in seconds.
        since: u64,
    },
    /// The vault has paid.
    Executed,
    /// Its cancellation is in the outbox, or on Ethereum, which has not said yet which of the two came first: the
    /// cancellation, or the vault's payment.
    Cancelling {
        /// Number of the outbox item.
        item: u64,
        /// Number of the outbox item that carried the slash; nothing if it was settled already.
        slash: Option<u64>,
    },
    /// Its cancellation has reached Ethereum in time: no vault has paid.
    Vetoed,
    /// It was cancelled before it left the chain.
    Cancelled,
    /// It can have no effect any more.
    Expired(Expiry),
}

impl State {
    /// Whether it has not left the chain and still may.
    pub const fn is_waiting(&self) -> bool {
        matches!(self, Self::Deferred | Self::Queued)
    }

    /// Whether it is settled on Ethereum, which may say what became of it: outbox items below `end` are settled.
    pub const fn is_on_ethereum(&self, end: u64) -> bool {
        match self {
            Self::Requested { .. } | Self::Cancelling { slash: None, .. } => true,
            Self::Committed { item }
            | Self::Cancelling {
                slash: Some(item), ..
            } => *item < end,
            _ => false,
        }
    }

    /// Whether it has left the chain, and what becomes of it is not known.
    pub const fn is_in_flight(&self) -> bool {
        matches!(
            self,
            Self::Committed { .. } | Self::Requested { .. } | Self::Cancelling { .. }
        )
    }
}

/// Why a slash has no effect on Ethereum.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum Expiry {
    /// The offence was reported when there was not enough time left to reach the vault.
    ReportedLate,
    /// It was not approved, or an older one held it, until there was not enough time left.
    HeldTooLong,
    /// A slash for a later capture was executed: vaults pay for none before.
    Overtaken,
    /// The batch that carries it was not settled while the vault could still pay.
    NotSettled,
    /// Ethereum has refused it.
    Refused,
}

/// What became of a slash on Ethereum, as the Middleware says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The vault has paid.
    Executed,
    /// It was vetoed.
    Vetoed,
    /// The Middleware or the vault has refused it.
    Refused,
}

/// A slash of an operator's ETH stake.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Slash<AccountId> {
    /// The validator that offended.
    pub validator: AccountId,
    /// Who stands behind it on Ethereum.
    pub operator: H160,
    /// The era of the offence.
    pub era: EraIndex,
    /// The kind of offence: 16 letters.
    pub kind: Kind,
    /// Which offence: what all concurrent offenders have in common.
    pub incident: H256,
    /// The part of the stake at `capture` that it takes, beside what other slashes of that era take.
    pub fraction: Perbill,
    /// The time whose stake counts, in seconds.
    pub capture: u64,
    /// The block from which on it may leave the chain.
    pub due: u64,
    /// The time, in seconds, until which it must have left the chain.
    pub deadline: u64,
    /// The time, in seconds, after which the vault pays nothing for `capture`.
    pub end: u64,
    /// It may leave the chain. If not, governance must approve it first.
    pub approved: bool,
    /// How it stands.
    pub state: State,
    /// Records of the VARA slashes for the same offence, in Staking's `unappliedSlashes`.
    pub vara: BoundedVec<H256, ConstU32<MAX_RECORDS>>,
}

/// What is open against an operator.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct OperatorQueue {
    /// Its open slashes, as capture and id, ascending: the order in which they leave.
    pub open: BoundedVec<(u64, u64), ConstU32<MAX_OPEN>>,
    /// The latest capture of a slash that the vaults have executed; zero if there is none that matters.
    pub executed: u64,
}

/// Where a session begins.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct SessionStart {
    /// Its first block.
    pub block: u64,
    /// The slot of that block.
    pub slot: u64,
}

impl SessionStart {
    /// Whether its validators may author in `slot`: the first block of a session is still authored by those before.
    pub(crate) fn begins_before(&self, slot: u64) -> bool {
        self.slot < slot || *self == Self::default()
    }
}

/// The accounts behind a validator set's Ethereum keys.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(Max))]
#[codec(mel_bound(AccountId: MaxEncodedLen))]
pub struct SignerSet<AccountId, Max: frame_support::traits::Get<u32>> {
    /// The first session in which the set votes.
    pub first: SessionIndex,
    /// The last one, as far as is known.
    pub last: SessionIndex,
    /// Each member's address with its account.
    pub members: BoundedVec<(H160, AccountId), Max>,
}

/// What Offences is being told of, while it is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Incident {
    /// The kind of offence.
    pub kind: Kind,
    /// Hash of kind and slot: the same for all concurrent offenders.
    pub hash: H256,
}

/// A double signature that the settlement pallet saw, until it is reported.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Seen {
    /// The signer's set.
    pub set_id: u64,
    /// Its address.
    pub signer: H160,
    /// Number of the seal.
    pub seal_number: u64,
    /// Hash of the seal.
    pub seal_hash: H256,
}

/// Why an authorised report is refused, as the number in `InvalidTransaction::Custom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// It proves nothing. `slashing.report` says why.
    Evidence = 1,
    /// It is known already.
    Duplicate = 2,
    /// Such evidence is only taken from the node that authors the block.
    NotLocal = 3,
}

impl From<Refusal> for TransactionValidityError {
    fn from(refusal: Refusal) -> Self {
        InvalidTransaction::Custom(refusal as u8).into()
    }
}
