//! A runtime with this pallet only, around which staking, collateral and Ethereum are what a test says.

use crate::{
    self as pallet_rewards, EthStake, Event, Exposure, Member, Payee, Pool, PoolId,
    RewardsParameters,
};
use gear_exe_primitives::{H160, outbox::OutboxItem};
use polkadot_sdk::{
    frame_support::{
        self, derive_impl, parameter_types,
        traits::{ConstU32, Hooks},
    },
    frame_system::{self, EnsureRoot, RawOrigin},
    sp_io::TestExternalities,
    sp_runtime::{BuildStorage, DispatchResult, Perbill},
};
use std::collections::BTreeMap;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Rewards: pallet_rewards,
    }
);

pub type AccountId = u64;
pub type Block = frame_system::mocking::MockBlock<Test>;

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
}

/// What stood behind a validator: commission, own stake, pages of other stakers.
#[derive(Clone, Debug, Default)]
pub struct Behind {
    pub commission: Perbill,
    pub own: u128,
    pub pages: Vec<Vec<(AccountId, u128)>>,
}

/// A pool as the test has it: points of members, and its commission.
#[derive(Clone, Debug, Default)]
pub struct Pooled {
    pub members: BTreeMap<AccountId, u128>,
    pub commission: Option<(Perbill, AccountId)>,
}

parameter_types! {
    pub static Pools: BTreeMap<PoolId, Pooled> = BTreeMap::new();
    pub static ActiveEra: Option<u32> = None;
    pub static Spent: u128 = 0;
    pub static Points: BTreeMap<(u32, AccountId), u32> = BTreeMap::new();
    pub static Exposures: BTreeMap<(u32, AccountId), Behind> = BTreeMap::new();
    pub static Captures: BTreeMap<u32, u64> = BTreeMap::new();
    pub static Stakes: BTreeMap<u32, Vec<EthStake<AccountId>>> = BTreeMap::new();
    pub static Finalised: u64 = 0;
    pub static Pushed: Vec<OutboxItem> = Vec::new();
    pub static SettledEnd: u64 = 0;
    pub static Rules: RewardsParameters = rules(20, 50, 30);
}

/// Items are numbered from here on: others have been there before.
pub const FIRST_ITEM: u64 = 100;
pub const HISTORY: u32 = 4;
pub const PROOFS: u32 = 6;
pub const MAX_CLAIMS: u32 = 5;
/// What programs had paid before the chain began.
pub const BEFORE: u128 = 1_000_000;
/// The account that holds the stake of pool 0; those of other pools follow it. None has a key.
pub const POOL: AccountId = 1_000;
/// That of a pool that is no more.
pub const GONE: AccountId = 1_998;
/// Nobody has its key, and it is no pool's.
pub const NOBODY: AccountId = 1_999;

pub fn rules(validators: u32, vara: u32, eth: u32) -> RewardsParameters {
    RewardsParameters {
        validators: Perbill::from_percent(validators),
        vara_stakers: Perbill::from_percent(vara),
        eth_stakers: Perbill::from_percent(eth),
        min_claim: 10,
    }
}

pub struct Around;

impl crate::Income for Around {
    fn spent() -> u128 {
        Spent::get()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn earn(amount: u128) {
        Spent::mutate(|spent| *spent += amount);
    }
}

impl crate::Outbox for Around {
    fn push(item: OutboxItem) -> u64 {
        Pushed::mutate(|items| {
            items.push(item);
            FIRST_ITEM + items.len() as u64 - 1
        })
    }

    fn settled_end() -> u64 {
        SettledEnd::get()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn settle(end: u64) {
        SettledEnd::set(end);
    }
}

impl crate::Ethereum for Around {
    fn finalised() -> u64 {
        Finalised::get()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_finalised(timestamp: u64) {
        Finalised::set(timestamp);
    }
}

impl crate::Staking<AccountId> for Around {
    fn active() -> Option<u32> {
        ActiveEra::get()
    }

    fn points(era: u32) -> Vec<(AccountId, u32)> {
        Points::get()
            .into_iter()
            .filter(|((of, _), _)| *of == era)
            .map(|((_, validator), points)| (validator, points))
            .collect()
    }

    fn exposure(era: u32, validator: &AccountId) -> Option<Exposure> {
        let behind = Exposures::get().get(&(era, *validator))?.clone();
        let others: u128 = behind.pages.iter().flatten().map(|(_, stake)| stake).sum();
        Some(Exposure {
            own: behind.own,
            total: behind.own + others,
            pages: behind.pages.len() as u32,
            commission: behind.commission,
        })
    }

    fn page(era: u32, validator: &AccountId, page: u32) -> Vec<(AccountId, u128)> {
        Exposures::get()
            .get(&(era, *validator))
            .and_then(|behind| behind.pages.get(page as usize).cloned())
            .unwrap_or_default()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn begin(era: u32) {
        ActiveEra::set(Some(era));
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn expose(era: u32, validator: &AccountId, stakers: Vec<(AccountId, u128)>) {
        points(era, *validator, 20);
        let pages = vec![stakers];
        let behind = Behind {
            own: 1_000,
            pages,
            ..Default::default()
        };
        expose(era, *validator, behind);
    }
}

impl crate::Payees<AccountId> for Around {
    fn payee(staker: &AccountId) -> Payee {
        match *staker {
            POOL..=GONE => Payee::Pool((staker - POOL) as PoolId),
            NOBODY => Payee::Nobody,
            _ => Payee::Itself,
        }
    }

    fn pool(pool: PoolId) -> Option<Pool<AccountId>> {
        Pools::get().get(&pool).map(|pooled| Pool {
            points: pooled.members.values().sum(),
            commission: pooled.commission,
        })
    }

    fn member(who: &AccountId) -> Option<Member> {
        Pools::get().into_iter().find_map(|(pool, pooled)| {
            let points = *pooled.members.get(who)?;
            Some(Member { pool, points })
        })
    }

    fn members() -> Vec<(AccountId, Member)> {
        let member = |pool, who, points| (who, Member { pool, points });
        let members = Pools::get().into_iter().flat_map(|(pool, pooled)| {
            let members = pooled.members.into_iter();
            members.map(move |(who, points)| member(pool, who, points))
        });
        members.collect()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn found(
        pool: PoolId,
        members: Vec<(AccountId, u128)>,
        commission: (Perbill, AccountId),
    ) -> AccountId {
        let pooled = Pooled {
            members: members.into_iter().collect(),
            commission: Some(commission),
        };
        Pools::mutate(|pools| pools.insert(pool, pooled));
        POOL + AccountId::from(pool)
    }
}

impl crate::Collateral<AccountId> for Around {
    fn capture(era: u32) -> Option<u64> {
        Captures::get().get(&era).copied()
    }

    fn stakes(era: u32) -> Vec<EthStake<AccountId>> {
        Stakes::get().get(&era).cloned().unwrap_or_default()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn put(era: u32, stakes: Vec<EthStake<AccountId>>) {
        Stakes::mutate(|all| all.insert(era, stakes));
    }
}

impl crate::Config for Test {
    type Collateral = Around;
    type Ethereum = Around;
    type GovernanceOrigin = EnsureRoot<AccountId>;
    type HistoryDepth = ConstU32<HISTORY>;
    type Income = Around;
    type MaxClaims = ConstU32<MAX_CLAIMS>;
    type MaxPageSize = ConstU32<256>;
    type Outbox = Around;
    type Parameters = Rules;
    type Payees = Around;
    type ProofDepth = ConstU32<PROOFS>;
    type Staking = Around;
    type WeightInfo = ();
}

/// The first block, in which era 0 runs. Ethereum's time is known, nothing is staked.
pub fn new_test_ext() -> TestExternalities {
    ActiveEra::set(Some(0));
    Pools::set(BTreeMap::new());
    Spent::set(BEFORE);
    Points::set(BTreeMap::new());
    Exposures::set(BTreeMap::new());
    Captures::set(BTreeMap::new());
    Stakes::set(BTreeMap::new());
    Finalised::set(1_700_000_000);
    Pushed::set(Vec::new());
    SettledEnd::set(FIRST_ITEM);
    Rules::set(rules(20, 50, 30));
    let storage = RuntimeGenesisConfig::default().build_storage().unwrap();
    let mut externalities = TestExternalities::new(storage);
    externalities.execute_with(next_block);
    externalities
}

/// Runs a test, and checks the state that it leaves.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        Rewards::do_try_state().unwrap();
    });
}

/// Begins the next block.
pub fn next_block() {
    let now = System::block_number() + 1;
    System::set_block_number(now);
    Rewards::on_initialize(now);
    Rewards::do_try_state().unwrap();
}

/// Ends the era that runs, in which programs have paid `income`; what is too old goes in the block after. Returns its
/// number.
pub fn end_era(income: u128) -> u32 {
    Spent::mutate(|spent| *spent += income);
    let ended = ActiveEra::get().unwrap();
    ActiveEra::set(Some(ended + 1));
    next_block();
    next_block();
    ended
}

/// A validator has earned points in an era.
pub fn points(era: u32, validator: AccountId, points: u32) {
    Points::mutate(|all| all.insert((era, validator), points));
}

/// This stood behind a validator in an era.
pub fn expose(era: u32, validator: AccountId, behind: Behind) {
    Exposures::mutate(|all| all.insert((era, validator), behind));
}

/// Validator 1 with points, its own stake of 600 and nominators 11 and 12 with 300 and 100, at 10 % commission.
pub fn one_validator(era: u32) {
    points(era, 1, 20);
    let behind = Behind {
        commission: Perbill::from_percent(10),
        own: 600,
        pages: vec![vec![(11, 300), (12, 100)]],
    };
    expose(era, 1, behind);
}

/// ETH of a validator, in vaults.
pub fn eth(validator: AccountId, weight: u128, vaults: &[(u64, u128)]) -> EthStake<AccountId> {
    EthStake {
        validator,
        weight,
        vaults: vaults
            .iter()
            .map(|(vault, weight)| (address(*vault), *weight))
            .collect(),
    }
}

/// This ETH counted in an era.
pub fn stake(era: u32, stakes: Vec<EthStake<AccountId>>) {
    Stakes::mutate(|all| all.insert(era, stakes));
}

/// Founds an empty pool.
pub fn found(pool: PoolId, commission: Option<(u32, AccountId)>) {
    let commission = commission.map(|(percent, to)| (Perbill::from_percent(percent), to));
    let pooled = Pooled {
        commission,
        ..Default::default()
    };
    Pools::mutate(|pools| pools.insert(pool, pooled));
}

/// Somebody joins a pool or bonds more, as whoever keeps the pools does it.
pub fn pledge(who: AccountId, pool: PoolId, points: u128) {
    Rewards::note_pledge(&who, pool);
    Pools::mutate(|pools| {
        *pools
            .get_mut(&pool)
            .unwrap()
            .members
            .entry(who)
            .or_default() += points
    });
    Rewards::do_try_state().unwrap();
}

/// A member gives back points.
pub fn unbond(who: AccountId, pool: PoolId, points: u128) {
    Rewards::settle_member(&who);
    Pools::mutate(|pools| *pools.get_mut(&pool).unwrap().members.get_mut(&who).unwrap() -= points);
    Rewards::do_try_state().unwrap();
}

/// A member without points leaves its pool.
pub fn leave(who: AccountId, pool: PoolId) {
    Rewards::settle_member(&who);
    let points = Pools::mutate(|pools| pools.get_mut(&pool).unwrap().members.remove(&who));
    assert_eq!(points, Some(0), "members withdraw when they have unbonded");
    Rewards::settle_member(&who);
    Rewards::do_try_state().unwrap();
}

/// A pool is removed, which everybody has left.
pub fn dissolve(pool: PoolId) {
    Rewards::note_pool_gone(pool);
    let pooled = Pools::mutate(|pools| pools.remove(&pool)).unwrap();
    assert!(
        pooled.members.is_empty(),
        "who founded it is the last to leave"
    );
    Rewards::do_try_state().unwrap();
}

pub fn address(number: u64) -> H160 {
    H160::from_low_u64_be(number)
}

pub fn by(account: AccountId) -> RuntimeOrigin {
    RawOrigin::Signed(account).into()
}

pub fn pay(validator: AccountId, era: u32, page: u32) -> DispatchResult {
    let result = Rewards::pay_stakers(by(99), validator, era, page);
    Rewards::do_try_state().unwrap();
    result.map(|_| ()).map_err(|refused| refused.error)
}

pub fn claim(account: AccountId, to: u64) -> DispatchResult {
    let result = Rewards::claim(by(account), address(to));
    Rewards::do_try_state().unwrap();
    result
}

pub fn settle(member: AccountId) -> DispatchResult {
    let result = Rewards::claim_pool_share(by(99), member);
    Rewards::do_try_state().unwrap();
    result
}

pub fn credit(account: AccountId) -> u128 {
    crate::Credits::<Test>::get(account)
}

pub fn carried() -> u128 {
    crate::Carried::<Test>::get()
}

/// The pallet's events.
pub fn events() -> Vec<Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Rewards(event) => Some(event),
            _ => None,
        })
        .collect()
}
