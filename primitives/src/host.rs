//! What the runtime's off-chain workers ask of the node, and the validators' Ethereum key.
//!
//! The functions only read what the node has ready, or tell it that there is something to do; none waits. Outside an
//! off-chain worker, and on nodes that are no validators, the extension is absent and every answer is empty.

use crate::{
    ethereum::BlockId,
    facts::{Fact, FactsRequest},
    hashing::keccak256,
    quorum::Member,
    restaking::VaultStake,
    signature::CompactSignature,
    vote::{CodeVote, RouterAt, Verdict},
};
#[cfg(not(substrate_runtime))]
use alloc::boxed::Box;
use alloc::{vec, vec::Vec};
use codec::{Decode, Encode};
use polkadot_sdk::{sp_application_crypto::RuntimeAppPublic, sp_core::crypto::KeyTypeId, sp_io};
use primitive_types::{H160, H256};
use sp_runtime_interface::{
    pass_by::{PassFatPointerAndRead, PassFatPointerAndWrite},
    runtime_interface,
};

/// Key type of the validators' Ethereum keys in the keystore.
pub const KEY_TYPE: KeyTypeId = KeyTypeId(*b"gexe");

/// The validators' Ethereum key (secp256k1), one of their session keys.
pub mod crypto {
    #![allow(missing_docs)]
    use polkadot_sdk::sp_application_crypto::{app_crypto, ecdsa};
    app_crypto!(ecdsa, super::KEY_TYPE);
}

/// Public part of a validator's Ethereum key.
pub type AuthorityId = crypto::Public;

/// The Ethereum address of a session key; `None` if the bytes are not a point of the curve.
pub fn address_of(authority: &AuthorityId) -> Option<H160> {
    let bytes: &[u8] = authority.as_ref();
    crate::signature::address_of_public(bytes.try_into().ok()?).ok()
}

/// Half of the order of secp256k1: the greatest `s` that is accepted.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// [`CompactSignature::recover`] by the host's native code.
pub fn recover(signature: &CompactSignature, digest: H256) -> Option<H160> {
    let mut rsv = [0; 65];
    rsv[..64].copy_from_slice(&signature.0);
    rsv[64] = rsv[32] >> 7;
    rsv[32] &= 0x7f;
    if rsv[32..64] > HALF_ORDER[..] {
        return None;
    }
    let public = sp_io::crypto::secp256k1_ecdsa_recover(&rsv, &digest.0).ok()?;
    Some(H160::from_slice(&keccak256([public])[12..]))
}

/// Signs `digest` with a key of the keystore. Off-chain only.
pub fn sign(authority: &AuthorityId, digest: H256) -> Option<CompactSignature> {
    let signature = sp_io::crypto::ecdsa_sign_prehashed(KEY_TYPE, authority.as_ref(), &digest.0)?;
    CompactSignature::from_rsv(&signature.0).ok()
}

/// The keys of the keystore that belong to members of a set, with their indices in it. Off-chain only.
pub fn own_keys(members: &[Member]) -> Vec<(u32, AuthorityId)> {
    AuthorityId::all()
        .into_iter()
        .filter_map(|key| {
            let address = address_of(&key)?;
            let index = members
                .iter()
                .position(|member| member.address == address)?;
            Some((index as u32, key))
        })
        .collect()
}

/// What the chain knows, for the node to answer against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ViewRequest {
    /// The block at which the chain asks what the Router holds: its anchor, or the tip that the node has just
    /// reported.
    pub anchor: BlockId,
    /// The depth behind Ethereum's head at which tips are reported, in Ethereum blocks.
    pub depth: u32,
}

/// What the node sees of Ethereum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct EthereumView {
    /// Its canonical head, less the depth asked for.
    pub tip: BlockId,
    /// The last block it knows to be final.
    pub finalised: BlockId,
    /// What the Router holds at the block asked for; nothing if that block's events are not known.
    pub router: Option<RouterAt>,
}

/// A verdict on a code that the node has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CodeVerdict {
    /// The code.
    pub code_id: crate::CodeId,
    /// The request.
    pub request_id: H256,
    /// The Router's outbox cursor when the request was made: at its log, or later in the same Ethereum block of the
    /// node's canonical chain.
    pub cursor: u64,
    /// What was found.
    pub verdict: Verdict,
}

impl CodeVerdict {
    /// The vote that says this in `set_id`.
    pub const fn vote(&self, set_id: u64) -> CodeVote {
        CodeVote {
            set_id,
            code_id: self.code_id,
            request_id: self.request_id,
            cursor: self.cursor,
            verdict: self.verdict,
        }
    }
}

/// Whose stake the chain asks for, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct StakesRequest {
    /// Unix time in seconds at which the vaults are to be read: the timestamp of `block`.
    pub capture: u64,
    /// An Ethereum block that a quorum calls final. The node answers once it has that block, and calls it final, too.
    pub block: BlockId,
    /// The operators. Others may be left out of the answer.
    pub operators: Vec<H160>,
}

/// What the node provides behind the interface, for one block's off-chain worker.
#[cfg(not(substrate_runtime))]
pub trait Backend: Send {
    /// What the node sees of Ethereum; nothing while its Ethereum node is behind or down.
    fn ethereum_view(&mut self, request: &ViewRequest) -> Option<EthereumView>;
    /// RLP of the Ethereum header with `hash`.
    fn ethereum_header(&mut self, hash: H256) -> Option<Vec<u8>>;
    /// Verdicts on the requests of the node's canonical Ethereum chain that are not answered there. They may be given
    /// again and again: what the chain has already is not sent.
    fn code_verdicts(&mut self) -> Vec<CodeVerdict>;
    /// What the Middleware's `stakesAt(capture)` says of the operators, in the Middleware's order; nothing while the node
    /// does not know. The first time it only enqueues the question. A node without Middleware never knows.
    fn vault_stakes(&mut self, request: &StakesRequest) -> Option<Vec<VaultStake>> {
        let _ = request;
        None
    }
    /// The facts that the node has read of those asked for; nothing while it does not know. The first time it only
    /// enqueues the question. A node without contracts to read never knows.
    fn facts(&mut self, request: &FactsRequest) -> Option<Vec<Fact>> {
        let _ = request;
        None
    }
    /// The worker's block is on the best chain: its round may be executed. Only enqueues.
    fn round(&mut self);
}

#[cfg(not(substrate_runtime))]
sp_externalities::decl_extension! {
    /// Carries the node's backend into an off-chain worker.
    pub struct BackendExt(Box<dyn Backend>);
}

#[cfg(not(substrate_runtime))]
fn write(answer: Vec<u8>, out: &mut [u8]) -> u32 {
    let length = answer.len().min(out.len());
    out[..length].copy_from_slice(&answer[..length]);
    answer.len() as u32
}

/// The raw host functions. Each writes as much of its answer as fits into `out` and returns the whole length; zero
/// means that there is none.
#[runtime_interface]
pub trait GearExe {
    /// SCALE of [`EthereumView`] for a SCALE-encoded [`ViewRequest`].
    fn ethereum_view(
        &mut self,
        request: PassFatPointerAndRead<&[u8]>,
        out: PassFatPointerAndWrite<&mut [u8]>,
    ) -> u32 {
        let Ok(request) = ViewRequest::decode(&mut &request[..]) else {
            return 0;
        };
        sp_externalities::ExternalitiesExt::extension::<BackendExt>(self)
            .and_then(|backend| backend.0.ethereum_view(&request))
            .map_or(0, |view| write(view.encode(), out))
    }

    /// RLP of the header whose hash is `hash` (32 bytes).
    fn ethereum_header(
        &mut self,
        hash: PassFatPointerAndRead<&[u8]>,
        out: PassFatPointerAndWrite<&mut [u8]>,
    ) -> u32 {
        let Ok(hash) = <[u8; 32]>::try_from(hash) else {
            return 0;
        };
        sp_externalities::ExternalitiesExt::extension::<BackendExt>(self)
            .and_then(|backend| backend.0.ethereum_header(H256(hash)))
            .map_or(0, |header| write(header, out))
    }

    /// SCALE of a list of [`CodeVerdict`].
    fn code_verdicts(&mut self, out: PassFatPointerAndWrite<&mut [u8]>) -> u32 {
        sp_externalities::ExternalitiesExt::extension::<BackendExt>(self)
            .map(|backend| backend.0.code_verdicts())
            .filter(|verdicts| !verdicts.is_empty())
            .map_or(0, |verdicts| write(verdicts.encode(), out))
    }

    /// SCALE of a list of [`VaultStake`] for a SCALE-encoded [`StakesRequest`].
    fn vault_stakes(
        &mut self,
        request: PassFatPointerAndRead<&[u8]>,
        out: PassFatPointerAndWrite<&mut [u8]>,
    ) -> u32 {
        let Ok(request) = StakesRequest::decode(&mut &request[..]) else {
            return 0;
        };
        sp_externalities::ExternalitiesExt::extension::<BackendExt>(self)
            .and_then(|backend| backend.0.vault_stakes(&request))
            .map_or(0, |stakes| write(stakes.encode(), out))
    }

    /// SCALE of a list of [`Fact`] for a SCALE-encoded [`FactsRequest`].
    fn facts(
        &mut self,
        request: PassFatPointerAndRead<&[u8]>,
        out: PassFatPointerAndWrite<&mut [u8]>,
    ) -> u32 {
        let Ok(request) = FactsRequest::decode(&mut &request[..]) else {
            return 0;
        };
        sp_externalities::ExternalitiesExt::extension::<BackendExt>(self)
            .and_then(|backend| backend.0.facts(&request))
            .map_or(0, |facts| write(facts.encode(), out))
    }

    /// Tells the node that this block's round may be executed. Returns whether anybody listens.
    fn round(&mut self) -> bool {
        match sp_externalities::ExternalitiesExt::extension::<BackendExt>(self) {
            Some(backend) => {
                backend.0.round();
                true
            }
            None => false,
        }
    }
}

/// Calls `read` with a buffer, and once more with a larger one if the answer did not fit.
fn buffered(first: usize, read: impl Fn(&mut [u8]) -> u32) -> Option<Vec<u8>> {
    let mut buffer = vec![0; first];
    let mut length = read(&mut buffer) as usize;
    if length > buffer.len() {
        buffer = vec![0; length];
        length = read(&mut buffer) as usize;
    }
    (length > 0 && length <= buffer.len()).then(|| {
        buffer.truncate(length);
        buffer
    })
}

/// What the node sees of Ethereum.
pub fn ethereum_view(request: &ViewRequest) -> Option<EthereumView> {
    let request = request.encode();
    buffered(512, |out| gear_exe::ethereum_view(&request, out))
        .and_then(|bytes| EthereumView::decode(&mut &bytes[..]).ok())
}

/// RLP of an Ethereum header.
pub fn ethereum_header(hash: H256) -> Option<Vec<u8>> {
    buffered(2048, |out| gear_exe::ethereum_header(hash.as_bytes(), out))
}

/// Verdicts on codes that the node has reached.
pub fn code_verdicts() -> Vec<CodeVerdict> {
    buffered(4096, gear_exe::code_verdicts)
        .and_then(|bytes| Vec::decode(&mut &bytes[..]).ok())
        .unwrap_or_default()
}

/// What vaults hold for operators, as the node has read it on Ethereum.
pub fn vault_stakes(request: &StakesRequest) -> Option<Vec<VaultStake>> {
    let request = request.encode();
    buffered(16 << 10, |out| gear_exe::vault_stakes(&request, out))
        .and_then(|bytes| Vec::decode(&mut &bytes[..]).ok())
}

/// Facts of contracts on Ethereum, as the node has read them.
pub fn facts(request: &FactsRequest) -> Option<Vec<Fact>> {
    let request = request.encode();
    buffered(4096, |out| gear_exe::facts(&request, out))
        .and_then(|bytes| Vec::decode(&mut &bytes[..]).ok())
}

/// Tells the node that the round of the worker's block may be executed.
pub fn round() -> bool {
    gear_exe::round()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_recovers_what_the_library_recovers() {
        for number in 0..32u8 {
            let digest = keccak256([[number]]);
            let signature = CompactSignature::sign(&[number + 1; 32], digest).unwrap();
            assert_eq!(recover(&signature, digest), signature.recover(digest).ok());
        }
        let mut high = [0xff; 64];
        high[32] = 0x7f;
        assert_eq!(recover(&CompactSignature(high), H256::zero()), None);
    }
}
