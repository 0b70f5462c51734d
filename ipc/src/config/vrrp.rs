//! vrrpd's slice.

use super::bfd::Bfd;
use super::file::TrackFile;
use super::shown::Commands;
use super::vrrp_global::VrrpGlobals;
use super::vrrp_options::{GroupOptions, InstanceOptions};
use super::vrrp_track::{GarpGroup, LinkDelays, Linkbeat, TrackGroup, TrackProcess};
use super::{
    BfdIdx, FileIdx, GroupIdx, InstanceIdx, LinkIdx, Origin, ScriptIdx, Secret, TrackGroupIdx, TrackProcessIdx,
    TrackScriptIdx,
};
use crate::net::Family;
use crate::table::Table;
use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// vrrpd's slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VrrpConfig {
    /// Interfaces by name; the same table as ipvsd's.
    pub links: Table<LinkIdx, Link>,
    /// `vrrp_instance` blocks in the order of the file.
    pub instances: Table<InstanceIdx, Instance>,
    /// `vrrp_sync_group` blocks.
    pub groups: Table<GroupIdx, SyncGroup>,
    /// `vrrp_script` blocks that some instance or group uses.
    pub track_scripts: Table<TrackScriptIdx, TrackScript>,
    /// `vrrp_startup_delay`
    pub startup_delay: Duration,
    /// What else each instance asks for, row for row.
    pub options: Table<InstanceIdx, InstanceOptions>,
    /// What else each group asks for, row for row.
    pub group_options: Table<GroupIdx, GroupOptions>,
    /// `vrrp_track_process` blocks.
    pub track_processes: Table<TrackProcessIdx, TrackProcess>,
    /// `track_file` blocks; the same table as checkd's.
    pub files: Table<FileIdx, TrackFile>,
    /// `bfd_instance` blocks; the same table as checkd's.
    pub bfds: Table<BfdIdx, Bfd>,
    /// `garp_group` blocks.
    pub garp_groups: Vec<GarpGroup>,
    /// `linkbeat_interfaces`
    pub linkbeats: Vec<Linkbeat>,
    /// `interface_up_down_delays`
    pub link_delays: Vec<LinkDelays>,
    /// `track_group` blocks.
    pub track_groups: Table<TrackGroupIdx, TrackGroup>,
    /// What concerns all instances together.
    pub globals: VrrpGlobals,
    /// Its commands, for dumps.
    pub commands: Commands,
}

/// An interface that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its name, at most 15 bytes.
    pub name: String,
    /// The line that first named it.
    pub origin: Origin,
}

/// VRRP protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// RFC 3768, IPv4 only, whole seconds.
    V2,
    /// RFC 9568, centiseconds.
    V3,
}

/// The state that `state` asks for, after keepalived's normalisations (behaviour: no `state` is MASTER iff priority 255).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// Starts as BACKUP and becomes MASTER after one advert interval and skew(255), unless it hears somebody.
    Master,
    /// Starts as BACKUP with a whole Master_Down_Interval.
    Backup,
}

/// Whether a lower-priority master is deposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preemption {
    /// RFC 9568 Preempt_Mode true, after `delay` (`preempt_delay`, zero when unset).
    Preempt {
        /// How long after the first lower-priority advert.
        delay: Duration,
    },
    /// `nopreempt`
    NoPreempt,
}

/// Where adverts go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// To a group.
    Multicast {
        /// 224.0.0.18 or ff02::12 unless configured.
        group: IpAddr,
    },
    /// To each peer.
    Unicast {
        /// At least one.
        peers: Vec<Peer>,
        /// `unicast_ttl`. COMPAT: unset is 255 for IPv4, the kernel's hop limit (64) for IPv6.
        ttl: u8,
        /// `check_unicast_src`, or implied by a ttl range: adverts from non-peers are dropped.
        sources: UnicastSources,
    },
}

/// `check_unicast_src`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnicastSources {
    /// Adverts from anybody.
    Any,
    /// Adverts from configured peers only.
    PeersOnly,
}

/// A `unicast_peer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its address.
    pub addr: IpAddr,
    /// `min_ttl`, default 0.
    pub min_ttl: u8,
    /// `max_ttl`, default 255.
    pub max_ttl: u8,
}

/// VRRPv2 authentication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Auth {
    /// None.
    None,
    /// `auth_type PASS`: at most eight bytes, zero-padded on the wire.
    Pass(Secret),
    /// `auth_type AH`, IPv4 only: the same bytes are the key of an authentication header (RFC 2402).
    Ah(Secret),
}

/// Gratuitous ARP timing. COMPAT: keepalived 2.4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarpTiming {
    /// `garp_master_repeat`, 5: how many per address in a burst.
    pub repeat: u32,
    /// `garp_master_delay`, 5 s: second burst after becoming master; zero for none.
    pub delay: Duration,
    /// `garp_master_refresh`, zero for none.
    pub refresh: Duration,
    /// `garp_master_refresh_repeat`, 1.
    pub refresh_repeat: u32,
    /// `garp_lower_prio_repeat`, default `vrrp_garp_master_repeat`; zero for none.
    pub lower_prio_repeat: u32,
    /// `garp_lower_prio_delay`, default `vrrp_garp_master_delay`.
    pub lower_prio_delay: Duration,
}

/// A protected address as vrrpd sees it: enough to advertise and announce it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vip {
    /// The address.
    pub addr: IpAddr,
    /// The interface it is put on.
    pub link: LinkIdx,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Switch {
    /// Not done.
    #[default]
    Off,
    /// Done.
    On,
}

/// Effect of a tracked thing on its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// −253..=253; zero: down means FAULT.
    pub value: i16,
    /// `reverse`
    pub reverse: Switch,
}

/// A `track_interface` line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackLink {
    /// Which.
    pub link: LinkIdx,
    /// With what effect.
    pub weight: Weight,
    /// The line that asks for it: `interface`, an address with a `dev`, a line of `track_interface`.
    pub origin: Origin,
}

/// A `track_script` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackScriptUse {
    /// Which.
    pub script: TrackScriptIdx,
    /// With what effect (the line's, else the script's own).
    pub weight: Weight,
}

/// The notify scripts of an instance or a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// `notify_master`
    pub master: Option<ScriptIdx>,
    /// `notify_backup`
    pub backup: Option<ScriptIdx>,
    /// `notify_fault`
    pub fault: Option<ScriptIdx>,
    /// `notify_stop`
    pub stop: Option<ScriptIdx>,
    /// `notify`
    pub generic: Option<ScriptIdx>,
    /// `notify_master_rx_lower_pri`
    pub master_rx_lower_pri: Option<ScriptIdx>,
}

/// A `vrrp_instance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Where its block begins.
    pub origin: Origin,
    /// Protocol version.
    pub version: Version,
    /// Family of its adverts and of its `virtual_ipaddress`.
    pub family: Family,
    /// `interface`
    pub link: LinkIdx,
    /// `virtual_router_id`, 1..=255.
    pub vrid: u8,
    /// `priority`, 1..=255; 255 is the address owner.
    pub priority: u8,
    /// `state`
    pub wanted: Wanted,
    /// `advert_int`: v2 whole seconds 1..=255, v3 10 ms..=40.95 s in steps of 10 ms.
    pub advert_int: Duration,
    /// `nopreempt`, `preempt_delay`
    pub preemption: Preemption,
    /// `down_timer_adverts`, 3.
    pub down_timer_adverts: u8,
    /// `mcast_src_ip` / `unicast_src_ip`; `None`: the interface's primary address.
    pub source: Option<IpAddr>,
    /// `track_src_ip`: FAULT while the configured source address is missing.
    pub track_source: Switch,
    /// Where adverts go.
    pub transport: Transport,
    /// VRRPv2 authentication.
    pub auth: Auth,
    /// `v3_checksum_as_v2`
    pub v3_checksum_as_v2: Switch,
    /// Advertised addresses in the order of the file, at most 255.
    pub vips: Vec<Vip>,
    /// `virtual_ipaddress_excluded`: moved and announced, not advertised.
    pub excluded: Vec<Vip>,
    /// Gratuitous ARP.
    pub garp: GarpTiming,
    /// `lower_prio_no_advert`
    pub lower_prio_no_advert: Switch,
    /// `higher_prio_send_advert`: a master that gives way says so with one more advert, from which the other one learns that there were two
    /// and announces the addresses again.
    pub higher_prio_send_advert: Switch,
    /// `owner_ignore_adverts`, only with priority 255.
    pub owner_ignore_adverts: Switch,
    /// `skip_check_adv_addr`
    pub skip_check_adv_addr: Switch,
    /// Interfaces whose loss puts the instance in FAULT or changes its priority. Its own (unless `dont_track_primary`)
    /// and those of its addresses (unless `no_track`) are in it, with weight 0.
    pub track_links: Vec<TrackLink>,
    /// `track_script`
    pub track_scripts: Vec<TrackScriptUse>,
    /// Scripts to tell.
    pub notify: Notify,
    /// The sync group it is in.
    pub group: Option<GroupIdx>,
}

/// A `vrrp_sync_group`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncGroup {
    /// Its name.
    pub name: String,
    /// Where its block begins.
    pub origin: Origin,
    /// Members in the order of the file.
    pub members: Vec<InstanceIdx>,
    /// Scripts to tell.
    pub notify: Notify,
}

/// A `vrrp_script`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackScript {
    /// Its name.
    pub name: String,
    /// Where its block begins.
    pub origin: Origin,
    /// What is run; the supervisor knows its timeout.
    pub script: ScriptIdx,
    /// `interval`, start to start, at least 1 ms.
    pub interval: Duration,
    /// `rise`, at least 1.
    pub rise: u32,
    /// `fall`, at least 1.
    pub fall: u32,
    /// `init_fail`
    pub init_fail: Switch,
}
