//! What can happen to the reconciler and what it wants done.

use crate::netlink::batch::Batch;
use crate::netlink::reply::Fact;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::ipvs::IpvsConfig;
use ipc::config::probe::Marked;
use ipc::config::{Generation, MarkedIdx};
use ipc::machine::Timeout;
use ipc::msg::Role;
use ipc::msg::control::StopMode;
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck};
use ipc::msg::vips::{IpvsToVrrp, VrrpToIpvs};
use ipc::report::Line;

/// What can happen.
#[derive(Clone, Debug)]
pub enum Event {
    /// The deadline may have passed.
    Timeout,
    /// The netlink sockets are open: look at the kernel.
    Start,
    /// A new configuration, not yet to be used.
    Configure(Generation, Box<IpvsConfig>),
    /// The prepared configuration counts from now on.
    Activate(Generation),
    /// The prepared configuration is dropped.
    Discard(Generation),
    /// There is a (new) channel to vrrpd.
    VrrpAttached,
    /// vrrpd is gone.
    VrrpLost,
    /// There is a (new) channel to checkd.
    CheckAttached,
    /// checkd is gone.
    CheckLost,
    /// One frame of vrrpd, of the active generation (frames of others are dropped by the shell).
    FromVrrp(Vec<VrrpToIpvs>),
    /// One frame of checkd, of the active generation.
    FromCheck(Vec<CheckToIpvs>),
    /// What the kernel said, in order; as much as was there to read.
    Kernel(Vec<Fact>),
    /// A dump file is wanted (SIGUSR1); answered by one [`Action::Dump`].
    Dump,
    /// Release and stop.
    Stop(StopMode),
}

impl From<Timeout> for Event {
    fn from(_: Timeout) -> Event {
        Event::Timeout
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write these requests; the answers come back as [`Event::Kernel`].
    Send(Batch),
    /// Say this to vrrpd, in one frame.
    ToVrrp(Vec<IpvsToVrrp>),
    /// Say this to checkd, in one frame.
    ToCheck(Vec<IpvsToCheck>),
    /// Open a socket with a mark for checkd.
    Open(MarkedIdx, Marked),
    /// That peer said something impossible: the supervisor shall end it.
    Violation(Role, String),
    /// The configuration can be activated.
    Ready(Generation),
    /// It cannot be used; why has been logged.
    Refused(Generation),
    /// It counts now.
    Activated,
    /// An interface that has come is not set as the supervisor sets it.
    Unsettled,
    /// Everything is released.
    Stopped,
    /// Write this into the dump file.
    Dump(String),
    /// Log this.
    Log(Line),
}
