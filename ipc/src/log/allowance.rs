//! How many lines may be written.

use super::{LINES_BURST, LINES_PER_SECOND};
use crate::time::Mono;

/// A token bucket.
#[derive(Debug)]
pub(super) struct Allowance {
    /// Lines that may be written now, in thousandths.
    milli: u64,
    at: Mono,
}

impl Allowance {
    pub fn full(now: Mono) -> Self {
        Allowance { milli: u64::from(LINES_BURST).saturating_mul(1_000), at: now }
    }

    /// Whether one more may be written now.
    pub fn take(&mut self, now: Mono) -> bool {
        let passed = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        let earned = passed.saturating_mul(u64::from(LINES_PER_SECOND)) / 1_000;
        if earned > 0 {
            self.milli = self.milli.saturating_add(earned).min(u64::from(LINES_BURST).saturating_mul(1_000));
            self.at = now;
        }
        match self.milli.checked_sub(1_000) {
            Some(rest) => {
                self.milli = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn a_burst_then_the_rate() {
        let start = Mono(5_000_000_000);
        let mut allowance = Allowance::full(start);
        for n in 0..LINES_BURST {
            assert!(allowance.take(start), "{n}");
        }
        assert!(!allowance.take(start));
        // A second in small steps earns as much as in one.
        let mut taken = 0;
        for micros in (0..=1_000_000).step_by(10) {
            taken += u32::from(allowance.take(start + Duration::from_micros(micros)));
        }
        assert_eq!(taken, LINES_PER_SECOND);
        let later = start + Duration::from_secs(3_600);
        assert_eq!((0..LINES_BURST * 2).filter(|_| allowance.take(later)).count(), LINES_BURST as usize);
    }
}
