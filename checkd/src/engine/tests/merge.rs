//! Checkers with equal parameters are one probe.

use super::world::{Build, Server, WELL, World};
use alloc::vec::Vec;
use ipc::config::check::CheckConfig;
use ipc::config::vrrp::Switch;
use ipc::msg::reals::Standing;

const A: &str = "127.0.0.2:80";

fn services(names: &[&str]) -> CheckConfig {
    let mut b = Build::default();
    for name in names {
        b.service(name, |_| {});
        b.real(A, |_| {});
        b.tcp(A, |c| c.retry = 2);
    }
    b.config
}

fn standings(w: &World, count: u32) -> Vec<Standing> {
    (0..count).map(|n| w.real(n)).collect()
}

#[test]
fn one_probe_and_everybody_hears_of_it() {
    let mut w = World::new();
    w.serve(A, WELL);
    w.start(services(&["A", "B", "C"]));
    w.pass_secs(10.5);
    assert_eq!(w.connects.len(), 4, "at 1, 4, 7 and 10 s");
    w.serve(A, Server::Refuses);
    let (lines, runs) = (w.lines.len(), w.runs.len());
    w.pass_secs(4.4);
    assert_eq!(standings(&w, 3), [Standing::Serving; 3]);
    w.pass_secs(1.0);
    assert_eq!(standings(&w, 3), [Standing::Absent; 3], "after two retries, all at once");
    let said = w.said(lines);
    for vs in ["A", "B", "C"] {
        assert!(said.iter().any(|line| line.ends_with(&alloc::format!("from VS {vs}"))), "{said:#?}");
    }
    // notify_down of three real servers, quorum_down of three services.
    assert_eq!(w.runs.len() - runs, 6);
    assert_eq!(w.connects.len(), 7);
}

#[test]
fn checker_merge_no_undoes_it() {
    let mut w = World::new();
    w.serve(A, WELL);
    w.start(CheckConfig { separate: Switch::On, ..services(&["A", "B", "C"]) });
    w.pass_secs(4.5);
    assert_eq!(w.connects.len(), 6);
    // A reload brings them together, another one apart.
    w.activate(services(&["A", "B", "C"]));
    let before = w.connects.len();
    w.pass_secs(6.0);
    assert_eq!(w.connects.len() - before, 2);
    w.activate(CheckConfig { separate: Switch::On, ..services(&["A", "B", "C"]) });
    let before = w.connects.len();
    w.pass_secs(3.0);
    assert!(w.connects.len() - before >= 3, "{}", w.connects.len() - before);
}

/// The service whose checker probed goes while its probe is under way: the next one takes it over.
#[test]
fn a_probe_outlives_its_service() {
    let mut w = World::new();
    w.serve(A, Server::Silent);
    w.start(services(&["A", "B", "C"]));
    w.pass_secs(1.5);
    assert_eq!((w.connects.len(), w.open.len()), (1, 1));
    w.ipvs.as_mut().unwrap().reals.clear();
    w.activate(services(&["C", "B"]));
    assert_eq!((w.connects.len(), w.open.len()), (1, 1));
    w.pass_secs(1.6);
    assert_eq!(standings(&w, 2), [Standing::Absent; 2], "connect_timeout 2 s, the first failure counts");
    w.serve(A, WELL);
    w.pass_secs(3.5);
    assert_eq!(standings(&w, 2), [Standing::Serving; 2]);
    assert_eq!(w.connects.len(), 2);
}

/// What a reload adds probes by itself until it knows what the others know.
#[test]
fn a_late_checker_joins() {
    let mut w = World::new();
    w.serve(A, WELL);
    w.start(services(&["A", "B"]));
    w.pass_secs(5.0);
    w.activate(services(&["A", "B", "C"]));
    let before = w.connects.len();
    w.pass_secs(12.0);
    // One of its own, then every 3 s one for all.
    assert!((4..=6).contains(&(w.connects.len() - before)), "{}", w.connects.len() - before);
    let before = w.connects.len();
    w.pass_secs(9.0);
    assert_eq!(w.connects.len() - before, 3);
    w.serve(A, Server::Refuses);
    w.pass_secs(6.0);
    assert_eq!(standings(&w, 3), [Standing::Absent; 3]);
}
