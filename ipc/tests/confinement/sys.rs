//! The system calls that no safe function makes.
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::net::SocketAddrV4;
use std::os::fd::AsRawFd;

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

fn address(to: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: to.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(to.ip().octets()) },
        sin_zero: [0; 8],
    }
}

/// Sends a word to an address with sendto(2), or to whom the socket is connected.
pub fn send_to(socket: &impl AsRawFd, to: Option<SocketAddrV4>, flags: libc::c_int) -> Result<usize, Errno> {
    let to = to.map(address);
    let at = to.as_ref().map_or(core::ptr::null(), |to| core::ptr::from_ref(to).cast());
    let length = if to.is_some() { size_of::<libc::sockaddr_in>() as u32 } else { 0 };
    // SAFETY: the word and the address outlive the call, and their lengths are those that are given.
    let sent = unsafe { libc::sendto(socket.as_raw_fd(), c"word".as_ptr().cast(), 4, flags, at, length) };
    Errno::result(sent).map(|sent| sent as usize)
}

/// The same with sendmsg(2).
pub fn send_message(socket: &impl AsRawFd, to: SocketAddrV4, flags: libc::c_int) -> Result<usize, Errno> {
    let (mut to, mut word) = (address(to), *b"word");
    let mut piece = libc::iovec { iov_base: word.as_mut_ptr().cast(), iov_len: word.len() };
    // SAFETY: all of it may be zero.
    let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
    message.msg_name = core::ptr::from_mut(&mut to).cast();
    message.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
    message.msg_iov = &mut piece;
    message.msg_iovlen = 1;
    // SAFETY: the header points to what outlives the call.
    Errno::result(unsafe { libc::sendmsg(socket.as_raw_fd(), &message, flags) }).map(|sent| sent as usize)
}
