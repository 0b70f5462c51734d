//! Between vrrpd and ipvsd.

use crate::config::{InstanceIdx, TrackGroupIdx};
use crate::net::Mac;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use serde::{Deserialize, Serialize};

/// vrrpd to ipvsd. The order of a conversation on a new channel or after an activation: vrrpd says [`VrrpToIpvs::Resync`],
/// ipvsd answers with every link, every held instance and [`IpvsToVrrp::Synced`]; vrrpd decides, sends
/// [`VrrpToIpvs::SetVips`] for every instance and [`VrrpToIpvs::Synced`]. Until then ipvsd removes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VrrpToIpvs {
    /// Say everything again.
    Resync,
    /// The addresses of that instance shall be there or not. Answered by [`IpvsToVrrp::VipsApplied`], also when nothing changed.
    SetVips {
        /// Which.
        instance: InstanceIdx,
        /// Wanted state.
        want: Presence,
    },
    /// All instances have been said.
    Synced,
    /// An instance becomes master in less than a millisecond, unless it hears a master before. Nothing follows from it but that ipvsd
    /// is awake then: being woken takes as long as putting an address there.
    Expect,
}

/// Whether addresses are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    /// On the interfaces.
    Present,
    /// Not on the interfaces.
    Absent,
}

/// ipvsd to vrrpd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpvsToVrrp {
    /// What the kernel says of an interface that the configuration names.
    LinkChanged(LinkFacts),
    /// The interface is not there (any more).
    LinkGone {
        /// Its name.
        name: String,
    },
    /// The addresses of this instance are in place since an earlier vrrpd asked for them: it was master.
    Held {
        /// Which.
        instance: InstanceIdx,
    },
    /// [`VrrpToIpvs::SetVips`] was carried out.
    VipsApplied {
        /// Which.
        instance: InstanceIdx,
        /// The state that holds now.
        now: Presence,
        /// Whether every address got there.
        result: Applied,
    },
    /// An address of a present instance was removed by somebody else, and put back.
    VipsRestored {
        /// Which.
        instance: InstanceIdx,
    },
    /// The same, with `vrrp_on_external_removal backup`: nothing was put back, and until vrrpd says again what it wants nothing of the
    /// instance is wanted.
    VipsRemoved {
        /// Which.
        instance: InstanceIdx,
    },
    /// Whether all static addresses, routes and rules of a `track_group` are there; said when nothing is being done about them.
    StaticsChanged {
        /// Which.
        group: TrackGroupIdx,
        /// Absent: something of it is missing and cannot be had now; ipvsd has logged what.
        now: Presence,
    },
    /// Everything has been said.
    Synced,
}

/// Result of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Applied {
    /// All of it.
    All,
    /// Part of it failed; ipvsd has logged what, and retries.
    Partly,
}

/// What the kernel says of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFacts {
    /// Name.
    pub name: String,
    /// Kernel index.
    pub ifindex: u32,
    /// Kernel index of the interface that its frames leave by: of a macvlan or an ipvlan the one it is made on, else its own.
    pub base: u32,
    /// IFF_UP and IFF_RUNNING.
    pub state: LinkState,
    /// Whether ARP and neighbour discovery are spoken on it (not IFF_NOARP, and Ethernet).
    pub arp: Arp,
    /// Whether it can multicast (IFF_MULTICAST).
    pub multicast: Multicast,
    /// Hardware address (zero when it has none of six bytes).
    pub mac: Mac,
    /// MTU in bytes.
    pub mtu: u32,
    /// First address of scope global that is not one of the configuration's virtual addresses, else of lesser scope.
    pub primary: Option<Ipv4Addr>,
    /// First link-local address.
    pub link_local: Option<Ipv6Addr>,
    /// Whether IPv6 packets are forwarded from it: it is a router's.
    pub forwarding: Forwarding,
    /// Addresses on it (for `track_src_ip`), at most 1,024; without those that Holdfast or keepalived put there.
    pub addrs: Vec<IpAddr>,
}

/// Whether a link can carry packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkState {
    /// It can.
    Up,
    /// It cannot.
    Down,
}

/// Whether packets are forwarded (`net.ipv6.conf.IF.forwarding`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Forwarding {
    /// They are.
    Yes,
    /// They are not.
    #[default]
    No,
}

/// Whether ARP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arp {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// Whether a link can multicast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Multicast {
    /// It can.
    Yes,
    /// It cannot.
    No,
}

super::goes_up!(VrrpToIpvs);
