//! Sorry server, inhibition, hysteresis, several checkers, the end.

use super::world::{Build, Server, WELL, World, all_up};
use crate::engine::Event;
use alloc::vec::Vec;
use ipc::config::vrrp::Switch;
use ipc::config::{RealIdx, ServiceIdx};
use ipc::msg::control::{AtStop, Cause, StopMode, Up};
use ipc::msg::reals::{CheckToIpvs, Standing};

const A: &str = "127.0.0.2:80";
const B: &str = "127.0.0.3:80";

#[test]
fn the_sorry_server_comes_and_goes() {
    let mut b = Build::default();
    b.service("VS", |s| (s.quorum, s.sorry) = (2, Some("SORRY".into())));
    for address in [A, B] {
        b.real(address, |_| {});
        b.tcp(address, |_| {});
    }
    let mut w = World::new();
    all_up(&mut w, &b.config);
    w.start(b.config);
    w.pass_secs(2.0);
    assert_eq!((w.real(0), w.real(1), w.sorry(0)), (Standing::Serving, Standing::Serving, Standing::Absent));
    w.serve(B, Server::Refuses);
    w.pass_secs(5.0);
    // One of two is left, which is less than the quorum: it goes as well.
    assert_eq!((w.real(0), w.real(1), w.sorry(0)), (Standing::Absent, Standing::Absent, Standing::Serving));
    w.serve(B, WELL);
    w.pass_secs(3.0);
    assert_eq!((w.real(0), w.real(1), w.sorry(0)), (Standing::Serving, Standing::Serving, Standing::Absent));
    // Whoever serves comes in before those who served go.
    let heard = &w.ipvs.as_ref().unwrap().heard;
    let coming = heard.iter().position(|m| matches!(m, CheckToIpvs::SetSorry { want: Standing::Serving, .. })).unwrap();
    let going = heard.iter().position(|m| matches!(m, CheckToIpvs::SetReal { want: Standing::Absent, .. })).unwrap();
    assert!(coming < going);
}

/// keepalived 2.2.7 with inhibit_on_failure: what is not wanted stays with weight 0, also beside the sorry server.
#[test]
fn inhibited_servers_stay_with_weight_0() {
    let mut b = Build::default();
    b.service("VS", |s| s.sorry = Some("SORRY".into()));
    for address in [A, B] {
        b.real(address, |r| r.inhibit = Switch::On);
        b.tcp(address, |_| {});
    }
    let mut w = World::new();
    w.serve(A, WELL);
    w.start(b.config);
    w.pass_secs(2.0);
    assert_eq!((w.real(0), w.real(1), w.sorry(0)), (Standing::Serving, Standing::Inhibited, Standing::Absent));
    w.serve(A, Server::Refuses);
    w.pass_secs(5.0);
    assert_eq!((w.real(0), w.real(1), w.sorry(0)), (Standing::Inhibited, Standing::Inhibited, Standing::Serving));
}

#[test]
fn without_a_sorry_server_the_quorum_moves_nothing() {
    let mut b = Build::default();
    b.service("VS", |s| s.quorum = 2);
    for address in [A, B] {
        b.real(address, |_| {});
        b.tcp(address, |_| {});
    }
    let mut w = World::new();
    w.serve(A, WELL);
    w.start(b.config);
    w.pass_secs(2.0);
    assert_eq!((w.real(0), w.real(1)), (Standing::Serving, Standing::Absent));
    let scripts = w.scripts();
    assert_eq!(
        scripts,
        [(100, Cause::Quorum(ServiceIdx(0))), (401, Cause::Real(RealIdx(1))), (200, Cause::Quorum(ServiceIdx(0))),]
    );
}

#[test]
fn all_checkers_of_a_server_must_agree() {
    let mut b = Build::default();
    b.service("VS", |_| {});
    b.real(A, |_| {});
    b.tcp(A, |_| {});
    b.http("127.0.0.2:8080", &["/"], |_| {});
    let mut w = World::new();
    all_up(&mut w, &b.config);
    w.start(b.config);
    w.pass_secs(2.0);
    w.serve(A, Server::Refuses);
    w.serve("127.0.0.2:8080", Server::Refuses);
    w.pass_secs(6.0);
    assert_eq!(w.real(0), Standing::Absent);
    let before = w.lines.len();
    w.serve(A, WELL);
    w.pass_secs(6.0);
    assert_eq!(w.real(0), Standing::Absent);
    assert_eq!(w.said(before), ["TCP connection to [127.0.0.2]:tcp:80 success."]);
    w.serve("127.0.0.2:8080", WELL);
    w.pass_secs(9.0);
    assert_eq!(w.real(0), Standing::Serving);
    let downs = w.scripts().into_iter().filter(|(script, _)| *script == 400).count();
    assert_eq!(downs, 1);
}

#[test]
fn rs_init_notifies_tells_of_those_that_begin_up() {
    let mut b = Build::default();
    b.config.rs_init_notifies = Switch::On;
    b.simple("UP", A);
    b.service("DOWN", |_| {});
    b.real(B, |_| {});
    b.tcp(B, |c| c.alpha = Switch::On);
    let mut w = World::new();
    w.start(b.config);
    assert_eq!(w.scripts(), [(300, Cause::Real(RealIdx(0))), (100, Cause::Quorum(ServiceIdx(0)))]);
}

/// A probe that this machine could not make says nothing of the server.
#[test]
fn what_was_not_tried_does_not_count() {
    let mut b = Build::default();
    b.simple("VS", A);
    let mut w = World::new();
    w.serve(A, Server::NotTried);
    w.start(b.config);
    w.pass_secs(20.0);
    assert_eq!(w.real(0), Standing::Serving);
    let said = w.lines.iter().filter(|(_, l)| l.contains("no port is left")).count();
    assert_eq!((said, w.connects.len()), (1, 7), "said once");
    // When it could be made meanwhile, it is said anew.
    w.serve(A, WELL);
    w.pass_secs(4.0);
    w.serve(A, Server::NotTried);
    w.pass_secs(9.0);
    assert_eq!(w.lines.iter().filter(|(_, l)| l.contains("no port is left")).count(), 2);
}

#[test]
fn the_end_says_what_keepalived_says() {
    let mut b = Build::default();
    b.service("VS", |s| s.omega = Switch::On);
    b.real(A, |_| {});
    b.tcp(A, |_| {});
    b.real(B, |r| r.inhibit = Switch::On);
    b.tcp(B, |_| {});
    b.simple("QUIET", "127.0.0.4:80");
    let mut w = World::new();
    w.serve(A, WELL);
    w.serve("127.0.0.4:80", Server::Silent);
    w.start(b.config.clone());
    w.pass_secs(2.0);
    let (lines, runs) = (w.lines.len(), w.runs.len());
    w.event(Event::Stop(StopMode::RELEASE));
    assert_eq!(
        w.said(lines),
        [
            "Shutting down service [127.0.0.2]:tcp:80 from VS VS",
            "Shutting down (inhibited) service [127.0.0.3]:tcp:80 from VS VS",
            "Shutting down service [127.0.0.4]:tcp:80 from VS QUIET",
        ]
    );
    let scripts: Vec<u16> = w.runs.iter().skip(runs).map(|(_, run)| run.script.0).collect();
    assert_eq!(scripts, [400, 200]);
    assert_eq!(w.ups.last(), Some(&Up::Stopped));
    assert!(w.open.is_empty());
    // Nothing comes after it.
    let connects = w.connects.len();
    w.activate(b.config);
    w.pass_secs(60.0);
    assert_eq!(w.connects.len(), connects);
}

#[test]
fn what_stays_is_not_said_goodbye_to() {
    let mut b = Build::default();
    b.service("VS", |s| s.omega = Switch::On);
    b.real(A, |_| {});
    let mut w = World::new();
    w.start(b.config);
    let lines = w.lines.len();
    w.event(Event::Stop(StopMode { vips: AtStop::Keep, ipvs: AtStop::Keep }));
    assert!(w.said(lines).is_empty());
    assert_eq!(w.ups.last(), Some(&Up::Stopped));
}
