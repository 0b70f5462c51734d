//! `vrrp_script`s that are used, and the lines that use them and interfaces.

use super::Resolver;
use crate::conf::Draft;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::track::Use;
use crate::conf::value::secs;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::script::{Asker, ScriptKind};
use ipc::config::vrrp::{Instance, Switch, TrackLink, TrackScript, TrackScriptUse, Weight};
use ipc::config::{InstanceIdx, TrackScriptIdx};
use ipc::table::Table;

/// The effect of what has none of its own: down is FAULT.
pub(super) const FAULT: Weight = Weight { value: 0, reverse: Switch::Off };

/// Scripts by name, with the weight of their block.
pub(super) type Scripts = BTreeMap<String, (TrackScriptIdx, Weight)>;

impl Resolver<'_, '_> {
    /// Makes the table of the scripts that something uses. COMPAT: unused ones are not run; the first of a name counts.
    pub(super) fn track_script_table(&mut self, draft: &Draft) -> Scripts {
        let lines = draft.instances.iter().flat_map(|i| &i.track_scripts);
        let lines = lines.chain(draft.groups.iter().flat_map(|g| &g.track_scripts));
        let used: BTreeSet<&str> = lines.map(|u| u.name.value.as_str()).collect();
        let mut scripts = Scripts::new();
        let mut seen = BTreeMap::new();
        for block in &draft.scripts {
            let name = &block.name;
            if let Some(first) = seen.insert(name.value.as_str(), name.span) {
                let message = format!("there are two `vrrp_script {}`; the first one counts", name.value);
                self.r.diags.push(
                    Diagnostic::warning(Code::DUPLICATE, name.span, message)
                        .label("ignored")
                        .also(first, "the first one"),
                );
                seen.insert(name.value.as_str(), first);
                continue;
            }
            let Some(command) = &block.command else {
                let message = format!("`vrrp_script {}` has no `script`", name.value);
                self.r.diags.push(
                    Diagnostic::error(Code::INCOMPLETE, name.span, message)
                        .label("ignored")
                        .help("script \"/path/to/it\""),
                );
                continue;
            };
            if !used.contains(name.value.as_str()) {
                let message = format!("nothing tracks `vrrp_script {}`; it is not run", name.value);
                self.r.diags.push(Diagnostic::warning(Code::UNUSED, name.span, message));
                continue;
            }
            let interval = block.interval.as_ref().map_or(secs(1), |i| i.value);
            let timeout = block.timeout.as_ref().map_or(interval, |t| t.value);
            let user = block.user.as_ref().map(|u| &u.value);
            let label = format!("vrrp_script {}", name.value);
            let Some(script) = self.script(command, user, label, ScriptKind::Probe { timeout }, Asker::Vrrp) else {
                continue;
            };
            let row = TrackScript {
                name: name.value.clone(),
                origin: self.origin(name.span),
                script,
                interval,
                rise: block.rise.as_ref().map_or(1, |n| n.value),
                fall: block.fall.as_ref().map_or(1, |n| n.value),
                init_fail: block.init_fail,
            };
            if let Ok(index) = self.track_scripts.push(row) {
                let weight = block.weight.as_ref().map_or(FAULT, |w| w.value);
                scripts.insert(name.value.clone(), (index, weight));
            }
        }
        scripts
    }

    /// Leaves out scripts that are tracked only by what is not there itself: an empty group, an instance at fault, one with priority 255.
    pub(super) fn drop_unused_scripts(&mut self, instances: &mut Table<InstanceIdx, Instance>) {
        let uses = instances.rows().iter().flat_map(|i| &i.track_scripts);
        let used: BTreeSet<TrackScriptIdx> = uses.map(|u| u.script).collect();
        let all = core::mem::take(&mut self.track_scripts);
        let mut new = BTreeMap::new();
        for (old, script) in all.iter().filter(|(old, _)| used.contains(old)) {
            if let Ok(index) = self.track_scripts.push(script.clone()) {
                new.insert(old, index);
            }
        }
        for used in instances.iter_mut().flat_map(|(_, i)| &mut i.track_scripts) {
            used.script = new.get(&used.script).copied().unwrap_or(used.script);
        }
    }

    /// The lines of a `track_script` block.
    pub(super) fn track_script_uses(&mut self, uses: &[Use], scripts: &Scripts) -> Vec<TrackScriptUse> {
        let mut list = Vec::new();
        for line in uses {
            match scripts.get(&line.name.value) {
                Some((script, weight)) => {
                    list.push(TrackScriptUse { script: *script, weight: line.weight.unwrap_or(*weight) });
                }
                None => {
                    let message = format!("there is no `vrrp_script {}`", line.name.value);
                    let mut undefined = Diagnostic::error(Code::UNDEFINED, line.span, message).label("ignored");
                    if let Some(near) = self.r.nearest(&line.name.value, scripts.keys().map(String::as_str)) {
                        undefined = undefined.help(format!("did you mean `{near}`?")).patch(line.name.span, near);
                    }
                    self.r.diags.push(undefined);
                }
            }
        }
        list
    }

    /// The lines of a `track_interface` block.
    pub(super) fn track_link_uses(&mut self, uses: &[Use], list: &mut Vec<TrackLink>) {
        for line in uses {
            if let Some(link) = self.link(&line.name) {
                let weight = line.weight.unwrap_or(FAULT);
                let origin = self.origin(line.span);
                watch(list, TrackLink { link, weight, origin });
            }
        }
    }
}

/// Adds a tracked interface, unless it is there already with the same effect.
pub(super) fn watch(list: &mut Vec<TrackLink>, tracked: TrackLink) {
    if !list.iter().any(|known| known.link == tracked.link && known.weight == tracked.weight) {
        list.push(tracked);
    }
}
