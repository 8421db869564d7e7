//! Watches for validators that author two blocks in one slot, and reports them.
//!
//! Every header that the node imports passes here, whatever branch it is on. Two of one slot by one key are evidence;
//! with the proof of whose the key was it goes to `pallets/slashing` by a transaction that anybody may send. What was
//! imported before the node started is not looked at: other nodes have reported it.

use codec::Decode;
use futures::StreamExt;
use gear_exe_primitives::{H256, runtime_api::SlashingApi};
use gear_exe_runtime::{Header, Runtime, opaque::Block};
use pallet_slashing::Evidence;
use polkadot_sdk::{
    frame_system::offchain::CreateAuthorizedTransaction,
    sc_client_api::BlockchainEvents,
    sc_transaction_pool_api::{TransactionPool, TransactionSource},
    sp_api::ProvideRuntimeApi,
    sp_blockchain::HeaderBackend,
    sp_consensus_aura::{
        AuraApi,
        digests::CompatibleDigestItem,
        sr25519::{AuthorityId as AuraId, AuthoritySignature},
    },
    sp_consensus_slots::EquivocationProof,
    sp_runtime::{DigestItem, OpaqueExtrinsic, traits::Header as _},
};
use std::{collections::BTreeMap, sync::Arc};

/// Slots that are remembered.
const SLOTS: usize = 4_096;
/// Headers of one slot that are remembered: more than two of one key prove nothing new.
const HEADERS: usize = 16;

/// An author's header in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Authored {
    author: AuraId,
    /// The hash without the seal: what was signed.
    signed: H256,
    header: Header,
}

/// What was seen, by slot.
#[derive(Default)]
struct Seen(BTreeMap<u64, Vec<Authored>>);

impl Seen {
    /// Notes a header, and returns one that contradicts it.
    fn note(&mut self, slot: u64, new: Authored) -> Option<Authored> {
        let slots = &mut self.0;
        let of_slot = slots.entry(slot).or_default();
        if of_slot.iter().any(|old| old.signed == new.signed) {
            return None;
        }
        let other = of_slot.iter().find(|old| old.author == new.author).cloned();
        if of_slot.len() < HEADERS {
            of_slot.push(new);
        }
        while slots.len() > SLOTS {
            slots.pop_first();
        }
        other
    }
}

/// The slot and the signed hash of a sealed header.
fn read(header: &Header) -> Option<(u64, H256)> {
    let mut unsealed = header.clone();
    let seal = unsealed.digest_mut().pop()?;
    <DigestItem as CompatibleDigestItem<AuthoritySignature>>::as_aura_seal(&seal)?;
    let slot =
        unsealed.digest().logs().iter().find_map(
            <DigestItem as CompatibleDigestItem<AuthoritySignature>>::as_aura_pre_digest,
        )?;
    Some((*slot, unsealed.hash()))
}

/// The slot of a sealed header.
pub fn slot(header: &Header) -> Option<u64> {
    read(header).map(|(slot, _)| slot)
}

/// The watch.
pub struct Equivocations<C, P> {
    /// The chain's client.
    pub client: Arc<C>,
    /// Where reports go.
    pub pool: Arc<P>,
}

impl<C, P> Equivocations<C, P>
where
    C: ProvideRuntimeApi<Block> + HeaderBackend<Block> + BlockchainEvents<Block>,
    C::Api: AuraApi<Block, AuraId> + SlashingApi<Block>,
    P: TransactionPool<Block = Block, Hash = H256>,
{
    /// Runs as long as the client does.
    pub async fn run(self) {
        let mut imports = self.client.every_import_notification_stream();
        let mut seen = Seen::default();
        while let Some(block) = imports.next().await {
            let Some((slot, signed)) = read(&block.header) else {
                continue;
            };
            let Some(author) = self.author(slot, &block.header) else {
                continue;
            };
            let new = Authored {
                author,
                signed,
                header: block.header,
            };
            if let Some(old) = seen.note(slot, new.clone()) {
                self.report(slot, old, new).await;
            }
        }
    }

    /// Who may author in `slot` on the header's parent. Import has checked that it did.
    fn author(&self, slot: u64, header: &Header) -> Option<AuraId> {
        let api = self.client.runtime_api();
        let authorities = api.authorities(*header.parent_hash()).ok()?;
        let index = slot.checked_rem(authorities.len() as u64)?;
        authorities.get(usize::try_from(index).ok()?).cloned()
    }

    async fn report(&self, slot: u64, old: Authored, new: Authored) {
        let offender = old.author;
        let parent = *old.header.parent_hash();
        tracing::warn!(slot, author = ?offender, first = ?old.signed, second = ?new.signed,
            "a validator has authored two blocks in one slot; it is reported");
        let key = AsRef::<[u8]>::as_ref(&offender).to_vec();
        // The session of a slot is that in which its block's parent left the chain.
        let owner = self.client.runtime_api().aura_key_owner(parent, key);
        let owner = owner.ok().flatten();
        let Some(owner) = owner.and_then(|proof| Decode::decode(&mut &proof[..]).ok()) else {
            tracing::warn!(slot, author = ?offender, "whose the key is cannot be proven; others may");
            return;
        };
        let call = pallet_slashing::Call::<Runtime>::report_unsigned {
            evidence: Box::new(Evidence::TwoHeaders {
                equivocation: EquivocationProof {
                    offender,
                    slot: slot.into(),
                    first_header: old.header,
                    second_header: new.header,
                },
                owner,
            }),
        };
        let transaction = <Runtime as CreateAuthorizedTransaction<
            pallet_slashing::Call<Runtime>,
        >>::create_authorized_transaction(call.into());
        let at = self.client.info().best_hash;
        let transaction = OpaqueExtrinsic::from(transaction);
        if let Err(error) = self
            .pool
            .submit_one(at, TransactionSource::Local, transaction)
            .await
        {
            // Another node was first, or the fault is too old.
            tracing::debug!(slot, error = %error, "the pool did not take the report");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polkadot_sdk::{
        sp_core::{Pair, sr25519},
        sp_runtime::Digest,
    };

    fn sealed(seed: &str, number: u32, slot: u64, extrinsics: u8) -> Header {
        let pair = sr25519::Pair::from_string(seed, None).unwrap();
        let slot =
            <DigestItem as CompatibleDigestItem<AuthoritySignature>>::aura_pre_digest(slot.into());
        let mut header = Header::new(
            number,
            H256::repeat_byte(extrinsics),
            H256::zero(),
            H256::zero(),
            Digest { logs: vec![slot] },
        );
        let seal = pair.sign(header.hash().as_bytes()).into();
        let seal = <DigestItem as CompatibleDigestItem<AuthoritySignature>>::aura_seal(seal);
        header.digest_mut().push(seal);
        header
    }

    fn authored(seed: &str, number: u32, slot: u64, extrinsics: u8) -> Authored {
        let header = sealed(seed, number, slot, extrinsics);
        let (read_slot, signed) = read(&header).unwrap();
        assert_eq!(read_slot, slot);
        Authored {
            author: sr25519::Pair::from_string(seed, None)
                .unwrap()
                .public()
                .into(),
            signed,
            header,
        }
    }

    #[test]
    fn two_headers_of_one_key_in_one_slot_are_noticed() {
        let mut seen = Seen::default();
        let first = authored("//Alice", 5, 9, 1);
        assert_eq!(seen.note(9, first.clone()), None);
        // The same again, another author, another slot: no fault.
        assert_eq!(seen.note(9, first.clone()), None);
        assert_eq!(seen.note(9, authored("//Bob", 5, 9, 1)), None);
        assert_eq!(seen.note(10, authored("//Alice", 6, 10, 1)), None);
        assert_eq!(
            seen.note(9, authored("//Alice", 5, 9, 2)),
            Some(first.clone())
        );
        assert_eq!(seen.note(9, authored("//Alice", 4, 9, 1)), Some(first));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut seen = Seen::default();
        for slot in 0..SLOTS as u64 + 10 {
            seen.note(slot, authored("//Alice", 1, slot, 1));
        }
        assert_eq!(seen.0.len(), SLOTS);
        for extrinsics in 0..=HEADERS as u8 {
            seen.note(5_000, authored("//Alice", 1, 5_000, extrinsics));
        }
        assert_eq!(seen.0[&5_000].len(), HEADERS);
        // The oldest slots were forgotten.
        assert_eq!(seen.note(0, authored("//Alice", 1, 0, 2)), None);
    }

    #[test]
    fn a_header_without_seal_or_slot_is_passed_over() {
        let mut header = sealed("//Alice", 1, 3, 1);
        header.digest_mut().pop();
        assert_eq!(read(&header), None);
        let bare = Header::new(
            1,
            H256::zero(),
            H256::zero(),
            H256::zero(),
            Digest::default(),
        );
        assert_eq!(read(&bare), None);
    }
}
