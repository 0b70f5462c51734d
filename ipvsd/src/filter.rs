//! The nftables tables of this process as they are known here: what is in one, and how it is built.
//!
//! There are two purposes, each with a table per address family that needs one. [`Purpose::Vips`] drops what is sent to the virtual
//! addresses of instances that do not accept it, and keeps the reports of multicast groups off virtual MAC interfaces; its sets follow
//! the addresses and the interfaces. [`Purpose::Marks`] gives the packets of a
//! `virtual_server_group` one firewall mark; its maps follow the configuration.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};
use ipc::config::ipvs::Protocol;
use ipc::config::vrrp::Switch;
use ipc::net::Family;

/// What a table is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// `no_accept`, `use_vmac`
    Vips,
    /// `nftables_ipvs`
    Marks,
}

/// One table: nftables keeps those of each family apart, also under one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableKey {
    /// What it is for.
    pub purpose: Purpose,
    /// Its family.
    pub family: Family,
}

/// How a table is built; another one is another table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Its name.
    pub name: String,
    /// Priority of its chains.
    pub priority: i32,
    /// Whether its rules count packets.
    pub counters: Switch,
    /// [`Purpose::Vips`]: whether packets to addresses are dropped.
    pub deaf: Switch,
    /// [`Purpose::Vips`]: whether packets from the addresses are dropped too.
    pub outgoing: Switch,
    /// [`Purpose::Vips`]: whether there are virtual MAC interfaces that what hosts say of themselves is kept off.
    pub vmacs: Switch,
    /// [`Purpose::Marks`]: the protocols that have a map.
    pub maps: Vec<Protocol>,
}

impl Layout {
    /// Whether it does two things that a kernel may be able to do one of: packets are dropped, and reports are sent another way.
    pub fn has_two_parts(&self) -> bool {
        (self.deaf, self.vmacs) == (Switch::On, Switch::On)
    }
}

/// One element of a set or map of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// A virtual address, wherever it is.
    Vip(IpAddr),
    /// A link-local one, which means something on its interface alone.
    LinkLocal(Ipv6Addr, u32),
    /// A virtual MAC interface, by number: what it reports of multicast groups of a family leaves by its parent.
    Reports(Family, u32, u32),
    /// A virtual MAC interface that solicits no IPv6 routers.
    Solicits(u32),
    /// Addresses in a row, with a port.
    Mark {
        /// The protocol, which has a map of its own.
        protocol: Protocol,
        /// The first address.
        first: IpAddr,
        /// The last one, of the same family.
        last: IpAddr,
        /// The port.
        port: u16,
        /// What their packets are marked with, not 0.
        mark: u32,
    },
}

impl Element {
    /// The family of the table that it belongs to.
    pub fn family(&self) -> Family {
        match self {
            Element::Vip(addr) => Family::of(*addr),
            Element::Reports(family, ..) => *family,
            Element::LinkLocal(..) | Element::Solicits(_) => Family::V6,
            Element::Mark { first, .. } => Family::of(*first),
        }
    }

    /// The protocol whose map it is in.
    pub fn protocol(&self) -> Option<Protocol> {
        match self {
            Element::Mark { protocol, .. } => Some(*protocol),
            Element::Vip(_) | Element::LinkLocal(..) | Element::Reports(..) | Element::Solicits(_) => None,
        }
    }
}

/// A table with what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// How it is built.
    pub layout: Layout,
    /// What is in its sets and maps.
    pub elements: BTreeSet<Element>,
}
