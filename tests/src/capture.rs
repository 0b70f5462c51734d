//! Frames as they cross the LAN, with the kernel's time of each.

use crate::failure::{Context, Failure, Outcome, wait_for};
use crate::frame::{Advert, Arp};
use crate::netns::Netns;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg, setsockopt,
    socket, sockopt,
};
use nix::sys::time::TimeValLike;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longest frame that is kept whole.
const SNAP: usize = 2048;

/// How long the recording thread sleeps when nothing came in; the frames wait in the socket with their times.
const IDLE: Duration = Duration::from_millis(2);

/// Room for frames between two looks, bytes: 255 instances that announce themselves at once fit many times.
const BUFFER: usize = 16 << 20;

/// `PACKET_OUTGOING` of packet(7): the copy of a frame that leaves; each frame is recorded where it enters.
const OUTGOING: u8 = 4;

/// A frame as it entered the bridge.
#[derive(Clone, Debug)]
pub struct Frame {
    /// When the kernel saw it, on the clock of the day.
    pub at: SystemTime,
    /// The port through which it came (an interface index in the bridge's namespace).
    pub port: u32,
    /// From the destination address on.
    pub bytes: Vec<u8>,
}

impl Frame {
    /// The VRRP advertisement in it.
    pub fn advert(&self) -> Option<Advert> {
        Advert::read(&self.bytes)
    }

    /// The ARP packet in it.
    pub fn arp(&self) -> Option<Arp> {
        Arp::read(&self.bytes)
    }
}

/// A running recording; it stops when dropped.
#[derive(Debug)]
pub struct Capture {
    frames: Arc<Mutex<Vec<Frame>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    /// Records what enters any port of the bridge in `netns`.
    pub fn start(netns: &Netns) -> Outcome<Self> {
        let fd = netns
            .enter(|| {
                socket(
                    AddressFamily::Packet,
                    SockType::Raw,
                    SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
                    SockProtocol::EthAll,
                )
            })?
            .context(|| format!("cannot capture in {}", netns.name()))?;
        setsockopt(&fd, sockopt::ReceiveTimestampns, &true)?;
        setsockopt(&fd, sockopt::RcvBufForce, &BUFFER)?;
        let bridge = netns.enter(|| nix::net::if_::if_nametoindex("lan"))??;
        let frames = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (into, until) = (Arc::clone(&frames), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                drain(&fd, bridge, &into);
                std::thread::sleep(IDLE);
            }
        });
        Ok(Capture { frames, stop, thread: Some(thread) })
    }

    /// What was recorded so far, in order.
    pub fn frames(&self) -> Vec<Frame> {
        self.frames.lock().map(|frames| frames.clone()).unwrap_or_default()
    }

    /// The advertisements among it, with their frames.
    pub fn adverts(&self) -> Vec<(Frame, Advert)> {
        self.frames().into_iter().filter_map(|frame| frame.advert().map(|advert| (frame, advert))).collect()
    }

    /// Forgets what was recorded so far.
    pub fn clear(&self) {
        if let Ok(mut frames) = self.frames.lock() {
            frames.clear();
        }
    }

    /// Waits for the first frame since the last [`clear`](Self::clear) that `wanted` accepts.
    pub fn wait(&self, what: &str, limit: Duration, wanted: impl Fn(&Frame) -> bool) -> Outcome<Frame> {
        wait_for(what, limit, || {
            let frames = self.frames.lock().map_err(|_| Failure::new("the recording thread panicked"))?;
            Ok(frames.iter().find(|frame| wanted(frame)).cloned())
        })
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes everything that waits in the socket.
fn drain(fd: &OwnedFd, bridge: u32, into: &Mutex<Vec<Frame>>) {
    let mut space = nix::cmsg_space!(nix::sys::time::TimeSpec);
    let mut buffer = [0; SNAP];
    loop {
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let Ok(message) = recvmsg::<LinkAddr>(fd.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::empty()) else {
            return;
        };
        let stamp = message.cmsgs().into_iter().flatten().find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(time) => Some(time.num_nanoseconds()),
            _ => None,
        });
        let (length, from) = (message.bytes, message.address);
        let (Some(stamp), Some(from)) = (stamp, from) else { continue };
        let port = u32::try_from(from.ifindex()).unwrap_or(0);
        if from.pkttype() == OUTGOING || port == bridge {
            continue;
        }
        let at = UNIX_EPOCH + Duration::from_nanos(u64::try_from(stamp).unwrap_or(0));
        if let Ok(mut frames) = into.lock() {
            frames.push(Frame { at, port, bytes: buffer.get(..length).unwrap_or_default().to_vec() });
        }
    }
}
