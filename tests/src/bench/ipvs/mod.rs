//! `tests/bench/ipvs`: one machine with many virtual servers, Holdfast and Debian's keepalived in turn.
//!
//! The real servers are addresses of the machine itself with one listener behind them ([`checked`]); [`stage`] starts, reloads and
//! stops a daemon; [`kernel`] is what the kernel holds meanwhile; [`least`] is what the kernel alone costs; [`figures`] is the table.

pub mod checked;
pub mod figures;
pub mod kernel;
pub mod least;
pub mod stage;
