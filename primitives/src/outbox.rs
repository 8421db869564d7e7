//! The outbox: a numbered list of everything, besides transitions, that the chain tells the Router.
//!
//! A batch carries the items from the Router's cursor up to its own `outbox_end`. The Router applies each item or
//! skips it with an event; no item can make a batch revert.

use crate::{
    abi::{self, Token},
    hashing::keccak256,
    ids::CodeId,
    merkle,
    quorum::Member,
    transition::list_hash,
};
use alloc::{vec, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::{H160, H256, U256};
use scale_info::TypeInfo;

/// What the stakers of a vault earned.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VaultReward {
    /// The vault, which the Middleware must know.
    pub vault: H160,
    /// wVARA base units.
    pub amount: u128,
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum OutboxItem {
    /// The answer to a request for code validation.
    CodeResult {
        /// The code.
        code_id: CodeId,
        /// Which request: `keccak256(abi.encode(codeId, blobHashes))`.
        request_id: H256,
        /// Whether the code may be used.
        valid: bool,
    },
    /// The next validator set.
    SetUpdate {
        /// Its id, greater than that of any set before.
        set_id: u64,
        /// Its members, in the order of the signer bitmap.
        members: Vec<Member>,
    },
    /// A parameter that the Router holds too.
    ParameterChange {
        /// Keccak-256 of the parameter's name.
        key: H256,
        /// Its new value, in the unit of the parameter.
        value: U256,
    },
    /// Takes a fraction of what an operator's vaults held.
    Slash {
        /// Its number, below 2^63. The Middleware knows each once.
        id: u64,
        /// The operator's address.
        operator: H160,
        /// Parts per billion, from 1 to 1,000,000,000.
        fraction: u32,
        /// Of which time the stake is: seconds, below 2^48.
        capture: u64,
    },
    /// Takes a slash back that is not executed. Those that were reported on Ethereum have ids from 2^63 on.
    SlashCancel {
        /// The slash.
        id: u64,
    },
    /// wVARA for operators and for the stakers of vaults, from what programs paid.
    Rewards {
        /// The era in which it was earned.
        era: u32,
        /// By which time's shares the stakers of a vault divide it: seconds, below 2^48; the same in each item of an era.
        capture: u64,
        /// Over the [`operator_reward_leaf`]s. Without meaning if there is no total.
        operators_root: H256,
        /// What the operators get together, in wVARA base units; in one item of an era only.
        operators_total: u128,
        /// At most [`MAX_REWARDED_VAULTS`].
        vaults: Vec<VaultReward>,
    },
    /// wVARA for VARA that was locked on the chain.
    Mint {
        /// Its number. The Router mints each once.
        id: u64,
        /// Who gets it.
        to: H160,
        /// wVARA base units.
        amount: u128,
    },
    /// Who stands behind the signers of a set, so that a double signature can be reported on Ethereum.
    OperatorSet {
        /// The set.
        set_id: u64,
        /// Of which time the stake behind it is: seconds, below 2^48.
        capture: u64,
        /// The signers, at most [`MAX_OPERATOR_SET`].
        signers: Vec<H160>,
        /// The operator of each, as many as signers; zero for nobody.
        operators: Vec<H160>,
    },
}

/// The most vaults in one [`OutboxItem::Rewards`]. More vaults are paid by more items.
pub const MAX_REWARDED_VAULTS: usize = 64;

/// The most signers in one [`OutboxItem::OperatorSet`].
pub const MAX_OPERATOR_SET: usize = 256;

/// The leaf of an operator in the tree (see [`merkle`]) of [`OutboxItem::Rewards`]. `amount` is in wVARA base units.
pub fn operator_reward_leaf(era: u32, operator: H160, amount: u128) -> H256 {
    merkle::leaf(&[
        &era.to_be_bytes(),
        operator.as_bytes(),
        &amount.to_be_bytes(),
    ])
}

/// The stipends of `contracts/src/router/RouterItems.sol`.
const SLASH_GAS: u64 = 5_500_000;
const CANCEL_GAS: u64 = 1_500_000;
const REWARDS_GAS: u64 = 2_500_000;
const OPERATORS_GAS: u64 = 3_000_000;

fn addresses(list: impl IntoIterator<Item = H160>) -> Token {
    Token::List(list.into_iter().map(abi::address).collect())
}

impl OutboxItem {
    /// The number by which the Router knows the kind of item.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::CodeResult { .. } => 0,
            Self::SetUpdate { .. } => 1,
            Self::ParameterChange { .. } => 2,
            Self::Slash { .. } => 3,
            Self::SlashCancel { .. } => 4,
            Self::Rewards { .. } => 5,
            Self::Mint { .. } => 6,
            Self::OperatorSet { .. } => 7,
        }
    }

    /// Gas that the Router keeps for the Middleware while it applies the item, besides what every item costs. The batch
    /// reverts if its transaction has less.
    pub const fn middleware_gas(&self) -> u64 {
        match self {
            Self::CodeResult { .. }
            | Self::SetUpdate { .. }
            | Self::ParameterChange { .. }
            | Self::Mint { .. } => 0,
            Self::Slash { .. } => SLASH_GAS,
            Self::SlashCancel { .. } => CANCEL_GAS,
            Self::Rewards { .. } => REWARDS_GAS,
            Self::OperatorSet { .. } => OPERATORS_GAS,
        }
    }

    /// The item's content as the Router decodes it.
    pub fn data(&self) -> Vec<u8> {
        match self {
            Self::CodeResult {
                code_id,
                request_id,
                valid,
            } => abi::encode(&[
                Token::Word(code_id.0.0),
                Token::Word(request_id.0),
                Token::Word(abi::uint(u8::from(*valid))),
            ]),
            Self::SetUpdate { set_id, members } => abi::encode(&[
                Token::Word(abi::uint(*set_id)),
                Token::List(
                    members
                        .iter()
                        .map(|member| abi::address(member.address))
                        .collect(),
                ),
                Token::List(
                    members
                        .iter()
                        .map(|member| abi::uint(member.weight))
                        .collect(),
                ),
            ]),
            Self::ParameterChange { key, value } => {
                abi::encode(&[Token::Word(key.0), Token::Word(abi::uint(*value))])
            }
            Self::Slash {
                id,
                operator,
                fraction,
                capture,
            } => abi::encode(&[
                Token::Word(abi::uint(*id)),
                Token::Word(abi::address(*operator)),
                Token::Word(abi::uint(*fraction)),
                Token::Word(abi::uint(*capture)),
            ]),
            Self::SlashCancel { id } => abi::encode(&[Token::Word(abi::uint(*id))]),
            Self::Rewards {
                era,
                capture,
                operators_root,
                operators_total,
                vaults,
            } => abi::encode(&[
                Token::Word(abi::uint(*era)),
                Token::Word(abi::uint(*capture)),
                Token::Word(operators_root.0),
                Token::Word(abi::uint(*operators_total)),
                addresses(vaults.iter().map(|reward| reward.vault)),
                Token::List(
                    vaults
                        .iter()
                        .map(|reward| abi::uint(reward.amount))
                        .collect(),
                ),
            ]),
            Self::Mint { id, to, amount } => abi::encode(&[
                Token::Word(abi::uint(*id)),
                Token::Word(abi::address(*to)),
                Token::Word(abi::uint(*amount)),
            ]),
            Self::OperatorSet {
                set_id,
                capture,
                signers,
                operators,
            } => abi::encode(&[
                Token::Word(abi::uint(*set_id)),
                Token::Word(abi::uint(*capture)),
                addresses(signers.iter().copied()),
                addresses(operators.iter().copied()),
            ]),
        }
    }

    /// `keccak256(kind ‖ keccak256(data))`.
    pub fn hash(&self) -> H256 {
        let data = vec![self.data()];
        keccak256([&[self.kind()][..], keccak256(data).as_bytes()])
    }
}

/// Hash of the items of a batch, in order.
pub fn outbox_hash(items: &[OutboxItem]) -> H256 {
    list_hash(items.iter().map(OutboxItem::hash))
}
