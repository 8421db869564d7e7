//! Requests for code validation: fetches the bytes, checks and compiles them, and keeps the verdict until the chain has
//! decided.
//!
//! Requests come from the [history](crate::ethereum_service::History), which writes them down together with the block
//! that made them; verdicts are handed to the off-chain worker, which votes. A code that the chain accepted while this
//! node could not get it is tried again when a round needs it.

use crate::{
    metrics::{Alarm, Metrics},
    store::{CODE_REQUESTS, CODE_VERDICTS, Store, StoreError, put},
};
use codec::{Decode, Encode};
use futures::{StreamExt, future::BoxFuture, stream};
use gear_exe_executor::{CodeError, Executor};
use gear_exe_primitives::{
    CodeId, H256,
    ethereum::{BlockId, EthereumHeader},
    host::CodeVerdict,
    vote::{CodeAnswer, Verdict},
};
use parking_lot::RwLock;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

/// Failed attempts after which a code is reported as unavailable. Attempts go on.
const ATTEMPTS: u32 = 8;
/// First pause between two attempts; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Requests that are worked on at a time.
const CONCURRENT: usize = 8;
/// Verdicts that are handed to one off-chain worker.
const HANDED: usize = 64;

/// A request for code validation, as one Ethereum block carries it. The same request may come again: in another block
/// after a reorganisation, or because somebody asks once more.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CodeRequest {
    /// The code, as announced.
    pub code_id: CodeId,
    /// The request.
    pub request_id: H256,
    /// Versioned hashes of the blobs.
    pub blob_hashes: Vec<H256>,
    /// The Ethereum block that carried them.
    pub block: EthereumHeader,
    /// The Router's outbox cursor after that block: an answer of the chain counts from this number on.
    pub cursor: u64,
    /// The chain has answered it.
    pub answered: bool,
}

impl CodeRequest {
    /// Where it lies in the store.
    pub fn key(&self) -> Vec<u8> {
        (self.code_id, self.request_id, self.block.hash).encode()
    }

    /// Where the verdict on it lies, whichever block carries it.
    fn verdict_key(&self) -> Vec<u8> {
        (self.code_id, self.request_id).encode()
    }
}

/// Why there are no bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// They are there and are not what was announced: the announcer's fault.
    #[error("{0}")]
    Invalid(String),
    /// They cannot be had now.
    #[error("{0}")]
    Unavailable(String),
}

/// Gets the bytes of a request, checked against what was announced.
pub type Fetch =
    Arc<dyn Fn(CodeRequest) -> BoxFuture<'static, Result<Vec<u8>, FetchError>> + Send + Sync>;

/// What the chain has answered to a request, as far as that is final.
pub type ChainAnswer = Arc<dyn Fn(CodeId, H256) -> Option<CodeAnswer> + Send + Sync>;

#[derive(Clone, Copy)]
struct Attempt {
    failed: u32,
    next: Instant,
}

/// Validates codes.
pub struct Codes {
    store: Arc<Store>,
    executor: Arc<Executor>,
    fetch: Fetch,
    chain: ChainAnswer,
    metrics: Metrics,
    open: RwLock<BTreeMap<Vec<u8>, CodeRequest>>,
    verdicts: RwLock<BTreeMap<Vec<u8>, Verdict>>,
    needed: RwLock<BTreeSet<CodeId>>,
    wake: Notify,
    added: watch::Sender<u64>,
}

impl Codes {
    /// Reads what is open.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    pub fn new(
        store: Arc<Store>,
        executor: Arc<Executor>,
        fetch: Fetch,
        chain: ChainAnswer,
        metrics: Metrics,
    ) -> Result<Arc<Self>, StoreError> {
        let codes = Self {
            store,
            executor,
            fetch,
            chain,
            metrics,
            open: RwLock::default(),
            verdicts: RwLock::default(),
            needed: RwLock::default(),
            wake: Notify::new(),
            added: watch::Sender::new(0),
        };
        codes
            .verdicts
            .write()
            .extend(codes.store.scan::<Verdict>(CODE_VERDICTS, &[])?);
        codes.read()?;
        Ok(Arc::new(codes))
    }

    /// Takes requests that are new in the store.
    fn read(&self) -> Result<(), StoreError> {
        let needed = self.needed.read().clone();
        let mut open = self.open.write();
        for (key, request) in self.store.scan::<CodeRequest>(CODE_REQUESTS, &[])? {
            if !request.answered || needed.contains(&request.code_id) {
                open.entry(key).or_insert(request);
            }
        }
        Ok(())
    }

    /// Number of the oldest Ethereum block with a request that the chain has not answered.
    pub fn oldest_open(&self) -> Option<u64> {
        let open = self.open.read();
        let unanswered = open.values().filter(|request| !request.answered);
        unanswered.map(|request| request.block.number).min()
    }

    /// Verdicts on requests that the chain has not answered, oldest first, of those in Ethereum blocks that are
    /// `canonical`.
    pub fn verdicts(&self, canonical: impl Fn(BlockId) -> bool) -> Vec<CodeVerdict> {
        let (open, verdicts) = (self.open.read(), self.verdicts.read());
        let mut latest = BTreeMap::<(CodeId, H256), (u64, CodeVerdict)>::new();
        for request in open.values() {
            let Some(verdict) = verdicts.get(&request.verdict_key()) else {
                continue;
            };
            if request.answered || !canonical(request.block.id()) {
                continue;
            }
            let entry = (
                request.block.number,
                CodeVerdict {
                    code_id: request.code_id,
                    request_id: request.request_id,
                    cursor: request.cursor,
                    verdict: *verdict,
                },
            );
            latest
                .entry((request.code_id, request.request_id))
                .and_modify(|before| {
                    if before.0 < entry.0 {
                        *before = entry;
                    }
                })
                .or_insert(entry);
        }
        let mut verdicts: Vec<_> = latest.into_values().collect();
        verdicts.sort_by_key(|(number, _)| *number);
        verdicts
            .into_iter()
            .take(HANDED)
            .map(|(_, verdict)| verdict)
            .collect()
    }

    /// A round needs this code: it is fetched again, whatever was found before.
    pub fn need(&self, code_id: CodeId) {
        if self.needed.write().insert(code_id) {
            self.wake.notify_one();
        }
    }

    /// A code has come from another node.
    pub fn came(&self, code_id: CodeId) {
        self.needed.write().remove(&code_id);
        self.added.send_modify(|count| *count += 1);
    }

    /// Changes whenever a code was added to the executor.
    pub fn added(&self) -> watch::Receiver<u64> {
        self.added.subscribe()
    }

    /// Works on requests as they come, until the node ends. `grown` tells of new Ethereum blocks.
    pub async fn run(self: Arc<Self>, mut grown: watch::Receiver<u64>) {
        let mut attempts = BTreeMap::<Vec<u8>, Attempt>::new();
        let mut tick = tokio::time::interval(FIRST_PAUSE);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let news = tokio::select! {
                changed = grown.changed() => match changed {
                    Ok(()) => true,
                    Err(_) => return,
                },
                () = self.wake.notified() => true,
                _ = tick.tick() => false,
            };
            if let Err(error) = self.pass(&mut attempts, news).await {
                self.metrics.raise(Alarm::StoreDamaged, error);
            }
        }
    }

    /// Works once on every request that is due; looks for new ones first if there is `news`.
    async fn pass(
        &self,
        attempts: &mut BTreeMap<Vec<u8>, Attempt>,
        news: bool,
    ) -> Result<(), StoreError> {
        if news {
            self.read()?;
        }
        let requests: Vec<_> = self
            .open
            .read()
            .iter()
            .map(|(key, request)| (key.clone(), request.clone()))
            .collect();
        let mut due = BTreeMap::new();
        for (key, mut request) in requests {
            let verdict = self.verdicts.read().get(&request.verdict_key()).copied();
            if !request.answered && self.is_answered(&request) {
                request.answered = true;
                self.store.apply([put(CODE_REQUESTS, &key, &request)])?;
                self.open.write().insert(key.clone(), request.clone());
            }
            let known = matches!(verdict, Some(Verdict::Valid | Verdict::Invalid));
            let needed = self.needed.read().contains(&request.code_id);
            if needed || !(request.answered || known) {
                let attempt = attempts.entry(key.clone()).or_insert_with(|| Attempt {
                    failed: 0,
                    next: Instant::now(),
                });
                if attempt.next <= Instant::now() {
                    due.insert(key, (request, attempt.failed));
                }
            } else if request.answered {
                self.open.write().remove(&key);
                attempts.remove(&key);
            }
        }
        // Beside each other: a code whose blobs nobody has does not delay the others.
        let found: Vec<_> = stream::iter(due)
            .map(|(key, (request, failed))| async move {
                let verdict = self.validate(&request, failed).await;
                (key, request, verdict)
            })
            .buffer_unordered(CONCURRENT)
            .collect()
            .await;
        for (key, request, verdict) in found {
            if matches!(verdict, Some(Verdict::Valid | Verdict::Invalid)) {
                attempts.remove(&key);
                self.needed.write().remove(&request.code_id);
            } else if let Some(attempt) = attempts.get_mut(&key) {
                attempt.failed = attempt.failed.saturating_add(1);
                let pause = FIRST_PAUSE.saturating_mul(1 << attempt.failed.min(16));
                attempt.next = Instant::now() + pause.min(LONGEST_PAUSE);
            }
            if let Some(verdict) = verdict {
                let key = request.verdict_key();
                if self.verdicts.read().get(&key) != Some(&verdict) {
                    self.store.apply([put(CODE_VERDICTS, &key, &verdict)])?;
                    self.verdicts.write().insert(key, verdict);
                }
            }
        }
        Ok(())
    }

    /// Whether the Router gets the chain's answer after this request. That a code cannot be had may be revised: it is
    /// tried on.
    fn is_answered(&self, request: &CodeRequest) -> bool {
        (self.chain)(request.code_id, request.request_id).is_some_and(|answer| {
            answer.verdict != Verdict::Unavailable && answer.reaches(request.cursor)
        })
    }

    /// `None`: not known yet, try again.
    async fn validate(&self, request: &CodeRequest, failed: u32) -> Option<Verdict> {
        let (code, id) = (request.code_id, request.request_id);
        match self.executor.code(code) {
            Ok(Some(_)) => {
                tracing::info!(%code, request = ?id, "code is valid: this node has it");
                return Some(Verdict::Valid);
            }
            Ok(None) => {}
            Err(error) => {
                self.metrics.raise(Alarm::StoreDamaged, error);
                return None;
            }
        }
        let bytes = match (self.fetch)(request.clone()).await {
            Ok(bytes) => bytes,
            Err(FetchError::Invalid(reason)) => return Some(self.invalid(code, id, reason)),
            Err(FetchError::Unavailable(reason)) => {
                tracing::warn!(%code, request = ?id, %reason, attempt = failed + 1, "code cannot be fetched yet");
                return (failed + 1 >= ATTEMPTS).then_some(Verdict::Unavailable);
            }
        };
        let executor = self.executor.clone();
        let added = tokio::task::spawn_blocking(move || executor.add_code(&bytes)).await;
        match added {
            Ok(Ok(added)) if added == code => {
                tracing::info!(%code, request = ?id, "code is valid");
                self.metrics.codes_valid.inc();
                self.added.send_modify(|count| *count += 1);
                Some(Verdict::Valid)
            }
            Ok(Ok(added)) => {
                Some(self.invalid(code, id, format!("its bytes are the code {added}")))
            }
            Ok(Err(CodeError::Store(error))) => {
                self.metrics.raise(Alarm::StoreDamaged, error);
                None
            }
            Ok(Err(error)) => Some(self.invalid(code, id, error.to_string())),
            Err(error) => {
                self.metrics.raise(
                    Alarm::ExecutorFault,
                    format!("validation of code {code} ended: {error}"),
                );
                None
            }
        }
    }

    fn invalid(&self, code: CodeId, request: H256, reason: String) -> Verdict {
        tracing::warn!(%code, ?request, %reason, "code is invalid");
        self.metrics.codes_invalid.inc();
        Verdict::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_executor::ExecutorConfig;
    use parking_lot::Mutex;
    use std::collections::VecDeque;

    type Answers = Arc<Mutex<VecDeque<Result<Vec<u8>, FetchError>>>>;

    struct World {
        store: Arc<Store>,
        executor: Arc<Executor>,
        answers: Answers,
        answer: Arc<Mutex<Option<CodeAnswer>>>,
    }

    impl World {
        fn new() -> Self {
            Self {
                store: Arc::new(Store::in_memory().unwrap()),
                executor: Arc::new(Executor::open(ExecutorConfig::default()).unwrap()),
                answers: Answers::default(),
                answer: Arc::default(),
            }
        }

        fn codes(&self) -> Arc<Codes> {
            let (answers, answer) = (self.answers.clone(), self.answer.clone());
            Codes::new(
                self.store.clone(),
                self.executor.clone(),
                Arc::new(move |_| {
                    let answer = answers.lock().pop_front();
                    let answer = answer
                        .unwrap_or_else(|| Err(FetchError::Unavailable("nothing more".into())));
                    Box::pin(async move { answer })
                }),
                Arc::new(move |_, _| *answer.lock()),
                Metrics::new(None).unwrap(),
            )
            .unwrap()
        }

        /// The same request, as the Ethereum block `number` carries it.
        fn request(&self, code_id: CodeId, number: u64, cursor: u64) {
            let request = CodeRequest {
                code_id,
                request_id: H256::repeat_byte(1),
                blob_hashes: vec![H256::repeat_byte(2)],
                block: EthereumHeader {
                    number,
                    hash: H256::from_low_u64_be(number),
                    ..Default::default()
                },
                cursor,
                answered: false,
            };
            self.store
                .apply([put(CODE_REQUESTS, request.key(), &request)])
                .unwrap();
        }

        fn answer(&self, verdict: Verdict, item: u64) {
            *self.answer.lock() = Some(CodeAnswer { verdict, item });
        }
    }

    async fn passes(codes: &Codes, count: usize) {
        let mut attempts = BTreeMap::new();
        for _ in 0..count {
            codes.pass(&mut attempts, true).await.unwrap();
            for attempt in attempts.values_mut() {
                attempt.next = Instant::now();
            }
        }
    }

    fn verdict(codes: &Codes) -> Option<Verdict> {
        codes
            .verdicts(|_| true)
            .first()
            .map(|verdict| verdict.verdict)
    }

    #[tokio::test]
    async fn hostile_bytes_are_invalid_and_restarts_remember() {
        let world = World::new();
        world.request(CodeId::of(b"no wasm"), 1, 5);
        world.answers.lock().push_back(Ok(b"no wasm".to_vec()));
        let codes = world.codes();
        assert_eq!(verdict(&codes), None);
        passes(&codes, 1).await;
        assert_eq!(verdict(&codes), Some(Verdict::Invalid));
        // After a restart it is given again without being fetched.
        assert_eq!(verdict(&world.codes()), Some(Verdict::Invalid));
        // Once the chain has answered it is not; an answer to an earlier request does not count.
        world.answer(Verdict::Invalid, 4);
        passes(&codes, 1).await;
        assert_eq!(verdict(&codes), Some(Verdict::Invalid));
        world.answer(Verdict::Invalid, 5);
        passes(&codes, 1).await;
        assert_eq!(verdict(&codes), None);
        assert_eq!(verdict(&world.codes()), None);
    }

    #[tokio::test]
    async fn a_request_that_comes_again_is_answered_again() {
        let world = World::new();
        let code_id = CodeId::of(b"no wasm");
        world.request(code_id, 1, 0);
        world.answers.lock().push_back(Ok(b"no wasm".to_vec()));
        world.answer(Verdict::Invalid, 0);
        let codes = world.codes();
        passes(&codes, 1).await;
        // The answer was applied, then a reorganisation brings the request into a later block.
        world.request(code_id, 9, 1);
        passes(&codes, 2).await;
        let given = codes.verdicts(|_| true);
        assert_eq!(given.len(), 1);
        assert_eq!((given[0].verdict, given[0].cursor), (Verdict::Invalid, 1));
        assert_eq!(codes.oldest_open(), Some(9));
        // On another branch it does not stand.
        assert!(codes.verdicts(|block| block.number < 9).is_empty());
    }

    #[tokio::test]
    async fn blobs_that_are_not_what_was_announced_are_invalid() {
        let world = World::new();
        world.request(CodeId::from([7; 32]), 1, 0);
        world
            .answers
            .lock()
            .push_back(Err(FetchError::Invalid("another hash".into())));
        let codes = world.codes();
        passes(&codes, 1).await;
        assert_eq!(verdict(&codes), Some(Verdict::Invalid));
    }

    #[tokio::test]
    async fn unavailable_is_said_after_bounded_attempts_and_revised() {
        let world = World::new();
        world.request(CodeId::of(b"late"), 1, 0);
        let codes = world.codes();
        passes(&codes, ATTEMPTS as usize - 1).await;
        assert_eq!(verdict(&codes), None);
        passes(&codes, ATTEMPTS as usize).await;
        assert_eq!(verdict(&codes), Some(Verdict::Unavailable));
        // The chain agreed that it is unavailable; the bytes turn up.
        world.answer(Verdict::Unavailable, 0);
        world.answers.lock().push_back(Ok(b"late".to_vec()));
        passes(&codes, 1).await;
        assert_eq!(verdict(&codes), Some(Verdict::Invalid));
    }
}
