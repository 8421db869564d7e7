//! What is said of rounds and in slots: what proves a fault, whose it is, what it costs, and each reason to refuse it.

use super::evidence::refused;
use crate::{mock::*, offences::Proves, *};
use codec::{Decode, Encode};
use frame_support::{
    assert_noop, assert_ok, dispatch::GetDispatchInfo, pallet_prelude::TransactionSource,
    traits::Authorize,
};
use frame_system::RawOrigin;
use gear_exe_primitives::{
    H256,
    batch::RouterDomain,
    faults::{BrokenPromise, TwoPromises, TwoRounds, WrongRound},
    quorum::Member,
    signature::CompactSignature,
};
use polkadot_sdk::{
    frame_support, frame_system,
    sp_runtime::{Perbill, transaction_validity::TransactionValidityError},
    sp_staking::offence::Kind,
};

fn proven(kind: Kind, validator: AccountId) -> bool {
    events().contains(&Event::FaultProven { kind, validator })
}

#[test]
fn each_kind_is_taken_once_and_costs_both_assets() {
    run(|| {
        let number = System::block_number();
        let kinds = [
            (TwoRounds::KIND, two_rounds(1, number), true),
            (TwoPromises::KIND, two_promises(2, number), true),
            (WrongRound::KIND, wrong_round(3, number), false),
            (BrokenPromise::KIND, broken_promise(4, number), false),
        ];
        for (validator, (kind, evidence, automatic)) in (1..).zip(kinds) {
            assert_ok!(report(evidence.clone()));
            assert!(proven(kind, validator));
            assert_noop!(report(evidence), Error::<Test>::DuplicateEvidence);
            let slash = slash(validator - 1);
            assert_eq!((slash.validator, slash.kind), (validator, kind));
            assert_eq!(slash.fraction, Perbill::from_percent(9));
            assert_eq!(slash.approved, automatic);
            assert_eq!(slash.vara.len(), 1, "Staking takes its part too");
        }
    });
}

#[test]
fn the_same_fault_in_other_words_is_known() {
    run(|| {
        let number = System::block_number();
        let (one, other) = (
            sign_round(3, round(number, 1)),
            sign_round(3, round(number, 7)),
        );
        let pair = |first, second| Evidence::TwoRounds(TwoRounds { first, second });
        assert_ok!(report(two_rounds(3, number)));
        assert_noop!(report(pair(one, other)), Error::<Test>::DuplicateEvidence);
        assert_noop!(report(pair(other, one)), Error::<Test>::DuplicateEvidence);
        // Other signers of the same certificate, another wrong outcome.
        assert_ok!(report(wrong_round(3, number)));
        let again = Evidence::WrongRound(WrongRound {
            round: sign_round(3, round(number, 9)),
            certificate: certificate(round(number, 1), &[10, 9, 8, 7, 6, 5, 4]),
        });
        assert_noop!(report(again), Error::<Test>::DuplicateEvidence);
        assert_ok!(report(two_promises(3, number)));
        let mut elsewhere = promise(number, 1);
        elsewhere.block_hash = H256::repeat_byte(1);
        let again = Evidence::TwoPromises(TwoPromises {
            first: sign_promise(3, promise(number, 2)),
            second: sign_promise(3, elsewhere),
        });
        assert_noop!(report(again), Error::<Test>::DuplicateEvidence);
        // Another block and another slot are other faults.
        assert_ok!(report(two_rounds(3, number - 1)));
        assert_ok!(report(two_promises(3, number - 1)));
    });
}

#[test]
fn what_proves_no_two_statements() {
    run(|| {
        let number = System::block_number();
        let pair = |first, second| Evidence::TwoRounds(TwoRounds { first, second });
        let one = sign_round(3, round(number, 1));
        refused(pair(one, one), Error::SameDigest);
        refused(
            pair(one, sign_round(3, round(number - 1, 2))),
            Error::DifferentBlocks,
        );
        refused(
            pair(one, sign_round(4, round(number, 2))),
            Error::DifferentSigners,
        );
        let mut forged = sign_round(3, round(number, 2));
        forged.signature.0[32..].fill(0xff);
        refused(pair(one, forged), Error::MalformedSignature);
        let foreign = RouterDomain {
            chain_id: 1,
            ..DOMAIN
        };
        for digest in [
            round(number, 2).digest(GENESIS, &foreign),
            round(number, 2).digest(H256::zero(), &DOMAIN),
        ] {
            let mut other = sign_round(3, round(number, 2));
            other.signature = CompactSignature::sign(&secret(3), digest).unwrap();
            refused(pair(one, other), Error::DifferentSigners);
        }
        let stranger = pair(
            sign_round(77, round(number, 1)),
            sign_round(77, round(number, 2)),
        );
        refused(stranger, Error::NotAMember);
        let (mut first, mut second) = (round(number, 1), round(number, 2));
        (first.set_id, second.set_id) = (1_000, 1_001);
        refused(
            pair(sign_round(3, first), sign_round(3, second)),
            Error::NotAMember,
        );
        // One that names a set that there is not does not hide the other.
        assert_ok!(report(pair(one, sign_round(3, second))));
    });
}

#[test]
fn what_proves_no_two_promises() {
    run(|| {
        let number = System::block_number();
        let pair = |first, second| Evidence::TwoPromises(TwoPromises { first, second });
        let one = sign_promise(3, promise(number, 1));
        refused(pair(one, one), Error::SameDigest);
        refused(
            pair(one, sign_promise(3, promise(number + 1, 2))),
            Error::DifferentSlots,
        );
        refused(
            pair(one, sign_promise(4, promise(number, 2))),
            Error::DifferentSigners,
        );
        let stranger = pair(
            sign_promise(77, promise(number, 1)),
            sign_promise(77, promise(number, 2)),
        );
        refused(stranger, Error::NotAMember);
        // A statement on a round is no promise, although one key has signed both.
        let mut mixed = sign_promise(3, promise(number, 2));
        mixed.signature = sign_round(3, round(number, 2)).signature;
        refused(pair(one, mixed), Error::DifferentSigners);
        Router::set(None);
        refused(two_promises(3, number), Error::NoRouter);
    });
}

#[test]
fn what_is_no_fault_against_a_certificate() {
    run(|| {
        let number = System::block_number();
        let wrong = |round, certificate| Evidence::WrongRound(WrongRound { round, certificate });
        let broken = |promise, certificate| {
            Evidence::BrokenPromise(BrokenPromise {
                promise,
                certificate,
            })
        };
        let good = certificate(round(number, 1), &QUORUM);
        let lie = sign_round(8, round(number, 2));
        refused(
            wrong(sign_round(8, round(number, 1)), good.clone()),
            Error::SameDigest,
        );
        refused(
            broken(sign_promise(8, promise(number, 1)), good.clone()),
            Error::SameDigest,
        );
        refused(
            wrong(sign_round(8, round(number - 1, 2)), good.clone()),
            Error::DifferentBlocks,
        );
        refused(
            broken(sign_promise(8, promise(number - 1, 2)), good.clone()),
            Error::DifferentBlocks,
        );
        // Six of ten are no quorum.
        refused(
            wrong(lie, certificate(round(number, 1), &QUORUM[1..])),
            Error::NoCertificate,
        );
        // Seven heads without the weight are none either.
        let mut members = <Test as Config>::Seals::members(SetId::get()).unwrap();
        for member in &mut members {
            if member.address == address(9) {
                member.weight = 1_000;
            }
        }
        MemberSets::mutate(|sets| sets.insert(SetId::get(), members));
        refused(wrong(lie, good.clone()), Error::NoCertificate);
        MemberSets::set(Default::default());
        // A signature of somebody else, a signature too many, a bitmap of others, one that is too long.
        let mut stolen = good.clone();
        stolen.signatures[0] = stolen.signatures[1];
        refused(wrong(lie, stolen), Error::NoCertificate);
        let mut more = good.clone();
        more.signatures.push(more.signatures[0]);
        refused(wrong(lie, more), Error::NoCertificate);
        let mut others = good.clone();
        others.signers = vec![0xff];
        refused(wrong(lie, others), Error::NoCertificate);
        let mut long = good.clone();
        long.signers = vec![0; 17];
        long.signers[16] = 1;
        refused(wrong(lie, long), Error::NoCertificate);
        let mut heavy = good.clone();
        heavy.signatures = vec![heavy.signatures[0]; 129];
        refused(wrong(lie, heavy), Error::NoCertificate);
        // A set that is not known, and one that is another than the statement's.
        let mut unknown = good.clone();
        unknown.statement.set_id = 1_000;
        refused(wrong(lie, unknown), Error::UnknownSet);
        let mut elsewhere = round(number, 2);
        elsewhere.set_id = SetId::get() + 1;
        refused(
            wrong(sign_round(8, elsewhere), good.clone()),
            Error::DifferentSets,
        );
        refused(
            wrong(sign_round(77, round(number, 2)), good.clone()),
            Error::NotAMember,
        );
        // One of the quorum who says something else besides is at fault as well.
        assert_ok!(report(wrong(sign_round(1, round(number, 2)), good)));
    });
}

#[test]
fn a_quorum_of_another_set_accuses_nobody_of_this_one() {
    run(|| {
        let number = System::block_number();
        // Strangers, who may have been bought, are a set of their own.
        let set_id = SetId::get() + 5;
        let members = (70..=73).map(|who| Member {
            address: address(who),
            weight: 1,
        });
        MemberSets::mutate(|sets| sets.insert(set_id, members.collect()));
        let mut said = round(number, 1);
        said.set_id = set_id;
        let certificate = certificate(said, &[70, 71, 72]);
        refused(
            Evidence::WrongRound(WrongRound {
                round: sign_round(3, round(number, 2)),
                certificate: certificate.clone(),
            }),
            Error::DifferentSets,
        );
        refused(
            Evidence::BrokenPromise(BrokenPromise {
                promise: sign_promise(3, promise(number, 2)),
                certificate,
            }),
            Error::DifferentSets,
        );
    });
}

#[test]
fn it_belongs_to_the_era_of_the_block_or_the_slot() {
    run(|| {
        let number = System::block_number();
        let evidence = [
            two_rounds(1, number),
            two_promises(2, number),
            wrong_round(3, number),
            broken_promise(4, number),
        ];
        to_era(3);
        for (id, evidence) in (0..).zip(evidence) {
            assert_ok!(report(evidence));
            assert_eq!((slash(id).era, slash(id).capture), (1, capture(1)));
        }
    });
}

#[test]
fn the_liar_does_not_choose_the_era() {
    run(|| {
        let set_id = SetId::get();
        to_era(3);
        let number = System::block_number();
        // A number of long ago: the quorum's counts.
        let mut said = round(number, 2);
        said.block_number = 1;
        assert_ok!(report(Evidence::WrongRound(WrongRound {
            round: sign_round(8, said),
            certificate: certificate(round(number, 1), &QUORUM),
        })));
        assert_eq!(slash(0).era, 3);
        // An old set in one of two statements: the newer counts.
        let mut old = round(number, 1);
        old.set_id = set_id;
        let (one, other) = (sign_round(3, old), sign_round(3, round(number, 2)));
        for (first, second) in [(one, other), (other, one)] {
            let result = report(Evidence::TwoRounds(TwoRounds { first, second }));
            assert!(result.is_ok() || result == Err(Error::<Test>::DuplicateEvidence.into()));
        }
        assert_eq!((slash(1).era, NextId::<Test>::get()), (3, 2));
    });
}

#[test]
fn too_old_is_said() {
    run(|| {
        let number = System::block_number();
        let evidence = [
            two_rounds(1, number),
            two_promises(2, number),
            wrong_round(3, number),
            broken_promise(4, number),
        ];
        to_era(10);
        for evidence in evidence {
            // The set is forgotten with its bonds, or its era is.
            let result = report(evidence);
            let expected = [
                Error::<Test>::TooOld,
                Error::<Test>::NotAMember,
                Error::<Test>::UnknownSet,
            ];
            assert!(
                expected.map(|error| Err(error.into())).contains(&result),
                "{result:?}"
            );
        }
        assert_eq!(NextId::<Test>::get(), 0);
    });
}

#[test]
fn nodes_report_for_nothing_and_certificates_from_themselves_only() {
    run(|| {
        let number = System::block_number();
        let not_local: TransactionValidityError = Refusal::NotLocal.into();
        let duplicate: TransactionValidityError = Refusal::Duplicate.into();
        for (dear, evidence) in [
            (false, two_rounds(1, number)),
            (false, two_promises(2, number)),
            (true, wrong_round(3, number)),
            (true, broken_promise(4, number)),
        ] {
            let strange = Slashing::authorize_report(TransactionSource::External, &evidence);
            if dear {
                assert_eq!(strange.map(|_| ()), Err(not_local));
            } else {
                assert!(strange.is_ok_and(|(valid, _)| valid.propagate));
            }
            let own = Slashing::authorize_report(TransactionSource::Local, &evidence);
            assert!(own.is_ok_and(|(valid, _)| valid.propagate != dear));
            let call = RuntimeCall::from(Slashing::report_call(evidence.clone()));
            let two = RuntimeCall::from(Slashing::report_call(double_sign(9, number)));
            // Who checks a certificate pays for it.
            let cost = |call: &RuntimeCall| {
                (
                    call.get_dispatch_info().call_weight.ref_time(),
                    call.weight_of_authorize().ref_time(),
                )
            };
            assert_eq!(cost(&call) > cost(&two), dear);
            assert_ok!(Slashing::report_unsigned(
                RawOrigin::Authorized.into(),
                Box::new(evidence.clone())
            ));
            let again = Slashing::authorize_report(TransactionSource::InBlock, &evidence);
            assert_eq!(again.map(|_| ()), Err(duplicate));
        }
    });
}

#[test]
fn concurrent_offenders_pay_for_each_other() {
    run(|| {
        let number = System::block_number();
        for who in 1..=3 {
            assert_ok!(report(two_rounds(who, number)));
        }
        // Three of ten: 81 %, for the first of them too, cut to what an era may cost.
        for id in 0..3 {
            assert_eq!(slash(id).fraction, rules().maximum_per_era);
        }
    });
}

#[test]
fn evidence_keeps_its_numbers_on_the_wire() {
    run(|| {
        let number = System::block_number();
        for (index, evidence) in [
            (0, double_sign(1, number)),
            (2, two_headers(1, number)),
            (3, two_rounds(1, number)),
            (4, two_promises(1, number)),
            (5, wrong_round(1, number)),
            (6, broken_promise(1, number)),
        ] {
            let bytes = evidence.encode();
            assert_eq!(bytes[0], index);
            assert_eq!(EvidenceOf::<Test>::decode(&mut &bytes[..]), Ok(evidence));
        }
        assert!(EvidenceOf::<Test>::decode(&mut &[7u8][..]).is_err());
    });
}
