//! What the tracked things mean for one instance: whether it may take part at all, and with which priority. Everything is
//! worked out anew from the present state of all of them, so that nothing can drift: two interfaces that are down are two faults.

use super::file::File;
use super::instance::Instance as Live;
use super::link::{self, Known, Links};
use super::script::{Script, Verdict};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::vrrp::{Instance, Switch, Transport, Weight};
use ipc::config::{FileIdx, LinkIdx, TrackScriptIdx};
use ipc::msg::vips::{LinkFacts, Multicast};
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
}

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
    /// Its interface has no address of its family to send from.
    NoSource(LinkIdx),
    /// `track_src_ip`: the configured source address is not on the interface.
    SourceMissing(IpAddr),
    /// Multicast on an interface that cannot.
    NoMulticast(LinkIdx),
    /// `unicast_fault_no_peer`: unicast is asked for, and there is no peer.
    NoPeer,
    /// Another member of its sync group is in FAULT.
    Group,
}

impl Fault {
    /// What the log says of it.
    pub fn describe(self, conf: &Instance, tracked: Tracked<'_>) -> String {
        let Tracked { links, scripts, files } = tracked;
        let script = |script| scripts.at(script).map_or("?", |script| script.conf.name.as_str());
        let file = |file| files.at(file).map_or("?", |file| file.name.as_str());
        match self {
            Fault::LinkMissing(link) => {
                format!("interface {} does not exist ({}); waiting for it to appear", links.name(link), conf.origin)
            }
            Fault::LinkDown(link) => format!("interface {} is down", links.name(link)),
            Fault::LinkUp(link) => format!("interface {} is up, and tracked in reverse", links.name(link)),
            Fault::Script(index) => format!("script {} is not as it should be", script(index)),
            Fault::File(index) => format!("tracked file {} now FAULT state", file(index)),
            Fault::NoSource(link) => format!(
                "interface {} has no {} to send adverts from; add one, or set mcast_src_ip or unicast_src_ip ({})",
                links.name(link),
                match conf.family {
                    Family::V4 => "IPv4 address",
                    Family::V6 => "link-local IPv6 address",
                },
                conf.origin
            ),
            Fault::SourceMissing(addr) => {
                format!("source address {addr} is not on interface {} (track_src_ip)", links.name(conf.link))
            }
            Fault::NoMulticast(link) => {
                format!("interface {} cannot multicast; use unicast_peer ({})", links.name(link), conf.origin)
            }
            Fault::NoPeer => format!("it has no unicast_peer ({})", conf.origin),
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
        let (mut appraisal, bonus) = appraise(&self.conf, tracked);
        let files = self.appraise_files(tracked.files, &mut appraisal);
        appraisal.priority = effective(self.conf.priority, bonus.saturating_add(files));
        let multicast = matches!(self.conf.transport, Transport::Multicast { .. });
        if self.options.unicast_fault_no_peer == Switch::On && multicast {
            appraisal.faults.push(Fault::NoPeer);
        }
        appraisal
    }
}

/// What interfaces and scripts mean for it; its priority is without what they add, which is the second part.
fn appraise(conf: &Instance, tracked: Tracked<'_>) -> (Appraisal, i32) {
    let Tracked { links, scripts, .. } = tracked;
    let mut faults = Vec::new();
    let mut waiting = Waiting::No;
    let mut bonus = 0i32;

    for tracked in &conf.track_links {
        let Some(link) = links.at(tracked.link) else { continue };
        let state = match &link.known {
            Known::Nothing => continue,
            Known::Missing => Verdict::Down,
            Known::There(facts) if link::is_up(facts) => Verdict::Up,
            Known::There(_) => Verdict::Down,
        };
        if tracked.weight.value != 0 {
            bonus = bonus.saturating_add(contribution(tracked.weight, state));
        } else if is_fault(tracked.weight, state) {
            faults.push(match (&link.known, state) {
                (Known::Missing, _) => Fault::LinkMissing(tracked.link),
                (_, Verdict::Up) => Fault::LinkUp(tracked.link),
                _ => Fault::LinkDown(tracked.link),
            });
        }
    }
    for tracked in &conf.track_scripts {
        let Some(script) = scripts.at(tracked.script) else { continue };
        if tracked.weight.value != 0 {
            bonus = bonus.saturating_add(contribution(tracked.weight, script.verdict));
        } else if script.verdict == Verdict::Awaited {
            waiting = Waiting::Yes;
        } else if is_fault(tracked.weight, script.verdict) {
            faults.push(Fault::Script(tracked.script));
        }
    }
    let port = port(conf, links, &mut faults);
    (Appraisal { faults, waiting, priority: conf.priority, port }, bonus)
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
fn port(conf: &Instance, links: &Links, faults: &mut Vec<Fault>) -> Option<Port> {
    let link = links.at(conf.link)?;
    let facts = match &link.known {
        Known::Nothing => return None,
        Known::Missing => {
            let fault = Fault::LinkMissing(conf.link);
            if !faults.contains(&fault) {
                faults.push(fault);
            }
            return None;
        }
        Known::There(facts) => facts,
    };
    if matches!(conf.transport, Transport::Multicast { .. }) && facts.multicast == Multicast::No {
        faults.push(Fault::NoMulticast(conf.link));
    }
    let source = source(conf, facts, faults)?;
    let carrier = if link::is_up(facts) { Carrier::Yes } else { Carrier::No };
    Some(Port { ifindex: facts.ifindex, source, carrier })
}

/// COMPAT: the configured address, else the interface's primary one, else (IPv6) its link-local one.
fn source(conf: &Instance, facts: &LinkFacts, faults: &mut Vec<Fault>) -> Option<IpAddr> {
    if let Some(addr) = conf.source {
        if conf.track_source == Switch::On && !facts.addrs.contains(&addr) {
            faults.push(Fault::SourceMissing(addr));
        }
        return Some(addr);
    }
    let own = match conf.family {
        Family::V4 => facts.primary.map(IpAddr::V4),
        Family::V6 => facts.link_local.map(IpAddr::V6),
    };
    if own.is_none() {
        faults.push(Fault::NoSource(conf.link));
    }
    own
}
