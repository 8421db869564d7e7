//! What the node asks of the runtime. Every answer is about the state *after* the block at which the call is made.

pub use crate::report::{ReadyBatch, RoundFacts, SealStatus, SlotAuthor, ValidatorSet};

use crate::{
    batch::RouterDomain,
    ethereum::EthereumHeader,
    ids::CodeId,
    outbox::OutboxItem,
    rewards::RewardProof,
    round::ExecutionParameters,
    settlement::SealFacts,
    vote::{CodeAnswer, RouterAt, Verdict},
};
use alloc::vec::Vec;
use polkadot_sdk::sp_runtime::AccountId32;
use primitive_types::{H160, H256};

polkadot_sdk::sp_api::decl_runtime_apis! {
    /// Anchors, codes and rounds.
    pub trait ExecutionApi {
        /// What the block says of its round.
        fn round_facts() -> RoundFacts;
        /// The anchor.
        fn anchor() -> EthereumHeader;
        /// The last Ethereum block that a quorum reported final.
        fn finalised() -> EthereumHeader;
        /// The header with `hash`, if the chain keeps it.
        fn ethereum_header(hash: H256) -> Option<EthereumHeader>;
        /// Up to `limit` headers from `hash` down its parents, newest first.
        fn ethereum_ancestors(hash: H256, limit: u32) -> Vec<EthereumHeader>;
        /// The chain's result for a request for code validation.
        fn code_result(code_id: CodeId, request_id: H256) -> Option<Verdict>;
        /// The same with the number of the outbox item that carries it to the Router.
        fn code_answer(code_id: CodeId, request_id: H256) -> Option<CodeAnswer>;
        /// Whether a code was accepted.
        fn is_code_valid(code_id: CodeId) -> bool;
        /// Whether native messages that refer to this Ethereum block can still be included; nothing if the block is not
        /// known (yet, or any more).
        fn is_reference_open(hash: H256) -> Option<bool>;
        /// Prices and limits.
        fn parameters() -> ExecutionParameters;
    }

    /// Evidence of faults.
    pub trait SlashingApi {
        /// Proof that an Aura key belongs to a validator of the session that the block leaves the chain in: the encoded
        /// `owner` of the evidence of two headers for one slot. Nothing if it is nobody's.
        fn aura_key_owner(key: Vec<u8>) -> Option<Vec<u8>>;
        /// Who may author in `slot` on this block; nothing if it has no Ethereum key that signs.
        fn slot_author(slot: u64) -> Option<SlotAuthor>;
    }

    /// Validator sets, outbox, seals and batches.
    pub trait SettlementApi {
        /// What this block says of its batch if it is a seal. `seal.hash` is filled in by the caller's knowledge of the
        /// block's hash: at the seal block itself the runtime cannot know it, and it is zero.
        fn seal() -> Option<SealFacts>;
        /// Seals on which a vote is still of use, oldest first: not empty, not expired, built on what the Router holds
        /// and on the anchor's branch.
        fn seals() -> Vec<SealStatus>;
        /// Outbox items `from..to`, cut to what is kept.
        fn outbox(from: u64, to: u64) -> Vec<OutboxItem>;
        /// The outbox's first kept item and its end.
        fn outbox_range() -> (u64, u64);
        /// Signed batches that the Router would take now, oldest seal first.
        fn ready_batches() -> Vec<ReadyBatch>;
        /// What the Router holds, as a quorum last said.
        fn router() -> RouterAt;
        /// Chain id and Router; nothing if the genesis names none.
        fn domain() -> Option<RouterDomain>;
        /// The set that votes now.
        fn validator_set() -> ValidatorSet;
        /// A set by its id.
        fn validator_set_at(id: u64) -> Option<ValidatorSet>;
    }

    /// What programs paid, on its way to those who secure the network.
    pub trait RewardsApi {
        /// What `Middleware.claimOperatorReward(era, address, …)` needs to pay `address`; nothing if nobody has claimed
        /// for it in that era, or the era is not over.
        fn proof(era: u32, address: H160) -> Option<RewardProof>;
        /// wVARA base units that a member of a pool would be credited now: its share of what the pool has earned since it
        /// was credited last.
        fn pool_share(member: AccountId32) -> u128;
    }
}
