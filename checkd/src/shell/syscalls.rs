//! The system calls of `checkd run` beside those of every child ([`ipc::seccomp::base::BASE`]): name, when, and what makes it.

use ipc::seccomp::probe::SOCKETS as PROBE_SOCKETS;
use ipc::seccomp::{Arg, Call, call, call_if};

const SOL_SOCKET: u32 = libc::SOL_SOCKET.cast_unsigned();

/// For `checkd run`.
pub const RUN: &[Call] = &[
    call_if("socket", PROBE_SOCKETS, "shell::connect::begin: TCP; UDP_CHECK, DNS_CHECK; PING_CHECK"),
    call_if(
        "setsockopt",
        &[
            &[Arg::Is(1, SOL_SOCKET), Arg::Is(2, libc::SO_REUSEADDR.cast_unsigned())],
            &[Arg::Is(1, SOL_SOCKET), Arg::Is(2, libc::SO_LINGER.cast_unsigned())],
            // Without a right only for a socket that is bound to no interface yet (Linux 5.7).
            &[Arg::Is(1, SOL_SOCKET), Arg::Is(2, libc::SO_BINDTODEVICE.cast_unsigned())],
        ],
        "shell::connect::begin: bind_port, bind_if",
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
