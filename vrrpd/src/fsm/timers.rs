//! The durations of RFC 9568 §6.1.

use core::time::Duration;
use ipc::config::vrrp::Version;

/// `Skew_Time`. RFC 3768 §6.1: `(256 − priority) / 256` seconds, whatever the interval; RFC 9568 §6.1: that part of the
/// master's interval, which counts in steps of 10 ms.
pub fn skew_time(version: Version, priority: u8, master_adver_interval: Duration) -> Duration {
    let whole = match version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => centiseconds(master_adver_interval),
    };
    whole.saturating_mul(256 - u32::from(priority)) / 256
}

/// `Master_Down_Interval`: `adverts` (`down_timer_adverts`, 3) intervals of the master and our skew.
pub fn master_down_interval(version: Version, priority: u8, master_adver_interval: Duration, adverts: u8) -> Duration {
    master_adver_interval.saturating_mul(u32::from(adverts)).saturating_add(skew_time(
        version,
        priority,
        master_adver_interval,
    ))
}

/// Cut to a whole number of centiseconds.
fn centiseconds(interval: Duration) -> Duration {
    Duration::from_millis(u64::try_from(interval.as_millis() / 10).unwrap_or(u64::MAX).saturating_mul(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_2_skews_on_the_scale_of_a_second() {
        assert_eq!(skew_time(Version::V2, 100, Duration::from_secs(5)), Duration::from_micros(609_375));
        // Measured: keepalived 2.2.7 with priority 100 and advert_int 1 took over 3.609 s after its start.
        assert_eq!(master_down_interval(Version::V2, 100, Duration::from_secs(1), 3), Duration::from_micros(3_609_375));
    }

    #[test]
    fn version_3_skews_on_the_scale_of_the_interval() {
        // Measured: keepalived 2.2.7, version 3, priority 200, advert_int 0.5: 1.609 s.
        assert_eq!(
            master_down_interval(Version::V3, 200, Duration::from_millis(500), 3),
            Duration::from_micros(1_609_375)
        );
        assert_eq!(skew_time(Version::V3, 254, Duration::from_millis(19)), Duration::from_nanos(78_125));
    }
}
