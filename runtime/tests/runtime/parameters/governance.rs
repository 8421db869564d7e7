//! Days, tracks, windows and spenders of governance: root sets them, they change when an era begins, and never so that nothing
//! could be decided any more.

use super::*;
use gear_exe_runtime::{
    Balances, OriginCaller, Preimage, Referenda, RuntimeCall, Treasury, UNITS,
    configs::TechnicalCommitteeInstance,
    governance::tracks::{self, TrackId, TrackRules, Tracks},
    parameters::Governance,
};
use polkadot_sdk::{
    frame_support::{
        assert_noop,
        traits::{Get, StorePreimage, schedule::DispatchTime},
    },
    frame_system, pallet_collective, pallet_conviction_voting,
    pallet_referenda::{self, TracksInfo},
    pallet_treasury, pallet_whitelist,
    sp_keyring::Sr25519Keyring::{Bob, Ferdie},
    sp_runtime::DispatchError,
};
use values::{governance, tracks as track_values};

fn day(blocks: u32) -> Set {
    parameter!(Pace, pace_values, Day, blocks)
}

/// Prepare, decision, confirm and enactment of a track, in blocks.
fn periods(track: TrackId) -> [u32; 4] {
    let info = Tracks::info(track).unwrap();
    [
        info.prepare_period,
        info.decision_period,
        info.confirm_period,
        info.min_enactment_period,
    ]
}

fn in_force(track: TrackId) -> TrackRules {
    let all = tracks::in_force();
    all.iter().find(|(id, _)| *id == track).unwrap().1
}

/// A track's number, what it begins with, and how it is set.
type Track = (TrackId, TrackRules, fn(Option<TrackRules>) -> Set);

fn all_tracks() -> Vec<Track> {
    macro_rules! all {
        ($($id:literal $first:ident $name:ident;)*) => {
            vec![$((
                $id,
                tracks::$first,
                |rules| Set::Tracks(track_values::Parameters::$name(track_values::$name, rules)),
            )),*]
        };
    }
    all! {
        0 ROOT Root;
        1 WHITELISTED_CALLER WhitelistedCaller;
        10 STAKING_ADMIN StakingAdmin;
        11 TREASURER Treasurer;
        12 PARAMETER_ADMIN ParameterAdmin;
        13 SLASH_CANCELLER SlashCanceller;
        14 SETTLEMENT_PAUSER SettlementPauser;
        20 REFERENDUM_CANCELLER ReferendumCanceller;
        21 REFERENDUM_KILLER ReferendumKiller;
        30 SMALL_SPENDER SmallSpender;
        31 BIG_SPENDER BigSpender;
    }
}

/// Rules that are no track's.
const OTHERS: TrackRules = TrackRules {
    deposit: 123 * UNITS,
    deciding: 3,
    prepare: 5,
    decision: 10,
    confirm: 2,
    enactment: 7,
    support_first: Perbill::from_percent(40),
    support_last: Perbill::from_percent(2),
};

#[test]
fn a_day_has_as_many_blocks_as_governance_says_from_the_next_era_on() {
    on_a_new_chain(|chain| {
        let locking = <Runtime as pallet_conviction_voting::Config>::VoteLockingPeriod::get;
        let before = [20, 14 * 240, 240, 240];
        assert_eq!((periods(0), locking()), (before, 7 * 240));
        set_as_root(chain, [day(480)]);
        assert_eq!((periods(0), locking()), (before, 7 * 240));
        next_era(chain);
        assert_eq!(refused(), []);
        assert_eq!(periods(0), [40, 14 * 480, 480, 480]);
        assert_eq!(locking(), 7 * 480);
        for bad in [0, 23, 2_419_201, u32::MAX] {
            set_as_root(chain, [day(bad)]);
            next_era(chain);
            let reason = "a day of governance has 24 to 2,419,200 blocks";
            assert_eq!(refusals(), [(Group::Pace, reason.to_owned())], "{bad}");
            assert_eq!(pace::InForce::<Runtime>::get().day, 480);
        }
    });
}

#[test]
fn each_track_takes_its_rules_when_an_era_begins() {
    on_a_new_chain(|chain| {
        for (id, first, set) in all_tracks() {
            assert_eq!(in_force(id), first);
            set_as_root(chain, [set(Some(OTHERS))]);
            assert_eq!(in_force(id), first);
        }
        next_era(chain);
        assert_eq!(refused(), []);
        for (id, _, _) in all_tracks() {
            assert_eq!(in_force(id), OTHERS, "{id}");
            // Ten blocks an hour.
            assert_eq!(periods(id), [50, 100, 20, 70], "{id}");
            let info = Tracks::info(id).unwrap();
            assert_eq!((info.max_deciding, info.decision_deposit), (3, 123 * UNITS));
            let least = |part| info.min_support.threshold(Perbill::from_percent(part));
            assert_eq!(
                [0, 50, 100].map(least),
                [40, 21, 2].map(Perbill::from_percent)
            );
        }
        // One changes alone.
        let dear = TrackRules {
            deposit: 7 * UNITS,
            ..OTHERS
        };
        let (_, _, set) = all_tracks()[4];
        set_as_root(chain, [set(Some(dear))]);
        next_era(chain);
        let changed: Vec<_> = tracks::in_force()
            .into_iter()
            .filter(|(_, rules)| *rules != OTHERS)
            .collect();
        assert_eq!(changed, [(12, dear)]);
    });
}

#[test]
fn a_decision_deposit_is_given_back_as_it_was_taken() {
    on_a_new_chain(|chain| {
        let bob = Bob.to_account_id();
        let by = RuntimeOrigin::signed(bob.clone());
        let free = || Balances::free_balance(&bob);
        let submit = |index| {
            let call = RuntimeCall::System(frame_system::Call::remark { remark: vec![] });
            let origin: OriginCaller = Origin::SmallSpender.into();
            let (before, call) = (free(), Preimage::bound(call).unwrap());
            let origin = Box::new(origin);
            assert_ok!(Referenda::submit(
                by.clone(),
                origin,
                call,
                DispatchTime::After(0)
            ));
            let submitted = free();
            assert_ok!(Referenda::place_decision_deposit(by.clone(), index));
            (before, submitted - free())
        };
        let (begin, paid) = chain.act(|| submit(0));
        assert_eq!(paid, 100 * UNITS);
        let (_, _, set) = all_tracks()[9];
        set_as_root(chain, [set(Some(OTHERS))]);
        next_era(chain);
        let (_, paid) = chain.act(|| submit(1));
        assert_eq!(paid, 123 * UNITS);
        chain.act(|| {
            for index in [0, 1] {
                assert_ok!(Referenda::cancel(RuntimeOrigin::root(), index));
                assert_ok!(Referenda::refund_decision_deposit(by.clone(), index));
                assert_ok!(Referenda::refund_submission_deposit(by.clone(), index));
            }
        });
        assert_eq!(free(), begin);
    });
}

#[test]
fn a_track_on_which_nothing_could_be_decided_is_refused() {
    on_a_new_chain(|chain| {
        let before = tracks::in_force();
        let deposit = "a deposit is not below the existential deposit, nor above 1,000,000 VARA";
        let least = "a referendum is decided, and confirmed, for at least an hour";
        let longest = "no period of a track is longer than 90 days";
        let support = "the support that a referendum needs does not rise, and ends at half of all VARA or below";
        let bad = |change: fn(&mut TrackRules), reason: &'static str| {
            let mut rules = OTHERS;
            change(&mut rules);
            (rules, reason)
        };
        let cases = [
            bad(|rules| rules.deposit = 0, deposit),
            bad(|rules| rules.deposit = 1_000_001 * UNITS, deposit),
            bad(
                |rules| rules.deciding = 0,
                "a track decides at least one referendum at a time",
            ),
            bad(|rules| rules.decision = 0, least),
            bad(|rules| rules.confirm = 0, least),
            bad(|rules| rules.prepare = 2_161, longest),
            bad(|rules| rules.decision = u32::MAX, longest),
            bad(|rules| rules.confirm = 2_161, longest),
            bad(|rules| rules.enactment = 2_161, longest),
            bad(
                |rules| rules.support_last = Perbill::from_percent(41),
                support,
            ),
            bad(
                |rules| {
                    rules.support_first = Perbill::one();
                    rules.support_last = Perbill::from_percent(51);
                },
                support,
            ),
        ];
        // Of each track once, together with a good one.
        let all = all_tracks();
        for ((rules, reason), (id, first, set)) in cases.into_iter().zip(&all) {
            let (_, _, other) = all[(usize::from(*id) + 1) % all.len()];
            set_as_root(chain, [other(Some(OTHERS)), set(Some(rules))]);
            next_era(chain);
            assert_eq!(refusals(), [(Group::Tracks, reason.to_owned())], "{id}");
            assert_eq!(tracks::in_force(), before);
            set_as_root(chain, [set(None), other(None)]);
            assert_eq!(in_force(*id), *first);
        }
    });
}

#[test]
fn slashes_wait_for_their_cancellation_to_be_decided() {
    on_a_new_chain(|chain| {
        let reason = "a slash of ETH would leave before its cancellation is decided: the deferral must be longer, or the \
                      day or the track slash_canceller shorter";
        let deferral = |blocks| parameter!(Slashing, slashing, Deferral, blocks);
        let (_, first, canceller) = all_tracks()[5];
        let longer = TrackRules {
            decision: 48,
            ..first
        };
        set(chain, [deferral(300)]);
        next_era(chain);
        assert_eq!(refused(), []);
        // 510 blocks are longer than 300.
        set_as_root(chain, [canceller(Some(longer))]);
        next_era(chain);
        assert_eq!(refusals(), [(Group::Tracks, reason.to_owned())]);
        assert_eq!(in_force(13), first);
        // So are 27 hours of a day twice as long.
        set_as_root(chain, [canceller(None), day(480)]);
        next_era(chain);
        assert_eq!(refusals(), [(Group::Pace, reason.to_owned())]);
        assert_eq!(pace::InForce::<Runtime>::get().day, 240);
        // With a deferral for them, both are taken.
        set_as_root(chain, [canceller(Some(longer)), deferral(1_020)]);
        next_era(chain);
        assert_eq!(refused(), []);
        assert_eq!(periods(13), [20, 960, 40, 0]);
    });
}

const TOO_MUCH: pallet_treasury::Error<Runtime> = pallet_treasury::Error::InsufficientPermission;

#[test]
fn windows_and_spenders_change_when_an_era_begins() {
    on_a_new_chain(|chain| {
        let in_force = gear_exe_runtime::parameters::in_force::Governance::<Runtime>::get;
        let windows = || {
            [
                <Runtime as pallet_conviction_voting::Config>::VoteLockingPeriod::get(),
                <Runtime as pallet_referenda::Config>::UndecidingTimeout::get(),
                <Runtime as pallet_collective::Config<TechnicalCommitteeInstance>>::MotionDuration::get(),
                <Runtime as pallet_whitelist::Config>::DeferredDispatchExpiration::get(),
                <Runtime as pallet_treasury::Config>::PayoutPeriod::get(),
                <Runtime as pallet_treasury::Config>::SpendPeriod::get(),
            ]
        };
        let spend = |origin: Origin, amount: u128| {
            let to = Box::new(Ferdie.to_account_id());
            Treasury::spend(origin.into(), Box::new(()), amount, to, None)
        };
        assert_eq!(in_force(), Governance::default());
        assert_eq!(windows(), [7, 14, 7, 7, 30, 7].map(|days| days * 240));
        let rules = Governance {
            vote_locking: 1,
            undeciding: 2,
            motion: 3,
            whitelisting: 4,
            treasury_payout: 5,
            treasury_period: 366,
            small_spend: 20_000 * UNITS,
            big_spend: 30_000 * UNITS,
        };
        macro_rules! governance {
            ($name:ident, $value:expr) => {
                parameter!(Governance, governance, $name, $value)
            };
        }
        set_as_root(
            chain,
            [
                governance!(VoteLocking, rules.vote_locking),
                governance!(Undeciding, rules.undeciding),
                governance!(Motion, rules.motion),
                governance!(Whitelisting, rules.whitelisting),
                governance!(TreasuryPayout, rules.treasury_payout),
                governance!(TreasuryPeriod, rules.treasury_period),
                governance!(SmallSpend, rules.small_spend),
                governance!(BigSpend, rules.big_spend),
            ],
        );
        chain.act(|| {
            assert_noop!(spend(Origin::SmallSpender, 10_001 * UNITS), TOO_MUCH);
            assert_ok!(spend(Origin::BigSpender, 30_001 * UNITS));
        });
        assert_eq!(in_force(), Governance::default());
        next_era(chain);
        assert_eq!((in_force(), refused()), (rules, vec![]));
        assert_eq!(windows(), [1, 2, 3, 4, 5, 366].map(|days| days * 240));
        chain.act(|| {
            assert_ok!(spend(Origin::SmallSpender, 20_000 * UNITS));
            assert_noop!(spend(Origin::SmallSpender, 20_001 * UNITS), TOO_MUCH);
            assert_noop!(spend(Origin::BigSpender, 30_001 * UNITS), TOO_MUCH);
        });
        let shut = "windows of governance are 1 to 366 days";
        for (bad, reason) in [
            (governance!(VoteLocking, 0), shut),
            (governance!(Undeciding, 0), shut),
            (governance!(Motion, 367), shut),
            (governance!(Whitelisting, 0), shut),
            (governance!(TreasuryPayout, u32::MAX), shut),
            (governance!(TreasuryPeriod, 0), shut),
            (
                governance!(SmallSpend, 30_000 * UNITS + 1),
                "a small spender may not spend more than a big one",
            ),
            (
                governance!(BigSpend, 20_000 * UNITS - 1),
                "a small spender may not spend more than a big one",
            ),
        ] {
            set_as_root(chain, [bad.clone()]);
            next_era(chain);
            assert_eq!(
                refusals(),
                [(Group::Governance, reason.to_owned())],
                "{bad:?}"
            );
            assert_eq!(in_force(), rules);
            // As it is.
            set_as_root(
                chain,
                [
                    governance!(VoteLocking, rules.vote_locking),
                    governance!(Undeciding, rules.undeciding),
                    governance!(Motion, rules.motion),
                    governance!(Whitelisting, rules.whitelisting),
                    governance!(TreasuryPayout, rules.treasury_payout),
                    governance!(TreasuryPeriod, rules.treasury_period),
                    governance!(SmallSpend, rules.small_spend),
                    governance!(BigSpend, rules.big_spend),
                ],
            );
        }
    });
}

/// Who could set how much it takes to be root could be root.
#[test]
fn what_governance_decides_by_is_roots_alone() {
    on_a_new_chain(|chain| {
        let (_, _, root) = all_tracks()[0];
        chain.act(|| {
            for parameter in [
                root(Some(OTHERS)),
                root(None),
                day(480),
                parameter!(Governance, governance, SmallSpend, u128::MAX),
                parameter!(Governance, governance, VoteLocking, 1),
            ] {
                assert_noop!(
                    Parameters::set_parameter(Origin::ParameterAdmin.into(), parameter.clone()),
                    DispatchError::BadOrigin
                );
                assert_ok!(Parameters::set_parameter(RuntimeOrigin::root(), parameter));
            }
        });
    });
}

#[test]
#[should_panic(expected = "there is no track 7")]
fn a_genesis_with_a_track_that_there_is_not_is_refused() {
    start_with(
        "development",
        json!({ "parametersInForce": { "tracks": [[7, tracks::ROOT]] } }),
    );
}

#[test]
fn a_genesis_may_have_other_tracks() {
    let more = json!({ "parametersInForce": { "tracks": [[30, OTHERS]] } });
    start_with("development", more).execute_with(|| {
        assert_eq!(in_force(30), OTHERS);
        assert_eq!(in_force(31), tracks::BIG_SPENDER);
    });
}
