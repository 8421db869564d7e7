//! When an era begins, what governance has set since the last one takes effect.

use super::{
    RuntimeParametersValue as Value,
    in_force::{self, Group},
    rules::{Deposits, Fees, Governance, StakingRules},
    values::{
        deposits::ParametersValue as DepositsValue, election::ParametersValue as ElectionValue,
        execution::ParametersValue as ExecutionValue, fees::ParametersValue as FeesValue,
        governance::ParametersValue as GovernanceValue, natives::ParametersValue as NativesValue,
        pace::ParametersValue as PaceValue, restaking::ParametersValue as RestakingValue,
        rewards::ParametersValue as RewardsValue, router::ParametersValue as RouterValue,
        settlement::ParametersValue as SettlementValue, slashing::ParametersValue as SlashingValue,
        staking::ParametersValue as StakingValue, tracks::ParametersValue as TracksValue,
        views::ParametersValue as ViewValue,
    },
};
use crate::{
    Execution, ParametersInForce, Restaking, Runtime, Settlement, ValidatorElection,
    governance::tracks::{self, TrackId, TrackRules},
    pace,
};
use gear_exe_primitives::{
    H256, U256, hashing::keccak256, round::ExecutionParameters, settlement::BatchLimits,
};
use pallet_execution::{NativeParameters, ViewParameters};
use pallet_restaking::RestakingParameters;
use pallet_rewards::RewardsParameters;
use pallet_settlement::SettlementParameters;
use pallet_slashing::SlashingParameters;
use pallet_validator_election::ElectionParameters;
use polkadot_sdk::pallet_parameters;

/// Eras between a capture and the end of the era whose stake it says: it is taken when the era before begins, and may be
/// used once more.
const CAPTURE_AGE: u64 = 3;
/// The most that a transaction on Ethereum may have, and nodes relay.
const MINABLE: (u64, u64) = (1 << 24, 128 << 10);

/// The values that are in force, as the pallets hold them, with what governance has set on top.
struct Values {
    execution: ExecutionParameters,
    views: ViewParameters,
    natives: NativeParameters,
    settlement: SettlementParameters,
    pace: pace::Durations,
    slashing: SlashingParameters,
    rewards: RewardsParameters,
    restaking: RestakingParameters,
    election: ElectionParameters,
    deposits: Deposits,
    tracks: Tracks,
    governance: Governance,
    fees: Fees,
    staking: StakingRules,
}

/// The rules of all tracks of referenda.
type Tracks = [(TrackId, TrackRules); tracks::COUNT];

/// Whether batches can be mined, and something fits into them: a round may fill half of one.
fn is_minable(limits: &BatchLimits) -> bool {
    limits.max_gas <= MINABLE.0
        && limits.max_bytes <= MINABLE.1
        && limits.gas.batch < limits.max_gas / 2
}

/// Whether a slash of ETH that is reported in time reaches its vault in time, at such a pace.
pub(super) fn fits(slashing: &SlashingParameters, pace: &pace::Durations) -> bool {
    let slot = pace::SlotDuration::<Runtime>::get();
    slashing.fits(pace.seconds(CAPTURE_AGE, slot), slot)
}

/// What has to fit each other.
#[derive(Clone, Copy)]
struct Clocks {
    slashing: SlashingParameters,
    pace: pace::Durations,
    tracks: Tracks,
}

impl Clocks {
    /// Blocks that a referendum takes, at most, which cancels a slash.
    fn cancelling(&self) -> u64 {
        tracks::canceller(&self.tracks).longest(self.pace.day)
    }

    /// Whether they fit each other. A deferral that is too short for its cancellation is governance's to choose; but a track
    /// or a day must not become too long for the deferral unnoticed.
    fn check(&self, before: &Self) -> Result<(), &'static str> {
        if !fits(&self.slashing, &self.pace) {
            return Err(
                "a slash of ETH would reach its vault too late: the window must be longer, or eras, reporting, deferral, \
                 relay or execution shorter",
            );
        }
        let longer = self.cancelling() > before.cancelling();
        if longer && self.cancelling() > self.slashing.deferral.into() {
            return Err(
                "a slash of ETH would leave before its cancellation is decided: the deferral must be longer, or the day or \
                 the track slash_canceller shorter",
            );
        }
        Ok(())
    }
}

impl Values {
    fn in_force() -> Self {
        Self {
            execution: pallet_execution::Parameters::<Runtime>::get(),
            views: pallet_execution::ViewRules::<Runtime>::get(),
            natives: pallet_execution::NativeRules::<Runtime>::get(),
            settlement: pallet_settlement::Parameters::<Runtime>::get(),
            pace: pace::InForce::<Runtime>::get(),
            slashing: in_force::Slashing::<Runtime>::get(),
            rewards: in_force::Rewards::<Runtime>::get(),
            restaking: pallet_restaking::Parameters::<Runtime>::get(),
            election: pallet_validator_election::Parameters::<Runtime>::get(),
            deposits: in_force::Deposits::<Runtime>::get(),
            tracks: tracks::in_force(),
            governance: in_force::Governance::<Runtime>::get(),
            fees: in_force::Fees::<Runtime>::get(),
            staking: StakingRules::in_force(),
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
            Value::Natives(value) => match value {
                NativesValue::Window(value) => self.natives.window = value,
                NativesValue::MaxPerBlock(value) => self.natives.max_per_block = value,
            },
            Value::Settlement(value) => self.set_settlement(value),
            Value::Router(value) => tell_router(value),
            Value::Pace(value) => match value {
                PaceValue::Session(value) => self.pace.session = value,
                PaceValue::SessionsPerEra(value) => self.pace.sessions_per_era = value,
                PaceValue::Bonding(value) => self.pace.bonding = value,
                PaceValue::SlashDeferral(value) => self.pace.slash_deferral = value,
                PaceValue::Day(value) => self.pace.day = value,
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
            Value::Deposits(value) => match value {
                DepositsValue::PreimageBase(value) => self.deposits.preimage_base = value,
                DepositsValue::PreimageByte(value) => self.deposits.preimage_byte = value,
                DepositsValue::Submission(value) => self.deposits.submission = value,
                DepositsValue::Operator(value) => self.deposits.operator = value,
                DepositsValue::SessionKeys(value) => self.deposits.session_keys = value,
            },
            Value::Tracks(value) => self.set_track(value),
            Value::Governance(value) => self.set_governance(value),
            Value::Fees(value) => match value {
                FeesValue::PerByte(value) => self.fees.per_byte = value,
                FeesValue::PerMicrosecond(value) => self.fees.per_microsecond = value,
            },
            Value::Staking(value) => match value {
                StakingValue::MinimumValidators(value) => self.staking.minimum_validators = value,
                StakingValue::ReporterReward(value) => self.staking.reporter_reward = value,
                StakingValue::PoolSlashReward(value) => self.staking.pool_slash_reward = value,
            },
            // Read where they are used.
            Value::Inflation(_) | Value::Bridge(_) => {}
        }
    }

    fn set_track(&mut self, value: TracksValue) {
        let (track, rules) = match value {
            TracksValue::Root(rules) => (0, rules),
            TracksValue::WhitelistedCaller(rules) => (1, rules),
            TracksValue::StakingAdmin(rules) => (10, rules),
            TracksValue::Treasurer(rules) => (11, rules),
            TracksValue::ParameterAdmin(rules) => (12, rules),
            TracksValue::SlashCanceller(rules) => (13, rules),
            TracksValue::SettlementPauser(rules) => (14, rules),
            TracksValue::ReferendumCanceller(rules) => (20, rules),
            TracksValue::ReferendumKiller(rules) => (21, rules),
            TracksValue::SmallSpender(rules) => (30, rules),
            TracksValue::BigSpender(rules) => (31, rules),
        };
        if let Some((_, old)) = self.tracks.iter_mut().find(|(id, _)| *id == track) {
            *old = rules;
        }
    }

    fn set_governance(&mut self, value: GovernanceValue) {
        let to = &mut self.governance;
        match value {
            GovernanceValue::VoteLocking(value) => to.vote_locking = value,
            GovernanceValue::Undeciding(value) => to.undeciding = value,
            GovernanceValue::Motion(value) => to.motion = value,
            GovernanceValue::Whitelisting(value) => to.whitelisting = value,
            GovernanceValue::TreasuryPayout(value) => to.treasury_payout = value,
            GovernanceValue::TreasuryPeriod(value) => to.treasury_period = value,
            GovernanceValue::SmallSpend(value) => to.small_spend = value,
            GovernanceValue::BigSpend(value) => to.big_spend = value,
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

    /// Puts them in force, group by group; a group that is refused stays as it was.
    fn apply(self) {
        let before = Self::in_force();
        if self.execution != before.execution {
            let done = Execution::apply_parameters(self.execution);
            take(
                Group::Execution,
                done.map_err(|_| "no limit of execution is zero"),
            );
        }
        if self.views != before.views {
            let done = Execution::apply_view_parameters(self.views);
            take(
                Group::Views,
                done.map_err(|_| "MaxAge and MaxAhead are not zero"),
            );
        }
        if self.natives != before.natives {
            let done = Execution::apply_native_parameters(self.natives);
            take(
                Group::Natives,
                done.map_err(|_| "Window is not zero, and MaxPerBlock is 1 to 4,096"),
            );
        }
        if self.settlement != before.settlement {
            take(Group::Settlement, self.apply_settlement());
        }
        if self.restaking != before.restaking {
            let done = Restaking::apply_parameters(self.restaking);
            take(Group::Restaking, done.map_err(|_| "GrowthStep is not zero"));
        }
        if self.rewards != before.rewards {
            let sound = self.rewards.is_sound();
            let done = sound
                .then_some(())
                .ok_or("the shares sum up to 100 % at most");
            if take(Group::Rewards, done) {
                in_force::Rewards::<Runtime>::put(self.rewards);
            }
        }
        if self.election != before.election {
            let done = ValidatorElection::apply_parameters(self.election);
            let why = "VaraShare is half or more, MaxWeight is 100 to 100,000, nothing is zero";
            take(Group::Election, done.map_err(|_| why));
        }
        if self.deposits != before.deposits && take(Group::Deposits, self.deposits.check()) {
            in_force::Deposits::<Runtime>::put(self.deposits);
        }
        if self.governance != before.governance && take(Group::Governance, self.governance.check())
        {
            in_force::Governance::<Runtime>::put(self.governance);
        }
        if self.fees != before.fees && take(Group::Fees, self.fees.check()) {
            in_force::Fees::<Runtime>::put(self.fees);
        }
        if self.staking != before.staking && take(Group::Staking, self.staking.check()) {
            self.staking.apply();
        }
        self.apply_clocks(&before);
    }

    fn apply_settlement(&self) -> Result<(), &'static str> {
        if !is_minable(&self.settlement.limits) {
            return Err(
                "Ethereum mines batches of 16,777,216 gas and 131,072 bytes at most, and something must fit into one",
            );
        }
        Settlement::apply_parameters(self.settlement)
            .map_err(|_| "no period, and no limit of a batch, is zero")
    }

    const fn clocks(&self) -> Clocks {
        Clocks {
            slashing: self.slashing,
            pace: self.pace,
            tracks: self.tracks,
        }
    }

    /// Slashing, pace and tracks: all if they fit each other, else as many as do, else none.
    fn apply_clocks(&self, before: &Self) {
        let (mut new, old) = (self.clocks(), before.clocks());
        let pace = new.pace.check();
        if pace.is_err() {
            new.pace = old.pace;
        }
        let tracks = new.tracks.iter().try_for_each(|(_, rules)| rules.check());
        if tracks.is_err() {
            new.tracks = old.tracks;
        }
        let with = |slashing: bool, pace: bool, tracks: bool| Clocks {
            slashing: if slashing { new.slashing } else { old.slashing },
            pace: if pace { new.pace } else { old.pace },
            tracks: if tracks { new.tracks } else { old.tracks },
        };
        let taken = [
            (true, true, true),
            (true, false, true),
            (false, true, true),
            (true, true, false),
            (true, false, false),
            (false, true, false),
            (false, false, true),
        ]
        .into_iter()
        .map(|(slashing, pace, tracks)| with(slashing, pace, tracks))
        .find(|clocks| clocks.check(&old).is_ok())
        .unwrap_or(old);
        let fit = new.check(&old);
        if taken.slashing != self.slashing {
            take(Group::Slashing, fit);
        }
        if taken.pace != self.pace {
            take(Group::Pace, pace.and(fit));
        }
        if taken.tracks != self.tracks {
            take(Group::Tracks, tracks.and(fit));
        }
        in_force::Slashing::<Runtime>::put(taken.slashing);
        pace::InForce::<Runtime>::put(taken.pace);
        for ((id, rules), (_, old)) in taken.tracks.into_iter().zip(old.tracks) {
            if rules != old {
                in_force::Tracks::<Runtime>::insert(id, rules);
            }
        }
    }
}

/// Whether a group is taken; if not, says why.
fn take(group: Group, result: Result<(), &'static str>) -> bool {
    if let Err(reason) = result {
        ParametersInForce::refused(group, reason);
    }
    result.is_ok()
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
    if in_force::ToldRouter::<Runtime>::get(key) != Some(value) {
        in_force::ToldRouter::<Runtime>::insert(key, value);
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
