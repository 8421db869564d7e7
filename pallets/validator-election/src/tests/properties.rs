//! Properties of elections over both assets, on random electorates.

use crate::{
    ElectionParameters, Parameters, ValidatorExposure,
    election::{EthVoter, eth_voters, solve, strip},
    mock::*,
    shares,
};
use polkadot_sdk::{sp_npos_elections::Supports, sp_runtime::Perbill};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Candidates are 0 to `candidates - 1`; voters are numbered from 100.
#[derive(Clone, Debug)]
struct Electorate {
    candidates: u64,
    seats: u32,
    voters: Vec<(u64, Vec<u64>)>,
    /// Collateral of each candidate.
    eth: Vec<u128>,
    rules: ElectionParameters,
}

fn electorate() -> impl Strategy<Value = Electorate> {
    (2..8u64).prop_flat_map(|candidates| {
        let voter = (
            1..1_000_000u64,
            proptest::collection::btree_set(0..candidates, 1..4usize.min(candidates as usize + 1)),
        );
        let collateral = prop_oneof![
            2 => Just(0),
            5 => (1..1_000u128).prop_map(|amount| amount * ETH),
            1 => Just(u128::MAX),
        ];
        (
            1..candidates as u32,
            proptest::collection::vec(voter, 1..16),
            proptest::collection::vec(collateral, candidates as usize),
            (50..=100u32, 1..2_000u128, 1..=100u32),
        )
            .prop_map(move |(seats, voters, eth, (vara, full, most))| Electorate {
                candidates,
                seats,
                voters: voters
                    .into_iter()
                    .map(|(stake, targets)| (stake, targets.into_iter().collect()))
                    .collect(),
                eth,
                rules: ElectionParameters {
                    vara_share: Perbill::from_percent(vara),
                    full_weight: full * ETH,
                    max_operator_share: Perbill::from_percent(most),
                    max_weight: 200,
                },
            })
    })
}

struct Elected {
    /// With the votes of ETH.
    joined: Supports<u64>,
    /// Without.
    supports: Supports<u64>,
    eth: Vec<EthVoter<u64>>,
    votes: BTreeMap<u64, u128>,
    vara: u128,
}

impl Electorate {
    fn elect(&self) -> Elected {
        Parameters::<Test>::put(self.rules);
        let mut voters: Vec<_> = (100u64..)
            .zip(&self.voters)
            .map(|(who, (stake, targets))| (who, *stake, targets.clone()))
            .collect();
        let candidates: Vec<_> = (0..self.candidates).collect();
        let vara = voters.iter().map(|(_, stake, _)| u128::from(*stake)).sum();
        let stakes = candidates.iter().copied().zip(self.eth.clone()).collect();
        let taken = voters.iter().map(|(who, ..)| who).collect();
        let eth = eth_voters::<Test>(stakes, vara, &candidates, &taken);
        voters.extend(
            eth.iter()
                .map(|voter| (voter.who, voter.votes, vec![voter.operator])),
        );
        let joined = solve::<Test>(self.seats, candidates, voters).unwrap();
        let mut supports = joined.clone();
        let votes = strip(&mut supports, &eth);
        Elected {
            joined,
            supports,
            eth,
            votes,
            vara,
        }
    }

    /// The same with more collateral behind a candidate.
    fn with_more(&self, candidate: u64, more: u128) -> Self {
        let mut richer = self.clone();
        let stake = &mut richer.eth[candidate as usize];
        *stake = stake.saturating_add(more);
        richer
    }

    fn winners(&self) -> BTreeSet<u64> {
        self.elect()
            .supports
            .into_iter()
            .map(|(who, _)| who)
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Taking ETH's votes out leaves those of VARA as they were, and loses none.
    #[test]
    fn stripping_keeps_the_votes_of_vara(electorate in electorate()) {
        run(|| {
            let elected = electorate.elect();
            for ((who, joined), (same, stripped)) in elected.joined.iter().zip(&elected.supports) {
                assert_eq!(who, same);
                let of_vara: Vec<_> =
                    joined.voters.iter().filter(|(voter, _)| (100..1_000).contains(voter)).cloned().collect();
                assert_eq!(stripped.voters, of_vara);
                assert_eq!(stripped.total, of_vara.iter().map(|(_, votes)| votes).sum::<u128>());
                let of_eth = elected.votes.get(who).copied().unwrap_or_default();
                assert_eq!(joined.total, stripped.total + of_eth);
            }
        });
    }

    /// Everybody who voted for one of the elected stands behind the elected with all its votes, and with no more.
    #[test]
    fn votes_are_conserved(electorate in electorate()) {
        run(|| {
            let elected = electorate.elect();
            let winners: BTreeSet<u64> = elected.supports.iter().map(|(who, _)| *who).collect();
            let mut spent = BTreeMap::<u64, u128>::new();
            for (voter, votes) in elected.supports.iter().flat_map(|(_, support)| &support.voters) {
                *spent.entry(*voter).or_default() += votes;
            }
            for (who, (stake, targets)) in (100u64..).zip(&electorate.voters) {
                let due = if targets.iter().any(|target| winners.contains(target)) {
                    u128::from(*stake)
                } else {
                    0
                };
                assert_eq!(spent.get(&who).copied().unwrap_or_default(), due);
            }
            for voter in &elected.eth {
                let due = if winners.contains(&voter.operator) { voter.votes.into() } else { 0 };
                assert_eq!(elected.votes.get(&voter.operator).copied().unwrap_or_default(), due);
            }
        });
    }

    /// ETH has at most its share: of the votes, and of the weight of the elected.
    #[test]
    fn eth_has_no_more_than_its_share(electorate in electorate()) {
        run(|| {
            let elected = electorate.elect();
            let parts = u128::from(electorate.rules.vara_share.deconstruct());
            let within = |vara: u128, eth: u128| eth * parts <= vara * (1_000_000_000 - parts);
            let votes: u128 = elected.eth.iter().map(|voter| u128::from(voter.votes)).sum();
            assert!(within(elected.vara, votes));
            let most = electorate.rules.max_operator_share.mul_ceil(
                shares::most_votes(elected.vara, electorate.rules.vara_share),
            );
            assert!(elected.eth.iter().all(|voter| u128::from(voter.votes) <= most));
            let mut exposures: Vec<_> = elected
                .supports
                .iter()
                .map(|(validator, support)| ValidatorExposure {
                    validator: *validator,
                    vara: support.total,
                    eth: 0,
                    eth_votes: elected.votes.get(validator).copied().unwrap_or_default(),
                })
                .collect();
            shares::limit_eth(&mut exposures, electorate.rules.vara_share);
            assert!(within(
                exposures.iter().map(|one| one.vara).sum(),
                exposures.iter().map(|one| one.eth_votes).sum(),
            ));
        });
    }

    /// Who is elected stays so with more collateral, while the votes of the others do not depend on it: as long as there is
    /// less than the full weight, and no operator has more than it may.
    #[test]
    fn more_eth_does_not_unelect(electorate in electorate(), more in 1..1_000u128) {
        let electorate = Electorate {
            eth: electorate.eth.iter().map(|stake| stake % (1_000 * ETH)).collect(),
            rules: ElectionParameters {
                full_weight: 10_000 * ETH,
                max_operator_share: Perbill::one(),
                ..electorate.rules
            },
            ..electorate
        };
        run(|| {
            for winner in electorate.winners() {
                let after = electorate.with_more(winner, more * ETH).winners();
                assert!(after.contains(&winner), "{winner} of {electorate:?} with {more} more");
            }
        });
    }

    /// A price of ETH that changes changes nothing, once there is enough of it: all collateral times the same.
    #[test]
    fn the_price_of_eth_does_not_matter(electorate in electorate(), times in 2..50u128) {
        let scaled = |times: u128| Electorate {
            eth: electorate.eth.iter().map(|stake| (stake % (1_000 * ETH)).saturating_mul(times)).collect(),
            rules: ElectionParameters { full_weight: 1, ..electorate.rules },
            ..electorate.clone()
        };
        run(|| {
            let votes = |times| -> BTreeMap<u64, u64> {
                scaled(times).elect().eth.iter().map(|voter| (voter.operator, voter.votes)).collect()
            };
            let (one, many) = (votes(1), votes(times));
            for candidate in 0..electorate.candidates {
                let of = |votes: &BTreeMap<u64, u64>| votes.get(&candidate).copied().unwrap_or_default();
                assert!(of(&one).abs_diff(of(&many)) <= 1, "{one:?} against {many:?}");
            }
        });
    }

    #[test]
    fn weights_are_capped_and_keep_the_order(
        stakes in proptest::collection::vec(prop_oneof![Just(0), 1..100u128, 1..u128::from(u64::MAX)], 1..40),
        percent in 100..1_000u32,
    ) {
        let weights = shares::weights(&stakes, percent);
        let count = stakes.len() as u64;
        let sum: u64 = weights.iter().sum();
        // Rounding loses less than one from each.
        assert!(weights.iter().all(|weight| weight * count * 100 <= u64::from(percent) * (sum + count)
            || *weight == 1));
        assert!(weights.iter().all(|weight| *weight > 0));
        for (stake, weight) in stakes.iter().zip(&weights) {
            for (other, less) in stakes.iter().zip(&weights) {
                assert!(stake < other || weight >= less);
            }
        }
    }
}

/// The price of a fixed share: once there is more than the full weight, collateral for one takes votes from the others,
/// and who loses by that need not be whom it takes them from.
///
/// Two seats; 13,000 VARA for 0 or 1, 9,000 VARA for 1 or 2. With 26 ETH behind 0 and 20 behind 2, 0 has the most votes
/// (22,769) and comes first. That uses up most of the 13,000; 2 (16,515) is next before 1, which has to share them. With
/// 11 ETH more behind 2, ETH's votes for 0 fall from 9,769 to 7,884: now 1 (22,000) comes first, and uses up the 9,000
/// that 2 relies on. 0 (20,884, a part used up) is then just before 2 (18,400, a part used up).
#[test]
fn more_eth_may_unelect_where_it_takes_votes_from_others() {
    let electorate = Electorate {
        candidates: 3,
        seats: 2,
        voters: vec![(9_000, vec![1, 2]), (13_000, vec![0, 1])],
        eth: vec![26 * ETH, 0, 20 * ETH],
        rules: ElectionParameters {
            vara_share: Perbill::from_percent(56),
            full_weight: 1,
            max_operator_share: Perbill::one(),
            max_weight: 200,
        },
    };
    let votes = |electorate: &Electorate| -> Vec<(u64, u64)> {
        let eth = electorate.elect().eth;
        eth.iter()
            .map(|voter| (voter.operator, voter.votes))
            .collect()
    };
    run(|| {
        assert_eq!(votes(&electorate), [(0, 9_769), (2, 7_515)]);
        assert_eq!(electorate.winners(), [0, 2].into());
        let richer = electorate.with_more(2, 11 * ETH);
        assert_eq!(votes(&richer), [(0, 7_884), (2, 9_400)]);
        assert_eq!(richer.winners(), [0, 1].into());
    });
}
