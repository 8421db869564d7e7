//! How far a round, or a message in it, is confirmed: one scale, and one name for each level, for node, clients and command line.

use codec::{Decode, Encode};

/// How far a message, or a round, is confirmed. Each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Level {
    /// The node that says so has executed its round.
    Executed,
    /// A quorum of validators has signed the round, with the outcome that this node has got.
    Certified,
    /// And GRANDPA has finalised the block of the round.
    Finalized,
    /// The Router holds a batch with the round.
    Committed,
    /// It holds one after an Ethereum block that is final.
    Settled,
}

impl Level {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::Executed,
        Self::Certified,
        Self::Finalized,
        Self::Committed,
        Self::Settled,
    ];

    /// Its name, as it is written everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Executed => "executed",
            Self::Certified => "certified",
            Self::Finalized => "finalized",
            Self::Committed => "committed",
            Self::Settled => "settled",
        }
    }

    /// The level with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_json_has() {
        for level in Level::ALL {
            assert_eq!(Level::from_name(level.name()), Some(level));
            #[cfg(feature = "serde")]
            assert_eq!(serde_json::json!(level), level.name());
        }
        assert_eq!(Level::from_name("Executed"), None);
        assert!(Level::ALL.is_sorted());
    }
}
