//! What goes into the [`Router`](crate::router::Router) and what comes out of it: the whole contract between core and shell.

use crate::packet::bfd::{PORT, PORT_MULTIHOP};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::vrrp::VrrpConfig;
use ipc::config::{FileIdx, Generation};
use ipc::machine::Timeout;
use ipc::msg::control::{DumpKind, News, ProbeEnded, Run, StopMode, Up};
use ipc::msg::sessions::VrrpToCheck;
use ipc::msg::vips::{IpvsToVrrp, VrrpToIpvs};
use ipc::report::Line;

/// What can happen.
#[derive(Clone, Debug)]
pub enum Event {
    /// The deadline may have passed.
    Timeout,
    /// A new configuration was decoded. Answered by `Up::Ready` or `Up::Refused`.
    Configure {
        /// Its number.
        generation: Generation,
        /// The slice.
        config: Box<VrrpConfig>,
    },
    /// The prepared configuration counts from now on. Answered by `Up::Activated`.
    Activate,
    /// The prepared configuration is dropped.
    Discard,
    /// There is a new channel to ipvsd.
    IpvsAttached,
    /// The channel to ipvsd is gone.
    IpvsLost,
    /// ipvsd says something.
    Ipvs {
        /// The generation of its frame.
        generation: Generation,
        /// What it says.
        message: IpvsToVrrp,
    },
    /// The time since 1970, which has nothing to do with the machine's own: adverts are signed with it. Said at the start, and again at
    /// least every few seconds while something is signed.
    Clock(Duration),
    /// A packet of VRRP came in, IP header included.
    Packet {
        /// The interface.
        ifindex: u32,
        /// The whole packet, at most 64 KiB, untrusted; in front of IPv6 the shell puts a header made of what the kernel says of it.
        bytes: Vec<u8>,
    },
    /// There is a new channel to checkd, or checkd asks how the BFD sessions stand.
    SessionsWanted,
    /// A BFD packet came in.
    Bfd(BfdHeard),
    /// Random bits; said once, before anything else.
    Chance(u64),
    /// A track script ended.
    ProbeEnded {
        /// The generation that asked for it.
        generation: Generation,
        /// Which, and how.
        ended: ProbeEnded,
    },
    /// A `track_file` as it is now.
    File {
        /// The generation whose file it is.
        generation: Generation,
        /// Which.
        file: FileIdx,
        /// Its beginning, untrusted; empty when it cannot be read.
        text: Vec<u8>,
    },
    /// What has become of processes, in order.
    Processes {
        /// The generation that watches them.
        generation: Generation,
        /// What.
        seen: Vec<Seen>,
    },
    /// Say goodbye and release; answered by `Up::Stopped` when that is done.
    Stop(StopMode),
    /// Write a dump; answered by [`Action::Dump`].
    Dump(DumpKind),
}

/// What has become of a process; the texts are untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// All that run are told anew, up to [`Seen::All`].
    Anew,
    /// It runs, and may be another program or have another name than before.
    Runs {
        /// Its number.
        pid: u32,
        /// The beginning of its /proc/PID/stat; empty when it is gone.
        stat: Vec<u8>,
        /// The beginning of its /proc/PID/cmdline, when the configuration needs it.
        command_line: Vec<u8>,
    },
    /// It has made a copy of itself.
    Forked {
        /// Its number.
        parent: u32,
        /// That of the copy.
        child: u32,
    },
    /// It has ended.
    Ended(u32),
    /// Those told since [`Seen::Anew`] are all that run.
    All,
}

impl From<Timeout> for Event {
    fn from(_: Timeout) -> Self {
        Event::Timeout
    }
}

/// What is to be done, in order. The shell may put neighbouring transmissions into one system call.
///
/// The actions of one step come in this order: sockets first, then all adverts, all BFD packets, all messages to ipvsd (the
/// router has sent its advert before its addresses move), all gratuitous ARP, commands, log lines, and at last what the
/// supervisor is told and dumps. Indices in all of them but the two `…OfLeft` are of the generation that runs after the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Exactly these sockets shall be open from now on.
    Listen(Vec<Listen>),
    /// Send a packet of VRRP, IP header included (IP_HDRINCL).
    Transmit {
        /// The interface.
        ifindex: u32,
        /// Destination, the same as in the packet.
        destination: IpAddr,
        /// The whole packet.
        bytes: Vec<u8>,
    },
    /// Send an Ethernet frame (gratuitous ARP, neighbour advertisement).
    Announce {
        /// The interface.
        ifindex: u32,
        /// The whole frame.
        frame: Vec<u8>,
    },
    /// Exactly these neighbours are spoken to by BFD from now on, and listened to for as long as there is one.
    BfdListen(Vec<BfdPeer>),
    /// Send a BFD packet to one of them.
    Bfd {
        /// Whom to and how.
        peer: BfdPeer,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// Tell ipvsd.
    ToIpvs(VrrpToIpvs),
    /// Tell checkd.
    ToCheck(VrrpToCheck),
    /// Ask the supervisor to run a command.
    Run(Run),
    /// The same with a command of the generation that is being left; always before `Up::Activated`.
    RunOfLeft {
        /// The generation whose indices these are.
        left: Generation,
        /// The command.
        run: Run,
    },
    /// Let the supervisor tell those who listen.
    Tell(News),
    /// The same of the generation that is being left.
    TellOfLeft {
        /// The generation whose indices these are.
        left: Generation,
        /// What.
        news: News,
    },
    /// Tell the supervisor.
    Up(Up),
    /// Log.
    Log(Line),
    /// The text of a dump that was asked for.
    Dump(String),
}

/// A link on which VRRP is spoken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listen {
    /// Kernel index.
    pub ifindex: u32,
    /// Name, for SO_BINDTODEVICE.
    pub name: String,
    /// How it is spoken, each with the multicast groups to join; no group for unicast alone. Nothing at all where only announcements
    /// are sent.
    pub ways: Vec<(Way, Vec<IpAddr>)>,
}

/// What is listened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// VRRP over IPv4.
    V4,
    /// VRRP in an authentication header over IPv4.
    Ah,
    /// VRRP over IPv6.
    V6,
}

/// A BFD packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BfdHeard {
    /// The port that it came to.
    pub hops: BfdHops,
    /// Who sent it.
    pub from: IpAddr,
    /// Which of our addresses it came to, where the kernel says so.
    pub to: Option<IpAddr>,
    /// Its TTL or hop limit when it came.
    pub ttl: u8,
    /// The datagram, or the beginning of a long one; untrusted.
    pub bytes: Vec<u8>,
}

/// How a neighbour is spoken to by BFD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BfdPeer {
    /// Its address.
    pub neighbor: IpAddr,
    /// To which port.
    pub hops: BfdHops,
    /// From which address; `None`: that of the route.
    pub source: Option<IpAddr>,
    /// TTL or hop limit.
    pub ttl: u8,
}

/// Over how many hops, which is what the port says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BfdHops {
    /// One: port 3784 (RFC 5881).
    Single,
    /// Any number: port 4784 (RFC 5883).
    Many,
}

impl BfdHops {
    /// The port.
    pub fn port(self) -> u16 {
        match self {
            BfdHops::Single => PORT,
            BfdHops::Many => PORT_MULTIHOP,
        }
    }
}
