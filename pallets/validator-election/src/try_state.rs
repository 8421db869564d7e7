//! What must hold after every block.

use crate::{Config, Elections, Exposures, Pallet, Parameters};
use frame_support::{ensure, traits::Get};
use polkadot_sdk::{
    frame_support,
    sp_runtime::{PerThing, Perbill, TryRuntimeError},
};

/// Whether votes of ETH are no more than its share beside those of VARA.
fn within_share(vara: u128, eth_votes: u128, vara_share: Perbill) -> bool {
    let vara_parts = u128::from(vara_share.deconstruct());
    let eth_parts = u128::from(vara_share.left_from_one().deconstruct());
    eth_votes.saturating_mul(vara_parts) <= vara.saturating_mul(eth_parts)
}

impl<T: Config> Pallet<T> {
    /// Checks the invariants of the pallet's storage.
    ///
    /// # Errors
    ///
    /// The invariant that is broken.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        ensure!(
            Parameters::<T>::get().is_sound(),
            "the rules for elections are in range"
        );
        ensure!(
            Exposures::<T>::iter_keys().all(Elections::<T>::contains_key),
            "exposures belong to elections"
        );
        for (era, record) in Elections::<T>::iter() {
            let exposures = Exposures::<T>::get(era).ok_or("elections have exposures")?;
            ensure!(
                exposures.len() as u32 <= T::MaxWinners::get(),
                "not more validators than there may be"
            );
            ensure!(
                within_share(record.vara, record.eth_votes, record.vara_share),
                "ETH has voted with no more than its share"
            );
            let (vara, eth_votes) = exposures.iter().fold((0u128, 0u128), |(vara, eth), one| {
                (
                    vara.saturating_add(one.vara),
                    eth.saturating_add(one.eth_votes),
                )
            });
            ensure!(
                within_share(vara, eth_votes, record.vara_share),
                "ETH weighs no more than its share"
            );
            ensure!(
                vara <= record.vara && eth_votes <= record.eth_votes,
                "nobody has votes that nobody gave"
            );
            ensure!(
                record.vara_only.is_none() || record.eth_votes == 0,
                "ETH has votes only where it has a say"
            );
        }
        Ok(())
    }
}
