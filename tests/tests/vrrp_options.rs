//! IPv6, and what an instance may ask for beside the protocol: each a row of its own.

use ipc::config::vrrp::{Auth, Peer, Switch, Transport, UnicastSources, Version, VrrpConfig};
use ipc::config::vrrp_options::{AntiReplay, Hmac, HmacKey, HmacMode, InstanceOptions, NotifyDeleted, OldChecksum};
use ipc::config::{Generation, InstanceIdx, ScriptIdx, Secret};
use ipc::machine::Machine;
use ipc::msg::control::{Cause, News, NotifyState};
use ipc::msg::vips::{Forwarding, IpvsToVrrp};
use ipc::net::Family;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tests::frame::neighbour_advertisement;
use tests::router::{
    Bench, adverts, announcements, config, facts, instance, instance6, lines, probe_ended, track, track_script,
};
use vrrpd::fsm::instance::State;
use vrrpd::io::{Action, Event, Way};
use vrrpd::packet::advert::{self, Sum};

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

/// COMPAT: keepalived 2.4.3.
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

/// An instance with `timer_expired_backup 200` and the default of an interval of a second, which is master.
fn held_up() -> Bench {
    let options = InstanceOptions { timer_expired_backup: Some(200), ..InstanceOptions::default() };
    let mut bench = Bench::start(with(options, instance(1, 100)));
    bench.to_master();
    bench
}

/// Three intervals and the skew time of priority 200 (56/256 s) from the last advert, one interval before the next was due.
const PATIENCE: Duration = Duration::from_micros(2_218_750);

#[test]
fn a_master_that_was_not_run_for_too_long_is_backup_without_a_word() {
    let mut bench = held_up();
    bench.now = bench.router.deadline().unwrap() + PATIENCE;
    let out = bench.event(Event::Timeout).to_vec();
    assert_eq!((bench.state(0), adverts(&out)), (State::Master, vec![100]), "in time");

    bench.now = bench.live(0).timer.unwrap() + PATIENCE + Duration::from_nanos(1);
    let out = bench.event(Event::Timeout).to_vec();
    assert_eq!((bench.state(0), adverts(&out)), (State::Backup, vec![]));
    assert!(lines(&out).iter().any(|line| line.contains("backing off")), "{:?}", lines(&out));
    assert_eq!(bench.until_deadline(), Duration::from_micros(3_609_375), "a whole Master_Down_Interval");
}

#[test]
fn what_it_hears_after_such_a_time_is_not_answered() {
    let mut bench = held_up();
    bench.now = bench.live(0).timer.unwrap() + PATIENCE + Duration::from_millis(1);
    let out = bench.hear(50, 9).to_vec();
    assert_eq!((bench.state(0), adverts(&out)), (State::Backup, vec![]));
    // Without the option the lower priority is told who is master.
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    bench.now = bench.live(0).timer.unwrap() + Duration::from_secs(60);
    let out = bench.hear(50, 9).to_vec();
    assert_eq!((bench.state(0), adverts(&out)), (State::Master, vec![100]));
}

#[test]
fn the_checksum_of_an_old_unicast_peer_is_learned() {
    let mut conf = instance(1, 100);
    conf.version = Version::V3;
    let peer = IpAddr::from([10, 0, 0, 9]);
    let peers = vec![Peer { addr: peer, min_ttl: 0, max_ttl: 255 }];
    conf.transport = Transport::Unicast { peers, ttl: 255, sources: UnicastSources::Any };
    let advert = |sum| {
        let body = advert::Outgoing {
            version: Version::V3,
            vrid: 1,
            priority: 0,
            interval: Duration::from_secs(1),
            addrs: &[conf.vips[0].addr],
            auth_type: 0,
            auth_data: [0; 8],
            checksum_as_v2: Switch::Off,
        }
        .body(Family::V4);
        let destination = IpAddr::from([10, 0, 0, 10]);
        advert::Envelope { source: peer, destination, ttl: 255, id: 1, sum, trailer: None, ah: None }.seal(&body)
    };
    let sent = |actions: &[Action]| {
        let sum = |action: &Action| match action {
            Action::Transmit { bytes, destination, .. } => {
                let form = [Sum::Pseudo, Sum::Old];
                form.into_iter().find(|form| form.over(IpAddr::from([10, 0, 0, 10]), *destination, &bytes[20..]) == 0)
            }
            _ => None,
        };
        actions.iter().find_map(sum)
    };
    let mut bench = Bench::start(config(vec![conf.clone()]));
    bench.event(Event::Packet { ifindex: 2, bytes: advert(Sum::Old) });
    let out = bench.expire().to_vec();
    assert_eq!((bench.state(0), sent(&out)), (State::Master, Some(Sum::Old)));

    let mut bench = Bench::start(config(vec![conf.clone()]));
    bench.event(Event::Packet { ifindex: 2, bytes: advert(Sum::Pseudo) });
    let out = bench.expire().to_vec();
    assert_eq!(sent(&out), Some(Sum::Pseudo));

    for (old_unicast_checksum, expected) in [(OldChecksum::Always, Sum::Old), (OldChecksum::Never, Sum::Pseudo)] {
        let options = InstanceOptions { old_unicast_checksum, ..InstanceOptions::default() };
        let mut bench = Bench::start(with(options, conf.clone()));
        bench.event(Event::Packet { ifindex: 2, bytes: advert(Sum::Old) });
        let out = bench.expire().to_vec();
        assert_eq!(sent(&out), Some(expected), "{old_unicast_checksum:?}");
    }
}

fn told(actions: &[Action]) -> Vec<News> {
    actions.iter().filter_map(|action| if let Action::Tell(news) = action { Some(*news) } else { None }).collect()
}

#[test]
fn a_priority_that_changes_is_told_where_it_is_asked_for() {
    for switch in [Switch::On, Switch::Off] {
        let mut conf = instance(1, 100);
        conf.track_scripts = vec![track(0, -20)];
        let options = InstanceOptions { notify_priority_changes: switch, ..InstanceOptions::default() };
        let mut config = with(options, conf);
        config.track_scripts = [track_script(0)].into_iter().collect();
        config.globals.news = Switch::On;
        let mut bench = Bench::start(config);
        let of = |state, priority| News::Instance { instance: InstanceIdx(0), state, priority };
        let news = told(bench.event(probe_ended(100, 1)));
        let expected = [of(NotifyState::BackupPriority, 80)];
        assert_eq!(news, expected[..usize::from(switch == Switch::On)]);
        bench.to_master();
        let news = told(bench.event(probe_ended(100, 0)));
        let expected = [of(NotifyState::MasterPriority, 100)];
        assert_eq!(news, expected[..usize::from(switch == Switch::On)]);
    }
}

#[test]
fn nobody_is_told_who_does_not_listen() {
    let mut bench = Bench::one(instance(1, 100));
    bench.to_master();
    assert_eq!(told(bench.stop()), []);
}
