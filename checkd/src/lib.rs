//! The core of checkd: the configuration compiler ([`conf`]) and the health checker. No clock, no socket, no randomness, no log.
#![no_std]
#![forbid(unsafe_code)]
// Nothing that comes from outside ends this process: no index, no `unwrap`. In tests a panic is the report.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

extern crate alloc;

pub mod alert;
// Nor does a number that is too large.
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod check;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod conf;
pub mod engine;
pub mod lint;
pub mod print;
pub mod quorum;
pub mod shown;
