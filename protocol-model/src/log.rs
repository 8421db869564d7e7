//! What execution has done, as short as it can be said: the messages in the order in which they were executed. Two
//! states are equal if and only if their logs are, so a log also stands for the state root.

use crate::ethereum::Block;

/// Bits of one entry.
const WIDTH: u32 = 5;
/// Codes from here on are native messages.
const NATIVES: u8 = 24;

/// One executed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The event of an Ethereum block: a deposit of one unit.
    Event(Block),
    /// The native message with this place among those of the chain: pays one unit to a user on Ethereum if there is one.
    Native(u8),
}

/// Messages in the order of their execution. At most 25; bounds are chosen so that there are never more.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Log(u128);

impl Default for Log {
    fn default() -> Self {
        Self(1)
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[")?;
        for entry in self.iter() {
            match entry {
                Entry::Event(block) => write!(formatter, " e{block}")?,
                Entry::Native(native) => write!(formatter, " n{native}")?,
            }
        }
        formatter.write_str(" ]")
    }
}

impl Log {
    /// How many messages.
    pub fn len(self) -> usize {
        ((u128::BITS - 1 - self.0.leading_zeros()) / WIDTH) as usize
    }

    /// Nothing was executed.
    pub fn is_empty(self) -> bool {
        self.0 == 1
    }

    /// Appends a message.
    ///
    /// # Panics
    ///
    /// If the log is full, or the message's index too great: the bounds of the model are too wide then.
    pub fn push(&mut self, entry: Entry) {
        let code = match entry {
            Entry::Event(block) if block < NATIVES => block,
            Entry::Native(native) if native < (1 << WIDTH) - NATIVES => NATIVES + native,
            _ => panic!("{entry:?} cannot be logged"),
        };
        assert!(self.0.leading_zeros() >= WIDTH, "the log is full");
        self.0 = self.0 << WIDTH | u128::from(code);
    }

    /// Oldest first.
    pub fn iter(self) -> impl Iterator<Item = Entry> {
        (0..self.len() as u32).rev().map(move |place| {
            let code = (self.0 >> (place * WIDTH)) as u8 & ((1 << WIDTH) - 1);
            if code < NATIVES {
                Entry::Event(code)
            } else {
                Entry::Native(code - NATIVES)
            }
        })
    }

    /// Blocks whose events are in it, in order.
    pub fn events(self) -> impl Iterator<Item = Block> {
        self.iter().filter_map(|entry| match entry {
            Entry::Event(block) => Some(block),
            Entry::Native(_) => None,
        })
    }

    /// Native messages in it, in order.
    pub fn natives(self) -> impl Iterator<Item = u8> {
        self.iter().filter_map(|entry| match entry {
            Entry::Event(_) => None,
            Entry::Native(native) => Some(native),
        })
    }

    /// What comes after `prefix`, if it is one.
    pub fn after(self, prefix: Self) -> Option<Self> {
        let more = self.len().checked_sub(prefix.len())? as u32;
        if self.0 >> (more * WIDTH) != prefix.0 {
            return None;
        }
        let bits = more * WIDTH;
        Some(Self(1 << bits | self.0 & ((1 << bits) - 1)))
    }

    /// This, then `next`.
    pub fn then(self, next: Self) -> Self {
        let mut all = self;
        next.iter().for_each(|entry| all.push(entry));
        all
    }

    /// The same with other names for Ethereum blocks.
    pub fn renamed(self, name: impl Fn(Block) -> Block) -> Self {
        let mut renamed = Self::default();
        for entry in self.iter() {
            renamed.push(match entry {
                Entry::Event(block) => Entry::Event(name(block)),
                native @ Entry::Native(_) => native,
            });
        }
        renamed
    }

    /// What programs own in the end, and what was paid to users.
    pub fn funds(self) -> Funds {
        let mut funds = Funds::default();
        for entry in self.iter() {
            match entry {
                Entry::Event(_) => funds.owned += 1,
                Entry::Native(_) if funds.owned > 0 => {
                    funds.owned -= 1;
                    funds.paid += 1;
                }
                Entry::Native(_) => {}
            }
        }
        funds
    }

    /// Whether the native message has paid. `None` if it was not executed.
    pub fn has_paid(self, native: u8) -> Option<bool> {
        let mut until = Self::default();
        for entry in self.iter() {
            let before = until.funds().paid;
            until.push(entry);
            if entry == Entry::Native(native) {
                return Some(until.funds().paid > before);
            }
        }
        None
    }
}

/// Where value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Funds {
    /// With programs.
    pub owned: u8,
    /// With users.
    pub paid: u8,
}
