//! The system calls of ipvsd beside those of every child ([`ipc::seccomp::base::BASE`]): name, when, and what makes it.

use ipc::seccomp::probe::SOCKETS as PROBE_SOCKETS;
use ipc::seccomp::{Arg, Call, call, call_if};

const AF_NETLINK: u32 = libc::AF_NETLINK.cast_unsigned();
const ROUTE: u32 = libc::NETLINK_ROUTE.cast_unsigned();
const GENERIC: u32 = libc::NETLINK_GENERIC.cast_unsigned();
const FILTER: u32 = libc::NETLINK_NETFILTER.cast_unsigned();
const SOL_SOCKET: u32 = libc::SOL_SOCKET.cast_unsigned();
const SOL_NETLINK: u32 = libc::SOL_NETLINK.cast_unsigned();

/// The bytes of a `sockaddr_nl`. For a `sockaddr_in` the kernel wants 16 at least, for a `sockaddr_in6` 24; a `sockaddr_un` may be as short.
const NETLINK_ADDRESS: u32 = 12;

/// For ipvsd.
pub const CALLS: &[Call] = &[
    call_if(
        "socket",
        &[
            &[Arg::Is(0, AF_NETLINK), Arg::Is(2, ROUTE)],
            &[Arg::Is(0, AF_NETLINK), Arg::Is(2, GENERIC)],
            &[Arg::Is(0, AF_NETLINK), Arg::Is(2, FILTER)],
        ],
        "shell::sockets::Sockets::open: links and addresses, IPVS, packet filter",
    ),
    call_if(
        "socket",
        PROBE_SOCKETS,
        "shell::marked::open: given to checkd. A stolen ipvsd can send datagrams and pings with them by sendmsg, whose address no filter sees, and \
         read what is answered; connections it cannot make: no connect, no listen, no MSG_FASTOPEN",
    ),
    call_if(
        "bind",
        &[&[Arg::Is(2, NETLINK_ADDRESS)]],
        "shell::sockets::open: of the families that socket allows (netlink, INET, INET6) only netlink has addresses so short. A channel, which is \
         UNIX, could get a name, but no connection: no listen",
    ),
    call("getsockname", "shell::sockets::open: the port number that notifications of our own requests carry"),
    call_if("ioctl", &[&[Arg::Is(1, FIONBIO)]], "netlink_sys::Socket::set_non_blocking"),
    call_if(
        "setsockopt",
        &[
            &[Arg::Is(1, SOL_SOCKET), Arg::Is(2, libc::SO_RCVBUFFORCE.cast_unsigned())],
            &[Arg::Is(1, SOL_SOCKET), Arg::Is(2, libc::SO_ATTACH_FILTER.cast_unsigned())],
            &[Arg::Is(1, SOL_SOCKET), Arg::Is(2, libc::SO_MARK.cast_unsigned())],
            &[Arg::Is(1, SOL_NETLINK), Arg::Is(2, libc::NETLINK_GET_STRICT_CHK.cast_unsigned())],
            &[Arg::Is(1, SOL_NETLINK), Arg::Is(2, libc::NETLINK_CAP_ACK.cast_unsigned())],
            &[Arg::Is(1, SOL_NETLINK), Arg::Is(2, libc::NETLINK_EXT_ACK.cast_unsigned())],
        ],
        "shell::sockets::open: receive buffer, no notifications of others' routes, dumps of own routes alone, short acknowledgements \
         with the kernel's words; shell::marked::open",
    ),
    call("recvfrom", "shell::sockets::receive"),
    call_if("sched_getaffinity", &[&[Arg::Is(0, 0)]], "ipc::processor::step_aside, itself only"),
    call_if("sched_setaffinity", &[&[Arg::Is(0, 0)]], "ipc::processor::step_aside, itself only"),
];

/// The lower 32 bits, which are what a filter compares.
const FIONBIO: u32 = 0x5421;

#[cfg(test)]
mod tests {
    use ipc::seccomp::Arg;

    #[test]
    fn an_address_of_netlink_is_shorter_than_those_of_the_other_families_that_socket_allows() {
        let is = |family: libc::c_int| matches!(family, libc::AF_NETLINK | libc::AF_INET | libc::AF_INET6);
        let allowed = |all: &[Arg]| matches!(all, [Arg::Is(0, family), ..] if is(family.cast_signed()));
        for call in super::CALLS.iter().filter(|call| call.name() == "socket") {
            assert!(!call.when().is_empty() && call.when().iter().all(|all| allowed(all)), "{call:?}");
        }
        assert_eq!(size_of::<libc::sockaddr_nl>(), super::NETLINK_ADDRESS as usize);
        assert!(size_of::<libc::sockaddr_in>() > super::NETLINK_ADDRESS as usize);
        assert!(size_of::<libc::sockaddr_in6>() > super::NETLINK_ADDRESS as usize);
    }

    #[test]
    fn fionbio_is_what_the_table_says() {
        assert_eq!(u64::from(super::FIONBIO), libc::FIONBIO);
    }
}
