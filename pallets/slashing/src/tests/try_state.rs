//! The check of the storage sees what it is to see.

use crate::{mock::*, *};
use frame_support::assert_ok;
use polkadot_sdk::{frame_support, sp_runtime::Perbill};

/// Breaks the state after an offence, and expects the check to say so.
fn broken(by: impl FnOnce(), says: &str) {
    new_test_ext().execute_with(|| {
        assert_ok!(offend(3, 1, 1, 10).map_err(|_| ()));
        assert_ok!(Slashing::do_try_state());
        by();
        let error = Slashing::do_try_state().unwrap_err();
        assert!(
            format!("{error:?}").contains(says),
            "{error:?} instead of {says}"
        );
    });
}

#[test]
fn each_invariant_is_checked() {
    let incident = Incident {
        kind: UNNAMED,
        hash: Default::default(),
    };
    broken(
        || Reporting::<Test>::put(incident),
        "nothing is being reported",
    );
    broken(|| NextId::<Test>::put(0), "numbers of slashes are given");
    broken(|| EraSlashes::<Test>::remove(1, 0), "listed by era");
    broken(
        || Queues::<Test>::remove(operator(3)),
        "open slashes are in their operator's queue",
    );
    broken(
        || Slashes::<Test>::mutate_extant(0, |slash| slash.state = State::Cancelled),
        "what is over is in no queue",
    );
    broken(
        || {
            Slashes::<Test>::mutate_extant(0, |slash| {
                slash.approved = false;
                slash.state = State::Committed { item: 0 };
            })
        },
        "what is not approved does not leave",
    );
    broken(
        || Reached::<Test>::insert(1, operator(3), Perbill::one()),
        "add up to the greatest fraction",
    );
    broken(
        || Reached::<Test>::remove(1, operator(3)),
        "slashes are counted",
    );
    broken(
        || Slashes::<Test>::mutate_extant(0, |slash| slash.fraction = Perbill::zero()),
        "a slash takes something",
    );
    broken(
        || EraSlashes::<Test>::insert(1, 7, ()),
        "what is listed is a slash",
    );
    broken(
        || {
            Queues::<Test>::mutate_extant(operator(3), |queue| {
                let _ = queue.open.try_push((0, 0));
            })
        },
        "capture order",
    );
    broken(
        || {
            Queues::<Test>::mutate_extant(operator(3), |queue| {
                let _ = queue.open.try_push((u64::MAX, 0));
            })
        },
        "queues hold their operator's slashes",
    );
    broken(
        || EraForgiven::<Test>::insert(1, gear_exe_primitives::H256::zero(), ()),
        "what is forgiven is listed by era",
    );
    broken(|| SessionStarts::<Test>::remove(2), "no gaps");
    broken(
        || SessionStarts::<Test>::insert(1_000, SessionStart::default()),
        "old sessions are forgotten",
    );
}
