//! News of what is tracked: interfaces, scripts, files, processes.

use super::{Active, Env, not_before};
use crate::fsm::instance::{Instance, State};
use crate::fsm::link::{Known, Patience};
use crate::fsm::script::Turned;
use crate::io::Seen;
use crate::queue::Who;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_options::TrackProcessUse;
use ipc::config::{FileIdx, InstanceIdx, LinkIdx, TrackGroupIdx};
use ipc::msg::control::ProbeEnded;
use ipc::msg::vips::{LinkFacts, Presence};
use ipc::report::Level;
use ipc::tracked;

impl Active {
    /// What ipvsd says of an interface.
    pub fn link(&mut self, name: &str, known: Known, env: &mut Env<'_>) {
        let Some(index) = self.links.find(name) else { return };
        let Some(before) = self.links.at(index).cloned() else { return };
        let carried = self.links.carries(index);
        self.links.learn(index, known, self.patience(index), env.now);
        self.queue.set(Who::Links, not_before(self.links.deadline(), env.now));
        let Some(after) = self.links.at(index) else { return };
        let lost_track = self.links.carries(index) && (!carried || has_moved(before.facts(), after.facts()));
        let moved = before.facts().map(|facts| facts.ifindex) != after.facts().map(|facts| facts.ifindex);
        let matters = !same_apart_from_addrs(&before.known, &after.known);
        if moved {
            self.route();
        }
        let users = self.started_where(|instance| {
            (matters || instance.conf.track_source == Switch::On)
                && (uses(instance, index) || self.twins.concerns(instance.index, index))
        });
        self.appraise(&users, env);
        if lost_track {
            self.announce_on(index, env);
        }
    }

    /// Interfaces that have been up or down for long enough.
    pub(super) fn links_turned(&mut self, env: &mut Env<'_>) {
        for index in self.links.expire(env.now) {
            let users = self.started_where(|instance| uses(instance, index));
            self.appraise(&users, env);
        }
        self.queue.set(Who::Links, not_before(self.links.deadline(), env.now));
    }

    /// `interface_up_down_delays` of an interface, as far as its instances can afford them.
    ///
    /// COMPAT: keepalived 2.4.3: an interface that is made has the delays of the one below. A backup that does not notice in
    /// time that it is deaf would become master: an interface counts as down a little before that, and (2.2.7, measured) as up as well.
    fn patience(&self, index: LinkIdx) -> Patience {
        let below = |instance: &Instance| (instance.options.own_link == Some(index)).then_some(instance.conf.link);
        let base = self.instances.rows().iter().find_map(below).unwrap_or(index);
        let Some(delays) = self.delays.iter().find(|delays| delays.link == base) else { return Patience::default() };
        let users = self.instances.rows().iter().filter(|instance| uses(instance, index));
        let most = users.map(Instance::longest_deafness).min().unwrap_or(Duration::MAX);
        Patience { down: delays.down.min(most), up: delays.up.min(most) }
    }

    /// Announces the addresses on an interface again.
    fn announce_on(&mut self, link: LinkIdx, env: &mut Env<'_>) {
        let has_addrs =
            |instance: &Instance| instance.conf.vips.iter().chain(&instance.conf.excluded).any(|vip| vip.link == link);
        let masters: Vec<InstanceIdx> = self
            .instances
            .iter()
            .filter(|(_, instance)| instance.state == State::Master && has_addrs(instance))
            .map(|(index, _)| index)
            .collect();
        for index in masters {
            self.touch(index, env, |instance, scene| instance.restored(scene));
        }
    }

    /// A script has ended.
    pub fn probe_ended(&mut self, ended: ProbeEnded, env: &mut Env<'_>) {
        let Some(index) = self.scripts.find(|script| script.conf.script == ended.script) else { return };
        let Some(script) = self.scripts.at_mut(index) else { return };
        if script.ended(ended.outcome, env.out) == Turned::No {
            return;
        }
        let users =
            self.started_where(|instance| instance.conf.track_scripts.iter().any(|tracked| tracked.script == index));
        self.appraise(&users, env);
    }

    /// A file holds this text now, untrusted; nothing when it cannot be read.
    pub fn file(&mut self, index: FileIdx, text: &[u8], env: &mut Env<'_>) {
        let Some(file) = self.files.at_mut(index) else { return };
        let Some(number) = tracked::number(text) else {
            return env.out.log(Level::Info, format!("Invalid number read from track_file {} - ignoring", file.name));
        };
        if file.number.replace(number) == Some(number) {
            return;
        }
        let users =
            self.started_where(|instance| instance.options.track_files.iter().any(|tracked| tracked.file == index));
        self.appraise(&users, env);
    }

    /// Whether everything static of a group is there.
    pub fn statics_changed(&mut self, index: TrackGroupIdx, now: Presence, env: &mut Env<'_>) {
        let Some(group) = self.statics.at_mut(index) else { return };
        if core::mem::replace(&mut group.now, now) != now {
            let members = group.conf.members.clone();
            let users: Vec<InstanceIdx> = self.started_where(|instance| members.contains(&instance.index));
            self.appraise(&users, env);
        }
    }

    /// What has become of processes; without anything, a delay has ended. Together, so that a copy that becomes another program at once
    /// was never there.
    pub fn processes(&mut self, seen: &[Seen], env: &mut Env<'_>) {
        seen.iter().for_each(|seen| self.processes.see(env.now, seen));
        let turned = self.processes.expire(env.now, env.out);
        self.queue.set(Who::Processes, not_before(self.processes.deadline(), env.now));
        if !turned.is_empty() {
            let tracks = |used: &TrackProcessUse| turned.contains(&used.process);
            let users = self.started_where(|instance| instance.options.track_processes.iter().any(tracks));
            self.appraise(&users, env);
        }
    }
}

/// Virtual addresses come and go on an interface; that alone is no news for most instances.
fn same_apart_from_addrs(a: &Known, b: &Known) -> bool {
    match (a, b) {
        (Known::There(a), Known::There(b)) => {
            (a.ifindex, a.base, a.state, a.multicast, a.primary, a.link_local)
                == (b.ifindex, b.base, b.state, b.multicast, b.primary, b.link_local)
        }
        (a, b) => a == b,
    }
}

/// Whether neighbours believe something wrong of an interface: its hardware address is another one. So they may of one that was away for a
/// while, which is possible for an address with `no_track`, and for any with `interface_up_down_delays`.
fn has_moved(before: Option<&LinkFacts>, after: Option<&LinkFacts>) -> bool {
    before.zip(after).is_some_and(|(before, after)| before.mac != after.mac)
}

fn uses(instance: &Instance, link: LinkIdx) -> bool {
    instance.conf.link == link
        || instance.speaks_on() == link
        || instance.conf.track_links.iter().any(|tracked| tracked.link == link)
}
