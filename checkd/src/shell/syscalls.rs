//! The system calls of `checkd run` beside those of every child ([`ipc::seccomp::base::BASE`]): name, when, and what makes it.

use ipc::seccomp::{Arg, Call, call, call_if};

const AF_INET: u32 = libc::AF_INET.cast_unsigned();
const AF_INET6: u32 = libc::AF_INET6.cast_unsigned();
const STREAM: u32 = (libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC).cast_unsigned();
const TCP: u32 = libc::IPPROTO_TCP.cast_unsigned();
const SOL_SOCKET: u32 = libc::SOL_SOCKET.cast_unsigned();

/// For `checkd run`.
pub const RUN: &[Call] = &[
    call_if(
        "socket",
        &[
            &[Arg::Is(0, AF_INET), Arg::Is(1, STREAM), Arg::Is(2, TCP)],
            &[Arg::Is(0, AF_INET6), Arg::Is(1, STREAM), Arg::Is(2, TCP)],
        ],
        "shell::connect::begin",
    ),
    call_if(
        "setsockopt",
        &[
            &[Arg::Is(1, SOL_SOCKET), Arg::Is(2, libc::SO_REUSEADDR.cast_unsigned())],
            &[Arg::Is(1, SOL_SOCKET), Arg::Is(2, libc::SO_LINGER.cast_unsigned())],
        ],
        "shell::connect::begin: bind_port",
    ),
    call("bind", "shell::connect::begin: bindto, bind_port"),
    call("connect", "shell::connect::begin"),
    call_if(
        "getsockopt",
        &[&[Arg::Is(1, SOL_SOCKET), Arg::Is(2, libc::SO_ERROR.cast_unsigned())]],
        "shell::connect::Connection::connected",
    ),
    call("getpeername", "shell::connect::Connection::connected"),
    call("recvfrom", "shell::connect::Connections::ready"),
];
