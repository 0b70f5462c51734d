//! Every check with a packet that fails it and no earlier one, and packets of any bytes.

#[path = "receive_ah_tests.rs"]
mod ah;
#[path = "receive_order_tests.rs"]
mod order;

use super::*;
use crate::packet::checksum;
use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use ipc::config::vrrp::{Auth, GarpTiming, Notify, Peer, Preemption, Wanted};
use ipc::config::{LinkIdx, Origin, Secret};
use proptest::prelude::*;

const SENDER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
const OURS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100)), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 101))];

fn conf(version: Version, auth: Auth) -> Instance {
    Instance {
        name: "VI".into(),
        origin: Origin::default(),
        version,
        family: Family::V4,
        link: LinkIdx(0),
        vrid: 51,
        priority: 100,
        wanted: Wanted::Backup,
        advert_int: Duration::from_secs(1),
        preemption: Preemption::NoPreempt,
        down_timer_adverts: 3,
        source: None,
        track_source: Switch::Off,
        transport: Transport::Multicast { group: GROUP },
        auth,
        v3_checksum_as_v2: Switch::Off,
        vips: Vec::new(),
        excluded: Vec::new(),
        garp: GarpTiming {
            repeat: 1,
            delay: Duration::ZERO,
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_prio_repeat: 1,
            lower_prio_delay: Duration::ZERO,
        },
        lower_prio_no_advert: Switch::Off,
        higher_prio_send_advert: Switch::Off,
        owner_ignore_adverts: Switch::Off,
        skip_check_adv_addr: Switch::Off,
        track_links: Vec::new(),
        track_scripts: Vec::new(),
        notify: Notify::default(),
        group: None,
    }
}

fn pass() -> Auth {
    Auth::Pass(Secret::new(b"1111".to_vec()))
}

fn v2() -> Instance {
    conf(Version::V2, pass())
}

fn v3() -> Instance {
    conf(Version::V3, Auth::None)
}

fn advert_of(conf: &Instance) -> advert::Outgoing<'_> {
    advert::Outgoing {
        version: conf.version,
        vrid: 51,
        priority: 150,
        interval: conf.advert_int,
        addrs: &OURS,
        auth_type: auth::kind(&conf.auth),
        auth_data: auth::data(&conf.auth),
        checksum_as_v2: conf.v3_checksum_as_v2,
    }
}

fn packet(conf: &Instance, destination: IpAddr) -> Vec<u8> {
    advert_of(conf).encode(SENDER, destination, 255, 1)
}

fn receive(conf: &Instance, priority: u8, bytes: &[u8]) -> Result<Heard, Reject> {
    let packet = Packet::parse(bytes).map_err(|_| Reject::Length)?;
    judge(
        Receiver { conf, priority, addrs: &OURS, list: Switch::On, old_checksum: OldChecksum::Detect },
        &packet,
        &mut Guard::default(),
    )
}

/// Writes `value` at `at` of the VRRP part and makes the checksum right again (version 2).
fn patched(mut bytes: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
    bytes[20 + at] = value;
    bytes[26] = 0;
    bytes[27] = 0;
    let sum = checksum::plain(&bytes[20..]).to_be_bytes();
    bytes[26..28].copy_from_slice(&sum);
    bytes
}

/// COMPAT: the first packet of Debian's keepalived 2.2.7 with `old_unicast_checksum`, from 10.9.0.1 to 10.9.0.2.
#[test]
fn the_checksum_of_old_releases() {
    let bytes = [
        0x45, 0xc0, 0, 0x20, 0, 1, 0, 0, 0xff, 0x70, 0xa6, 0x98, 10, 9, 0, 1, 10, 9, 0, 2, 0x31, 0x33, 0xff, 1, 0,
        0x64, 0xda, 0x60, 10, 9, 0, 100,
    ];
    let packet = Packet::parse(&bytes).unwrap();
    let mut conf = v3();
    let peers = vec![Peer { addr: IpAddr::from([10, 9, 0, 1]), min_ttl: 0, max_ttl: 255 }];
    conf.transport = Transport::Unicast { peers, ttl: 255, sources: UnicastSources::Any };
    let addrs = [IpAddr::from([10, 9, 0, 100])];
    let judged = |conf: &Instance, old_checksum| {
        let receiver = Receiver { conf, priority: 100, addrs: &addrs, list: Switch::On, old_checksum };
        judge(receiver, &packet, &mut Guard::default()).map(|heard| heard.sum)
    };
    assert_eq!(judged(&conf, OldChecksum::Detect), Ok(Sum::Old));
    assert_eq!(judged(&conf, OldChecksum::Always), Ok(Sum::Old));
    assert_eq!(judged(&conf, OldChecksum::Never), Err(Reject::Checksum));
    assert_eq!(judged(&v3(), OldChecksum::Detect), Err(Reject::Checksum), "only unicast ever had it");
    let vrrp = &bytes[20..];
    assert_eq!(Sum::Old.over(IpAddr::from([10, 9, 0, 1]), IpAddr::from([10, 9, 0, 2]), vrrp), 0);
}

#[test]
fn what_is_sent_is_heard() {
    for conf in [v2(), v3(), conf(Version::V2, Auth::None)] {
        let heard = receive(&conf, 100, &packet(&conf, GROUP)).unwrap();
        let expected = Heard {
            source: SENDER,
            priority: 150,
            interval: Duration::from_secs(1),
            addrs: Addresses::Same,
            sequence: None,
            sum: Sum::of(conf.version, Switch::Off),
        };
        assert_eq!(heard, expected);
    }
}

#[test]
fn length() {
    let conf = v2();
    let good = packet(&conf, GROUP);
    assert_eq!(receive(&conf, 100, &good[..good.len() - 1]), Err(Reject::Length));
    let mut long = good.clone();
    long.push(0);
    assert_eq!(receive(&conf, 100, &long), Err(Reject::Length));
    assert_eq!(receive(&conf, 100, &patched(good, 3, 3)), Err(Reject::Length));
}

#[test]
fn ethernet_padding_is_no_error() {
    let conf = v3();
    let mut padded = packet(&conf, GROUP);
    assert_eq!(padded.len(), 36);
    padded.resize(46, 0);
    assert!(receive(&conf, 100, &padded).is_ok());
    padded.resize(47, 0);
    assert_eq!(receive(&conf, 100, &padded), Err(Reject::Length));
}

#[test]
fn ttl() {
    let conf = v2();
    let mut bytes = packet(&conf, GROUP);
    bytes[8] = 254;
    assert_eq!(receive(&conf, 100, &bytes), Err(Reject::Ttl));
}

#[test]
fn version() {
    let none = conf(Version::V2, Auth::None);
    assert_eq!(receive(&none, 100, &packet(&v3(), GROUP)), Err(Reject::Version));
    assert_eq!(receive(&v3(), 100, &packet(&none, GROUP)), Err(Reject::Version));
}

#[test]
fn authentication() {
    let conf = v2();
    let good = packet(&conf, GROUP);
    assert_eq!(receive(&conf, 100, &patched(good.clone(), 4, 0)), Err(Reject::AuthMismatch));
    assert_eq!(receive(&conf, 100, &patched(good.clone(), 4, 2)), Err(Reject::AuthMismatch));
    assert_eq!(receive(&conf, 100, &patched(good.clone(), 4, 3)), Err(Reject::AuthUnknown));
    assert_eq!(receive(&conf, 100, &patched(good, 23, 1)), Err(Reject::AuthFailure));
}

#[test]
fn interval_of_version_2() {
    let conf = v2();
    assert_eq!(receive(&conf, 100, &patched(packet(&conf, GROUP), 5, 2)), Err(Reject::Interval));
}

#[test]
fn interval_of_version_3_only_differs() {
    let mut theirs = v3();
    theirs.advert_int = Duration::from_millis(250);
    assert_eq!(receive(&v3(), 100, &packet(&theirs, GROUP)).unwrap().interval, Duration::from_millis(250));
}

#[test]
fn kind() {
    let conf = v2();
    assert_eq!(receive(&conf, 100, &patched(packet(&conf, GROUP), 0, 0x22)), Err(Reject::Type));
}

#[test]
fn total_length() {
    let conf = v2();
    let mut bytes = packet(&conf, GROUP);
    bytes[3] += 1;
    assert_eq!(receive(&conf, 100, &bytes), Err(Reject::TotalLength));
}

#[test]
fn sum() {
    for conf in [v2(), v3()] {
        let mut bytes = packet(&conf, GROUP);
        bytes[22] ^= 1;
        assert_eq!(receive(&conf, 100, &bytes), Err(Reject::Checksum));
    }
    let mut as_v2 = v3();
    as_v2.v3_checksum_as_v2 = Switch::On;
    let plain = packet(&as_v2, GROUP);
    assert_eq!(receive(&v3(), 100, &plain), Err(Reject::Checksum));
    assert!(receive(&as_v2, 100, &plain).is_ok());
    assert!(receive(&as_v2, 100, &packet(&v3(), GROUP)).is_ok(), "a pair is switched over one at a time");
    let mut bad = plain;
    bad[22] ^= 1;
    assert_eq!(receive(&as_v2, 100, &bad), Err(Reject::Checksum));
}

#[test]
fn destination() {
    let conf = v2();
    assert_eq!(receive(&conf, 100, &packet(&conf, Ipv4Addr::new(10, 0, 0, 1).into())), Err(Reject::Destination));
}

#[test]
fn owner() {
    let mut conf = v2();
    conf.owner_ignore_adverts = Switch::On;
    let bytes = packet(&conf, GROUP);
    assert_eq!(receive(&conf, 255, &bytes), Err(Reject::OwnerIgnores));
    assert!(receive(&conf, 254, &bytes).is_ok());
}

#[test]
fn peers() {
    let mut conf = v2();
    let us = IpAddr::from(Ipv4Addr::new(10, 0, 0, 1));
    let peer = |addr, min_ttl| Peer { addr, min_ttl, max_ttl: 255 };
    let mut with = |peers, sources| {
        conf.transport = Transport::Unicast { peers, ttl: 255, sources };
        receive(&conf, 100, &packet(&v2(), us))
    };
    assert!(with(vec![peer(us, 0)], UnicastSources::Any).is_ok());
    assert_eq!(with(vec![peer(us, 0)], UnicastSources::PeersOnly), Err(Reject::Source));
    assert!(with(vec![peer(SENDER, 255)], UnicastSources::PeersOnly).is_ok());
    conf.transport =
        Transport::Unicast { peers: vec![peer(SENDER, 255)], ttl: 255, sources: UnicastSources::PeersOnly };
    let mut far = packet(&v2(), us);
    far[8] = 200;
    assert_eq!(receive(&conf, 100, &far), Err(Reject::Ttl));
}

const SENDER6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9));
const GROUP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));
const OURS6: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100)),
];

#[test]
fn ipv6() {
    let mut conf = v3();
    conf.family = Family::V6;
    conf.transport = Transport::Multicast { group: GROUP6 };
    let with = |hops| {
        let advert = advert::Outgoing {
            version: Version::V3,
            vrid: 51,
            priority: 150,
            interval: conf.advert_int,
            addrs: &OURS6,
            auth_type: 0,
            auth_data: [0; 8],
            checksum_as_v2: Switch::Off,
        };
        advert.encode(SENDER6, GROUP6, hops, 0)
    };
    let receive = |bytes: &[u8]| {
        let packet = Packet::parse(bytes).map_err(|_| Reject::Length)?;
        let receiver =
            Receiver { conf: &conf, priority: 100, addrs: &OURS6, list: Switch::On, old_checksum: OldChecksum::Detect };
        judge(receiver, &packet, &mut Guard::default())
    };
    let good = with(255);
    let heard = receive(&good).unwrap();
    assert_eq!((heard.source, heard.priority), (SENDER6, 150));
    assert_eq!(receive(&with(254)), Err(Reject::Ttl));
    assert_eq!(receive(&good[..good.len() - 1]), Err(Reject::Length));
    for at in 8..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(receive(&bad).is_err(), "byte {at}: addresses and advert are covered by the checksum");
    }
}

#[test]
fn address_lists() {
    let conf = v3();
    let with = |addrs: &[IpAddr], list| {
        let bytes = packet(&conf, GROUP);
        let packet = Packet::parse(&bytes).unwrap();
        let receiver = Receiver { conf: &conf, priority: 100, addrs, list, old_checksum: OldChecksum::Detect };
        judge(receiver, &packet, &mut Guard::default()).unwrap().addrs
    };
    let other = IpAddr::from(Ipv4Addr::new(10, 0, 0, 102));
    assert_eq!(with(&OURS[..1], Switch::On), Addresses::Count(2));
    assert_eq!(with(&[OURS[0], other], Switch::On), Addresses::Foreign(OURS[1]));
    assert_eq!(with(&[OURS[0], other], Switch::Off), Addresses::Same);
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for conf in [v2(), v3()] {
            prop_assert!(receive(&conf, 100, &bytes).is_err());
        }
    }

    #[test]
    fn any_damage_of_the_vrrp_part_is_noticed(at in 20usize..44, flip in 1u8..=255) {
        for conf in [v2(), v3()] {
            let mut bytes = packet(&conf, GROUP);
            if at < bytes.len() {
                bytes[at] ^= flip;
                prop_assert!(receive(&conf, 100, &bytes).is_err());
            }
        }
    }

    #[test]
    fn any_header_is_survived(head in proptest::collection::vec(any::<u8>(), 28), cut in 0usize..1100) {
        // A plausible IP header, then anything.
        let mut bytes = packet(&v2(), GROUP);
        bytes.truncate(20);
        bytes.extend(&head);
        bytes.resize(bytes.len() + cut, 0xa5);
        for conf in [v2(), v3()] {
            let _ = receive(&conf, 100, &bytes);
        }
    }

    #[test]
    fn an_advert_comes_back_as_it_was(
        priority in any::<u8>(),
        vrid in any::<u8>(),
        seconds in 1u64..=255,
        addrs in proptest::collection::vec(any::<u32>().prop_map(|bits| IpAddr::from(Ipv4Addr::from(bits))), 0..255),
        password in proptest::collection::vec(any::<u8>(), 0..12),
    ) {
        for version in [Version::V2, Version::V3] {
            let auth = if version == Version::V2 { Auth::Pass(Secret::new(password.clone())) } else { Auth::None };
            let mut conf = conf(version, auth);
            conf.advert_int = Duration::from_millis(if version == Version::V2 { seconds * 1000 } else { seconds * 10 });
            let bytes = advert::Outgoing {
                version,
                vrid,
                priority,
                interval: conf.advert_int,
                addrs: &addrs,
                auth_type: auth::kind(&conf.auth),
                auth_data: auth::data(&conf.auth),
                checksum_as_v2: Switch::Off,
            }
            .encode(SENDER, GROUP, 255, 7);
            let packet = Packet::parse(&bytes).unwrap();
            let mut sorted = addrs.clone();
            sorted.sort_unstable();
            let receiver = Receiver { conf: &conf, priority: 100, addrs: &sorted, list: Switch::On, old_checksum: OldChecksum::Detect };
            let heard = judge(receiver, &packet, &mut Guard::default());
            let expected = Heard { source: SENDER, priority, interval: conf.advert_int, addrs: Addresses::Same, sequence: None, sum: Sum::of(conf.version, conf.v3_checksum_as_v2) };
            prop_assert_eq!(heard, Ok(expected));
            prop_assert_eq!(packet.vrid(), vrid);
        }
    }
}
