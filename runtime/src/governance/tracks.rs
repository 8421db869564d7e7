//! The tracks of referenda: what each is for, how long it takes, and how much it needs.
//!
//! Governance sets the rules of each ([`crate::parameters`]); what is here is what a network begins with. Periods are hours of
//! [`crate::pace`]'s day, so that a development network decides in minutes what a real one decides in weeks. The rules
//! that are in force count for referenda that are under way, too; a deposit that was taken is given back as it was taken.

use super::origins::Origin;
use crate::{
    AccountId, Balance, BlockNumber, OriginCaller, Runtime, UNITS, pace,
    parameters::{self, check_deposit},
};
use alloc::{borrow::Cow, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use polkadot_sdk::{
    frame_system::RawOrigin,
    pallet_referenda::{self, Curve, Track, TrackInfo},
    sp_runtime::{FixedI64, Perbill, str_array},
};
use scale_info::TypeInfo;

/// Number of a track.
pub type TrackId = u16;

/// How long a referendum of a track takes, and how much it needs.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct TrackRules {
    /// What somebody must put down before it is decided, in VARA's base units.
    pub deposit: Balance,
    /// Referenda that are decided at a time.
    pub deciding: u32,
    /// Hours from the submission to the first vote that counts.
    pub prepare: u32,
    /// Hours in which it must succeed.
    pub decision: u32,
    /// Hours for which it must hold.
    pub confirm: u32,
    /// Hours until it is enacted, at least.
    pub enactment: u32,
    /// The least share of all VARA that must say aye when the decision begins.
    pub support_first: Perbill,
    /// The least share of all VARA that must say aye when the decision ends; in between it falls evenly.
    pub support_last: Perbill,
}

/// The longest that a period may be, in hours: 90 days.
const LONGEST: u32 = 90 * 24;

impl TrackRules {
    /// What keeps these from being used.
    ///
    /// # Errors
    ///
    /// A track on which nothing could be decided any more, not even to mend it.
    pub fn check(&self) -> Result<(), &'static str> {
        check_deposit(self.deposit)?;
        if self.deciding == 0 {
            return Err("a track decides at least one referendum at a time");
        }
        if self.decision == 0 || self.confirm == 0 {
            return Err("a referendum is decided, and confirmed, for at least an hour");
        }
        let periods = [self.prepare, self.decision, self.confirm, self.enactment];
        if periods.iter().any(|period| *period > LONGEST) {
            return Err("no period of a track is longer than 90 days");
        }
        if self.support_last > self.support_first || self.support_last > Perbill::from_percent(50) {
            return Err(
                "the support that a referendum needs does not rise, and ends at half of all VARA or below",
            );
        }
        Ok(())
    }

    /// The longest that a referendum may take from its submission to its enactment, in blocks of a `day` of so many.
    pub fn longest(&self, day: BlockNumber) -> u64 {
        [self.prepare, self.decision, self.confirm, self.enactment]
            .into_iter()
            .map(|period| u64::from(hours(period, day)))
            .sum()
    }
}

/// `count` hours in blocks of a `day` of so many: at least one block, where there is a period at all.
fn hours(count: u32, day: BlockNumber) -> BlockNumber {
    if count == 0 {
        return 0;
    }
    let blocks = u64::from(day).saturating_mul(count.into()) / 24;
    BlockNumber::try_from(blocks)
        .unwrap_or(BlockNumber::MAX)
        .max(1)
}

/// One row of the table.
struct Row {
    id: TrackId,
    name: &'static str,
    origin: Power,
    /// What a network begins with.
    rules: TrackRules,
}

enum Power {
    Root,
    Custom(Origin),
}

/// Least share of ayes among the votes: all at first, so that haste needs agreement; four fifths after a seventh of the
/// decision; half at its end.
const APPROVAL: Curve = Curve::make_reciprocal(4, 28, percent(80), percent(50), percent(100));

const fn percent(percent: u128) -> FixedI64 {
    FixedI64::from_rational(percent, 100)
}

/// A share of all VARA, in thousandths.
const fn thousandths(count: u32) -> Perbill {
    Perbill::from_parts(count.saturating_mul(1_000_000))
}

/// What the track `root` begins with.
pub const ROOT: TrackRules = TrackRules {
    deposit: 100_000 * UNITS,
    deciding: 1,
    prepare: 2,
    decision: 14 * 24,
    confirm: 24,
    enactment: 24,
    support_first: thousandths(500),
    support_last: thousandths(1),
};

/// What the track `whitelisted_caller` begins with.
pub const WHITELISTED_CALLER: TrackRules = TrackRules {
    deposit: 10_000 * UNITS,
    deciding: 100,
    prepare: 1,
    decision: 14 * 24,
    confirm: 1,
    enactment: 1,
    support_first: thousandths(50),
    support_last: thousandths(1),
};

/// What the track `staking_admin` begins with.
pub const STAKING_ADMIN: TrackRules = TrackRules {
    deposit: 5_000 * UNITS,
    deciding: 10,
    prepare: 2,
    decision: 14 * 24,
    confirm: 3,
    enactment: 1,
    support_first: thousandths(250),
    support_last: thousandths(1),
};

/// What the track `treasurer` begins with.
pub const TREASURER: TrackRules = TrackRules {
    deposit: 1_000 * UNITS,
    deciding: 10,
    prepare: 2,
    decision: 14 * 24,
    confirm: 3,
    enactment: 24,
    support_first: thousandths(500),
    support_last: thousandths(1),
};

/// What the track `parameter_admin` begins with.
pub const PARAMETER_ADMIN: TrackRules = TrackRules {
    deposit: 5_000 * UNITS,
    deciding: 10,
    prepare: 2,
    decision: 14 * 24,
    confirm: 3,
    enactment: 1,
    support_first: thousandths(250),
    support_last: thousandths(1),
};

/// What the track `slash_canceller` begins with: the shortest of those that take money into account, since it must be over
/// before a slash is.
pub const SLASH_CANCELLER: TrackRules = TrackRules {
    deposit: 5_000 * UNITS,
    deciding: 20,
    prepare: 1,
    decision: 24,
    confirm: 2,
    enactment: 0,
    support_first: thousandths(100),
    support_last: thousandths(1),
};

/// What the track `settlement_pauser` begins with.
pub const SETTLEMENT_PAUSER: TrackRules = TrackRules {
    deposit: 10_000 * UNITS,
    deciding: 5,
    prepare: 0,
    decision: 12,
    confirm: 1,
    enactment: 0,
    support_first: thousandths(100),
    support_last: thousandths(1),
};

/// What the track `referendum_canceller` begins with.
pub const REFERENDUM_CANCELLER: TrackRules = TrackRules {
    deposit: 10_000 * UNITS,
    deciding: 100,
    prepare: 2,
    decision: 7 * 24,
    confirm: 3,
    enactment: 0,
    support_first: thousandths(250),
    support_last: thousandths(1),
};

/// What the track `referendum_killer` begins with.
pub const REFERENDUM_KILLER: TrackRules = TrackRules {
    deposit: 50_000 * UNITS,
    deciding: 100,
    prepare: 2,
    decision: 14 * 24,
    confirm: 3,
    enactment: 0,
    support_first: thousandths(250),
    support_last: thousandths(1),
};

/// What the track `small_spender` begins with.
pub const SMALL_SPENDER: TrackRules = TrackRules {
    deposit: 100 * UNITS,
    deciding: 50,
    prepare: 4,
    decision: 14 * 24,
    confirm: 12,
    enactment: 24,
    support_first: thousandths(100),
    support_last: thousandths(1),
};

/// What the track `big_spender` begins with.
pub const BIG_SPENDER: TrackRules = TrackRules {
    deposit: 400 * UNITS,
    deciding: 50,
    prepare: 4,
    decision: 14 * 24,
    confirm: 48,
    enactment: 24,
    support_first: thousandths(400),
    support_last: thousandths(1),
};

/// Number of tracks.
pub const COUNT: usize = 11;
/// Number of the track `slash_canceller`.
const CANCELLER: TrackId = 13;

const ROWS: [Row; COUNT] = [
    Row {
        id: 0,
        name: "root",
        origin: Power::Root,
        rules: ROOT,
    },
    Row {
        id: 1,
        name: "whitelisted_caller",
        origin: Power::Custom(Origin::WhitelistedCaller),
        rules: WHITELISTED_CALLER,
    },
    Row {
        id: 10,
        name: "staking_admin",
        origin: Power::Custom(Origin::StakingAdmin),
        rules: STAKING_ADMIN,
    },
    Row {
        id: 11,
        name: "treasurer",
        origin: Power::Custom(Origin::Treasurer),
        rules: TREASURER,
    },
    Row {
        id: 12,
        name: "parameter_admin",
        origin: Power::Custom(Origin::ParameterAdmin),
        rules: PARAMETER_ADMIN,
    },
    Row {
        id: 13,
        name: "slash_canceller",
        origin: Power::Custom(Origin::SlashCanceller),
        rules: SLASH_CANCELLER,
    },
    Row {
        id: 14,
        name: "settlement_pauser",
        origin: Power::Custom(Origin::SettlementPauser),
        rules: SETTLEMENT_PAUSER,
    },
    Row {
        id: 20,
        name: "referendum_canceller",
        origin: Power::Custom(Origin::ReferendumCanceller),
        rules: REFERENDUM_CANCELLER,
    },
    Row {
        id: 21,
        name: "referendum_killer",
        origin: Power::Custom(Origin::ReferendumKiller),
        rules: REFERENDUM_KILLER,
    },
    Row {
        id: 30,
        name: "small_spender",
        origin: Power::Custom(Origin::SmallSpender),
        rules: SMALL_SPENDER,
    },
    Row {
        id: 31,
        name: "big_spender",
        origin: Power::Custom(Origin::BigSpender),
        rules: BIG_SPENDER,
    },
];

impl Row {
    /// What is in force.
    fn rules(&self) -> TrackRules {
        parameters::in_force::Tracks::<Runtime>::get(self.id).unwrap_or(self.rules)
    }

    fn track(&self, day: BlockNumber) -> Track<TrackId, Balance, BlockNumber> {
        let rules = self.rules();
        let hours = |count| hours(count, day);
        Track {
            id: self.id,
            info: TrackInfo {
                name: str_array(self.name),
                max_deciding: rules.deciding,
                decision_deposit: rules.deposit,
                prepare_period: hours(rules.prepare),
                decision_period: hours(rules.decision).max(1),
                confirm_period: hours(rules.confirm).max(1),
                min_enactment_period: hours(rules.enactment),
                min_approval: APPROVAL,
                min_support: Curve::LinearDecreasing {
                    length: Perbill::one(),
                    floor: rules.support_last,
                    ceil: rules.support_first,
                },
            },
        }
    }
}

/// The rules of all tracks that are in force, with the tracks' numbers.
pub fn in_force() -> [(TrackId, TrackRules); COUNT] {
    ROWS.map(|row| (row.id, row.rules()))
}

/// Whether there is a track with that number.
pub fn exists(id: TrackId) -> bool {
    ROWS.iter().any(|row| row.id == id)
}

/// The rules in `tracks` by which slashes are cancelled.
pub fn canceller(tracks: &[(TrackId, TrackRules)]) -> TrackRules {
    tracks
        .iter()
        .find(|(id, _)| *id == CANCELLER)
        .map_or(SLASH_CANCELLER, |(_, rules)| *rules)
}

/// The tracks, for Referenda.
pub struct Tracks;

impl pallet_referenda::TracksInfo<Balance, BlockNumber> for Tracks {
    type Id = TrackId;
    type RuntimeOrigin = OriginCaller;

    fn tracks() -> impl Iterator<Item = Cow<'static, Track<TrackId, Balance, BlockNumber>>> {
        let day = pace::InForce::<Runtime>::get().day;
        let tracks: Vec<_> = ROWS.iter().map(|row| Cow::Owned(row.track(day))).collect();
        tracks.into_iter()
    }

    fn info(id: TrackId) -> Option<Cow<'static, TrackInfo<Balance, BlockNumber>>> {
        let day = pace::InForce::<Runtime>::get().day;
        let row = ROWS.iter().find(|row| row.id == id)?;
        Some(Cow::Owned(row.track(day).info))
    }

    fn track_for(origin: &OriginCaller) -> Result<TrackId, ()> {
        let wanted = |power: &Power| match (power, origin) {
            (Power::Root, OriginCaller::system(RawOrigin::<AccountId>::Root)) => true,
            (Power::Custom(power), OriginCaller::Origins(origin)) => power == origin,
            _ => false,
        };
        ROWS.iter()
            .find(|row| wanted(&row.origin))
            .map(|row| row.id)
            .ok_or(())
    }
}
