//! Frames as they cross the LAN, with the kernel's time of each.

use crate::failure::{Context, Failure, Outcome, wait_for};
use crate::frame::{Advert, Arp, Bfd};
use crate::netns::Netns;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg, setsockopt,
    socket, sockopt,
};
use nix::sys::time::TimeValLike;
use socket2::{SockFilter, SockRef};
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering};
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

/// What the recording thread is to do.
const RECORDING: u8 = 0;
const PAUSED: u8 = 1;
const ENDED: u8 = 2;

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

    /// The BFD packet in it.
    pub fn bfd(&self) -> Option<Bfd> {
        Bfd::read(&self.bytes)
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
    state: Arc<AtomicU8>,
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
        SockRef::from(&fd).attach_filter(&once(netns.enter(|| nix::net::if_::if_nametoindex("lan"))??))?;
        // What came in before the filter was there.
        drain(&fd, &Mutex::default());
        let frames = Arc::new(Mutex::new(Vec::new()));
        let state = Arc::new(AtomicU8::new(RECORDING));
        let (into, told) = (Arc::clone(&frames), Arc::clone(&state));
        let thread = std::thread::spawn(move || {
            loop {
                match told.load(Ordering::Relaxed) {
                    RECORDING => drain(&fd, &into),
                    PAUSED => {}
                    _ => return,
                }
                std::thread::sleep(IDLE);
            }
        });
        Ok(Capture { frames, state, thread: Some(thread) })
    }

    /// Leaves frames in the socket, which has room for [`BUFFER`] bytes of them and notes their times, so that nothing of this
    /// runs beside what is measured.
    pub fn pause(&self) {
        self.state.store(PAUSED, Ordering::Relaxed);
    }

    /// Takes them.
    pub fn resume(&self) {
        self.state.store(RECORDING, Ordering::Relaxed);
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
        self.state.store(ENDED, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Lets each frame through once, where it enters the bridge: not as it leaves, and not as the bridge itself has it.
fn once(bridge: u32) -> [SockFilter; 6] {
    let load = |what: i32| {
        SockFilter::new((libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, 0, 0, (libc::SKF_AD_OFF + what) as u32)
    };
    let jump_if = |value, to| SockFilter::new((libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, to, 0, value);
    let give = |bytes| SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, bytes);
    [
        load(libc::SKF_AD_PKTTYPE),
        jump_if(u32::from(OUTGOING), 3),
        load(libc::SKF_AD_IFINDEX),
        jump_if(bridge, 1),
        give(SNAP as u32),
        give(0),
    ]
}

/// Takes everything that waits in the socket.
fn drain(fd: &OwnedFd, into: &Mutex<Vec<Frame>>) {
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
        let at = UNIX_EPOCH + Duration::from_nanos(u64::try_from(stamp).unwrap_or(0));
        if let Ok(mut frames) = into.lock() {
            frames.push(Frame { at, port, bytes: buffer.get(..length).unwrap_or_default().to_vec() });
        }
    }
}
