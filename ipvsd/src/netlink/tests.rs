//! Datagrams as a whole: acknowledgements, dumps, notifications, and anything else.

use super::batch::{Batch, Kind, WRITE_LIMIT};
use super::reply::{Dump, Fact, Heard, Socket, read};
use super::{Bus, Errno, route};
use crate::observed::{AddrFact, AddrKey};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ipc::config::ipvs::{AddrMore, AddrSpec};
use ipc::config::{LinkIdx, Origin};
use ipc::net::Prefix;
use proptest::prelude::*;
use std::string::{String, ToString};
use std::vec;

fn facts(socket: Socket, bytes: &[u8]) -> Vec<Fact> {
    let mut facts = vec![];
    read(socket, bytes, &mut facts);
    facts
}

fn message(kind: u16, flags: u16, seq: u32, port: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 16).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(seq.to_ne_bytes());
    bytes.extend(port.to_ne_bytes());
    bytes.extend(payload);
    bytes
}

const ROUTE: Socket = Socket::Command(Bus::Route);
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const CAPPED_WITH_TEXT: u16 = 0x300;

#[test]
fn acknowledgements_and_refusals_with_the_kernel_s_words() {
    let request = message(20, 5, 7, 0, &[]);
    let mut ack = 0i32.to_ne_bytes().to_vec();
    ack.extend(&request);
    let mut refusal = (-22i32).to_ne_bytes().to_vec();
    refusal.extend(&request);
    refusal.extend([12, 0, 1, 0]);
    refusal.extend(b"no way\0\0");
    let mut datagram = message(NLMSG_ERROR, 0x100, 7, 1, &ack);
    datagram.extend(message(NLMSG_ERROR, CAPPED_WITH_TEXT, 8, 1, &refusal));
    let text = Some("no way".to_string());
    assert_eq!(facts(ROUTE, &datagram), [Fact::Acked { seq: 7 }, Fact::Refused { seq: 8, errno: Errno(22), text }]);
    assert_eq!(Errno(22).to_string(), "Invalid argument");
}

#[test]
fn a_dump_ends_whole_or_torn() {
    let done = |flags, code: i32| facts(ROUTE, &message(NLMSG_DONE, flags, 3, 1, &code.to_ne_bytes()));
    assert_eq!(done(2, 0), [Fact::DumpEnded { seq: 3, dump: Dump::Whole }]);
    assert_eq!(done(0x12, 0), [Fact::DumpEnded { seq: 3, dump: Dump::Interrupted }]);
    assert_eq!(done(2, -16), [Fact::DumpEnded { seq: 3, dump: Dump::Interrupted }]);
}

#[test]
fn a_cut_datagram_is_reported_not_guessed() {
    let whole = message(NLMSG_DONE, 2, 3, 1, &[0; 4]);
    for cut in 1..whole.len() {
        let facts = facts(ROUTE, &whole[..cut]);
        assert!(matches!(facts.as_slice(), [Fact::Unreadable { bus: Bus::Route, .. }]), "{cut}: {facts:?}");
    }
}

fn spec(addr: IpAddr, len: u8, label: Option<String>, broadcast: Option<Ipv4Addr>, scope: u8) -> AddrSpec {
    let origin = Origin::default();
    AddrSpec {
        prefix: Prefix { addr, len },
        link: LinkIdx(0),
        broadcast,
        scope,
        label,
        more: AddrMore::default(),
        origin,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| std::format!("{b:02x}")).collect()
}

/// COMPAT: what keepalived 2.2.7 sends for the same record, seen with strace, and IFA_PROTO (kind 11) behind it.
#[test]
fn address_requests_are_keepalived_s() {
    let addr = IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1));
    let key = AddrKey { ifindex: 3, addr, len: 24 };
    let mut batch = Batch::new(Bus::Route);
    batch.push(1, Kind::Change, route::add_addr(&key, &spec(addr, 24, Some("d0:vip".into()), None, 0)));
    let owner = "05000b0012000000";
    let expected = "340000001400050001000000000000000218000003000000080002000a0900010b00030064303a7669700000";
    assert_eq!(hex(&batch.writes.concat()), [expected, owner].concat());

    let broadcast = Some(Ipv4Addr::new(10, 9, 0, 255));
    let mut batch = Batch::new(Bus::Route);
    batch.push(2, Kind::Change, route::add_addr(&key, &spec(addr, 24, None, broadcast, 253)));
    let expected = "3000000014000500020000000000000002 1800fd03000000080002000a090001080004000a0900ff".replace(' ', "");
    assert_eq!(hex(&batch.writes.concat()), [&expected, owner].concat());

    let mut batch = Batch::new(Bus::Route);
    batch.push(3, Kind::Change, route::remove_addr(&key, None));
    let expected = "280000001500050003000000000000000218000003000000080002000a090001080001000a090001";
    assert_eq!(hex(&batch.writes.concat()), expected);

    let addr = IpAddr::V6("fd00::5".parse().unwrap());
    let key = AddrKey { ifindex: 3, addr, len: 64 };
    let mut batch = Batch::new(Bus::Route);
    batch.push(4, Kind::Change, route::add_addr(&key, &spec(addr, 64, None, None, 0)));
    let expected =
        "3c0000001400050004000000000000000a4000000300000014000200fd0000000000000000000000000000050800080002000000";
    assert_eq!(hex(&batch.writes.concat()), [expected, owner].concat());
}

#[test]
fn many_requests_go_into_few_writes() {
    let addr = IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1));
    let mut batch = Batch::new(Bus::Route);
    for seq in 0..3000 {
        batch.push(seq, Kind::Change, route::remove_addr(&AddrKey { ifindex: 3, addr, len: 24 }, None));
    }
    assert_eq!(batch.writes.len(), 2);
    assert!(batch.writes.iter().all(|w| w.len() <= WRITE_LIMIT));
    assert_eq!(batch.writes.iter().map(Vec::len).sum::<usize>(), 3000 * 40);
}

#[test]
fn a_notification_says_whose_doing_it_is() {
    let addr = IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1));
    let key = AddrKey { ifindex: 3, addr, len: 24 };
    let mut batch = Batch::new(Bus::Route);
    batch.push(4, Kind::Change, route::add_addr(&key, &spec(addr, 24, None, None, 0)));
    let mut bytes = batch.writes.concat();
    let seen = |heard| Fact::AddrSeen(AddrFact { key, scope: 0, owner: route::OWNER, peer: None }, heard);
    bytes[12..16].copy_from_slice(&77u32.to_ne_bytes());
    assert_eq!(facts(Socket::Monitor { own_port: 77 }, &bytes), [seen(Heard::ByOwn(4))]);
    assert_eq!(facts(Socket::Monitor { own_port: 78 }, &bytes), [seen(Heard::ByOther)]);
    assert_eq!(facts(ROUTE, &bytes), [seen(Heard::InDump(4))]);
}

proptest! {
    #[test]
    fn an_address_is_read_as_it_was_written(n in any::<u128>(), six in any::<bool>(), ifindex in any::<u32>(), len in 0u8..=32) {
        let addr = if six { IpAddr::V6(Ipv6Addr::from(n)) } else { IpAddr::V4(Ipv4Addr::from(n as u32)) };
        let key = AddrKey { ifindex, addr, len };
        let mut batch = Batch::new(Bus::Route);
        batch.push(9, Kind::Change, route::add_addr(&key, &spec(addr, len, None, None, 0)));
        batch.push(10, Kind::Change, route::remove_addr(&key, None));
        let fact = AddrFact { key, scope: 0, owner: route::OWNER, peer: None };
        let expected = [Fact::AddrSeen(fact, Heard::InDump(9)), Fact::AddrGone(key, Heard::InDump(10))];
        prop_assert_eq!(facts(ROUTE, &batch.writes.concat()), expected);
    }

    #[test]
    fn any_bytes_are_read_without_panic(
        kind in prop_oneof![Just(16u16), Just(17), Just(20), Just(21), Just(2), Just(3), Just(0x22), any::<u16>()],
        flags in any::<u16>(),
        payload in proptest::collection::vec(any::<u8>(), 0..200),
        generic in any::<bool>(),
    ) {
        let socket = Socket::Command(if generic { Bus::Generic } else { Bus::Route });
        let _ = facts(socket, &message(kind, flags, 1, 0, &payload));
        let _ = facts(socket, &payload);
    }
}
