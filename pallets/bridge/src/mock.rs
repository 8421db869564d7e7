//! A runtime with balances and this pallet, four validators, and slashes and an outbox that a test looks at.

use crate::{
    self as pallet_bridge, Balance, BridgeParameters, Event, HoldReason, Locked, Unlocked,
};
use gear_exe_primitives::{
    H160, H256,
    ethereum::BlockId,
    facts::{AskedRewards, Burn, Fact, RewardsFate, RewardsTrace, SlashFate},
    outbox::OutboxItem,
    quorum::Member,
    signature::{CompactSignature, address_of_secret},
    vote::FactsVote,
};
use polkadot_sdk::{
    frame_support::{
        self, PalletId, derive_impl,
        pallet_prelude::{DispatchResult, Weight},
        parameter_types,
        traits::{ConstU32, ConstU128, Hooks, fungible::InspectHold},
    },
    frame_system::{self, RawOrigin},
    pallet_balances,
    sp_io::TestExternalities,
    sp_runtime::{
        AccountId32, BuildStorage,
        testing::TestXt,
        traits::IdentityLookup,
        transaction_validity::{TransactionSource, TransactionValidityError},
    },
};

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Bridge: pallet_bridge,
    }
);

pub type Block = frame_system::mocking::MockBlock<Test>;
pub type Extrinsic = TestXt<RuntimeCall, ()>;

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type AccountData = pallet_balances::AccountData<Balance>;
    type AccountId = AccountId32;
    type Block = Block;
    type Lookup = IdentityLookup<AccountId32>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = ConstU128<ED>;
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

pub const GENESIS: H256 = H256::repeat_byte(0x69);
pub const ROUTER: H160 = H160::repeat_byte(7);
pub const BOB: H160 = H160::repeat_byte(0xb0);
pub const ED: Balance = 10;
pub const MIN_LOCK: Balance = 20;
/// What accounts 0 to 9 have.
pub const MONEY: Balance = 1_000;

parameter_types! {
    pub static SetId: u64 = 0;
    pub static Members: Vec<Member> = Vec::new();
    pub static Finalised: BlockId = BlockId::default();
    pub static Bound: Option<H160> = Some(ROUTER);
    pub static Items: Vec<OutboxItem> = Vec::new();
    pub static Open: Vec<u64> = Vec::new();
    pub static Ended: Vec<(u64, SlashFate)> = Vec::new();
    pub static OpenItems: Vec<AskedRewards> = Vec::new();
    pub static Delivered: u128 = 0;
    pub static Told: Vec<(u32, u64, RewardsFate)> = Vec::new();
    pub static Rules: BridgeParameters = BridgeParameters { min_lock: MIN_LOCK, paused: false };
    pub const BridgeId: PalletId = PalletId(*b"gear/bri");
}

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
    fn finalised() -> BlockId {
        Finalised::get()
    }

    fn router() -> Option<H160> {
        Bound::get()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_router(router: H160) {
        Bound::set(Some(router));
    }
}

impl crate::Outbox for Around {
    fn push(item: OutboxItem) -> u64 {
        Items::mutate(|items| {
            items.push(item);
            items.len() as u64 - 1
        })
    }
}

impl crate::OpenSlashes for Around {
    fn is_open(id: u64) -> bool {
        Open::get().contains(&id)
    }

    fn all() -> Vec<u64> {
        Open::get()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn make_open(id: u64) {
        Open::mutate(|open| open.push(id));
    }
}

impl crate::OnSlashFate for Around {
    fn on_fate(id: u64, fate: SlashFate) {
        Open::mutate(|open| open.retain(|other| *other != id));
        Ended::mutate(|ended| ended.push((id, fate)));
    }
}

impl crate::OpenRewards for Around {
    fn is_open(era: u32, item: u64) -> bool {
        let open = OpenItems::get();
        open.iter().any(|one| (one.era, one.item) == (era, item))
    }

    fn all() -> Vec<(u32, u64)> {
        let open = OpenItems::get();
        open.iter().map(|one| (one.era, one.item)).collect()
    }

    fn question(era: u32, item: u64) -> Option<AskedRewards> {
        let mut open = OpenItems::get().into_iter();
        open.find(|one| (one.era, one.item) == (era, item))
    }

    fn delivered() -> u128 {
        Delivered::get()
    }
}

impl crate::OnRewardsFate for Around {
    fn on_fate(era: u32, item: u64, fate: RewardsFate) {
        OpenItems::mutate(|open| open.retain(|one| (one.era, one.item) != (era, item)));
        Told::mutate(|told| told.push((era, item, fate)));
    }
}

impl crate::Config for Test {
    type Currency = Balances;
    type Ethereum = Around;
    type MaxValidators = ConstU32<128>;
    type OnRewardsFate = Around;
    type OnSlashFate = Around;
    type OpenRewards = Around;
    type OpenSlashes = Around;
    type Outbox = Around;
    type PalletId = BridgeId;
    type Parameters = Rules;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Validators = Around;
    type WeightInfo = ();
}

pub fn account(number: u8) -> AccountId32 {
    [number; 32].into()
}

/// Key of a validator.
pub fn secret(of: u32) -> [u8; 32] {
    let mut secret = [1; 32];
    secret[..4].copy_from_slice(&of.to_be_bytes());
    secret
}

pub fn free(number: u8) -> Balance {
    Balances::free_balance(account(number))
}

pub fn lock(number: u8, to: H160, amount: Balance) -> DispatchResult {
    Bridge::lock(RawOrigin::Signed(account(number)).into(), to, amount)
}

pub fn claim(number: u8) -> DispatchResult {
    // Anybody may.
    Bridge::claim(RawOrigin::Signed(account(9)).into(), account(number))
}

/// A burn for an account.
pub fn burn(number: u64, of: u8, amount: Balance) -> Fact {
    Fact::Burn(Burn {
        number,
        account: H256::repeat_byte(of),
        amount,
    })
}

pub const fn slash(id: u64, fate: SlashFate) -> Fact {
    Fact::Slash { id, fate }
}

pub const fn rewards(item: u64, fate: RewardsFate) -> Fact {
    Fact::Rewards { era: 5, item, fate }
}

/// An item of era 5.
pub const fn asked(item: u64) -> AskedRewards {
    AskedRewards {
        era: 5,
        item,
        amount: 9,
        trace: RewardsTrace::Claims(H256::repeat_byte(5)),
    }
}

pub type Sent = Result<(), TransactionValidityError>;

/// Checks and dispatches a vote as the chain does.
pub fn send(validator: u32, facts: &[Fact]) -> Sent {
    send_vote(
        validator,
        validator,
        FactsVote {
            set_id: SetId::get(),
            facts: facts.to_vec(),
        },
    )
}

/// A vote for `validator` with another's key.
pub fn send_vote(key: u32, validator: u32, vote: FactsVote) -> Sent {
    let signature = CompactSignature::sign(&secret(key), vote.digest(GENESIS)).unwrap();
    let source = TransactionSource::External;
    Bridge::authorize_facts(source, &vote, &validator, &signature)?;
    let origin = RawOrigin::Authorized.into();
    Bridge::submit_facts(origin, vote, validator, signature).unwrap();
    Bridge::do_try_state().unwrap();
    Ok(())
}

/// Three of four say so, and the next block begins.
pub fn agree(facts: &[Fact]) {
    for validator in 0..3 {
        send(validator, facts).unwrap();
    }
    next_block();
}

/// Begins the next block.
pub fn next_block() -> Weight {
    let now = System::block_number() + 1;
    System::set_block_number(now);
    let weight = Bridge::on_initialize(now);
    Bridge::do_try_state().unwrap();
    weight
}

/// The same validators, as another set.
pub fn next_set() {
    SetId::mutate(|id| *id += 1);
}

/// The pallet's events since the last time.
pub fn events() -> Vec<Event<Test>> {
    let events = System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Bridge(event) => Some(event),
            _ => None,
        })
        .collect();
    System::reset_events();
    events
}

/// What is on hold in the bridge's account, which is also what the counters say.
pub fn held() -> Balance {
    let held = Balances::balance_on_hold(&HoldReason::Locked.into(), &Bridge::account());
    assert_eq!(held, Locked::<Test>::get() - Unlocked::<Test>::get());
    held
}

pub fn members(count: u32) -> Vec<Member> {
    (0..count)
        .map(|index| Member {
            address: address_of_secret(&secret(index)).unwrap(),
            weight: 1,
        })
        .collect()
}

/// A chain on which `backing` is locked from the start.
pub fn ext_with(backing: Balance) -> TestExternalities {
    SetId::set(1);
    Members::set(members(4));
    Finalised::set(BlockId::default());
    Bound::set(Some(ROUTER));
    Items::take();
    Open::take();
    Ended::take();
    OpenItems::take();
    Delivered::take();
    Told::take();
    Rules::set(BridgeParameters {
        min_lock: MIN_LOCK,
        paused: false,
    });
    let storage = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: (0..10).map(|number| (account(number), MONEY)).collect(),
            ..Default::default()
        },
        bridge: crate::GenesisConfig {
            backing,
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

pub fn new_test_ext() -> TestExternalities {
    ext_with(0)
}

/// Runs a test on the state at genesis, and checks the state that it leaves.
pub fn run(test: impl FnOnce()) {
    run_with(0, test);
}

/// The same with VARA that is locked from the start.
pub fn run_with(backing: Balance, test: impl FnOnce()) {
    ext_with(backing).execute_with(|| {
        test();
        Bridge::do_try_state().unwrap();
        held();
    });
}
