//! What calls cost, measured: `cargo test --release -p pallet-rewards --features runtime-benchmarks` runs each once,
//! `scripts/weights` measures.

use crate::{
    pallet::*,
    types::{Collateral as _, Ethereum as _, Income as _, Outbox as _, Payees as _, Staking as _},
    *,
};
use alloc::{vec, vec::Vec};
use frame_support::{
    BoundedVec,
    pallet_prelude::{Get, Hooks},
    traits::EnsureOrigin,
};
use frame_system::RawOrigin;
use gear_exe_primitives::{H160, rewards::RewardClaim};
use polkadot_sdk::{frame_benchmarking::v2::*, frame_support, frame_system, sp_runtime::Perbill};

/// wVARA base units that there are to divide.
const INCOME: u128 = 1_000_000_000_000_000_000;
const TIME: u64 = 1_700_000_000;
/// The greatest numbers of the runtime. Vaults are those of one validator.
const STAKERS: u32 = 256;
const VALIDATORS: u32 = 128;
const CLAIMS: u32 = 1_024;
const VAULTS: u32 = 16;

/// `number` as an address: `from_low_u64_be` is not there without `std`.
fn address(number: u32) -> H160 {
    let mut address = H160::zero();
    address.0[16..].copy_from_slice(&number.to_be_bytes());
    address
}

/// As if `amount` had been taken.
fn take<T: Config>(amount: u128) {
    LastSpent::<T>::mutate(|spent| *spent = spent.saturating_add(amount));
    Taken::<T>::mutate(|taken| *taken = taken.saturating_add(amount));
}

fn claims<T: Config>(count: u32) -> BoundedVec<RewardClaim, T::MaxClaims> {
    let claims: Vec<_> = (1..=count.min(T::MaxClaims::get()))
        .map(|number| RewardClaim {
            to: address(number),
            amount: 1,
        })
        .collect();
    take::<T>(claims.len() as u128);
    BoundedVec::truncate_from(claims)
}

fn pot<T: Config>(era: EraIndex, validator: &T::AccountId) {
    take::<T>(INCOME);
    let pot = Pot {
        total: INCOME,
        left: INCOME,
        paid: 0,
    };
    Pots::<T>::insert(era, validator, pot);
}

/// A pool with a commission, which has earned something for `members` that were credited nothing of it.
fn pool<T: Config>(id: PoolId, members: Vec<(T::AccountId, u128)>) -> T::AccountId {
    let points = members.iter().map(|(_, points)| *points).sum();
    let commission = (Perbill::from_percent(10), account("payee", id, 0));
    let stake = T::Payees::found(id, members, commission);
    take::<T>(points);
    let share = PoolShare {
        per_point: PARTS,
        left: points,
    };
    PoolShares::<T>::insert(id, share);
    stake
}

/// A pool of which `member` is, and was credited something once.
fn pool_of<T: Config>(member: &T::AccountId) {
    pool::<T>(1, vec![(member.clone(), INCOME)]);
    let mark = MemberMark {
        pool: 1,
        per_point: 1,
    };
    MemberMarks::<T>::insert(member, mark);
}

fn stakers<T: Config>(count: u32) -> Vec<(T::AccountId, u128)> {
    (0..count)
        .map(|index| (account("staker", index, 0), 1_000))
        .collect()
}

#[benchmarks]
mod benchmarks {
    use super::*;

    /// A page of `s` stakers and `p` pools. None of the stakers has a credit, nor those whom the pools pay commissions.
    #[benchmark]
    fn pay_stakers(s: Linear<0, STAKERS>, p: Linear<0, STAKERS>) -> Result<(), BenchmarkError> {
        let validator: T::AccountId = account("validator", 0, 0);
        let mut page = stakers::<T>(s);
        page.extend((1..=p).map(|id| {
            let members = vec![(account("member", id, 0), 1_000)];
            (pool::<T>(id, members), 1_000)
        }));
        T::Staking::expose(0, &validator, page);
        SeenEra::<T>::put(1);
        pot::<T>(0, &validator);
        let caller: T::AccountId = whitelisted_caller();

        #[extrinsic_call]
        _(RawOrigin::Signed(caller), validator.clone(), 0, 0);

        assert_eq!(Pots::<T>::get(0, &validator), None);
        Ok(())
    }

    /// One more address in an era with many, for a member of a pool that has earned something.
    #[benchmark]
    fn claim() -> Result<(), BenchmarkError> {
        let most = T::MaxClaims::get().saturating_sub(1);
        Claims::<T>::put(claims::<T>(most));
        let caller: T::AccountId = whitelisted_caller();
        take::<T>(INCOME);
        Credits::<T>::insert(&caller, INCOME);
        pool_of::<T>(&caller);

        #[extrinsic_call]
        _(RawOrigin::Signed(caller), H160::repeat_byte(0xff));

        Ok(())
    }

    /// A member that has been credited before.
    #[benchmark]
    fn claim_pool_share() -> Result<(), BenchmarkError> {
        let caller: T::AccountId = whitelisted_caller();
        let member: T::AccountId = account("member", 0, 0);
        pool_of::<T>(&member);

        #[extrinsic_call]
        _(RawOrigin::Signed(caller), member.clone());

        assert!(Credits::<T>::get(member) > 0);
        Ok(())
    }

    /// The same, as what pools' own calls do first.
    #[benchmark]
    fn settle_member() -> Result<(), BenchmarkError> {
        let member: T::AccountId = account("member", 0, 0);
        pool_of::<T>(&member);

        #[block]
        {
            Pallet::<T>::settle_member(&member);
        }
        assert!(Credits::<T>::get(member) > 0);
        Ok(())
    }

    /// Claims, as many as can be, are sent again.
    #[benchmark]
    fn note_skipped() -> Result<(), BenchmarkError> {
        let tree = Tree {
            capture: TIME,
            claims: claims::<T>(CLAIMS),
        };
        let amount = tree.claims.len() as u128;
        SeenEra::<T>::put(1);
        Emitted::<T>::put(amount);
        Trees::<T>::insert(0, tree);
        Items::<T>::insert(0, 0, Sent::Claims(amount));
        T::Outbox::settle(1);
        let origin = T::GovernanceOrigin::try_successful_origin().map_err(|()| "origin")?;

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, 0, 0);

        assert_eq!(Items::<T>::get(0, 0), None);
        Ok(())
    }

    /// A block in which no era begins.
    #[benchmark]
    fn on_initialize() -> Result<(), BenchmarkError> {
        T::Staking::begin(7);
        SeenEra::<T>::put(7);

        #[block]
        {
            Pallet::<T>::on_initialize(1u32.into());
        }
        Ok(())
    }

    /// An era ends with `v` validators, `k` vaults behind them, as many behind each as can be, and `c` claims.
    #[benchmark]
    fn turn(
        v: Linear<0, VALIDATORS>,
        k: Linear<0, { VALIDATORS * VAULTS }>,
        c: Linear<0, CLAIMS>,
    ) -> Result<(), BenchmarkError> {
        T::Ethereum::set_finalised(TIME);
        let stakes = (0..v)
            .map(|index| {
                let validator: T::AccountId = account("validator", index, 0);
                T::Staking::expose(0, &validator, Vec::new());
                let vaults = (0..VAULTS)
                    .map(|round| round * v + index)
                    .filter(|vault| *vault < k)
                    .map(|vault| (address(vault), 1_000_000_000_000_000_000))
                    .collect();
                EthStake {
                    validator,
                    weight: 1_000,
                    vaults,
                }
            })
            .collect();
        T::Collateral::put(0, stakes);
        T::Staking::begin(1);
        SeenEra::<T>::put(0);
        Claims::<T>::put(claims::<T>(c));
        T::Income::earn(INCOME);

        #[block]
        {
            Pallet::<T>::on_initialize(1u32.into());
        }
        assert!(Divisions::<T>::contains_key(0));
        Ok(())
    }

    /// An old era is forgotten with `p` pots that nobody has paid.
    #[benchmark]
    fn forget(p: Linear<0, VALIDATORS>) -> Result<(), BenchmarkError> {
        let active = T::HistoryDepth::get().saturating_add(1);
        for index in 0..p {
            pot::<T>(0, &account("validator", index, 0));
        }
        T::Staking::begin(active);
        SeenEra::<T>::put(active);

        #[block]
        {
            Pallet::<T>::on_initialize(1u32.into());
        }
        assert!(Pots::<T>::iter().next().is_none());
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, mock::new_test_ext(), mock::Test);
}
