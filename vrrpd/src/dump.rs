//! The texts of the dump signals: `keepalived.data`, `keepalived.stats` and `keepalived.json` (version 1).

use crate::active::Active;
use crate::fsm::instance::{Instance, State};
use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use core::time::Duration;
use ipc::config::vrrp::{Preemption, Switch, Transport, Version, Vip, Wanted};
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
    let strays = active.strays;
    let _ = writeln!(
        text,
        "------< Packets for no instance >------\n Malformed = {}\n Unknown VRID = {}\n While not listening = {}",
        strays.malformed, strays.unknown_vrid, strays.not_listening
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
    for fault in &instance.faults {
        writeln!(text, "   Fault: {}", fault.describe(conf, active.tracked()))?;
    }
    Ok(())
}

/// One array of objects with `data` and `stats`. COMPAT: the keys of keepalived's JSON version 1, as far as Holdfast has the thing;
/// `last_transition` is missing, because it is a time of day, which is not known here.
pub fn json(active: &Active) -> String {
    let mut text = String::from("[");
    for (n, instance) in active.instances.rows().iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        text.push_str("{\"data\":{");
        json_data(&mut text, active, instance);
        text.push_str("},\"stats\":{");
        json_stats(&mut text, instance);
        text.push_str("}}");
    }
    text.push_str("]\n");
    text
}

fn json_data(text: &mut String, active: &Active, instance: &Instance) {
    let conf = &instance.conf;
    string(text, "iname", &conf.name);
    string(text, "ifp_ifname", active.links.name(conf.link));
    let delay = match conf.preemption {
        Preemption::Preempt { delay } => delay,
        Preemption::NoPreempt => Duration::ZERO,
    };
    let durations = [
        ("garp_delay", conf.garp.delay),
        ("garp_refresh", conf.garp.refresh),
        ("garp_lower_prio_delay", conf.garp.lower_prio_delay),
        ("adver_int", conf.advert_int),
        ("master_adver_int", instance.master_interval),
        ("preempt_delay", delay),
    ];
    for (key, duration) in durations {
        member(text, key, Seconds(duration));
    }
    member(text, "vipset", instance.state == State::Master);
    member(text, "nopreempt", conf.preemption == Preemption::NoPreempt);
    let numbers = [
        ("skip_check_adv_addr", switch(conf.skip_check_adv_addr)),
        ("master_priority", instance.master.map_or(0, |master| u64::from(master.priority))),
        ("garp_rep", u64::from(conf.garp.repeat)),
        ("garp_refresh_rep", u64::from(conf.garp.refresh_repeat)),
        ("garp_lower_prio_rep", u64::from(conf.garp.lower_prio_repeat)),
        ("lower_prio_no_advert", switch(conf.lower_prio_no_advert)),
        ("higher_prio_send_advert", switch(conf.higher_prio_send_advert)),
        ("vrid", u64::from(conf.vrid)),
        ("base_priority", u64::from(conf.priority)),
        ("effective_priority", u64::from(instance.priority)),
        ("state", u64::from(instance.state.number())),
        ("wantstate", u64::from(wants(instance).number())),
        ("version", u64::from(version(instance))),
    ];
    for (key, number) in numbers {
        member(text, key, number);
    }
    for (key, vips) in [("vips", &conf.vips), ("evips", &conf.excluded)] {
        comma(text);
        let _ = write!(text, "\"{key}\":[");
        for (n, vip) in vips.iter().enumerate() {
            let separator = if n > 0 { "," } else { "" };
            let _ = write!(text, "{separator}\"{}\"", place(active, instance, vip));
        }
        text.push(']');
    }
}

fn json_stats(text: &mut String, instance: &Instance) {
    let stats = &instance.stats;
    let numbers = [
        ("advert_rcvd", stats.advert_rcvd),
        ("advert_sent", stats.advert_sent),
        ("become_master", stats.become_master),
        ("release_master", stats.release_master),
        ("packet_len_err", stats.packet_len_err),
        ("advert_interval_err", stats.advert_interval_err),
        ("ip_ttl_err", stats.ip_ttl_err),
        ("invalid_type_rcvd", stats.invalid_type_rcvd),
        ("addr_list_err", stats.addr_list_err),
        ("invalid_authtype", stats.invalid_authtype),
        ("authtype_mismatch", stats.authtype_mismatch),
        ("auth_failure", stats.auth_failure),
        ("pri_zero_rcvd", stats.pri_zero_rcvd),
        ("pri_zero_sent", stats.pri_zero_sent),
    ];
    for (key, number) in numbers {
        member(text, key, number);
    }
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

fn switch(switch: Switch) -> u64 {
    u64::from(switch == Switch::On)
}

/// A comma, unless this is the first member.
fn comma(text: &mut String) {
    if !text.ends_with('{') {
        text.push(',');
    }
}

fn member(text: &mut String, key: &str, value: impl core::fmt::Display) {
    comma(text);
    let _ = write!(text, "\"{key}\":{value}");
}

fn string(text: &mut String, key: &str, value: &str) {
    comma(text);
    let _ = write!(text, "\"{key}\":\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}
