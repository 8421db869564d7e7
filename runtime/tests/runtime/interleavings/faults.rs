//! Evidence of faults, made with the validators' keys, and what only looks like evidence.

use super::{
    common::DOMAIN,
    validators::{Batches, batch_call, empty_call, index_in, keys},
};
use gear_exe_primitives::{
    H256,
    batch::BatchHeader,
    evidence::{DoubleSign, SealStatement, SignedStatement},
    signature::CompactSignature,
    vote::EmptyBatch,
};
use gear_exe_runtime::{Runtime, RuntimeCall, Settlement};
use pallet_slashing::{Evidence, EvidenceOf};

/// How it comes to the chain.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// The settlement pallet sees both votes.
    Seen,
    /// Somebody reports it.
    Reported,
    /// A node reports it for nothing.
    Unsigned,
}

fn digest(statement: &SealStatement) -> H256 {
    match statement {
        SealStatement::Batch(header) => header.digest(&DOMAIN),
        SealStatement::Empty(empty) => empty.digest(Settlement::genesis_hash()),
    }
}

fn signed(who: usize, statement: SealStatement) -> SignedStatement {
    SignedStatement {
        statement,
        signature: keys()[who].sign(digest(&statement)),
    }
}

/// What is to be said of one of the newest seals whose hash is known, and the header of its batch.
fn honest(batches: &mut Batches, back: u8) -> Option<(SealStatement, BatchHeader)> {
    let numbers = pallet_settlement::SealNumbers::<Runtime>::get();
    let number = numbers
        .into_iter()
        .rev()
        .filter(|number| {
            pallet_settlement::Seals::<Runtime>::get(number)
                .is_some_and(|seal| !seal.hash.is_zero())
        })
        .nth(back.into())?;
    let batch = batches.of_seal(number)?;
    let statement = if batch.is_empty() {
        SealStatement::Empty(empty(&batch.header))
    } else {
        SealStatement::Batch(batch.header)
    };
    Some((statement, batch.header))
}

fn empty(header: &BatchHeader) -> EmptyBatch {
    EmptyBatch {
        set_id: header.set_id,
        seal_number: header.seal_number,
        seal_hash: header.seal_hash,
    }
}

/// The same seal with another batch.
fn other(header: BatchHeader, content: u8) -> SealStatement {
    SealStatement::Batch(BatchHeader {
        content: H256::repeat_byte(content),
        ..header
    })
}

/// A validator that signs two batches for one seal, or a batch and that it is empty.
pub fn double_sign(
    who: usize,
    back: u8,
    content: u8,
    batches: &mut Batches,
) -> Option<(DoubleSign, [Option<RuntimeCall>; 2])> {
    let (first, header) = honest(batches, back)?;
    let second = match first {
        SealStatement::Batch(_) if content == 0 => SealStatement::Empty(empty(&header)),
        _ => other(header, content + 1),
    };
    let calls = [first, second].map(|statement| {
        let index = index_in(header.set_id, who)?;
        Some(match statement {
            SealStatement::Batch(header) => batch_call(who, index, header),
            SealStatement::Empty(empty) => empty_call(who, index, empty),
        })
    });
    let evidence = DoubleSign {
        first: signed(who, first),
        second: signed(who, second),
    };
    Some((evidence, calls))
}

/// A digest against that of a quorum, if there is one.
pub fn against(
    who: usize,
    back: u8,
    content: u8,
    batches: &mut Batches,
) -> Option<EvidenceOf<Runtime>> {
    let (_, header) = honest(batches, back)?;
    Some(Evidence::AgainstQuorum(signed(who, other(header, content))))
}

/// What proves nothing, of one kind or another.
pub fn nothing(
    kind: u8,
    who: usize,
    back: u8,
    batches: &mut Batches,
) -> Option<EvidenceOf<Runtime>> {
    let (honest, header) = honest(batches, back)?;
    let first = signed(who, honest);
    let double = |first, second| Evidence::DoubleSign(DoubleSign { first, second });
    Some(match kind % 7 {
        // One statement, twice.
        0 => double(first, first),
        // Two validators.
        1 => double(first, signed((who + 1) % 6, other(header, 1))),
        // Another chain.
        2 => {
            let header = BatchHeader {
                genesis: H256::repeat_byte(0x99),
                ..header
            };
            double(first, signed(who, SealStatement::Batch(header)))
        }
        // Another seal.
        3 => {
            let header = BatchHeader {
                seal_hash: H256::repeat_byte(1),
                ..header
            };
            double(first, signed(who, SealStatement::Batch(header)))
        }
        // Somebody's key.
        4 => {
            let sign = |statement| SignedStatement {
                statement,
                signature: CompactSignature::sign(&[99; 32], digest(&statement)).unwrap(),
            };
            double(sign(honest), sign(other(header, 1)))
        }
        // A signature of something else.
        5 => {
            let mut second = signed(who, other(header, 1));
            second.signature = first.signature;
            double(first, second)
        }
        // What a quorum says.
        _ => Evidence::AgainstQuorum(first),
    })
}
