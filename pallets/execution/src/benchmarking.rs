//! What calls cost, measured: `cargo test --release -p pallet-execution --features runtime-benchmarks` runs each once,
//! `scripts/weights` measures.

use crate::{pallet::*, *};
use alloc::vec::Vec;
use frame_support::{
    pallet_prelude::{BoundedVec, Get, Hooks, TransactionSource},
    traits::Authorize,
};
use frame_system::{RawOrigin, pallet_prelude::BlockNumberFor};
use gear_exe_primitives::{
    CodeId, H160, H256, MessageId,
    batch::RouterDomain,
    ethereum::{BlockId, EthereumHeader, MAX_HEADER_LENGTH},
    native::{MAX_PAYLOAD, NativeTransaction, SignedNative, SigningForm},
    quorum::Member,
    report::NativeId,
    signature::{CompactSignature, address_of_secret},
    vote::{CodeVote, Verdict, View},
};
use polkadot_sdk::{
    frame_benchmarking::v2::*, frame_support, frame_system, sp_runtime::traits::SaturatedConversion,
};

const DOMAIN: RouterDomain = RouterDomain {
    chain_id: 1,
    router: H160::repeat_byte(0x70),
};

const LAST: &str = "as many members as there may be";

/// `number` as a hash: `from_low_u64_be` is not there without `std`.
fn hash(number: u64) -> H256 {
    let mut hash = H256::zero();
    hash.0[24..].copy_from_slice(&number.to_be_bytes());
    hash
}

fn secret(validator: u32) -> [u8; 32] {
    let mut secret = [1; 32];
    secret[..4].copy_from_slice(&validator.to_be_bytes());
    secret
}

/// As many validators as there may be. Returns the index of the last.
fn all_validators<T: Config>() -> Result<u32, BenchmarkError> {
    let count = T::MaxValidators::get();
    let members = (0..count)
        .map(|validator| {
            let address = address_of_secret(&secret(validator)).map_err(|_| "secret")?;
            Ok(Member { address, weight: 1 })
        })
        .collect::<Result<Vec<_>, &str>>()?;
    T::Validators::set_members(members);
    VotingSet::<T>::put(T::Validators::set_id());
    Ok(count.checked_sub(1).ok_or(LAST)?)
}

fn start<T: Config>() -> EthereumHeader {
    let root = EthereumHeader {
        hash: H256::repeat_byte(7),
        number: 1_000,
        timestamp: 1_000_000,
        ..Default::default()
    };
    let _ = Headers::<T>::clear(u32::MAX, None);
    Headers::<T>::insert(
        root.hash,
        KeptHeader {
            header: root,
            references: 2,
        },
    );
    Anchor::<T>::put(root);
    PreviousAnchor::<T>::put(root);
    Finalised::<T>::put(root);
    PruneNext::<T>::kill();
    frame_system::Pallet::<T>::set_block_number(100u32.into());
    root
}

/// `count` headers on `parent`, as long as headers may be.
fn headers(parent: EthereumHeader, salt: u8, count: u32) -> Result<HeaderList, BenchmarkError> {
    let mut list = HeaderList::new();
    let mut last = parent;
    for _ in 0..count {
        let mut stream = rlp::RlpStream::new_list(16);
        for field in 0..16 {
            match field {
                0 => stream.append(&last.hash.as_bytes()),
                6 => stream.append(&[0u8; 256].as_slice()),
                7 | 9 | 10 | 15 => stream.append(&1u64),
                8 => stream.append(&last.number.saturating_add(1)),
                11 => stream.append(&last.timestamp.saturating_add(12)),
                12 => stream.append(&[salt; 1_350].as_slice()),
                14 => stream.append(&[0u8; 8].as_slice()),
                _ => stream.append(&[salt; 32].as_slice()),
            };
        }
        let bytes = stream.out().to_vec();
        last = EthereumHeader::decode_rlp(&bytes).map_err(|_| "header")?;
        let bytes: BoundedVec<_, _> = bytes.try_into().map_err(|_| "long header")?;
        list.try_push(bytes).map_err(|_| "many headers")?;
    }
    Ok(list)
}

fn tip_of(parent: EthereumHeader, headers: &HeaderList) -> Result<BlockId, BenchmarkError> {
    let Some(bytes) = headers.last() else {
        return Ok(parent.id());
    };
    let header = EthereumHeader::decode_rlp(bytes).map_err(|_| "header")?;
    Ok(header.id())
}

fn view_of<T: Config>(
    tip: BlockId,
    validator: u32,
) -> Result<(View, CompactSignature), BenchmarkError> {
    let view = View {
        set_id: T::Validators::set_id(),
        seq: frame_system::Pallet::<T>::block_number().saturated_into(),
        tip,
        finalised: Finalised::<T>::get().id(),
        router: None,
    };
    let digest = view.digest(T::Validators::genesis_hash());
    let signature = CompactSignature::sign(&secret(validator), digest).map_err(|_| "sign")?;
    Ok((view, signature))
}

fn code_vote<T: Config>(validator: u32) -> Result<(CodeVote, CompactSignature), BenchmarkError> {
    let vote = CodeVote {
        set_id: T::Validators::set_id(),
        code_id: CodeId(H256::repeat_byte(1)),
        request_id: H256::repeat_byte(2),
        cursor: 0,
        verdict: Verdict::Valid,
    };
    let digest = vote.digest(T::Validators::genesis_hash());
    let signature = CompactSignature::sign(&secret(validator), digest).map_err(|_| "sign")?;
    Ok((vote, signature))
}

/// A message of `bytes` bytes that refers to `reference`.
fn native<T: Config>(
    reference: EthereumHeader,
    bytes: u32,
) -> Result<SignedNative, BenchmarkError> {
    HighestAnchor::<T>::put(reference.number);
    NativeRules::<T>::put(NativeParameters {
        window: 64,
        max_per_block: MAX_NATIVES_PER_BLOCK,
    });
    Pallet::<T>::note_reference(reference);
    let domain = DOMAIN;
    T::OnRouter::set_domain(domain);
    let transaction = NativeTransaction {
        destination: H160::repeat_byte(1),
        payload: alloc::vec![1; bytes as usize],
        value: 0,
        reference_block: reference.hash,
        salt: alloc::vec![2; 32],
    };
    let form = SigningForm::Typed;
    let digest = transaction.digest(form, &domain);
    Ok(SignedNative {
        transaction,
        form,
        source: address_of_secret(&secret(0)).map_err(|_| "secret")?,
        signature: CompactSignature::sign(&secret(0), digest).map_err(|_| "sign")?,
    })
}

#[benchmarks(where <T as frame_system::Config>::RuntimeCall: From<Call<T>>)]
mod benchmarks {
    use super::*;

    /// A view with `n` new headers, by a validator whose last view was on a branch that goes with it.
    #[benchmark]
    fn submit_view(n: Linear<0, MAX_HEADERS>) -> Result<(), BenchmarkError> {
        let last = all_validators::<T>()?;
        let root = start::<T>();
        let before = headers(root, 1, n)?;
        let (old, _) = view_of::<T>(tip_of(root, &before)?, last)?;
        assert!(Pallet::<T>::take_view(old, last, &before));
        frame_system::Pallet::<T>::set_block_number(101u32.into());
        let new = headers(root, 2, n)?;
        let (view, signature) = view_of::<T>(tip_of(root, &new)?, last)?;

        #[extrinsic_call]
        _(RawOrigin::Authorized, view, last, new, signature);

        assert_eq!(Views::<T>::get(last), Some(view));
        assert_eq!(Headers::<T>::count(), n.saturating_add(1));
        Ok(())
    }

    #[benchmark]
    fn authorize_view(n: Linear<0, MAX_HEADERS>) -> Result<(), BenchmarkError> {
        let last = all_validators::<T>()?;
        let root = start::<T>();
        let new = headers(root, 2, n)?;
        assert!(
            new.iter()
                .all(|bytes| bytes.len() <= MAX_HEADER_LENGTH as usize)
        );
        let (view, signature) = view_of::<T>(tip_of(root, &new)?, last)?;
        let call: <T as frame_system::Config>::RuntimeCall = Call::submit_view {
            view,
            validator: last,
            headers: new,
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

    /// The vote that decides, in the largest set, each of whose members has many other requests open.
    #[benchmark]
    fn submit_code_vote() -> Result<(), BenchmarkError> {
        let last = all_validators::<T>()?;
        start::<T>();
        let (vote, signature) = code_vote::<T>(last)?;
        let enough = T::MaxValidators::get().saturating_mul(2) / 3;
        for validator in 0..enough {
            for number in 1..MAX_OPEN_VOTES {
                let other = hash(number.into());
                OpenVotes::<T>::try_append(validator, (vote.code_id, other)).map_err(|()| LAST)?;
            }
            Pallet::<T>::take_code_vote(&vote, validator)?;
        }

        #[extrinsic_call]
        _(RawOrigin::Authorized, vote, last, signature);

        assert!(Codes::<T>::contains_key(vote.code_id));
        Ok(())
    }

    #[benchmark]
    fn authorize_code_vote() -> Result<(), BenchmarkError> {
        let last = all_validators::<T>()?;
        start::<T>();
        let (vote, signature) = code_vote::<T>(last)?;
        for validator in 0..T::MaxValidators::get().saturating_mul(2) / 3 {
            Pallet::<T>::take_code_vote(&vote, validator)?;
        }
        let call: <T as frame_system::Config>::RuntimeCall = Call::submit_code_vote {
            vote,
            validator: last,
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

    /// `v` validators have reported, on the longest chain that a view may bring, and the anchor moves to its end.
    #[benchmark]
    fn on_finalize(v: Linear<1, { T::MaxValidators::get() }>) -> Result<(), BenchmarkError> {
        let last = all_validators::<T>()?;
        let root = start::<T>();
        let new = headers(root, 2, MAX_HEADERS)?;
        let tip = tip_of(root, &new)?;
        let now = frame_system::Pallet::<T>::block_number();
        for validator in last.saturating_add(1).saturating_sub(v)..=last {
            let (view, _) = view_of::<T>(tip, validator)?;
            assert!(Pallet::<T>::take_view(view, validator, &new));
        }

        #[block]
        {
            Pallet::<T>::on_finalize(now);
        }
        let quorum = v.saturating_mul(3) > T::MaxValidators::get().saturating_mul(2);
        assert_eq!(Anchor::<T>::get().id() == tip, quorum);
        Ok(())
    }

    /// The beginning of a block in which `n` old headers are dropped.
    #[benchmark]
    fn on_initialize(
        n: Linear<0, { crate::headers::PRUNE_PER_BLOCK }>,
    ) -> Result<(), BenchmarkError> {
        all_validators::<T>()?;
        let mut parent = start::<T>();
        for _ in 0..n {
            for bytes in headers(parent, 3, 1)? {
                let header = EthereumHeader::decode_rlp(&bytes).map_err(|_| "header")?;
                Pallet::<T>::insert_header(header);
                parent = header;
            }
        }
        Finalised::<T>::put(parent);
        let now = frame_system::Pallet::<T>::block_number();

        #[block]
        {
            <Pallet<T> as Hooks<BlockNumberFor<T>>>::on_initialize(now);
        }
        assert_eq!(Headers::<T>::count(), 1);
        Ok(())
    }

    /// A message of `n` bytes in a block that has taken as many as it can but one.
    #[benchmark]
    fn submit_native(n: Linear<0, { MAX_PAYLOAD as u32 }>) -> Result<(), BenchmarkError> {
        let root = start::<T>();
        let signed = native::<T>(root, n)?;
        let ids = (1..MAX_NATIVES_PER_BLOCK).map(|number| NativeId {
            id: MessageId(hash(number.into())),
            source: signed.source,
        });
        Natives::<T>::put(BoundedVec::truncate_from(ids.collect()));
        NativesIn::<T>::put(NativeCount {
            block: 100,
            messages: MAX_NATIVES_PER_BLOCK.saturating_sub(1),
        });

        #[extrinsic_call]
        _(RawOrigin::Authorized, signed);

        assert_eq!(NativesIn::<T>::get().messages, MAX_NATIVES_PER_BLOCK);
        Ok(())
    }

    #[benchmark]
    fn authorize_native(n: Linear<0, { MAX_PAYLOAD as u32 }>) -> Result<(), BenchmarkError> {
        let root = start::<T>();
        let signed = native::<T>(root, n)?;
        let call: <T as frame_system::Config>::RuntimeCall = Call::submit_native { signed }.into();

        #[block]
        {
            call.authorize(TransactionSource::External)
                .ok_or("not authorised")?
                .map_err(|_| "refused")?;
        }
        Ok(())
    }

    /// `n` messages whose window has closed.
    #[benchmark]
    fn forget_natives(
        n: Linear<0, { crate::natives::FORGET_PER_BLOCK - 2 }>,
    ) -> Result<(), BenchmarkError> {
        let root = start::<T>();
        let window: u64 = NativeRules::<T>::get().window.into();
        OldestReference::<T>::put(root.number);
        SeenFrom::<T>::put(root.number);
        Pallet::<T>::note_reference(root);
        for number in 0..n {
            Seen::<T>::insert(root.number, MessageId(hash(number.into())), ());
        }
        HighestAnchor::<T>::put(root.number.saturating_add(window).saturating_add(1));

        #[block]
        {
            Pallet::<T>::forget_natives();
        }
        assert_eq!(Seen::<T>::iter().count(), 0);
        assert!(!References::<T>::contains_key(root.hash));
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, mock::new_test_ext(), mock::Test);
}
