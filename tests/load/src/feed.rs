//! Signs messages on threads of its own, some seconds ahead, so that signing is not what a run measures.

use crate::{
    plan::{Message, Plan},
    programs::Programs,
};
use anyhow::{Context, Result};
use gear_exe_client::Signer;
use gear_exe_primitives::{
    H160, H256, MessageId,
    batch::RouterDomain,
    native::{NativeTransaction, SignedNative, SigningForm},
};
use std::{
    sync::Arc,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::{mpsc, watch};

/// Seconds of a run for which messages are signed ahead: far less than the window of their reference block.
const AHEAD: f64 = 3.0;
/// The least number of messages that one thread is ahead, and the greatest.
const LETTERS: (f64, f64) = (8.0, 16_384.0);

/// A message that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its place in the run.
    pub message: Message,
    /// What is sent, and its id; nothing if it goes through Ethereum.
    pub signed: Option<(SignedNative, MessageId)>,
    /// Bytes of the request's parameter, as JSON.
    pub bytes: usize,
}

/// The letters of a run, in order.
#[derive(Debug)]
pub struct Feed {
    threads: Vec<mpsc::Receiver<Result<Letter>>>,
    /// How many letters each thread is ahead, at most.
    ahead: usize,
    next: usize,
}

/// How many letters each thread may be ahead.
fn ahead(plan: &Plan, threads: usize) -> usize {
    (plan.rate * AHEAD / threads as f64).clamp(LETTERS.0, LETTERS.1) as usize
}

struct Desk {
    plan: Plan,
    programs: Programs,
    signers: Vec<Signer>,
    domain: RouterDomain,
    reference: watch::Receiver<H256>,
    /// What tells this run's messages from another's.
    run: u64,
}

impl Desk {
    fn write(&self, number: u64) -> Result<Letter> {
        let message = self.plan.message(number);
        if message.ethereum {
            return Ok(Letter {
                message,
                signed: None,
                bytes: 0,
            });
        }
        let (to, payload) = self.programs.letter(&message)?;
        let signer = self.signers.get(message.sender).context("no sender")?;
        let transaction = NativeTransaction {
            destination: H160(to.into_array()),
            payload,
            value: 0,
            reference_block: *self.reference.borrow(),
            salt: [self.run.to_be_bytes(), number.to_be_bytes()].concat(),
        };
        let signed = signer.sign(transaction, SigningForm::Typed)?;
        let id = signed.id(&self.domain);
        Ok(Letter {
            message,
            bytes: serde_json::to_vec(&signed)?.len(),
            signed: Some((signed, id)),
        })
    }
}

impl Feed {
    /// Begins to sign. `reference` is the Ethereum block to which messages refer, kept up to date by the caller.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started.
    pub fn start(
        plan: &Plan,
        programs: &Programs,
        domain: RouterDomain,
        reference: &watch::Receiver<H256>,
    ) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let desk = Arc::new(Desk {
            plan: plan.clone(),
            programs: programs.clone(),
            signers: Programs::signers(plan, domain)?,
            domain,
            reference: reference.clone(),
            run: u64::try_from(now.as_nanos())?,
        });
        let threads = plan.threads.max(1);
        let ahead = ahead(plan, threads);
        let mut receivers = Vec::new();
        for first in 0..threads as u64 {
            let (sender, receiver) = mpsc::channel(ahead);
            let desk = desk.clone();
            thread::Builder::new()
                .name(format!("sign-{first}"))
                .spawn(move || {
                    let mine = (first..desk.plan.total()).step_by(threads);
                    for number in mine {
                        // Nobody reads on: the run has ended.
                        if sender.blocking_send(desk.write(number)).is_err() {
                            return;
                        }
                    }
                })?;
            receivers.push(receiver);
        }
        Ok(Self {
            threads: receivers,
            ahead,
            next: 0,
        })
    }

    /// The next letter; nothing after the last.
    ///
    /// # Errors
    ///
    /// If it could not be written.
    pub async fn next(&mut self) -> Result<Option<Letter>> {
        let many = self.threads.len();
        let Some(thread) = self.threads.get_mut(self.next) else {
            return Ok(None);
        };
        self.next = (self.next + 1) % many;
        thread.recv().await.transpose()
    }

    /// Waits until some letters are written, so that the first are not late.
    pub async fn warm(&self) {
        let is_ready =
            |thread: &mpsc::Receiver<_>| thread.is_closed() || thread.len() >= self.ahead / 2;
        for _ in 0..100 {
            if self.threads.iter().all(is_ready) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_signed_seconds_ahead_and_not_more() {
        let at = |rate, threads| {
            ahead(
                &Plan {
                    rate,
                    ..Plan::default()
                },
                threads,
            )
        };
        assert_eq!(at(1.0, 1), 8);
        assert_eq!(at(100.0, 1), 300);
        assert_eq!(at(1_000.0, 2), 1_500);
        assert_eq!(at(1e9, 1), 16_384);
    }
}
