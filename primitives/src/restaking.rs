//! Operators of restaked collateral, and what vaults on Ethereum hold for them.
//!
//! An operator is an account of the chain bound to an Ethereum address: the address under which vaults delegate stake to
//! it. The binding is signed by that address in the Router's EIP-712 domain, and names chain and account, so that a
//! signature binds one address to one account of one chain once.

use crate::{
    abi::{address, uint},
    batch::RouterDomain,
    hashing::keccak256,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::{H160, H256, U256};
use scale_info::TypeInfo;

/// The EIP-712 type that an operator's Ethereum key signs.
pub const OPERATOR_BINDING_TYPE: &str =
    "OperatorBinding(bytes32 genesis,bytes32 account,address operator,uint64 nonce)";

/// The statement that an Ethereum address stands for an account of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperatorBinding {
    /// Genesis hash of the chain.
    pub genesis: H256,
    /// The account's 32 bytes.
    pub account: H256,
    /// The Ethereum address. It signs.
    pub operator: H160,
    /// How often the address has been bound before.
    pub nonce: u64,
}

impl OperatorBinding {
    /// The 32 bytes that are signed: `eth_signTypedData_v4` in the Router's domain.
    pub fn digest(&self, domain: &RouterDomain) -> H256 {
        let structure = keccak256([
            keccak256([OPERATOR_BINDING_TYPE]).0,
            self.genesis.0,
            self.account.0,
            address(self.operator),
            uint(self.nonce),
        ]);
        domain.typed_data(structure)
    }
}

/// What one vault holds for one operator, as the Middleware's `stakesAt` says it.
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
pub struct VaultStake {
    /// The operator's Ethereum address.
    pub operator: H160,
    /// The vault.
    pub vault: H160,
    /// The token that it holds.
    pub collateral: H160,
    /// How much of it can be slashed, in the token's base units.
    pub amount: U256,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_bound() {
        let domain = RouterDomain {
            chain_id: 1,
            router: H160::repeat_byte(1),
        };
        let binding = OperatorBinding {
            genesis: H256::repeat_byte(2),
            account: H256::repeat_byte(3),
            operator: H160::repeat_byte(4),
            nonce: 0,
        };
        let digests = [
            binding.digest(&domain),
            binding.digest(&RouterDomain {
                chain_id: 2,
                ..domain
            }),
            OperatorBinding {
                genesis: H256::zero(),
                ..binding
            }
            .digest(&domain),
            OperatorBinding {
                account: H256::zero(),
                ..binding
            }
            .digest(&domain),
            OperatorBinding {
                operator: H160::zero(),
                ..binding
            }
            .digest(&domain),
            OperatorBinding {
                nonce: 1,
                ..binding
            }
            .digest(&domain),
        ];
        for (index, digest) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(digest), "{index}");
        }
    }

    /// Against the digest that ethers.js 6 computes for the same typed data.
    #[test]
    fn digest_is_eip_712() {
        let domain = RouterDomain {
            chain_id: 31_337,
            router: H160::repeat_byte(7),
        };
        let binding = OperatorBinding {
            genesis: H256::repeat_byte(2),
            account: H256::repeat_byte(3),
            operator: H160::repeat_byte(4),
            nonce: 5,
        };
        assert_eq!(
            hex::encode(binding.digest(&domain)),
            "5f6c41c22e3b743133e37afefcf0817c482c3f3437d10f07a18e6d05e3637462"
        );
    }
}
