//! Sends the letters when they are due, whatever the answers are, and writes down what was answered.

use crate::{
    feed::{Feed, Letter},
    plan::{Message, Plan},
    programs::Programs,
    target::Target,
};
use anyhow::{Context, Result};
use gear_exe_client::{Client, Error};
use gear_exe_primitives::MessageId;
use gear_exe_tests::wallet::{self, Wallet, sent};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The least pause: messages that are due within it are sent together.
const TICK: Duration = Duration::from_millis(1);
/// Transactions that may wait to be sent to Ethereum.
const ETHEREUM_QUEUE: usize = 65_536;

/// What a node said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It has taken the message.
    Accepted,
    /// It has not, for this reason.
    Refused(String),
    /// It has not answered: nobody knows whether it has taken the message.
    Nothing(String),
}

/// A message that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Which.
    pub message: Message,
    /// Its id; of one through Ethereum only if it was mined.
    pub id: Option<MessageId>,
    /// Which node got it, and tells of it.
    pub node: usize,
    /// Just before it was sent.
    pub at: Instant,
    /// When the answer came.
    pub answered: Instant,
    /// The answer.
    pub said: Said,
    /// Bytes of the request's parameter.
    pub bytes: usize,
    /// How much later than due it was sent.
    pub late: Duration,
}

fn refusal(error: Error) -> Said {
    match error {
        Error::Refused { reason } => Said::Refused(reason),
        Error::Interrupted { reason, .. } => Said::Nothing(reason),
        Error::Unreachable { reason, .. } => Said::Refused(format!("no connection: {reason}")),
        Error::Answered { message, data, .. } => {
            Said::Refused(format!("{message}: {}", data.unwrap_or_default()))
        }
        other => Said::Nothing(other.to_string()),
    }
}

/// Sends one letter, and tells what became of it.
async fn post(
    client: Client,
    letter: Letter,
    node: usize,
    due: Instant,
    done: mpsc::UnboundedSender<Sent>,
) {
    let Some((signed, id)) = letter.signed else {
        return;
    };
    let at = Instant::now();
    let answer = client.send(&signed).await;
    // Nobody listens only when the run is broken off.
    let _ = done.send(Sent {
        message: letter.message,
        id: Some(id),
        node,
        at,
        answered: Instant::now(),
        said: answer.map_or_else(refusal, |()| Said::Accepted),
        bytes: letter.bytes,
        late: at.saturating_duration_since(due),
    });
}

/// Sends what goes through Ethereum, one after the other, and looks afterwards which ids the messages got.
async fn ethereum(
    wallet: Wallet,
    programs: Programs,
    mut due: mpsc::Receiver<(Message, Instant)>,
) -> Result<Vec<Sent>> {
    let mut all = Vec::new();
    while let Some((message, due)) = due.recv().await {
        let (to, payload) = programs.letter(&message)?;
        let at = Instant::now();
        let bytes = payload.len();
        let submitted = wallet.submit(wallet::message(to, &payload, 0)).await;
        all.push((message, to, due, at, Instant::now(), bytes, submitted));
    }
    let mut told = Vec::new();
    for (message, to, due, at, answered, bytes, submitted) in all {
        let (id, said) = match submitted {
            Ok(hash) => match wallet.mined(hash).await {
                Ok(receipt) => {
                    let id = MessageId::from(sent(to, &receipt)?.id.0);
                    (Some(id), Said::Accepted)
                }
                Err(error) => (None, Said::Refused(format!("Ethereum: {error}"))),
            },
            Err(error) => (None, Said::Refused(format!("Ethereum: {error}"))),
        };
        told.push(Sent {
            message,
            id,
            node: 0,
            at,
            answered,
            said,
            bytes,
            late: at.saturating_duration_since(due),
        });
    }
    Ok(told)
}

/// Sends all letters of a run. Returns what was sent, in the order of the answers, and when it began.
///
/// # Errors
///
/// If letters cannot be written, or Ethereum cannot be asked.
pub async fn drive(
    plan: &Plan,
    target: &Target,
    programs: &Programs,
    mut feed: Feed,
) -> Result<(Vec<Sent>, Instant)> {
    let (done, mut answers) = mpsc::unbounded_channel();
    let (mail, due) = mpsc::channel(ETHEREUM_QUEUE);
    let by_ethereum = tokio::spawn(ethereum(target.ethereum.clone(), programs.clone(), due));
    let began = Instant::now();
    let mut number = 0;
    while let Some(letter) = feed.next().await? {
        let due = began + plan.due(number);
        if let Some(early) = due.checked_duration_since(Instant::now())
            && early > TICK
        {
            tokio::time::sleep(early).await;
        }
        if letter.message.ethereum {
            mail.send((letter.message, due))
                .await
                .context("nobody sends to Ethereum")?;
        } else {
            let node = usize::try_from(number)? % target.nodes.len().max(1);
            let client = target.nodes.get(node).context("no nodes")?.clone();
            tokio::spawn(post(client, letter, node, due, done.clone()));
        }
        number += 1;
    }
    drop((done, mail));
    let mut sent = Vec::new();
    while let Some(one) = answers.recv().await {
        sent.push(one);
    }
    sent.extend(by_ethereum.await??);
    Ok((sent, began))
}
