//! # Rewards
//!
//! What programs pay (gas and settlement, in wVARA) goes to those who secure the network: validators, stakers of VARA, and
//! stakers of ETH, by governed shares.
//!
//! **Income.** What programs have paid is known from batches that are final on Ethereum. When an era ends, its income is
//! what they have paid since the end of the era before, and what that left.
//!
//! **Division** (`eras.rs`). Among validators by Staking's reward points of the era:
//!
//! * a validator gets `validators share × income × points ÷ all points`, credited at once;
//! * for the VARA behind it, `pot = VARA share × income × points ÷ all points` is set aside. Of that the validator takes
//!   its commission (the one that it had in that era, see `staking.erasValidatorPrefs`) first: `commission × pot`; the rest
//!   is shared by stake, the validator's own included: `(pot − commission × pot) × stake ÷ all stake behind the validator`.
//!   So commission is what a validator asks of its nominators, for wVARA as for VARA, and does not touch the other parts;
//! * a vault on Ethereum gets, of the ETH share of the income, the part that `weight of its operator's stake × points of the
//!   validator` is of the sum over all, divided among the operator's vaults by what each weighs. A stake that is small gets
//!   little, and a validator that did nothing earns nothing for its vaults. Where no ETH has counted, the ETH share is
//!   added to that of VARA.
//!
//! All divisions round down. What rounding, shares that do not add up to one, and eras without points leave is income of the
//! next era.
//!
//! **VARA stakers** (`pages.rs`) are credited page by page of Staking's exposure, by a call that anybody may send. Pages that
//! nobody pays for a long time return to the income.
//!
//! **Claims** (`claims.rs`). A credit is turned into a leaf for an Ethereum address. When the era ends, the root over its
//! leaves goes to Ethereum in an outbox item, and `Middleware.claimOperatorReward` pays whoever is in a leaf.
//!
//! **What is sent** (`fates.rs`) can be skipped by the Router: if no Middleware is set, or it refuses the item. Each item is
//! noted until validators have said whether it was taken. Claims that were skipped are sent again when the era that runs ends,
//! which pays nothing twice: the Middleware takes the claims of an era once. What vaults did not get returns to the income.
//! Governance can say so, too, and then claims are sent again at once. Claims and vaults never share an item, so that a vault
//! that the Middleware refuses holds up no claim.
//!
//! **Pools** (`pools.rs`). A pool's stake is held by an account without a key. What it earns goes to the pool's members, by
//! their points when the page is paid, after the pool's commission. Each member's share becomes its credit when its points
//! change, when it claims, or when anybody asks for it.

#![cfg_attr(not(feature = "std"), no_std)]
// FRAME's macros name in full what is in scope already.
#![allow(unused_qualifications)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod claims;
mod eras;
mod fates;
#[cfg(test)]
mod mock;
mod pages;
mod pools;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;

pub use pallet::*;
pub use pools::PARTS;
pub use types::*;
pub use weights::WeightInfo;

use polkadot_sdk::{frame_support, frame_system};

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;
    use gear_exe_primitives::{H160, H256, outbox::VaultReward, rewards::RewardClaim};

    /// Version of the storage's layout. There is none before it.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);
    /// Pages of stakers behind one validator that can be paid.
    pub const MAX_PAGES: u32 = 64;
    /// Items of claims that wait at a time to be sent again. Of more than that it is not asked whether they were taken.
    pub const MAX_WAITING: u32 = 64;

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: polkadot_sdk::frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// Collateral on Ethereum.
        type Collateral: Collateral<Self::AccountId>;
        /// Time on Ethereum.
        type Ethereum: Ethereum;
        /// Who may say that the Router has skipped an item.
        type GovernanceOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Eras after its end for which stakers of an era can be paid. What is not paid then returns to the income.
        #[pallet::constant]
        type HistoryDepth: Get<EraIndex>;
        /// What programs have paid.
        type Income: Income;
        /// Greatest number of addresses that can be claimed for in an era.
        #[pallet::constant]
        type MaxClaims: Get<u32>;
        /// Greatest number of stakers in a page.
        #[pallet::constant]
        type MaxPageSize: Get<u32>;
        /// Where commitments for Ethereum go.
        type Outbox: Outbox;
        /// Who gets which part.
        type Parameters: Get<RewardsParameters>;
        /// Who is credited for a staker, and who is in which pool.
        type Payees: Payees<Self::AccountId>;
        /// Eras for which claims are kept, so that they can be proven. No less than `HistoryDepth`.
        #[pallet::constant]
        type ProofDepth: Get<EraIndex>;
        /// Validators and stakers of VARA.
        type Staking: Staking<Self::AccountId>;
        /// What calls cost.
        type WeightInfo: WeightInfo;
    }

    /// What programs had paid when the last era ended, in wVARA base units.
    #[pallet::storage]
    pub type LastSpent<T> = StorageValue<_, u128, ValueQuery>;

    /// All income there ever was, in wVARA base units. It is carried, credited, kept for members of pools, claimed, set
    /// aside, or sent.
    #[pallet::storage]
    pub type Taken<T> = StorageValue<_, u128, ValueQuery>;

    /// Income that is not divided yet, in wVARA base units: it belongs to the next era.
    #[pallet::storage]
    pub type Carried<T> = StorageValue<_, u128, ValueQuery>;

    /// All that was sent to Ethereum, in wVARA base units.
    #[pallet::storage]
    pub type Emitted<T> = StorageValue<_, u128, ValueQuery>;

    /// The era that runs, as this pallet has seen.
    #[pallet::storage]
    pub type SeenEra<T> = StorageValue<_, EraIndex, OptionQuery>;

    /// The oldest era of which pots and vaults' items may be kept.
    #[pallet::storage]
    pub type FirstKept<T> = StorageValue<_, EraIndex, ValueQuery>;

    /// The oldest era of which claims and their item may be kept.
    #[pallet::storage]
    pub type FirstTree<T> = StorageValue<_, EraIndex, ValueQuery>;

    /// How the income of past eras was divided.
    #[pallet::storage]
    pub type Divisions<T> = StorageMap<_, Twox64Concat, EraIndex, Division, OptionQuery>;

    /// What is set aside for the stakers of VARA behind a validator in an era, until `payStakers` has credited all pages.
    #[pallet::storage]
    pub type Pots<T: Config> =
        StorageDoubleMap<_, Twox64Concat, EraIndex, Twox64Concat, T::AccountId, Pot, OptionQuery>;

    /// What accounts have earned and not claimed, in wVARA base units. It stays until it is claimed.
    #[pallet::storage]
    pub type Credits<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, u128, ValueQuery>;

    /// What pools have earned for their members: what a point has earned since the pool was founded (`perPoint`, wVARA base
    /// units times 10^18), and what is kept for members that were not credited yet (`left`, wVARA base units).
    #[pallet::storage]
    pub type PoolShares<T> = StorageMap<_, Twox64Concat, PoolId, PoolShare, OptionQuery>;

    /// Up to where members of pools were credited: a member is owed `points × (perPoint of its pool − perPoint here) ÷ 10^18`
    /// wVARA base units. Who has no mark was credited nothing yet, and has been there since the pool earned something first.
    #[pallet::storage]
    pub type MemberMarks<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, MemberMark, OptionQuery>;

    /// What was claimed in the era that runs, by ascending address.
    #[pallet::storage]
    pub type Claims<T: Config> = StorageValue<_, BoundedVec<RewardClaim, T::MaxClaims>, ValueQuery>;

    /// What was claimed in past eras: the leaves under the roots on Ethereum.
    #[pallet::storage]
    pub type Trees<T: Config> =
        StorageMap<_, Twox64Concat, EraIndex, Tree<T::MaxClaims>, OptionQuery>;

    /// What was sent to Ethereum and is not known to be taken, by era and number of the outbox item.
    #[pallet::storage]
    pub type Items<T> =
        StorageDoubleMap<_, Twox64Concat, EraIndex, Twox64Concat, u64, Sent, OptionQuery>;

    /// One of the vaults of such an item, with all that it gets in the era: there it is seen whether the item was taken.
    #[pallet::storage]
    pub type Marks<T> =
        StorageDoubleMap<_, Twox64Concat, EraIndex, Twox64Concat, u64, VaultReward, OptionQuery>;

    /// Items of claims that the Router has skipped, oldest first: they are sent again when the era that runs ends.
    #[pallet::storage]
    pub type Waiting<T> =
        StorageValue<_, BoundedVec<(EraIndex, u64), ConstU32<MAX_WAITING>>, ValueQuery>;

    /// How many of them are sent again in the next blocks, one in each.
    #[pallet::storage]
    pub type Again<T> = StorageValue<_, u32, ValueQuery>;

    /// Nothing is asked of the genesis: what programs had paid before it is nobody's income here.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Marker.
        #[serde(skip)]
        pub _config: PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            LastSpent::<T>::put(T::Income::spent());
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An era has ended, and its income is divided.
        EraDivided {
            /// The era.
            era: EraIndex,
            /// How, in wVARA base units.
            division: Division,
        },
        /// Somebody has earned wVARA. `claim` takes it to Ethereum.
        Credited {
            /// The era in which it was earned.
            era: EraIndex,
            /// Who has earned it.
            staker: T::AccountId,
            /// Who may claim it: the staker, or whom a pool pays its commission.
            account: T::AccountId,
            /// wVARA base units.
            amount: u128,
        },
        /// A pool has earned wVARA for its members, its commission taken off. Each gets its share by its points now: with
        /// its next call about the pool, with `claim`, or when anybody sends `claimPoolShare`.
        PoolEarned {
            /// The era in which it was earned.
            era: EraIndex,
            /// The pool.
            pool: PoolId,
            /// The points of all its members.
            points: u128,
            /// wVARA base units.
            amount: u128,
        },
        /// A member of a pool was credited its share of what the pool has earned. `claim` takes it to Ethereum.
        ShareCredited {
            /// The pool.
            pool: PoolId,
            /// The member.
            member: T::AccountId,
            /// wVARA base units.
            amount: u128,
        },
        /// A pool is no more. What rounding has left of its members' shares has returned to the income.
        PoolGone {
            /// The pool.
            pool: PoolId,
            /// wVARA base units.
            amount: u128,
        },
        /// A page of the stakers behind a validator is credited.
        PagePaid {
            /// The era.
            era: EraIndex,
            /// The validator.
            validator: T::AccountId,
            /// Number of the page.
            page: u32,
            /// What was credited, in wVARA base units.
            amount: u128,
        },
        /// A credit was turned into a claim for an Ethereum address.
        Claimed {
            /// Whose credit.
            account: T::AccountId,
            /// Who can take it on Ethereum when the era is over and its item settled.
            to: H160,
            /// wVARA base units.
            amount: u128,
            /// The era with whose claims it goes to Ethereum. (A later one, if the chain knows no time of Ethereum then.)
            era: EraIndex,
        },
        /// The claims of an era are in the outbox: the next batch carries them to Ethereum.
        ClaimsSent {
            /// The era.
            era: EraIndex,
            /// Number of the outbox item.
            item: u64,
            /// Root over the claims.
            root: H256,
            /// Number of claims.
            count: u32,
            /// wVARA base units.
            amount: u128,
        },
        /// Rewards of vaults are in the outbox.
        VaultsSent {
            /// The era.
            era: EraIndex,
            /// Number of the outbox item.
            item: u64,
            /// Number of vaults.
            count: u32,
            /// wVARA base units.
            amount: u128,
        },
        /// What was set aside for stakers of an era has returned to the income, because nobody has paid it for as long as
        /// it could be.
        Returned {
            /// The era.
            era: EraIndex,
            /// wVARA base units.
            amount: u128,
        },
        /// The Router has skipped an item, as validators or governance say.
        SkipNoted {
            /// The era.
            era: EraIndex,
            /// Number of the outbox item.
            item: u64,
            /// Number of the item in which claims were sent again. Nothing: what vaults did not get has returned to the
            /// income.
            again: Option<u64>,
        },
        /// The Middleware has taken an item, as validators say.
        Taken {
            /// The era.
            era: EraIndex,
            /// Number of the outbox item.
            item: u64,
            /// wVARA base units.
            amount: u128,
        },
        /// The Router has skipped claims, as validators say. They are sent again when the era that runs ends.
        ClaimsWait {
            /// The era of the claims.
            era: EraIndex,
            /// Number of the outbox item.
            item: u64,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// Nothing is set aside for the stakers of that validator in that era: the era is not over or too old, the
        /// validator has earned no points, there was no income, or all pages are paid.
        NothingToPay,
        /// The validator had no such page of stakers in that era.
        NoSuchPage,
        /// The page is paid.
        AlreadyPaid,
        /// The account has no credit, nor a share of what its pool has earned.
        NothingToClaim,
        /// The account is in no pool, or its pool has earned nothing for it since it was credited last, or it has unbonded
        /// all its points.
        NoPoolShare,
        /// The credit is less than can be claimed at a time. It stays, and more will come to it.
        BelowMinimum,
        /// Nobody has the zero address.
        ZeroAddress,
        /// As many addresses as can be are claimed for in this era. Claim in the next one.
        TooManyClaims,
        /// There is no such item of that era, or it was noted before, or the Middleware has taken it, or it is too old.
        UnknownItem,
        /// The item is not in a final Ethereum block yet.
        NotSettled,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(
                T::ProofDepth::get() >= T::HistoryDepth::get(),
                "claims can be sent again as long as their item is known"
            );
            assert!(
                RewardsParameters::default().is_sound(),
                "no more is given than there is"
            );
        }

        fn on_initialize(_: BlockNumberFor<T>) -> Weight {
            match T::Staking::active() {
                Some(era) if SeenEra::<T>::get() != Some(era) => Self::turn(era),
                Some(era) => Self::send_waiting(era).saturating_add(Self::forget(era)),
                None => T::WeightInfo::on_initialize(),
            }
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(
            _: BlockNumberFor<T>,
        ) -> Result<(), polkadot_sdk::sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Credits a page of those whose VARA stood behind a validator in an era that is over; the validator with its
        /// commission and its own stake's part, with the first page that is paid. What a pool has earned is shared by the
        /// points that its members have now, after the pool's commission. Anybody may send it; each page is paid once.
        /// Pages that nobody pays within `HistoryDepth` eras are lost to their stakers: what was set aside for them becomes
        /// income of the network again.
        ///
        /// - `validator`: the validator.
        /// - `era`: the era; see `rewards.pots`.
        /// - `page`: number of the page: from 0 to below `staking.erasStakersOverview(era, validator).pageCount`; 0 if the
        ///   validator had no nominators.
        #[pallet::call_index(0)]
        #[pallet::weight(
            T::WeightInfo::pay_stakers(0, T::MaxPageSize::get())
                .max(T::WeightInfo::pay_stakers(T::MaxPageSize::get(), 0))
        )]
        pub fn pay_stakers(
            origin: OriginFor<T>,
            validator: T::AccountId,
            era: EraIndex,
            page: u32,
        ) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            let (stakers, pools) = Self::do_pay(validator, era, page)?;
            Ok(Some(T::WeightInfo::pay_stakers(stakers, pools)).into())
        }

        /// Claims all wVARA that this account has earned, its share of what its pool has earned included, for an Ethereum
        /// address. It goes to Ethereum with the claims of this era when that ends. Then anybody may call
        /// `Middleware.claimOperatorReward` there with what the runtime call `rewardsApi.proof(era, to)` answers, and the
        /// address is paid.
        ///
        /// - `to`: who gets it on Ethereum. Take care: nobody can give it back.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::claim())]
        pub fn claim(origin: OriginFor<T>, to: H160) -> DispatchResult {
            let account = ensure_signed(origin)?;
            Self::do_claim(account, to)
        }

        /// Says that the Router has skipped an item, as its event `OutboxItemSkipped` shows. Claims are sent again at once:
        /// the Middleware takes the claims of an era once, so that nothing is paid twice. What vaults did not get becomes
        /// income of the next era. Validators find out by themselves; this is for claims that cannot wait for the end of
        /// the era, and for what is not seen after the Router was given another Middleware.
        ///
        /// - `era`: the era of the item.
        /// - `item`: number of the outbox item: see `rewards.items`.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::note_skipped())]
        pub fn note_skipped(origin: OriginFor<T>, era: EraIndex, item: u64) -> DispatchResult {
            T::GovernanceOrigin::ensure_origin(origin)?;
            Self::do_note_skipped(era, item)
        }

        /// Credits a member of a pool its share of what the pool has earned in wVARA since the member was credited last.
        /// Anybody may send it, for anybody. It is seldom needed: the pools' own calls about a member do the same, and so does
        /// `claim`. `rewardsApi.poolShare(member)` says how much there is.
        ///
        /// - `member`: the member. The credit is its own: `rewards.credits(member)`.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::claim_pool_share())]
        pub fn claim_pool_share(origin: OriginFor<T>, member: T::AccountId) -> DispatchResult {
            ensure_signed(origin)?;
            ensure!(Self::settle_member(&member) > 0, Error::<T>::NoPoolShare);
            Ok(())
        }
    }
}
