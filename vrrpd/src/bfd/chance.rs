//! Numbers that a neighbour cannot foresee, from the random bits that the shell gives (splitmix64): discriminators and jitter.

/// A source of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chance(u64);

impl Chance {
    /// From random bits.
    pub fn new(bits: u64) -> Self {
        Chance(bits)
    }

    /// The next number.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A discriminator: not 0 (RFC 5880 §6.8.1).
    pub fn discriminator(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.bits().to_be_bytes();
        u32::from_be_bytes([a, b, c, d]).max(1)
    }
}
