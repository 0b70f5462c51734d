//! Configurations and interfaces that change under addresses that are in place, on the real kernel, in namespaces of the
//! tests' own. Needs root.

// What a test needs and has not got ends it.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::vips::{Monitor, applied, config, set, shown, spec, synced};
use common::{Ipvsd, Line, eventually, ip, link, namespace};
use ipc::config::ipvs::AddrSpec;
use ipc::msg::vips::{IpvsToVrrp, Presence, VrrpToIpvs};

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
