//! An outcome as it is stored: what is said again and again is said once. A round of many messages has as many receipts,
//! and what a disk has to take of each is what takes the time.

use codec::{Compact, Decode, Encode, Input};
use gear_exe_primitives::{
    H256, MessageId,
    message::Receipt,
    round::{NativeReply, RoundOutcome},
};

/// An outcome with what its round was asked.
pub(crate) struct StoredOutcome {
    /// Number of the block.
    pub(crate) number: u64,
    /// Hash of base and input.
    pub(crate) request: H256,
    pub(crate) outcome: RoundOutcome,
}

/// Fields of a receipt that are those of the one before.
mod same {
    pub(super) const PROGRAM: u8 = 1;
    pub(super) const CODE: u8 = 2;
    pub(super) const PAYLOAD: u8 = 4;
    pub(super) const VALUE: u8 = 8;
    pub(super) const GAS: u8 = 16;
    pub(super) const ROUND: u8 = 32;
}

/// How often a reply is looked for among the receipts in vain before it is not looked for any more.
const IN_VAIN: usize = 8;

fn count<T>(all: &[T], into: &mut Vec<u8>) {
    Compact(u32::try_from(all.len()).unwrap_or(u32::MAX)).encode_to(into);
}

fn receipts(all: &[Receipt], into: &mut Vec<u8>) {
    count(all, into);
    let mut before: Option<&Receipt> = None;
    for receipt in all {
        let place = into.len();
        into.push(0);
        receipt.message_id.encode_to(into);
        let mut flags = 0;
        let mut field =
            |bit, is: fn(&Receipt, &Receipt) -> bool, put: fn(&Receipt, &mut Vec<u8>)| match before
                .is_some_and(|before| is(before, receipt))
            {
                true => flags |= bit,
                false => put(receipt, into),
            };
        field(
            same::PROGRAM,
            |one, other| one.program_id == other.program_id,
            |own, into| own.program_id.encode_to(into),
        );
        field(
            same::CODE,
            |one, other| one.code == other.code,
            |own, into| own.code.encode_to(into),
        );
        field(
            same::PAYLOAD,
            |one, other| one.payload_hash == other.payload_hash,
            |own, into| own.payload_hash.encode_to(into),
        );
        field(
            same::VALUE,
            |one, other| one.value == other.value,
            |own, into| own.value.encode_to(into),
        );
        field(
            same::GAS,
            |one, other| one.gas_burned == other.gas_burned,
            |own, into| own.gas_burned.encode_to(into),
        );
        field(
            same::ROUND,
            |one, other| one.round == other.round,
            |own, into| own.round.encode_to(into),
        );
        if let Some(place) = into.get_mut(place) {
            *place = flags;
        }
        before = Some(receipt);
    }
}

fn read_receipts(input: &mut &[u8]) -> Result<Vec<Receipt>, codec::Error> {
    /// A field: the one before has it, or it comes.
    fn field<T: Decode>(
        input: &mut &[u8],
        is_same: bool,
        before: Option<T>,
    ) -> Result<T, codec::Error> {
        match (is_same, before) {
            (false, _) => T::decode(input),
            (true, Some(before)) => Ok(before),
            (true, None) => Err("the first receipt is like none before".into()),
        }
    }
    let count = Compact::<u32>::decode(input)?.0 as usize;
    // Each has more bytes than these.
    let mut all: Vec<Receipt> = Vec::with_capacity(count.min(input.len() / 33));
    for _ in 0..count {
        let flags = input.read_byte()?;
        let message_id = MessageId::decode(input)?;
        let before = all.last().copied();
        all.push(Receipt {
            message_id,
            program_id: field(
                input,
                flags & same::PROGRAM != 0,
                before.map(|own| own.program_id),
            )?,
            code: field(input, flags & same::CODE != 0, before.map(|own| own.code))?,
            payload_hash: field(
                input,
                flags & same::PAYLOAD != 0,
                before.map(|own| own.payload_hash),
            )?,
            value: field(input, flags & same::VALUE != 0, before.map(|own| own.value))?,
            gas_burned: field(
                input,
                flags & same::GAS != 0,
                before.map(|own| own.gas_burned),
            )?,
            round: field(input, flags & same::ROUND != 0, before.map(|own| own.round))?,
        });
    }
    Ok(all)
}

/// Replies stand in the order of their receipts, which have their ids.
fn replies(all: &[NativeReply], receipts: &[Receipt], into: &mut Vec<u8>) {
    count(all, into);
    let (mut rest, mut in_vain) = (receipts, 0);
    let mut before: Option<&NativeReply> = None;
    for reply in all {
        let mut receipts = rest.iter();
        let found = match in_vain < IN_VAIN {
            true => receipts.position(|own| own.message_id == reply.message_id),
            false => None,
        };
        match found.and_then(|skipped| u32::try_from(skipped).ok()?.checked_add(1)) {
            Some(place) => {
                Compact(place).encode_to(into);
                rest = receipts.as_slice();
            }
            None => {
                in_vain += 1;
                Compact(0u32).encode_to(into);
                reply.message_id.encode_to(into);
            }
        }
        let is_same = before.is_some_and(|before| before.payload == reply.payload);
        is_same.encode_to(into);
        if !is_same {
            reply.payload.encode_to(into);
        }
        before = Some(reply);
    }
}

fn read_replies(input: &mut &[u8], receipts: &[Receipt]) -> Result<Vec<NativeReply>, codec::Error> {
    let count = Compact::<u32>::decode(input)?.0 as usize;
    let mut all: Vec<NativeReply> = Vec::with_capacity(count.min(input.len() / 2));
    let mut rest = receipts.iter();
    for _ in 0..count {
        let message_id = match Compact::<u32>::decode(input)?.0.checked_sub(1) {
            None => MessageId::decode(input)?,
            Some(skipped) => {
                let receipt = rest.nth(skipped as usize);
                receipt.ok_or("a reply has no receipt")?.message_id
            }
        };
        let payload = match (bool::decode(input)?, all.last()) {
            (false, _) => Vec::decode(input)?,
            (true, Some(before)) => before.payload.clone(),
            (true, None) => return Err("the first reply is like none before".into()),
        };
        all.push(NativeReply {
            message_id,
            payload,
        });
    }
    Ok(all)
}

impl StoredOutcome {
    /// Writes it behind what is in the buffer.
    pub(crate) fn write(&self, into: &mut Vec<u8>) {
        let outcome = &self.outcome;
        (self.number, self.request, outcome.state_root).encode_to(into);
        receipts(&outcome.receipts, into);
        replies(&outcome.replies, &outcome.receipts, into);
        outcome.transitions.encode_to(into);
        outcome.gas_burned.encode_to(into);
        outcome.spent.encode_to(into);
        outcome.work_left.encode_to(into);
        outcome.starved.encode_to(into);
    }

    /// What was written, all of it.
    ///
    /// # Errors
    ///
    /// If this is no outcome.
    pub(crate) fn read(mut bytes: &[u8]) -> Result<Self, codec::Error> {
        let input = &mut bytes;
        let (number, request, state_root) = Decode::decode(input)?;
        let receipts = read_receipts(input)?;
        let replies = read_replies(input, &receipts)?;
        let outcome = RoundOutcome {
            state_root,
            receipts,
            replies,
            transitions: Decode::decode(input)?,
            gas_burned: Decode::decode(input)?,
            spent: Decode::decode(input)?,
            work_left: Decode::decode(input)?,
            starved: Decode::decode(input)?,
        };
        match bytes {
            [] => Ok(Self {
                number,
                request,
                outcome,
            }),
            _ => Err("an outcome goes on after its end".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::{ActorId, message::ReplyCode};

    fn hash(number: u64) -> H256 {
        H256::from_low_u64_be(number)
    }

    /// Receipts and replies of so few kinds that they are often the same.
    fn outcome(seed: u64, length: u64) -> StoredOutcome {
        let mut random = seed | 1;
        let mut below = |limit: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % limit
        };
        let (mut receipts, mut replies) = (Vec::new(), Vec::new());
        for number in 0..length {
            let kinds = 1 + below(3);
            let message_id: MessageId = hash(number).into();
            receipts.push(Receipt {
                message_id,
                program_id: ActorId::from(hash(below(kinds))),
                code: [ReplyCode::SUCCESS_AUTO, ReplyCode::UNREACHABLE][below(2) as usize],
                payload_hash: hash(below(kinds)),
                value: below(kinds).into(),
                gas_burned: below(kinds),
                round: 7,
            });
            let message_id = match below(4) {
                0 => continue,
                // One that has no receipt, or had it before.
                1 if below(20) == 0 => hash(below(2 * length)).into(),
                _ => message_id,
            };
            replies.push(NativeReply {
                message_id,
                payload: vec![1; below(kinds) as usize],
            });
        }
        StoredOutcome {
            number: 3,
            request: hash(9),
            outcome: RoundOutcome {
                state_root: hash(10),
                receipts,
                replies,
                transitions: Vec::new(),
                gas_burned: 11,
                spent: 12,
                work_left: seed.is_multiple_of(2),
                starved: vec![ActorId::zero()],
            },
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for seed in 0..50 {
            let stored = outcome(seed * 77 + 5, seed * 4);
            let mut bytes = Vec::new();
            stored.write(&mut bytes);
            let read = StoredOutcome::read(&bytes).unwrap();
            assert_eq!(read.outcome, stored.outcome);
            assert_eq!((read.number, read.request), (3, hash(9)));
            // Part of it is none, and neither is more.
            for end in 0..bytes.len() {
                assert!(StoredOutcome::read(&bytes[..end]).is_err());
            }
            bytes.push(0);
            assert!(StoredOutcome::read(&bytes).is_err());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let mut bytes = Vec::new();
        outcome(5, 30).write(&mut bytes);
        for at in 0..bytes.len() {
            for change in [1, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= change;
                drop(StoredOutcome::read(&bytes));
            }
        }
    }

    #[test]
    fn what_is_the_same_is_said_once() {
        let mut stored = outcome(5, 1_000);
        let first = stored.outcome.receipts[0];
        stored.outcome.replies.clear();
        for receipt in &mut stored.outcome.receipts {
            *receipt = Receipt {
                message_id: receipt.message_id,
                ..first
            };
            stored.outcome.replies.push(NativeReply {
                message_id: receipt.message_id,
                payload: b"PONG".to_vec(),
            });
        }
        let mut bytes = Vec::new();
        stored.write(&mut bytes);
        assert!(bytes.len() < 36 * 1_000, "{}", bytes.len());
    }
}
