//! The first configuration of this process begins to count: everything as it is configured, or as an earlier process left it.

use super::chance::mix;
use super::{Action, Configured, Engine, Stage, Unverified, lines};
use crate::check::schedule::{Begin, FIRST_RUN, Health};
use crate::engine::conversation::Held;
use crate::engine::live::{Live, Phase};
use crate::quorum::{self, Quorum};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::check::{Checker, CheckerKind};
use ipc::config::vrrp::Switch;
use ipc::config::{CheckerIdx, ServiceIdx};
use ipc::msg::reals::Standing;
use ipc::table::Table;
use ipc::time::Mono;

impl Engine {
    /// Begins, if that is what is next. What ipvsd has said so far is [`Engine::held`].
    ///
    /// A real server that ipvsd holds in service is up and has all its retries; one that it holds out of service is down until
    /// its checkers pass. While a sorry server serves, those that were alive are out of service as well; the first success, at most
    /// `warmup` + 1 s away, brings them back. Services with anything held in them announce nothing. COMPAT: keepalived restarts
    /// its checker from nothing and puts dead servers into service until their first failure.
    pub(super) fn begin(&mut self, now: Mono, out: &mut Vec<Action>) {
        let (configured, since) = match core::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Asking { configured, since, .. } => (configured, since),
            other => {
                self.stage = other;
                return;
            }
        };
        let held = core::mem::take(&mut self.held);
        let Configured { generation, config, seed } = *configured;
        let checkers: Table<_, _> = config
            .checkers
            .rows()
            .iter()
            .map(|checker| match held.reals.get(&checker.real) {
                None => self.begun_by_file(checker).unwrap_or_else(|| Live::fresh(checker, None, Begin::Start)),
                Some(Standing::Serving) => Live::fresh(checker, Some(Health::Up), Begin::Resumed),
                Some(Standing::Absent | Standing::Inhibited) => {
                    Live::fresh(checker, Some(Health::Down), Begin::Resumed)
                }
            })
            .collect();
        let mut live = Live::new(generation, config, checkers);
        let services: Vec<ServiceIdx> = live.config.services.iter().map(|(idx, _)| idx).collect();
        let mut new = Vec::new();
        for idx in services {
            match resumed_quorum(&live, &held, idx) {
                Some(quorum) => {
                    if let Some(state) = live.services.at_mut(idx) {
                        state.quorum = quorum;
                    }
                }
                None => new.push(idx),
            }
        }
        self.stage = Stage::Live(Box::new(live));
        for idx in new {
            self.begin_service(idx, out);
        }
        self.merge();
        self.begin_checkers(now, since, seed, |_| true, out);
        self.judge_files(|_| true, out);
        self.judge_sessions(|_| true, out);
    }

    /// Settles the quorum of a service that begins, and announces it. COMPAT: keepalived 2.2.7, measured: `quorum_up` runs at every
    /// start; a service that begins without quorum says so only if it has a sorry server.
    pub(super) fn begin_service(&mut self, idx: ServiceIdx, out: &mut Vec<Action>) {
        let Stage::Live(live) = &self.stage else { return };
        if live.config.rs_init_notifies == Switch::On {
            let reals = live.service(idx).map(|(_, state)| state.reals.as_slice()).unwrap_or_default();
            for real in reals {
                if live.reals.at(*real).is_some_and(|state| state.health() == Health::Up) {
                    self.notify(*real, Health::Up, out);
                }
            }
        }
        if live.quorum_after(idx) == Some(Quorum::Up) {
            self.quorum_changed(idx, Quorum::Up, out);
            let Stage::Live(live) = &self.stage else { return };
            if let Some((service, state)) = live.service(idx) {
                let how = lines::gained(service, state.weight);
                self.mail_service(idx, Quorum::Up, &format!("Starting with quorum up {how}"), out);
            }
            return;
        }
        let Some((service, state)) = live.service(idx) else { return };
        let Some(sorry) = &service.sorry else { return };
        lines::starting_without_quorum(service, state.weight, out);
        self.notify_quorum(idx, Quorum::Down, out);
        let how = lines::lost(service, state.weight);
        self.mail_service(idx, Quorum::Down, &format!("Starting with quorum down {how}"), out);
        lines::sorry_serves(service, sorry, out);
    }

    /// Plans the first probe of each checker that `which` selects: 1 s and a random part of `warmup` after `since`.
    pub(super) fn begin_checkers(
        &mut self,
        now: Mono,
        since: Mono,
        seed: u64,
        which: impl Fn(CheckerIdx) -> bool,
        out: &mut Vec<Action>,
    ) {
        let Stage::Live(live) = &self.stage else { return };
        let unverified = |c: &&Checker| matches!(&c.kind, CheckerKind::Ssl(_, tls) if tls.verify == Switch::Off);
        if let Some(checker) = live.config.checkers.rows().iter().find(unverified)
            && self.unverified == Unverified::NotSaid
        {
            lines::not_verified(checker, out);
            self.unverified = Unverified::Said;
        }
        for (idx, checker) in live.config.checkers.iter().filter(|(idx, _)| which(*idx)) {
            if let Some((real, service)) = live.real(checker.real) {
                match self.is_suspended(idx) {
                    false => lines::activating(service, real, out),
                    true => lines::suspending(service, real, out),
                }
            }
            if live.checkers.at(idx).is_some_and(|state| matches!(state.phase, Phase::Follows | Phase::Hears)) {
                continue;
            }
            let at = since + FIRST_RUN + part_of(checker.warmup, seed, idx);
            self.deadlines.set(idx, at.max(now));
        }
    }
}

/// The quorum of a service of which ipvsd holds anything.
fn resumed_quorum(live: &Live, held: &Held, idx: ServiceIdx) -> Option<Quorum> {
    let (service, state) = live.service(idx)?;
    let sorry = held.sorry.get(&idx).copied();
    if sorry.is_none() && !state.reals.iter().any(|real| held.reals.contains_key(real)) {
        return None;
    }
    let before = match sorry {
        Some(Standing::Serving) => Quorum::Down,
        Some(Standing::Absent | Standing::Inhibited) => Quorum::Up,
        // Between its two limits a service without a sorry server may have been either; what is announced next is then a loss.
        None => Quorum::Up,
    };
    Some(quorum::after(service, before, state.weight))
}

/// A part of `warmup` that is random among checkers and generations.
fn part_of(warmup: Duration, seed: u64, idx: CheckerIdx) -> Duration {
    let x = mix(seed.wrapping_add(u64::from(idx.0).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let nanos = u64::try_from(warmup.as_nanos()).unwrap_or(u64::MAX);
    let part = u128::from(x).saturating_mul(u128::from(nanos)) >> 64;
    Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
}
