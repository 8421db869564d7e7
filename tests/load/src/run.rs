//! A run from its preparation to the audit.

use crate::{
    audit::{Audit, finalised},
    drive::{Said, Sent, drive},
    feed::Feed,
    follow::Follower,
    plan::Plan,
    programs::Programs,
    stats::Times,
    target::Target,
    usage::{Snapshot, Usage},
};
use anyhow::{Context, Result, bail};
use futures::future::{LocalBoxFuture, try_join_all};
use gear_exe_client::{Client, Error, Level, Signer};
use gear_exe_primitives::{
    H160, H256, MessageId,
    native::{NativeTransaction, SigningForm},
    round::ChainBlock,
};
use std::time::{Duration, Instant};
use tokio::{sync::watch, task::JoinHandle};

/// Ethereum blocks behind the head to which messages refer.
const BEHIND: u32 = 3;
/// Pause between two looks at Ethereum's head.
const HEAD_PAUSE: Duration = Duration::from_millis(500);
/// Pause between two looks at what is still missing.
const LOOK: Duration = Duration::from_millis(100);
/// Messages of the preparation that are under way at one time.
const AT_ONCE: usize = 64;
/// The levels that are measured.
pub const LEVELS: [Level; 3] = [Level::Executed, Level::Certified, Level::Finalized];

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// What was asked for.
    pub plan: Plan,
    /// Everything that was sent, with the answers.
    pub sent: Vec<Sent>,
    /// When each of them was seen at each of [`LEVELS`] by the node that it was sent to.
    pub reached: Vec<[Option<Instant>; 3]>,
    /// When the first was sent.
    pub began: Instant,
    /// What the chain holds of it.
    pub audit: Audit,
    /// Processor time while messages were sent.
    pub usage: Usage,
    /// How often a subscription has ended in between.
    pub interruptions: u32,
    /// Messages that a node has seen executed in two blocks, since one was left.
    pub again: usize,
    /// Rounds with messages as the first node saw them, and the most messages of one.
    pub rounds: (usize, u64),
    /// Nodes that got messages.
    pub nodes: usize,
    /// Connections between nodes that went around the delay.
    pub strangers: Option<usize>,
}

/// What became of what was sent, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Nodes have taken it.
    pub accepted: usize,
    /// Nodes have not, with a reason.
    pub refused: usize,
    /// Nodes have not answered.
    pub unanswered: usize,
    /// Taken, and executed exactly once.
    pub once: usize,
    /// Taken, and not executed.
    pub lost: usize,
    /// Executed more than once.
    pub twice: usize,
    /// Refused, but executed nevertheless.
    pub refused_but_executed: usize,
}

impl Report {
    /// What became of what was sent.
    pub fn fate(&self) -> Fate {
        let mut fate = Fate::default();
        for sent in &self.sent {
            let receipts = sent.id.and_then(|id| self.audit.receipts.get(&id).copied());
            let receipts = receipts.unwrap_or(0);
            fate.twice += usize::from(receipts > 1);
            match &sent.said {
                Said::Accepted => {
                    fate.accepted += 1;
                    fate.once += usize::from(receipts == 1);
                    fate.lost += usize::from(receipts == 0);
                }
                Said::Refused(_) => {
                    fate.refused += 1;
                    fate.refused_but_executed += usize::from(receipts > 0);
                }
                Said::Nothing(_) => fate.unanswered += 1,
            }
        }
        fate
    }

    /// Whether nothing was lost or done twice, and all nodes agree.
    pub fn is_good(&self) -> bool {
        let fate = self.fate();
        fate.lost == 0
            && fate.twice == 0
            && fate.refused_but_executed == 0
            && self.audit.is_agreed()
    }

    /// Times from sending to a level, of what went through Ethereum or of what did not.
    pub fn times(&self, level: usize, ethereum: bool) -> Times {
        self.measured(level)
            .filter(|(sent, _)| sent.message.ethereum == ethereum)
            .map(|(_, time)| time)
            .collect()
    }

    /// Messages with their times from sending to a level, if they have reached it.
    pub fn measured(&self, level: usize) -> impl Iterator<Item = (&Sent, Duration)> + '_ {
        self.sent
            .iter()
            .zip(&self.reached)
            .filter_map(move |(sent, reached)| {
                let at = (*reached.get(level)?)?;
                Some((sent, at.saturating_duration_since(sent.at)))
            })
    }
}

/// Keeps the Ethereum block to which messages refer.
async fn reference(node: Client) -> Result<(watch::Receiver<H256>, JoinHandle<()>)> {
    let (sender, receiver) = watch::channel(node.reference(BEHIND).await?.hash);
    let task = tokio::spawn(async move {
        while !sender.is_closed() {
            tokio::time::sleep(HEAD_PAUSE).await;
            if let Ok(block) = node.reference(BEHIND).await {
                sender.send_replace(block.hash);
            }
        }
    });
    Ok((receiver, task))
}

/// Hands out tokens by native messages of their owner, and waits until all are executed on all nodes.
async fn mint(target: &Target, programs: &Programs, reference: H256) -> Result<()> {
    let owner = Signer::new(target.owner_key, target.domain)?;
    let node = target.nodes.first().context("no nodes")?;
    let mut sent: Vec<MessageId> = Vec::new();
    let mints = programs.mints(target.ethereum.address);
    let letters: Vec<_> = (0u64..).zip(mints).collect();
    for letters in letters.chunks(AT_ONCE) {
        let sending = letters.iter().map(|(number, (token, payload))| {
            let transaction = NativeTransaction {
                destination: H160(token.into_array()),
                payload: payload.clone(),
                value: 0,
                reference_block: reference,
                salt: number.to_be_bytes().to_vec(),
            };
            let signed = owner.sign(transaction, SigningForm::Typed);
            let owner = &owner;
            async move {
                let signed = signed?;
                node.send(&signed).await?;
                Ok::<_, Error>(owner.id(&signed))
            }
        });
        sent.extend(try_join_all(sending).await?);
    }
    for id in sent {
        let began = Instant::now();
        while node.status(id).await?.is_none() {
            if began.elapsed() > Duration::from_secs(60) {
                bail!("the tokens of the run are not minted: message {id} is not executed");
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}

/// Waits until everything that was accepted is final at its node, or for as long as the plan allows.
async fn settle(plan: &Plan, sent: &[Sent], followers: &[Follower]) {
    let began = Instant::now();
    let mut open: Vec<(usize, MessageId)> = sent
        .iter()
        .filter(|sent| !matches!(sent.said, Said::Refused(_)))
        .filter_map(|sent| Some((sent.node, sent.id?)))
        .collect();
    while began.elapsed() < plan.patience {
        open.retain(|(node, id)| {
            let follower = followers.get(*node);
            follower
                .is_some_and(|follower| follower.told().reached(*id, Level::Finalized).is_none())
        });
        if open.is_empty() {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until the first node has finalised what any other has.
async fn catch_up(plan: &Plan, nodes: &[Client]) -> Result<()> {
    let mut highest = 0;
    for node in nodes {
        highest = finalised(node).await?.number.max(highest);
    }
    let first = nodes.first().context("no nodes")?;
    let began = Instant::now();
    while finalised(first).await?.number < highest && began.elapsed() < plan.patience {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Runs a plan. `tell` is told what happens now.
///
/// # Errors
///
/// If the preparation fails, or nodes or Ethereum do not answer.
///
/// Boxed, so that all of it is compiled here, once, and not again in each binary that waits for it.
pub fn run<'a>(
    plan: &'a Plan,
    target: &'a Target,
    tell: &'a dyn Fn(&str),
) -> LocalBoxFuture<'a, Result<Report>> {
    Box::pin(carry_out(plan, target, tell))
}

async fn carry_out(plan: &Plan, target: &Target, tell: &dyn Fn(&str)) -> Result<Report> {
    let first = target.nodes.first().context("no nodes")?;
    tell("programs are made and paid for");
    let programs = Programs::deploy(&target.owner, plan).await?;
    let (references, keeper) = reference(first.clone()).await?;
    let current = *references.borrow();
    mint(target, &programs, current).await?;

    let from: ChainBlock = finalised(first).await?;
    let followers = try_join_all(target.watched.iter().cloned().map(Follower::start)).await?;
    let feed = Feed::start(plan, &programs, target.domain, &references)?;
    feed.warm().await;
    tell("messages are sent");
    let before = Snapshot::take(&target.pids, &target.metrics).await?;
    let (sent, began) = drive(plan, target, &programs, feed).await?;
    let after = Snapshot::take(&target.pids, &target.metrics).await?;
    keeper.abort();

    tell("what is under way is awaited");
    settle(plan, &sent, &followers).await;
    catch_up(plan, &target.nodes).await?;
    tell("the chain is read again");
    let audit = Audit::read(&target.nodes, from).await?;
    let reached = sent
        .iter()
        .map(|sent| {
            LEVELS.map(|level| {
                let follower = followers.get(sent.node)?;
                follower.told().reached(sent.id?, level)
            })
        })
        .collect();
    let told = || followers.iter().map(Follower::told);
    Ok(Report {
        plan: plan.clone(),
        sent,
        reached,
        began,
        audit,
        usage: Usage::between(&before, &after),
        interruptions: told().map(|told| told.interruptions).sum(),
        again: told().map(|told| told.again()).max().unwrap_or(0),
        rounds: told().next().map_or((0, 0), |told| told.rounds()),
        nodes: target.nodes.len(),
        strangers: target.strangers()?,
    })
}
