//! The plan for what concerns IPVS as a whole: timeouts, and the daemons that synchronise connections.

use super::{IpvsOp, IpvsPlan, View};
use crate::observed::{DaemonFact, DaemonState, Table, Timeouts};
use crate::patience::Item;
use core::net::{IpAddr, Ipv4Addr};
use ipc::config::lvs::{Lvs, SyncDaemon};
use ipc::msg::vips::Presence;

/// What Linux starts with. COMPAT: keepalived 2.2.7 restores at its end what it found.
pub const KERNEL_TIMEOUTS: Timeouts = Timeouts { tcp: Some(900), tcp_fin: Some(120), udp: Some(300) };

/// IP_VS_SYNC_GROUP, IP_VS_SYNC_PORT and the time to live that Linux takes where none is asked for.
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81));
const PORT: u16 = 8848;
const TTL: u8 = 1;

/// Both kinds of daemon.
const STATES: [DaemonState; 2] = [DaemonState::Master, DaemonState::Backup];

/// Whether the configuration has anything to say about the whole.
pub fn is_wanted(lvs: &Lvs) -> bool {
    lvs.sync.is_some() || asked(lvs) != Timeouts::default()
}

/// Plans timeouts and daemons. `original` is what the timeouts were before they were first changed; `ours` are the daemons that were
/// started here.
pub fn plan(view: &View<'_, Table>, original: Option<&Timeouts>, ours: &[DaemonState], plan: &mut IpvsPlan) {
    let asked = asked(view.ledger.lvs());
    timeouts(view, &over(&asked, original), plan);
    match &view.ledger.lvs().sync {
        Some(sync) => daemons(view, sync, plan),
        None => stop(view, ours, plan),
    }
}

/// Plans the end.
pub fn release(view: &View<'_, Table>, original: Option<&Timeouts>, ours: &[DaemonState], plan: &mut IpvsPlan) {
    timeouts(view, &over(&Timeouts::default(), original), plan);
    stop(view, ours, plan);
}

/// What the configuration asks for; 0 is what the kernel takes for "as it is".
fn asked(lvs: &Lvs) -> Timeouts {
    let set = |n: Option<u32>| n.filter(|n| *n != 0);
    Timeouts { tcp: set(lvs.tcp_timeout), tcp_fin: set(lvs.tcp_fin_timeout), udp: set(lvs.udp_timeout) }
}

fn over(asked: &Timeouts, original: Option<&Timeouts>) -> Timeouts {
    let original = original.copied().unwrap_or_default();
    Timeouts {
        tcp: asked.tcp.or(original.tcp),
        tcp_fin: asked.tcp_fin.or(original.tcp_fin),
        udp: asked.udp.or(original.udp),
    }
}

/// Whether what is there is what is asked for.
pub fn agree(there: &Timeouts, asked: &Timeouts) -> bool {
    let same = |there: Option<u32>, asked: Option<u32>| asked.is_none() || asked == there;
    same(there.tcp, asked.tcp) && same(there.tcp_fin, asked.tcp_fin) && same(there.udp, asked.udp)
}

/// Whether the timeouts are those that the configuration asks for, so that what they were before is not known.
pub fn are_ours(there: &Timeouts, lvs: &Lvs) -> bool {
    asked(lvs) != Timeouts::default() && agree(there, &asked(lvs))
}

fn timeouts(view: &View<'_, Table>, wanted: &Timeouts, plan: &mut IpvsPlan) {
    match &view.there.timeouts {
        Some(there) if agree(there, wanted) => plan.settled(view, Item::Timeouts),
        Some(_) => plan.push(view, IpvsOp::SetTimeouts(*wanted)),
        None => {}
    }
}

/// COMPAT: keepalived 2.4.3: without an instance both daemons run; with one the first while it is master, else the
/// second; what an earlier run has left is stopped first.
fn daemons(view: &View<'_, Table>, sync: &SyncDaemon, plan: &mut IpvsPlan) {
    let instance = sync.instance.as_ref().map(|name| view.ledger.instance_named(name));
    let wants = |state: DaemonState| match instance {
        None => Some(true),
        // The compiler does not let this happen.
        Some(None) => None,
        Some(Some(idx)) => {
            view.desired.vips(idx).want.map(|want| (want == Presence::Present) == (state == DaemonState::Master))
        }
    };
    let wanted = |state: DaemonState| DaemonFact {
        state,
        link: sync.link.clone(),
        id: u32::from(sync.id.unwrap_or(0)),
        max_length: sync.max_length,
        group: sync.group,
        port: sync.port,
        ttl: sync.ttl,
    };
    // One goes before the other comes: a change of state is never both.
    for state in STATES {
        let Some(there) = view.there.daemons.get(&state) else { continue };
        match wants(state) {
            Some(true) if runs_as(there, &wanted(state)) => plan.settled(view, Item::Daemon(state)),
            Some(_) => plan.push(view, IpvsOp::StopDaemon(state)),
            None => {}
        }
    }
    for state in STATES.into_iter().filter(|state| wants(*state) == Some(true)) {
        if view.there.daemons.get(&state).is_none_or(|there| !runs_as(there, &wanted(state))) {
            plan.push(view, IpvsOp::StartDaemon(wanted(state)));
        }
    }
}

fn stop(view: &View<'_, Table>, ours: &[DaemonState], plan: &mut IpvsPlan) {
    for state in ours.iter().filter(|state| view.there.daemons.contains_key(state)) {
        plan.push(view, IpvsOp::StopDaemon(*state));
    }
}

/// Whether a daemon is as it is wanted. The kernel reports what it chose where nothing was asked for; the longest message it
/// chooses by the interface.
fn runs_as(there: &DaemonFact, wanted: &DaemonFact) -> bool {
    there.link == wanted.link
        && there.id == wanted.id
        && there.group.unwrap_or(GROUP) == wanted.group.unwrap_or(GROUP)
        && there.port.unwrap_or(PORT) == wanted.port.unwrap_or(PORT)
        && there.ttl.unwrap_or(TTL) == wanted.ttl.unwrap_or(TTL)
        && (wanted.max_length.is_none() || there.max_length.is_none() || there.max_length == wanted.max_length)
}
