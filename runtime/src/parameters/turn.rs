//! When an era begins, what governance has set since the last one takes effect.

use super::{
    RuntimeParametersValue as Value,
    values::{
        execution::ParametersValue as ExecutionValue, pace::ParametersValue as PaceValue,
        rewards::ParametersValue as RewardsValue, router::ParametersValue as RouterValue,
        settlement::ParametersValue as SettlementValue, slashing::ParametersValue as SlashingValue,
        views::ParametersValue as ViewValue,
    },
};
use crate::{Execution, ParametersInForce, Runtime, Settlement, pace};
use gear_exe_primitives::{H256, U256, hashing::keccak256, round::ExecutionParameters};
use pallet_execution::ViewParameters;
use pallet_rewards::RewardsParameters;
use pallet_settlement::SettlementParameters;
use pallet_slashing::SlashingParameters;
use polkadot_sdk::pallet_parameters;

/// The values that are in force, as the pallets hold them, with what governance has set on top.
struct Values {
    execution: ExecutionParameters,
    views: ViewParameters,
    settlement: SettlementParameters,
    pace: pace::Durations,
    slashing: SlashingParameters,
    rewards: RewardsParameters,
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
            Value::Settlement(value) => match value {
                SettlementValue::ExpirySeconds(value) => self.settlement.expiry_seconds = value,
                SettlementValue::MaxInFlight(value) => self.settlement.max_in_flight = value,
                SettlementValue::Patience(value) => self.settlement.patience = value,
                SettlementValue::HandoverPatience(value) => {
                    self.settlement.handover_patience = value;
                }
            },
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
            },
            Value::Rewards(value) => match value {
                RewardsValue::Validators(value) => self.rewards.validators = value,
                RewardsValue::VaraStakers(value) => self.rewards.vara_stakers = value,
                RewardsValue::EthStakers(value) => self.rewards.eth_stakers = value,
                RewardsValue::MinClaim(value) => self.rewards.min_claim = value,
            },
            // Read where it is used.
            Value::Inflation(_) => {}
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
            let done = Settlement::apply_parameters(self.settlement);
            refused(Group::Settlement, done.is_ok());
        }
        if self.slashing != before.slashing {
            let way = self.slashing.relay.saturating_add(self.slashing.execution);
            let done = way < self.slashing.window;
            refused(Group::Slashing, done);
            if done {
                pallet::Slashing::<Runtime>::put(self.slashing);
            }
        }
        if self.rewards != before.rewards {
            let done = self.rewards.is_sound();
            refused(Group::Rewards, done);
            if done {
                pallet::Rewards::<Runtime>::put(self.rewards);
            }
        }
        if self.pace != before.pace {
            let done = self.pace.check();
            refused(Group::Pace, done.is_ok());
            if done.is_ok() {
                pace::InForce::<Runtime>::put(self.pace);
            }
        }
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

    #[pallet::pallet]
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
        /// Slashing of ETH: the way to the vault must fit its window.
        Slashing,
        /// Shares of what programs pay: no more is given than there is.
        Rewards,
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
            Slashing::<T>::put(self.slashing);
            assert!(
                self.rewards.is_sound(),
                "the shares of rewards sum up to 100 % at most"
            );
            Rewards::<T>::put(self.rewards);
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An era has begun, but values that governance has set are not taken: together they would stop something (a
        /// limit of zero, a slash that is deferred for longer than stake is bonded). The values before stay in force.
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
