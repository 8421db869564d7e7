//! The off-chain worker: votes for the facts that the validator's node has read.
//!
//! It only reads what the node has ready. A node that does not know, or knows nothing new, is silent.

use crate::{
    BURN_WINDOW, Call, Config, Ethereum as _, NextBurn, OpenRewards as _, OpenSlashes as _, Pallet,
    ValidatorSet as _,
};
use alloc::vec::Vec;
use frame_system::offchain::SubmitTransaction;
use gear_exe_primitives::{
    ethereum::BlockId,
    facts::{Fact, FactsRequest, MAX_ASKED_REWARDS, MAX_ASKED_SLASHES, MAX_FACTS},
    host,
    vote::FactsVote,
};
use polkadot_sdk::frame_system;

impl<T: Config> Pallet<T> {
    /// Votes with the keys of the keystore that belong to the current set.
    pub(crate) fn work_offchain() {
        let keys = host::own_keys(&T::Validators::members());
        if keys.is_empty() || T::Ethereum::router().is_none() {
            return;
        }
        let Some(mut facts) = host::facts(&Self::request()) else {
            return;
        };
        facts.sort_unstable();
        facts.dedup_by_key(|fact| fact.subject());
        let set_id = T::Validators::set_id();
        for (validator, key) in keys {
            let facts = Self::news(validator, &facts);
            if facts.is_empty() {
                continue;
            }
            let vote = FactsVote { set_id, facts };
            if let Some(signature) = host::sign(&key, vote.digest(T::Validators::genesis_hash())) {
                Self::submit(Call::submit_facts {
                    vote,
                    validator,
                    signature,
                });
            }
        }
    }

    /// What the chain asks for. It changes when Ethereum finalises a block, or something asked for was applied.
    pub(crate) fn request() -> FactsRequest {
        let block = T::Ethereum::finalised();
        let mut slashes = T::OpenSlashes::all();
        slashes.sort_unstable();
        let mut rewards = T::OpenRewards::all();
        rewards.sort_unstable();
        FactsRequest {
            block,
            burns_from: NextBurn::<T>::get(),
            burns_most: BURN_WINDOW,
            slashes: some(slashes, MAX_ASKED_SLASHES, &block),
            rewards: some(rewards, MAX_ASKED_REWARDS, &block)
                .into_iter()
                .filter_map(|(era, item)| T::OpenRewards::question(era, item))
                .collect(),
            delivered: T::OpenRewards::delivered(),
        }
    }

    /// The facts that the chain does not have from a validator.
    fn news(validator: u32, facts: &[Fact]) -> Vec<Fact> {
        let said = Self::said(validator);
        facts
            .iter()
            .copied()
            .filter(|fact| Self::is_new(&said, fact))
            .take(MAX_FACTS)
            .collect()
    }

    fn submit(call: Call<T>) {
        let transaction = T::create_authorized_transaction(call.into());
        // The pool refuses what it has already; there is nobody to tell.
        let _ = SubmitTransaction::<T, Call<T>>::submit_transaction(transaction);
    }
}

/// At most so many of them: others when Ethereum has finalised another block, the same for all validators. Numbers of final
/// blocks are often multiples of 32 apart, so that by them some would never have their turn.
fn some<Asked>(mut all: Vec<Asked>, most: usize, block: &BlockId) -> Vec<Asked> {
    if all.len() > most {
        let seed = block.hash.0.iter().take(8);
        let seed = seed.fold(0u64, |seed, byte| seed << 8 | u64::from(*byte));
        let first = seed % all.len() as u64;
        all.rotate_left(first as usize);
        all.truncate(most);
    }
    all
}
