//! Answers what other nodes ask for, from what is stored. It keeps nothing in mind about who asks but how much that was.

use super::protocol::{
    Few, Found, MAX_OBJECTS, MAX_RESPONSE, MAX_WANTED, Offer, PART, Request, Response, Wanted,
};
use crate::{
    certificates::limits::Limits,
    executor_service::worker::{Worker, outcome_of},
    metrics::{Alarm, Metrics},
    store::{self, BATCHES, CERTIFICATES, Store, Table},
};
use async_channel::Receiver;
use codec::{DecodeAll, Encode};
use gear_exe_executor::StoreError;
use gear_exe_primitives::{
    H256, batch::Batch, certificate::Certificate, message::receipts_root, round::RoundOutcome,
};
use polkadot_sdk::{
    sc_network::{
        ReputationChange,
        config::{IncomingRequest, OutgoingResponse},
    },
    sc_network_types::PeerId,
};
use std::{sync::Arc, time::Instant};
use tokio::sync::Semaphore;

/// Questions that are worked on at a time.
const CONCURRENT: usize = 4;
/// KiB that a peer may be answered at once.
const BURST: u32 = 64 << 10;
/// KiB that it may be answered in each second after that.
const PER_SECOND: u32 = 16 << 10;
/// KiB that a question costs, however short the answer is: the parts of a long outcome are not said, but read.
const QUESTION: u32 = 64;

/// Not a question.
const MALFORMED: ReputationChange =
    ReputationChange::new(-(1 << 12), "gear-exe: malformed question");

/// Answers questions.
pub struct Server {
    worker: Arc<Worker>,
    store: Arc<Store>,
    metrics: Metrics,
    limits: Limits<PeerId>,
}

impl Server {
    /// From what this node has stored.
    pub fn new(worker: Arc<Worker>, store: Arc<Store>, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            worker,
            store,
            metrics,
            limits: Limits::new(BURST, PER_SECOND),
        })
    }

    /// Answers until the network ends.
    pub async fn run(self: Arc<Self>, questions: Receiver<IncomingRequest>) {
        let places = Arc::new(Semaphore::new(CONCURRENT));
        while let Ok(question) = questions.recv().await {
            // Who asks for too much gets no answer, and is not told why: a question waits in the network's own queue, which
            // is bounded.
            if !self.limits.spend(question.peer, QUESTION, Instant::now()) {
                continue;
            }
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            let server = self.clone();
            tokio::task::spawn_blocking(move || {
                let _place = place;
                let answer = match server.answer(&question.payload) {
                    Some(answer) => {
                        let bytes = answer.encode();
                        let cost = u32::try_from(bytes.len() >> 10).unwrap_or(BURST);
                        server.limits.spend(question.peer, cost, Instant::now());
                        server.metrics.state_answers.inc();
                        OutgoingResponse {
                            result: Ok(bytes),
                            reputation_changes: Vec::new(),
                            sent_feedback: None,
                        }
                    }
                    None => OutgoingResponse {
                        result: Err(()),
                        reputation_changes: vec![MALFORMED],
                        sent_feedback: None,
                    },
                };
                // Who has asked may have gone.
                let _ = question.pending_response.send(answer);
            });
        }
    }

    /// The answer to a question; nothing if it is none.
    pub fn answer(&self, question: &[u8]) -> Option<Response> {
        Some(match Request::decode_all(&mut &question[..]).ok()? {
            Request::Round(block) => Response::Round(self.offer(block)),
            Request::Objects(wanted) => Response::Objects(self.objects(wanted.into_inner())),
            Request::Part(wanted, offset) => Response::Part(self.part(wanted, offset)),
            Request::Batch(digest) => Response::Batch(self.batch(digest)),
        })
    }

    fn offer(&self, block: H256) -> Option<Offer> {
        let certificate: Certificate = self.read(CERTIFICATES, block)?;
        let record = self.noted(self.worker.records.get(block))??;
        if record.is_taken() {
            return None;
        }
        let outcome = outcome_of(&record, &self.worker.executor).ok()?;
        // What was forgotten is not offered.
        if !outcome.state_root.is_zero() {
            self.object(outcome.state_root)?;
        }
        let offer = parts(&outcome, certificate);
        offer.is_consistent().then_some(offer)
    }

    fn objects(&self, wanted: Vec<Wanted>) -> Few<Found, MAX_WANTED> {
        let mut left = MAX_OBJECTS;
        let found = wanted.into_iter().map(|wanted| {
            if left == 0 {
                return Found::Later;
            }
            let Some((tag, bytes)) = self.find(wanted) else {
                return Found::Missing;
            };
            match bytes.len() {
                length if length <= left => {
                    left -= length;
                    Found::Whole(tag, bytes)
                }
                length if length > MAX_OBJECTS => {
                    // It was read for nothing.
                    left = left.saturating_sub(MAX_OBJECTS / 4);
                    u32::try_from(length).map_or(Found::Missing, |length| Found::Long(tag, length))
                }
                _ => {
                    // What would fit after it is not looked for: each answer costs no more than its length.
                    left = 0;
                    Found::Later
                }
            }
        });
        Few::of(found.collect())
    }

    fn part(&self, wanted: Wanted, offset: u32) -> Vec<u8> {
        let Some((_, bytes)) = self.find(wanted) else {
            return Vec::new();
        };
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        rest[..rest.len().min(PART)].to_vec()
    }

    fn batch(&self, digest: H256) -> Option<Vec<u8>> {
        let batch: Batch = self.read(BATCHES, digest)?;
        let bytes = batch.encode();
        (bytes.len() + 16 <= MAX_RESPONSE).then_some(bytes)
    }

    fn find(&self, wanted: Wanted) -> Option<(u8, Vec<u8>)> {
        match wanted {
            Wanted::Object(hash) => self.object(hash),
            Wanted::Code(id) => match self.worker.executor.code(id) {
                Ok(code) => code.map(|wasm| (0, wasm)),
                Err(error) => self.damaged(&error),
            },
        }
    }

    fn object(&self, hash: H256) -> Option<(u8, Vec<u8>)> {
        match self.worker.executor.object(hash) {
            Ok(found) => found,
            Err(error) => self.damaged(&error),
        }
    }

    /// What a peer asks for shows that the store is damaged: it is mended when this node itself needs it.
    fn damaged<T>(&self, error: &StoreError) -> Option<T> {
        tracing::warn!(%error, "a peer has asked for what is damaged here");
        None
    }

    fn read<T: codec::Decode>(&self, table: Table, key: H256) -> Option<T> {
        self.noted(self.store.get(table, key))?
    }

    fn noted<T>(&self, read: Result<T, store::StoreError>) -> Option<T> {
        read.map_err(|error| self.metrics.raise(Alarm::StoreDamaged, error))
            .ok()
    }
}

/// What is offered of an outcome.
pub fn parts(outcome: &RoundOutcome, certificate: Certificate) -> Offer {
    Offer {
        certificate,
        receipts: receipts_root(&outcome.receipts),
        state: outcome.state_root,
        transitions: outcome.transitions_hash(),
    }
}
