//! What calls cost, measured: `cargo test --release -p pallet-settlement --features runtime-benchmarks` runs each once,
//! `scripts/weights` measures.

use crate::{pallet::*, *};
use alloc::vec::Vec;
use frame_support::{
    pallet_prelude::{BoundedVec, Get, Hooks, TransactionSource},
    traits::{Authorize, EnsureOrigin},
};
use frame_system::RawOrigin;
use gear_exe_primitives::{
    CodeId, H160, H256,
    batch::{BatchHeader, RouterDomain},
    ethereum::EthereumHeader,
    outbox::OutboxItem,
    quorum::Member,
    signature::{CompactSignature, address_of_secret},
    vote::{EmptyBatch, RouterAt},
};
use polkadot_sdk::{frame_benchmarking::v2::*, frame_support, frame_system};

const NOW: u32 = 1_000;

fn secret(validator: u32) -> [u8; 32] {
    let mut secret = [1; 32];
    secret[..4].copy_from_slice(&validator.to_be_bytes());
    secret
}

const DOMAIN: RouterDomain = RouterDomain {
    chain_id: 1,
    router: H160::repeat_byte(1),
};

fn anchor() -> EthereumHeader {
    EthereumHeader {
        hash: H256::repeat_byte(7),
        number: 1_000,
        timestamp: 1_000_000,
        ..Default::default()
    }
}

/// The largest set, a Router, and an anchor at which it is known what that holds.
fn start<T: Config>() -> Result<(), BenchmarkError> {
    let members = (0..T::MaxValidators::get())
        .map(|validator| {
            let address = address_of_secret(&secret(validator)).map_err(|_| "secret")?;
            Ok(Member { address, weight: 1 })
        })
        .collect::<Result<Vec<_>, &str>>()?;
    CurrentSet::<T>::put(0);
    Sets::<T>::insert(0, BoundedVec::truncate_from(members));
    Domain::<T>::put(DOMAIN);
    T::Ethereum::set_anchor(anchor());
    Router::<T>::put(RouterAt {
        block: anchor().id(),
        ..Default::default()
    });
    frame_system::Pallet::<T>::set_block_number(NOW.into());
    Ok(())
}

/// `number` as a hash: `from_low_u64_be` is not there without `std`.
fn hash(number: u64) -> H256 {
    let mut hash = H256::zero();
    hash.0[24..].copy_from_slice(&number.to_be_bytes());
    hash
}

fn put_seal<T: Config>(number: u64) -> Seal {
    let seal = Seal {
        hash: hash(number),
        anchor: anchor().id(),
        set_id: 0,
        router: Router::<T>::get().batch,
        expiry: anchor().timestamp.saturating_add(600),
        limits: Default::default(),
        outbox_end: 0,
        result: None,
        fate: Fate::Open,
    };
    Seals::<T>::insert(number, seal);
    SealNumbers::<T>::mutate(|numbers| {
        let _ = numbers.try_push(number);
    });
    OpenSeals::<T>::mutate(|numbers| {
        let _ = numbers.try_push(number);
    });
    seal
}

fn batch<T: Config>(number: u64, seal: &Seal) -> BatchHeader {
    BatchHeader {
        genesis: Pallet::<T>::genesis_hash(),
        seal_number: number,
        seal_hash: seal.hash,
        last_round: number,
        last_round_hash: seal.hash,
        nonce: seal.router.nonce.saturating_add(1),
        parent: seal.router.digest,
        anchor_number: seal.anchor.number,
        anchor_hash: seal.anchor.hash,
        set_id: seal.set_id,
        content: H256::repeat_byte(1),
        expiry: seal.expiry,
    }
}

fn sign(validator: u32, digest: H256) -> Result<CompactSignature, BenchmarkError> {
    Ok(CompactSignature::sign(&secret(validator), digest).map_err(|_| "sign")?)
}

/// So many votes that one more is a quorum.
fn nearly<T: Config>(number: u64, digest: H256, empty: bool) -> Result<u32, BenchmarkError> {
    let enough = T::MaxValidators::get().saturating_mul(2) / 3;
    for validator in 0..enough {
        Pallet::<T>::take_vote(number, validator, digest, empty, CompactSignature([1; 64]))?;
    }
    Ok(enough)
}

#[benchmarks(where <T as frame_system::Config>::RuntimeCall: From<Call<T>>)]
mod benchmarks {
    use super::*;

    /// The signature that makes a quorum of the largest set.
    #[benchmark]
    fn submit_batch_signature() -> Result<(), BenchmarkError> {
        start::<T>()?;
        let seal = put_seal::<T>(999);
        let header = batch::<T>(999, &seal);
        let digest = header.digest(&DOMAIN);
        let validator = nearly::<T>(999, digest, false)?;
        let signature = sign(validator, digest)?;

        #[extrinsic_call]
        _(RawOrigin::Authorized, header, validator, signature);

        let result = Seals::<T>::get(999).and_then(|seal| seal.result);
        assert_eq!(result, Some(SealResult::Ready(digest)));
        Ok(())
    }

    /// The vote that makes a quorum of the largest set.
    #[benchmark]
    fn submit_empty() -> Result<(), BenchmarkError> {
        start::<T>()?;
        let seal = put_seal::<T>(999);
        let empty = EmptyBatch {
            set_id: 0,
            seal_number: 999,
            seal_hash: seal.hash,
        };
        let digest = empty.digest(Pallet::<T>::genesis_hash());
        let validator = nearly::<T>(999, digest, true)?;
        let signature = sign(validator, digest)?;

        #[extrinsic_call]
        _(RawOrigin::Authorized, empty, validator, signature);

        let result = Seals::<T>::get(999).and_then(|seal| seal.result);
        assert_eq!(result, Some(SealResult::Empty));
        Ok(())
    }

    #[benchmark]
    fn authorize_vote() -> Result<(), BenchmarkError> {
        start::<T>()?;
        let seal = put_seal::<T>(999);
        let header = batch::<T>(999, &seal);
        let signature = sign(0, header.digest(&DOMAIN))?;
        let call: <T as frame_system::Config>::RuntimeCall = Call::submit_batch_signature {
            header,
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

    #[benchmark]
    fn pause() -> Result<(), BenchmarkError> {
        let origin = T::PauseOrigin::try_successful_origin().map_err(|()| "origin")?;

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin);
        assert!(Paused::<T>::get());
        Ok(())
    }

    #[benchmark]
    fn resume() -> Result<(), BenchmarkError> {
        let origin = T::PauseOrigin::try_successful_origin().map_err(|()| "origin")?;
        Paused::<T>::put(true);

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin);
        assert!(!Paused::<T>::get());
        Ok(())
    }

    /// The end of a block that is a seal, drops the oldest one with `v` votes on it, and deletes as many outbox items as
    /// any block does.
    #[benchmark]
    fn on_finalize(v: Linear<0, { T::MaxValidators::get() }>) -> Result<(), BenchmarkError> {
        start::<T>()?;
        for number in 1..=u64::from(MAX_SEALS) {
            put_seal::<T>(number);
        }
        // Of the kept ones a few are undecided, but too old to be waited for.
        OpenSeals::<T>::mutate(|open| open.truncate(4));
        let oldest = Seals::<T>::get(1).ok_or("seal")?;
        for validator in 0..v {
            let digest = hash(validator.into());
            let header = batch::<T>(1, &oldest);
            Proposals::<T>::insert(1, digest, header);
            Pallet::<T>::take_vote(1, validator, digest, false, CompactSignature([1; 64]))?;
        }
        for _ in 0..outbox::DELETE_PER_BLOCK {
            Pallet::<T>::push(OutboxItem::CodeResult {
                code_id: CodeId::zero(),
                request_id: H256::zero(),
                valid: true,
            });
        }
        Settled::<T>::mutate(|settled| settled.outbox_end = OutboxEnd::<T>::get());

        #[block]
        {
            Pallet::<T>::on_finalize(NOW.into());
        }
        assert!(Seals::<T>::contains_key(u64::from(NOW)));
        assert!(!Seals::<T>::contains_key(1));
        assert_eq!(OutboxStart::<T>::get(), OutboxEnd::<T>::get());
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, mock::new_test_ext(), mock::Test);
}
