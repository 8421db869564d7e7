//! What members of pools do in random histories, and what each must get: counted here by fractions of what its pool has
//! earned, event by event. `random.rs` mixes it with all else; here pools earn most of what there is.

use crate::{mock::*, *};
use gear_exe_primitives::U256;
use polkadot_sdk::sp_runtime::Perbill;
use proptest::prelude::*;
use std::collections::BTreeMap;

const MEMBERS: std::ops::Range<u64> = 25..35;
const POOLS: std::ops::Range<PoolId> = 0..3;
/// Fractions of a base unit that are counted here, as bits.
const BITS: usize = 40;

/// Something in a pool. Members and pools for which it can not be do nothing.
#[derive(Clone, Debug)]
pub enum Step {
    Found(PoolId, u64),
    /// A member bonds more, or somebody joins.
    Pledge(u64, PoolId, u128),
    /// A member gives back so many of 255 parts of its points.
    Unbond(u64, u8),
    Leave(u64),
    /// Everybody leaves a pool.
    Destroy(PoolId),
    Commission(PoolId, Option<(u32, u64)>),
    Settle(u64),
    /// Half of a pool's stake is taken.
    Slash(PoolId),
}

/// What programs have paid in an era, of which three pools get their parts by stake.
type Earned = (u128, [u128; 3]);

fn earned() -> impl Strategy<Value = Earned> {
    // Enough for stakers to get some of it.
    let amount = prop_oneof![10..100u128, 10..1_000_000_000_000_000_000u128];
    let stake = prop_oneof![Just(0), 1..100u128];
    (amount, [stake.clone(), stake.clone(), stake])
}

/// An era ends, and all its pages are paid.
fn earn((income, stakes): Earned) {
    let era = ActiveEra::get().unwrap();
    points(era, 1, 1);
    let stakers = (POOL..).zip(stakes);
    let behind = Behind {
        pages: vec![stakers.collect()],
        ..Default::default()
    };
    expose(era, 1, behind);
    end_era(income);
    pay(1, era, 0).unwrap();
}

pub fn step() -> impl Strategy<Value = Step> {
    let points = prop_oneof![1..10u128, 1..1_000_000_000_000_000u128];
    let payee = prop_oneof![10..35u64, POOL..POOL + 3, Just(NOBODY)];
    prop_oneof![
        2 => (POOLS, MEMBERS).prop_map(|(pool, who)| Step::Found(pool, who)),
        6 => (MEMBERS, POOLS, points).prop_map(|(who, pool, points)| Step::Pledge(who, pool, points)),
        3 => (MEMBERS, prop_oneof![any::<u8>(), Just(255)]).prop_map(|(who, part)| Step::Unbond(who, part)),
        2 => MEMBERS.prop_map(Step::Leave),
        1 => POOLS.prop_map(Step::Destroy),
        1 => (POOLS, proptest::option::of((0..=100u32, payee)))
            .prop_map(|(pool, commission)| Step::Commission(pool, commission)),
        2 => MEMBERS.prop_map(Step::Settle),
        1 => POOLS.prop_map(Step::Slash),
    ]
}

/// What a member has got of its pool.
#[derive(Default)]
struct Part {
    /// What it must have got, in `BITS`.
    earned: U256,
    got: u128,
    /// What rounding may have taken from it, in base units.
    rounded: u128,
}

/// All members' parts, since each has joined.
#[derive(Default)]
pub struct Shares {
    parts: BTreeMap<(PoolId, u64), Part>,
    /// What rounding may have left in a pool.
    rounded: BTreeMap<PoolId, u128>,
    /// How many points of a pool were worth what one was at first.
    worth: BTreeMap<PoolId, u128>,
}

fn member(who: u64) -> Option<Member> {
    <Around as Payees<u64>>::member(&who)
}

impl Shares {
    pub fn apply(&mut self, step: Step) {
        match step {
            Step::Found(pool, who) if !Pools::get().contains_key(&pool) => {
                found(pool, None);
                if member(who).is_none() {
                    pledge(who, pool, 1_000_000);
                }
            }
            Step::Pledge(who, pool, points) => {
                let pool = member(who).map_or(pool, |member| member.pool);
                if Pools::get().contains_key(&pool) {
                    // What one brings is worth more points in a pool that was slashed.
                    let worth = self.worth.get(&pool).copied().unwrap_or(1);
                    pledge(who, pool, points * worth);
                }
            }
            Step::Unbond(who, part) => {
                if let Some(Member { pool, points }) = member(who) {
                    unbond(who, pool, points * u128::from(part) / 255);
                }
            }
            Step::Leave(who) => {
                if let Some(Member { pool, points: 0 }) = member(who) {
                    self.look();
                    leave(who, pool);
                    self.left(pool, who);
                }
            }
            Step::Destroy(pool) => self.destroy(pool),
            Step::Commission(pool, commission) => Pools::mutate(|pools| {
                let commission = commission.map(|(part, to)| (Perbill::from_percent(part), to));
                if let Some(pooled) = pools.get_mut(&pool) {
                    pooled.commission = commission;
                }
            }),
            Step::Settle(who) => {
                let due = Rewards::pool_share(&who);
                assert_eq!(settle(who).is_ok(), due > 0);
                assert_eq!(Rewards::pool_share(&who), 0);
            }
            Step::Slash(pool) => {
                let worth = self.worth.entry(pool).or_insert(1);
                *worth = (*worth * 2).min(1_024);
            }
            Step::Found(..) => {}
        }
    }

    fn destroy(&mut self, pool: PoolId) {
        let Some(pooled) = Pools::get().remove(&pool) else {
            return;
        };
        for (who, points) in pooled.members {
            unbond(who, pool, points);
            self.look();
            leave(who, pool);
            self.left(pool, who);
        }
        let before = carried();
        dissolve(pool);
        self.worth.remove(&pool);
        let rounded = self.rounded.remove(&pool).unwrap_or_default();
        assert!(carried() - before <= rounded, "more than rounding is left");
    }

    /// Who leaves has got all.
    fn left(&mut self, pool: PoolId, who: u64) {
        assert_eq!(MemberMarks::<Test>::get(who), None);
        if let Some(part) = self.parts.remove(&(pool, who)) {
            part.check(0);
        }
    }

    /// Looks at what has been said since the last time: what pools have earned is their members', as they are now.
    pub fn look(&mut self) {
        let mut pools = Pools::get();
        for event in events() {
            match event {
                Event::PoolEarned {
                    pool,
                    points,
                    amount,
                    ..
                } => {
                    let members = &pools.entry(pool).or_default().members;
                    assert_eq!(points, members.values().sum::<u128>());
                    for (who, own) in members {
                        let part = self.parts.entry((pool, *who)).or_default();
                        part.earned += ((U256::from(amount) * U256::from(*own)) << BITS) / points;
                        // What a point gets is, and what the member is credited then or later.
                        part.rounded += own / PARTS + 2;
                    }
                    let rounded = self.rounded.entry(pool).or_default();
                    *rounded += members.len() as u128 + 1;
                }
                Event::ShareCredited {
                    pool,
                    member,
                    amount,
                } => {
                    self.parts.entry((pool, member)).or_default().got += amount;
                }
                _ => {}
            }
        }
        System::reset_events();
        for ((pool, who), part) in &self.parts {
            // Who leaves is looked at when it does.
            if member(*who).is_some_and(|member| member.pool == *pool) {
                part.check(Rewards::pool_share(who));
            }
        }
    }

    /// Everybody leaves: nothing is kept for anybody.
    pub fn end(&mut self) {
        POOLS.for_each(|pool| self.destroy(pool));
        assert!(PoolShares::<Test>::iter().next().is_none());
        assert!(MemberMarks::<Test>::iter().next().is_none());
    }
}

impl Part {
    /// With what is still due, it is what it must be, but for rounding.
    fn check(&self, due: u128) {
        let got = U256::from(self.got + due) << BITS;
        let one = U256::one() << BITS;
        // Here fractions are rounded down, too, but finer.
        assert!(got <= self.earned + one, "more than its part");
        let most = one * U256::from(self.rounded);
        assert!(got + most >= self.earned, "less than its part");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn each_member_gets_its_part(history in proptest::collection::vec((step(), proptest::option::of(earned())), 1..80)) {
        run(|| {
            let mut shares = Shares::default();
            for pool in POOLS {
                shares.apply(Step::Found(pool, MEMBERS.start + u64::from(pool)));
            }
            for (step, earned) in history {
                shares.apply(step);
                shares.look();
                if let Some(earned) = earned {
                    earn(earned);
                    shares.look();
                }
            }
            shares.end();
        });
    }
}
