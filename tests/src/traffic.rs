//! Users who go on whatever happens: native messages to every node in turn, and messages through Ethereum, each of which adds one
//! to a counter.
//!
//! A native message goes to two neighbouring nodes, so one of them may be away or gone with it in its pool: what either has accepted
//! must be executed, once. What nobody has answered in time may have been executed, but not twice. [`Traffic::stop`] says which is
//! which; [`Sent::check`] compares it with what the chain holds ([`crate::audit`]).

use crate::{
    audit::Audit,
    native::Native,
    wallet::{Wallet, calldata},
};
use alloy::primitives::{Address, U256};
use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use gear_exe_client::Error;
use gear_exe_primitives::{MessageId, batch::RouterDomain, native::SigningForm};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// Pause between two native messages.
const NATIVE: Duration = Duration::from_millis(350);
/// Pause between a message through Ethereum and the next, after the first is mined.
const ETHEREUM: Duration = Duration::from_millis(500);
/// How long a node may take to answer until nobody waits for it any more.
const ANSWER: Duration = Duration::from_secs(5);
/// Users, who take turns: a node gives each of them a quota.
const USERS: u8 = 8;

/// Users at work. They stop when it is dropped.
#[derive(Debug)]
pub struct Traffic {
    natives: JoinHandle<Result<Sent>>,
    ethereum: Option<JoinHandle<Result<Vec<MessageId>>>>,
    stop: watch::Sender<bool>,
}

/// What was sent.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Native messages that a node has accepted.
    pub accepted: Vec<MessageId>,
    /// Native messages of which nobody knows.
    pub unknown: Vec<MessageId>,
    /// Native messages that every node that answered has refused, and why.
    pub refused: Vec<(MessageId, String)>,
    /// Messages that Ethereum has mined.
    pub ethereum: Vec<MessageId>,
}

/// A payload that adds one to a counter.
pub fn one() -> Vec<u8> {
    calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(1)])
}

/// What became of a native message that was sent to some nodes.
enum Fate {
    Accepted,
    Unknown,
    Refused(String),
}

/// Sends a message to all of these nodes at once.
async fn post(to: Vec<Arc<Native>>, signed: gear_exe_primitives::native::SignedNative) -> Fate {
    let answers = join_all(to.iter().map(|node| {
        let send = node.client.send(&signed);
        tokio::time::timeout(ANSWER, send)
    }))
    .await;
    let mut fate = None;
    for answer in answers {
        let said = match answer {
            Ok(Ok(())) => return Fate::Accepted,
            Ok(Err(Error::Refused { reason })) => Fate::Refused(reason),
            // Nothing was sent.
            Ok(Err(error @ Error::Unreachable { .. })) => Fate::Refused(error.to_string()),
            _ => Fate::Unknown,
        };
        if !matches!(fate, Some(Fate::Unknown)) {
            fate = Some(said);
        }
    }
    fate.unwrap_or(Fate::Unknown)
}

struct Natives {
    /// By user, all nodes.
    users: Vec<Vec<Arc<Native>>>,
    reader: Wallet,
    counter: Address,
}

impl Natives {
    async fn run(self, mut stop: watch::Receiver<bool>) -> Result<Sent> {
        let mut posts = JoinSet::new();
        for number in 0.. {
            let place = usize::try_from(number)?;
            let nodes = self
                .users
                .get(place % self.users.len())
                .context("no users")?;
            let user = nodes.first().context("no nodes")?;
            let message = user
                .transaction(&self.reader, self.counter, &one(), number)
                .await?;
            let signed = user.sign(message, SigningForm::Typed)?;
            let id = signed.id(&user.domain);
            let to = [place, place + 1].map(|place| nodes.get(place % nodes.len()).cloned());
            posts
                .spawn(async move { (id, post(to.into_iter().flatten().collect(), signed).await) });
            if tokio::time::timeout(NATIVE, stop.wait_for(|stop| *stop))
                .await
                .is_ok()
            {
                break;
            }
        }
        let mut sent = Sent::default();
        while let Some(one) = posts.join_next().await {
            match one? {
                (id, Fate::Accepted) => sent.accepted.push(id),
                (id, Fate::Unknown) => sent.unknown.push(id),
                (id, Fate::Refused(reason)) => sent.refused.push((id, reason)),
            }
        }
        Ok(sent)
    }
}

async fn through_ethereum(
    wallet: Wallet,
    counter: Address,
    mut stop: watch::Receiver<bool>,
) -> Result<Vec<MessageId>> {
    let mut sent = Vec::new();
    loop {
        let one = wallet.send(counter, &one(), 0).await?;
        sent.push(MessageId::from(one.id.0));
        if tokio::time::timeout(ETHEREUM, stop.wait_for(|stop| *stop))
            .await
            .is_ok()
        {
            return Ok(sent);
        }
    }
}

impl Traffic {
    /// Begins to send to these nodes (`ws://…`), and by `user` through Ethereum unless there is none. `reader` only reads.
    ///
    /// # Errors
    ///
    /// If a node does not answer.
    pub async fn start(
        urls: &[String],
        domain: RouterDomain,
        counter: Address,
        reader: Wallet,
        user: Option<Wallet>,
    ) -> Result<Self> {
        let mut users = Vec::new();
        for user in 0..USERS {
            let mut nodes = Vec::new();
            for url in urls {
                nodes.push(Arc::new(
                    Native::connect(url, [0xa0 + user; 32], domain).await?,
                ));
            }
            users.push(nodes);
        }
        let (stop, stopped) = watch::channel(false);
        let natives = Natives {
            users,
            reader,
            counter,
        };
        Ok(Self {
            natives: tokio::spawn(natives.run(stopped.clone())),
            ethereum: user
                .map(|user| tokio::spawn(through_ethereum(user, counter, stopped.clone()))),
            stop,
        })
    }

    /// Stops, and says what was sent.
    ///
    /// # Errors
    ///
    /// If Ethereum did not answer.
    pub async fn stop(self) -> Result<Sent> {
        self.stop.send_replace(true);
        let mut sent = self.natives.await?.context("native messages")?;
        if let Some(ethereum) = self.ethereum {
            sent.ethereum = ethereum.await?.context("messages through Ethereum")?;
        }
        Ok(sent)
    }
}

impl Sent {
    /// Accepted messages that the chain does not hold.
    pub fn missing(&self, audit: &Audit) -> Vec<MessageId> {
        let must = self.accepted.iter().chain(&self.ethereum);
        must.filter(|id| !audit.receipts.contains_key(id))
            .copied()
            .collect()
    }

    /// How many messages the chain holds, if each accepted one was executed once and nothing twice.
    ///
    /// # Errors
    ///
    /// Which messages were lost or executed twice.
    pub fn check(&self, audit: &Audit) -> Result<u64> {
        let lost = self.missing(audit);
        ensure!(lost.is_empty(), "lost: {lost:?}");
        self.count(audit)
    }

    /// The same, if it is known what became of those that are [missing](Sent::missing).
    ///
    /// # Errors
    ///
    /// Which messages were executed twice, or though they were refused.
    pub fn count(&self, audit: &Audit) -> Result<u64> {
        let times = |id: &MessageId| audit.receipts.get(id).copied().unwrap_or(0);
        let twice = audit.receipts.iter().filter(|(_, times)| **times > 1);
        let twice: Vec<_> = twice.collect();
        ensure!(twice.is_empty(), "executed more than once: {twice:?}");
        let refused = self.refused.iter().filter(|(id, _)| times(id) > 0);
        let refused: Vec<_> = refused.collect();
        ensure!(refused.is_empty(), "refused, but executed: {refused:?}");
        let all = self.accepted.iter().chain(&self.unknown);
        Ok(all
            .chain(&self.ethereum)
            .map(|id| u64::from(times(id)))
            .sum())
    }
}
