//! `global_defs` of VRRP: defaults, packet filter, SNMP, D-Bus.

use super::vrrp::Switch;
use super::vrrp_options::ExtraGarp;
use core::net::Ipv6Addr;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// What concerns all instances together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VrrpGlobals {
    /// `vrrp_mcast_group6`; `None`: ff02::12.
    pub group6: Option<Ipv6Addr>,
    /// `vrrp_strict`, the default of `strict_mode`.
    pub strict: Switch,
    /// `vrrp_garp_interval`: between gratuitous ARPs of one interface.
    pub garp_interval: Duration,
    /// `vrrp_gna_interval`: between neighbour advertisements of one interface.
    pub gna_interval: Duration,
    /// `vrrp_garp_extra_if`
    pub garp_extra: Option<ExtraGarp>,
    /// `log_unknown_vrids`
    pub log_unknown_vrids: Switch,
    /// `vrrp_delay_after_boot`: VRRP starts when the machine has been up for so long.
    pub delay_after_boot: Duration,
    /// `vmac_prefix`; `None`: `vrrp`.
    pub vmac_prefix: Option<String>,
    /// `vmac_addr_prefix`; `None`: as `vmac_prefix`.
    pub vmac_addr_prefix: Option<String>,
    /// `disable_local_igmp`
    pub disable_local_igmp: Switch,
    /// `vrrp_rx_bufs_policy`
    pub receive_buffers: BufferPolicy,
    /// `vrrp_rx_bufs_multiplier`, from 1; 0 here: unset, which is 3.
    pub receive_multiplier: u32,
    /// `vrrp_notify_priority_changes`
    pub notify_priority_changes: Switch,
    /// Whether anybody but scripts is told of changes ([`crate::msg::control::News`]).
    pub news: Switch,
    /// `fifo_write_vrrp_states_on_reload`
    pub news_on_reload: Switch,
    /// `json_version`, 1 or 2; 0 when unset, which is 1.
    pub json_version: u8,
    /// `dynamic_interfaces`: interfaces need not be there when the configuration is read.
    pub dynamic_interfaces: Switch,
    /// `linkbeat_use_polling`, outside all blocks.
    pub linkbeat_polling: Switch,
    /// Packet filter.
    pub firewall: Firewall,
    /// SNMP.
    pub snmp: Snmp,
    /// D-Bus.
    pub dbus: Dbus,
}

/// `vrrp_rx_bufs_policy`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BufferPolicy {
    /// The system's size.
    #[default]
    System,
    /// So many bytes.
    Bytes(u32),
    /// By the interface's MTU.
    Mtu,
    /// By the length of an advert.
    Advert,
}

/// The packet filter behind `no_accept` and virtual MAC addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// `nftables`: the table.
    pub nftables: Option<String>,
    /// `nftables_priority`; `None`: −1.
    pub priority: Option<i32>,
    /// `nftables_ifindex`
    pub by_ifindex: Switch,
    /// `nftables_counters`
    pub counters: Switch,
    /// `nftables_ipvs`: the table of marks.
    pub ipvs: Option<String>,
    /// `nftables_ipvs_priority`; `None`: −1.
    pub ipvs_priority: Option<i32>,
    /// `nftables_ipvs_start_fwmark`; `None`: 1000.
    pub first_mark: Option<u32>,
    /// `vrrp_iptables`: chain for what comes in, chain for what goes out.
    pub iptables: Option<(String, Option<String>)>,
    /// `vrrp_ipsets`
    pub ipsets: Ipsets,
}

/// `vrrp_ipsets`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ipsets {
    /// With iptables, under the names that keepalived gives.
    #[default]
    Auto,
    /// None.
    Off,
    /// One to six names: IPv4, IPv6, IPv6 interfaces, IGMP, MLD, neighbour discovery.
    Named(Vec<String>),
}

/// SNMP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snmp {
    /// `snmp_socket`; `None`: `unix:/var/agentx/master`.
    pub socket: Option<String>,
    /// `enable_snmp_vrrp`
    pub vrrp: Switch,
    /// `enable_snmp_checker`
    pub checker: Switch,
    /// `enable_snmp_rfcv2`, `enable_snmp_rfc`
    pub rfc2: Switch,
    /// `enable_snmp_rfcv3`, `enable_snmp_rfc`
    pub rfc3: Switch,
    /// `enable_traps`
    pub traps: Switch,
    /// `snmp_vs_stats_update_interval`; `None`: 5 s.
    pub services_every: Option<Duration>,
    /// `snmp_rs_stats_update_interval`; `None`: as that of services.
    pub reals_every: Option<Duration>,
}

/// D-Bus.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dbus {
    /// `enable_dbus`
    pub enabled: Switch,
    /// `dbus_service_name`; `None`: `org.keepalived.Vrrp1`.
    pub service: Option<String>,
    /// `dbus_no_interface_name`
    pub no_interface: Option<String>,
}
