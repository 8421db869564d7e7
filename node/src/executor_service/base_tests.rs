use super::*;
use crate::ethereum_service::history::tests::header;
use gear_exe_primitives::round::ExecutionParameters;
use std::collections::BTreeMap;

/// A chain whose blocks have their number as hash, over a tree of Ethereum blocks.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) rounds: BTreeMap<H256, Known>,
    headers: BTreeMap<H256, EthereumHeader>,
}

impl Rounds for World {
    fn known(&self, block: H256) -> Result<Known, BaseError> {
        self.rounds
            .get(&block)
            .cloned()
            .ok_or(BaseError::Round(block))
    }
}

impl Headers for World {
    fn header(&self, hash: H256) -> Result<EthereumHeader, BaseError> {
        self.headers
            .get(&hash)
            .copied()
            .ok_or(BaseError::Ethereum(hash))
    }
}

pub(crate) fn hash(number: u64) -> H256 {
    H256::from_low_u64_be(number + 1)
}

pub(crate) fn block(number: u64) -> ChainBlock {
    ChainBlock {
        number,
        hash: hash(number),
    }
}

/// A batch that ends in a round, which the Router may hold.
pub(crate) fn ending(nonce: u64, last_round: u64, named: u64) -> AppliedBatch {
    AppliedBatch {
        nonce,
        digest: H256::repeat_byte(nonce as u8),
        last_round,
        last_round_hash: hash(named),
        ..Default::default()
    }
}

const NONE: AppliedBatch = AppliedBatch {
    nonce: 0,
    digest: H256::zero(),
    seal_number: 0,
    seal_hash: H256::zero(),
    last_round: 0,
    last_round_hash: H256::zero(),
    outbox_end: 0,
    set_id: 0,
    spent: 0,
};

impl World {
    /// Ethereum: 0 to 6 on branch 1; branch 2 from 2 on.
    pub(crate) fn new() -> Self {
        let mut world = Self::default();
        for number in 0..=6 {
            let block = header(number, 1, 1);
            world.headers.insert(block.hash, block);
        }
        for number in 2..=6 {
            let block = header(number, 2, if number == 2 { 1 } else { 2 });
            world.headers.insert(block.hash, block);
        }
        let genesis = RoundRecord::genesis(
            hash(0),
            header(0, 1, 1),
            NONE,
            ExecutionParameters::default(),
        );
        world.rounds.insert(hash(0), Known::Executed(genesis));
        world
    }

    fn find(
        &self,
        number: u64,
        anchor: EthereumHeader,
        router: AppliedBatch,
    ) -> Result<u64, BaseError> {
        find_base(hash(number - 1), anchor, router, self, self).map(|base| base.block.number)
    }

    /// Executes a block on the base that is found. Returns the base.
    pub(crate) fn execute(
        &mut self,
        number: u64,
        anchor: EthereumHeader,
        router: AppliedBatch,
    ) -> u64 {
        let base = find_base(hash(number - 1), anchor, router, self, self).unwrap();
        let record = RoundRecord {
            block: block(number),
            parent: hash(number - 1),
            base: base.block,
            anchor,
            router,
            changes: true,
            ..base
        };
        self.rounds.insert(hash(number), Known::Executed(record));
        base.block.number
    }

    fn wait(&mut self, number: u64, anchor: EthereumHeader) {
        let waiting = Known::Waiting {
            parent: hash(number - 1),
            anchor: anchor.id(),
        };
        self.rounds.insert(hash(number), waiting);
    }
}

fn main(number: u64) -> EthereumHeader {
    header(number, 1, 1)
}

fn side(number: u64) -> EthereumHeader {
    header(number, 2, if number == 2 { 1 } else { 2 })
}

fn numbers(steps: &[Step]) -> Vec<(u64, u64)> {
    steps
        .iter()
        .map(|step| (step.number, step.round.number))
        .collect()
}

#[test]
fn without_a_reorg_the_base_is_the_parent() {
    let mut world = World::new();
    for number in 1..=4 {
        assert_eq!(world.execute(number, main(number / 2), NONE), number - 1);
    }
    let steps = path_since(hash(4), &NONE, &world).unwrap();
    assert_eq!(numbers(&steps), [(1, 1), (2, 2), (3, 3), (4, 4)]);
    assert!(steps.iter().all(|step| !step.skipped()));
}

#[test]
fn a_reorg_goes_back_to_the_newest_round_on_the_new_branch() {
    let mut world = World::new();
    world.execute(1, main(1), NONE);
    world.execute(2, main(2), NONE);
    world.execute(3, main(3), NONE);
    assert_eq!(world.execute(4, side(3), NONE), 1);
    assert_eq!(world.execute(5, side(4), NONE), 4);
    let steps = path_since(hash(5), &NONE, &world).unwrap();
    // Skipped numbers stand for the round before them, by its hash.
    assert_eq!(numbers(&steps), [(1, 1), (2, 1), (3, 1), (4, 4), (5, 5)]);
}

#[test]
fn coming_back_goes_on_where_the_branch_was_left() {
    let mut world = World::new();
    world.execute(1, main(1), NONE);
    world.execute(2, main(3), NONE);
    assert_eq!(world.execute(3, side(4), NONE), 1);
    assert_eq!(world.execute(4, main(5), NONE), 2);
    let steps = path_since(hash(4), &NONE, &world).unwrap();
    assert_eq!(numbers(&steps), [(1, 1), (2, 2), (3, 2), (4, 4)]);
}

#[test]
fn a_batch_of_the_left_branch_is_built_upon() {
    let mut world = World::new();
    world.execute(1, main(1), NONE);
    world.execute(2, main(2), NONE);
    world.execute(3, main(3), NONE);
    // A quorum saw only the common ancestor for a while: round 4 is built on round 1.
    assert_eq!(world.execute(4, main(1), NONE), 1);
    // Ethereum comes back, and a batch up to round 3 was applied on it. Round 4's anchor would do, its path does not.
    let router = ending(1, 3, 3);
    assert_eq!(world.execute(5, main(5), router), 3);
    assert_eq!(world.execute(6, main(6), router), 5);
    let steps = path_since(hash(6), &router, &world).unwrap();
    assert_eq!(numbers(&steps), [(4, 3), (5, 5), (6, 6)]);
}

#[test]
fn two_batches_valid_on_one_branch_either_first() {
    for (last, base) in [(2, 4), (3, 4)] {
        let mut world = World::new();
        for number in 1..=4 {
            world.execute(number, main(number.min(3)), NONE);
        }
        let router = ending(1, last, last);
        assert_eq!(world.execute(5, main(4), router), base);
        let first = path_since(hash(5), &router, &world).unwrap()[0].number;
        assert_eq!(first, last + 1);
    }
}

#[test]
fn a_batch_that_ends_in_a_skipped_number_names_the_round_before() {
    let mut world = World::new();
    world.execute(1, main(1), NONE);
    world.execute(2, main(2), NONE);
    world.execute(3, main(3), NONE);
    assert_eq!(world.execute(4, side(3), NONE), 1);
    // The batch was cut before round 4: its last number is 3, its last round 1.
    let router = ending(1, 3, 1);
    assert_eq!(world.execute(5, side(5), router), 4);
    let steps = path_since(hash(5), &router, &world).unwrap();
    assert_eq!(numbers(&steps), [(4, 4), (5, 5)]);
    // The skipped round 3 itself is not what the batch ends in.
    let elsewhere = ending(1, 3, 3);
    assert!(matches!(
        path_since(hash(5), &elsewhere, &world),
        Err(BaseError::None { .. })
    ));
}

#[test]
fn a_batch_that_no_round_leads_to_has_no_base() {
    let mut world = World::new();
    world.execute(1, main(1), NONE);
    assert!(matches!(
        world.find(2, main(2), ending(4, 9, 77)),
        Err(BaseError::None {
            nonce: 4,
            round: 9,
            ..
        })
    ));
}

#[test]
fn rounds_that_wait_on_a_left_branch_are_not_waited_for() {
    let mut world = World::new();
    world.execute(1, main(1), NONE);
    world.wait(2, side(2));
    world.wait(3, side(3));
    assert_eq!(world.find(4, main(2), NONE).unwrap(), 1);
    // On their own branch they come first.
    assert!(matches!(
        world.find(4, side(4), NONE),
        Err(BaseError::Round(round)) if round == hash(3)
    ));
}

#[test]
fn unknown_ethereum_blocks_are_named() {
    let mut world = World::new();
    world.execute(1, main(1), NONE);
    world.headers.remove(&main(3).hash);
    assert!(matches!(
        world.find(2, main(4), NONE),
        Err(BaseError::Ethereum(missing)) if missing == main(3).hash
    ));
}

#[test]
fn deep_rewinds_look_at_each_round_once() {
    let mut world = World::new();
    world.execute(1, main(1), NONE);
    for number in 2..2_000 {
        world.execute(number, main(3), NONE);
    }
    // The batch is on none of the paths but round 1's.
    let router = ending(1, 1, 1);
    assert_eq!(world.execute(2_000, side(6), router), 1);
    let missing = ending(2, 1, 9_999);
    assert!(matches!(
        world.find(2_000, main(6), missing),
        Err(BaseError::None { .. })
    ));
}

/// A round whose state was taken from others, in place of all before it.
fn take(world: &mut World, number: u64, anchor: EthereumHeader, router: AppliedBatch) {
    let Some(Known::Executed(record)) = world.rounds.get(&hash(number)).cloned() else {
        panic!("round {number} is not executed");
    };
    let taken = RoundRecord {
        base: record.block,
        anchor,
        router,
        ..record
    };
    assert!(taken.is_taken());
    world.rounds.retain(|_, known| match known {
        Known::Executed(record) => record.block.number >= number,
        Known::Waiting { .. } => true,
    });
    world.rounds.insert(hash(number), Known::Executed(taken));
}

#[test]
fn what_lies_before_a_taken_round_is_not_guessed() {
    let mut world = World::new();
    for number in 1..=5 {
        world.execute(number, main(1), NONE);
    }
    take(&mut world, 5, main(1), NONE);
    // As long as nothing from before is asked for, it is like any other.
    assert_eq!(world.find(6, main(2), NONE).unwrap(), 5);
    world.execute(6, main(2), NONE);
    world.execute(7, main(2), NONE);
    // A batch that ends in a round that is known, or in the taken one.
    assert_eq!(world.find(8, main(3), ending(1, 6, 6)).unwrap(), 7);
    assert_eq!(world.find(8, main(3), ending(1, 5, 5)).unwrap(), 7);
    // One that ends before: whether that is on the path nobody here knows.
    assert!(matches!(
        world.find(8, main(3), ending(1, 4, 4)),
        Err(BaseError::Floor(floor)) if floor == block(5)
    ));
    // Nor on what to build when Ethereum leaves the anchor.
    assert!(matches!(world.find(8, side(2), NONE), Ok(5)));
    assert!(matches!(
        world.find(8, main(0), NONE),
        Err(BaseError::Floor(floor)) if floor == block(5)
    ));
    // Nor what a batch would have to hold.
    assert!(matches!(
        path_since(hash(7), &NONE, &world),
        Err(BaseError::Floor(floor)) if floor == block(5)
    ));
    let known = path_since(hash(7), &ending(1, 5, 5), &world).unwrap();
    assert_eq!(known.len(), 2);
}
