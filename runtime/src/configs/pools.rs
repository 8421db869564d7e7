//! Who is in which nomination pool, as `pallet-rewards` asks, and where it learns that a member's points change: what pools earn
//! in wVARA goes to their members by it.
//!
//! Pools have no hook for that. But whatever they do with stake goes through their [`StakeStrategy`], which here tells
//! `pallet-rewards` before it does as [`DelegateStake`] does ([`Shared`]). A member's points change in four places of
//! `pallet-nomination-pools` 48:
//!
//! | where | what it asks of the strategy before it writes the member |
//! |---|---|
//! | `join` | `pledge_bond(who, …)`: it begins with what its pool earns from now on |
//! | `create`, `create_with_pool_id` | the same; the pool has earned nothing yet |
//! | `bond_extra`, `bond_extra_other` (of rewards and of free balance, also by others) | `pledge_bond(who, …)` |
//! | `unbond` (also of others: a pool that is blocked or destroyed) | `member_delegation_balance(who)`, to see that it has no stake of old times; `unbond` itself says only which pool |
//!
//! And `withdraw_unbonded` removes a member that has no points left: it asks for `member_delegation_balance(who)` after that,
//! and for `dissolve(pool)` when the last one goes with its pool.
//!
//! Other calls about a member (`claim_payout`, `apply_slash`, `withdraw_unbonded`, `set_claim_permission`) ask for its
//! delegation too, and so credit it, which does no harm. What does not change points: slashes, of a pool and of a member (a
//! point is worth less); commissions (they count from the next page on); `migrate_pool_to_delegate_stake` and `migrate_delegation`
//! (every pool here was founded with delegated stake). A transaction that fails leaves nothing of it, and runtime calls that ask
//! for a delegation throw away what they change.
//!
//! An upgrade of the SDK can break this. Then `runtime/tests/pools.rs` fails, and `tests/interleavings` too, where each member's
//! part is counted beside the chain.
//!
//! **Weight.** What `pallet-rewards` does is measured as its `settle_member`, and added to the calls of pools that lead to
//! it ([`Weights`]); twice where a call leads to it before and after. Only `set_claim_permission` has a weight that no runtime can
//! change: there it is left out, as what upstream itself reads there is.

use super::staking::PoolsId;
use crate::{AccountId, Balance, DelegatedStaking, NominationPools, Rewards, Runtime, Staking};
use alloc::vec::Vec;
use pallet_rewards::{Payee, Pool as Pooled, PoolId, WeightInfo as _};
use polkadot_sdk::{
    frame_support::weights::Weight,
    pallet_nomination_pools::{
        self, BondType, BondedPools, GlobalMaxCommission, PoolMember, PoolMembers,
        adapter::{DelegateStake, Member, Pool, StakeStrategy, StakeStrategyType},
        weights::WeightInfo,
    },
    sp_runtime::DispatchResult,
};

type Delegated = DelegateStake<Runtime, Staking, DelegatedStaking>;
type Upstream = pallet_nomination_pools::weights::SubstrateWeight<Runtime>;
type Ours = <Runtime as pallet_rewards::Config>::WeightInfo;

/// The members of a pool for its account, and everybody else for itself.
pub struct Payees;

impl pallet_rewards::Payees<AccountId> for Payees {
    fn payee(staker: &AccountId) -> Payee {
        if !is_of_pools(staker) {
            return Payee::Itself;
        }
        pool_of(staker).map_or(Payee::Nobody, Payee::Pool)
    }

    fn pool(pool: PoolId) -> Option<Pooled<AccountId>> {
        let pool = BondedPools::<Runtime>::get(pool)?;
        let commission = pool.commission.current.map(|(part, to)| {
            let most = GlobalMaxCommission::<Runtime>::get();
            (most.map_or(part, |most| part.min(most)), to)
        });
        Some(Pooled {
            points: pool.points,
            commission,
        })
    }

    fn member(who: &AccountId) -> Option<pallet_rewards::Member> {
        PoolMembers::<Runtime>::get(who).map(member)
    }

    fn members() -> Vec<(AccountId, pallet_rewards::Member)> {
        PoolMembers::<Runtime>::iter()
            .map(|(who, one)| (who, member(one)))
            .collect()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn found(
        pool: PoolId,
        members: Vec<(AccountId, u128)>,
        (part, to): (polkadot_sdk::sp_runtime::Perbill, AccountId),
    ) -> AccountId {
        use polkadot_sdk::pallet_nomination_pools::{
            BondedPoolInner, Commission, PoolRoles, PoolState,
        };
        let account = NominationPools::generate_bonded_account(pool);
        let bonded = BondedPoolInner {
            commission: Commission {
                current: Some((part, to)),
                ..Default::default()
            },
            member_counter: members.len() as u32,
            points: members.iter().map(|(_, points)| *points).sum(),
            roles: PoolRoles {
                depositor: account.clone(),
                root: None,
                nominator: None,
                bouncer: None,
            },
            state: PoolState::Open,
        };
        BondedPools::<Runtime>::insert(pool, bonded);
        for (who, points) in members {
            let member = PoolMember {
                pool_id: pool,
                points,
                last_recorded_reward_counter: Default::default(),
                unbonding_eras: Default::default(),
            };
            PoolMembers::<Runtime>::insert(who, member);
        }
        account
    }
}

fn member(member: PoolMember<Runtime>) -> pallet_rewards::Member {
    pallet_rewards::Member {
        pool: member.pool_id,
        points: member.points,
    }
}

/// Whether an account is one of those that pools, also former ones, derive from their pallet's id. Nobody has its key.
fn is_of_pools(account: &AccountId) -> bool {
    let bytes: &[u8; 32] = account.as_ref();
    let prefix = [&b"modl"[..], &PoolsId::get().0].concat();
    bytes.starts_with(&prefix)
}

/// The pool, which may be no more, whose stake an account holds. It is in the account: `modl`, the pallet's id, a zero, and
/// the pool's number.
fn pool_of(account: &AccountId) -> Option<PoolId> {
    let bytes: &[u8; 32] = account.as_ref();
    let number = bytes.get(13..17)?.try_into().ok()?;
    let pool = PoolId::from_le_bytes(number);
    (NominationPools::generate_bonded_account(pool) == *account).then_some(pool)
}

/// [`DelegateStake`], which tells `pallet-rewards` first.
pub struct Shared;

impl StakeStrategy for Shared {
    type AccountId = AccountId;
    type Balance = Balance;
    type CoreStaking = Staking;

    fn strategy_type() -> StakeStrategyType {
        Delegated::strategy_type()
    }

    fn transferable_balance(pool: Pool<AccountId>, member: Member<AccountId>) -> Balance {
        Delegated::transferable_balance(pool, member)
    }

    fn total_balance(pool: Pool<AccountId>) -> Option<Balance> {
        Delegated::total_balance(pool)
    }

    /// Asked before a member unbonds, and after it has left.
    fn member_delegation_balance(member: Member<AccountId>) -> Option<Balance> {
        Rewards::settle_member(&member.clone().get());
        Delegated::member_delegation_balance(member)
    }

    /// Asked before somebody gets points.
    fn pledge_bond(
        who: Member<AccountId>,
        pool: Pool<AccountId>,
        reward_account: &AccountId,
        amount: Balance,
        bond_type: BondType,
    ) -> DispatchResult {
        if let Some(pool) = pool_of(&pool.clone().get()) {
            Rewards::note_pledge(&who.clone().get(), pool);
        }
        Delegated::pledge_bond(who, pool, reward_account, amount, bond_type)
    }

    fn member_withdraw(
        who: Member<AccountId>,
        pool: Pool<AccountId>,
        amount: Balance,
        spans: u32,
    ) -> DispatchResult {
        Delegated::member_withdraw(who, pool, amount, spans)
    }

    /// Asked when the last member has left.
    fn dissolve(pool: Pool<AccountId>) -> DispatchResult {
        if let Some(pool) = pool_of(&pool.clone().get()) {
            Rewards::note_pool_gone(pool);
        }
        Delegated::dissolve(pool)
    }

    fn pending_slash(pool: Pool<AccountId>) -> Balance {
        Delegated::pending_slash(pool)
    }

    fn member_slash(
        who: Member<AccountId>,
        pool: Pool<AccountId>,
        amount: Balance,
        reporter: Option<AccountId>,
    ) -> DispatchResult {
        Delegated::member_slash(who, pool, amount, reporter)
    }

    fn migrate_nominator_to_agent(
        pool: Pool<AccountId>,
        reward_account: &AccountId,
    ) -> DispatchResult {
        Delegated::migrate_nominator_to_agent(pool, reward_account)
    }

    fn migrate_delegation(
        pool: Pool<AccountId>,
        delegator: Member<AccountId>,
        value: Balance,
    ) -> DispatchResult {
        Delegated::migrate_delegation(pool, delegator, value)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn remove_as_agent(pool: Pool<AccountId>) {
        Delegated::remove_as_agent(pool);
    }
}

/// What calls of pools cost: as upstream has measured them, and what `pallet-rewards` does besides.
pub struct Weights;

/// Weights that are upstream's, and those to which crediting a member is added so many times.
macro_rules! weights {
    ($($name:ident($($size:ident)?) + $times:literal;)*) => {
        impl WeightInfo for Weights {
            $(fn $name($($size: u32)?) -> Weight {
                Upstream::$name($($size)?).saturating_add(Ours::settle_member().saturating_mul($times))
            })*
        }
    };
}

weights! {
    join() + 1;
    bond_extra_transfer() + 1;
    bond_extra_other() + 1;
    claim_payout() + 1;
    unbond() + 1;
    pool_withdraw_unbonded(spans) + 0;
    // Its mark may go after it was credited.
    withdraw_unbonded_update(spans) + 2;
    // So does the pool.
    withdraw_unbonded_kill(spans) + 2;
    create() + 1;
    nominate(count) + 0;
    set_state() + 0;
    set_metadata(length) + 0;
    set_configs() + 0;
    update_roles() + 0;
    chill() + 0;
    set_commission() + 0;
    set_commission_max() + 0;
    set_commission_change_rate() + 0;
    set_commission_claim_permission() + 0;
    set_claim_permission() + 1;
    claim_commission() + 0;
    adjust_pool_deposit() + 0;
    apply_slash() + 1;
    apply_slash_fail() + 1;
    pool_migrate() + 0;
    migrate_delegation() + 1;
}
