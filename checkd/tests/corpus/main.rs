//! The configurations of tests/conf: what is said of each stands beside it, and keepalived is asked about the same files.
//!
//! `NAME.conf` has `NAME.expected`: what `holdfast -t --message-format short` says, after lines `# differs: ID verdict` or
//! `# differs: ID LINE…` for what keepalived sees in another way (the table is `checkd::conf::differences`). With `HOLDFAST_BLESS=1` in
//! the environment what is said now becomes what is expected; `git diff` shows what changed.
//!
//! In `accept` nothing is an error, in `reject` something is, in `mistakes` something is said.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends at what it did not expect")]

mod against_keepalived;
mod expected;
mod files;
