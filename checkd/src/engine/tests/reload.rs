//! Another configuration while everything runs.

use super::world::{Build, Ipvs, Server, WELL, World, all_up};
use crate::engine::Event;
use alloc::boxed::Box;
use alloc::vec::Vec;
use ipc::config::vrrp::Switch;
use ipc::config::{Generation, RealIdx, ServiceIdx};
use ipc::machine::Machine;
use ipc::msg::control::{Cause, Up};
use ipc::msg::reals::Standing;

const A: &str = "127.0.0.2:80";
const B: &str = "127.0.0.3:80";
const C: &str = "127.0.0.4:80";

fn two() -> Build {
    let mut b = Build::default();
    b.service("VS", |_| {});
    for address in [A, B] {
        b.real(address, |_| {});
        b.tcp(address, |c| c.retry = 2);
    }
    b
}

#[test]
fn the_same_again_changes_nothing() {
    let mut w = World::new();
    w.serve(A, WELL);
    w.start(two().config);
    w.pass_secs(8.5);
    // A fails twice of the three times that it takes, B is down.
    w.serve(A, Server::Refuses);
    w.pass_secs(3.0);
    let (lines, runs, before) = (w.lines.len(), w.runs.len(), w.engine.deadline());
    w.activate(two().config);
    assert_eq!((w.lines.len(), w.runs.len(), w.engine.deadline()), (lines, runs, before));
    assert_eq!((w.real(0), w.real(1)), (Standing::Serving, Standing::Absent));
    w.pass_secs(1.0);
    assert_eq!(w.real(0), Standing::Absent, "the retries were not carried over");
}

/// A probe that is under way goes on, and its answer counts for the new index.
#[test]
fn probes_are_carried_over() {
    let mut w = World::new();
    w.serve(A, Server::Silent);
    w.serve(B, WELL);
    w.start(two().config);
    w.pass_secs(2.0);
    assert_eq!(w.open.len(), 1);
    let mut b = Build::default();
    b.simple("NEW", C);
    b.service("VS", |_| {});
    for address in [B, A] {
        b.real(address, |_| {});
        b.tcp(address, |c| c.retry = 2);
    }
    w.activate(b.config);
    assert_eq!(w.open.len(), 1);
    let connects = w.connects.len();
    w.pass_secs(0.9);
    assert_eq!(w.connects.len(), connects);
    w.pass_secs(0.2);
    assert_eq!((w.real(1), w.real(2)), (Standing::Serving, Standing::Absent));
}

/// keepalived 2.2.7, captured: 10.9.0.5 removed, of 10.9.0.6 one server removed and two added, 10.9.0.9 new.
#[test]
fn what_comes_and_what_goes() {
    let mut old = Build::default();
    old.simple("[10.9.0.5]:tcp:80", C);
    old.service("[10.9.0.6]:tcp:80", |_| {});
    for address in [A, B] {
        old.real(address, |_| {});
        old.tcp(address, |c| c.retry = 2);
    }
    let mut w = World::new();
    w.serve(A, WELL);
    w.serve(C, Server::Silent);
    w.start(old.config);
    w.pass_secs(2.0);
    assert_eq!(w.open.len(), 1);
    let mut new = Build::default();
    new.service("[10.9.0.6]:tcp:80", |_| {});
    for address in [A, "127.0.0.5:80", "127.0.0.6:80"] {
        new.real(address, |_| {});
        new.tcp(address, |c| c.retry = 2);
    }
    new.simple("[10.9.0.9]:tcp:80", "127.0.0.6:80");
    w.serve("127.0.0.6:80", WELL);
    let (from, runs, now) = (w.lines.len(), w.runs.len(), w.now);
    w.activate(new.config);
    assert!(w.open.is_empty(), "the probe of what is gone is given up");
    assert_eq!(
        w.said(from),
        [
            "Removing Virtual Server [10.9.0.5]:tcp:80",
            "Removing service [127.0.0.4]:tcp:80 from VS [10.9.0.5]:tcp:80",
            "service [127.0.0.3]:tcp:80 no longer exist",
            "Gained quorum 1+0=1 <= 1 for VS [10.9.0.9]:tcp:80",
            "Activating healthchecker for service [127.0.0.5]:tcp:80 for VS [10.9.0.6]:tcp:80",
            "Activating healthchecker for service [127.0.0.6]:tcp:80 for VS [10.9.0.6]:tcp:80",
            "Activating healthchecker for service [127.0.0.6]:tcp:80 for VS [10.9.0.9]:tcp:80",
        ]
    );
    let scripts: Vec<_> = w.runs.iter().skip(runs).map(|(_, r)| (r.script.0, r.cause)).collect();
    assert_eq!(scripts, [(101, Cause::Quorum(ServiceIdx(1)))]);
    assert_eq!([w.real(0), w.real(1), w.real(2), w.real(3)], [Standing::Serving; 4]);
    let from = w.lines.len();
    w.pass_secs(3.5);
    let said: Vec<(u64, &str)> =
        w.lines.iter().skip(from).map(|(at, l)| (at.since(now).as_secs(), l.as_str())).collect();
    assert_eq!(
        said,
        [
            (1, "TCP connection to [127.0.0.6]:tcp:80 success."),
            (1, "TCP connection to [127.0.0.6]:tcp:80 success."),
            (3, "TCP_CHECK on service [127.0.0.5]:tcp:80 failed after 2 retries."),
            (3, "Removing service [127.0.0.5]:tcp:80 from VS [10.9.0.6]:tcp:80"),
        ]
    );
}

#[test]
fn a_changed_checker_begins_anew_in_the_state_of_its_server() {
    let changed = || {
        let mut b = Build::default();
        b.service("VS", |_| {});
        for address in [A, B] {
            b.real(address, |_| {});
            b.tcp(address, |c| c.retry = 5);
        }
        b
    };
    let mut w = World::new();
    w.serve(A, WELL);
    w.start(two().config);
    w.pass_secs(2.0);
    let runs = w.runs.len();
    w.activate(changed().config);
    assert_eq!((w.real(0), w.real(1), w.runs.len()), (Standing::Serving, Standing::Absent, runs));
    w.serve(B, WELL);
    w.pass_secs(1.0);
    assert_eq!(w.real(1), Standing::Serving);
}

/// The checker that kept a server down is taken out of the file: nothing keeps it down any more.
#[test]
fn a_server_without_its_failing_checker_is_up() {
    let with = |checkers: &[&str]| {
        let mut b = Build::default();
        b.service("VS", |s| s.sorry = Some("SORRY".into()));
        b.real(A, |_| {});
        for address in checkers {
            b.tcp(address, |_| {});
        }
        b
    };
    let mut w = World::new();
    w.serve(A, WELL);
    w.start(with(&[A, B]).config);
    w.pass_secs(2.0);
    assert_eq!((w.real(0), w.sorry(0)), (Standing::Absent, Standing::Serving));
    let from = w.lines.len();
    w.activate(with(&[A]).config);
    assert_eq!((w.real(0), w.sorry(0)), (Standing::Serving, Standing::Absent));
    assert_eq!(
        w.said(from),
        [
            "Adding service [127.0.0.2]:tcp:80 to VS VS",
            "Gained quorum 1+0=1 <= 1 for VS VS",
            "Removing sorry server SORRY from VS VS",
            "Adding alive servers to the pool for VS VS",
        ]
    );
}

/// keepalived 2.2.7, measured: what goes while it serves runs notify_down, and quorum_down of a service that goes with its quorum;
/// what was out of service already runs nothing, nor does a server that a sorry server stands in for. They are the scripts of the
/// configuration that is left.
#[test]
fn what_goes_says_goodbye() {
    let mut old = Build::default();
    old.service("GOES", |_| {});
    for address in [A, B] {
        old.real(address, |_| {});
        old.tcp(address, |_| {});
    }
    old.service("WITHOUT QUORUM", |_| {});
    old.real(B, |_| {});
    old.tcp(B, |_| {});
    old.service("SORRY", |s| (s.quorum, s.sorry) = (2, Some("SORRY SERVER".into())));
    for address in [A, B] {
        old.real(address, |_| {});
        old.tcp(address, |_| {});
    }
    old.service("STAYS", |_| {});
    for address in [A, B, C] {
        old.real(address, |_| {});
        old.tcp(address, |_| {});
    }
    let mut w = World::new();
    w.serve(A, WELL);
    w.serve(C, WELL);
    w.start(old.config);
    w.pass_secs(5.0);
    let mut new = Build::default();
    new.service("STAYS", |_| {});
    new.real(C, |_| {});
    new.tcp(C, |_| {});
    let (from, runs) = (w.lines.len(), w.runs.len());
    // It holds nothing that the new configuration does not know.
    w.ipvs = Some(Ipvs::default());
    w.activate(new.config);
    assert_eq!(
        w.said(from),
        [
            "Removing Virtual Server GOES",
            "Removing service [127.0.0.2]:tcp:80 from VS GOES",
            "Removing Virtual Server WITHOUT QUORUM",
            "Removing Virtual Server SORRY",
            "service [127.0.0.2]:tcp:80 no longer exist",
            "Removing service [127.0.0.2]:tcp:80 from VS STAYS",
            "service [127.0.0.3]:tcp:80 no longer exist",
        ]
    );
    let real = |n| Cause::Real(RealIdx(n));
    let gone = [(400, real(0)), (200, Cause::Quorum(ServiceIdx(0))), (405, real(5))];
    assert_eq!(w.last_runs, gone.map(|(script, cause)| (Generation(1), script, cause)));
    assert_eq!(w.runs.len(), runs);
    assert_eq!(w.ups.last(), Some(&Up::Activated));
}

#[test]
fn a_higher_quorum_counts_at_once() {
    let with = |quorum| {
        let mut b = Build::default();
        b.service("VS", |s| (s.quorum, s.sorry) = (quorum, Some("SORRY".into())));
        for address in [A, B] {
            b.real(address, |_| {});
            b.tcp(address, |_| {});
        }
        b
    };
    let mut w = World::new();
    w.serve(A, WELL);
    w.start(with(1).config);
    w.pass_secs(2.0);
    w.activate(with(2).config);
    assert_eq!((w.real(0), w.sorry(0)), (Standing::Absent, Standing::Serving));
}

#[test]
fn a_configuration_that_cannot_be_is_refused() {
    let mut w = World::new();
    all_up(&mut w, &two().config);
    w.start(two().config);
    w.pass_secs(2.0);
    let mut broken = two();
    broken.real(C, |r| r.service = ServiceIdx(7));
    w.event(Event::Configure { generation: Generation(2), config: Box::new(broken.config), seed: 0 });
    assert_eq!(w.ups.last(), Some(&Up::Refused));
    let connects = w.connects.len();
    w.pass_secs(3.0);
    assert_eq!(w.connects.len(), connects + 2);
}

#[test]
fn alpha_and_discard() {
    let mut w = World::new();
    w.start(two().config);
    let mut b = two();
    b.service("ALPHA", |_| {});
    b.real(C, |_| {});
    b.tcp(C, |c| c.alpha = Switch::On);
    w.event(Event::Configure { generation: Generation(2), config: Box::new(b.config.clone()), seed: 0 });
    w.event(Event::Discard);
    assert_eq!(w.engine.generation(), Some(Generation(1)));
    w.activate(b.config);
    assert_eq!(w.real(2), Standing::Absent);
}
