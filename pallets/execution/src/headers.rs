//! Which Ethereum headers the chain keeps: a count of reasons for each, so that storage is bounded however many
//! headers somebody invents.

use crate::{Config, Finalised, HeaderList, Headers, KeptHeader, Pallet, PruneNext};
use alloc::vec::Vec;
use gear_exe_primitives::{
    H256,
    ethereum::{BlockId, EthereumHeader},
};

/// Headers below the finalised one that are dropped per block.
pub(crate) const PRUNE_PER_BLOCK: u32 = 64;

impl<T: Config> Pallet<T> {
    /// The header with `hash`, if it is kept.
    pub fn header(hash: H256) -> Option<EthereumHeader> {
        Headers::<T>::get(hash).map(|kept| kept.header)
    }

    /// Up to `limit` headers from `hash` down, newest first.
    pub fn ancestors(hash: H256, limit: u32) -> Vec<EthereumHeader> {
        core::iter::successors(Self::header(hash), |header| Self::header(header.parent))
            .take(limit as usize)
            .collect()
    }

    /// The ancestor of `from` with `number`, or `from` itself.
    fn ancestor_at(from: EthereumHeader, number: u64) -> Option<EthereumHeader> {
        let mut header = from;
        while header.number > number {
            header = Self::header(header.parent)?;
        }
        (header.number == number).then_some(header)
    }

    /// Whether `ancestor` is `block` or one of its known ancestors.
    pub fn is_ancestor_or_same(ancestor: BlockId, block: EthereumHeader) -> bool {
        Self::ancestor_at(block, ancestor.number).is_some_and(|found| found.hash == ancestor.hash)
    }

    /// The block at which the branches of `a` and `b` part, if the chain knows it.
    pub(crate) fn fork_of(mut a: EthereumHeader, mut b: EthereumHeader) -> Option<EthereumHeader> {
        while a.hash != b.hash {
            if a.number < b.number {
                core::mem::swap(&mut a, &mut b);
            }
            a = Self::header(a.parent)?;
        }
        Some(a)
    }

    /// The headers that are not known, if they lead without a gap from a known block to `tip`.
    pub(crate) fn new_headers(tip: &BlockId, headers: &HeaderList) -> Option<Vec<EthereumHeader>> {
        if let Some(known) = Self::header(tip.hash) {
            return (known.number == tip.number).then(Vec::new);
        }
        let finalised = Finalised::<T>::get().number;
        let mut new = Vec::<EthereumHeader>::new();
        for bytes in headers {
            let header = EthereumHeader::decode_rlp(bytes).ok()?;
            if Headers::<T>::contains_key(header.hash) {
                if !new.is_empty() {
                    return None;
                }
                continue;
            }
            let parent = match new.last() {
                Some(last) => *last,
                None => Self::header(header.parent)?,
            };
            let follows = header.number > finalised
                && header.parent == parent.hash
                && Some(header.number) == parent.number.checked_add(1)
                && header.timestamp >= parent.timestamp;
            if !follows {
                return None;
            }
            new.push(header);
        }
        (new.last()?.id() == *tip).then_some(new)
    }

    /// Keeps a header, which is one more reason to keep its parent. It needs a reason itself.
    pub(crate) fn insert_header(header: EthereumHeader) {
        Headers::<T>::insert(
            header.hash,
            KeptHeader {
                header,
                references: 0,
            },
        );
        Self::hold(header.parent);
    }

    /// One more reason to keep a header, if it is known.
    pub(crate) fn hold(hash: H256) {
        if let Some(mut kept) = Headers::<T>::get(hash) {
            kept.references = kept.references.saturating_add(1);
            Headers::<T>::insert(hash, kept);
        }
    }

    /// One reason less. Drops the header with the last one, and its ancestors that only it kept.
    ///
    /// A header is dropped once, so its removal is paid for when it comes in.
    pub(crate) fn release(mut hash: H256) {
        while let Some(mut kept) = Headers::<T>::get(hash) {
            kept.references = kept.references.saturating_sub(1);
            if kept.references > 0 {
                Headers::<T>::insert(hash, kept);
                break;
            }
            Headers::<T>::remove(hash);
            hash = kept.header.parent;
        }
    }

    /// Drops some headers below the finalised one. Returns how many.
    pub(crate) fn prune() -> u32 {
        let mut next = PruneNext::<T>::take().unwrap_or_else(|| Finalised::<T>::get().parent);
        for pruned in 0..PRUNE_PER_BLOCK {
            let Some(kept) = Headers::<T>::take(next) else {
                return pruned;
            };
            next = kept.header.parent;
        }
        PruneNext::<T>::put(next);
        PRUNE_PER_BLOCK
    }
}
