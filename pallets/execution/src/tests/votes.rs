//! Which views are refused before they reach a block, and with which number.

use crate::{MAX_VOTES_PER_BLOCK, Refusal, ViewParameters, ViewRules, mock::*};
use gear_exe_primitives::{H256, signature::CompactSignature, vote::View};
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok},
    frame_system::RawOrigin,
    sp_runtime::{
        DispatchError,
        transaction_validity::{InvalidTransaction, TransactionValidityError},
    },
};

fn refused(result: Result<(), TransactionValidityError>, refusal: Refusal) {
    assert_eq!(result, Err(refusal.into()));
}

#[test]
fn forged_signatures() {
    run(|| {
        let view = view(root().id(), root().id());
        let sign = |secret, genesis| CompactSignature::sign(&secret, view.digest(genesis)).unwrap();
        let by_other = sign(secret(1), GENESIS);
        refused(
            send_signed(0, view, list(&[]), by_other),
            Refusal::Signature,
        );
        let foreign = sign(secret(0), H256::zero());
        refused(send_signed(0, view, list(&[]), foreign), Refusal::Signature);
        let nonsense = CompactSignature([0xff; 64]);
        refused(
            send_signed(0, view, list(&[]), nonsense),
            Refusal::Signature,
        );
        refused(send(4, view, list(&[])), Refusal::Index);
    });
}

#[test]
fn wrong_set_or_time() {
    run(|| {
        System::set_block_number(5_000);
        let good = view(root().id(), root().id());
        refused(send(0, View { set_id: 1, ..good }, list(&[])), Refusal::Set);
        // Of the future, or too old to be worth anything.
        for seq in [5_002, 4_935] {
            refused(send(0, View { seq, ..good }, list(&[])), Refusal::Seq);
        }
        ViewRules::<Test>::put(ViewParameters {
            max_age: 10,
            ..Default::default()
        });
        let old = View { seq: 4_989, ..good };
        refused(send(0, old, list(&[])), Refusal::Seq);
        let next = View { seq: 5_001, ..good };
        send(0, next, list(&[])).unwrap();
        refused(send(0, next, list(&[])), Refusal::Seq);
        refused(send(0, good, list(&[])), Refusal::Seq);
    });
}

#[test]
fn headers_that_lead_nowhere() {
    run(|| {
        let blocks = branch(&root(), 1, 3);
        let tip = view(blocks[2].0.id(), root().id());
        refused(send(0, tip, list(&[])), Refusal::Headers);
        refused(send(0, tip, list(&blocks[1..])), Refusal::Headers);
        refused(send(0, tip, list(&blocks[..2])), Refusal::Headers);
        let mut shuffled = blocks.clone();
        shuffled.swap(0, 1);
        refused(send(0, tip, list(&shuffled)), Refusal::Headers);
        let mut wrong_number = tip;
        wrong_number.tip.number += 1;
        refused(send(0, wrong_number, list(&blocks)), Refusal::Headers);
        let mut malformed = list(&blocks);
        malformed[1] = vec![0xc0].try_into().unwrap();
        refused(send(0, tip, malformed), Refusal::Headers);
        // One header too few, and one that the chain knows besides.
        send(1, view(blocks[0].0.id(), root().id()), list(&blocks[..1])).unwrap();
        send(0, tip, list(&blocks)).unwrap();
        // A known block under another number.
        let mut renumbered = view(blocks[2].0.id(), root().id());
        renumbered.tip.number -= 1;
        refused(send(2, renumbered, list(&[])), Refusal::Headers);
    });
}

#[test]
fn blocks_out_of_range() {
    run(|| {
        let blocks = branch(&root(), 1, 3);
        let tip = view(blocks[2].0.id(), root().id());
        let mut far = tip;
        far.tip.number = 357;
        refused(send(0, far, list(&blocks)), Refusal::Range);
        let mut above = tip;
        above.finalised.number = 104;
        refused(send(0, above, list(&blocks)), Refusal::Range);
        send(0, tip, list(&blocks)).unwrap();
    });
}

#[test]
fn a_block_takes_so_many_votes_of_one_validator() {
    run(|| {
        System::set_block_number(1_000);
        let good = view(root().id(), root().id());
        let votes = u64::from(MAX_VOTES_PER_BLOCK);
        let send_at = |seq| send(0, View { seq, ..good }, list(&[]));
        for seq in 950..950 + votes {
            send_at(seq).unwrap();
        }
        // It stays in the pool, for the next block.
        let later = Err(InvalidTransaction::ExhaustsResources.into());
        assert_eq!(send_at(950 + votes), later);
        send(1, good, list(&[])).unwrap();
        next_block();
        send_at(950 + votes).unwrap();
    });
}

#[test]
fn a_new_set_forgets_views() {
    run(|| {
        let a = branch(&root(), 1, 2);
        see(0, &a);
        see(1, &a);
        SetId::set(1);
        next_block();
        assert_eq!(crate::Views::<Test>::count(), 0);
        assert_eq!(crate::Headers::<Test>::count(), 1);
        see(2, &a);
        next_block();
        assert_eq!(anchor(), root().id());
    });
}

#[test]
fn only_authorised_calls_are_votes() {
    run(|| {
        let view = view(root().id(), root().id());
        let signature = CompactSignature::sign(&secret(0), view.digest(GENESIS)).unwrap();
        let call = |origin| Execution::submit_view(origin, view, 0, list(&[]), signature);
        assert_noop!(call(RawOrigin::Signed(1).into()), DispatchError::BadOrigin);
        assert_noop!(call(RawOrigin::None.into()), DispatchError::BadOrigin);
        assert_ok!(call(RawOrigin::Authorized.into()));
    });
}
