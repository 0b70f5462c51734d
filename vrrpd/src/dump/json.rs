//! `keepalived.json`.

use super::{Seconds, place, version, wants};
use crate::active::Active;
use crate::fsm::instance::{Instance, State};
use crate::fsm::process::{Delay, Process};
use crate::fsm::script::Verdict;
use crate::packet::auth;
use alloc::string::String;
use core::fmt::Write;
use core::time::Duration;
use ipc::config::vrrp::{Auth, Preemption, Switch};
use ipc::config::vrrp_options::{Accept, NotifyDeleted};
use ipc::config::vrrp_track::ParamMatch;
use ipc::time::Mono;

/// When it is, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// By the machine's own.
    pub now: Mono,
    /// Since 1970.
    pub day: Duration,
}

/// One array of objects with `data` and `stats` (`json_version 1`), or that as `vrrp` beside `track_process` (`json_version 2`).
/// COMPAT: the keys of keepalived 2.2.7, compared with its output, but for `vroutes` and `vrules`, which are not known here; a password
/// is masked.
pub fn text(active: &Active, at: Moment) -> String {
    let mut text = String::new();
    if active.json_version < 2 {
        instances(&mut text, active, at);
    } else {
        text.push_str("{\"vrrp\":");
        instances(&mut text, active, at);
        text.push_str(",\"track_process\":[");
        for (n, process) in active.processes.rows().iter().enumerate() {
            text.push_str(if n > 0 { ",{" } else { "{" });
            track_process(&mut text, process);
            text.push('}');
        }
        text.push_str("]}");
    }
    text.push('\n');
    text
}

fn instances(text: &mut String, active: &Active, at: Moment) {
    text.push('[');
    for (n, instance) in active.instances.rows().iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        text.push_str("{\"data\":{");
        json_data(text, active, instance, at);
        text.push_str("},\"stats\":{");
        json_stats(text, instance);
        text.push_str("}}");
    }
    text.push(']');
}

fn json_data(text: &mut String, active: &Active, instance: &Instance, at: Moment) {
    let (conf, options) = (&instance.conf, &instance.options);
    string(text, "iname", &conf.name);
    string(text, "vmac_ifname", options.own_link.map_or("", |link| active.links.name(link)));
    let transition = at.day.saturating_sub(at.now.since(instance.since));
    member(text, "last_transition", format_args!("{}.{:06}", transition.as_secs(), transition.subsec_micros()));
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
    member(text, "promote_secondaries", options.promote_secondaries == Switch::On);
    member(text, "smtp_alert", options.smtp_alert == Switch::On);
    member(text, "notify_deleted", options.notify_deleted != NotifyDeleted::AsFault);
    member(text, "nopreempt", conf.preemption == Preemption::NoPreempt);
    let numbers = [
        ("dont_track_primary", u64::from(!conf.track_links.iter().any(|tracked| tracked.link == conf.link))),
        ("strict_mode", switch(options.strict)),
        ("accept", u64::from(options.accept == Accept::Accept)),
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
    if !conf.track_scripts.is_empty() {
        comma(text);
        text.push_str("\"track_script\":[");
        for (n, tracked) in conf.track_scripts.iter().enumerate() {
            let name = active.scripts.at(tracked.script).map_or("?", |script| script.conf.name.as_str());
            text.push_str(if n > 0 { "," } else { "" });
            quoted(text, name);
        }
        text.push(']');
    }
    if !instance.options.track_processes.is_empty() {
        comma(text);
        text.push_str("\"track_process\":[");
        for (n, tracked) in instance.options.track_processes.iter().enumerate() {
            let name = active.processes.at(tracked.process).map_or("?", |process| process.conf.name.as_str());
            text.push_str(if n > 0 { "," } else { "" });
            quoted(text, name);
        }
        text.push(']');
    }
    if conf.auth != Auth::None {
        member(text, "auth_type", auth::kind(&conf.auth));
        string(text, "auth_data", "********");
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
        ("hmac_missing", stats.hmac_missing),
        ("hmac_malformed", stats.hmac_malformed),
        ("hmac_stale", stats.hmac_stale),
        ("hmac_unknown_key", stats.hmac_unknown_key),
        ("hmac_invalid", stats.hmac_invalid),
        ("hmac_replayed", stats.hmac_replayed),
    ];
    for (key, number) in numbers {
        member(text, key, number);
    }
}

/// What is asked for of a process, and how it stands. COMPAT: the keys of keepalived 2.2.8.
fn track_process(text: &mut String, live: &Process) {
    let process = &live.conf;
    string(text, "process", process.process.first().map_or("", String::as_str));
    let params = match process.params {
        ParamMatch::Any => "none",
        ParamMatch::Exact => "exact",
        ParamMatch::Initial => "initial",
        ParamMatch::Partial => "partial",
    };
    let parameters = process.process.get(1..).unwrap_or_default().join(" ");
    if !parameters.is_empty() {
        string(text, "parameters", &parameters);
    }
    string(text, "param_match", params);
    member(text, "min_processes", process.least);
    if let Some(most) = process.most {
        member(text, "max_processes", most);
    }
    member(text, "current_processes", live.count);
    member(text, "have_quorum", live.verdict == Verdict::Up);
    member(text, "weight", process.weight.value);
    member(text, "fork_delay_timer_running", live.delayed() == Delay::Fork);
    member(text, "terminate_delay_timer_running", live.delayed() == Delay::Terminate);
    member(text, "terminate_delay", Seconds(process.terminate_delay));
    member(text, "fork_delay", Seconds(process.fork_delay));
    member(text, "full_command", process.full_command == Switch::On);
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
    let _ = write!(text, "\"{key}\":");
    quoted(text, value);
}

fn quoted(text: &mut String, value: &str) {
    text.push('"');
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
