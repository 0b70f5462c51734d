//! Messages: one enum per directed edge, so that a message that goes the wrong way does not compile.
//!
//! After configuration a message may select, never describe: every message that goes up in privilege is `Copy`, at most
//! 16 bytes ([`UP_LIMIT`]), made of indices and closed enums. The receiver looks the index up in its own configuration.
//! Messages that go down in privilege may describe (link facts).
//! State is level, not edge: a message says what is wanted now, it may be repeated, and after a restart or an activation
//! each peer says everything again.

pub mod compile;
pub mod control;
pub mod reals;
pub mod sessions;
pub mod vips;

use serde::{Deserialize, Serialize};

/// Largest size in memory of a message that goes up in privilege.
pub const UP_LIMIT: usize = 16;

/// Asserts at compile time that a type may go up in privilege.
macro_rules! goes_up {
    ($($t:ty),* $(,)?) => {$(
        const _: () = {
            const fn is_copy<T: Copy>() {}
            is_copy::<$t>();
            assert!(core::mem::size_of::<$t>() <= $crate::msg::UP_LIMIT);
        };
    )*};
}
pub(crate) use goes_up;

/// The processes beside the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// `checkd compile`
    Compile,
    /// `checkd run`
    Check,
    /// vrrpd
    Vrrp,
    /// ipvsd
    Ipvs,
}

impl core::fmt::Display for Role {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Role::Compile => "checkd compile",
            Role::Check => "checkd",
            Role::Vrrp => "vrrpd",
            Role::Ipvs => "ipvsd",
        })
    }
}
