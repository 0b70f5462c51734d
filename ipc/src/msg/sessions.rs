//! Between vrrpd, which runs the BFD sessions, and checkd, whose BFD_CHECKs hear of them.
//!
//! vrrpd says how every session stands that checkers are told of, once on a new channel, after an activation and when it is asked to, and
//! of each that changes. It says nothing of a session that has not had the time to come up: who knew more goes on with that.

use crate::config::BfdIdx;
use serde::{Deserialize, Serialize};

/// vrrpd to checkd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VrrpToCheck {
    /// How a session stands.
    Session {
        /// Which.
        bfd: BfdIdx,
        /// How.
        now: SessionState,
    },
}

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SessionState {
    /// The neighbour is heard, and hears us.
    Up,
    /// Not so.
    Down,
}

/// checkd to vrrpd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckToVrrp {
    /// Say everything again.
    Resync,
}

super::goes_up!(VrrpToCheck, CheckToVrrp);
