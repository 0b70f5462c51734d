//! What mails are about, and what becomes of them.

use super::world::{Build, Server, WELL, World};
use crate::alert::Letter;
use crate::engine::{Event, SENDING_LIMIT, WAITING_LIMIT};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::check::CheckConfig;
use ipc::config::global::Mail;
use ipc::config::vrrp::Switch;
use ipc::machine::Machine;

const A: &str = "127.0.0.2:80";
const MAIL: &str = "127.0.0.9:25";

fn config(no_checkers: Switch) -> CheckConfig {
    let mut b = Build::default();
    b.service("VS", |s| s.smtp_alert = Switch::On);
    b.real(A, |r| r.smtp_alert = Switch::On);
    b.tcp(A, |_| {});
    b.http(A, &["/"], |_| {});
    b.config.router_id = "R".to_string();
    b.config.mail = Mail {
        to: Vec::from(["a@x.y".to_string()]),
        server: MAIL.parse().ok(),
        timeout: Duration::from_secs(30),
        no_checkers,
        ..Mail::default()
    };
    b.config
}

fn said(letters: &[Letter]) -> Vec<(String, String)> {
    letters.iter().map(|letter| (letter.subject.clone(), letter.body.clone())).collect()
}

#[test]
fn what_is_told() {
    let real = |state: &str, body: &str| {
        (alloc::format!("[R] Realserver [127.0.0.2]:tcp:80 of virtual server VS - {state}"), body.to_string())
    };
    let vs = |state: &str, body: &str| (alloc::format!("[R] Virtualserver VS - {state}"), body.to_string());
    for no_checkers in [Switch::Off, Switch::On] {
        let mut w = World::new();
        w.serve(A, WELL);
        w.start(config(no_checkers));
        w.pass_secs(5.0);
        w.serve(A, Server::Refuses);
        w.pass_secs(10.0);
        w.serve(A, WELL);
        w.pass_secs(10.0);
        let mut expected = Vec::from([vs("UP", "=> Starting with quorum up 1+0=1 <= 1 <=")]);
        expected.push(vs("DOWN", "=> Lost quorum 1-0=1 > 0 <="));
        expected.push(real("DOWN", "=> TCP CHECK failed on service <="));
        if no_checkers == Switch::Off {
            expected.push(real("DOWN", "=> CHECK failed on service : connection error <="));
            expected.push(real("UP", "=> TCP CHECK succeed on service <="));
        }
        expected.push(vs("UP", "=> Gained quorum 1+0=1 <= 1 <="));
        expected.push(real("UP", "=> CHECK succeed on service <="));
        let mut found = said(&w.letters);
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{no_checkers:?}");
        assert!(w.letters.iter().all(|letter| letter.from == "root@R"));
    }
}

/// A mail server that says nothing holds four connections, and more mails than are kept are lost, which is said; checks go on.
#[test]
fn a_mail_server_that_hangs() {
    let mut w = World::new();
    w.serve(A, WELL);
    w.serve(MAIL, Server::Hangs);
    w.start(config(Switch::Off));
    w.pass_secs(2.0);
    let letter = w.letters[0].clone();
    for _ in 0..WAITING_LIMIT + SENDING_LIMIT + 7 {
        w.event(Event::Composed { letter: letter.clone(), message: Vec::new() });
    }
    let held = w.open.values().filter(|target| **target == MAIL.parse().unwrap()).count();
    assert_eq!(held, SENDING_LIMIT);
    let (before, checks) = (w.connects.len(), w.lines.len());
    w.pass_secs(29.0);
    assert!(w.connects.len() - before > 15, "checks go on");
    w.pass_secs(30.0 * 66.0);
    let lines = w.said(checks);
    let lost = lines.iter().filter(|line| line.starts_with("SMTP alert is lost: smtp_server 127.0.0.9:25: ")).count();
    assert_eq!(lost, WAITING_LIMIT + SENDING_LIMIT);
    assert!(lines.contains(&"7 mails were lost: more than 256 waited"), "{lines:#?}");
    assert!(w.engine.deadline().is_some());
}
