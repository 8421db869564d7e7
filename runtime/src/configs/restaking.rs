//! Collateral on Ethereum, and the election over both assets.

use super::{MaxValidators, settlement::Glue, staking};
use crate::{
    AccountId, Balances, Restaking, Runtime, RuntimeHoldReason, Staking, ValidatorElection, eras,
    governance::origins, pace, parameters,
};
use alloc::{collections::BTreeSet, vec::Vec};
use gear_exe_primitives::{H160, batch::RouterDomain, ethereum::EthereumHeader};
use polkadot_sdk::{
    frame_election_provider_support::SequentialPhragmen,
    frame_support::{
        traits::{ConstU32, EitherOfDiverse},
        weights::constants::ParityDbWeight,
    },
    frame_system::EnsureRoot,
    pallet_staking,
    sp_runtime::Perbill,
};

/// Eras for which stakes and exposures are kept: longer than any stake can be slashed.
pub type HistoryDepth = ConstU32<84>;

/// Root, or a referendum on the track `parameter_admin`.
type ParameterAdmin = EitherOfDiverse<EnsureRoot<AccountId>, origins::ParameterAdmin>;

impl pallet_restaking::Ethereum for Glue {
    fn finalised() -> EthereumHeader {
        pallet_execution::Finalised::<Runtime>::get()
    }

    fn domain() -> Option<RouterDomain> {
        pallet_settlement::Domain::<Runtime>::get()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set(header: EthereumHeader, domain: RouterDomain) {
        pallet_execution::Finalised::<Runtime>::put(header);
        pallet_settlement::Domain::<Runtime>::put(domain);
    }
}

impl pallet_restaking::Eras for Glue {
    fn active() -> Option<u32> {
        eras::active()
    }

    fn planned() -> Option<u32> {
        pallet_staking::CurrentEra::<Runtime>::get()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set(era: u32) {
        pallet_staking::CurrentEra::<Runtime>::put(era);
        pallet_staking::ActiveEra::<Runtime>::put(pallet_staking::ActiveEraInfo {
            index: era,
            start: None,
        });
    }
}

impl pallet_restaking::Config for Runtime {
    type Currency = Balances;
    type Deposit = parameters::OperatorDeposit;
    type Eras = Glue;
    type Ethereum = Glue;
    type GovernanceOrigin = ParameterAdmin;
    type HistoryDepth = HistoryDepth;
    type MaxAssets = ConstU32<32>;
    type MaxOperators = ConstU32<512>;
    type MaxValidators = MaxValidators;
    type RuntimeHoldReason = RuntimeHoldReason;
    type SlashWindow = pace::Bonding<Self>;
    type Validators = Glue;
    type WeightInfo = pallet_restaking::weights::Measured<ParityDbWeight>;
}

impl pallet_validator_election::Restaking<AccountId> for Glue {
    fn stakes(era: u32) -> Vec<(AccountId, u128)> {
        Restaking::stakes(era)
    }
}

impl pallet_validator_election::Eras for Glue {
    fn electing() -> u32 {
        pallet_staking::CurrentEra::<Runtime>::get().map_or(0, |era| era.saturating_add(1))
    }

    fn active() -> Option<u32> {
        eras::active()
    }
}

impl pallet_validator_election::Config for Runtime {
    type Bounds = staking::Bounds;
    type DataProvider = Staking;
    type Eras = Glue;
    type GovernanceOrigin = ParameterAdmin;
    type HistoryDepth = HistoryDepth;
    type MaxBackersPerWinner = ConstU32<{ staking::MAX_BACKERS }>;
    type MaxWinners = MaxValidators;
    type Restaking = Glue;
    type Solver = SequentialPhragmen<AccountId, Perbill>;
    type SolverWeightInfo =
        polkadot_sdk::frame_election_provider_support::weights::SubstrateWeight<Runtime>;
    type WeightInfo = pallet_validator_election::weights::Measured<ParityDbWeight>;
}

impl pallet_settlement::Operators<AccountId> for Glue {
    fn operators(validators: &[AccountId]) -> Option<(u64, Vec<H160>)> {
        let era = eras::active()?;
        let capture = Restaking::capture(era)?;
        // Once for all: it is one value, of all operators.
        let with_stake: BTreeSet<AccountId> = Restaking::stakes(era)
            .into_iter()
            .map(|(operator, _)| operator)
            .collect();
        let operators: Vec<Option<H160>> = validators
            .iter()
            .map(|validator| {
                let counts = with_stake.contains(validator);
                counts.then(|| Restaking::operator_address(validator))?
            })
            .collect();
        operators.iter().any(Option::is_some).then(|| {
            let operators = operators.into_iter().map(Option::unwrap_or_default);
            (capture, operators.collect())
        })
    }
}

impl pallet_settlement::Weights<AccountId> for Glue {
    fn weights(validators: &[AccountId]) -> Vec<u64> {
        ValidatorElection::settlement_weights(validators)
    }
}
