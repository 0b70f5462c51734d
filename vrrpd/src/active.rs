//! The generation that runs: its instances, scripts and interfaces, and how an event finds those it concerns.

mod appraise;
mod groups;
mod tracking;

use crate::bfd::session::Session;
use crate::effects::Effects;
use crate::fsm::file::File;
use crate::fsm::instance::{Claim, Follow, Instance, Scene, State};
use crate::fsm::link::Links;
use crate::fsm::pace::Paces;
use crate::fsm::processes::Processes;
use crate::fsm::script::Script;
use crate::fsm::sync;
use crate::fsm::track::Statics;
use crate::fsm::twins::Twins;
use crate::queue::{Queue, Who};
use crate::stats::{RouterErrors, Stats, Strays};
use crate::wire::{Route, Told, Unknown};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::shown::Commands;
use ipc::config::vrrp::SyncGroup;
use ipc::config::vrrp_track::LinkDelays;
use ipc::config::{BfdIdx, FileIdx, Generation, GroupIdx, InstanceIdx, TrackScriptIdx};
use ipc::msg::vips::{Presence, VrrpToIpvs};
use ipc::table::Table;
use ipc::time::Mono;

/// What an event is handled with.
pub struct Env<'a> {
    /// The time.
    pub now: Mono,
    /// End of `vrrp_startup_delay`.
    pub quiet_until: Mono,
    /// Time since 1970.
    pub day: Duration,
    /// Whether ipvsd wants to hear of changes.
    pub ipvs: Talk,
    /// Where actions go.
    pub out: &'a mut Effects,
}

/// Whether ipvsd is told of changes as they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// It is.
    Live,
    /// Not yet: everything will be said when it has said everything.
    Later,
}

/// A sync group and what was last said of it.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its configuration.
    pub conf: SyncGroup,
    /// Its state when it last had one.
    pub state: State,
}

/// A running generation.
#[derive(Debug)]
pub struct Active {
    /// Its number.
    pub generation: Generation,
    /// Instances.
    pub instances: Table<InstanceIdx, Instance>,
    /// Those that may turn out to be one virtual router.
    twins: Twins,
    /// Sync groups.
    pub groups: Table<GroupIdx, Group>,
    /// Scripts.
    pub scripts: Table<TrackScriptIdx, Script>,
    /// Files.
    pub files: Table<FileIdx, File>,
    /// BFD sessions.
    pub bfds: Table<BfdIdx, Session>,
    /// Interfaces.
    pub links: Links,
    /// Counters of packets for nobody.
    pub strays: Strays,
    /// What was wrong with packets, whoever they were for.
    pub errors: RouterErrors,
    /// What is said of packets for virtual routers that are not configured.
    pub unknown: Unknown,
    /// Malformed packets were last logged.
    pub malformed_told: Told,
    /// By interface and virtual router.
    pub(crate) routes: BTreeMap<Route, Vec<InstanceIdx>>,
    /// `json_version`
    pub json_version: u8,
    /// Its commands, for dumps.
    pub commands: Commands,
    /// Processes.
    pub processes: Processes,
    /// `interface_up_down_delays`
    pub delays: Vec<LinkDelays>,
    /// `track_group`s.
    pub statics: Statics,
    /// Announcements that keep a distance.
    pub paces: Paces,
    queue: Queue,
}

impl Active {
    /// A generation at rest.
    pub fn new(
        generation: Generation,
        instances: Table<InstanceIdx, Instance>,
        groups: Table<GroupIdx, Group>,
        scripts: Table<TrackScriptIdx, Script>,
        files: Table<FileIdx, File>,
        bfds: Table<BfdIdx, Session>,
        links: Links,
    ) -> Self {
        let mut active = Active {
            generation,
            twins: Twins::new(&instances),
            instances,
            groups,
            scripts,
            files,
            bfds,
            links,
            strays: Strays::default(),
            errors: RouterErrors::default(),
            unknown: Unknown::default(),
            malformed_told: Told::default(),
            routes: BTreeMap::new(),
            json_version: 1,
            commands: Commands::default(),
            processes: Processes::default(),
            statics: Statics::default(),
            delays: Vec::new(),
            paces: Paces::default(),
            queue: Queue::default(),
        };
        active.route();
        active
    }

    /// The indices of all instances.
    pub fn indices(&self) -> Vec<InstanceIdx> {
        self.instances.iter().map(|(index, _)| index).collect()
    }

    /// Those that have left INIT or wait in it for a script.
    pub fn started(&self) -> Vec<InstanceIdx> {
        self.started_where(|_| true)
    }

    /// Those of them for which that holds.
    pub(crate) fn started_where(&self, holds: impl Fn(&Instance) -> bool) -> Vec<InstanceIdx> {
        let started = |instance: &Instance| instance.state != State::Init || instance.is_waiting();
        let those = self.instances.iter().filter(|(_, instance)| started(instance) && holds(instance));
        those.map(|(index, _)| index).collect()
    }

    /// Whether the addresses of an instance are, or shall be, there.
    pub fn is_present(&self, index: InstanceIdx) -> bool {
        self.instances.at(index).is_some_and(|instance| instance.presence() == Presence::Present)
    }

    /// Tells ipvsd what every instance wants.
    pub fn say_everything(&mut self, out: &mut Effects) {
        for (index, instance) in self.instances.iter_mut() {
            instance.unsay();
            if let Some(want) = instance.unsaid() {
                out.ipvs(VrrpToIpvs::SetVips { instance: index, want });
            }
        }
        out.ipvs(VrrpToIpvs::Synced);
    }

    /// Sets all counters to zero.
    pub fn clear_stats(&mut self) {
        self.strays = Strays::default();
        self.errors = RouterErrors::default();
        for (_, instance) in self.instances.iter_mut() {
            instance.stats = Stats::default();
        }
    }

    /// When something is due.
    pub fn deadline(&self) -> Option<Mono> {
        self.queue.first()
    }

    /// When the next one that is due becomes master, if that is what it does then.
    pub fn takeover(&self) -> Option<Mono> {
        let (at, who) = self.queue.peek()?;
        let Who::Instance(index) = who else { return None };
        self.instances.at(index).is_some_and(|instance| instance.state == State::Backup).then_some(at)
    }

    /// Starts the schedules of the scripts and puts everybody into the queue.
    pub fn start(&mut self, now: Mono) {
        for (index, script) in self.scripts.iter_mut() {
            script.start(now);
            self.queue.set(Who::Script(index), script.deadline());
        }
        for (index, instance) in self.instances.iter() {
            self.queue.set(Who::Instance(index), instance.deadline());
        }
        for (index, session) in self.bfds.iter() {
            self.queue.set(Who::Bfd(index), session.deadline());
        }
        self.queue.set(Who::Processes, self.processes.deadline());
        self.queue.set(Who::Links, self.links.deadline());
    }

    /// The deadline of a session may be another one.
    pub(crate) fn wake_bfd(&mut self, index: BfdIdx, now: Mono) {
        let deadline = self.bfds.at(index).and_then(Session::deadline);
        self.queue.set(Who::Bfd(index), not_before(deadline, now));
    }

    /// Does everything that is due.
    pub fn expire(&mut self, env: &mut Env<'_>) {
        while let Some(who) = self.queue.pop(env.now) {
            match who {
                Who::Instance(index) => self.act(index, env, |instance, scene| instance.expire(scene)),
                Who::Paces => {
                    self.paces.send(env.now, &self.links, env.out);
                    self.queue.set(who, not_before(self.paces.deadline(), env.now));
                }
                Who::Bfd(index) => self.bfd_expired(index, env),
                Who::Processes => self.processes(&[], env),
                Who::Links => self.links_turned(env),
                Who::Script(index) => {
                    if let Some(script) = self.scripts.at_mut(index) {
                        script.expire(env.now, env.out);
                        self.queue.set(who, not_before(script.deadline(), env.now));
                    }
                }
            }
        }
    }

    /// Lets an instance act, and its sync group follow.
    pub fn act(&mut self, index: InstanceIdx, env: &mut Env<'_>, f: impl FnOnce(&mut Instance, &mut Scene<'_>)) {
        let before = self.instances.at(index).map(|instance| instance.state);
        self.touch(index, env, f);
        let Some(instance) = self.instances.at_mut(index) else { return };
        let Some(group) = instance.conf.group else { return };
        let claim = instance.claim();
        let lost = before == Some(State::Master) && instance.state == State::Backup;
        let others: Vec<InstanceIdx> = self.members(group).into_iter().filter(|member| *member != index).collect();
        match claim {
            _ if lost => self.follow(&others, Follow::ToBackup, env),
            Claim::Master if sync::agreed(others.iter().filter_map(|member| self.instances.at(*member))) => {
                self.follow(&[index], Follow::ToMaster, env);
                self.follow(&others, Follow::ToMaster, env);
            }
            Claim::Rival => self.follow(&others, Follow::Announce, env),
            Claim::Master | Claim::None => {}
        }
        self.tell_group(group, env);
    }

    /// Lets an instance act alone; its deadline and its addresses follow its state.
    fn touch(&mut self, index: InstanceIdx, env: &mut Env<'_>, f: impl FnOnce(&mut Instance, &mut Scene<'_>)) {
        let Some(instance) = self.instances.at_mut(index) else { return };
        let mut scene = Scene {
            now: env.now,
            links: &self.links,
            quiet_until: env.quiet_until,
            day: env.day,
            paces: &mut self.paces,
            out: env.out,
        };
        let before = instance.state;
        f(instance, &mut scene);
        if before == State::Master && instance.state != State::Master {
            self.paces.cancel(index);
        }
        self.paces.send(env.now, &self.links, env.out);
        self.queue.set(Who::Paces, not_before(self.paces.deadline(), env.now));
        self.queue.set(Who::Instance(index), not_before(instance.deadline(), env.now));
        if env.ipvs == Talk::Live
            && let Some(want) = instance.unsaid()
        {
            env.out.ipvs(VrrpToIpvs::SetVips { instance: index, want });
        }
    }
}

/// A deadline that has passed is looked at again after this step, not in it.
fn not_before(at: Option<Mono>, now: Mono) -> Option<Mono> {
    at.map(|at| at.max(now + Duration::from_nanos(1)))
}
