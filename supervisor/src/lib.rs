//! The core of the supervisor: when to start, to relay, to run a command and to stop. No clock, no descriptor, no log:
//! those are inputs and actions of one machine, [`lifecycle::Lifecycle`].
//!
//! * [`daemon`]: the three long-lived children and what is known of each;
//! * [`lifecycle`]: the machine; [`reload`]: one change of configuration, the first start included; [`stop`]: the order of
//!   the end;
//! * [`backoff`]: how long a dead child waits;
//! * [`pace`]: how often a file that changes is handed out;
//! * [`script`]: which listed command runs when, in which order, for how long; [`argv`]: the arguments of `notify`;
//! * [`fifo`]: the notify FIFOs.

#![no_std]
#![forbid(unsafe_code)]
// Nothing that comes from outside ends this process: no index, no `unwrap`. In tests a panic is the report.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

extern crate alloc;

pub mod argv;
pub mod backoff;
pub mod daemon;
pub mod fifo;
pub mod lifecycle;
pub mod pace;
pub mod reload;
pub mod script;
pub mod stop;
