//! Numbers that nobody guesses who has not seen them, from the random bits that came with the configuration (splitmix64).

/// A source of numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chance(u64);

impl Chance {
    /// Stirs random bits in.
    pub(super) fn stir(&mut self, bits: u64) {
        self.0 ^= bits;
    }

    /// The next number.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
}

/// A number that says little of `x`.
pub(super) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
