//! What proves that a validator has signed two things of which it may sign one.
//!
//! A seal has one batch, so a key signs at most one digest for a seal's hash: that of the batch, or that of the
//! statement that it is empty. Two of them are a fault, and the two signatures prove it to anybody who knows chain and
//! Router: `pallet-slashing` and, for two batches, the Middleware's `reportDoubleSign` on Ethereum, which takes the same
//! headers and signatures. Nonce and parent are no part of the fault.

use crate::{
    batch::{BatchHeader, RouterDomain},
    signature::CompactSignature,
    vote::EmptyBatch,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// What a validator says of a seal.
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
pub enum SealStatement {
    /// Its batch has this header.
    Batch(BatchHeader),
    /// Its batch is empty.
    Empty(EmptyBatch),
}

impl SealStatement {
    /// Number of the seal block.
    pub const fn seal_number(&self) -> u64 {
        match self {
            Self::Batch(header) => header.seal_number,
            Self::Empty(empty) => empty.seal_number,
        }
    }

    /// Hash of the seal block.
    pub const fn seal_hash(&self) -> H256 {
        match self {
            Self::Batch(header) => header.seal_hash,
            Self::Empty(empty) => empty.seal_hash,
        }
    }

    /// The set in whose name it is made.
    pub const fn set_id(&self) -> u64 {
        match self {
            Self::Batch(header) => header.set_id,
            Self::Empty(empty) => empty.set_id,
        }
    }

    /// The 32 bytes that are signed, on the chain with this genesis hash and towards this Router.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::ForeignChain`] if the statement names another chain.
    pub fn digest(&self, genesis: H256, domain: &RouterDomain) -> Result<H256, EvidenceError> {
        match self {
            Self::Batch(header) if header.genesis != genesis => Err(EvidenceError::ForeignChain),
            Self::Batch(header) => Ok(header.digest(domain)),
            Self::Empty(empty) => Ok(empty.digest(genesis)),
        }
    }
}

/// A statement with a signature of its digest.
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
pub struct SignedStatement {
    /// What is said.
    pub statement: SealStatement,
    /// The signature, by the validator's Ethereum key.
    pub signature: CompactSignature,
}

/// Two signed statements on one seal.
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
pub struct DoubleSign {
    /// One.
    pub first: SignedStatement,
    /// The other. Their order does not matter.
    pub second: SignedStatement,
}

/// Why evidence proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceError {
    /// A statement is about another chain.
    ForeignChain,
    /// The statements are about different seals.
    DifferentSeals,
    /// Both statements have the same digest: nothing is contradicted.
    SameDigest,
    /// The bytes are no signature with a low `s`.
    MalformedSignature,
    /// The signatures are by different keys, or one is over another Router's domain.
    DifferentSigners,
    /// The statements are about different blocks.
    DifferentBlocks,
    /// The statements are about different slots.
    DifferentSlots,
    /// The statements were made in the names of different sets.
    DifferentSets,
    /// The certificate does not verify.
    NoCertificate,
}

/// What is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Address of the key that signed.
    pub address: H160,
    /// The sets in whose names it signed; twice the same as a rule.
    pub sets: [u64; 2],
    /// The greatest number that it gave to the seal.
    pub seal_number: u64,
    /// Hash of the seal.
    pub seal_hash: H256,
}

impl SignedStatement {
    /// Who signed the statement, by `recover`: the library's [`CompactSignature::recover`] or the host's.
    ///
    /// # Errors
    ///
    /// The statement is foreign, or the signature malformed.
    pub fn signer(
        &self,
        genesis: H256,
        domain: &RouterDomain,
        recover: impl Fn(&CompactSignature, H256) -> Option<H160>,
    ) -> Result<Signer, EvidenceError> {
        let digest = self.statement.digest(genesis, domain)?;
        let address = recover(&self.signature, digest).ok_or(EvidenceError::MalformedSignature)?;
        Ok(Signer {
            address,
            sets: [self.statement.set_id(); 2],
            seal_number: self.statement.seal_number(),
            seal_hash: self.statement.seal_hash(),
        })
    }
}

impl DoubleSign {
    /// Whose fault it proves. Whether that key belongs to a validator is for the caller to know.
    ///
    /// # Errors
    ///
    /// Why it proves none.
    pub fn signer(
        &self,
        genesis: H256,
        domain: &RouterDomain,
        recover: impl Fn(&CompactSignature, H256) -> Option<H160>,
    ) -> Result<Signer, EvidenceError> {
        let (first, second) = (&self.first.statement, &self.second.statement);
        // What costs nothing comes first.
        if first.seal_hash() != second.seal_hash() {
            return Err(EvidenceError::DifferentSeals);
        }
        if first.digest(genesis, domain)? == second.digest(genesis, domain)? {
            return Err(EvidenceError::SameDigest);
        }
        let one = self.first.signer(genesis, domain, &recover)?;
        let other = self.second.signer(genesis, domain, &recover)?;
        if one.address != other.address {
            return Err(EvidenceError::DifferentSigners);
        }
        Ok(Signer {
            sets: [one.sets[0], other.sets[0]],
            seal_number: one.seal_number.max(other.seal_number),
            ..one
        })
    }
}

/// Who is told of the faults that the settlement pallet sees by itself, and of who signs.
pub trait OnFault<AccountId> {
    /// A session begins in which the set `set_id` votes, with these accounts behind its members' addresses.
    fn on_session(set_id: u64, signers: Vec<(AccountId, H160)>);
    /// The member `signer` of `set_id` has signed two different digests for one seal, and both signatures are verified.
    fn on_double_sign(set_id: u64, signer: H160, seal_number: u64, seal_hash: H256);
    /// These members of `set_id` have not voted on the seals that they had to vote on in the session that ends.
    fn on_absence(set_id: u64, absent: Vec<H160>);
    /// A batch is in a final Ethereum block: all outbox items below `outbox_end` are settled.
    fn on_settled(outbox_end: u64);
}

/// Nobody is told.
impl<AccountId> OnFault<AccountId> for () {
    fn on_session(_: u64, _: Vec<(AccountId, H160)>) {}
    fn on_double_sign(_: u64, _: H160, _: u64, _: H256) {}
    fn on_absence(_: u64, _: Vec<H160>) {}
    fn on_settled(_: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::address_of_secret;

    const GENESIS: H256 = H256::repeat_byte(0x69);
    const DOMAIN: RouterDomain = RouterDomain {
        chain_id: 1,
        router: H160::repeat_byte(7),
    };
    const SECRET: [u8; 32] = [3; 32];

    fn batch(content: u8) -> SealStatement {
        SealStatement::Batch(BatchHeader {
            genesis: GENESIS,
            seal_number: 5,
            seal_hash: H256::repeat_byte(5),
            last_round: 5,
            last_round_hash: H256::repeat_byte(5),
            nonce: 1,
            parent: H256::zero(),
            anchor_number: 9,
            anchor_hash: H256::repeat_byte(9),
            set_id: 2,
            content: H256::repeat_byte(content),
            expiry: 1_000,
        })
    }

    fn empty() -> SealStatement {
        SealStatement::Empty(EmptyBatch {
            set_id: 2,
            seal_number: 5,
            seal_hash: H256::repeat_byte(5),
        })
    }

    fn sign(secret: [u8; 32], statement: SealStatement) -> SignedStatement {
        let digest = match statement {
            SealStatement::Batch(header) => header.digest(&DOMAIN),
            SealStatement::Empty(empty) => empty.digest(GENESIS),
        };
        SignedStatement {
            statement,
            signature: CompactSignature::sign(&secret, digest).unwrap(),
        }
    }

    fn proven(first: SignedStatement, second: SignedStatement) -> Result<Signer, EvidenceError> {
        let recover = |signature: &CompactSignature, digest| signature.recover(digest).ok();
        DoubleSign { first, second }.signer(GENESIS, &DOMAIN, recover)
    }

    #[test]
    fn two_digests_for_one_seal_prove_a_fault() {
        let expected = Signer {
            address: address_of_secret(&SECRET).unwrap(),
            sets: [2, 2],
            seal_number: 5,
            seal_hash: H256::repeat_byte(5),
        };
        let one = sign(SECRET, batch(1));
        assert_eq!(proven(one, sign(SECRET, batch(2))), Ok(expected));
        assert_eq!(proven(one, sign(SECRET, empty())), Ok(expected));
        assert_eq!(proven(sign(SECRET, empty()), one), Ok(expected));
    }

    #[test]
    fn anything_else_proves_none() {
        let one = sign(SECRET, batch(1));
        assert_eq!(proven(one, one), Err(EvidenceError::SameDigest));
        assert_eq!(
            proven(one, sign([4; 32], batch(2))),
            Err(EvidenceError::DifferentSigners)
        );
        let SealStatement::Batch(mut header) = batch(2) else {
            return;
        };
        header.seal_hash = H256::repeat_byte(6);
        assert_eq!(
            proven(one, sign(SECRET, SealStatement::Batch(header))),
            Err(EvidenceError::DifferentSeals)
        );
        header.seal_hash = H256::repeat_byte(5);
        header.genesis = H256::zero();
        assert_eq!(
            proven(one, sign(SECRET, SealStatement::Batch(header))),
            Err(EvidenceError::ForeignChain)
        );
        // The other `s` of the same signature.
        let mut high = sign(SECRET, batch(2));
        high.signature.0[32..].fill(0xff);
        assert_eq!(proven(one, high), Err(EvidenceError::MalformedSignature));
        // Signed for another Router: another key comes out.
        let mut foreign = sign(SECRET, batch(2));
        let router = RouterDomain {
            chain_id: 2,
            ..DOMAIN
        };
        let SealStatement::Batch(header) = foreign.statement else {
            return;
        };
        foreign.signature = CompactSignature::sign(&SECRET, header.digest(&router)).unwrap();
        assert_eq!(proven(one, foreign), Err(EvidenceError::DifferentSigners));
    }
}
