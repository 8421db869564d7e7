//! When a batch is closed.
//!
//! # The rule
//!
//! A block becomes a seal if what the Router holds at the anchor is agreed, fewer than `max_in_flight` earlier seals
//! are still *under way*, and there may be something to send, because one of these is so:
//!
//! * the anchor is another one than at the last seal: Ethereum's events may have changed programs. This is also how work
//!   that did not fit into a batch, or that executors finish in later rounds, gets its seal: a batch changes nothing
//!   before it is in an Ethereum block, and each Ethereum block moves the anchor;
//! * the outbox has grown since the last seal;
//! * what the Router holds has changed since the last seal, so the batch before has been applied (or taken back), and
//!   the rest can follow on the same anchor;
//! * the last seal came to nothing: no quorum for longer than `patience`, or its batch has expired or was rewound.
//!
//! While governance has paused settlement, no block becomes one.
//!
//! A seal that a quorum called empty is not set again on the same anchor: an idle chain is silent.
//!
//! A seal is *live* while it builds on what the Router holds, has not expired, and is on the anchor's branch. A live
//! seal is *under way* if it is signed, or if it is the newest and younger than `patience` blocks: while votes on one
//! seal are collected the next one waits, because both would carry the same content. If no votes come at all, because
//! GRANDPA stalls or a third is away, each further seal waits one `patience` longer.

use crate::{
    Config, Domain, Ethereum as _, Event, Fate, OpenSeals, OutboxEnd, Pallet, Parameters, Paused,
    Proposals, Router, Seal, SealNumbers, SealResult, Seals, Sets, Tallies, Votes,
};
use alloc::vec::Vec;
use frame_support::BoundedVec;
use gear_exe_primitives::{
    H256, ethereum::EthereumHeader, report::SealStatus, round::ChainBlock, settlement::SealFacts,
    vote::RouterAt,
};
use polkadot_sdk::frame_support;

/// The live seals, by what votes say of them.
struct Live {
    /// Signed.
    ready: Vec<u64>,
    /// The newest one is young enough to be waited for.
    waiting: bool,
}

impl<T: Config> Pallet<T> {
    /// Makes the block a seal if one is due.
    pub(crate) fn seal_if_due(now: u64) {
        let anchor = T::Ethereum::anchor();
        let router = Router::<T>::get();
        let signers = Sets::<T>::contains_key(router.batch.set_id);
        let off = Paused::<T>::get() || !Domain::<T>::exists();
        if off || router.block != anchor.id() || !signers {
            return;
        }
        let parameters = Parameters::<T>::get();
        Self::close_seals();
        let live = Self::live(parameters.patience, now);
        let under_way = live.ready.len().saturating_add(live.waiting.into());
        if under_way >= parameters.max_in_flight as usize || !Self::is_due(anchor, router, &live) {
            return;
        }
        Self::set_seal(
            now,
            Seal {
                hash: H256::zero(),
                anchor: anchor.id(),
                set_id: router.batch.set_id,
                router: router.batch,
                expiry: anchor.timestamp.saturating_add(parameters.expiry_seconds),
                limits: parameters.limits,
                outbox_end: OutboxEnd::<T>::get(),
                result: None,
                fate: Fate::Open,
            },
        );
    }

    fn is_due(anchor: EthereumHeader, router: RouterAt, live: &Live) -> bool {
        let newest = SealNumbers::<T>::get().last().copied();
        let Some((number, last)) =
            newest.and_then(|number| Some((number, Seals::<T>::get(number)?)))
        else {
            return true;
        };
        let news = last.anchor != anchor.id()
            || last.outbox_end != OutboxEnd::<T>::get()
            || last.router != router.batch;
        let failed = match last.result {
            Some(SealResult::Empty) => false,
            Some(SealResult::Ready(_)) => !live.ready.contains(&number),
            None => !live.waiting,
        };
        news || failed
    }

    fn live(patience: u32, now: u64) -> Live {
        let (ready, undecided): (Vec<_>, Vec<_>) = Self::live_seals()
            .into_iter()
            .partition(|(_, seal)| seal.result.is_some());
        let patience = u64::from(patience).saturating_mul(undecided.len() as u64);
        let waiting = undecided
            .last()
            .is_some_and(|(newest, _)| newest.saturating_add(patience) > now);
        Live {
            ready: ready.into_iter().map(|(number, _)| number).collect(),
            waiting,
        }
    }

    /// The seals whose batch the Router would take now, oldest first.
    pub(crate) fn live_seals() -> Vec<(u64, Seal)> {
        let anchor = T::Ethereum::anchor();
        let router = Router::<T>::get().batch;
        OpenSeals::<T>::get()
            .into_iter()
            .filter_map(|number| Some((number, Seals::<T>::get(number)?)))
            .filter(|(_, seal)| {
                seal.router == router
                    && seal.expiry > anchor.timestamp
                    && match seal.fate {
                        Fate::Open => T::Ethereum::is_ancestor_or_same(seal.anchor, anchor),
                        Fate::Final => true,
                        Fate::Lost => false,
                    }
            })
            .collect()
    }

    /// Notes what became of the anchors of open seals, now that `finalised` is final. It looks while the headers below
    /// that are still there.
    pub(crate) fn learn_fates(finalised: EthereumHeader) {
        for number in OpenSeals::<T>::get() {
            Seals::<T>::mutate_extant(number, |seal| {
                if seal.fate == Fate::Open && seal.anchor.number <= finalised.number {
                    seal.fate = if T::Ethereum::is_ancestor_or_same(seal.anchor, finalised) {
                        Fate::Final
                    } else {
                        Fate::Lost
                    };
                }
            });
        }
    }

    /// Closes the seals of which nothing can come any more.
    fn close_seals() {
        let now = T::Ethereum::anchor().timestamp;
        let open = OpenSeals::<T>::get();
        let left: Vec<_> = open
            .iter()
            .copied()
            .filter(|number| {
                Seals::<T>::get(number)
                    .is_some_and(|seal| seal.expiry > now && seal.fate != Fate::Lost)
            })
            .collect();
        if left.len() < open.len() {
            OpenSeals::<T>::put(BoundedVec::truncate_from(left));
        }
    }

    fn set_seal(number: u64, seal: Seal) {
        OpenSeals::<T>::mutate(|open| {
            if open.is_full() {
                open.remove(0);
            }
            let _ = open.try_push(number);
        });
        SealNumbers::<T>::mutate(|numbers| {
            if numbers.is_full() {
                let oldest = numbers.remove(0);
                OpenSeals::<T>::mutate(|open| open.retain(|number| *number != oldest));
                Seals::<T>::remove(oldest);
                // All are bounded by the number of validators.
                let _ = Tallies::<T>::clear_prefix(oldest, u32::MAX, None);
                let _ = Votes::<T>::clear_prefix(oldest, u32::MAX, None);
                let _ = Proposals::<T>::clear_prefix(oldest, u32::MAX, None);
            }
            let _ = numbers.try_push(number);
        });
        Seals::<T>::insert(number, seal);
        Self::deposit_event(Event::Sealed { number });
    }

    /// What this block says of its batch, if it is a seal.
    pub fn seal() -> Option<SealFacts> {
        let number = Self::now();
        let seal = Seals::<T>::get(number)?;
        Some(SealFacts {
            genesis: Self::genesis_hash(),
            seal: ChainBlock {
                number,
                hash: seal.hash,
            },
            anchor: seal.anchor,
            set_id: seal.set_id,
            router: seal.router,
            expiry: seal.expiry,
            limits: seal.limits,
        })
    }

    /// The live seals, oldest first, but for empty ones: a vote on them is still of use.
    pub fn seals() -> Vec<SealStatus> {
        Self::live_seals()
            .into_iter()
            .map(|(number, seal)| SealStatus {
                number,
                voted: Votes::<T>::iter_key_prefix(number).collect(),
                decided: seal.result.is_some(),
            })
            .collect()
    }
}
