//! Which native messages a block takes, and how long their ids are remembered.

use crate::{
    Error, HighestAnchor, NativeParameters, NativeRules, OldestReference, References, Refusal,
    Seen, mock::*,
};
use frame_support::assert_noop;
use gear_exe_primitives::{
    H160, H256,
    ethereum::EthereumHeader,
    native::{MAX_PAYLOAD, NativeTransaction, SignedNative, SigningForm},
    signature::{CompactSignature, address_of_secret},
};
use polkadot_sdk::{
    frame_support,
    frame_system::RawOrigin,
    sp_runtime::{
        DispatchError,
        transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError},
    },
};

const USER: [u8; 32] = [0x55; 32];

fn transaction(reference: H256, salt: u8) -> NativeTransaction {
    NativeTransaction {
        destination: H160::repeat_byte(1),
        payload: vec![1, 2, 3],
        value: 0,
        reference_block: reference,
        salt: vec![salt],
    }
}

fn sign(transaction: NativeTransaction, form: SigningForm) -> SignedNative {
    let digest = transaction.digest(form, &DOMAIN);
    SignedNative {
        signature: CompactSignature::sign(&USER, digest).unwrap(),
        source: address_of_secret(&USER).unwrap(),
        transaction,
        form,
    }
}

fn signed(reference: H256, salt: u8) -> SignedNative {
    sign(transaction(reference, salt), SigningForm::Typed)
}

fn authorize(signed: &SignedNative) -> Result<(), TransactionValidityError> {
    Execution::authorize_native(TransactionSource::External, signed).map(|_| ())
}

/// Checks and dispatches it as the chain does.
fn send(signed: &SignedNative) -> Result<(), TransactionValidityError> {
    authorize(signed)?;
    Execution::submit_native(RawOrigin::Authorized.into(), signed.clone()).unwrap();
    Execution::do_try_state().unwrap();
    Ok(())
}

fn refused(signed: &SignedNative) -> TransactionValidityError {
    authorize(signed).unwrap_err()
}

fn taken() -> Vec<H256> {
    let natives = Execution::round_facts(false).natives;
    natives.iter().map(|native| native.id.0).collect()
}

/// Moves the anchor along `blocks`, at most as far at a time as a view may be ahead.
fn follow(blocks: &[(EthereumHeader, Vec<u8>)]) {
    for part in blocks.chunks(32) {
        quorum_sees(part);
    }
    assert_eq!(anchor(), blocks.last().unwrap().0.id());
}

#[test]
fn a_block_takes_each_once_in_any_form_and_in_order() {
    run(|| {
        let forms = [
            SigningForm::Typed,
            SigningForm::Versioned,
            SigningForm::Legacy,
        ];
        let all = forms.map(|form| sign(transaction(root().hash, 7), form));
        for one in &all {
            send(one).unwrap();
            assert_eq!(refused(one), InvalidTransaction::Stale.into());
        }
        let ids: Vec<_> = all.iter().map(|one| one.id(&DOMAIN).0).collect();
        assert_eq!(taken(), ids);
        let sources: Vec<_> = Execution::round_facts(false)
            .natives
            .iter()
            .map(|native| native.source)
            .collect();
        assert_eq!(sources, [address_of_secret(&USER).unwrap(); 3]);

        // Later blocks have their own.
        next_block();
        assert!(taken().is_empty());
        assert_eq!(refused(&all[0]), InvalidTransaction::Stale.into());
        let other = signed(root().hash, 8);
        send(&other).unwrap();
        assert_eq!(taken(), [other.id(&DOMAIN).0]);
    });
}

#[test]
fn what_is_wrong_with_one_is_said() {
    run(|| {
        let good = signed(root().hash, 1);
        let mut bad = good.clone();
        bad.source = H160::repeat_byte(9);
        assert_eq!(refused(&bad), Refusal::Signature.into());
        let mut bad = good.clone();
        bad.transaction.payload.push(1);
        assert_eq!(refused(&bad), Refusal::Signature.into());
        let mut bad = good.clone();
        bad.form = SigningForm::Versioned;
        assert_eq!(refused(&bad), Refusal::Signature.into());
        // Whether there is a deposit for it is not the chain's to know.
        let mut value = transaction(root().hash, 1);
        value.value = 1;
        assert_eq!(authorize(&sign(value, SigningForm::Typed)), Ok(()));
        let mut bad = good.clone();
        bad.transaction.value = 1;
        assert_eq!(refused(&bad), Refusal::Signature.into());
        let mut long = transaction(root().hash, 1);
        long.payload = vec![0; MAX_PAYLOAD + 1];
        assert_eq!(
            refused(&sign(long, SigningForm::Typed)),
            Refusal::TooLong.into()
        );
        let unknown = signed(H256::repeat_byte(9), 1);
        assert_eq!(refused(&unknown), Refusal::Reference.into());
        Router::set(None);
        assert_eq!(refused(&good), Refusal::NoRouter.into());
        Router::set(Some(DOMAIN));
        assert_noop!(
            Execution::submit_native(RawOrigin::Signed(1).into(), good.clone()),
            DispatchError::BadOrigin
        );
        assert_noop!(
            Execution::submit_native(RawOrigin::Authorized.into(), unknown),
            Error::<Test>::NotTaken
        );
        assert!(taken().is_empty());
        send(&good).unwrap();
    });
}

#[test]
fn a_block_takes_no_more_than_it_may() {
    run(|| {
        Execution::apply_native_parameters(NativeParameters {
            max_per_block: 2,
            ..Default::default()
        })
        .unwrap();
        assert_noop!(
            Execution::apply_native_parameters(NativeParameters {
                window: 0,
                ..Default::default()
            }),
            Error::<Test>::ZeroParameter
        );
        assert_noop!(
            Execution::apply_native_parameters(NativeParameters {
                max_per_block: crate::MAX_NATIVES_PER_BLOCK + 1,
                ..Default::default()
            }),
            Error::<Test>::TooManyNatives
        );
        send(&signed(root().hash, 1)).unwrap();
        send(&signed(root().hash, 2)).unwrap();
        let third = signed(root().hash, 3);
        // So that the block's author keeps it for the next block.
        assert_eq!(
            refused(&third),
            InvalidTransaction::ExhaustsResources.into()
        );
        next_block();
        send(&third).unwrap();
    });
}

#[test]
fn it_may_refer_to_what_the_anchor_has_passed_until_the_window_is_closed() {
    run(|| {
        let window = NativeRules::<Test>::get().window as usize;
        let a = branch(&root(), 1, window + 2);
        assert_eq!(refused(&signed(a[0].0.hash, 1)), Refusal::Reference.into());
        follow(&a[..5]);
        let first = signed(a[0].0.hash, 1);
        send(&first).unwrap();
        send(&signed(a[4].0.hash, 1)).unwrap();
        assert_eq!(refused(&signed(a[5].0.hash, 1)), Refusal::Reference.into());

        // The window of block 101 closes when the anchor is at 166.
        follow(&a[5..=window]);
        assert_eq!(HighestAnchor::<Test>::get(), 101 + window as u64);
        send(&signed(a[0].0.hash, 2)).unwrap();
        assert_eq!(refused(&first), InvalidTransaction::Stale.into());
        assert_eq!(Seen::<Test>::iter_prefix(101).count(), 2);
        follow(&a[window + 1..]);
        next_block();
        assert_eq!(refused(&signed(a[0].0.hash, 3)), Refusal::Reference.into());
        assert_eq!(Seen::<Test>::iter_prefix(101).count(), 0);
        assert_eq!(OldestReference::<Test>::get(), 102);
        assert_eq!(References::<Test>::iter().count(), window + 1);
    });
}

/// Case 19.
#[test]
fn what_is_over_stays_over_when_ethereum_goes_back() {
    run(|| {
        let window = NativeRules::<Test>::get().window as usize;
        let a = branch(&root(), 1, window + 1);
        follow(&a[..2]);
        let old = signed(a[0].0.hash, 1);
        let young = signed(a[1].0.hash, 1);
        send(&old).unwrap();
        send(&young).unwrap();
        follow(&a[2..]);
        next_block();
        let b = branch(&a[0].0, 2, 3);
        follow(&b);
        assert!(anchor().number < HighestAnchor::<Test>::get());
        // The window is measured by the highest anchor there was.
        assert!(authorize(&signed(a[0].0.hash, 2)).is_ok());
        // The headers of the branch that was left are forgotten meanwhile.
        let higher = [&a[1..], &branch(&a[window].0, 1, 1)].concat();
        follow(&higher);
        next_block();
        follow(&branch(&a[0].0, 2, 4));
        assert_eq!(refused(&old), Refusal::Reference.into());
        // What a block that was left had referred to is not lost, and not taken twice.
        assert_eq!(refused(&young), InvalidTransaction::Stale.into());
        assert!(authorize(&signed(b[0].0.hash, 3)).is_ok());
        // A greater window does not bring back what was forgotten.
        Execution::apply_native_parameters(NativeParameters {
            window: 1_000,
            ..Default::default()
        })
        .unwrap();
        follow(&higher);
        assert_eq!(refused(&old), Refusal::Reference.into());
        assert_eq!(refused(&young), InvalidTransaction::Stale.into());
    });
}
