//! The texts of the dump signals: `keepalived.data`, `keepalived.stats` and `keepalived.json` ([`json`]).

pub mod json;

use crate::active::Active;
use crate::bfd;
use crate::fsm::instance::{Instance, State};
use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use core::time::Duration;
use ipc::config::vrrp::{Preemption, Transport, Version, Vip, Wanted};
use ipc::time::Mono;

/// The counters of every instance. COMPAT: keepalived 2.2.7, layout of SIGUSR2, compared with its output.
pub fn stats(active: &Active) -> String {
    let mut text = String::new();
    for instance in active.instances.rows() {
        instance.stats.write(&instance.conf.name, &mut text);
    }
    text
}

/// Everything about every instance, for people. COMPAT: the words of keepalived's SIGUSR1 dump, as far as Holdfast has the thing.
pub fn data(active: &Active, now: Mono) -> String {
    let mut text = String::from("------< VRRP Topology >------\n");
    for instance in active.instances.rows() {
        // Writing to a String cannot fail.
        let _ = write_instance(&mut text, active, instance, now);
    }
    text.push_str("------< VRRP Scripts >------\n");
    for script in active.scripts.rows() {
        let _ = writeln!(
            text,
            " VRRP Script = {}\n   Interval = {:?}\n   Rise = {}, fall = {}\n   Status = {:?}",
            script.conf.name, script.conf.interval, script.conf.rise, script.conf.fall, script.verdict
        );
    }
    text.push_str("------< VRRP Track files >------\n");
    for file in active.files.rows() {
        let _ = match file.number {
            Some(number) => writeln!(text, " Track file = {}\n   Status = {number}", file.name),
            None => writeln!(text, " Track file = {}\n   Status = not known yet", file.name),
        };
    }
    text.push_str("------< VRRP Track processes >------\n");
    for process in active.processes.rows() {
        let _ = writeln!(
            text,
            " Track process = {}\n   {}\n   Status = {:?}",
            process.conf.name,
            process.words(),
            process.verdict
        );
    }
    bfd::dump::write(&mut text, active.bfds.rows().iter(), now);
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

fn write_instance(text: &mut String, active: &Active, instance: &Instance, now: Mono) -> core::fmt::Result {
    let conf = &instance.conf;
    writeln!(text, " VRRP Instance = {}", conf.name)?;
    writeln!(text, "   VRRP Version = {}", version(instance))?;
    writeln!(text, "   State = {}\n   Wantstate = {}", word(instance.state), word(wants(instance)))?;
    writeln!(text, "   Last transition = {:.6} s ago", now.since(instance.since).as_secs_f64())?;
    if let Some(master) = instance.master {
        writeln!(text, "   Master router = {}\n   Master priority = {}", master.addr, master.priority)?;
    }
    writeln!(text, "   Master down timer = {} usecs", instance.master_down_interval().as_micros())?;
    writeln!(text, "   Interface = {}", active.links.name(conf.link))?;
    match instance.port {
        Some(port) => writeln!(text, "   Using src_ip = {}", port.source)?,
        None => writeln!(text, "   Using src_ip = none")?,
    }
    match &conf.transport {
        Transport::Multicast { group } => writeln!(text, "   Multicast address {group}")?,
        Transport::Unicast { peers, .. } => {
            writeln!(text, "   Unicast Peer :")?;
            for peer in peers {
                writeln!(text, "     {}", peer.addr)?;
            }
        }
    }
    writeln!(text, "   Gratuitous ARP delay = {}", Seconds(conf.garp.delay))?;
    writeln!(text, "   Gratuitous ARP repeat = {}", conf.garp.repeat)?;
    writeln!(text, "   Gratuitous ARP refresh = {}", Seconds(conf.garp.refresh))?;
    writeln!(text, "   Gratuitous ARP refresh repeat = {}", conf.garp.refresh_repeat)?;
    writeln!(text, "   Gratuitous ARP lower priority delay = {}", Seconds(conf.garp.lower_prio_delay))?;
    writeln!(text, "   Gratuitous ARP lower priority repeat = {}", conf.garp.lower_prio_repeat)?;
    writeln!(text, "   Down timer adverts = {}", conf.down_timer_adverts)?;
    writeln!(text, "   Virtual Router ID = {}", conf.vrid)?;
    writeln!(text, "   Priority = {}\n   Effective priority = {}", conf.priority, instance.priority)?;
    writeln!(text, "   Advert interval = {} sec", Seconds(conf.advert_int))?;
    writeln!(text, "   Master advert interval = {} sec", Seconds(instance.master_interval))?;
    match conf.preemption {
        Preemption::NoPreempt => writeln!(text, "   Preempt = disabled")?,
        Preemption::Preempt { delay } if delay.is_zero() => writeln!(text, "   Preempt = enabled")?,
        Preemption::Preempt { delay } => {
            writeln!(text, "   Preempt = enabled\n   Preempt delay = {} secs", Seconds(delay))?
        }
    }
    writeln!(text, "   Virtual IP ({}):", conf.vips.len())?;
    for vip in &conf.vips {
        writeln!(text, "     {}", place(active, instance, vip))?;
    }
    if !conf.excluded.is_empty() {
        writeln!(text, "   Virtual IP Excluded :")?;
        for vip in &conf.excluded {
            writeln!(text, "     {}", place(active, instance, vip))?;
        }
    }
    for (why, packets) in instance.stats.rejected().into_iter().filter(|(_, packets)| *packets > 0) {
        writeln!(text, "   Packets dropped, {why} = {packets}")?;
    }
    if instance.options.hmac.is_some() {
        write_hmac(text, instance)?;
    }
    for fault in &instance.faults {
        writeln!(text, "   Fault: {}", fault.describe(instance, active.tracked()))?;
    }
    Ok(())
}

/// `auth_hmac`: what came of the signatures.
fn write_hmac(text: &mut String, instance: &Instance) -> core::fmt::Result {
    let stats = &instance.stats;
    let counters = [
        ("Missing", stats.hmac_missing),
        ("Malformed", stats.hmac_malformed),
        ("Stale", stats.hmac_stale),
        ("Unknown key", stats.hmac_unknown_key),
        ("Invalid", stats.hmac_invalid),
        ("Replayed", stats.hmac_replayed),
    ];
    writeln!(text, "   HMAC authentication:")?;
    if let Some(skew) = instance.clock_skew() {
        writeln!(text, "     Clock skew of the last sender = {} secs", Seconds(skew))?;
    }
    counters.iter().try_for_each(|(name, count)| writeln!(text, "     {name} = {count}"))
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

/// An address, its interface, and whether it is meant to be there.
fn place(active: &Active, instance: &Instance, vip: &Vip) -> String {
    let set = if instance.state == State::Master { " set" } else { "" };
    format!("{} dev {}{set}", vip.addr, active.links.name(vip.link))
}

/// A duration in seconds; whole ones without decimals, as readers of the JSON expect.
struct Seconds(Duration);

impl core::fmt::Display for Seconds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0.subsec_micros() {
            0 => write!(f, "{}", self.0.as_secs()),
            micros => write!(f, "{}.{micros:06}", self.0.as_secs()),
        }
    }
}
