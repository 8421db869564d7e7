//! Rounds and batches: every state within the bounds, then without one clause after the other.

mod common;

use common::{assert_broken, assert_holds};
use gear_exe_protocol_model::{
    Clause,
    settlement::{Seals, Settlement},
};

const PROVABLE: &str = "no honest validator can be proven faulty";
const NATIVES: &str = "every native of the chain is in its outcome once, or waits";
const PROGRESS: &str = "a batch can settle, with all that is open";

fn model() -> Settlement {
    Settlement {
        ethereum_blocks: 3,
        chain_blocks: 5,
        natives: 2,
        seals: Seals::Any,
        mints: 0,
        elections: 0,
        finality: false,
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
        chain_blocks: 4,
        ..model()
    }
}

const WAITS: &str = "natives wait for the cursor";

#[test]
fn rounds_and_batches() {
    assert_holds("rounds and batches", model(), 500_000, &[]);
}

#[test]
fn deeper_trees() {
    let model = Settlement {
        ethereum_blocks: 4,
        chain_blocks: 4,
        natives: 1,
        ..model()
    };
    assert_holds("rounds and batches, deeper trees", model, 150_000, &[WAITS]);
}

#[test]
fn seals_step_by_step() {
    assert_holds(
        "rounds and batches, step by step",
        step_by_step(),
        300_000,
        &[],
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
        chain_blocks: 3,
        ..model()
    };
    assert_holds("rounds and batches, vote by vote", model, 250_000, &[]);
}

#[test]
fn steps_in_every_order() {
    let bounds = Settlement {
        chain_blocks: 3,
        natives: 1,
        ..step_by_step()
    };
    let model = Settlement {
        every_order: true,
        ..bounds
    };
    assert_holds(
        "rounds and batches, in every order",
        model,
        20_000,
        &[WAITS],
    );
}

#[test]
fn each_clause_is_needed() {
    let broken = |bounds: Settlement, clause, property| {
        assert_broken(
            "rounds and batches",
            Settlement {
                without: Some(clause),
                ..bounds
            },
            clause,
            property,
        );
    };
    broken(model(), Clause::OutcomesStay, PROVABLE);
    broken(
        model(),
        Clause::BaseHoldsTheRoutersBatch,
        "every round goes on from what the Router holds at its anchor",
    );
    broken(model(), Clause::NativesAreTakenAgain, NATIVES);
    broken(model(), Clause::CheckedOnce, NATIVES);
    broken(model(), Clause::HighestAnchorEver, NATIVES);
    broken(model(), Clause::BuiltOnTheSealsAnchor, PROVABLE);
    broken(model(), Clause::OnlyFinalisedSeals, PROVABLE);
    broken(
        model(),
        Clause::RouterChecksParent,
        "batches on a branch are one chain",
    );
    broken(
        model(),
        Clause::RouterChecksAnchor,
        "applied are the branch's events, each once, in order",
    );
    broken(step_by_step(), Clause::ExpiredIsNotInFlight, PROGRESS);
}
