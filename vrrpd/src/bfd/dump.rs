//! The sessions in the dump of SIGUSR1. COMPAT: the words of keepalived's `keepalived_bfd.data`, as far as Holdfast has the thing.

use super::session::Session;
use crate::packet::bfd::State;
use alloc::string::String;
use core::fmt::{self, Write};
use ipc::config::vrrp::Switch;
use ipc::time::Mono;

/// Writes all sessions; nothing when there are none.
pub fn write<'a>(text: &mut String, sessions: impl Iterator<Item = &'a Session>, now: Mono) {
    let mut sessions = sessions.peekable();
    if sessions.peek().is_some() {
        text.push_str("------< BFD Topology >------\n");
    }
    for session in sessions {
        // Writing to a String cannot fail.
        let _ = one(text, session, now);
    }
}

fn one(text: &mut String, session: &Session, now: Mono) -> fmt::Result {
    let conf = &session.conf;
    writeln!(text, " BFD Instance = {}", conf.name)?;
    writeln!(text, "   Neighbor IP = {}", conf.neighbor)?;
    if let Some(source) = conf.source {
        writeln!(text, "   Source IP = {source}")?;
    }
    writeln!(text, "   Required min RX interval = {} us", conf.min_rx.as_micros())?;
    writeln!(text, "   Desired min TX interval = {} us", conf.min_tx.as_micros())?;
    writeln!(text, "   Desired idle TX interval = {} us", conf.idle_tx.as_micros())?;
    writeln!(text, "   Detection multiplier = {}", conf.multiplier)?;
    let ttl = if conf.neighbor.is_ipv4() { "TTL" } else { "hoplimit" };
    writeln!(text, "   {ttl} = {}", conf.ttl)?;
    match conf.max_hops {
        Some(hops) => writeln!(text, "   max_hops = {hops}")?,
        None => writeln!(text, "   max_hops = any")?,
    }
    writeln!(text, "   passive = {}", conf.passive == Switch::On)?;
    writeln!(text, "   multihop = {}", conf.multihop == Switch::On)?;
    let (remote_state, remote_diag, multiplier, min_tx, min_rx) = session.neighbor_said();
    let since = now.since(session.since).as_secs_f64();
    writeln!(text, "   local state = {}, since {since:.3} s", word(session.state))?;
    writeln!(text, "   remote state = {}", word(remote_state))?;
    writeln!(text, "   local discriminator = {:#x}", session.mine)?;
    writeln!(text, "   remote discriminator = {:#x}", session.yours)?;
    writeln!(text, "   local diag = {}", session.diag.name())?;
    writeln!(text, "   remote diag = {}", remote_diag.name())?;
    writeln!(text, "   remote min tx intv = {min_tx} us")?;
    writeln!(text, "   remote min rx intv = {min_rx} us")?;
    writeln!(text, "   remote detect multiplier = {multiplier}")?;
    writeln!(text, "   local tx intv = {} us", session.interval().as_micros())?;
    writeln!(text, "   local detection time = {} us", session.detection_time().as_micros())?;
    let counters = session.counters;
    writeln!(text, "   Sent = {}, received = {}", counters.sent, counters.received)?;
    writeln!(text, "   Became up = {}, down = {}", counters.ups, counters.downs)
}

/// A state in keepalived's words.
pub fn word(state: State) -> &'static str {
    match state {
        State::AdminDown => "AdminDown",
        State::Down => "Down",
        State::Init => "Init",
        State::Up => "Up",
    }
}
