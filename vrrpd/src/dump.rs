//! The texts of the dump signals: `keepalived.data`, `keepalived.stats` and `keepalived.json` ([`json`]).

mod instance;
pub mod json;
mod trackers;

use crate::active::Active;
use crate::bfd;
use crate::fsm::instance::{Instance, State};
use crate::stats::Signed;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::time::Duration;
use ipc::config::vrrp::{Version, Vip, Wanted};
use ipc::time::Mono;

/// When it is, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// By the machine's own.
    pub now: Mono,
    /// Since 1970.
    pub day: Duration,
}

impl Moment {
    /// A moment of the past, since 1970.
    fn day_of(self, past: Mono) -> Duration {
        self.day.saturating_sub(self.now.since(past))
    }
}

/// The counters of every instance. COMPAT: keepalived 2.2.7, layout of SIGUSR2, compared with its output; with `auth_hmac` the lines of
/// 2.4.3 beside.
pub fn stats(active: &Active) -> String {
    let mut text = String::new();
    for instance in active.instances.rows() {
        let signed = if instance.options.hmac.is_some() { Signed::Yes } else { Signed::No };
        instance.stats.write(&instance.conf.name, signed, &mut text);
    }
    text
}

/// Everything about every instance, for people and for programs that read keepalived's. COMPAT: the lines of keepalived 2.2.7's SIGUSR1
/// dump, as far as Holdfast has the thing.
pub fn data(active: &Active, at: Moment) -> String {
    let mut text = String::from("------< VRRP Topology >------\n");
    // Writing to a String cannot fail.
    let _ = active.instances.rows().iter().try_for_each(|one| instance::write(&mut text, active, one, at));
    let _ = trackers::write(&mut text, active);
    bfd::dump::write(&mut text, active.bfds.rows().iter(), at.now);
    let strays = active.strays;
    let _ = writeln!(
        text,
        "------< Packets for no instance >------\n Without IP header = {}\n Without authentication header = {}\n Not VRRP = {}\n \
         Without VRRP header = {}\n Unknown VRID = {}\n While not listening = {}",
        strays.ip_header,
        strays.ah_header,
        strays.protocol,
        strays.vrrp_header,
        strays.unknown_vrid,
        strays.not_listening
    );
    text.push_str("------< Interfaces >------\n");
    for (_, link) in active.links.rows() {
        let _ = match link.facts() {
            Some(facts) => {
                writeln!(text, " Name = {}\n   index = {}\n   state = {:?}", link.name, facts.ifindex, facts.state)
            }
            None => writeln!(text, " Name = {}\n   not there", link.name),
        };
    }
    text
}

fn version(instance: &Instance) -> u8 {
    match instance.conf.version {
        Version::V2 => 2,
        Version::V3 => 3,
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Init => "INIT",
        State::Backup => "BACKUP",
        State::Master => "MASTER",
        State::Fault => "FAULT",
    }
}

fn wants(instance: &Instance) -> State {
    match instance.wants {
        Wanted::Master => State::Master,
        Wanted::Backup => State::Backup,
    }
}

/// The addresses of `virtual_ipaddress`, then those of `virtual_ipaddress_excluded`, each with its options and whether it is meant to be
/// there.
fn addresses<'a>(active: &'a Active, instance: &'a Instance) -> (Vec<String>, Vec<String>) {
    let set = if instance.state == State::Master { " set" } else { "" };
    let vips = instance.conf.vips.iter().chain(&instance.conf.excluded).enumerate();
    let mut all: Vec<String> = vips.map(|(n, vip)| format!("{}{set}", place(active, instance, n, vip))).collect();
    let excluded = all.split_off(instance.conf.vips.len().min(all.len()));
    (all, excluded)
}

/// A configuration that was not compiled from a file has no words.
fn place<'a>(active: &Active, instance: &'a Instance, n: usize, vip: &Vip) -> Cow<'a, str> {
    match instance.options.shown.addrs.get(n) {
        Some(words) => Cow::Borrowed(words),
        None => Cow::Owned(format!("{} dev {}", vip.addr, active.links.name(vip.link))),
    }
}

/// A duration in seconds with as many decimals as it needs.
struct Seconds(Duration);

impl core::fmt::Display for Seconds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0.subsec_micros() {
            0 => write!(f, "{}", self.0.as_secs()),
            micros => {
                let decimals = format!("{micros:06}");
                write!(f, "{}.{}", self.0.as_secs(), decimals.trim_end_matches('0'))
            }
        }
    }
}
