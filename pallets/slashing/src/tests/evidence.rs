//! What is taken as proof, to which session it belongs, and each reason to refuse it.

use crate::{mock::*, offences::TwoHeaders, *};
use frame_support::{
    assert_noop, assert_ok,
    dispatch::{DispatchErrorWithPostInfo, Pays},
    pallet_prelude::TransactionSource,
};
use frame_system::RawOrigin;
use gear_exe_primitives::{
    H256,
    batch::RouterDomain,
    evidence::{DoubleSign, OnFault, SignedStatement},
    signature::CompactSignature,
};
use polkadot_sdk::{
    frame_support, frame_system,
    sp_consensus_slots::Slot,
    sp_runtime::{DispatchError, transaction_validity::TransactionValidityError},
};

pub(super) fn refused(evidence: EvidenceOf<Test>, error: Error<Test>) {
    let before = System::events().len();
    let call = Slashing::report(RuntimeOrigin::signed(REPORTER), Box::new(evidence.clone()));
    let expected: DispatchError = error.into();
    assert_eq!(
        call.map_err(|DispatchErrorWithPostInfo { error, .. }| error)
            .err(),
        Some(expected)
    );
    let unsigned = Slashing::authorize_report(TransactionSource::Local, &evidence);
    assert!(unsigned.is_err());
    assert_eq!(NextId::<Test>::get(), 0);
    assert_eq!(System::events().len(), before);
}

fn pair(first: SignedStatement, second: SignedStatement) -> EvidenceOf<Test> {
    Evidence::DoubleSign(DoubleSign { first, second })
}

#[test]
fn two_batches_or_a_batch_and_empty() {
    run(|| {
        let number = System::block_number();
        let paid = Slashing::report(
            RuntimeOrigin::signed(REPORTER),
            Box::new(double_sign(3, number)),
        );
        // Who proves it pays nothing.
        assert_eq!(paid.map(|info| info.pays_fee), Ok(Pays::No));
        let empty = pair(sign_empty(4, number), sign_batch(4, batch(number, 1)));
        assert_ok!(report(empty));
        assert!(events().contains(&Event::FaultProven {
            kind: crate::offences::DoubleSignature::<()>::KIND,
            validator: 4
        }));
    });
}

#[test]
fn a_fault_is_taken_once() {
    run(|| {
        let number = System::block_number();
        assert_ok!(report(double_sign(3, number)));
        assert_noop!(
            report(double_sign(3, number)),
            Error::<Test>::DuplicateEvidence
        );
        // A third digest for the same seal is the same fault, and so is the other order.
        let third = pair(
            sign_batch(3, batch(number, 7)),
            sign_batch(3, batch(number, 1)),
        );
        assert_noop!(report(third), Error::<Test>::DuplicateEvidence);
        // Another seal is another fault.
        assert_ok!(report(double_sign(3, number - 1)));
    });
}

#[test]
fn what_proves_no_double_signature() {
    run(|| {
        let number = System::block_number();
        let one = sign_batch(3, batch(number, 1));
        refused(pair(one, one), Error::SameDigest);
        refused(
            pair(one, sign_batch(4, batch(number, 2))),
            Error::DifferentSigners,
        );
        refused(
            pair(one, sign_batch(3, batch(number - 1, 2))),
            Error::DifferentSeals,
        );
        let mut foreign = batch(number, 2);
        foreign.genesis = H256::zero();
        refused(pair(one, sign_batch(3, foreign)), Error::ForeignChain);
        // Signed for another Router.
        let mut other = sign_batch(3, batch(number, 2));
        let domain = RouterDomain {
            chain_id: 1,
            ..DOMAIN
        };
        let digest = batch(number, 2).digest(&domain);
        other.signature = CompactSignature::sign(&secret(3), digest).unwrap();
        refused(pair(one, other), Error::DifferentSigners);
        // The other `s`: a signature that anybody can make of a good one.
        let mut malleated = sign_batch(3, batch(number, 2));
        malleated.signature.0[32..].fill(0xff);
        refused(pair(one, malleated), Error::MalformedSignature);
        // Nobody's key.
        let stranger = pair(
            sign_batch(77, batch(number, 1)),
            sign_batch(77, batch(number, 2)),
        );
        refused(stranger, Error::NotAMember);
        // A set that there is not.
        let mut first = batch(number, 1);
        let mut second = batch(number, 2);
        first.set_id = 1_000;
        second.set_id = 1_001;
        refused(
            pair(sign_batch(3, first), sign_batch(3, second)),
            Error::NotAMember,
        );
        Router::set(None);
        refused(double_sign(3, number), Error::NoRouter);
    });
}

#[test]
fn a_statement_of_a_set_that_there_is_not_does_not_hide_the_other() {
    run(|| {
        let number = System::block_number();
        let mut second = batch(number, 2);
        second.set_id = 1_000;
        second.seal_number = 0;
        assert_ok!(report(pair(
            sign_batch(3, batch(number, 1)),
            sign_batch(3, second)
        )));
        assert_eq!(slash(0).era, 1);
    });
}

#[test]
fn it_belongs_to_the_era_of_the_seal() {
    run(|| {
        let number = System::block_number();
        let evidence = double_sign(3, number);
        to_era(3);
        assert_ok!(report(evidence));
        assert_eq!(slash(0).era, 1);
        assert_eq!(slash(0).capture, capture(1));
        // A set signs longer than it votes: then it is the last session of the set.
        let late = SetId::get();
        let evidence = {
            SetId::set(late - 1);
            let evidence = double_sign(4, System::block_number());
            SetId::set(late);
            evidence
        };
        assert_ok!(report(evidence));
        let set = Signers::<Test>::get(late - 1).unwrap();
        assert_eq!(OverStaking::<Test>::era_of(set.last), Some(slash(1).era));
    });
}

#[test]
fn who_signs_for_an_old_set_too_does_not_choose_the_era() {
    run(|| {
        let mut old = batch(System::block_number(), 1);
        to_era(3);
        let number = System::block_number();
        old.seal_number = number;
        old.seal_hash = seal_hash(number);
        let one = sign_batch(3, old);
        let other = sign_batch(3, batch(number, 2));
        assert_ok!(report(pair(one, other)));
        assert_eq!(slash(0).era, 3);
        assert_noop!(report(pair(other, one)), Error::<Test>::DuplicateEvidence);
    });
}

#[test]
fn too_old_is_said() {
    run(|| {
        let number = System::block_number();
        let evidence = double_sign(3, number);
        let with_owner = two_headers(3, number);
        to_era(10);
        // The set is forgotten with its bonds, or its era is.
        let result = report(evidence);
        assert!(
            result == Err(Error::<Test>::TooOld.into())
                || result == Err(Error::<Test>::NotAMember.into())
        );
        refused(with_owner, Error::TooOld);
    });
}

#[test]
fn against_the_quorum() {
    run(|| {
        let number = System::block_number();
        let wrong = Evidence::AgainstQuorum(sign_batch(3, batch(number, 2)));
        refused(wrong.clone(), Error::NotDecided);
        let decided = batch(number, 1).digest(&DOMAIN);
        DecidedSeals::mutate(|seals| seals.insert((number, seal_hash(number)), decided));
        let right = Evidence::AgainstQuorum(sign_batch(3, batch(number, 1)));
        refused(right, Error::SameDigest);
        let mut foreign = batch(number, 2);
        foreign.genesis = H256::zero();
        refused(
            Evidence::AgainstQuorum(sign_batch(3, foreign)),
            Error::ForeignChain,
        );
        refused(
            Evidence::AgainstQuorum(sign_batch(77, batch(number, 2))),
            Error::NotAMember,
        );
        assert_ok!(report(wrong.clone()));
        assert_noop!(report(wrong), Error::<Test>::DuplicateEvidence);
        // To say that it is empty is against it, too.
        assert_ok!(report(Evidence::AgainstQuorum(sign_empty(4, number))));
    });
}

#[test]
fn two_headers_for_one_slot() {
    run(|| {
        let number = System::block_number();
        let evidence = two_headers(3, number);
        assert_ok!(report(evidence.clone()));
        assert_eq!(slash(0).kind, TwoHeaders::<()>::KIND);
        assert_eq!(slash(0).fraction.deconstruct(), 90_000_000);
        assert_noop!(report(evidence), Error::<Test>::DuplicateEvidence);
    });
}

#[test]
fn two_headers_are_proven_later_by_the_historical_root() {
    run(|| {
        let number = System::block_number();
        let evidence = two_headers(3, number);
        to_era(3);
        assert_ok!(report(evidence));
        assert_eq!(slash(0).era, 1);
    });
}

#[test]
fn what_proves_no_two_headers() {
    run(|| {
        let number = System::block_number();
        let good = headers(3, number);
        let with = |equivocation| Evidence::TwoHeaders {
            equivocation,
            owner: owner(3),
        };
        let mut same = good.clone();
        same.second_header = good.first_header.clone();
        refused(with(same), Error::SameDigest);
        // Two seals on one header: another signature of the same block.
        let mut resealed = good.clone();
        resealed.second_header = header(3, number, slot(number), 1);
        refused(with(resealed), Error::SameDigest);
        let mut other_slot = good.clone();
        other_slot.second_header = header(3, number, slot(number) + 1, 2);
        refused(with(other_slot), Error::DifferentSlots);
        let mut claimed = good.clone();
        claimed.slot = Slot::from(slot(number) + 1);
        refused(with(claimed), Error::DifferentSlots);
        let mut forged = good.clone();
        forged.second_header = header(4, number, slot(number), 2);
        refused(with(forged), Error::MalformedSignature);
        let mut bare = good.clone();
        bare.second_header.digest.logs.pop();
        refused(with(bare), Error::MalformedHeader);
        let mut empty = good.clone();
        empty.first_header.digest.logs.clear();
        refused(with(empty), Error::MalformedHeader);
        // Somebody else's proof, or one of another session.
        let stolen = Evidence::TwoHeaders {
            equivocation: good.clone(),
            owner: owner(4),
        };
        refused(stolen, Error::NotAMember);
        let mut elsewhere = owner(3);
        elsewhere.session -= 1;
        let moved = Evidence::TwoHeaders {
            equivocation: good.clone(),
            owner: elsewhere,
        };
        refused(moved, Error::WrongSession);
        let mut heavy = owner(3);
        heavy.trie_nodes.push(vec![0; MAX_SLOT_EVIDENCE]);
        let large = Evidence::TwoHeaders {
            equivocation: good,
            owner: heavy,
        };
        refused(large, Error::TooLarge);
    });
}

#[test]
fn the_reporter_does_not_choose_the_session() {
    run(|| {
        let old = owner(3);
        to_era(3);
        let evidence = Evidence::TwoHeaders {
            equivocation: headers(3, System::block_number()),
            owner: old,
        };
        refused(evidence, Error::WrongSession);
    });
}

#[test]
fn a_sessions_first_block_is_authored_by_those_before() {
    run(|| {
        let session = Session::current_index();
        while Session::current_index() == session {
            next_block();
        }
        let first = System::block_number();
        assert_eq!(Slashing::session_of_slot(slot(first)), Some(session));
        assert_eq!(
            Slashing::session_of_slot(slot(first + 1)),
            Some(session + 1)
        );
        // Slots to come are the running session's.
        assert_eq!(Slashing::session_of_slot(u64::MAX), Some(session + 1));
        assert_eq!(Slashing::session_of_slot(0), Some(0));
    });
}

#[test]
fn nodes_report_for_nothing() {
    run(|| {
        let number = System::block_number();
        let evidence = double_sign(3, number);
        for source in [TransactionSource::Local, TransactionSource::External] {
            let (valid, _) = Slashing::authorize_report(source, &evidence).unwrap();
            assert!(valid.propagate);
        }
        assert!(matches!(
            Slashing::report_call(evidence.clone()),
            Call::report_unsigned { .. }
        ));
        assert_noop!(
            Slashing::report_unsigned(RuntimeOrigin::signed(1), Box::new(evidence.clone())),
            DispatchError::BadOrigin
        );
        let authorized = || RuntimeOrigin::from(RawOrigin::Authorized);
        assert_ok!(Slashing::report_unsigned(
            authorized(),
            Box::new(evidence.clone())
        ));
        // No reward: there is no account to pay it to.
        assert!(slash(0).vara.len() == 1);
        let again = Slashing::authorize_report(TransactionSource::InBlock, &evidence);
        let duplicate: TransactionValidityError = Refusal::Duplicate.into();
        assert_eq!(again.map(|_| ()), Err(duplicate));
        // Owners' proofs are taken from the node itself only.
        let headers = two_headers(4, number);
        let strange = Slashing::authorize_report(TransactionSource::External, &headers);
        let not_local: TransactionValidityError = Refusal::NotLocal.into();
        assert_eq!(strange.map(|_| ()), Err(not_local));
        let (valid, _) = Slashing::authorize_report(TransactionSource::Local, &headers).unwrap();
        assert!(!valid.propagate);
        assert_ok!(Slashing::report_unsigned(authorized(), Box::new(headers)));
    });
}

#[test]
fn what_settlement_has_seen_is_reported_with_the_next_block() {
    run(|| {
        let number = System::block_number();
        let see = |who| {
            <Slashing as OnFault<AccountId>>::on_double_sign(
                SetId::get(),
                address(who),
                number,
                seal_hash(number),
            );
        };
        see(3);
        see(3);
        see(4);
        see(77);
        assert_eq!(SeenFaults::<Test>::decode_len(), Some(3));
        assert_eq!(NextId::<Test>::get(), 0);
        next_block();
        assert_eq!(slash(0).validator, 3);
        // One per block. Somebody else is faster with the next.
        assert_ok!(report(double_sign(4, number)));
        blocks(2);
        assert!(!SeenFaults::<Test>::exists());
        assert_eq!(NextId::<Test>::get(), 2);
        assert!(events().contains(&Event::FaultIgnored {
            signer: address(77),
            seal_number: number
        }));
    });
}

#[test]
fn what_is_seen_is_bounded() {
    run(|| {
        for number in 0..u64::from(MAX_SEEN) + 1 {
            <Slashing as OnFault<AccountId>>::on_double_sign(
                0,
                address(77),
                number,
                seal_hash(number),
            );
        }
        assert_eq!(SeenFaults::<Test>::decode_len(), Some(MAX_SEEN as usize));
        assert!(events().contains(&Event::FaultIgnored {
            signer: address(77),
            seal_number: MAX_SEEN.into()
        }));
    });
}

#[test]
fn a_key_that_was_changed_within_an_era_is_known() {
    run(|| {
        use polkadot_sdk::pallet_session::SessionInterface;
        assert_ok!(<Session as SessionInterface>::set_keys(&3, keys_of(33)));
        // The new keys are in force two sessions later.
        blocks(2 * SESSION);
        let number = System::block_number();
        assert_ok!(report(pair(
            sign_batch(33, batch(number, 1)),
            sign_batch(33, batch(number, 2)),
        )));
        assert_eq!(slash(0).validator, 3);
    });
}
