//! What a `vrrp_instance` or `vrrp_sync_group` may ask for beyond the protocol itself: virtual MAC addresses, signed adverts, trackers
//! of files, processes and BFD sessions, notifications. It stands beside [`super::vrrp::Instance`], row for row.

use super::shown::Shown;
use super::vrrp::{Switch, Weight};
use super::{BfdIdx, FileIdx, LinkIdx, ScriptIdx, Secret, TrackProcessIdx};
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// The rest of a `vrrp_instance`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceOptions {
    /// `strict_mode`, else `vrrp_strict`
    pub strict: Switch,
    /// `accept`, `no_accept`
    pub accept: Accept,
    /// `use_vmac`
    pub vmac: Option<Vmac>,
    /// `use_ipvlan`
    pub ipvlan: Option<Ipvlan>,
    /// The interface that `use_vmac` or `use_ipvlan` makes on [`super::vrrp::Instance::link`].
    pub own_link: Option<LinkIdx>,
    /// `use_vmac_addr`
    pub vmac_addr: Switch,
    /// Interfaces of its addresses that have the virtual router's MAC address: `use_vmac`, `use_vmac_addr`, `use_vmac` of an address.
    pub vmac_links: Vec<LinkIdx>,
    /// `vmac_xmit_base`
    pub vmac_xmit_base: Switch,
    /// `promote_secondaries`
    pub promote_secondaries: Switch,
    /// `auth_hmac`
    pub hmac: Option<Hmac>,
    /// `unicast_fault_no_peer`
    pub unicast_fault_no_peer: Switch,
    /// `old_unicast_checksum`
    pub old_unicast_checksum: OldChecksum,
    /// `timer_expired_backup`, 1..=254: the priority that counts as the others' highest.
    pub timer_expired_backup: Option<u8>,
    /// `vrf`
    pub vrf: Option<LinkIdx>,
    /// `kernel_rx_buf_size`, bytes.
    pub receive_buffer: Option<u32>,
    /// `linkbeat_use_polling`
    pub linkbeat_polling: Switch,
    /// `debug`, 0..=4; without effect in keepalived too.
    pub debug: u8,
    /// `garp_extra_if`, else `vrrp_garp_extra_if`
    pub garp_extra: Option<ExtraGarp>,
    /// `track_file`
    pub track_files: Vec<TrackFileUse>,
    /// `track_process`
    pub track_processes: Vec<TrackProcessUse>,
    /// `track_bfd`
    pub track_bfds: Vec<TrackBfdUse>,
    /// `notify_deleted`
    pub notify_deleted: NotifyDeleted,
    /// `notify_priority_changes`, else the group's, else `vrrp_notify_priority_changes`
    pub notify_priority_changes: Switch,
    /// `smtp_alert`, else `smtp_alert_vrrp`, else `smtp_alert` of `global_defs`
    pub smtp_alert: Switch,
    /// Words for dumps.
    pub shown: Shown,
}

/// The rest of a `vrrp_sync_group`. Its trackers have been given to its members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupOptions {
    /// `smtp_alert`, else `smtp_alert_vrrp`, else `smtp_alert` of `global_defs`
    pub smtp_alert: Switch,
}

/// What becomes of packets to a virtual address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Accept {
    /// They are taken. RFC 9568 Accept_Mode true.
    #[default]
    Accept,
    /// They are dropped, except for what an address needs to be found.
    Drop,
}

/// `use_vmac`: a macvlan interface with the virtual router's MAC address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vmac {
    /// Its name; `None`: `vmac_prefix.VRID`.
    pub name: Option<String>,
    /// An address other than 00:00:5e:00:01:VRID.
    pub mac: Option<MacChoice>,
    /// `netlink_notify_msg`
    pub netlink_notify: Switch,
    /// `group`: the interface group, a name or number.
    pub group: Option<String>,
}

/// A MAC address of the user's own; never a group address and never one that RFC 9568 reserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MacChoice {
    /// All of it.
    Whole([u8; 6]),
    /// The first five bytes; the VRID is the last.
    BeforeVrid([u8; 5]),
}

/// `use_ipvlan`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipvlan {
    /// Its name; `None`: made of `vmac_prefix` and the VRID.
    pub name: Option<String>,
    /// The address it speaks from.
    pub addr: Option<crate::net::Prefix>,
    /// `bridge`, `private` or `vepa`
    pub mode: IpvlanMode,
    /// `group`: the interface group, a name or number.
    pub group: Option<String>,
}

/// What interfaces of one parent see of each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpvlanMode {
    /// Everything.
    #[default]
    Bridge,
    /// Nothing.
    Private,
    /// What the switch sends back.
    Vepa,
}

/// `auth_hmac`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hmac {
    /// `key`: each with its number, no number twice.
    pub keys: Vec<(u8, HmacKey)>,
    /// `active_key`: signs what is sent; one of `keys`.
    pub active: u8,
    /// `anti_replay`
    pub anti_replay: AntiReplay,
    /// `time_window`, 1 s to 300 s; default three advert intervals, at least 5 s.
    pub window: Duration,
    /// `mode`
    pub mode: HmacMode,
}

/// Where a key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HmacKey {
    /// In the configuration: 32 to 64 bytes.
    Bytes(Secret),
    /// In a file.
    File(String),
    /// In a credential of the service manager: a name without a slash.
    Credential(String),
}

/// How an advert that was heard before is told from a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AntiReplay {
    /// By its time.
    #[default]
    Time,
    /// By its number.
    Monotonic,
}

/// What is done with adverts that are not signed well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HmacMode {
    /// They are dropped.
    #[default]
    Enforce,
    /// They are taken.
    Permissive,
    /// They are taken, and nothing is signed.
    ReceiveOnly,
}

/// `old_unicast_checksum`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OldChecksum {
    /// As the peer does it.
    #[default]
    Detect,
    /// As before keepalived 1.3.6.
    Always,
    /// As the RFC says.
    Never,
}

/// `garp_extra_if`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraGarp {
    /// How often, 1 s to 86400 s.
    pub every: Duration,
    /// `all`: on all interfaces of addresses, not only on virtual MAC ones.
    pub all: Switch,
}

/// `notify_deleted`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotifyDeleted {
    /// FAULT is told when a reload removes the instance.
    #[default]
    AsFault,
    /// DELETED is told.
    Deleted,
    /// DELETED is told, and this is run.
    Run(ScriptIdx),
}

/// A `track_process` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackProcessUse {
    /// Which.
    pub process: TrackProcessIdx,
    /// With what effect.
    pub weight: Weight,
}

/// A `track_file` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackFileUse {
    /// Which.
    pub file: FileIdx,
    /// What the number in the file is multiplied with, −254..=254 (the line's, else the file's own); zero: a number other than zero means
    /// FAULT.
    pub weight: Weight,
}

/// A `track_bfd` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackBfdUse {
    /// Which.
    pub bfd: BfdIdx,
    /// With what effect (the line's, else the session's own).
    pub weight: Weight,
}
