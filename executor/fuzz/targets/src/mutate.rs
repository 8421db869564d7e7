//! Mutations of inputs, the same for the same seed: for runs without libFuzzer.

/// A small generator, so that a run can be repeated.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.number() % limit as u64) as usize
    }

    /// Random bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.number() as u8).collect()
    }
}

/// Longest input that [`mutated`] makes, in bytes.
const LONGEST: usize = 8192;

/// One of `corpus` changed in a few places, perhaps by parts of another.
pub fn mutated(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..1 + random.below(6) {
        mutate(random, corpus, &mut input);
    }
    input.truncate(LONGEST);
    input
}

fn mutate(random: &mut Random, corpus: &[Vec<u8>], input: &mut Vec<u8>) {
    const STRANGE: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, 0xfe, 32, 255 - 32];
    if input.is_empty() {
        *input = random.bytes(64);
        return;
    }
    let at = random.below(input.len());
    match random.below(8) {
        0 => input[at] ^= 1 << random.below(8),
        1 => input[at] = random.bytes(1)[0],
        2 => input[at] = STRANGE[random.below(STRANGE.len())],
        3 => {
            let length = 1 + random.below(16);
            let bytes = random.bytes(length);
            input.splice(at..at, bytes);
        }
        4 => {
            let end = input.len().min(at + 1 + random.below(16));
            input.drain(at..end);
        }
        5 => {
            let end = input.len().min(at + 1 + random.below(64));
            let copy = input[at..end].to_vec();
            let to = random.below(input.len());
            input.splice(to..to, copy);
        }
        6 => {
            let other = &corpus[random.below(corpus.len())];
            let from = random.below(other.len() + 1);
            let end = other.len().min(from + random.below(256));
            input.splice(at.., other[from..end].iter().copied());
        }
        _ => {
            let length = random.below(128);
            input.extend(random.bytes(length));
        }
    }
}
