//! JSON shapes: exactly those that existing clients read, and our own.
//!
//! Hashes and bytes are hex with `0x`, lower case. An actor is its Ethereum address where it has one. Amounts are JSON
//! numbers as far as JavaScript holds them exactly, decimal strings beyond.

use gear_exe_executor::state;
use gear_exe_primitives::{
    ActorId, H160, H256,
    ethereum::EthereumHeader,
    message::{self, Receipt as RawReceipt, ReplyCode},
    round::ChainBlock,
    transition::{StateTransition, ValueClaim},
};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The greatest integer that JavaScript's numbers hold exactly.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Bytes in hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("0x{}", hex::encode(&self.0)))
    }
}

/// An amount: a number while it is at most 2^53 - 1, a decimal string beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(pub u128);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match u64::try_from(self.0) {
            Ok(number) if number <= MAX_SAFE_INTEGER => serializer.serialize_u64(number),
            _ => serializer.collect_str(&self.0),
        }
    }
}

/// As [`Amount`], with a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedAmount(pub i128);

impl Serialize for SignedAmount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.0) {
            Ok(number) if number.unsigned_abs() <= MAX_SAFE_INTEGER => {
                serializer.serialize_i64(number)
            }
            _ => serializer.collect_str(&self.0),
        }
    }
}

/// An actor: its address in 20 bytes, or all 32 if it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor(pub ActorId);

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.to_address() {
            Some(address) => write!(f, "{address:?}"),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A reply code: its four bytes in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub ReplyCode);

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("0x{}", hex::encode(self.0.0)))
    }
}

fn key(hash: H256) -> String {
    format!("{hash:?}")
}

/// To which message something replies, and how that one ended.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct ReplyDetails {
    pub to: H256,
    pub code: Code,
}

impl From<message::ReplyDetails> for ReplyDetails {
    fn from(details: message::ReplyDetails) -> Self {
        Self {
            to: details.to.0,
            code: Code(details.code),
        }
    }
}

/// A message to an Ethereum address.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Message {
    pub id: H256,
    pub destination: H160,
    pub payload: Hex,
    pub value: Amount,
    pub reply_details: Option<ReplyDetails>,
    pub call: bool,
}

impl From<&message::OutgoingMessage> for Message {
    fn from(message: &message::OutgoingMessage) -> Self {
        Self {
            id: message.id.0,
            destination: message.destination,
            payload: Hex(message.payload.clone()),
            value: Amount(message.value),
            reply_details: message.reply_details.map(Into::into),
            call: message.call,
        }
    }
}

/// The new state of a program after a round: what `program_subscribeBestState` sends.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct BestState {
    pub mb_hash: H256,
    pub new_state_hash: H256,
    pub messages: Vec<Message>,
}

/// A reply that was calculated.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Reply {
    pub payload: Hex,
    pub value: Amount,
    pub code: Code,
}

/// Answer of `program_calculateReplyForHandle`. Clients before 0.5 read the reply's fields at the top, later ones in
/// `reply`: both find theirs.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct CalculatedReply {
    pub reply: Reply,
    pub messages: Vec<Message>,
    #[serde(flatten)]
    pub legacy: Reply,
}

/// A queue by hash.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct QueueRef {
    pub hash: Option<H256>,
    pub cached_queue_size: u8,
}

impl From<state::QueueRef> for QueueRef {
    fn from(queue: state::QueueRef) -> Self {
        Self {
            hash: queue.hash,
            cached_queue_size: queue.cached_queue_size,
        }
    }
}

/// Whether a program lives, and its memory.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub enum Program {
    Active {
        allocations_hash: Option<H256>,
        pages_hash: Option<H256>,
        memory_infix: u32,
        initialized: bool,
    },
    Exited(Actor),
    Terminated(Actor),
}

impl From<state::Program> for Program {
    fn from(program: state::Program) -> Self {
        match program {
            state::Program::Active {
                allocations_hash,
                pages_hash,
                memory_infix,
                initialized,
            } => Self::Active {
                allocations_hash,
                pages_hash,
                memory_infix,
                initialized,
            },
            state::Program::Exited(inheritor) => Self::Exited(Actor(inheritor)),
            state::Program::Terminated(origin) => Self::Terminated(Actor(origin)),
        }
    }
}

/// The state of a program, parts by hash.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct ProgramState {
    pub program: Program,
    pub canonical_queue: QueueRef,
    pub injected_queue: QueueRef,
    pub waitlist_hash: Option<H256>,
    pub stash_hash: Option<H256>,
    pub mailbox_hash: Option<H256>,
    pub balance: Amount,
    pub executable_balance: Amount,
}

impl From<state::ProgramState> for ProgramState {
    fn from(state: state::ProgramState) -> Self {
        Self {
            program: state.program.into(),
            canonical_queue: state.canonical_queue.into(),
            injected_queue: state.injected_queue.into(),
            waitlist_hash: state.waitlist_hash,
            stash_hash: state.stash_hash,
            mailbox_hash: state.mailbox_hash,
            balance: Amount(state.balance),
            executable_balance: Amount(state.executable_balance),
        }
    }
}

/// The state of a program with its parts, memory excepted.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct FullProgramState {
    pub program: Program,
    pub canonical_queue: Option<Vec<Dispatch>>,
    pub injected_queue: Option<Vec<Dispatch>>,
    pub waitlist: Option<Waitlist>,
    pub stash: Option<Stash>,
    pub mailbox: Option<Mailbox>,
    pub balance: Amount,
    pub executable_balance: Amount,
}

/// A payload, inline or by hash.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub enum Payload {
    Direct(Hex),
    Stored(H256),
}

impl From<state::PayloadLookup> for Payload {
    fn from(payload: state::PayloadLookup) -> Self {
        match payload {
            state::PayloadLookup::Direct(bytes) => Self::Direct(Hex(bytes)),
            state::PayloadLookup::Stored(hash) => Self::Stored(hash),
        }
    }
}

/// What a message belongs to.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub enum Details {
    Reply(ReplyDetails),
    Signal { from: H256, code: u32 },
}

/// What a message keeps between its runs.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct ContextStore {
    pub local_nonce: u32,
    pub replied: bool,
    pub gas_burned: Amount,
}

/// A message for a program.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Dispatch {
    pub id: H256,
    pub kind: &'static str,
    pub source: Actor,
    pub payload: Payload,
    pub value: Amount,
    pub details: Option<Details>,
    pub context: Option<ContextStore>,
    pub message_type: &'static str,
    pub call: bool,
}

fn message_type(message_type: state::MessageType) -> &'static str {
    match message_type {
        state::MessageType::Canonical => "Canonical",
        state::MessageType::Injected => "Injected",
    }
}

impl From<state::Dispatch> for Dispatch {
    fn from(dispatch: state::Dispatch) -> Self {
        Self {
            id: dispatch.id.0,
            kind: match dispatch.kind {
                state::DispatchKind::Init => "Init",
                state::DispatchKind::Handle => "Handle",
                state::DispatchKind::Reply => "Reply",
                state::DispatchKind::Signal => "Signal",
            },
            source: Actor(dispatch.source),
            payload: dispatch.payload.into(),
            value: Amount(dispatch.value),
            details: dispatch.details.map(|details| match details {
                state::MessageDetails::Reply(details) => Details::Reply(details.into()),
                state::MessageDetails::Signal { from, code } => {
                    Details::Signal { from: from.0, code }
                }
            }),
            context: dispatch.context.map(|context| ContextStore {
                local_nonce: context.nonce,
                replied: context.replied,
                gas_burned: Amount(context.gas_burned.into()),
            }),
            message_type: message_type(dispatch.message_type),
            call: dispatch.answer == state::Answer::Call,
        }
    }
}

/// Something with the Ethereum block at which it ends.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Expiring<T> {
    pub value: T,
    pub expiry: u32,
}

/// Messages that wait. `changed` is always false; clients expect it.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Waitlist {
    pub inner: BTreeMap<String, Expiring<Dispatch>>,
    pub changed: bool,
}

impl From<state::Waitlist> for Waitlist {
    fn from(waitlist: state::Waitlist) -> Self {
        let inner = waitlist.into_iter().map(|(id, waiting)| {
            let (value, expiry) = (waiting.value.into(), waiting.expiry);
            (key(id.0), Expiring { value, expiry })
        });
        Self {
            inner: inner.collect(),
            changed: false,
        }
    }
}

/// Delayed messages; with the user, if it goes to one.
#[derive(Clone, Debug, Serialize)]
pub struct Stash(pub BTreeMap<String, Expiring<(Dispatch, Option<Actor>)>>);

impl From<state::DispatchStash> for Stash {
    fn from(stash: state::DispatchStash) -> Self {
        let entries = stash.into_iter().map(|(id, stashed)| {
            let (dispatch, user) = stashed.value;
            let (value, expiry) = ((dispatch.into(), user.map(Actor)), stashed.expiry);
            (key(id.0), Expiring { value, expiry })
        });
        Self(entries.collect())
    }
}

/// Hashes of users' mailboxes. `changed` is always false; clients expect it.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Mailbox {
    pub inner: BTreeMap<String, H256>,
    pub changed: bool,
}

impl From<state::Mailbox> for Mailbox {
    fn from(mailbox: state::Mailbox) -> Self {
        let inner = mailbox
            .into_iter()
            .map(|(user, hash)| (Actor(user).to_string(), hash));
        Self {
            inner: inner.collect(),
            changed: false,
        }
    }
}

/// A message in a user's mailbox.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct MailboxMessage {
    pub payload: Payload,
    pub value: Amount,
    pub message_type: &'static str,
}

/// A user's messages from one program.
#[derive(Clone, Debug, Serialize)]
pub struct UserMailbox(pub BTreeMap<String, Expiring<MailboxMessage>>);

impl From<state::UserMailbox> for UserMailbox {
    fn from(mailbox: state::UserMailbox) -> Self {
        let entries = mailbox.into_iter().map(|(id, message)| {
            let value = MailboxMessage {
                payload: message.value.payload.into(),
                value: Amount(message.value.value),
                message_type: message_type(message.value.message_type),
            };
            let expiry = message.expiry;
            (key(id.0), Expiring { value, expiry })
        });
        Self(entries.collect())
    }
}

/// Number and hash of a block of either chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Block {
    pub number: u64,
    pub hash: H256,
}

impl From<ChainBlock> for Block {
    fn from(block: ChainBlock) -> Self {
        Self {
            number: block.number,
            hash: block.hash,
        }
    }
}

/// An Ethereum block up to which events were taken.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Anchor {
    pub number: u64,
    pub hash: H256,
    pub parent: H256,
    /// Unix time in seconds.
    pub timestamp: u64,
}

impl From<EthereumHeader> for Anchor {
    fn from(header: EthereumHeader) -> Self {
        Self {
            number: header.number,
            hash: header.hash,
            parent: header.parent,
            timestamp: header.timestamp,
        }
    }
}

/// What happened to one message, with its leaf in the round's tree of receipts.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Receipt {
    pub index: u64,
    pub leaf: H256,
    pub message_id: H256,
    pub program_id: Actor,
    pub code: Code,
    pub payload_hash: H256,
    pub value: Amount,
    pub gas_burned: Amount,
    pub round: u64,
}

impl Receipt {
    /// The receipt at `index` of its round.
    pub fn new(index: u64, receipt: &RawReceipt) -> Self {
        Self {
            index,
            leaf: receipt.leaf(),
            message_id: receipt.message_id.0,
            program_id: Actor(receipt.program_id),
            code: Code(receipt.code),
            payload_hash: receipt.payload_hash,
            value: Amount(receipt.value),
            gas_burned: Amount(receipt.gas_burned.into()),
            round: receipt.round,
        }
    }
}

/// ETH that a user takes out of a program's mailbox.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Claim {
    pub message_id: H256,
    pub destination: H160,
    pub value: Amount,
}

impl From<&ValueClaim> for Claim {
    fn from(claim: &ValueClaim) -> Self {
        Self {
            message_id: claim.message_id.0,
            destination: claim.destination,
            value: Amount(claim.value),
        }
    }
}

/// One program's change in a round.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Transition {
    pub actor_id: Actor,
    pub new_state_hash: H256,
    pub inheritor: Option<Actor>,
    pub value_to_receive: SignedAmount,
    pub net_transfer: SignedAmount,
    pub value_claims: Vec<Claim>,
    pub messages: Vec<Message>,
}

impl From<&StateTransition> for Transition {
    fn from(transition: &StateTransition) -> Self {
        Self {
            actor_id: Actor(transition.actor_id),
            new_state_hash: transition.new_state_hash,
            inheritor: transition.inheritor.map(Actor),
            value_to_receive: SignedAmount(transition.value_to_receive),
            net_transfer: SignedAmount(transition.net_transfer),
            value_claims: transition.value_claims.iter().map(Into::into).collect(),
            messages: transition.messages.iter().map(Into::into).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, to_value};

    #[test]
    fn numbers_that_javascript_holds_are_numbers() {
        assert_eq!(to_value(Amount(0)).unwrap(), json!(0));
        assert_eq!(
            to_value(Amount((1 << 53) - 1)).unwrap(),
            json!(9_007_199_254_740_991u64)
        );
        assert_eq!(
            to_value(Amount(1 << 53)).unwrap(),
            json!("9007199254740992")
        );
        assert_eq!(
            to_value(Amount(u128::MAX)).unwrap(),
            json!("340282366920938463463374607431768211455")
        );
        assert_eq!(to_value(SignedAmount(-5)).unwrap(), json!(-5));
        assert_eq!(
            to_value(SignedAmount(-(1 << 53))).unwrap(),
            json!("-9007199254740992")
        );
    }

    #[test]
    fn actors_are_addresses_where_they_can_be() {
        let address = H160::repeat_byte(0xab);
        assert_eq!(
            to_value(Actor(address.into())).unwrap(),
            json!(format!("0x{}", "ab".repeat(20)))
        );
        assert_eq!(
            to_value(Actor([0xab; 32].into())).unwrap(),
            json!(format!("0x{}", "ab".repeat(32)))
        );
        assert_eq!(
            to_value(Code(ReplyCode::SUCCESS_MANUAL)).unwrap(),
            json!("0x00010000")
        );
        assert_eq!(to_value(Hex(vec![])).unwrap(), json!("0x"));
    }
}
