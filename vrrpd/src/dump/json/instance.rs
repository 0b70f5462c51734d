//! The objects of one instance.

use super::super::instance::deleted_script;
use super::super::{Moment, Seconds, addresses, version, wants};
use super::object::{key, member, object, some_strings, string, strings};
use crate::active::Active;
use crate::fsm::instance::{Instance, State};
use crate::packet::auth;
use alloc::string::String;
use core::time::Duration;
use ipc::config::vrrp::{Auth, Preemption, Switch};
use ipc::config::vrrp_options::{Accept, NotifyDeleted};

/// What it is and how it stands.
pub(super) fn data(text: &mut String, active: &Active, instance: &Instance, at: Moment) {
    let (conf, options) = (&instance.conf, &instance.options);
    let own = options.own_link.map(|link| active.links.name(link));
    string(text, "iname", &conf.name);
    string(text, "vmac_ifname", own.unwrap_or(""));
    string(text, "ifp_ifname", own.unwrap_or_else(|| active.links.name(conf.link)));
    let transition = at.day_of(instance.since);
    member(text, "last_transition", format_args!("{}.{:06}", transition.as_secs(), transition.subsec_micros()));
    member(text, "adver_int", Seconds(conf.advert_int));
    member(text, "master_adver_int", Seconds(instance.master_interval));
    numbers(text, instance);
    member(text, "vipset", instance.state == State::Master);
    member(text, "promote_secondaries", options.promote_secondaries == Switch::On);
    member(text, "smtp_alert", options.smtp_alert == Switch::On);
    member(text, "notify_deleted", options.notify_deleted != NotifyDeleted::AsFault);
    member(text, "nopreempt", conf.preemption == Preemption::NoPreempt);
    scripts(text, active, instance);
    let (vips, excluded) = addresses(active, instance);
    strings(text, "vips", vips.iter().map(String::as_str));
    strings(text, "evips", excluded.iter().map(String::as_str));
    some_strings(text, "vroutes", options.shown.routes.iter().map(String::as_str));
    some_strings(text, "vrules", options.shown.rules.iter().map(String::as_str));
    tracked(text, active, instance);
    member(text, "auth_type", auth::kind(&conf.auth));
    if conf.auth != Auth::None {
        string(text, "auth_data", "********");
    }
}

/// Whole numbers. COMPAT: keepalived 2.2.7, measured: so are durations that the file may write with decimals.
fn numbers(text: &mut String, instance: &Instance) {
    let (conf, options) = (&instance.conf, &instance.options);
    let delay = match conf.preemption {
        Preemption::Preempt { delay } => delay,
        Preemption::NoPreempt => Duration::ZERO,
    };
    let numbers = [
        ("dont_track_primary", u64::from(!conf.track_links.iter().any(|tracked| tracked.link == conf.link))),
        ("skip_check_adv_addr", switch(conf.skip_check_adv_addr)),
        ("strict_mode", switch(options.strict)),
        ("master_priority", instance.master.map_or(0, |master| u64::from(master.priority))),
        ("garp_delay", conf.garp.delay.as_secs()),
        ("garp_refresh", conf.garp.refresh.as_secs()),
        ("garp_rep", u64::from(conf.garp.repeat)),
        ("garp_refresh_rep", u64::from(conf.garp.refresh_repeat)),
        ("garp_lower_prio_delay", conf.garp.lower_prio_delay.as_secs()),
        ("garp_lower_prio_rep", u64::from(conf.garp.lower_prio_repeat)),
        ("lower_prio_no_advert", switch(conf.lower_prio_no_advert)),
        ("higher_prio_send_advert", switch(conf.higher_prio_send_advert)),
        ("vrid", u64::from(conf.vrid)),
        ("base_priority", u64::from(conf.priority)),
        ("effective_priority", u64::from(instance.priority)),
        ("accept", u64::from(options.accept == Accept::Accept)),
        ("preempt_delay", delay.as_secs()),
        ("state", u64::from(instance.state.number())),
        ("wantstate", u64::from(wants(instance).number())),
        ("version", u64::from(version(instance))),
    ];
    for (key, number) in numbers {
        member(text, key, number);
    }
}

/// The commands that are told of it.
fn scripts(text: &mut String, active: &Active, instance: &Instance) {
    let notify = &instance.conf.notify;
    let scripts = [
        ("script_backup", notify.backup),
        ("script_master", notify.master),
        ("script_fault", notify.fault),
        ("script_stop", notify.stop),
        ("script_deleted", deleted_script(instance.options.notify_deleted)),
        ("script", notify.generic),
        ("script_master_rx_lower_pri", notify.master_rx_lower_pri),
    ];
    for (key, script) in scripts {
        if let Some(words) = script.and_then(|script| active.commands.at(script)) {
            string(text, key, words);
        }
    }
}

/// What it tracks. COMPAT: keepalived 2.2.7, measured: interfaces by name, scripts by their commands.
fn tracked(text: &mut String, active: &Active, instance: &Instance) {
    let (conf, options) = (&instance.conf, &instance.options);
    some_strings(text, "track_ifp", options.shown.track_links.iter().map(|link| active.links.name(*link)));
    let scripts = conf.track_scripts.iter().filter_map(|tracked| active.scripts.at(tracked.script));
    let commands = scripts.map(|script| active.commands.at(script.conf.script).unwrap_or(&script.conf.name));
    some_strings(text, "track_script", commands);
    let processes = options.track_processes.iter().filter_map(|tracked| active.processes.at(tracked.process));
    some_strings(text, "track_process", processes.map(|process| process.conf.name.as_str()));
    let files = options.track_files.iter().filter_map(|tracked| active.files.at(tracked.file));
    some_strings(text, "track_file", files.map(|file| file.name.as_str()));
    let bfds = options.track_bfds.iter().filter_map(|tracked| active.bfds.at(tracked.bfd));
    some_strings(text, "track_bfd", bfds.map(|session| session.conf.name.as_str()));
}

/// Its counters: keepalived's names, and those of RFC 6527 in an object of their own.
pub(super) fn stats(text: &mut String, instance: &Instance) {
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
        ("auth_ext_missing", stats.hmac_missing),
        ("auth_ext_malformed", stats.hmac_malformed),
        ("auth_ext_unknown_key", stats.hmac_unknown_key),
        ("auth_ext_invalid_hmac", stats.hmac_invalid),
        ("auth_ext_stale", stats.hmac_stale),
        ("auth_ext_replay", stats.hmac_replayed),
        ("pri_zero_rcvd", stats.pri_zero_rcvd),
        ("pri_zero_sent", stats.pri_zero_sent),
        ("checksum_err", stats.checksum_err),
        ("version_err", stats.version_err),
        ("destination_err", stats.destination_err),
        ("source_err", stats.source_err),
    ];
    for (key, number) in numbers {
        member(text, key, number);
    }
    key(text, "rfc6527");
    object(text, |text| stats.rfc6527().iter().for_each(|(name, number)| member(text, name, number)));
}

fn switch(switch: Switch) -> u64 {
    u64::from(switch == Switch::On)
}
