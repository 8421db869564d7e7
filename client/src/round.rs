//! A round that a node has executed.

use crate::{Error, wire};
use gear_exe_primitives::{H256, message::Receipt, round::ChainBlock};
use serde::Deserialize;

/// A round, with some of its receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// The block whose round it is.
    pub block: ChainBlock,
    /// Hash of that block's parent.
    pub parent: H256,
    /// The block on whose outcome it was executed. Not the parent after a rewind.
    pub base: ChainBlock,
    /// What validators sign of it.
    pub outcome_root: H256,
    /// Commitment to the state of all programs after it.
    pub state_root: H256,
    /// How many receipts it has.
    pub receipts_count: u64,
    /// Those that were asked for, in order.
    pub receipts: Vec<Receipt>,
}

#[derive(Deserialize)]
struct Raw {
    block: wire::Block,
    parent: H256,
    base: wire::Block,
    outcome_root: H256,
    state_root: H256,
    receipts_count: u64,
    receipts: Vec<wire::RawReceipt>,
}

/// Reads an answer of `gear_round`.
pub(crate) fn read(value: serde_json::Value) -> Result<Option<Round>, Error> {
    let malformed = |reason: String| Error::Malformed {
        method: "gear_round",
        reason,
    };
    let raw: Option<Raw> =
        serde_json::from_value(value).map_err(|error| malformed(error.to_string()))?;
    let Some(raw) = raw else {
        return Ok(None);
    };
    let receipts = raw.receipts.into_iter().map(TryInto::try_into);
    Ok(Some(Round {
        block: raw.block.into(),
        parent: raw.parent,
        base: raw.base.into(),
        outcome_root: raw.outcome_root,
        state_root: raw.state_root,
        receipts_count: raw.receipts_count,
        receipts: receipts.collect::<Result<_, _>>().map_err(malformed)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_round_is_read_as_nodes_write_it() {
        let hash = |byte: u8| format!("{:?}", H256::repeat_byte(byte));
        let round = json!({
            "block": { "number": 12, "hash": hash(1) }, "parent": hash(2), "base": { "number": 11, "hash": hash(2) },
            "anchor": { "number": 3, "hash": hash(3), "parent": hash(4), "timestamp": 1 },
            "outcome_root": hash(5), "receipts_root": hash(6), "state_root": hash(7), "transitions_hash": hash(8),
            "gas_burned": 5, "work_left": false, "starved": [], "transitions": [], "receipts_count": 1,
            "receipts": [{
                "index": 0, "leaf": hash(9), "message_id": hash(10), "program_id": hash(11), "code": "0x00000000",
                "payload_hash": hash(12), "value": 0, "gas_burned": 5, "round": 12,
            }],
        });
        let round = read(round).unwrap().unwrap();
        assert_eq!(round.base.number, 11);
        assert_eq!(round.state_root, H256::repeat_byte(7));
        assert_eq!(round.receipts[0].program_id.0, H256::repeat_byte(11));
        assert_eq!(read(Value::Null).unwrap(), None);
        assert!(read(json!({ "block": 1 })).is_err());
    }
}
