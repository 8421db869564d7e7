//! Burns are applied in the order of their numbers, each once.

use crate::{BURN_WINDOW, Event, NextBurn, mock::*};
use polkadot_sdk::frame_support::assert_ok;

/// The numbers that were applied.
fn applied() -> Vec<u64> {
    events()
        .into_iter()
        .filter_map(|event| match event {
            Event::VaraUnlocked { number, .. } | Event::VaraUnpaid { number, .. } => Some(number),
            _ => None,
        })
        .collect()
}

#[test]
fn a_gap_holds_up_what_comes_after() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        agree(&[burn(1, 1, 5), burn(2, 2, 6)]);
        assert!(applied().is_empty());
        agree(&[burn(0, 3, 7)]);
        assert_eq!(applied(), [0, 1, 2]);
        assert_eq!(
            (free(1), free(2), free(3)),
            (MONEY + 5, MONEY + 6, MONEY + 7)
        );
    });
}

#[test]
fn each_is_applied_once() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        agree(&[burn(0, 1, 5)]);
        assert_eq!(applied(), [0]);
        // The fourth is late; another set says it again.
        assert!(send(3, &[burn(0, 1, 5)]).is_err());
        next_set();
        next_block();
        for validator in 0..4 {
            assert!(send(validator, &[burn(0, 1, 5)]).is_err());
        }
        next_block();
        assert!(applied().is_empty());
        assert_eq!(free(1), MONEY + 5);
    });
}

#[test]
fn the_window_moves_on() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        let all: Vec<_> = (0..100).map(|number| burn(number, 1, 1)).collect();
        let mut seen = Vec::new();
        while seen.len() < all.len() {
            let next = NextBurn::<Test>::get() as usize;
            let until = all.len().min(next + BURN_WINDOW as usize);
            agree(&all[next..until]);
            seen.extend(applied());
        }
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
        assert_eq!(free(1), MONEY + 100);
    });
}

#[test]
fn votes_from_different_blocks_of_ethereum_add_up() {
    run(|| {
        assert_ok!(lock(0, BOB, 500));
        // Who reads later sees more.
        send(0, &[burn(0, 1, 1)]).unwrap();
        send(1, &[burn(0, 1, 1), burn(1, 1, 2)]).unwrap();
        send(2, &[burn(0, 1, 1), burn(1, 1, 2), burn(2, 1, 3)]).unwrap();
        next_block();
        assert_eq!(applied(), [0]);
        send(0, &[burn(1, 1, 2), burn(2, 1, 3)]).unwrap();
        next_block();
        assert_eq!(applied(), [1]);
        send(3, &[burn(2, 1, 3)]).unwrap();
        next_block();
        assert_eq!(applied(), [2]);
    });
}
