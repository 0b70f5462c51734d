//! The shell of ipvsd: netlink sockets, event loop, system calls. Read from [`driver`].

pub mod driver;
pub mod sockets;
pub mod syscalls;
