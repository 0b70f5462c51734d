//! The system calls that no safe function makes.
#![allow(unsafe_code)]

use nix::errno::Errno;

/// Asks for memory of those rights.
pub fn map(rights: libc::c_int) -> Result<(), Errno> {
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing that exists.
    let at =
        unsafe { libc::mmap(core::ptr::null_mut(), 4_096, rights, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
    if at == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(()) }
}

/// Attaches to process 1 without stopping it.
pub fn seize_process_1() -> Result<(), Errno> {
    // SAFETY: PTRACE_SEIZE takes integers only.
    Errno::result(unsafe { libc::ptrace(libc::PTRACE_SEIZE, 1, 0, 0) }).map(drop)
}

/// Mounts a file system where no directory is.
pub fn mount_on_nothing() -> Result<(), Errno> {
    let none = core::ptr::null();
    // SAFETY: the strings end with a null byte and live for the call.
    let done = unsafe { libc::mount(none, c"/nowhere".as_ptr(), c"tmpfs".as_ptr(), 0, none.cast()) };
    Errno::result(done).map(drop)
}
