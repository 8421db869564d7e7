//! The words of the pipeline: what it knows, what happens to it, and what it wants done.

use super::fees::{Fees, Market};
use codec::{Decode, Encode};
use gear_exe_ethereum::batch::Refusal;
use gear_exe_primitives::H256;
use std::collections::BTreeMap;

/// What the pipeline needs to know of a signed batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BatchFacts {
    /// Its digest.
    pub digest: H256,
    /// Its nonce at the Router.
    pub nonce: u64,
    /// Digest of the batch before it.
    pub parent: H256,
    /// The set that signed.
    pub set_id: u64,
    /// Unix time in seconds after which the Router refuses it.
    pub expiry: u64,
}

/// What a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Payload {
    /// Carries the batch with this digest.
    Batch(H256),
    /// Sends nothing to ourselves: takes the place of a transaction that must not be mined any more.
    Cancel,
}

/// A transaction that was signed, and stored before it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Attempt {
    /// Its hash.
    pub hash: H256,
    /// What it does.
    pub payload: Payload,
    /// What it offers.
    pub fees: Fees,
    /// Its gas limit.
    pub gas_limit: u64,
    /// Number of Ethereum's head when it was signed.
    pub sent_at: u64,
    /// The node did not take it.
    pub refused: bool,
}

/// What became of an account nonce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Not used at the head.
    #[default]
    Pending,
    /// Used by one of our attempts.
    Mined {
        /// The attempt.
        hash: H256,
        /// The block.
        block: H256,
        /// It did not revert.
        success: bool,
    },
    /// Used, and the node does not say by which of our attempts: asked once more before it is believed.
    Missing,
    /// Used by a transaction that we do not know.
    Foreign,
}

/// One nonce of our account, with all transactions that were signed for it. Of these at most one is ever mined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// Oldest first. This is what is stored.
    pub attempts: Vec<Attempt>,
    /// As of the last view.
    pub place: Place,
}

/// A block of Ethereum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: H256,
}

/// What the Router holds at some block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouterState {
    /// Nonce of its last batch.
    pub nonce: u64,
    /// Digest of its last batch.
    pub digest: H256,
    /// Its validator set.
    pub set_id: u64,
}

/// What the Ethereum node says of one of our transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxStatus {
    /// It does not know it.
    Unknown,
    /// It waits.
    Pending,
    /// It is in a block.
    Mined {
        /// The block.
        block: Head,
        /// It did not revert.
        success: bool,
        /// Gas that it used.
        gas_used: u64,
    },
}

/// Ethereum as it is at one block: everything in it was read at `head`, or at `finalised`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The head.
    pub head: Head,
    /// Its time, Unix seconds.
    pub timestamp: u64,
    /// The last final block.
    pub finalised: Head,
    /// The Router at the head.
    pub router: RouterState,
    /// The Router at the last final block.
    pub settled: RouterState,
    /// Our account's nonce at the head.
    pub nonce: u64,
    /// Our account's nonce at the last final block.
    pub settled_nonce: u64,
    /// Our account's wei at the head.
    pub balance: u128,
    /// What gas costs.
    pub market: Market,
    /// The head of the view before is not on this branch.
    pub reorged: bool,
    /// Our transactions.
    pub transactions: BTreeMap<H256, TxStatus>,
}

/// A transaction that is about to be made, or to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Account nonce.
    pub nonce: u64,
    /// What it does.
    pub payload: Payload,
    /// What it offers.
    pub fees: Fees,
    /// The head at which it was planned.
    pub head: Head,
    /// It was made before: this is its hash, and it may only have to be sent again.
    pub again: Option<H256>,
}

/// What a pre-flight found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The Router would apply the batch, for about this much gas.
    Fits(u64),
    /// It would revert.
    Refused(Refusal),
    /// The node did not answer.
    Unknown,
}

/// What the node said to a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has it.
    Taken,
    /// It has another one with this nonce that offers as much, or the offer is below the base fee.
    Underpriced,
    /// The nonce is used.
    NonceUsed,
    /// The account does not hold what the transaction may cost.
    NoFunds,
    /// It does not want it, for another reason.
    Rejected(String),
    /// It did not answer: the transaction may have arrived or not.
    Unknown,
}

/// What happens to the pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The chain's signed batches, oldest seal first, each checked.
    Ready(Vec<BatchFacts>),
    /// Ethereum, read anew.
    View(Box<View>),
    /// A pre-flight's result.
    Checked(Plan, Verdict),
    /// The transaction of a plan was signed.
    Signed(Plan, Attempt),
    /// A transaction was sent.
    Sent(u64, H256, Answer),
}

/// What the pipeline wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Simulate it; answer with [`Event::Checked`].
    Check(Plan),
    /// Sign it with this gas limit and keep the bytes; answer with [`Event::Signed`].
    Sign(Plan, u64),
    /// Make this nonce's attempts durable, with bytes and batches, before anything that follows.
    Store(u64),
    /// Send the attempt of this nonce with this hash; answer with [`Event::Sent`].
    Send(u64, H256),
    /// This nonce is final: forget it.
    Forget(u64),
    /// A condition that somebody should know of began (with its reason) or ended.
    Alarm(Alarm, Option<String>),
    /// Something happened that is worth a line and a count.
    Note(Note),
}

/// Conditions that somebody should know of. Each ends by itself when its cause is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alarm {
    /// The account cannot pay for the next transaction.
    NoFunds,
    /// The account holds less than the configured warning level.
    LowBalance,
    /// The fees that would be needed are above the configured cap.
    FeeCap,
    /// The Router refuses a batch that a quorum signed, or the node refuses its transaction.
    BatchRefused,
    /// A ready batch has not fitted what the Router holds for long, so chain and Ethereum have parted.
    BatchUnfit,
    /// The Router is paused, or waits for something else than us.
    RouterHolds,
    /// Somebody else sends with our key.
    ForeignTransaction,
    /// The Ethereum node does not answer.
    EthereumDown,
    /// The chain's node does not answer.
    ChainDown,
    /// A batch waits longer than the configured time.
    OldBatch,
    /// The log cannot be written.
    LogFailure,
}

impl Alarm {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::NoFunds,
        Self::LowBalance,
        Self::FeeCap,
        Self::BatchRefused,
        Self::BatchUnfit,
        Self::RouterHolds,
        Self::ForeignTransaction,
        Self::EthereumDown,
        Self::ChainDown,
        Self::OldBatch,
        Self::LogFailure,
    ];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoFunds => "no_funds",
            Self::LowBalance => "low_balance",
            Self::FeeCap => "fee_cap",
            Self::BatchRefused => "batch_refused",
            Self::BatchUnfit => "batch_unfit",
            Self::RouterHolds => "router_holds",
            Self::ForeignTransaction => "foreign_transaction",
            Self::EthereumDown => "ethereum_down",
            Self::ChainDown => "chain_down",
            Self::OldBatch => "old_batch",
            Self::LogFailure => "log_failure",
        }
    }
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A replacement with higher fees was signed.
    Bumped(u64),
    /// A transaction that must not be mined any more is being replaced by nothing.
    Cancelled(u64),
    /// The node had lost a transaction; it is sent again.
    Rebroadcast(H256),
    /// A batch of ours was applied.
    Included {
        /// Its digest.
        digest: H256,
        /// The block's number.
        block: u64,
        /// Gas that it used.
        gas_used: u64,
    },
    /// A transaction of ours reverted.
    Reverted(H256),
    /// A reorg took the block that held this transaction.
    InclusionLost(H256),
    /// The node's branch changed.
    Reorg,
    /// Somebody else applied a batch while ours was on its way.
    RaceLost(H256),
    /// A batch of ours is final.
    Settled(H256),
}
