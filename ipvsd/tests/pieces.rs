//! When many instances become master at once, vrrpd hears of the first addresses before the last ones are asked for.
// What a test needs and has not got ends it.
#![allow(clippy::expect_used)]

mod common;
mod memory;

use common::vips::{config, spec};
use ipc::config::InstanceIdx;
use ipc::config::ipvs::AddrSpec;
use ipc::msg::vips::{Applied, IpvsToVrrp, Presence, VrrpToIpvs};
use ipvsd::event::{Action, Event};
use ipvsd::netlink::reply::Fact;
use memory::{World, requests};

const INSTANCES: u16 = 70;

fn applied(out: &[Action]) -> Vec<u16> {
    let words = out.iter().filter_map(|action| match action {
        Action::ToVrrp(words) => Some(words),
        _ => None,
    });
    let told = words.flatten().filter_map(|word| match word {
        IpvsToVrrp::VipsApplied { instance, now: Presence::Present, result: Applied::All } => Some(instance.0),
        _ => None,
    });
    told.collect()
}

/// A vrrpd has said that every instance is backup.
fn backups() -> World {
    let named: Vec<(String, Vec<AddrSpec>)> =
        (0..INSTANCES).map(|n| (format!("VI_{n}"), vec![spec(&format!("10.9.0.{n}/32"))])).collect();
    let instances: Vec<(&str, Vec<AddrSpec>)> =
        named.iter().map(|(name, addrs)| (name.as_str(), addrs.clone())).collect();
    let mut world = World::new(config(&instances));
    let backup = (0..INSTANCES).map(|n| VrrpToIpvs::SetVips { instance: InstanceIdx(n), want: Presence::Absent });
    world.step(Event::FromVrrp([VrrpToIpvs::Resync].into_iter().chain(backup).chain([VrrpToIpvs::Synced]).collect()));
    world
}

#[test]
fn addresses_are_told_of_in_pieces() {
    let mut world = backups();
    let want = |n| VrrpToIpvs::SetVips { instance: InstanceIdx(n), want: Presence::Present };
    let mut out = world.step(Event::FromVrrp((0..INSTANCES).map(want).collect()));
    let mut told = Vec::new();
    let mut pieces = Vec::new();
    while let Some(last) = requests(&out).last() {
        pieces.push(requests(&out).len());
        out = world.step(Event::Kernel(vec![Fact::Acked { seq: *last }]));
        let new = applied(&out);
        assert_eq!(new.len(), *pieces.last().expect("a piece"), "what is done is told at once: {out:?}");
        told.extend(new);
    }
    assert_eq!(pieces, [32, 32, 6]);
    assert_eq!(told, (0..INSTANCES).collect::<Vec<_>>());
}

#[test]
fn one_that_cannot_be_had_does_not_hold_the_others_up() {
    let mut world = backups();
    let want = |n| VrrpToIpvs::SetVips { instance: InstanceIdx(n), want: Presence::Present };
    let out = world.step(Event::FromVrrp(vec![want(3), want(4), want(5)]));
    let asked = requests(&out);
    let refused = Fact::Refused { seq: asked[1], errno: ipvsd::netlink::Errno(1), text: None };
    let out = world.step(Event::Kernel(vec![refused, Fact::Acked { seq: asked[2] }]));
    assert_eq!(applied(&out), [3, 5]);
    let partly = out.iter().any(|action| {
        let word =
            IpvsToVrrp::VipsApplied { instance: InstanceIdx(4), now: Presence::Present, result: Applied::Partly };
        matches!(action, Action::ToVrrp(words) if words.contains(&word))
    });
    assert!(partly, "{out:?}");
}
