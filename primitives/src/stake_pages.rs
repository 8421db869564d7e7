//! The pages in which the chain stores what vaults hold for its operators in an era, and the root over them.
//!
//! Pages and root are a pure function of the era, its capture, the operators that the chain asked for, and what the
//! Middleware says of them: validators that read the same final Ethereum vote for the same root. All sizes are bounded
//! by the operators of the chain, whatever happens on Ethereum.

use crate::{merkle, restaking::VaultStake};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use polkadot_sdk::sp_runtime::{BoundedVec, traits::ConstU32};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// Vaults of one operator that count: the first in the Middleware's order.
pub const MAX_VAULTS: u32 = 16;
/// Operators in a page.
pub const OPERATORS_PER_PAGE: u32 = 8;
/// Pages of an era at most.
pub const MAX_PAGES: u32 = 64;
/// Nodes of a proof that a page belongs to a root: enough for [`MAX_PAGES`].
pub const MAX_PROOF: u32 = 6;

/// What one vault holds for an operator.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct VaultAmount {
    /// The vault's address on Ethereum.
    pub vault: H160,
    /// The token that it holds.
    pub collateral: H160,
    /// How much can be slashed, in the token's base units.
    pub amount: u128,
}

/// What all vaults hold for an operator.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct OperatorStake {
    /// The operator's Ethereum address.
    pub operator: H160,
    /// Its vaults, in the Middleware's order.
    pub vaults: BoundedVec<VaultAmount, ConstU32<MAX_VAULTS>>,
}

/// Some operators with their stake, by ascending address.
pub type StakePage = BoundedVec<OperatorStake, ConstU32<OPERATORS_PER_PAGE>>;

/// The siblings that prove a page.
pub type PageProof = BoundedVec<H256, ConstU32<MAX_PROOF>>;

/// The pages that say what `stakes` says of `operators`, which are sorted. Operators without stake, vaults without
/// stake and vaults after the first [`MAX_VAULTS`] are left out; amounts above `u128` count as its greatest number.
pub fn pages(operators: &[H160], stakes: &[VaultStake]) -> Vec<StakePage> {
    let staked: Vec<_> = operators
        .iter()
        .filter_map(|operator| {
            let vaults: Vec<_> = stakes
                .iter()
                .filter(|stake| stake.operator == *operator && !stake.amount.is_zero())
                .map(|stake| VaultAmount {
                    vault: stake.vault,
                    collateral: stake.collateral,
                    amount: u128::try_from(stake.amount).unwrap_or(u128::MAX),
                })
                .take(MAX_VAULTS as usize)
                .collect();
            (!vaults.is_empty()).then(|| OperatorStake {
                operator: *operator,
                vaults: BoundedVec::truncate_from(vaults),
            })
        })
        .collect();
    staked
        .chunks(OPERATORS_PER_PAGE as usize)
        .map(|chunk| BoundedVec::truncate_from(chunk.to_vec()))
        .collect()
}

/// Leaf of a page.
pub fn leaf(era: u32, capture: u64, page: &StakePage) -> H256 {
    merkle::leaf(&[&era.to_be_bytes(), &capture.to_be_bytes(), &page.encode()])
}

fn leaves(era: u32, capture: u64, pages: &[StakePage]) -> Vec<H256> {
    pages.iter().map(|page| leaf(era, capture, page)).collect()
}

/// Root over the pages of an era; zero if there are none.
pub fn root(era: u32, capture: u64, pages: &[StakePage]) -> H256 {
    merkle::root(leaves(era, capture, pages))
}

/// Proof that the page at `index` is one of `pages`; `None` if there is no such page, or too many.
pub fn proof(era: u32, capture: u64, pages: &[StakePage], index: u32) -> Option<PageProof> {
    merkle::proof(leaves(era, capture, pages), index as usize)?
        .try_into()
        .ok()
}

/// Whether `page` is the one at `index` of `count` under `root`.
pub fn verify(
    root: H256,
    (era, capture): (u32, u64),
    (index, count): (u32, u32),
    page: &StakePage,
    proof: &PageProof,
) -> bool {
    merkle::verify(
        root,
        count.into(),
        index.into(),
        leaf(era, capture, page),
        proof,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitive_types::U256;

    fn stake(operator: u64, vault: u64, amount: impl Into<U256>) -> VaultStake {
        VaultStake {
            operator: H160::from_low_u64_be(operator),
            vault: H160::from_low_u64_be(vault),
            collateral: H160::repeat_byte(1),
            amount: amount.into(),
        }
    }

    fn operators(count: u64) -> Vec<H160> {
        (0..count).map(H160::from_low_u64_be).collect()
    }

    #[test]
    fn pages_do_not_depend_on_what_was_not_asked() {
        let mut stakes: Vec<_> = (0..20).map(|number| stake(number, 1, number)).collect();
        let asked = operators(18);
        let all = pages(&asked, &stakes);
        assert_eq!(
            all.iter().map(|page| page.len()).collect::<Vec<_>>(),
            [8, 8, 1]
        );
        stakes.reverse();
        stakes.extend((20..3_000).map(|number| stake(number, 1, number)));
        assert_eq!(pages(&asked, &stakes), all);
        assert!(pages(&asked, &[]).is_empty());
    }

    #[test]
    fn amounts_and_vaults_are_bounded() {
        let stakes: Vec<_> = (0..40).map(|vault| stake(1, vault, U256::MAX)).collect();
        let pages = pages(&operators(2), &stakes);
        let vaults = &pages[0][0].vaults;
        assert_eq!(vaults.len(), MAX_VAULTS as usize);
        assert_eq!(vaults[15].vault, H160::from_low_u64_be(15));
        assert_eq!(vaults[0].amount, u128::MAX);
    }

    #[test]
    fn pages_prove_themselves_in_their_era_only() {
        let count = u64::from(MAX_PAGES * OPERATORS_PER_PAGE);
        let stakes: Vec<_> = (0..count).map(|number| stake(number, 1, 7)).collect();
        let pages = pages(&operators(count), &stakes);
        assert_eq!(pages.len(), MAX_PAGES as usize);
        let top = root(3, 100, &pages);
        for (index, page) in pages.iter().enumerate() {
            let index = index as u32;
            let path = proof(3, 100, &pages, index).unwrap();
            let place = (index, MAX_PAGES);
            assert!(verify(top, (3, 100), place, page, &path));
            assert!(!verify(top, (4, 100), place, page, &path));
            assert!(!verify(top, (3, 101), place, page, &path));
            assert!(!verify(top, (3, 100), (index ^ 1, MAX_PAGES), page, &path));
        }
    }
}
