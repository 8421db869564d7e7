//! `injected_*`: native messages of existing clients, in both of their formats, and in our own.
//!
//! A message is `{data, signature, address}` (*versioned*) or `{recipient, tx: {data, signature, address}}` (*legacy*). With
//! `form: "typed"` beside the signature it was signed as typed data. What is refused is said at once, and what was taken and will
//! never be executed is said by a receipt with a reason: nobody waits for nothing.

use super::{
    Context, deposit,
    error::RpcError,
    method,
    params::Args,
    types::{Amount, Code, Hex},
};
use crate::natives::{Ended, NativesError, Rejection};
use gear_exe_primitives::{
    H160, H256, MessageId,
    native::{ClientReceipt, NativeTransaction, PurgeReason, SignedNative, SigningForm},
    signature::CompactSignature,
};
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionMessage,
    core::{
        RegisterMethodError,
        server::{SubscriptionCloseResponse, SubscriptionSink},
    },
    types::{ErrorObjectOwned, Params},
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast::error::RecvError;

/// The most ids in one question.
const MAX_IDS: usize = 100;
/// Pause after which a waiting message is looked for even if no round tells of it.
const LOOK: Duration = Duration::from_secs(2);

const WATCH: &str = "injected_sendTransactionAndWatch";
const NOTIFICATION: &str = "injected_transactionReceipt";
const UNWATCH: &str = "injected_sendTransactionAndWatchUnsubscribe";

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    method(module, "injected_sendTransaction", &["transaction"], send)?;
    method(
        module,
        "injected_getTransactionReceipt",
        &["tx_hash"],
        receipt,
    )?;
    method(
        module,
        "injected_getTransactions",
        &["tx_hashes"],
        transactions,
    )?;
    module.register_subscription(
        WATCH,
        NOTIFICATION,
        UNWATCH,
        |params, pending, context, _| watch(params, pending, context),
    )?;
    super::subscription::number_ids(module, WATCH)
}

/// A number, or a decimal string.
#[derive(Clone, Copy, Debug)]
struct Value(u128);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(u64),
            Text(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(number) => Ok(Self(number.into())),
            Either::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

/// Bytes in hex, with `0x`.
#[derive(Clone, Debug)]
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.strip_prefix("0x")
            .and_then(|hex| hex::decode(hex).ok())
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("bytes are written in hex with 0x"))
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Data {
    destination: H160,
    payload: Bytes,
    value: Value,
    #[serde(alias = "referenceBlock")]
    reference_block: H256,
    salt: Bytes,
}

/// How a message was signed, if not as the shape around it says.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    Typed,
}

#[derive(Clone, Debug, Deserialize)]
struct Signed {
    data: Data,
    signature: Bytes,
    address: H160,
    #[serde(default)]
    form: Option<Form>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Sent {
    Legacy { tx: Signed },
    Versioned(Signed),
}

/// A message out of a call's parameter, whose signature is right.
fn read(args: &Args, context: &Context) -> Result<SignedNative, RpcError> {
    const EXPECTED: &str = "a signed message: {data: {destination, payload, value, reference_block, salt}, signature, \
                            address}, alone or as `tx` of {recipient, tx}";
    let (sent, form) = match args.json::<Sent>(0, EXPECTED)? {
        Sent::Legacy { tx } => (tx, SigningForm::Legacy),
        Sent::Versioned(sent) => (sent, SigningForm::Versioned),
    };
    let form = match sent.form {
        Some(Form::Typed) => SigningForm::Typed,
        None => form,
    };
    let invalid = |text: &str| RpcError::InvalidParams(text.into());
    let rsv: [u8; 65] = sent
        .signature
        .0
        .try_into()
        .map_err(|_| invalid("`signature` must be 65 bytes: r, s, v"))?;
    let signature = CompactSignature::from_rsv(&rsv)
        .map_err(|_| invalid("`signature` is none: v must be 27 or 28, and s in the lower half"))?;
    let data = sent.data;
    let signed = SignedNative {
        transaction: NativeTransaction {
            destination: data.destination,
            payload: data.payload.0,
            value: data.value.0,
            reference_block: data.reference_block,
            salt: data.salt.0,
        },
        form,
        source: sent.address,
        signature,
    };
    if !signed.transaction.is_sized() {
        return Err(invalid(
            "payload or salt is too long: at most 126 KiB and 32 bytes",
        ));
    }
    if !signed.is_signed(context.deps.natives.domain()) {
        return Err(invalid("Address mismatch"));
    }
    Ok(signed)
}

/// `"Accept"`, or why not.
#[derive(Clone, Debug, Serialize)]
enum Acceptance {
    Accept,
    Reject { reason: String },
}

/// Takes a message. What it accepts is in the pool, or in a block already.
async fn send(args: Args, context: Arc<Context>) -> Result<Acceptance, RpcError> {
    let signed = read(&args, &context)?;
    deposit::require(&signed, &context).await?;
    Ok(match context.deps.natives.submit(signed).await {
        Ok(()) => Acceptance::Accept,
        Err(rejection) => Acceptance::Reject {
            reason: rejection.to_string(),
        },
    })
}

/// A receipt as clients read it.
#[derive(Clone, Debug, Serialize)]
struct SignedReceipt {
    data: ReceiptData,
    signature: Hex,
    address: H160,
}

#[derive(Clone, Debug, Serialize)]
enum ReceiptData {
    Promise { tx_hash: H256, reply: Reply },
    Purged { tx_hash: H256, reason: u8 },
}

#[derive(Clone, Debug, Serialize)]
struct Reply {
    payload: Hex,
    value: Amount,
    code: Code,
}

fn sign(
    context: &Context,
    said: ClientReceipt<'_>,
    data: ReceiptData,
) -> Result<SignedReceipt, RpcError> {
    let signed = context.deps.certificates.sign_for_clients(said.digest());
    let (signature, address) = signed.ok_or_else(|| {
        RpcError::BadRequest(
            "this node is no validator of the current set, so that nobody would believe its receipt; ask a validator's, or \
             use gear_messageStatus, whose certificate proves itself"
                .into(),
        )
    })?;
    Ok(SignedReceipt {
        data,
        signature: Hex(signature.to_rsv().to_vec()),
        address,
    })
}

fn promise(context: &Context, ended: &Ended) -> Result<SignedReceipt, RpcError> {
    let receipt = &ended.receipt;
    let said = ClientReceipt::Promise {
        id: receipt.message_id,
        payload: &ended.payload,
        value: receipt.value,
        code: receipt.code,
    };
    let reply = Reply {
        payload: Hex(ended.payload.clone()),
        value: Amount(receipt.value),
        code: Code(receipt.code),
    };
    let tx_hash = receipt.message_id.0;
    sign(context, said, ReceiptData::Promise { tx_hash, reply })
}

fn purged(
    context: &Context,
    id: MessageId,
    reason: PurgeReason,
) -> Result<SignedReceipt, RpcError> {
    let data = ReceiptData::Purged {
        tx_hash: id.0,
        reason: reason as u8,
    };
    sign(context, ClientReceipt::Purged { id, reason }, data)
}

/// The receipt of a message that has ended, once a quorum has signed its round.
fn certified(context: &Context, id: MessageId) -> Result<Option<SignedReceipt>, RpcError> {
    let Some(ended) = context.deps.natives.ended(id)? else {
        return Ok(None);
    };
    let certificate = context
        .deps
        .certificates
        .certificate(ended.round.block.hash)
        .map_err(|error| RpcError::Internal(error.to_string()))?;
    match certificate {
        Some(certificate) if certificate.statement.outcome == ended.round.outcome.root() => {
            promise(context, &ended).map(Some)
        }
        _ => Ok(None),
    }
}

async fn receipt(args: Args, context: Arc<Context>) -> Result<Option<SignedReceipt>, RpcError> {
    let id = MessageId(args.hash(0)?);
    context.read(move |context| certified(context, id)).await
}

/// A message as it was sent.
#[derive(Clone, Debug, Serialize)]
struct Transaction {
    data: TransactionData,
    signature: Hex,
    address: H160,
}

#[derive(Clone, Debug, Serialize)]
struct TransactionData {
    destination: H160,
    payload: Hex,
    value: Amount,
    reference_block: H256,
    salt: Hex,
}

impl From<SignedNative> for Transaction {
    fn from(signed: SignedNative) -> Self {
        let transaction = signed.transaction;
        Self {
            data: TransactionData {
                destination: transaction.destination,
                payload: Hex(transaction.payload),
                value: Amount(transaction.value),
                reference_block: transaction.reference_block,
                salt: Hex(transaction.salt),
            },
            signature: Hex(signed.signature.to_rsv().to_vec()),
            address: signed.source,
        }
    }
}

async fn transactions(
    args: Args,
    context: Arc<Context>,
) -> Result<Vec<Option<Transaction>>, RpcError> {
    let ids: Vec<H256> = args.json(0, "a list of hashes")?;
    if ids.len() > MAX_IDS {
        return Err(RpcError::InvalidParams(format!(
            "Too many transaction ids requested. Maximum is {MAX_IDS}."
        )));
    }
    context
        .read(move |context| {
            ids.into_iter()
                .map(|id| {
                    let taken = context.deps.natives.taken(MessageId(id))?;
                    Ok(taken.map(Into::into))
                })
                .collect()
        })
        .await
}

async fn watch(
    params: Params<'static>,
    pending: PendingSubscriptionSink,
    context: Arc<Context>,
) -> SubscriptionCloseResponse {
    let signed = Args::read(&params, &["transaction"]).and_then(|args| read(&args, &context));
    let signed = match signed {
        Ok(signed) => deposit::require(&signed, &context).await.map(|()| signed),
        Err(error) => Err(error),
    };
    let signed = match signed {
        Ok(signed) => signed,
        Err(error) => {
            pending.reject(error).await;
            return SubscriptionCloseResponse::None;
        }
    };
    let id = signed.id(context.deps.natives.domain());
    let reference = signed.transaction.reference_block;
    // From here on nothing is missed.
    let certificates = context.deps.certificates.subscribe();
    let answer = match context.deps.natives.submit(signed).await {
        Ok(()) => None,
        Err(Rejection::Purged(reason)) => match purged(&context, id, reason) {
            Ok(receipt) => Some(receipt),
            Err(error) => {
                pending.reject(error).await;
                return SubscriptionCloseResponse::None;
            }
        },
        Err(rejection @ Rejection::Busy(_)) => {
            pending
                .reject(RpcError::BadRequest(rejection.to_string()))
                .await;
            return SubscriptionCloseResponse::None;
        }
    };
    let Ok(sink) = pending.accept().await else {
        return SubscriptionCloseResponse::None;
    };
    let answer = match answer {
        Some(receipt) => Ok(Some(receipt)),
        None => await_end(&context, &sink, reference, id, certificates).await,
    };
    match answer {
        Ok(Some(receipt)) => {
            if let Ok(message) = SubscriptionMessage::from_json(&receipt) {
                // A client that has left needs no receipt.
                let _ = sink.send(message).await;
            }
            SubscriptionCloseResponse::None
        }
        Ok(None) => SubscriptionCloseResponse::None,
        Err(error) => SubscriptionMessage::from_json(&ErrorObjectOwned::from(error))
            .map_or(SubscriptionCloseResponse::None, |message| {
                SubscriptionCloseResponse::NotifErr(message)
            }),
    }
}

/// Waits until the message has ended, or never will. Nothing if the client leaves before.
async fn await_end(
    context: &Arc<Context>,
    sink: &SubscriptionSink,
    reference: H256,
    id: MessageId,
    mut certificates: tokio::sync::broadcast::Receiver<
        gear_exe_primitives::certificate::Certificate,
    >,
) -> Result<Option<SignedReceipt>, RpcError> {
    loop {
        let found = context
            .clone()
            .read(move |context| {
                if let Some(receipt) = certified(context, id)? {
                    return Ok(Some(receipt));
                }
                // What a block has taken will end, however long that takes.
                if context.deps.natives.is_taken(id)? {
                    return Ok(None);
                }
                match context.deps.natives.waits(reference)? {
                    // Not if it was taken meanwhile.
                    Some(reason) if !context.deps.natives.is_taken(id)? => {
                        purged(context, id, reason).map(Some)
                    }
                    _ => Ok(None),
                }
            })
            .await?;
        if found.is_some() {
            return Ok(found);
        }
        tokio::select! {
            () = sink.closed() => return Ok(None),
            certificate = certificates.recv() => match certificate {
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(None),
            },
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

impl From<NativesError> for RpcError {
    fn from(error: NativesError) -> Self {
        match error {
            NativesError::NotReady => Self::Database(error.to_string()),
            other => Self::Internal(other.to_string()),
        }
    }
}
