//! What calls cost, measured: `cargo test --release -p pallet-restaking --features runtime-benchmarks` runs each once,
//! `scripts/weights` measures.

use crate::{
    pallet::*,
    types::{Eras as _, Ethereum as _},
    *,
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use frame_support::{
    pallet_prelude::{Get, Hooks, TransactionSource},
    traits::{Authorize, EnsureOrigin, fungible::Mutate},
};
use frame_system::RawOrigin;
use gear_exe_primitives::{
    H160, H256, U256,
    batch::RouterDomain,
    ethereum::EthereumHeader,
    quorum::Member,
    restaking::VaultStake,
    signature::{CompactSignature, address_of_secret},
    stake_pages::{self, MAX_VAULTS, OPERATORS_PER_PAGE, StakePage},
    vote::SnapshotVote,
};
use polkadot_sdk::{
    frame_benchmarking::v2::*,
    frame_support, frame_system,
    sp_runtime::{
        Perbill,
        traits::{Bounded, TrailingZeroInput},
    },
};

const DOMAIN: RouterDomain = RouterDomain {
    chain_id: 1,
    router: H160::repeat_byte(1),
};

fn secret(number: u32) -> [u8; 32] {
    let mut secret = [1; 32];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    secret
}

/// `number` as an address: `from_low_u64_be` is not there without `std`.
fn address(number: u32) -> H160 {
    let mut address = H160::zero();
    address.0[16..].copy_from_slice(&number.to_be_bytes());
    address
}

fn address_of(number: u32) -> Result<H160, BenchmarkError> {
    Ok(address_of_secret(&secret(number)).map_err(|_| "secret")?)
}

fn member_of<T: Config>(number: u32) -> Result<T::AccountId, BenchmarkError> {
    let bytes = (b"operator", number).using_encoded(polkadot_sdk::sp_io::hashing::blake2_256);
    Ok(T::AccountId::decode(&mut TrailingZeroInput::new(&bytes)).map_err(|_| "account")?)
}

/// Tokens, as many as there may be.
fn put_assets<T: Config>() -> Vec<H160> {
    let _ = Assets::<T>::clear(u32::MAX, None);
    (0..T::MaxAssets::get())
        .map(|number| {
            let token = address(number);
            let rules = AssetRules {
                decimals: 6,
                haircut: Perbill::from_percent(10),
                cap: 1_000_000_000,
            };
            Assets::<T>::insert(token, rules);
            token
        })
        .collect()
}

/// The largest validator set, so many operators, and the snapshot of era 2 open.
fn start<T: Config>(operators: u32) -> Result<(), BenchmarkError> {
    let members = (0..T::MaxValidators::get())
        .map(|number| {
            let address = address_of(number)?;
            Ok(Member { address, weight: 1 })
        })
        .collect::<Result<Vec<_>, BenchmarkError>>()?;
    T::Validators::set_members(members);
    VotingSet::<T>::put(T::Validators::set_id());
    let header = EthereumHeader {
        hash: H256::repeat_byte(7),
        number: 1_000,
        timestamp: u64::from(u32::MAX),
        ..Default::default()
    };
    T::Ethereum::set(header, DOMAIN);
    let _ = Operators::<T>::clear(u32::MAX, None);
    let _ = OperatorOf::<T>::clear(u32::MAX, None);
    for number in 0..operators {
        let signs_nothing = address(number.saturating_add(1_000));
        Pallet::<T>::bind(&member_of::<T>(number)?, signs_nothing, Default::default());
    }
    OpenEra::<T>::kill();
    LastCapture::<T>::kill();
    let _ = Snapshots::<T>::clear(u32::MAX, None);
    T::Eras::set(1);
    Pallet::<T>::begin_era(1);
    Ok(())
}

/// Stake of all operators, in as many vaults as count.
fn largest_pages<T: Config>(tokens: &[H160]) -> Vec<StakePage> {
    let operators = Eligible::<T>::get();
    let stakes: Vec<_> = operators
        .iter()
        .flat_map(|operator| {
            (0..MAX_VAULTS)
                .zip(tokens.iter().cycle())
                .map(|(vault, token)| VaultStake {
                    operator: *operator,
                    vault: address(vault),
                    collateral: *token,
                    amount: U256::from(u64::MAX),
                })
        })
        .collect();
    stake_pages::pages(&operators, &stakes)
}

fn vote_for<T: Config>(pages: &[StakePage]) -> Result<SnapshotVote, BenchmarkError> {
    let (era, snapshot) = Pallet::<T>::open_snapshot().ok_or("nothing is open")?;
    let capture = snapshot.capture.timestamp;
    Ok(SnapshotVote {
        set_id: T::Validators::set_id(),
        era,
        capture,
        root: stake_pages::root(era, capture, pages),
        pages: pages.len() as u32,
    })
}

/// So many votes that one more is a quorum.
fn nearly<T: Config>(vote: &SnapshotVote) -> Result<u32, BenchmarkError> {
    let enough = T::MaxValidators::get().saturating_mul(2) / 3;
    for validator in 0..enough {
        Pallet::<T>::take_snapshot_vote(vote, validator)?;
    }
    Ok(enough)
}

/// An account that can be bound to the address, with that address's consent.
fn candidate<T: Config>() -> Result<(T::AccountId, H160, CompactSignature), BenchmarkError>
where
    T::Currency: Mutate<T::AccountId>,
{
    start::<T>(0)?;
    let account: T::AccountId = whitelisted_caller();
    let plenty = BalanceOf::<T>::max_value() / 4u32.into();
    T::Currency::set_balance(&account, plenty);
    let address = address_of(7)?;
    let digest = Pallet::<T>::binding(&account, address).digest(&DOMAIN);
    let signature = CompactSignature::sign(&secret(7), digest).map_err(|_| "sign")?;
    Ok((account, address, signature))
}

#[benchmarks(where
    <T as frame_system::Config>::RuntimeCall: From<Call<T>>,
    T::Currency: Mutate<T::AccountId>,
)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn register_operator() -> Result<(), BenchmarkError> {
        let (account, address, signature) = candidate::<T>()?;

        #[extrinsic_call]
        _(RawOrigin::Signed(account.clone()), address, signature);

        assert_eq!(OperatorOf::<T>::get(address), Some(account));
        Ok(())
    }

    #[benchmark]
    fn deregister_operator() -> Result<(), BenchmarkError> {
        start::<T>(0)?;
        let account: T::AccountId = whitelisted_caller();
        Pallet::<T>::bind(&account, H160::repeat_byte(9), Default::default());

        #[extrinsic_call]
        _(RawOrigin::Signed(account));
        Ok(())
    }

    #[benchmark]
    fn withdraw_operator() -> Result<(), BenchmarkError> {
        let (account, address, signature) = candidate::<T>()?;
        Pallet::<T>::do_register(account.clone(), address, signature)?;
        Pallet::<T>::do_deregister(account.clone())?;
        SeenEra::<T>::put(EraIndex::MAX);

        #[extrinsic_call]
        _(RawOrigin::Signed(account.clone()));

        assert_eq!(Operators::<T>::get(account), None);
        Ok(())
    }

    #[benchmark]
    fn set_asset() -> Result<(), BenchmarkError> {
        let origin = T::GovernanceOrigin::try_successful_origin().map_err(|()| "origin")?;
        let token = put_assets::<T>().first().copied().ok_or("no tokens")?;
        let rules = Assets::<T>::get(token);

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, token, rules);
        Ok(())
    }

    /// The vote that makes a quorum of the largest set.
    #[benchmark]
    fn submit_snapshot_vote() -> Result<(), BenchmarkError> {
        start::<T>(OPERATORS_PER_PAGE)?;
        let vote = vote_for::<T>(&largest_pages::<T>(&put_assets::<T>()))?;
        let validator = nearly::<T>(&vote)?;

        #[extrinsic_call]
        _(
            RawOrigin::Authorized,
            vote,
            validator,
            CompactSignature([1; 64]),
        );

        let state = Snapshots::<T>::get(2).map(|snapshot| snapshot.state);
        assert!(matches!(state, Some(SnapshotState::Agreed { .. })));
        Ok(())
    }

    #[benchmark]
    fn authorize_snapshot_vote() -> Result<(), BenchmarkError> {
        start::<T>(OPERATORS_PER_PAGE)?;
        let vote = vote_for::<T>(&largest_pages::<T>(&put_assets::<T>()))?;
        let validator = nearly::<T>(&vote)?;
        let digest = vote.digest(T::Validators::genesis_hash());
        let signature = CompactSignature::sign(&secret(validator), digest).map_err(|_| "sign")?;
        let call: <T as frame_system::Config>::RuntimeCall = Call::submit_snapshot_vote {
            vote,
            validator,
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

    /// The last of `p` pages, full of stake.
    #[benchmark]
    fn submit_page(
        p: Linear<1, { T::MaxOperators::get() / OPERATORS_PER_PAGE }>,
    ) -> Result<(), BenchmarkError> {
        start::<T>(p.saturating_mul(OPERATORS_PER_PAGE))?;
        let mut pages = largest_pages::<T>(&put_assets::<T>());
        let vote = vote_for::<T>(&pages)?;
        let validator = nearly::<T>(&vote)?;
        Pallet::<T>::take_snapshot_vote(&vote, validator)?;
        let last = p.saturating_sub(1);
        let proof = stake_pages::proof(2, vote.capture, &pages, last).ok_or("proof")?;
        let page = pages.pop().ok_or("page")?;
        for (index, page) in (0u32..).zip(pages) {
            Pallet::<T>::take_page(2, index, page)?;
        }

        #[extrinsic_call]
        _(RawOrigin::Authorized, 2, last, page, proof);

        assert_eq!(LastAccepted::<T>::get(), Some(2));
        Ok(())
    }

    #[benchmark]
    fn authorize_page() -> Result<(), BenchmarkError> {
        start::<T>(T::MaxOperators::get())?;
        let pages = largest_pages::<T>(&put_assets::<T>());
        let vote = vote_for::<T>(&pages)?;
        let validator = nearly::<T>(&vote)?;
        Pallet::<T>::take_snapshot_vote(&vote, validator)?;
        let proof = stake_pages::proof(2, vote.capture, &pages, 0).ok_or("proof")?;
        let page = pages.first().cloned().ok_or("page")?;
        let call: <T as frame_system::Config>::RuntimeCall = Call::submit_page {
            era: 2,
            index: 0,
            page,
            proof,
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

    #[benchmark]
    fn on_initialize() -> Result<(), BenchmarkError> {
        start::<T>(0)?;

        #[block]
        {
            Pallet::<T>::on_initialize(7u32.into());
        }
        Ok(())
    }

    /// An era begins with `o` operators. The snapshot before lacks a page, and the oldest is forgotten.
    #[benchmark]
    fn begin_era(o: Linear<0, { T::MaxOperators::get() }>) -> Result<(), BenchmarkError> {
        start::<T>(o)?;
        let mut pages = largest_pages::<T>(&put_assets::<T>());
        if !pages.is_empty() {
            let vote = vote_for::<T>(&pages)?;
            let validator = nearly::<T>(&vote)?;
            Pallet::<T>::take_snapshot_vote(&vote, validator)?;
            pages.pop();
            for (index, page) in (0u32..).zip(pages) {
                Pages::<T>::insert(0, index, &page);
                Pallet::<T>::take_page(2, index, page)?;
            }
        }
        let era = T::HistoryDepth::get().saturating_add(1);
        T::Eras::set(era);
        LastCapture::<T>::kill();

        #[block]
        {
            Pallet::<T>::on_initialize(7u32.into());
        }
        assert_eq!(SeenEra::<T>::get(), Some(era));
        assert_eq!(Eligible::<T>::get().len() as u32, o);
        assert_eq!(Pages::<T>::iter_key_prefix(0).count(), 0);
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, mock::new_test_ext(), mock::Test);
}
