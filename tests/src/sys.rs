//! The only `unsafe` of this package. Each block states why it is sound.
#![allow(unsafe_code)] // A system call that neither nix nor libc wraps.

use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// A copy of descriptor `number` of another process: the same open file. Linux 5.6; needs what ptrace needs.
pub fn pidfd_getfd(process: BorrowedFd<'_>, number: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: three integer arguments, no memory is passed; `process` is open while it is borrowed.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) })?;
    let fd = RawFd::try_from(fd).map_err(|_| Errno::EOVERFLOW)?;
    // SAFETY: the call has just made this descriptor for this process; nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
