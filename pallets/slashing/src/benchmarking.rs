//! What calls cost, measured: `cargo test --release -p pallet-slashing --features runtime-benchmarks` runs each once,
//! `scripts/weights` measures.
//!
//! Staking's part of a report depends on the runtime's nominators and is not in these: `weights.rs` adds it by hand.

use crate::{pallet::*, *};
use alloc::{boxed::Box, vec::Vec};
use frame_support::{
    BoundedVec,
    pallet_prelude::{Get, Hooks, TransactionSource},
    traits::{Authorize, EnsureOrigin},
};
use frame_system::RawOrigin;
use gear_exe_primitives::{
    H160, H256,
    batch::{BatchHeader, RouterDomain},
    certificate::{PromiseStatement, RoundStatement, SignedPromise, Tally},
    ethereum::BlockId,
    evidence::{DoubleSign, SealStatement, SignedStatement},
    faults::BrokenPromise,
    quorum::Member,
    signature::{CompactSignature, address_of_secret},
};
use polkadot_sdk::{frame_benchmarking::v2::*, frame_support, frame_system, sp_runtime::Perbill};

const SECRET: [u8; 32] = [7; 32];
const DOMAIN: RouterDomain = RouterDomain {
    chain_id: 1,
    router: H160::repeat_byte(1),
};

/// Who stands behind the validator that offends.
const OPERATOR: H160 = H160::repeat_byte(2);

/// `number` as an address: `from_low_u64_be` is not there without `std`.
fn address(number: u32) -> H160 {
    let mut address = H160::zero();
    address.0[16..].copy_from_slice(&number.to_be_bytes());
    address
}

/// `number` as a hash: `from_low_u64_be` is not there without `std`.
fn hash(number: u64) -> H256 {
    let mut hash = H256::zero();
    hash.0[24..].copy_from_slice(&number.to_be_bytes());
    hash
}

/// The largest set, whose last member signs.
fn start<T: Config>() -> Result<T::AccountId, BenchmarkError> {
    T::Seals::set_domain(DOMAIN);
    let session = T::Eras::session();
    let max = T::MaxValidators::get();
    let mut members: Vec<_> = (1..max)
        .map(|index| {
            let account: T::AccountId = account("validator", index, 0);
            (address(index), account)
        })
        .collect();
    let offender: T::AccountId = account("validator", max, 0);
    let signer = address_of_secret(&SECRET).map_err(|_| "secret")?;
    members.push((signer, offender.clone()));
    let set = SignerSet {
        first: session,
        last: session,
        members: BoundedVec::truncate_from(members),
    };
    Signers::<T>::insert(0, set);
    T::Operators::bind(&offender, OPERATOR, Pallet::<T>::seconds());
    Ok(offender)
}

fn evidence<T: Config>() -> Result<EvidenceOf<T>, BenchmarkError> {
    let signed = |content| -> Result<SignedStatement, BenchmarkError> {
        let header = BatchHeader {
            genesis: T::Seals::genesis(),
            seal_number: u64::MAX,
            seal_hash: H256::repeat_byte(1),
            last_round: 1,
            last_round_hash: H256::repeat_byte(1),
            nonce: 1,
            parent: H256::zero(),
            anchor_number: 1,
            anchor_hash: H256::zero(),
            set_id: 0,
            content: H256::repeat_byte(content),
            expiry: 1,
        };
        let digest = header.digest(&DOMAIN);
        Ok(SignedStatement {
            statement: SealStatement::Batch(header),
            signature: CompactSignature::sign(&SECRET, digest).map_err(|_| "sign")?,
        })
    };
    Ok(Evidence::DoubleSign(DoubleSign {
        first: signed(1)?,
        second: signed(2)?,
    }))
}

/// The key of a member of the largest set.
fn secret(number: u32) -> [u8; 32] {
    let mut secret = [1; 32];
    secret[28..].copy_from_slice(&number.to_be_bytes());
    secret
}

/// A promise of the validator that offends, against a certificate that all of the largest set have signed.
fn broken_promise<T: Config>() -> Result<EvidenceOf<T>, BenchmarkError> {
    let genesis = T::Seals::genesis();
    let decided = RoundStatement {
        set_id: 0,
        block_number: u64::MAX,
        block_hash: H256::repeat_byte(1),
        anchor: BlockId::default(),
        outcome: H256::repeat_byte(1),
    };
    let size = T::MaxValidators::get();
    let mut tally = Tally::new(decided, size as usize);
    let mut members = Vec::new();
    for number in 0..size {
        let member = Member {
            address: address_of_secret(&secret(number)).map_err(|_| "secret")?,
            weight: 1,
        };
        let signature = CompactSignature::sign(&secret(number), decided.digest(genesis, &DOMAIN))
            .map_err(|_| "sign")?;
        tally.add(number as usize, &member, signature);
        members.push(member);
    }
    let certificate = tally.certificate(&members).ok_or("no quorum")?;
    T::Seals::set_members(0, members);
    let statement = PromiseStatement {
        set_id: 0,
        slot: 1,
        block_hash: decided.block_hash,
        outcome: H256::repeat_byte(2),
    };
    let digest = statement.digest(genesis, &DOMAIN);
    Ok(Evidence::BrokenPromise(BrokenPromise {
        promise: SignedPromise {
            statement,
            signature: CompactSignature::sign(&SECRET, digest).map_err(|_| "sign")?,
        },
        certificate,
    }))
}

/// Opens `count` slashes against an operator, which are due.
fn fill<T: Config>(operator: H160, count: u32) {
    let mut open = Vec::new();
    let now = Pallet::<T>::seconds();
    for place in 0..u64::from(count) {
        let id = NextId::<T>::get();
        NextId::<T>::put(id.saturating_add(1));
        let slash = Slash {
            validator: account("offender", 0, 0),
            operator,
            era: 0,
            kind: UNNAMED,
            incident: hash(id),
            fraction: Perbill::from_parts(1),
            capture: now,
            due: 0,
            deadline: u64::MAX,
            end: u64::MAX,
            approved: true,
            state: State::Deferred,
            vara: Default::default(),
        };
        open.push((now, id));
        EraSlashes::<T>::insert(0, id, ());
        Slashes::<T>::insert(id, slash);
        Reached::<T>::insert(0, operator, Perbill::from_parts(place as u32 + 1));
    }
    let queue = OperatorQueue {
        open: BoundedVec::truncate_from(open),
        executed: 0,
    };
    Queues::<T>::insert(operator, queue);
}

#[benchmarks(where <T as frame_system::Config>::RuntimeCall: From<Call<T>>)]
mod benchmarks {
    use super::*;

    /// A double signature of the largest set's last member, against whose ETH as many slashes are open as leave room for one
    /// more: all are looked at, and another one is opened.
    #[benchmark]
    fn report() -> Result<(), BenchmarkError> {
        let offender = start::<T>()?;
        fill::<T>(OPERATOR, MAX_OPEN.saturating_sub(1));
        let evidence = Box::new(evidence::<T>()?);
        let reporter: T::AccountId = whitelisted_caller();
        let id = NextId::<T>::get();

        #[extrinsic_call]
        _(RawOrigin::Signed(reporter), evidence);

        let opened = Slashes::<T>::get(id).ok_or("no slash was opened")?;
        assert_eq!(opened.validator, offender);
        assert_eq!(opened.state, State::Deferred);
        Ok(())
    }

    #[benchmark]
    fn authorize_report() -> Result<(), BenchmarkError> {
        start::<T>()?;
        let call: <T as frame_system::Config>::RuntimeCall = Call::report_unsigned {
            evidence: Box::new(evidence::<T>()?),
        }
        .into();

        #[block]
        {
            call.authorize(TransactionSource::Local)
                .ok_or("not authorised")?
                .map_err(|_| "refused")?;
        }
        Ok(())
    }

    #[benchmark]
    fn check_certificate() -> Result<(), BenchmarkError> {
        start::<T>()?;
        let evidence = broken_promise::<T>()?;

        #[block]
        {
            Pallet::<T>::prove(&evidence).map_err(|_| "refused")?;
        }
        Ok(())
    }

    #[benchmark]
    fn cancel() -> Result<(), BenchmarkError> {
        fill::<T>(OPERATOR, MAX_OPEN);
        let origin = T::CancelOrigin::try_successful_origin().map_err(|()| "origin")?;

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, 0);

        assert_eq!(
            Slashes::<T>::get(0).map(|slash| slash.state),
            Some(State::Cancelled)
        );
        Ok(())
    }

    #[benchmark]
    fn approve() -> Result<(), BenchmarkError> {
        fill::<T>(OPERATOR, MAX_OPEN);
        Slashes::<T>::mutate_extant(0, |slash| slash.approved = false);
        let origin = T::ApproveOrigin::try_successful_origin().map_err(|()| "origin")?;

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, 0);

        assert!(Slashes::<T>::get(0).is_some_and(|slash| slash.approved));
        Ok(())
    }

    /// A block in which `s` slashes leave.
    #[benchmark]
    fn on_initialize(s: Linear<0, { MAX_OPEN }>) -> Result<(), BenchmarkError> {
        fill::<T>(OPERATOR, s);

        #[block]
        {
            Pallet::<T>::on_initialize(1u32.into());
        }
        assert!(
            Slashes::<T>::iter_values().all(|slash| matches!(slash.state, State::Committed { .. }))
        );
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, mock::new_test_ext(), mock::Test);
}
