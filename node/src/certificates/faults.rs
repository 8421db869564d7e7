//! Evidence of faults, on its way from what the node was told to the chain.
//!
//! [`Accusations`] lets through one piece of evidence for each kind and signer in some time: a validator that lies in every
//! block is reported, and does not fill the chain by it. [`Reporter`] keeps evidence on the disk and hands it to the pool
//! until it is known on the chain or has been tried often enough, so a restart loses none.

use crate::store::{EVIDENCE, Store, StoreError, delete, put};
use codec::Encode;
use futures::StreamExt;
use gear_exe_primitives::{
    H160, H256,
    faults::{BrokenPromise, TwoPromises, TwoRounds, WrongRound},
    hashing::keccak256,
};
use gear_exe_runtime::{Runtime, opaque::Block};
use pallet_slashing::{Evidence, Refusal, offences::Proves};
use parking_lot::Mutex;
use polkadot_sdk::{
    frame_system::offchain::CreateAuthorizedTransaction,
    sc_client_api::BlockchainEvents,
    sc_transaction_pool_api::{
        TransactionPool, TransactionSource,
        error::{Error as PoolError, IntoPoolError},
    },
    sp_blockchain::HeaderBackend,
    sp_runtime::{OpaqueExtrinsic, traits::Header as _, transaction_validity::InvalidTransaction},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::sync::mpsc;

/// Evidence in the runtime's types.
pub type EvidenceOf = pallet_slashing::EvidenceOf<Runtime>;

/// Evidence that may wait for its report at a time; more is dropped, and comes again if the validator goes on.
pub const WAITING: usize = 64;
/// Blocks within which a validator is accused once of each kind of fault.
const AGAIN: u64 = 1_024;
/// Accusations that are remembered.
const REMEMBERED: usize = 4_096;
/// Blocks between two attempts.
const RETRY: u64 = 64;
/// Attempts before evidence is given up.
const ATTEMPTS: u32 = 16;

/// Lets evidence through to the reporter.
pub struct Accusations {
    reporter: mpsc::Sender<EvidenceOf>,
    /// By kind and signer, the number of the block of the last accusation.
    made: Mutex<HashMap<([u8; 16], H160), u64>>,
}

impl Accusations {
    /// With the other end of the channel, for [`Reporter::run`].
    pub fn new() -> (Self, mpsc::Receiver<EvidenceOf>) {
        let (reporter, receiver) = mpsc::channel(WAITING);
        let made = Mutex::default();
        (Self { reporter, made }, receiver)
    }

    /// Accuses `signer`, while the node is at block `now`. Returns whether that goes on to the chain.
    pub fn make(&self, evidence: EvidenceOf, signer: H160, now: u64) -> bool {
        let key = (kind(&evidence), signer);
        let mut made = self.made.lock();
        if made
            .get(&key)
            .is_some_and(|before| before.saturating_add(AGAIN) > now)
        {
            return false;
        }
        if made.len() >= REMEMBERED {
            made.retain(|_, before| before.saturating_add(AGAIN) > now);
        }
        if made.len() >= REMEMBERED || self.reporter.try_send(evidence).is_err() {
            return false;
        }
        made.insert(key, now);
        true
    }
}

fn kind(evidence: &EvidenceOf) -> [u8; 16] {
    match evidence {
        Evidence::TwoRounds(_) => TwoRounds::KIND,
        Evidence::TwoPromises(_) => TwoPromises::KIND,
        Evidence::WrongRound(_) => WrongRound::KIND,
        Evidence::BrokenPromise(_) => BrokenPromise::KIND,
        // The others are not made here.
        _ => [0; 16],
    }
}

/// What the pool says of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It waits there, or may come in later.
    Open,
    /// The chain knows the fault, or will never take this evidence of it.
    Over,
}

fn fate(error: &PoolError) -> Fate {
    const KNOWN: u8 = Refusal::Duplicate as u8;
    match error {
        PoolError::InvalidTransaction(InvalidTransaction::Custom(KNOWN)) => Fate::Over,
        // This node authors nothing, and what is dear to check is not passed on: validators report it.
        PoolError::Unactionable => Fate::Over,
        // The state at which it was checked may lack the set: it is tried again.
        _ => Fate::Open,
    }
}

/// Evidence that is not known on the chain yet.
struct Open {
    evidence: EvidenceOf,
    attempts: u32,
}

/// Hands evidence to the chain.
pub struct Reporter<C, P> {
    /// The chain's client.
    pub client: Arc<C>,
    /// Where reports go.
    pub pool: Arc<P>,
    /// Where evidence waits.
    pub store: Arc<Store>,
}

impl<C, P> Reporter<C, P>
where
    C: HeaderBackend<Block> + BlockchainEvents<Block>,
    P: TransactionPool<Block = Block, Hash = H256>,
{
    /// Reports what comes, and what was left from the last time, until the node ends.
    pub async fn run(self, mut evidence: mpsc::Receiver<EvidenceOf>) {
        let mut blocks = self.client.import_notification_stream();
        let mut open = self.left().unwrap_or_else(|error| {
            tracing::error!(%error, "evidence of faults cannot be read");
            BTreeMap::new()
        });
        let mut next = 0;
        loop {
            tokio::select! {
                new = evidence.recv() => {
                    let Some(new) = new else { return };
                    let key = keccak256([new.encode()]);
                    if open.len() >= WAITING || open.contains_key(&key) {
                        continue;
                    }
                    if let Err(error) = self.store.apply([put(EVIDENCE, key, &new)]) {
                        tracing::error!(%error, "evidence of a fault is not kept");
                    }
                    let one = Open { evidence: new, attempts: 0 };
                    if self.attempt(&one).await == Fate::Over {
                        self.forget(key);
                    } else {
                        open.insert(key, one);
                    }
                }
                block = blocks.next() => {
                    let Some(block) = block else { return };
                    let number = u64::from(*block.header.number());
                    if number >= next && !open.is_empty() {
                        next = number.saturating_add(RETRY);
                        self.retry(&mut open).await;
                    }
                }
            }
        }
    }

    fn left(&self) -> Result<BTreeMap<H256, Open>, StoreError> {
        let left = self.store.scan::<EvidenceOf>(EVIDENCE, &[])?;
        Ok(left
            .into_iter()
            .filter(|(key, _)| key.len() == 32)
            .map(|(key, evidence)| {
                let attempts = 0;
                (H256::from_slice(&key), Open { evidence, attempts })
            })
            .collect())
    }

    fn forget(&self, key: H256) {
        if let Err(error) = self.store.apply_soon([delete(EVIDENCE, key)]) {
            tracing::error!(%error, "evidence of a fault is not forgotten");
        }
    }

    async fn retry(&self, open: &mut BTreeMap<H256, Open>) {
        let mut over = Vec::new();
        for (key, one) in open.iter_mut() {
            one.attempts = one.attempts.saturating_add(1);
            if self.attempt(one).await == Fate::Over || one.attempts >= ATTEMPTS {
                over.push(*key);
            }
        }
        for key in over {
            open.remove(&key);
            self.forget(key);
        }
    }

    async fn attempt(&self, one: &Open) -> Fate {
        let call = pallet_slashing::Pallet::<Runtime>::report_call(one.evidence.clone());
        let transaction = <Runtime as CreateAuthorizedTransaction<
            pallet_slashing::Call<Runtime>,
        >>::create_authorized_transaction(call.into());
        let submitted = self
            .pool
            .submit_one(
                self.client.info().best_hash,
                TransactionSource::Local,
                OpaqueExtrinsic::from(transaction),
            )
            .await;
        match submitted.map_err(IntoPoolError::into_pool_error) {
            Ok(_) => Fate::Open,
            Err(Ok(error)) => {
                tracing::debug!(%error, "the pool did not take the report of a fault");
                fate(&error)
            }
            Err(Err(error)) => {
                tracing::debug!(%error, "the pool did not take the report of a fault");
                Fate::Open
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::{
        certificate::{PromiseStatement, SignedPromise},
        signature::CompactSignature,
    };

    fn evidence(slot: u64) -> EvidenceOf {
        let promise = |outcome| SignedPromise {
            statement: PromiseStatement {
                set_id: 1,
                slot,
                block_hash: H256::zero(),
                outcome: H256::repeat_byte(outcome),
            },
            signature: CompactSignature([0; 64]),
        };
        Evidence::TwoPromises(TwoPromises {
            first: promise(1),
            second: promise(2),
        })
    }

    #[test]
    fn who_lies_in_every_block_is_accused_once_in_a_while() {
        let (accusations, mut receiver) = Accusations::new();
        let signer = H160::repeat_byte(1);
        assert!(accusations.make(evidence(1), signer, 1));
        for block in 2..=AGAIN {
            assert!(!accusations.make(evidence(block), signer, block));
        }
        assert!(accusations.make(evidence(9), H160::repeat_byte(2), 9));
        assert!(accusations.make(evidence(10), signer, AGAIN + 1));
        let mut seen = Vec::new();
        while let Ok(evidence) = receiver.try_recv() {
            seen.push(evidence);
        }
        assert_eq!(seen, [evidence(1), evidence(9), evidence(10)]);
    }

    #[test]
    fn what_waits_is_bounded_and_comes_again() {
        let (accusations, mut receiver) = Accusations::new();
        let signer = |number: usize| H160::from_low_u64_be(number as u64);
        for number in 0..WAITING {
            assert!(accusations.make(evidence(1), signer(number), 1));
        }
        assert!(!accusations.make(evidence(1), signer(WAITING), 1));
        assert!(receiver.try_recv().is_ok());
        assert!(accusations.make(evidence(1), signer(WAITING), 1));
    }

    #[test]
    fn only_what_the_chain_knows_is_over() {
        let refused = |number| PoolError::InvalidTransaction(InvalidTransaction::Custom(number));
        assert_eq!(fate(&refused(Refusal::Duplicate as u8)), Fate::Over);
        assert_eq!(fate(&PoolError::Unactionable), Fate::Over);
        assert_eq!(fate(&refused(Refusal::Evidence as u8)), Fate::Open);
        assert_eq!(fate(&PoolError::TemporarilyBanned), Fate::Open);
        assert_eq!(fate(&PoolError::ImmediatelyDropped), Fate::Open);
    }
}
