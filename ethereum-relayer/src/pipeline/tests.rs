//! Single transitions of the pipeline, each from a state that is written down here.

use super::*;
use fees::{Fees, Market};
use gear_exe_ethereum::batch::{Refusal, RefusalClass};

pub(super) const GWEI: u128 = 1_000_000_000;
const ETH: u128 = 1_000_000_000_000_000_000;

pub(super) fn hash(number: u64) -> H256 {
    H256::from_low_u64_be(number)
}

pub(super) fn batch(nonce: u64) -> BatchFacts {
    BatchFacts {
        digest: hash(nonce),
        nonce,
        parent: hash(nonce - 1),
        set_id: 7,
        expiry: 1_000,
    }
}

pub(super) fn policy() -> Policy {
    Policy {
        max_fee: 100 * GWEI,
        bump_blocks: 3,
        retry_blocks: 10,
        low_balance: ETH / 10,
        ..Policy::default()
    }
}

/// The Router holds batch `applied`; our account has used `nonce` nonces.
pub(super) fn view(number: u64, applied: u64, nonce: u64) -> View {
    let router = |applied| RouterState {
        nonce: applied,
        digest: hash(applied),
        set_id: 7,
    };
    View {
        head: Head {
            number,
            hash: hash(1_000 + number),
        },
        timestamp: 100,
        router: router(applied),
        settled: router(0),
        nonce,
        balance: ETH,
        market: Market {
            base_fee: GWEI,
            tip: GWEI / 10,
        },
        ..View::default()
    }
}

pub(super) fn attempt(number: u64, payload: Payload, sent_at: u64) -> Attempt {
    Attempt {
        hash: hash(100 + number),
        payload,
        fees: Fees {
            max_fee: 10 * GWEI,
            tip: GWEI,
        },
        gas_limit: 1_000_000,
        sent_at,
        refused: false,
    }
}

/// Nonce 0 carries batch 1 since block 10, in a log from which the pipeline starts.
pub(super) fn on_its_way() -> State {
    State::new(
        policy(),
        [(0, vec![attempt(1, Payload::Batch(hash(1)), 10)])],
        [batch(1)],
    )
}

pub(super) fn with(mut view: View, number: u64, status: TxStatus) -> View {
    view.transactions.insert(hash(100 + number), status);
    view
}

pub(super) fn mined(number: u64) -> TxStatus {
    TxStatus::Mined {
        block: Head {
            number,
            hash: hash(1_000 + number),
        },
        success: true,
        gas_used: 5,
    }
}

/// The transaction of [`on_its_way`] is sent again.
pub(super) fn again() -> [Effect; 2] {
    [
        Effect::Note(Note::Rebroadcast(hash(101))),
        Effect::Send(0, hash(101)),
    ]
}

pub(super) fn show(state: &mut State, view: View) -> Vec<Effect> {
    state.step(Event::View(Box::new(view)))
}

pub(super) fn the_check(effects: &[Effect]) -> Plan {
    match effects {
        [Effect::Check(plan)] => *plan,
        other => panic!("not one pre-flight: {other:?}"),
    }
}

#[test]
fn a_ready_batch_is_checked_signed_stored_and_only_then_sent() {
    let mut state = State::new(policy(), [], []);
    assert!(state.step(Event::Ready(vec![batch(1)])).is_empty());
    let plan = the_check(&show(&mut state, view(10, 0, 4)));
    assert_eq!((plan.nonce, plan.payload), (4, Payload::Batch(hash(1))));

    let effects = state.step(Event::Checked(plan, Verdict::Fits(1_000_000)));
    assert_eq!(effects, [Effect::Sign(plan, 1_200_000)]);

    let made = Attempt {
        fees: plan.fees,
        gas_limit: 1_200_000,
        ..attempt(1, plan.payload, 10)
    };
    let effects = state.step(Event::Signed(plan, made));
    assert_eq!(effects, [Effect::Store(4), Effect::Send(4, made.hash)]);
    assert!(
        state
            .step(Event::Sent(4, made.hash, Answer::Taken))
            .is_empty()
    );
}

#[test]
fn only_what_continues_the_router_is_sent() {
    let wrong = [
        BatchFacts {
            parent: hash(9),
            ..batch(1)
        },
        BatchFacts {
            set_id: 8,
            ..batch(1)
        },
        BatchFacts {
            expiry: 100,
            ..batch(1)
        },
        batch(2),
    ];
    for wrong in wrong {
        let mut state = State::new(policy(), [], []);
        state.step(Event::Ready(vec![wrong]));
        assert!(show(&mut state, view(10, 0, 0)).is_empty(), "{wrong:?}");
    }
}

#[test]
fn what_is_in_the_log_is_sent_again_after_a_crash_not_made_anew() {
    let mut state = on_its_way();
    let plan = the_check(&show(
        &mut state,
        with(view(10, 0, 0), 1, TxStatus::Unknown),
    ));
    assert_eq!(plan.again, Some(hash(101)));
    assert_eq!(state.step(Event::Checked(plan, Verdict::Fits(1))), again());
    // It had arrived after all.
    let effects = show(&mut state, with(view(10, 0, 0), 1, TxStatus::Pending));
    assert!(effects.is_empty(), "{effects:?}");
}

#[test]
fn mined_is_not_done_and_a_reorg_gives_it_back() {
    let mut state = on_its_way();
    let effects = show(&mut state, with(view(11, 1, 1), 1, mined(11)));
    assert_eq!(
        effects,
        [Effect::Note(Note::Included {
            digest: hash(1),
            block: 11,
            gas_used: 5
        })]
    );
    assert_eq!(state.slots().len(), 1);
    // The block is gone, and the transaction with it.
    let lost = View {
        reorged: true,
        ..with(view(12, 0, 0), 1, TxStatus::Unknown)
    };
    let effects = show(&mut state, lost);
    assert_eq!(
        effects[..2],
        [
            Effect::Note(Note::Reorg),
            Effect::Note(Note::InclusionLost(hash(101))),
        ]
    );
    let plan = the_check(&effects[2..]);
    assert_eq!(state.step(Event::Checked(plan, Verdict::Fits(1))), again());
    // Mined again, and final.
    let done = View {
        settled: view(14, 1, 1).router,
        settled_nonce: 1,
        ..with(view(14, 1, 1), 1, mined(13))
    };
    assert_eq!(
        show(&mut state, done),
        [
            Effect::Note(Note::Included {
                digest: hash(1),
                block: 13,
                gas_used: 5
            }),
            Effect::Forget(0),
            Effect::Note(Note::Settled(hash(1))),
        ]
    );
    assert!(state.slots().is_empty());
    assert!(!state.needs(hash(1)));
}

#[test]
fn what_waits_is_looked_at_again_after_a_reorg() {
    let mut state = on_its_way();
    let moved = View {
        reorged: true,
        ..with(view(11, 0, 0), 1, TxStatus::Pending)
    };
    let effects = show(&mut state, moved);
    let plan = the_check(&effects[1..]);
    assert_eq!(plan.again, Some(hash(101)));
    // Its anchor is on the branch that was left: it must not be mined.
    let refusal = Refusal {
        class: RefusalClass::Stale,
        reason: "AnchorNotAncestor".into(),
    };
    let effects = state.step(Event::Checked(plan, Verdict::Refused(refusal)));
    let [Effect::Sign(plan, 21_000)] = effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!((plan.nonce, plan.payload), (0, Payload::Cancel));
}

#[test]
fn after_the_waiting_time_a_better_paid_one_replaces_it() {
    let mut state = on_its_way();
    // It is from the log, so it is looked at once.
    let plan = the_check(&show(
        &mut state,
        with(view(12, 0, 0), 1, TxStatus::Pending),
    ));
    assert!(
        state
            .step(Event::Checked(plan, Verdict::Fits(1)))
            .is_empty()
    );
    let plan = the_check(&show(
        &mut state,
        with(view(13, 0, 0), 1, TxStatus::Pending),
    ));
    assert_eq!(plan.nonce, 0);
    assert_eq!(plan.fees.max_fee, 11 * GWEI);
    assert_eq!(plan.fees.tip, 11 * GWEI / 10);
    state.step(Event::Checked(plan, Verdict::Fits(1_000_000)));
    let better = Attempt {
        fees: plan.fees,
        ..attempt(2, plan.payload, 13)
    };
    assert_eq!(
        state.step(Event::Signed(plan, better)),
        [
            Effect::Note(Note::Bumped(0)),
            Effect::Store(0),
            Effect::Send(0, hash(102))
        ]
    );
    // Either may be mined; it is the same nonce.
    let effects = show(&mut state, with(view(14, 1, 1), 1, mined(14)));
    assert!(matches!(effects[..], [Effect::Note(Note::Included { .. })]));
}

#[test]
fn at_the_cap_it_holds_says_so_and_goes_on() {
    let mut state = State::new(policy(), [], []);
    state.step(Event::Ready(vec![batch(1)]));
    let dear = View {
        market: Market {
            base_fee: 101 * GWEI,
            tip: GWEI,
        },
        ..view(10, 0, 0)
    };
    let effects = show(&mut state, dear.clone());
    assert!(
        matches!(&effects[..], [Effect::Alarm(Alarm::FeeCap, Some(_))]),
        "{effects:?}"
    );
    assert!(show(&mut state, dear).is_empty());
    let effects = show(&mut state, view(11, 0, 0));
    assert!(
        matches!(
            effects[..],
            [Effect::Alarm(Alarm::FeeCap, None), Effect::Check(_)]
        ),
        "{effects:?}"
    );
}

#[test]
fn without_funds_it_holds_says_so_and_goes_on() {
    let mut state = State::new(policy(), [], []);
    state.step(Event::Ready(vec![batch(1)]));
    let poor = View {
        balance: 5,
        ..view(10, 0, 0)
    };
    let effects = show(&mut state, poor.clone());
    assert!(matches!(
        effects[..],
        [Effect::Alarm(Alarm::LowBalance, Some(_)), Effect::Check(_)]
    ));
    let plan = the_check(&effects[1..]);
    let effects = state.step(Event::Checked(plan, Verdict::Fits(1_000_000)));
    assert!(matches!(
        effects[..],
        [Effect::Alarm(Alarm::NoFunds, Some(_))]
    ));
    // Not asked again while nothing changes.
    assert!(show(&mut state, poor).is_empty());
    let effects = show(&mut state, view(10, 0, 0));
    assert!(matches!(
        effects[..],
        [Effect::Alarm(Alarm::LowBalance, None), Effect::Check(_)]
    ));
    let plan = the_check(&effects[1..]);
    let effects = state.step(Event::Checked(plan, Verdict::Fits(1_000_000)));
    assert!(matches!(
        effects[..],
        [Effect::Alarm(Alarm::NoFunds, None), Effect::Sign(..)]
    ));
}

#[test]
fn a_lost_race_frees_the_nonce_by_a_cancellation() {
    let mut state = on_its_way();
    let effects = show(&mut state, with(view(11, 1, 0), 1, TxStatus::Pending));
    let [Effect::Sign(plan, 21_000)] = effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!((plan.nonce, plan.payload), (0, Payload::Cancel));
    assert!(plan.fees.max_fee >= 11 * GWEI);
}

#[test]
fn a_lost_race_with_a_next_batch_reuses_the_nonce() {
    let mut state = on_its_way();
    state.step(Event::Ready(vec![batch(2)]));
    let plan = the_check(&show(
        &mut state,
        with(view(11, 1, 0), 1, TxStatus::Pending),
    ));
    assert_eq!((plan.nonce, plan.payload), (0, Payload::Batch(hash(2))));
    assert!(plan.fees.max_fee >= 11 * GWEI);
}

#[test]
fn a_nonce_that_somebody_else_used_is_noticed_and_the_batch_sent_with_the_next() {
    let mut state = on_its_way();
    let used = || with(view(11, 0, 1), 1, TxStatus::Unknown);
    let plan = the_check(&show(&mut state, used()));
    assert_eq!((plan.nonce, plan.payload), (1, Payload::Batch(hash(1))));
    let effects = show(&mut state, used());
    assert!(
        matches!(
            effects[..],
            [
                Effect::Alarm(Alarm::ForeignTransaction, Some(_)),
                Effect::Check(_)
            ]
        ),
        "{effects:?}"
    );
}

#[test]
fn a_freed_nonce_below_ours_is_filled_with_nothing() {
    let mut state = State::new(
        policy(),
        [(3, vec![attempt(1, Payload::Batch(hash(1)), 10)])],
        [batch(1)],
    );
    let effects = show(&mut state, with(view(11, 0, 2), 1, TxStatus::Pending));
    let [Effect::Sign(plan, 21_000)] = effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!((plan.nonce, plan.payload), (2, Payload::Cancel));
}

#[test]
fn refusals_are_sorted() {
    let refused = |class| {
        let mut state = State::new(policy(), [], []);
        state.step(Event::Ready(vec![batch(1)]));
        let plan = the_check(&show(&mut state, view(10, 0, 0)));
        let refusal = Refusal {
            class,
            reason: "because".into(),
        };
        let effects = state.step(Event::Checked(plan, Verdict::Refused(refusal)));
        (state, effects)
    };

    let (mut state, effects) = refused(RefusalClass::Already);
    assert_eq!(effects, [Effect::Note(Note::RaceLost(hash(1)))]);
    assert!(show(&mut state, view(10, 0, 0)).is_empty());
    the_check(&show(&mut state, view(11, 0, 0)));

    let (mut state, effects) = refused(RefusalClass::Early);
    assert!(effects.is_empty());
    the_check(&show(&mut state, view(11, 0, 0)));

    let (mut state, effects) = refused(RefusalClass::Stale);
    assert!(effects.is_empty());
    assert!(show(&mut state, view(11, 0, 0)).is_empty());
    the_check(&show(&mut state, view(13, 0, 0)));

    let (mut state, effects) = refused(RefusalClass::Retry);
    assert!(matches!(
        effects[..],
        [Effect::Alarm(Alarm::RouterHolds, Some(_))]
    ));
    the_check(&show(&mut state, view(11, 0, 0)));

    let (mut state, effects) = refused(RefusalClass::Fatal);
    assert!(matches!(
        effects[..],
        [Effect::Alarm(Alarm::BatchRefused, Some(_))]
    ));
    assert!(show(&mut state, view(19, 0, 0)).is_empty());
    the_check(&show(&mut state, view(20, 0, 0)));
}

#[test]
fn a_batch_of_another_branch_does_not_keep_others_waiting() {
    let other = BatchFacts {
        digest: hash(50),
        ..batch(1)
    };
    let mut state = State::new(policy(), [], []);
    state.step(Event::Ready(vec![batch(1), other]));
    let plan = the_check(&show(&mut state, view(10, 0, 0)));
    let refusal = Refusal {
        class: RefusalClass::Stale,
        reason: "AnchorNotAncestor".into(),
    };
    let effects = state.step(Event::Checked(plan, Verdict::Refused(refusal)));
    assert_eq!(the_check(&effects).payload, Payload::Batch(hash(50)));
}

#[test]
fn a_batch_too_large_for_a_transaction_is_refused() {
    let mut state = State::new(policy(), [], []);
    state.step(Event::Ready(vec![batch(1)]));
    let plan = the_check(&show(&mut state, view(10, 0, 0)));
    let effects = state.step(Event::Checked(plan, Verdict::Fits(MAX_GAS * 10 / 11)));
    assert!(matches!(
        effects[..],
        [Effect::Alarm(Alarm::BatchRefused, Some(_))]
    ));
}

#[test]
fn a_verdict_for_an_older_head_is_ignored() {
    let mut state = State::new(policy(), [], []);
    state.step(Event::Ready(vec![batch(1)]));
    let plan = the_check(&show(&mut state, view(10, 0, 0)));
    show(&mut state, view(11, 0, 0));
    assert!(
        state
            .step(Event::Checked(plan, Verdict::Fits(1)))
            .is_empty()
    );
}

#[test]
fn an_unknown_rival_for_the_nonce_is_outbid_after_a_block() {
    let mut state = on_its_way();
    let effects = state.step(Event::Sent(0, hash(101), Answer::Underpriced));
    assert_eq!(effects, [Effect::Store(0)]);
    assert!(show(&mut state, with(view(10, 0, 0), 1, TxStatus::Unknown)).is_empty());
    let plan = the_check(&show(
        &mut state,
        with(view(11, 0, 0), 1, TxStatus::Unknown),
    ));
    assert_eq!(plan.fees.max_fee, 11 * GWEI);
}

#[test]
fn what_the_node_rejects_is_shelved_with_an_alarm() {
    let mut state = on_its_way();
    show(&mut state, with(view(10, 0, 0), 1, TxStatus::Pending));
    let effects = state.step(Event::Sent(0, hash(101), Answer::Rejected("no".into())));
    assert!(matches!(
        effects[..],
        [
            Effect::Store(0),
            Effect::Alarm(Alarm::BatchRefused, Some(_))
        ]
    ));
    let effects = show(&mut state, with(view(11, 0, 0), 1, TxStatus::Unknown));
    assert_eq!(effects, [Effect::Forget(0)], "and not sent");
}

#[test]
fn a_revert_asks_for_more_gas_next_time() {
    let mut state = on_its_way();
    let reverted = TxStatus::Mined {
        block: Head {
            number: 11,
            hash: hash(1_011),
        },
        success: false,
        gas_used: 5,
    };
    let effects = show(&mut state, with(view(11, 0, 1), 1, reverted));
    assert_eq!(effects, [Effect::Note(Note::Reverted(hash(101)))]);
    let plan = the_check(&show(&mut state, with(view(14, 0, 1), 1, reverted)));
    assert_eq!(plan.nonce, 1);
    let effects = state.step(Event::Checked(plan, Verdict::Fits(1_000_000)));
    assert_eq!(effects, [Effect::Sign(plan, 1_700_000)]);
}

#[test]
fn lower_priority_leaves_blocks_to_others() {
    let policy = Policy {
        stagger_blocks: 2,
        ..policy()
    };
    let mut state = State::new(policy, [], []);
    state.step(Event::Ready(vec![batch(1)]));
    assert!(show(&mut state, view(10, 0, 0)).is_empty());
    assert!(show(&mut state, view(11, 0, 0)).is_empty());
    the_check(&show(&mut state, view(12, 0, 0)));
}

#[test]
fn at_the_cap_the_old_offer_is_made_again_when_it_does() {
    let at_cap = Attempt {
        fees: Fees {
            max_fee: 95 * GWEI,
            tip: GWEI,
        },
        ..attempt(1, Payload::Batch(hash(1)), 8)
    };
    let mut state = State::new(policy(), [(0, vec![at_cap])], [batch(1)]);
    let dear = View {
        market: Market {
            base_fee: 96 * GWEI,
            tip: GWEI,
        },
        ..with(view(11, 0, 0), 1, TxStatus::Unknown)
    };
    let effects = show(&mut state, dear);
    assert!(matches!(
        effects[..],
        [Effect::Alarm(Alarm::FeeCap, Some(_))]
    ));
    let cheap = |number| with(view(number, 0, 0), 1, TxStatus::Unknown);
    let plan = the_check(&show(&mut state, cheap(12)));
    assert_eq!(state.step(Event::Checked(plan, Verdict::Fits(1))), again());
}
