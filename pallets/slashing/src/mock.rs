//! A runtime with real staking: Staking, Session, Historical, Offences, Balances, and this pallet in front of them. Ten
//! validators with equal bonds, two nominators; nine of the validators have an Ethereum address. Blocks take 6 seconds,
//! sessions 5 blocks, eras 3 sessions.

use crate::{self as pallet_slashing, *};
use frame_support::{
    derive_impl, parameter_types,
    traits::{
        ConstBool, ConstU32, ConstU64, ConstU128, EitherOfDiverse, Get, KeyOwnerProofSystem,
        OneSessionHandler, tokens::imbalance::ResolveTo,
    },
};
use frame_system::{EnsureRoot, EnsureSignedBy, RawOrigin};
use gear_exe_primitives::{
    H160, H256,
    batch::{BatchHeader, RouterDomain},
    certificate::{Certificate, PromiseStatement, RoundStatement, SignedPromise},
    ethereum::BlockId,
    evidence::{DoubleSign, OnFault, SealStatement, SignedStatement},
    faults::{BrokenPromise, RoundSignature, TwoPromises, TwoRounds, WrongRound},
    host,
    quorum::{self, Member},
    signature::{CompactSignature, address_of_secret},
    vote::EmptyBatch,
};
use polkadot_sdk::{
    frame_election_provider_support::{
        SequentialPhragmen,
        bounds::{ElectionBounds, ElectionBoundsBuilder},
        onchain,
    },
    frame_support::{self, ord_parameter_types},
    frame_system, pallet_balances, pallet_offences,
    pallet_session::{self, historical},
    pallet_staking, pallet_timestamp,
    sp_application_crypto::RuntimeAppPublic,
    sp_consensus_aura::{
        digests::CompatibleDigestItem,
        sr25519::{AuthorityId as AuraId, AuthoritySignature},
    },
    sp_consensus_slots::{EquivocationProof, Slot},
    sp_core::{Pair, ecdsa, sr25519},
    sp_io::TestExternalities,
    sp_runtime::{
        self, BoundToRuntimeAppPublic, BuildStorage, Digest, DigestItem, DispatchResult, Perbill,
        generic,
        traits::{BlakeTwo256, ConvertInto, OpaqueKeys},
    },
    sp_session::MembershipProof,
    sp_staking::{
        EraIndex, SessionIndex,
        offence::{Kind, Offence, OffenceError, ReportOffence},
    },
};
use std::collections::BTreeMap;

mod acts;
pub use acts::*;

pub type AccountId = u64;
pub type Header = generic::Header<u64, BlakeTwo256>;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Timestamp: pallet_timestamp,
        Balances: pallet_balances,
        Staking: pallet_staking,
        Session: pallet_session,
        Historical: historical,
        Offences: pallet_offences,
        Slashing: pallet_slashing,
    }
);

pub const VALIDATORS: u64 = 10;
pub const STAKE: u128 = 100_000;
pub const TREASURY: AccountId = 99;
pub const REPORTER: AccountId = 50;
pub const CANCELLER: AccountId = 60;
/// Time at block zero, in seconds.
pub const START: u64 = 1_000_000;
pub const BLOCK_SECONDS: u64 = 6;
pub const SESSION: u64 = 5;
pub const ERA: u64 = 15;

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type AccountData = pallet_balances::AccountData<u128>;
    type Block = frame_system::mocking::MockBlock<Test>;
}

impl pallet_timestamp::Config for Test {
    type MinimumPeriod = ConstU64<5>;
    type Moment = u64;
    type OnTimestampSet = ();
    type WeightInfo = ();
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type AccountStore = System;
    type Balance = u128;
    type ExistentialDeposit = ConstU128<1>;
}

sp_runtime::impl_opaque_keys! {
    pub struct SessionKeys {
        pub aura: AuraKeys,
        pub ethereum: EthereumKeys,
    }
}

/// Takes Aura's keys.
pub struct AuraKeys;

impl BoundToRuntimeAppPublic for AuraKeys {
    type Public = AuraId;
}

impl OneSessionHandler<AccountId> for AuraKeys {
    type Key = AuraId;

    fn on_genesis_session<'a, I: 'a + Iterator<Item = (&'a AccountId, AuraId)>>(_: I) {}

    fn on_new_session<'a, I: 'a + Iterator<Item = (&'a AccountId, AuraId)>>(_: bool, _: I, _: I) {}

    fn on_disabled(_: u32) {}
}

/// Takes Ethereum's keys as the settlement pallet does: a set per change.
pub struct EthereumKeys;

fn tell<'a>(validators: impl Iterator<Item = (&'a AccountId, host::AuthorityId)>) {
    let signers = validators
        .filter_map(|(account, key)| Some((*account, host::address_of(&key)?)))
        .collect();
    <Slashing as OnFault<AccountId>>::on_session(SetId::get(), signers);
}

impl BoundToRuntimeAppPublic for EthereumKeys {
    type Public = host::AuthorityId;
}

impl OneSessionHandler<AccountId> for EthereumKeys {
    type Key = host::AuthorityId;

    fn on_genesis_session<'a, I>(validators: I)
    where
        I: 'a + Iterator<Item = (&'a AccountId, Self::Key)>,
    {
        tell(validators);
    }

    fn on_new_session<'a, I>(changed: bool, validators: I, _: I)
    where
        I: 'a + Iterator<Item = (&'a AccountId, Self::Key)>,
    {
        if changed {
            SetId::mutate(|set_id| *set_id += 1);
        }
        tell(validators);
    }

    fn on_disabled(_: u32) {}
}

type Periods = pallet_session::PeriodicSessions<ConstU64<SESSION>, ConstU64<0>>;

impl pallet_session::Config for Test {
    type Currency = Balances;
    type DisablingStrategy = pallet_session::disabling::UpToLimitDisablingStrategy<3>;
    type KeyDeposit = ();
    type Keys = SessionKeys;
    type NextSessionRotation = Periods;
    type RuntimeEvent = RuntimeEvent;
    type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
    type SessionManager = historical::NoteHistoricalRoot<Test, Staking>;
    type ShouldEndSession = Periods;
    type ValidatorId = AccountId;
    type ValidatorIdOf = ConvertInto;
    type WeightInfo = ();
}

impl historical::Config for Test {
    type FullIdentification = ();
    type FullIdentificationOf = pallet_staking::UnitIdentificationOf<Test>;
    type RuntimeEvent = RuntimeEvent;
}

parameter_types! {
    pub static Bounds: ElectionBounds = ElectionBoundsBuilder::default().build();
    pub static SlashDeferDuration: EraIndex = 3;
    pub const Treasury: AccountId = TREASURY;
}

pub struct OnChain;

impl onchain::Config for OnChain {
    type Bounds = Bounds;
    type DataProvider = Staking;
    type MaxBackersPerWinner = ConstU32<64>;
    type MaxWinnersPerPage = ConstU32<64>;
    type Solver = SequentialPhragmen<AccountId, Perbill>;
    type Sort = ConstBool<true>;
    type System = Test;
    type WeightInfo = ();
}

#[derive_impl(pallet_staking::config_preludes::TestDefaultConfig)]
impl pallet_staking::Config for Test {
    type AdminOrigin = EnsureRoot<AccountId>;
    type BondingDuration = ConstU32<6>;
    type Currency = Balances;
    type ElectionProvider = onchain::OnChainExecution<OnChain>;
    type EraPayout = ();
    type GenesisElectionProvider = Self::ElectionProvider;
    type NextNewSession = Session;
    type OldCurrency = Balances;
    type SessionInterface = Self;
    type SessionsPerEra = ConstU32<3>;
    type Slash = ResolveTo<Treasury, Balances>;
    type SlashDeferDuration = SlashDeferDuration;
    type TargetList = pallet_staking::UseValidatorsMap<Self>;
    type UnixTime = Timestamp;
    type VoterList = pallet_staking::UseNominatorsAndValidatorsMap<Self>;
}

impl pallet_offences::Config for Test {
    type IdentificationTuple = historical::IdentificationTuple<Test>;
    type OnOffenceHandler = Slashing;
    type RuntimeEvent = RuntimeEvent;
}

parameter_types! {
    pub static SetId: u64 = 0;
    pub static Pushed: Vec<Commitment> = Vec::new();
    pub static Router: Option<RouterDomain> = Some(DOMAIN);
    pub static DecidedSeals: BTreeMap<(u64, H256), H256> = BTreeMap::new();
    /// Sets that are not made of all signers with equal weights.
    pub static MemberSets: BTreeMap<u64, Vec<Member>> = BTreeMap::new();
    pub static Addresses: BTreeMap<AccountId, H160> = BTreeMap::new();
    /// Eras in which ETH did not count.
    pub static WithoutEth: Vec<EraIndex> = Vec::new();
    pub static Rules: SlashingParameters = rules();
}

pub const GENESIS: H256 = H256::repeat_byte(0x69);
pub const DOMAIN: RouterDomain = RouterDomain {
    chain_id: 31_337,
    router: H160::repeat_byte(7),
};

/// Ten blocks of deferral. A slash must leave 450 seconds after the capture at the latest: in the fifth era after its.
pub fn rules() -> SlashingParameters {
    SlashingParameters {
        double_sign_floor: Perbill::from_percent(5),
        absence_maximum: Perbill::from_percent(1),
        maximum_per_era: Perbill::from_percent(50),
        deferral: 10,
        window: 600,
        relay: 30,
        execution: 120,
        reporting: 100,
    }
}

/// Everything around the pallet that is not staking.
pub struct Around;

impl Operators<AccountId> for Around {
    fn operator(_: EraIndex, validator: &AccountId) -> Option<H160> {
        Addresses::get().get(validator).copied()
    }

    fn capture(era: EraIndex) -> Option<u64> {
        (!WithoutEth::get().contains(&era)).then(|| capture(era))
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn bind(validator: &AccountId, operator: H160, _: u64) {
        Addresses::mutate(|addresses| addresses.insert(*validator, operator));
    }
}

impl Outbox for Around {
    fn push(commitment: Commitment) -> u64 {
        Pushed::mutate(|pushed| {
            pushed.push(commitment);
            pushed.len() as u64 - 1
        })
    }
}

impl Seals for Around {
    fn genesis() -> H256 {
        GENESIS
    }

    fn domain() -> Option<RouterDomain> {
        Router::get()
    }

    fn decided(number: u64, hash: H256) -> Option<H256> {
        DecidedSeals::get().get(&(number, hash)).copied()
    }

    fn members(set_id: u64) -> Option<Vec<Member>> {
        if let Some(members) = MemberSets::get().get(&set_id) {
            return Some(members.clone());
        }
        let members = Signers::<Test>::get(set_id)?.members.into_iter();
        Some(
            members
                .map(|(address, _)| Member {
                    address,
                    weight: 10,
                })
                .collect(),
        )
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_domain(domain: RouterDomain) {
        Router::set(Some(domain));
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_members(set_id: u64, members: Vec<Member>) {
        MemberSets::mutate(|sets| sets.insert(set_id, members));
    }
}

/// A slot per block.
pub struct SlotOfBlock;

impl Get<u64> for SlotOfBlock {
    fn get() -> u64 {
        slot(System::block_number())
    }
}

pub type Reports = Noted<Test, pallet_staking::FilterHistoricalOffences<Staking, Offences>>;

ord_parameter_types! {
    pub const Canceller: AccountId = CANCELLER;
}

impl Config for Test {
    type ApproveOrigin = EnsureRoot<AccountId>;
    type AuraId = AuraId;
    type CancelOrigin =
        EitherOfDiverse<EnsureRoot<AccountId>, EnsureSignedBy<Canceller, AccountId>>;
    type CurrentSlot = SlotOfBlock;
    type Eras = OverStaking<Test>;
    type FullIdentification = ();
    type KeyOwners = Historical;
    type MaxValidators = ConstU32<128>;
    type Offences = Reports;
    type Operators = Around;
    type Outbox = Around;
    type Parameters = Rules;
    type Seals = Around;
    type Time = Timestamp;
    type Vara = Staking;
    type VaraQueue = OverStaking<Test>;
    type WeightInfo = ();
}

pub fn slash(id: u64) -> Slash<AccountId> {
    Slashes::<Test>::get(id).unwrap()
}

pub fn state(id: u64) -> State {
    slash(id).state
}

pub fn seconds() -> u64 {
    Slashing::seconds()
}

pub fn active_era() -> EraIndex {
    pallet_staking::ActiveEra::<Test>::get().unwrap().index
}

/// What the accounts that stake have altogether.
pub fn balance(account: AccountId) -> u128 {
    use frame_support::traits::fungible::Inspect;
    Balances::total_balance(&account)
}

/// Numbers of the slashes that were pushed.
pub fn pushed_slashes() -> Vec<u64> {
    Pushed::get()
        .iter()
        .filter_map(|commitment| match commitment {
            Commitment::Slash { id, .. } => Some(*id),
            Commitment::Cancel { .. } => None,
        })
        .collect()
}

/// All that was pushed is in a final Ethereum block.
pub fn settle() {
    <Slashing as OnFault<AccountId>>::on_settled(Pushed::get().len() as u64);
}

pub fn next_block() {
    let next = System::block_number() + 1;
    System::run_to_block_with::<AllPalletsWithSystem>(
        next,
        // The time is that of the block from its beginning on.
        frame_system::RunToBlockHooks::default().before_initialize(|block| {
            Timestamp::set_timestamp((START + block * BLOCK_SECONDS) * 1_000);
        }),
    );
    Slashing::do_try_state().unwrap();
}

pub fn blocks(count: u64) {
    (0..count).for_each(|_| next_block());
}

/// To the middle of an era.
pub fn to_era(era: EraIndex) {
    while active_era() < era {
        next_block();
    }
    blocks(ERA / 2);
    assert_eq!(active_era(), era);
}

/// The pallet's events since the test began.
pub fn events() -> Vec<Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Slashing(event) => Some(event),
            _ => None,
        })
        .collect()
}

/// The state in the middle of era 1.
pub fn new_test_ext() -> TestExternalities {
    SetId::set(0);
    Pushed::set(Vec::new());
    Router::set(Some(DOMAIN));
    DecidedSeals::set(BTreeMap::new());
    MemberSets::set(BTreeMap::new());
    Addresses::set((1..VALIDATORS).map(|who| (who, operator(who))).collect());
    WithoutEth::set(Vec::new());
    Rules::set(rules());
    SlashDeferDuration::set(3);
    let mut storage = frame_system::GenesisConfig::<Test>::default()
        .build_storage()
        .unwrap();
    let stakers: Vec<_> = (1..=VALIDATORS).chain([20, 21]).collect();
    let others = [TREASURY, REPORTER, CANCELLER];
    pallet_balances::GenesisConfig::<Test> {
        balances: stakers
            .iter()
            .map(|who| (*who, 2 * STAKE))
            .chain(others.map(|who| (who, 1_000)))
            .collect(),
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    pallet_staking::GenesisConfig::<Test> {
        stakers: stakers
            .iter()
            .map(|who| {
                let status = match *who {
                    20 => pallet_staking::StakerStatus::Nominator(vec![1, 2]),
                    21 => pallet_staking::StakerStatus::Nominator(vec![1]),
                    _ => pallet_staking::StakerStatus::Validator,
                };
                (*who, *who, STAKE, status)
            })
            .collect(),
        validator_count: VALIDATORS as u32,
        minimum_validator_count: 1,
        slash_reward_fraction: Perbill::from_percent(10),
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    pallet_session::GenesisConfig::<Test> {
        keys: (1..=VALIDATORS)
            .map(|who| (who, who, keys_of(who)))
            .collect(),
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    pallet_slashing::GenesisConfig::<Test>::default()
        .assimilate_storage(&mut storage)
        .unwrap();
    let mut externalities = TestExternalities::new(storage);
    externalities.execute_with(|| {
        next_block();
        to_era(1);
    });
    externalities
}

/// Runs a test, and checks the state that it leaves.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        Slashing::do_try_state().unwrap();
    });
}

pub fn root() -> RuntimeOrigin {
    RawOrigin::Root.into()
}
