//! Rounds of a node that has no subscription of them: asked again and again. Times are late by the pause, and by as much as the
//! answers take.

use crate::audit::finalised;
use gear_exe_client::{Client, Error, Level, Round, RoundLevel};
use gear_exe_primitives::{H256, round::ChainBlock};
use std::{collections::BTreeMap, time::Duration};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(15);

/// A round that has not reached all levels.
struct Open {
    round: Round,
    certified: bool,
}

/// Tells `tell` what the node reaches, until it is dropped.
pub async fn follow(client: Client, tell: impl Fn(RoundLevel) + Send) {
    let mut open: BTreeMap<u64, Open> = BTreeMap::new();
    let mut best = None;
    loop {
        // What fails now is asked again.
        let _ = look(&client, &tell, &mut open, &mut best).await;
        tokio::time::sleep(PAUSE).await;
    }
}

fn said(level: Level, block: ChainBlock) -> RoundLevel {
    RoundLevel {
        level,
        at: None,
        block,
        anchor: None,
        outcome: None,
        messages: Vec::new(),
    }
}

async fn look(
    client: &Client,
    tell: &(impl Fn(RoundLevel) + Send),
    open: &mut BTreeMap<u64, Open>,
    best: &mut Option<H256>,
) -> Result<(), Error> {
    let Some(newest) = client.round(None, 0).await? else {
        return Ok(());
    };
    let tip = newest.block.hash;
    if *best != Some(tip) {
        let mut new = vec![newest];
        while let Some(last) = new.last()
            && let Some(known) = *best
            && last.parent != known
            && !open
                .values()
                .any(|other| other.round.block.hash == last.parent)
            && let Some(before) = client.round(Some(last.parent), 0).await?
        {
            new.push(before);
        }
        for round in new.into_iter().rev() {
            let mut messages: Vec<_> = round.receipts.iter().map(|one| one.message_id).collect();
            while (messages.len() as u64) < round.receipts_count
                && let Some(more) = client
                    .round(Some(round.block.hash), messages.len() as u64)
                    .await?
            {
                messages.extend(more.receipts.iter().map(|one| one.message_id));
            }
            tell(RoundLevel {
                messages,
                ..said(Level::Executed, round.block)
            });
            let certified = round.receipts.is_empty();
            open.insert(round.block.number, Open { round, certified });
        }
        *best = Some(tip);
    }
    for one in open.values_mut().filter(|one| !one.certified) {
        let Some(first) = one.round.receipts.first() else {
            continue;
        };
        let status = client.status(first.message_id).await?;
        let block = one.round.block;
        if status.is_some_and(|status| status.block == block && status.certificate.is_some()) {
            one.certified = true;
            tell(said(Level::Certified, block));
        }
    }
    let last = finalised(client).await?.number;
    let after = open.split_off(&last.saturating_add(1));
    for (number, one) in std::mem::replace(open, after) {
        tell(said(Level::Finalized, one.round.block));
        if !one.certified {
            open.insert(number, one);
        }
    }
    Ok(())
}
