//! What others say: judged, counted, and held against them.

use super::{
    CertificateService, Judged, Said,
    book::{Noted, SignedRound},
    faults::EvidenceOf,
    promises::Heard,
};
use crate::{
    metrics::Alarm,
    store::{CERTIFICATES, put},
};
use gear_exe_primitives::{
    H160, H256,
    certificate::{Certificate, SignedPromise},
    faults::{BrokenPromise, RoundSignature, TwoPromises, TwoRounds, WrongRound},
    quorum::Member,
};
use pallet_slashing::Evidence;
use std::sync::{Arc, atomic::Ordering};

impl From<SignedRound> for RoundSignature {
    fn from(signed: SignedRound) -> Self {
        Self {
            statement: signed.statement,
            signature: signed.signature,
        }
    }
}

impl CertificateService {
    /// Looks at what somebody else says, and counts it if it is true.
    pub fn judge(&self, said: Said) -> Judged {
        match said {
            Said::Round(signed) => self.judge_round(signed),
            Said::Promise(promise) => self.judge_promise(promise),
        }
    }

    fn judge_round(&self, signed: SignedRound) -> Judged {
        let statement = signed.statement;
        if !self.is_kept(statement.block_number) {
            return Judged::Unknown;
        }
        let Some(members) = self.members(statement.set_id) else {
            return Judged::Unknown;
        };
        let digest = statement.digest(self.parts.genesis, &self.parts.domain);
        let signer = members.get(signed.place as usize);
        if signer.map(|member| Ok(member.address)) != Some(signed.signature.recover(digest)) {
            return Judged::Forged;
        }
        self.count(signed, &members)
    }

    /// Counts a statement whose signature is that of the member at its place.
    pub(super) fn count(&self, signed: SignedRound, members: &Arc<[Member]>) -> Judged {
        let noted = self.book.lock().note(signed, members);
        let signer = members.get(signed.place as usize);
        let signer = signer.map(|member| member.address);
        match noted {
            Noted::New => Judged::Counts,
            Noted::Known => Judged::Known,
            Noted::Ignored => Judged::Unknown,
            Noted::Certified(certificate) => {
                self.certify(certificate, members);
                Judged::Counts
            }
            Noted::Contradiction(first) => {
                self.parts.metrics.contradictions.inc();
                if let Some(signer) = signer {
                    let evidence = Evidence::TwoRounds(TwoRounds {
                        first: (*first).into(),
                        second: signed.into(),
                    });
                    self.accuse(evidence, signer, "has signed two outcomes of one block");
                }
                Judged::Known
            }
            Noted::Against(certificate) => {
                if let Some(signer) = signer {
                    self.accuse_of_wrong_round(signed, *certificate, signer);
                }
                Judged::Counts
            }
        }
    }

    fn judge_promise(&self, promise: SignedPromise) -> Judged {
        let statement = promise.statement;
        if !self.promises.lock().keeps(statement.slot) {
            return Judged::Unknown;
        }
        let Some(members) = self.members(statement.set_id) else {
            return Judged::Unknown;
        };
        let digest = statement.digest(self.parts.genesis, &self.parts.domain);
        let Ok(signer) = promise.signature.recover(digest) else {
            return Judged::Forged;
        };
        if !members.iter().any(|member| member.address == signer) {
            return Judged::Forged;
        }
        // First, so that a member that floods costs no more than its signatures.
        let heard = self.promises.lock().note(promise, signer);
        match heard {
            Heard::New => {}
            Heard::Known => return Judged::Known,
            Heard::Ignored => return Judged::Unknown,
            Heard::Contradiction(first) => {
                let evidence = Evidence::TwoPromises(TwoPromises {
                    first: *first,
                    second: promise,
                });
                self.accuse(evidence, signer, "has promised twice in one slot");
                return Judged::Known;
            }
        }
        let Some(author) = self.parts.client.author(statement.block_hash) else {
            return Judged::Early;
        };
        let expected = (author.slot, author.set_id, author.address);
        if expected != (statement.slot, statement.set_id, signer) {
            return Judged::Forged;
        }
        self.promises.lock().confirm(&author, statement.block_hash);
        self.hold_to(&promise, signer);
        Judged::Counts
    }

    /// Compares an author's promise with the certificate of its block, if there is one.
    pub(super) fn hold_to(&self, promise: &SignedPromise, author: H160) {
        // What the store lacks or cannot say is compared when there is a certificate.
        if let Ok(Some(certificate)) = self.certificate(promise.statement.block_hash) {
            self.accuse_of_broken_promise(promise, &certificate, author);
        }
    }

    fn certify(&self, certificate: Certificate, members: &[Member]) {
        let statement = certificate.statement;
        let kept = put(CERTIFICATES, statement.block_hash, &certificate);
        if let Err(error) = self.parts.store.apply_soon([kept]) {
            self.parts.metrics.raise(Alarm::StoreDamaged, error);
            return;
        }
        self.parts.metrics.certified.set(statement.block_number);
        self.parts.metrics.certificates.inc();
        tracing::debug!(
            round = statement.block_number, block = ?statement.block_hash, outcome = ?statement.outcome,
            signers = certificate.signatures.len(), "round certified"
        );
        self.compare(statement.block_number, statement.block_hash);
        let liars = self.book.lock().against(&certificate);
        for liar in liars {
            if let Some(signer) = members.get(liar.place as usize) {
                self.accuse_of_wrong_round(liar, certificate.clone(), signer.address);
            }
        }
        if let Some(author) = self.parts.client.author(statement.block_hash)
            && let Some(promise) = self.promises.lock().of(&author, statement.block_hash)
        {
            self.accuse_of_broken_promise(&promise, &certificate, author.address);
        }
        // Nobody listening is no fault.
        let _ = self.certified.send(certificate);
    }

    /// A quorum that has got something else than this node is an alarm of this node, which signs no more: whichever of the
    /// two comes first.
    pub(super) fn compare(&self, number: u64, block: H256) {
        let Some((own, decided)) = self.book.lock().differs(number, block) else {
            return;
        };
        self.halted.store(true, Ordering::Relaxed);
        self.parts.metrics.raise(
            Alarm::OutcomeDiffers,
            format!(
                "round {number}: a quorum has got {decided:?}, this node {own:?}; its store may be damaged, or its program \
                 another. It signs nothing until it is repaired and started again"
            ),
        );
    }

    fn accuse_of_wrong_round(&self, round: SignedRound, certificate: Certificate, signer: H160) {
        let evidence = Evidence::WrongRound(WrongRound {
            round: round.into(),
            certificate,
        });
        self.accuse(evidence, signer, "has signed another outcome than a quorum");
    }

    fn accuse_of_broken_promise(
        &self,
        promise: &SignedPromise,
        certificate: &Certificate,
        author: H160,
    ) {
        if BrokenPromise::is_broken(&promise.statement, &certificate.statement).is_ok() {
            let evidence = Evidence::BrokenPromise(BrokenPromise {
                promise: *promise,
                certificate: certificate.clone(),
            });
            self.accuse(evidence, author, "has broken its promise");
        }
    }

    fn accuse(&self, evidence: EvidenceOf, signer: H160, of: &str) {
        // What this node itself has done wrong is an alarm; others report it.
        if self.keys().iter().any(|(own, _)| *own == signer) {
            return;
        }
        let now = self.book.lock().newest();
        if self.accusations.make(evidence.clone(), signer, now) {
            tracing::error!(validator = ?signer, ?evidence, "a validator {of}; it is reported");
        }
    }
}
