//! What programs pay, on its way to those who secure the network.

use super::{
    pools::Payees,
    settlement::Glue,
    staking::{PAGE, StakingAdmin},
};
use crate::{AccountId, Restaking, Runtime, Settlement, ValidatorElection, eras, parameters};
use alloc::{collections::BTreeMap, vec::Vec};
use gear_exe_primitives::{H160, outbox::OutboxItem};
use pallet_rewards::{EthStake, Exposure};
use polkadot_sdk::{
    frame_support::{traits::ConstU32, weights::constants::ParityDbWeight},
    pallet_staking::{self, ErasRewardPoints, ErasStakersOverview, ErasStakersPaged},
};

/// Eras after its end for which an era's stakers can be paid: staking knows of them for one more.
type PayDepth = ConstU32<83>;

/// Eras for which claims can be proven: two years of eras of twelve hours.
type ProofDepth = ConstU32<1_460>;

impl pallet_rewards::Income for Glue {
    fn spent() -> u128 {
        pallet_settlement::Settled::<Runtime>::get().spent
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn earn(amount: u128) {
        pallet_settlement::Settled::<Runtime>::mutate(|settled| {
            settled.spent = settled.spent.saturating_add(amount);
        });
    }
}

impl pallet_rewards::Outbox for Glue {
    fn push(item: OutboxItem) -> u64 {
        Settlement::push(item)
    }

    fn settled_end() -> u64 {
        pallet_settlement::Settled::<Runtime>::get().outbox_end
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn settle(end: u64) {
        pallet_settlement::Settled::<Runtime>::mutate(|settled| settled.outbox_end = end);
    }
}

impl pallet_rewards::Ethereum for Glue {
    fn finalised() -> u64 {
        pallet_execution::Finalised::<Runtime>::get().timestamp
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_finalised(timestamp: u64) {
        pallet_execution::Finalised::<Runtime>::mutate(|header| header.timestamp = timestamp);
    }
}

impl pallet_rewards::Staking<AccountId> for Glue {
    fn active() -> Option<u32> {
        eras::active()
    }

    fn points(era: u32) -> Vec<(AccountId, u32)> {
        ErasRewardPoints::<Runtime>::get(era)
            .individual
            .into_iter()
            .collect()
    }

    fn exposure(era: u32, validator: &AccountId) -> Option<Exposure> {
        let overview = ErasStakersOverview::<Runtime>::get(era, validator)?;
        let preferences = pallet_staking::ErasValidatorPrefs::<Runtime>::get(era, validator);
        Some(Exposure {
            own: overview.own,
            total: overview.total,
            pages: overview.page_count,
            commission: preferences.commission,
        })
    }

    fn page(era: u32, validator: &AccountId, page: u32) -> Vec<(AccountId, u128)> {
        ErasStakersPaged::<Runtime>::get((era, validator, page))
            .map(|page| page.others)
            .unwrap_or_default()
            .into_iter()
            .map(|staker| (staker.who, staker.value))
            .collect()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn begin(era: u32) {
        <Self as pallet_restaking::Eras>::set(era);
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn expose(era: u32, validator: &AccountId, stakers: Vec<(AccountId, u128)>) {
        use polkadot_sdk::sp_staking::{ExposurePage, IndividualExposure, PagedExposureMetadata};
        ErasRewardPoints::<Runtime>::mutate(era, |points| {
            points.individual.insert(validator.clone(), 20);
            points.total = points.total.saturating_add(20);
        });
        let others: Vec<_> = stakers
            .into_iter()
            .map(|(who, value)| IndividualExposure { who, value })
            .collect();
        let page_total = others
            .iter()
            .fold(0u128, |sum, staker| sum.saturating_add(staker.value));
        let own = 1_000;
        let overview = PagedExposureMetadata {
            total: page_total.saturating_add(own),
            own,
            nominator_count: others.len() as u32,
            page_count: 1,
        };
        ErasStakersOverview::<Runtime>::insert(era, validator, overview);
        let page = ExposurePage { page_total, others };
        ErasStakersPaged::<Runtime>::insert((era, validator, 0u32), page);
    }
}

impl pallet_rewards::Collateral<AccountId> for Glue {
    fn capture(era: u32) -> Option<u64> {
        Restaking::capture(era)
    }

    /// The stake that has voted in the election of the era; its vaults as the snapshot has them that counted then, and by
    /// the rules for collateral that are in force.
    fn stakes(era: u32) -> Vec<EthStake<AccountId>> {
        let exposures = ValidatorElection::exposures(era).unwrap_or_default();
        if exposures.iter().all(|exposure| exposure.eth == 0) {
            return Vec::new();
        }
        let mut vaults: BTreeMap<AccountId, Vec<(H160, u128)>> =
            Restaking::vault_weights(era).into_iter().collect();
        exposures
            .into_iter()
            .filter(|exposure| exposure.eth > 0)
            .filter_map(|exposure| {
                Some(EthStake {
                    vaults: vaults.remove(&exposure.validator)?,
                    validator: exposure.validator,
                    weight: exposure.eth,
                })
            })
            .collect()
    }

    // As if a snapshot of these vaults had been accepted, and their validators elected.
    #[cfg(feature = "runtime-benchmarks")]
    fn put(era: u32, stakes: Vec<EthStake<AccountId>>) {
        use gear_exe_primitives::{H256, restaking::VaultStake, stake_pages};
        use pallet_restaking::{AssetRules, Capture, Operator, Snapshot, SnapshotState};
        use pallet_validator_election::ValidatorExposure;
        use polkadot_sdk::{frame_support::BoundedVec, sp_runtime::Perbill};
        let collateral = H160::repeat_byte(0xe7);
        // Less than there is, so that everything is reduced.
        let rules = AssetRules {
            decimals: 18,
            haircut: Perbill::from_percent(10),
            cap: 100_000_000_000_000_000,
        };
        pallet_restaking::Assets::<Runtime>::insert(collateral, rules);
        let mut operators = Vec::new();
        let mut held = Vec::new();
        let mut exposures = Vec::new();
        for (index, stake) in (1u8..).zip(stakes) {
            let operator = H160::repeat_byte(index);
            let bound = Operator {
                address: operator,
                deposit: 0,
                leaving: None,
            };
            pallet_restaking::Operators::<Runtime>::insert(&stake.validator, bound);
            pallet_restaking::OperatorOf::<Runtime>::insert(operator, &stake.validator);
            operators.push(operator);
            held.extend(stake.vaults.into_iter().map(|(vault, amount)| VaultStake {
                operator,
                vault,
                collateral,
                amount: amount.into(),
            }));
            exposures.push(ValidatorExposure {
                validator: stake.validator,
                vara: 1,
                eth: stake.weight,
                eth_votes: 1,
            });
        }
        let pages = stake_pages::pages(&operators, &held);
        let snapshot = Snapshot {
            capture: Capture {
                timestamp: pallet_execution::Finalised::<Runtime>::get().timestamp,
                ..Default::default()
            },
            state: SnapshotState::Accepted {
                root: H256::zero(),
                pages: pages.len() as u32,
                total: 1,
            },
        };
        for (index, page) in (0u32..).zip(pages) {
            pallet_restaking::Pages::<Runtime>::insert(era, index, page);
        }
        pallet_restaking::Snapshots::<Runtime>::insert(era, snapshot);
        let exposures: BoundedVec<_, super::MaxValidators> = BoundedVec::truncate_from(exposures);
        pallet_validator_election::Exposures::<Runtime>::insert(era, exposures);
    }
}

impl pallet_rewards::Config for Runtime {
    type Collateral = Glue;
    type Ethereum = Glue;
    type GovernanceOrigin = StakingAdmin;
    type HistoryDepth = PayDepth;
    type Income = Glue;
    type MaxClaims = ConstU32<1_024>;
    type MaxPageSize = ConstU32<PAGE>;
    type Outbox = Glue;
    type Parameters = parameters::in_force::RewardsInForce<Self>;
    type Payees = Payees;
    type ProofDepth = ProofDepth;
    type Staking = Glue;
    type WeightInfo = pallet_rewards::weights::Measured<ParityDbWeight>;
}
