//! `tests/bench/ipvs`: one machine with many virtual servers, Holdfast and Debian's keepalived in turn.
//!
//! The real servers are addresses of the machine itself with one listener behind them ([`checked`]); [`stage`] starts, reloads and
//! stops a daemon and reads the kernel's own list; [`cost`] is what the processes use and how many messages go to the kernel;
//! [`figures`] is the table.

pub mod checked;
pub mod cost;
pub mod figures;
pub mod stage;
