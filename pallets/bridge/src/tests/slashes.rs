//! What became of slashes.

use crate::{Event, Votes, mock::*};
use gear_exe_primitives::facts::SlashFate;
use polkadot_sdk::frame_support::assert_ok;

#[test]
fn each_end_is_told_once() {
    run(|| {
        Open::set(vec![1, 5, 6]);
        events();
        let facts = [
            slash(1, SlashFate::Executed),
            slash(5, SlashFate::Vetoed),
            slash(6, SlashFate::Refused),
        ];
        agree(&facts);
        let ended = [
            (1, SlashFate::Executed),
            (5, SlashFate::Vetoed),
            (6, SlashFate::Refused),
        ];
        assert_eq!(Ended::get(), ended);
        assert_eq!(
            events(),
            ended.map(|(id, fate)| Event::SlashEnded { id, fate })
        );
        assert!(send(3, &facts).is_err());
        // Votes that are left tell nothing again, also while they are counted with others.
        Open::set(vec![7]);
        agree(&[slash(7, SlashFate::Executed)]);
        assert_eq!(Ended::get().len(), 4);
    });
}

#[test]
fn a_slash_that_is_over_meanwhile_is_left_alone() {
    run(|| {
        Open::set(vec![1]);
        for validator in 0..3 {
            send(validator, &[slash(1, SlashFate::Executed)]).unwrap();
        }
        Open::take();
        next_block();
        assert!(Ended::get().is_empty());
    });
}

#[test]
fn contradictions_decide_nothing() {
    run(|| {
        Open::set(vec![1]);
        for (validator, fate) in [
            SlashFate::Executed,
            SlashFate::Executed,
            SlashFate::Vetoed,
            SlashFate::Refused,
        ]
        .into_iter()
        .enumerate()
        {
            send(validator as u32, &[slash(1, fate)]).unwrap();
        }
        next_block();
        assert!(Ended::get().is_empty());
        assert_eq!(Votes::<Test>::iter().count(), 4);
    });
}

#[test]
fn slashes_end_while_the_bridge_is_paused() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        Rules::mutate(|rules| rules.paused = true);
        Open::set(vec![1]);
        agree(&[burn(0, 1, 5), slash(1, SlashFate::Executed)]);
        assert_eq!((Ended::get().len(), free(1)), (1, MONEY));
        Rules::mutate(|rules| rules.paused = false);
        next_block();
        assert_eq!((Ended::get().len(), free(1)), (1, MONEY + 5));
    });
}
