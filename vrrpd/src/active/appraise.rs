//! What the tracked things mean for instances that are there: each is looked at as a whole whenever something it tracks has changed.

use super::{Active, Env};
use crate::fsm::instance::{Input, State};
use crate::fsm::script::Verdict;
use crate::fsm::sync;
use crate::fsm::track::{Appraisal, Tracked};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use ipc::config::{GroupIdx, InstanceIdx};
use ipc::report::Level;

impl Active {
    /// What instances may track, as it is to one that was master before vrrpd was restarted.
    fn tracked_on(&self) -> Tracked<'_> {
        Tracked { fresh: Verdict::Up, ..self.tracked() }
    }

    /// What instances may track.
    pub fn tracked(&self) -> Tracked<'_> {
        let (links, scripts, files, bfds) = (&self.links, &self.scripts, &self.files, &self.bfds);
        let (processes, statics, twins) = (&self.processes, &self.statics, &self.twins);
        Tracked { links, scripts, files, bfds, processes, statics, twins, fresh: Verdict::Down }
    }

    /// Looks at what the instances track; a member of a group is looked at together with the others.
    pub fn appraise(&mut self, which: &[InstanceIdx], env: &mut Env<'_>) {
        let mut seen = BTreeSet::new();
        for &index in which {
            let Some(instance) = self.instances.at(index) else { continue };
            match instance.conf.group {
                None => {
                    let appraisal = instance.appraise(self.tracked());
                    self.deliver(index, appraisal, env);
                }
                Some(group) => {
                    if seen.insert(group) {
                        self.appraise_group(group, env);
                    }
                }
            }
        }
    }

    fn appraise_group(&mut self, group: GroupIdx, env: &mut Env<'_>) {
        let members: Vec<InstanceIdx> =
            self.members(group).into_iter().filter(|member| self.instances.has(*member)).collect();
        let mut appraisals: Vec<Appraisal> = members
            .iter()
            .filter_map(|member| self.instances.at(*member))
            .map(|instance| instance.appraise(self.tracked()))
            .collect();
        sync::share(&mut appraisals);
        for (member, appraisal) in members.into_iter().zip(appraisals) {
            self.say_faults(member, &appraisal, env);
            self.touch(member, env, |instance, scene| instance.step(Input::Appraised(appraisal), scene));
        }
        // Once all have followed: its scripts run after theirs.
        self.tell_group(group, env);
    }

    fn deliver(&mut self, index: InstanceIdx, appraisal: Appraisal, env: &mut Env<'_>) {
        self.say_faults(index, &appraisal, env);
        self.act(index, env, |instance, scene| instance.step(Input::Appraised(appraisal), scene));
    }

    /// Logs what keeps an instance out from now on.
    fn say_faults(&self, index: InstanceIdx, appraisal: &Appraisal, env: &mut Env<'_>) {
        if let Some(instance) = self.instances.at(index) {
            for fault in appraisal.faults.iter().filter(|fault| !instance.faults.contains(fault)) {
                let why = fault.describe(instance, self.tracked());
                env.out.log(Level::Warning, format!("({}) {why}", instance.conf.name));
            }
        }
    }

    /// Resumes as master what was master before vrrpd was restarted; of a sync group all or none.
    pub fn resume(&mut self, held: &BTreeSet<InstanceIdx>, env: &mut Env<'_>) {
        for &index in held {
            let Some(instance) = self.instances.at(index) else { continue };
            let together = instance.conf.group.map_or_else(|| [index].into(), |group| self.members(group));
            if together.iter().all(|member| held.contains(member) && self.can_resume(*member)) {
                let appraisal = instance.appraise(self.tracked_on());
                self.touch(index, env, |instance, scene| instance.step(Input::Resume(appraisal), scene));
            }
        }
        for group in self.groups.iter().map(|(group, _)| group).collect::<Vec<_>>() {
            self.tell_group(group, env);
        }
    }

    /// Whether nothing keeps an instance from being master at once; one that has just resumed counts as well.
    fn can_resume(&self, index: InstanceIdx) -> bool {
        self.instances.at(index).is_some_and(|instance| {
            matches!(instance.state, State::Init | State::Master)
                && instance.appraise(self.tracked_on()).faults.is_empty()
        })
    }
}
