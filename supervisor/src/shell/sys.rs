//! The only `unsafe` of this program, and why it is sound.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::sys::signal::SigSet;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Makes a command run as a user with supplementary groups, which `std` can only empty. They are set before the user changes:
/// afterwards nobody may.
pub fn become_member(command: &mut Command, uid: u32, gid: u32, others: &[u32]) {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let others: Vec<Gid> = others.iter().copied().map(Gid::from_raw).collect();
    let become_them = move || {
        setgroups(&others)?;
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)?;
        Ok(())
    };
    // SAFETY: between fork(2) and execve(2) only three system calls are made. The list was made before; nothing allocates, takes a
    // lock or touches what another thread may have held.
    unsafe { command.pre_exec(become_them) };
}

/// Makes a command start with no signal blocked, whatever is blocked here: `std` hands the mask on, and a command that SIGTERM and SIGALRM do
/// not reach can neither be ended in order nor keep its own time-outs.
pub fn unblock_signals(command: &mut Command) {
    // SAFETY: between fork(2) and execve(2) one system call is made, with a set that lives on the stack.
    unsafe { command.pre_exec(|| Ok(SigSet::empty().thread_set_mask()?)) };
}

/// A netlink socket of NETLINK_CONNECTOR, which nix has no name for; close-on-exec, non-blocking.
pub fn connector() -> Result<OwnedFd, Errno> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: integer arguments only.
    let fd = Errno::result(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_CONNECTOR) })?;
    // SAFETY: the call before has just made it; nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Lets only those packets into a socket that a classic BPF program accepts.
pub fn attach_filter(socket: BorrowedFd<'_>, program: &[libc::sock_filter]) -> Result<(), Errno> {
    let len = u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
    let fprog = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    let size = libc::socklen_t::try_from(size_of::<libc::sock_fprog>()).map_err(|_| Errno::E2BIG)?;
    // SAFETY: `fprog` and the `len` instructions it points to live until the call returns; the kernel copies them and does not write to
    // them.
    let done = unsafe {
        let fprog = core::ptr::from_ref(&fprog).cast::<libc::c_void>();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, fprog, size)
    };
    Errno::result(done).map(drop)
}
