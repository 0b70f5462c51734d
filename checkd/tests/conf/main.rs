//! The configuration compiler as a whole: text in, configuration and problems out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends at what it did not expect")]

mod allow;
mod codes;
mod common;
mod expansion;
mod grammar;
mod keywords;
mod lexical;
mod properties;
mod seeds;
mod server_groups;
mod servers;
mod tracking;
mod vrrp;
