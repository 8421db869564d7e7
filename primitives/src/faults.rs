//! What proves that a validator has said of a round, or in a slot, what it must not say: protocol.md, section 4.
//!
//! A key signs one statement on a block and one promise in a slot, whatever it computes later: two are a fault, and the two
//! signatures prove it to anybody who knows chain and Router. A statement or a promise against the certificate of its block is
//! a fault as far as the quorum is right, so the certificate is part of the evidence, and whoever takes it decides what it is
//! worth. The node collects evidence from what it is told (`certificates`), `pallet-slashing` takes it.

use crate::{
    batch::RouterDomain,
    certificate::{Certificate, PromiseStatement, RoundStatement, SignedPromise},
    evidence::EvidenceError,
    quorum::Member,
    signature::CompactSignature,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// A statement on a round with a signature of its digest.
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
pub struct RoundSignature {
    /// What is said.
    pub statement: RoundStatement,
    /// The signature, by the validator's Ethereum key.
    pub signature: CompactSignature,
}

/// Two statements on the round of one block by one key.
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
pub struct TwoRounds {
    /// One.
    pub first: RoundSignature,
    /// The other. Their order does not matter.
    pub second: RoundSignature,
}

/// Two promises for one slot by one key.
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
pub struct TwoPromises {
    /// One.
    pub first: SignedPromise,
    /// The other. Their order does not matter.
    pub second: SignedPromise,
}

/// A statement on a round that is not what a quorum of the same set has signed of that block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct WrongRound {
    /// What the validator has said.
    pub round: RoundSignature,
    /// What the quorum says.
    pub certificate: Certificate,
}

/// A promise of another outcome than the one that a quorum has signed of that block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct BrokenPromise {
    /// What the validator has promised.
    pub promise: SignedPromise,
    /// What the quorum says.
    pub certificate: Certificate,
}

/// Who is at fault about the round of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundCulprit {
    /// Address of the key that signed.
    pub address: H160,
    /// The sets in whose names it signed; twice the same as a rule.
    pub sets: [u64; 2],
    /// The greatest number that was given to the block.
    pub block_number: u64,
    /// The block's hash.
    pub block_hash: H256,
}

/// Who is at fault in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotCulprit {
    /// Address of the key that signed.
    pub address: H160,
    /// The sets in whose names it signed; twice the same as a rule.
    pub sets: [u64; 2],
    /// The slot.
    pub slot: u64,
}

/// Who has signed, by the caller's function.
fn signer(
    signature: &CompactSignature,
    digest: H256,
    recover: impl Fn(&CompactSignature, H256) -> Option<H160>,
) -> Result<H160, EvidenceError> {
    recover(signature, digest).ok_or(EvidenceError::MalformedSignature)
}

/// Who has signed both.
fn one_signer(
    signed: [(&CompactSignature, H256); 2],
    recover: impl Fn(&CompactSignature, H256) -> Option<H160>,
) -> Result<H160, EvidenceError> {
    let [(first, one), (second, other)] = signed;
    let address = signer(first, one, &recover)?;
    if signer(second, other, &recover)? == address {
        Ok(address)
    } else {
        Err(EvidenceError::DifferentSigners)
    }
}

impl TwoRounds {
    /// Whose fault it proves, by `recover`: the library's [`CompactSignature::recover`], or the host's. Whether that key
    /// belongs to a validator is for the caller to know.
    ///
    /// # Errors
    ///
    /// Why it proves none.
    pub fn culprit(
        &self,
        genesis: H256,
        domain: &RouterDomain,
        recover: impl Fn(&CompactSignature, H256) -> Option<H160>,
    ) -> Result<RoundCulprit, EvidenceError> {
        let (first, second) = (&self.first.statement, &self.second.statement);
        // What costs nothing comes first.
        if first.block_hash != second.block_hash {
            return Err(EvidenceError::DifferentBlocks);
        }
        if first == second {
            return Err(EvidenceError::SameDigest);
        }
        let signed = [&self.first, &self.second]
            .map(|signed| (&signed.signature, signed.statement.digest(genesis, domain)));
        Ok(RoundCulprit {
            address: one_signer(signed, recover)?,
            sets: [first.set_id, second.set_id],
            block_number: first.block_number.max(second.block_number),
            block_hash: first.block_hash,
        })
    }
}

impl TwoPromises {
    /// Whose fault it proves: see [`TwoRounds::culprit`].
    ///
    /// # Errors
    ///
    /// Why it proves none.
    pub fn culprit(
        &self,
        genesis: H256,
        domain: &RouterDomain,
        recover: impl Fn(&CompactSignature, H256) -> Option<H160>,
    ) -> Result<SlotCulprit, EvidenceError> {
        let (first, second) = (&self.first.statement, &self.second.statement);
        if first.slot != second.slot {
            return Err(EvidenceError::DifferentSlots);
        }
        if first == second {
            return Err(EvidenceError::SameDigest);
        }
        let signed = [&self.first, &self.second]
            .map(|signed| (&signed.signature, signed.statement.digest(genesis, domain)));
        Ok(SlotCulprit {
            address: one_signer(signed, recover)?,
            sets: [first.set_id, second.set_id],
            slot: first.slot,
        })
    }
}

/// Checks a certificate against `members`, the set that it names, and names the culprit.
fn against(
    certificate: &Certificate,
    signed: (&CompactSignature, H256),
    set_id: u64,
    (genesis, domain): (H256, &RouterDomain),
    members: &[Member],
    recover: impl Fn(&CompactSignature, H256) -> Option<H160>,
) -> Result<RoundCulprit, EvidenceError> {
    let (signature, digest) = signed;
    let address = signer(signature, digest, &recover)?;
    certificate
        .verify_by(genesis, domain, members, recover)
        .map_err(|_| EvidenceError::NoCertificate)?;
    Ok(RoundCulprit {
        address,
        sets: [set_id; 2],
        // The quorum's word, not the culprit's.
        block_number: certificate.statement.block_number,
        block_hash: certificate.statement.block_hash,
    })
}

impl WrongRound {
    /// Whose fault it proves, if the quorum of `members`, the set that the certificate names, is right. See
    /// [`TwoRounds::culprit`].
    ///
    /// # Errors
    ///
    /// Why it proves none.
    pub fn culprit(
        &self,
        genesis: H256,
        domain: &RouterDomain,
        members: &[Member],
        recover: impl Fn(&CompactSignature, H256) -> Option<H160>,
    ) -> Result<RoundCulprit, EvidenceError> {
        let (said, decided) = (&self.round.statement, &self.certificate.statement);
        if said.block_hash != decided.block_hash {
            return Err(EvidenceError::DifferentBlocks);
        }
        if said.set_id != decided.set_id {
            return Err(EvidenceError::DifferentSets);
        }
        if said == decided {
            return Err(EvidenceError::SameDigest);
        }
        against(
            &self.certificate,
            (&self.round.signature, said.digest(genesis, domain)),
            said.set_id,
            (genesis, domain),
            members,
            recover,
        )
    }
}

impl BrokenPromise {
    /// Whether a promise of that statement is broken by that outcome of its block, in the name of that set.
    ///
    /// A block's author is of the set before the block, those who certify it are of the set after it: the promise may name the
    /// set before the certificate's.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub fn is_broken(
        said: &PromiseStatement,
        decided: &RoundStatement,
    ) -> Result<(), EvidenceError> {
        if said.block_hash != decided.block_hash {
            Err(EvidenceError::DifferentBlocks)
        } else if decided.set_id != said.set_id
            && decided.set_id.checked_sub(1) != Some(said.set_id)
        {
            Err(EvidenceError::DifferentSets)
        } else if said.outcome == decided.outcome {
            Err(EvidenceError::SameDigest)
        } else {
            Ok(())
        }
    }

    /// Whose fault it proves: see [`WrongRound::culprit`].
    ///
    /// # Errors
    ///
    /// Why it proves none.
    pub fn culprit(
        &self,
        genesis: H256,
        domain: &RouterDomain,
        members: &[Member],
        recover: impl Fn(&CompactSignature, H256) -> Option<H160>,
    ) -> Result<RoundCulprit, EvidenceError> {
        let said = &self.promise.statement;
        Self::is_broken(said, &self.certificate.statement)?;
        against(
            &self.certificate,
            (&self.promise.signature, said.digest(genesis, domain)),
            said.set_id,
            (genesis, domain),
            members,
            recover,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{certificate::Tally, ethereum::BlockId, signature::address_of_secret};

    const GENESIS: H256 = H256::repeat_byte(0x69);
    const DOMAIN: RouterDomain = RouterDomain {
        chain_id: 1,
        router: H160::repeat_byte(7),
    };

    fn recover(signature: &CompactSignature, digest: H256) -> Option<H160> {
        signature.recover(digest).ok()
    }

    fn secret(seed: u8) -> [u8; 32] {
        [seed; 32]
    }

    fn address(seed: u8) -> H160 {
        address_of_secret(&secret(seed)).unwrap()
    }

    fn members() -> Vec<Member> {
        (1..=4)
            .map(|seed| Member {
                address: address(seed),
                weight: 10,
            })
            .collect()
    }

    fn statement(block: u8, outcome: u8) -> RoundStatement {
        RoundStatement {
            set_id: 2,
            block_number: 5,
            block_hash: H256::repeat_byte(block),
            anchor: BlockId::default(),
            outcome: H256::repeat_byte(outcome),
        }
    }

    fn round(seed: u8, statement: RoundStatement) -> RoundSignature {
        let digest = statement.digest(GENESIS, &DOMAIN);
        RoundSignature {
            statement,
            signature: CompactSignature::sign(&secret(seed), digest).unwrap(),
        }
    }

    fn promise(seed: u8, slot: u64, block: u8, outcome: u8) -> SignedPromise {
        let statement = PromiseStatement {
            set_id: 2,
            slot,
            block_hash: H256::repeat_byte(block),
            outcome: H256::repeat_byte(outcome),
        };
        let digest = statement.digest(GENESIS, &DOMAIN);
        SignedPromise {
            statement,
            signature: CompactSignature::sign(&secret(seed), digest).unwrap(),
        }
    }

    fn certificate(statement: RoundStatement, signers: &[u8]) -> Certificate {
        let members = members();
        let mut tally = Tally::new(statement, members.len());
        for seed in signers {
            let place = usize::from(*seed) - 1;
            tally.add(place, &members[place], round(*seed, statement).signature);
        }
        // Made by hand, so that there is one without a quorum.
        tally.certificate(&members).unwrap_or_else(|| Certificate {
            statement,
            signers: crate::quorum::bitmap(signers.iter().map(|seed| usize::from(*seed) - 1)),
            signatures: signers
                .iter()
                .map(|seed| round(*seed, statement).signature)
                .collect(),
        })
    }

    #[test]
    fn two_statements_on_one_block_prove_a_fault() {
        let proven = |first, second| TwoRounds { first, second }.culprit(GENESIS, &DOMAIN, recover);
        let one = round(1, statement(9, 1));
        let expected = RoundCulprit {
            address: address(1),
            sets: [2, 2],
            block_number: 5,
            block_hash: H256::repeat_byte(9),
        };
        assert_eq!(proven(one, round(1, statement(9, 2))), Ok(expected));
        assert_eq!(proven(round(1, statement(9, 2)), one), Ok(expected));
        // Any field counts, not the outcome alone.
        let mut renumbered = statement(9, 1);
        renumbered.block_number = 6;
        assert_eq!(
            proven(one, round(1, renumbered)),
            Ok(RoundCulprit {
                block_number: 6,
                ..expected
            })
        );
        assert_eq!(proven(one, one), Err(EvidenceError::SameDigest));
        assert_eq!(
            proven(one, round(1, statement(8, 2))),
            Err(EvidenceError::DifferentBlocks)
        );
        assert_eq!(
            proven(one, round(2, statement(9, 2))),
            Err(EvidenceError::DifferentSigners)
        );
        let mut forged = round(1, statement(9, 2));
        forged.signature.0[32..].fill(0xff);
        assert_eq!(proven(one, forged), Err(EvidenceError::MalformedSignature));
        // Signed for another Router, another chain.
        let foreign = RouterDomain {
            chain_id: 2,
            ..DOMAIN
        };
        for digest in [
            statement(9, 2).digest(GENESIS, &foreign),
            statement(9, 2).digest(H256::zero(), &DOMAIN),
        ] {
            let mut other = round(1, statement(9, 2));
            other.signature = CompactSignature::sign(&secret(1), digest).unwrap();
            assert_eq!(proven(one, other), Err(EvidenceError::DifferentSigners));
        }
    }

    #[test]
    fn two_promises_for_one_slot_prove_a_fault() {
        let proven =
            |first, second| TwoPromises { first, second }.culprit(GENESIS, &DOMAIN, recover);
        let one = promise(1, 7, 9, 1);
        let expected = SlotCulprit {
            address: address(1),
            sets: [2, 2],
            slot: 7,
        };
        assert_eq!(proven(one, promise(1, 7, 9, 2)), Ok(expected));
        assert_eq!(proven(one, promise(1, 7, 8, 1)), Ok(expected));
        assert_eq!(proven(one, one), Err(EvidenceError::SameDigest));
        assert_eq!(
            proven(one, promise(1, 8, 9, 2)),
            Err(EvidenceError::DifferentSlots)
        );
        assert_eq!(
            proven(one, promise(2, 7, 9, 2)),
            Err(EvidenceError::DifferentSigners)
        );
    }

    #[test]
    fn a_statement_against_the_certificate_proves_a_fault() {
        let set = members();
        let proven = |round, certificate| {
            WrongRound { round, certificate }.culprit(GENESIS, &DOMAIN, &set, recover)
        };
        let good = certificate(statement(9, 1), &[1, 2, 3]);
        let culprit = proven(round(4, statement(9, 2)), good.clone()).unwrap();
        assert_eq!(culprit.address, address(4));
        assert_eq!(
            proven(round(4, statement(9, 1)), good.clone()),
            Err(EvidenceError::SameDigest)
        );
        assert_eq!(
            proven(round(4, statement(8, 2)), good.clone()),
            Err(EvidenceError::DifferentBlocks)
        );
        let mut older = statement(9, 2);
        older.set_id = 1;
        assert_eq!(
            proven(round(4, older), good.clone()),
            Err(EvidenceError::DifferentSets)
        );
        assert_eq!(
            proven(
                round(4, statement(9, 2)),
                certificate(statement(9, 1), &[1, 2])
            ),
            Err(EvidenceError::NoCertificate)
        );
        // The number is the quorum's.
        let mut renumbered = statement(9, 2);
        renumbered.block_number = 1;
        assert_eq!(proven(round(4, renumbered), good).unwrap().block_number, 5);
    }

    #[test]
    fn a_promise_against_the_certificate_is_broken() {
        let set = members();
        let proven = |promise, certificate| {
            BrokenPromise {
                promise,
                certificate,
            }
            .culprit(GENESIS, &DOMAIN, &set, recover)
        };
        let good = certificate(statement(9, 1), &[1, 2, 3]);
        let culprit = proven(promise(4, 7, 9, 2), good.clone()).unwrap();
        assert_eq!((culprit.address, culprit.sets), (address(4), [2, 2]));
        assert_eq!(
            proven(promise(4, 7, 9, 1), good.clone()),
            Err(EvidenceError::SameDigest)
        );
        assert_eq!(
            proven(promise(4, 7, 8, 2), good),
            Err(EvidenceError::DifferentBlocks)
        );
        // The author of a set's first block is of the set before.
        for (set_id, taken) in [(1, false), (2, true), (3, true), (4, false)] {
            let mut decided = statement(9, 1);
            decided.set_id = set_id;
            let certificate = certificate(decided, &[1, 2, 3]);
            let result = proven(promise(4, 7, 9, 2), certificate);
            assert_eq!(result.is_ok(), taken, "{result:?}");
        }
    }
}
