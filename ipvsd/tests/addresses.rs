//! Addresses and links on the real kernel, in namespaces of the tests' own. Needs root.

// What a test needs and has not got ends it.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::vips::{Monitor, applied, config, origin, set, shown, sorted, spec, synced};
use common::{Ipvsd, eventually, ip, link, namespace};
use ipc::config::InstanceIdx;
use ipc::config::ipvs::{AddrSpec, Granularity, Protocol, Service, ServiceKey};
use ipc::config::vrrp::Switch;
use ipc::msg::Role;
use ipc::msg::vips::{Applied, IpvsToVrrp, LinkState, Presence, VrrpToIpvs};
use std::time::{Duration, Instant};

#[test]
fn addresses_look_as_keepalived_makes_them() {
    namespace();
    link();
    let labelled = AddrSpec { label: Some("v0:vip".into()), ..spec("10.9.0.1/24") };
    let broadcast = AddrSpec { broadcast: Some("10.8.0.255".parse().expect("v4")), scope: 253, ..spec("10.8.0.2/24") };
    let plain = spec("10.9.0.3/32");
    let six = spec("fd00::5/64");
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config(&[("VI_1", vec![labelled, broadcast, plain, six])]));
    let mut vrrp = ipvsd.vrrp();
    vrrp.say(1, vec![VrrpToIpvs::Resync]);
    let facts = vrrp.hear_until(synced);
    match facts.first() {
        Some(IpvsToVrrp::LinkChanged(facts)) => {
            assert_eq!((facts.name.as_str(), facts.state, facts.mtu), ("v0", LinkState::Up, 1500));
            assert_eq!(facts.primary, Some("10.9.0.100".parse().expect("v4")));
        }
        other => panic!("{other:?}"),
    }
    vrrp.say(1, vec![set(0, Presence::Present), VrrpToIpvs::Synced]);
    vrrp.hear_until(|m| *m == applied(0, Presence::Present));
    // What `ip -o addr` shows with keepalived 2.2.7 and the same records, but for the owner that iproute2 knows by name.
    let expected = [
        "inet 10.9.0.100/24 scope global v0",
        "inet 10.8.0.2/24 brd 10.8.0.255 scope link v0",
        "inet 10.9.0.3/32 scope global v0",
        "inet 10.9.0.1/24 scope global secondary v0:vip",
        "inet6 fd00::5/64 scope global nodad",
    ];
    let mut expected: Vec<String> = expected.map(String::from).to_vec();
    expected.sort();
    assert_eq!(sorted(), expected);
    vrrp.say(1, vec![set(0, Presence::Absent)]);
    vrrp.hear_until(|m| *m == applied(0, Presence::Absent));
    assert_eq!(shown(), ["inet 10.9.0.100/24 scope global v0"]);
    ipvsd.stop();
}

/// Debian's keepalived and ipvsd put the same records on the same interface; `ip` shows the same.
#[test]
fn the_same_records_look_the_same_with_keepalived() {
    let records = [
        ("10.9.0.1/24 dev v0 label v0:vip", AddrSpec { label: Some("v0:vip".into()), ..spec("10.9.0.1/24") }),
        (
            "10.8.0.2/24 brd 10.8.0.255 dev v0 scope link",
            AddrSpec { broadcast: Some("10.8.0.255".parse().expect("v4")), scope: 253, ..spec("10.8.0.2/24") },
        ),
        ("10.9.0.3", spec("10.9.0.3/32")),
        ("10.7.0.1/16 dev v0 scope host", AddrSpec { scope: 254, ..spec("10.7.0.1/16") }),
        ("fd00::5/64 dev v0", spec("fd00::5/64")),
        ("fd00::6 dev v0", spec("fd00::6/128")),
    ];
    let (v4, v6): (Vec<_>, Vec<_>) = records.iter().partition(|(_, spec)| spec.prefix.addr.is_ipv4());
    let lines =
        |records: &[&(&str, AddrSpec)]| records.iter().map(|(line, _)| format!("  {line}\n")).collect::<String>();
    let text = format!(
        "vrrp_instance V {{\n state MASTER\n interface v0\n virtual_router_id 7\n priority 255\n advert_int 1\n\
         virtual_ipaddress {{\n{} }}\n virtual_ipaddress_excluded {{\n{} }}\n}}\n",
        lines(&v4),
        lines(&v6)
    );
    let specs = records.iter().map(|(_, spec)| spec.clone()).collect();
    namespace();
    link();
    let keepalived = common::Keepalived::start(&text);
    eventually("keepalived is master", || shown().len() == records.len() + 1);
    let theirs = sorted();
    keepalived.stop();
    assert_eq!(shown().len(), 1);

    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config(&[("V", specs)]));
    let mut vrrp = ipvsd.vrrp();
    vrrp.say(1, vec![VrrpToIpvs::Resync, set(0, Presence::Present), VrrpToIpvs::Synced]);
    vrrp.hear_until(|m| *m == applied(0, Presence::Present));
    assert_eq!(sorted(), theirs);
    ipvsd.stop();
}

#[test]
fn two_hundred_and_fifty_five_instances_at_once() {
    namespace();
    link();
    let instances: Vec<(String, Vec<AddrSpec>)> =
        (1..=255).map(|n| (format!("VI_{n}"), vec![spec(&format!("10.7.0.{n}/32"))])).collect();
    let named: Vec<(&str, Vec<AddrSpec>)> = instances.iter().map(|(name, a)| (name.as_str(), a.clone())).collect();
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config(&named));
    let mut vrrp = ipvsd.vrrp();
    vrrp.say(1, vec![VrrpToIpvs::Resync]);
    vrrp.hear_until(synced);
    for want in [Presence::Present, Presence::Absent, Presence::Present] {
        let start = Instant::now();
        let mut words: Vec<VrrpToIpvs> = (0..255).map(|n| set(n, want)).collect();
        words.push(VrrpToIpvs::Synced);
        vrrp.say(1, words);
        for n in 0..255 {
            vrrp.hear_until(|m| *m == applied(n, want));
        }
        eprintln!("255 addresses {want:?} in {:?}", start.elapsed());
        let there = shown().iter().filter(|line| line.contains("10.7.0.")).count();
        assert_eq!(there, if want == Presence::Present { 255 } else { 0 });
    }
    ipvsd.stop();
    assert_eq!(shown(), ["inet 10.9.0.100/24 scope global v0"]);
}

#[test]
fn what_somebody_else_removes_is_put_back() {
    namespace();
    link();
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config(&[("VI_1", vec![spec("10.9.0.1/32")])]));
    let mut vrrp = ipvsd.vrrp();
    vrrp.say(1, vec![VrrpToIpvs::Resync]);
    vrrp.hear_until(synced);
    vrrp.say(1, vec![set(0, Presence::Present), VrrpToIpvs::Synced]);
    vrrp.hear_until(|m| *m == applied(0, Presence::Present));
    for at_least in [0, 1] {
        let start = Instant::now();
        ip("addr del 10.9.0.1/32 dev v0");
        vrrp.hear_until(|m| *m == IpvsToVrrp::VipsRestored { instance: InstanceIdx(0) });
        assert!(start.elapsed() >= Duration::from_secs(at_least));
        assert!(shown().iter().any(|line| line.starts_with("inet 10.9.0.1/32")));
    }
    ipvsd.stop();
}

#[test]
fn a_primary_that_goes_does_not_take_a_wanted_secondary_along() {
    namespace();
    ip("link add v0 type veth peer name v1");
    ip("link set v0 up");
    ip("link set v1 up");
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config(&[("A", vec![spec("10.9.0.1/24")]), ("B", vec![spec("10.9.0.2/24")])]));
    let mut vrrp = ipvsd.vrrp();
    vrrp.say(1, vec![VrrpToIpvs::Resync]);
    vrrp.hear_until(synced);
    vrrp.say(1, vec![set(0, Presence::Present), set(1, Presence::Present), VrrpToIpvs::Synced]);
    vrrp.hear_until(|m| *m == applied(1, Presence::Present));
    vrrp.say(1, vec![set(0, Presence::Absent)]);
    vrrp.hear_until(|m| *m == applied(0, Presence::Absent));
    eventually("the secondary is back", || {
        let there = shown();
        there.len() == 1 && there.iter().all(|line| line.starts_with("inet 10.9.0.2/24"))
    });
    ipvsd.stop();
}

#[test]
fn addresses_are_held_while_vrrpd_is_away_and_released_when_it_does_not_return() {
    namespace();
    link();
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config(&[("VI_1", vec![spec("10.9.0.1/32")])]));
    let mut vrrp = ipvsd.vrrp();
    vrrp.say(1, vec![VrrpToIpvs::Resync, set(0, Presence::Present), VrrpToIpvs::Synced]);
    vrrp.hear_until(|m| *m == applied(0, Presence::Present));
    let there = || shown().iter().any(|line| line.starts_with("inet 10.9.0.1/32"));

    ipvsd.detached(Role::Vrrp);
    let mut vrrp = ipvsd.vrrp();
    vrrp.say(1, vec![VrrpToIpvs::Resync]);
    let facts = vrrp.hear_until(synced);
    assert!(facts.contains(&IpvsToVrrp::Held { instance: InstanceIdx(0) }), "{facts:?}");
    vrrp.say(1, vec![set(0, Presence::Present), VrrpToIpvs::Synced]);
    vrrp.hear_until(|m| *m == applied(0, Presence::Present));
    std::thread::sleep(Duration::from_millis(700));
    assert!(there(), "a vrrpd that came back keeps what it wants");

    ipvsd.detached(Role::Vrrp);
    std::thread::sleep(Duration::from_millis(100));
    assert!(there(), "held");
    eventually("released", || !there());
    ipvsd.stop();
}

#[test]
fn leftovers_go_when_vrrpd_has_said_everything_and_not_before() {
    namespace();
    link();
    ip("addr add 10.9.0.1/32 dev v0");
    ip("addr add 10.9.0.77/32 dev v0");
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config(&[("VI_1", vec![spec("10.9.0.1/32")])]));
    let mut vrrp = ipvsd.vrrp();
    vrrp.say(1, vec![VrrpToIpvs::Resync]);
    vrrp.hear_until(synced);
    vrrp.say(1, vec![set(0, Presence::Absent)]);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(shown().len(), 3);
    vrrp.say(1, vec![VrrpToIpvs::Synced]);
    vrrp.hear_until(|m| *m == applied(0, Presence::Absent));
    assert_eq!(shown(), ["inet 10.9.0.100/24 scope global v0", "inet 10.9.0.77/32 scope global v0"]);
    ipvsd.stop();
}

#[test]
fn an_interface_that_comes_later_gets_its_addresses() {
    namespace();
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config(&[("VI_1", vec![spec("10.9.0.1/32")])]));
    let mut vrrp = ipvsd.vrrp();
    vrrp.say(1, vec![VrrpToIpvs::Resync]);
    assert_eq!(vrrp.hear_until(synced).first(), Some(&IpvsToVrrp::LinkGone { name: "v0".into() }));
    vrrp.say(1, vec![set(0, Presence::Present), VrrpToIpvs::Synced]);
    let partly = IpvsToVrrp::VipsApplied { instance: InstanceIdx(0), now: Presence::Present, result: Applied::Partly };
    vrrp.hear_until(|m| *m == partly);
    link();
    vrrp.hear_until(|m| *m == applied(0, Presence::Present));
    let up = |m: &IpvsToVrrp| matches!(m, IpvsToVrrp::LinkChanged(f) if f.state == LinkState::Up);
    vrrp.hear_until(up);
    ip("link set v1 down");
    vrrp.hear_until(|m| matches!(m, IpvsToVrrp::LinkChanged(f) if f.state == LinkState::Down));
    ip("link del v0");
    vrrp.hear_until(|m| *m == IpvsToVrrp::LinkGone { name: "v0".into() });
    ipvsd.stop();
}

#[test]
fn a_reload_touches_only_what_differs() {
    namespace();
    link();
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(
        1,
        &config(&[("A", vec![spec("10.9.0.1/32"), spec("10.9.0.2/32")]), ("B", vec![spec("10.9.0.3/32")])]),
    );
    let mut vrrp = ipvsd.vrrp();
    vrrp.say(1, vec![VrrpToIpvs::Resync, set(0, Presence::Present), set(1, Presence::Present), VrrpToIpvs::Synced]);
    vrrp.hear_until(|m| *m == applied(1, Presence::Present));
    let monitor = Monitor::start();
    // A keeps one address, gets another and changes its place; B goes.
    ipvsd.activate(2, &config(&[("C", vec![]), ("A", vec![spec("10.9.0.1/32"), spec("10.9.0.4/32")])]));
    vrrp.say(2, vec![VrrpToIpvs::Resync]);
    let facts = vrrp.hear_until(synced);
    assert!(facts.contains(&IpvsToVrrp::Held { instance: InstanceIdx(1) }), "{facts:?}");
    vrrp.say(2, vec![set(0, Presence::Absent), set(1, Presence::Present), VrrpToIpvs::Synced]);
    vrrp.hear_until(|m| *m == applied(1, Presence::Present));
    eventually("the rest is gone", || {
        let there = shown();
        there.len() == 3
            && ["10.9.0.100/24", "10.9.0.1/32", "10.9.0.4/32"].iter().all(|a| there.iter().any(|l| l.contains(a)))
    });
    let changes = monitor.stop();
    assert!(!changes.iter().any(|c| c.contains("10.9.0.1/32")), "{changes:?}");
    ipvsd.stop();
}

/// Where the kernel has IPVS the services are simply there; where it has none, that is said and addresses work.
#[test]
fn addresses_do_not_depend_on_ipvs() {
    namespace();
    link();
    let mut config = config(&[("VI_1", vec![spec("10.9.0.1/32")])]);
    let key = ServiceKey::Addr { addr: "10.9.0.1".parse().expect("v4"), port: 80, protocol: Protocol::Tcp };
    let service = Service {
        keys: vec![key],
        group: None,
        scheduler: "rr".into(),
        flags: 0,
        persistence: None,
        granularity: Granularity::WHOLE,
        sorry: None,
        engine: None,
        drain: None,
        sorry_inhibit: Switch::Off,
        origin: origin(),
    };
    config.services.push(service).expect("room");
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config);
    let mut vrrp = ipvsd.vrrp();
    vrrp.say(1, vec![VrrpToIpvs::Resync, set(0, Presence::Present), VrrpToIpvs::Synced]);
    vrrp.hear_until(|m| *m == applied(0, Presence::Present));
    ipvsd.stop();
    assert_eq!(shown(), ["inet 10.9.0.100/24 scope global v0"]);
}

#[test]
fn an_index_of_nothing_is_a_violation_and_changes_nothing() {
    namespace();
    link();
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config(&[("VI_1", vec![spec("10.9.0.1/32")])]));
    let mut vrrp = ipvsd.vrrp();
    vrrp.say(1, vec![VrrpToIpvs::Resync, set(9, Presence::Present)]);
    assert_eq!(ipvsd.answer(), ipc::msg::control::Up::Violation(Role::Vrrp));
    assert_eq!(shown(), ["inet 10.9.0.100/24 scope global v0"]);
    ipvsd.stop();
}
