//! Who votes on the chain, and what must hold of each vote: pallets check it when they authorise a call.
//!
//! A vote is of one validator set: it names the set, its signer by the index there, and is signed with the signer's
//! Ethereum key over a digest that carries the chain's genesis hash.

use crate::{
    host,
    quorum::Member,
    signature::CompactSignature,
    vote::{CodeVote, FactsVote, SnapshotVote, View},
};
use alloc::vec::Vec;
use primitive_types::H256;

/// The validator set that votes now.
pub trait ValidatorSet {
    /// Its id, never used twice.
    fn set_id() -> u64;
    /// Its members. A vote names its signer by the index in this list.
    fn members() -> Vec<Member>;
    /// Genesis hash of the chain, which every signed digest carries.
    fn genesis_hash() -> H256;
    /// Makes `members` the set that votes.
    #[cfg(feature = "runtime-benchmarks")]
    fn set_members(members: Vec<Member>);
}

/// What validators of the current set sign.
pub trait Vote {
    /// The set that the signer belongs to.
    fn set_id(&self) -> u64;
    /// The 32 bytes that are signed, on the chain with this genesis hash.
    fn digest(&self, genesis: H256) -> H256;
}

macro_rules! votes {
    ($($vote:ty),*) => {$(
        impl Vote for $vote {
            fn set_id(&self) -> u64 {
                self.set_id
            }

            fn digest(&self, genesis: H256) -> H256 {
                <$vote>::digest(self, genesis)
            }
        }
    )*};
}

votes!(View, CodeVote, SnapshotVote, FactsVote);

/// What is wrong with a vote, whatever it says. Each pallet has numbers of its own for these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoteFault {
    /// It is for another set than the one that votes now.
    Set,
    /// The set has no validator with that index.
    Index,
    /// It is not signed by that validator's Ethereum key.
    Signature,
}

/// Whether a vote is for the current set.
///
/// # Errors
///
/// [`VoteFault::Set`].
pub fn ensure_current<Set: ValidatorSet>(vote: &impl Vote) -> Result<(), VoteFault> {
    if vote.set_id() == Set::set_id() {
        Ok(())
    } else {
        Err(VoteFault::Set)
    }
}

/// The member of the current set with an index.
///
/// # Errors
///
/// [`VoteFault::Index`].
pub fn member<Set: ValidatorSet>(validator: u32) -> Result<Member, VoteFault> {
    let members = Set::members();
    members
        .get(validator as usize)
        .copied()
        .ok_or(VoteFault::Index)
}

/// The member of the current set whose vote it is said to be. Whether it has signed it is [`ensure_signed`]'s question,
/// which costs more.
///
/// # Errors
///
/// [`VoteFault::Set`], [`VoteFault::Index`].
pub fn voter<Set: ValidatorSet>(vote: &impl Vote, validator: u32) -> Result<Member, VoteFault> {
    ensure_current::<Set>(vote)?;
    member::<Set>(validator)
}

/// Whether a member has signed a vote on this chain.
///
/// # Errors
///
/// [`VoteFault::Signature`].
pub fn ensure_signed<Set: ValidatorSet>(
    vote: &impl Vote,
    member: &Member,
    signature: &CompactSignature,
) -> Result<(), VoteFault> {
    ensure_signed_digest(vote.digest(Set::genesis_hash()), member, signature)
}

/// Whether a member has signed a digest.
///
/// # Errors
///
/// [`VoteFault::Signature`].
pub fn ensure_signed_digest(
    digest: H256,
    member: &Member,
    signature: &CompactSignature,
) -> Result<(), VoteFault> {
    if host::recover(signature, digest) == Some(member.address) {
        Ok(())
    } else {
        Err(VoteFault::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::address_of_secret;

    struct Set;

    const GENESIS: H256 = H256::repeat_byte(9);

    fn secret(number: u8) -> [u8; 32] {
        [number + 1; 32]
    }

    impl ValidatorSet for Set {
        fn set_id() -> u64 {
            5
        }

        fn members() -> Vec<Member> {
            (0..3)
                .map(|number| Member {
                    address: address_of_secret(&secret(number)).unwrap(),
                    weight: 1,
                })
                .collect()
        }

        fn genesis_hash() -> H256 {
            GENESIS
        }

        #[cfg(feature = "runtime-benchmarks")]
        fn set_members(_: Vec<Member>) {}
    }

    fn view(set_id: u64) -> View {
        View {
            set_id,
            seq: 3,
            ..View::default()
        }
    }

    #[test]
    fn a_vote_is_one_members_of_the_current_set() {
        for (validator, member) in (0u32..).zip(Set::members()) {
            assert_eq!(voter::<Set>(&view(5), validator), Ok(member));
        }
        for validator in [3, u32::MAX] {
            assert_eq!(voter::<Set>(&view(5), validator), Err(VoteFault::Index));
        }
        for set_id in [4, 6] {
            // The set comes first.
            assert_eq!(voter::<Set>(&view(set_id), 3), Err(VoteFault::Set));
        }
    }

    #[test]
    fn only_the_members_signature_on_this_chain_counts() {
        let vote = view(5);
        let member = member::<Set>(1).unwrap();
        let check = |key, genesis, signed: View| {
            let digest = signed.digest(genesis);
            let signature = CompactSignature::sign(&secret(key), digest).unwrap();
            ensure_signed::<Set>(&vote, &member, &signature)
        };
        assert_eq!(check(1, GENESIS, vote), Ok(()));
        assert_eq!(check(2, GENESIS, vote), Err(VoteFault::Signature));
        assert_eq!(check(1, H256::zero(), vote), Err(VoteFault::Signature));
        let other = View { seq: 4, ..vote };
        assert_eq!(check(1, GENESIS, other), Err(VoteFault::Signature));
        let nothing = CompactSignature([0; 64]);
        assert_eq!(
            ensure_signed::<Set>(&vote, &member, &nothing),
            Err(VoteFault::Signature)
        );
    }
}
