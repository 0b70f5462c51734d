//! BFD (RFC 5880, 5881, 5883): whether the way to a neighbour works, asked and answered many times a second.
//!
//! Asynchronous mode without authentication, echoes or a wish for demand mode, as keepalived does it. [`session`] holds one session and
//! what a packet does to it, [`timing`] when it speaks and how long it waits, [`sessions`] whose packet it is and what a reload means.

pub mod chance;
pub mod dump;
pub mod session;
pub mod sessions;
pub mod timing;

#[cfg(test)]
mod pair_tests;
#[cfg(test)]
mod session_tests;
