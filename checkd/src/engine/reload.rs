//! Another configuration replaces the one that counts; what is the same goes on as if nothing had happened, its probes included.
//!
//! COMPAT: keepalived 2.4.3: services are matched by what identifies them, real servers by service and address,
//! checkers by equal parameters. Its checkers all probe anew 1 s after a reload; ours keep their time.

use super::live::{CheckerState, Live};
use super::merge::carry_groups;
use super::telling::{last_of_real, last_of_service};
use super::{Action, Configured, Engine, Stage, lines};
use crate::alert::{Letter, words};
use crate::check::schedule::{Begin, Health};
use crate::quorum::Quorum;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use ipc::config::check::{CheckConfig, Checker, CheckerKind, Endpoint, How};
use ipc::config::probe::Misc;
use ipc::config::vrrp::Switch;
use ipc::config::{CheckerIdx, RealIdx, ServiceIdx};
use ipc::msg::reals::Standing;
use ipc::table::Table;
use ipc::time::Mono;

impl Engine {
    pub(super) fn reload(&mut self, now: Mono, mut old: Live, new: Configured, out: &mut Vec<Action>) {
        let Configured { generation, config, seed } = new;
        let services = same_services(&old.config, &config);
        let reals = same_reals(&old.config, &config, &services);
        self.removed(&old, &services, &reals, out);

        let groups: Vec<(CheckerIdx, Vec<CheckerIdx>)> = old
            .checkers
            .iter()
            .map(|(idx, state)| (idx, state.seldom().followers.clone()))
            .filter(|(_, followers)| !followers.is_empty())
            .collect();
        let mut spare = checkers_by_real(&old.config);
        let mut came_from: BTreeMap<CheckerIdx, CheckerIdx> = BTreeMap::new();
        let mut checkers: Table<CheckerIdx, CheckerState> = Table::new();
        for (idx, checker) in config.checkers.iter() {
            let old_real = reals.get(&checker.real).copied();
            let same = old_real.and_then(|real| take_equal(&old.config, spare.get_mut(&real)?, checker));
            let state = same.and_then(|same| {
                came_from.insert(same, idx);
                old.checkers.at_mut(same).map(CheckerState::take)
            });
            // A new checker that its file does not judge must pass if its server is down; of any other it begins as it is configured.
            let down = old_real.and_then(|real| old.reals.at(real)).is_some_and(|real| real.health() == Health::Down);
            let state = state
                .or_else(|| self.begun_by_file(checker))
                .unwrap_or_else(|| Live::fresh(checker, down.then_some(Health::Down), Begin::Added));
            if checkers.push(state).is_err() {
                break;
            }
        }
        carry_groups(&mut old.checkers, &mut checkers, &groups, &mut came_from);
        self.carry_over(&came_from, out);

        let mut live = Live::new(generation, config, checkers);
        for (new, before) in &services {
            if let (Some(state), Some(before)) = (live.services.at_mut(*new), old.services.at(*before)) {
                state.quorum = before.quorum;
            }
        }
        let changed: Vec<(RealIdx, Health)> = reals
            .iter()
            .filter_map(|(new, before)| {
                let health = live.reals.at(*new)?.health();
                (old.reals.at(*before)?.health() != health).then_some((*new, health))
            })
            .collect();
        let all: Vec<ServiceIdx> = live.config.services.iter().map(|(idx, _)| idx).collect();
        self.stage = Stage::Live(Box::new(live));
        self.rerun(now);
        self.separate(now);
        self.merge();
        for (real, health) in changed {
            self.announce(real, health, out);
        }
        for service in all {
            if services.contains_key(&service) {
                self.settle(service, out);
            } else {
                self.begin_service(service, out);
            }
        }
        let kept: BTreeSet<CheckerIdx> = came_from.into_values().collect();
        self.begin_checkers(now, now, seed, |idx| !kept.contains(&idx), out);
        // What is the same may have another file.
        self.judge_files(|_| true, out);
        // What went has left connections to what waits for one.
        self.begin_probes(now, out);
    }

    /// Moves deadlines, queue and probes to the new indices and gives up those of checkers that are gone.
    fn carry_over(&mut self, came_from: &BTreeMap<CheckerIdx, CheckerIdx>, out: &mut Vec<Action>) {
        let old = core::mem::take(&mut self.deadlines);
        for (before, now) in came_from {
            if let Some(at) = old.of(*before) {
                self.deadlines.set(*now, at);
            }
        }
        let queue: VecDeque<CheckerIdx> = self.queue.iter().filter_map(|idx| came_from.get(idx).copied()).collect();
        self.queue = queue;
        let mut probing = BTreeMap::new();
        for (probe, idx) in core::mem::take(&mut self.probing) {
            match came_from.get(&idx) {
                Some(idx) => drop(probing.insert(probe, *idx)),
                None => out.push(Action::Close(probe)),
            }
        }
        self.probing = probing;
    }

    /// Says goodbye to what is not in the new configuration. COMPAT: keepalived 2.2.7, measured: what served runs notify_down, a
    /// service that had its quorum quorum_down, with and without `omega`.
    fn removed(
        &self,
        old: &Live,
        services: &BTreeMap<ServiceIdx, ServiceIdx>,
        reals: &BTreeMap<RealIdx, RealIdx>,
        out: &mut Vec<Action>,
    ) {
        let kept_services: BTreeSet<ServiceIdx> = services.values().copied().collect();
        let kept_reals: BTreeSet<RealIdx> = reals.values().copied().collect();
        for (idx, service) in old.config.services.iter() {
            let Some(state) = old.services.at(idx) else { continue };
            let goes = !kept_services.contains(&idx);
            if goes {
                lines::service_removed(service, out);
            }
            for real_idx in state.reals.iter().filter(|real| !kept_reals.contains(real)) {
                let Some(real) = old.config.reals.at(*real_idx) else { continue };
                if !goes {
                    lines::real_removed(real, out);
                }
                if old.standing(*real_idx) == Standing::Serving {
                    lines::removing(service, real, out);
                    last_of_real(old, *real_idx, out);
                    if real.smtp_alert == Switch::On {
                        out.extend(removal(old, &words::about_real(service, real, "DOWN"), "Removing"));
                    }
                }
            }
            if goes && state.quorum == Quorum::Up {
                last_of_service(old, idx, out);
                if service.smtp_alert == Switch::On {
                    let how = lines::quorum(service, Quorum::Down, 0);
                    out.extend(removal(old, &words::about_service(service, "DOWN"), &how));
                }
            }
        }
    }
}

/// A mail about what a reload removes. COMPAT: keepalived 2.2.7, measured: the words.
fn removal(old: &Live, about: &str, how: &str) -> Option<Action> {
    Letter::new(&old.config, about, how).map(Action::Compose)
}

/// New index to old, by label. Of several with one label the first match in order.
fn same_services(old: &CheckConfig, new: &CheckConfig) -> BTreeMap<ServiceIdx, ServiceIdx> {
    let mut by_label: BTreeMap<&str, VecDeque<ServiceIdx>> = BTreeMap::new();
    for (idx, service) in old.services.iter() {
        by_label.entry(&service.label).or_default().push_back(idx);
    }
    let mut same = BTreeMap::new();
    for (idx, service) in new.services.iter() {
        if let Some(before) = by_label.get_mut(service.label.as_str()).and_then(VecDeque::pop_front) {
            same.insert(idx, before);
        }
    }
    same
}

/// New index to old, by service and label.
fn same_reals(
    old: &CheckConfig,
    new: &CheckConfig,
    services: &BTreeMap<ServiceIdx, ServiceIdx>,
) -> BTreeMap<RealIdx, RealIdx> {
    let mut by_label: BTreeMap<(ServiceIdx, Endpoint), VecDeque<RealIdx>> = BTreeMap::new();
    for (idx, real) in old.reals.iter() {
        by_label.entry((real.service, real.label)).or_default().push_back(idx);
    }
    let mut same = BTreeMap::new();
    for (idx, real) in new.reals.iter() {
        let of_label = services.get(&real.service).and_then(|s| by_label.get_mut(&(*s, real.label)));
        if let Some(before) = of_label.and_then(VecDeque::pop_front) {
            same.insert(idx, before);
        }
    }
    same
}

fn checkers_by_real(config: &CheckConfig) -> BTreeMap<RealIdx, Vec<CheckerIdx>> {
    let mut by_real: BTreeMap<RealIdx, Vec<CheckerIdx>> = BTreeMap::new();
    for (idx, checker) in config.checkers.iter() {
        by_real.entry(checker.real).or_default().push(idx);
    }
    by_real
}

/// Takes a checker with the same parameters out of those that are left.
fn take_equal(old: &CheckConfig, left: &mut Vec<CheckerIdx>, wanted: &Checker) -> Option<CheckerIdx> {
    let at = left.iter().position(|idx| old.checkers.at(*idx).is_some_and(|c| equal(c, wanted)))?;
    Some(left.remove(at))
}

/// Everything but where it stands.
pub(super) fn equal(a: &Checker, b: &Checker) -> bool {
    a.target == b.target && (Arc::ptr_eq(&a.how, &b.how) || same_way(&a.how, &b.how))
}

fn same_way(a: &How, b: &How) -> bool {
    let How {
        bind,
        bind_if,
        fwmark,
        marked: _,
        timeout,
        delay_loop,
        retry,
        delay_before_retry,
        warmup,
        log_all_failures,
        alpha,
        kind,
    } = a;
    *bind == b.bind
        && *bind_if == b.bind_if
        && *fwmark == b.fwmark
        && *timeout == b.timeout
        && *delay_loop == b.delay_loop
        && *retry == b.retry
        && *delay_before_retry == b.delay_before_retry
        && *warmup == b.warmup
        && *log_all_failures == b.log_all_failures
        && *alpha == b.alpha
        && same_kind(kind, &b.kind)
}

/// The same in another generation, where commands and files have other numbers.
fn same_kind(a: &CheckerKind, b: &CheckerKind) -> bool {
    match (a, b) {
        (CheckerKind::Bfd { name, .. }, CheckerKind::Bfd { name: other, .. }) => name == other,
        (CheckerKind::File { name, weight, .. }, CheckerKind::File { name: other, weight: other_weight, .. }) => {
            name == other && weight == other_weight
        }
        (CheckerKind::Misc(a), CheckerKind::Misc(b)) => **a == Misc { script: a.script, ..(**b).clone() },
        _ => a == b,
    }
}
