//! What governance sets of pallets that are not ours: deposits, fees, windows and limits of governance, rewards and thresholds
//! of staking.
//!
//! Each group is checked as a whole before it is taken (`turn.rs`), is kept in the pallet of `store.rs`, and is read from
//! there by the types at the end, which `configs` gives to the pallets. A deposit that was taken before is given back as it
//! was taken: each of those pallets keeps its amount, or releases all that it holds.

use super::in_force;
use crate::{Balance, EXISTENTIAL_DEPOSIT, Runtime, UNITS, pace};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use polkadot_sdk::{
    frame_support::{
        traits::Get,
        weights::{Weight, WeightToFee},
    },
    pallet_session::Validators,
    pallet_staking::{MinimumValidatorCount, SlashRewardFraction},
    sp_runtime::Perbill,
};
use scale_info::TypeInfo;

/// The greatest deposit. If it had no limit, nobody could propose to lower it again.
const LARGEST_DEPOSIT: Balance = 1_000_000 * UNITS;
/// The most that a microsecond of weight, or a byte, may cost: a call of a millisecond costs one VARA then.
const DEAREST: Balance = UNITS / 1_000;
/// The longest window of governance, in days.
const LONGEST_WINDOW: u32 = 366;

/// Whether a deposit can be held, and somebody can pay it.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn check_deposit(deposit: Balance) -> Result<(), &'static str> {
    if !(EXISTENTIAL_DEPOSIT..=LARGEST_DEPOSIT).contains(&deposit) {
        return Err("a deposit is not below the existential deposit, nor above 1,000,000 VARA");
    }
    Ok(())
}

macro_rules! rules {
    ($($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_doc:meta])* pub $field:ident: $type:ty = $first:expr,)* })*) => {$(
        $(#[$doc])*
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
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $first,)* }
            }
        }
    )*};
}

rules! {
    /// What is held of an account as long as something of it is kept, in VARA's base units.
    pub struct Deposits {
        /// For a preimage, whatever its length.
        pub preimage_base: Balance = UNITS,
        /// For each byte of a preimage.
        pub preimage_byte: Balance = UNITS / 1_000,
        /// For a referendum, from its submission on.
        pub submission: Balance = 10 * UNITS,
        /// For the binding of an operator to its Ethereum address.
        pub operator: Balance = 100 * UNITS,
        /// For a validator's session keys.
        pub session_keys: Balance = UNITS,
    }

    /// Windows of governance, in days, and what spenders may spend, in VARA's base units.
    pub struct Governance {
        /// For how long a vote's VARA stays locked, for each step of conviction.
        pub vote_locking: u32 = 7,
        /// How long a referendum may wait to be decided.
        pub undeciding: u32 = 14,
        /// How long the technical committee may vote on a motion.
        pub motion: u32 = 7,
        /// How long a whitelisted call may wait to be dispatched.
        pub whitelisting: u32 = 7,
        /// How long a payment of the treasury can be claimed.
        pub treasury_payout: u32 = 30,
        /// How often the treasury's books are closed.
        pub treasury_period: u32 = 7,
        /// The most that the track `small_spender` may spend at a time.
        pub small_spend: Balance = 10_000 * UNITS,
        /// The most that the track `big_spender` may spend at a time.
        pub big_spend: Balance = 1_000_000 * UNITS,
    }

    /// What transactions on this chain cost, in VARA's base units.
    pub struct Fees {
        /// A byte of a transaction.
        pub per_byte: Balance = 1,
        /// A microsecond of a transaction's weight.
        pub per_microsecond: Balance = 1_000_000,
    }

    /// Staking's values that none of its calls sets.
    pub struct StakingRules {
        /// Validators below which an election does not count: the old ones stay.
        pub minimum_validators: u32 = 1,
        /// The share of a slash that who reported the offence gets, at most.
        pub reporter_reward: Perbill = Perbill::from_percent(10),
        /// The share of a slash that who applies it to a pool's member gets.
        pub pool_slash_reward: Perbill = Perbill::from_percent(1),
    }
}

impl Deposits {
    /// What keeps these from being used.
    ///
    /// # Errors
    ///
    /// A deposit that is no balance, or that nobody can pay.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.preimage_byte > UNITS {
            return Err("a byte of a preimage holds one VARA at most");
        }
        [
            self.preimage_base,
            self.submission,
            self.operator,
            self.session_keys,
        ]
        .into_iter()
        .try_for_each(check_deposit)
    }
}

impl Governance {
    /// What keeps these from being used.
    ///
    /// # Errors
    ///
    /// A window that is shut, or has no end; a small spender who may spend more than a big one.
    pub fn check(&self) -> Result<(), &'static str> {
        let windows = [
            self.vote_locking,
            self.undeciding,
            self.motion,
            self.whitelisting,
            self.treasury_payout,
            self.treasury_period,
        ];
        if !windows
            .iter()
            .all(|days| (1..=LONGEST_WINDOW).contains(days))
        {
            return Err("windows of governance are 1 to 366 days");
        }
        if self.small_spend > self.big_spend {
            return Err("a small spender may not spend more than a big one");
        }
        Ok(())
    }
}

impl Fees {
    /// What keeps these from being used.
    ///
    /// # Errors
    ///
    /// Transactions that cost nothing, or more than anybody can pay.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.per_microsecond == 0 {
            return Err("transactions that cost nothing would fill every block");
        }
        if self.per_byte > DEAREST || self.per_microsecond > DEAREST {
            return Err("a byte, and a microsecond, cost 0.001 VARA at most");
        }
        Ok(())
    }
}

impl StakingRules {
    /// What is in force: two of the values are Staking's own.
    pub(super) fn in_force() -> Self {
        Self {
            minimum_validators: MinimumValidatorCount::<Runtime>::get(),
            reporter_reward: SlashRewardFraction::<Runtime>::get(),
            pool_slash_reward: in_force::PoolSlashReward::<Runtime>::get(),
        }
    }

    /// Puts them in force.
    pub(super) fn apply(self) {
        MinimumValidatorCount::<Runtime>::put(self.minimum_validators);
        SlashRewardFraction::<Runtime>::put(self.reporter_reward);
        in_force::PoolSlashReward::<Runtime>::put(self.pool_slash_reward);
    }

    /// What keeps these from being used.
    ///
    /// # Errors
    ///
    /// More validators than there are: if no election counted, no era would begin, and nothing could change it. Slashes that
    /// cost who is slashed little, because he takes the reward himself.
    pub fn check(&self) -> Result<(), &'static str> {
        let now = Validators::<Runtime>::decode_len().unwrap_or_default() as u32;
        if !(1..=now.max(1)).contains(&self.minimum_validators) {
            return Err("no more validators are needed than there are, and at least one");
        }
        let most = Perbill::from_percent(50);
        if self.reporter_reward > most || self.pool_slash_reward > most {
            return Err("half of a slash, at most, rewards somebody");
        }
        Ok(())
    }
}

/// Gives pallets what is in force.
macro_rules! give {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $value:expr;)*) => {$(
        $(#[$doc])*
        pub struct $name;

        impl Get<$type> for $name {
            fn get() -> $type {
                $value
            }
        }
    )*};
}

fn deposits() -> Deposits {
    in_force::Deposits::<Runtime>::get()
}

/// One of the windows of governance, in blocks.
fn window(days: impl FnOnce(Governance) -> u32) -> u32 {
    let day = pace::InForce::<Runtime>::get().day;
    days(in_force::Governance::<Runtime>::get()).saturating_mul(day)
}

give! {
    /// Deposit for a preimage, whatever its length.
    PreimageBase: Balance = deposits().preimage_base;
    /// Deposit for each byte of a preimage.
    PreimageByte: Balance = deposits().preimage_byte;
    /// Deposit for a referendum.
    SubmissionDeposit: Balance = deposits().submission;
    /// Deposit of an operator.
    OperatorDeposit: Balance = deposits().operator;
    /// Deposit for session keys.
    KeyDeposit: Balance = deposits().session_keys;
    /// Blocks for which a vote's VARA stays locked, for each step of conviction.
    VoteLocking: u32 = window(|days| days.vote_locking);
    /// Blocks for which a referendum may wait to be decided.
    Undeciding: u32 = window(|days| days.undeciding);
    /// Blocks for which the technical committee may vote on a motion.
    Motion: u32 = window(|days| days.motion);
    /// Blocks for which a whitelisted call may wait to be dispatched.
    Whitelisting: u32 = window(|days| days.whitelisting);
    /// Blocks for which a payment of the treasury can be claimed.
    TreasuryPayout: u32 = window(|days| days.treasury_payout);
    /// Blocks after which the treasury's books are closed.
    TreasuryPeriod: u32 = window(|days| days.treasury_period);
    /// The share of a slash that who applies it to a pool's member gets.
    PoolSlashReward: Perbill = in_force::PoolSlashReward::<Runtime>::get();
}

/// What a transaction's bytes cost: their number is given as the time of a weight.
pub struct LengthFee;

impl WeightToFee for LengthFee {
    type Balance = Balance;

    fn weight_to_fee(length: &Weight) -> Balance {
        let price = in_force::Fees::<Runtime>::get().per_byte;
        price.saturating_mul(length.ref_time().into())
    }
}

/// What a transaction's weight costs. A unit of its time is a picosecond.
pub struct WeightFee;

impl WeightToFee for WeightFee {
    type Balance = Balance;

    fn weight_to_fee(weight: &Weight) -> Balance {
        let price = in_force::Fees::<Runtime>::get().per_microsecond;
        price.saturating_mul(weight.ref_time().into()) / 1_000_000
    }
}
