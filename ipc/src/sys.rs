//! The only `unsafe` of this crate. Each block states why it is sound.
//!
//! What is here is what neither nix nor caps wraps.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use seccompiler::sock_filter;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Owns a descriptor that the kernel has just handed to this process (SCM_RIGHTS, pidfd_open).
pub(crate) fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the callers pass a descriptor that a system call has just created for this process; nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Descriptor 0 as an owned value, once; `None` at every later call.
pub(crate) fn own_descriptor_0() -> Option<OwnedFd> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return None;
    }
    // SAFETY: a child is started with its channel as descriptor 0 and never uses `std::io::stdin`; `TAKEN` makes this the
    // only owner.
    Some(unsafe { OwnedFd::from_raw_fd(0) })
}

/// Makes this process hear how its children end, whatever it was started with: a parent that ignores SIGCHLD hands that on
/// through execve(2), and the kernel then forgets ended children at once.
pub fn hear_of_children() -> Result<(), Errno> {
    // SAFETY: SIG_DFL is no function, so nothing of this program is ever called for the signal.
    let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    if before == libc::SIG_ERR { Err(Errno::last()) } else { Ok(()) }
}

/// Gives memory back to the system that is free now: what a configuration was read from is not needed again before the next one.
pub fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: an integer argument; malloc_trim(3) may be called at any time.
    let _ = unsafe { libc::malloc_trim(0) };
}

/// A descriptor that becomes readable when the process ends. Race-free only for a child that has not been waited for.
/// Linux 5.3; close-on-exec by itself.
pub fn pidfd_open(pid: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: two integer arguments, no memory is passed.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    RawFd::try_from(fd).map(own).map_err(|_| Errno::EOVERFLOW)
}

/// Sends a signal to the process that `pidfd` stands for; it cannot hit another that got the same number.
pub fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: Signal) -> Result<(), Errno> {
    let no_info: *const libc::siginfo_t = core::ptr::null();
    // SAFETY: a null siginfo is allowed and means what kill(2) would send; the descriptor is open while it is borrowed.
    let done =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal as libc::c_int, no_info, 0) };
    Errno::result(done).map(drop)
}

/// Sets the secure bits of the calling thread (capabilities(7)). Needs CAP_SETPCAP.
pub(crate) fn set_securebits(bits: libc::c_int) -> Result<(), Errno> {
    // SAFETY: integer arguments only.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_SECUREBITS, bits, 0, 0, 0) }).map(drop)
}

/// The secure bits of the calling thread.
pub(crate) fn securebits() -> Result<libc::c_int, Errno> {
    // SAFETY: integer arguments only.
    Errno::result(unsafe { libc::prctl(libc::PR_GET_SECUREBITS, 0, 0, 0, 0) })
}

/// Drops a capability by number from the bounding set; `EINVAL` when the kernel has none of that number.
pub(crate) fn drop_bounding(number: u8) -> Result<(), Errno> {
    // SAFETY: integer arguments only.
    Errno::result(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) }).map(drop)
}

/// The seccomp mode of the calling thread: 0 none, 2 filter.
pub(crate) fn seccomp_mode() -> Result<libc::c_int, Errno> {
    // SAFETY: integer arguments only.
    Errno::result(unsafe { libc::prctl(libc::PR_GET_SECCOMP, 0, 0, 0, 0) })
}

/// Installs a filter on the calling thread, without setting no_new_privs (seccompiler's own `apply_filter` sets it, and
/// the scripts of the supervisor must not inherit it). Needs no_new_privs or CAP_SYS_ADMIN.
pub(crate) fn install_filter(program: &[sock_filter]) -> Result<(), Errno> {
    let len = u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
    let fprog = libc::sock_fprog { len, filter: program.as_ptr().cast_mut().cast::<libc::sock_filter>() };
    // SAFETY: `fprog` and the `len` instructions it points to live until the call returns; the kernel copies them and does
    // not write to them. seccompiler's and libc's `sock_filter` are the same #[repr(C)] struct of <linux/filter.h>.
    let done =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, core::ptr::from_ref(&fprog)) };
    Errno::result(done).map(drop)
}

/// Closes every descriptor from `first` on.
pub(crate) fn close_from(first: libc::c_uint) -> Result<(), Errno> {
    // SAFETY: integer arguments only. The caller owns no descriptor from `first` on (it runs before anything is opened).
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
    Errno::result(done).map(drop)
}

/// Empties the environment. Only while the process has one thread.
pub(crate) fn clear_environment() -> Result<(), Errno> {
    // SAFETY: the callers run before any thread is started, so nobody else reads the environment.
    if unsafe { libc::clearenv() } == 0 { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Wall-clock time broken down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalTime {
    /// 0 Sunday to 6.
    pub weekday: usize,
    /// 0 January to 11.
    pub month: usize,
    /// Day of the month, from 1.
    pub day: i32,
    /// Hour.
    pub hour: i32,
    /// Minute.
    pub minute: i32,
    /// Second, 60 in a leap second.
    pub second: i32,
    /// Year.
    pub year: i32,
}

/// Local time of `seconds` since 1970. The first call of a process reads the time zone's rules from the file system, the
/// later ones do not (glibc), so the first must come before the process is confined.
pub(crate) fn local_time(seconds: i64) -> Option<LocalTime> {
    let seconds = libc::time_t::from(seconds);
    // SAFETY: `tm` is a plain C struct (integers and a pointer that may be null), for which all zeroes is a value.
    let mut tm: libc::tm = unsafe { core::mem::zeroed() };
    // SAFETY: both pointers are to live values of the right types. libc guards its own time zone state with a lock; the
    // environment is not changed while another thread runs (see `clear_environment`).
    let done = unsafe { libc::localtime_r(&raw const seconds, &raw mut tm) };
    if done.is_null() {
        return None;
    }
    Some(LocalTime {
        weekday: usize::try_from(tm.tm_wday).ok()?,
        month: usize::try_from(tm.tm_mon).ok()?,
        day: tm.tm_mday,
        hour: tm.tm_hour,
        minute: tm.tm_min,
        second: tm.tm_sec,
        year: tm.tm_year.checked_add(1900)?,
    })
}
