//! The conversations with vrrpd and checkd.

use super::route::Work;
use super::{Reconciler, log};
use crate::desired::Answer;
use crate::event::Action;
use crate::ledger::Owner;
use crate::link;
use crate::patience::Item;
use crate::plan::{Removal, addrs};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use ipc::config::vrrp::Switch;
use ipc::config::{InstanceIdx, LinkIdx, RealIdx, ServiceIdx, TrackGroupIdx};
use ipc::msg::Role;
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck, Standing, alike};
use ipc::msg::vips::{IpvsToVrrp, Presence, VrrpToIpvs};
use ipc::report::Level;

/// Greatest weight. The kernel takes it as a signed number.
const WEIGHT_LIMIT: u32 = 2_147_483_647;

/// How far the conversation with a peer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Talk {
    /// There is no channel, or the peer has not asked for everything since it is there (or since the activation).
    #[default]
    Silent,
    /// It has asked for everything and gets it as soon as it is known.
    Asked,
    /// It has it; changes are told from now on.
    Told,
}

/// vrrpd.
#[derive(Debug, Default)]
pub(super) struct Vrrp {
    talk: Talk,
    removal: Removal,
    told: BTreeMap<LinkIdx, IpvsToVrrp>,
    /// What was said of groups that follow something static.
    told_groups: BTreeMap<TrackGroupIdx, Presence>,
    words: Vec<IpvsToVrrp>,
}

impl Vrrp {
    /// Queues a message; dropped while vrrpd has not asked for everything.
    pub(super) fn say(&mut self, message: IpvsToVrrp) {
        if self.talk != Talk::Silent {
            self.words.push(message);
        }
    }

    /// Whether vrrpd has said everything.
    pub(super) fn removal(&self) -> Removal {
        self.removal
    }

    pub(super) fn reset(&mut self) {
        *self = Vrrp::default();
    }
}

/// checkd.
#[derive(Debug, Default)]
pub(super) struct Check {
    talk: Talk,
    removal: Removal,
    /// The first index that [`CheckToIpvs::SetReals`] may still name on this channel in this generation.
    unsaid: u32,
    /// Services whose addresses it wants to hear of, and what it was told.
    pub(super) watched: BTreeMap<ServiceIdx, Option<Presence>>,
}

impl Check {
    /// Whether checkd has said everything.
    pub(super) fn removal(&self) -> Removal {
        self.removal
    }

    pub(super) fn reset(&mut self) {
        *self = Check::default();
    }
}

impl Reconciler {
    pub(super) fn vrrp_attached(&mut self) {
        self.vrrp_lost();
    }

    /// vrrpd is gone: what it had put there stays for the hold time of each instance.
    pub(super) fn vrrp_lost(&mut self) {
        self.vrrp.reset();
        let now = self.now;
        for (idx, vips) in self.desired.all_vips_mut() {
            vips.answer = Answer::NotAsked;
            if vips.want == Some(Presence::Present) && vips.hold_until.is_none() {
                vips.hold_until = self.ledger.instance(idx).map(|i| now + i.hold);
            }
        }
    }

    /// Releases what is held for longer than a backup needs to take over.
    pub(super) fn release_overdue(&mut self, out: &mut Vec<Action>) {
        let now = self.now;
        for (idx, vips) in self.desired.all_vips_mut() {
            if vips.hold_until.is_none_or(|t| now < t) {
                continue;
            }
            vips.hold_until = None;
            vips.want = Some(Presence::Absent);
            self.ipvs.replan_whole();
            vips.overdue = Removal::Allowed;
            if let Some(instance) = self.ledger.instance(idx) {
                log(
                    out,
                    Level::Warning,
                    format!(
                        "({}) vrrpd has not come back within {:?}: releasing its addresses",
                        instance.name, instance.hold
                    ),
                );
            }
            self.route.replan();
        }
    }

    pub(super) fn hear_vrrp(&mut self, messages: Vec<VrrpToIpvs>, out: &mut Vec<Action>) {
        for message in messages {
            match message {
                VrrpToIpvs::Resync => {
                    self.vrrp.reset();
                    self.vrrp.talk = Talk::Asked;
                }
                VrrpToIpvs::SetVips { instance, want } => {
                    if self.ledger.instance(instance).is_none() {
                        let what = format!("instance {} is not in the configuration", instance.0);
                        out.push(Action::Violation(Role::Vrrp, what));
                        return;
                    }
                    self.set_vips(instance, want);
                    continue;
                }
                VrrpToIpvs::Synced => self.vrrp_synced(),
                VrrpToIpvs::Expect => continue,
            }
            self.route.replan();
        }
    }

    fn set_vips(&mut self, instance: InstanceIdx, want: Presence) {
        // At the end everything goes, whatever is said.
        let want = if self.is_stopping() { Presence::Absent } else { want };
        let vips = self.desired.vips_mut(instance);
        let changed = vips.want != Some(want);
        vips.want = Some(want);
        vips.hold_until = None;
        vips.overdue = Removal::NotYet;
        vips.answer = Answer::Owed;
        match want {
            Presence::Present => self.route.freshen(instance, self.paths_of(instance)),
            Presence::Absent => self.route.replan(),
        }
        self.filter_instance(instance);
        if changed {
            // A daemon that synchronises connections may follow it.
            self.ipvs.replan_whole();
        }
        if changed {
            self.forget_troubles(Owner::Instance(instance));
        }
    }

    /// What was hard to do may be easy now that something else is wanted.
    fn forget_troubles(&mut self, owner: Owner) {
        for spec in self.ledger.addrs_of(owner) {
            if let Some(key) = addrs::resolve(&self.ledger, &self.route.network, spec) {
                self.patience.forget(&Item::Addr(key));
                self.route.missing.remove(&key);
            }
        }
        for record in self.ledger.paths().iter().filter(|record| record.owner == owner) {
            self.patience.forget(&Item::Path(record.path.clone()));
            self.route.paths.found(&record.path);
        }
    }

    /// Whether an instance has routes or rules to follow its addresses.
    fn paths_of(&self, instance: InstanceIdx) -> Work {
        if self.ledger.has_paths_of(Owner::Instance(instance)) { Work::Due } else { Work::Done }
    }

    fn vrrp_synced(&mut self) {
        self.vrrp.removal = Removal::Allowed;
        for (_, vips) in self.desired.all_vips_mut() {
            // Held for a vrrpd that does not speak of it: nobody wants it.
            if vips.hold_until.take().is_some() {
                vips.want = Some(Presence::Absent);
                self.ipvs.replan_whole();
            }
        }
    }

    /// Tells vrrpd what it has asked for, what has changed, and what was queued, in one frame.
    pub(super) fn speak_to_vrrp(&mut self, out: &mut Vec<Action>) {
        if self.vrrp.talk == Talk::Silent || !self.route.is_known() {
            return;
        }
        let mut words = Vec::new();
        if self.vrrp.talk == Talk::Asked || self.route.changed == Work::Due {
            for (idx, name) in self.ledger.links() {
                let facts = link::describe(name, &self.ledger, &self.route.network);
                if self.vrrp.told.get(&idx) != Some(&facts) {
                    words.push(facts.clone());
                    self.vrrp.told.insert(idx, facts);
                }
            }
            self.route.changed = Work::Done;
        }
        for (group, now) in self.standing_of_groups() {
            if self.vrrp.told_groups.insert(group, now) != Some(now) {
                words.push(IpvsToVrrp::StaticsChanged { group, now });
            }
        }
        if self.vrrp.talk == Talk::Asked {
            let held = self.desired.all_vips().filter(|(_, vips)| vips.want == Some(Presence::Present));
            words.extend(held.map(|(instance, _)| IpvsToVrrp::Held { instance }));
            words.push(IpvsToVrrp::Synced);
            self.vrrp.talk = Talk::Told;
        }
        words.append(&mut self.vrrp.words);
        if !words.is_empty() {
            out.push(Action::ToVrrp(words));
        }
    }

    pub(super) fn check_attached(&mut self) {
        self.check.reset();
    }

    /// checkd is gone: real servers keep their state.
    pub(super) fn check_lost(&mut self) {
        self.check.reset();
    }

    pub(super) fn hear_check(&mut self, messages: Vec<CheckToIpvs>, out: &mut Vec<Action>) {
        for message in messages {
            match message {
                CheckToIpvs::Resync => {
                    // What was said stays said: else a Resync before each pass over all real servers would make it a new one.
                    self.check = Check { talk: Talk::Asked, unsaid: self.check.unsaid, ..Check::default() };
                }
                CheckToIpvs::SetReal { real, want } => {
                    if self.ledger.real(real).is_none() {
                        let what = format!("real server {} is not in the configuration", real.0);
                        out.push(Action::Violation(Role::Check, what));
                        return;
                    }
                    self.stand(real, want);
                }
                CheckToIpvs::SetReals { first, last, want } => {
                    if first.0 < self.check.unsaid || last < first || self.ledger.real(last).is_none() {
                        let what = format!("real servers {} to {} are not what may be said now", first.0, last.0);
                        out.push(Action::Violation(Role::Check, what));
                        return;
                    }
                    self.check.unsaid = last.0.saturating_add(1);
                    for real in first.0..=last.0 {
                        self.stand(RealIdx(real), want);
                    }
                }
                CheckToIpvs::SetWeight { real, weight } => {
                    let dynamic = self.ledger.real(real).is_some_and(|r| r.dynamic == Switch::On);
                    if !dynamic || weight > WEIGHT_LIMIT {
                        let what = format!("real server {} may not have weight {weight}", real.0);
                        out.push(Action::Violation(Role::Check, what));
                        return;
                    }
                    self.desired.set_weight(real, weight);
                    self.look_at_real(real);
                }
                CheckToIpvs::SetSorry { service, want } => {
                    if self.ledger.service(service).is_none_or(|s| s.sorry.is_none()) {
                        let what = format!("service {} has no sorry server in the configuration", service.0);
                        out.push(Action::Violation(Role::Check, what));
                        return;
                    }
                    self.desired.set_sorry(service, want);
                    self.ipvs.replan_service(service);
                }
                CheckToIpvs::Watch { service } => {
                    if self.ledger.service(service).is_none() {
                        let what = format!("service {} is not in the configuration", service.0);
                        out.push(Action::Violation(Role::Check, what));
                        return;
                    }
                    self.check.watched.insert(service, None);
                }
                CheckToIpvs::Open { marked } => {
                    let Some(wanted) = self.ledger.marked(marked) else {
                        let what = format!("socket {} is not in the configuration", marked.0);
                        out.push(Action::Violation(Role::Check, what));
                        return;
                    };
                    out.push(Action::Open(marked, wanted));
                }
                CheckToIpvs::Synced => {
                    self.check.removal = Removal::Allowed;
                    self.ipvs.replan();
                }
            }
        }
    }

    /// A real server shall stand so. The caller has checked the index.
    fn stand(&mut self, real: RealIdx, want: Standing) {
        if self.desired.real(real) != Some(want) {
            self.desired.set_real(real, want);
            self.look_at_real(real);
        }
    }

    /// The service of a real server has to be looked at.
    fn look_at_real(&mut self, real: RealIdx) {
        if let Some(real) = self.ledger.real(real) {
            self.ipvs.replan_service(real.service);
        }
    }

    /// Tells checkd what it has asked for, and what has changed of it.
    pub(super) fn speak_to_check(&mut self, out: &mut Vec<Action>) {
        let mut words = Vec::new();
        if self.check.talk == Talk::Asked {
            let reals = alike(self.desired.reals()).into_iter();
            let reals = reals.map(|(first, last, standing)| IpvsToCheck::HeldReals { first, last, standing });
            let sorries =
                self.desired.sorries().map(|(service, standing)| IpvsToCheck::HeldSorry { service, standing });
            words.extend(reals.chain(sorries));
        }
        words.extend(self.addresses_of_services());
        if self.check.talk == Talk::Asked {
            self.check.talk = Talk::Told;
            words.push(IpvsToCheck::Synced);
        }
        if !words.is_empty() {
            out.push(Action::ToCheck(words));
        }
    }
}
