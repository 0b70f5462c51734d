//! What the tracked things mean for one instance: whether it may take part at all, and with which priority. Everything is
//! worked out anew from the present state of all of them, so that nothing can drift: two interfaces that are down are two faults.

use super::file::File;
use super::instance::{Instance as Live, State};
use super::link::{self, Known, Links};
use super::processes::Processes;
use super::script::{Script, Verdict};
use super::twins::Twins;
use crate::bfd::session::{Session, Standing};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::vrrp::{Instance, Switch, Transport, Weight};
use ipc::config::vrrp_track::TrackGroup;
use ipc::config::{BfdIdx, FileIdx, LinkIdx, TrackGroupIdx, TrackProcessIdx, TrackScriptIdx};
use ipc::msg::vips::{LinkFacts, Multicast, Presence};
use ipc::net::Family;
use ipc::table::Table;

/// What instances of one generation may track, as it stands now.
#[derive(Clone, Copy, Debug)]
pub struct Tracked<'a> {
    /// Interfaces.
    pub links: &'a Links,
    /// Scripts.
    pub scripts: &'a Table<TrackScriptIdx, Script>,
    /// Files.
    pub files: &'a Table<FileIdx, File>,
    /// BFD sessions.
    pub bfds: &'a Table<BfdIdx, Session>,
    /// `track_group`s.
    pub statics: &'a Statics,
    /// Processes.
    pub processes: &'a Processes,
    /// How a session that is fresh, or a process that has not been looked for, counts for an instance that is not master. For a master it
    /// counts as up.
    pub fresh: Verdict,
    /// Instances that may turn out to be one virtual router.
    pub twins: &'a Twins,
}

/// Something static that instances follow, and whether all of it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticGroup {
    /// Its configuration.
    pub conf: TrackGroup,
    /// What ipvsd said last.
    pub now: Presence,
}

/// All `track_group`s.
pub type Statics = Table<TrackGroupIdx, StaticGroup>;

/// Why an instance is in FAULT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An interface does not exist.
    LinkMissing(LinkIdx),
    /// An interface is down.
    LinkDown(LinkIdx),
    /// A `reverse` interface is up.
    LinkUp(LinkIdx),
    /// A script fails (or succeeds, with `reverse`).
    Script(TrackScriptIdx),
    /// The number in a file says so.
    File(FileIdx),
    /// A BFD session is not up.
    BfdDown(BfdIdx),
    /// A BFD session is up, with `reverse`.
    BfdUp(BfdIdx),
    /// Too few or too many of a process run.
    ProcessDown(TrackProcessIdx),
    /// Enough of a process run, with `reverse`.
    ProcessUp(TrackProcessIdx),
    /// Something static of a `track_group` is missing.
    StaticsMissing(TrackGroupIdx),
    /// Its interface has no address of its family to send from.
    NoSource(LinkIdx),
    /// `track_src_ip`: the configured source address is not on the interface.
    SourceMissing(IpAddr),
    /// Multicast on an interface that cannot.
    NoMulticast(LinkIdx),
    /// `unicast_fault_no_peer`: unicast is asked for, and there is no peer.
    NoPeer,
    /// An earlier instance is the same virtual router, on this interface, which leads to the same network.
    Twin(LinkIdx),
    /// Another member of its sync group is in FAULT.
    Group,
}

impl Fault {
    /// What the log says of it: what is wrong, the line that makes it matter, and where it is not plain from that, what to do.
    pub fn describe(self, live: &Live, tracked: Tracked<'_>) -> String {
        let conf = &live.conf;
        let Tracked { links, scripts, files, bfds, processes, statics, .. } = tracked;
        let origin = |link| conf.track_links.iter().find(|t| t.link == link).map_or(&conf.origin, |t| &t.origin);
        let bfd = |bfd, what| {
            let session = bfds.at(bfd).map(|session| &session.conf);
            session
                .map_or_else(String::new, |session| format!("BFD session {} {what} ({})", session.name, session.origin))
        };
        match self {
            Fault::LinkMissing(link) if live.options.own_link == Some(link) => {
                format!("interface {} is not made yet ({})", links.name(link), origin(link))
            }
            Fault::LinkMissing(link) => format!(
                "interface {} does not exist ({}); waiting for it to appear: create it, or correct its name",
                links.name(link),
                origin(link)
            ),
            Fault::LinkDown(link) => format!("interface {} is down ({})", links.name(link), origin(link)),
            Fault::LinkUp(link) => {
                format!("interface {} is up, and tracked in reverse ({})", links.name(link), origin(link))
            }
            Fault::Script(index) => scripts.at(index).map_or_else(String::new, |script| {
                format!("script {} {} ({})", script.conf.name, script.last_words(), script.conf.origin)
            }),
            Fault::File(index) => files.at(index).map_or_else(String::new, |file| {
                let number = file.number.unwrap_or_default();
                format!("tracked file {} now FAULT state: the number in it is {number} ({})", file.name, file.origin)
            }),
            Fault::BfdDown(index) => bfd(index, "is not up"),
            Fault::BfdUp(index) => bfd(index, "is up, and tracked in reverse"),
            Fault::ProcessDown(index) => processes
                .at(index)
                .map_or_else(String::new, |process| format!("{} ({})", process.words(), process.conf.origin)),
            Fault::ProcessUp(index) => processes.at(index).map_or_else(String::new, |process| {
                format!("{}; it is tracked in reverse ({})", process.words(), process.conf.origin)
            }),
            Fault::StaticsMissing(index) => statics.at(index).map_or_else(String::new, |group| {
                format!(
                    "an address, a route or a rule of track_group {} is missing ({})",
                    group.conf.name, group.conf.origin
                )
            }),
            Fault::NoSource(link) => format!(
                "interface {} has no {} to send adverts from; add one, or set mcast_src_ip or unicast_src_ip ({})",
                links.name(link),
                match conf.family {
                    Family::V4 => "IPv4 address",
                    Family::V6 => "link-local IPv6 address",
                },
                conf.origin
            ),
            Fault::SourceMissing(addr) => format!(
                "source address {addr} is not on interface {} (track_src_ip, {})",
                links.name(conf.link),
                conf.origin
            ),
            Fault::NoMulticast(link) => {
                format!("interface {} cannot multicast; use unicast_peer ({})", links.name(link), conf.origin)
            }
            Fault::Twin(link) => format!(
                "virtual_router_id {} is that of another instance on interface {}, which {} leads to as well; give one of them another \
                 number ({})",
                conf.vrid,
                links.name(link),
                links.name(conf.link),
                conf.origin
            ),
            Fault::NoPeer => format!("it has no unicast_peer; add one ({})", conf.origin),
            Fault::Group => "another member of its sync group is in FAULT".into(),
        }
    }
}

/// Where adverts leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Kernel index of the interface.
    pub ifindex: u32,
    /// Source address of adverts; also what breaks a tie.
    pub source: IpAddr,
    /// Whether packets can pass just now.
    pub carrier: Carrier,
}

/// Whether packets can pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// They can.
    Yes,
    /// They cannot.
    No,
}

/// What all tracked things together mean for an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appraisal {
    /// Why it must be in FAULT; empty when it need not.
    pub faults: Vec<Fault>,
    /// Whether a script that could put it in FAULT has yet to say something.
    pub waiting: Waiting,
    /// Its priority, before an owner conflict is considered.
    pub priority: u8,
    /// Where it can send, if anywhere.
    pub port: Option<Port>,
}

/// Whether the first result of a script is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl Live {
    /// What it tracks now.
    pub fn appraise(&self, tracked: Tracked<'_>) -> Appraisal {
        let mut sum = Sum { faults: Vec::new(), waiting: Waiting::No, bonus: 0 };
        sum.links(&self.conf, tracked.links);
        sum.scripts(&self.conf, tracked.scripts);
        sum.files(self, tracked.files);
        sum.bfds(self, tracked);
        sum.processes(self, tracked);
        sum.statics(self, tracked.statics);
        let port = port(&self.conf, self.speaks_on(), tracked.links, &mut sum.faults);
        let multicast = matches!(self.conf.transport, Transport::Multicast { .. });
        if self.options.unicast_fault_no_peer == Switch::On && multicast {
            sum.faults.push(Fault::NoPeer);
        }
        tracked.twins.faults(self, tracked.links, &mut sum.faults);
        let Sum { faults, waiting, bonus } = sum;
        Appraisal { faults, waiting, priority: effective(self.conf.priority, bonus), port }
    }
}

/// What one tracked thing after another adds.
pub(super) struct Sum {
    /// Why it must be in FAULT.
    pub faults: Vec<Fault>,
    /// Whether something has yet to say its first word.
    pub waiting: Waiting,
    /// What is added to the priority.
    pub bonus: i32,
}

impl Sum {
    fn links(&mut self, conf: &Instance, links: &Links) {
        for tracked in &conf.track_links {
            let Some(link) = links.at(tracked.link) else { continue };
            let (state, down) = match &link.known {
                Known::Nothing => continue,
                Known::Missing => (Verdict::Down, Fault::LinkMissing(tracked.link)),
                Known::There(facts) if link::is_up(facts) => (Verdict::Up, Fault::LinkDown(tracked.link)),
                Known::There(_) => (Verdict::Down, Fault::LinkDown(tracked.link)),
            };
            self.add(tracked.weight, state, down, Fault::LinkUp(tracked.link));
        }
    }

    fn scripts(&mut self, conf: &Instance, scripts: &Table<TrackScriptIdx, Script>) {
        for tracked in &conf.track_scripts {
            let Some(script) = scripts.at(tracked.script) else { continue };
            if tracked.weight.value == 0 && script.verdict == Verdict::Awaited {
                self.waiting = Waiting::Yes;
            }
            let fault = Fault::Script(tracked.script);
            self.add(tracked.weight, script.verdict, fault, fault);
        }
    }

    fn bfds(&mut self, live: &Live, tracked: Tracked<'_>) {
        for used in &live.options.track_bfds {
            let Some(session) = tracked.bfds.at(used.bfd) else { continue };
            let state = match session.standing() {
                Standing::Up => Verdict::Up,
                Standing::Down => Verdict::Down,
                Standing::Fresh if live.state == State::Master => Verdict::Up,
                Standing::Fresh => tracked.fresh,
            };
            self.add(used.weight, state, Fault::BfdDown(used.bfd), Fault::BfdUp(used.bfd));
        }
    }

    fn processes(&mut self, live: &Live, tracked: Tracked<'_>) {
        for used in &live.options.track_processes {
            let Some(process) = tracked.processes.at(used.process) else { continue };
            let held = live.state == State::Master || tracked.fresh == Verdict::Up;
            let state = match process.verdict {
                Verdict::Awaited | Verdict::Unknown if held => Verdict::Up,
                verdict => verdict,
            };
            if used.weight.value == 0 && state == Verdict::Awaited {
                self.waiting = Waiting::Yes;
            }
            self.add(used.weight, state, Fault::ProcessDown(used.process), Fault::ProcessUp(used.process));
        }
    }

    fn statics(&mut self, live: &Live, statics: &Statics) {
        let missing = statics.iter().filter(|(_, group)| group.now == Presence::Absent);
        let its = missing.filter(|(_, group)| group.conf.members.contains(&live.index));
        self.faults.extend(its.map(|(index, _)| Fault::StaticsMissing(index)));
    }

    /// With a weight a thing changes the priority; without, it is a fault: `down` when it is down, `up` when it is up and tracked in
    /// reverse.
    fn add(&mut self, weight: Weight, state: Verdict, down: Fault, up: Fault) {
        if weight.value != 0 {
            self.bonus = self.bonus.saturating_add(contribution(weight, state));
        } else if is_fault(weight, state) {
            self.faults.push(if state == Verdict::Up { up } else { down });
        }
    }
}

/// What a weighted thing adds. COMPAT: a positive weight counts while it is up, a negative one while it is down; `reverse`
/// changes the sign. Before the first result it counts nothing.
fn contribution(weight: Weight, state: Verdict) -> i32 {
    let value = i32::from(weight.value);
    let counted = match state {
        Verdict::Up => value.max(0),
        Verdict::Down => value.min(0),
        Verdict::Awaited | Verdict::Unknown => 0,
    };
    match weight.reverse {
        Switch::Off => counted,
        Switch::On => counted.saturating_neg(),
    }
}

/// Whether a thing with weight 0 is a fault.
fn is_fault(weight: Weight, state: Verdict) -> bool {
    match (state, weight.reverse) {
        (Verdict::Down, Switch::Off) | (Verdict::Up, Switch::On) => true,
        (Verdict::Up, Switch::Off) | (Verdict::Down, Switch::On) | (Verdict::Awaited | Verdict::Unknown, _) => false,
    }
}

/// The priority with everything added: 1..=254, but an owner stays an owner.
fn effective(base: u8, bonus: i32) -> u8 {
    if base == 255 {
        return base;
    }
    u8::try_from(i32::from(base).saturating_add(bonus).clamp(1, 254)).unwrap_or(1)
}

/// Where the instance can send; what prevents it is added to `faults`.
fn port(conf: &Instance, speaks_on: LinkIdx, links: &Links, faults: &mut Vec<Fault>) -> Option<Port> {
    let link = links.at(speaks_on)?;
    let facts = match &link.known {
        Known::Nothing => return None,
        Known::Missing => {
            let fault = Fault::LinkMissing(speaks_on);
            if !faults.contains(&fault) {
                faults.push(fault);
            }
            return None;
        }
        Known::There(facts) => facts,
    };
    if matches!(conf.transport, Transport::Multicast { .. }) && facts.multicast == Multicast::No {
        faults.push(Fault::NoMulticast(speaks_on));
    }
    let source = source(conf, facts, links.facts(conf.link), faults)?;
    let carrier = if links.carries(speaks_on) { Carrier::Yes } else { Carrier::No };
    Some(Port { ifindex: facts.ifindex, source, carrier })
}

/// COMPAT: the configured address, else the primary one of the instance's interface, else (IPv6) the link-local one of the interface that
/// it speaks on.
fn source(conf: &Instance, facts: &LinkFacts, base: Option<&LinkFacts>, faults: &mut Vec<Fault>) -> Option<IpAddr> {
    if let Some(addr) = conf.source {
        if conf.track_source == Switch::On && !base.is_some_and(|base| base.addrs.contains(&addr)) {
            faults.push(Fault::SourceMissing(addr));
        }
        return Some(addr);
    }
    let own = match conf.family {
        Family::V4 => base.and_then(|base| base.primary).map(IpAddr::V4),
        Family::V6 => facts.link_local.map(IpAddr::V6),
    };
    if own.is_none() {
        faults.push(Fault::NoSource(conf.link));
    }
    own
}
