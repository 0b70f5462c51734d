//! The generation that runs: its instances, scripts and interfaces, and how an event finds those it concerns.

use crate::bfd::session::Session;
use crate::effects::Effects;
use crate::fsm::file::File;
use crate::fsm::instance::{Claim, Follow, Input, Instance, Scene, State};
use crate::fsm::link::{self, Known, Links};
use crate::fsm::pace::Paces;
use crate::fsm::script::{Script, Turned, Verdict};
use crate::fsm::track::{Appraisal, Tracked};
use crate::fsm::{notify, sync};
use crate::queue::{Queue, Who};
use crate::stats::{Stats, Strays};
use crate::wire::{Route, Told, Unknown};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::vrrp::{Switch, SyncGroup};
use ipc::config::vrrp_track::TrackProcess;
use ipc::config::{BfdIdx, FileIdx, Generation, GroupIdx, InstanceIdx, LinkIdx, TrackScriptIdx};
use ipc::msg::control::{Cause, News, NotifyState, ProbeEnded, Run};
use ipc::msg::vips::{LinkFacts, Presence, VrrpToIpvs};
use ipc::report::Level;
use ipc::table::Table;
use ipc::time::Mono;
use ipc::tracked;

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
    /// What is said of packets for virtual routers that are not configured.
    pub unknown: Unknown,
    /// Malformed packets were last logged.
    pub malformed_told: Told,
    /// By interface and virtual router.
    pub(crate) routes: BTreeMap<Route, Vec<InstanceIdx>>,
    /// `json_version`
    pub json_version: u8,
    /// `vrrp_track_process` blocks, for dumps.
    pub track_processes: Vec<TrackProcess>,
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
            instances,
            groups,
            scripts,
            files,
            bfds,
            links,
            strays: Strays::default(),
            unknown: Unknown::default(),
            malformed_told: Told::default(),
            routes: BTreeMap::new(),
            json_version: 1,
            track_processes: Vec::new(),
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
        let started = |instance: &Instance| instance.state != State::Init || instance.is_waiting();
        self.instances.iter().filter(|(_, instance)| started(instance)).map(|(index, _)| index).collect()
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

    fn follow(&mut self, members: &[InstanceIdx], order: Follow, env: &mut Env<'_>) {
        for &member in members {
            self.touch(member, env, |instance, scene| instance.step(Input::Follow(order), scene));
        }
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

    fn members(&self, group: GroupIdx) -> Vec<InstanceIdx> {
        self.groups.at(group).map(|group| group.conf.members.clone()).unwrap_or_default()
    }

    /// Group notifications come after those of the members.
    fn tell_group(&mut self, index: GroupIdx, env: &mut Env<'_>) {
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

    /// What instances may track, as it is to one that was master before vrrpd was restarted.
    fn tracked_on(&self) -> Tracked<'_> {
        Tracked { fresh: Verdict::Up, ..self.tracked() }
    }

    /// What instances may track.
    pub fn tracked(&self) -> Tracked<'_> {
        let (links, scripts, files, bfds) = (&self.links, &self.scripts, &self.files, &self.bfds);
        Tracked { links, scripts, files, bfds, fresh: Verdict::Down }
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
            self.deliver(member, appraisal, env);
        }
    }

    fn deliver(&mut self, index: InstanceIdx, appraisal: Appraisal, env: &mut Env<'_>) {
        if let Some(instance) = self.instances.at(index) {
            for fault in appraisal.faults.iter().filter(|fault| !instance.faults.contains(fault)) {
                let why = fault.describe(&instance.conf, self.tracked());
                env.out.log(Level::Warning, format!("({}) {why}", instance.conf.name));
            }
        }
        self.act(index, env, |instance, scene| instance.step(Input::Appraised(appraisal), scene));
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
        let users: Vec<InstanceIdx> = self
            .instances
            .iter()
            .filter(|(_, instance)| instance.state != State::Init || instance.is_waiting())
            .filter(|(_, instance)| matters || instance.conf.track_source == Switch::On)
            .filter(|(_, instance)| uses(instance, index))
            .map(|(index, _)| index)
            .collect();
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
        let users: Vec<InstanceIdx> = self
            .instances
            .iter()
            .filter(|(_, instance)| instance.state != State::Init || instance.is_waiting())
            .filter(|(_, instance)| instance.conf.track_scripts.iter().any(|tracked| tracked.script == index))
            .map(|(index, _)| index)
            .collect();
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
        let users: Vec<InstanceIdx> = self
            .instances
            .iter()
            .filter(|(_, instance)| instance.state != State::Init || instance.is_waiting())
            .filter(|(_, instance)| instance.options.track_files.iter().any(|tracked| tracked.file == index))
            .map(|(index, _)| index)
            .collect();
        self.appraise(&users, env);
    }
}

fn tell(conf: &SyncGroup, group: GroupIdx, state: NotifyState, out: &mut Effects) {
    for script in [notify::specific(&conf.notify, state), conf.notify.generic].into_iter().flatten() {
        out.run(Run { script, cause: Cause::Group { group, state } });
    }
    out.tell(News::Group { group, state });
}

/// Virtual addresses come and go on an interface; that alone is no news for most instances.
fn same_apart_from_addrs(a: &Known, b: &Known) -> bool {
    match (a, b) {
        (Known::There(a), Known::There(b)) => {
            (a.ifindex, a.state, a.multicast, a.primary, a.link_local)
                == (b.ifindex, b.state, b.multicast, b.primary, b.link_local)
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

/// A deadline that has passed is looked at again after this step, not in it.
fn not_before(at: Option<Mono>, now: Mono) -> Option<Mono> {
    at.map(|at| at.max(now + Duration::from_nanos(1)))
}
