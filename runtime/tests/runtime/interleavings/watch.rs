//! What must hold after every block, whatever has happened: each with the reason why. Where a pallet keeps a sum itself,
//! the same is counted here from what it said (events, outbox) or from Ethereum.

use super::{ethereum::Ethereum, pools::Shares};
use gear_exe_primitives::{H160, H256, outbox::OutboxItem, quorum::Member};
use gear_exe_runtime::{
    AccountId, Balances, Bridge, Restaking, Runtime, RuntimeEvent, Session, Settlement, System,
    parameters::in_force,
};
use pallet_slashing::{Slash, Slashes, SlashingParameters, State};
use polkadot_sdk::{
    pallet_aura, pallet_balances,
    pallet_staking::{self, UnappliedSlashes},
    pallet_timestamp,
    sp_core::Encode,
    sp_io::hashing::blake2_256,
    sp_runtime::PerThing,
};
use std::collections::{BTreeMap, BTreeSet};

/// How often which event was seen, by the pallet's and the event's name.
pub type Tally = BTreeMap<String, u32>;

/// What is remembered beside the chain.
#[derive(Default)]
pub struct Watch {
    pub tally: Tally,
    /// VARA that there must be.
    issuance: u128,
    /// What stakers were paid of an era.
    paid: BTreeMap<u32, u128>,
    /// The era of which stakers are being paid.
    paying: u32,
    /// All that was ever put into the outbox.
    log: Vec<OutboxItem>,
    /// wVARA that was claimed.
    claimed: u128,
    /// What members of pools must get of it.
    shares: Shares,
    /// All validator sets.
    sets: BTreeMap<u64, Vec<Member>>,
    /// The block in which a slash was first seen.
    first_seen: BTreeMap<u64, u64>,
    /// Slashes that have left the chain.
    left: BTreeSet<u64>,
    /// Slashes whose cancellation has left.
    taken_back: BTreeSet<u64>,
    /// Slashes that were cancelled before they left.
    stopped: BTreeSet<u64>,
    /// Incident and validator that were forgiven, with the number of the next slash then.
    forgiven: BTreeMap<(H256, AccountId), u64>,
    /// Staking's records that were cancelled, by the list in which they waited.
    cancelled_vara: BTreeSet<H256>,
    /// What has left per era and operator, in parts per billion.
    taken: BTreeMap<(u32, H160), u64>,
    /// VARA that waits to be slashed, by the era in which it is.
    due: BTreeMap<u32, u128>,
    era: u32,
    /// Time of the last block.
    before: u64,
}

fn seconds() -> u64 {
    pallet_timestamp::Now::<Runtime>::get() / 1_000
}

fn rules() -> SlashingParameters {
    in_force::Slashing::<Runtime>::get()
}

fn era() -> u32 {
    gear_exe_runtime::eras::active().unwrap_or_default()
}

/// A record of Staking as `pallet-slashing` names it.
fn record(taken_in: u32, slash: &impl Encode) -> H256 {
    H256((taken_in, slash).using_encoded(blake2_256))
}

impl Watch {
    pub fn new() -> Self {
        Self {
            issuance: Balances::total_issuance(),
            ..Self::default()
        }
    }

    /// A block has ended.
    pub fn look(&mut self, ethereum: &Ethereum) {
        let events: Vec<_> = System::events()
            .into_iter()
            .map(|event| event.event)
            .collect();
        self.issuance(&events);
        for event in &events {
            let name = format!("{event:?}");
            let name = name.split([' ', ')']).next().unwrap_or_default();
            let name = name.replace("(Event::", ".");
            *self.tally.entry(name).or_default() += 1;
        }
        let from = self.log.len();
        self.outbox();
        self.slashes(from);
        self.vara_slashes(&events);
        self.bridge(ethereum);
        self.rewards(&events);
        self.shares.look(&events);
        self.elections();
        self.sets(ethereum);
        self.before = seconds();
    }

    /// VARA is made by eras only: what stakers get when they are paid, and the rest for the treasury at once. It is lost
    /// only as the dust of accounts that are emptied. Slashes go to the treasury and to reporters, the bridge moves what
    /// there is, and the treasury burns nothing.
    fn issuance(&mut self, events: &[RuntimeEvent]) {
        for event in events {
            match event {
                RuntimeEvent::Staking(pallet_staking::Event::EraPaid { remainder, .. }) => {
                    self.issuance += remainder;
                }
                RuntimeEvent::Staking(pallet_staking::Event::PayoutStarted {
                    era_index, ..
                }) => self.paying = *era_index,
                RuntimeEvent::Staking(pallet_staking::Event::Rewarded { amount, .. }) => {
                    self.issuance += amount;
                    *self.paid.entry(self.paying).or_default() += amount;
                }
                RuntimeEvent::Balances(pallet_balances::Event::DustLost { amount, .. }) => {
                    self.issuance -= amount;
                }
                _ => {}
            }
        }
        assert_eq!(
            Balances::total_issuance(),
            self.issuance,
            "VARA came or went: {events:?}"
        );
        // An era pays no more than it has promised, however often and in whatever order it is asked to.
        for (era, paid) in &self.paid {
            let promised = pallet_staking::ErasValidatorReward::<Runtime>::get(era);
            assert!(
                Some(*paid) <= promised,
                "era {era} paid {paid} of {promised:?}"
            );
        }
    }

    /// Numbers have no gaps and items do not change once they are there, since a batch may have carried them; but the
    /// newest set replaces one that Ethereum does not have.
    fn outbox(&mut self) {
        let start = pallet_settlement::OutboxStart::<Runtime>::get();
        let end = pallet_settlement::OutboxEnd::<Runtime>::get();
        assert!(
            end >= self.log.len() as u64,
            "the outbox does not get shorter"
        );
        for number in start..end {
            let item = pallet_settlement::OutboxItems::<Runtime>::get(number);
            let item = item.unwrap_or_else(|| panic!("there is no item {number}"));
            let Some(before) = self.log.get_mut(number as usize) else {
                assert_eq!(number, self.log.len() as u64);
                self.log.push(item);
                continue;
            };
            if *before != item {
                let newer = matches!(
                    (&*before, &item),
                    (OutboxItem::SetUpdate { set_id: old, .. }, OutboxItem::SetUpdate { set_id, .. }) if set_id > old
                );
                assert!(newer, "item {number} was {before:?} and is {item:?}");
                *before = item;
            }
        }
    }

    /// Nothing that governance has stopped leaves; what was called back is called back once; slashes leave in the order
    /// in which vaults can pay, after they could be cancelled for as long as is said, and in time; and never more of an
    /// operator's stake of an era than the greatest part.
    fn slashes(&mut self, from: usize) {
        let now = u64::from(System::block_number());
        let rules = rules();
        for (id, slash) in Slashes::<Runtime>::iter() {
            self.first_seen.entry(id).or_insert_with(|| {
                assert_eq!(slash.due, now + u64::from(rules.deferral));
                now
            });
            if let Some(next) = self.forgiven.get(&(slash.incident, slash.validator)) {
                assert!(id < *next, "what was forgiven has come back as slash {id}");
            }
        }
        // `has_left` notes what it sees.
        let new: Vec<OutboxItem> = self.log.iter().skip(from).cloned().collect();
        for item in new {
            match item {
                OutboxItem::Slash {
                    id,
                    operator,
                    fraction,
                    capture,
                } => self.has_left(id, operator, fraction, capture),
                OutboxItem::SlashCancel { id } => {
                    assert!(self.left.contains(&id), "slash {id} has not left");
                    assert!(self.taken_back.insert(id), "slash {id} was cancelled twice");
                }
                _ => {}
            }
        }
        let maximum = rules.maximum_per_era;
        assert!(
            pallet_slashing::Reached::<Runtime>::iter_values().all(|reached| reached <= maximum),
            "more than an era's maximum"
        );
    }

    fn has_left(&mut self, id: u64, operator: H160, fraction: u32, capture: u64) {
        let rules = rules();
        assert!(self.left.insert(id), "slash {id} has left twice");
        assert!(!self.stopped.contains(&id), "slash {id} was cancelled");
        let slash = Slashes::<Runtime>::get(id).unwrap();
        assert!(slash.approved, "slash {id} needs governance");
        assert_eq!((slash.operator, slash.capture), (operator, capture));
        assert_eq!(
            Restaking::capture(slash.era),
            Some(capture),
            "of the stake of its era"
        );
        let block = u64::from(System::block_number());
        let first = self.first_seen[&id];
        assert!(
            block >= first + u64::from(rules.deferral),
            "slash {id} is early"
        );
        let deadline = capture + rules.window - rules.relay - rules.execution;
        // By the time that is known when the block begins: its parent's.
        assert!(self.before <= deadline, "slash {id} is late");
        let older = Slashes::<Runtime>::iter_values().any(|other| {
            other.operator == operator && other.capture < capture && other.state.is_waiting()
        });
        assert!(!older, "slash {id} has left before an older one");
        let taken = self.taken.entry((slash.era, operator)).or_default();
        *taken += u64::from(fraction);
        assert!(
            *taken <= u64::from(rules.maximum_per_era.deconstruct()),
            "more than an era's maximum"
        );
    }

    /// Governance has cancelled a slash that stood like this.
    pub fn cancelled(&mut self, id: u64, before: &Slash<AccountId>) {
        let next = pallet_slashing::NextId::<Runtime>::get();
        let key = (before.incident, before.validator.clone());
        self.forgiven.entry(key).or_insert(next);
        self.cancelled_vara.extend(before.vara.iter().copied());
        if before.state.is_waiting() {
            self.stopped.insert(id);
        }
        // What has left is called back.
        if let State::Cancelling { item, .. } = Slashes::<Runtime>::get(id).unwrap().state {
            let told = pallet_settlement::OutboxItems::<Runtime>::get(item);
            assert_eq!(told, Some(OutboxItem::SlashCancel { id }));
        }
    }

    /// Staking takes what was waiting for the era that begins and nothing else, so nothing that was cancelled.
    fn vara_slashes(&mut self, events: &[RuntimeEvent]) {
        let slashed: u128 = events
            .iter()
            .map(|event| match event {
                RuntimeEvent::Staking(pallet_staking::Event::Slashed { amount, .. }) => *amount,
                _ => 0,
            })
            .sum();
        let began = era();
        let most = if began == self.era {
            0
        } else {
            self.due.get(&began).copied().unwrap_or_default()
        };
        assert!(
            slashed <= most,
            "{slashed} was slashed of {most} in era {began}"
        );
        self.era = began;
        self.due.clear();
        for (era, slashes) in UnappliedSlashes::<Runtime>::iter() {
            assert!(era > began, "what is late is taken with the next era");
            for slash in &slashes {
                assert!(
                    !self.cancelled_vara.contains(&record(era, slash)),
                    "what was cancelled waits again: {slash:?}"
                );
            }
            let sum = slashes
                .iter()
                .map(|slash| slash.own + slash.others.iter().map(|(_, part)| part).sum::<u128>())
                .sum();
            self.due.insert(era, sum);
        }
    }

    /// Each wVARA has its VARA in the bridge: what there is on Ethereum, what is on its way there, what was burned and is
    /// not known yet, and what is known and could not be paid.
    fn bridge(&self, ethereum: &Ethereum) {
        let state = &ethereum.head().state;
        let on_its_way: u128 = self
            .log
            .iter()
            .map(|item| match item {
                OutboxItem::Mint { id, amount, .. } if !state.minted.contains(id) => *amount,
                _ => 0,
            })
            .sum();
        let known = pallet_bridge::NextBurn::<Runtime>::get() as usize;
        let sum = |burns: &[gear_exe_primitives::facts::Burn]| -> u128 {
            burns.iter().map(|burn| burn.amount).sum()
        };
        // No lie was taken.
        assert!(known <= ethereum.last_final().state.burns.len());
        assert_eq!(
            pallet_bridge::Burned::<Runtime>::get(),
            sum(&state.burns[..known])
        );
        let owed: u128 = pallet_bridge::Claimable::<Runtime>::iter_values().sum();
        let held = Bridge::held();
        assert_eq!(
            held,
            state.supply + on_its_way + sum(&state.burns[known..]) + owed,
            "each wVARA has its VARA"
        );
        assert_eq!(
            held + pallet_bridge::Unlocked::<Runtime>::get(),
            pallet_bridge::Locked::<Runtime>::get()
        );
    }

    /// All income is carried, credited, kept for members of pools, claimed, set aside or sent, to the last base unit; it is what programs have paid
    /// by batches that are final; and what is sent is in the outbox, each claim once.
    fn rewards(&mut self, events: &[RuntimeEvent]) {
        use pallet_rewards::{
            Carried, Claims, Credits, Emitted, LastSpent, PoolShares, Pots, Taken,
        };
        for event in events {
            if let RuntimeEvent::Rewards(pallet_rewards::Event::Claimed { amount, .. }) = event {
                self.claimed += amount;
            }
        }
        let taken = Taken::<Runtime>::get();
        let credited: u128 = Credits::<Runtime>::iter_values().sum();
        let aside: u128 = Pots::<Runtime>::iter_values().map(|pot| pot.left).sum();
        let kept: u128 = PoolShares::<Runtime>::iter_values()
            .map(|share| share.left)
            .sum();
        let waiting: u128 = Claims::<Runtime>::get()
            .iter()
            .map(|claim| claim.amount)
            .sum();
        let sent = Emitted::<Runtime>::get();
        assert_eq!(
            taken,
            Carried::<Runtime>::get() + credited + kept + waiting + aside + sent,
            "each unit is somewhere"
        );
        assert_eq!(taken, LastSpent::<Runtime>::get());
        assert!(taken <= pallet_settlement::Settled::<Runtime>::get().spent);
        let (mut claims, mut vaults) = (0, 0);
        for item in &self.log {
            if let OutboxItem::Rewards {
                operators_total,
                vaults: parts,
                ..
            } = item
            {
                claims += operators_total;
                vaults += parts.iter().map(|part| part.amount).sum::<u128>();
            }
        }
        assert_eq!(sent, claims + vaults);
        assert_eq!(self.claimed, waiting + claims);
    }

    /// Elections go on with ETH and without, and there are always validators. ETH decides its share at most: of those who
    /// voted, and of what stands behind the elected.
    fn elections(&self) {
        assert!(!Session::validators().is_empty(), "there are validators");
        assert!(!Settlement::validator_set().members.is_empty());
        assert!(pallet_aura::Authorities::<Runtime>::decode_len() > Some(0));
        let Some(era) = pallet_staking::CurrentEra::<Runtime>::get() else {
            return;
        };
        let Some(record) = pallet_validator_election::Elections::<Runtime>::get(era) else {
            return;
        };
        let exposures = pallet_validator_election::Exposures::<Runtime>::get(era).unwrap();
        assert!(!exposures.is_empty(), "somebody is elected");
        let of_vara = u128::from(record.vara_share.deconstruct());
        let of_eth = u128::from(record.vara_share.left_from_one().deconstruct());
        let vara: u128 = exposures.iter().map(|exposure| exposure.vara).sum();
        let eth: u128 = exposures.iter().map(|exposure| exposure.eth_votes).sum();
        for (vara, eth) in [(record.vara, record.eth_votes), (vara, eth)] {
            assert!(
                eth * of_vara <= vara * of_eth,
                "{eth} of ETH beside {vara} of VARA"
            );
        }
    }

    /// Ids grow and are never given twice; nobody weighs more than a multiple of the mean, or one would decide; and what
    /// Ethereum holds is one of the chain's sets.
    fn sets(&mut self, ethereum: &Ethereum) {
        let set = Settlement::validator_set();
        let newest = self.sets.last_key_value().map(|(id, _)| *id);
        match self.sets.get(&set.id) {
            Some(members) => {
                assert_eq!(*members, set.members, "a set does not change");
                assert_eq!(newest, Some(set.id), "set ids grow");
            }
            None => {
                assert!(newest < Some(set.id), "set ids grow");
                let percent = pallet_validator_election::Parameters::<Runtime>::get().max_weight;
                let count = set.members.len() as u128;
                let sum: u128 = set
                    .members
                    .iter()
                    .map(|member| u128::from(member.weight))
                    .sum();
                for member in &set.members {
                    // Each weight is rounded down, so that the mean may be less by one.
                    let weight = u128::from(member.weight) * count * 100;
                    assert!(weight <= u128::from(percent) * (sum + count), "{set:?}");
                }
                self.sets.insert(set.id, set.members);
            }
        }
        let state = &ethereum.head().state;
        assert_eq!(self.sets.get(&state.applied.set_id), Some(&state.members));
    }
}
