//! Rounds, receipts and batches: what was executed, how far it is confirmed, and the proofs of it.

use super::{
    Context,
    error::RpcError,
    limit::MAX_RECEIPTS,
    method,
    params::Args,
    types::{Actor, Amount, Anchor, Block, Hex, Receipt, Transition},
};
use crate::{lifecycle::Found, rounds::ExecutedRound};
use codec::Encode;
use gear_exe_primitives::{
    H160, H256, MessageId,
    batch::AppliedBatch,
    certificate::{Certificate, ReceiptProof, outcome_root},
    level::Level,
    message::receipts_root,
};
use jsonrpsee::{RpcModule, core::RegisterMethodError};
use serde::Serialize;
use std::sync::Arc;

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    method(module, "gear_batchBody", &["digest"], batch_body)?;
    method(module, "gear_round", &["block", "receipts_from"], round)?;
    method(module, "gear_messageStatus", &["message_id"], status)
}

/// SCALE of the `Batch` with this digest: what a relayer submits. Null if this node has not built it.
async fn batch_body(args: Args, context: Arc<Context>) -> Result<Option<Hex>, RpcError> {
    let digest = args.hash(0)?;
    context
        .read(move |context| {
            let batch = context.deps.batches.batch(digest);
            Ok(batch.map(|batch| Hex(batch.encode())))
        })
        .await
}

/// What a promise is signed over: `outcome_root = keccak256(receipts_root ‖ state_root ‖ transitions_hash)`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Roots {
    outcome_root: H256,
    receipts_root: H256,
    state_root: H256,
    transitions_hash: H256,
}

impl Roots {
    fn of(round: &ExecutedRound) -> Self {
        let outcome = &round.outcome;
        Self {
            outcome_root: outcome.root(),
            receipts_root: receipts_root(&outcome.receipts),
            state_root: outcome.state_root,
            transitions_hash: outcome.transitions_hash(),
        }
    }

    /// Those that a proof has already.
    pub(super) fn proven(proof: &ReceiptProof) -> Self {
        Self {
            outcome_root: outcome_root(proof.receipts_root, proof.state_root, proof.transitions),
            receipts_root: proof.receipts_root,
            state_root: proof.state_root,
            transitions_hash: proof.transitions,
        }
    }
}

/// An executed round.
#[derive(Clone, Debug, Serialize)]
struct Round {
    block: Block,
    parent: H256,
    /// The block on whose outcome it was executed.
    base: Block,
    anchor: Anchor,
    #[serde(flatten)]
    roots: Roots,
    gas_burned: Amount,
    /// Messages are left that could run if the round had more gas.
    work_left: bool,
    /// Programs whose messages wait for executable balance.
    starved: Vec<Actor>,
    transitions: Vec<Transition>,
    /// How many receipts the round has.
    receipts_count: u64,
    /// At most [`MAX_RECEIPTS`] of them, from `receipts_from` on. Their leaves, all of them in order, make the tree.
    receipts: Vec<Receipt>,
}

/// The executed round of a block; of the best one without a hash. Null if this node has not executed it.
async fn round(args: Args, context: Arc<Context>) -> Result<Option<Round>, RpcError> {
    let (block, from) = (args.optional_hash(0)?, args.index(1)?);
    context
        .read(move |context| {
            let round = match block {
                Some(hash) => context.deps.rounds.round(hash),
                None => context.deps.rounds.best(),
            };
            Ok(round.map(|round| describe(&round, from as usize)))
        })
        .await
}

fn describe(round: &ExecutedRound, from: usize) -> Round {
    let outcome = &round.outcome;
    let receipts = outcome.receipts.iter().enumerate();
    Round {
        block: round.block.into(),
        parent: round.parent,
        base: round.base.into(),
        anchor: round.anchor.into(),
        roots: Roots::of(round),
        gas_burned: Amount(outcome.gas_burned.into()),
        work_left: outcome.work_left,
        starved: outcome.starved.iter().copied().map(Actor).collect(),
        transitions: outcome.transitions.iter().map(Into::into).collect(),
        receipts_count: outcome.receipts.len() as u64,
        receipts: receipts
            .skip(from)
            .take(MAX_RECEIPTS)
            .map(|(index, receipt)| Receipt::new(index as u64, receipt))
            .collect(),
    }
}

/// The way from a receipt's leaf to its round's receipts root.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Proof {
    count: u64,
    index: u64,
    leaf: H256,
    siblings: Vec<H256>,
}

impl From<ReceiptProof> for Proof {
    fn from(proof: ReceiptProof) -> Self {
        Self {
            count: proof.count,
            index: proof.index,
            leaf: proof.receipt.leaf(),
            siblings: proof.siblings,
        }
    }
}

/// The batch that has brought this message's round to the Router, as far as this node has seen each of them; else a later one.
#[derive(Clone, Debug, Serialize)]
pub(super) struct HeldBatch {
    nonce: u64,
    digest: H256,
    seal: Block,
    last_round: Block,
}

impl From<AppliedBatch> for HeldBatch {
    fn from(batch: AppliedBatch) -> Self {
        Self {
            nonce: batch.nonce,
            digest: batch.digest,
            seal: Block {
                number: batch.seal_number,
                hash: batch.seal_hash,
            },
            last_round: Block {
                number: batch.last_round,
                hash: batch.last_round_hash,
            },
        }
    }
}

/// What became of a message, with the proof of it.
#[derive(Clone, Debug, Serialize)]
struct Status {
    message_id: H256,
    level: Level,
    block: Block,
    anchor: Anchor,
    receipt: Receipt,
    proof: Proof,
    #[serde(flatten)]
    roots: Roots,
    /// The quorum's signatures on its round; null if there is none yet, or if it has got another outcome than this node.
    certificate: Option<CertificateShape>,
    /// What the block's author has promised; null if that was not told, lies far behind, or is another outcome than this
    /// node's.
    promise: Option<PromiseShape>,
    /// Set from `committed` on.
    batch: Option<HeldBatch>,
}

/// A promise: what was signed as typed data `Promise(…)` in the Router's domain, and by whom.
#[derive(Clone, Debug, Serialize)]
struct PromiseShape {
    genesis: H256,
    set_id: u64,
    slot: u64,
    block_hash: H256,
    outcome: H256,
    /// 64 bytes (EIP-2098).
    signature: Hex,
    /// Address of the author's Ethereum key.
    author: H160,
}

/// What the author has promised of this very outcome.
fn promise(context: &Context, round: &ExecutedRound) -> Option<PromiseShape> {
    let certificates = &context.deps.certificates;
    let promise = certificates.promise_of(round.block.hash)?;
    let (domain, genesis) = certificates.domain();
    let statement = promise.statement;
    let author = promise.signature.recover(statement.digest(genesis, domain));
    (statement.outcome == round.outcome.root()).then_some(PromiseShape {
        genesis,
        set_id: statement.set_id,
        slot: statement.slot,
        block_hash: statement.block_hash,
        outcome: statement.outcome,
        signature: Hex(promise.signature.0.to_vec()),
        author: author.ok()?,
    })
}

/// A certificate: what was signed as typed data `Round(…)` in the Router's domain, and by whom of the set.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CertificateShape {
    genesis: H256,
    set_id: u64,
    block: Block,
    anchor_number: u64,
    anchor_hash: H256,
    outcome: H256,
    /// Bit `i % 8`, from the least significant, of byte `i / 8`.
    signers: Hex,
    /// 64 bytes each (EIP-2098), in the order of the set.
    signatures: Vec<Hex>,
}

impl CertificateShape {
    pub(super) fn of(certificate: &Certificate, genesis: H256) -> Self {
        let statement = certificate.statement;
        Self {
            genesis,
            set_id: statement.set_id,
            block: Block {
                number: statement.block_number,
                hash: statement.block_hash,
            },
            anchor_number: statement.anchor.number,
            anchor_hash: statement.anchor.hash,
            outcome: statement.outcome,
            signers: Hex(certificate.signers.clone()),
            signatures: certificate
                .signatures
                .iter()
                .map(|signature| Hex(signature.0.to_vec()))
                .collect(),
        }
    }
}

/// What became of a message. Null if it is not known, waits, or ended too long ago.
async fn status(args: Args, context: Arc<Context>) -> Result<Option<Status>, RpcError> {
    let id = MessageId(args.hash(0)?);
    context
        .read(move |context| {
            context.deps.lifecycle.refresh();
            let found = context.deps.lifecycle.find(id, None)?;
            found.map(|found| prove(context, found)).transpose()
        })
        .await
}

fn prove(context: &Context, found: Found) -> Result<Status, RpcError> {
    let round = &found.round;
    let proof = ReceiptProof::of(&round.outcome, found.index)
        .ok_or_else(|| RpcError::Internal("the receipt cannot be proven".into()))?;
    let (_, genesis) = context.deps.certificates.domain();
    let certificate = found.certificate.as_ref();
    Ok(Status {
        message_id: proof.receipt.message_id.0,
        level: found.level,
        block: round.block.into(),
        anchor: round.anchor.into(),
        receipt: Receipt::new(proof.index, &proof.receipt),
        roots: Roots::proven(&proof),
        certificate: certificate.map(|found| CertificateShape::of(found, genesis)),
        promise: promise(context, round),
        batch: found.batch.map(Into::into),
        proof: proof.into(),
    })
}
