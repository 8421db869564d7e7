//! What must hold of rounds, batches and handover, and what must be possible so that this says something.

use super::{Batch, Item, Seal, Settlement, State, batch::Ballot};
use crate::ethereum::{Block, ROOT};
use stateright::Property;

type Model = Settlement;

pub(super) fn all(model: &Model) -> Vec<Property<Model>> {
    let mut all = vec![
        Property::always("batches on a branch are one chain", |_, state: &State| {
            state.tree.blocks().all(|block| is_one_chain(state, block))
        }),
        Property::always(
            "applied are the branch's events, each once, in order",
            |_, state: &State| {
                state
                    .tree
                    .blocks()
                    .all(|block| has_its_events(state, block))
            },
        ),
        Property::always(
            "natives are applied in order, none twice",
            |_, state: &State| {
                state.routers.iter().all(|router| {
                    let all = state.natives_below(state.chain.len());
                    router
                        .log
                        .natives()
                        .map(usize::from)
                        .eq(0..router.log.natives().count())
                        && router.log.natives().count() <= all
                })
            },
        ),
        Property::always(
            "every native of the chain is in its outcome once, or waits",
            |_, state: &State| {
                state.chain.iter().all(|block| {
                    let taken = state.natives_below(block.outcome.cursor.into());
                    block.outcome.log.natives().map(usize::from).eq(0..taken)
                })
            },
        ),
        Property::always(
            "every round goes on from what the Router holds at its anchor",
            |_, state: &State| {
                state.chain.iter().all(|block| {
                    let applied = state.router(block.anchor).log;
                    block.outcome.base.is_some() && block.outcome.log.after(applied).is_some()
                })
            },
        ),
        Property::always(
            "a result is reversed only by a rewind, or by a batch of a path that one has left",
            |_, state: &State| {
                reversed(state).all(|(number, rewound)| rewound || is_overtaken(state, number))
            },
        ),
        Property::always(
            "no honest validator can be proven faulty",
            |model: &Model, state: &State| !is_provable(model, state),
        ),
        Property::always("value is conserved", |_, state: &State| {
            state.tree.blocks().all(|block| is_conserved(state, block))
        }),
        Property::always(
            "outbox items are applied once and in order",
            |_, state: &State| state.routers.iter().all(|router| !router.disorder),
        ),
        Property::always(
            "the set that the Router asks is on duty",
            |model: &Model, state: &State| {
                state
                    .tree
                    .blocks()
                    .filter(|block| state.tree.is_ancestor_or_same(state.ethereum_final, *block))
                    .all(|block| model.is_on_duty(state, state.router(block).set))
            },
        ),
        Property::always(
            "a batch can settle, with all that is open",
            |model: &Model, state: &State| model.can_settle(state),
        ),
        Property::sometimes(
            "a batch builds on one of a branch that was left and came back",
            |_, state: &State| state.batches.iter().any(|batch| came_back(state, batch)),
        ),
        Property::sometimes(
            "two batches build on one, and each is first somewhere",
            |_, state: &State| {
                pairs(&state.batches).any(|(one, other)| {
                    one.parent == other.parent && is_carried(state, one) && is_carried(state, other)
                })
            },
        ),
        Property::sometimes("one batch is in two blocks", |_, state: &State| {
            state.batches.iter().any(|batch| {
                let at = state
                    .carried
                    .iter()
                    .filter(|carried| **carried == Some(batch.seal));
                at.count() > 1
            })
        }),
        Property::sometimes("a signed batch has expired", |_, state: &State| {
            state.batches.iter().any(|batch| {
                !is_carried(state, batch) && state.tree.number(state.tip().anchor) >= batch.expiry
            })
        }),
    ];
    if model.natives > 0 {
        all.extend(of_natives());
    }
    if model.elections > 0 {
        all.extend(of_handovers());
    }
    all
}

fn of_natives() -> Vec<Property<Model>> {
    vec![
        Property::sometimes(
            "a native is executed again, with another result",
            |_, state: &State| {
                state.natives_below(state.chain.len()) > 0
                    && state.chain.iter().any(|block| {
                        let result = block.outcome.log.has_paid(0);
                        let now = state.tip().outcome.log.has_paid(0);
                        result.is_some() && now.is_some() && result != now
                    })
            },
        ),
        Property::sometimes(
            "a batch of a path that was left reverses a result whose anchor was not",
            |_, state: &State| reversed(state).any(|(_, rewound)| !rewound),
        ),
        Property::sometimes(
            "a result is reversed though its anchor is canonical again",
            |_, state: &State| reversed(state).any(|(_, rewound)| rewound),
        ),
        Property::sometimes("natives wait for the cursor", |_, state: &State| {
            usize::from(state.tip().outcome.cursor) < state.chain.len()
        }),
        Property::sometimes(
            "a batch ends before its seal's round",
            |_, state: &State| {
                state
                    .batches
                    .iter()
                    .any(|batch| batch.last_round != batch.seal)
            },
        ),
        Property::sometimes(
            "a native is paid on one branch and not on another",
            |_, state: &State| {
                let paid = |block| state.router(block).log.has_paid(0);
                let results = || state.tree.blocks().filter_map(paid);
                results().any(|paid| paid) && results().any(|paid| !paid)
            },
        ),
    ]
}

fn of_handovers() -> Vec<Property<Model>> {
    vec![
        Property::sometimes("a set signs its handover again", |_, state: &State| {
            pairs(&state.batches).any(|(one, other)| {
                one.set == other.set
                    && hands_over_to(one).is_some()
                    && hands_over_to(other).is_some()
                    && is_carried(state, one)
                    && is_carried(state, other)
            })
        }),
        Property::sometimes(
            "a batch of the new set exists where the Router is not handed over",
            |_, state: &State| {
                state
                    .batches
                    .iter()
                    .any(|batch| batch.set > 0 && state.router(state.tip().anchor).set < batch.set)
            },
        ),
        Property::sometimes("one handover for two elections", |_, state: &State| {
            state.batches.iter().any(|batch| {
                batch.set == 0 && is_carried(state, batch) && hands_over_to(batch) == Some(2)
            })
        }),
    ]
}

fn hands_over_to(batch: &Batch) -> Option<u8> {
    batch.items.iter().find_map(|item| match item {
        Item::Set(set) => Some(*set),
        Item::Mint(_) => None,
    })
}

fn pairs(batches: &[Batch]) -> impl Iterator<Item = (&Batch, &Batch)> {
    let others = move |place: usize| batches.iter().skip(place + 1);
    batches
        .iter()
        .enumerate()
        .flat_map(move |(place, one)| others(place).map(move |other| (one, other)))
}

fn is_carried(state: &State, batch: &Batch) -> bool {
    state.carried.contains(&Some(batch.seal))
}

/// Between the seal of its parent and its own the chain was on another branch.
fn came_back(state: &State, batch: &Batch) -> bool {
    let (Some(parent), true) = (batch.parent, state.has(batch.seal)) else {
        return false;
    };
    let between = usize::from(parent.number)..usize::from(batch.seal.number);
    state.chain[between]
        .iter()
        .any(|block| state.tree.conflict(block.anchor, batch.anchor))
}

/// Each batch below `block` names the one before it and has the next nonce.
fn is_one_chain(state: &State, block: Block) -> bool {
    let mut before = None;
    let mut nonce = 0;
    for at in state.tree.path(ROOT, block) {
        let Some(seal) = state.carried[usize::from(at)] else {
            continue;
        };
        let Some(batch) = state.batches.iter().find(|batch| batch.seal == seal) else {
            return false;
        };
        nonce += 1;
        if batch.parent != before || batch.nonce != nonce {
            return false;
        }
        before = Some(seal);
    }
    let router = state.router(block);
    (router.last, router.nonce) == (before, nonce)
}

/// Applied at `block` are the events of its branch up to some block of it, and no others.
fn has_its_events(state: &State, block: Block) -> bool {
    let mut branch = state.tree.path(ROOT, block).into_iter();
    state
        .router(block)
        .log
        .events()
        .all(|event| branch.next() == Some(event))
}

/// What programs own by the Router's log, what users were paid, and what is on its way to programs, is what was
/// deposited: one unit in each block.
fn is_conserved(state: &State, block: Block) -> bool {
    let router = state.router(block);
    let funds = router.log.funds();
    let waiting = usize::from(state.tree.number(block)).checked_sub(router.log.events().count());
    let all = waiting.map(|waiting| waiting + usize::from(funds.owned) + usize::from(router.paid));
    all == Some(state.tree.number(block).into()) && funds.paid == router.paid
}

/// Rounds with which the newest one is at odds although their anchors are its anchor's ancestors, and whether the chain
/// has been below their anchors since.
fn reversed(state: &State) -> impl Iterator<Item = (usize, bool)> + '_ {
    let tip = state.tip();
    let above = |anchor, block| state.tree.is_ancestor_or_same(anchor, block);
    let rounds = state.chain.iter().enumerate();
    rounds
        .filter(move |(_, block)| {
            above(block.anchor, tip.anchor) && tip.outcome.log.after(block.outcome.log).is_none()
        })
        .map(move |(number, block)| {
            let mut since = state.chain[number..].iter();
            (
                number,
                since.any(|later| !above(block.anchor, later.anchor)),
            )
        })
}

/// Applied below the newest anchor is a batch whose seal is older than the round, and whose last round is not on the
/// round's path.
fn is_overtaken(state: &State, number: usize) -> bool {
    let applied = state.tree.line(state.tip().anchor);
    let seals: Vec<_> = applied
        .filter_map(|block| state.carried[usize::from(block)])
        .collect();
    let batches = state
        .batches
        .iter()
        .filter(|batch| seals.contains(&batch.seal));
    batches
        .filter(|batch| usize::from(batch.seal.number) < number)
        .any(|batch| {
            state
                .path(number)
                .all(|round| state.id(round) != batch.last_round)
        })
}

/// Two statements of one key on one block, or one that differs from the quorum's, or a digest for what is no seal.
///
/// What is recorded was signed by a quorum, of which at least two are honest, when they were there. The others may vote
/// at any time, so in each state: what they would find now must be the same. A round that cannot be executed, or a batch
/// that cannot be built, is not signed, so it is no fault.
fn is_provable(model: &Model, state: &State) -> bool {
    let of_rounds = (1..state.chain.len()).any(|number| {
        let now = model.outcome_now(state, number);
        now.base.is_some() && now != state.chain[number].outcome
    });
    let of_digests = state.batches.iter().any(|batch| {
        let number = usize::from(batch.seal.number);
        let differs = || match model.build(state, number) {
            Some(Ballot::Batch(now)) => now != *batch,
            Some(Ballot::Empty) => true,
            None => false,
        };
        !state.has(batch.seal) || differs()
    });
    let of_empty = (0..state.chain.len()).any(|number| {
        matches!(state.chain[number].seal, Seal::Empty(_))
            && matches!(model.build(state, number), Some(Ballot::Batch(_)))
    });
    state.contradicted || of_rounds || of_digests || of_empty
}
