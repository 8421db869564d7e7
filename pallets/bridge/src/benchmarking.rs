//! What calls cost, measured: `cargo test --release -p pallet-bridge --features runtime-benchmarks` runs each once,
//! `scripts/weights` measures.

use crate::{
    pallet::*,
    types::{Ethereum as _, OpenSlashes as _},
    *,
};
use alloc::vec::Vec;
use frame_support::{
    pallet_prelude::{BoundedVec, Get, Hooks, TransactionSource},
    traits::{Authorize, fungible::Mutate},
};
use frame_system::RawOrigin;
use gear_exe_primitives::{
    H160, H256,
    facts::{Burn, Fact, MAX_FACTS, SlashFate},
    quorum::Member,
    signature::{CompactSignature, address_of_secret},
    vote::FactsVote,
};
use polkadot_sdk::{frame_benchmarking::v2::*, frame_support, frame_system};

/// Enough for everything here.
const PLENTY: Balance = 1 << 70;
/// What is locked and unlocked.
const AMOUNT: Balance = 1 << 50;

fn secret(number: u32) -> [u8; 32] {
    let mut secret = [1; 32];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    secret
}

/// An account of no one. `from_low_u64_be` is not there without `std`.
fn nobody(number: u32) -> H256 {
    let mut account = H256::zero();
    account.0[24..].copy_from_slice(&(u64::from(number) | 1 << 32).to_be_bytes());
    account
}

/// The largest validator set, and much VARA that is locked.
fn start<T: Config>() -> Result<(), BenchmarkError> {
    let members = (0..T::MaxValidators::get())
        .map(|number| {
            let address = address_of_secret(&secret(number)).map_err(|_| "secret")?;
            Ok(Member { address, weight: 1 })
        })
        .collect::<Result<Vec<_>, BenchmarkError>>()?;
    T::Validators::set_members(members);
    T::Ethereum::set_router(H160::repeat_byte(1));
    VotingSet::<T>::put(T::Validators::set_id());
    let _ = Votes::<T>::clear(u32::MAX, None);
    Uncounted::<T>::kill();
    NextBurn::<T>::kill();
    Pallet::<T>::back(PLENTY)?;
    Ok(())
}

fn facts<T: Config>(burns: u32, slashes: u32) -> Vec<Fact> {
    let burns = (0..burns).map(|number| {
        Fact::Burn(Burn {
            number: number.into(),
            // Each an account of its own, which is made.
            account: nobody(number),
            amount: AMOUNT,
        })
    });
    let slashes = (0..u64::from(slashes)).map(|id| {
        T::OpenSlashes::make_open(id);
        Fact::Slash {
            id,
            fate: SlashFate::Executed,
        }
    });
    burns.chain(slashes).collect()
}

fn vote_for<T: Config>(facts: Vec<Fact>) -> FactsVote {
    FactsVote {
        set_id: T::Validators::set_id(),
        facts,
    }
}

/// What a validator has said, as much as is kept, and nothing of it is asked for any more.
fn old() -> BoundedVec<Fact, frame_support::traits::ConstU32<MAX_SAID>> {
    let facts = (0..u64::from(MAX_SAID))
        .map(|id| Fact::Slash {
            id: id.saturating_add(1 << 40),
            fate: SlashFate::Refused,
        })
        .collect();
    BoundedVec::truncate_from(facts)
}

#[benchmarks(where <T as frame_system::Config>::RuntimeCall: From<Call<T>>)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn lock() -> Result<(), BenchmarkError> {
        start::<T>()?;
        let account: T::AccountId = whitelisted_caller();
        T::Currency::mint_into(&account, PLENTY)?;
        let before = Pallet::<T>::held();
        let amount = T::Parameters::get().min_lock.max(AMOUNT);

        #[extrinsic_call]
        _(RawOrigin::Signed(account), H160::repeat_byte(9), amount);

        assert_eq!(Pallet::<T>::held(), before.saturating_add(amount));
        Ok(())
    }

    #[benchmark]
    fn claim() -> Result<(), BenchmarkError> {
        start::<T>()?;
        let account: T::AccountId = account("claimer", 0, 0);
        Claimable::<T>::insert(&account, AMOUNT);

        #[extrinsic_call]
        _(RawOrigin::Signed(whitelisted_caller()), account.clone());

        assert_eq!(Claimable::<T>::get(account), 0);
        Ok(())
    }

    /// `f` facts on slashes, by a validator that has said `o` things before; only with the most they are looked up.
    #[benchmark]
    fn submit_facts(
        f: Linear<1, { MAX_FACTS as u32 }>,
        o: Linear<0, { MAX_SAID }>,
    ) -> Result<(), BenchmarkError> {
        start::<T>()?;
        let mut said = old();
        said.truncate(o as usize);
        Votes::<T>::insert(0, said);
        let vote = vote_for::<T>(facts::<T>(0, f));

        #[extrinsic_call]
        _(RawOrigin::Authorized, vote, 0, CompactSignature([1; 64]));

        assert!(Uncounted::<T>::get());
        Ok(())
    }

    #[benchmark]
    fn authorize_facts() -> Result<(), BenchmarkError> {
        start::<T>()?;
        Votes::<T>::insert(0, old());
        let vote = vote_for::<T>(facts::<T>(0, MAX_FACTS as u32));
        let digest = vote.digest(T::Validators::genesis_hash());
        let signature = CompactSignature::sign(&secret(0), digest).map_err(|_| "sign")?;
        let call: <T as frame_system::Config>::RuntimeCall = Call::submit_facts {
            vote,
            validator: 0,
            signature,
        }
        .into();

        #[block]
        {
            call.authorize(TransactionSource::External)
                .ok_or("not authorised")?
                .map_err(|_| "refused")?;
        }
        Ok(())
    }

    /// The votes of `d` validators of another set are dropped.
    #[benchmark]
    fn on_initialize(d: Linear<0, { T::MaxValidators::get() }>) -> Result<(), BenchmarkError> {
        start::<T>()?;
        for validator in 0..d {
            Votes::<T>::insert(validator, old());
        }
        VotingSet::<T>::put(T::Validators::set_id().saturating_add(1));

        #[block]
        {
            Pallet::<T>::on_initialize(7u32.into());
        }
        assert_eq!(Votes::<T>::iter().count(), 0);
        Ok(())
    }

    /// `v` validators have said `f` things each, of which a quorum agrees on `a` burns.
    #[benchmark]
    fn count(
        v: Linear<1, { T::MaxValidators::get() }>,
        f: Linear<0, { MAX_SAID - BURN_WINDOW }>,
        a: Linear<0, { BURN_WINDOW }>,
    ) -> Result<(), BenchmarkError> {
        start::<T>()?;
        let agreed = facts::<T>(a, 0);
        for validator in 0..v {
            let other = (0..u64::from(f)).map(|id| Fact::Slash {
                // Each something else.
                id: id.saturating_add(u64::from(validator).saturating_add(1) << 32),
                fate: SlashFate::Refused,
            });
            let said = agreed.iter().copied().chain(other).collect();
            Votes::<T>::insert(validator, BoundedVec::truncate_from(said));
        }
        Uncounted::<T>::put(true);

        #[block]
        {
            Pallet::<T>::on_initialize(7u32.into());
        }
        assert!(!Uncounted::<T>::get());
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, mock::new_test_ext(), mock::Test);
}
