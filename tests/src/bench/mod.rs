//! `tests/bench/ipvs` is [`ipvs`]; the rest is `tests/bench/failover`: how long after the protocol's own Master_Down_Interval the new master is there.
//! [`cost`] is what processes use and how many messages go to the kernel.
//!
//! A scripted old master ([`old_master`]) advertises and falls silent; a daemon takes over ([`round`]); the times are those of the
//! kernel at the bridge between the two; [`table`] puts them side by side.

pub mod cost;
pub mod ipvs;
pub mod large;
pub mod old_master;
pub mod round;
pub mod table;
