//! What only unsafe code can do.
#![allow(unsafe_code, reason = "the one file of this shell that may")]

use netlink_sys::Socket;
use std::os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd};

/// A netlink socket that another process has opened.
pub fn netlink(socket: OwnedFd) -> Socket {
    // SAFETY: the descriptor is open and owned, and its owner gives it up here; whatever kind of socket it is, calls on it are safe.
    unsafe { Socket::from_raw_fd(socket.into_raw_fd()) }
}
