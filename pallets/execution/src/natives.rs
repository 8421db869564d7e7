//! Native messages: which are taken into a block, and for how long their ids are remembered.
//!
//! A message is checked when its block is built, and never again: neither when its round is executed anew on another
//! branch of Ethereum, nor by the executor. What is checked here depends on the chain alone. Whether the program exists and
//! can pay, and whether the sender's deposit covers the value, is for the node to ask before it takes a message at all; the
//! executor decides about the value.

use crate::{
    Config, Error, HighestAnchor, MAX_NATIVES_PER_BLOCK, NativeCount, NativeRules, Natives,
    NativesIn, OldestReference, Pallet, References, ReferencesAt, Refusal, Seen, SeenFrom,
};
use alloc::vec::Vec;
use frame_support::{ensure, pallet_prelude::*};
use gear_exe_primitives::{
    H256, MessageId, batch::RouterDomain, ethereum::EthereumHeader, host, native::SignedNative,
    report::NativeId,
};
use polkadot_sdk::{frame_support, sp_runtime::transaction_validity::InvalidTransaction};

/// Ids and reference blocks that are forgotten in one block: more than come in.
pub(crate) const FORGET_PER_BLOCK: u32 = 2 * MAX_NATIVES_PER_BLOCK;

/// Blocks of this chain after which a pool forgets a message. It is asked before whether the window is still open.
const NATIVE_LONGEVITY: u64 = 4_096;

impl<T: Config> Pallet<T> {
    pub(crate) fn authorize_native(
        _: TransactionSource,
        signed: &SignedNative,
    ) -> TransactionValidityWithRefund {
        let domain = T::Domain::get().ok_or(Refusal::NoRouter)?;
        let (_, id) = Self::check_native(signed, &domain)?;
        let signer = host::recover(&signed.signature, signed.digest(&domain));
        ensure!(signer == Some(signed.source), Refusal::Signature);
        ValidTransaction::with_tag_prefix("gear-exe-native")
            .and_provides(id)
            .longevity(NATIVE_LONGEVITY)
            .propagate(true)
            .build()
            .map(|valid| (valid, Weight::zero()))
    }

    /// All that must hold besides the signature. Returns the number of the reference block, and the message's id.
    fn check_native(
        signed: &SignedNative,
        domain: &RouterDomain,
    ) -> Result<(u64, MessageId), TransactionValidityError> {
        let transaction = &signed.transaction;
        ensure!(transaction.is_sized(), Refusal::TooLong);
        let reference =
            References::<T>::get(transaction.reference_block).ok_or(Refusal::Reference)?;
        ensure!(Self::is_in_window(reference), Refusal::Outdated);
        // Its turn comes in the next block.
        ensure!(
            Self::natives_in_block() < NativeRules::<T>::get().max_per_block,
            InvalidTransaction::ExhaustsResources
        );
        let id = signed.id(domain);
        ensure!(
            !Seen::<T>::contains_key(reference, id),
            InvalidTransaction::Stale
        );
        Ok((reference, id))
    }

    /// Whether a message that refers to the Ethereum block with this number can still be included. Measured by the highest
    /// number that the anchor has ever had, so that what is over stays over when Ethereum goes back.
    fn is_in_window(reference: u64) -> bool {
        let age = HighestAnchor::<T>::get().saturating_sub(reference);
        age <= u64::from(NativeRules::<T>::get().window)
    }

    /// Whether messages that refer to this Ethereum block can still be included; nothing if it is not known.
    pub fn is_reference_open(hash: H256) -> Option<bool> {
        References::<T>::get(hash).map(Self::is_in_window)
    }

    /// How many messages this block has taken so far.
    fn natives_in_block() -> u32 {
        let count = NativesIn::<T>::get();
        if count.block == Self::now() {
            count.messages
        } else {
            0
        }
    }

    /// The messages that this block has taken, in the order of its body.
    pub(crate) fn native_ids() -> Vec<NativeId> {
        match Self::natives_in_block() {
            0 => Vec::new(),
            _ => Natives::<T>::get().into_inner(),
        }
    }

    pub(crate) fn take_native(signed: &SignedNative) -> DispatchResult {
        let domain = T::Domain::get().ok_or(Error::<T>::NotTaken)?;
        let (reference, id) =
            Self::check_native(signed, &domain).map_err(|_| Error::<T>::NotTaken)?;
        let before = Self::natives_in_block();
        if before == 0 {
            Natives::<T>::kill();
        }
        let source = signed.source;
        Natives::<T>::try_append(NativeId { id, source }).map_err(|()| Error::<T>::NotTaken)?;
        NativesIn::<T>::put(NativeCount {
            block: Self::now(),
            messages: before.saturating_add(1),
        });
        Seen::<T>::insert(reference, id, ());
        Ok(())
    }

    /// Messages may refer to the anchor and to the blocks that it has passed since it was at `old`.
    pub(crate) fn note_references(old: EthereumHeader, new: EthereumHeader) {
        HighestAnchor::<T>::mutate(|highest| *highest = (*highest).max(new.number));
        let mut cursor = Some(new);
        while let Some(header) = cursor {
            let noted = header.hash == old.hash || References::<T>::contains_key(header.hash);
            // What was left behind is not let in again, whatever the window becomes: its messages are forgotten.
            let behind = header.number < OldestReference::<T>::get();
            if noted || behind || !Self::is_in_window(header.number) {
                break;
            }
            Self::note_reference(header);
            cursor = Self::header(header.parent);
        }
    }

    /// Messages may refer to this block.
    pub(crate) fn note_reference(header: EthereumHeader) {
        // More branches at one height than this are not followed while its window is open.
        let noted =
            ReferencesAt::<T>::try_mutate(header.number, |hashes| hashes.try_push(header.hash));
        if noted.is_ok() {
            References::<T>::insert(header.hash, header.number);
        }
    }

    /// Forgets some of what lies before the window. Returns how much was removed.
    pub(crate) fn forget_natives() -> u32 {
        let window = u64::from(NativeRules::<T>::get().window);
        let Some(first) = HighestAnchor::<T>::get().checked_sub(window) else {
            return 0;
        };
        let mut removed = 0u32;
        let mut oldest = OldestReference::<T>::get();
        while oldest < first && removed < FORGET_PER_BLOCK {
            for hash in ReferencesAt::<T>::take(oldest) {
                References::<T>::remove(hash);
            }
            removed = removed.saturating_add(1);
            oldest = oldest.saturating_add(1);
        }
        OldestReference::<T>::put(oldest);
        let mut from = SeenFrom::<T>::get();
        while from < first && removed < FORGET_PER_BLOCK {
            let left = FORGET_PER_BLOCK.saturating_sub(removed);
            let result = Seen::<T>::clear_prefix(from, left, None);
            removed = removed.saturating_add(result.loops).saturating_add(1);
            if result.maybe_cursor.is_some() {
                break;
            }
            from = from.saturating_add(1);
        }
        SeenFrom::<T>::put(from);
        removed
    }
}
