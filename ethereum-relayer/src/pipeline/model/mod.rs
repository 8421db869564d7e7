//! A model of Ethereum, of the validators and of other relayers, in which the pipeline must always end well.

mod world;

use super::*;
use fees::Fees;
use gear_exe_ethereum::batch::{Refusal, RefusalClass};
use gear_exe_primitives::hashing::keccak256;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use world::*;

const GWEI: u128 = 1_000_000_000;
const GAS: u64 = 100_000;
/// Blocks that are final behind the head.
const FINALITY: usize = 5;
/// Batches that the validators have to settle.
const TARGET: u64 = 5;
/// Blocks in which they must be settled after the last fault.
const LAST_BLOCKS: usize = 40;

/// A relayer with its durable log. Whatever is not in the log is lost in a crash.
struct Relayer {
    policy: Policy,
    state: State,
    log: BTreeMap<u64, Vec<Attempt>>,
    facts: BTreeMap<H256, BatchFacts>,
    settled: Vec<H256>,
}

/// What the network does to a transaction on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Works,
    LosesRequest,
    LosesAnswer,
}

impl Relayer {
    fn new(policy: Policy) -> Self {
        Self {
            policy,
            state: State::new(policy, [], []),
            log: BTreeMap::new(),
            facts: BTreeMap::new(),
            settled: Vec::new(),
        }
    }

    fn crash(&mut self) {
        self.state = State::new(
            self.policy,
            self.log.clone(),
            self.facts.values().copied().collect::<Vec<_>>(),
        );
    }

    /// One turn of the driver. `crash` says after how many effects the process is killed.
    fn turn(&mut self, world: &mut World, crash: Option<usize>, wire: Wire) {
        self.turn_with(world, crash, wire, None);
    }

    /// The same, and `switch` says after how many effects which other branch wins.
    fn turn_with(
        &mut self,
        world: &mut World,
        crash: Option<usize>,
        wire: Wire,
        switch: Option<(usize, usize)>,
    ) {
        let mut work: VecDeque<Effect> = self.state.step(Event::Ready(world.ready())).into();
        let previous = self.state.view().map(|view| view.head.hash);
        let view = world.view(&self.state.tracked(), previous);
        work.extend(self.state.step(Event::View(Box::new(view))));
        let mut done = 0;
        while let Some(effect) = work.pop_front() {
            if crash == Some(done) {
                return self.crash();
            }
            if let Some((after, branch)) = switch
                && after == done
            {
                world.switch(branch);
            }
            done += 1;
            if let Some(event) = self.execute(world, effect, wire) {
                for effect in self.state.step(event).into_iter().rev() {
                    work.push_front(effect);
                }
            }
        }
        if crash.is_some() {
            self.crash();
        }
    }

    fn execute(&mut self, world: &mut World, effect: Effect, wire: Wire) -> Option<Event> {
        if let Effect::Sign(Plan { nonce, .. }, _) | Effect::Send(nonce, _) = effect {
            // The account's next nonce, whatever the log holds: there is never a gap below it.
            assert_eq!(Some(nonce), self.state.view().map(|view| view.nonce));
        }
        match effect {
            Effect::Check(plan) => {
                let Payload::Batch(digest) = plan.payload else {
                    panic!("nothing to check in {plan:?}");
                };
                let batch = world.signed.iter().find(|batch| batch.digest == digest)?;
                let there = world.blocks.get(plan.head.number as usize);
                if there.is_none_or(|block| block.hash != plan.head.hash) {
                    return Some(Event::Checked(plan, Verdict::Unknown));
                }
                let verdict = match world.refusal(batch) {
                    None => Verdict::Fits(GAS / 2),
                    Some(class) => Verdict::Refused(Refusal {
                        class,
                        reason: String::new(),
                    }),
                };
                Some(Event::Checked(plan, verdict))
            }
            Effect::Sign(plan, gas_limit) => {
                assert!(plan.fees.max_fee <= self.policy.max_fee);
                let payload = match plan.payload {
                    Payload::Batch(digest) => digest,
                    Payload::Cancel => H256::zero(),
                };
                let hash = keccak256([
                    &plan.nonce.to_be_bytes()[..],
                    payload.as_bytes(),
                    &plan.fees.max_fee.to_be_bytes(),
                    &plan.fees.tip.to_be_bytes(),
                ]);
                let attempt = Attempt {
                    hash,
                    payload: plan.payload,
                    fees: plan.fees,
                    gas_limit,
                    sent_at: plan.head.number,
                    refused: false,
                };
                Some(Event::Signed(plan, attempt))
            }
            Effect::Store(nonce) => {
                let slot = &self.state.slots()[&nonce];
                for attempt in &slot.attempts {
                    if let Payload::Batch(digest) = attempt.payload
                        && let Some(facts) = self.state.batches.get(&digest)
                    {
                        self.facts.insert(digest, *facts);
                    }
                }
                self.log.insert(nonce, slot.attempts.clone());
                None
            }
            Effect::Send(nonce, hash) => {
                let attempt = self
                    .log
                    .get(&nonce)
                    .and_then(|attempts| attempts.iter().find(|attempt| attempt.hash == hash))
                    .expect("stored before it is sent");
                let action = match attempt.payload {
                    Payload::Cancel => Action::Nothing,
                    Payload::Batch(digest) => Action::Batch(self.facts[&digest]),
                };
                let tx = Tx {
                    hash,
                    from: Sender::Us,
                    nonce,
                    action,
                    fees: attempt.fees,
                };
                let answer = match wire {
                    Wire::Works => world.add(tx),
                    Wire::LosesRequest => Answer::Unknown,
                    Wire::LosesAnswer => {
                        world.add(tx);
                        Answer::Unknown
                    }
                };
                Some(Event::Sent(nonce, hash, answer))
            }
            Effect::Forget(nonce) => {
                self.log.remove(&nonce);
                None
            }
            Effect::Note(Note::Settled(digest)) => {
                self.settled.push(digest);
                None
            }
            Effect::Alarm(..) | Effect::Note(_) => None,
        }
    }
}

#[derive(Clone, Debug)]
enum Fate {
    Sign(usize, u64),
    Turn(Option<usize>, Wire),
    Mine,
    Reorg(usize, bool),
    Fork(usize, bool),
    Switch(usize),
    TurnAndSwitch(Wire, usize, usize),
    Age(usize),
    Drop,
    Rival,
    Foreign,
    Stray(u64),
    BaseFee(u128),
    Balance(bool),
    LoseLog,
}

fn wire() -> impl Strategy<Value = Wire> {
    prop_oneof![
        4 => Just(Wire::Works),
        1 => Just(Wire::LosesRequest),
        1 => Just(Wire::LosesAnswer),
    ]
}

fn turn() -> impl Strategy<Value = Fate> {
    (proptest::option::weighted(0.3, 0usize..7), wire())
        .prop_map(|(crash, wire)| Fate::Turn(crash, wire))
}

/// Faults of the process, the network, the pool and the market, but nobody else's transactions and no reorg.
fn own_faults() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => (0usize..3, 0u64..2).prop_map(|(lag, variant)| Fate::Sign(lag, variant)),
        6 => turn(),
        4 => Just(Fate::Mine),
        1 => Just(Fate::Drop),
        1 => prop_oneof![Just(GWEI / 10), Just(5 * GWEI), Just(80 * GWEI), Just(150 * GWEI), Just(500 * GWEI)]
            .prop_map(Fate::BaseFee),
        1 => any::<bool>().prop_map(Fate::Balance),
    ]
}

fn all_faults() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => own_faults(),
        1 => (1usize..FINALITY, any::<bool>()).prop_map(|(depth, lose)| Fate::Reorg(depth, lose)),
        1 => Just(Fate::Rival),
        1 => Just(Fate::Foreign),
        1 => (0u64..2).prop_map(Fate::Stray),
        1 => Just(Fate::LoseLog),
    ]
}

/// Branches of any length and age win, what was final goes, and branches come back, also between two steps of a turn.
fn branches() -> impl Strategy<Value = Fate> {
    prop_oneof![
        12 => all_faults(),
        1 => (1usize..150, any::<bool>()).prop_map(|(depth, pool)| Fate::Fork(depth, pool)),
        1 => (0usize..4).prop_map(Fate::Switch),
        1 => (wire(), 0usize..6, 0usize..4)
            .prop_map(|(wire, after, branch)| Fate::TurnAndSwitch(wire, after, branch)),
        1 => (1usize..100).prop_map(Fate::Age),
    ]
}

fn meet(fate: Fate, world: &mut World, relayer: &mut Relayer) {
    match fate {
        Fate::Sign(lag, variant) => world.sign(lag, variant),
        Fate::Turn(crash, wire) => relayer.turn(world, crash, wire),
        Fate::Mine => world.mine(),
        Fate::Fork(depth, keeps_pool) => world.fork(depth, keeps_pool),
        Fate::Switch(branch) => world.switch(branch),
        Fate::TurnAndSwitch(wire, after, branch) => {
            relayer.turn_with(world, None, wire, Some((after, branch)));
        }
        Fate::Age(blocks) => (0..blocks).for_each(|_| world.mine()),
        Fate::Reorg(depth, lose) => world.reorg(depth, lose),
        Fate::Drop => world.pool.clear(),
        Fate::Stray(set_id) => world.stray(set_id),
        Fate::BaseFee(fee) => world.base_fee = fee,
        Fate::Balance(rich) => world.balance = if rich { u128::MAX } else { 1 },
        Fate::LoseLog => {
            world.excuses += 1;
            relayer.log.clear();
            relayer.facts.clear();
            relayer.crash();
        }
        Fate::Rival => {
            let ledger = world.head();
            let next = world.signed.iter().find(|batch| {
                batch.nonce == ledger.router.nonce + 1
                    && batch.parent == ledger.router.digest
                    && world.on_branch(batch.digest)
            });
            if let Some(batch) = next.copied() {
                world.excuses += 1;
                world.counter += 1;
                let tx = Tx {
                    hash: hash(&[2, world.counter]),
                    from: Sender::Rival,
                    nonce: ledger.nonces[1],
                    action: Action::Batch(batch),
                    fees: Fees {
                        max_fee: 1_000 * GWEI,
                        tip: 1,
                    },
                };
                let _ = world.add(tx);
            }
        }
        Fate::Foreign => {
            world.excuses += 1;
            world.counter += 1;
            let tx = Tx {
                hash: hash(&[3, world.counter]),
                from: Sender::Us,
                nonce: world.head().nonces[0],
                action: Action::Nothing,
                fees: Fees {
                    max_fee: 150 * GWEI,
                    tip: GWEI,
                },
            };
            let _ = world.add(tx);
        }
    }
}

/// After the faults: everything that was to be settled is, once, and nothing is left over.
fn ends_well(mut world: World, mut relayer: Relayer) -> Result<World, TestCaseError> {
    world.base_fee = GWEI;
    world.balance = u128::MAX;
    world.strays.clear();
    world.honest = true;
    for _ in 0..LAST_BLOCKS {
        world.sign(0, 0);
        relayer.turn(&mut world, None, Wire::Works);
        world.mine();
        if world.finalised().router.nonce == TARGET && relayer.state.slots().is_empty() {
            break;
        }
    }
    let end = world.finalised();
    prop_assert_eq!(end.router.nonce, TARGET, "not everything was settled");
    prop_assert_eq!(
        end.applied.len() as u64,
        TARGET,
        "something was applied twice"
    );
    prop_assert!(
        relayer.state.slots().is_empty(),
        "{:?}",
        relayer.state.slots()
    );
    prop_assert!(relayer.log.is_empty());
    relayer.settled.sort();
    let before = relayer.settled.len();
    relayer.settled.dedup();
    if !world.set_back {
        prop_assert_eq!(relayer.settled.len(), before, "reported as settled twice");
    }
    let alarms = relayer.state.alarms();
    prop_assert!(alarms.is_empty(), "{:?}", alarms);
    Ok(world)
}

fn policy() -> Policy {
    Policy {
        max_fee: 200 * GWEI,
        bump_blocks: 2,
        stagger_blocks: 0,
        retry_blocks: 4,
        unfit_blocks: 6,
        low_balance: 10,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn any_interleaving_ends_with_everything_settled_once(
        fates in proptest::collection::vec(all_faults(), 0..80),
    ) {
        let (mut world, mut relayer) = (World::new(), Relayer::new(policy()));
        for fate in fates {
            meet(fate, &mut world, &mut relayer);
        }
        let world = ends_well(world, relayer)?;
        let wasted = world.head().reverted;
        prop_assert!(wasted <= world.excuses, "{wasted} wasted, {} excused", world.excuses);
    }

    /// The account's nonces, the Router's batches and the height of Ethereum go back by any amount, and come back.
    #[test]
    fn a_change_of_branch_holds_nothing_up(
        fates in proptest::collection::vec(branches(), 0..80),
    ) {
        let (mut world, mut relayer) = (World::new(), Relayer::new(policy()));
        for fate in fates {
            meet(fate, &mut world, &mut relayer);
        }
        ends_well(world, relayer)?;
    }

    /// While nobody else sends and Ethereum keeps its branch, no crash, lost packet or fee wastes a transaction.
    #[test]
    fn own_faults_waste_nothing(fates in proptest::collection::vec(own_faults(), 0..80)) {
        let (mut world, mut relayer) = (World::new(), Relayer::new(policy()));
        for fate in fates {
            meet(fate, &mut world, &mut relayer);
        }
        let world = ends_well(world, relayer)?;
        let end = world.head();
        prop_assert_eq!(end.reverted, 0);
        prop_assert_eq!(end.nonces[0], TARGET, "one transaction per batch");
    }

    /// A batch that never fits is told of after the blocks that the policy gives it, one that fits never, whatever the
    /// process, the network and the market do. (A crash starts the count anew.)
    #[test]
    fn what_never_fits_is_told_of_in_time_and_nothing_else(
        before in proptest::collection::vec(own_faults(), 0..30),
        during in proptest::collection::vec(own_faults(), 0..60),
        after in proptest::collection::vec(own_faults(), 0..30),
    ) {
        let (mut world, mut relayer) = (World::new(), Relayer::new(policy()));
        world.honest = true;
        for (fates, stray) in [(before, false), (during, true), (after, false)] {
            if stray {
                world.stray(0);
            } else {
                world.strays.clear();
            }
            let mut since = None;
            for fate in fates {
                let turn = matches!(fate, Fate::Turn(..));
                match fate {
                    Fate::Turn(_, wire) => relayer.turn(&mut world, None, wire),
                    fate => meet(fate, &mut world, &mut relayer),
                }
                if turn {
                    let head = world.blocks.len() as u64;
                    let waited = head - *since.get_or_insert(head);
                    let due = stray && waited >= policy().unfit_blocks;
                    prop_assert_eq!(relayer.state.alarms().contains(&Alarm::BatchUnfit), due);
                }
            }
        }
        ends_well(world, relayer)?;
    }
}
