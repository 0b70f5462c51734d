//! A child of the supervisor in the hands of somebody else: what it can still do is what its channels let it do. Its end of a
//! channel is copied out of it, and whatever is written there comes from it.

use crate::failure::{Context, Outcome, wait_for};
use crate::process::Process;
use crate::sys::pidfd_getfd;
use ipc::codec::{Frame, encode};
use ipc::config::Generation;
use ipc::fdpass;
use ipc::sys::pidfd_open;
use nix::errno::Errno;
use nix::sys::socket::{SockType, getsockopt, sockopt};
use nix::unistd::Pid;
use serde::Serialize;
use std::fs;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// How long a child may take to be given its channels.
const ATTACHED: Duration = Duration::from_secs(10);

/// How long the other side may take to make room in the channel.
const ROOM: Duration = Duration::from_secs(5);

/// Where a child writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// The supervisor.
    Supervisor,
    /// The only other child that it has a channel to.
    Peer,
}

/// A child's end of a channel. Dropped as soon as everything is written: as long as it is there, the other side does not
/// see that the child has ended.
#[derive(Debug)]
pub struct Stolen {
    socket: OwnedFd,
}

impl Stolen {
    /// Copies the end of a channel of `child`, waiting until it has one.
    pub fn channel(child: &Process, to: To) -> Outcome<Self> {
        let process = pidfd_open(Pid::from_raw(child.pid)).context(|| format!("cannot watch {}", child.name))?;
        let socket = wait_for(&format!("{} has a channel to its {to:?}", child.name), ATTACHED, || {
            let numbers = match to {
                To::Supervisor => vec![0],
                To::Peer => sockets(child).into_iter().filter(|number| *number != 0).collect(),
            };
            let copies = numbers.into_iter().filter_map(|number| pidfd_getfd(process.as_fd(), number).ok());
            Ok(copies.into_iter().find(|copy| matches!(getsockopt(copy, sockopt::SockType), Ok(SockType::SeqPacket))))
        })?;
        Ok(Stolen { socket })
    }

    /// Writes one packet, with so many descriptors of a pipe; waits while the channel is full. Says whether somebody is
    /// there to read it.
    pub fn write(&self, bytes: &[u8], descriptors: usize) -> Outcome<bool> {
        let (_, given) = std::io::pipe()?;
        let copies: Vec<OwnedFd> =
            (0..descriptors).map(|_| given.try_clone().map(OwnedFd::from)).collect::<Result<_, _>>()?;
        let give_up = Instant::now() + ROOM;
        loop {
            match fdpass::send(self.socket.as_fd(), bytes, &copies) {
                Ok(()) => return Ok(true),
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Ok(false),
                Err(Errno::EAGAIN | Errno::ETOOMANYREFS) if Instant::now() < give_up => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => return Err(error).context(|| format!("{} bytes cannot be written", bytes.len())),
            }
        }
    }
}

/// The descriptors of a process that are sockets.
fn sockets(process: &Process) -> Vec<RawFd> {
    let entries = fs::read_dir(format!("/proc/{}/fd", process.pid)).into_iter().flatten().flatten();
    entries
        .filter(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.to_string_lossy().starts_with("socket:")))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// A well-formed frame.
pub fn frame<M: Serialize>(generation: u32, messages: Vec<M>) -> Outcome<Vec<u8>> {
    Ok(encode(&Frame { generation: Generation(generation), messages })?)
}

/// Bytes without meaning, the same in every run (a linear congruential generator).
pub fn noise(length: usize) -> Vec<u8> {
    let mut state: u32 = 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}
