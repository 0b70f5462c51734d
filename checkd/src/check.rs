//! Health checks without I/O: what is said to a server ([`dialogue`] and the kinds it is made of), what its answer means
//! ([`Verdict`]), and when it is asked again ([`schedule`]).

pub mod cert;
pub mod dialogue;
pub mod dns;
pub mod file;
pub mod http;
pub mod misc;
pub mod pattern;
pub mod ping;
pub mod reply;
pub mod schedule;
pub mod smtp;
pub mod tcp;
pub mod udp;

pub use dialogue::{Asked, Dialogue, Next, Outcome};

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
    /// The answer stopped in its midst for `connect_timeout`.
    AnswerStopped,
    /// The whole took longer than [`STEPS_PER_PROBE`] times `connect_timeout`.
    TooSlow,
    /// It was closed before a whole header had come.
    NoAnswer,
    /// What came is no HTTP header.
    Malformed,
    /// The header is longer than [`http::HEAD_LIMIT`] bytes.
    HeadTooLong,
    /// The page is [`http::BODY_LIMIT`] bytes long or longer.
    BodyTooLong,
    /// A status code that is not accepted.
    Status(u16),
    /// Another digest.
    Digest,
    /// The page does not match, or it does and must not.
    Regex,
    /// There was no TLS with the server.
    Tls,
    /// It closed without the goodbye of TLS.
    Truncated,
    /// No 220 to begin with.
    Greeting,
    /// No 250 after HELO.
    Helo,
    /// A response with this code (RFC 1035 §4.1.1), 1..=15.
    Rcode(u8),
    /// Another datagram than the right one.
    Reply,
    /// The command ended with this status.
    Exited(u8),
    /// This signal ended the command.
    Signalled(u8),
    /// The command was ended after its timeout.
    RanTooLong,
    /// The command cannot be started any more.
    NotStarted,
    /// The number in the file.
    Number,
    /// The BFD session is down.
    Session,
}

/// The bound of a probe as a whole.
pub fn probe_limit(step: Duration) -> Duration {
    step.saturating_mul(STEPS_PER_PROBE)
}
