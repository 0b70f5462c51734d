//! The only `unsafe` of this crate. Each block states why it is sound.
#![allow(unsafe_code)]

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Owns a descriptor that the kernel has just handed to this process (SCM_RIGHTS, pidfd_open).
pub(crate) fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the callers pass a descriptor that a system call has just created for this process; nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
