//! The core of checkd: the configuration compiler ([`conf`]) and the health checker. No clock, no socket, no randomness, no log.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod alert;
pub mod check;
pub mod conf;
pub mod engine;
pub mod lint;
pub mod print;
pub mod quorum;
