//! When a service has its quorum. COMPAT: keepalived 2.4.3.

use ipc::config::check::Service;

/// Whether a service has its quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// It has: its real servers serve.
    Up,
    /// It has not: the sorry server serves, where there is one.
    Down,
}

/// The state that follows from `before` and the sum of the weights of the real servers that are alive. Up when the sum
/// reaches `quorum + hysteresis`, down when it falls below `quorum - hysteresis` or to nothing; in between it stays.
pub fn after(service: &Service, before: Quorum, weight: u64) -> Quorum {
    match before {
        Quorum::Down if weight > 0 && weight >= gain_at(service) => Quorum::Up,
        Quorum::Up if weight == 0 || weight < lose_below(service) => Quorum::Down,
        Quorum::Down | Quorum::Up => before,
    }
}

/// `quorum + hysteresis`
pub fn gain_at(service: &Service) -> u64 {
    u64::from(service.quorum).saturating_add(u64::from(service.hysteresis))
}

/// `quorum - hysteresis`
pub fn lose_below(service: &Service) -> u64 {
    u64::from(service.quorum).saturating_sub(u64::from(service.hysteresis))
}

#[cfg(test)]
mod tests;
