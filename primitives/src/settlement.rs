//! How a batch is built from its seal block: the one function that all validators must compute alike.
//!
//! Input: what the seal says ([`SealFacts`]), the finalised rounds after the last one that the Router holds, and the
//! outbox from the Router's cursor. Output: a [`Batch`], bounded by bytes and by gas so that it can always be mined.
//! Gas is summed from a governed table ([`GasTable`]), never from a node's estimate, because estimates differ.

use crate::{
    batch::{AppliedBatch, Batch, BatchHeader, content_hash},
    ethereum::BlockId,
    ids::ActorId,
    message::OutgoingMessage,
    outbox::OutboxItem,
    round::ChainBlock,
    transition::{StateTransition, squash},
};
use alloc::{collections::BTreeSet, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::H256;
use scale_info::TypeInfo;

/// What the parts of a batch cost on Ethereum, in gas.
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
pub struct GasTable {
    /// A batch without content: transaction, quorum, header.
    pub batch: u64,
    /// A program that changed.
    pub transition: u64,
    /// A program that a program has created, above its transition.
    pub creation: u64,
    /// A message or claim, without its payload.
    pub message: u64,
    /// A call-back's stipend, with its overhead.
    pub callback: u64,
    /// A byte of calldata, as it is received, hashed and emitted.
    pub byte: u64,
    /// An outbox item, without its bytes.
    pub outbox_item: u64,
}

/// How large a batch may be.
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
pub struct BatchLimits {
    /// Bytes of calldata.
    pub max_bytes: u64,
    /// Gas, by [`BatchLimits::gas`].
    pub max_gas: u64,
    /// The table by which gas is summed.
    pub gas: GasTable,
}

impl Default for BatchLimits {
    /// Below the cap of 16,777,216 gas that EIP-7825 puts on a transaction and the 128 KiB that nodes relay.
    fn default() -> Self {
        Self {
            max_bytes: 96 << 10,
            max_gas: 12_000_000,
            gas: GasTable {
                batch: 400_000,
                transition: 60_000,
                creation: 200_000,
                message: 40_000,
                callback: 530_000,
                byte: 48,
                outbox_item: 60_000,
            },
        }
    }
}

/// What a seal block says of its batch.
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
pub struct SealFacts {
    /// Genesis hash of the chain.
    pub genesis: H256,
    /// The seal block.
    pub seal: ChainBlock,
    /// Its anchor.
    pub anchor: BlockId,
    /// The validator set that the Router holds at the anchor.
    pub set_id: u64,
    /// The batch that the Router holds at the anchor.
    pub router: AppliedBatch,
    /// Unix time in seconds after which the batch may not be applied.
    pub expiry: u64,
    /// Caps.
    pub limits: BatchLimits,
}

/// A finalised round's part in settlement.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct SettledRound {
    /// The block whose round it is.
    pub block: ChainBlock,
    /// What it changed.
    pub transitions: Vec<StateTransition>,
    /// What programs paid in it, in wVARA base units.
    pub spent: u128,
}

/// Why no batch can be built. None of these can happen while executor and pallets are right: each is an alarm, and the
/// node must not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// The first round is not the one after the Router's last, or a round is missing between two.
    Gap {
        /// The round that should have come.
        expected: u64,
        /// The round that came.
        found: u64,
    },
    /// A round lies after the seal.
    AfterSeal(u64),
    /// The custody that programs pass to each other does not sum to zero.
    NotConserved,
    /// A program's amounts leave the range of an `i128`.
    AmountOverflow,
}

#[derive(Clone, Copy, Default)]
struct Size {
    bytes: u64,
    gas: u64,
}

impl Size {
    fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            gas: self.gas.saturating_add(other.gas),
        }
    }

    fn fits(self, limits: &BatchLimits) -> bool {
        self.bytes <= limits.max_bytes && self.gas <= limits.max_gas
    }
}

/// Bytes of an ABI-encoded item: `words` of 32 and a padded tail.
fn abi_bytes(words: u64, tail: usize) -> u64 {
    words * 32 + (tail as u64).next_multiple_of(32)
}

impl BatchLimits {
    fn item(&self, bytes: u64, gas: u64) -> Size {
        Size {
            bytes,
            gas: gas.saturating_add(bytes.saturating_mul(self.gas.byte)),
        }
    }

    fn message(&self, message: &OutgoingMessage) -> Size {
        let callback = if message.call { self.gas.callback } else { 0 };
        self.item(
            abi_bytes(9, message.payload.len()),
            self.gas.message.saturating_add(callback),
        )
    }

    fn outbox_item(&self, item: &OutboxItem) -> Size {
        self.item(
            abi_bytes(4, item.data().len()),
            self.gas.outbox_item.saturating_add(item.middleware_gas()),
        )
    }

    /// What `transition` adds, with its own frame if the program is `new` to the batch.
    fn transition(&self, transition: &StateTransition, new: bool) -> Size {
        let frame = if new {
            self.item(abi_bytes(12, 0), self.gas.transition)
        } else {
            Size::default()
        };
        let frame = match transition.creation {
            Some(_) => frame.plus(self.item(abi_bytes(3, 0), self.gas.creation)),
            None => frame,
        };
        let claims = transition.value_claims.len() as u64;
        transition
            .messages
            .iter()
            .map(|message| self.message(message))
            .fold(frame, Size::plus)
            .plus(self.item(claims * 96, claims.saturating_mul(self.gas.message)))
    }
}

/// Builds the batch of `seal` from `rounds` (oldest first, starting after the Router's last) and `outbox` (starting at
/// the Router's cursor).
///
/// Outbox items go first, since validator sets and code results must never wait behind traffic, but take at most half
/// of the caps; then whole rounds while they fit. A first round is taken even if it does not fit beside the outbox: a
/// round's own cap is half a batch's, so the batch stays within its caps.
///
/// # Errors
///
/// [`BuildError`]: the input contradicts itself, and nothing may be signed.
pub fn build(
    seal: &SealFacts,
    rounds: impl IntoIterator<Item = SettledRound>,
    outbox: &[OutboxItem],
) -> Result<Batch, BuildError> {
    let limits = &seal.limits;
    let frame = limits.item(abi_bytes(20, 0), limits.gas.batch);
    let half = BatchLimits {
        max_bytes: limits.max_bytes / 2,
        max_gas: limits.max_gas / 2,
        ..*limits
    };

    let mut size = frame;
    let mut items = Vec::new();
    for item in outbox {
        let with_item = size.plus(limits.outbox_item(item));
        if !with_item.fits(&half) && !items.is_empty() {
            break;
        }
        size = with_item;
        items.push(item.clone());
    }

    let mut last = ChainBlock {
        number: seal.router.last_round,
        hash: seal.router.last_round_hash,
    };
    let mut programs = BTreeSet::<ActorId>::new();
    let mut taken = Vec::new();
    let mut spent = 0u128;
    for round in rounds {
        let expected = last.number + 1;
        if round.block.number != expected {
            return Err(BuildError::Gap {
                expected,
                found: round.block.number,
            });
        }
        if round.block.number > seal.seal.number {
            return Err(BuildError::AfterSeal(round.block.number));
        }
        let with_round = round
            .transitions
            .iter()
            .map(|transition| {
                limits.transition(transition, !programs.contains(&transition.actor_id))
            })
            .fold(size, Size::plus);
        if !with_round.fits(limits) && !programs.is_empty() {
            break;
        }
        size = with_round;
        last = round.block;
        programs.extend(
            round
                .transitions
                .iter()
                .map(|transition| transition.actor_id),
        );
        taken.push(round.transitions);
        spent = spent.saturating_add(round.spent);
    }

    let transitions = squash(taken).map_err(|_| BuildError::AmountOverflow)?;
    let transferred = transitions
        .iter()
        .try_fold(0i128, |sum, transition| {
            sum.checked_add(transition.net_transfer)
        })
        .ok_or(BuildError::AmountOverflow)?;
    if transferred != 0 {
        return Err(BuildError::NotConserved);
    }

    let outbox_end = seal.router.outbox_end + items.len() as u64;
    Ok(Batch {
        header: BatchHeader {
            genesis: seal.genesis,
            seal_number: seal.seal.number,
            seal_hash: seal.seal.hash,
            last_round: last.number,
            last_round_hash: last.hash,
            nonce: seal.router.nonce + 1,
            parent: seal.router.digest,
            anchor_number: seal.anchor.number,
            anchor_hash: seal.anchor.hash,
            set_id: seal.set_id,
            content: content_hash(&transitions, spent, outbox_end, &items),
            expiry: seal.expiry,
        },
        spent,
        outbox_end,
        transitions,
        outbox: items,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{CodeId, MessageId};
    use primitive_types::H160;

    fn hash(number: u64) -> H256 {
        H256::from_low_u64_be(number)
    }

    fn seal(number: u64) -> SealFacts {
        SealFacts {
            genesis: hash(1),
            seal: ChainBlock {
                number,
                hash: hash(number),
            },
            anchor: BlockId {
                number: 7,
                hash: hash(70),
            },
            set_id: 3,
            router: AppliedBatch {
                nonce: 4,
                digest: hash(4),
                last_round: 10,
                last_round_hash: hash(10),
                outbox_end: 5,
                ..Default::default()
            },
            expiry: 1_000,
            limits: BatchLimits::default(),
        }
    }

    fn message(bytes: usize) -> OutgoingMessage {
        OutgoingMessage {
            id: MessageId::zero(),
            destination: H160::zero(),
            payload: vec![1; bytes],
            value: 0,
            reply_details: None,
            call: false,
        }
    }

    fn round(number: u64, bytes: usize) -> SettledRound {
        let mut transition = StateTransition::new(ActorId::from([1; 32]), hash(number));
        transition.messages.push(message(bytes));
        SettledRound {
            block: ChainBlock {
                number,
                hash: hash(number),
            },
            transitions: vec![transition],
            spent: 3,
        }
    }

    fn code_result(number: u8) -> OutboxItem {
        OutboxItem::CodeResult {
            code_id: CodeId::from([number; 32]),
            request_id: H256::zero(),
            valid: true,
        }
    }

    #[test]
    fn continues_what_the_router_holds() {
        let batch = build(&seal(12), [round(11, 4), round(12, 4)], &[code_result(1)]).unwrap();
        assert!(batch.is_consistent());
        assert_eq!(batch.header.nonce, 5);
        assert_eq!(batch.header.parent, hash(4));
        assert_eq!(
            (batch.header.last_round, batch.header.last_round_hash),
            (12, hash(12))
        );
        assert_eq!(batch.outbox_end, 6);
        assert_eq!(batch.transitions.len(), 1);
        assert_eq!(batch.transitions[0].messages.len(), 2);
        assert_eq!(batch.spent, 6);
        assert_eq!(batch.transitions[0].new_state_hash, hash(12));
    }

    #[test]
    fn nothing_to_say_is_empty() {
        let quiet = SettledRound {
            block: ChainBlock {
                number: 11,
                hash: hash(11),
            },
            transitions: Vec::new(),
            spent: 0,
        };
        let batch = build(&seal(11), [quiet], &[]).unwrap();
        assert!(batch.is_empty());
    }

    #[test]
    fn ends_before_the_round_that_does_not_fit() {
        let rounds = (11..30).map(|number| round(number, 40 << 10));
        let batch = build(&seal(30), rounds, &[]).unwrap();
        assert_eq!(batch.header.last_round, 12);
        let gas_bound = SealFacts {
            limits: BatchLimits {
                max_gas: 600_000,
                ..BatchLimits::default()
            },
            ..seal(30)
        };
        let batch = build(&gas_bound, (11..30).map(|number| round(number, 1)), &[]).unwrap();
        assert!(batch.header.last_round < 14);
        assert!(batch.header.last_round > 10);
    }

    #[test]
    fn outbox_takes_at_most_half() {
        let items = vec![code_result(1); 10_000];
        let batch = build(&seal(11), [round(11, 10 << 10)], &items).unwrap();
        assert_eq!(batch.header.last_round, 11);
        assert!(batch.outbox.len() < 200);
        assert_eq!(batch.outbox_end, 5 + batch.outbox.len() as u64);
    }

    #[test]
    fn a_slash_takes_the_gas_that_the_router_keeps_for_it() {
        let slash = |id| OutboxItem::Slash {
            id,
            operator: Default::default(),
            fraction: 1,
            capture: 1,
        };
        let items = [slash(1), slash(2)];
        let batch = build(&seal(11), [round(11, 1)], &items).unwrap();
        assert_eq!(batch.outbox, [slash(1)]);
        assert_eq!(batch.header.last_round, 11);
    }

    #[test]
    fn contradictions_are_not_signed() {
        assert_eq!(
            build(&seal(20), [round(12, 1)], &[]),
            Err(BuildError::Gap {
                expected: 11,
                found: 12
            })
        );
        assert_eq!(
            build(&seal(20), [round(11, 1), round(13, 1)], &[]),
            Err(BuildError::Gap {
                expected: 12,
                found: 13
            })
        );
        assert_eq!(
            build(&seal(10), [round(11, 1)], &[]),
            Err(BuildError::AfterSeal(11))
        );
        let mut unbalanced = round(11, 1);
        unbalanced.transitions[0].net_transfer = 1;
        assert_eq!(
            build(&seal(20), [unbalanced], &[]),
            Err(BuildError::NotConserved)
        );
    }

    #[test]
    fn deposits_are_one_side_of_what_programs_get() {
        let with_deposits = |number, given: i128, taken: i128| {
            let mut own = round(number, 1);
            own.transitions[0].net_transfer = given;
            let mut deposits = StateTransition::new(ActorId::DEPOSITS, hash(number));
            deposits.net_transfer = -taken;
            own.transitions.insert(0, deposits);
            own
        };
        let rounds = [with_deposits(11, 5, 5), with_deposits(12, -2, -2)];
        let batch = build(&seal(20), rounds, &[]).unwrap();
        assert!(batch.is_consistent());
        assert!(batch.transitions[0].is_of_deposits());
        assert_eq!(batch.transitions[0].net_transfer, -3);
        assert_eq!(batch.transitions[1].net_transfer, 3);
        let lost = [with_deposits(11, 5, 6)];
        assert_eq!(build(&seal(20), lost, &[]), Err(BuildError::NotConserved));
    }
}
