//! Offences, on their way to both assets.

use super::{MaxValidators, settlement::Glue, staking::StakingAdmin};
use crate::{
    AccountId, AuraId, Historical, Offences, Restaking, Runtime, Settlement, Staking, Timestamp,
    governance::origins, parameters,
};
use alloc::vec::Vec;
use gear_exe_primitives::{
    H160, H256, batch::RouterDomain, outbox::OutboxItem, quorum::Member, vote::EmptyBatch,
};
use pallet_settlement::SealResult;
use pallet_slashing::{Commitment, Noted, OverStaking};
use polkadot_sdk::{
    frame_support::{
        traits::{EitherOfDiverse, Get},
        weights::constants::ParityDbWeight,
    },
    pallet_aura, pallet_staking,
};

/// Where every offence is reported: past what is too old, to Offences, with a note of its kind.
pub type Reports = Noted<Runtime, pallet_staking::FilterHistoricalOffences<Staking, Offences>>;

impl pallet_slashing::Operators<AccountId> for Glue {
    // An address stays bound to its account as long as stake of it can be slashed.
    fn operator(era: u32, validator: &AccountId) -> Option<H160> {
        Restaking::stakes(era)
            .iter()
            .any(|(account, _)| account == validator)
            .then(|| Restaking::operator_address(validator))
            .flatten()
    }

    fn capture(era: u32) -> Option<u64> {
        Restaking::capture(era)
    }

    // As if a snapshot of as many operators as there can be had been accepted for the active era.
    #[cfg(feature = "runtime-benchmarks")]
    fn bind(validator: &AccountId, operator: H160, capture: u64) {
        use pallet_restaking::{Capture, Operator, Snapshot, SnapshotState};
        use polkadot_sdk::frame_support::BoundedVec;
        let era = crate::eras::active().unwrap_or_default();
        let bound = Operator {
            address: operator,
            deposit: 0,
            leaving: None,
        };
        pallet_restaking::Operators::<Runtime>::insert(validator, bound);
        pallet_restaking::OperatorOf::<Runtime>::insert(operator, validator);
        let most = <<Runtime as pallet_restaking::Config>::MaxOperators as Get<u32>>::get();
        let others = (1..most).map(|index| {
            let mut account = [0; 32];
            account[..4].copy_from_slice(&index.to_be_bytes());
            (AccountId::from(account), 1u128)
        });
        // The one that is looked for is the last.
        let stakes: alloc::vec::Vec<_> = others.chain([(validator.clone(), 1)]).collect();
        let stakes: BoundedVec<_, <Runtime as pallet_restaking::Config>::MaxOperators> =
            BoundedVec::truncate_from(stakes);
        pallet_restaking::Stakes::<Runtime>::insert(era, stakes);
        let snapshot = Snapshot {
            capture: Capture {
                timestamp: capture,
                ..Default::default()
            },
            state: SnapshotState::Accepted {
                root: H256::zero(),
                pages: 0,
                total: most.into(),
            },
        };
        pallet_restaking::Snapshots::<Runtime>::insert(era, snapshot);
    }
}

impl pallet_slashing::Outbox for Glue {
    fn push(commitment: Commitment) -> u64 {
        Settlement::push(match commitment {
            Commitment::Slash {
                id,
                operator,
                fraction,
                capture,
            } => OutboxItem::Slash {
                id,
                operator,
                fraction,
                capture,
            },
            Commitment::Cancel { id } => OutboxItem::SlashCancel { id },
        })
    }
}

impl pallet_slashing::Seals for Glue {
    fn genesis() -> H256 {
        Settlement::genesis_hash()
    }

    fn domain() -> Option<RouterDomain> {
        pallet_settlement::Domain::<Runtime>::get()
    }

    fn decided(number: u64, hash: H256) -> Option<H256> {
        let seal =
            pallet_settlement::Seals::<Runtime>::get(number).filter(|seal| seal.hash == hash)?;
        Some(match seal.result? {
            SealResult::Ready(digest) => digest,
            SealResult::Empty => EmptyBatch {
                set_id: seal.set_id,
                seal_number: number,
                seal_hash: hash,
            }
            .digest(Settlement::genesis_hash()),
        })
    }

    fn members(set_id: u64) -> Option<Vec<Member>> {
        Settlement::validator_set_at(set_id).map(|set| set.members)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_domain(domain: RouterDomain) {
        pallet_settlement::Domain::<Runtime>::put(domain);
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_members(set_id: u64, members: Vec<Member>) {
        let members = polkadot_sdk::frame_support::BoundedVec::truncate_from(members);
        pallet_settlement::Sets::<Runtime>::insert(set_id, members);
    }
}

/// Aura's slot of this block.
pub struct Slot;

impl Get<u64> for Slot {
    fn get() -> u64 {
        pallet_aura::CurrentSlot::<Runtime>::get().into()
    }
}

impl pallet_slashing::Config for Runtime {
    type ApproveOrigin = StakingAdmin;
    type AuraId = AuraId;
    type CancelOrigin = EitherOfDiverse<StakingAdmin, origins::SlashCanceller>;
    type CurrentSlot = Slot;
    type Eras = OverStaking<Self>;
    type FullIdentification = ();
    type KeyOwners = Historical;
    type MaxValidators = MaxValidators;
    type Offences = Reports;
    type Operators = Glue;
    type Outbox = Glue;
    type Parameters = parameters::in_force::SlashingInForce<Self>;
    type Seals = Glue;
    type Time = Timestamp;
    type Vara = Staking;
    type VaraQueue = OverStaking<Self>;
    type WeightInfo = pallet_slashing::weights::Measured<ParityDbWeight>;
}
