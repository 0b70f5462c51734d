//! Probes: begun in the order in which they became due, at most [`Engine::connections`](super::Engine) at a time, each ended by a
//! verdict, by its step's `connect_timeout`, or by the bound of the whole.

use super::conversation::Conversation;
use super::lines::Attempt;
use super::live::{Phase, Probe};
use super::{Action, Engine, ProbeEvent, ProbeId, Route, Stage, lines};
use crate::check::schedule::{Change, Health, Judgement, LEAST, Timing};
use crate::check::tcp;
use crate::check::{Asked, Dialogue, Fault, Next, Outcome, Verdict, probe_limit};
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
            match self.conversation {
                Conversation::Answered => self.answered(now, out),
                _ => self.begin(now, out),
            }
        }
        self.mails_due(now, out);
        // Ends: what becomes due again within this turn has begun a probe, whose deadline is later than now.
        while let Some(checker) = self.deadlines.due(now) {
            self.due(now, checker, out);
        }
    }

    fn due(&mut self, now: Mono, idx: CheckerIdx, out: &mut Vec<Action>) {
        let Stage::Live(live) = &self.stage else { return };
        let (Some(checker), Some(state)) = (live.config.checkers.at(idx), live.checkers.at(idx)) else { return };
        match &state.phase {
            Phase::Waiting if self.is_suspended(idx) => {
                let again = now + Timing::of(checker).delay_loop();
                self.deadlines.set(idx, again);
            }
            Phase::Waiting if self.misc_of(idx).is_some() => self.run_script(now, idx, out),
            Phase::Waiting => {
                let Stage::Live(live) = &mut self.stage else { return };
                let Some(state) = live.checkers.at_mut(idx) else { return };
                state.phase = Phase::Queued;
                self.queue.push_back(idx);
            }
            Phase::Queued | Phase::Follows | Phase::Hears | Phase::Running { .. } => {}
            Phase::Probing(probe) if now >= probe.limit => {
                self.ended(now, idx, Verdict::Fail(Fault::TooSlow).into(), out);
            }
            Phase::Probing(_) => {
                let Some((asked, probe)) = self.under_way(idx) else { return };
                let outcome = probe.dialogue.late(asked);
                self.ended(now, idx, outcome, out);
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
            let url = state.schedule.url();
            state.phase = Phase::Probing(Box::new(Probe { id, limit, dialogue: Dialogue::default() }));
            self.probing.insert(id, idx);
            self.deadlines.set(idx, (now + step_timeout(checker)).min(limit));
            out.push(Action::Connect { probe: id, route: Route::of(checker, url_of(checker, url)) });
        }
    }

    /// Something happened on a connection. What is said of one that was given up is ignored.
    pub(super) fn probe(&mut self, now: Mono, id: ProbeId, what: ProbeEvent, out: &mut Vec<Action>) {
        let Some(idx) = self.probing.get(&id).copied() else { return };
        let entropy = if what == ProbeEvent::Connected { self.chance.next() } else { 0 };
        let Some((asked, probe)) = self.under_way(idx) else { return };
        let next = match what {
            ProbeEvent::Connected => probe.dialogue.connected(asked, entropy),
            ProbeEvent::Opened => Next::Again,
            ProbeEvent::Shown(ends) => return self.shown(idx, ends),
            ProbeEvent::NotSecured(why) => Next::Over(probe.dialogue.not_secured(why)),
            ProbeEvent::Truncated => Next::Over(probe.dialogue.truncated()),
            ProbeEvent::Bytes(bytes) => probe.dialogue.bytes(asked, &bytes),
            ProbeEvent::Closed => Next::Over(probe.dialogue.closed(asked)),
            ProbeEvent::Refused => Next::over(tcp::verdict(tcp::Attempt::Refused)),
            ProbeEvent::Broken => Next::Over(probe.dialogue.broken()),
            ProbeEvent::NotTried(why) => {
                self.not_tried(now, idx, &why, out);
                return self.begin_probes(now, out);
            }
        };
        let deadline = (now + step_timeout(asked.checker)).min(probe.limit);
        match next {
            Next::Wait => {}
            Next::Again => self.deadlines.set(idx, deadline),
            Next::Say(bytes) => {
                self.deadlines.set(idx, deadline);
                out.push(Action::Send { probe: id, bytes });
            }
            Next::Over(outcome) => self.ended(now, idx, outcome, out),
        }
        self.begin_probes(now, out);
    }

    /// COMPAT: keepalived 2.4.3: a failed bind is rescheduled, not counted. Said once, until a probe can be made again.
    pub(super) fn not_tried(&mut self, now: Mono, idx: CheckerIdx, why: &str, out: &mut Vec<Action>) {
        self.close(idx, out);
        let Stage::Live(live) = &mut self.stage else { return };
        let (Some(checker), Some(state)) = (live.config.checkers.at(idx), live.checkers.at_mut(idx)) else { return };
        if let Some(real) = live.config.reals.at(checker.real).filter(|_| !state.seldom().not_tried_noted) {
            lines::not_tried(real, checker, why, out);
        }
        state.seldom_mut().not_tried_noted = true;
        self.deadlines.set(idx, now + Timing::of(checker).delay_loop());
    }

    fn shown(&mut self, idx: CheckerIdx, ends: i64) {
        for idx in self.with_followers(idx) {
            let Stage::Live(live) = &mut self.stage else { return };
            if let Some(state) = live.checkers.at_mut(idx) {
                state.seldom_mut().certificate_ends = Some(ends);
            }
        }
    }

    /// The probe of a checker with what it asks, if one is under way.
    fn under_way(&mut self, idx: CheckerIdx) -> Option<(Asked<'_>, &mut Probe)> {
        let Stage::Live(live) = &mut self.stage else { return None };
        let live = &mut **live;
        let checker = live.config.checkers.at(idx)?;
        let state = live.checkers.at_mut(idx)?;
        let url = url_of(checker, state.schedule.url());
        let (probe, pattern) = state.probing()?;
        Some((Asked { checker, url, pattern }, probe))
    }

    /// Gives the connection of a checker up.
    fn close(&mut self, idx: CheckerIdx, out: &mut Vec<Action>) {
        let Stage::Live(live) = &mut self.stage else { return };
        let Some(state) = live.checkers.at_mut(idx) else { return };
        if let Phase::Probing(probe) = core::mem::replace(&mut state.phase, Phase::Waiting) {
            self.probing.remove(&probe.id);
            out.push(Action::Close(probe.id));
        } else if let Some(script) = self.misc_of(idx).map(|misc| misc.script) {
            self.running.remove(&script);
        }
    }

    /// From when the next one is counted, if not from the end. COMPAT: keepalived 2.4.3: MISC_CHECK runs every
    /// `delay_loop`, however long it takes.
    fn begun(&self, idx: CheckerIdx) -> Option<Mono> {
        let Stage::Live(live) = &self.stage else { return None };
        match live.checkers.at(idx)?.phase {
            Phase::Running { since } => Some(since),
            Phase::Waiting | Phase::Queued | Phase::Follows | Phase::Hears | Phase::Probing(_) => None,
        }
    }

    /// A probe has its verdict.
    pub(super) fn ended(&mut self, now: Mono, idx: CheckerIdx, outcome: Outcome, out: &mut Vec<Action>) {
        let begun = self.begun(idx).unwrap_or(now);
        self.close(idx, out);
        for member in self.with_followers(idx) {
            let delay = self.record(member, &outcome, out);
            if member == idx {
                self.deadlines.set(idx, (begun + delay.unwrap_or_default()).max(now));
            }
        }
        self.follow(idx);
    }

    /// Takes a verdict down for one checker; gives the time to the next probe.
    pub(super) fn record(&mut self, idx: CheckerIdx, outcome: &Outcome, out: &mut Vec<Action>) -> Option<Duration> {
        let Outcome { verdict, mismatch, detail } = outcome;
        let verdict = *verdict;
        let Stage::Live(live) = &mut self.stage else { return None };
        let live = &mut **live;
        let (checker, state) = (live.config.checkers.at(idx)?, live.checkers.at_mut(idx)?);
        let real = live.config.reals.at(checker.real)?;
        let service = live.config.services.at(real.service)?;
        let url = url_of(checker, state.schedule.url());
        let before = state.schedule.health();
        let timing = Timing::of(checker);
        let retries = state.schedule.tolerates(&timing);
        let step = state.schedule.record(&timing, verdict);
        if state.seldom().not_tried_noted {
            state.seldom_mut().not_tried_noted = false;
        }

        match (mismatch, url) {
            // Once, until it is right again.
            (Some(lengths), Some(url)) if !state.seldom().mismatch_noted => {
                state.seldom_mut().mismatch_noted = true;
                lines::length_mismatch(service, real, url, *lengths, out);
            }
            (None, Some(_)) if verdict == Verdict::Pass && state.seldom().mismatch_noted => {
                state.seldom_mut().mismatch_noted = false;
            }
            _ => {}
        }
        let first = step.judgement == Judgement::First && !matches!(state.phase, Phase::Hears);
        let settled = step.change != Change::Stays || first;
        match verdict {
            Verdict::Pass => {
                if let (Health::Down, Some(url)) = (before, url) {
                    lines::url_succeeded(real, url, out);
                }
                if settled {
                    lines::succeeded(service, real, checker, out);
                }
            }
            Verdict::Fail(fault) => {
                let every = before == Health::Up && lines::wants_all(live.config.log_all_failures, checker);
                if every || (settled && lines::fault_is_the_summary(checker)) {
                    let attempt = match step.judgement {
                        _ if !settled => Attempt::Tolerated(state.schedule.failures()),
                        Judgement::First => Attempt::First,
                        Judgement::Later => Attempt::Last(retries),
                    };
                    lines::attempt_failed(service, real, checker, (fault, detail.as_deref(), attempt), out);
                }
                if settled {
                    lines::failed(service, real, checker, (fault, retries), out);
                }
            }
        }
        let (real, of_misc) = (checker.real, matches!(checker.kind, CheckerKind::Misc(_)));
        let stays_down = verdict != Verdict::Pass && step.change == Change::Stays;
        if stays_down && step.judgement == Judgement::First {
            // COMPAT: keepalived 2.2.7, measured: the first failure of a server that began down runs notify_down as well.
            self.notify(real, Health::Down, out);
        }
        let before = self.real_health(real);
        self.checker_changed(real, step.change, out);
        // COMPAT: keepalived 2.2.7, measured: MISC_CHECK alone writes a mail about it.
        if step.change != Change::Stays || stays_down && of_misc && step.judgement == Judgement::First {
            self.mail_checker(idx, verdict, out);
        }
        if let Some(after) = self.real_health(real).filter(|after| before != Some(*after)) {
            self.mail_change(idx, verdict, after, out);
        }
        Some(step.delay)
    }
}

fn url_of(checker: &Checker, n: usize) -> Option<&Url> {
    checker.kind.http()?.urls.get(n)
}

fn step_timeout(checker: &Checker) -> Duration {
    checker.timeout.max(LEAST)
}
