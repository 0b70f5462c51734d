//! `TCP_CHECK`: the server is well when the connection comes about; nothing is said, and it is closed at once.
//! COMPAT: keepalived 2.4.3.

use super::{Fault, Verdict};

/// How an attempt to connect ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The connection is there.
    Connected,
    /// Refused, unreachable, reset.
    Refused,
    /// It took longer than `connect_timeout`.
    TimedOut,
}

/// What that says of the server.
pub fn verdict(attempt: Attempt) -> Verdict {
    match attempt {
        Attempt::Connected => Verdict::Pass,
        Attempt::Refused => Verdict::Fail(Fault::NotConnected),
        Attempt::TimedOut => Verdict::Fail(Fault::ConnectTimeout),
    }
}
