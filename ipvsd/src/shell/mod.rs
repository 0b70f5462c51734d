//! The shell of ipvsd: netlink sockets, event loop, system calls. Read from [`driver`].

pub mod driver;
mod notices;
pub mod sockets;
pub mod syscalls;
