//! What the tests, the lab and the benchmarks stand on: namespaces joined to a LAN, daemons that run in them, and
//! recordings of what crosses the wire.

pub mod alone;
pub mod bench;
pub mod capture;
pub mod cleanup;
pub mod config;
pub mod daemon;
pub mod failure;
pub mod frame;
pub mod frr;
pub mod http;
pub mod lab;
pub mod lan;
pub mod malice;
pub mod monitor;
pub mod netns;
pub mod oracle;
pub mod pair;
pub mod post;
pub mod process;
pub mod router;
pub mod sim;
pub mod steal;
pub mod sys;
pub mod tested;
pub mod web;
