//! Branches of Ethereum that win, and come back: nonces that are free again, heads that are lower, batches of the branch
//! that was left.

use super::{tests::*, *};
use gear_exe_ethereum::batch::{Refusal, RefusalClass};

fn refused(class: RefusalClass) -> Verdict {
    Verdict::Refused(Refusal {
        class,
        reason: "AnchorNotAncestor".into(),
    })
}

/// The batch that the chain offers instead of [`batch`] 1 after Ethereum's branch has changed.
fn other() -> BatchFacts {
    BatchFacts {
        digest: hash(50),
        ..batch(1)
    }
}

/// Signs what is planned, and expects it to be stored and sent.
fn sign(state: &mut State, plan: Plan, number: u64) -> Attempt {
    let signed = Attempt {
        fees: plan.fees,
        ..attempt(number, plan.payload, plan.head.number)
    };
    let effects = state.step(Event::Signed(plan, signed));
    let (store, send) = (
        Effect::Store(plan.nonce),
        Effect::Send(plan.nonce, signed.hash),
    );
    assert!(effects.ends_with(&[store, send]), "{effects:?}");
    signed
}

/// The log holds a transaction of a longer branch: its anchor is a block that this branch has not reached, which looks as
/// if the node lagged.
#[test]
fn what_the_chain_offers_now_replaces_a_batch_of_a_longer_branch() {
    let mut state = State::new(
        policy(),
        [(0, vec![attempt(1, Payload::Batch(hash(1)), 500)])],
        [batch(1)],
    );
    state.step(Event::Ready(vec![batch(1), other()]));
    let shown = || with(view(10, 0, 0), 1, TxStatus::Unknown);
    let plan = the_check(&show(&mut state, shown()));
    assert_eq!(plan.payload, Payload::Batch(hash(1)));
    let plan = the_check(&state.step(Event::Checked(plan, refused(RefusalClass::Early))));
    assert_eq!((plan.nonce, plan.payload), (0, Payload::Batch(hash(50))));
    assert_eq!(plan.again, None);
    // The old one may still be in a pool.
    assert!(plan.fees.max_fee >= 11 * GWEI && plan.fees.tip >= 11 * GWEI / 10);
    let effects = state.step(Event::Checked(plan, Verdict::Fits(1_000_000)));
    assert_eq!(effects, [Effect::Sign(plan, 1_200_000)]);
    let newer = sign(&mut state, plan, 2);

    // The branch of the old one comes back, and holds it: the newer one is nothing any more.
    let back = View {
        reorged: true,
        ..with(with(view(501, 1, 1), 1, mined(501)), 2, TxStatus::Unknown)
    };
    let effects = show(&mut state, back);
    assert_eq!(
        effects,
        [
            Effect::Note(Note::Reorg),
            Effect::Note(Note::Included {
                digest: hash(1),
                block: 501,
                gas_used: 5
            }),
        ]
    );
    assert_eq!(state.slots()[&0].attempts.last(), Some(&newer));
}

#[test]
fn what_is_early_waits_if_there_is_nothing_else() {
    let mut state = on_its_way();
    let pending = || with(view(10, 0, 0), 1, TxStatus::Pending);
    let plan = the_check(&show(&mut state, pending()));
    let effects = state.step(Event::Checked(plan, refused(RefusalClass::Early)));
    assert!(effects.is_empty(), "{effects:?}");
    assert!(show(&mut state, pending()).is_empty(), "asked once a head");
}

#[test]
fn the_accounts_nonce_counts_and_not_the_logs() {
    // The account has used two nonces on this branch. The log goes on at nonce 5, in what the node has lost.
    let log = [(5, vec![attempt(1, Payload::Batch(hash(1)), 500)])];
    let mut state = State::new(policy(), log.clone(), [batch(1)]);
    state.step(Event::Ready(vec![other()]));
    let effects = show(&mut state, with(view(10, 0, 2), 1, TxStatus::Unknown));
    assert_eq!(effects[0], Effect::Forget(5));
    let plan = the_check(&effects[1..]);
    assert_eq!((plan.nonce, plan.payload), (2, Payload::Batch(hash(50))));
    assert!(state.slots().is_empty());

    // What the node still holds is followed, but the batch does not wait for it.
    let mut state = State::new(policy(), log, [batch(1)]);
    let held = |nonce| with(view(10, 0, nonce), 1, TxStatus::Pending);
    let plan = the_check(&show(&mut state, held(2)));
    assert_eq!((plan.nonce, plan.payload), (2, Payload::Batch(hash(1))));
    // Unless one nonce is all that is missing.
    let mut state = State::new(
        policy(),
        [(5, vec![attempt(1, Payload::Batch(hash(1)), 500)])],
        [batch(1)],
    );
    let effects = show(&mut state, held(4));
    assert!(
        matches!(&effects[..], [Effect::Sign(plan, 21_000)] if plan.nonce == 4 && plan.payload == Payload::Cancel),
        "{effects:?}"
    );
}

#[test]
fn a_lower_head_does_not_make_anything_wait_for_a_higher_one() {
    let mut state = State::new(
        policy(),
        [(0, vec![attempt(1, Payload::Batch(hash(1)), 500)])],
        [batch(1)],
    );
    let pending = |number| with(view(number, 0, 0), 1, TxStatus::Pending);
    let plan = the_check(&show(&mut state, pending(10)));
    assert!(
        state
            .step(Event::Checked(plan, Verdict::Fits(1)))
            .is_empty()
    );
    assert!(show(&mut state, pending(12)).is_empty());
    let plan = the_check(&show(&mut state, pending(13)));
    assert_eq!((plan.again, plan.fees.max_fee), (None, 11 * GWEI));

    // Nor what was refused there.
    let mut state = State::new(policy(), [], []);
    state.step(Event::Ready(vec![batch(1)]));
    let plan = the_check(&show(&mut state, view(500, 0, 0)));
    state.step(Event::Checked(plan, refused(RefusalClass::Fatal)));
    assert!(show(&mut state, view(501, 0, 0)).is_empty());
    let back = View {
        reorged: true,
        ..view(20, 0, 0)
    };
    let effects = show(&mut state, back);
    the_check(&effects[1..]);

    // Nor the blocks that are left to relayers with a better priority.
    let policy = Policy {
        stagger_blocks: 2,
        ..policy()
    };
    let mut state = State::new(policy, [], []);
    state.step(Event::Ready(vec![batch(1)]));
    assert!(show(&mut state, view(500, 0, 0)).is_empty());
    assert!(show(&mut state, view(20, 0, 0)).is_empty());
    the_check(&show(&mut state, view(22, 0, 0)));
}

#[test]
fn what_was_final_on_a_chain_that_is_gone_does_not_make_a_nonce_final() {
    let mut state = on_its_way();
    let set_back = View {
        settled_nonce: 7,
        ..with(view(12, 0, 0), 1, TxStatus::Pending)
    };
    show(&mut state, set_back);
    assert_eq!(state.slots().len(), 1);
}
