//! The whole runtime under random interleavings of what users call, validators vote, governance does and Ethereum delays,
//! over many eras. After every block all that is in `watch.rs` must hold, and in the end the network heals by itself.
//!
//! The histories are the same in each run. `PROPTEST_CASES` says how many; `PROPTEST_RNG_SEED` gives others. A history that
//! fails is made shorter by itself and printed: keep it among those at the end of this file.

#![allow(clippy::panic)] // a failed test

mod ethereum;
mod faults;
mod pools;
mod users;
mod validators;
mod watch;
mod world;

use crate::common;
use faults::Way;
use gear_exe_runtime::{Runtime, UNITS};
use polkadot_sdk::pallet_staking::UnappliedSlashes;
use proptest::{
    prelude::*,
    test_runner::{RngSeed, TestRunner},
};
use std::{cell::RefCell, collections::BTreeMap};
use users::{Call, Flaw};
use validators::Lie as Untrue;
use watch::Tally;
use world::{Action, ETH, Power, World};

fn power() -> impl Strategy<Value = Power> {
    prop_oneof![
        Just(Power::Root),
        Just(Power::Canceller),
        Just(Power::Staking),
        Just(Power::Wrong),
        Just(Power::Nobody),
    ]
}

fn lie() -> impl Strategy<Value = Untrue> {
    prop_oneof![
        Just(Untrue::View),
        Just(Untrue::Snapshot),
        users::amount().prop_map(Untrue::Burn),
        any::<u8>().prop_map(Untrue::Fate),
        (1..4u8).prop_map(Untrue::Batch),
        Just(Untrue::Forged),
    ]
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![Just(Way::Seen), Just(Way::Reported), Just(Way::Unsigned)]
}

/// What must happen somewhere in the random histories.
const EXPECTED: &[&str] = &[
    "Bridge.SlashEnded",
    "Bridge.VaraLocked",
    "Bridge.VaraUnlocked",
    "Bridge.VaraUnpaid",
    "Execution.AnchorRewound",
    "NominationPools.Bonded",
    "NominationPools.PaidOut",
    "NominationPools.Unbonded",
    "Restaking.OperatorLeaving",
    "Restaking.SnapshotAccepted",
    "Restaking.SnapshotMissed",
    "Restaking.SnapshotReused",
    "Rewards.ClaimsSent",
    "Rewards.PagePaid",
    "Rewards.PoolEarned",
    "Rewards.ShareCredited",
    "Rewards.VaultsSent",
    "Settlement.BatchSettled",
    "Settlement.Equivocation",
    "Slashing.SlashCancelled",
    "Slashing.SlashCommitted",
    "Slashing.SlashExecuted",
    "Slashing.SlashExpired",
    "Slashing.SlashVetoed",
    "Staking.EraPaid",
    "Staking.Rewarded",
    "Staking.Slashed",
    "Staking.Unbonded",
];

/// Mostly what four validators' vaults may hold, sometimes much more, or nothing.
fn stake() -> impl Strategy<Value = (bool, u128)> {
    let usual = (any::<bool>(), 1..5_000u128).prop_map(|(second, amount)| {
        let unit = if second { 1_000_000 } else { ETH };
        (second, amount * unit)
    });
    prop_oneof![
        8 => usual,
        1 => any::<bool>().prop_map(|second| (second, 0)),
        1 => any::<bool>().prop_map(|second| (second, u128::MAX)),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let environment = prop_oneof![
        3 => (0..6u8, prop_oneof![2 => Just(true), 1 => Just(false)], 0..4u8)
            .prop_map(|(who, awake, lag)| Action::Node(who, awake, lag)),
        1 => prop_oneof![3 => (0..4u8).prop_map(Some), 1 => Just(None)].prop_map(Action::Finality),
        1 => (1..5u8).prop_map(Action::Reorganise),
        1 => prop_oneof![2 => Just(true), 1 => Just(false)].prop_map(Action::Relay),
        1 => (any::<bool>(), prop_oneof![3 => Just(true), 1 => Just(false)])
            .prop_map(|(somebody, willing)| Action::Vaults(somebody, willing)),
        3 => (1..5_000 * UNITS).prop_map(Action::Pay),
        5 => (0..6u8, stake()).prop_map(|(who, (second, much))| Action::Stake(who, second, much)),
        2 => (0..12u8, any::<u8>()).prop_map(|(to, share)| Action::Burn(to, share)),
        3 => lie().prop_map(Action::Lie),
        2 => (4..6u8).prop_map(Action::Keys),
        1 => (0..10u8).prop_map(Action::Keys),
    ];
    let faults = prop_oneof![
        4 => (0..6u8, 0..4u8, 0..3u8, way())
            .prop_map(|(who, back, content, way)| Action::DoubleSign(who, back, content, way)),
        1 => (0..6u8, 0..4u8, 1..3u8).prop_map(|(who, back, content)| Action::Against(who, back, content)),
        2 => (any::<u8>(), 0..6u8, 0..3u8).prop_map(|(kind, who, back)| Action::False(kind, who, back)),
        2 => any::<u8>().prop_map(Action::Again),
        3 => (any::<u8>(), power()).prop_map(|(which, power)| Action::Cancel(which, power)),
        2 => (any::<u8>(), power()).prop_map(|(which, power)| Action::Approve(which, power)),
    ];
    prop_oneof![
        6 => (1..8u8).prop_map(Action::Blocks),
        1 => (1..40u8).prop_map(Action::Wait),
        14 => users::call().prop_map(|(who, call)| Action::User(who, call)),
        7 => environment,
        7 => faults,
    ]
}

/// What happened, printed as it is written.
#[derive(Clone)]
struct History(Vec<Action>);

impl std::fmt::Debug for History {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for action in &self.0 {
            writeln!(formatter, "        {action:?},")?;
        }
        Ok(())
    }
}

fn history() -> impl Strategy<Value = History> {
    proptest::collection::vec(action(), 40..200).prop_map(History)
}

/// Runs a history, and what it must come to. Adds to `tally` how often which event was seen.
fn run(actions: &[Action], tally: &mut Tally) {
    let mut externalities = world::start();
    let mut world = externalities.execute_with(World::new);
    for action in actions {
        externalities.execute_with(|| world.act(*action));
        // Else each block's root is that of all that has changed since the first.
        externalities.commit_all().unwrap();
    }
    externalities.execute_with(|| world.heal());
    externalities.commit_all().unwrap();
    externalities.execute_with(|| world.finish());
    for (event, count) in world.watch.tally {
        *tally.entry(event).or_default() += count;
    }
}

fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: match std::env::var("PROPTEST_CASES") {
            Ok(_) => usual.cases,
            Err(_) => 32,
        },
        rng_seed: match usual.rng_seed {
            RngSeed::Random => RngSeed::Fixed(4),
            fixed => fixed,
        },
        failure_persistence: None,
        max_shrink_time: 300_000,
        ..usual
    }
}

#[test]
fn whatever_happens() {
    let mut tally = RefCell::new(Tally::new());
    let result = TestRunner::new(config()).run(&history(), |history| {
        run(&history.0, &mut tally.borrow_mut());
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    // The histories are no idle ones.
    let tally = tally.get_mut();
    let missing: Vec<_> = EXPECTED
        .iter()
        .filter(|event| !tally.contains_key(**event))
        .collect();
    assert!(missing.is_empty(), "{missing:?} in {tally:#?}");
}

fn seen(actions: &[Action]) -> Tally {
    let mut tally = Tally::new();
    run(actions, &mut tally);
    tally
}

/// Histories in which something rare happens, with what must be seen.
#[test]
fn chosen_histories() {
    use Action::*;
    // Nothing happens.
    assert!(!seen(&[]).contains_key("Slashing.FaultProven"));

    // A slash goes its whole way.
    let tally = seen(&[Blocks(30), DoubleSign(1, 0, 1, Way::Seen), Blocks(30)]);
    for event in [
        "SlashDeferred",
        "SlashCommitted",
        "SlashRequested",
        "SlashExecuted",
    ] {
        assert_eq!(
            tally.get(&format!("Slashing.{event}")),
            Some(&1),
            "{tally:#?}"
        );
    }

    // Nobody who may not cancels it; it is cancelled while it waits.
    let tally = seen(&[
        Blocks(30),
        DoubleSign(1, 0, 1, Way::Reported),
        Cancel(1, Power::Wrong),
        Cancel(1, Power::Nobody),
        Cancel(1, Power::Canceller),
        Cancel(1, Power::Canceller),
        Again(0),
        Blocks(30),
    ]);
    assert!(!tally.contains_key("Slashing.SlashCommitted"), "{tally:#?}");
    assert!(!tally.contains_key("Staking.Slashed"), "{tally:#?}");

    // It is cancelled when it has left.
    let tally = seen(&[
        Blocks(30),
        DoubleSign(1, 0, 1, Way::Reported),
        Vaults(false, true),
        Blocks(11),
        Cancel(1, Power::Staking),
        Blocks(20),
        Cancel(1, Power::Root),
        Vaults(true, true),
        Blocks(20),
    ]);
    assert_eq!(tally.get("Slashing.SlashVetoed"), Some(&1), "{tally:#?}");
    assert!(!tally.contains_key("Slashing.SlashExecuted"), "{tally:#?}");

    // Nobody carries it in time.
    let tally = seen(&[
        Blocks(30),
        Relay(false),
        DoubleSign(1, 0, 1, Way::Unsigned),
        Blocks(11),
        Wait(120),
        Blocks(11),
    ]);
    assert_eq!(tally.get("Slashing.SlashExpired"), Some(&1), "{tally:#?}");

    // A digest against the quorum's waits for governance.
    let against = [
        Blocks(30),
        Pay(10 * UNITS),
        User(6, Call::Lock(1, 50 * UNITS)),
        Blocks(3),
        Against(0, 0, 1),
        Against(0, 1, 1),
        Blocks(20),
    ];
    let tally = seen(&against);
    assert!(tally.contains_key("Slashing.SlashDeferred"), "{tally:#?}");
    assert!(!tally.contains_key("Slashing.SlashCommitted"), "{tally:#?}");
    let tally = seen(
        &[
            &against[..6],
            &[
                Approve(1, Power::Nobody),
                Approve(1, Power::Staking),
                Blocks(20),
            ],
        ]
        .concat(),
    );
    assert!(tally.contains_key("Slashing.SlashCommitted"), "{tally:#?}");

    // Validators without keys are elected, and leave nobody behind.
    let keyless = |who| User(who, Call::Validate(0));
    seen(&[
        User(4, Call::Bond(900_000 * UNITS, true)),
        keyless(4),
        User(5, Call::Bond(900_000 * UNITS, true)),
        keyless(5),
        User(0, Call::Chill),
        User(1, Call::Chill),
        User(2, Call::Chill),
        User(3, Call::Chill),
        Blocks(60),
    ]);

    // All but one take their keys back.
    seen(&[
        User(0, Call::PurgeKeys),
        User(1, Call::PurgeKeys),
        User(2, Call::PurgeKeys),
        User(3, Call::PurgeKeys),
        Blocks(40),
    ]);

    // Everybody leaves: no candidates, but validators.
    seen(&[
        User(0, Call::Chill),
        User(1, Call::Chill),
        User(2, Call::Chill),
        User(3, Call::Chill),
        Blocks(60),
    ]);

    // Ethereum says nothing for long: stake is used once more with less weight, then not at all.
    let tally = seen(&[Blocks(25), Finality(None), Blocks(60)]);
    assert!(tally.contains_key("Restaking.SnapshotMissed"), "{tally:#?}");

    // One of four says what is not.
    seen(&[
        Blocks(25),
        Lie(Untrue::View),
        Lie(Untrue::Snapshot),
        Burn(2, 255),
        Lie(Untrue::Burn(1_000_000 * UNITS)),
        Lie(Untrue::Batch(7)),
        Lie(Untrue::Forged),
        DoubleSign(1, 0, 1, Way::Seen),
        Blocks(14),
        Lie(Untrue::Fate(0)),
        Lie(Untrue::Fate(1)),
        Blocks(20),
    ]);

    // An operator leaves and comes back under another account.
    seen(&[
        Blocks(12),
        User(0, Call::Deregister),
        User(4, Call::Register(0, Flaw::None)),
        Blocks(120),
        User(0, Call::WithdrawOperator),
        User(4, Call::Register(0, Flaw::Nonce)),
        User(4, Call::Register(0, Flaw::None)),
        Blocks(20),
    ]);
}

/// Two offences of different eras cost the same. The first was taken when it is cancelled: the second is spared nothing.
#[test]
fn a_late_cancellation_takes_no_other_slash_along() {
    let mut externalities = world::start();
    externalities.execute_with(|| {
        let mut world = World::new();
        let era = || gear_exe_runtime::eras::active().unwrap();
        let until = |world: &mut World, wanted| {
            while era() < wanted {
                world.act(Action::Blocks(1));
            }
        };
        // What waits, by the era in which it is taken.
        let waiting = || UnappliedSlashes::<Runtime>::iter().collect::<BTreeMap<_, _>>();
        let fault = |world: &mut World| world.act(Action::DoubleSign(0, 0, 1, Way::Reported));
        // Vaults refuse, so that all stakes stay as they are.
        world.act(Action::Vaults(true, false));
        until(&mut world, 3);
        fault(&mut world);
        let mut before = waiting();
        let (early, one) = before.pop_first().unwrap();
        // Staking adds up what is for eras after that of a report.
        until(&mut world, 5);
        world.act(Action::Blocks(3));
        fault(&mut world);
        let (late, other) = waiting().pop_last().unwrap();
        assert!(early < late);
        assert_eq!(one, other);
        until(&mut world, late - 1);
        let left = waiting();
        assert_eq!(left.keys().copied().collect::<Vec<_>>(), [late]);
        // The older one of two: too late for both assets.
        world.act(Action::Cancel(2, Power::Canceller));
        assert_eq!(waiting(), left);
        let slashed = |world: &World| world.watch.tally["Staking.Slashed"];
        let once = slashed(&world);
        until(&mut world, late);
        assert!(slashed(&world) > once);
        world.heal();
        world.finish();
    });
}
