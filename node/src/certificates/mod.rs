//! What validators sign of rounds, and when that is a quorum: from `executed` to `certified`.
//!
//! Data flow: [`crate::executor_service`] tells of executed rounds; this node signs each of the best chain once, if it has
//! a key in the set ([`journal`]), and counts what others have signed ([`book`]), which comes and goes by [`gossip`]. With
//! a quorum there is a [`Certificate`], which is kept as long as the round is, and which RPC serves. Who has authored a block
//! also promises its outcome as soon as it has executed it ([`promises`]). Whoever says two things, or another thing than the
//! quorum, is accused ([`faults`]).

pub mod book;
mod client;
pub mod faults;
pub mod gossip;
pub mod journal;
mod judge;
pub(crate) mod limits;
pub mod promises;
#[cfg(test)]
mod tests;

pub use client::{Authored, Client, FullChain};

use crate::{
    ethereum_keys,
    metrics::{Alarm, Metrics},
    rounds::{ExecutedRound, Rounds},
    store::{CERTIFICATES, Store, StoreError},
};
use book::{Book, SignedRound, WINDOW};
use codec::{Decode, Encode};
use faults::{Accusations, EvidenceOf};
use gear_exe_primitives::{
    H160, H256,
    batch::RouterDomain,
    certificate::{Certificate, PromiseStatement, RoundStatement, SignedPromise},
    quorum::Member,
    report::ValidatorSet,
    round::ChainBlock,
    signature::CompactSignature,
};
use journal::{Log, Once, RoundJournal, RoundJournalError};
use parking_lot::Mutex;
use polkadot_sdk::{sp_core::ecdsa, sp_keystore::KeystorePtr};
use promises::Promises;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{broadcast, mpsc};

/// Certificates that a reader may be behind before it is told that it missed some.
const BROADCAST: usize = 1_024;
/// Validator sets that are remembered.
const KEPT_SETS: usize = 16;
/// Blocks between two raises of what is not signed any more.
const RAISE_EVERY: u64 = 64;
/// Blocks behind the best one from which on a node that catches up does not sign: others have.
const TOO_LATE: u64 = WINDOW / 2;

/// What goes over the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Said {
    /// A validator's statement on a round.
    #[codec(index = 0)]
    Round(SignedRound),
    /// A promise of a block's author.
    #[codec(index = 1)]
    Promise(SignedPromise),
}

/// What a statement of somebody else is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is new and true.
    Counts,
    /// It is a promise for a block that has not come yet: it is kept, and looked at when that comes.
    Early,
    /// It was known.
    Known,
    /// Its set or its block lie too far away to say.
    Unknown,
    /// Nobody has signed it who is said to have, or who may.
    Forged,
}

/// What the service works with.
pub struct Parts {
    /// The chain.
    pub client: Arc<dyn Client>,
    /// Executed rounds.
    pub rounds: Arc<dyn Rounds>,
    /// Where this node's Ethereum keys are; nothing if it does not sign.
    pub keystore: Option<KeystorePtr>,
    /// What was signed.
    pub journal: RoundJournal,
    /// Where certificates are kept.
    pub store: Arc<Store>,
    /// Gauges and alarms.
    pub metrics: Metrics,
    /// The Router.
    pub domain: RouterDomain,
    /// Genesis hash of the chain.
    pub genesis: H256,
}

/// Signs rounds and collects certificates.
pub struct CertificateService {
    parts: Parts,
    book: Mutex<Book>,
    promises: Mutex<Promises>,
    accusations: Accusations,
    /// This node has got another outcome than a quorum, or two of one block: it signs nothing until it is started again.
    halted: Arc<AtomicBool>,
    sets: Mutex<HashMap<u64, Arc<[Member]>>>,
    certified: broadcast::Sender<Certificate>,
    /// Own statements, on their way to the network.
    outgoing: mpsc::UnboundedSender<Said>,
}

/// What comes out of the service.
pub struct Outlets {
    /// For [`gossip::run`].
    pub said: mpsc::UnboundedReceiver<Said>,
    /// For [`faults::Reporter::run`].
    pub evidence: mpsc::Receiver<EvidenceOf>,
}

impl CertificateService {
    /// With nothing signed or known yet.
    pub fn new(parts: Parts) -> (Arc<Self>, Outlets) {
        let (outgoing, said) = mpsc::unbounded_channel();
        let (accusations, evidence) = Accusations::new();
        let service = Self {
            parts,
            book: Mutex::default(),
            promises: Mutex::default(),
            accusations,
            halted: Arc::default(),
            sets: Mutex::default(),
            certified: broadcast::channel(BROADCAST).0,
            outgoing,
        };
        (Arc::new(service), Outlets { said, evidence })
    }

    /// Signs rounds until the node ends.
    pub async fn run(self: Arc<Self>) {
        let mut rounds = self.parts.rounds.subscribe();
        loop {
            match rounds.recv().await {
                Ok(round) => {
                    let service = self.clone();
                    let done = tokio::task::spawn_blocking(move || service.executed(&round)).await;
                    if let Err(error) = done
                        && error.is_cancelled()
                    {
                        return;
                    }
                }
                // What was missed while the node caught up is certified by others.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    /// Certificates from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Certificate> {
        self.certified.subscribe()
    }

    /// The certificate of a block's round; nothing if there is none, or not any more.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn certificate(&self, block: H256) -> Result<Option<Certificate>, StoreError> {
        self.parts.store.get(CERTIFICATES, block)
    }

    /// What the author of a recent block has promised of it; nothing if it has not, or that was not told.
    pub fn promise_of(&self, block: H256) -> Option<SignedPromise> {
        let author = self.parts.client.author(block)?;
        self.promises.lock().of(&author, block)
    }

    /// Hands something to the network.
    pub fn publish(&self, said: Said) {
        // Nobody is there only when the node ends.
        let _ = self.outgoing.send(said);
    }

    /// The Router and the chain that statements belong to.
    pub const fn domain(&self) -> (&RouterDomain, H256) {
        (&self.parts.domain, self.parts.genesis)
    }

    fn members(&self, id: u64) -> Option<Arc<[Member]>> {
        if let Some(members) = self.sets.lock().get(&id) {
            return Some(members.clone());
        }
        self.remember(self.parts.client.set(id)?)
    }

    fn remember(&self, set: ValidatorSet) -> Option<Arc<[Member]>> {
        if set.members.is_empty() {
            return None;
        }
        let members: Arc<[Member]> = set.members.into();
        let mut sets = self.sets.lock();
        if sets.len() >= KEPT_SETS
            && let Some(oldest) = sets.keys().min().copied()
        {
            sets.remove(&oldest);
        }
        sets.insert(set.id, members.clone());
        Some(members)
    }

    /// Signs an executed round with each own key of its set, and promises it if the block is this node's.
    fn executed(&self, round: &ExecutedRound) {
        let (number, hash, outcome) = (round.block.number, round.block.hash, round.outcome.root());
        self.book.lock().advance(number);
        if number.is_multiple_of(RAISE_EVERY) {
            self.forget(number);
        }
        // The genesis block has no round to sign.
        if number == 0 || number.saturating_add(TOO_LATE) < self.parts.client.best_number() {
            return;
        }
        let Some(set) = self.parts.client.set_at(hash) else {
            return;
        };
        let set_id = set.id;
        let mut book = self.book.lock();
        book.execute(number, hash, set_id, outcome);
        drop(book);
        self.compare(number, hash);
        if let Some(author) = self.parts.client.author(hash) {
            self.promises.lock().advance(author.slot);
            self.promise(&author, hash, outcome);
        }
        let Some(members) = self.remember(set) else {
            return;
        };
        let statement = RoundStatement {
            set_id,
            block_number: number,
            block_hash: hash,
            anchor: round.anchor.id(),
            outcome,
        };
        for (place, address, key) in self.own(&members) {
            let digest = statement.digest(self.parts.genesis, &self.parts.domain);
            let log = &self.parts.journal.rounds;
            if let Some(signature) = self.sign(log, &statement, digest, address, &key) {
                let signed = SignedRound {
                    statement,
                    place,
                    signature,
                };
                self.count(signed, &members);
                self.publish(Said::Round(signed));
            }
        }
    }

    /// Promises the outcome of an own block, or passes on what its author has promised before the block came.
    fn promise(&self, author: &Authored, block: H256, outcome: H256) {
        let own = self.keys();
        let Some((_, key)) = own.iter().find(|(address, _)| *address == author.address) else {
            let early = self.promises.lock().confirm(author, block);
            if let Some(promise) = early {
                self.publish(Said::Promise(promise));
                self.hold_to(&promise, author.address);
            }
            return;
        };
        let statement = PromiseStatement {
            set_id: author.set_id,
            slot: author.slot,
            block_hash: block,
            outcome,
        };
        let digest = statement.digest(self.parts.genesis, &self.parts.domain);
        let log = &self.parts.journal.promises;
        if let Some(signature) = self.sign(log, &statement, digest, author.address, key) {
            let promise = SignedPromise {
                statement,
                signature,
            };
            let mut promises = self.promises.lock();
            promises.note(promise, author.address);
            promises.confirm(author, block);
            drop(promises);
            self.publish(Said::Promise(promise));
        }
    }

    /// What lies far behind is signed no more.
    fn forget(&self, number: u64) {
        let slot = self.promises.lock().newest();
        let journal = &self.parts.journal;
        let raised = journal
            .rounds
            .raise(number.saturating_sub(WINDOW))
            .and_then(|()| {
                journal
                    .promises
                    .raise(slot.saturating_sub(promises::WINDOW))
            });
        if let Err(error) = raised {
            self.parts.metrics.raise(Alarm::StoreDamaged, error);
        }
    }

    /// This node's keys.
    fn keys(&self) -> Vec<(H160, ecdsa::Public)> {
        let keystore = self.parts.keystore.as_ref();
        keystore.map_or_else(Vec::new, |keystore| ethereum_keys::all(&**keystore))
    }

    fn own(&self, members: &[Member]) -> Vec<(u32, H160, ecdsa::Public)> {
        self.keys()
            .into_iter()
            .filter_map(|(address, key)| {
                let place = members
                    .iter()
                    .position(|member| member.address == address)?;
                Some((u32::try_from(place).ok()?, address, key))
            })
            .collect()
    }

    /// Signs a statement once, if this node signs at all. What stands in the way is told.
    fn sign<S: Once>(
        &self,
        log: &Log<S>,
        statement: &S,
        digest: H256,
        address: H160,
        key: &ecdsa::Public,
    ) -> Option<CompactSignature> {
        if self.is_halted() {
            return None;
        }
        let signed = log.sign_once(statement, address, || self.sign_digest(key, digest));
        match signed {
            Ok(signature) => return Some(signature),
            Err(error @ RoundJournalError::Old(_)) => {
                tracing::debug!(%error, "a round is not signed");
            }
            Err(error) => {
                if error.is_two_outcomes() {
                    self.halted.store(true, Ordering::Relaxed);
                }
                self.parts.metrics.raise(Alarm::RoundNotSigned, error);
            }
        }
        None
    }

    /// Whether this node signs nothing any more, since what it computes is wrong. It is to be repaired and started again.
    pub fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    /// The same, to be watched by whatever else signs.
    pub fn halt(&self) -> Arc<AtomicBool> {
        self.halted.clone()
    }

    fn sign_digest(&self, key: &ecdsa::Public, digest: H256) -> Result<CompactSignature, String> {
        let keystore = self.parts.keystore.as_ref().ok_or("there is no keystore")?;
        ethereum_keys::sign(&**keystore, key, digest)
    }

    /// Signs what clients are told of a message, by an own key in the current set: signature and signer. Nothing if this node
    /// has none, or does not sign any more.
    pub fn sign_for_clients(&self, digest: H256) -> Option<(CompactSignature, H160)> {
        if self.is_halted() {
            return None;
        }
        let best = self.parts.rounds.best()?;
        let set = self.parts.client.set_at(best.block.hash)?;
        let (_, address, key) = self.own(&set.members).into_iter().next()?;
        match self.sign_digest(&key, digest) {
            Ok(signature) => Some((signature, address)),
            Err(error) => {
                tracing::warn!(%error, "a receipt is not signed");
                None
            }
        }
    }

    /// Number of the newest block that this node has executed.
    pub fn newest(&self) -> u64 {
        self.book.lock().newest()
    }

    /// How many of these blocks members of a set have signed, by place, and of how many: those that anybody of the set has.
    pub fn participation(
        &self,
        set_id: u64,
        members: usize,
        blocks: &[ChainBlock],
    ) -> (Vec<u64>, u64) {
        self.book.lock().participation(set_id, members, blocks)
    }

    /// Whether statements on blocks with this number are kept.
    pub fn is_kept(&self, number: u64) -> bool {
        self.book.lock().keeps(number)
    }

    /// The slot of the newest block that this node has executed.
    pub fn newest_slot(&self) -> u64 {
        self.promises.lock().newest()
    }
}
