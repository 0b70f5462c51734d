//! Checkers with equal parameters ask the same of the same server: one of them probes, the others follow it, and its verdict is theirs.
//! `checker_merge no` undoes it.
//!
//! Followers are in the same state as the one they follow, to the last retry and page, so that every verdict means the same to all of
//! them. A checker that comes later (a reload) probes by itself until it has come to the same state, and follows from then on. What
//! differs between them stays theirs: service, real server, weight, scripts, mails, log lines.

use super::live::{CheckerState, Live, Phase};
use super::reload::equal;
use super::{Engine, Stage};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use ipc::config::CheckerIdx;
use ipc::config::check::{CheckConfig, Checker, CheckerKind};
use ipc::config::vrrp::Switch;
use ipc::table::Table;
use ipc::time::Mono;

/// Which checkers have equal parameters.
#[derive(Debug, Default)]
pub(super) struct Classes {
    /// Those that are not alone.
    members: BTreeMap<CheckerIdx, Vec<CheckerIdx>>,
}

impl Classes {
    pub(super) fn new(config: &CheckConfig) -> Classes {
        let mut classes = Classes::default();
        if config.separate == Switch::On {
            return classes;
        }
        let mut by_target: BTreeMap<SocketAddr, Vec<Vec<CheckerIdx>>> = BTreeMap::new();
        // A FILE_CHECK or BFD_CHECK has no probe to share; with `ha_suspend` others may have to go on alone.
        let suspends = |checker: &Checker| {
            let service = config.reals.at(checker.real).and_then(|real| config.services.at(real.service));
            service.is_some_and(|service| service.ha_suspend == Switch::On)
        };
        let hears = |checker: &Checker| matches!(checker.kind, CheckerKind::File { .. } | CheckerKind::Bfd { .. });
        let probes = |checker: &Checker| !hears(checker) && !suspends(checker);
        for (idx, checker) in config.checkers.iter().filter(|(_, checker)| probes(checker)) {
            let of_target = by_target.entry(checker.target).or_default();
            let same = |class: &&mut Vec<CheckerIdx>| {
                class.first().and_then(|first| config.checkers.at(*first)).is_some_and(|first| equal(first, checker))
            };
            match of_target.iter_mut().find(same) {
                Some(class) => class.push(idx),
                None => of_target.push(Vec::from([idx])),
            }
        }
        for class in by_target.into_values().flatten().filter(|class| class.len() > 1) {
            for idx in &class {
                classes.members.insert(*idx, class.clone());
            }
        }
        classes
    }
}

impl Live {
    /// A checker that one in this state could follow: it waits, and is in the same state.
    fn leader_for(&self, idx: CheckerIdx) -> Option<CheckerIdx> {
        let class = self.classes.members.get(&idx)?;
        let state = self.checkers.at(idx).filter(|state| matches!(state.phase, Phase::Waiting))?;
        class.iter().copied().filter(|other| *other != idx).find(|other| {
            self.checkers.at(*other).is_some_and(|s| matches!(s.phase, Phase::Waiting) && s.schedule == state.schedule)
        })
    }
}

impl Engine {
    /// Lets everybody probe for itself again, from now on, where the configuration wants that.
    pub(super) fn separate(&mut self, now: Mono) {
        let Stage::Live(live) = &mut self.stage else { return };
        if live.config.separate == Switch::Off {
            return;
        }
        for (idx, _) in live.config.checkers.iter() {
            let Some(state) = live.checkers.at_mut(idx) else { continue };
            state.replace_followers(Vec::new());
            if matches!(state.phase, Phase::Follows) {
                state.phase = Phase::Waiting;
                self.deadlines.set(idx, now);
            }
        }
    }

    /// Lets every checker that waits follow another where it can.
    pub(super) fn merge(&mut self) {
        let Stage::Live(live) = &self.stage else { return };
        let shared: Vec<CheckerIdx> = live.classes.members.keys().copied().collect();
        // From the end, so that the first of a class is the one that is followed.
        for idx in shared.into_iter().rev() {
            self.follow(idx);
        }
    }

    /// Lets a checker, and those that follow it, follow another if it can.
    pub(super) fn follow(&mut self, idx: CheckerIdx) {
        let Stage::Live(live) = &mut self.stage else { return };
        let Some(leader) = live.leader_for(idx) else { return };
        let Some(state) = live.checkers.at_mut(idx) else { return };
        state.phase = Phase::Follows;
        let mut followers = state.replace_followers(Vec::new());
        followers.push(idx);
        if let Some(leader) = live.checkers.at_mut(leader) {
            leader.seldom_mut().followers.append(&mut followers);
        }
        self.deadlines.remove(idx);
    }

    /// A checker with those that follow it.
    pub(super) fn with_followers(&self, idx: CheckerIdx) -> Vec<CheckerIdx> {
        let Stage::Live(live) = &self.stage else { return Vec::new() };
        let followers = live.checkers.at(idx).map(|state| state.seldom().followers.as_slice()).unwrap_or_default();
        [&[idx], followers].concat()
    }
}

/// Brings the groups of the old configuration into the new one. Where the one that probed is gone, the first that followed it takes its
/// probe over: `came_from` then says so.
pub(super) fn carry_groups(
    old: &mut Table<CheckerIdx, CheckerState>,
    new: &mut Table<CheckerIdx, CheckerState>,
    groups: &[(CheckerIdx, Vec<CheckerIdx>)],
    came_from: &mut BTreeMap<CheckerIdx, CheckerIdx>,
) {
    for (leader, followers) in groups {
        let mut kept: Vec<CheckerIdx> = followers.iter().filter_map(|idx| came_from.get(idx).copied()).collect();
        let now = match came_from.get(leader).copied() {
            Some(now) => now,
            None if kept.is_empty() => continue,
            None => {
                let now = kept.remove(0);
                if let (Some(state), Some(before)) = (new.at_mut(now), old.at_mut(*leader)) {
                    state.phase = core::mem::replace(&mut before.phase, Phase::Waiting);
                }
                came_from.insert(*leader, now);
                now
            }
        };
        if let Some(state) = new.at_mut(now) {
            state.replace_followers(kept);
        }
    }
}
