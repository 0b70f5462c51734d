//! The machine: generations, the conversation with ipvsd, and the end. What happens within a generation is in [`Active`].

use crate::active::{Active, Env, Talk};
use crate::bfd::chance::Chance;
use crate::bfd::session::peers;
use crate::dump;
use crate::effects::Effects;
use crate::fsm::instance::Input;
use crate::fsm::link::Known;
use crate::io::{Action, BfdPeer, Event, Listen};
use crate::reload;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::vrrp::{Switch, VrrpConfig};
use ipc::config::{Generation, InstanceIdx};
use ipc::machine::Machine;
use ipc::msg::Role;
use ipc::msg::control::{AtStop, DumpKind, StopMode, Up};
use ipc::msg::vips::{IpvsToVrrp, Presence, VrrpToIpvs};
use ipc::report::Level;
use ipc::time::Mono;

/// How long the end waits for ipvsd to release the addresses.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// The state of the conversation with ipvsd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    /// There is none.
    None,
    /// It was asked to say everything.
    Asked,
    /// Both sides have said everything.
    Synced,
}

/// How far the end has come.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Waits for these instances' addresses to be released.
    Stopping {
        until: Mono,
        waiting: BTreeSet<InstanceIdx>,
    },
    Stopped,
}

/// vrrpd's machine.
#[derive(Debug)]
pub struct Router {
    active: Option<Active>,
    prepared: Option<(Generation, Box<VrrpConfig>)>,
    /// Frames of this generation may still be on their way.
    previous: Option<Generation>,
    channel: Channel,
    /// Instances that ipvsd holds since an earlier vrrpd.
    held: BTreeSet<InstanceIdx>,
    quiet_until: Mono,
    /// Time since 1970 at the machine's own zero.
    epoch: Duration,
    listening: Vec<Listen>,
    bfd_peers: Vec<BfdPeer>,
    chance: Chance,
    phase: Phase,
    effects: Effects,
}

impl Default for Router {
    fn default() -> Self {
        Router::new()
    }
}

impl Machine for Router {
    type Event = Event;
    type Action = Action;

    fn step(&mut self, now: Mono, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Timeout => self.timeout(now),
            Event::Configure { generation, config } => self.configure(generation, config),
            Event::Activate => self.activate(now),
            Event::Discard => self.prepared = None,
            Event::IpvsAttached => self.resync(),
            Event::IpvsLost => self.ipvs_lost(),
            Event::Ipvs { generation, message } => self.ipvs(now, generation, message),
            Event::Clock(day) => self.epoch = day.saturating_sub(now.since(Mono::ZERO)),
            Event::Packet { ifindex, bytes } => {
                self.running(now, |active, env| active.packet(ifindex, &bytes, env));
            }
            Event::Bfd(heard) => self.running(now, |active, env| active.bfd_packet(&heard, env)),
            Event::SessionsWanted => self.running(now, |active, env| active.say_sessions(env.out)),
            Event::Chance(bits) => self.chance = Chance::new(bits),
            // An index of another generation means something else: around a reload there are some.
            Event::ProbeEnded { generation, ended } if self.is_current(generation) => {
                self.running(now, |active, env| active.probe_ended(ended, env));
            }
            Event::File { generation, file, text } if self.is_current(generation) => {
                self.running(now, |active, env| active.file(file, &text, env));
            }
            Event::Processes { generation, seen } if self.is_current(generation) => {
                self.running(now, |active, env| active.processes(&seen, env));
            }
            Event::ProbeEnded { .. } | Event::File { .. } | Event::Processes { .. } => {}
            Event::Stop(mode) => self.stop(now, mode),
            Event::Dump(kind) => self.dump(now, kind),
        }
        self.effects.flush(out);
    }

    fn deadline(&self) -> Option<Mono> {
        match &self.phase {
            Phase::Running => self.active.as_ref()?.deadline(),
            Phase::Stopping { until, .. } => Some(*until),
            Phase::Stopped => None,
        }
    }
}

impl Router {
    /// A router without configuration.
    pub fn new() -> Self {
        Router {
            active: None,
            prepared: None,
            previous: None,
            channel: Channel::None,
            held: BTreeSet::new(),
            quiet_until: Mono::ZERO,
            epoch: Duration::ZERO,
            listening: Vec::new(),
            bfd_peers: Vec::new(),
            chance: Chance::default(),
            phase: Phase::Running,
            effects: Effects::default(),
        }
    }

    fn is_current(&self, generation: Generation) -> bool {
        self.active.as_ref().is_some_and(|active| active.generation == generation)
    }

    /// The running generation, for tests and dumps.
    pub fn active(&self) -> Option<&Active> {
        self.active.as_ref()
    }

    /// When an instance becomes master unless it hears of one before; `None` when something else is due first, or nothing could be said
    /// to ipvsd.
    pub fn takeover(&self) -> Option<Mono> {
        let live = self.phase == Phase::Running && self.channel == Channel::Synced;
        self.active.as_ref().filter(|_| live)?.takeover()
    }

    /// Lets the running generation act, unless the end has begun.
    fn running(&mut self, now: Mono, f: impl FnOnce(&mut Active, &mut Env<'_>)) {
        if self.phase != Phase::Running {
            return;
        }
        let ipvs = match self.channel {
            Channel::Synced => Talk::Live,
            Channel::None | Channel::Asked => Talk::Later,
        };
        if let Some(active) = &mut self.active {
            let day = self.epoch + now.since(Mono::ZERO);
            f(active, &mut Env { now, quiet_until: self.quiet_until, day, ipvs, out: &mut self.effects });
        }
    }

    fn timeout(&mut self, now: Mono) {
        match &self.phase {
            Phase::Running => self.running(now, |active, env| active.expire(env)),
            Phase::Stopping { until, waiting } if *until <= now => {
                let text = format!(
                    "ipvsd did not confirm the release of {} instances in time, stopping all the same",
                    waiting.len()
                );
                self.effects.log(Level::Warning, text);
                self.stopped();
            }
            Phase::Stopping { .. } | Phase::Stopped => {}
        }
    }

    fn configure(&mut self, generation: Generation, config: Box<VrrpConfig>) {
        if self.phase != Phase::Running {
            return self.effects.up(Up::Refused);
        }
        match reload::check(&config) {
            Ok(()) => {
                self.prepared = Some((generation, config));
                self.effects.up(Up::Ready);
            }
            Err(why) => {
                self.effects.log(Level::Error, format!("configuration cannot be used: {why}"));
                self.effects.up(Up::Refused);
            }
        }
    }

    fn activate(&mut self, now: Mono) {
        let Some((generation, config)) = self.prepared.take().filter(|_| self.phase == Phase::Running) else { return };
        if self.active.is_none() {
            // The machine's own clock begins at its start.
            self.quiet_until = (now + config.startup_delay).max(Mono::ZERO + config.globals.delay_after_boot);
        }
        self.effects.news = config.globals.news;
        let again = config.globals.news_on_reload;
        let old = self.active.take();
        self.previous = old.as_ref().map(|old| old.generation);
        let is_first = old.is_none();
        let day = self.epoch + now.since(Mono::ZERO);
        let moment = reload::Moment { now, quiet_until: self.quiet_until, day, chance: &mut self.chance };
        let active = reload::activate(generation, *config, old, moment, &mut self.effects);
        active.say_sessions(&mut self.effects);
        self.active = Some(active);
        self.held.clear();
        if self.channel != Channel::None {
            self.resync();
        }
        if !is_first {
            // Those that go on may have another priority now; the new ones start when ipvsd has said everything.
            self.running(now, |active, env| {
                let old: Vec<InstanceIdx> = active.started();
                active.appraise(&old, env);
                active.unite_groups(env);
                if again == Switch::On {
                    active.news_again(env.out);
                }
            });
        }
        self.listen();
        self.effects.up(Up::Activated);
    }

    /// Asks ipvsd to say everything; without a configuration there is nothing to say it about.
    fn resync(&mut self) {
        self.channel = Channel::Asked;
        self.held.clear();
        if let Some(active) = &mut self.active {
            active.links.expect_all();
            self.effects.ipvs(VrrpToIpvs::Resync);
        }
    }

    fn ipvs_lost(&mut self) {
        self.channel = Channel::None;
        if matches!(self.phase, Phase::Stopping { .. }) {
            self.stopped();
        }
    }

    fn ipvs(&mut self, now: Mono, generation: Generation, message: IpvsToVrrp) {
        if self.channel == Channel::None {
            // The rest of a frame that broke the protocol.
            return;
        }
        let current = self.active.as_ref().map(|active| active.generation);
        if Some(generation) != current {
            let prepared = self.prepared.as_ref().map(|(generation, _)| *generation);
            // Before the first activation nothing can be said; around a later one everything is said again.
            if current.is_some() && Some(generation) != self.previous && Some(generation) != prepared {
                self.distrust_ipvs(&format!("generation {}", generation.0));
            }
            return;
        }
        if let Phase::Stopping { .. } = self.phase {
            return self.released(&message);
        }
        match message {
            IpvsToVrrp::LinkChanged(facts) => {
                let name = facts.name.clone();
                self.running(now, |active, env| active.link(&name, Known::There(facts), env));
                self.listen();
            }
            IpvsToVrrp::LinkGone { name } => {
                self.running(now, |active, env| active.link(&name, Known::Missing, env));
                self.listen();
            }
            IpvsToVrrp::Held { instance } => {
                if self.know(instance) {
                    self.held.insert(instance);
                }
            }
            IpvsToVrrp::VipsApplied { instance, now: presence, result } => {
                if self.know(instance) {
                    self.running(now, |active, env| {
                        active.act(instance, env, |instance, scene| instance.applied(presence, result, scene));
                    });
                }
            }
            IpvsToVrrp::VipsRestored { instance } => {
                if self.know(instance) {
                    self.running(now, |active, env| {
                        active.act(instance, env, |instance, scene| instance.restored(scene))
                    });
                }
            }
            IpvsToVrrp::VipsRemoved { instance } => {
                if self.know(instance) {
                    self.running(now, |active, env| active.give_up(instance, env));
                }
            }
            IpvsToVrrp::StaticsChanged { group, now: presence } => {
                if self.active.as_ref().is_some_and(|active| active.statics.has(group)) {
                    self.running(now, |active, env| active.statics_changed(group, presence, env));
                } else {
                    self.distrust_ipvs(&format!("track_group {}", group.0));
                }
            }
            IpvsToVrrp::Synced => self.synced(now),
        }
    }

    /// Whether the instance exists; a peer that names one that does not breaks the protocol.
    fn know(&mut self, instance: InstanceIdx) -> bool {
        let known = self.active.as_ref().is_some_and(|active| active.instances.has(instance));
        if !known {
            self.distrust_ipvs(&format!("instance {}", instance.0));
        }
        known
    }

    /// ipvsd speaks of what does not exist. Told once: nothing more is taken from this channel; with another one everything is
    /// said again.
    fn distrust_ipvs(&mut self, what: &str) {
        self.effects.log(Level::Error, format!("ipvsd speaks of {what} which does not exist"));
        self.effects.up(Up::Violation(Role::Ipvs));
        self.ipvs_lost();
    }

    /// ipvsd has said everything: the instances start or go on, and it is told about all of them.
    fn synced(&mut self, now: Mono) {
        let held = core::mem::take(&mut self.held);
        self.running(now, |active, env| {
            env.ipvs = Talk::Later;
            active.links.all_said();
            active.route();
            active.resume(&held, env);
            let all = active.indices();
            active.appraise(&all, env);
            active.say_everything(env.out);
        });
        self.listen();
        self.channel = Channel::Synced;
    }

    /// Opens and closes sockets when others are needed.
    fn listen(&mut self) {
        let wanted = self.active.as_ref().map(Active::listen).unwrap_or_default();
        if wanted != self.listening {
            self.listening.clone_from(&wanted);
            self.effects.listen(wanted);
        }
        let wanted = self.active.as_ref().map(|active| peers(active.bfds.rows().iter())).unwrap_or_default();
        if wanted != self.bfd_peers {
            self.bfd_peers.clone_from(&wanted);
            self.effects.bfd_listen(wanted);
        }
    }

    fn stop(&mut self, now: Mono, mode: StopMode) {
        if self.phase != Phase::Running {
            return;
        }
        let mut waiting = BTreeSet::new();
        self.running(now, |active, env| {
            env.ipvs = Talk::Later;
            for index in active.indices() {
                if active.is_present(index) {
                    waiting.insert(index);
                }
                active.act(index, env, |instance, scene| instance.step(Input::Stop, scene));
            }
            active.stop_groups(env.out);
            active.close_bfds(env.out);
        });
        if self.channel != Channel::Synced || mode.vips == AtStop::Keep {
            waiting.clear();
        }
        for &instance in &waiting {
            self.effects.ipvs(VrrpToIpvs::SetVips { instance, want: Presence::Absent });
        }
        if waiting.is_empty() {
            return self.stopped();
        }
        self.phase = Phase::Stopping { until: now + STOP_PATIENCE, waiting };
    }

    /// ipvsd released something.
    fn released(&mut self, message: &IpvsToVrrp) {
        let Phase::Stopping { waiting, .. } = &mut self.phase else { return };
        if let IpvsToVrrp::VipsApplied { instance, now: Presence::Absent, .. } = message {
            waiting.remove(instance);
        }
        if waiting.is_empty() {
            self.stopped();
        }
    }

    fn stopped(&mut self) {
        self.phase = Phase::Stopped;
        self.effects.up(Up::Stopped);
    }

    fn dump(&mut self, now: Mono, kind: DumpKind) {
        let Some(active) = &mut self.active else { return self.effects.dump("No configuration.\n".into()) };
        let at = dump::Moment { now, day: self.epoch + now.since(Mono::ZERO) };
        let text = match kind {
            DumpKind::Data => dump::data(active, at),
            DumpKind::Stats | DumpKind::StatsClear => dump::stats(active),
            DumpKind::Json => dump::json::text(active, at),
        };
        if kind == DumpKind::StatsClear {
            active.clear_stats();
        }
        self.effects.dump(text);
    }
}
