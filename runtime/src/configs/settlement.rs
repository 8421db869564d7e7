//! Execution and settlement, and where the two meet.

use super::MaxValidators;
use crate::{AccountId, Execution, Runtime, Settlement, Slashing, governance::origins};
use alloc::vec::Vec;
use gear_exe_primitives::{
    H256,
    batch::RouterDomain,
    ethereum::{BlockId, EthereumHeader},
    outbox::OutboxItem,
    quorum::Member,
    vote::RouterAt,
    voters::ValidatorSet,
};
use polkadot_sdk::{
    frame_support::{
        traits::{EitherOfDiverse, Get},
        weights::constants::ParityDbWeight,
    },
    frame_system::EnsureRoot,
};

/// Settlement as execution sees it, and the other way round.
pub struct Glue;

impl ValidatorSet for Glue {
    fn set_id() -> u64 {
        pallet_settlement::CurrentSet::<Runtime>::get()
    }

    fn members() -> Vec<Member> {
        Settlement::validator_set().members
    }

    fn genesis_hash() -> H256 {
        Settlement::genesis_hash()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_members(members: Vec<Member>) {
        let members = polkadot_sdk::frame_support::BoundedVec::truncate_from(members);
        pallet_settlement::Sets::<Runtime>::insert(Self::set_id(), members);
    }
}

impl pallet_execution::Outbox for Glue {
    fn push(item: OutboxItem) -> u64 {
        Settlement::push(item)
    }

    fn end() -> u64 {
        pallet_settlement::OutboxEnd::<Runtime>::get()
    }
}

impl pallet_execution::OnRouter for Glue {
    fn agreed(router: RouterAt) {
        Settlement::router_agreed(router);
    }

    fn known_at() -> BlockId {
        pallet_settlement::Router::<Runtime>::get().block
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_domain(domain: RouterDomain) {
        pallet_settlement::Domain::<Runtime>::put(domain);
    }
}

impl pallet_settlement::Ethereum for Glue {
    fn anchor() -> EthereumHeader {
        pallet_execution::Anchor::<Runtime>::get()
    }

    fn finalised() -> EthereumHeader {
        pallet_execution::Finalised::<Runtime>::get()
    }

    fn is_ancestor_or_same(ancestor: BlockId, block: EthereumHeader) -> bool {
        Execution::is_ancestor_or_same(ancestor, block)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn set_anchor(header: EthereumHeader) {
        pallet_execution::Anchor::<Runtime>::put(header);
    }
}

/// Where the chain settles.
pub struct Domain;

impl Get<Option<RouterDomain>> for Domain {
    fn get() -> Option<RouterDomain> {
        pallet_settlement::Domain::<Runtime>::get()
    }
}

impl pallet_execution::Config for Runtime {
    type Domain = Domain;
    type MaxValidators = MaxValidators;
    type OnRouter = Glue;
    type Outbox = Glue;
    type Validators = Glue;
    type WeightInfo = pallet_execution::weights::Measured<ParityDbWeight>;
}

impl pallet_settlement::Config for Runtime {
    type Ethereum = Glue;
    type MaxValidators = MaxValidators;
    type OnFault = Slashing;
    type Operators = Glue;
    type PauseOrigin = EitherOfDiverse<EnsureRoot<AccountId>, origins::SettlementPauser>;
    type WeightInfo = pallet_settlement::weights::Measured<ParityDbWeight>;
    type Weights = Glue;
}
