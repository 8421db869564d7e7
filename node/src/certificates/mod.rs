//! What validators sign of rounds, and when that is a quorum: from `executed` to `certified`.
//!
//! Data flow: [`crate::executor_service`] tells of executed rounds; this node signs each of the best chain once, if it has
//! a key in the set ([`journal`]), and counts what others have signed ([`book`]), which comes and goes by [`gossip`]. With
//! a quorum there is a [`Certificate`], which is kept as long as the round is, and which RPC serves.

pub mod book;
pub mod gossip;
pub mod journal;

use crate::{
    ethereum_keys,
    metrics::{Alarm, Metrics},
    rounds::{ExecutedRound, Rounds},
    store::{CERTIFICATES, Store, StoreError, put},
};
use book::{Book, Noted, SignedRound, WINDOW};
use gear_exe_primitives::{
    H160, H256,
    batch::RouterDomain,
    certificate::{Certificate, RoundStatement},
    quorum::Member,
    report::ValidatorSet,
    round::ChainBlock,
    runtime_api::SettlementApi,
    signature::CompactSignature,
};
use gear_exe_runtime::opaque::Block;
use journal::{RoundJournal, RoundJournalError};
use parking_lot::Mutex;
use polkadot_sdk::{
    sp_api::ProvideRuntimeApi, sp_blockchain::HeaderBackend, sp_core::ecdsa,
    sp_keystore::KeystorePtr,
};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{broadcast, mpsc};

/// Certificates that a reader may be behind before it is told that it missed some.
const BROADCAST: usize = 1_024;
/// Validator sets that are remembered.
const KEPT_SETS: usize = 16;
/// Blocks between two raises of what is not signed any more.
const RAISE_EVERY: u64 = 64;
/// Blocks behind the best one from which on a node that catches up does not sign: others have.
const TOO_LATE: u64 = WINDOW / 2;

/// What certificates need of the chain.
pub trait Client: Send + Sync + 'static {
    /// Number of the best block.
    fn best_number(&self) -> u64;
    /// The validator set of a block.
    fn set_at(&self, block: H256) -> Option<ValidatorSet>;
    /// The validator set with an id, as the best block knows it.
    fn set(&self, id: u64) -> Option<ValidatorSet>;
}

/// The chain through its client.
pub struct FullChain<C>(pub Arc<C>);

impl<C> Client for FullChain<C>
where
    C: ProvideRuntimeApi<Block> + HeaderBackend<Block> + Send + Sync + 'static,
    C::Api: SettlementApi<Block>,
{
    fn best_number(&self) -> u64 {
        self.0.info().best_number.into()
    }

    fn set_at(&self, block: H256) -> Option<ValidatorSet> {
        self.0.runtime_api().validator_set(block).ok()
    }

    fn set(&self, id: u64) -> Option<ValidatorSet> {
        let best = self.0.info().best_hash;
        self.0.runtime_api().validator_set_at(best, id).ok()?
    }
}

/// What a statement of somebody else is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is new and true.
    Counts,
    /// It was known.
    Known,
    /// Its set or its block lie too far away to say.
    Unknown,
    /// Nobody has signed it who is said to have.
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
    sets: Mutex<HashMap<u64, Arc<[Member]>>>,
    certified: broadcast::Sender<Certificate>,
    /// Own statements, on their way to the network.
    outgoing: mpsc::UnboundedSender<SignedRound>,
}

impl CertificateService {
    /// With nothing signed or known yet. What it signs comes out of the receiver.
    pub fn new(parts: Parts) -> (Arc<Self>, mpsc::UnboundedReceiver<SignedRound>) {
        let (outgoing, receiver) = mpsc::unbounded_channel();
        let service = Self {
            parts,
            book: Mutex::default(),
            sets: Mutex::default(),
            certified: broadcast::channel(BROADCAST).0,
            outgoing,
        };
        (Arc::new(service), receiver)
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

    /// Signs an executed round with each own key of its set.
    fn executed(&self, round: &ExecutedRound) {
        let number = round.block.number;
        self.book.lock().advance(number);
        if number.is_multiple_of(RAISE_EVERY)
            && let Err(error) = self.parts.journal.raise(number.saturating_sub(WINDOW))
        {
            self.parts.metrics.raise(Alarm::StoreDamaged, error);
        }
        // The genesis block has no round to sign.
        if number == 0 || number.saturating_add(TOO_LATE) < self.parts.client.best_number() {
            return;
        }
        let Some(set) = self.parts.client.set_at(round.block.hash) else {
            return;
        };
        let set_id = set.id;
        let Some(members) = self.remember(set) else {
            return;
        };
        let statement = RoundStatement {
            set_id,
            block_number: number,
            block_hash: round.block.hash,
            anchor: round.anchor.id(),
            outcome: round.outcome.root(),
        };
        for (place, address, key) in self.own(&members) {
            match self.sign(&statement, address, &key) {
                Ok(signature) => {
                    let signed = SignedRound {
                        statement,
                        place,
                        signature,
                    };
                    self.count(signed, &members);
                    // Nobody is there only when the node ends.
                    let _ = self.outgoing.send(signed);
                }
                Err(error @ RoundJournalError::Old(_)) => {
                    tracing::debug!(%error, "a round is not signed");
                }
                Err(error) => self.parts.metrics.raise(Alarm::RoundNotSigned, error),
            }
        }
        self.compare(&statement);
    }

    fn own(&self, members: &[Member]) -> Vec<(u32, H160, ecdsa::Public)> {
        let Some(keystore) = &self.parts.keystore else {
            return Vec::new();
        };
        ethereum_keys::all(&**keystore)
            .into_iter()
            .filter_map(|(address, key)| {
                let place = members
                    .iter()
                    .position(|member| member.address == address)?;
                Some((u32::try_from(place).ok()?, address, key))
            })
            .collect()
    }

    fn sign(
        &self,
        statement: &RoundStatement,
        address: H160,
        key: &ecdsa::Public,
    ) -> Result<CompactSignature, RoundJournalError> {
        self.parts.journal.sign_once(statement, address, || {
            let digest = statement.digest(self.parts.genesis, &self.parts.domain);
            self.sign_digest(key, digest)
        })
    }

    fn sign_digest(&self, key: &ecdsa::Public, digest: H256) -> Result<CompactSignature, String> {
        let keystore = self.parts.keystore.as_ref().ok_or("there is no keystore")?;
        ethereum_keys::sign(&**keystore, key, digest)
    }

    /// Signs what clients are told of a message, by an own key in the current set: signature and signer. Nothing if this node
    /// has none.
    pub fn sign_for_clients(&self, digest: H256) -> Option<(CompactSignature, H160)> {
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

    /// Looks at a statement of somebody else, and counts it if it is true.
    pub fn judge(&self, signed: SignedRound) -> Judged {
        let statement = signed.statement;
        if !self.is_kept(statement.block_number) {
            return Judged::Unknown;
        }
        let Some(members) = self.members(statement.set_id) else {
            return Judged::Unknown;
        };
        let digest = statement.digest(self.parts.genesis, &self.parts.domain);
        let signer = members.get(signed.place as usize);
        if signer.map(|member| Ok(member.address)) != Some(signed.signature.recover(digest)) {
            return Judged::Forged;
        }
        self.count(signed, &members)
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

    fn count(&self, signed: SignedRound, members: &Arc<[Member]>) -> Judged {
        let noted = self.book.lock().note(signed, members);
        match noted {
            Noted::New => Judged::Counts,
            Noted::Known => Judged::Known,
            Noted::Ignored => Judged::Unknown,
            Noted::Certified(certificate) => {
                self.certify(certificate);
                Judged::Counts
            }
            Noted::Contradiction(first) => {
                tracing::error!(
                    block = ?signed.statement.block_hash, number = signed.statement.block_number,
                    set = signed.statement.set_id, place = signed.place,
                    first = ?first.statement.outcome, second = ?signed.statement.outcome,
                    "a validator has signed two outcomes of one block"
                );
                self.parts.metrics.contradictions.inc();
                Judged::Known
            }
        }
    }

    fn certify(&self, certificate: Certificate) {
        let statement = certificate.statement;
        let kept = put(CERTIFICATES, statement.block_hash, &certificate);
        if let Err(error) = self.parts.store.apply_soon([kept]) {
            self.parts.metrics.raise(Alarm::StoreDamaged, error);
            return;
        }
        self.parts.metrics.certified.set(statement.block_number);
        self.parts.metrics.certificates.inc();
        tracing::debug!(
            round = statement.block_number, block = ?statement.block_hash, outcome = ?statement.outcome,
            signers = certificate.signatures.len(), "round certified"
        );
        // Nobody listening is no fault.
        let _ = self.certified.send(certificate);
    }

    /// A quorum that has got something else is an alarm of this node.
    fn compare(&self, own: &RoundStatement) {
        let certificate = self
            .book
            .lock()
            .certificate(own.block_number, own.block_hash);
        if let Some(certificate) = certificate
            && certificate.statement.outcome != own.outcome
        {
            self.parts.metrics.raise(
                Alarm::OutcomeDiffers,
                format!(
                    "round {}: a quorum has got {:?}, this node {:?}; its store may be damaged, or its program another",
                    own.block_number, certificate.statement.outcome, own.outcome
                ),
            );
        }
    }
}
