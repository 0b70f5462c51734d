//! Sending and receiving packets with descriptors over a SOCK_SEQPACKET socket.

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
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
    /// Whether bytes or descriptors were cut off.
    pub truncated: bool,
}

/// Receives one packet without blocking. More than [`FDS_LIMIT`] descriptors are closed and count as cut off.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Packet, Errno> {
    let mut space = cmsg_space!([RawFd; KERNEL_FDS_LIMIT]);
    let mut iov = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut iov, Some(&mut space), flags)?;
    let mut truncated = message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC);
    let mut fds = Vec::new();
    // The error is MSG_CTRUNC again: this process cannot open as many.
    for control in message.cmsgs().into_iter().flatten() {
        if let ControlMessageOwned::ScmRights(raw) = control {
            fds.extend(raw.into_iter().map(crate::sys::own));
        }
    }
    if fds.len() > FDS_LIMIT {
        fds.clear();
        truncated = true;
    }
    Ok(Packet { len: message.bytes, fds, truncated })
}
