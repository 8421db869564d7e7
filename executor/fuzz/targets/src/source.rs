//! Decisions from a fuzzer's bytes. Where they end everything is zero, so that any input means something.

/// What is left of the bytes.
pub(crate) struct Source<'a>(pub(crate) &'a [u8]);

impl Source<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        let (here, rest) = self.0.split_at(self.0.len().min(N));
        out[..here.len()].copy_from_slice(here);
        self.0 = rest;
        out
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.bytes::<1>()[0]
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.bytes())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    /// A number below `limit`, which is at most 256.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Once in `odds` times.
    pub(crate) fn once_in(&mut self, odds: usize) -> bool {
        self.below(odds) == odds - 1
    }

    /// Up to `most` of the bytes, as many as the first says.
    pub(crate) fn text(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(256).min(most).min(self.0.len());
        let (here, rest) = self.0.split_at(length);
        self.0 = rest;
        here.to_vec()
    }

    /// An amount of ETH, mostly small, never so much that all of them together would not fit.
    pub(crate) fn value(&mut self) -> u128 {
        match self.below(8) {
            0..4 => 0,
            4..6 => u128::from(self.byte()),
            6 => u128::from(self.u64()),
            _ => 1 << self.below(100),
        }
    }
}
