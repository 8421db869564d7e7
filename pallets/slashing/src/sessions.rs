//! To which session a fault belongs.
//!
//! Whoever reports a fault must not be able to choose: an era whose stake can not be slashed any more would let the
//! offender go, and the same fault is not taken twice. So the session follows from what was signed. For two headers it
//! is that of the slot, which both headers name, and the key's owner is proven against that session's historical root.
//!
//! For a seal it is the session of the seal block, or the last one in which the signing set was in force, if that is
//! earlier. A set signs on after its era, until the Router has the next one (protocol.md, section 5): what its members sign then
//! belongs to the last era in which the set was in force. That era's stake has elected it, is what its weight in the
//! quorum was made of, and stays bonded, and in the vaults, for the windows. On Ethereum, too, a set's signature is paid for by
//! stake of an era of that set: the outbox item `OperatorSet` names its capture. The era in which the seal lies would not
//! do: who was not elected again has no stake in it, and could sign what it likes until the handover.
//!
//! Whose the key is, is known from the set. A historical proof would not do: nobody can make one in the block
//! in which the settlement pallet sees the fault, and the historical root of a session is copied from the one before
//! while Staking elects nobody, so a key that was changed within an era is in no root. Sets are told by the settlement
//! pallet from the keys that are in force.

use crate::{
    Config, Eras, LastSession, OldestSession, OldestSet, Pallet, SessionStart, SessionStarts,
    SignerSet, Signers,
};
use alloc::vec::Vec;
use frame_support::{BoundedVec, traits::Get};
use gear_exe_primitives::{H160, evidence::Signer};
use polkadot_sdk::{frame_support, sp_staking::SessionIndex};

/// Sessions or sets that are forgotten per block.
pub(crate) const FORGET_PER_BLOCK: u32 = 8;

/// A member of a set that has signed something.
pub(crate) struct Member<AccountId> {
    pub validator: AccountId,
    /// The session to which what it signed belongs.
    pub session: SessionIndex,
    /// Members of its set.
    pub validators: u32,
}

impl<T: Config> Pallet<T> {
    /// Notes where the session begins, if it begins with this block.
    pub(crate) fn note_session(now: u64) {
        let session = T::Eras::session();
        let last = LastSession::<T>::get();
        if last == Some(session) {
            return;
        }
        if last.is_none() {
            OldestSession::<T>::put(session);
        }
        let start = SessionStart {
            block: now,
            slot: T::CurrentSlot::get(),
        };
        SessionStarts::<T>::insert(session, start);
        LastSession::<T>::put(session);
    }

    /// The set `set_id` votes in the session that runs, with these accounts behind its members' addresses.
    pub(crate) fn note_signers(set_id: u64, signers: Vec<(T::AccountId, H160)>) {
        let session = T::Eras::session();
        if !Signers::<T>::contains_key(set_id) && Signers::<T>::iter_keys().next().is_none() {
            OldestSet::<T>::put(set_id);
        }
        let first = Signers::<T>::get(set_id).map_or(session, |set| set.first);
        let members = signers
            .into_iter()
            .map(|(account, signer)| (signer, account))
            .collect();
        let set = SignerSet {
            first,
            last: session,
            members: BoundedVec::truncate_from(members),
        };
        Signers::<T>::insert(set_id, set);
    }

    /// The last session that `begins`, if sessions that do are followed by such that do not.
    fn last_session(begins: impl Fn(SessionStart) -> bool) -> Option<SessionIndex> {
        let begins = |session| SessionStarts::<T>::get(session).is_some_and(&begins);
        let mut low = OldestSession::<T>::get();
        let mut high = LastSession::<T>::get()?;
        if !begins(low) {
            return None;
        }
        while low < high {
            let middle = low.saturating_add(high.saturating_sub(low).div_ceil(2));
            if begins(middle) {
                low = middle;
            } else {
                high = middle.saturating_sub(1);
            }
        }
        Some(low)
    }

    /// The session whose validators author in `slot`. The first block of a session is still authored by those of the
    /// session before.
    pub(crate) fn session_of_slot(slot: u64) -> Option<SessionIndex> {
        Self::last_session(|start| start.begins_before(slot))
    }

    /// The member that signed, of the newest set in whose name it did so, and the session that counts.
    pub(crate) fn member(signer: &Signer) -> Option<Member<T::AccountId>> {
        Self::member_at(signer.address, signer.sets, |start| {
            start.block <= signer.seal_number
        })
    }

    /// The same for anything that was signed in the last session that `begins` by then.
    pub(crate) fn member_at(
        address: H160,
        [one, other]: [u64; 2],
        begins: impl Fn(SessionStart) -> bool,
    ) -> Option<Member<T::AccountId>> {
        let (set, validator) = [one.max(other), one.min(other)]
            .into_iter()
            .find_map(|set_id| {
                let set = Signers::<T>::get(set_id)?;
                let found = set.members.iter().find(|(key, _)| *key == address);
                let (_, validator) = found?.clone();
                Some((set, validator))
            })?;
        // Something of whose time nothing is known is older than what is kept, so the set's first session is its.
        let signed = Self::last_session(begins);
        let session = signed.unwrap_or(set.first).max(set.first).min(set.last);
        Some(Member {
            validator,
            session,
            validators: set.members.len() as u32,
        })
    }

    /// Forgets some sessions and sets whose validators are not bonded any more.
    pub(crate) fn forget_sessions() {
        let (_, oldest) = T::Eras::oldest();
        let last = LastSession::<T>::get().unwrap_or_default();
        for _ in 0..FORGET_PER_BLOCK {
            let session = OldestSession::<T>::get();
            // The session that runs before `oldest` is kept too: its validators author that one's first block.
            if session.saturating_add(1) >= oldest || session >= last {
                break;
            }
            SessionStarts::<T>::remove(session);
            OldestSession::<T>::put(session.saturating_add(1));
        }
        for _ in 0..FORGET_PER_BLOCK {
            let set_id = OldestSet::<T>::get();
            let Some(set) = Signers::<T>::get(set_id) else {
                // Numbers may be left out, but not after the newest.
                if Signers::<T>::iter_keys().next().is_some() {
                    OldestSet::<T>::put(set_id.saturating_add(1));
                }
                break;
            };
            // The newest set stays: the session that runs is at least as new as the oldest one.
            if set.last >= oldest || set.last >= T::Eras::session() {
                break;
            }
            Signers::<T>::remove(set_id);
            OldestSet::<T>::put(set_id.saturating_add(1));
        }
    }
}
