//! Sending and receiving packets with descriptors over a SOCK_SEQPACKET socket.

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, recvmsg, sendmsg};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// Most descriptors in one packet.
pub const FDS_LIMIT: usize = 8;

/// Most the kernel lets anybody send (SCM_MAX_FD): the receiver makes room for all, because those that find no room are lost to
/// it but stay open.
const KERNEL_FDS_LIMIT: usize = 253;

/// Sends one packet without blocking.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[OwnedFd]) -> Result<(), Errno> {
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, flags, None).map(drop)
}

/// What [`receive`] got.
#[derive(Debug)]
pub struct Packet {
    /// Bytes written into the buffer; 0 is the end of the channel.
    pub len: usize,
    /// Descriptors, close-on-exec.
    pub fds: Vec<OwnedFd>,
    /// What is missing.
    pub cut: Cut,
}

/// What of a packet could not be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nothing: the packet is whole.
    Nothing,
    /// Bytes for which the buffer was too short.
    Bytes,
    /// Descriptors: more than [`FDS_LIMIT`], or more than this process may open. None is left open.
    Descriptors,
}

/// Receives one packet without blocking.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Packet, Errno> {
    let mut space = cmsg_space!([RawFd; KERNEL_FDS_LIMIT]);
    let mut iov = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut iov, Some(&mut space), flags)?;
    let (len, flags) = (message.bytes, message.flags);
    let mut fds = descriptors(&space);
    let cut = if flags.contains(MsgFlags::MSG_CTRUNC) || fds.len() > FDS_LIMIT {
        fds.clear();
        Cut::Descriptors
    } else if flags.contains(MsgFlags::MSG_TRUNC) {
        Cut::Bytes
    } else {
        Cut::Nothing
    };
    Ok(Packet { len, fds, cut })
}

const HEADER: usize = size_of::<libc::cmsghdr>();

/// The descriptors in a control buffer that was all zero before the kernel wrote into it (cmsg(3)).
///
/// Not nix's iterator: it gives nothing when the kernel could open only some of the descriptors, and these would stay open
/// for ever. A peer could fill the descriptor table of this process that way.
fn descriptors(mut control: &[u8]) -> Vec<OwnedFd> {
    let mut fds = Vec::new();
    while let Some(length) = control.first_chunk().map(|bytes| usize::from_ne_bytes(*bytes))
        && length >= HEADER
        && let Some((header, data)) = control.get(..length).and_then(|message| message.split_at_checked(HEADER))
    {
        if header.ends_with(&[libc::SOL_SOCKET.to_ne_bytes(), libc::SCM_RIGHTS.to_ne_bytes()].concat()) {
            fds.extend(data.as_chunks().0.iter().map(|bytes| crate::sys::own(RawFd::from_ne_bytes(*bytes))));
        }
        control = control.get(length.next_multiple_of(size_of::<usize>())..).unwrap_or_default();
    }
    fds
}
