//! The service among three others, whose statements the tests make: what it signs, whom it believes, whom it accuses.

use super::*;
use gear_exe_executor::{Executor, ExecutorConfig};
use gear_exe_primitives::{
    ethereum::{BlockId, EthereumHeader},
    faults::{BrokenPromise, TwoPromises, TwoRounds, WrongRound},
    host::KEY_TYPE,
    round::{ChainBlock, RoundOutcome},
    signature::address_of_secret,
};
use pallet_slashing::Evidence;
use polkadot_sdk::sp_keystore::{Keystore, testing::MemoryKeystore};

const GENESIS: H256 = H256::repeat_byte(0x69);
const DOMAIN: RouterDomain = RouterDomain {
    chain_id: 1,
    router: H160::repeat_byte(0x70),
};

/// Secrets of the four, of whom the first is this node.
fn secret(place: u32) -> [u8; 32] {
    [place as u8 + 1; 32]
}

fn address(place: u32) -> H160 {
    address_of_secret(&secret(place)).unwrap()
}

fn block(number: u64) -> H256 {
    H256::from_low_u64_be(number)
}

/// A chain of which block n is in slot n + 100, by the member n % 4.
struct Around {
    executor: Arc<Executor>,
    news: broadcast::Sender<ExecutedRound>,
    /// The newest block that is there.
    best: Mutex<u64>,
}

impl Rounds for Around {
    fn best(&self) -> Option<ExecutedRound> {
        Some(round(1, 1))
    }
    fn round(&self, _: H256) -> Option<ExecutedRound> {
        None
    }
    fn at_ethereum(&self, _: H256) -> Option<ExecutedRound> {
        None
    }
    fn subscribe(&self) -> broadcast::Receiver<ExecutedRound> {
        self.news.subscribe()
    }
    fn executor(&self) -> &Arc<Executor> {
        &self.executor
    }
}

impl Client for Around {
    fn best_number(&self) -> u64 {
        *self.best.lock()
    }
    fn set_at(&self, _: H256) -> Option<ValidatorSet> {
        self.set(1)
    }
    fn set(&self, id: u64) -> Option<ValidatorSet> {
        let members = (0..4).map(|place| Member {
            address: address(place),
            weight: 10,
        });
        (id == 1).then(|| ValidatorSet {
            id,
            members: members.collect(),
        })
    }
    fn author(&self, hash: H256) -> Option<Authored> {
        let number = (1..=*self.best.lock()).find(|number| block(*number) == hash)?;
        Some(Authored {
            slot: number + 100,
            set_id: 1,
            address: address((number % 4) as u32),
        })
    }
}

/// What comes out of a round whose state has this root.
fn outcome(state: u8) -> RoundOutcome {
    RoundOutcome {
        state_root: H256::repeat_byte(state),
        receipts: Vec::new(),
        replies: Vec::new(),
        transitions: Vec::new(),
        gas_burned: 0,
        spent: 0,
        work_left: false,
        starved: Vec::new(),
    }
}

fn round(number: u64, state: u8) -> ExecutedRound {
    let chain_block = |number| ChainBlock {
        number,
        hash: block(number),
    };
    ExecutedRound {
        block: chain_block(number),
        parent: block(number - 1),
        base: chain_block(number - 1),
        anchor: EthereumHeader::default(),
        outcome: Arc::new(outcome(state)),
    }
}

fn said(place: u32, number: u64, state: u8) -> SignedRound {
    let statement = RoundStatement {
        set_id: 1,
        block_number: number,
        block_hash: block(number),
        anchor: BlockId::default(),
        outcome: outcome(state).root(),
    };
    SignedRound {
        statement,
        place,
        signature: CompactSignature::sign(&secret(place), statement.digest(GENESIS, &DOMAIN))
            .unwrap(),
    }
}

/// The promise of `place` for a block in its slot.
fn promise(place: u32, number: u64, state: u8) -> SignedPromise {
    let statement = PromiseStatement {
        set_id: 1,
        slot: number + 100,
        block_hash: block(number),
        outcome: outcome(state).root(),
    };
    SignedPromise {
        statement,
        signature: CompactSignature::sign(&secret(place), statement.digest(GENESIS, &DOMAIN))
            .unwrap(),
    }
}

struct Bench {
    service: Arc<CertificateService>,
    outlets: Outlets,
    around: Arc<Around>,
}

impl Bench {
    fn new() -> Self {
        Self::over(Arc::new(Store::in_memory().unwrap()))
    }

    fn over(signing: Arc<Store>) -> Self {
        let executor = Executor::open(ExecutorConfig {
            threads: 1,
            ..ExecutorConfig::default()
        });
        let around = Arc::new(Around {
            executor: Arc::new(executor.unwrap()),
            news: broadcast::channel(8).0,
            best: Mutex::new(9),
        });
        let keystore = MemoryKeystore::new();
        let seed = format!("0x{}", hex::encode(secret(0)));
        keystore.ecdsa_generate_new(KEY_TYPE, Some(&seed)).unwrap();
        let (service, outlets) = CertificateService::new(Parts {
            client: around.clone(),
            rounds: around.clone(),
            keystore: Some(Arc::new(keystore)),
            journal: RoundJournal::open(signing).unwrap(),
            store: Arc::new(Store::in_memory().unwrap()),
            metrics: Metrics::new(None).unwrap(),
            domain: DOMAIN,
            genesis: GENESIS,
        });
        let bench = Self {
            service,
            outlets,
            around,
        };
        // Nothing is known before the first block.
        bench.service.promises.lock().advance(101);
        bench
    }

    fn hears(&self, said: SignedRound) -> Judged {
        self.service.judge(Said::Round(said))
    }

    fn hears_promise(&self, promise: SignedPromise) -> Judged {
        self.service.judge(Said::Promise(promise))
    }

    /// What it has told the network.
    fn told(&mut self) -> Vec<Said> {
        std::iter::from_fn(|| self.outlets.said.try_recv().ok())
            .map(|bytes| Said::decode(&mut &bytes[..]).unwrap())
            .collect()
    }

    /// Of what it has accused others.
    fn accused(&mut self) -> Vec<EvidenceOf> {
        std::iter::from_fn(|| self.outlets.evidence.try_recv().ok()).collect()
    }

    fn alarms(&self) -> Vec<Alarm> {
        let raised = self.service.parts.metrics.raised();
        raised.into_iter().map(|(alarm, _)| alarm).collect()
    }
}

#[test]
fn the_author_promises_before_it_signs_and_others_only_sign() {
    let mut bench = Bench::new();
    bench.service.executed(&round(4, 1));
    let own = promise(0, 4, 1);
    assert_eq!(
        bench.told(),
        [Said::Promise(own), Said::Round(said(0, 4, 1))]
    );
    assert_eq!(bench.service.promise_of(block(4)), Some(own));
    bench.service.executed(&round(5, 1));
    assert_eq!(bench.told(), [Said::Round(said(0, 5, 1))]);
    assert_eq!(bench.service.promise_of(block(5)), None);
    // It says the same again when it is asked for the same, and counts it once.
    bench.service.executed(&round(4, 1));
    assert_eq!(bench.told().len(), 2);
    assert_eq!((bench.accused(), bench.alarms()), (vec![], vec![]));
}

#[test]
fn an_authors_promise_is_believed_and_nobody_elses() {
    let mut bench = Bench::new();
    let good = promise(2, 6, 1);
    assert_eq!(bench.hears_promise(good), Judged::Counts);
    assert_eq!(bench.hears_promise(good), Judged::Known);
    assert_eq!(bench.service.promise_of(block(6)), Some(good));
    // Of a member that is not the author; of a stranger; for another slot; with a signature for something else.
    assert_eq!(bench.hears_promise(promise(3, 6, 1)), Judged::Forged);
    assert_eq!(bench.hears_promise(promise(9, 6, 1)), Judged::Forged);
    let mut elsewhere = promise(3, 7, 1);
    elsewhere.signature = promise(3, 8, 1).signature;
    assert_eq!(bench.hears_promise(elsewhere), Judged::Forged);
    let mut broken = promise(3, 7, 1);
    broken.signature.0 = [0xff; 64];
    assert_eq!(bench.hears_promise(broken), Judged::Forged);
    // Of a set that is not known, and of a slot far away: that may be true.
    let mut unknown = promise(3, 7, 1);
    unknown.statement.set_id = 9;
    assert_eq!(bench.hears_promise(unknown), Judged::Unknown);
    assert_eq!(bench.hears_promise(promise(3, 7_000, 1)), Judged::Unknown);
    assert_eq!(bench.service.promise_of(block(7)), None);
    assert_eq!(bench.accused(), []);
}

#[test]
fn a_promise_before_its_block_is_passed_on_with_it() {
    let mut bench = Bench::new();
    let early = promise(2, 10, 1);
    assert_eq!(bench.hears_promise(early), Judged::Early);
    // One that is no author's goes nowhere.
    assert_eq!(bench.hears_promise(promise(3, 10, 1)), Judged::Early);
    assert_eq!(bench.service.promise_of(block(10)), None);
    *bench.around.best.lock() = 10;
    bench.service.executed(&round(10, 1));
    assert_eq!(
        bench.told(),
        [Said::Promise(early), Said::Round(said(0, 10, 1))]
    );
    assert_eq!(bench.service.promise_of(block(10)), Some(early));
}

#[test]
fn two_statements_become_evidence_of_both() {
    let mut bench = Bench::new();
    let (first, second) = (said(3, 5, 1), said(3, 5, 2));
    assert_eq!(bench.hears(first), Judged::Counts);
    assert_eq!(bench.hears(second), Judged::Known);
    assert_eq!(
        bench.accused(),
        [Evidence::TwoRounds(TwoRounds {
            first: first.into(),
            second: second.into(),
        })]
    );
    // Who goes on is not accused again at once, another one is.
    bench.hears(said(3, 5, 3));
    bench.hears(said(3, 6, 1));
    bench.hears(said(3, 6, 2));
    assert_eq!(bench.accused(), []);
    bench.hears(said(2, 6, 1));
    bench.hears(said(2, 6, 2));
    assert_eq!(bench.accused().len(), 1);
    assert_eq!(bench.service.parts.metrics.contradictions.get(), 4);
}

#[test]
fn two_promises_become_evidence_of_both() {
    let mut bench = Bench::new();
    let (first, second) = (promise(2, 6, 1), promise(2, 6, 2));
    assert_eq!(bench.hears_promise(first), Judged::Counts);
    assert_eq!(bench.hears_promise(second), Judged::Known);
    let evidence = Evidence::TwoPromises(TwoPromises { first, second });
    assert_eq!(bench.accused(), [evidence]);
    assert_eq!(bench.service.promise_of(block(6)), Some(first));
}

#[test]
fn lies_against_the_certificate_become_evidence_before_and_after_it() {
    for early in [true, false] {
        let mut bench = Bench::new();
        let (lie, broken) = (said(3, 7, 2), promise(3, 7, 2));
        if early {
            assert_eq!(bench.hears(lie), Judged::Counts);
            assert_eq!(bench.hears_promise(broken), Judged::Counts);
        }
        bench.service.executed(&round(7, 1));
        bench.hears(said(1, 7, 1));
        assert_eq!(bench.service.certificate(block(7)).unwrap(), None);
        bench.hears(said(2, 7, 1));
        let certificate = bench.service.certificate(block(7)).unwrap().unwrap();
        assert_eq!(certificate.statement.outcome, outcome(1).root());
        if !early {
            assert_eq!(bench.accused(), []);
            assert_eq!(bench.hears(lie), Judged::Counts);
            assert_eq!(bench.hears_promise(broken), Judged::Counts);
        }
        assert_eq!(
            bench.accused(),
            [
                Evidence::WrongRound(WrongRound {
                    round: lie.into(),
                    certificate: certificate.clone(),
                }),
                Evidence::BrokenPromise(BrokenPromise {
                    promise: broken,
                    certificate,
                })
            ]
        );
        assert!(!bench.service.is_halted());
        assert_eq!(bench.alarms(), []);
    }
}

#[test]
fn a_node_that_differs_from_the_quorum_stops_whichever_comes_first() {
    for own_first in [true, false] {
        let mut bench = Bench::new();
        if own_first {
            bench.service.executed(&round(7, 2));
        }
        for place in 1..4 {
            bench.hears(said(place, 7, 1));
        }
        if !own_first {
            bench.service.executed(&round(7, 2));
        }
        assert_eq!(bench.alarms(), [Alarm::OutcomeDiffers]);
        assert!(bench.service.is_halted());
        // It does not accuse itself, and signs nothing more, for clients neither.
        assert_eq!(bench.accused(), []);
        bench.told();
        bench.service.executed(&round(8, 1));
        assert_eq!(bench.told(), []);
        assert_eq!(bench.service.sign_for_clients(H256::zero()), None);
        // What others sign counts on.
        for place in 1..4 {
            assert_eq!(bench.hears(said(place, 8, 1)), Judged::Counts);
        }
        assert!(bench.service.certificate(block(8)).unwrap().is_some());
    }
}

#[test]
fn a_node_that_computes_twice_differently_stops_also_after_a_restart() {
    let signing = Arc::new(Store::in_memory().unwrap());
    Bench::over(signing.clone()).service.executed(&round(4, 1));
    let mut bench = Bench::over(signing);
    bench.service.executed(&round(4, 2));
    assert_eq!(bench.told(), []);
    assert_eq!(bench.alarms(), [Alarm::RoundNotSigned]);
    assert!(bench.service.is_halted());
}
