//! Probes: begun in the order in which they became due, at most [`Engine::connections`](super::Engine) at a time, each ended by a
//! verdict, by its step's `connect_timeout`, or by the bound of the whole.

use super::live::{Phase, Probe, ProbeStep};
use super::{Action, Engine, ProbeEvent, ProbeId, Stage, lines};
use crate::check::http::{Answer, Lengths, Progress, Response, request};
use crate::check::schedule::{Change, Health, Judgement, LEAST};
use crate::check::tcp::{self, Attempt};
use crate::check::{Fault, Verdict, probe_limit};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::CheckerIdx;
use ipc::config::check::{Checker, CheckerKind, Url};
use ipc::time::Mono;

impl Engine {
    /// Everything whose time has come.
    pub(super) fn tick(&mut self, now: Mono, out: &mut Vec<Action>) {
        if let Stage::Asking { since, .. } = &self.stage
            && now >= *since + super::ANSWER_WAIT
        {
            self.begin(now, out);
        }
        // Ends: what becomes due again within this turn has begun a probe, whose deadline is later than now.
        while let Some(checker) = self.deadlines.due(now) {
            self.due(now, checker, out);
        }
    }

    fn due(&mut self, now: Mono, idx: CheckerIdx, out: &mut Vec<Action>) {
        let Stage::Live(live) = &mut self.stage else { return };
        let Some(state) = live.checkers.at_mut(idx) else { return };
        match &state.phase {
            Phase::Waiting => {
                state.phase = Phase::Queued;
                self.queue.push_back(idx);
            }
            Phase::Queued => {}
            Phase::Probing(probe) => {
                let fault = match probe.step {
                    _ if now >= probe.limit => Fault::TooSlow,
                    ProbeStep::Connecting => Fault::ConnectTimeout,
                    ProbeStep::Reading(_) => Fault::ReadTimeout,
                };
                self.ended(now, idx, Verdict::Fail(fault), None, out);
            }
        }
        self.begin_probes(now, out);
    }

    /// Begins what waits for a connection.
    pub(super) fn begin_probes(&mut self, now: Mono, out: &mut Vec<Action>) {
        while self.probing.len() < self.connections {
            let Some(idx) = self.queue.pop_front() else { return };
            let Stage::Live(live) = &mut self.stage else { return };
            let (Some(checker), Some(state)) = (live.config.checkers.at(idx), live.checkers.at_mut(idx)) else {
                continue;
            };
            self.last_probe = self.last_probe.wrapping_add(1);
            let id = ProbeId(self.last_probe);
            let limit = now + probe_limit(step_timeout(checker));
            state.phase = Phase::Probing(Probe { id, limit, step: ProbeStep::Connecting });
            self.probing.insert(id, idx);
            self.deadlines.set(idx, (now + step_timeout(checker)).min(limit));
            out.push(Action::Connect { probe: id, target: checker.target, bind: checker.bind });
        }
    }

    /// Something happened on a connection. What is said of one that was given up is ignored.
    pub(super) fn probe(&mut self, now: Mono, id: ProbeId, what: ProbeEvent, out: &mut Vec<Action>) {
        let Some(idx) = self.probing.get(&id).copied() else { return };
        match what {
            ProbeEvent::Connected => self.connected(now, id, idx, out),
            ProbeEvent::Bytes(bytes) => self.bytes(now, idx, &bytes, out),
            ProbeEvent::Refused => self.ended(now, idx, tcp::verdict(Attempt::Refused), None, out),
            ProbeEvent::NotTried(why) => self.not_tried(now, idx, &why, out),
            ProbeEvent::Broken => self.broken(now, idx, out),
            ProbeEvent::Closed => self.answered(now, idx, out),
        }
        self.begin_probes(now, out);
    }

    fn connected(&mut self, now: Mono, id: ProbeId, idx: CheckerIdx, out: &mut Vec<Action>) {
        let Some((checker, url, probe)) = self.under_way(idx) else { return };
        match (&checker.kind, url) {
            (CheckerKind::Http(http), Some(url)) => {
                if matches!(probe.step, ProbeStep::Reading(_)) {
                    return;
                }
                let bytes = request(http.protocol, url, checker.target);
                probe.step = ProbeStep::Reading(Box::default());
                let deadline = (now + step_timeout(checker)).min(probe.limit);
                self.deadlines.set(idx, deadline);
                out.push(Action::Send { probe: id, bytes });
            }
            _ => self.ended(now, idx, tcp::verdict(Attempt::Connected), None, out),
        }
    }

    fn bytes(&mut self, now: Mono, idx: CheckerIdx, bytes: &[u8], out: &mut Vec<Action>) {
        let Some((checker, _, probe)) = self.under_way(idx) else { return };
        let ProbeStep::Reading(response) = &mut probe.step else { return };
        match response.feed(bytes) {
            Progress::More => {
                let deadline = (now + step_timeout(checker)).min(probe.limit);
                self.deadlines.set(idx, deadline);
            }
            Progress::Enough => self.answered(now, idx, out),
        }
    }

    /// The server has closed, or enough has come.
    fn answered(&mut self, now: Mono, idx: CheckerIdx, out: &mut Vec<Action>) {
        let Some((_, url, probe)) = self.under_way(idx) else { return };
        let answer = match (&mut probe.step, url) {
            (ProbeStep::Reading(response), Some(url)) => core::mem::take::<Response>(response).end(url),
            _ => Answer { verdict: tcp::verdict(Attempt::Refused), mismatch: None },
        };
        self.ended(now, idx, answer.verdict, answer.mismatch, out);
    }

    fn broken(&mut self, now: Mono, idx: CheckerIdx, out: &mut Vec<Action>) {
        let Some((_, _, probe)) = self.under_way(idx) else { return };
        let fault = match probe.step {
            ProbeStep::Connecting => Fault::NotConnected,
            ProbeStep::Reading(_) => Fault::Broken,
        };
        self.ended(now, idx, Verdict::Fail(fault), None, out);
    }

    /// COMPAT: keepalived 2.4.3, behaviour §15: a failed bind is rescheduled, not counted.
    fn not_tried(&mut self, now: Mono, idx: CheckerIdx, why: &str, out: &mut Vec<Action>) {
        self.close(idx, out);
        let Stage::Live(live) = &self.stage else { return };
        let (Some(checker), Some(state)) = (live.config.checkers.at(idx), live.checkers.at(idx)) else { return };
        if let Some((real, _)) = live.real(checker.real) {
            lines::not_tried(real, checker, why, out);
        }
        self.deadlines.set(idx, now + state.timing.delay_loop());
    }

    /// The probe of a checker with its URL, if one is under way.
    fn under_way(&mut self, idx: CheckerIdx) -> Option<(&Checker, Option<&Url>, &mut Probe)> {
        let Stage::Live(live) = &mut self.stage else { return None };
        let live = &mut **live;
        let checker = live.config.checkers.at(idx)?;
        let state = live.checkers.at_mut(idx)?;
        let url = url_of(checker, state.schedule.url());
        match &mut state.phase {
            Phase::Probing(probe) => Some((checker, url, probe)),
            Phase::Waiting | Phase::Queued => None,
        }
    }

    /// Gives the connection of a checker up.
    fn close(&mut self, idx: CheckerIdx, out: &mut Vec<Action>) {
        let Stage::Live(live) = &mut self.stage else { return };
        let Some(state) = live.checkers.at_mut(idx) else { return };
        if let Phase::Probing(probe) = core::mem::replace(&mut state.phase, Phase::Waiting) {
            self.probing.remove(&probe.id);
            out.push(Action::Close(probe.id));
        }
    }

    /// A probe has its verdict.
    fn ended(&mut self, now: Mono, idx: CheckerIdx, verdict: Verdict, note: Option<Lengths>, out: &mut Vec<Action>) {
        self.close(idx, out);
        let Stage::Live(live) = &mut self.stage else { return };
        let live = &mut **live;
        let (Some(checker), Some(state)) = (live.config.checkers.at(idx), live.checkers.at_mut(idx)) else { return };
        let Some(real) = live.config.reals.at(checker.real) else { return };
        let Some(service) = live.config.services.at(real.service) else { return };
        let url = url_of(checker, state.schedule.url());
        let before = state.schedule.health();
        let retries = state.schedule.tolerates(&state.timing);
        let step = state.schedule.record(&state.timing, verdict);
        self.deadlines.set(idx, now + step.delay);

        match (note, url) {
            // Once, until it is right again.
            (Some(lengths), Some(url)) if !state.mismatch_noted => {
                state.mismatch_noted = true;
                lines::length_mismatch(service, real, url, lengths, out);
            }
            (None, Some(_)) if verdict == Verdict::Pass => state.mismatch_noted = false,
            _ => {}
        }
        match verdict {
            Verdict::Pass => {
                if let (Health::Down, Some(url)) = (before, url) {
                    lines::url_succeeded(real, url, out);
                }
                if step.change == Change::CameUp || step.judgement == Judgement::First {
                    lines::succeeded(real, checker, out);
                }
            }
            Verdict::Fail(fault) => {
                if before == Health::Up && lines::wants_all(live.config.log_all_failures, checker) {
                    lines::attempt_failed(real, checker, fault, out);
                }
                if step.change == Change::WentDown || step.judgement == Judgement::First {
                    lines::failed(real, checker, retries, out);
                }
            }
        }
        let real = checker.real;
        let stays_down = verdict != Verdict::Pass && step.change == Change::Stays;
        if stays_down && step.judgement == Judgement::First {
            // COMPAT: keepalived 2.2.7, measured: the first failure of a server that began down runs notify_down as well.
            self.notify(real, Health::Down, out);
        }
        self.checker_changed(real, step.change, out);
    }
}

fn url_of(checker: &Checker, n: usize) -> Option<&Url> {
    match &checker.kind {
        CheckerKind::Tcp => None,
        CheckerKind::Http(http) => http.urls.get(n),
    }
}

fn step_timeout(checker: &Checker) -> Duration {
    checker.timeout.max(LEAST)
}
