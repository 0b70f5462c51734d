//! Configurations and interfaces that change under addresses that are in place, on the real kernel, in namespaces of the
//! tests' own. Needs root.

// What a test needs and has not got ends it.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::vips::{Monitor, applied, config, set, shown, sorted, spec, synced};
use common::{Ipvsd, Line, eventually, ip, link, namespace, run};
use ipc::config::ipvs::AddrSpec;
use ipc::msg::vips::{IpvsToVrrp, Presence, VrrpToIpvs};
use nix::sys::signal::Signal;
use std::io::Write;

/// ipvsd with instances that are all present.
fn present(instances: &[(&str, Vec<AddrSpec>)]) -> (Ipvsd, Line<VrrpToIpvs, IpvsToVrrp>) {
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config(instances));
    let mut vrrp = ipvsd.vrrp();
    say_all(&mut vrrp, 1, &vec![Presence::Present; instances.len()]);
    (ipvsd, vrrp)
}

/// Says everything in the words of a generation and waits until it is so.
fn say_all(vrrp: &mut Line<VrrpToIpvs, IpvsToVrrp>, generation: u32, wants: &[Presence]) {
    vrrp.say(generation, vec![VrrpToIpvs::Resync]);
    vrrp.hear_until(synced);
    let wants = || (0..).zip(wants.iter().copied());
    let mut words: Vec<VrrpToIpvs> = wants().map(|(n, want)| set(n, want)).collect();
    words.push(VrrpToIpvs::Synced);
    vrrp.say(generation, words);
    let mut missing: Vec<IpvsToVrrp> = wants().map(|(n, want)| applied(n, want)).collect();
    vrrp.hear_until(|m| {
        missing.retain(|wanted| wanted != m);
        missing.is_empty()
    });
}

fn has(start: &str) -> bool {
    shown().iter().any(|line| line.starts_with(start))
}

/// keepalived can lose it (behaviour: two reloads are needed then).
#[test]
fn an_address_that_moves_to_another_instance_is_not_touched() {
    namespace();
    link();
    let (mut ipvsd, mut vrrp) =
        present(&[("A", vec![spec("10.9.0.1/32"), spec("10.9.0.2/32")]), ("B", vec![spec("10.9.0.3/32")])]);
    let monitor = Monitor::start();
    ipvsd.activate(
        2,
        &config(&[("B", vec![spec("10.9.0.3/32"), spec("10.9.0.1/32")]), ("A", vec![spec("10.9.0.2/32")])]),
    );
    say_all(&mut vrrp, 2, &[Presence::Present; 2]);
    assert_eq!(monitor.stop(), [""; 0]);
    // The one that has it now goes, and takes it along.
    vrrp.say(2, vec![set(0, Presence::Absent)]);
    vrrp.hear_until(|m| *m == applied(0, Presence::Absent));
    assert!(!has("inet 10.9.0.1/32") && has("inet 10.9.0.2/32"));
    ipvsd.stop();
}

#[test]
fn an_address_of_two_instances_stays_until_neither_wants_it() {
    namespace();
    link();
    let (ipvsd, mut vrrp) = present(&[("A", vec![spec("10.9.0.1/32")]), ("B", vec![spec("10.9.0.1/32")])]);
    vrrp.say(1, vec![set(0, Presence::Absent)]);
    vrrp.hear_until(|m| *m == applied(0, Presence::Absent));
    assert!(has("inet 10.9.0.1/32"));
    vrrp.say(1, vec![set(1, Presence::Absent)]);
    vrrp.hear_until(|m| *m == applied(1, Presence::Absent));
    assert!(!has("inet 10.9.0.1/32"));
    ipvsd.stop();
}

#[test]
fn a_prefix_that_changes_is_changed() {
    namespace();
    link();
    let (mut ipvsd, mut vrrp) = present(&[("A", vec![spec("10.9.0.1/24"), spec("fd00::1/64")])]);
    ipvsd.activate(2, &config(&[("A", vec![spec("10.9.0.1/25"), spec("fd00::1/96")])]));
    say_all(&mut vrrp, 2, &[Presence::Present]);
    eventually("the new prefixes alone", || {
        let there = shown();
        there.len() == 3 && has("inet 10.9.0.1/25") && has("inet6 fd00::1/96")
    });
    ipvsd.stop();
}

#[test]
fn a_label_or_a_broadcast_address_that_changes_is_changed() {
    namespace();
    link();
    let with = |label: Option<&str>, broadcast: Option<&str>| AddrSpec {
        label: label.map(String::from),
        broadcast: broadcast.map(|b| b.parse().expect("v4")),
        ..spec("10.9.0.1/32")
    };
    let (mut ipvsd, mut vrrp) = present(&[("A", vec![with(Some("v0:a"), None), spec("10.9.0.2/32")])]);
    for (generation, record, line) in [
        (2, with(Some("v0:b"), None), "inet 10.9.0.1/32 scope global v0:b"),
        (3, with(Some("v0:b"), Some("10.9.0.255")), "inet 10.9.0.1/32 brd 10.9.0.255 scope global v0:b"),
        (4, AddrSpec { scope: 253, ..with(None, None) }, "inet 10.9.0.1/32 scope link v0"),
    ] {
        let monitor = Monitor::start();
        ipvsd.activate(generation, &config(&[("A", vec![record, spec("10.9.0.2/32")])]));
        say_all(&mut vrrp, generation, &[Presence::Present]);
        eventually(line, || sorted().iter().any(|l| l == line));
        let changes = monitor.stop();
        assert!(!changes.iter().any(|c| c.contains("10.9.0.2/32")), "{changes:?}");
    }
    ipvsd.stop();
}

#[test]
fn an_interface_that_is_made_anew_gets_its_addresses_back() {
    namespace();
    link();
    let (ipvsd, mut vrrp) = present(&[("A", vec![spec("10.9.0.1/32")])]);
    ip("link del v0");
    vrrp.hear_until(|m| matches!(m, IpvsToVrrp::LinkGone { .. }));
    link();
    eventually("it is back", || has("inet 10.9.0.1/32"));
    ipvsd.stop();
}

/// The name counts: under another one the interface is not the configuration's.
#[test]
fn an_interface_that_is_renamed_loses_its_addresses() {
    namespace();
    link();
    let (ipvsd, mut vrrp) = present(&[("A", vec![spec("10.9.0.1/32")])]);
    ip("link set v0 down");
    ip("link set v0 name old");
    vrrp.hear_until(|m| matches!(m, IpvsToVrrp::LinkGone { .. }));
    eventually("it is gone from the old one", || !ip("-o addr show dev old").contains("10.9.0.1/32"));
    assert!(ip("-o addr show dev old").contains("10.9.0.100/24"));
    ip("link add v0 type veth peer name v2");
    eventually("and on the new one", || has("inet 10.9.0.1/32"));
    ipvsd.stop();
}

/// More notifications than its receive buffer holds, the one that matters among those that are lost.
#[test]
fn what_was_missed_is_found() {
    namespace();
    link();
    let (ipvsd, mut vrrp) = present(&[("A", vec![spec("10.9.0.1/32")])]);
    ipvsd.signal(Signal::SIGSTOP);
    let mut lines = tempfile::NamedTempFile::new().expect("a file");
    for n in 0..25_000 {
        let verb = if n % 2 == 0 { "add" } else { "del" };
        writeln!(lines, "addr {verb} 10.7.0.1/32 dev v1").expect("room");
    }
    ip(&format!("-batch {}", lines.path().display()));
    ip("addr del 10.9.0.1/32 dev v0");
    assert!(dropped() > 0, "the buffer holds them all");
    ipvsd.signal(Signal::SIGCONT);
    eventually("it is back", || has("inet 10.9.0.1/32"));
    for want in [Presence::Absent, Presence::Present] {
        vrrp.say(1, vec![set(0, want)]);
        vrrp.hear_until(|m| *m == applied(0, want));
    }
    ipvsd.stop();
}

/// Netlink messages that this namespace's sockets had no room for.
fn dropped() -> u64 {
    let table = run("cat", "/proc/net/netlink");
    table.lines().filter_map(|line| line.split_whitespace().nth(8)?.parse::<u64>().ok()).sum()
}
