//! Facts of contracts on Ethereum, on their way to who asked for them; VARA as wVARA and back.

use super::{MaxValidators, settlement::Glue};
use crate::{
    Balances, Rewards, Runtime, RuntimeHoldReason, Settlement, Slashing,
    parameters::values::bridge as values,
};
use alloc::vec::Vec;
use gear_exe_primitives::{
    H160,
    ethereum::BlockId,
    facts::{AskedRewards, RewardsFate, SlashFate},
    outbox::OutboxItem,
};
use pallet_bridge::BridgeParameters;
#[cfg(feature = "runtime-benchmarks")]
use pallet_slashing::State;
use pallet_slashing::{Outcome, Slash, Slashes};
use polkadot_sdk::frame_support::{
    PalletId, parameter_types, traits::Get, weights::constants::ParityDbWeight,
};

parameter_types! {
    /// The bridge's account.
    pub const BridgeId: PalletId = PalletId(*b"gear/bri");
}

/// What governance has set. A bridge that is to be paused is paused at once, not when an era begins.
pub struct InForce;

impl Get<BridgeParameters> for InForce {
    fn get() -> BridgeParameters {
        BridgeParameters {
            min_lock: values::MinLock::get(),
            paused: values::Paused::get(),
        }
    }
}

impl pallet_bridge::Ethereum for Glue {
    fn finalised() -> BlockId {
        pallet_execution::Finalised::<Runtime>::get().id()
    }

    fn router() -> Option<H160> {
        pallet_settlement::Domain::<Runtime>::get().map(|domain| domain.router)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_router(router: H160) {
        pallet_settlement::Domain::<Runtime>::put(gear_exe_primitives::batch::RouterDomain {
            chain_id: 1,
            router,
        });
    }
}

impl pallet_bridge::Outbox for Glue {
    fn push(item: OutboxItem) -> u64 {
        Settlement::push(item)
    }
}

/// Whether a final batch carried the slash, and nothing more is known of it.
fn is_open(slash: &Slash<crate::AccountId>) -> bool {
    let end = pallet_slashing::SettledEnd::<Runtime>::get();
    slash.state.is_on_ethereum(end)
}

impl pallet_bridge::OpenSlashes for Glue {
    fn is_open(id: u64) -> bool {
        Slashes::<Runtime>::get(id).is_some_and(|slash| is_open(&slash))
    }

    fn all() -> Vec<u64> {
        Slashes::<Runtime>::iter()
            .filter(|(_, slash)| is_open(slash))
            .map(|(id, _)| id)
            .collect()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn make_open(id: u64) {
        let slash = Slash {
            validator: [7; 32].into(),
            operator: H160::repeat_byte(7),
            era: 0,
            kind: *b"gear-exe:doubles",
            incident: Default::default(),
            fraction: Default::default(),
            capture: 0,
            due: 0,
            deadline: u64::MAX,
            end: u64::MAX,
            approved: true,
            state: State::Requested { since: 0 },
            vara: Default::default(),
        };
        Slashes::<Runtime>::insert(id, slash);
    }
}

impl pallet_bridge::OnSlashFate for Glue {
    fn on_fate(id: u64, fate: SlashFate) {
        let outcome = match fate {
            SlashFate::Executed => Outcome::Executed,
            SlashFate::Vetoed => Outcome::Vetoed,
            SlashFate::Refused => Outcome::Refused,
        };
        // It is open, so it takes its outcome.
        let _ = Slashing::note_outcome(id, outcome);
    }
}

impl pallet_bridge::OpenRewards for Glue {
    fn is_open(era: u32, item: u64) -> bool {
        Rewards::is_open(era, item)
    }

    fn all() -> Vec<(u32, u64)> {
        Rewards::open_items()
    }

    fn question(era: u32, item: u64) -> Option<AskedRewards> {
        Rewards::question(era, item)
    }

    fn delivered() -> u128 {
        Rewards::delivered()
    }
}

impl pallet_bridge::OnRewardsFate for Glue {
    fn on_fate(era: u32, item: u64, fate: RewardsFate) {
        Rewards::note_fate(era, item, fate);
    }
}

impl pallet_bridge::Config for Runtime {
    type Currency = Balances;
    type Ethereum = Glue;
    type MaxValidators = MaxValidators;
    type OnRewardsFate = Glue;
    type OnSlashFate = Glue;
    type OpenRewards = Glue;
    type OpenSlashes = Glue;
    type Outbox = Glue;
    type PalletId = BridgeId;
    type Parameters = InForce;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Validators = Glue;
    type WeightInfo = pallet_bridge::weights::Measured<ParityDbWeight>;
}
