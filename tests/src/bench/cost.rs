//! What a daemon uses, all of its processes together, and what it says to the kernel.

use crate::daemon::Daemon;
use crate::failure::{Context, Outcome};
use crate::netns::Netns;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg, setsockopt, socket, sockopt,
};
use std::fs;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// Processor time so far, that of children that have ended included.
pub fn processor(daemon: &Daemon) -> Outcome<Duration> {
    daemon.processes().iter().map(|process| Ok(alive(process.pid)? + ended(process.pid))).sum()
}

/// That of all threads of a process, to the nanosecond.
fn alive(pid: i32) -> Outcome<Duration> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Ok(Duration::ZERO) };
    let of = |thread: fs::DirEntry| {
        let path = thread.path().join("schedstat");
        let Some(text) = read(&path)? else { return Ok(0) };
        text.split_whitespace().next().and_then(|n| n.parse().ok()).context(|| format!("{path:?}: {text:?}"))
    };
    Ok(Duration::from_nanos(threads.flatten().map(of).sum::<Outcome<u64>>()?))
}

/// A file of a process or a thread below /proc; `None` when that has ended.
fn read(path: &Path) -> Outcome<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.raw_os_error() == Some(nix::libc::ESRCH) => Ok(None),
        Err(_) if path.parent().is_some_and(|of| !of.exists()) => Ok(None),
        Err(e) => Err(e).context(|| format!("{path:?} cannot be read")),
    }
}

/// That of its children that have ended.
fn ended(pid: i32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    // cutime, cstime of proc(5). USER_HZ is 100 on every machine that Linux runs on today.
    let ticks: u64 = rest.split_whitespace().skip(13).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// What the machine's processors have done so far: nothing, and everything.
pub fn idle() -> (u64, u64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = first.split_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
    // idle, iowait of proc(5)
    (ticks.iter().skip(3).take(2).sum(), ticks.iter().sum())
}

/// The part of the time between two calls of [`idle`] in which nothing was done.
pub fn idle_between(before: (u64, u64), after: (u64, u64)) -> f64 {
    let ticks = |n: u64| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    ticks(after.0 - before.0) / ticks(after.1 - before.1).max(1.0)
}

/// Proportional memory in kB.
pub fn memory(daemon: &Daemon) -> Outcome<u64> {
    daemon.processes().iter().map(|process| Ok(memory_of(process.pid)?.map_or(0, |(pss, _)| pss))).sum()
}

/// PSS and RSS of a process, kB; `None` when it has ended.
pub fn memory_of(pid: i32) -> Outcome<Option<(u64, u64)>> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let Some(text) = read(Path::new(&path))? else { return Ok(None) };
    let of = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).context(|| format!("{path}: no {key}"))
    };
    Ok(Some((of("Pss:")?, of("Rss:")?)))
}

/// Counts generic netlink messages in a namespace, both ways.
#[derive(Debug)]
pub struct Messages {
    fd: OwnedFd,
    monitor: u32,
}

/// NETLINK_GENERIC: on an nlmon interface the protocol of a frame is that of netlink.
const GENERIC: u16 = 16;

impl Messages {
    /// Starts counting; call [`count`](Self::count) before the socket is full (some ten thousand). The kernel needs `nlmon`.
    pub fn start(netns: &Netns) -> Outcome<Messages> {
        if netns.ip("link show messages").is_err() {
            netns.ip("link add messages type nlmon").context(|| "the kernel has no nlmon".into())?;
        }
        netns.ip("link set messages up")?;
        let fd = netns.enter(|| {
            let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
            socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)
        })??;
        setsockopt(&fd, sockopt::RcvBufForce, &(64 << 20))?;
        let monitor = netns.enter(|| nix::net::if_::if_nametoindex("messages"))??;
        Ok(Messages { fd, monitor })
    }

    /// How many there were since the last call.
    pub fn count(&self) -> u64 {
        let (mut count, mut buffer) = (0, [0; 64]);
        loop {
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let Ok(message) = recvmsg::<LinkAddr>(self.fd.as_raw_fd(), &mut parts, None, MsgFlags::empty()) else {
                return count;
            };
            let ours = |from: LinkAddr| {
                u32::try_from(from.ifindex()).ok() == Some(self.monitor) && u16::from_be(from.protocol()) == GENERIC
            };
            count += u64::from(message.address.is_some_and(ours));
        }
    }
}
