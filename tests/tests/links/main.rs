//! Kinds of interfaces that not every kernel has: ipvlan, VRF. tests/run starts a virtual machine with one that has both where this one
//! may not.

mod ipvlan;
mod vrf;

use std::time::Duration;

/// How long something may take that follows from an event at once, on an emulated machine.
const SOON: Duration = Duration::from_secs(60);
