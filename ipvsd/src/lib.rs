//! The core of ipvsd, the only process of Holdfast that changes addresses and IPVS and the only one that speaks netlink.
//!
//! It works by reconciliation. [`ledger`] is what the configuration authorises; [`desired`] is what of it the peers want
//! now; [`observed`] is what the kernel holds; [`plan`] is the difference, in order; [`reconcile`] is the machine that
//! sends the difference, reads what the kernel answers and tells the peers. A start after a crash, a reload and the first
//! start are the same code: they differ in what is observed.
//!
//! Nothing that is not in the ledger is ever touched. Messages of peers select from the ledger, they never describe.
//!
//! No clock, no socket, no log in here: those are inputs and outputs ([`event`]).

#![no_std]
#![forbid(unsafe_code)]
// Nothing that comes from outside ends this process: no index, no `unwrap`. In tests a panic is the report.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod desired;
pub mod dump;
pub mod event;
pub mod filter;
pub mod ledger;
pub mod link;
// Nor does a number that is too large.
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod netlink;
pub mod observed;
pub mod path;
pub mod patience;
pub mod plan;
pub mod reconcile;
pub mod show;
