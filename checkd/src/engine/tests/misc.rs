//! Commands as checks, in virtual time.

use super::world::{Build, World};
use crate::engine::Event;
use alloc::vec::Vec;
use ipc::config::vrrp::Switch;
use ipc::config::{Generation, RealIdx, ScriptIdx};
use ipc::machine::Machine;
use ipc::msg::control::{Cause, Outcome, ProbeEnded};
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
    // What could not be started says nothing of the server, and is told once.
    for _ in 0..2 {
        w.pass_secs(3.1);
        end(&mut w, 500, Outcome::NotStarted);
        assert_eq!(w.real(0), Standing::Serving);
    }
    let told = |w: &World| w.said(0).iter().filter(|l| l.contains("cannot run /bin/check for service")).count();
    assert_eq!(told(&w), 1);
    // Nobody asked: nothing follows.
    let (lines, before) = (w.lines.len(), w.engine.deadline());
    end(&mut w, 500, Outcome::Exited(1));
    end(&mut w, 7, Outcome::Exited(1));
    assert_eq!((w.lines.len(), w.engine.deadline()), (lines, before));
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
    // 0 leaves it as it is.
    w.pass_secs(3.0);
    end(&mut w, 500, Outcome::Exited(0));
    assert_eq!(w.ipvs.as_ref().unwrap().weights[&RealIdx(0)], 2);
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
