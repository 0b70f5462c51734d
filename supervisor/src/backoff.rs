//! How long a child that died waits before it is started again.

use core::time::Duration;

/// A child that ran this long starts over without delay. COMPAT: keepalived 2.4.3.
pub const GOOD_RUN: Duration = Duration::from_secs(60);

/// Longest delay. COMPAT: keepalived 2.4.3.
pub const LONGEST: Duration = Duration::from_secs(60);

/// The delays of one child: none after a good run or for the first death, then 0, 1, 2, 4 … 60 s.
///
/// The first is immediate because a vrrpd that dies as master must be back before a backup takes over, which is a matter
/// of milliseconds; that a crash repeats is seen at the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    deaths: u32,
}

impl Backoff {
    /// The delay after a death, when the child had run for `ran`.
    pub fn after(&mut self, ran: Duration) -> Duration {
        if ran >= GOOD_RUN {
            self.deaths = 0;
        }
        self.deaths = self.deaths.saturating_add(1);
        match self.deaths {
            0..=2 => Duration::ZERO,
            n => Duration::from_secs(1u64.checked_shl(n.saturating_sub(3)).unwrap_or(u64::MAX)).min(LONGEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn delays_double_up_to_a_minute() {
        let mut backoff = Backoff::default();
        let delays: Vec<u64> = (0..11).map(|_| backoff.after(Duration::from_secs(1)).as_secs()).collect();
        assert_eq!(delays, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_good_run_starts_over() {
        let mut backoff = Backoff::default();
        for _ in 0..9 {
            backoff.after(Duration::ZERO);
        }
        assert_eq!(backoff.after(GOOD_RUN), Duration::ZERO);
        assert_eq!(backoff.after(Duration::ZERO), Duration::ZERO);
        assert_eq!(backoff.after(Duration::ZERO), Duration::from_secs(1));
    }

    #[test]
    fn a_million_deaths_do_not_overflow() {
        let mut backoff = Backoff { deaths: u32::MAX - 1 };
        assert_eq!(backoff.after(Duration::ZERO), LONGEST);
        assert_eq!(backoff.after(Duration::ZERO), LONGEST);
    }
}
