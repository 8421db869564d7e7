//! The election provider that staking is given.
//!
//! It asks staking for candidates and voters as any provider does, adds one voter for the collateral of each operator,
//! elects, and takes those voters out of the result again.

use crate::{
    Config, EraIndex, Pallet, Parameters, Restaking as _, VaraOnlyReason, VaraOnlyUntil,
    exposures::Outcome, shares, types::Eras as _,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use codec::{Decode, Encode};
use core::marker::PhantomData;
use frame_support::{dispatch::DispatchClass, traits::Get};
use frame_system::pallet_prelude::BlockNumberFor;
use polkadot_sdk::{
    frame_election_provider_support::{
        BoundedSupportsOf, ElectionDataProvider, ElectionProvider, NposSolver, PageIndex,
        VoteWeight, VoterOf,
    },
    frame_support, frame_system, sp_io,
    sp_npos_elections::{
        self, ElectionResult, Supports, assignment_ratio_to_staked_normalized, to_supports,
    },
    sp_runtime::traits::{ConstU32, TrailingZeroInput, Zero},
};

/// Elects validators by stake in VARA and in ETH.
pub struct DualElection<T>(PhantomData<T>);

/// Why an election came to nothing. Staking then keeps the validators that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElectionError {
    /// Staking could not say who votes for whom.
    Data(&'static str),
    /// VARA alone could not elect, either.
    Solver(sp_npos_elections::Error),
}

/// A voter with its weight and its candidates.
type Voter<A> = (A, VoteWeight, Vec<A>);

/// Who votes for whom, in VARA.
struct Ballot<A> {
    voters: Vec<Voter<A>>,
    candidates: Vec<A>,
    /// Seats.
    desired: u32,
}

/// The elected with the votes of VARA, and what each has of ETH's.
type Stripped<A> = (Supports<A>, BTreeMap<A, u128>);

/// The collateral of a candidate.
pub(crate) struct EthVoter<A> {
    /// The account under which it votes; nobody has its key.
    pub who: A,
    /// The candidate that it votes for.
    pub operator: A,
    /// Its collateral (18 decimals).
    pub stake: u128,
    /// Its votes.
    pub votes: VoteWeight,
}

/// The account under which the collateral of `operator` votes: a hash, so that nobody can have its key.
fn voter_account<A: Encode + Decode>(operator: &A) -> Option<A> {
    let hash = (b"gear-exe/eth-voter", operator).using_encoded(sp_io::hashing::blake2_256);
    A::decode(&mut TrailingZeroInput::new(&hash)).ok()
}

/// The voters for the collateral of the candidates.
pub(crate) fn eth_voters<T: Config>(
    stakes: Vec<(T::AccountId, u128)>,
    vara: u128,
    candidates: &[T::AccountId],
    taken: &BTreeSet<&T::AccountId>,
) -> Vec<EthVoter<T::AccountId>> {
    let rules = Parameters::<T>::get();
    let candidates: BTreeSet<_> = candidates.iter().collect();
    let stakes: BTreeMap<_, _> = stakes
        .into_iter()
        .filter(|(operator, stake)| !stake.is_zero() && candidates.contains(operator))
        .collect();
    let amounts: Vec<_> = stakes.values().copied().collect();
    let votes = shares::votes(vara, &amounts, &rules);
    stakes
        .into_iter()
        .zip(votes)
        .filter_map(|((operator, stake), votes)| {
            let who = voter_account(&operator).filter(|who| !taken.contains(who))?;
            (votes > 0).then_some(EthVoter {
                who,
                operator,
                stake,
                votes,
            })
        })
        .collect()
}

/// Elects, and registers what that costs.
pub(crate) fn solve<T: Config>(
    desired: u32,
    candidates: Vec<T::AccountId>,
    voters: Vec<Voter<T::AccountId>>,
) -> Result<Supports<T::AccountId>, sp_npos_elections::Error> {
    let weight = T::Solver::weight::<T::SolverWeightInfo>(
        voters.len() as u32,
        candidates.len() as u32,
        <T::DataProvider as ElectionDataProvider>::MaxVotesPerVoter::get(),
    );
    frame_system::Pallet::<T>::register_extra_weight_unchecked(weight, DispatchClass::Mandatory);
    let stakes: BTreeMap<_, _> = voters
        .iter()
        .map(|(who, stake, _)| (who.clone(), *stake))
        .collect();
    let ElectionResult { assignments, .. } =
        T::Solver::solve(desired as usize, candidates, voters)?;
    let stake_of = |who: &T::AccountId| stakes.get(who).copied().unwrap_or_default();
    let staked = assignment_ratio_to_staked_normalized(assignments, stake_of)?;
    Ok(to_supports(&staked))
}

/// Takes the votes of ETH out of the supports. Returns what each validator has of them.
pub(crate) fn strip<A: Ord + Clone>(
    supports: &mut Supports<A>,
    eth_voters: &[EthVoter<A>],
) -> BTreeMap<A, u128> {
    let eth: BTreeSet<_> = eth_voters.iter().map(|voter| &voter.who).collect();
    let mut stripped = BTreeMap::<A, u128>::new();
    for (validator, support) in supports {
        let (of_eth, of_vara): (Vec<_>, Vec<_>) = core::mem::take(&mut support.voters)
            .into_iter()
            .partition(|(who, _)| eth.contains(who));
        let sum = |votes: &[(A, u128)]| {
            votes
                .iter()
                .fold(0u128, |sum, (_, votes)| sum.saturating_add(*votes))
        };
        support.total = sum(&of_vara);
        support.voters = of_vara;
        if !of_eth.is_empty() {
            stripped.insert(validator.clone(), sum(&of_eth));
        }
    }
    stripped
}

impl<T: Config> DualElection<T> {
    fn data() -> Result<Ballot<T::AccountId>, &'static str> {
        let bounds = T::Bounds::get();
        let voters: Vec<VoterOf<T::DataProvider>> =
            T::DataProvider::electing_voters(bounds.voters, 0)?;
        let candidates = T::DataProvider::electable_targets(bounds.targets, 0)?;
        let desired = T::DataProvider::desired_targets()?.min(T::MaxWinners::get());
        let voters = voters
            .into_iter()
            .map(|(who, stake, targets)| (who, stake, targets.into_inner()))
            .collect();
        Ok(Ballot {
            voters,
            candidates,
            desired,
        })
    }

    /// The collateral that has a say in the election of `era`, or why none has.
    fn eth(
        era: EraIndex,
        vara: u128,
        voters: &[Voter<T::AccountId>],
        candidates: &[T::AccountId],
    ) -> Result<Vec<EthVoter<T::AccountId>>, VaraOnlyReason> {
        if era < VaraOnlyUntil::<T>::get() {
            return Err(VaraOnlyReason::Forced);
        }
        let taken = voters.iter().map(|(who, ..)| who).collect();
        let voters = eth_voters::<T>(T::Restaking::stakes(era), vara, candidates, &taken);
        if voters.is_empty() {
            return Err(VaraOnlyReason::NoStake);
        }
        Ok(voters)
    }

    /// The election with ETH.
    fn elect_dual(
        desired: u32,
        candidates: &[T::AccountId],
        voters: &[Voter<T::AccountId>],
        eth: &[EthVoter<T::AccountId>],
    ) -> Result<Stripped<T::AccountId>, sp_npos_elections::Error> {
        let mut all = voters.to_vec();
        all.extend(eth.iter().map(|voter| {
            (
                voter.who.clone(),
                voter.votes,
                alloc::vec![voter.operator.clone()],
            )
        }));
        let mut supports = solve::<T>(desired, candidates.to_vec(), all)?;
        let stripped = strip(&mut supports, eth);
        Ok((supports, stripped))
    }
}

impl<T: Config> ElectionProvider for DualElection<T> {
    type AccountId = T::AccountId;
    type BlockNumber = BlockNumberFor<T>;
    type DataProvider = T::DataProvider;
    type Error = ElectionError;
    type MaxBackersPerWinner = T::MaxBackersPerWinner;
    type MaxBackersPerWinnerFinal = T::MaxBackersPerWinner;
    type MaxWinnersPerPage = T::MaxWinners;
    type Pages = ConstU32<1>;

    fn elect(_: PageIndex) -> Result<BoundedSupportsOf<Self>, Self::Error> {
        let Ballot {
            voters,
            candidates,
            desired,
        } = Self::data().map_err(ElectionError::Data)?;
        let era = T::Eras::electing();
        let vara = voters.iter().fold(0u128, |sum, (_, stake, _)| {
            sum.saturating_add((*stake).into())
        });
        let dual = Self::eth(era, vara, &voters, &candidates).and_then(|eth| {
            Self::elect_dual(desired, &candidates, &voters, &eth)
                .map(|(supports, votes)| (supports, votes, eth))
                .map_err(|_| VaraOnlyReason::Failed)
        });
        let (supports, votes, eth, vara_only) = match dual {
            Ok((supports, votes, eth)) => (supports, votes, eth, None),
            Err(reason) => {
                let supports =
                    solve::<T>(desired, candidates, voters).map_err(ElectionError::Solver)?;
                (supports, BTreeMap::new(), Vec::new(), Some(reason))
            }
        };
        let (bounded, ..) = BoundedSupportsOf::<Self>::sorted_truncate_from(supports);
        Pallet::<T>::record(
            era,
            Outcome {
                vara,
                eth,
                votes,
                vara_only,
                elected: bounded
                    .iter()
                    .map(|(validator, support)| (validator.clone(), support.total))
                    .collect(),
            },
        );
        Ok(bounded)
    }

    fn start() -> Result<(), Self::Error> {
        // It elects when it is asked.
        Ok(())
    }

    fn duration() -> Self::BlockNumber {
        Zero::zero()
    }

    fn status() -> Result<Option<frame_support::weights::Weight>, ()> {
        Ok(Some(Default::default()))
    }
}
