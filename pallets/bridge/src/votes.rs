//! Votes on facts: which are taken, and when a fact is agreed.
//!
//! A validator says one thing on each subject, and only on what the chain asks: the burns that come next, and slashes and
//! rewards whose batch is final. So what is kept of one validator is bounded, whatever it says. Votes are counted at the
//! beginning of the block after, once for all that came, and are those of one validator set: another one votes anew.

use crate::{
    BURN_WINDOW, Config, Error, Event, MAX_SAID, NextBurn, OnRewardsFate as _, OnSlashFate as _,
    OpenRewards as _, OpenSlashes as _, Pallet, Refusal, Uncounted, ValidatorSet as _, Votes,
    VotingSet,
};
use alloc::{collections::BTreeMap, vec::Vec};
use frame_support::{BoundedVec, ensure, pallet_prelude::*};
use gear_exe_primitives::{
    facts::{Burn, Fact, MAX_FACTS, Subject},
    quorum::{Member, Support},
    signature::CompactSignature,
    vote::FactsVote,
    voters,
};
use polkadot_sdk::frame_support;

/// Slashes and items of rewards that end in a block, at most. The others do so in the next.
const ENDS_PER_BLOCK: u32 = 16;

/// What one validator has said.
pub(crate) type Said = BoundedVec<Fact, ConstU32<MAX_SAID>>;

impl<T: Config> Pallet<T> {
    pub(crate) fn authorize_facts(
        _: TransactionSource,
        vote: &FactsVote,
        validator: &u32,
        signature: &CompactSignature,
    ) -> TransactionValidityWithRefund {
        let member = Self::votable(vote, *validator)?;
        voters::ensure_signed::<T::Validators>(vote, &member, signature).map_err(Refusal::from)?;
        ValidTransaction::with_tag_prefix("gear-exe-facts")
            .priority(1)
            // One at a time: a validator that says more and more fills no pool.
            .and_provides((vote.set_id, validator))
            .longevity(64)
            .propagate(true)
            .build()
            .map(|valid| (valid, Weight::zero()))
    }

    /// Whether something of such a vote is wanted; then whose it is.
    fn votable(vote: &FactsVote, validator: u32) -> Result<Member, Refusal> {
        let member = voters::voter::<T::Validators>(vote, validator)?;
        ensure!(
            !vote.facts.is_empty()
                && vote.facts.len() <= MAX_FACTS
                && vote
                    .facts
                    .windows(2)
                    .all(|pair| matches!(pair, [one, next] if one.subject() < next.subject())),
            Refusal::Facts
        );
        let (said, _) = Self::kept(validator, vote.facts.len());
        ensure!(
            said.len() < MAX_SAID as usize
                && vote.facts.iter().any(|fact| Self::is_new(&said, fact)),
            Refusal::Said
        );
        Ok(member)
    }

    /// What a validator of the current set has said.
    pub(crate) fn said(validator: u32) -> Said {
        // Votes of another set do not count.
        if VotingSet::<T>::get() == T::Validators::set_id() {
            Votes::<T>::get(validator)
        } else {
            Said::default()
        }
    }

    /// The same without what is of no use any more, if `more` facts need the place; and of how many that was looked up.
    fn kept(validator: u32, more: usize) -> (Said, u32) {
        let next = NextBurn::<T>::get();
        let mut said = Self::said(validator);
        said.retain(|fact| !matches!(fact, Fact::Burn(burn) if burn.number < next));
        if said.len().saturating_add(more) <= MAX_SAID as usize {
            return (said, 0);
        }
        let looked = said.len() as u32;
        said.retain(|fact| Self::is_asked(fact.subject()));
        (said, looked)
    }

    /// Whether the chain wants to know a fact from a validator that has said so much.
    pub(crate) fn is_new(said: &Said, fact: &Fact) -> bool {
        said.iter().all(|other| other.subject() != fact.subject()) && Self::is_asked(fact.subject())
    }

    /// Whether the chain asks for it.
    fn is_asked(subject: Subject) -> bool {
        match subject {
            Subject::Burn(number) => {
                let next = NextBurn::<T>::get();
                (next..next.saturating_add(BURN_WINDOW.into())).contains(&number)
            }
            Subject::Slash(id) => T::OpenSlashes::is_open(id),
            Subject::Rewards(era, item) => T::OpenRewards::is_open(era, item),
        }
    }

    /// Drops the votes of another set than the current one. The set may have changed within this block. Returns how many
    /// validators' they were.
    pub(crate) fn follow_set() -> u32 {
        let set_id = T::Validators::set_id();
        if VotingSet::<T>::get() == set_id {
            return 0;
        }
        let dropped = Votes::<T>::clear(T::MaxValidators::get(), None).unique;
        VotingSet::<T>::put(set_id);
        Uncounted::<T>::kill();
        dropped
    }

    /// Notes what is new in a vote. Returns of how many older facts it was looked up whether they are still wanted.
    pub(crate) fn take_facts(vote: &FactsVote, validator: u32) -> Result<u32, DispatchError> {
        Self::follow_set();
        Self::votable(vote, validator).map_err(|_| Error::<T>::NotWanted)?;
        let (said, looked) = Self::kept(validator, vote.facts.len());
        let new: Vec<_> = vote
            .facts
            .iter()
            .copied()
            .filter(|fact| Self::is_new(&said, fact))
            .collect();
        let mut facts = said.into_inner();
        // Who has said so much on what is not agreed must wait with the rest.
        let room = (MAX_SAID as usize).saturating_sub(facts.len());
        facts.extend(new.into_iter().take(room));
        facts.sort_unstable_by_key(Fact::subject);
        Votes::<T>::insert(validator, BoundedVec::truncate_from(facts));
        Uncounted::<T>::put(true);
        Ok(looked)
    }

    /// Applies what a quorum has said. Returns how many validators, slashes and rewards it looked at, how many facts, and how many
    /// it applied.
    pub(crate) fn count() -> (u32, u32, u32) {
        let members = T::Validators::members();
        let all = Support::of_all(&members);
        let next = NextBurn::<T>::get();
        let (mut looked, mut facts) = (0u32, 0u32);
        let mut tallies = BTreeMap::<Fact, Support>::new();
        for (validator, said) in Votes::<T>::iter() {
            looked = looked.saturating_add(1);
            facts = facts.saturating_add(said.len() as u32);
            let Some(member) = members.get(validator as usize) else {
                continue;
            };
            for fact in said {
                if !matches!(fact, Fact::Burn(burn) if burn.number < next) {
                    let tally = tallies.entry(fact).or_default();
                    *tally = tally.plus(Support::of(member));
                }
            }
        }
        tallies.retain(|_, support| support.is_quorum_of(all));
        let mut burns = BTreeMap::new();
        let mut applied = 0u32;
        for fact in tallies.into_keys() {
            match fact {
                Fact::Burn(burn) => {
                    burns.insert(burn.number, burn);
                }
                _ if applied == ENDS_PER_BLOCK => Uncounted::<T>::put(true),
                Fact::Slash { id, fate } => {
                    looked = looked.saturating_add(1);
                    if T::OpenSlashes::is_open(id) {
                        applied = applied.saturating_add(1);
                        T::OnSlashFate::on_fate(id, fate);
                        Self::deposit_event(Event::SlashEnded { id, fate });
                    }
                }
                Fact::Rewards { era, item, fate } => {
                    looked = looked.saturating_add(1);
                    if T::OpenRewards::is_open(era, item) {
                        applied = applied.saturating_add(1);
                        T::OnRewardsFate::on_fate(era, item, fate);
                        Self::deposit_event(Event::RewardsEnded { era, item, fate });
                    }
                }
            }
        }
        let paid = Self::apply_burns(&burns);
        (looked, facts, applied.saturating_add(paid))
    }

    /// Applies burns in the order of their numbers, as far as there is no gap. Returns how many.
    fn apply_burns(burns: &BTreeMap<u64, Burn>) -> u32 {
        let mut applied = 0;
        while let Some(burn) = burns.get(&NextBurn::<T>::get()) {
            if Self::is_paused() {
                // It is looked for again in every block.
                Uncounted::<T>::put(true);
                break;
            }
            Self::apply_burn(*burn);
            applied += 1;
        }
        applied
    }
}
