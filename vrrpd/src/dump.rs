//! The texts of the dump signals: `keepalived.data`, `keepalived.stats` and `keepalived.json` (version 1).

use crate::active::Active;
use crate::fsm::instance::{Instance, State};
use alloc::string::String;
use core::fmt::Write;
use core::time::Duration;
use ipc::config::vrrp::{Preemption, Switch, Transport, Version, Wanted};
use ipc::time::Mono;

/// The counters of every instance. COMPAT: keepalived 2.2.7, layout of SIGUSR2; what it does not have follows at the end.
pub fn stats(active: &Active) -> String {
    let mut text = String::new();
    for instance in active.instances.rows() {
        instance.stats.write(&instance.conf.name, &mut text);
    }
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "Packets for no instance\n  Malformed: {}\n  Unknown VRID: {}\n  Not listening: {}\n",
        active.strays.malformed, active.strays.unknown_vrid, active.strays.not_listening
    );
    text
}

/// Everything about every instance, for people.
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
    writeln!(text, "   State = {}", word(instance.state))?;
    writeln!(text, "   Last transition = {:.6} s ago", now.since(instance.since).as_secs_f64())?;
    if let Some(master) = instance.master {
        writeln!(text, "   Master router = {}\n   Master priority = {}", master.addr, master.priority)?;
    }
    writeln!(text, "   Interface = {}", active.links.name(conf.link))?;
    match instance.port {
        Some(port) => writeln!(text, "   Using src_ip = {}", port.source)?,
        None => writeln!(text, "   Using src_ip = none")?,
    }
    writeln!(text, "   Virtual Router ID = {}", conf.vrid)?;
    writeln!(text, "   Priority = {}\n   Effective priority = {}", conf.priority, instance.priority)?;
    writeln!(text, "   Advert interval = {}", seconds(conf.advert_int))?;
    writeln!(text, "   Master advert interval = {}", seconds(instance.master_interval))?;
    match conf.preemption {
        Preemption::NoPreempt => writeln!(text, "   Preempt = disabled")?,
        Preemption::Preempt { delay } => writeln!(text, "   Preempt = enabled, delay {}", seconds(delay))?,
    }
    if let Transport::Unicast { peers, .. } = &conf.transport {
        writeln!(text, "   Unicast Peer :")?;
        for peer in peers {
            writeln!(text, "     {}", peer.addr)?;
        }
    }
    writeln!(text, "   Virtual IP = {}", conf.vips.len())?;
    for vip in &conf.vips {
        writeln!(text, "     {} dev {}", vip.addr, active.links.name(vip.link))?;
    }
    if !conf.excluded.is_empty() {
        writeln!(text, "   Virtual IP Excluded = {}", conf.excluded.len())?;
        for vip in &conf.excluded {
            writeln!(text, "     {} dev {}", vip.addr, active.links.name(vip.link))?;
        }
    }
    for fault in &instance.faults {
        writeln!(text, "   Fault: {}", fault.describe(conf, &active.links, &active.scripts))?;
    }
    Ok(())
}

/// One array of objects with `data` and `stats`. COMPAT: the keys of keepalived's JSON version 1, as far as Holdfast has the thing.
pub fn json(active: &Active, now: Mono) -> String {
    let mut text = String::from("[");
    for (n, instance) in active.instances.rows().iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        text.push_str("{\"data\":{");
        json_data(&mut text, active, instance, now);
        text.push_str("},\"stats\":{");
        json_stats(&mut text, instance);
        text.push_str("}}");
    }
    text.push_str("]\n");
    text
}

fn json_data(text: &mut String, active: &Active, instance: &Instance, now: Mono) {
    let conf = &instance.conf;
    string(text, "iname", &conf.name);
    string(text, "ifp_ifname", active.links.name(conf.link));
    float(text, "last_transition", now.since(instance.since));
    float(text, "garp_delay", conf.garp.delay);
    float(text, "garp_refresh", conf.garp.refresh);
    float(text, "adver_int", conf.advert_int);
    float(text, "master_adver_int", instance.master_interval);
    let delay = match conf.preemption {
        Preemption::Preempt { delay } => delay,
        Preemption::NoPreempt => Duration::ZERO,
    };
    float(text, "preempt_delay", delay);
    let wants = match instance.wants {
        Wanted::Master => State::Master,
        Wanted::Backup => State::Backup,
    };
    let numbers = [
        ("skip_check_adv_addr", switch(conf.skip_check_adv_addr)),
        ("master_priority", instance.master.map_or(0, |master| u64::from(master.priority))),
        ("garp_rep", u64::from(conf.garp.repeat)),
        ("garp_refresh_rep", u64::from(conf.garp.refresh_repeat)),
        ("garp_lower_prio_delay", conf.garp.lower_prio_delay.as_secs()),
        ("garp_lower_prio_rep", u64::from(conf.garp.lower_prio_repeat)),
        ("lower_prio_no_advert", switch(conf.lower_prio_no_advert)),
        ("higher_prio_send_advert", switch(conf.higher_prio_send_advert)),
        ("vrid", u64::from(conf.vrid)),
        ("base_priority", u64::from(conf.priority)),
        ("effective_priority", u64::from(instance.priority)),
        ("vipset", u64::from(instance.state == State::Master)),
        ("nopreempt", u64::from(conf.preemption == Preemption::NoPreempt)),
        ("state", u64::from(instance.state.number())),
        ("wantstate", u64::from(wants.number())),
        ("version", u64::from(version(instance))),
    ];
    for (key, number) in numbers {
        integer(text, key, number);
    }
    for (key, vips) in [("vips", &conf.vips), ("evips", &conf.excluded)] {
        comma(text);
        let _ = write!(text, "\"{key}\":[");
        for (n, vip) in vips.iter().enumerate() {
            let separator = if n > 0 { "," } else { "" };
            let _ = write!(text, "{separator}\"{} dev {}\"", vip.addr, active.links.name(vip.link));
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
        integer(text, key, number);
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

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
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

fn integer(text: &mut String, key: &str, number: u64) {
    comma(text);
    let _ = write!(text, "\"{key}\":{number}");
}

fn float(text: &mut String, key: &str, duration: Duration) {
    comma(text);
    let _ = write!(text, "\"{key}\":{:.6}", duration.as_secs_f64());
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
