//! Verdicts on codes.

use crate::{
    AcceptedCodes, CodeAnswers, CodeVotes, Codes, Error, MAX_CODES_PER_BLOCK, OpenVotes, Refusal,
    mock::*,
};
use gear_exe_primitives::{
    CodeId, H256,
    outbox::OutboxItem,
    signature::CompactSignature,
    vote::{CodeAnswer, CodeVote, Verdict},
};
use polkadot_sdk::{
    frame_support::assert_noop,
    frame_system::RawOrigin,
    sp_runtime::transaction_validity::{TransactionSource, TransactionValidityError},
};

const CODE: CodeId = CodeId(H256::repeat_byte(1));

fn request(number: u32) -> H256 {
    H256::from_low_u64_be(number.into())
}

fn verdict(request_number: u32, cursor: u64, verdict: Verdict) -> CodeVote {
    CodeVote {
        set_id: SetId::get(),
        code_id: CODE,
        request_id: request(request_number),
        cursor,
        verdict,
    }
}

fn vote(validator: u32, vote: CodeVote) -> Result<(), TransactionValidityError> {
    let signature = CompactSignature::sign(&secret(validator), vote.digest(GENESIS)).unwrap();
    Execution::authorize_code_vote(TransactionSource::Local, &vote, &validator, &signature)?;
    Execution::submit_code_vote(RawOrigin::Authorized.into(), vote, validator, signature).unwrap();
    Execution::do_try_state().unwrap();
    Ok(())
}

fn all_say(said: CodeVote) {
    for validator in 0..3 {
        vote(validator, said).unwrap();
    }
}

fn refused(result: Result<(), TransactionValidityError>, refusal: Refusal) {
    assert_eq!(result, Err(refusal.into()));
}

fn result(request_number: u32, valid: bool) -> OutboxItem {
    OutboxItem::CodeResult {
        code_id: CODE,
        request_id: request(request_number),
        valid,
    }
}

#[test]
fn a_quorum_accepts() {
    run(|| {
        for validator in 0..3 {
            assert!(!Codes::<Test>::contains_key(CODE));
            vote(validator, verdict(1, 0, Verdict::Valid)).unwrap();
        }
        assert!(Codes::<Test>::contains_key(CODE));
        assert_eq!(AcceptedCodes::<Test>::get().into_inner(), [CODE]);
        assert_eq!(Execution::round_facts(false).codes, [CODE]);
        assert_eq!(Pushed::get(), [result(1, true)]);
        assert_eq!(CodeVotes::<Test>::iter().count(), 0);
        assert_eq!(OpenVotes::<Test>::get(0).len(), 0);
        // Answered: nobody can speak again.
        for other in [Verdict::Valid, Verdict::Invalid, Verdict::Unavailable] {
            refused(vote(3, verdict(1, 0, other)), Refusal::Decided);
        }
        next_block();
        assert!(AcceptedCodes::<Test>::get().is_empty());
    });
}

#[test]
fn a_code_is_accepted_once_and_each_request_answered() {
    run(|| {
        all_say(verdict(1, 0, Verdict::Valid));
        next_block();
        all_say(verdict(2, 0, Verdict::Valid));
        assert!(AcceptedCodes::<Test>::get().is_empty());
        // The same code announced with blobs of something else.
        all_say(verdict(3, 0, Verdict::Invalid));
        assert!(Codes::<Test>::contains_key(CODE));
        assert_eq!(
            Pushed::get(),
            [result(1, true), result(2, true), result(3, false)]
        );
    });
}

#[test]
fn unavailable_can_be_revised_and_invalid_cannot() {
    run(|| {
        for validator in 0..3 {
            vote(validator, verdict(1, 0, Verdict::Unavailable)).unwrap();
            let again = vote(validator, verdict(1, 0, Verdict::Unavailable));
            refused(again, Refusal::Decided);
        }
        assert_eq!(Pushed::get(), [result(1, false)]);
        for validator in 1..4 {
            vote(validator, verdict(1, 0, Verdict::Valid)).unwrap();
        }
        assert_eq!(Pushed::get(), [result(1, false), result(1, true)]);
        all_say(verdict(2, 0, Verdict::Invalid));
        refused(vote(3, verdict(2, 0, Verdict::Valid)), Refusal::Decided);
    });
}

#[test]
fn a_validator_may_change_its_mind_while_nothing_is_decided() {
    run(|| {
        vote(0, verdict(1, 0, Verdict::Unavailable)).unwrap();
        vote(0, verdict(1, 0, Verdict::Valid)).unwrap();
        vote(1, verdict(1, 0, Verdict::Valid)).unwrap();
        assert!(Pushed::get().is_empty());
        vote(2, verdict(1, 0, Verdict::Valid)).unwrap();
        assert_eq!(Pushed::get(), [result(1, true)]);
    });
}

/// A request that came again after the Router had applied the answer: mined later than before by a reorganisation, or
/// asked once more.
#[test]
fn a_request_that_comes_again_is_answered_again() {
    run(|| {
        all_say(verdict(1, 0, Verdict::Invalid));
        let answer = CodeAnswers::<Test>::get(CODE, request(1));
        assert_eq!(
            answer,
            Some(CodeAnswer {
                verdict: Verdict::Invalid,
                item: 0
            })
        );
        // Item 0 has not been applied at the request: it will be the answer.
        refused(vote(0, verdict(1, 0, Verdict::Invalid)), Refusal::Decided);
        // The Router has passed it.
        all_say(verdict(1, 1, Verdict::Invalid));
        assert_eq!(Pushed::get(), [result(1, false), result(1, false)]);
        assert_eq!(CodeAnswers::<Test>::get(CODE, request(1)).unwrap().item, 1);
        // Once: the new item reaches every request up to now.
        for cursor in 0..=1 {
            let late = vote(3, verdict(1, cursor, Verdict::Invalid));
            refused(late, Refusal::Decided);
        }
        // Nobody may speak of a cursor that the Router cannot have.
        refused(vote(3, verdict(1, 3, Verdict::Invalid)), Refusal::Cursor);
    });
}

#[test]
fn wrong_set_index_or_signature() {
    run(|| {
        let said = verdict(1, 0, Verdict::Valid);
        let other_set = CodeVote { set_id: 1, ..said };
        refused(vote(0, other_set), Refusal::Set);
        refused(vote(4, said), Refusal::Index);
        let signature = CompactSignature::sign(&secret(1), said.digest(GENESIS)).unwrap();
        let forged =
            Execution::authorize_code_vote(TransactionSource::Local, &said, &0, &signature);
        assert_eq!(forged.map(|_| ()), Err(Refusal::Signature.into()));
    });
}

#[test]
fn open_votes_are_bounded_per_validator() {
    run(|| {
        for number in 0..200 {
            vote(3, verdict(number, 0, Verdict::Valid)).unwrap();
            System::set_block_number(System::block_number() + 1);
        }
        assert_eq!(OpenVotes::<Test>::get(3).len(), 64);
        assert_eq!(CodeVotes::<Test>::iter().count(), 64);
    });
}

#[test]
fn a_block_accepts_so_many_codes() {
    run(|| {
        let origin = || RawOrigin::Authorized.into();
        let said = |number: u32| CodeVote {
            code_id: CodeId(request(number)),
            ..verdict(number, 0, Verdict::Valid)
        };
        let signature = CompactSignature([0; 64]);
        for number in 0..=MAX_CODES_PER_BLOCK {
            for validator in 0..2 {
                Execution::submit_code_vote(origin(), said(number), validator, signature).unwrap();
            }
            if number < MAX_CODES_PER_BLOCK {
                Execution::submit_code_vote(origin(), said(number), 2, signature).unwrap();
            }
        }
        let last = said(MAX_CODES_PER_BLOCK);
        assert_noop!(
            Execution::submit_code_vote(origin(), last, 2, signature),
            Error::<Test>::TooManyCodes
        );
        next_block();
        Execution::submit_code_vote(origin(), last, 2, signature).unwrap();
        assert_eq!(AcceptedCodes::<Test>::get().into_inner(), [last.code_id]);
    });
}

#[test]
fn a_new_set_votes_anew() {
    run(|| {
        vote(0, verdict(1, 0, Verdict::Valid)).unwrap();
        vote(1, verdict(1, 0, Verdict::Valid)).unwrap();
        SetId::set(1);
        next_block();
        vote(2, verdict(1, 0, Verdict::Valid)).unwrap();
        assert!(!Codes::<Test>::contains_key(CODE));
        assert_eq!(OpenVotes::<Test>::iter().count(), 1);
    });
}
