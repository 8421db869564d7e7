//! What is claimed of an era's rewards: leaves, root and proofs, as `Middleware.claimOperatorReward` takes them.
//!
//! The chain puts [`root`] and sum into [`crate::outbox::OutboxItem::Rewards`]; whoever is named in a leaf shows its
//! [`proof`] to the Middleware.

use crate::{merkle, outbox::operator_reward_leaf};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// wVARA for an Ethereum address.
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RewardClaim {
    /// Who gets it.
    pub to: H160,
    /// wVARA base units.
    pub amount: u128,
}

/// The arguments of `Middleware.claimOperatorReward`, besides era and address.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RewardProof {
    /// wVARA base units.
    pub amount: u128,
    /// The place of the leaf.
    pub index: u64,
    /// Number of leaves.
    pub count: u64,
    /// Siblings from the leaf to the root, lowest first.
    pub siblings: Vec<H256>,
}

impl RewardProof {
    /// Whether it proves to the holder of `root` that `to` gets the amount for `era`.
    pub fn verifies(&self, root: H256, era: u32, to: H160) -> bool {
        let leaf = operator_reward_leaf(era, to, self.amount);
        merkle::verify(root, self.count, self.index, leaf, &self.siblings)
    }
}

fn leaves(era: u32, claims: &[RewardClaim]) -> Vec<H256> {
    claims
        .iter()
        .map(|claim| operator_reward_leaf(era, claim.to, claim.amount))
        .collect()
}

/// Root over the claims of an era; zero if there are none.
pub fn root(era: u32, claims: &[RewardClaim]) -> H256 {
    merkle::root(leaves(era, claims))
}

/// Proof of the claim of `to`; nothing if it has none.
pub fn proof(era: u32, claims: &[RewardClaim], to: H160) -> Option<RewardProof> {
    let (index, claim) = claims
        .iter()
        .enumerate()
        .find(|(_, claim)| claim.to == to)?;
    Some(RewardProof {
        amount: claim.amount,
        index: index as u64,
        count: claims.len() as u64,
        siblings: merkle::proof(leaves(era, claims), index)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_claim_is_proven_for_its_era_address_and_amount_only() {
        for count in 1..12u64 {
            let claims: Vec<_> = (0..count)
                .map(|number| RewardClaim {
                    to: H160::from_low_u64_be(number),
                    amount: 1 + u128::from(number),
                })
                .collect();
            let top = root(3, &claims);
            for claim in &claims {
                let proof = proof(3, &claims, claim.to).unwrap();
                assert!(proof.verifies(top, 3, claim.to));
                assert!(!proof.verifies(top, 4, claim.to));
                assert!(!proof.verifies(top, 3, H160::repeat_byte(1)));
                let more = RewardProof {
                    amount: proof.amount + 1,
                    ..proof
                };
                assert!(!more.verifies(top, 3, claim.to));
            }
            assert_eq!(proof(3, &claims, H160::repeat_byte(1)), None);
        }
        assert_eq!(root(3, &[]), H256::zero());
    }
}
