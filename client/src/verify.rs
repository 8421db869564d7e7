//! Whether to believe a receipt: offline, with nothing but the validators that the Router holds.

use gear_exe_ethereum::client::{ClientError, RouterClient};
use gear_exe_primitives::{
    H256,
    batch::RouterDomain,
    certificate::{Certificate, CertificateError, ReceiptProof},
    hashing::keccak256,
    message::Receipt,
    quorum::Member,
};

use crate::Promise;

/// The validators of one set, as the Router holds them. With this a receipt is verified without asking anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorSet {
    /// Genesis hash of the chain that settles at the Router.
    pub genesis: H256,
    /// The Router.
    pub domain: RouterDomain,
    /// Number of the set.
    pub set_id: u64,
    /// Who is in it, in the Router's order.
    pub members: Vec<Member>,
}

/// Why a receipt is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Another set has signed. Read the Router again: validators may have changed since.
    #[error("set {signed} has signed, and this is set {held}; read the Router's validators again")]
    OtherSet {
        /// Number of this set.
        held: u64,
        /// Number of the set that has signed.
        signed: u64,
    },
    /// The certificate proves nothing.
    #[error("the certificate proves nothing: {0:?}")]
    Certificate(CertificateError),
    /// The author has not signed the promise, or is no validator.
    #[error("the promise is not signed by a validator of this set")]
    NotTheAuthor,
    /// What is signed is of another receipt.
    #[error("the receipt does not belong to the round that was signed")]
    OtherReceipt,
    /// The reply is another than the receipt's.
    #[error("this is not the reply that the receipt is of")]
    OtherReply,
}

impl ValidatorSet {
    /// Reads the set that the Router holds now.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if Ethereum does not answer.
    pub async fn read(router: &RouterClient) -> Result<Self, ClientError> {
        let (set_id, members) = router.validators().await?;
        Ok(Self {
            genesis: router.chain_genesis().await?,
            domain: router.domain(),
            set_id,
            members,
        })
    }

    fn holds(&self, signed: u64) -> Result<(), VerifyError> {
        if signed == self.set_id {
            Ok(())
        } else {
            let held = self.set_id;
            Err(VerifyError::OtherSet { held, signed })
        }
    }

    /// Whether a quorum of this set has signed the round that the receipt is in. Returns the receipt that this proves.
    ///
    /// # Errors
    ///
    /// [`VerifyError`].
    pub fn verify<'a>(
        &self,
        proof: &'a ReceiptProof,
        certificate: &Certificate,
    ) -> Result<&'a Receipt, VerifyError> {
        self.holds(certificate.statement.set_id)?;
        certificate
            .verify(self.genesis, &self.domain, &self.members)
            .map_err(VerifyError::Certificate)?;
        if proof.is_certified_by(certificate) {
            Ok(&proof.receipt)
        } else {
            Err(VerifyError::OtherReceipt)
        }
    }

    /// Whether one validator of this set has promised the outcome that the receipt is in. That it was its turn to make the
    /// block is not checked: one validator's word is worth what that validator would lose.
    ///
    /// # Errors
    ///
    /// [`VerifyError`].
    pub fn verify_promise<'a>(
        &self,
        proof: &'a ReceiptProof,
        promise: &Promise,
    ) -> Result<&'a Receipt, VerifyError> {
        self.holds(promise.statement.set_id)?;
        let digest = promise.statement.digest(self.genesis, &self.domain);
        let signed = promise.signature.recover(digest) == Ok(promise.author);
        let is_member = self
            .members
            .iter()
            .any(|member| member.address == promise.author);
        if !signed || !is_member {
            return Err(VerifyError::NotTheAuthor);
        }
        if proof.outcome() == Some(promise.statement.outcome) {
            Ok(&proof.receipt)
        } else {
            Err(VerifyError::OtherReceipt)
        }
    }
}

/// Whether a reply is the one that a receipt is of.
///
/// # Errors
///
/// [`VerifyError::OtherReply`].
pub fn verify_reply(receipt: &Receipt, payload: &[u8]) -> Result<(), VerifyError> {
    if keccak256([payload]) == receipt.payload_hash {
        Ok(())
    } else {
        Err(VerifyError::OtherReply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::{
        ActorId, H160, MessageId,
        certificate::{PromiseStatement, RoundStatement, Tally, outcome_root},
        ethereum::BlockId,
        merkle,
        message::ReplyCode,
        signature::{CompactSignature, address_of_secret},
    };

    const SECRETS: [[u8; 32]; 4] = [[1; 32], [2; 32], [3; 32], [4; 32]];

    fn set() -> ValidatorSet {
        let members = SECRETS.map(|secret| Member {
            address: address_of_secret(&secret).unwrap(),
            weight: 10,
        });
        ValidatorSet {
            genesis: H256::repeat_byte(0x69),
            domain: RouterDomain {
                chain_id: 1,
                router: H160::repeat_byte(0x70),
            },
            set_id: 3,
            members: members.to_vec(),
        }
    }

    fn proof() -> ReceiptProof {
        let receipt = Receipt {
            message_id: MessageId(H256::repeat_byte(5)),
            program_id: ActorId::zero(),
            code: ReplyCode::SUCCESS_MANUAL,
            payload_hash: keccak256([b"PONG"]),
            value: 0,
            gas_burned: 7,
            round: 9,
        };
        ReceiptProof {
            receipt,
            index: 0,
            count: 1,
            siblings: Vec::new(),
            receipts_root: merkle::root(vec![receipt.leaf()]),
            state_root: H256::repeat_byte(1),
            transitions: H256::repeat_byte(2),
        }
    }

    fn certificate(set: &ValidatorSet, proof: &ReceiptProof, signers: usize) -> Certificate {
        let statement = RoundStatement {
            set_id: set.set_id,
            block_number: proof.receipt.round,
            block_hash: H256::repeat_byte(8),
            anchor: BlockId::default(),
            outcome: outcome_root(proof.receipts_root, proof.state_root, proof.transitions),
        };
        let digest = statement.digest(set.genesis, &set.domain);
        let mut tally = Tally::new(statement, set.members.len());
        for (place, secret) in SECRETS.iter().enumerate().take(signers) {
            let signature = CompactSignature::sign(secret, digest).unwrap();
            assert!(tally.add(place, &set.members[place], signature));
        }
        tally.certificate(&set.members).unwrap()
    }

    #[test]
    fn a_quorum_of_this_set_is_believed_and_nobody_else() {
        let (set, proof) = (set(), proof());
        let good = certificate(&set, &proof, 3);
        assert_eq!(set.verify(&proof, &good), Ok(&proof.receipt));
        assert_eq!(verify_reply(&proof.receipt, b"PONG"), Ok(()));
        assert_eq!(
            verify_reply(&proof.receipt, b"PING"),
            Err(VerifyError::OtherReply)
        );

        let later = ValidatorSet {
            set_id: 4,
            ..set.clone()
        };
        assert_eq!(
            later.verify(&proof, &good),
            Err(VerifyError::OtherSet { held: 4, signed: 3 })
        );
        let elsewhere = ValidatorSet {
            genesis: H256::zero(),
            ..set.clone()
        };
        assert_eq!(
            elsewhere.verify(&proof, &good),
            Err(VerifyError::Certificate(CertificateError::NotTheMember(0)))
        );
        let mut few = good.clone();
        few.signers = vec![0b11];
        few.signatures.pop();
        assert_eq!(
            set.verify(&proof, &few),
            Err(VerifyError::Certificate(CertificateError::NoQuorum))
        );
        let mut changed = proof.clone();
        changed.receipt.code = ReplyCode::USERSPACE_PANIC;
        assert_eq!(set.verify(&changed, &good), Err(VerifyError::OtherReceipt));
    }

    #[test]
    fn a_promise_is_a_validator_s_own_word_on_this_outcome() {
        let (set, proof) = (set(), proof());
        let statement = PromiseStatement {
            set_id: set.set_id,
            slot: 77,
            block_hash: H256::repeat_byte(8),
            outcome: proof.outcome().unwrap(),
        };
        let promise = |secret: [u8; 32], statement: PromiseStatement| Promise {
            statement,
            signature: CompactSignature::sign(&secret, statement.digest(set.genesis, &set.domain))
                .unwrap(),
            author: address_of_secret(&secret).unwrap(),
        };
        let good = promise(SECRETS[1], statement);
        assert_eq!(set.verify_promise(&proof, &good), Ok(&proof.receipt));
        let stranger = promise([9; 32], statement);
        assert_eq!(
            set.verify_promise(&proof, &stranger),
            Err(VerifyError::NotTheAuthor)
        );
        let stolen = Promise {
            author: set.members[0].address,
            ..good
        };
        assert_eq!(
            set.verify_promise(&proof, &stolen),
            Err(VerifyError::NotTheAuthor)
        );
        let other = promise(
            SECRETS[1],
            PromiseStatement {
                outcome: H256::zero(),
                ..statement
            },
        );
        assert_eq!(
            set.verify_promise(&proof, &other),
            Err(VerifyError::OtherReceipt)
        );
    }
}
