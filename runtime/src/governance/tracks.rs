//! The tracks of referenda: what each is for, how long it takes, and how much it needs.
//!
//! Periods are fractions of [`crate::pace`]'s day, so that a development network decides in minutes what a real one
//! decides in weeks.

use super::origins::Origin;
use crate::{AccountId, Balance, BlockNumber, OriginCaller, Runtime, UNITS, pace};
use alloc::{borrow::Cow, vec::Vec};
use polkadot_sdk::{
    frame_system::RawOrigin,
    pallet_referenda::{self, Curve, Track, TrackInfo},
    sp_runtime::{FixedI64, Perbill, str_array},
};

/// Number of a track.
pub type TrackId = u16;

/// One row of the table.
struct Row {
    id: TrackId,
    name: &'static str,
    origin: Power,
    /// Referenda that are decided at a time.
    deciding: u32,
    /// VARA.
    deposit: Balance,
    /// Hours from the submission to the first vote that counts.
    prepare: u32,
    /// Hours in which it must succeed.
    decision: u32,
    /// Hours for which it must hold.
    confirm: u32,
    /// Hours until it is enacted, at least.
    enactment: u32,
    /// Least share of all VARA that must say aye: at the end of the decision, in thousandths; at its begin, in percent.
    support: (u32, u32),
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

/// The slash canceller's track is the shortest of those that take money into account: it must be over before a slash is.
const ROWS: [Row; 11] = [
    Row {
        id: 0,
        name: "root",
        origin: Power::Root,
        deciding: 1,
        deposit: 100_000,
        prepare: 2,
        decision: 14 * 24,
        confirm: 24,
        enactment: 24,
        support: (1, 50),
    },
    Row {
        id: 1,
        name: "whitelisted_caller",
        origin: Power::Custom(Origin::WhitelistedCaller),
        deciding: 100,
        deposit: 10_000,
        prepare: 1,
        decision: 14 * 24,
        confirm: 1,
        enactment: 1,
        support: (1, 5),
    },
    Row {
        id: 10,
        name: "staking_admin",
        origin: Power::Custom(Origin::StakingAdmin),
        deciding: 10,
        deposit: 5_000,
        prepare: 2,
        decision: 14 * 24,
        confirm: 3,
        enactment: 1,
        support: (1, 25),
    },
    Row {
        id: 11,
        name: "treasurer",
        origin: Power::Custom(Origin::Treasurer),
        deciding: 10,
        deposit: 1_000,
        prepare: 2,
        decision: 14 * 24,
        confirm: 3,
        enactment: 24,
        support: (1, 50),
    },
    Row {
        id: 12,
        name: "parameter_admin",
        origin: Power::Custom(Origin::ParameterAdmin),
        deciding: 10,
        deposit: 5_000,
        prepare: 2,
        decision: 14 * 24,
        confirm: 3,
        enactment: 1,
        support: (1, 25),
    },
    Row {
        id: 13,
        name: "slash_canceller",
        origin: Power::Custom(Origin::SlashCanceller),
        deciding: 20,
        deposit: 5_000,
        prepare: 1,
        decision: 24,
        confirm: 2,
        enactment: 0,
        support: (1, 10),
    },
    Row {
        id: 14,
        name: "settlement_pauser",
        origin: Power::Custom(Origin::SettlementPauser),
        deciding: 5,
        deposit: 10_000,
        prepare: 0,
        decision: 12,
        confirm: 1,
        enactment: 0,
        support: (1, 10),
    },
    Row {
        id: 20,
        name: "referendum_canceller",
        origin: Power::Custom(Origin::ReferendumCanceller),
        deciding: 100,
        deposit: 10_000,
        prepare: 2,
        decision: 7 * 24,
        confirm: 3,
        enactment: 0,
        support: (1, 25),
    },
    Row {
        id: 21,
        name: "referendum_killer",
        origin: Power::Custom(Origin::ReferendumKiller),
        deciding: 100,
        deposit: 50_000,
        prepare: 2,
        decision: 14 * 24,
        confirm: 3,
        enactment: 0,
        support: (1, 25),
    },
    Row {
        id: 30,
        name: "small_spender",
        origin: Power::Custom(Origin::SmallSpender),
        deciding: 50,
        deposit: 100,
        prepare: 4,
        decision: 14 * 24,
        confirm: 12,
        enactment: 24,
        support: (1, 10),
    },
    Row {
        id: 31,
        name: "big_spender",
        origin: Power::Custom(Origin::BigSpender),
        deciding: 50,
        deposit: 400,
        prepare: 4,
        decision: 14 * 24,
        confirm: 48,
        enactment: 24,
        support: (1, 40),
    },
];

impl Row {
    fn track(&self, day: BlockNumber) -> Track<TrackId, Balance, BlockNumber> {
        // At least one block, where there is a period at all.
        let hours = |hours: u32| match hours {
            0 => 0,
            hours => (day.saturating_mul(hours) / 24).max(1),
        };
        Track {
            id: self.id,
            info: TrackInfo {
                name: str_array(self.name),
                max_deciding: self.deciding,
                decision_deposit: self.deposit.saturating_mul(UNITS),
                prepare_period: hours(self.prepare),
                decision_period: hours(self.decision).max(1),
                confirm_period: hours(self.confirm).max(1),
                min_enactment_period: hours(self.enactment),
                min_approval: APPROVAL,
                min_support: Curve::LinearDecreasing {
                    length: Perbill::one(),
                    floor: Perbill::from_rational(self.support.0, 1_000),
                    ceil: Perbill::from_percent(self.support.1),
                },
            },
        }
    }
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
