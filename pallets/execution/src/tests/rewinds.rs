//! Ethereum leaves the branch that the chain has followed, and may come back.

use crate::{Anchor, Event, Headers, Rewound, Views, mock::*};
use gear_exe_primitives::ethereum::EthereumHeader;

type Blocks = Vec<(EthereumHeader, Vec<u8>)>;

/// Three validators walk up `blocks` in views of up to 32 headers; the rest of the state is checked after each step.
fn follow(blocks: &Blocks) {
    for part in blocks.chunks(32) {
        quorum_sees(part);
    }
}

fn rewinds() -> usize {
    events()
        .iter()
        .filter(|event| matches!(event, Event::AnchorRewound { .. }))
        .count()
}

fn reorg_of_depth(depth: usize) {
    run(|| {
        let common = branch(&root(), 9, 3);
        follow(&common);
        let fork = common[2].0;
        let a = branch(&fork, 1, depth);
        follow(&a);
        assert_eq!(anchor(), a[depth - 1].0.id());
        assert_eq!(rewinds(), 0);

        // The other branch is one longer, as the winning one is.
        let b = branch(&fork, 2, depth + 1);
        follow(&b);
        assert_eq!(anchor(), b[depth].0.id());
        assert_eq!(rewinds(), 1);

        // And back to the first, which has grown.
        let mut grown = a.clone();
        grown.extend(branch(&a[depth - 1].0, 1, 2));
        follow(&grown);
        assert_eq!(anchor(), grown[depth + 1].0.id());
        assert_eq!(rewinds(), 2);
        // The branch that nobody reports any more is gone.
        assert_eq!(Headers::<Test>::count() as usize, 1 + 3 + depth + 2);
    });
}

#[test]
fn depth_1() {
    reorg_of_depth(1);
}

#[test]
fn depth_5() {
    reorg_of_depth(5);
}

#[test]
fn depth_70() {
    reorg_of_depth(70);
}

#[test]
fn a_block_says_that_it_rewinds() {
    run(|| {
        let a = branch(&root(), 1, 5);
        let b = branch(&root(), 2, 6);
        follow(&a);
        for validator in 0..3 {
            see(validator, &b);
        }
        end_block();
        assert!(Rewound::<Test>::get());
        let facts = Execution::round_facts(false);
        assert!(facts.rewound);
        assert_eq!((facts.previous_anchor, facts.anchor), (a[4].0, b[5].0));
        begin_block();
        assert!(!Execution::round_facts(false).rewound);
    });
}

#[test]
fn a_minority_on_another_branch_rewinds_nothing() {
    run(|| {
        let a = branch(&root(), 1, 5);
        for validator in 0..4 {
            see(validator, &a);
        }
        next_block();
        let b = branch(&root(), 2, 9);
        see(0, &b);
        see(1, &b);
        next_block();
        assert_eq!(anchor(), a[4].0.id());
        // Who lags behind on the same branch is not against the anchor.
        send(2, view(a[1].0.id(), root().id()), list(&[])).unwrap();
        next_block();
        assert_eq!(anchor(), a[4].0.id());
    });
}

#[test]
fn nothing_below_the_finalised_block_is_rewound() {
    run(|| {
        let a = branch(&root(), 1, 5);
        for validator in 0..3 {
            send(validator, view(a[4].0.id(), a[2].0.id()), list(&a)).unwrap();
        }
        end_block();
        assert_eq!(crate::Finalised::<Test>::get(), a[2].0);
        // The headers below are still there in this block, so the branch can be told.
        let b = branch(&a[0].0, 2, 8);
        let longer = branch(&a[2].0, 3, 4);
        System::set_block_number(System::block_number() + 1);
        let views = [view(b[7].0.id(), root().id())];
        assert!(send(0, views[0], list(&b)).is_err());
        for validator in 0..3 {
            see(validator, &longer);
        }
        next_block();
        assert_eq!(anchor(), longer[3].0.id());
    });
}

#[test]
fn silent_validators_are_forgotten_with_their_branch() {
    run(|| {
        let a = branch(&root(), 1, 30);
        let b = branch(&root(), 2, 32);
        for validator in 0..4 {
            see(validator, &a);
        }
        next_block();
        assert_eq!(anchor(), a[29].0.id());
        for validator in 0..3 {
            see(validator, &b);
        }
        next_block();
        assert_eq!(anchor(), b[31].0.id());
        // The fourth never speaks again: its view is forgotten, and with it the old branch.
        for _ in 0..1_300 {
            if System::block_number().is_multiple_of(500) {
                for validator in 0..3 {
                    see(validator, &b[31..]);
                }
            }
            next_block();
        }
        assert_eq!(Headers::<Test>::count(), 33);
        assert_eq!(Views::<Test>::count(), 3);
        assert_eq!(Anchor::<Test>::get(), b[31].0);
    });
}
