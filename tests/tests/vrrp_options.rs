//! IPv6, and what an instance may ask for beside the protocol: each a row of its own.

use ipc::config::vrrp::{Auth, Switch, VrrpConfig};
use ipc::config::vrrp_options::{AntiReplay, Hmac, HmacKey, HmacMode, InstanceOptions, NotifyDeleted};
use ipc::config::{Generation, ScriptIdx, Secret};
use ipc::msg::control::{Cause, NotifyState};
use ipc::msg::vips::{Forwarding, IpvsToVrrp};
use std::net::Ipv4Addr;
use std::time::Duration;
use tests::frame::neighbour_advertisement;
use tests::router::{Bench, adverts, announcements, config, facts, instance, instance6, lines};
use vrrpd::fsm::instance::State;
use vrrpd::io::{Action, Event, Way};

fn with(options: InstanceOptions, conf: ipc::config::vrrp::Instance) -> VrrpConfig {
    VrrpConfig { options: [options].into_iter().collect(), ..config(vec![conf]) }
}

#[test]
fn ipv6_elects_and_announces() {
    let mut bench = Bench::one(instance6(1, 100));
    assert_eq!(bench.state(0), State::Backup);
    bench.hear(200, 9);
    let down = Duration::from_micros(3_609_375);
    assert_eq!(bench.until_deadline(), down, "it heard the master");
    let out = bench.expire().to_vec();
    assert_eq!((bench.state(0), adverts(&out)), (State::Master, vec![100]));
    let out = bench.applied(0).to_vec();
    assert_eq!(announcements(&out), 10, "two addresses five times");
    let frame = |action: &Action| match action {
        Action::Announce { frame, .. } => neighbour_advertisement(frame),
        _ => None,
    };
    assert!(out.iter().filter_map(frame).all(|(_, flags)| flags == 0x20), "it is no router");
    let mut router = facts(Ipv4Addr::new(10, 0, 0, 10));
    router.forwarding = Forwarding::Yes;
    bench.ipvs(IpvsToVrrp::LinkChanged(router));
    let out = bench.run(Duration::from_secs(5)).to_vec();
    assert!(out.iter().filter_map(frame).all(|(_, flags)| flags == 0xa0), "now it is one");
    // The higher address wins, as in IPv4.
    bench.hear(100, 1);
    assert_eq!(bench.state(0), State::Master);
    bench.hear(100, 255);
    assert_eq!(bench.state(0), State::Backup);
}

#[test]
fn ipv6_without_a_link_local_address_waits() {
    let mut bench = Bench::one(instance6(1, 100));
    let mut bare = facts(Ipv4Addr::new(10, 0, 0, 10));
    bare.link_local = None;
    let out = bench.ipvs(IpvsToVrrp::LinkChanged(bare)).to_vec();
    assert_eq!(bench.state(0), State::Fault);
    assert!(lines(&out).iter().any(|line| line.contains("no link-local IPv6 address")), "{:?}", lines(&out));
    bench.ipvs(IpvsToVrrp::LinkChanged(facts(Ipv4Addr::new(10, 0, 0, 10))));
    assert_eq!(bench.state(0), State::Backup);
}

#[test]
fn both_families_share_a_number_and_an_interface() {
    let mut bench = Bench::start(config(vec![instance(1, 100), instance6(1, 100)]));
    let listens = bench.router.active().unwrap().listen();
    let ways: Vec<Way> = listens[0].ways.iter().map(|(way, _)| *way).collect();
    assert_eq!((listens.len(), ways), (1, vec![Way::V4, Way::V6]));
    bench.hear(200, 9);
    assert_eq!(bench.live(0).stats.advert_rcvd, 1);
    assert_eq!(bench.live(1).stats.advert_rcvd, 0);
}

/// COMPAT: keepalived 2.4.3, behaviour §10.
#[test]
fn what_a_reload_removes_tells_its_scripts() {
    for (deleted, expected) in [
        (NotifyDeleted::AsFault, vec![(2, NotifyState::Fault), (5, NotifyState::Fault)]),
        (NotifyDeleted::Deleted, vec![(5, NotifyState::Deleted)]),
        (NotifyDeleted::Run(ScriptIdx(77)), vec![(77, NotifyState::Deleted), (5, NotifyState::Deleted)]),
    ] {
        let options = InstanceOptions { notify_deleted: deleted, ..InstanceOptions::default() };
        let mut bench = Bench::start(with(options, instance(1, 100)));
        bench.to_master();
        let out = bench.reload(config(vec![instance(2, 100)]));
        let told = |action: &Action| match action {
            Action::RunOfLeft { left: Generation(1), run } => match run.cause {
                Cause::Instance { state, .. } => Some((run.script.0, state)),
                _ => None,
            },
            _ => None,
        };
        assert_eq!(out.iter().filter_map(told).collect::<Vec<_>>(), expected);
        assert_eq!(adverts(&out)[0], 0, "and it resigns");
        let activated = out.iter().position(|action| matches!(action, Action::Up(ipc::msg::control::Up::Activated)));
        let last = out.iter().rposition(|action| matches!(action, Action::RunOfLeft { .. }));
        assert!(last < activated, "the supervisor takes them until then");
    }
}

#[test]
fn vrrp_waits_after_the_start_of_the_machine() {
    let mut late = config(vec![instance(1, 100)]);
    late.globals.delay_after_boot = Duration::from_secs(30);
    let mut bench = Bench::start(late);
    bench.run(Duration::from_secs(28));
    assert_eq!(bench.state(0), State::Backup);
    bench.run(Duration::from_secs(10));
    assert_eq!(bench.state(0), State::Master);
}

#[test]
fn unicast_without_a_peer_can_be_a_fault() {
    let options = InstanceOptions { unicast_fault_no_peer: Switch::On, ..InstanceOptions::default() };
    let bench = Bench::start(with(options, instance(1, 100)));
    assert_eq!(bench.state(0), State::Fault);
}

#[test]
fn unknown_routers_are_told_now_and_then() {
    let mut telling = config(vec![instance(1, 100)]);
    telling.globals.log_unknown_vrids = Switch::On;
    let mut bench = Bench::start(telling);
    let foreign = tests::router::peer_advert(&instance(9, 100), 100, Ipv4Addr::new(10, 0, 0, 9));
    let mut told = 0;
    for _ in 0..100 {
        told += lines(bench.event(Event::Packet { ifindex: 2, bytes: foreign.clone() })).len();
        bench.pass(Duration::from_millis(100));
    }
    assert_eq!(told, 1);
}

fn signed(key: u8) -> InstanceOptions {
    let keys = vec![(1, HmacKey::Bytes(Secret::new(vec![key; 32])))];
    let window = Duration::from_secs(5);
    let hmac = Hmac { keys, active: 1, anti_replay: AntiReplay::Time, window, mode: HmacMode::Enforce };
    InstanceOptions { hmac: Some(hmac), ..InstanceOptions::default() }
}

/// What one signs another one hears, once; what is not signed, or by somebody else, counts for nothing.
#[test]
fn signed_adverts() {
    let day = Duration::from_secs(1_800_000_000);
    let start = |key, conf| {
        let mut bench = Bench::start(with(signed(key), conf));
        bench.event(Event::Clock(day));
        bench
    };
    for conf in [instance(1, 200), instance6(1, 200)] {
        let mut us = start(1, conf.clone());
        us.expire();
        let sent = us.out.iter().find_map(|action| match action {
            Action::Transmit { bytes, .. } => Some(bytes.clone()),
            _ => None,
        });
        let bytes = sent.expect("an advert");
        let mut listener = conf.clone();
        listener.priority = 100;
        let mut them = start(1, listener.clone());
        them.pass(us.now.since(them.now));
        them.event(Event::Packet { ifindex: 2, bytes: bytes.clone() });
        assert_eq!(them.live(0).stats.advert_rcvd, 1, "{:?}", lines(&them.out));
        them.event(Event::Packet { ifindex: 2, bytes: bytes.clone() });
        them.hear(200, 9);
        let stats = them.live(0).stats;
        assert_eq!((stats.advert_rcvd, stats.hmac_replayed, stats.hmac_missing), (1, 1, 1));
        let mut stranger = start(2, listener);
        stranger.pass(us.now.since(stranger.now));
        stranger.event(Event::Packet { ifindex: 2, bytes });
        assert_eq!(stranger.live(0).stats.hmac_invalid, 1);
    }
}

/// COMPAT: keepalived has one counter for what it sends and what it hears, so that a new master goes on where the old one ended.
#[test]
fn an_authentication_header_goes_on_counting() {
    let conf = |priority| {
        let mut conf = instance(1, priority);
        conf.auth = Auth::Ah(Secret::new(b"s3cret".to_vec()));
        conf
    };
    let (mut old, mut new) = (Bench::one(conf(200)), Bench::one(conf(100)));
    let sequence = |bytes: &[u8]| u32::from_be_bytes(bytes[28..32].try_into().unwrap());
    let advert = |out: &[Action]| {
        out.iter().find_map(|action| match action {
            Action::Transmit { bytes, .. } => Some(bytes.clone()),
            _ => None,
        })
    };
    for expected in 1..=3 {
        let bytes = advert(old.expire()).expect("an advert");
        assert_eq!(sequence(&bytes), expected);
        new.event(Event::Packet { ifindex: 2, bytes: bytes.clone() });
        new.event(Event::Packet { ifindex: 2, bytes });
    }
    assert_eq!((new.live(0).stats.advert_rcvd, new.live(0).stats.auth_failure), (3, 3), "each counts once");
    let bytes = advert(new.expire()).expect("an advert");
    assert_eq!(sequence(&bytes), 4);
}
