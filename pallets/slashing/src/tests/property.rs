//! Random histories of offences, eras, cancellations, approvals and Ethereum's delays. After each step: no double slash,
//! none after it was cancelled, never above an era's maximum, the order of captures, and VARA is conserved.

use crate::{mock::*, *};
use polkadot_sdk::{
    pallet_balances,
    sp_runtime::Perbill,
    sp_staking::{EraIndex, offence::ReportOffence},
};
use std::collections::{BTreeMap, BTreeSet};

/// xorshift64*: the same history for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }
}

/// What the test remembers beside the pallet.
#[derive(Default)]
struct Model {
    /// Commitments that were looked at.
    looked: usize,
    /// Slashes that have left.
    left: BTreeSet<u64>,
    /// Slashes that governance has cancelled before they left.
    cancelled: BTreeSet<u64>,
    /// Incident and validator that were forgiven, with the number of the next slash then.
    forgiven: BTreeMap<(gear_exe_primitives::H256, AccountId), u64>,
    /// What has left, per era and operator, in parts per billion.
    taken: BTreeMap<(EraIndex, gear_exe_primitives::H160), u64>,
}

const ACCOUNTS: [AccountId; 15] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 21, TREASURY, REPORTER, CANCELLER,
];

impl Model {
    fn look(&mut self) {
        let pushed = Pushed::get();
        for commitment in &pushed[self.looked..] {
            let Commitment::Slash {
                id,
                operator,
                fraction,
                capture,
            } = *commitment
            else {
                continue;
            };
            assert!(self.left.insert(id), "slash {id} has left twice");
            assert!(!self.cancelled.contains(&id), "slash {id} was cancelled");
            let slash = slash(id);
            assert!(seconds() <= slash.deadline, "slash {id} is late");
            let older = Slashes::<Test>::iter_values().any(|other| {
                other.operator == operator && other.capture < capture && other.state.is_waiting()
            });
            assert!(!older, "slash {id} has left before an older one");
            let taken = self.taken.entry((slash.era, operator)).or_default();
            *taken += u64::from(fraction);
            let maximum = rules().maximum_per_era.deconstruct();
            assert!(*taken <= maximum.into(), "more than an era's maximum");
        }
        self.looked = pushed.len();
        for (id, slash) in Slashes::<Test>::iter() {
            if let Some(next) = self.forgiven.get(&(slash.incident, slash.validator)) {
                assert!(id < *next, "what was forgiven has come back");
            }
        }
        assert!(Reached::<Test>::iter_values().all(|reached| reached <= rules().maximum_per_era));
        let total: u128 = ACCOUNTS.iter().map(|who| balance(*who)).sum();
        assert_eq!(total, 12 * 2 * STAKE + 3 * 1_000, "VARA is conserved");
        assert_eq!(total, pallet_balances::TotalIssuance::<Test>::get());
        Slashing::do_try_state().unwrap();
    }

    fn cancel(&mut self, id: u64) {
        let before = Slashes::<Test>::get(id);
        let Ok(()) = cancel(id) else {
            return;
        };
        let before = before.unwrap();
        if before.state.is_waiting() {
            self.cancelled.insert(id);
        }
        let key = (before.incident, before.validator);
        self.forgiven.entry(key).or_insert_with(NextId::<Test>::get);
    }
}

fn offend_somehow(random: &mut Random) {
    let now = Session::current_index();
    let count = 1 + random.below(3);
    let offenders: BTreeSet<_> = (0..count).map(|_| 1 + random.below(VALIDATORS)).collect();
    let session = now.saturating_sub(random.below(10) as u32).max(1);
    let offenders = offenders.into_iter().collect();
    let slot = random.below(12) + u64::from(session / 3) * 100;
    let fraction = Perbill::from_percent(random.below(80) as u32);
    let offence = Custom {
        offenders,
        session,
        slot,
        fraction,
    };
    let _ = Reports::report_offence(vec![REPORTER], offence);
}

fn history(seed: u64) -> (usize, usize) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ seed);
    let mut model = Model::default();
    new_test_ext().execute_with(|| {
        for _ in 0..120 {
            let known = NextId::<Test>::get().max(1);
            match random.below(12) {
                0..=3 => offend_somehow(&mut random),
                4 => {
                    let number = System::block_number() - random.below(3);
                    let _ = report(double_sign(1 + random.below(VALIDATORS), number));
                }
                5 => {
                    let number = System::block_number();
                    let who = 1 + random.below(VALIDATORS);
                    if Session::validators().contains(&who) {
                        let _ = report(two_headers(who, number));
                    }
                }
                6 => model.cancel(random.below(known)),
                7 => {
                    let end = random.below(Pushed::get().len() as u64 + 1);
                    Slashing::note_settled(end);
                }
                8 => {
                    let outcome = match random.below(3) {
                        0 => Outcome::Executed,
                        1 => Outcome::Vetoed,
                        _ => Outcome::Refused,
                    };
                    let id = random.below(known);
                    // Ethereum says nothing of what it has not got.
                    if model.left.contains(&id) {
                        let _ = Slashing::note_outcome(id, outcome);
                    }
                }
                9 => {
                    let id = random.below(known);
                    let _ = Slashing::approve(root(), id);
                }
                _ => {
                    for _ in 0..=random.below(6) {
                        next_block();
                        model.look();
                    }
                }
            }
            model.look();
        }
    });
    (model.left.len(), model.cancelled.len())
}

#[test]
fn random_histories() {
    let (mut left, mut cancelled) = (0, 0);
    for seed in 1..=40 {
        let (more, fewer) = history(seed);
        left += more;
        cancelled += fewer;
    }
    // The histories are no idle ones.
    assert!(left > 100, "{left} have left");
    assert!(cancelled > 20, "{cancelled} were cancelled");
}
