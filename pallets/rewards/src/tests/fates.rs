//! What validators say of what was sent.

use crate::{fates::AGAIN_PER_ERA, mock::*, *};
use gear_exe_primitives::{
    facts::{AskedRewards, RewardsFate, RewardsTrace},
    rewards::{self, RewardClaim},
};
use polkadot_sdk::{
    frame_support::{BoundedVec, assert_noop, assert_ok},
    frame_system::RawOrigin,
};

type Refused = Error<Test>;

/// Era 1 has sent a claim of 200 and 300 for vaults, in items that are settled.
fn sent() {
    points(0, 1, 1);
    end_era(1_000);
    claim(1, 7).unwrap();
    points(1, 1, 1);
    stake(1, vec![eth(1, 1, &[(4, 2), (5, 1)])]);
    end_era(1_000);
    SettledEnd::set(FIRST_ITEM + 2);
    assert_eq!(Emitted::<Test>::get(), 500);
}

fn settle_all() {
    SettledEnd::set(FIRST_ITEM + Pushed::get().len() as u64);
}

/// What the chain asks about, by item.
fn asked() -> Vec<AskedRewards> {
    let mut open = Rewards::open_items();
    open.sort_unstable();
    assert!(open.iter().all(|(era, item)| Rewards::is_open(*era, *item)));
    open.into_iter()
        .map(|(era, item)| Rewards::question(era, item).unwrap())
        .collect()
}

fn say(era: u32, item: u64, fate: RewardsFate) {
    Rewards::note_fate(era, item, fate);
    Rewards::do_try_state().unwrap();
}

fn skip_noted(era: u32, item: u64, again: Option<u64>) -> Event<Test> {
    Event::SkipNoted { era, item, again }
}

#[test]
fn settled_items_are_asked_about_with_what_shows_them() {
    run(|| {
        sent();
        let claim = RewardClaim {
            to: address(7),
            amount: 200,
        };
        let claims = AskedRewards {
            era: 1,
            item: FIRST_ITEM,
            amount: 200,
            trace: RewardsTrace::Claims(rewards::root(1, &[claim])),
        };
        let vaults = AskedRewards {
            era: 1,
            item: FIRST_ITEM + 1,
            amount: 300,
            trace: RewardsTrace::Vault {
                vault: address(4),
                amount: 200,
            },
        };
        assert_eq!(asked(), [claims, vaults]);
        assert_eq!(Rewards::delivered(), 0);
        // Before the batch is final there is nothing to ask.
        SettledEnd::set(FIRST_ITEM + 1);
        assert_eq!(asked(), [claims]);
        say(1, FIRST_ITEM + 1, RewardsFate::Skipped);
        assert_eq!(Items::<Test>::iter().count(), 2);
        SettledEnd::set(FIRST_ITEM);
        assert_eq!(asked(), []);
    });
}

#[test]
fn what_was_taken_is_closed() {
    run(|| {
        sent();
        say(1, FIRST_ITEM, RewardsFate::Taken);
        assert!(!Rewards::is_open(1, FIRST_ITEM));
        assert_eq!((asked().len(), Rewards::delivered()), (1, 200));
        say(1, FIRST_ITEM + 1, RewardsFate::Taken);
        assert_eq!((asked().len(), Rewards::delivered()), (0, 500));
        let taken = |item, amount| Event::Taken {
            era: 1,
            item,
            amount,
        };
        assert!(events().contains(&taken(FIRST_ITEM, 200)));
        assert!(events().contains(&taken(FIRST_ITEM + 1, 300)));
        assert_eq!((carried(), Emitted::<Test>::get()), (0, 500));
        assert!(Marks::<Test>::iter().next().is_none());
        // Nobody can have it sent again, and proofs stay.
        for item in [FIRST_ITEM, FIRST_ITEM + 1] {
            assert_noop!(
                Rewards::note_skipped(RawOrigin::Root.into(), 1, item),
                Refused::UnknownItem
            );
        }
        let events_before = events().len();
        say(1, FIRST_ITEM, RewardsFate::Skipped);
        say(9, FIRST_ITEM, RewardsFate::Skipped);
        end_era(0);
        assert_eq!(Pushed::get().len(), 2);
        // That of the era.
        assert_eq!(events().len(), events_before + 1);
        assert!(Rewards::proof(1, address(7)).is_some());
    });
}

#[test]
fn what_vaults_did_not_get_is_income_at_once() {
    run(|| {
        sent();
        say(1, FIRST_ITEM + 1, RewardsFate::Skipped);
        assert_eq!((carried(), Emitted::<Test>::get()), (300, 200));
        assert!(events().contains(&skip_noted(1, FIRST_ITEM + 1, None)));
        assert_eq!((asked().len(), Rewards::delivered()), (1, 0));
        say(1, FIRST_ITEM + 1, RewardsFate::Skipped);
        assert_eq!(carried(), 300);
    });
}

#[test]
fn claims_are_sent_again_when_the_era_ends() {
    run(|| {
        sent();
        say(1, FIRST_ITEM + 1, RewardsFate::Taken);
        say(1, FIRST_ITEM, RewardsFate::Skipped);
        assert!(events().contains(&Event::ClaimsWait {
            era: 1,
            item: FIRST_ITEM
        }));
        assert_eq!((asked(), Pushed::get().len()), (vec![], 2));
        // Once is enough, and the other thing cannot be said of it now.
        say(1, FIRST_ITEM, RewardsFate::Skipped);
        say(1, FIRST_ITEM, RewardsFate::Taken);
        assert_eq!(Waiting::<Test>::get().len(), 1);
        end_era(0);
        let pushed = Pushed::get();
        assert_eq!((pushed.len(), &pushed[2]), (3, &pushed[0]));
        let again = FIRST_ITEM + 2;
        assert!(events().contains(&skip_noted(1, FIRST_ITEM, Some(again))));
        assert_eq!(Items::<Test>::get(1, FIRST_ITEM), None);
        assert_eq!(Items::<Test>::get(1, again), Some(Sent::Claims(200)));
        assert_eq!((Emitted::<Test>::get(), Rewards::delivered()), (500, 300));
        settle_all();
        say(1, again, RewardsFate::Taken);
        assert_eq!((asked().len(), Rewards::delivered()), (0, 500));
        end_era(0);
        assert_eq!(Pushed::get().len(), 3);
    });
}

#[test]
fn governance_need_not_wait() {
    run(|| {
        sent();
        say(1, FIRST_ITEM, RewardsFate::Skipped);
        assert_ok!(Rewards::note_skipped(RawOrigin::Root.into(), 1, FIRST_ITEM));
        assert_eq!(Pushed::get().len(), 3);
        assert!(Waiting::<Test>::get().is_empty());
        end_era(0);
        assert_eq!(Pushed::get().len(), 3);
    });
}

/// Eras 1 to `count` have claims, which the Router skips.
fn many(count: u32) {
    points(0, 1, 1);
    end_era(1_000);
    for era in 1..=count {
        claim(1, 7).unwrap();
        points(era, 1, 1);
        end_era(1_000);
    }
}

#[test]
fn of_many_some_are_sent_again_at_a_time_and_all_in_turn() {
    run(|| {
        many(3);
        settle_all();
        // More of one era than there can be: only the number counts.
        let count = u64::from(AGAIN_PER_ERA) + 3;
        let tree = Trees::<Test>::get(3).unwrap();
        let amount = tree.claims[0].amount;
        for item in 0..count {
            Items::<Test>::insert(3, item, Sent::Claims(amount));
        }
        LastSpent::<Test>::mutate(|spent| *spent += u128::from(count) * amount);
        Taken::<Test>::mutate(|taken| *taken += u128::from(count) * amount);
        Emitted::<Test>::mutate(|emitted| *emitted += u128::from(count) * amount);
        for item in 0..count {
            say(3, item, RewardsFate::Skipped);
        }
        let before = Pushed::get().len();
        let sent = || (Pushed::get().len() - before) as u32;
        end_era(0);
        // One in a block.
        assert_eq!(sent(), 1);
        for block in 2..20 {
            next_block();
            assert_eq!(sent(), AGAIN_PER_ERA.min(block));
        }
        let left: Vec<_> = (u64::from(AGAIN_PER_ERA)..count)
            .map(|item| (3, item))
            .collect();
        assert_eq!(Waiting::<Test>::get().into_inner(), left);
        // Those that are skipped again come after them.
        let first = FIRST_ITEM + before as u64;
        settle_all();
        say(3, first, RewardsFate::Skipped);
        end_era(0);
        for _ in 0..20 {
            next_block();
        }
        assert_eq!(sent(), AGAIN_PER_ERA + 4);
        assert!(Waiting::<Test>::get().is_empty());
    });
}

#[test]
fn when_as_many_wait_as_can_no_other_claims_are_asked_about() {
    run(|| {
        sent();
        let full = (0..u64::from(MAX_WAITING)).map(|item| (1, 1_000 + item));
        Waiting::<Test>::put(BoundedVec::truncate_from(full.collect()));
        assert_eq!(Rewards::open_items(), [(1, FIRST_ITEM + 1)]);
        Rewards::note_fate(1, FIRST_ITEM, RewardsFate::Skipped);
        assert_eq!(Waiting::<Test>::get().len(), MAX_WAITING as usize);
        Waiting::<Test>::kill();
        assert!(Rewards::is_open(1, FIRST_ITEM));
    });
}

/// Claims are owed as long as they can be proven; then what never arrived is income of the network.
#[test]
fn claims_that_are_skipped_for_ever_return_in_the_end() {
    run(|| {
        sent();
        say(1, FIRST_ITEM + 1, RewardsFate::Taken);
        let mut item = FIRST_ITEM;
        while ActiveEra::get() < Some(1 + PROOFS) {
            say(1, item, RewardsFate::Skipped);
            end_era(0);
            item = FIRST_ITEM + Pushed::get().len() as u64 - 1;
            assert_eq!(Items::<Test>::get(1, item), Some(Sent::Claims(200)));
            settle_all();
        }
        assert!(Rewards::proof(1, address(7)).is_some());
        say(1, item, RewardsFate::Skipped);
        let before = Pushed::get().len();
        end_era(0);
        assert_eq!(Pushed::get().len(), before);
        assert!(events().contains(&Event::Returned {
            era: 1,
            amount: 200
        }));
        assert_eq!(Emitted::<Test>::get(), 300);
        assert!(Waiting::<Test>::get().is_empty());
        assert!(Items::<Test>::iter().next().is_none());
    });
}
