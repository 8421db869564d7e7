//! Who signs. Every member of the set that signs owes a vote on each seal; whoever has voted on less than a part of
//! those that a quorum decided in a session was away, and that is an offence.
//!
//! A vote counts when it comes, be it late: a member that is slower than a quorum, as some always are, is not away.

use crate::{Attendance, Config, Pallet, Parameters, Sets, types::Roll};
use alloc::vec::Vec;
use gear_exe_primitives::{H160, evidence::OnFault as _};

impl<T: Config> Pallet<T> {
    /// A member of the set has voted on one of its seals.
    pub(crate) fn note_vote(set_id: u64, validator: u32) {
        Self::on_roll(set_id, |roll| {
            if let Some(votes) = roll.votes.get_mut(validator as usize) {
                *votes = votes.saturating_add(1);
            }
        });
    }

    /// A quorum of the set has decided one of its seals.
    pub(crate) fn note_decision(set_id: u64) {
        Self::on_roll(set_id, |roll| roll.seals = roll.seals.saturating_add(1));
    }

    /// Changes the roll of the set, which is a new one if another set signed before.
    fn on_roll(set_id: u64, change: impl FnOnce(&mut Roll<T::MaxValidators>)) {
        let mut roll = Attendance::<T>::get();
        if set_id < roll.set_id {
            // A vote on an old seal. That set's roll is closed.
            return;
        }
        if set_id > roll.set_id || roll.votes.is_empty() {
            Self::close(&roll);
            let members = Sets::<T>::decode_len(set_id).unwrap_or_default();
            roll = Roll {
                set_id,
                seals: 0,
                votes: Default::default(),
            };
            roll.votes.bounded_resize(members, 0);
        }
        change(&mut roll);
        Attendance::<T>::put(roll);
    }

    /// A session ends: tells who was away, and counts anew.
    pub(crate) fn close_attendance() {
        let mut roll = Attendance::<T>::get();
        Self::close(&roll);
        roll.seals = 0;
        roll.votes.iter_mut().for_each(|votes| *votes = 0);
        Attendance::<T>::put(roll);
    }

    fn close(roll: &Roll<T::MaxValidators>) {
        let parameters = Parameters::<T>::get();
        if roll.seals < parameters.least_seals.max(1) {
            return;
        }
        let due = parameters.attendance.mul_ceil(roll.seals);
        let members = Sets::<T>::get(roll.set_id).unwrap_or_default();
        let absent: Vec<H160> = members
            .iter()
            .zip(&roll.votes)
            .filter(|(_, votes)| **votes < due)
            .map(|(member, _)| member.address)
            .collect();
        if !absent.is_empty() {
            T::OnFault::on_absence(roll.set_id, absent);
        }
    }
}
