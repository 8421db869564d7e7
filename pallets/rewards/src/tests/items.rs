//! What was sent, and what governance says was skipped.

use crate::{mock::*, *};
use gear_exe_primitives::outbox::OutboxItem;
use polkadot_sdk::{
    frame_support::{assert_noop, assert_ok},
    frame_system::RawOrigin,
    sp_runtime::DispatchError,
};

type Refused = Error<Test>;

/// Era 1 has sent a claim of 200 and 300 for a vault.
fn sent() {
    points(0, 1, 1);
    end_era(1_000);
    claim(1, 7).unwrap();
    points(1, 1, 1);
    stake(1, vec![eth(1, 1, &[(1, 1)])]);
    end_era(1_000);
    assert_eq!(Items::<Test>::get(1, FIRST_ITEM), Some(Sent::Claims(200)));
    assert_eq!(
        Items::<Test>::get(1, FIRST_ITEM + 1),
        Some(Sent::Vaults(300))
    );
    assert_eq!(Emitted::<Test>::get(), 500);
}

#[test]
fn claims_are_sent_again_as_they_were() {
    run(|| {
        sent();
        SettledEnd::set(FIRST_ITEM + 2);
        // Whatever Ethereum says in the meantime.
        Finalised::set(1_900_000_000);
        assert_ok!(Rewards::note_skipped(RawOrigin::Root.into(), 1, FIRST_ITEM));
        let pushed = Pushed::get();
        assert_eq!(pushed.len(), 3);
        assert_eq!(pushed[0], pushed[2]);
        let noted = Event::SkipNoted {
            era: 1,
            item: FIRST_ITEM,
            again: Some(FIRST_ITEM + 2),
        };
        assert!(events().contains(&noted));
        assert_eq!(Emitted::<Test>::get(), 500);
        assert_noop!(
            Rewards::note_skipped(RawOrigin::Root.into(), 1, FIRST_ITEM),
            Refused::UnknownItem
        );
        // Again, when it was settled again.
        assert_noop!(
            Rewards::note_skipped(RawOrigin::Root.into(), 1, FIRST_ITEM + 2),
            Refused::NotSettled
        );
        SettledEnd::set(FIRST_ITEM + 3);
        assert_ok!(Rewards::note_skipped(
            RawOrigin::Root.into(),
            1,
            FIRST_ITEM + 2
        ));
        assert_eq!(Pushed::get().len(), 4);
    });
}

#[test]
fn what_vaults_did_not_get_is_income_again() {
    run(|| {
        sent();
        SettledEnd::set(FIRST_ITEM + 2);
        assert_eq!(carried(), 0);
        assert_ok!(Rewards::note_skipped(
            RawOrigin::Root.into(),
            1,
            FIRST_ITEM + 1
        ));
        assert_eq!((carried(), Emitted::<Test>::get()), (300, 200));
        let noted = Event::SkipNoted {
            era: 1,
            item: FIRST_ITEM + 1,
            again: None,
        };
        assert!(events().contains(&noted));
        assert_noop!(
            Rewards::note_skipped(RawOrigin::Root.into(), 1, FIRST_ITEM + 1),
            Refused::UnknownItem
        );
        points(2, 1, 1);
        end_era(0);
        assert_eq!(Divisions::<Test>::get(2).unwrap().income, 300);
    });
}

#[test]
fn only_governance_may_say_so_and_only_of_what_is_settled() {
    run(|| {
        sent();
        for origin in [RawOrigin::Signed(1), RawOrigin::None] {
            assert_noop!(
                Rewards::note_skipped(origin.into(), 1, FIRST_ITEM),
                DispatchError::BadOrigin
            );
        }
        SettledEnd::set(FIRST_ITEM + 1);
        assert_noop!(
            Rewards::note_skipped(RawOrigin::Root.into(), 1, FIRST_ITEM + 1),
            Refused::NotSettled
        );
        for (era, item) in [
            (0, FIRST_ITEM),
            (2, FIRST_ITEM),
            (1, 0),
            (1, FIRST_ITEM + 2),
        ] {
            assert_noop!(
                Rewards::note_skipped(RawOrigin::Root.into(), era, item),
                Refused::UnknownItem
            );
        }
    });
}

#[test]
fn claims_and_vaults_share_no_item() {
    run(|| {
        sent();
        for item in Pushed::get() {
            let OutboxItem::Rewards {
                operators_total,
                vaults,
                ..
            } = item
            else {
                panic!("{item:?}");
            };
            assert!(vaults.is_empty() != (operators_total == 0));
        }
    });
}
