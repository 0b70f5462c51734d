//! The compiled configuration: what `checkd compile` makes of `keepalived.conf`, cut into one slice per process.
//!
//! Each process gets its slice and nothing else: VRRP passwords reach vrrpd only, what the kernel is told of addresses, routes, rules
//! and IPVS ipvsd only. vrrpd has the addresses that it advertises and, for dumps, its routes, rules and the commands of its scripts as
//! words ([`shown`]), by which nothing is set or run.
//! Names have been resolved to indices; the same index means the same thing in every slice of one generation.
//! No type here is recursive and no sequence has zero-sized elements (both would let a small frame cost much work).

pub mod bfd;
pub mod check;
mod checkers;
pub mod file;
pub mod filter;
pub mod global;
pub mod identity;
pub mod ipvs;
pub mod lvs;
pub(crate) mod origin;
pub mod probe;
pub mod process;
pub mod route;
pub mod script;
pub mod shown;
pub mod vrrp;
pub mod vrrp_global;
pub mod vrrp_options;
pub mod vrrp_track;

pub use origin::{FileName, Origin};

use core::fmt;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

crate::index! {
    /// A `vrrp_instance`.
    InstanceIdx(u16);
    /// A `vrrp_sync_group`.
    GroupIdx(u16);
    /// A network interface that the configuration names. Not the kernel's ifindex.
    LinkIdx(u16);
    /// A `vrrp_script`.
    TrackScriptIdx(u16);
    /// A `track_group`.
    TrackGroupIdx(u16);
    /// A `vrrp_track_process`.
    TrackProcessIdx(u16);
    /// A command that the configuration lists; the only thing the supervisor will execute.
    ScriptIdx(u16);
    /// A `virtual_server`.
    ServiceIdx(u32);
    /// A `virtual_server_group`.
    ServerGroupIdx(u16);
    /// A real server of a service.
    RealIdx(u32);
    /// A `track_file`.
    FileIdx(u16);
    /// A `bfd_instance`.
    BfdIdx(u16);
    /// A health checker of a real server.
    CheckerIdx(u32);
    /// A kind of socket with a mark.
    MarkedIdx(u32);
}

/// Which reading of the configuration something belongs to. Starts at 1, one more at each successful compilation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation(pub u32);

/// Bytes that must not appear in a log, a dump or a panic message; wiped when dropped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Secret(bytes)
    }

    /// The bytes, for the one place that needs them.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

/// The slices of one compiled configuration, in the order in which they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SliceKind {
    /// [`script::ScriptConfig`], for the supervisor: the only slice it decodes.
    Script,
    /// [`ipvs::IpvsConfig`], for ipvsd.
    Ipvs,
    /// [`vrrp::VrrpConfig`], for vrrpd.
    Vrrp,
    /// [`check::CheckConfig`], for checkd.
    Check,
}

/// One whole compiled configuration, before it is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// For the supervisor.
    pub script: script::ScriptConfig,
    /// For ipvsd.
    pub ipvs: ipvs::IpvsConfig,
    /// For vrrpd.
    pub vrrp: vrrp::VrrpConfig,
    /// For checkd.
    pub check: check::CheckConfig,
}
