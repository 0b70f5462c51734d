//! Health checks without I/O: what is said to a server ([`http`], [`tcp`]), what its answer means ([`Verdict`]), and when it is
//! asked again ([`schedule`]).

pub mod http;
pub mod schedule;
pub mod tcp;

use core::time::Duration;

/// A probe as a whole may take this many times `connect_timeout`: a server that keeps each step alive by one byte at a time must
/// not hold a connection for ever. COMPAT: keepalived 2.2.7 bounds the steps only.
pub const STEPS_PER_PROBE: u32 = 10;

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The right answer.
    Pass,
    /// Anything else.
    Fail(Fault),
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refused or unreachable.
    NotConnected,
    /// No connection within `connect_timeout`.
    ConnectTimeout,
    /// The connection broke.
    Broken,
    /// Nothing came within `connect_timeout`.
    ReadTimeout,
    /// The whole took longer than [`STEPS_PER_PROBE`] times `connect_timeout`.
    TooSlow,
    /// It was closed before a whole header had come.
    NoAnswer,
    /// What came is no HTTP header.
    Malformed,
    /// The header is longer than [`http::HEAD_LIMIT`] bytes.
    HeadTooLong,
    /// A status code that is not accepted.
    Status(u16),
    /// Another digest.
    Digest,
}

/// The bound of a probe as a whole.
pub fn probe_limit(step: Duration) -> Duration {
    step.saturating_mul(STEPS_PER_PROBE)
}
