//! A new process where another has been: it goes on.

use super::world::{Build, Ipvs, Server, WELL, World, all_up};
use crate::engine::{ANSWER_WAIT, Action, Engine, Event};
use alloc::boxed::Box;
use alloc::vec::Vec;
use ipc::config::{Generation, RealIdx};
use ipc::machine::Machine;
use ipc::msg::reals::{IpvsToCheck, Standing};
use ipc::time::Mono;

const A: &str = "127.0.0.2:80";
const B: &str = "127.0.0.3:80";

fn build() -> Build {
    let mut b = Build::default();
    b.service("VS", |s| s.sorry = Some("SORRY".into()));
    for address in [A, B] {
        b.real(address, |_| {});
        b.tcp(address, |c| c.retry = 2);
    }
    b
}

/// Lets a world live until `prepare` has had its effect, then puts a new engine into it.
fn restarted(prepare: impl FnOnce(&mut World)) -> World {
    let mut w = World::new();
    all_up(&mut w, &build().config);
    w.start(build().config);
    w.pass_secs(2.0);
    prepare(&mut w);
    let mut next = World::with(Engine::new(64), w.ipvs.take().unwrap_or_default());
    next.servers = w.servers;
    next.now = w.now;
    next
}

#[test]
fn everything_up_goes_on_in_silence() {
    let mut w = restarted(|_| {});
    let before = w.ipvs.clone().unwrap();
    w.start(build().config);
    w.pass_secs(10.0);
    assert!(w.runs.is_empty(), "{:?}", w.runs);
    assert!(w.said(0).iter().all(|l| l.starts_with("Activating")), "{:?}", w.said(0));
    let after = w.ipvs.unwrap();
    assert_eq!((after.reals, after.sorry), (before.reals, before.sorry));
    assert_eq!(after.synced, before.synced + 1);
}

#[test]
fn a_dead_server_is_not_put_back() {
    let mut w = restarted(|w| {
        w.serve(B, Server::Refuses);
        w.pass_secs(6.0);
        assert_eq!((w.real(0), w.real(1)), (Standing::Serving, Standing::Absent));
    });
    w.start(build().config);
    assert_eq!((w.real(0), w.real(1)), (Standing::Serving, Standing::Absent));
    w.pass_secs(10.0);
    assert_eq!((w.real(0), w.real(1)), (Standing::Serving, Standing::Absent));
    assert!(w.runs.is_empty());
    w.serve(B, WELL);
    w.pass_secs(4.0);
    assert_eq!(w.real(1), Standing::Serving);
    assert_eq!(w.runs.len(), 1);
}

/// A crash does not make the checks stricter: the first failure is not the last.
#[test]
fn a_live_server_has_its_retries() {
    let mut w = restarted(|_| {});
    w.serve(A, Server::Refuses);
    w.start(build().config);
    w.pass_secs(2.5);
    assert_eq!((w.connects.len(), w.real(0)), (3, Standing::Serving));
    w.pass_secs(1.0);
    assert_eq!(w.real(0), Standing::Absent);
}

#[test]
fn a_sorry_server_goes_on_until_a_server_passes() {
    let mut w = restarted(|w| {
        w.serve(A, Server::Refuses);
        w.serve(B, Server::Refuses);
        w.pass_secs(8.0);
        assert_eq!(w.sorry(0), Standing::Serving);
    });
    w.serve(A, WELL);
    w.start(build().config);
    assert_eq!((w.real(0), w.sorry(0)), (Standing::Absent, Standing::Serving));
    assert!(w.runs.is_empty());
    w.pass_secs(1.0);
    assert_eq!((w.real(0), w.real(1), w.sorry(0)), (Standing::Serving, Standing::Absent, Standing::Absent));
}

/// What is new beside what is held begins as at a first start.
#[test]
fn new_services_begin() {
    let mut w = restarted(|_| {});
    let mut b = build();
    b.simple("NEW", "127.0.0.9:80");
    w.start(b.config);
    assert_eq!(w.runs.len(), 1);
    assert_eq!(w.real(2), Standing::Serving);
    assert!(w.said(0).contains(&"Gained quorum 1+0=1 <= 1 for VS NEW"));
    w.pass_secs(1.0);
    assert_eq!(w.real(2), Standing::Absent);
}

/// Without ipvsd the checks begin all the same, and what they found is said when it comes.
#[test]
fn ipvsd_may_come_late() {
    let mut w = World::new();
    w.serve(A, WELL);
    w.activate(build().config);
    assert!(w.connects.is_empty() && w.lines.is_empty());
    w.pass(ANSWER_WAIT);
    assert!(w.said(0).contains(&"Gained quorum 1+0=1 <= 2 for VS VS"));
    w.pass_secs(2.0);
    assert_eq!(w.connects.len(), 2);
    assert!(w.ipvs.as_ref().unwrap().heard.is_empty());
    // It holds what is not so any more.
    w.ipvs.as_mut().unwrap().reals.insert(RealIdx(1), Standing::Serving);
    w.event(Event::IpvsAttached);
    assert_eq!((w.real(0), w.real(1)), (Standing::Serving, Standing::Absent));
    assert_eq!(w.ipvs.as_ref().unwrap().synced, 1);
}

/// Real servers are named in ascending order, none twice.
#[test]
fn what_is_held_is_said_in_order() {
    let held = |(first, last)| {
        let (first, last, standing) = (RealIdx(first), RealIdx(last), Standing::Serving);
        Event::Ipvs { generation: Generation(1), message: IpvsToCheck::HeldReals { first, last, standing } }
    };
    let after = |ranges: &[(u32, u32)]| {
        let mut engine = Engine::new(64);
        let config = Box::new(build().config);
        let begin =
            [Event::IpvsAttached, Event::Configure { generation: Generation(1), config, seed: 0 }, Event::Activate];
        let mut out = Vec::new();
        for event in begin.into_iter().chain(ranges.iter().copied().map(held)) {
            engine.step(Mono(0), event, &mut out);
        }
        out.iter().any(|action| matches!(action, Action::IpvsViolation(_)))
    };
    for ranges in [[(1, 1), (0, 0)], [(0, 1), (1, 1)], [(0, 0), (0, 0)], [(1, 0), (1, 1)], [(0, 1), (2, 2)]] {
        assert!(after(&ranges), "{ranges:?}");
    }
    for ranges in [&[(0, 1)][..], &[(0, 0), (1, 1)], &[(1, 1)]] {
        assert!(!after(ranges), "{ranges:?}");
    }
}

/// What ipvsd holds is of use at the beginning alone.
#[test]
fn what_is_held_is_not_kept_later() {
    let mut w = World::new();
    w.start(build().config);
    w.event(Event::IpvsAttached);
    assert!(!w.ipvs.as_ref().unwrap().sorry.is_empty(), "there is nothing to say");
    assert!(w.engine.held.reals.is_empty() && w.engine.held.sorry.is_empty());
}

#[test]
fn a_new_ipvsd_is_told_everything() {
    let mut w = World::new();
    w.serve(A, WELL);
    w.start(build().config);
    w.pass_secs(2.0);
    w.event(Event::IpvsLost);
    w.ipvs = Some(Ipvs::default());
    w.serve(B, WELL);
    w.pass_secs(3.0);
    assert!(w.ipvs.as_ref().unwrap().heard.is_empty());
    w.event(Event::IpvsAttached);
    assert_eq!((w.real(0), w.real(1), w.sorry(0)), (Standing::Serving, Standing::Serving, Standing::Absent));
}
