//! What the four Holdfast processes share.
//!
//! Two halves, kept apart by convention and by review:
//! * pure: [`time`], [`table`], [`net`], [`machine`], [`report`], [`config`], [`msg`] hold data and no descriptor; the cores of the
//!   daemons (`no_std`) use only these;
//! * shell: [`codec`], [`chunk`], [`channel`], [`child`], [`fdpass`], [`evloop`], [`processor`], [`confine`], [`seccomp`], [`log`], [`fault`] touch the
//!   operating system; only `main.rs` and `src/shell/` of a daemon use them. [`sys`] is the only file with `unsafe`.
//!
//! This crate knows no daemon: it must not depend on one.

// Nothing that comes from outside ends this process: no index, no `unwrap`. In tests a panic is the report.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod config;
pub mod machine;
pub mod msg;
pub mod net;
pub mod report;
pub mod table;
pub mod time;
pub mod tracked;

// Nor does a number that is too large.
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod channel;
pub mod child;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod chunk;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod codec;
pub mod confine;
pub mod evloop;
pub mod fault;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod fdpass;
pub mod log;
pub mod processor;
pub mod seccomp;
pub mod sys;
