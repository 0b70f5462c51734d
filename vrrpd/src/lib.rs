//! The core of vrrpd: VRRP elections as a machine without clock, socket, randomness or log.
//!
//! Read from [`router`], which takes the events of [`io`] and hands them to the generation that runs ([`active`]) and its
//! instances ([`fsm`]) and BFD sessions ([`bfd`]); [`packet`] holds the formats on the wire, [`reload`] leads from one generation to the next. `main.rs` and
//! `shell/` carry out the actions.

#![no_std]
#![forbid(unsafe_code)]
// Nothing that comes from outside ends this process: no index, no `unwrap`. In tests a panic is the report.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

extern crate alloc;

pub mod active;
pub mod bfd;
pub mod dump;
pub mod effects;
pub mod fsm;
pub mod io;
// Nor does a number that is too large.
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod packet;
pub mod queue;
pub mod reload;
pub mod router;
pub mod stats;
pub mod wire;
