//! What a quorum says of the Router.

use crate::mock::*;
use gear_exe_primitives::{
    ethereum::BlockId,
    vote::{RouterAt, View},
};

fn report(block: BlockId, nonce: u64) -> RouterAt {
    let mut report = RouterAt {
        block,
        ..Default::default()
    };
    report.batch.nonce = nonce;
    report
}

fn say(validator: u32, tip: BlockId, report: RouterAt) {
    let view = View {
        router: Some(report),
        ..view(tip, root().id())
    };
    send(validator, view, list(&[])).unwrap();
}

#[test]
fn it_holds_what_a_quorum_says() {
    run(|| {
        let tip = root().id();
        let truth = report(tip, 7);
        say(0, tip, truth);
        say(1, tip, truth);
        say(2, tip, report(tip, 8));
        next_block();
        assert!(Agreed::get().is_empty());
        say(3, tip, truth);
        next_block();
        assert_eq!(Agreed::get(), [truth]);
    });
}

#[test]
fn the_tip_may_be_reported_with_the_view_that_moves_the_anchor_there() {
    run(|| {
        let a = branch(&root(), 1, 2);
        let tip = a[1].0.id();
        for validator in 0..3 {
            let view = View {
                router: Some(report(tip, 1)),
                ..view(tip, root().id())
            };
            send(validator, view, list(&a)).unwrap();
        }
        next_block();
        assert_eq!(anchor(), tip);
        assert_eq!(Agreed::get(), [report(tip, 1)]);
    });
}

#[test]
fn a_block_off_the_anchors_branch_says_nothing() {
    run(|| {
        let a = branch(&root(), 1, 2);
        let b = branch(&root(), 2, 1);
        see(3, &b);
        for validator in 0..3 {
            let view = View {
                router: Some(report(b[0].0.id(), 1)),
                ..view(a[1].0.id(), root().id())
            };
            send(validator, view, list(&a)).unwrap();
        }
        next_block();
        assert_eq!(anchor(), a[1].0.id());
        assert!(Agreed::get().is_empty());
    });
}
