//! What goes into the [`Router`](crate::router::Router) and what comes out of it: the whole contract between core and shell.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use ipc::config::Generation;
use ipc::config::vrrp::VrrpConfig;
use ipc::machine::Timeout;
use ipc::msg::control::{DumpKind, ProbeEnded, Run, StopMode, Up};
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
    /// An IPv4 packet of protocol 112 came in, header included.
    Packet {
        /// The interface.
        ifindex: u32,
        /// The whole packet, at most 64 KiB, untrusted.
        bytes: Vec<u8>,
    },
    /// A track script ended.
    ProbeEnded(ProbeEnded),
    /// Say goodbye and release; answered by `Up::Stopped` when that is done.
    Stop(StopMode),
    /// Write a dump; answered by [`Action::Dump`].
    Dump(DumpKind),
}

impl From<Timeout> for Event {
    fn from(_: Timeout) -> Self {
        Event::Timeout
    }
}

/// What is to be done, in order. The shell may put neighbouring transmissions into one system call.
///
/// The actions of one step come in this order: sockets first, then all adverts, all messages to ipvsd (the
/// router has sent its advert before its addresses move), all gratuitous ARP, commands, log lines, and at last what the
/// supervisor is told and dumps. Indices in all of them are of the generation that runs after the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Exactly these sockets shall be open from now on.
    Listen(Vec<Listen>),
    /// Send an IPv4 packet of protocol 112, header included (IP_HDRINCL).
    Transmit {
        /// The interface.
        ifindex: u32,
        /// Destination, the same as in the packet.
        destination: Ipv4Addr,
        /// The whole packet.
        bytes: Vec<u8>,
    },
    /// Send an Ethernet frame (gratuitous ARP).
    Announce {
        /// The interface.
        ifindex: u32,
        /// The whole frame.
        frame: Vec<u8>,
    },
    /// Tell ipvsd.
    ToIpvs(VrrpToIpvs),
    /// Ask the supervisor to run a command.
    Run(Run),
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
    /// Multicast groups to join; none for unicast only.
    pub groups: Vec<Ipv4Addr>,
}
