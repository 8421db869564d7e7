//! Whether rewards were taken.

use crate::{Event, Refusal, Votes, mock::*};
use gear_exe_primitives::facts::{Fact, MAX_FACTS, RewardsFate, SlashFate};

#[test]
fn each_fate_is_told_once() {
    run(|| {
        OpenItems::set(vec![asked(1), asked(5)]);
        events();
        let facts = [
            rewards(1, RewardsFate::Taken),
            rewards(5, RewardsFate::Skipped),
        ];
        agree(&facts);
        let told = [(5, 1, RewardsFate::Taken), (5, 5, RewardsFate::Skipped)];
        assert_eq!(Told::get(), told);
        assert_eq!(
            events(),
            told.map(|(era, item, fate)| Event::RewardsEnded { era, item, fate })
        );
        assert_eq!(send(3, &facts), Err(Refusal::Said.into()));
        // Votes that are left tell nothing again, also while they are counted with others.
        OpenItems::set(vec![asked(7)]);
        agree(&[rewards(7, RewardsFate::Taken)]);
        assert_eq!(Told::get().len(), 3);
    });
}

#[test]
fn only_open_items_of_their_era_are_voted_on() {
    run(|| {
        let fact = rewards(1, RewardsFate::Skipped);
        assert_eq!(send(0, &[fact]), Err(Refusal::Said.into()));
        OpenItems::set(vec![asked(1)]);
        let other_era = Fact::Rewards {
            era: 4,
            item: 1,
            fate: RewardsFate::Skipped,
        };
        assert_eq!(send(0, &[other_era]), Err(Refusal::Said.into()));
        send(0, &[other_era, fact]).unwrap();
        assert_eq!(Votes::<Test>::get(0).into_inner(), [fact]);
        // What is noted meanwhile is left alone.
        send(1, &[fact]).unwrap();
        send(2, &[fact]).unwrap();
        OpenItems::take();
        next_block();
        assert!(Told::get().is_empty());
    });
}

#[test]
fn contradictions_and_liars_decide_nothing() {
    run(|| {
        OpenItems::set(vec![asked(1), asked(2)]);
        for validator in 0..2 {
            send(validator, &[rewards(1, RewardsFate::Taken)]).unwrap();
        }
        for validator in 2..4 {
            send(validator, &[rewards(1, RewardsFate::Skipped)]).unwrap();
        }
        send(3, &[rewards(2, RewardsFate::Skipped)]).unwrap();
        next_block();
        assert!(Told::get().is_empty());
        for validator in 0..3 {
            send(validator, &[rewards(2, RewardsFate::Taken)]).unwrap();
        }
        next_block();
        assert_eq!(Told::get(), [(5, 2, RewardsFate::Taken)]);
    });
}

#[test]
fn so_many_do_not_end_in_one_block() {
    run(|| {
        Open::set((0..10).collect());
        OpenItems::set((0..22).map(asked).collect());
        let facts: Vec<_> = (0..10)
            .map(|id| slash(id, SlashFate::Executed))
            .chain((0..22).map(|item| rewards(item, RewardsFate::Taken)))
            .collect();
        assert_eq!(facts.len(), MAX_FACTS);
        agree(&facts);
        assert_eq!((Ended::get().len(), Told::get().len()), (10, 6));
        next_block();
        assert_eq!(Told::get().len(), 22);
    });
}
