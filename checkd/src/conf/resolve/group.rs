//! `vrrp_sync_group` blocks.

use super::Resolver;
use super::options::Processes;
use super::trackers::{Scripts, watch};
use crate::conf::Draft as All;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::group::Group;
use crate::conf::keyword::At;
use crate::conf::vrrp::Instance as Draft;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::vrrp::{Instance, Switch, SyncGroup, Weight};
use ipc::config::vrrp_options::{GroupOptions, InstanceOptions};
use ipc::config::{Bundle, InstanceIdx};
use ipc::table::{Index, Table};

/// Whether a member of a group has priority 255: then nothing that the group tracks has a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    InGroup,
    NotInGroup,
}

impl Resolver<'_, '_> {
    /// Makes the groups and ties their members to them. `places` are the blocks of `bundle.vrrp.instances`, in its order.
    pub(super) fn groups(
        &mut self,
        draft: &All,
        scripts: &Scripts,
        processes: &Processes,
        places: &[&Draft],
        bundle: &mut Bundle,
    ) {
        let mut by_name = BTreeMap::new();
        for (n, block) in places.iter().enumerate() {
            if let Some(index) = InstanceIdx::from_usize(n) {
                by_name.insert(block.name.value.as_str(), index);
            }
        }
        for block in &draft.groups {
            let members = self.members(block, draft, &by_name, &bundle.vrrp.instances);
            if members.is_empty() {
                // COMPAT: an empty group is removed.
                let message = format!("`vrrp_sync_group {}` has no member", block.name.value);
                self.r.diags.push(Diagnostic::error(Code::INCOMPLETE, block.name.span, message).label("ignored"));
                continue;
            }
            if members.len() == 1 {
                let message = format!("`vrrp_sync_group {}` has a single member", block.name.value);
                self.r.diags.push(
                    Diagnostic::warning(Code::ONE_MEMBER, block.name.span, message)
                        .label("nothing changes with it")
                        .help("is a name missing in `group`?"),
                );
            }
            self.group_trackers(block, scripts, &members, &mut bundle.vrrp.instances);
            let group = SyncGroup {
                name: block.name.value.clone(),
                origin: self.r.sources.origin(block.span),
                members: members.clone(),
                notify: self.notify(&block.notify, &format!("vrrp_sync_group {}", block.name.value)),
            };
            // Fewer groups than instances, so the index always fits.
            let Ok(index) = bundle.vrrp.groups.push(group) else { continue };
            let options = GroupOptions { smtp_alert: super::options::alert(block.smtp_alert, draft) };
            if bundle.vrrp.group_options.push(options).is_err() {
                continue;
            }
            if self.scripts.groups.push(block.name.value.clone()).is_err() {
                continue;
            }
            let is_owner = |m: &InstanceIdx| bundle.vrrp.instances.at(*m).is_some_and(|i| i.priority == 255);
            let owner = if members.iter().any(is_owner) { Owner::InGroup } else { Owner::NotInGroup };
            for member in members {
                if let Some(instance) = bundle.vrrp.instances.at_mut(member) {
                    instance.group = Some(index);
                }
                let own = places.get(member.to_usize()).and_then(|d| d.more.notify_priority_changes);
                if let Some(options) = bundle.vrrp.options.at_mut(member) {
                    self.group_options(block, own, draft, processes, owner, options);
                }
            }
        }
    }

    /// What the group gives to each member beside its scripts and interfaces.
    fn group_options(
        &mut self,
        block: &Group,
        own: Option<Switch>,
        all: &All,
        processes: &Processes,
        owner: Owner,
        options: &mut InstanceOptions,
    ) {
        if let (None, Some(told)) = (own, block.notify_priority_changes) {
            options.notify_priority_changes = told;
        }
        if block.tracking_weight == Switch::Off {
            options.track_processes.retain(|t| t.weight.value == 0);
            super::options::unweigh_files(&mut options.track_files);
            options.track_bfds.retain(|t| t.weight.value == 0);
        }
        let mut used = self.process_uses(&block.track_processes, processes);
        used.iter_mut().filter(|_| owner == Owner::InGroup).for_each(|t| t.weight.value = 0);
        give(&mut options.track_processes, &used, |t| t.process, |t| t.weight);
        for mut used in self.file_uses(&block.track_files, all) {
            if owner == Owner::InGroup {
                // COMPAT: keepalived 2.2.7, measured: any number but 0 puts all members in FAULT.
                used.weight.value = 0;
            }
            if !options.track_files.iter().any(|t| t.file == used.file) {
                options.track_files.push(used);
            }
        }
        let mut used = self.bfd_uses(&block.track_bfds, all);
        used.iter_mut().filter(|_| owner == Owner::InGroup).for_each(|t| t.weight.value = 0);
        give(&mut options.track_bfds, &used, |t| t.bfd, |t| t.weight);
    }

    fn members(
        &mut self,
        block: &Group,
        draft: &All,
        by_name: &BTreeMap<&str, InstanceIdx>,
        instances: &Table<InstanceIdx, Instance>,
    ) -> Vec<InstanceIdx> {
        let mut members = Vec::new();
        for name in block.members.iter().flatten() {
            let Some(index) = by_name.get(name.value.as_str()) else {
                self.no_such_instance(name, draft, by_name);
                continue;
            };
            let taken = instances.at(*index).is_some_and(|i| i.group.is_some());
            if taken || members.contains(index) {
                let message = format!("`{}` is in a sync group already", name.value);
                self.r.diags.push(Diagnostic::error(Code::DUPLICATE, name.span, message).label("ignored"));
                continue;
            }
            members.push(*index);
        }
        members
    }

    fn no_such_instance(&mut self, name: &At<String>, draft: &All, by_name: &BTreeMap<&str, InstanceIdx>) {
        let place = self.places.instances.get(name.value.as_str());
        let written = place.and_then(|place| draft.instances.get(*place));
        let message = match written {
            Some(_) => format!("`vrrp_instance {}` cannot be used", name.value),
            None => format!("there is no `vrrp_instance {}`", name.value),
        };
        let mut undefined = Diagnostic::error(Code::UNDEFINED, name.span, message).label("ignored");
        if let Some(block) = written {
            undefined = undefined.also(block.name.span, "it has problems of its own");
        } else if let Some(near) = self.r.nearest(&name.value, by_name.keys().copied()) {
            undefined = undefined.help(format!("did you mean `{near}`?")).patch(name.span, near);
        }
        self.r.diags.push(undefined);
    }

    /// COMPAT: keepalived 2.4.3: members of a group have no trackers with a weight unless `sync_group_tracking_weight`; the group's
    /// trackers count for each member and override its own for the same thing unless that has no weight; 255 takes no weight.
    fn group_trackers(
        &mut self,
        block: &Group,
        scripts: &Scripts,
        members: &[InstanceIdx],
        instances: &mut Table<InstanceIdx, Instance>,
    ) {
        let mut group_scripts = self.track_script_uses(&block.track_scripts, scripts);
        let mut group_links = Vec::new();
        self.track_link_uses(&block.track_links, &mut group_links);
        if members.iter().any(|m| instances.at(*m).is_some_and(|i| i.priority == 255)) {
            group_scripts.iter_mut().for_each(|s| s.weight.value = 0);
            group_links.iter_mut().for_each(|l| l.weight.value = 0);
        }
        for member in members {
            let Some(instance) = instances.at_mut(*member) else { continue };
            if block.tracking_weight == Switch::Off {
                let before = instance.track_scripts.len();
                instance.track_scripts.retain(|s| s.weight.value == 0);
                let mut cut = before != instance.track_scripts.len();
                for tracked in instance.track_links.iter_mut().filter(|l| l.weight.value != 0) {
                    tracked.weight.value = 0;
                    cut = true;
                }
                if cut {
                    let message = format!(
                        "`{}` is in `vrrp_sync_group {}`: its scripts with a weight are not tracked, its interfaces without it",
                        instance.name, block.name.value
                    );
                    self.r.diags.push(
                        Diagnostic::warning(Code::CONFLICT, block.name.span, message)
                            .help("say `sync_group_tracking_weight` in the group, or track in the group"),
                    );
                }
            }
            for tracked in &group_scripts {
                let own = instance.track_scripts.iter().position(|s| s.script == tracked.script);
                match own.and_then(|n| instance.track_scripts.get_mut(n)) {
                    Some(own) if own.weight.value == 0 => {}
                    Some(own) => *own = *tracked,
                    None => instance.track_scripts.push(*tracked),
                }
            }
            for tracked in &group_links {
                let own = instance.track_links.iter().position(|l| l.link == tracked.link);
                match own.and_then(|n| instance.track_links.get_mut(n)) {
                    Some(own) if own.weight.value == 0 => {}
                    Some(own) => *own = tracked.clone(),
                    None => instance.track_links.push(tracked.clone()),
                }
            }
            // Weights that were taken away may have been all that made two of them differ.
            let all = core::mem::take(&mut instance.track_links);
            all.into_iter().for_each(|tracked| watch(&mut instance.track_links, tracked));
        }
    }
}

/// Gives a member what its group tracks: it overrides what the member tracks itself, unless that has no weight.
fn give<T: Copy, I: PartialEq>(own: &mut Vec<T>, group: &[T], what: fn(&T) -> I, weight: fn(&T) -> Weight) {
    for given in group {
        match own.iter_mut().find(|t| what(t) == what(given)) {
            Some(own) if weight(own).value == 0 => {}
            Some(own) => *own = *given,
            None => own.push(*given),
        }
    }
}
