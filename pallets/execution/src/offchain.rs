//! The off-chain worker: tells the node of the block's round, and votes for what the node sees.
//!
//! It only reads what the node has ready. A node that knows nothing new is silent.

use crate::{
    Anchor, Call, Config, Finalised, HeaderList, MAX_HEADERS, OnRouter, Pallet, ValidatorSet as _,
    ViewRules, Views,
};
use alloc::{collections::VecDeque, vec::Vec};
use frame_system::offchain::SubmitTransaction;
use gear_exe_primitives::{
    ethereum::{BlockId, EthereumHeader},
    host::{self, EthereumView, ViewRequest},
    vote::{RouterAt, View},
};
use polkadot_sdk::frame_system;

/// Headers that a worker walks down to find one that the chain knows.
const MAX_WALK: u32 = 20_000;

impl<T: Config> Pallet<T> {
    /// Votes with the keys of the keystore that belong to the current set.
    pub(crate) fn vote_offchain(now: u64) {
        let keys = host::own_keys(&T::Validators::members());
        if keys.is_empty() {
            return;
        }
        let set_id = T::Validators::set_id();
        let genesis = T::Validators::genesis_hash();
        let seen = Self::see_ethereum(set_id, now);
        let verdicts = host::code_verdicts();
        for (validator, key) in keys {
            if let Some((view, headers)) = &seen
                && Self::is_news(validator, view)
                && let Some(signature) = host::sign(&key, view.digest(genesis))
            {
                Self::submit(Call::submit_view {
                    view: *view,
                    validator,
                    headers: headers.clone(),
                    signature,
                });
            }
            for verdict in &verdicts {
                let vote = verdict.vote(set_id);
                if !Self::is_said(&vote, validator)
                    && let Some(signature) = host::sign(&key, vote.digest(genesis))
                {
                    Self::submit(Call::submit_code_vote {
                        vote,
                        validator,
                        signature,
                    });
                }
            }
        }
    }

    fn submit(call: Call<T>) {
        let transaction = T::create_authorized_transaction(call.into());
        // The pool refuses what it has already; there is nobody to tell.
        let _ = SubmitTransaction::<T, Call<T>>::submit_transaction(transaction);
    }

    /// Whether the chain should hear of this view: it says something else, or the last one will be forgotten.
    fn is_news(validator: u32, view: &View) -> bool {
        let Some(last) = Views::<T>::get(validator) else {
            return true;
        };
        let renew = u64::from(ViewRules::<T>::get().max_age / 2);
        (last.tip, last.finalised, last.router) != (view.tip, view.finalised, view.router)
            || last.seq.saturating_add(renew) < view.seq
    }

    /// The node's view, with the headers that the chain needs.
    fn see_ethereum(set_id: u64, now: u64) -> Option<(View, HeaderList)> {
        let seen = Self::ask(Anchor::<T>::get().id())?;
        let (tip, headers) = Self::lead_to(seen.tip)?;
        let known = Finalised::<T>::get().id();
        let finalised = if (known.number..=tip.number).contains(&seen.finalised.number) {
            seen.finalised
        } else {
            known
        };
        if tip.number < finalised.number {
            // The node lags behind what a quorum calls final.
            return None;
        }
        let view = View {
            set_id,
            seq: now,
            tip,
            finalised,
            router: Self::router_for(tip, &seen),
        };
        Some((view, headers))
    }

    fn ask(block: BlockId) -> Option<EthereumView> {
        host::ethereum_view(&ViewRequest {
            anchor: block,
            depth: ViewRules::<T>::get().depth,
        })
    }

    /// What the Router holds at the anchor while the chain does not know that, else at the tip: if a quorum has the
    /// same tip, the anchor moves there and a seal may be set in the same block.
    fn router_for(tip: BlockId, seen: &EthereumView) -> Option<RouterAt> {
        let anchor = Anchor::<T>::get().id();
        let at_anchor = seen.router.filter(|router| router.block == anchor);
        if tip == anchor {
            return at_anchor;
        }
        let at_tip = || {
            Self::ask(tip)
                .and_then(|view| view.router)
                .filter(|router| router.block == tip)
        };
        if T::OnRouter::known_at() == anchor {
            at_tip().or(at_anchor)
        } else {
            at_anchor.or_else(at_tip)
        }
    }

    /// The highest block up to `tip` that the chain takes now, and the headers that lead to it from a known block: at
    /// most [`MAX_HEADERS`], and not further above the anchor than the rules say. The next block leads further.
    fn lead_to(tip: BlockId) -> Option<(BlockId, HeaderList)> {
        let highest = Anchor::<T>::get()
            .number
            .saturating_add(ViewRules::<T>::get().max_ahead.into());
        let mut missing = VecDeque::<(BlockId, Vec<u8>)>::new();
        let mut cursor = tip;
        for _ in 0..MAX_WALK {
            let within = cursor.number <= highest;
            let parent = if let Some(header) = Self::header(cursor.hash) {
                if within {
                    return Self::led(cursor, missing);
                }
                header.parent
            } else {
                let bytes = host::ethereum_header(cursor.hash)?;
                let header = EthereumHeader::decode_rlp(&bytes).ok()?;
                if header.id() != cursor {
                    return None;
                }
                if within {
                    if missing.len() >= MAX_HEADERS as usize {
                        missing.pop_front();
                    }
                    missing.push_back((cursor, bytes));
                }
                header.parent
            };
            cursor = BlockId {
                number: cursor.number.checked_sub(1)?,
                hash: parent,
            };
        }
        None
    }

    fn led(known: BlockId, missing: VecDeque<(BlockId, Vec<u8>)>) -> Option<(BlockId, HeaderList)> {
        let tip = missing.front().map_or(known, |(tip, _)| *tip);
        let headers: Vec<_> = missing
            .into_iter()
            .rev()
            .map(|(_, bytes)| bytes.try_into().ok())
            .collect::<Option<_>>()?;
        Some((tip, headers.try_into().ok()?))
    }
}
