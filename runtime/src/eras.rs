//! Where sessions become eras: the session pallet asks staking for validators, and learns here who else wants to know
//! that an era begins.

use crate::{AccountId, Runtime, Staking, parameters};
use alloc::vec::Vec;
use polkadot_sdk::{
    pallet_session::{self, SessionManager, historical},
    pallet_staking,
    sp_staking::SessionIndex,
};

/// Staking, as the session pallet's source of validators.
pub struct Eras;

/// Whether an account has session keys. Staking elects also who has none, and the session leaves these out.
fn has_keys(validator: &AccountId) -> bool {
    pallet_session::NextKeys::<Runtime>::contains_key(validator)
}

/// The era whose validators are at work; nothing before the first.
pub fn active() -> Option<u32> {
    pallet_staking::ActiveEra::<Runtime>::get().map(|era| era.index)
}

impl SessionManager<AccountId> for Eras {
    fn new_session(index: SessionIndex) -> Option<Vec<AccountId>> {
        // If nobody of the elected could sign anything, who is at work stays: there are always validators.
        <Staking as SessionManager<AccountId>>::new_session(index)
            .filter(|elected| elected.iter().any(has_keys))
    }

    fn new_session_genesis(index: SessionIndex) -> Option<Vec<AccountId>> {
        <Staking as SessionManager<AccountId>>::new_session_genesis(index)
    }

    fn start_session(index: SessionIndex) {
        let before = active();
        <Staking as SessionManager<AccountId>>::start_session(index);
        if active() != before {
            parameters::on_new_era();
        }
    }

    fn end_session(index: SessionIndex) {
        <Staking as SessionManager<AccountId>>::end_session(index);
    }
}

impl historical::SessionManager<AccountId, ()> for Eras {
    fn new_session(index: SessionIndex) -> Option<Vec<(AccountId, ())>> {
        <Staking as historical::SessionManager<AccountId, ()>>::new_session(index)
            .filter(|elected| elected.iter().any(|(validator, ())| has_keys(validator)))
    }

    fn new_session_genesis(index: SessionIndex) -> Option<Vec<(AccountId, ())>> {
        <Staking as historical::SessionManager<AccountId, ()>>::new_session_genesis(index)
    }

    fn start_session(index: SessionIndex) {
        <Self as SessionManager<AccountId>>::start_session(index);
    }

    fn end_session(index: SessionIndex) {
        <Self as SessionManager<AccountId>>::end_session(index);
    }
}
