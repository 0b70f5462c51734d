//! One virtual router: its states and transitions (RFC 9568 §6.4).

use super::election::Owner;
use super::garp::Garp;
use super::link::Links;
use super::pace::Paces;
use super::signature::Signatures;
use super::timers;
use super::track::{Appraisal, Fault, Port, Waiting};
use crate::effects::Effects;
use crate::packet::receive::Heard;
use crate::stats::Stats;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::InstanceIdx;
use ipc::config::LinkIdx;
use ipc::config::vrrp::{Instance as Conf, Switch, Transport, Version, Wanted};
use ipc::config::vrrp_options::{InstanceOptions, OldChecksum};
use ipc::msg::vips::Presence;
use ipc::net::Family;
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
    /// Somebody else has removed an address, a route or a rule of it or of its group, and that shall cost it being master.
    Removed,
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
    /// Another member had to answer a rival: announce as well.
    Announce,
}

/// The master that is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MasterSeen {
    /// Its address.
    pub addr: IpAddr,
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
    /// Time since 1970, for signatures.
    pub day: Duration,
    /// Announcements that wait their turn.
    pub paces: &'a mut Paces,
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
    /// What else it asks for.
    pub options: InstanceOptions,
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
    pub(super) addrs: Vec<IpAddr>,
    /// The same, sorted.
    pub(super) sorted: Vec<IpAddr>,
    pub(super) garp: Garp,
    pub(super) owner: Owner,
    pub(super) ip_id: u16,
    /// `auth_hmac`
    pub(super) signatures: Option<Signatures>,
    /// Last sequence number of an authentication header, sent or heard. COMPAT: keepalived has one for both.
    pub(super) ah_sequence: u32,
    /// `old_unicast_checksum`, or a peer needs it.
    pub(super) old_sum: Switch,
    /// When it last answered a rival.
    pub(super) answered: Option<Mono>,
    /// Reasons that the log has told since the last change of state or master.
    pub(super) told: u32,
    /// When that was forgotten last.
    pub(super) told_since: Mono,
    /// Whether a MASTER notification waits for its addresses.
    pub(super) arrival: Arrival,
    /// Whether the first result of a script has been waited for.
    pub(super) waited: Waiting,
    pub(super) claim: Claim,
    /// What ipvsd was last told, on the present channel and generation.
    said: Option<Presence>,
}

/// What has just happened to a member that concerns its whole group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing.
    None,
    /// No master was heard for long enough.
    Master,
    /// A lower-priority router claimed to be master and was answered.
    Rival,
}

/// Whether the scripts have yet to hear that it is MASTER: they are told when the addresses are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Told,
    Pending,
}

impl Instance {
    /// The interface that its adverts leave by and come in by. COMPAT: keepalived 2.4.3: that of `use_vmac`, unless
    /// `vmac_xmit_base` says otherwise; unicast always leaves by the interface itself. 2.2.7, measured: that of `use_ipvlan` always.
    pub fn speaks_on(&self) -> LinkIdx {
        let Some(own) = self.options.own_link else { return self.conf.link };
        match (&self.options.vmac, self.options.vmac_xmit_base, &self.conf.transport) {
            (None, ..) | (_, Switch::Off, Transport::Multicast { .. }) => own,
            _ => self.conf.link,
        }
    }

    /// An instance in INIT.
    pub fn new(index: InstanceIdx, conf: Conf, options: InstanceOptions) -> Self {
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
            signatures: Signatures::new(&conf, options.hmac.as_ref()),
            ah_sequence: 0,
            old_sum: old_sum(&options),
            answered: None,
            told: 0,
            told_since: Mono::ZERO,
            arrival: Arrival::Told,
            waited: Waiting::No,
            claim: Claim::None,
            said: None,
            conf,
            options,
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
            .map(|vip| vip.addr)
            .filter(|addr| Family::of(*addr) == self.conf.family)
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
        timers::master_down_interval(
            self.conf.version,
            self.priority,
            self.master_interval,
            self.conf.down_timer_adverts,
        )
    }

    /// For how long its interface may be down before it would take itself for the only router. COMPAT: keepalived 2.4.3.
    pub fn longest_deafness(&self) -> Duration {
        let intervals = u32::from(self.conf.down_timer_adverts).saturating_sub(1);
        self.master_interval.saturating_mul(intervals).saturating_sub(self.master_interval / 256)
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

    /// What concerns its group; taken.
    pub fn claim(&mut self) -> Claim {
        core::mem::replace(&mut self.claim, Claim::None)
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

    /// Whether the address list of an advert from `source` is compared (`skip_check_adv_addr`).
    pub fn compares_list(&self, source: IpAddr) -> Switch {
        let known = self.state == State::Backup && self.master.is_some_and(|master| master.addr == source);
        if known && self.conf.skip_check_adv_addr == Switch::On { Switch::Off } else { Switch::On }
    }

    /// Version 3 learns the master's interval (RFC 9568 §6.1).
    pub(super) fn learn_interval(&mut self, interval: Duration) {
        self.master_interval = match self.conf.version {
            Version::V2 => self.advert_int(),
            Version::V3 => interval.max(MIN_ADVERT_INT),
        };
    }
}

/// What `old_unicast_checksum` says before a peer has been heard.
pub(super) fn old_sum(options: &InstanceOptions) -> Switch {
    if options.old_unicast_checksum == OldChecksum::Always { Switch::On } else { Switch::Off }
}
