//! Views and anchors: every state within the bounds, then without one clause after the other.

mod common;

use common::{assert_broken, assert_holds};
use gear_exe_protocol_model::{Clause, anchors::Anchors, ethereum::Tree};

const PARENTS: &str = "anchors form a parent chain, but where honest validators see a conflict";

/// A branch of two blocks, of which the first has another child too, and another branch of two. The last two blocks
/// are invented, one above the first branch and one above the root.
fn tree() -> (Tree, Vec<u8>) {
    (Tree::new(&[0, 0, 1, 1, 2, 0, 5, 4, 0]), vec![7, 8])
}

fn model() -> Anchors {
    let (tree, invented) = tree();
    Anchors {
        tree,
        invented,
        replays: false,
        set_changes: 1,
        without: None,
    }
}

/// Two branches of one block, and an invented block above the first.
fn small() -> Anchors {
    Anchors {
        tree: Tree::new(&[0, 0, 0, 1]),
        invented: vec![3],
        ..model()
    }
}

#[test]
fn anchors_follow_ethereum() {
    assert_holds("anchors", model(), 20_000, &[]);
}

#[test]
fn replayed_views_change_nothing() {
    let model = Anchors {
        replays: true,
        ..small()
    };
    let beyond = [
        "a rewind to where no honest validator's head is",
        "three different heads above the anchor",
    ];
    assert_holds("anchors, old views sent again", model, 9_000, &beyond);
}

fn breaks(clause: Clause, property: &str) {
    let replays = clause == Clause::Sequence;
    let set_changes = (clause != Clause::Sequence).into();
    let bounds = if clause == Clause::AncestorsAreSupported {
        model()
    } else {
        small()
    };
    let model = Anchors {
        without: Some(clause),
        replays,
        set_changes,
        ..bounds
    };
    assert_broken("anchors", model, clause, property);
}

#[test]
fn each_clause_is_needed() {
    breaks(Clause::Sequence, PARENTS);
    breaks(Clause::VotesOfOldSetsAreVoid, PARENTS);
    breaks(
        Clause::AncestorsAreSupported,
        "the anchor is not behind what all honest validators see",
    );
    breaks(Clause::TwoThirds, PARENTS);
    breaks(Clause::RewindNeedsConflict, PARENTS);
    breaks(
        Clause::FinalStays,
        "final is final on Ethereum, and below the anchor",
    );
}
