//! The nftables tables that ipvsd may have, one for virtual addresses and one for firewall marks. Made by the compiler of
//! [`super::vrrp_global::Firewall`], which is what was written.

use super::vrrp::Switch;
use serde::{Deserialize, Serialize};

/// Priority of the chains where none is written: just before those of most other tables.
pub const PRIORITY: i32 = -1;

/// `nftables_ipvs_start_fwmark` where none is written.
pub const FIRST_MARK: u32 = 1000;

/// The tables. What is `None` must not be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Drops packets to the addresses of instances that do not accept them; keeps hosts' business off virtual MAC interfaces.
    pub vips: Option<VipTable>,
    /// `nftables_ipvs`: gives the packets of a virtual server group one mark.
    pub marks: Option<MarkTable>,
}

/// The table behind `no_accept`, and behind `use_vmac`: what an interface with a virtual router's MAC address reports of multicast groups
/// leaves by its parent instead, and it solicits no routers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipTable {
    /// Its name, 1 to 31 bytes; in the families ip and ip6.
    pub name: String,
    /// Priority of its chains.
    pub priority: i32,
    /// Whether its rules count packets.
    pub counters: Switch,
    /// Whether packets from the addresses are dropped too; not with `vrrp_iptables` and one chain.
    pub outgoing: Switch,
    /// Whether IGMP is kept off virtual MAC interfaces; with `disable_local_igmp` there is none.
    pub igmp: Switch,
}

/// The table of marks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkTable {
    /// Its name, 1 to 31 bytes; in the families ip and ip6. Not that of [`Filter::vips`].
    pub name: String,
    /// Priority of its chains.
    pub priority: i32,
    /// Whether its rules count packets.
    pub counters: Switch,
    /// The first mark, not 0.
    pub first: u32,
}
