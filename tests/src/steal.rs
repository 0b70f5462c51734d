//! A child of the supervisor in the hands of somebody else: what it can still do is what its channels let it do. Its end of a
//! channel is copied out of it, and whatever is written there comes from it.

use crate::failure::{Context, Outcome, wait_for};
use crate::netns::{Netns, run};
use crate::process::Process;
use crate::sys::pidfd_getfd;
use ipc::codec::{Frame, encode};
use ipc::config::Generation;
use ipc::fdpass;
use ipc::sys::pidfd_open;
use nix::errno::Errno;
use nix::unistd::Pid;
use serde::Serialize;
use std::fs;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// How long a child may take to be given its channels.
const ATTACHED: Duration = Duration::from_secs(10);

/// How long the other side may take to make room in the channel.
const ROOM: Duration = Duration::from_secs(5);

/// A child's end of a channel. Dropped as soon as everything is written: as long as it is there, the other side does not
/// see that the child has ended.
#[derive(Debug)]
pub struct Stolen {
    socket: OwnedFd,
}

impl Stolen {
    /// Copies the end that `child` has of its channel to `other`, waiting until there is one. Both run in `netns`.
    pub fn channel(netns: &Netns, child: &Process, other: &Process) -> Outcome<Self> {
        let process = pidfd_open(Pid::from_raw(child.pid)).context(|| format!("cannot watch {}", child.name))?;
        wait_for(&format!("{} has a channel to {}", child.name, other.name), ATTACHED, || {
            let (ours, theirs, pairs) = (sockets(child), sockets(other), pairs(netns)?);
            let joined = |inode| theirs.iter().any(|(_, other)| pairs.contains(&(inode, *other)));
            let number = ours.into_iter().find(|(_, inode)| joined(*inode)).map(|(number, _)| number);
            Ok(number.and_then(|number| pidfd_getfd(process.as_fd(), number).ok()).map(|socket| Stolen { socket }))
        })
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

/// The descriptors of a process that are sockets, with their inodes.
fn sockets(process: &Process) -> Vec<(RawFd, u64)> {
    let entries = fs::read_dir(format!("/proc/{}/fd", process.pid)).into_iter().flatten().flatten();
    let read = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
        Some((entry.file_name().to_str()?.parse().ok()?, inode))
    };
    entries.filter_map(read).collect()
}

/// The pairs of SOCK_SEQPACKET sockets that are joined, by inode.
fn pairs(netns: &Netns) -> Outcome<Vec<(u64, u64)>> {
    let list = run(netns.command("ss").args(["-x", "-a", "-H"]))?;
    let read = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["u_seq", _, _, _, _, own, _, other, ..] = words.as_slice() else { return None };
        Some((own.parse().ok()?, other.parse().ok()?))
    };
    Ok(list.lines().filter_map(read).collect())
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
