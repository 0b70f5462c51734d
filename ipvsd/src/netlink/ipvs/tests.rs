//! The bytes of ipvsadm 1.31 and of Debian's Linux 6.1, taken with strace, and round trips.

use super::request::*;
use super::*;
use crate::netlink::Bus;
use crate::netlink::batch::{Batch, Kind};
use crate::netlink::paths::Request;
use crate::netlink::reply::{self, Fact, Socket};
use crate::observed::{Counts, DaemonFact, DaemonState, DestFact, ServiceFact};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ipc::config::ipvs::{Checksum, Method, Protocol, ServiceKey};
use ipc::net::Family;
use proptest::prelude::*;
use std::vec;

const NUMBER: u16 = 0x22;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

/// What is behind the netlink header of a request.
fn sent(request: Request) -> Vec<u8> {
    let mut batch = Batch::new(Bus::Generic);
    batch.push_request(1, Kind::Change, &request);
    batch.writes.concat().split_off(16)
}

fn v4(n: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 1, 1, n))
}

fn http() -> ServiceKey {
    ServiceKey::Addr { addr: v4(1), port: 80, protocol: Protocol::Tcp }
}

fn six() -> ServiceKey {
    ServiceKey::Addr { addr: "fd00::1".parse().unwrap(), port: 443, protocol: Protocol::Tcp }
}

fn service(key: ServiceKey, scheduler: &str, flags: u32, timeout: u32, netmask: u32) -> ServiceFact {
    ServiceFact { key, scheduler: scheduler.into(), flags, timeout, netmask, engine: None }
}

#[test]
fn services_are_written_as_ipvsadm_writes_them() {
    let dns = ServiceKey::Addr { addr: v4(1), port: 53, protocol: Protocol::Udp };
    let table = [
        // -A -t 10.1.1.1:80 -s wlc
        (
            service(http(), "wlc", 0, 0, u32::MAX),
            "010100005400018006000100020000000600020006000000140003000a0101010000000000000000000000000600040000500000\
             08000600776c63000c00070000000000ffffffff080008000000000008000900ffffffff",
        ),
        // -A -u 10.1.1.1:53 -s rr -p 300 -M 255.255.255.0 -o
        (
            service(dns, "rr", 5, 300, 0xffff_ff00),
            "010100005400018006000100020000000600020011000000140003000a0101010000000000000000000000000600040000350000\
             07000600727200000c00070005000000ffffffff080008002c01000008000900ffffff00",
        ),
        // -A -f 7 -s sh -b sh-fallback,sh-port
        (
            service(ServiceKey::Fwmark { mark: 7, family: Family::V4 }, "sh", 0x18, 0, u32::MAX),
            "01010000380001800600010002000000080005000700000007000600736800000c00070018000000ffffffff0800080000000000\
             08000900ffffffff",
        ),
        // -A -t [fd00::1]:443 -s wrr -p 60 -M 64
        (
            service(six(), "wrr", 1, 60, 64),
            "0101000054000180060001000a000000060002000600000014000300fd0000000000000000000000000000010600040001bb0000\
             08000600777272000c00070001000000ffffffff080008003c0000000800090040000000",
        ),
        // -A -f 8 -6 -s rr
        (
            service(ServiceKey::Fwmark { mark: 8, family: Family::V6 }, "rr", 0, 0, 128),
            "0101000038000180060001000a000000080005000800000007000600727200000c00070000000000ffffffff0800080000000000\
             0800090080000000",
        ),
    ];
    for (fact, hex) in table {
        assert_eq!(sent(add_service(NUMBER, &fact)), bytes(hex), "{fact:?}");
    }
    // -E -t 10.1.1.1:80 -s rr
    let hex = "020100005400018006000100020000000600020006000000140003000a0101010000000000000000000000000600040000500000\
               07000600727200000c00070000000000ffffffff080008000000000008000900ffffffff";
    assert_eq!(sent(edit_service(NUMBER, &service(http(), "rr", 0, 0, u32::MAX))), bytes(hex));
    // -Ln
    assert_eq!(sent(dump_services(NUMBER)), bytes("04010000"));
    let hex =
        "080100003000018006000100020000000600020006000000140003000a0101010000000000000000000000000600040000500000";
    assert_eq!(sent(dump_dests(NUMBER, &http())), bytes(hex));
    // -C
    assert_eq!(sent(flush(NUMBER)), bytes("11010000"));
    assert_eq!(sent(ask_info(NUMBER)), bytes("0f010000"));
}

/// ipvsadm describes the service in full and adds the tunnel attributes; the kernel wants neither.
const TUNNEL: [DestAttr; 3] = [DestAttr::TunnelType(0), DestAttr::TunnelPort(0), DestAttr::TunnelFlags(0)];

fn parsed(hex: &str) -> Message {
    GenlMessage::<Message>::parse_with_param(&bytes(hex), NUMBER).unwrap().payload
}

fn dest_attributes(message: &Message) -> Vec<DestAttr> {
    message
        .attributes
        .iter()
        .find_map(|a| match a {
            Attribute::Dest(attributes) => Some(attributes.clone()),
            _ => None,
        })
        .unwrap()
}

/// The attributes with which a destination is written.
fn written(fact: &DestFact) -> Vec<DestAttr> {
    let bytes = sent(add_dest(NUMBER, &http(), fact));
    dest_attributes(&GenlMessage::<Message>::parse_with_param(&bytes, NUMBER).unwrap().payload)
}

#[test]
fn destinations_are_written_as_ipvsadm_writes_them() {
    // -a -t 10.1.1.1:80 -r 10.1.1.3:8080 -m -w 0 -x 100 -y 50
    let hex = "050100005400018006000100020000000600020006000000140003000a0101010000000000000000000000000600040000500000\
               05000600000000000c00070000000000ffffffff080008000000000008000900ffffffff\
               6000028006000b0002000000140001000a010103000000000000000000000000060002001f900000080003000000000008000400\
               0000000005000d000000000006000e000000000006000f000000000008000500640000000800060032000000";
    let fact = DestFact { addr: v4(3), port: 8080, method: Some(Method::Nat), weight: 0, upper: 100, lower: 50 };
    let theirs: Vec<DestAttr> = dest_attributes(&parsed(hex)).into_iter().filter(|a| !TUNNEL.contains(a)).collect();
    assert_eq!(theirs, written(&fact));
    // -a -t [fd00::1]:443 -r [fd00::2]:443 -i -w 1
    let hex = "0501000054000180060001000a000000060002000600000014000300fd0000000000000000000000000000010600040001bb0000\
               05000600000000000c00070000000000ffffffff08000800000000000800090080000000\
               6000028006000b000a00000014000100fd0000000000000000000000000000020600020001bb0000080003000200000008000400\
               0100000005000d000000000006000e000000000006000f000000000008000500000000000800060000000000";
    let addr = IpAddr::V6("fd00::2".parse().unwrap());
    let fact = DestFact { addr, port: 443, method: Some(Method::Tun), weight: 1, upper: 0, lower: 0 };
    let theirs: Vec<DestAttr> = dest_attributes(&parsed(hex)).into_iter().filter(|a| !TUNNEL.contains(a)).collect();
    assert_eq!(theirs, written(&fact));
}

#[test]
fn tunnels_are_written_as_ipvsadm_writes_them() {
    // -a -t 10.1.1.1:80 -r 10.1.1.3 -i --tun-type gue --tun-port 6080 --tun-csum -w 1, in the attributes of linux/ip_vs.h
    let method = Some(Method::Gue { port: 6080, checksum: Checksum::Full });
    let fact = DestFact { addr: v4(3), port: 80, method, weight: 1, upper: 0, lower: 0 };
    let attributes = written(&fact);
    let tunnel = [DestAttr::TunnelType(1), DestAttr::TunnelPort(6080), DestAttr::TunnelFlags(1)];
    assert!(tunnel.iter().all(|a| attributes.contains(a)), "{attributes:?}");
    assert!(attributes.contains(&DestAttr::Method(2)));
    let plain = written(&DestFact { method: Some(Method::Tun), ..fact });
    assert!(!plain.iter().any(|a| matches!(a, DestAttr::TunnelType(_))), "a kernel before 5.3 knows none: {plain:?}");
}

/// An entry of a dump of services: UDP 10.1.1.1:53 rr persistent 300 mask 255.255.255.0 ops.
const SERVICE_ENTRY: &str = "010100002c01010006000100020000000600020011000000140003000a01010100000000000000000000000006000400003500000700\
     0600727200000c00070007000000ffffffff080008002c01000008000900ffffff005c000a0008000100000000000800020000000000\
     08000300000000000c00040000000000000000000c000500000000000000000008000600000000000800070000000000080008000000\
     0000080009000000000008000a00000000007c000c000c00010000000000000000000c00020000000000000000000c00030000000000\
     000000000c00040000000000000000000c00050000000000000000000c00060000000000000000000c00070000000000000000000c00\
     080000000000000000000c00090000000000000000000c000a000000000000000000";

/// An entry of a dump of destinations: 10.1.1.2:80 Route 9.
const DEST_ENTRY: &str = "0501000050010200140001000a01010200000000000000000000000006000200005000000800030003000000080004000900000005\
     000d000000000006000e000000000006000f0000000000080005000000000008000600000000000800070000000000080008000000\
     0000080009000000000006000b00020000005c000a0008000100000000000800020000000000080003000000000\
     00c00040000000000000000000c00050000000000000000000800060000000000080007000000000008000800000000000800090000\
     00000008000a00000000007c000c000c00010000000000000000000c00020000000000000000000c00030000000000000000000c00\
     040000000000000000000c00050000000000000000000c00060000000000000000000c00070000000000000000000c000800000000\
     00000000000c00090000000000000000000c000a000000000000000000";

#[test]
fn what_the_kernel_shows_is_read() {
    let dns = ServiceKey::Addr { addr: v4(1), port: 53, protocol: Protocol::Udp };
    let service = service(dns, "rr", 7, 300, 0xffff_ff00);
    let seen = Fact::ServiceSeen { seq: 9, service, counts: Counts::default() };
    assert_eq!(fact(9, &bytes(SERVICE_ENTRY)), Ok(Some(seen)));
    let dest = DestFact { addr: v4(2), port: 80, method: Some(Method::Dr), weight: 9, upper: 0, lower: 0 };
    assert_eq!(fact(9, &bytes(DEST_ENTRY)), Ok(Some(Fact::DestSeen { seq: 9, dest, counts: Counts::default() })));
    let info = parsed("0e01000008000100010201000800020000100000").attributes;
    assert_eq!(info, [Attribute::Info(InfoAttr::Version(0x01_0201)), Attribute::Info(InfoAttr::ConnTabSize(4096))]);
}

#[test]
fn every_attribute_of_the_kernel_is_known_and_written_back_as_it_was() {
    for hex in [SERVICE_ENTRY, DEST_ENTRY] {
        let message = parsed(hex);
        // The kernel does not mark its nested attributes, we do: the mark is no part of what is read.
        let again = sent(new(NUMBER, message.command, &message.attributes));
        assert_eq!(again.len(), bytes(hex).len());
        assert_eq!(GenlMessage::<Message>::parse_with_param(&again, NUMBER).unwrap().payload, message);
        for attribute in &message.attributes {
            match attribute {
                Attribute::Service(all) => {
                    assert!(!all.iter().any(|a| matches!(a, ServiceAttr::Other(_))), "{all:?}");
                }
                Attribute::Dest(all) => assert!(!all.iter().any(|a| matches!(a, DestAttr::Other(_))), "{all:?}"),
                _ => panic!("{attribute:?}"),
            }
        }
    }
}

fn any_addr() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|n| IpAddr::V4(Ipv4Addr::from(n))),
        any::<u128>().prop_map(|n| IpAddr::V6(Ipv6Addr::from(n))),
    ]
}

fn any_key() -> impl Strategy<Value = ServiceKey> {
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)];
    let family = prop_oneof![Just(Family::V4), Just(Family::V6)];
    prop_oneof![
        (any_addr(), any::<u16>(), protocol).prop_map(|(addr, port, protocol)| ServiceKey::Addr {
            addr,
            port,
            protocol
        }),
        (1..u32::MAX, family).prop_map(|(mark, family)| ServiceKey::Fwmark { mark, family }),
    ]
}

fn any_service() -> impl Strategy<Value = ServiceFact> {
    let engine = proptest::option::of("[a-z]{1,15}");
    (any_key(), "[a-z]{1,15}", any::<u32>(), any::<u32>(), any::<u32>(), engine).prop_map(
        |(key, scheduler, flags, timeout, netmask, engine)| ServiceFact {
            key,
            scheduler,
            flags,
            timeout,
            netmask,
            engine,
        },
    )
}

fn any_dest() -> impl Strategy<Value = DestFact> {
    let checksum = || prop_oneof![Just(Checksum::None), Just(Checksum::Full), Just(Checksum::Remote)];
    let method = prop_oneof![
        Just(Method::Nat),
        Just(Method::Dr),
        Just(Method::Tun),
        (any::<u16>(), checksum()).prop_map(|(port, checksum)| Method::Gue { port, checksum }),
        checksum().prop_map(|checksum| Method::Gre { checksum }),
    ];
    (any_addr(), any::<u16>(), method, any::<u32>(), any::<u32>(), any::<u32>()).prop_map(
        |(addr, port, method, weight, upper, lower)| DestFact {
            addr,
            port,
            method: Some(method),
            weight,
            upper,
            lower,
        },
    )
}

fn any_daemon() -> impl Strategy<Value = DaemonFact> {
    let state = prop_oneof![Just(DaemonState::Master), Just(DaemonState::Backup)];
    let of = proptest::option::of::<BoxedStrategy<u16>>;
    let ttl = proptest::option::of(any::<u8>());
    let group = proptest::option::of(any_addr());
    (state, "[a-z0-9.]{1,15}", any::<u32>(), of(any::<u16>().boxed()), group, of(any::<u16>().boxed()), ttl).prop_map(
        |(state, link, id, max_length, group, port, ttl)| DaemonFact { state, link, id, max_length, group, port, ttl },
    )
}

fn any_timeouts() -> impl Strategy<Value = Timeouts> {
    (any::<u32>(), any::<u32>(), any::<u32>()).prop_map(|(tcp, tcp_fin, udp)| Timeouts {
        tcp: Some(tcp),
        tcp_fin: Some(tcp_fin),
        udp: Some(udp),
    })
}

fn read_back(batch: &Batch) -> Vec<Fact> {
    let mut facts = vec![];
    for write in &batch.writes {
        reply::read(Socket::Command(Bus::Generic), write, &mut facts);
    }
    facts
}

proptest! {
    #[test]
    fn a_service_is_read_as_it_was_written(service in any_service()) {
        let mut batch = Batch::new(Bus::Generic);
        batch.push_request(5, Kind::Change, &add_service(NUMBER, &service));
        prop_assert_eq!(read_back(&batch), vec![Fact::ServiceSeen { seq: 5, service, counts: Counts::default() }]);
    }

    #[test]
    fn a_destination_is_read_as_it_was_written(key in any_key(), dest in any_dest()) {
        let mut batch = Batch::new(Bus::Generic);
        batch.push_request(6, Kind::Change, &add_dest(NUMBER, &key, &dest));
        prop_assert_eq!(read_back(&batch), vec![Fact::DestSeen { seq: 6, dest, counts: Counts::default() }]);
    }

    #[test]
    fn a_daemon_is_read_as_it_was_written(daemon in any_daemon()) {
        let mut batch = Batch::new(Bus::Generic);
        batch.push_request(7, Kind::Change, &start_daemon(NUMBER, &daemon));
        prop_assert_eq!(read_back(&batch), vec![Fact::DaemonSeen { seq: 7, daemon }]);
    }

    #[test]
    fn timeouts_are_read_as_they_were_written(timeouts in any_timeouts()) {
        let mut batch = Batch::new(Bus::Generic);
        batch.push_request(8, Kind::Change, &set_timeouts(NUMBER, &timeouts));
        prop_assert_eq!(read_back(&batch), vec![Fact::TimeoutsAre { seq: 8, timeouts }]);
    }

    #[test]
    fn a_mangled_message_is_a_fact_or_an_error_and_never_a_panic(at in 0usize..320, with in any::<u8>(), cut in 0usize..320) {
        for hex in [SERVICE_ENTRY, DEST_ENTRY] {
            let mut payload = bytes(hex);
            if let Some(byte) = payload.get_mut(at) {
                *byte = with;
            }
            payload.truncate(payload.len().saturating_sub(cut));
            let _ = fact(1, &payload);
        }
    }
}
