//! The alarm for ready batches that do not fit, view by view.

use super::{
    tests::{batch, hash, policy, show, the_check, view},
    *,
};
use gear_exe_ethereum::batch::{Refusal, RefusalClass};

/// The policy of these tests waits for so many blocks.
const PATIENCE: u64 = 5;

fn with(batches: &[BatchFacts]) -> State {
    let policy = Policy {
        unfit_blocks: PATIENCE,
        ..policy()
    };
    let mut state = State::new(policy, [], []);
    state.step(Event::Ready(batches.to_vec()));
    state
}

/// The text of the one alarm that these effects raise, if they raise it.
fn raised(effects: &[Effect]) -> Option<&str> {
    effects.iter().find_map(|effect| match effect {
        Effect::Alarm(Alarm::BatchUnfit, Some(reason)) => Some(reason.as_str()),
        _ => None,
    })
}

fn ended(effects: &[Effect]) -> bool {
    effects.contains(&Effect::Alarm(Alarm::BatchUnfit, None))
}

fn settled_at(mut view: View, nonce: u64) -> View {
    view.settled = RouterState {
        nonce,
        digest: hash(nonce),
        set_id: 7,
    };
    view
}

#[test]
fn what_never_fits_is_told_once_with_both_sides_and_ends_when_it_is_replaced() {
    let cases = [
        (
            BatchFacts {
                parent: hash(9),
                ..batch(1)
            },
            "another batch",
        ),
        (
            BatchFacts {
                set_id: 8,
                ..batch(1)
            },
            "recoverValidatorSet",
        ),
        (
            BatchFacts {
                set_id: 6,
                ..batch(1)
            },
            "newer set",
        ),
        (
            BatchFacts {
                expiry: 100,
                ..batch(1)
            },
            "expired",
        ),
        (batch(2), "The batch before it"),
    ];
    for (wrong, advice) in cases {
        let mut state = with(&[wrong]);
        for number in 10..10 + PATIENCE {
            assert!(show(&mut state, view(number, 0, 0)).is_empty(), "{wrong:?}");
        }
        let effects = show(&mut state, view(15, 0, 0));
        let text = raised(&effects).unwrap_or_else(|| panic!("{wrong:?}: {effects:?}"));
        let wanted = format!(
            "{:?} has not fitted the Router for 5 Ethereum blocks. It wants nonce {} on batch {:?}, of set {}",
            wrong.digest, wrong.nonce, wrong.parent, wrong.set_id
        );
        let held = format!("the Router holds nonce 0, batch {:?}, set 7", hash(0));
        for part in [wanted.as_str(), &held, advice, "--ethereum", "--node"] {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
        assert_eq!(effects.len(), 1);
        assert!(show(&mut state, view(16, 0, 0)).is_empty(), "said once");
        assert!(state.alarms().contains(&Alarm::BatchUnfit));

        state.step(Event::Ready(vec![BatchFacts {
            digest: hash(60),
            ..batch(1)
        }]));
        assert!(ended(&show(&mut state, view(17, 0, 0))));
        assert!(state.alarms().is_empty());
    }
}

#[test]
fn what_fits_in_between_is_given_the_whole_time_again() {
    let mut state = with(&[batch(2)]);
    assert!(show(&mut state, view(10, 0, 0)).is_empty());
    the_check(&show(&mut state, view(14, 1, 0)));
    // The batch before it is taken back.
    for number in [15, 19] {
        assert!(show(&mut state, view(number, 0, 0)).is_empty());
    }
    assert!(raised(&show(&mut state, view(20, 0, 0))).is_some());
    let effects = show(&mut state, view(21, 1, 0));
    assert!(ended(&effects));
    assert!(matches!(effects[0], Effect::Check(_)));
}

#[test]
fn a_shorter_branch_is_no_shorter_wait() {
    let mut state = with(&[batch(2)]);
    assert!(show(&mut state, view(10, 0, 0)).is_empty());
    for number in [8, 14] {
        assert!(show(&mut state, view(number, 0, 0)).is_empty());
    }
    assert!(raised(&show(&mut state, view(15, 0, 0))).is_some());
}

#[test]
fn what_the_router_holds_is_no_misfit_until_the_chain_must_know_it() {
    let lost = BatchFacts {
        digest: hash(50),
        ..batch(1)
    };
    let mut state = with(&[batch(1), lost]);
    for number in 10..60 {
        assert!(show(&mut state, view(number, 1, 0)).is_empty());
    }
    // Applied and final: the chain lags, but nothing waits.
    let is_final = |number| settled_at(view(number, 1, 0), 1);
    for number in 60..65 {
        assert!(show(&mut state, is_final(number)).is_empty());
    }
    let effects = show(&mut state, is_final(65));
    let text = raised(&effects).unwrap();
    assert!(text.contains(&format!("{:?}", hash(50))), "{text}");
    assert!(text.contains("has not noticed"), "{text}");
    state.step(Event::Ready(vec![batch(1)]));
    for number in 66..100 {
        let effects = show(&mut state, is_final(number));
        assert_eq!(ended(&effects), number == 66);
    }
}

#[test]
fn a_refusal_that_should_pass_and_does_not_is_told_too() {
    let refuse = |state: &mut State, class, number| {
        let effects = show(state, view(number, 0, 0));
        let Effect::Check(plan) = effects[0] else {
            panic!("{effects:?}");
        };
        let refusal = Refusal {
            class,
            reason: "AnchorNotAncestor(number: 3)".into(),
        };
        let answer = state.step(Event::Checked(plan, Verdict::Refused(refusal)));
        assert!(answer.is_empty(), "{answer:?}");
    };
    for class in [RefusalClass::Stale, RefusalClass::Early] {
        let mut state = with(&[batch(1)]);
        refuse(&mut state, class, 10);
        refuse(&mut state, class, 13);
        let effects = show(&mut state, view(15, 0, 0));
        let text = raised(&effects).unwrap();
        assert!(text.contains("AnchorNotAncestor(number: 3)"), "{text}");
        // The branch comes back.
        let effects = show(&mut state, view(16, 0, 0));
        let plan = the_check(&effects);
        state.step(Event::Checked(plan, Verdict::Fits(1)));
        assert!(ended(&show(&mut state, view(17, 0, 0))));
    }
    // What has an alarm of its own needs no second one.
    let mut state = with(&[batch(1)]);
    refuse(&mut state, RefusalClass::Stale, 10);
    let plan = the_check(&show(&mut state, view(13, 0, 0)));
    let refusal = Refusal {
        class: RefusalClass::Fatal,
        reason: "NotEnoughHeads".into(),
    };
    state.step(Event::Checked(plan, Verdict::Refused(refusal)));
    assert!(raised(&show(&mut state, view(30, 0, 0))).is_none());
    assert!(state.alarms().contains(&Alarm::BatchRefused));
}

#[test]
fn the_alarm_follows_the_batch_that_is_left_and_what_the_router_holds() {
    let other = BatchFacts {
        digest: hash(50),
        ..batch(4)
    };
    let mut state = with(&[batch(3), other]);
    show(&mut state, view(10, 0, 0));
    let text = raised(&show(&mut state, view(15, 0, 0)))
        .unwrap()
        .to_owned();
    assert!(text.contains(&format!("batch {:?} has", hash(3))), "{text}");
    state.step(Event::Ready(vec![other]));
    let effects = show(&mut state, view(16, 0, 0));
    let [
        Effect::Alarm(Alarm::BatchUnfit, None),
        Effect::Alarm(Alarm::BatchUnfit, Some(text)),
    ] = &effects[..]
    else {
        panic!("{effects:?}");
    };
    assert!(
        text.contains(&format!("batch {:?} has", hash(50))),
        "{text}"
    );
    let effects = show(&mut state, view(17, 1, 0));
    assert!(raised(&effects).unwrap().contains("Router holds nonce 1,"));
}
