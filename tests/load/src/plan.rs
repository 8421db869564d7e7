//! What is to be sent: how much, how fast, by whom, to which programs.

use anyhow::{Context, Result, bail, ensure};
use std::{fmt, str::FromStr, time::Duration};

/// Kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `PING` to a program that counts: the smallest message there is.
    Ping,
    /// One is added to a counter, which emits an Ethereum event.
    Counter,
    /// A token moves from the sender to another sender.
    Token,
    /// About a millisecond of hashing.
    Cpu,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Ping, Self::Counter, Self::Token, Self::Cpu];

    /// Its name in options and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Counter => "counter",
            Self::Token => "token",
            Self::Cpu => "cpu",
        }
    }
}

/// How often each kind is sent, as weights: `ping=8,token=1,cpu=1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix(Vec<(Kind, u32)>);

impl Default for Mix {
    fn default() -> Self {
        Self(vec![(Kind::Ping, 6), (Kind::Token, 3), (Kind::Cpu, 1)])
    }
}

impl FromStr for Mix {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut mix: Vec<(Kind, u32)> = Vec::new();
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
            let Some(kind) = kind else {
                bail!("there is no kind `{name}`: ping, counter, token, cpu");
            };
            let twice = mix.iter().any(|(other, _)| *other == kind);
            ensure!(!twice, "`{name}` is named twice");
            let weight = weight.parse().context("a weight is a whole number")?;
            if weight > 0 {
                mix.push((kind, weight));
            }
        }
        ensure!(!mix.is_empty(), "at least one weight must be above zero");
        Ok(Self(mix))
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, weight)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}={weight}", kind.name())?;
        }
        Ok(())
    }
}

impl Mix {
    /// The kinds in it.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        self.0.iter().map(|(kind, _)| *kind)
    }

    /// One of them, by a random number.
    pub fn pick(&self, random: u64) -> Kind {
        let sum: u64 = self.0.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut left = random % sum.max(1);
        for (kind, weight) in &self.0 {
            match left.checked_sub((*weight).into()) {
                None => return *kind,
                Some(rest) => left = rest,
            }
        }
        Kind::Ping
    }
}

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Different users.
    pub senders: usize,
    /// Messages per second, of all senders together.
    pub rate: f64,
    /// How long is sent.
    pub duration: Duration,
    /// What is sent.
    pub mix: Mix,
    /// Programs of each kind, between which messages are spread.
    pub programs: usize,
    /// Of a hundred messages, so many go through Ethereum.
    pub ethereum_percent: u8,
    /// wVARA with which each program starts.
    pub wvara: u128,
    /// Threads that sign.
    pub threads: usize,
    /// How long what was accepted may take until it is final, after the last was sent.
    pub patience: Duration,
    /// What is random follows from this.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            senders: 100,
            rate: 100.0,
            duration: Duration::from_secs(30),
            mix: Mix::default(),
            programs: 4,
            ethereum_percent: 0,
            wvara: 50_000,
            threads: 1,
            patience: Duration::from_secs(60),
            seed: 1,
        }
    }
}

impl Plan {
    /// How many messages there are.
    pub fn total(&self) -> u64 {
        // A rate of 2^53 messages a second is not reached.
        (self.rate * self.duration.as_secs_f64()).round().max(1.0) as u64
    }

    /// When the message with this number is due, from the beginning.
    pub fn due(&self, number: u64) -> Duration {
        Duration::from_secs_f64(number as f64 / self.rate)
    }

    /// What the message with this number is; the same for the same seed.
    pub fn message(&self, number: u64) -> Message {
        let mut random = Random::new(self.seed, number);
        let place = |random: &mut Random, many: usize| {
            usize::try_from(random.draw() % (many.max(1) as u64)).unwrap_or(0)
        };
        Message {
            number,
            kind: self.mix.pick(random.draw()),
            ethereum: random.draw() % 100 < self.ethereum_percent.into(),
            program: place(&mut random, self.programs),
            sender: place(&mut random, self.senders),
            receiver: place(&mut random, self.senders),
        }
    }
}

/// A message of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its place in the run.
    pub number: u64,
    /// What it says.
    pub kind: Kind,
    /// Whether it goes through Ethereum.
    pub ethereum: bool,
    /// Which of the programs of its kind gets it.
    pub program: usize,
    /// Which sender sends it.
    pub sender: usize,
    /// Which sender gets the token.
    pub receiver: usize,
}

/// Numbers that look random (SplitMix64), and are the same for the same seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// For one of many equal things.
    pub fn new(seed: u64, number: u64) -> Self {
        let mut random = Self(seed);
        Self(random.draw() ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_read_and_kept() {
        let mix: Mix = "ping=8,cpu=2,token=0".parse().unwrap();
        assert_eq!(mix.to_string(), "ping=8,cpu=2");
        let picked: Vec<_> = (0..20).map(|random| mix.pick(random)).collect();
        let pings = picked.iter().filter(|kind| **kind == Kind::Ping).count();
        assert_eq!((pings, picked.len()), (16, 20));
        assert!("ping=x".parse::<Mix>().is_err());
        assert!("pong".parse::<Mix>().is_err());
        assert!("ping=1,ping=2".parse::<Mix>().is_err());
        assert!("ping=0".parse::<Mix>().is_err());
    }

    #[test]
    fn a_seed_says_all() {
        let plan = Plan {
            ethereum_percent: 30,
            ..Plan::default()
        };
        let run = |plan: &Plan| (0..1_000).map(|n| plan.message(n)).collect::<Vec<_>>();
        assert_eq!(run(&plan), run(&plan));
        let other = Plan {
            seed: 2,
            ..plan.clone()
        };
        assert_ne!(run(&plan), run(&other));
        let ethereum = run(&plan).iter().filter(|message| message.ethereum).count();
        assert!((200..400).contains(&ethereum), "{ethereum}");
        assert_eq!(plan.total(), 3_000);
        assert_eq!(plan.due(150), Duration::from_millis(1_500));
    }
}
