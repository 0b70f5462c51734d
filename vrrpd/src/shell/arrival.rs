//! When a packet came: the kernel stamps it, on the clock of the day; machines live on the monotonic one.
//!
//! A master is given up one Master_Down_Interval after its last advert came, not after this process found the time to read it.

use core::time::Duration;
use ipc::evloop::clock;
use ipc::time::Mono;
use nix::time::{ClockId, clock_gettime};

/// The two clocks run alike but when the clock of the day is set. A difference that changes by more than this has been: the stamps
/// of that turn mean nothing.
const STEP: Duration = Duration::from_millis(1);

/// No stamp is believed that is older than this: nothing waits so long but while the whole machine stands still.
const OLDEST: Duration = Duration::from_secs(1);

/// The difference of the two clocks.
#[derive(Debug, Default)]
pub struct Arrival {
    /// Nanoseconds from the monotonic clock to that of the day.
    difference: Option<u64>,
    trust: Trust,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trust {
    #[default]
    No,
    Yes,
}

impl Arrival {
    /// Reads both clocks; once in a turn in which packets are read.
    pub fn look(&mut self) {
        let mono = clock();
        let day = clock_gettime(ClockId::CLOCK_REALTIME).map(Duration::from).unwrap_or_default();
        self.compare(mono, day);
    }

    fn compare(&mut self, mono: Mono, day: Duration) {
        let day = u64::try_from(day.as_nanos()).unwrap_or(u64::MAX);
        let difference = day.saturating_sub(mono.0);
        let known = self.difference.is_some_and(|before| Duration::from_nanos(before.abs_diff(difference)) <= STEP);
        self.trust = if known { Trust::Yes } else { Trust::No };
        self.difference = Some(difference);
    }

    /// When a packet with this stamp came; `now` at the latest, and when it has no stamp or one of no use.
    pub fn at(&self, stamp: Option<Duration>, now: Mono) -> Mono {
        match (self.trust, self.difference, stamp) {
            (Trust::Yes, Some(difference), Some(stamp)) => {
                let stamp = u64::try_from(stamp.as_nanos()).unwrap_or(u64::MAX);
                Mono(stamp.saturating_sub(difference)).clamp(now - OLDEST, now)
            }
            _ => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Mono = Mono(50_000_000_000);
    const DAY: Duration = Duration::from_secs(1_000_000);

    fn ago(ms: u64) -> Option<Duration> {
        Some(DAY - Duration::from_millis(ms))
    }

    /// Two looks while the clocks run alike.
    fn settled() -> Arrival {
        let mut arrival = Arrival::default();
        arrival.compare(NOW - Duration::from_secs(7), DAY - Duration::from_secs(7));
        arrival.compare(NOW, DAY);
        arrival
    }

    #[test]
    fn the_age_is_taken_off() {
        assert_eq!(settled().at(ago(3), NOW), NOW - Duration::from_millis(3));
    }

    #[test]
    fn never_later_than_now_and_never_very_old() {
        assert_eq!(settled().at(Some(DAY + Duration::from_millis(1)), NOW), NOW);
        assert_eq!(settled().at(ago(60_000), NOW), NOW - OLDEST);
        assert_eq!(settled().at(None, NOW), NOW);
    }

    #[test]
    fn a_clock_that_was_set_is_not_believed_for_a_turn() {
        let mut arrival = settled();
        let later = NOW + Duration::from_secs(1);
        let day = DAY + Duration::from_secs(3_601);
        arrival.compare(later, day);
        assert_eq!(arrival.at(ago(3), later), later);
        arrival.compare(later, day);
        assert_eq!(arrival.at(Some(day - Duration::from_millis(3)), later), later - Duration::from_millis(3));
    }

    #[test]
    fn the_first_look_proves_nothing() {
        let mut arrival = Arrival::default();
        arrival.compare(NOW, DAY);
        assert_eq!(arrival.at(ago(3), NOW), NOW);
    }
}
