//! The way of an ETH slash: deferred, queued, committed, requested, and how it ends.
//!
//! A vault that has paid for one capture pays for none before. So an operator's slashes leave in the order of their
//! captures: one that is due waits for older ones that have not left, and for older ones that Ethereum has not executed,
//! until waiting longer would make it late. Each has a deadline of its own, and that of an older one is earlier: nothing
//! can be held for ever.
//!
//! Some operators are looked at per block, round-robin. What Ethereum has settled is only noted when it is learned.
//!
//! A slash that has left ends as Ethereum says ([`Pallet::note_outcome`]), not as the chain wanted: that a cancellation
//! is settled does not mean that it came before the vault paid. Until Ethereum says so, the slash is neither vetoed nor
//! executed; if it never does, it stays so until its era is forgotten, and holds nothing from the time on at which no
//! vault pays for it any more.

use crate::{
    Commitment, Config, Cursor, EraForgiven, EraSlashes, Eras, Error, Event, Expiry, Forgiven,
    OldestEra, OperatorQueue, Outbox, Outcome, Pallet, Queues, Reached, SettledEnd, Slash, Slashes,
    SlashingParameters, State, VaraQueue,
};
use alloc::vec::Vec;
use frame_support::{
    ensure,
    pallet_prelude::DispatchResult,
    traits::{Get, UnixTime},
};
use gear_exe_primitives::H160;
use polkadot_sdk::{
    frame_support,
    sp_runtime::{Perbill, Saturating},
    sp_staking::EraIndex,
};

/// Operators that are looked at per block.
pub(crate) const OPERATORS_PER_BLOCK: u32 = 4;
/// Entries of an old era that are forgotten per block.
pub(crate) const FORGET_PER_BLOCK: u32 = 16;

/// What an operator's slashes so far mean for those that follow.
#[derive(Default)]
struct Before {
    /// The oldest capture that has not left the chain.
    waiting: Option<u64>,
    /// The oldest capture of which it is not known whether Ethereum has executed it.
    in_flight: Option<u64>,
}

impl Before {
    fn holds(&self, slash: &Slash<impl Clone>, now: u64, parameters: &SlashingParameters) -> bool {
        let older = |capture: Option<u64>| capture.is_some_and(|other| other < slash.capture);
        let patient = now <= slash.deadline.saturating_sub(parameters.relay);
        older(self.waiting) || (older(self.in_flight) && patient)
    }

    fn note(&mut self, slash: &Slash<impl Clone>) {
        if slash.state.is_waiting() {
            self.waiting = self.waiting.or(Some(slash.capture));
        } else if !matches!(slash.state, State::Cancelling { .. }) {
            self.in_flight = self.in_flight.or(Some(slash.capture));
        }
    }
}

impl<T: Config> Pallet<T> {
    /// Unix time of the chain, in seconds.
    pub(crate) fn seconds() -> u64 {
        T::Time::now().as_secs()
    }

    /// Looks at the next operators. Returns at how many slashes.
    pub(crate) fn advance_some() -> u32 {
        let after = Cursor::<T>::get();
        let keys = match after {
            Some(operator) => Queues::<T>::iter_keys_from(Queues::<T>::hashed_key_for(operator)),
            None => Queues::<T>::iter_keys(),
        };
        let operators: Vec<_> = keys.take(OPERATORS_PER_BLOCK as usize).collect();
        let looked = operators.len() as u32;
        Cursor::<T>::set(
            operators
                .last()
                .copied()
                .filter(|_| looked == OPERATORS_PER_BLOCK),
        );
        operators
            .into_iter()
            .map(Self::advance)
            .fold(0, u32::saturating_add)
    }

    /// Moves an operator's slashes on. Returns how many there were.
    pub(crate) fn advance(operator: H160) -> u32 {
        let Some(mut queue) = Queues::<T>::get(operator) else {
            return 0;
        };
        let looked = queue.open.len() as u32;
        let parameters = T::Parameters::get();
        let now = Self::seconds();
        let mut before = Before::default();
        let mut executed = queue.executed;
        queue.open.retain(|(_, id)| {
            let Some(mut slash) = Slashes::<T>::get(id) else {
                return false;
            };
            let stands = slash.state;
            let open = Self::step(*id, &mut slash, &before, &mut executed, now, &parameters);
            if open {
                before.note(&slash);
            }
            if slash.state != stands {
                Slashes::<T>::insert(id, slash);
            }
            open
        });
        queue.executed = executed;
        Self::put_queue(operator, queue, now, &parameters);
        looked
    }

    /// Keeps what still matters of an operator.
    fn put_queue(operator: H160, queue: OperatorQueue, now: u64, parameters: &SlashingParameters) {
        if queue.open.is_empty() && queue.executed.saturating_add(parameters.window) < now {
            Queues::<T>::remove(operator);
        } else {
            Queues::<T>::insert(operator, queue);
        }
    }

    /// Moves a slash on. Returns whether it is still open.
    fn step(
        id: u64,
        slash: &mut Slash<T::AccountId>,
        before: &Before,
        executed: &mut u64,
        now: u64,
        parameters: &SlashingParameters,
    ) -> bool {
        let settled = |item| item < SettledEnd::<T>::get();
        let expiry = match slash.state {
            State::Deferred | State::Queued if slash.capture < *executed => Expiry::Overtaken,
            State::Deferred | State::Queued if now > slash.deadline => Expiry::HeldTooLong,
            State::Deferred if !slash.approved || Self::now() < slash.due => return true,
            State::Deferred | State::Queued if before.holds(slash, now, parameters) => {
                slash.state = State::Queued;
                return true;
            }
            State::Deferred | State::Queued => {
                Self::commit(id, slash);
                return true;
            }
            State::Committed { item } if settled(item) => {
                slash.state = State::Requested { since: now };
                Self::deposit_event(Event::SlashRequested { id });
                return true;
            }
            // No vault pays any more. What it has paid before, only Ethereum knows.
            State::Cancelling { .. }
                if now > slash.end && slash.state.is_on_ethereum(SettledEnd::<T>::get()) =>
            {
                return false;
            }
            State::Committed { .. } | State::Cancelling { .. } if now > slash.end => {
                Expiry::NotSettled
            }
            State::Requested { since } if Self::is_over(since, now, parameters) => {
                // Nobody said that it was not executed.
                *executed = slash.capture.max(*executed);
                return false;
            }
            State::Committed { .. } | State::Cancelling { .. } | State::Requested { .. } => {
                return true;
            }
            State::Executed | State::Vetoed | State::Cancelled | State::Expired(_) => return false,
        };
        slash.state = State::Expired(expiry);
        Self::deposit_event(Event::SlashExpired { id, reason: expiry });
        false
    }

    /// Whether the time in which a vault executes a request is over.
    fn is_over(since: u64, now: u64, parameters: &SlashingParameters) -> bool {
        since.saturating_add(parameters.execution) < now
    }

    fn commit(id: u64, slash: &mut Slash<T::AccountId>) {
        let item = T::Outbox::push(Commitment::Slash {
            id,
            operator: slash.operator,
            fraction: slash.fraction.deconstruct(),
            capture: slash.capture,
        });
        slash.state = State::Committed { item };
        Self::deposit_event(Event::SlashCommitted { id, item });
    }

    /// All outbox items below `outbox_end` are in final Ethereum blocks.
    pub fn note_settled(outbox_end: u64) {
        SettledEnd::<T>::mutate(|end| *end = (*end).max(outbox_end));
    }

    /// What became of a slash, as the Middleware on Ethereum says in a final block: also of one that governance has
    /// cancelled, but the vault has paid first. Without it the chain takes a slash for executed when the time for its
    /// execution is over, and for saved when it is cancelled.
    ///
    /// # Errors
    ///
    /// There is no such slash, or it has not left the chain.
    pub fn note_outcome(id: u64, outcome: Outcome) -> DispatchResult {
        let mut slash = Slashes::<T>::get(id).ok_or(Error::<T>::UnknownSlash)?;
        ensure!(slash.state.is_in_flight(), Error::<T>::WrongState);
        slash.state = match outcome {
            Outcome::Executed => State::Executed,
            Outcome::Vetoed => State::Vetoed,
            Outcome::Refused => State::Expired(Expiry::Refused),
        };
        Self::deposit_event(match outcome {
            Outcome::Executed => Event::SlashExecuted { id },
            Outcome::Vetoed => Event::SlashVetoed { id },
            Outcome::Refused => Event::SlashExpired {
                id,
                reason: Expiry::Refused,
            },
        });
        Self::close(id, &slash, outcome == Outcome::Executed);
        Slashes::<T>::insert(id, slash);
        Ok(())
    }

    /// Takes a slash out of its operator's queue.
    fn close(id: u64, slash: &Slash<T::AccountId>, executed: bool) {
        let mut queue = Queues::<T>::get(slash.operator).unwrap_or_default();
        queue.open.retain(|(_, other)| *other != id);
        if executed {
            queue.executed = slash.capture.max(queue.executed);
        }
        Self::put_queue(
            slash.operator,
            queue,
            Self::seconds(),
            &T::Parameters::get(),
        );
    }

    /// Cancels a slash in both assets, as far as it can still be.
    pub(crate) fn do_cancel(id: u64) -> DispatchResult {
        let mut slash = Slashes::<T>::get(id).ok_or(Error::<T>::UnknownSlash)?;
        let vara = T::VaraQueue::cancel(slash.era, &slash.vara);
        let now = Self::seconds();
        let ethereum = match slash.state {
            State::Cancelled | State::Cancelling { .. } | State::Vetoed => {
                return Err(Error::<T>::AlreadyCancelled.into());
            }
            State::Deferred | State::Queued => {
                slash.state = State::Cancelled;
                Self::close(id, &slash, false);
                true
            }
            // Also in the last moment: what comes too late does no harm on Ethereum.
            State::Committed { item } if now <= slash.end => Self::veto(id, &mut slash, Some(item)),
            State::Requested { since } if !Self::is_over(since, now, &T::Parameters::get()) => {
                Self::veto(id, &mut slash, None)
            }
            State::Committed { .. }
            | State::Requested { .. }
            | State::Executed
            | State::Expired(_) => false,
        };
        ensure!(ethereum || vara > 0, Error::<T>::TooLate);
        Self::forgive(&slash);
        Slashes::<T>::insert(id, slash);
        Self::deposit_event(Event::SlashCancelled { id, ethereum, vara });
        Ok(())
    }

    fn veto(id: u64, slash: &mut Slash<T::AccountId>, carried: Option<u64>) -> bool {
        let item = T::Outbox::push(Commitment::Cancel { id });
        slash.state = State::Cancelling {
            item,
            slash: carried,
        };
        true
    }

    /// Lets a slash leave the chain that needs governance for it.
    pub(crate) fn do_approve(id: u64) -> DispatchResult {
        Slashes::<T>::try_mutate(id, |slash| {
            let slash = slash.as_mut().ok_or(Error::<T>::UnknownSlash)?;
            ensure!(
                slash.state == State::Deferred && !slash.approved,
                Error::<T>::WrongState
            );
            ensure!(Self::seconds() <= slash.deadline, Error::<T>::TooLate);
            slash.approved = true;
            Ok(())
        })
        .inspect(|()| Self::deposit_event(Event::SlashApproved { id }))
    }

    /// Forgets some of the oldest era, if its validators are not bonded any more.
    pub(crate) fn forget_era() {
        let era = OldestEra::<T>::get();
        let (oldest, _) = T::Eras::oldest();
        if era >= oldest {
            return;
        }
        let old: Vec<_> = EraSlashes::<T>::iter_key_prefix(era)
            .take(FORGET_PER_BLOCK as usize)
            .collect();
        let mut done = old.len() < FORGET_PER_BLOCK as usize;
        for id in old {
            // Its window was over before, unless governance has made it longer than the bonding. Then it ends here.
            if let Some(slash) = Slashes::<T>::take(id) {
                Self::close(id, &slash, false);
            }
            EraSlashes::<T>::remove(era, id);
        }
        done &= Reached::<T>::clear_prefix(era, FORGET_PER_BLOCK, None)
            .maybe_cursor
            .is_none();
        let forgiven: Vec<_> = EraForgiven::<T>::iter_key_prefix(era)
            .take(FORGET_PER_BLOCK as usize)
            .collect();
        done &= forgiven.len() < FORGET_PER_BLOCK as usize;
        for key in forgiven {
            Forgiven::<T>::remove(key);
            EraForgiven::<T>::remove(era, key);
        }
        if done {
            OldestEra::<T>::put(era.saturating_add(1));
        }
    }

    /// Whether anything is open against an operator.
    pub fn is_clear(operator: H160) -> bool {
        Queues::<T>::get(operator).is_none_or(|queue| queue.open.is_empty())
    }

    /// The part of its stake in `era` that an operator loses, if nothing more is cancelled.
    pub fn lost(era: EraIndex, operator: H160) -> Perbill {
        EraSlashes::<T>::iter_key_prefix(era)
            .filter_map(Slashes::<T>::get)
            .filter(|slash| slash.operator == operator)
            .filter(|slash| {
                !matches!(
                    slash.state,
                    State::Cancelled | State::Cancelling { .. } | State::Vetoed | State::Expired(_)
                )
            })
            .fold(Perbill::zero(), |sum, slash| {
                sum.saturating_add(slash.fraction)
            })
    }
}
