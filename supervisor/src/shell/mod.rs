//! What touches the operating system. Read [`driver`] first: it owns the event loop and carries out what the core decides.

pub mod accounts;
pub mod children;
pub mod cli;
pub mod compile;
pub mod config_test;
pub mod connector;
pub mod driver;
pub mod exec;
pub mod fifo;
pub mod files;
pub mod getopt;
pub mod glob;
pub mod module;
pub mod namespaces;
pub mod notify;
pub mod pidfile;
pub mod ping;
pub mod processes;
pub mod regular;
pub mod security;
pub mod signals;
pub mod spawn;
pub mod start;
pub mod sys;
pub mod sysctl;
pub mod terminal;
pub mod trackable;
pub mod users;
pub mod watch;

#[cfg(test)]
mod testdir;
