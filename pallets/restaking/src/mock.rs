//! A runtime with balances and this pallet, four validators, eras that a test turns, and an Ethereum that says what a
//! test tells it to.

use crate::{self as pallet_restaking, AssetRules, Capture, Event, OpenEra, Snapshots};
use gear_exe_primitives::{
    H160, H256, U256,
    batch::RouterDomain,
    ethereum::EthereumHeader,
    quorum::Member,
    restaking::VaultStake,
    signature::{CompactSignature, address_of_secret},
    stake_pages::{self, StakePage},
    vote::SnapshotVote,
};
use polkadot_sdk::{
    frame_support::{
        self, derive_impl,
        pallet_prelude::{DispatchResult, Weight},
        parameter_types,
        traits::{ConstU32, ConstU64, Hooks},
    },
    frame_system::{self, EnsureRoot, RawOrigin},
    pallet_balances,
    sp_io::TestExternalities,
    sp_runtime::{
        BuildStorage, Perbill,
        testing::TestXt,
        transaction_validity::{TransactionSource, TransactionValidityError},
    },
};

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Restaking: pallet_restaking,
    }
);

pub type Block = frame_system::mocking::MockBlock<Test>;
pub type Extrinsic = TestXt<RuntimeCall, ()>;

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type AccountData = pallet_balances::AccountData<u64>;
    type Block = Block;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type AccountStore = System;
}

impl<C> frame_system::offchain::CreateTransactionBase<C> for Test
where
    RuntimeCall: From<C>,
{
    type Extrinsic = Extrinsic;
    type RuntimeCall = RuntimeCall;
}

impl<C> frame_system::offchain::CreateTransaction<C> for Test
where
    RuntimeCall: From<C>,
{
    type Extension = ();

    fn create_transaction(call: RuntimeCall, (): ()) -> Extrinsic {
        Extrinsic::new_transaction(call, ())
    }
}

impl<C> frame_system::offchain::CreateAuthorizedTransaction<C> for Test
where
    RuntimeCall: From<C>,
{
    fn create_extension() {}
}

parameter_types! {
    pub static SetId: u64 = 0;
    pub static Members: Vec<Member> = Vec::new();
    pub static Finalised: EthereumHeader = header(0);
    pub static Domain: Option<RouterDomain> = Some(ROUTER);
    pub static ActiveEra: Option<u32> = None;
    pub static PlannedEra: Option<u32> = None;
    pub static MaxOperators: u32 = 64;
}

pub const GENESIS: H256 = H256::repeat_byte(0x69);
pub const ROUTER: RouterDomain = RouterDomain {
    chain_id: 31_337,
    router: H160::repeat_byte(7),
};
pub const DEPOSIT: u64 = 100;
pub const SLASH_WINDOW: u32 = 3;
pub const HISTORY: u32 = 5;

/// Two kinds of collateral.
pub const WETH: H160 = H160::repeat_byte(0xe7);
pub const COIN: H160 = H160::repeat_byte(0xc0);

/// One ETH, or one unit of weight.
pub const ETH: u128 = 1_000_000_000_000_000_000;

pub struct Around;

impl crate::ValidatorSet for Around {
    fn set_id() -> u64 {
        SetId::get()
    }

    fn members() -> Vec<Member> {
        Members::get()
    }

    fn genesis_hash() -> H256 {
        GENESIS
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_members(members: Vec<Member>) {
        Members::set(members);
    }
}

impl crate::Ethereum for Around {
    fn finalised() -> EthereumHeader {
        Finalised::get()
    }

    fn domain() -> Option<RouterDomain> {
        Domain::get()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set(header: EthereumHeader, domain: RouterDomain) {
        Finalised::set(header);
        Domain::set(Some(domain));
    }
}

impl crate::Eras for Around {
    fn active() -> Option<u32> {
        ActiveEra::get()
    }

    fn planned() -> Option<u32> {
        PlannedEra::get()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set(era: u32) {
        ActiveEra::set(Some(era));
        PlannedEra::set(Some(era));
    }
}

impl crate::Config for Test {
    type Currency = Balances;
    type Deposit = ConstU64<DEPOSIT>;
    type Eras = Around;
    type Ethereum = Around;
    type GovernanceOrigin = EnsureRoot<u64>;
    type HistoryDepth = ConstU32<HISTORY>;
    type MaxAssets = ConstU32<4>;
    type MaxOperators = MaxOperators;
    type MaxValidators = ConstU32<128>;
    type RuntimeHoldReason = RuntimeHoldReason;
    type SlashWindow = ConstU32<SLASH_WINDOW>;
    type Validators = Around;
    type WeightInfo = ();
}

/// Ethereum's block at this time.
pub fn header(minutes: u64) -> EthereumHeader {
    EthereumHeader {
        hash: H256::from_low_u64_be(1_000 + minutes),
        number: 100 + 5 * minutes,
        timestamp: 1_000_000 + 60 * minutes,
        ..Default::default()
    }
}

/// Key of a validator, or of the operator that belongs to an account.
pub fn secret(of: u64) -> [u8; 32] {
    let mut secret = [1; 32];
    secret[..8].copy_from_slice(&of.to_be_bytes());
    secret
}

pub fn address(account: u64) -> H160 {
    address_of_secret(&secret(account)).unwrap()
}

/// The signature that binds the operator key of `account` to it.
pub fn consent(account: u64) -> CompactSignature {
    let digest = Restaking::binding(&account, address(account)).digest(&ROUTER);
    CompactSignature::sign(&secret(account), digest).unwrap()
}

pub fn register(account: u64) -> DispatchResult {
    let origin = RawOrigin::Signed(account).into();
    Restaking::register_operator(origin, address(account), consent(account))
}

pub fn vault(account: u64, vault: u8, collateral: H160, amount: impl Into<U256>) -> VaultStake {
    VaultStake {
        operator: address(account),
        vault: H160::repeat_byte(vault),
        collateral,
        amount: amount.into(),
    }
}

/// WETH in one vault for each account.
pub fn weth(of: &[(u64, u128)]) -> Vec<VaultStake> {
    of.iter()
        .map(|(account, amount)| vault(*account, 1, WETH, *amount))
        .collect()
}

/// The open snapshot's era and capture.
pub fn open() -> (u32, Capture) {
    let era = OpenEra::<Test>::get().unwrap();
    (era, Snapshots::<Test>::get(era).unwrap().capture)
}

/// The pages that honest nodes make of `stakes` for the open snapshot.
pub fn pages(stakes: &[VaultStake]) -> Vec<StakePage> {
    stake_pages::pages(&crate::Eligible::<Test>::get(), stakes)
}

/// The vote on the open snapshot that says so.
pub fn vote(pages: &[StakePage]) -> SnapshotVote {
    let (era, capture) = open();
    SnapshotVote {
        set_id: SetId::get(),
        era,
        capture: capture.timestamp,
        root: stake_pages::root(era, capture.timestamp, pages),
        pages: pages.len() as u32,
    }
}

pub type Sent = Result<(), TransactionValidityError>;

/// Checks and dispatches a vote as the chain does.
pub fn send_vote(validator: u32, vote: SnapshotVote) -> Sent {
    send_vote_as(validator.into(), validator, vote)
}

/// A vote for `validator` with another's key.
pub fn send_vote_as(key: u64, validator: u32, vote: SnapshotVote) -> Sent {
    let signature = CompactSignature::sign(&secret(key), vote.digest(GENESIS)).unwrap();
    let source = TransactionSource::External;
    Restaking::authorize_snapshot_vote(source, &vote, &validator, &signature)?;
    let origin = RawOrigin::Authorized.into();
    Restaking::submit_snapshot_vote(origin, vote, validator, signature).unwrap();
    Restaking::do_try_state().unwrap();
    Ok(())
}

/// Checks and dispatches a page of the open snapshot as the chain does.
pub fn send_page(pages: &[StakePage], index: u32) -> Sent {
    let (era, capture) = open();
    let proof = stake_pages::proof(era, capture.timestamp, pages, index).unwrap();
    let page = pages[index as usize].clone();
    let source = TransactionSource::External;
    Restaking::authorize_page(source, &era, &index, &page, &proof)?;
    let origin = RawOrigin::Authorized.into();
    Restaking::submit_page(origin, era, index, page, proof).unwrap();
    Restaking::do_try_state().unwrap();
    Ok(())
}

/// A quorum votes for what vaults hold, and all pages are brought.
pub fn agree(stakes: &[VaultStake]) {
    let pages = pages(stakes);
    let vote = vote(&pages);
    for validator in 0..3 {
        send_vote(validator, vote).unwrap();
    }
    for index in 0..pages.len() as u32 {
        send_page(&pages, index).unwrap();
    }
}

/// Begins the next block.
pub fn next_block() -> Weight {
    let now = System::block_number() + 1;
    System::set_block_number(now);
    let weight = Restaking::on_initialize(now);
    Restaking::do_try_state().unwrap();
    weight
}

/// Elects the next era.
pub fn plan() {
    PlannedEra::set(ActiveEra::get().map(|era| era + 1));
}

/// The next era begins, and Ethereum has finalised a block since.
pub fn next_era() -> u32 {
    Finalised::mutate(|last| *last = header((last.timestamp - 1_000_000) / 60 + 1));
    next_era_without_ethereum()
}

/// The next era begins.
pub fn next_era_without_ethereum() -> u32 {
    plan();
    let era = PlannedEra::get().unwrap();
    ActiveEra::set(Some(era));
    next_block();
    era
}

/// The pallet's events.
pub fn events() -> Vec<Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Restaking(event) => Some(event),
            _ => None,
        })
        .collect()
}

/// WETH counts in full.
pub fn weth_rules() -> AssetRules {
    AssetRules {
        decimals: 18,
        haircut: Perbill::zero(),
        cap: u128::MAX,
    }
}

/// The first block, in which era 0 begins; accounts 0 to 9 have money.
pub fn new_test_ext() -> TestExternalities {
    SetId::set(0);
    Finalised::set(header(1));
    Domain::set(Some(ROUTER));
    ActiveEra::set(Some(0));
    PlannedEra::set(Some(0));
    MaxOperators::set(64);
    let members = (0..4).map(|index| Member {
        address: address(index),
        weight: 1,
    });
    Members::set(members.collect());
    let storage = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: (0..10).map(|account| (account, 1_000)).collect(),
            ..Default::default()
        },
        restaking: crate::GenesisConfig {
            assets: vec![(WETH, weth_rules())],
            ..Default::default()
        },
        ..Default::default()
    }
    .build_storage()
    .unwrap();
    let mut externalities = TestExternalities::new(storage);
    externalities.execute_with(|| {
        next_block();
    });
    externalities
}

/// Runs a test on the state at genesis, and checks the state that it leaves.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        Restaking::do_try_state().unwrap();
    });
}

/// The same with accounts 0 to 3 as operators, in era 1.
pub fn run_with_operators(test: impl FnOnce()) {
    run(|| {
        for account in 0..4 {
            register(account).unwrap();
        }
        next_era();
        test();
    });
}
