//! Sync groups: what one member does the others do, and who is told of it.

use super::{Active, Env};
use crate::effects::Effects;
use crate::fsm::instance::{Follow, Input, State};
use crate::fsm::{notify, sync};
use alloc::format;
use alloc::vec::Vec;
use ipc::config::vrrp::SyncGroup;
use ipc::config::{GroupIdx, InstanceIdx};
use ipc::msg::control::{Cause, News, NotifyState, Run};
use ipc::report::Level;

impl Active {
    pub(super) fn follow(&mut self, members: &[InstanceIdx], order: Follow, env: &mut Env<'_>) {
        for &member in members {
            self.touch(member, env, |instance, scene| instance.step(Input::Follow(order), scene));
        }
    }

    /// `vrrp_on_external_removal backup`: somebody else has removed an address, a route or a rule of an instance. COMPAT: keepalived 2.2.7:
    /// it and its whole group resign.
    pub fn give_up(&mut self, index: InstanceIdx, env: &mut Env<'_>) {
        let Some(instance) = self.instances.at(index).filter(|instance| instance.state == State::Master) else {
            return;
        };
        let group = instance.conf.group;
        for member in group.map_or_else(|| Vec::from([index]), |group| self.members(group)) {
            self.touch(member, env, |instance, scene| instance.step(Input::Removed, scene));
        }
        if let Some(group) = group {
            self.tell_group(group, env);
        }
    }

    pub(super) fn members(&self, group: GroupIdx) -> Vec<InstanceIdx> {
        self.groups.at(group).map(|group| group.conf.members.clone()).unwrap_or_default()
    }

    /// Group notifications come after those of the members.
    pub(super) fn tell_group(&mut self, index: GroupIdx, env: &mut Env<'_>) {
        let Some(group) = self.groups.at_mut(index) else { return };
        let members = group.conf.members.iter().filter_map(|member| self.instances.at(*member));
        let state = sync::state(members);
        if state == group.state || state == State::Init {
            return;
        }
        group.state = state;
        let (word, state) = match state {
            State::Master => ("MASTER", NotifyState::Master),
            State::Fault => ("FAULT", NotifyState::Fault),
            State::Backup | State::Init => ("BACKUP", NotifyState::Backup),
        };
        env.out.log(Level::Info, format!("VRRP_Group({}) Syncing instances to {word} state", group.conf.name));
        tell(&group.conf, index, state, env.out);
    }

    /// `fifo_write_vrrp_states_on_reload`. COMPAT: the manual's words; keepalived 2.2.7 writes those of groups only.
    pub fn news_again(&self, out: &mut Effects) {
        self.instances.rows().iter().for_each(|instance| instance.news_again(out));
        for (group, known) in self.groups.iter() {
            let state = match known.state {
                State::Master => NotifyState::Master,
                State::Backup => NotifyState::Backup,
                State::Fault => NotifyState::Fault,
                State::Init => continue,
            };
            out.tell(News::Group { group, state });
        }
    }

    /// Tells the scripts of all groups that the daemon ends.
    pub fn stop_groups(&self, out: &mut Effects) {
        for (index, group) in self.groups.iter() {
            tell(&group.conf, index, NotifyState::Stop, out);
        }
    }

    /// COMPAT: keepalived 2.4.3: after a reload a MASTER stays master only if its whole group is.
    pub fn unite_groups(&mut self, env: &mut Env<'_>) {
        for group in self.groups.iter().map(|(group, _)| group).collect::<Vec<_>>() {
            let members = self.members(group);
            let is_master = |member: &&InstanceIdx| {
                self.instances.at(**member).is_some_and(|instance| instance.state == State::Master)
            };
            if members.iter().any(|member| !is_master(&member)) {
                self.follow(&members, Follow::ToBackup, env);
            }
            self.tell_group(group, env);
        }
    }
}

fn tell(conf: &SyncGroup, group: GroupIdx, state: NotifyState, out: &mut Effects) {
    for script in [notify::specific(&conf.notify, state), conf.notify.generic].into_iter().flatten() {
        out.run(Run { script, cause: Cause::Group { group, state } });
    }
    out.tell(News::Group { group, state });
}
