//! How the anchor and the finalised block move, and what is kept of Ethereum meanwhile.

use crate::{Anchor, Event, Finalised, Headers, PreviousAnchor, Views, mock::*};
use gear_exe_primitives::{signature::CompactSignature, vote::View};
use polkadot_sdk::sp_runtime::StateVersion;

#[test]
fn a_quorum_moves_it() {
    run(|| {
        let a = branch(&root(), 1, 1);
        see(0, &a);
        see(1, &a);
        next_block();
        assert_eq!(anchor(), root().id());
        see(2, &a);
        next_block();
        assert_eq!(anchor(), a[0].0.id());
        assert_eq!(
            events(),
            [Event::AnchorMoved {
                anchor: a[0].0.id()
            }]
        );
    });
}

/// Case 1.
#[test]
fn anchors_form_a_parent_chain_over_a_reorg() {
    run(|| {
        let a = branch(&root(), 1, 1);
        let b = branch(&root(), 2, 2);
        for validator in 0..3 {
            see(validator, &a);
        }
        next_block();
        assert_eq!(anchor(), a[0].0.id());
        // Two have seen the reorg, the Byzantine one says anything: no quorum, no move.
        see(0, &b);
        see(3, &branch(&root(), 3, 5));
        next_block();
        assert_eq!(anchor(), a[0].0.id());
        see(1, &b);
        next_block();
        // Of the tips 102b, 102b, 101a and 105c no quorum is above the common block, but a quorum has left 101a.
        assert_eq!(anchor(), root().id());
        see(2, &b);
        next_block();
        assert_eq!(anchor(), b[1].0.id());
        assert_eq!(Anchor::<Test>::get().parent, b[0].0.hash);
        assert_eq!(b[0].0.parent, root().hash);
        assert_eq!(
            events(),
            [
                Event::AnchorMoved {
                    anchor: a[0].0.id()
                },
                Event::AnchorRewound {
                    from: a[0].0.id(),
                    to: root().id()
                },
                Event::AnchorMoved {
                    anchor: b[1].0.id()
                },
            ]
        );
    });
}

/// Case 2.
#[test]
fn replaying_old_views_changes_nothing() {
    run(|| {
        let a = branch(&root(), 1, 3);
        let b = branch(&a[0].0, 2, 4);
        let storage = || polkadot_sdk::sp_io::storage::root(StateVersion::V1);
        let mut sent: Vec<(u32, View, crate::HeaderList)> = Vec::new();
        for step in [&a[..1], &a[1..2], &b[..2], &b[2..], &a[1..], &b[..]] {
            for validator in 0..4 {
                let view = view(step.last().unwrap().0.id(), root().id());
                send(validator, view, list(step)).unwrap();
                sent.push((validator, view, list(step)));
            }
            next_block();
            let before = (storage(), anchor());
            for (validator, view, headers) in &sent {
                let signature =
                    CompactSignature::sign(&secret(*validator), view.digest(GENESIS)).unwrap();
                assert!(send_signed(*validator, *view, headers.clone(), signature).is_err());
            }
            assert_eq!((storage(), anchor()), before);
        }
        assert_eq!(anchor(), b[3].0.id());
    });
}

/// Case 3.
#[test]
fn invented_views_cost_constant_storage() {
    run(|| {
        let a = branch(&root(), 1, 1);
        for number in 0..10_000u32 {
            let parent = child(&root(), number);
            let invented = [parent.clone(), child(&parent.0, number)];
            let view = view(invented[1].0.id(), root().id());
            send_unchecked(3, view, list(&invented));
            assert!(Headers::<Test>::count() <= 3);
            next_block();
        }
        assert_eq!(Views::<Test>::count(), 1);
        assert_eq!(anchor(), root().id());
        for validator in 0..3 {
            see(validator, &a);
        }
        next_block();
        assert_eq!(anchor(), a[0].0.id());
    });
}

/// Case 4.
#[test]
fn three_heads_meet_at_their_highest_common_block() {
    run(|| {
        let common = branch(&root(), 1, 2);
        for (validator, salt) in [(0, 2), (1, 3), (2, 4)] {
            let mut blocks = common.clone();
            blocks.extend(branch(&common[1].0, salt, 1 + validator as usize));
            see(validator, &blocks);
        }
        next_block();
        // Everything that is known of the block is read from its header.
        assert_eq!(Anchor::<Test>::get(), common[1].0);
        assert_eq!(Anchor::<Test>::get().timestamp, root().timestamp + 24);
        assert_eq!(Anchor::<Test>::get().randao.0, [1; 32]);
        let facts = Execution::round_facts(false);
        assert_eq!(facts.anchor, common[1].0);
    });
}

#[test]
fn a_round_knows_the_anchor_before() {
    run(|| {
        let a = branch(&root(), 1, 2);
        for validator in 0..3 {
            see(validator, &a);
        }
        end_block();
        let facts = Execution::round_facts(true);
        assert_eq!(facts.previous_anchor, root());
        assert_eq!(facts.anchor, a[1].0);
        assert!(!facts.rewound && facts.seal);
        begin_block();
        assert_eq!(PreviousAnchor::<Test>::get(), a[1].0);
    });
}

#[test]
fn finality_needs_a_quorum_and_drops_what_lies_below() {
    run(|| {
        let a = branch(&root(), 1, 10);
        for validator in 0..3 {
            let finalised = a[6 - validator as usize].0.id();
            send(validator, view(a[9].0.id(), finalised), list(&a)).unwrap();
        }
        next_block();
        assert_eq!(Finalised::<Test>::get(), a[4].0);
        next_block();
        assert_eq!(Headers::<Test>::count(), 6);
        // Never back.
        for validator in 0..3 {
            send(validator, view(a[9].0.id(), root().id()), list(&[])).unwrap();
        }
        next_block();
        assert_eq!(Finalised::<Test>::get(), a[4].0);
    });
}

#[test]
fn what_is_final_is_never_above_the_anchor() {
    run(|| {
        let a = branch(&root(), 1, 10);
        // Two have seen ten blocks of which six are final. The Byzantine one agrees on that, but not on the tip.
        let finalised = a[5].0.id();
        send(0, view(a[9].0.id(), finalised), list(&a)).unwrap();
        send(1, view(a[9].0.id(), finalised), list(&a)).unwrap();
        let other = branch(&root(), 2, 6);
        send(3, view(other[5].0.id(), finalised), list(&other)).unwrap();
        next_block();
        assert_eq!(anchor(), root().id());
        assert_eq!(Finalised::<Test>::get(), root());
        see(2, &a);
        next_block();
        assert_eq!(anchor(), a[9].0.id());
        assert_eq!(Finalised::<Test>::get(), a[5].0);
    });
}

#[test]
fn long_histories_are_dropped_in_steps() {
    run(|| {
        // Ethereum has not finalised anything for 600 blocks.
        let a = branch(&root(), 1, 600);
        for part in a.chunks(32) {
            quorum_sees(part);
        }
        assert_eq!(anchor(), a[599].0.id());
        assert_eq!(Headers::<Test>::count(), 601);
        for validator in 0..3 {
            send(validator, view(a[599].0.id(), a[590].0.id()), list(&[])).unwrap();
        }
        next_block();
        assert_eq!(Finalised::<Test>::get(), a[590].0);
        for _ in 0..10 {
            next_block();
        }
        assert_eq!(Headers::<Test>::count(), 10);
    });
}
