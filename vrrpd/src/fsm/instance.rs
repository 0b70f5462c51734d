//! One virtual router: its states and transitions (RFC 9568 §6.4).

use super::election::Owner;
use super::garp::Garp;
use super::link::Links;
use super::timers;
use super::track::{Appraisal, Fault, Port, Waiting};
use crate::effects::Effects;
use crate::packet::receive::Heard;
use crate::stats::{Stats, count};
use alloc::format;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use ipc::config::InstanceIdx;
use ipc::config::vrrp::{Instance as Conf, Switch, Version, Wanted};
use ipc::msg::control::NotifyState;
use ipc::msg::vips::{Applied, Presence};
use ipc::report::Level;
use ipc::time::Mono;

/// Shortest advert interval that is kept, whatever the configuration says; the compiler allows no shorter one.
pub const MIN_ADVERT_INT: Duration = Duration::from_millis(10);

/// The states. STOP and DELETED exist for scripts only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is known of its surroundings yet, or the first result of a script is awaited.
    Init,
    /// Listens to a master.
    Backup,
    /// Is the master.
    Master,
    /// Something it tracks keeps it out.
    Fault,
}

impl State {
    /// keepalived's number, for dumps.
    pub fn number(self) -> u8 {
        match self {
            State::Init => 0,
            State::Backup => 1,
            State::Master => 2,
            State::Fault => 3,
        }
    }
}

/// What can happen to an instance. The timers of gratuitous ARP are beside the table: they run in MASTER only.
#[derive(Clone, Debug)]
pub enum Input {
    /// What it tracks was looked at. The first one starts it (RFC 9568 §6.4.1 Startup).
    Appraised(Appraisal),
    /// Its addresses are still in place since an earlier vrrpd was master, and nothing keeps it out.
    Resume(Appraisal),
    /// `Master_Down_Timer` or `Adver_Timer` has run out.
    Expired,
    /// An advert that counts.
    Heard(Heard),
    /// Its sync group says what to be.
    Follow(Follow),
    /// Holdfast ends (RFC 9568 §6.4 Shutdown).
    Stop,
}

/// What a sync group can ask of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// All agree: be master.
    ToMaster,
    /// Another member is backup now.
    ToBackup,
}

/// Which first timer a BACKUP gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BackupFrom {
    /// First state after start.
    Start,
    /// What kept it out is gone.
    Fault,
    /// A master with this priority was heard.
    Master,
    /// Its sync group.
    Group,
}

/// How MASTER came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MasterFrom {
    /// No master was heard, or the group says so.
    Backup,
    /// It was master before vrrpd was restarted.
    Resume,
}

/// The master that is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MasterSeen {
    /// Its address.
    pub addr: Ipv4Addr,
    /// Its priority.
    pub priority: u8,
}

/// What a step of time is seen with.
pub struct Scene<'a> {
    /// The time.
    pub now: Mono,
    /// The interfaces.
    pub links: &'a Links,
    /// `vrrp_startup_delay` runs until then: no transition to MASTER before.
    pub quiet_until: Mono,
    /// Where actions go.
    pub out: &'a mut Effects,
}

/// One `vrrp_instance`.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its index in the running generation.
    pub index: InstanceIdx,
    /// Its configuration.
    pub conf: Conf,
    /// Its state.
    pub state: State,
    /// Effective priority.
    pub priority: u8,
    /// Where it can send.
    pub port: Option<Port>,
    /// Why it is in FAULT.
    pub faults: Vec<Fault>,
    /// `Adver_Timer` in MASTER, `Master_Down_Timer` in BACKUP.
    pub timer: Option<Mono>,
    /// `Master_Adver_Interval`
    pub master_interval: Duration,
    /// The master that was heard last.
    pub master: Option<MasterSeen>,
    /// What it would be if its group let it.
    pub wants: Wanted,
    /// When the preemption delay that a lower-priority advert started ends.
    pub preempt_at: Option<Mono>,
    /// When it entered its state.
    pub since: Mono,
    /// Counters.
    pub stats: Stats,
    /// Advertised addresses in the order of the file.
    pub(super) addrs: Vec<Ipv4Addr>,
    /// The same, sorted.
    pub(super) sorted: Vec<Ipv4Addr>,
    pub(super) garp: Garp,
    pub(super) owner: Owner,
    pub(super) ip_id: u16,
    /// When it last answered a rival.
    pub(super) answered: Option<Mono>,
    /// Reasons that the log has told since the last change of state or master.
    pub(super) told: u32,
    /// Whether a MASTER notification waits for its addresses.
    pub(super) arrival: Arrival,
    waited: Waiting,
    claim: Claim,
    /// What ipvsd was last told, on the present channel and generation.
    said: Option<Presence>,
}

/// Whether it has just heard no master for long enough, and its group is to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    None,
    Made,
}

/// Whether the scripts have yet to hear that it is MASTER: they are told when the addresses are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Told,
    Pending,
}

impl Instance {
    /// An instance in INIT.
    pub fn new(index: InstanceIdx, conf: Conf) -> Self {
        let mut instance = Instance {
            index,
            state: State::Init,
            priority: conf.priority,
            port: None,
            faults: Vec::new(),
            timer: None,
            master_interval: conf.advert_int.max(MIN_ADVERT_INT),
            master: None,
            wants: conf.wanted,
            preempt_at: None,
            since: Mono::ZERO,
            stats: Stats::default(),
            addrs: Vec::new(),
            sorted: Vec::new(),
            garp: Garp::default(),
            owner: Owner::Sole,
            ip_id: 0,
            answered: None,
            told: 0,
            arrival: Arrival::Told,
            waited: Waiting::No,
            claim: Claim::None,
            said: None,
            conf,
        };
        instance.index_addrs();
        instance
    }

    /// Works out the address lists from the configuration.
    pub(super) fn index_addrs(&mut self) {
        self.addrs = self
            .conf
            .vips
            .iter()
            .filter_map(|vip| match vip.addr {
                IpAddr::V4(addr) => Some(addr),
                IpAddr::V6(_) => None,
            })
            .take(crate::packet::advert::MAX_ADDRS)
            .collect();
        self.sorted = self.addrs.clone();
        self.sorted.sort_unstable();
    }

    /// Own advert interval.
    pub fn advert_int(&self) -> Duration {
        self.conf.advert_int.max(MIN_ADVERT_INT)
    }

    /// `Skew_Time` at the master's interval.
    pub fn skew_time(&self) -> Duration {
        timers::skew_time(self.conf.version, self.priority, self.master_interval)
    }

    /// `Master_Down_Interval`
    pub fn master_down_interval(&self) -> Duration {
        timers::master_down_interval(self.conf.version, self.priority, self.master_interval, self.conf.down_timer_adverts)
    }

    /// Whether its addresses shall be there.
    pub fn presence(&self) -> Presence {
        match self.state {
            State::Master => Presence::Present,
            State::Init | State::Backup | State::Fault => Presence::Absent,
        }
    }

    /// When it next wants to be woken.
    pub fn deadline(&self) -> Option<Mono> {
        match (self.timer, self.garp.deadline()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Whether it has just claimed to be master; the claim is taken.
    pub fn claims(&mut self) -> bool {
        core::mem::replace(&mut self.claim, Claim::None) == Claim::Made
    }

    /// What ipvsd is to be told, when that is news.
    pub fn unsaid(&mut self) -> Option<Presence> {
        let want = self.presence();
        (self.said.replace(want) != Some(want)).then_some(want)
    }

    /// What ipvsd was told counts no longer.
    pub fn unsay(&mut self) {
        self.said = None;
    }

    /// Whether it waits for the first result of a script.
    pub fn is_waiting(&self) -> bool {
        self.state == State::Init && self.waited == Waiting::Yes
    }

    /// Advertised addresses, sorted.
    pub fn sorted_addrs(&self) -> &[Ipv4Addr] {
        &self.sorted
    }

    /// Whether the address list of an advert from `source` is compared (`skip_check_adv_addr`).
    pub fn compares_list(&self, source: Ipv4Addr) -> Switch {
        let known = self.state == State::Backup && self.master.is_some_and(|master| master.addr == source);
        if known && self.conf.skip_check_adv_addr == Switch::On { Switch::Off } else { Switch::On }
    }

    /// Does what is due.
    pub fn expire(&mut self, scene: &mut Scene<'_>) {
        if self.timer.is_some_and(|due| due <= scene.now) {
            self.step(Input::Expired, scene);
        }
        if self.state == State::Master {
            self.garp_expire(scene);
        }
    }

    /// The transitions: every pair is named.
    pub fn step(&mut self, input: Input, scene: &mut Scene<'_>) {
        match (self.state, input) {
            // RFC 9568 §6.4.1 Initialize.
            (State::Init, Input::Appraised(appraisal)) => self.start(appraisal, scene),
            (State::Init, Input::Resume(appraisal)) => {
                self.take(&appraisal);
                self.enter_master(MasterFrom::Resume, scene);
            }

            // RFC 9568 §6.4.2 Backup.
            (State::Backup, Input::Appraised(appraisal)) => self.reappraise(appraisal, scene),
            (State::Backup, Input::Expired) => self.master_is_down(scene),
            (State::Backup, Input::Heard(heard)) => self.backup_hears(heard, scene),
            (State::Backup, Input::Follow(Follow::ToMaster)) => self.enter_master(MasterFrom::Backup, scene),

            // RFC 9568 §6.4.3 Active.
            (State::Master, Input::Appraised(appraisal)) => self.reappraise(appraisal, scene),
            (State::Master, Input::Expired) => self.advertise_on_time(scene),
            (State::Master, Input::Heard(heard)) => self.master_hears(heard, scene),
            (State::Master, Input::Follow(Follow::ToBackup)) => self.enter_backup(BackupFrom::Group, scene),

            // COMPAT: keepalived's FAULT, which the RFC does not have.
            (State::Fault, Input::Appraised(appraisal)) => self.reappraise(appraisal, scene),

            (State::Master, Input::Stop) => self.stop(scene),
            (State::Init | State::Backup | State::Fault, Input::Stop) => self.stop(scene),

            // Addresses in place mean nothing to one that has decided already.
            (State::Backup | State::Master | State::Fault, Input::Resume(_)) => {}
            // No timer runs.
            (State::Init | State::Fault, Input::Expired) => self.timer = None,
            // RFC 9568 §6.4.1: before the start nothing is heard.
            (State::Init | State::Fault, Input::Heard(_)) => {}
            // It is that already, or must not be.
            (State::Init | State::Fault, Input::Follow(_)) => {}
            (State::Backup, Input::Follow(Follow::ToBackup)) => {}
            (State::Master, Input::Follow(Follow::ToMaster)) => {}
        }
    }

    fn start(&mut self, appraisal: Appraisal, scene: &mut Scene<'_>) {
        self.take(&appraisal);
        if !self.faults.is_empty() {
            self.enter_fault(scene);
        } else if appraisal.waiting == Waiting::Yes {
            self.waited = Waiting::Yes;
        } else if self.waited == Waiting::Yes {
            self.enter_backup(BackupFrom::Fault, scene);
        } else {
            self.enter_backup(BackupFrom::Start, scene);
        }
    }

    /// Something it tracks may have changed.
    fn reappraise(&mut self, appraisal: Appraisal, scene: &mut Scene<'_>) {
        let before = (self.priority, self.master_down_interval());
        let faulty = !self.faults.is_empty();
        self.take(&appraisal);
        if self.priority != before.0 {
            let text = format!("({}) Changing effective priority from {} to {}", self.conf.name, before.0, self.priority);
            scene.out.log(Level::Info, text);
            self.shift_master_down(before.1);
        }
        match (faulty, self.faults.is_empty()) {
            (false, false) => self.enter_fault(scene),
            (true, true) => self.enter_backup(BackupFrom::Fault, scene),
            (true, false) | (false, true) => {}
        }
    }

    /// Makes the appraisal its own; the state is not touched.
    fn take(&mut self, appraisal: &Appraisal) {
        self.faults.clone_from(&appraisal.faults);
        self.port = appraisal.port;
        self.priority = self.owned_priority(appraisal.priority);
    }

    /// COMPAT: keepalived 2.4.3: the running Master_Down_Timer moves by the difference of the intervals.
    pub(super) fn shift_master_down(&mut self, before: Duration) {
        if self.state != State::Backup {
            return;
        }
        let after = self.master_down_interval();
        self.timer = self.timer.map(|due| if after >= before { due + (after - before) } else { due - (before - after) });
    }

    /// RFC 9568 §6.4.2 (130): no master was heard for long enough.
    fn master_is_down(&mut self, scene: &mut Scene<'_>) {
        scene.out.log(Level::Detail, format!("({}) Receive advertisement timeout", self.conf.name));
        if scene.now < scene.quiet_until {
            self.timer = Some(scene.quiet_until + self.master_down_interval());
            return;
        }
        self.wants = Wanted::Master;
        if self.conf.group.is_some() {
            // The group decides; until it agrees, the master is listened for again.
            self.claim = Claim::Made;
            self.timer = Some(scene.now + self.master_down_interval());
            return;
        }
        self.enter_master(MasterFrom::Backup, scene);
    }

    /// RFC 9568 §6.4.3 (310): an advert is due. It is timed from when it was due, so that late wake-ups do not add up;
    /// intervals that were slept through are not made up for.
    fn advertise_on_time(&mut self, scene: &mut Scene<'_>) {
        let due = self.timer.unwrap_or(scene.now);
        self.send_advert(scene);
        let next = due + self.advert_int();
        self.timer = Some(if next > scene.now { next } else { scene.now + self.advert_int() });
    }

    /// An advert out of turn; the next one is an interval later.
    pub(super) fn advertise_now(&mut self, scene: &mut Scene<'_>) {
        self.send_advert(scene);
        self.timer = Some(scene.now + self.advert_int());
    }

    /// A master with better claims was heard.
    pub(super) fn give_way(&mut self, heard: &Heard, scene: &mut Scene<'_>) {
        self.wants = Wanted::Backup;
        self.enter_backup(BackupFrom::Master, scene);
        self.accept(heard, scene);
    }

    fn enter_master(&mut self, from: MasterFrom, scene: &mut Scene<'_>) {
        let text = match from {
            MasterFrom::Backup => format!("({}) Entering MASTER STATE", self.conf.name),
            MasterFrom::Resume => format!("({}) Entering MASTER STATE (its addresses are in place)", self.conf.name),
        };
        scene.out.log(Level::Info, text);
        self.change(State::Master, scene.now);
        self.wants = Wanted::Master;
        self.owner_again();
        self.master_interval = self.advert_int();
        self.master = None;
        self.preempt_at = None;
        count(&mut self.stats.become_master);
        // RFC 9568 §6.4.2 (135)-(160): advert first, then addresses (the router says so), then ARP (when they are there).
        self.advertise_now(scene);
        self.garp.await_addresses();
        self.arrival = Arrival::Pending;
    }

    fn enter_backup(&mut self, from: BackupFrom, scene: &mut Scene<'_>) {
        let suffix = if from == BackupFrom::Start { " (init)" } else { "" };
        scene.out.log(Level::Info, format!("({}) Entering BACKUP STATE{suffix}", self.conf.name));
        self.leave_master();
        self.change(State::Backup, scene.now);
        self.master_interval = self.advert_int();
        self.master = None;
        self.preempt_at = None;
        if from == BackupFrom::Start {
            self.wants = self.conf.wanted;
        }
        let begin = scene.now.max(scene.quiet_until);
        self.timer = Some(begin + self.first_wait(from));
        self.notify(NotifyState::Backup, scene.out);
    }

    /// How long BACKUP waits for a first advert. COMPAT: keepalived 2.4.3, behaviour of `state MASTER` and of an owner.
    fn first_wait(&self, from: BackupFrom) -> Duration {
        let owner = self.conf.priority == 255;
        let quick = || self.advert_int() + timers::skew_time(self.conf.version, 255, self.advert_int());
        match (from, self.wants) {
            (BackupFrom::Start, Wanted::Master) if owner => Duration::ZERO,
            (BackupFrom::Start, Wanted::Master) => quick(),
            (BackupFrom::Fault, Wanted::Master) if owner => quick(),
            (BackupFrom::Start | BackupFrom::Fault | BackupFrom::Master | BackupFrom::Group, _) => self.master_down_interval(),
        }
    }

    fn enter_fault(&mut self, scene: &mut Scene<'_>) {
        if self.state == State::Master {
            // COMPAT: keepalived sends it twice on this way out; a peer that misses one hears the other.
            self.send_resignation(scene);
            self.send_resignation(scene);
        }
        scene.out.log(Level::Info, format!("({}) Entering FAULT STATE", self.conf.name));
        self.leave_master();
        self.change(State::Fault, scene.now);
        self.timer = None;
        self.master = None;
        self.preempt_at = None;
        self.notify(NotifyState::Fault, scene.out);
    }

    /// RFC 9568 §6.4.2 (180), §6.4.3 (330): Shutdown. Addresses are released by the router.
    fn stop(&mut self, scene: &mut Scene<'_>) {
        if self.state == State::Master {
            self.send_resignation(scene);
        }
        self.leave_master();
        self.change(State::Init, scene.now);
        self.timer = None;
        self.notify(NotifyState::Stop, scene.out);
    }

    /// What ends with being master.
    fn leave_master(&mut self) {
        if self.state == State::Master {
            count(&mut self.stats.release_master);
        }
        self.garp.cancel();
        self.arrival = Arrival::Told;
    }

    fn change(&mut self, state: State, now: Mono) {
        self.state = state;
        self.since = now;
        self.told = 0;
        self.answered = None;
    }

    /// ipvsd has put the addresses in place or taken them away.
    pub fn applied(&mut self, now_is: Presence, result: Applied, scene: &mut Scene<'_>) {
        match (self.state, now_is) {
            (State::Master, Presence::Present) => {
                self.garp_applied(result, scene);
                if self.arrival == Arrival::Pending {
                    self.arrival = Arrival::Told;
                    self.notify(NotifyState::Master, scene.out);
                }
            }
            // On its way: the wanted state has been said already.
            (State::Master, Presence::Absent) => {}
            (State::Init | State::Backup | State::Fault, _) => {}
        }
    }

    /// Version 3 learns the master's interval (RFC 9568 §6.1).
    pub(super) fn learn_interval(&mut self, interval: Duration) {
        self.master_interval = match self.conf.version {
            Version::V2 => self.advert_int(),
            Version::V3 => interval.max(MIN_ADVERT_INT),
        };
    }
}
