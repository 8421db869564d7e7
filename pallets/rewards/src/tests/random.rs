//! Random histories of income, points, stakes in both assets, commissions, pools with members that come and go, pages that
//! are paid in any order or never, claims, and items that Ethereum takes or skips, of which the chain is told late, or never. After each step every base unit
//! is where it must be, here or on Ethereum, and what was sent says what was claimed.

use super::shares::{Shares, Step};
use crate::{mock::*, *};
use gear_exe_primitives::{
    H160,
    facts::{MAX_ASKED_REWARDS, RewardsFate},
    outbox::{MAX_REWARDED_VAULTS, OutboxItem},
    rewards,
};
use polkadot_sdk::{frame_system::RawOrigin, sp_runtime::Perbill};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const VALIDATORS: u64 = 4;

#[derive(Clone, Debug)]
enum Action {
    /// A validator has points in the era that runs, and this behind it.
    Work(u64, u32, u32, u128, Vec<Vec<(u64, u128)>>),
    /// ETH of a validator in the era that runs.
    Eth(u64, u128, Vec<(u64, u128)>),
    /// When the stake of the era that runs was read.
    Capture(u64),
    /// Ethereum's final time.
    Finalised(u64),
    /// The era ends with this income.
    Era(u128),
    /// Somebody pays a page of an era so far back.
    Pay(u64, u32, u32),
    Claim(u64, u64),
    /// Something in a pool.
    Pool(Step),
    Rules(u32, u32, u32, u128),
    /// Ethereum has settled all items; bit by bit, whether it takes them.
    Settle(u64),
    /// Validators say what became of the items that they are asked about.
    Tell,
    /// Governance says of one of the items that it was skipped: of claims also if that is not so.
    Skip(usize),
}

fn amount() -> impl Strategy<Value = u128> {
    prop_oneof![
        Just(0),
        1..100u128,
        1..10_000_000_000_000_000_000u128,
        Just(u128::MAX >> 8)
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let validator = 1..=VALIDATORS;
    let staker = prop_oneof![
        2 => 10..30u64,
        1 => 1..=VALIDATORS,
        3 => POOL..POOL + 3,
        1 => Just(GONE),
        1 => Just(NOBODY),
    ];
    let page = proptest::collection::vec((staker, amount()), 0..6);
    let pages = proptest::collection::vec(page, 0..4);
    let vaults = proptest::collection::vec((1..400u64, amount()), 0..40);
    prop_oneof![
        6 => (validator.clone(), prop_oneof![Just(0), 1..5_000u32, Just(u32::MAX)], 0..=100u32, amount(), pages)
            .prop_map(|(who, points, commission, own, pages)| Action::Work(who, points, commission, own, pages)),
        3 => (validator.clone(), amount(), vaults).prop_map(|(who, weight, vaults)| Action::Eth(who, weight, vaults)),
        1 => prop_oneof![Just(0), 1..1u64 << 48].prop_map(Action::Capture),
        1 => prop_oneof![Just(0), 1..1u64 << 48].prop_map(Action::Finalised),
        6 => prop_oneof![Just(0), 1..1_000u128, 1..1_000_000_000_000_000_000u128].prop_map(Action::Era),
        8 => (validator, 0..6u32, 0..4u32).prop_map(|(who, back, page)| Action::Pay(who, back, page)),
        4 => (prop_oneof![1..=VALIDATORS, 10..30u64, 25..35u64], 0..9u64).prop_map(|(who, to)| Action::Claim(who, to)),
        12 => super::shares::step().prop_map(Action::Pool),
        1 => (0..=110u32, 0..=110u32, 0..=110u32, amount())
            .prop_map(|(validators, vara, eth, least)| Action::Rules(validators.min(100), vara.min(100), eth.min(100), least % 1_000)),
        3 => any::<u64>().prop_map(Action::Settle),
        3 => Just(Action::Tell),
        1 => any::<usize>().prop_map(Action::Skip),
    ]
}

/// What the test remembers beside the pallet.
#[derive(Default)]
struct Model {
    /// Pages that were paid, each once.
    paid: BTreeSet<(u64, u32, u32)>,
    /// What was claimed, by era and address.
    claimed: BTreeMap<(u32, H160), u128>,
    /// What was claimed and could not be sent yet.
    waiting: BTreeMap<H160, u128>,
    /// Vault items that were said to be skipped, and claims that have waited in vain.
    skipped: u128,
    /// Items that were looked at.
    looked: usize,
    /// Captures of eras that were sent.
    captures: BTreeMap<u32, u64>,
    /// What was sent.
    sent: u128,
    ethereum: Middleware,
    shares: Shares,
    /// What was forgotten before the chain was told what became of it.
    forgotten: Vec<(u32, u64, Sent)>,
}

/// What Ethereum holds.
#[derive(Default)]
struct Middleware {
    /// Whether it has taken the items, in their order.
    applied: Vec<bool>,
    /// Eras whose claims it has taken: each once.
    eras: BTreeSet<u32>,
    /// All that it was given.
    got: u128,
}

impl Middleware {
    fn settle(&mut self, coins: u64) {
        for (place, item) in Pushed::get().iter().enumerate().skip(self.applied.len()) {
            let OutboxItem::Rewards {
                era,
                operators_total,
                vaults,
                ..
            } = item
            else {
                panic!("{item:?}");
            };
            let known = *operators_total > 0 && self.eras.contains(era);
            let taken = !known && coins >> (place % 64) & 1 == 1;
            if taken {
                self.got += operators_total + vaults.iter().map(|vault| vault.amount).sum::<u128>();
                if *operators_total > 0 {
                    self.eras.insert(*era);
                }
            }
            self.applied.push(taken);
        }
        SettledEnd::set(FIRST_ITEM + self.applied.len() as u64);
    }

    /// What can be seen of an item.
    fn has(&self, era: u32, item: u64, sent: Sent) -> bool {
        match sent {
            Sent::Claims(_) => self.eras.contains(&era),
            Sent::Vaults(_) => {
                let applied = self.applied.get((item - FIRST_ITEM) as usize);
                applied.copied().unwrap_or_default()
            }
        }
    }
}

impl Model {
    fn apply(&mut self, action: Action) {
        let era = ActiveEra::get().unwrap();
        match action {
            Action::Work(validator, earned, commission, own, pages) => {
                points(era, validator, earned);
                let commission = Perbill::from_percent(commission);
                // Only what staking could hold: the total fits.
                let mut room = u128::MAX - own;
                let pages = pages
                    .into_iter()
                    .map(|page| {
                        page.into_iter()
                            .map(|(who, stake)| {
                                let stake = stake.min(room);
                                room -= stake;
                                (who, stake)
                            })
                            .collect()
                    })
                    .collect();
                let behind = Behind {
                    commission,
                    own,
                    pages,
                };
                expose(era, validator, behind);
            }
            Action::Eth(validator, weight, vaults) => Stakes::mutate(|all| {
                let list = all.entry(era).or_default();
                list.retain(|stake| stake.validator != validator);
                list.push(eth(validator, weight, &vaults));
            }),
            Action::Capture(time) => {
                Captures::mutate(|all| all.insert(era, time));
            }
            Action::Finalised(time) => Finalised::set(time),
            Action::Era(income) => {
                let before: Vec<_> = Items::<Test>::iter().collect();
                let waiting = Waiting::<Test>::get();
                end_era(income);
                self.ended(era);
                for (era, item, sent) in before {
                    if Items::<Test>::contains_key(era, item) {
                        continue;
                    }
                    if !waiting.contains(&(era, item)) {
                        self.forgotten.push((era, item, sent));
                    } else if Trees::<Test>::get(era).is_none() {
                        self.skipped += sent.amount();
                    }
                    // Otherwise it was sent again, under another number.
                }
            }
            Action::Pay(validator, back, page) => self.pay(validator, era, back, page),
            Action::Claim(account, to) => {
                let amount = credit(account) + Rewards::pool_share(&account);
                if claim(account, to).is_ok() {
                    *self.waiting.entry(address(to)).or_default() += amount;
                }
            }
            Action::Pool(step) => self.shares.apply(step),
            Action::Rules(validators, vara, eth, least) => Rules::set(RewardsParameters {
                min_claim: least,
                ..rules(validators, vara, eth)
            }),
            Action::Settle(coins) => self.ethereum.settle(coins),
            Action::Tell => self.tell(),
            Action::Skip(which) => {
                let items: Vec<_> = Items::<Test>::iter().collect();
                if items.is_empty() {
                    return;
                }
                let (era, item, sent) = items[which % items.len()];
                if matches!(sent, Sent::Vaults(_)) && self.ethereum.has(era, item, sent) {
                    return;
                }
                let done = Rewards::note_skipped(RawOrigin::Root.into(), era, item);
                assert_eq!(done.is_ok(), item < SettledEnd::get());
                match sent {
                    Sent::Vaults(amount) if done.is_ok() => self.skipped += amount,
                    Sent::Claims(_) if done.is_ok() => {
                        let pushed = Pushed::get();
                        let first = &pushed[(item - FIRST_ITEM) as usize];
                        assert_eq!(Some(first), pushed.last());
                        self.looked = pushed.len();
                    }
                    _ => {}
                }
            }
        }
    }

    /// As nodes do it: what is there was taken; what is not was skipped, if all that was given is known.
    fn tell(&mut self) {
        let mut asked = Rewards::open_items();
        asked.truncate(MAX_ASKED_REWARDS);
        let looked: Vec<_> = asked
            .into_iter()
            .map(|(era, item)| {
                let one = Rewards::question(era, item).unwrap();
                let sent = Items::<Test>::get(one.era, one.item).unwrap();
                assert_eq!(sent.amount(), one.amount);
                (one, sent, self.ethereum.has(one.era, one.item, sent))
            })
            .collect();
        let seen = looked.iter().filter(|(_, _, taken)| *taken);
        let seen: u128 = seen.map(|(one, _, _)| one.amount).sum();
        let explained = Rewards::delivered() + seen == self.ethereum.got;
        for (one, sent, taken) in looked {
            if taken {
                Rewards::note_fate(one.era, one.item, RewardsFate::Taken);
            } else if explained {
                Rewards::note_fate(one.era, one.item, RewardsFate::Skipped);
                if let Sent::Vaults(amount) = sent {
                    self.skipped += amount;
                }
            }
            assert!(!(taken || explained) || !Rewards::is_open(one.era, one.item));
        }
    }

    /// Pays a page: nobody gets more than its part, nor less by more than rounding.
    fn pay(&mut self, validator: u64, now: u32, back: u32, page: u32) {
        let Some(era) = now.checked_sub(back) else {
            return;
        };
        let pot = Pots::<Test>::get(era, validator);
        let before = credited();
        let carried_before = carried();
        if pay(validator, era, page).is_err() {
            return;
        }
        assert!(self.paid.insert((validator, era, page)), "paid twice");
        let pot = pot.unwrap();
        let credited = credited() - before;
        let left = Pots::<Test>::get(era, validator).map_or(0, |pot| pot.left);
        assert_eq!(credited + left + carried() - carried_before, pot.left);
        let behind = &Exposures::get()[&(era, validator)];
        let heads: usize = behind.pages.iter().map(Vec::len).sum();
        // What pools do not take is looked at elsewhere.
        let gone = behind.pages.iter().flatten().any(|(who, _)| *who >= POOL);
        let all = behind.own + behind.pages.iter().flatten().map(|one| one.1).sum::<u128>();
        if Pots::<Test>::get(era, validator).is_none() && !gone && all > 0 {
            let rounding = carried() - carried_before;
            assert!(rounding <= heads as u128 + 1, "{rounding} of {pot:?}");
        }
    }

    /// What was sent when `era` has ended is what was claimed in it.
    fn ended(&mut self, era: u32) {
        let pushed = Pushed::get();
        let mut total = None;
        for item in &pushed[self.looked..] {
            let OutboxItem::Rewards {
                era: of,
                capture,
                operators_root,
                operators_total,
                vaults,
            } = item
            else {
                panic!("{item:?}");
            };
            if *of != era {
                // Claims that were skipped, as they were.
                let tree = Trees::<Test>::get(of).unwrap();
                let root = rewards::root(*of, &tree.claims);
                assert_eq!((tree.capture, root), (*capture, *operators_root));
                assert!(*of < era && vaults.is_empty());
                continue;
            }
            assert!(*capture > 0 && *capture < 1 << 48);
            assert_eq!(self.captures.entry(era).or_insert(*capture), capture);
            assert!(vaults.len() <= MAX_REWARDED_VAULTS);
            assert!(vaults.iter().all(|vault| vault.amount > 0));
            self.sent += operators_total + vaults.iter().map(|vault| vault.amount).sum::<u128>();
            if *operators_total > 0 {
                assert!(total.replace(*operators_total).is_none(), "two roots");
                let waiting = core::mem::take(&mut self.waiting);
                for (to, amount) in waiting {
                    let proof = Rewards::proof(era, to).unwrap();
                    assert_eq!(proof.amount, amount);
                    assert!(proof.verifies(*operators_root, era, to));
                    self.claimed.insert((era, to), amount);
                }
            }
        }
        self.looked = pushed.len();
        let leaves = self
            .claimed
            .range((era, H160::zero())..=(era, H160::repeat_byte(0xff)));
        let leaves: u128 = leaves.map(|(_, amount)| amount).sum();
        assert_eq!(total.unwrap_or_default(), leaves);
        let division = Divisions::<Test>::get(era).unwrap();
        let parts = division.validators + division.vara_stakers + division.eth_stakers;
        assert_eq!(division.income, parts + division.left);
    }

    fn check(&self) {
        Rewards::do_try_state().unwrap();
        let credits = credited();
        let pots: u128 = Pots::<Test>::iter_values().map(|pot| pot.left).sum();
        let waiting: u128 = self.waiting.values().sum();
        let there = credits + pots + waiting + carried() + self.sent - self.skipped;
        assert_eq!(there, Spent::get() - taken_later() - BEFORE);
        assert!(Emitted::<Test>::get() == self.sent - self.skipped);
        // What left the chain is on Ethereum, or still noted here, or was forgotten untold.
        let amounts = |taken: bool, items: Vec<(u32, u64, Sent)>| -> u128 {
            let items = items.into_iter();
            let items =
                items.filter(|(era, item, sent)| self.ethereum.has(*era, *item, *sent) == taken);
            items.map(|(_, _, sent)| sent.amount()).sum()
        };
        let noted = amounts(true, Items::<Test>::iter().collect());
        let lost = amounts(false, self.forgotten.clone());
        assert_eq!(self.ethereum.got + lost, Rewards::delivered() + noted);
        assert!(Pots::<Test>::iter().count() as u64 <= VALIDATORS * u64::from(HISTORY + 1));
        assert!(Trees::<Test>::iter().count() as u32 <= PROOFS + 1);
        assert!(Claims::<Test>::get().len() as u32 <= MAX_CLAIMS);
    }
}

/// What stakers have, and members of pools.
fn credited() -> u128 {
    let shares = PoolShares::<Test>::iter_values().map(|share| share.left);
    Credits::<Test>::iter_values().chain(shares).sum()
}

/// What programs have paid since the last era has ended.
fn taken_later() -> u128 {
    Spent::get() - LastSpent::<Test>::get()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_unit_is_where_it_must_be(actions in proptest::collection::vec(action(), 1..120)) {
        run(|| {
            let mut model = Model::default();
            for (pool, founder) in (0..3).zip(25..) {
                model.shares.apply(Step::Found(pool, founder));
            }
            for action in actions {
                model.apply(action);
                model.shares.look();
                model.check();
            }
            // Ethereum takes what comes now, and says so.
            for _ in 0..3 {
                model.apply(Action::Settle(u64::MAX));
                model.apply(Action::Tell);
                model.check();
                model.apply(Action::Era(0));
                model.check();
            }
            // Then the world stands still: what nobody pays returns, and no more than that is left over.
            for _ in 0..HISTORY + 3 {
                model.apply(Action::Era(0));
                model.check();
            }
            assert!(Pots::<Test>::iter().next().is_none());
            model.shares.end();
            model.check();
        });
    }
}
