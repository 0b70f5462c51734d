//! Many checkers, few connections; servers that hold them.

use super::world::{Build, Ipvs, Server, WELL, World};
use crate::check::STEPS_PER_PROBE;
use crate::engine::{Engine, Event, ProbeEvent};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::time::Duration;
use ipc::msg::control::DumpKind;
use ipc::msg::reals::Standing;

fn many(n: usize) -> Build {
    let mut b = Build::default();
    b.service("VS", |_| {});
    for i in 0..n {
        let address = format!("10.{}.{}.{}:80", i / 62_500, i / 250 % 250, i % 250 + 1);
        b.real(&address, |_| {});
        b.tcp(&address, |c| c.warmup = Duration::from_secs(3));
    }
    b
}

/// Servers that never answer hold ten connections for two seconds each: every one of a hundred checkers gets its turn.
#[test]
fn the_queue_is_fair() {
    let b = many(100);
    let mut w = World::with(Engine::new(10), Ipvs::default());
    for (_, checker) in b.config.checkers.iter() {
        w.servers.insert(checker.target, Server::Silent);
    }
    w.start(b.config);
    w.pass_secs(25.0);
    assert_eq!(w.most_open, 10);
    let mut counts: BTreeMap<_, u32> = BTreeMap::new();
    for (_, target) in &w.connects {
        *counts.entry(target).or_default() += 1;
    }
    assert_eq!(counts.len(), 100);
    assert!(counts.values().all(|n| (1..=2).contains(n)), "{counts:?}");
}

/// The connections of what a reload removes are free at once for what waits for one.
#[test]
fn a_reload_does_not_strand_the_queue() {
    let with = |addresses: &[&str]| {
        let mut b = Build::default();
        b.service("VS", |_| {});
        for address in addresses {
            b.real(address, |_| {});
            b.tcp(address, |_| {});
        }
        b.config
    };
    let (first, second) = ("127.0.0.2:80", "127.0.0.3:80");
    let mut w = World::with(Engine::new(1), Ipvs::default());
    w.serve(first, Server::Silent);
    w.start(with(&[first, second]));
    w.pass_secs(1.5);
    assert_eq!(w.connects.len(), 1, "the second waits");
    w.ipvs = None;
    w.activate(with(&[second]));
    w.pass_secs(10.0);
    assert!(w.connects.len() > 1, "the second waits for ever");
}

#[test]
fn first_probes_are_spread_over_warmup() {
    let b = many(1_000);
    let mut w = World::new();
    for (_, checker) in b.config.checkers.iter() {
        w.servers.insert(checker.target, WELL);
    }
    let start = w.now;
    w.start(b.config);
    w.pass_secs(4.0);
    let mut tenths = [0u32; 40];
    for (at, _) in &w.connects {
        tenths[(at.since(start).as_millis() / 100) as usize] += 1;
    }
    assert_eq!(tenths.iter().sum::<u32>(), 1_000);
    assert!(tenths[..10].iter().all(|n| *n == 0), "{tenths:?}");
    assert!(tenths[10..].iter().all(|n| (10..70).contains(n)), "{tenths:?}");
}

/// Ten thousand checkers for a minute of virtual time: 200,000 probes.
#[test]
fn ten_thousand_checkers_are_cheap() {
    let b = many(10_000);
    let mut w = World::with(Engine::new(4_096), Ipvs::default());
    for (n, (_, checker)) in b.config.checkers.iter().enumerate() {
        w.servers.insert(checker.target, if n % 10 == 0 { Server::Refuses } else { WELL });
    }
    w.start(b.config);
    w.pass_secs(61.0);
    assert!(w.connects.len() > 180_000, "{}", w.connects.len());
    let serving = w.ipvs.unwrap().reals.values().filter(|s| **s == Standing::Serving).count();
    assert_eq!(serving, 9_000);
}

/// One byte a second keeps each step alive, but not the whole.
#[test]
fn a_trickle_ends() {
    let mut b = Build::default();
    b.service("VS", |_| {});
    b.real("127.0.0.2:80", |_| {});
    b.http("127.0.0.2:80", &["/"], |c| c.log_all_failures = ipc::config::vrrp::Switch::On);
    let mut w = World::new();
    w.serve("127.0.0.2:80", Server::Hangs);
    w.start(b.config);
    w.pass_secs(1.5);
    let begun = w.now;
    while let Some(probe) = w.open.keys().next().copied() {
        assert!(w.now.since(begun) < Duration::from_secs(2) * (STEPS_PER_PROBE + 1), "it does not end");
        w.event(Event::Probe { probe, what: ProbeEvent::Bytes(b"x".to_vec()) });
        w.pass_secs(1.0);
    }
    assert!(w.said(0).contains(&"Answer of server [127.0.0.2]:tcp:80 takes too long."));
    assert_eq!(w.real(0), Standing::Absent);
}

#[test]
fn the_dump_tells() {
    let mut b = many(2);
    b.service("SORRY", |s| s.sorry = Some("S".into()));
    b.real("127.0.0.1:80", |_| {});
    b.http("127.0.0.1:80", &["/"], |_| {});
    let mut w = World::new();
    w.start(b.config);
    w.pass_secs(5.0);
    w.event(Event::Dump { kind: DumpKind::Data, wall: 0 });
    let text: &String = &w.lines.last().unwrap().1;
    for part in
        ["VS = VS", "alive = 0", "TCP_CHECK of 10.0.0.1:80", "HTTP_GET of 127.0.0.1:80", "sorry server = S, Serving"]
    {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}
