//! Handover from one validator set to the next, and the outbox: every state within the bounds, then without one clause
//! after the other.

mod common;

use common::{assert_broken, assert_holds};
use gear_exe_protocol_model::{
    Clause,
    settlement::{Seals, Settlement},
};

const PROGRESS: &str = "a batch can settle, with all that is open";
const TWO_ELECTIONS: &str = "one handover for two elections";

fn model() -> Settlement {
    Settlement {
        ethereum_blocks: 3,
        chain_blocks: 3,
        natives: 0,
        seals: Seals::Any,
        mints: 1,
        elections: 2,
        finality: true,
        batch_messages: 2,
        batch_items: 1,
        allowance: 1,
        expiry: 2,
        every_order: false,
        without: None,
    }
}

/// Seals and votes are steps of their own.
fn step_by_step() -> Settlement {
    let seals = Seals::Few {
        most: 2,
        in_flight: 1,
        one_by_one: false,
    };
    Settlement {
        seals,
        elections: 1,
        ..model()
    }
}

#[test]
fn sets_hand_over() {
    assert_holds("handover", model(), 100_000, &[]);
}

#[test]
fn sets_hand_over_on_a_longer_chain() {
    let model = Settlement {
        chain_blocks: 4,
        mints: 0,
        ..model()
    };
    assert_holds("handover, longer chain", model, 200_000, &[]);
}

#[test]
fn natives_while_sets_hand_over() {
    let model = Settlement {
        chain_blocks: 4,
        natives: 1,
        mints: 0,
        elections: 1,
        ..model()
    };
    let beyond = ["natives wait for the cursor", TWO_ELECTIONS];
    assert_holds("handover with natives", model, 450_000, &beyond);
}

#[test]
fn seals_step_by_step() {
    assert_holds(
        "handover, step by step",
        step_by_step(),
        200_000,
        &[TWO_ELECTIONS],
    );
}

#[test]
fn votes_one_by_one() {
    let seals = Seals::Few {
        most: 2,
        in_flight: 1,
        one_by_one: true,
    };
    let model = Settlement {
        seals,
        mints: 0,
        ..step_by_step()
    };
    assert_holds("handover, vote by vote", model, 400_000, &[TWO_ELECTIONS]);
}

#[test]
fn steps_in_every_order() {
    let model = Settlement {
        every_order: true,
        ..step_by_step()
    };
    assert_holds("handover, in every order", model, 300_000, &[TWO_ELECTIONS]);
}

#[test]
fn each_clause_is_needed() {
    let broken = |clause, property| {
        assert_broken(
            "handover",
            Settlement {
                without: Some(clause),
                ..model()
            },
            clause,
            property,
        );
    };
    broken(Clause::OutboxIsKeptUntilFinal, PROGRESS);
    broken(
        Clause::OutboxCursor,
        "outbox items are applied once and in order",
    );
    broken(Clause::RoutersSetSigns, PROGRESS);
    broken(
        Clause::DutyUntilFinal,
        "the set that the Router asks is on duty",
    );
    broken(Clause::NewestSetIsHandedTo, PROGRESS);
}
