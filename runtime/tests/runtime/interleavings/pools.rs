//! What members of pools must get of what their pool has earned in wVARA, counted from events and from the points that the
//! pools' own pallet says they have.

use gear_exe_primitives::U256;
use gear_exe_runtime::{AccountId, Rewards, Runtime, RuntimeEvent};
use pallet_rewards::{Event, PARTS};
use polkadot_sdk::pallet_nomination_pools::{BondedPools, PoolMembers};
use std::collections::BTreeMap;

/// Fractions of a base unit that are counted, as bits.
const BITS: usize = 40;

/// What a member has got since it has joined.
#[derive(Default)]
struct Part {
    /// What it must have got, in `BITS`.
    earned: U256,
    got: u128,
    /// What rounding may have taken from it, in base units.
    rounded: u128,
}

/// The parts of all members of all pools.
#[derive(Default)]
pub struct Shares(BTreeMap<(u32, AccountId), Part>);

impl Shares {
    /// A block has ended, in which no more than one user has called something.
    pub fn look(&mut self, events: &[RuntimeEvent]) {
        for event in events {
            match event {
                RuntimeEvent::Rewards(Event::PoolEarned {
                    pool,
                    points,
                    amount,
                    ..
                }) => self.earned(*pool, *points, *amount),
                RuntimeEvent::Rewards(Event::ShareCredited {
                    pool,
                    member,
                    amount,
                }) => self.0.entry((*pool, member.clone())).or_default().got += amount,
                _ => {}
            }
        }
        self.0.retain(|(pool, who), part| {
            let stays = PoolMembers::<Runtime>::get(who).is_some_and(|one| one.pool_id == *pool);
            let due = if stays { Rewards::pool_share(who) } else { 0 };
            part.check(due);
            stays
        });
    }

    /// Who is in a pool has its part of what it earns, by its points.
    fn earned(&mut self, pool: u32, points: u128, amount: u128) {
        assert_eq!(
            BondedPools::<Runtime>::get(pool).unwrap().points,
            points,
            "pool {pool}"
        );
        let mut sum = 0;
        for (who, member) in PoolMembers::<Runtime>::iter() {
            if member.pool_id == pool {
                sum += member.points;
                let part = self.0.entry((pool, who)).or_default();
                part.earned += ((U256::from(amount) * U256::from(member.points)) << BITS) / points;
                // What a point gets is rounded, and what the member is credited.
                part.rounded += member.points / PARTS + 2;
            }
        }
        assert_eq!(sum, points, "the points of pool {pool} are its members'");
    }
}

impl Part {
    /// With what is still due, it is what it must be, but for rounding.
    fn check(&self, due: u128) {
        let one = U256::one() << BITS;
        let got = U256::from(self.got + due) << BITS;
        assert!(got <= self.earned + one, "more than its part");
        let least = self.earned.saturating_sub(one * U256::from(self.rounded));
        assert!(got >= least, "less than its part");
    }
}
