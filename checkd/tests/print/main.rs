//! The printed configuration: what is printed compiles to the same again, and JSON is what its schema says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends at what it did not expect")]

mod common;
mod files;
mod generate;
mod generated;
mod records;
mod schema;
