//! A runtime with the real staking, session and bags list around this pallet, and collateral that a test invents.

use crate::{self as pallet_validator_election, DualElection, Event};
use polkadot_sdk::{
    frame_election_provider_support::{
        NposSolver, SequentialPhragmen, VoteWeight,
        bounds::{ElectionBounds, ElectionBoundsBuilder},
    },
    frame_support::{
        self, derive_impl, parameter_types,
        traits::{ConstU32, ConstU64, ConstU128, OneSessionHandler},
    },
    frame_system::{self, EnsureRoot},
    pallet_bags_list, pallet_balances, pallet_session, pallet_staking, pallet_timestamp,
    sp_io::TestExternalities,
    sp_npos_elections::{self, ElectionResult},
    sp_runtime::{
        BoundToRuntimeAppPublic, BuildStorage, Perbill, impl_opaque_keys, testing::UintAuthorityId,
        traits::ConvertInto,
    },
    sp_staking,
};
use std::collections::BTreeMap;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Timestamp: pallet_timestamp,
        Balances: pallet_balances,
        Staking: pallet_staking,
        Session: pallet_session,
        VoterList: pallet_bags_list,
        ValidatorElection: pallet_validator_election,
    }
);

pub type AccountId = u64;
pub type Balance = u128;

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type AccountData = pallet_balances::AccountData<Balance>;
    type Block = frame_system::mocking::MockBlock<Test>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = ConstU128<1>;
}

impl pallet_timestamp::Config for Test {
    type MinimumPeriod = ConstU64<5>;
    type Moment = u64;
    type OnTimestampSet = ();
    type WeightInfo = ();
}

/// A session key without use.
pub struct Nobody;

impl BoundToRuntimeAppPublic for Nobody {
    type Public = UintAuthorityId;
}

impl OneSessionHandler<AccountId> for Nobody {
    type Key = UintAuthorityId;

    fn on_genesis_session<'a, I>(_: I)
    where
        I: Iterator<Item = (&'a AccountId, Self::Key)> + 'a,
    {
    }

    /// The weights of the validators at the place where settlement asks for them.
    fn on_new_session<'a, I>(_: bool, validators: I, _: I)
    where
        I: Iterator<Item = (&'a AccountId, Self::Key)> + 'a,
    {
        let validators: Vec<_> = validators.map(|(account, _)| *account).collect();
        let weights = ValidatorElection::settlement_weights(&validators);
        SetWeights::set(validators.into_iter().zip(weights).collect());
    }

    fn on_disabled(_: u32) {}
}

impl_opaque_keys! {
    pub struct SessionKeys {
        pub nobody: Nobody,
    }
}

type Periods = pallet_session::PeriodicSessions<ConstU64<5>, ConstU64<0>>;

impl pallet_session::Config for Test {
    type Currency = Balances;
    type DisablingStrategy = ();
    type KeyDeposit = ();
    type Keys = SessionKeys;
    type NextSessionRotation = Periods;
    type RuntimeEvent = RuntimeEvent;
    type SessionHandler = (Nobody,);
    type SessionManager = Staking;
    type ShouldEndSession = Periods;
    type ValidatorId = AccountId;
    type ValidatorIdOf = ConvertInto;
    type WeightInfo = ();
}

parameter_types! {
    pub static Thresholds: &'static [VoteWeight] = &[10, 100, 1_000, 10_000];
    pub static Bounds: ElectionBounds = ElectionBoundsBuilder::default()
        .voters_count(1_000.into())
        .targets_count(100.into())
        .build();
    pub static MaxBackers: u32 = 64;
    /// What each operator's collateral weighs, in every era.
    pub static Collateral: BTreeMap<AccountId, u128> = BTreeMap::new();
    /// How many solutions fail from now on.
    pub static Failures: u32 = 0;
    /// The settlement set of the session.
    pub static SetWeights: Vec<(AccountId, u64)> = Vec::new();
}

impl pallet_bags_list::Config for Test {
    type BagThresholds = Thresholds;
    type MaxAutoRebagPerBlock = ();
    type RuntimeEvent = RuntimeEvent;
    type Score = VoteWeight;
    type ScoreProvider = Staking;
    type WeightInfo = ();
}

/// No inflation.
pub struct NoPayout;

impl sp_staking::EraPayout<Balance> for NoPayout {
    fn era_payout(_: Balance, _: Balance, _: u64) -> (Balance, Balance) {
        (0, 0)
    }
}

#[derive_impl(pallet_staking::config_preludes::TestDefaultConfig)]
impl pallet_staking::Config for Test {
    type AdminOrigin = EnsureRoot<AccountId>;
    type Currency = Balances;
    type ElectionProvider = DualElection<Test>;
    type EraPayout = NoPayout;
    type GenesisElectionProvider = DualElection<Test>;
    type NextNewSession = Session;
    type OldCurrency = Balances;
    type TargetList = pallet_staking::UseValidatorsMap<Self>;
    type UnixTime = Timestamp;
    type VoterList = VoterList;
}

/// Sequential Phragmén that fails when a test wants it to.
pub struct Solver;

type Phragmen = SequentialPhragmen<AccountId, Perbill>;

impl NposSolver for Solver {
    type AccountId = AccountId;
    type Accuracy = Perbill;
    type Error = sp_npos_elections::Error;

    fn solve(
        to_elect: usize,
        targets: Vec<AccountId>,
        voters: Vec<(
            AccountId,
            VoteWeight,
            impl Clone + IntoIterator<Item = AccountId>,
        )>,
    ) -> Result<ElectionResult<AccountId, Perbill>, Self::Error> {
        if Failures::get() > 0 {
            Failures::mutate(|failures| *failures -= 1);
            return Err(sp_npos_elections::Error::ArithmeticError);
        }
        Phragmen::solve(to_elect, targets, voters)
    }

    fn weight<T: polkadot_sdk::frame_election_provider_support::WeightInfo>(
        voters: u32,
        targets: u32,
        degree: u32,
    ) -> frame_support::weights::Weight {
        Phragmen::weight::<T>(voters, targets, degree)
    }
}

pub struct Around;

impl crate::Restaking<AccountId> for Around {
    fn stakes(_: u32) -> Vec<(AccountId, u128)> {
        Collateral::get().into_iter().collect()
    }
}

impl crate::Eras for Around {
    fn electing() -> u32 {
        pallet_staking::CurrentEra::<Test>::get().map_or(0, |era| era + 1)
    }

    fn active() -> Option<u32> {
        pallet_staking::ActiveEra::<Test>::get().map(|era| era.index)
    }
}

impl crate::Config for Test {
    type Bounds = Bounds;
    type DataProvider = Staking;
    type Eras = Around;
    type GovernanceOrigin = EnsureRoot<AccountId>;
    type HistoryDepth = ConstU32<4>;
    type MaxBackersPerWinner = MaxBackers;
    type MaxWinners = ConstU32<20>;
    type Restaking = Around;
    type Solver = Solver;
    type SolverWeightInfo = ();
    type WeightInfo = ();
}

/// One unit of collateral.
pub const ETH: u128 = 1_000_000_000_000_000_000;

/// Candidates with their own stake.
pub const CANDIDATES: [(AccountId, Balance); 5] =
    [(11, 1_000), (21, 1_000), (31, 500), (41, 400), (51, 300)];
/// A nominator of 11 and 21.
pub const NOMINATOR: AccountId = 101;

pub fn active_era() -> u32 {
    <Around as crate::Eras>::active().unwrap()
}

/// Goes on to this block.
pub fn run_to_block(number: u64) {
    System::run_to_block_with::<AllPalletsWithSystem>(
        number,
        frame_system::RunToBlockHooks::default().after_initialize(|number| {
            Timestamp::set_timestamp(number * 1_000);
        }),
    );
    check();
}

/// Goes on until the next era is active.
pub fn next_era() -> u32 {
    let before = active_era();
    for _ in 0..100 {
        run_to_block(System::block_number() + 1);
        if active_era() > before {
            return active_era();
        }
    }
    panic!("era {before} does not end");
}

/// Goes on for three sessions, whether the era ends or not.
pub fn three_sessions() {
    run_to_block(System::block_number() + 15);
}

pub fn validators() -> Vec<AccountId> {
    let mut validators = Session::validators();
    validators.sort();
    validators
}

/// What staking says of a validator in the active era.
pub fn staking_exposure(validator: AccountId) -> sp_staking::PagedExposureMetadata<Balance> {
    pallet_staking::ErasStakersOverview::<Test>::get(active_era(), validator).unwrap()
}

pub fn check() {
    ValidatorElection::do_try_state().unwrap();
}

/// The pallet's events.
pub fn events() -> Vec<Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::ValidatorElection(event) => Some(event),
            _ => None,
        })
        .collect()
}

/// Two of five candidates are to be elected; block 1.
pub fn new_test_ext() -> TestExternalities {
    Bounds::set(
        ElectionBoundsBuilder::default()
            .voters_count(1_000.into())
            .targets_count(100.into())
            .build(),
    );
    MaxBackers::set(64);
    Collateral::set(BTreeMap::new());
    Failures::set(0);
    SetWeights::set(Vec::new());
    let accounts = CANDIDATES
        .iter()
        .map(|(account, _)| *account)
        .chain([NOMINATOR]);
    let mut stakers: Vec<_> = CANDIDATES
        .iter()
        .map(|(account, stake)| {
            let status = pallet_staking::StakerStatus::Validator;
            (*account, *account, *stake, status)
        })
        .collect();
    let nominates = pallet_staking::StakerStatus::Nominator(vec![11, 21]);
    stakers.push((NOMINATOR, NOMINATOR, 500, nominates));
    let keys = |account: AccountId| SessionKeys {
        nobody: UintAuthorityId(account),
    };
    let storage = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: accounts.map(|account| (account, 10_000)).collect(),
            ..Default::default()
        },
        staking: pallet_staking::GenesisConfig {
            stakers,
            validator_count: 2,
            minimum_validator_count: 1,
            ..Default::default()
        },
        session: pallet_session::GenesisConfig {
            keys: CANDIDATES
                .iter()
                .map(|(account, _)| (*account, *account, keys(*account)))
                .collect(),
            ..Default::default()
        },
        ..Default::default()
    }
    .build_storage()
    .unwrap();
    let mut externalities = TestExternalities::new(storage);
    externalities.execute_with(|| run_to_block(1));
    externalities
}

/// Runs a test, and checks the state that it leaves.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        check();
    });
}
