//! What stands beside the instances: processes, BFD sessions, the router as a whole.

use super::super::{Moment, Seconds};
use super::object::{member, string};
use crate::active::Active;
use crate::bfd::dump::word;
use crate::bfd::session::Session;
use crate::fsm::process::{Delay, Process};
use crate::fsm::script::Verdict;
use alloc::format;
use alloc::string::String;
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_track::ParamMatch;

/// What is asked for of a process, and how it stands. COMPAT: the keys of keepalived 2.2.8.
pub(super) fn track_process(text: &mut String, live: &Process) {
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

/// A session; intervals are microseconds, as in RFC 5880. keepalived 2.4.3 has nothing of the kind.
pub(super) fn bfd(text: &mut String, session: &Session, at: Moment) {
    let conf = &session.conf;
    let (remote_state, remote_diag, remote_multiplier, remote_min_tx, remote_min_rx) = session.neighbor_said();
    string(text, "name", &conf.name);
    string(text, "neighbor_ip", &format!("{}", conf.neighbor));
    if let Some(source) = conf.source {
        string(text, "source_ip", &format!("{source}"));
    }
    member(text, "multihop", conf.multihop == Switch::On);
    member(text, "passive", conf.passive == Switch::On);
    member(text, "weight", conf.weight.value);
    string(text, "state", word(session.state));
    let since = at.day_of(session.since);
    member(text, "last_transition", format_args!("{}.{:06}", since.as_secs(), since.subsec_micros()));
    string(text, "remote_state", word(remote_state));
    string(text, "diag", session.diag.name());
    string(text, "remote_diag", remote_diag.name());
    let numbers = [
        ("local_discriminator", u128::from(session.mine)),
        ("remote_discriminator", u128::from(session.yours)),
        ("multiplier", u128::from(conf.multiplier)),
        ("remote_multiplier", u128::from(remote_multiplier)),
        ("remote_min_tx", u128::from(remote_min_tx)),
        ("remote_min_rx", u128::from(remote_min_rx)),
        ("tx_interval", session.interval().as_micros()),
        ("detection_time", session.detection_time().as_micros()),
        ("sent", u128::from(session.counters.sent)),
        ("received", u128::from(session.counters.received)),
        ("became_up", u128::from(session.counters.ups)),
        ("became_down", u128::from(session.counters.downs)),
    ];
    for (key, number) in numbers {
        member(text, key, number);
    }
}

/// Errors of the router as a whole (RFC 6527 §3, vrrpv3Statistics).
pub(super) fn router(text: &mut String, active: &Active) {
    member(text, "vrrpv3RouterChecksumErrors", active.errors.checksum);
    member(text, "vrrpv3RouterVersionErrors", active.errors.version);
    member(text, "vrrpv3RouterVrIdErrors", active.strays.unknown_vrid);
}
