//! MISC_CHECK: the supervisor runs the command and says how it ended. It keeps the timeout, too.

use super::live::{Phase, Says};
use super::{Action, Engine, Stage};
use crate::check::{Fault, Verdict, misc};
use alloc::vec::Vec;
use ipc::config::check::CheckerKind;
use ipc::config::probe::Misc;
use ipc::config::vrrp::Switch;
use ipc::config::{CheckerIdx, Generation};
use ipc::msg::control::{Cause, Outcome, ProbeEnded, Run};
use ipc::time::Mono;

impl Engine {
    /// Asks for the command of a checker.
    pub(super) fn run_script(&mut self, now: Mono, idx: CheckerIdx, out: &mut Vec<Action>) {
        let Some(script) = self.misc_of(idx).map(|misc| misc.script) else { return };
        let Stage::Live(live) = &mut self.stage else { return };
        if let Some(state) = live.checkers.at_mut(idx) {
            state.phase = Phase::Running { since: now };
            self.running.insert(script, idx);
            out.push(Action::Run(Run { script, cause: Cause::Probe }));
        }
    }

    /// A command has ended. Those of a generation that was left are nobody's.
    pub(super) fn script_ended(&mut self, now: Mono, of: Generation, ended: ProbeEnded, out: &mut Vec<Action>) {
        if self.generation() != Some(of) {
            return;
        }
        let Some(idx) = self.running.get(&ended.script).copied() else { return };
        let Some(dynamic) = self.misc_of(idx).map(|misc| misc.dynamic) else { return };
        let (verdict, weight) = match misc::read(dynamic, ended.outcome) {
            Some(read) => read,
            // COMPAT: keepalived 2.2.7, measured: a command that goes is a failure.
            None if self.has_run(idx) => (Verdict::Fail(Fault::NotStarted), None),
            None => return self.not_tried(now, idx, "it could not be started", out),
        };
        let members = self.with_followers(idx);
        if dynamic == Switch::On && verdict == Verdict::Pass {
            for member in &members {
                self.says(*member, weight.map_or(Says::Nothing, Says::Is), out);
            }
        }
        self.ended(now, idx, verdict.into(), out);
        let Stage::Live(live) = &mut self.stage else { return };
        for member in members {
            if let Some(state) = live.checkers.at_mut(member) {
                let seldom = state.seldom_mut();
                seldom.has_run = true;
                seldom.not_tried_noted = ended.outcome == Outcome::NotStarted;
            }
        }
    }

    fn has_run(&self, idx: CheckerIdx) -> bool {
        let Stage::Live(live) = &self.stage else { return false };
        live.checkers.at(idx).is_some_and(|state| state.seldom().has_run)
    }

    /// What was running when another configuration began to count was ended with the one that was left: it runs anew.
    pub(super) fn rerun(&mut self, now: Mono) {
        self.running.clear();
        let Stage::Live(live) = &mut self.stage else { return };
        for (idx, _) in live.config.checkers.iter() {
            if let Some(state) = live.checkers.at_mut(idx).filter(|s| matches!(s.phase, Phase::Running { .. })) {
                state.phase = Phase::Waiting;
                self.deadlines.set(idx, now);
            }
        }
    }

    pub(super) fn misc_of(&self, idx: CheckerIdx) -> Option<&Misc> {
        let Stage::Live(live) = &self.stage else { return None };
        match &live.config.checkers.at(idx)?.kind {
            CheckerKind::Misc(misc) => Some(misc),
            _ => None,
        }
    }
}
