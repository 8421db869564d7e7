//! When an era begins, what governance has set since the last one takes effect.

use super::{
    RuntimeParametersValue as Value,
    values::{
        election::ParametersValue as ElectionValue, execution::ParametersValue as ExecutionValue,
        pace::ParametersValue as PaceValue, restaking::ParametersValue as RestakingValue,
        rewards::ParametersValue as RewardsValue, router::ParametersValue as RouterValue,
        settlement::ParametersValue as SettlementValue, slashing::ParametersValue as SlashingValue,
        views::ParametersValue as ViewValue,
    },
};
use crate::{
    Execution, ParametersInForce, Restaking, Runtime, Settlement, ValidatorElection, pace,
};
use gear_exe_primitives::{
    H256, U256, hashing::keccak256, round::ExecutionParameters, settlement::BatchLimits,
};
use pallet_execution::ViewParameters;
use pallet_restaking::RestakingParameters;
use pallet_rewards::RewardsParameters;
use pallet_settlement::SettlementParameters;
use pallet_slashing::SlashingParameters;
use pallet_validator_election::ElectionParameters;
use polkadot_sdk::{pallet_parameters, pallet_session};

/// Eras between a capture and the end of the era whose stake it says: it is taken when the era before begins, and may be
/// used once more.
const CAPTURE_AGE: u64 = 3;
/// The most that a transaction on Ethereum may have, and nodes relay.
const MINABLE: (u64, u64) = (1 << 24, 128 << 10);

/// The values that are in force, as the pallets hold them, with what governance has set on top.
struct Values {
    execution: ExecutionParameters,
    views: ViewParameters,
    settlement: SettlementParameters,
    pace: pace::Durations,
    slashing: SlashingParameters,
    rewards: RewardsParameters,
    restaking: RestakingParameters,
    election: ElectionParameters,
}

/// Whether batches can be mined, and something fits into them: a round may fill half of one.
fn is_minable(limits: &BatchLimits) -> bool {
    limits.max_gas <= MINABLE.0
        && limits.max_bytes <= MINABLE.1
        && limits.gas.batch < limits.max_gas / 2
}

/// Whether a slash of ETH that is reported in time reaches its vault in time, at such a pace.
fn fits(slashing: &SlashingParameters, pace: &pace::Durations) -> bool {
    let slot = pace::SlotDuration::<Runtime>::get();
    slashing.fits(pace.seconds(CAPTURE_AGE, slot), slot)
}

impl Values {
    fn in_force() -> Self {
        Self {
            execution: pallet_execution::Parameters::<Runtime>::get(),
            views: pallet_execution::ViewRules::<Runtime>::get(),
            settlement: pallet_settlement::Parameters::<Runtime>::get(),
            pace: pace::InForce::<Runtime>::get(),
            slashing: pallet::Slashing::<Runtime>::get(),
            rewards: pallet::Rewards::<Runtime>::get(),
            restaking: pallet_restaking::Parameters::<Runtime>::get(),
            election: pallet_validator_election::Parameters::<Runtime>::get(),
        }
    }

    /// Takes a value. What the Router holds goes to it.
    fn set(&mut self, value: Value) {
        match value {
            Value::Execution(value) => self.set_execution(value),
            Value::Views(value) => match value {
                ViewValue::MaxAge(value) => self.views.max_age = value,
                ViewValue::MaxAhead(value) => self.views.max_ahead = value,
                ViewValue::Depth(value) => self.views.depth = value,
            },
            Value::Settlement(value) => self.set_settlement(value),
            Value::Router(value) => tell_router(value),
            Value::Pace(value) => match value {
                PaceValue::Session(value) => self.pace.session = value,
                PaceValue::SessionsPerEra(value) => self.pace.sessions_per_era = value,
                PaceValue::Bonding(value) => self.pace.bonding = value,
                PaceValue::SlashDeferral(value) => self.pace.slash_deferral = value,
            },
            Value::Slashing(value) => match value {
                SlashingValue::DoubleSignFloor(value) => self.slashing.double_sign_floor = value,
                SlashingValue::AbsenceMaximum(value) => self.slashing.absence_maximum = value,
                SlashingValue::MaximumPerEra(value) => self.slashing.maximum_per_era = value,
                SlashingValue::Deferral(value) => self.slashing.deferral = value,
                SlashingValue::Window(value) => self.slashing.window = value,
                SlashingValue::Relay(value) => self.slashing.relay = value,
                SlashingValue::Execution(value) => self.slashing.execution = value,
                SlashingValue::Reporting(value) => self.slashing.reporting = value,
            },
            Value::Restaking(value) => match value {
                RestakingValue::MaxGrowth(value) => self.restaking.max_growth = value,
                RestakingValue::GrowthStep(value) => self.restaking.growth_step = value,
                RestakingValue::ReuseHaircut(value) => self.restaking.reuse_haircut = value,
            },
            Value::Election(value) => match value {
                ElectionValue::VaraShare(value) => self.election.vara_share = value,
                ElectionValue::FullWeight(value) => self.election.full_weight = value,
                ElectionValue::MaxOperatorShare(value) => self.election.max_operator_share = value,
                ElectionValue::MaxWeight(value) => self.election.max_weight = value,
            },
            Value::Rewards(value) => match value {
                RewardsValue::Validators(value) => self.rewards.validators = value,
                RewardsValue::VaraStakers(value) => self.rewards.vara_stakers = value,
                RewardsValue::EthStakers(value) => self.rewards.eth_stakers = value,
                RewardsValue::MinClaim(value) => self.rewards.min_claim = value,
            },
            // Read where they are used.
            Value::Inflation(_) | Value::Bridge(_) => {}
        }
    }

    fn set_execution(&mut self, value: ExecutionValue) {
        let to = &mut self.execution;
        match value {
            ExecutionValue::ExecutorVersion(value) => to.executor_version = value,
            ExecutionValue::ValuePerGas(value) => to.value_per_gas = value,
            ExecutionValue::RoundGasLimit(value) => to.round_gas_limit = value,
            ExecutionValue::MessageGasLimit(value) => to.message_gas_limit = value,
            ExecutionValue::MaxMemoryPages(value) => to.max_memory_pages = value,
            ExecutionValue::MaxOutgoingMessages(value) => to.max_outgoing_messages = value,
            ExecutionValue::MaxOutgoingBytes(value) => to.max_outgoing_bytes = value,
            ExecutionValue::MaxPayloadBytes(value) => to.max_payload_bytes = value,
            ExecutionValue::MailboxValidity(value) => to.mailbox_validity = value,
            ExecutionValue::MaxWait(value) => to.max_wait = value,
            ExecutionValue::MaxRoundMessages(value) => to.max_round_messages = value,
            ExecutionValue::MaxRoundBytes(value) => to.max_round_bytes = value,
            ExecutionValue::ValuePerSettledMessage(value) => to.value_per_settled_message = value,
            ExecutionValue::ValuePerSettledByte(value) => to.value_per_settled_byte = value,
        }
    }

    fn set_settlement(&mut self, value: SettlementValue) {
        let to = &mut self.settlement;
        let gas = &mut to.limits.gas;
        match value {
            SettlementValue::ExpirySeconds(value) => to.expiry_seconds = value,
            SettlementValue::MaxInFlight(value) => to.max_in_flight = value,
            SettlementValue::Patience(value) => to.patience = value,
            SettlementValue::HandoverPatience(value) => to.handover_patience = value,
            SettlementValue::Renewal(value) => to.renewal = value,
            SettlementValue::Attendance(value) => to.attendance = value,
            SettlementValue::LeastSeals(value) => to.least_seals = value,
            SettlementValue::MaxBatchBytes(value) => to.limits.max_bytes = value,
            SettlementValue::MaxBatchGas(value) => to.limits.max_gas = value,
            SettlementValue::GasOfBatch(value) => gas.batch = value,
            SettlementValue::GasOfTransition(value) => gas.transition = value,
            SettlementValue::GasOfCreation(value) => gas.creation = value,
            SettlementValue::GasOfMessage(value) => gas.message = value,
            SettlementValue::GasOfCallback(value) => gas.callback = value,
            SettlementValue::GasOfByte(value) => gas.byte = value,
            SettlementValue::GasOfOutboxItem(value) => gas.outbox_item = value,
        }
    }

    /// Puts them in force, group by group; a group that its pallet refuses stays as it was.
    fn apply(self) {
        let before = Self::in_force();
        let refused = |group: Group, done: bool| {
            if !done {
                ParametersInForce::refused(group);
            }
        };
        if self.execution != before.execution {
            let done = Execution::apply_parameters(self.execution);
            refused(Group::Execution, done.is_ok());
        }
        if self.views != before.views {
            let done = Execution::apply_view_parameters(self.views);
            refused(Group::Views, done.is_ok());
        }
        if self.settlement != before.settlement {
            let done = is_minable(&self.settlement.limits)
                && Settlement::apply_parameters(self.settlement).is_ok();
            refused(Group::Settlement, done);
        }
        if self.restaking != before.restaking {
            let done = Restaking::apply_parameters(self.restaking);
            refused(Group::Restaking, done.is_ok());
        }
        if self.rewards != before.rewards {
            let done = self.rewards.is_sound();
            refused(Group::Rewards, done);
            if done {
                pallet::Rewards::<Runtime>::put(self.rewards);
            }
        }
        if self.election != before.election {
            let done = ValidatorElection::apply_parameters(self.election);
            refused(Group::Election, done.is_ok());
        }
        let (slashing, pace) = self.slashing_at_pace(&before);
        refused(Group::Slashing, slashing == self.slashing);
        refused(Group::Pace, pace == self.pace);
        pallet::Slashing::<Runtime>::put(slashing);
        pace::InForce::<Runtime>::put(pace);
    }

    /// Slashing and pace as they are taken: both if they fit each other, else one, else none.
    fn slashing_at_pace(&self, before: &Self) -> (SlashingParameters, pace::Durations) {
        let sound = self.pace.check().is_ok();
        let pace = if sound { self.pace } else { before.pace };
        [
            (self.slashing, pace),
            (self.slashing, before.pace),
            (before.slashing, pace),
        ]
        .into_iter()
        .find(|(slashing, pace)| fits(slashing, pace))
        .unwrap_or((before.slashing, before.pace))
    }
}

/// Sends a value to the Router, if it is another than the last that was sent.
fn tell_router(value: RouterValue) {
    let (name, value) = match value {
        RouterValue::RequestCodeValidationBaseFee(value) => {
            ("requestCodeValidationBaseFee", U256::from(value))
        }
        RouterValue::RequestCodeValidationExtraFee(value) => {
            ("requestCodeValidationExtraFee", U256::from(value))
        }
        RouterValue::CallbackStipend(value) => ("callbackStipend", U256::from(value)),
        RouterValue::MaxStaleness(value) => ("maxStaleness", U256::from(value)),
    };
    let key: H256 = keccak256([name]);
    if pallet::ToldRouter::<Runtime>::get(key) != Some(value) {
        pallet::ToldRouter::<Runtime>::insert(key, value);
        Settlement::change_router_parameter(key, value);
    }
}

/// An era begins.
pub fn on_new_era() {
    let mut values = Values::in_force();
    for value in pallet_parameters::Parameters::<Runtime>::iter_values() {
        values.set(value);
    }
    values.apply();
}

pub use pallet::Group;

/// The pallet.
#[polkadot_sdk::frame_support::pallet]
pub mod pallet {
    use super::*;
    use polkadot_sdk::frame_support::pallet_prelude::*;

    /// Version of the storage's layout. There is none before it.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: polkadot_sdk::frame_system::Config<RuntimeEvent: From<Event<Self>>> {}

    /// Parameters that are taken or refused together.
    #[derive(
        Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo,
    )]
    pub enum Group {
        /// Prices and limits of execution.
        Execution,
        /// Views of Ethereum.
        Views,
        /// Batches.
        Settlement,
        /// Sessions, eras, windows of staking.
        Pace,
        /// Slashing of ETH: at the chain's pace it must reach the vault within its window.
        Slashing,
        /// Shares of what programs pay: no more is given than there is.
        Rewards,
        /// Collateral on Ethereum.
        Restaking,
        /// VARA and ETH in elections.
        Election,
    }

    /// What the Router was last told, by Keccak-256 of the parameter's name.
    #[pallet::storage]
    pub type ToldRouter<T> = StorageMap<_, Identity, H256, U256, OptionQuery>;

    /// How much is slashed, and when.
    #[pallet::storage]
    pub type Slashing<T> = StorageValue<_, SlashingParameters, ValueQuery>;

    /// [`Slashing`], for the pallet that slashes.
    pub struct SlashingInForce<T>(PhantomData<T>);

    impl<T: Config> Get<SlashingParameters> for SlashingInForce<T> {
        fn get() -> SlashingParameters {
            Slashing::<T>::get()
        }
    }

    /// Who gets which part of what programs pay.
    #[pallet::storage]
    pub type Rewards<T> = StorageValue<_, RewardsParameters, ValueQuery>;

    /// [`Rewards`], for the pallet that divides it.
    pub struct RewardsInForce<T>(PhantomData<T>);

    impl<T: Config> Get<RewardsParameters> for RewardsInForce<T> {
        fn get() -> RewardsParameters {
            Rewards::<T>::get()
        }
    }

    /// What is in force from the first block on.
    #[pallet::genesis_config]
    #[derive(polkadot_sdk::frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// How much is slashed, and when.
        pub slashing: SlashingParameters,
        /// Who gets which part of what programs pay.
        pub rewards: RewardsParameters,
        /// Marker.
        #[serde(skip)]
        pub _config: PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            let pace = pace::InForce::<Runtime>::get();
            assert!(
                fits(&self.slashing, &pace),
                "slashes of ETH would come too late: the vaults' window must be longer, or eras, reporting, deferral, \
                 relay or execution shorter: {:?} with {pace:?}",
                self.slashing,
            );
            Slashing::<T>::put(self.slashing);
            assert!(
                self.rewards.is_sound(),
                "the shares of rewards sum up to 100 % at most"
            );
            Rewards::<T>::put(self.rewards);
            // Here, because Session's genesis, which is built before, does not mind. A chain without a Router is none.
            assert!(
                !pallet_settlement::Domain::<Runtime>::exists()
                    || pallet_session::Validators::<Runtime>::decode_len()
                        .is_some_and(|count| count > 0),
                "a chain has validators: give `session.keys` and `staking.stakers`, with `balances` for them"
            );
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An era has begun, but values that governance has set are not taken: together they would stop something (a
        /// limit of zero, a slash that would reach its vault too late). The values before stay in force.
        ParametersRefused {
            /// Which ones.
            group: Group,
        },
    }

    impl<T: Config> Pallet<T> {
        pub(super) fn refused(group: Group) {
            Self::deposit_event(Event::ParametersRefused { group });
        }
    }
}
