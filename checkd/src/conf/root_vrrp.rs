//! Statements outside all blocks that concern VRRP and the processes. COMPAT: keepalived 2.4.3.

use super::garp_group::{GARP_GROUP, GarpGroup, delays, linkbeats};
use super::global_vrrp::once;
use super::keyword::{self, Args, At, Keyword, Reader};
use super::root::Draft;
use super::track_process::{TRACK_PROCESS, TrackProcess};
use super::tree::Statement;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::process::IpvsNamespace;
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_track::LinkbeatBy;

/// What these statements say.
#[derive(Clone, Debug, Default)]
pub struct RootVrrp {
    /// `garp_group` blocks.
    pub garp_groups: Vec<GarpGroup>,
    /// `vrrp_track_process` blocks.
    pub processes: Vec<TrackProcess>,
    /// `linkbeat_interfaces`
    pub linkbeats: Vec<(At<String>, LinkbeatBy)>,
    /// `interface_up_down_delays`: interface, down, up.
    pub delays: Vec<(At<String>, Duration, Duration)>,
}

/// Longest name of a network namespace or of the daemon, as part of a file name.
const NAME_BYTES: usize = 255;

/// A name that is part of a path: no `/`, not `.` and not `..`.
fn path_part(r: &mut Reader<'_>, s: Statement<'_>) -> Option<String> {
    let word = s.word(1)?;
    let text = word.text();
    if text.is_empty() || matches!(text, "." | "..") || text.len() > NAME_BYTES || text.contains(['/', '\u{fffd}']) {
        r.bad(word, "a name that can be part of a path");
        return None;
    }
    Some(text.to_string())
}

/// COMPAT: the first one wins; nothing is the namespace the daemon was started in.
fn ipvs_namespace(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Draft) {
    let value = match s.word(1) {
        None => IpvsNamespace::Initial,
        Some(_) => match path_part(r, s) {
            Some(name) => IpvsNamespace::Named(name),
            None => return,
        },
    };
    if d.global.process.ipvs_namespace == IpvsNamespace::Same {
        d.global.process.ipvs_namespace = value;
    }
}

/// The file, VRRP and processes
pub static ROOT_VRRP: &[Keyword<Draft>] = &[
    Keyword::new("linkbeat_interfaces", Args::Flag, "", "interfaces whose link is watched: INTERFACE [MII|ETHTOOL|IOCTL]. The kernel reports each at once, so that none is asked for", |r, s, d: &mut Draft| {
        linkbeats(r, s, &mut d.vrrp.linkbeats);
    })
    .block(),
    Keyword::flag("linkbeat_use_polling", "the link of every interface of an instance is watched, as it always is", |_, _, d: &mut Draft| {
        d.global.vrrp.linkbeat_polling = Switch::On;
    }),
    Keyword::new(
        "interface_up_down_delays",
        Args::Flag,
        "",
        "how long an interface must have been down, and up, before that counts: INTERFACE DOWN [UP], in seconds",
        |r, s, d: &mut Draft| delays(r, s, &mut d.vrrp.delays),
    )
    .block(),
    Keyword::new("garp_group", Args::Flag, "", "interfaces that share the pause between gratuitous ARPs", |r, s, d: &mut Draft| {
        let mut group = GarpGroup::new(s.span());
        keyword::read(r, &[GARP_GROUP], "`garp_group`", s.children(), &mut group);
        d.vrrp.garp_groups.push(group);
    })
    .block(),
    Keyword::new("vrrp_track_process", Args::Count(1, 1), "NAME", "a process; instances track whether enough of it run", |r, s, d: &mut Draft| {
        let Some(name) = s.word(1).and_then(|w| r.text(w)) else { return };
        let mut process = TrackProcess::new(name, s.whole());
        keyword::read(r, &[TRACK_PROCESS], "`vrrp_track_process`", s.children(), &mut process);
        d.vrrp.processes.push(process);
    })
    .block(),
    Keyword::new("net_namespace", Args::Count(1, 1), "NAME", "the network namespace that the daemon runs in", |r, s, d: &mut Draft| {
        if let Some(name) = path_part(r, s) {
            d.global.process.namespace = Some(name);
        }
    }).or("that of whoever starts it"),
    Keyword::new("net_namespace_ipvs", Args::Count(0, 1), "[NAME]", "the network namespace of the IPVS table; without a name that of whoever starts the daemon", ipvs_namespace).or("that of net_namespace"),
    Keyword::flag("namespace_with_ipsets", "ipsets are used although a namespace is; kernels before 3.13 cannot do that", |_, _, d: &mut Draft| {
        d.global.process.namespace_with_ipsets = Switch::On;
    })
    .not_yet(),
    Keyword::new("instance", Args::Count(1, 1), "NAME", "the name of this daemon among several on one machine; it becomes part of the names of its files", |r, s, d: &mut Draft| {
        let name = path_part(r, s);
        once(r, s, &mut d.global.process.instance, name);
    })
    .not_yet(),
    Keyword::flag("use_pid_dir", "pid files stand in a directory of their own", |_, _, d: &mut Draft| {
        d.global.process.pid_directory = Switch::On;
    })
    .not_yet(),
];
