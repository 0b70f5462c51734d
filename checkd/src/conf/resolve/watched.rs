//! `track_file`, `bfd_instance` and `virtual_server_group`: in the order of the file, so that their indices are those of the drafts.

use super::Resolver;
use super::checkers::ONCE;
use crate::conf::Draft as All;
use crate::conf::bfd::Bfd as BfdDraft;
use crate::conf::diag::{Code, Diagnostic};
use crate::conf::value::secs;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::bfd::Bfd;
use ipc::config::check::{Checker, CheckerKind};
use ipc::config::file::{TrackFile, WatchedFile};
use ipc::config::ipvs::{MadeKind, MadeLink, ServiceGroup};
use ipc::config::probe::{Marked, SocketKind};
use ipc::config::script::KernelSettings;
use ipc::config::vrrp::{Switch, Weight};
use ipc::config::vrrp_track::{TrackProcess, WatchedProcesses};
use ipc::config::{Bundle, CheckerIdx, FileIdx, LinkIdx, MarkedIdx};
use ipc::net::Family;
use ipc::table::Table;

impl Resolver<'_, '_> {
    pub(super) fn watched(&mut self, draft: &All, bundle: &mut Bundle) {
        for f in &draft.files {
            let Some(path) = &f.path else { continue };
            let file = TrackFile {
                name: f.name.value.clone(),
                path: path.value.clone(),
                weight: f.weight.unwrap_or(ONCE),
                init: f.init,
                origin: self.r.sources.origin(f.span),
            };
            if bundle.check.files.push(file).is_err() {
                let message = "the configuration has more than 65536 `track_file` blocks";
                self.r.diags.push(Diagnostic::error(Code::TOO_MANY, f.span, message).label("ignored"));
            }
        }
        for b in &draft.bfds {
            let Some(bfd) = self.bfd(b) else { continue };
            if bundle.check.bfds.push(bfd).is_err() {
                let message = "the configuration has more than 65536 `bfd_instance` blocks";
                self.r.diags.push(Diagnostic::error(Code::TOO_MANY, b.span, message).label("ignored"));
            }
        }
        self.scripts.bfds = u32::try_from(bundle.check.bfds.len()).unwrap_or(u32::MAX);
        bundle.vrrp.files = bundle.check.files.clone();
        bundle.vrrp.bfds = bundle.check.bfds.clone();
        for g in &draft.server_groups {
            let origin = self.r.sources.origin(g.span);
            let group = ServiceGroup { name: g.name.value.clone(), entries: g.entries.clone(), origin };
            if bundle.ipvs.groups.push(group).is_err() {
                let message = "the configuration has more than 65536 `virtual_server_group` blocks";
                self.r.diags.push(Diagnostic::error(Code::TOO_MANY, g.span, message).label("ignored"));
            }
        }
    }

    /// COMPAT: keepalived 2.4.3: `max_hops` is at most `ttl`; −1 and 255 are no limit.
    fn bfd(&mut self, b: &BfdDraft) -> Option<Bfd> {
        const FAST: Duration = Duration::from_millis(10);
        let neighbor = b.neighbor.as_ref()?.value;
        let ttl = b.ttl.unwrap_or(if neighbor.is_ipv4() { 255 } else { 64 });
        let asked = b.max_hops.as_ref().map_or(0, |m| m.value);
        let mut max_hops = u8::try_from(asked).ok().filter(|n| *n != 255);
        if let (Some(at), Some(hops)) = (&b.max_hops, max_hops)
            && hops > ttl
        {
            let message = format!("`max_hops` {hops} is above `ttl`; it is taken as {ttl}");
            self.r.diags.push(Diagnostic::warning(Code::ADJUSTED, at.span, message));
            max_hops = Some(ttl);
        }
        Some(Bfd {
            name: b.name.value.clone(),
            neighbor,
            source: b.source.as_ref().map(|s| s.value),
            min_rx: b.min_rx.unwrap_or(FAST),
            min_tx: b.min_tx.unwrap_or(FAST),
            idle_tx: b.idle_tx.unwrap_or(secs(1)),
            multiplier: b.multiplier.unwrap_or(5),
            passive: b.passive,
            ttl,
            max_hops,
            multihop: b.multihop,
            weight: b.weight.unwrap_or(Weight { value: 0, reverse: Switch::Off }),
            told: b.told,
            origin: self.r.sources.origin(b.span),
        })
    }
}

/// The same files for the supervisor, with whom each of them is handed to. Those that nobody tracks are not watched.
pub(super) fn files(bundle: &Bundle) -> Table<FileIdx, WatchedFile> {
    let on = |yes| if yes { Switch::On } else { Switch::Off };
    let vrrp: BTreeSet<FileIdx> =
        bundle.vrrp.options.rows().iter().flat_map(|options| &options.track_files).map(|used| used.file).collect();
    let check: BTreeSet<FileIdx> = bundle
        .check
        .checkers
        .rows()
        .iter()
        .filter_map(|checker| match checker.kind {
            CheckerKind::File { file, .. } => Some(file),
            _ => None,
        })
        .collect();
    let watched = |(idx, file): (FileIdx, &TrackFile)| WatchedFile {
        name: file.name.clone(),
        path: file.path.clone(),
        init: file.init,
        vrrp: on(vrrp.contains(&idx)),
        check: on(check.contains(&idx)),
        origin: file.origin.clone(),
    };
    bundle.check.files.iter().map(watched).collect()
}

/// Whether a checker pings, and whether one does with a mark.
pub(super) fn pings(bundle: &Bundle) -> (Switch, Switch) {
    let any = |test: fn(&Checker) -> bool| {
        if bundle.check.checkers.rows().iter().any(test) { Switch::On } else { Switch::Off }
    };
    let pings = any(|checker| checker.kind == CheckerKind::Ping);
    (pings, any(|checker| checker.kind == CheckerKind::Ping && checker.fwmark != 0))
}

/// Gives each checker with `fwmark` the socket that ipvsd opens for it.
pub(super) fn marks(bundle: &mut Bundle) {
    let mut known: BTreeMap<Marked, MarkedIdx> = BTreeMap::new();
    let wanted: Vec<(CheckerIdx, Marked)> =
        bundle.check.checkers.iter().filter_map(|(idx, checker)| Some((idx, marked(checker)?))).collect();
    for (idx, marked) in wanted {
        let place = match known.get(&marked) {
            Some(place) => Some(*place),
            // u32: more than memory holds.
            None => bundle.ipvs.marked.push(marked).ok(),
        };
        known.extend(place.map(|place| (marked, place)));
        if let Some(checker) = bundle.check.checkers.at_mut(idx) {
            // Its neighbours may share this.
            Arc::make_mut(&mut checker.how).marked = place;
        }
    }
}

fn marked(checker: &Checker) -> Option<Marked> {
    let kind = match checker.kind {
        CheckerKind::Tcp | CheckerKind::Http(_) | CheckerKind::Ssl(..) | CheckerKind::Smtp { .. } => SocketKind::Tcp,
        CheckerKind::Dns { .. } | CheckerKind::Udp(_) => SocketKind::Udp,
        CheckerKind::Ping => SocketKind::Ping,
        CheckerKind::Misc(_) | CheckerKind::File { .. } | CheckerKind::Bfd { .. } => return None,
    };
    let family = if checker.target.is_ipv4() { Family::V4 } else { Family::V6 };
    (checker.fwmark != 0).then_some(Marked { mark: checker.fwmark, family, kind })
}

/// What the kernel is told for the run.
pub(super) fn kernel(bundle: &Bundle) -> KernelSettings {
    let ipvs = &bundle.ipvs;
    let vmac = |made: &MadeLink| matches!((made.kind, made.family), (MadeKind::Macvlan(_), Family::V4));
    let name = |link: &LinkIdx| ipvs.links.at(*link).map(|link| link.name.clone());
    KernelSettings {
        no_local_igmp: bundle.vrrp.globals.disable_local_igmp,
        own_rp_filter: if ipvs.made.iter().any(vmac) { Switch::On } else { Switch::Off },
        promote: ipvs.promote.iter().filter_map(name).collect(),
    }
}

/// What is watched of processes, when an instance tracks one.
pub(super) fn processes(bundle: &Bundle) -> Option<WatchedProcesses> {
    let options = bundle.vrrp.options.rows().iter();
    options.flat_map(|options| &options.track_processes).next()?;
    let read = bundle.vrrp.track_processes.rows().iter().any(TrackProcess::reads_command_lines);
    Some(WatchedProcesses { command_lines: if read { Switch::On } else { Switch::Off } })
}
