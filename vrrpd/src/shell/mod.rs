//! The shell of vrrpd: sockets, event loop, system calls. Read from [`driver`].

pub mod arrival;
mod bfd;
pub mod driver;
pub mod later;
pub mod link;
pub mod outbox;
pub mod processes;
pub mod receiver;
pub mod sender;
pub mod sockets;
pub mod sys;
pub mod syscalls;

#[cfg(test)]
mod tests;
