//! From the chain to the pipeline: asks for signed batches, fetches and checks their bodies, and publishes the list.
//!
//! A task of its own, so that a slow or dead chain never keeps a transaction on Ethereum waiting.

use crate::{
    alarms::Alarms,
    backoff::Backoff,
    chain::{Chain, ChainError},
    metrics::Metrics,
    pipeline::Alarm,
    store::SignedBatch,
};
use gear_exe_primitives::{H256, batch::RouterDomain, report::ReadyBatch};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Signed batches with their bodies, oldest seal first.
pub type Batches = Vec<Arc<SignedBatch>>;

/// Why a batch that the chain reports is not what it says. The node is broken or lies; a quorum's signatures are not
/// in doubt, and another node serves the true body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Another header than the one that was signed.
    #[error("the body's header is not the signed one")]
    Header,
    /// The content's hash is not that in the header.
    #[error("the body's content is not what its header says")]
    Content,
    /// The header's digest is not the one it is reported under.
    #[error("the header's digest is not the reported one: is it another Router's?")]
    Digest,
    /// Signers and signatures differ in number.
    #[error("there are not as many signatures as signers")]
    Signatures,
}

/// Checks a body against what was attested.
///
/// # Errors
///
/// [`BodyError`].
pub fn check(batch: &SignedBatch, domain: &RouterDomain) -> Result<(), BodyError> {
    let SignedBatch { ready, batch } = batch;
    if batch.header != ready.header {
        return Err(BodyError::Header);
    }
    if !batch.is_consistent() {
        return Err(BodyError::Content);
    }
    if ready.header.digest(domain) != ready.digest {
        return Err(BodyError::Digest);
    }
    let signers: u32 = ready.signers.iter().map(|byte| byte.count_ones()).sum();
    if signers as usize != ready.signatures.len() {
        return Err(BodyError::Signatures);
    }
    Ok(())
}

/// Runs until the receiver is gone.
pub struct Intake<C> {
    /// Where batches come from.
    pub chain: C,
    /// What digests are bound to.
    pub domain: RouterDomain,
    /// How often to ask without being told of a new block.
    pub poll: Duration,
    /// Where the list goes.
    pub out: watch::Sender<Batches>,
    /// Counts.
    pub metrics: Metrics,
    /// Alarms.
    pub alarms: Alarms,
}

impl<C: Chain> Intake<C> {
    /// Runs until the receiver is gone.
    pub async fn run(self) {
        let mut bodies = BTreeMap::new();
        let mut backoff = Backoff::new(self.poll, Duration::from_secs(30));
        let mut failures = 0u32;
        while !self.out.is_closed() {
            match self.refresh(&mut bodies).await {
                Ok(()) => {
                    failures = 0;
                    backoff.reset();
                    self.alarms.set(Alarm::ChainDown, None);
                    let _ = tokio::time::timeout(self.poll, self.chain.changed()).await;
                }
                Err(error) => {
                    self.metrics.chain_error(error.class());
                    tracing::debug!(%error, "the chain did not answer");
                    // One miss is a hiccup.
                    failures = failures.saturating_add(1);
                    if failures > 1 {
                        self.alarms.set(Alarm::ChainDown, Some(error.to_string()));
                    }
                    tokio::time::sleep(backoff.next()).await;
                }
            }
        }
    }

    async fn refresh(
        &self,
        bodies: &mut BTreeMap<H256, Arc<SignedBatch>>,
    ) -> Result<(), ChainError> {
        let ready = self.chain.ready().await?;
        bodies.retain(|digest, _| ready.iter().any(|batch| batch.digest == *digest));
        let mut list = Vec::with_capacity(ready.len());
        for batch in ready {
            // Signatures of latecomers may join, so the report is compared, not only the digest.
            let known = bodies.get(&batch.digest).cloned();
            match known.filter(|known| known.ready == batch) {
                Some(known) => list.push(known),
                None => {
                    if let Some(fetched) = self.fetch(batch).await? {
                        bodies.insert(fetched.ready.digest, fetched.clone());
                        list.push(fetched);
                    }
                }
            }
        }
        self.out.send_if_modified(|old| {
            let changed = *old != list;
            if changed {
                *old = list;
            }
            changed
        });
        Ok(())
    }

    async fn fetch(&self, ready: ReadyBatch) -> Result<Option<Arc<SignedBatch>>, ChainError> {
        let (digest, nonce) = (ready.digest, ready.header.nonce);
        let Some(batch) = self.chain.body(digest).await? else {
            self.metrics.bodies_missing.inc();
            tracing::debug!(
                nonce,
                ?digest,
                "the node does not have the batch's body yet"
            );
            return Ok(None);
        };
        let signed = SignedBatch { ready, batch };
        if let Err(error) = check(&signed, &self.domain) {
            self.metrics.bodies_wrong.inc();
            tracing::error!(nonce, ?digest, %error, "the node serves a wrong batch: connect to another node");
            return Ok(None);
        }
        tracing::info!(
            nonce,
            ?digest,
            seal = signed.ready.header.seal_number,
            transitions = signed.batch.transitions.len(),
            outbox = signed.batch.outbox.len(),
            signers = signed.ready.signatures.len(),
            "a signed batch is ready"
        );
        Ok(Some(Arc::new(signed)))
    }
}
