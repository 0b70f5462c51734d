//! The shell of ipvsd: netlink sockets, event loop, system calls. Read from [`driver`].

pub mod driver;
mod marked;
mod notices;
pub mod sockets;
mod sys;
pub mod syscalls;
