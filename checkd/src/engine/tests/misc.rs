//! Commands as checks, in virtual time.

use super::world::{Build, World};
use crate::engine::{Engine, Event};
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::vrrp::Switch;
use ipc::config::{FileIdx, Generation, RealIdx, ScriptIdx};
use ipc::machine::Machine;
use ipc::msg::control::{Cause, DumpKind, Outcome, ProbeEnded};
use ipc::msg::reals::Standing;

fn end(w: &mut World, script: u16, outcome: Outcome) {
    let ended = ProbeEnded { script: ScriptIdx(script), outcome };
    w.event(Event::ProbeEnded { generation: Generation(w.generation), ended });
}

/// Seconds since `from` at which commands were asked for.
fn runs(w: &World, from: u64) -> Vec<u64> {
    w.runs.iter().filter(|(_, run)| run.cause == Cause::Probe).map(|(at, _)| (at.0 - from) / 1_000_000_000).collect()
}

fn one(dynamic: Switch) -> Build {
    let mut b = Build::default();
    b.service("VS", |s| s.quorum = 4);
    b.real("127.0.0.2:80", |r| r.weight = 3);
    b.misc("/bin/check", |m| m.dynamic = dynamic);
    b.real("127.0.0.3:80", |_| {});
    b
}

/// It runs every `delay_loop` from its start, however long it takes, and never twice at a time.
#[test]
fn it_runs_from_start_to_start() {
    let mut w = World::new();
    let from = w.now.0;
    w.start(one(Switch::Off).config);
    w.pass_secs(2.5);
    assert_eq!(runs(&w, from), [1]);
    end(&mut w, 500, Outcome::Exited(0));
    w.pass_secs(2.0);
    assert_eq!(runs(&w, from), [1, 4]);
    w.pass_secs(6.0);
    assert_eq!(runs(&w, from), [1, 4], "while one runs there is no other");
    end(&mut w, 500, Outcome::TimedOut);
    w.pass_secs(0.1);
    assert_eq!(runs(&w, from), [1, 4, 10]);
    assert_eq!(w.real(0), Standing::Absent);
    let said = w.said(0);
    assert!(said.contains(&"Misc check for [[127.0.0.2]:tcp:80 VS VS] by [/bin/check] succeeded."), "{said:#?}");
    assert!(
        said.contains(&"Misc check for [[127.0.0.2]:tcp:80 VS VS] by [/bin/check] timed out with retry disabled."),
        "{said:#?}"
    );
    end(&mut w, 500, Outcome::Exited(0));
    assert_eq!(w.real(0), Standing::Serving);
    // Nobody asked: nothing follows.
    let (lines, before) = (w.lines.len(), w.engine.deadline());
    end(&mut w, 500, Outcome::Exited(1));
    end(&mut w, 7, Outcome::Exited(1));
    assert_eq!((w.lines.len(), w.engine.deadline()), (lines, before));
}

/// One that never could be started says nothing of its server; one that goes later is a failure.
#[test]
fn a_command_that_cannot_be_started() {
    let dump = |w: &mut World| {
        w.event(Event::Dump { kind: DumpKind::Data, wall: 0 });
        w.lines.pop().unwrap().1.contains("the last probe could not be made")
    };
    let mut w = World::new();
    w.start(one(Switch::Off).config);
    for _ in 0..2 {
        w.pass_secs(3.1);
        end(&mut w, 500, Outcome::NotStarted);
        assert_eq!((w.real(0), dump(&mut w)), (Standing::Serving, true));
    }
    let told = w.said(0).iter().filter(|line| line.contains("cannot run /bin/check for service")).count();
    assert_eq!(told, 1);
    w.pass_secs(3.1);
    end(&mut w, 500, Outcome::Exited(0));
    assert_eq!((w.real(0), dump(&mut w)), (Standing::Serving, false));
    // What it was is known after a reload, too.
    w.activate(one(Switch::Off).config);
    w.pass_secs(3.1);
    end(&mut w, 500, Outcome::NotStarted);
    assert_eq!((w.real(0), dump(&mut w)), (Standing::Absent, true));
    let failed =
        "Misc check for [[127.0.0.2]:tcp:80 VS VS] by [/bin/check] failed with retry disabled (could not be started).";
    assert!(w.said(0).contains(&failed), "{:#?}", w.said(0));
}

#[test]
fn its_exit_code_is_the_weight_and_counts_for_the_quorum() {
    let mut w = World::new();
    w.start(one(Switch::On).config);
    w.pass_secs(1.0);
    let from = w.lines.len();
    end(&mut w, 500, Outcome::Exited(4));
    assert_eq!(w.ipvs.as_ref().unwrap().weights[&RealIdx(0)], 2);
    assert_eq!(
        w.said(from)[..2],
        [
            "Changing weight from 3 to 2 for active service [127.0.0.2]:tcp:80 of VS VS",
            "Lost quorum 4-0=4 > 3 for VS VS"
        ]
    );
    // 0 is the configured one, 1 leaves it as it is. keepalived 2.2.7, measured.
    for (status, weight) in [(0, 3), (4, 2), (1, 2), (0, 3), (4, 2)] {
        w.pass_secs(3.0);
        end(&mut w, 500, Outcome::Exited(status));
        assert_eq!(w.ipvs.as_ref().unwrap().weights[&RealIdx(0)], weight, "{status}");
    }
    // A reload keeps it, says it to ipvsd, and runs anew what it interrupted.
    w.pass_secs(3.0);
    let mut again = one(Switch::On);
    again.config.checkers.at_mut(ipc::config::CheckerIdx(0)).unwrap().kind = {
        let mut other = Build::default();
        other.service("VS", |_| {});
        other.real("127.0.0.2:80", |_| {});
        other.misc("/bin/check", |m| {
            m.dynamic = Switch::On;
            m.script = ScriptIdx(9);
        });
        other.config.checkers.rows()[0].kind.clone()
    };
    w.ipvs.as_mut().unwrap().weights.clear();
    w.activate(again.config);
    assert_eq!(w.ipvs.as_ref().unwrap().weights[&RealIdx(0)], 2);
    let stale = ProbeEnded { script: ScriptIdx(9), outcome: Outcome::Exited(1) };
    w.event(Event::ProbeEnded { generation: Generation(1), ended: stale });
    w.pass_secs(0.0);
    assert_eq!(w.scripts().last(), Some(&(9, Cause::Probe)));
    w.event(Event::ProbeEnded { generation: Generation(1), ended: stale });
    assert_eq!(w.real(0), Standing::Serving, "that was the command of the generation before");
    end(&mut w, 9, Outcome::Exited(1));
    assert_eq!(w.real(0), Standing::Absent);
}

/// ipvsd keeps the weight that it was told last, over a reload and over the end of a checkd: the first word of a new checker undoes it, even
/// if that is the configured weight.
#[test]
fn a_weight_of_before_does_not_stay() {
    let weight = |w: &World| w.ipvs.as_ref().unwrap().weights[&RealIdx(0)];
    let with = |timeout| {
        let mut b = Build::default();
        b.service("VS", |_| {});
        b.real("127.0.0.2:80", |r| r.weight = 10);
        b.misc("/bin/check", |m| (m.dynamic, m.timeout) = (Switch::On, Duration::from_secs(timeout)));
        b.config
    };
    // 12 says the configured weight as a number.
    for configured in [0, 12] {
        let mut w = World::new();
        w.start(with(3));
        w.pass_secs(1.0);
        end(&mut w, 500, Outcome::Exited(7));
        assert_eq!(weight(&w), 5);
        let mut another = World::with(Engine::new(64), w.ipvs.clone().unwrap());
        another.start(with(3));
        w.activate(with(4));
        for mut w in [w, another] {
            w.pass_secs(1.0);
            let lines = w.lines.len();
            end(&mut w, 500, Outcome::Exited(configured));
            assert_eq!(weight(&w), 10, "{configured}");
            assert!(!w.said(lines).iter().any(|line| line.contains("Changing")), "{:?}", w.said(lines));
        }
    }
}

/// A service with a real server that the number in a file judges.
fn by_file(b: &mut Build, service: &str, path: &str, weight: i32) {
    b.service(service, |_| {});
    b.file("127.0.0.2:80", service, path, weight);
}

fn hand(w: &mut World, file: u16, text: &[u8]) {
    let generation = Generation(w.generation);
    w.event(Event::File { generation, file: FileIdx(file), text: text.to_vec() });
}

/// keepalived 2.2.7 reads files before it begins: nobody hears of a server that a file keeps down, and none is put in for a moment.
#[test]
fn files_count_from_the_beginning() {
    let mut b = Build::default();
    by_file(&mut b, "VS 0", "/0", 0);
    by_file(&mut b, "VS 1", "/1", 2);
    let mut w = World::new();
    w.start(b.config.clone());
    hand(&mut w, 0, b"1");
    assert!(w.lines.is_empty(), "it waits for the other one: {:?}", w.lines);
    hand(&mut w, 1, b"5");
    assert_eq!((w.real(0), w.real(1)), (Standing::Absent, Standing::Serving));
    assert!(w.runs.iter().all(|(_, run)| run.script == ScriptIdx(101)), "{:?}", w.runs);
    let said = w.said(0);
    assert!(said.contains(&"Gained quorum 1+0=1 <= 13 for VS VS 1"), "{said:#?}");
    assert!(
        !said.iter().any(|line| line.contains("Lost") || line.contains("Removing") || line.contains("Changing")),
        "{said:#?}"
    );
    hand(&mut w, 0, b"0");
    assert_eq!(w.real(0), Standing::Serving);
    // Files that do not come do not hold it up for ever.
    let mut w = World::new();
    w.start(b.config);
    w.pass_secs(1.5);
    assert_eq!((w.real(0), w.real(1)), (Standing::Serving, Standing::Serving));
}

/// What was known of a file counts at once for what a reload adds or changes.
#[test]
fn files_count_from_the_beginning_of_a_reload() {
    let with = |services: &[(&str, &str, i32)]| {
        let mut b = Build::default();
        services.iter().for_each(|(service, path, weight)| by_file(&mut b, service, path, *weight));
        b.config
    };
    let weight = |w: &World| w.ipvs.as_ref().unwrap().weights[&RealIdx(0)];
    let mut w = World::new();
    w.start(with(&[("DOWN", "/down", 0), ("VS", "/weight", 2)]));
    hand(&mut w, 0, b"1");
    hand(&mut w, 1, b"5");
    assert_eq!(w.real(0), Standing::Absent);
    let runs = w.runs.len();
    w.activate(with(&[("VS", "/weight", 3), ("DOWN", "/down", 0), ("NEW", "/down", 0)]));
    assert_eq!(weight(&w), 3 + 3 * 5);
    assert_eq!((w.real(1), w.real(2), w.runs.len()), (Standing::Absent, Standing::Absent, runs));
    // Another file under the same name.
    w.activate(with(&[("VS", "/down", 3), ("DOWN", "/down", 0), ("NEW", "/down", 0)]));
    hand(&mut w, 0, b"1");
    assert_eq!(weight(&w), 3 + 3);
    assert_eq!((w.real(0), w.runs.len()), (Standing::Serving, runs));
}
