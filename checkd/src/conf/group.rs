//! `vrrp_sync_group` blocks.

use super::diag::{Code, Diagnostic};
use super::keyword::{Args, At, Keyword, Reader, no_block};
use super::notify::{Notify, notify};
use super::source::Span;
use super::track::{self, Use};
use super::tree::Statement;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::vrrp::Switch;

/// A `vrrp_sync_group` block.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: At<String>,
    /// Its first line.
    pub span: Span,
    /// `group`
    pub members: Option<Vec<At<String>>>,
    /// `track_interface`
    pub track_links: Vec<Use>,
    /// `track_script`
    pub track_scripts: Vec<Use>,
    /// `sync_group_tracking_weight`
    pub tracking_weight: Switch,
    /// `notify…`
    pub notify: Notify,
    /// `smtp_alert`
    pub smtp_alert: Option<Switch>,
    /// `notify_priority_changes`
    pub notify_priority_changes: Option<Switch>,
    /// `track_file`
    pub track_files: Vec<Use>,
    /// `track_process`
    pub track_processes: Vec<Use>,
    /// `track_bfd`
    pub track_bfds: Vec<Use>,
}

impl Group {
    /// An empty block.
    pub fn new(name: At<String>, span: Span) -> Self {
        Group {
            name,
            span,
            members: None,
            track_links: Vec::new(),
            track_scripts: Vec::new(),
            tracking_weight: Switch::Off,
            notify: Notify::default(),
            smtp_alert: None,
            notify_priority_changes: None,
            track_files: Vec::new(),
            track_processes: Vec::new(),
            track_bfds: Vec::new(),
        }
    }
}

/// The words of a `group` block. COMPAT: the first block counts.
pub(super) fn names(r: &mut Reader<'_>, s: Statement<'_>, owner: &str, slot: &mut Option<Vec<At<String>>>) {
    if slot.is_some() {
        let message = alloc::format!("a {owner} has one `group` block");
        r.diags.push(Diagnostic::error(Code::REPEATED, s.span(), message).label("ignored"));
        return;
    }
    let mut names = Vec::new();
    for line in s.children() {
        no_block(r, line);
        names.extend(line.words(0).filter_map(|w| r.text(w)));
    }
    *slot = Some(names);
}

/// `vrrp_sync_group`
pub static GROUP: &[Keyword<Group>] = &[
    Keyword::new("group", Args::Flag, "", "the names of its instances", |r, s, g: &mut Group| {
        names(r, s, "sync group", &mut g.members);
    })
    .block(),
    Keyword::new(
        "track_interface",
        Args::Flag,
        "",
        "interfaces that must be up for all members, one a line: INTERFACE [weight N [reverse]]",
        |r, s, g: &mut Group| {
            track::uses(r, s, &mut g.track_links);
        },
    )
    .block(),
    Keyword::new(
        "track_script",
        Args::Flag,
        "",
        "scripts that must succeed for all members, one a line: NAME [weight N [reverse]]",
        |r, s, g: &mut Group| {
            track::uses(r, s, &mut g.track_scripts);
        },
    )
    .block(),
    Keyword::flag(
        "sync_group_tracking_weight",
        "trackers of members may have weights; without it they are left out, and interfaces count without theirs",
        |_, _, g| {
            g.tracking_weight = Switch::On;
        },
    ),
    Keyword::flag("global_tracking", "trackers of members may have weights", |_, _, g: &mut Group| {
        g.tracking_weight = Switch::On;
    })
    .old_name_of("sync_group_tracking_weight"),
    notify!("notify_master", master, "a command that is run when all members have become master"),
    notify!("notify_backup", backup, "a command that is run when all members have become backup"),
    notify!("notify_fault", fault, "a command that is run when a member has entered FAULT"),
    notify!("notify_stop", stop, "a command that is run when the daemon stops"),
    notify!(
        "notify",
        generic,
        "a command that is run at every change, with GROUP, the name, the new state and 0 behind its arguments"
    ),
    Keyword::switch("smtp_alert", "mail when the state changes", |r, s, g: &mut Group| {
        g.smtp_alert = r.switch(s).or(g.smtp_alert);
    })
    .or("that of smtp_alert_vrrp"),
    Keyword::switch("notify_priority_changes", "the notify_priority_changes of its members", |r, s, g: &mut Group| {
        g.notify_priority_changes = r.switch(s).or(g.notify_priority_changes);
    })
    .or("that of vrrp_notify_priority_changes"),
    Keyword::new(
        "track_file",
        Args::Flag,
        "",
        "files whose numbers matter to all members, one a line: NAME [weight N [reverse]]",
        |r, s, g: &mut Group| {
            track::uses_within(r, s, &mut g.track_files, 254);
        },
    )
    .block(),
    Keyword::new(
        "track_process",
        Args::Flag,
        "",
        "processes that must run for all members, one a line: NAME [weight N [reverse]]",
        |r, s, g: &mut Group| {
            track::uses_within(r, s, &mut g.track_processes, 254);
        },
    )
    .block(),
    Keyword::new(
        "track_bfd",
        Args::Flag,
        "",
        "BFD sessions that must be up for all members, one a line: NAME [weight N [reverse]]",
        |r, s, g: &mut Group| {
            track::uses(r, s, &mut g.track_bfds);
        },
    )
    .block(),
];
