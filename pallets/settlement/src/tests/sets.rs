//! Validator sets and how one hands over to the next.

use crate::{
    CurrentSet, Event, Handovers, OutboxEnd, Parameters, Refusal, SetSince, Sets, Settled, mock::*,
};
use gear_exe_primitives::{
    H160,
    batch::{AppliedBatch, BatchHeader},
    ethereum::EthereumHeader,
    host::AuthorityId,
    outbox::OutboxItem,
};
use polkadot_sdk::sp_application_crypto::ByteArray;
use std::collections::BTreeMap;

/// The set updates that the Router gets, from its cursor at `tip` on.
fn updates(tip: &EthereumHeader) -> Vec<(u64, usize)> {
    let from = held_at(tip).outbox_end;
    Settlement::outbox(from, OutboxEnd::<Test>::get())
        .into_iter()
        .map(|item| match item {
            OutboxItem::SetUpdate { set_id, members } => (set_id, members.len()),
            other => panic!("not a set update: {other:?}"),
        })
        .collect()
}

/// What the Router holds after it applied the batch with everything in the outbox.
fn handed_over(header: &BatchHeader, tip: &EthereumHeader, set_id: u64) -> AppliedBatch {
    AppliedBatch {
        set_id,
        ..applied(header, tip, OutboxEnd::<Test>::get())
    }
}

#[test]
fn a_change_pushes_one_update() {
    run(|| {
        new_session(0..4);
        assert_eq!(CurrentSet::<Test>::get(), 0);
        assert_eq!(OutboxEnd::<Test>::get(), 0);
        new_session(0..3);
        assert_eq!(Settlement::validator_set().id, 1);
        assert_eq!(Settlement::validator_set().members.len(), 3);
        assert_eq!(updates(&root()), [(1, 3)]);
        new_session(0..3);
        assert_eq!(updates(&root()), [(1, 3)]);
        assert_eq!(events(), [Event::SetChanged { set_id: 1 }]);
    });
}

#[test]
fn operators_are_told_with_each_capture() {
    run(|| {
        let items = || Settlement::outbox(0, OutboxEnd::<Test>::get());
        let operator = H160::repeat_byte(1);
        Behind::set(Some((900, BTreeMap::from([(1, operator)]))));
        // Account 2 is left out, and so is whoever stands behind it.
        Heavy::mutate(|heavy| heavy.insert(2, 0));
        new_session(0..4);
        let told = |set_id, capture| OutboxItem::OperatorSet {
            set_id,
            capture,
            signers: vec![address(0), address(1), address(3)],
            operators: vec![H160::zero(), operator, H160::zero()],
        };
        assert_eq!(items()[0], told(1, 900));
        assert!(matches!(
            items()[1],
            OutboxItem::SetUpdate { set_id: 1, .. }
        ));
        // The next session of the same era says nothing new.
        new_session(0..4);
        assert_eq!(items().len(), 2);
        // The same validators with stake that was read anew are a new set; there is one handover, to the newest.
        Behind::mutate(|behind| behind.as_mut().unwrap().0 = 950);
        new_session(0..4);
        assert_eq!(CurrentSet::<Test>::get(), 2);
        assert_eq!(items().len(), 3);
        assert_eq!(items()[2], told(2, 950));
        assert!(matches!(
            items()[1],
            OutboxItem::SetUpdate { set_id: 2, .. }
        ));
        // Nobody stands behind them any more: the set stays as it is.
        Behind::set(None);
        new_session(0..4);
        assert_eq!(items().len(), 3);
    });
}

#[test]
fn an_old_set_is_renewed() {
    run(|| {
        Parameters::<Test>::mutate(|parameters| parameters.renewal = 10);
        for block in 1..10 {
            new_session(0..4);
            assert_eq!(CurrentSet::<Test>::get(), 0, "in block {block}");
            next_block();
        }
        new_session(0..4);
        assert_eq!(updates(&root()), [(1, 4)]);
        new_session(0..4);
        assert_eq!(CurrentSet::<Test>::get(), 1);
        assert_eq!(SetSince::<Test>::get(), 10);
    });
}

#[test]
fn weights_change_a_set() {
    run(|| {
        Heavy::mutate(|heavy| heavy.insert(1, 5));
        new_session(0..4);
        let weights = |set: gear_exe_primitives::report::ValidatorSet| -> Vec<u64> {
            set.members.iter().map(|member| member.weight).collect()
        };
        assert_eq!(weights(Settlement::validator_set()), [1, 5, 1, 1]);
        let old = Settlement::validator_set_at(0).unwrap();
        assert_eq!(weights(old), [1, 1, 1, 1]);
    });
}

#[test]
fn who_could_never_sign_is_left_out() {
    run(|| {
        Heavy::mutate(|heavy| heavy.insert(2, 0));
        let mut session = keys(0..4);
        session.push((9, AuthorityId::from_slice(&[0xff; 33]).unwrap()));
        let (_, twice) = session[1].clone();
        session.push((8, twice));
        new_session_with(&session);
        let members: Vec<_> = Settlement::validator_set()
            .members
            .iter()
            .map(|member| member.address)
            .collect();
        assert_eq!(members, [address(0), address(1), address(3)]);
        // Nobody is left: the set stays.
        new_session([]);
        assert_eq!(CurrentSet::<Test>::get(), 1);
    });
}

#[test]
fn the_set_that_the_router_holds_signs() {
    run(|| {
        new_session([4, 5, 6]);
        next_block();
        assert_eq!(seal(1).set_id, 0);
        let header = batch_of(1, 1);
        // The new set votes on views already, but signs nothing.
        assert_eq!(sign_as(4, 0, &header), Err(Refusal::Signature.into()));
        let early = BatchHeader {
            set_id: 1,
            ..header
        };
        assert_eq!(sign_as(4, 0, &early), Err(Refusal::Set.into()));
        for validator in 0..3 {
            sign(validator, &header).unwrap();
        }
        let tip = mine_with(root(), handed_over(&header, &root(), 1));
        follow(tip);
        let next = batch_of(newest(), 1);
        assert_eq!(next.set_id, 1);
        assert_eq!(sign(0, &next), Err(Refusal::Signature.into()));
        for validator in 0..3 {
            sign_as(u64::from(validator) + 4, validator, &next).unwrap();
        }
        assert!(seal(newest()).result.is_some());
        // The old set is kept until that is final.
        assert!(Sets::<Test>::contains_key(0));
        finalise(tip);
        assert!(!Sets::<Test>::contains_key(0));
        assert_eq!(Settled::<Test>::get().set_id, 1);
    });
}

/// Case 9.
#[test]
fn after_a_reorg_below_the_handover_the_old_set_signs_again() {
    run(|| {
        new_session([4, 5, 6]);
        let a0 = mine(root());
        follow(a0);
        let header = ready(newest());
        let a = mine_with(a0, handed_over(&header, &a0, 1));
        follow(a);
        let early = batch_of(newest(), 1);
        assert_eq!(early.set_id, 1);
        // Ethereum takes the handover back.
        let b = mine(root());
        follow(b);
        let again = batch_of(newest(), 1);
        assert_eq!(again.set_id, 0);
        assert_eq!(updates(&b), [(1, 3)]);
        for validator in 0..3 {
            sign(validator, &again).unwrap();
        }
        let b2 = mine_with(b, handed_over(&again, &b, 1));
        follow(b2);
        assert!(updates(&b2).is_empty());
        assert_eq!(OutboxEnd::<Test>::get(), 1);
    });
}

/// Case 10.
#[test]
fn two_eras_while_a_handover_is_stuck_are_one_handover_to_the_newest_set() {
    run(|| {
        new_session(0..3);
        next_block();
        new_session(1..6);
        new_session(2..8);
        assert_eq!(Settlement::validator_set().id, 3);
        assert_eq!(updates(&root()), [(3, 6)]);
        nothing(newest());
        follow(mine(root()));
        let tip = Anchor::get();
        let header = ready(newest());
        let next = mine_with(tip, handed_over(&header, &tip, 3));
        follow(next);
        assert!(updates(&next).is_empty());
        finalise(next);
        let ids: Vec<_> = Sets::<Test>::iter_keys().collect();
        assert_eq!(ids, [3]);
    });
}

#[test]
fn an_update_that_was_under_way_when_it_was_replaced_is_followed_by_the_newest() {
    run(|| {
        new_session(0..3);
        let a0 = mine(root());
        follow(a0);
        let old = ready(newest());
        // The batch is signed and tells of set 1; the item now tells of set 2.
        new_session(1..6);
        assert_eq!(updates(&a0), [(2, 5)]);
        let tip = mine_with(a0, handed_over(&old, &a0, 1));
        follow(tip);
        assert_eq!(updates(&tip), [(2, 5)]);
        assert_eq!(OutboxEnd::<Test>::get(), 2);
        assert_eq!(batch_of(newest(), 1).set_id, 1);

        // A reorganisation takes that back: the old set hands over to the newest at once.
        let other = mine(root());
        follow(other);
        assert_eq!(updates(&other), [(2, 5), (2, 5)]);
        assert_eq!(batch_of(newest(), 1).set_id, 0);
    });
}

#[test]
fn a_set_that_the_router_refuses_is_not_told_for_ever() {
    run(|| {
        new_session(0..3);
        next_block();
        let header = ready(newest());
        // The Router skips the item: its set stays.
        let tip = mine_with(root(), handed_over(&header, &root(), 0));
        follow(tip);
        assert!(updates(&tip).is_empty());
        assert!(events().contains(&Event::SetRefused { set_id: 1 }));
        // The next set is told again.
        new_session(1..6);
        assert_eq!(updates(&tip), [(2, 5)]);
    });
}

#[test]
fn the_session_waits_for_a_handover_but_not_for_ever() {
    run(|| {
        assert!(!Settlement::is_handing_over());
        new_session(0..3);
        assert!(Settlement::is_handing_over());
        next_block();
        let header = ready(newest());
        let tip = mine_with(root(), handed_over(&header, &root(), 1));
        follow(tip);
        assert!(Settlement::is_handing_over());
        finalise(tip);
        assert!(!Settlement::is_handing_over());

        Parameters::<Test>::mutate(|parameters| parameters.handover_patience = 20);
        new_session(1..6);
        assert!(Settlement::is_handing_over());
        blocks(20);
        assert!(!Settlement::is_handing_over());
        assert_eq!(Handovers::<Test>::get().len(), 2);
    });
}
