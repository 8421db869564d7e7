//! What validators sign of a round, and when that is enough.
//!
//! After a validator has executed a block on its best chain it signs what came out of it, once for each block hash:
//! [`RoundStatement`]. A quorum of such signatures is a [`Certificate`]. Before others have executed the block, its author
//! signs a [`PromiseStatement`]. Both are typed data in the Router's domain, so that contracts and wallets read them with the
//! tools that they have. A [`ReceiptProof`] joins a message to them; all of it verifies offline, with nothing but the
//! validator set that the Router holds.

use crate::{
    abi::uint,
    batch::RouterDomain,
    ethereum::BlockId,
    hashing::keccak256,
    merkle,
    message::Receipt,
    quorum::{Member, Support},
    round::RoundOutcome,
    signature::CompactSignature,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// The EIP-712 type of what every validator signs of a round.
pub const ROUND_TYPE: &str = "Round(bytes32 genesis,uint64 setId,uint64 blockNumber,bytes32 blockHash,uint64 anchorNumber,bytes32 anchorHash,bytes32 outcome)";

/// The EIP-712 type of what the author of a block signs.
pub const PROMISE_TYPE: &str =
    "Promise(bytes32 genesis,uint64 setId,uint64 slot,bytes32 blockHash,bytes32 outcome)";

/// What came out of the execution of a block.
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
pub struct RoundStatement {
    /// The validator set that the signer belongs to.
    pub set_id: u64,
    /// Number of the block.
    pub block_number: u64,
    /// Its hash.
    pub block_hash: H256,
    /// The Ethereum block up to which the round has taken events.
    pub anchor: BlockId,
    /// [`RoundOutcome::root`].
    pub outcome: H256,
}

impl RoundStatement {
    /// The 32 bytes that are signed.
    pub fn digest(&self, genesis: H256, domain: &RouterDomain) -> H256 {
        domain.typed_data(keccak256([
            keccak256([ROUND_TYPE]).0,
            genesis.0,
            uint(self.set_id),
            uint(self.block_number),
            self.block_hash.0,
            uint(self.anchor.number),
            self.anchor.hash.0,
            self.outcome.0,
        ]))
    }
}

/// The word of a block's author, before others have executed it.
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
pub struct PromiseStatement {
    /// The validator set that the author belongs to.
    pub set_id: u64,
    /// The slot in which the block was made. Two promises for one slot are a fault.
    pub slot: u64,
    /// The block's hash.
    pub block_hash: H256,
    /// [`RoundOutcome::root`].
    pub outcome: H256,
}

impl PromiseStatement {
    /// The 32 bytes that are signed.
    pub fn digest(&self, genesis: H256, domain: &RouterDomain) -> H256 {
        domain.typed_data(keccak256([
            keccak256([PROMISE_TYPE]).0,
            genesis.0,
            uint(self.set_id),
            uint(self.slot),
            self.block_hash.0,
            self.outcome.0,
        ]))
    }
}

/// A promise with the author's signature, as it goes over the network.
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
pub struct SignedPromise {
    /// What is promised.
    pub statement: PromiseStatement,
    /// Of the statement's digest, by the Ethereum key of the block's author.
    pub signature: CompactSignature,
}

/// A quorum's signatures on a round.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Certificate {
    /// What they have signed.
    pub statement: RoundStatement,
    /// Who: bit `i % 8`, from the least significant, of byte `i / 8`. No trailing zero bytes.
    pub signers: Vec<u8>,
    /// Their signatures, in the order of the set.
    pub signatures: Vec<CompactSignature>,
}

/// Why a certificate proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateError {
    /// The bitmap names somebody who is not in the set, or ends in a zero byte.
    Signers,
    /// There are more or fewer signatures than signers.
    Signatures,
    /// A signature is not that of the member at this place in the set.
    NotTheMember(usize),
    /// Not more than two thirds of heads and of weight.
    NoQuorum,
}

impl Certificate {
    /// The members who have signed, by their places in the set.
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.signers.len().saturating_mul(8)).filter(|place| {
            self.signers
                .get(place / 8)
                .is_some_and(|byte| byte & (1 << (place % 8)) != 0)
        })
    }

    /// Checks all signatures, and that they are a quorum of `members`: the set with the statement's `set_id`, as the
    /// Router holds it.
    ///
    /// # Errors
    ///
    /// [`CertificateError`].
    pub fn verify(
        &self,
        genesis: H256,
        domain: &RouterDomain,
        members: &[Member],
    ) -> Result<(), CertificateError> {
        let recover = |signature: &CompactSignature, digest| signature.recover(digest).ok();
        self.verify_by(genesis, domain, members, recover)
    }

    /// The same, with signers found by `recover`: the library's [`CompactSignature::recover`], or the host's.
    ///
    /// # Errors
    ///
    /// [`CertificateError`].
    pub fn verify_by(
        &self,
        genesis: H256,
        domain: &RouterDomain,
        members: &[Member],
        recover: impl Fn(&CompactSignature, H256) -> Option<H160>,
    ) -> Result<(), CertificateError> {
        if self.signers.last() == Some(&0) {
            return Err(CertificateError::Signers);
        }
        let digest = self.statement.digest(genesis, domain);
        let mut signatures = self.signatures.iter();
        let mut support = Support::default();
        for place in self.places() {
            let member = members.get(place).ok_or(CertificateError::Signers)?;
            let signature = signatures.next().ok_or(CertificateError::Signatures)?;
            if recover(signature, digest) != Some(member.address) {
                return Err(CertificateError::NotTheMember(place));
            }
            support = support.plus(Support::of(member));
        }
        if signatures.next().is_some() {
            return Err(CertificateError::Signatures);
        }
        if support.is_quorum_of(Support::of_all(members)) {
            Ok(())
        } else {
            Err(CertificateError::NoQuorum)
        }
    }
}

/// That a message ended as its receipt says, in a round whose outcome is signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReceiptProof {
    /// What happened to the message.
    pub receipt: Receipt,
    /// Its place among the round's receipts.
    pub index: u64,
    /// Number of the round's receipts.
    pub count: u64,
    /// Siblings from the leaf to the root, lowest first.
    pub siblings: Vec<H256>,
    /// Root over the round's receipts.
    pub receipts_root: H256,
    /// Commitment to the state of all programs after the round.
    pub state_root: H256,
    /// Hash over the round's transitions.
    pub transitions: H256,
}

impl ReceiptProof {
    /// Of the receipt at `index` of `outcome`; nothing if there is none.
    pub fn of(outcome: &RoundOutcome, index: usize) -> Option<Self> {
        let leaves: Vec<H256> = outcome.receipts.iter().map(Receipt::leaf).collect();
        Some(Self {
            receipt: *outcome.receipts.get(index)?,
            index: index as u64,
            count: leaves.len() as u64,
            siblings: merkle::proof(leaves.clone(), index)?,
            receipts_root: merkle::root(leaves),
            state_root: outcome.state_root,
            transitions: outcome.transitions_hash(),
        })
    }

    /// The outcome that the receipt belongs to; nothing if it does not belong to these roots. That must be what was signed.
    pub fn outcome(&self) -> Option<H256> {
        let leaf = self.receipt.leaf();
        merkle::verify(
            self.receipts_root,
            self.count,
            self.index,
            leaf,
            &self.siblings,
        )
        .then(|| outcome_root(self.receipts_root, self.state_root, self.transitions))
    }

    /// Whether a certificate that verifies is one of this receipt.
    pub fn is_certified_by(&self, certificate: &Certificate) -> bool {
        self.receipt.round == certificate.statement.block_number
            && self.outcome() == Some(certificate.statement.outcome)
    }
}

/// What is signed of an outcome: `keccak256(receiptsRoot ‖ stateRoot ‖ transitionsHash)`.
pub fn outcome_root(receipts: H256, state: H256, transitions: H256) -> H256 {
    keccak256([receipts.0, state.0, transitions.0])
}

/// Collects signatures on one statement until they are a quorum.
#[derive(Clone, Debug)]
pub struct Tally {
    statement: RoundStatement,
    signatures: Vec<Option<CompactSignature>>,
    support: Support,
}

impl Tally {
    /// With no signature yet, for a set of so many members.
    pub fn new(statement: RoundStatement, members: usize) -> Self {
        Self {
            statement,
            signatures: alloc::vec![None; members],
            support: Support::default(),
        }
    }

    /// What is signed.
    pub const fn statement(&self) -> &RoundStatement {
        &self.statement
    }

    /// Takes the signature of the member at `place`, which the caller has checked. Returns whether it is new.
    pub fn add(&mut self, place: usize, member: &Member, signature: CompactSignature) -> bool {
        let Some(entry) = self.signatures.get_mut(place).filter(|old| old.is_none()) else {
            return false;
        };
        *entry = Some(signature);
        self.support = self.support.plus(Support::of(member));
        true
    }

    /// The certificate, once there is a quorum of `members`.
    pub fn certificate(&self, members: &[Member]) -> Option<Certificate> {
        if !self.support.is_quorum_of(Support::of_all(members)) {
            return None;
        }
        let signed = self.signatures.iter().enumerate();
        let signed = signed.filter_map(|(place, signature)| Some((place, (*signature)?)));
        let (places, signatures): (Vec<usize>, Vec<CompactSignature>) = signed.unzip();
        Some(Certificate {
            statement: self.statement,
            signers: crate::quorum::bitmap(places),
            signatures,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{ActorId, MessageId},
        message::ReplyCode,
        signature::address_of_secret,
    };
    use primitive_types::H160;

    const GENESIS: H256 = H256::repeat_byte(0x69);
    const DOMAIN: RouterDomain = RouterDomain {
        chain_id: 1,
        router: H160::repeat_byte(0x70),
    };

    fn members(weights: &[u64]) -> Vec<Member> {
        weights
            .iter()
            .zip(1u8..)
            .map(|(weight, seed)| Member {
                address: address_of_secret(&[seed; 32]).unwrap(),
                weight: *weight,
            })
            .collect()
    }

    fn receipt(number: u64) -> Receipt {
        Receipt {
            message_id: MessageId(H256::from_low_u64_be(number)),
            program_id: ActorId::zero(),
            code: ReplyCode::SUCCESS_AUTO,
            payload_hash: H256::zero(),
            value: 0,
            gas_burned: number,
            round: 7,
        }
    }

    fn outcome(receipts: u64) -> RoundOutcome {
        RoundOutcome {
            state_root: H256::repeat_byte(1),
            receipts: (0..receipts).map(receipt).collect(),
            replies: Vec::new(),
            transitions: Vec::new(),
            gas_burned: 0,
            spent: 0,
            work_left: false,
            starved: Vec::new(),
        }
    }

    fn statement(outcome: H256) -> RoundStatement {
        RoundStatement {
            set_id: 3,
            block_number: 7,
            block_hash: H256::repeat_byte(7),
            anchor: BlockId {
                number: 70,
                hash: H256::repeat_byte(0x71),
            },
            outcome,
        }
    }

    fn signed(statement: &RoundStatement, seed: u8) -> CompactSignature {
        CompactSignature::sign(&[seed; 32], statement.digest(GENESIS, &DOMAIN)).unwrap()
    }

    fn certificate(members: &[Member], signers: &[usize]) -> Option<Certificate> {
        let statement = statement(outcome(5).root());
        let mut tally = Tally::new(statement, members.len());
        for place in signers {
            let signature = signed(&statement, *place as u8 + 1);
            assert!(tally.add(*place, &members[*place], signature));
            assert!(!tally.add(*place, &members[*place], signature));
        }
        tally.certificate(members)
    }

    #[test]
    fn three_of_four_certify_and_two_do_not() {
        let set = members(&[10; 4]);
        assert_eq!(certificate(&set, &[0, 3]), None);
        let found = certificate(&set, &[0, 1, 3]).unwrap();
        assert_eq!(found.signers, [0b1011]);
        assert_eq!(found.verify(GENESIS, &DOMAIN, &set), Ok(()));
        // Heads are not enough.
        assert_eq!(certificate(&members(&[10, 10, 100, 10]), &[0, 1, 3]), None);
    }

    #[test]
    fn what_is_not_a_quorum_of_the_set_proves_nothing() {
        let set = members(&[10; 4]);
        let good = certificate(&set, &[0, 1, 3]).unwrap();
        let check = |change: &dyn Fn(&mut Certificate)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad.verify(GENESIS, &DOMAIN, &set)
        };
        assert_eq!(
            check(&|bad| bad.statement.set_id = 4),
            Err(CertificateError::NotTheMember(0))
        );
        assert_eq!(
            check(&|bad| bad.signers = vec![0b0111]),
            Err(CertificateError::NotTheMember(2))
        );
        assert_eq!(
            check(&|bad| bad.signers = vec![0b1011, 1]),
            Err(CertificateError::Signers)
        );
        assert_eq!(
            check(&|bad| bad.signers.push(0)),
            Err(CertificateError::Signers)
        );
        assert_eq!(
            check(&|bad| bad.signatures.push(good.signatures[0])),
            Err(CertificateError::Signatures)
        );
        assert_eq!(
            check(&|bad| {
                bad.signatures.pop();
            }),
            Err(CertificateError::Signatures)
        );
        assert_eq!(
            check(&|bad| {
                bad.signatures.pop();
                bad.signers = vec![0b0011];
            }),
            Err(CertificateError::NoQuorum)
        );
        assert_eq!(
            good.verify(H256::zero(), &DOMAIN, &set),
            Err(CertificateError::NotTheMember(0))
        );
        let mut twice = set.clone();
        twice[1] = twice[0];
        assert!(good.verify(GENESIS, &DOMAIN, &twice).is_err());
    }

    #[test]
    fn a_receipt_is_proven_in_its_round_only() {
        let set = members(&[10; 4]);
        let certificate = certificate(&set, &[0, 1, 2]).unwrap();
        for count in [5, 6] {
            let outcome = outcome(count);
            for index in 0..count as usize {
                let proof = ReceiptProof::of(&outcome, index).unwrap();
                assert_eq!(proof.outcome(), Some(outcome.root()));
                assert_eq!(proof.is_certified_by(&certificate), count == 5);
                let mut other = proof.clone();
                other.receipt.gas_burned += 1;
                assert_eq!(other.outcome(), None);
                let mut later = proof;
                later.receipt.round += 1;
                assert!(!later.is_certified_by(&certificate));
            }
            assert_eq!(ReceiptProof::of(&outcome, count as usize), None);
        }
    }

    #[test]
    fn a_promise_and_a_round_are_never_the_same_bytes() {
        let round = statement(H256::repeat_byte(2));
        let promise = PromiseStatement {
            set_id: round.set_id,
            slot: round.block_number,
            block_hash: round.block_hash,
            outcome: round.outcome,
        };
        let digest = promise.digest(GENESIS, &DOMAIN);
        assert_ne!(digest, round.digest(GENESIS, &DOMAIN));
        let next = PromiseStatement {
            slot: promise.slot + 1,
            ..promise
        };
        assert_ne!(digest, next.digest(GENESIS, &DOMAIN));
    }
}
