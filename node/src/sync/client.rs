//! Asks other nodes, and believes nothing: what comes is checked against the hash that it was asked for by, or against a
//! quorum's signatures. Who serves what does not verify is banned; who does not answer is left alone for a while.

use super::protocol::{
    Few, Found, MAX_RESPONSE, MAX_WANTED, Offer, PART, Request, Response, Wanted,
};
use codec::{DecodeAll, Encode};
use futures::future::{BoxFuture, join_all};
use gear_exe_executor::MAX_OBJECT_BYTES;
use gear_exe_primitives::{
    CodeId, H256,
    batch::{Batch, RouterDomain},
    proof::{self, Kind},
};
use parking_lot::Mutex;
use polkadot_sdk::{sc_network::ReputationChange, sc_network_types::PeerId};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// Peers that are asked the same at a time.
const AT_ONCE: usize = 8;
/// How long a peer is left alone that had nothing, or did not answer.
const PAUSE: Duration = Duration::from_secs(3);
/// How long one is left alone that has lied, beside what the network does with it.
const BANNED: Duration = Duration::from_secs(3_600);
/// Peers of which is remembered when they may be asked again.
const REMEMBERED: usize = 1_024;

/// What is not what it is said to be. The network closes the connection, and takes none of this peer for long.
const WRONG: ReputationChange = ReputationChange::new_fatal("gear-exe: wrong state");

/// The network, as far as questions need it.
pub trait Network: Send + Sync + 'static {
    /// Whether this node still learns where the chain is.
    fn is_syncing(&self) -> BoxFuture<'_, bool>;
    /// Who is connected.
    fn peers(&self) -> BoxFuture<'_, Vec<PeerId>>;
    /// Asks a peer; nothing if it does not answer.
    fn ask(&self, peer: PeerId, question: Vec<u8>) -> BoxFuture<'_, Option<Vec<u8>>>;
    /// A peer has done this.
    fn report(&self, peer: PeerId, change: ReputationChange);
}

/// An object with what it is.
pub type Object = (Kind, H256, Vec<u8>);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trouble {
    /// The peer has nothing, or did not answer.
    Nothing,
    /// The peer lies.
    Lie(String),
}

fn lie<T>(what: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Lie(what.into()))
}

/// Asks peers.
pub struct Client {
    network: Arc<dyn Network>,
    /// When a peer may be asked again.
    asleep: Mutex<HashMap<PeerId, Instant>>,
}

impl Client {
    /// Over a network.
    pub fn new(network: Arc<dyn Network>) -> Self {
        Self {
            network,
            asleep: Mutex::default(),
        }
    }

    /// Whether this node still learns where the chain is.
    pub async fn is_syncing(&self) -> bool {
        self.network.is_syncing().await
    }

    /// Peers that may be asked now.
    pub async fn peers(&self) -> Vec<PeerId> {
        let mut peers = self.network.peers().await;
        let now = Instant::now();
        let mut asleep = self.asleep.lock();
        asleep.retain(|_, until| *until > now);
        peers.retain(|peer| !asleep.contains_key(peer));
        peers
    }

    fn sleep(&self, peer: PeerId, pause: Duration) {
        let mut asleep = self.asleep.lock();
        if asleep.len() < REMEMBERED {
            asleep.insert(peer, Instant::now() + pause);
        }
    }

    fn blame<T>(&self, peer: PeerId, answer: Result<T, Trouble>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(Trouble::Nothing) => {
                self.sleep(peer, PAUSE);
                None
            }
            Err(Trouble::Lie(what)) => {
                tracing::warn!(%peer, %what, "a peer serves what does not verify; it is banned");
                self.sleep(peer, BANNED);
                self.network.report(peer, WRONG);
                None
            }
        }
    }

    async fn ask(&self, peer: PeerId, question: &Request) -> Result<Response, Trouble> {
        let answer = self.network.ask(peer, question.encode()).await;
        let answer = answer.ok_or(Trouble::Nothing)?;
        if answer.len() > MAX_RESPONSE {
            return lie("an answer is too long");
        }
        Response::decode_all(&mut &answer[..])
            .map_err(|_| Trouble::Lie("an answer does not read".into()))
    }

    /// A round that a quorum has certified, from any peer. `judge` says what is wrong with an offer whose parts belong
    /// together: [`Err`] if it is a lie, false if it is of no use.
    pub async fn round(
        &self,
        block: H256,
        judge: impl Fn(&Offer) -> Result<bool, String>,
    ) -> Option<Offer> {
        let peers = self.peers().await;
        let asked = peers.into_iter().take(AT_ONCE).map(|peer| async move {
            let answer = self.ask(peer, &Request::Round(block)).await;
            (peer, answer)
        });
        let mut found = None;
        for (peer, answer) in join_all(asked).await {
            let answer = answer.and_then(|answer| match answer {
                // It may have another one: it is not left alone.
                Response::Round(None) => Ok(None),
                Response::Round(Some(offer)) => {
                    if offer.certificate.statement.block_hash != block || !offer.is_consistent() {
                        return lie("an offer is of something else");
                    }
                    match judge(&offer) {
                        Ok(usable) => Ok(usable.then_some(offer)),
                        Err(what) => Err(Trouble::Lie(what)),
                    }
                }
                _ => lie("an answer is to something else"),
            });
            if let Some(Some(offer)) = self.blame(peer, answer) {
                found.get_or_insert(offer);
            }
        }
        found
    }

    /// Objects, as many of these as a peer has and one answer holds, each checked.
    pub async fn objects(&self, peer: PeerId, wanted: &[(Kind, H256)]) -> Vec<Object> {
        let answer = self.objects_of(peer, wanted).await;
        self.blame(peer, answer).unwrap_or_default()
    }

    async fn objects_of(
        &self,
        peer: PeerId,
        wanted: &[(Kind, H256)],
    ) -> Result<Vec<Object>, Trouble> {
        let wanted = wanted.get(..MAX_WANTED).unwrap_or(wanted);
        let names = wanted.iter().map(|(kind, hash)| Wanted::of(*kind, *hash));
        let question = Request::Objects(Few::of(names.collect()));
        let Response::Objects(found) = self.ask(peer, &question).await? else {
            return lie("an answer is to something else");
        };
        let found = found.into_inner();
        if found.len() != wanted.len() {
            return lie("an answer has another number of objects");
        }
        let mut objects = Vec::new();
        for ((kind, hash), found) in wanted.iter().zip(found) {
            let bytes = match found {
                Found::Whole(_, bytes) => bytes,
                Found::Long(_, length) => {
                    self.parts(peer, Wanted::of(*kind, *hash), length).await?
                }
                Found::Missing | Found::Later => continue,
            };
            if kind.hash(&bytes) != *hash {
                return lie(format!("{hash:?} is something else"));
            }
            objects.push((*kind, *hash, bytes));
        }
        if objects.is_empty() {
            return Err(Trouble::Nothing);
        }
        Ok(objects)
    }

    /// All bytes of an object that a peer says to have so many bytes.
    async fn parts(&self, peer: PeerId, wanted: Wanted, length: u32) -> Result<Vec<u8>, Trouble> {
        let length = length as usize;
        if length > MAX_OBJECT_BYTES {
            return lie("an object is longer than there are any");
        }
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let offset = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let Response::Part(part) = self.ask(peer, &Request::Part(wanted, offset)).await? else {
                return lie("an answer is to something else");
            };
            if part.is_empty() {
                return Err(Trouble::Nothing);
            }
            if part.len() != (length - bytes.len()).min(PART) {
                return lie("a part of an object has another length");
            }
            bytes.extend(part);
        }
        Ok(bytes)
    }

    /// An object of whatever kind, with the tag of that, from any peer.
    pub async fn object(&self, hash: H256) -> Option<(u8, Vec<u8>)> {
        let is_it = |tag, bytes: &[u8]| proof::hash(tag, bytes) == hash;
        self.any(Wanted::Object(hash), is_it).await
    }

    /// The WASM of a code, from any peer.
    pub async fn code(&self, id: CodeId) -> Option<Vec<u8>> {
        let is_it = |_, bytes: &[u8]| CodeId::of(bytes) == id;
        let found = self.any(Wanted::Code(id), is_it).await;
        found.map(|(_, wasm)| wasm)
    }

    async fn any(
        &self,
        wanted: Wanted,
        is_it: impl Fn(u8, &[u8]) -> bool,
    ) -> Option<(u8, Vec<u8>)> {
        for peer in self.peers().await {
            let answer = async {
                let question = Request::Objects(Few::of(vec![wanted]));
                let Response::Objects(found) = self.ask(peer, &question).await? else {
                    return lie("an answer is to something else");
                };
                let (tag, bytes) = match found.into_inner().pop() {
                    Some(Found::Whole(tag, bytes)) => (tag, bytes),
                    Some(Found::Long(tag, length)) => {
                        (tag, self.parts(peer, wanted, length).await?)
                    }
                    Some(Found::Missing) => return Ok(None),
                    Some(Found::Later) => return Err(Trouble::Nothing),
                    None => return lie("an answer has another number of objects"),
                };
                if !is_it(tag, &bytes) {
                    return lie(format!("{wanted:?} is something else"));
                }
                Ok(Some((tag, bytes)))
            };
            let answer = answer.await;
            if let Some(Some(found)) = self.blame(peer, answer) {
                return Some(found);
            }
        }
        None
    }

    /// The batch with this digest, from any peer.
    pub async fn batch(&self, digest: H256, domain: &RouterDomain) -> Option<Batch> {
        for peer in self.peers().await {
            let answer = async {
                let Response::Batch(batch) = self.ask(peer, &Request::Batch(digest)).await? else {
                    return lie("an answer is to something else");
                };
                let Some(bytes) = batch else {
                    return Ok(None);
                };
                match Batch::decode_all(&mut &bytes[..]) {
                    Ok(batch) if batch.header.digest(domain) == digest && batch.is_consistent() => {
                        Ok(Some(batch))
                    }
                    _ => lie("a batch is something else"),
                }
            };
            let answer = answer.await;
            if let Some(Some(batch)) = self.blame(peer, answer) {
                return Some(batch);
            }
        }
        None
    }
}
