//! Who does not sign is told when the session ends.

use crate::{Attendance, Parameters, mock::*};
use polkadot_sdk::{frame_support::traits::OneSessionHandler, sp_runtime::Perbill};

/// Seals that are decided one after the other, each by `signers`, and applied.
fn decide(seals: u32, signers: &[u32]) {
    for _ in 0..seals {
        let tip = Anchor::get();
        let header = batch_of(newest(), 1);
        for validator in signers {
            sign(*validator, &header).unwrap();
        }
        follow(mine_with(tip, applied(&header, &tip, 0)));
    }
}

fn end_session() {
    Settlement::on_before_session_ending();
}

#[test]
fn who_does_not_sign_is_away() {
    run(|| {
        follow(mine(root()));
        Parameters::<Test>::mutate(|parameters| parameters.least_seals = 3);
        decide(3, &[0, 1, 3]);
        end_session();
        assert_eq!(ToldAbsence::get(), [(0, vec![address(2)])]);
        // Counted anew: this session has fewer seals than anybody can be away from.
        decide(2, &[0, 1, 3]);
        end_session();
        assert_eq!(ToldAbsence::get().len(), 1);
    });
}

#[test]
fn half_of_the_seals_are_enough_and_late_votes_count() {
    run(|| {
        follow(mine(root()));
        Parameters::<Test>::mutate(|parameters| {
            parameters.least_seals = 4;
            parameters.attendance = Perbill::from_percent(50);
        });
        decide(2, &[0, 1, 2]);
        // After the quorum.
        decide(2, &[0, 1, 2, 3]);
        end_session();
        assert!(ToldAbsence::get().is_empty());
        decide(3, &[0, 1, 2]);
        decide(1, &[0, 1, 2, 3]);
        end_session();
        assert_eq!(ToldAbsence::get(), [(0, vec![address(3)])]);
    });
}

#[test]
fn the_old_sets_roll_is_closed_when_the_new_one_signs() {
    run(|| {
        follow(mine(root()));
        Parameters::<Test>::mutate(|parameters| parameters.least_seals = 2);
        decide(2, &[0, 1, 2]);
        new_session([4, 5, 6]);
        // The old set signs on: the handover is not applied.
        decide(1, &[0, 1, 2]);
        assert_eq!(Attendance::<Test>::get().set_id, 0);
        assert!(ToldAbsence::get().is_empty());
        end_session();
        assert_eq!(ToldAbsence::get(), [(0, vec![address(3)])]);
    });
}
