//! The kernel's process connector (`<linux/cn_proc.h>`): which processes begin, become another program and end.
//!
//! Fixed records of the kernel and nothing else: who sends is looked at, and only the kernel has the number 0. The kernel tells it in the
//! first network, user and process namespaces alone.

use super::sys;
use ipc::config::process::Buffer;
use ipc::config::vrrp::Switch;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, NetlinkAddr, bind, recvfrom, send, setsockopt, sockopt};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};

/// Receive buffer unless `process_monitor_rcv_bufs` says otherwise: room for some thousand processes that end at once.
const BUFFER: usize = 4 * 1024 * 1024;

/// `CN_IDX_PROC`, also the multicast group, and `CN_VAL_PROC`.
const PROC: u32 = 1;

/// Where the parts of a record are: after a netlink header of 16 bytes and a connector header of 20.
const WHAT: usize = 36;
const DATA: usize = 52;

const NONE: u32 = 0;
const FORK: u32 = 1;
const EXEC: u32 = 2;
const COMM: u32 = 0x200;
const EXIT: u32 = 0x8000_0000;

/// What has become of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The kernel's answer to [`Connector::open`]: 0, or why not.
    Answer(u32),
    /// It has made a copy of itself.
    Forked {
        /// Its number.
        parent: u32,
        /// That of the copy.
        child: u32,
    },
    /// It is another program, or has another name.
    Changed(u32),
    /// It has ended.
    Ended(u32),
}

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something.
    Happened(Happened),
    /// Something that does not matter.
    Nothing,
    /// Some records are lost: there was no room for them.
    Lost,
    /// There is nothing more now.
    Empty,
    /// It is of no use any more.
    Broken(Errno),
}

/// A socket that the records come to.
#[derive(Debug)]
pub struct Connector(OwnedFd);

impl Connector {
    /// Subscribes. `socket` was made in the first network namespace, if there is one.
    pub fn open(socket: Option<OwnedFd>, buffer: Buffer) -> Result<Connector, Errno> {
        let socket = match socket {
            Some(socket) => socket,
            None => sys::connector()?,
        };
        // Without it threads are told of as well, which costs time and nothing else.
        let _ = sys::attach_filter(socket.as_fd(), &filter());
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, PROC))?;
        let connector = Connector(socket);
        connector.resize(buffer)?;
        connector.say(1)?;
        Ok(connector)
    }

    /// Gives it a receive buffer.
    pub fn resize(&self, buffer: Buffer) -> Result<(), Errno> {
        let wanted = buffer.bytes.and_then(|bytes| usize::try_from(bytes).ok());
        match (wanted, buffer.force) {
            (Some(bytes), Switch::Off) => setsockopt(&self.0, sockopt::RcvBuf, &bytes),
            (bytes, _) => setsockopt(&self.0, sockopt::RcvBufForce, &bytes.unwrap_or(BUFFER)),
        }
    }

    /// For the event loop.
    pub fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// `PROC_CN_MCAST_LISTEN` (1) or `PROC_CN_MCAST_IGNORE` (2).
    fn say(&self, what: u32) -> Result<(), Errno> {
        let mut bytes = Vec::with_capacity(40);
        // struct nlmsghdr: length, NLMSG_DONE, flags, sequence number, port.
        bytes.extend(40_u32.to_ne_bytes());
        bytes.extend([3_u16, 0].map(u16::to_ne_bytes).concat());
        bytes.extend([0, std::process::id()].map(u32::to_ne_bytes).concat());
        // struct cn_msg: index, value, sequence number, acknowledgement, length, flags.
        bytes.extend([PROC, PROC, 0, 0].map(u32::to_ne_bytes).concat());
        bytes.extend([4_u16, 0].map(u16::to_ne_bytes).concat());
        bytes.extend(what.to_ne_bytes());
        send(self.0.as_raw_fd(), &bytes, MsgFlags::MSG_DONTWAIT).map(drop)
    }

    /// The next record.
    pub fn receive(&self) -> Heard {
        let mut buffer = [0; 256];
        match recvfrom::<NetlinkAddr>(self.0.as_raw_fd(), &mut buffer) {
            Ok((len, from)) if from.is_some_and(|from| from.pid() == 0) => {
                let bytes = buffer.get(..len).unwrap_or_default();
                read(bytes).map_or(Heard::Nothing, Heard::Happened)
            }
            Ok(_) | Err(Errno::EINTR) => Heard::Nothing,
            Err(Errno::EAGAIN) => Heard::Empty,
            Err(Errno::ENOBUFS) => Heard::Lost,
            Err(e) => Heard::Broken(e),
        }
    }
}

impl Drop for Connector {
    /// Older kernels go on counting a listener that only closes its socket.
    fn drop(&mut self) {
        let _ = self.say(2);
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    word.try_into().ok().map(u32::from_ne_bytes)
}

/// Takes a record apart; `None`: it is of a thread, or of another kind.
fn read(bytes: &[u8]) -> Option<Happened> {
    let field = |n: usize| word(bytes, DATA.checked_add(n.checked_mul(4)?)?);
    if (word(bytes, 16)?, word(bytes, 20)?) != (PROC, PROC) {
        return None;
    }
    match word(bytes, WHAT)? {
        NONE => Some(Happened::Answer(field(0)?)),
        FORK => (field(2)? == field(3)?).then_some(Happened::Forked { parent: field(1)?, child: field(3)? }),
        EXEC => Some(Happened::Changed(field(1)?)),
        COMM => (field(0)? == field(1)?).then_some(Happened::Changed(field(1)?)),
        EXIT => (field(0)? == field(1)?).then_some(Happened::Ended(field(1)?)),
        _ => None,
    }
}

/// A packet filter that lets pass what [`read`] wants, so that threads, which are many, do not wake this process.
fn filter() -> [libc::sock_filter; 16] {
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const TO_X: u16 = 0x07; // BPF_MISC | BPF_TAX
    const GO: u16 = 0x05; // BPF_JMP | BPF_JA
    const IS: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const IS_X: u16 = 0x1d; // BPF_JMP | BPF_JEQ | BPF_X
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    let op = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    // A word is loaded as if it was big-endian.
    let is = |what: u32, jt, jf| op(IS, jt, jf, what.to_be());
    [
        /* 0 */ op(LOAD, 0, 0, 36),
        /* 1 */ is(NONE, 12, 0),
        /* 2 */ is(EXEC, 11, 0),
        /* 3 */ is(FORK, 6, 0),
        /* 4 */ is(COMM, 1, 0),
        /* 5 */ is(EXIT, 0, 9),
        // The thread that ended or has a new name, and its process.
        /* 6 */ op(LOAD, 0, 0, 52),
        /* 7 */ op(TO_X, 0, 0, 0),
        /* 8 */ op(LOAD, 0, 0, 56),
        /* 9 */ op(GO, 0, 0, 3),
        // The new thread, and its process.
        /* 10 */ op(LOAD, 0, 0, 60),
        /* 11 */ op(TO_X, 0, 0, 0),
        /* 12 */ op(LOAD, 0, 0, 64),
        /* 13 */ op(IS_X, 0, 1, 0),
        /* 14 */ op(RETURN, 0, 0, u32::MAX),
        /* 15 */ op(RETURN, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(what: u32, words: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; 16];
        bytes.extend([PROC, PROC, 0, 0, 0, what, 0, 0, 0].map(u32::to_ne_bytes).concat());
        words.iter().for_each(|word| bytes.extend(word.to_ne_bytes()));
        bytes
    }

    #[test]
    fn threads_are_no_processes() {
        for (what, words, happened) in [
            (NONE, &[7][..], Some(Happened::Answer(7))),
            (FORK, &[11, 10, 20, 20], Some(Happened::Forked { parent: 10, child: 20 })),
            (FORK, &[10, 10, 21, 20], None),
            (EXEC, &[11, 10], Some(Happened::Changed(10))),
            (COMM, &[10, 10, 0, 0, 0, 0], Some(Happened::Changed(10))),
            (COMM, &[11, 10, 0, 0, 0, 0], None),
            (EXIT, &[10, 10, 0, 17], Some(Happened::Ended(10))),
            (EXIT, &[11, 10, 0, 17], None),
            (4, &[10, 10, 0, 0], None),
            (EXIT, &[10], None),
            (FORK, &[10, 10, 20], None),
        ] {
            assert_eq!(read(&record(what, words)), happened, "{what} {words:?}");
        }
        assert_eq!(read(&[0; 51]), None);
        assert_eq!(read(&[]), None);
    }
}
