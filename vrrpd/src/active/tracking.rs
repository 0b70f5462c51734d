//! News of what is tracked: interfaces, scripts, files, processes.

use super::{Active, Env, not_before};
use crate::fsm::instance::{Instance, State};
use crate::fsm::link::{self, Known};
use crate::fsm::script::Turned;
use crate::io::Seen;
use crate::queue::Who;
use alloc::format;
use alloc::vec::Vec;
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_options::TrackProcessUse;
use ipc::config::{FileIdx, InstanceIdx, LinkIdx};
use ipc::msg::control::ProbeEnded;
use ipc::msg::vips::LinkFacts;
use ipc::report::Level;
use ipc::tracked;

impl Active {
    /// What ipvsd says of an interface.
    pub fn link(&mut self, name: &str, known: Known, env: &mut Env<'_>) {
        let before = self.links.named(name).cloned();
        let Some(index) = self.links.learn(name, known) else { return };
        let (Some(before), Some(after)) = (before, self.links.at(index)) else { return };
        let moved = before.facts().map(|facts| facts.ifindex) != after.facts().map(|facts| facts.ifindex);
        let matters = !same_apart_from_addrs(&before.known, &after.known);
        let lost_track = neighbours_lost_track(before.facts(), after.facts());
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

/// Whether neighbours may believe something wrong of an interface that is up: its hardware address is another one, or it was
/// away for a while (possible for an address with `no_track`).
fn neighbours_lost_track(before: Option<&LinkFacts>, after: Option<&LinkFacts>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => link::is_up(after) && (before.mac != after.mac || !link::is_up(before)),
        (None, Some(after)) => link::is_up(after),
        (_, None) => false,
    }
}

fn uses(instance: &Instance, link: LinkIdx) -> bool {
    instance.conf.link == link
        || instance.speaks_on() == link
        || instance.conf.track_links.iter().any(|tracked| tracked.link == link)
}
