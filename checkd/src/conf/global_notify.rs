//! `global_defs`: who is told, by mail and by FIFO. COMPAT: keepalived 2.4.3.

use super::global::Global;
use super::global_vrrp::put;
use super::keyword::{Args, At, Keyword, Reader};
use super::script::Command;
use super::tree::Statement;
use alloc::string::String;
use ipc::config::script::RunAs;
use ipc::config::vrrp::Switch;

/// A FIFO and what reads it.
#[derive(Clone, Debug, Default)]
pub struct Fifo {
    /// Its path and its owner.
    pub path: Option<At<(String, Option<RunAs>)>>,
    /// The command that reads it.
    pub script: Option<At<Command>>,
}

/// `notify_fifo` and its kin.
#[derive(Clone, Debug, Default)]
pub struct Fifos {
    /// `notify_fifo`
    pub all: Fifo,
    /// `vrrp_notify_fifo`
    pub vrrp: Fifo,
    /// `lvs_notify_fifo`
    pub lvs: Fifo,
    /// `fifo_write_vrrp_states_on_reload`
    pub states_on_reload: Switch,
}

fn path(r: &mut Reader<'_>, s: Statement<'_>, fifo: &mut Fifo) {
    let Some(word) = s.word(1) else { return };
    let Some(path) = r.text(word) else { return };
    if !path.value.starts_with('/') {
        return r.bad(word, "an absolute path");
    }
    let owner = match s.word(2) {
        Some(_) => match r.run_as_from(s, 2) {
            Some(owner) => Some(owner.value),
            None => return,
        },
        None => None,
    };
    r.first(&mut fifo.path, s, (path.value, owner));
}

fn script(r: &mut Reader<'_>, s: Statement<'_>, fifo: &mut Fifo) {
    if let Some(command) = r.command(s) {
        r.first(&mut fifo.script, s, command);
    }
}

macro_rules! fifo {
    ($name:literal, $script:literal, $help:literal, $slot:ident) => {
        [
            Keyword::new($name, Args::Count(1, 3), "PATH [USER [[:]GROUP]]", $help, |r, s, d: &mut Global| {
                path(r, s, &mut d.fifos.$slot);
            }),
            Keyword::new(
                $script,
                Args::Script,
                "COMMAND [USER [[:]GROUP]]",
                "a command that reads the FIFO, whose path is its last argument",
                |r, s, d: &mut Global| {
                    script(r, s, &mut d.fifos.$slot);
                },
            ),
        ]
    };
}

/// `notify_fifo`
pub static ALL: [Keyword<Global>; 2] =
    fifo!("notify_fifo", "notify_fifo_script", "a FIFO that all changes of state are written to, and who owns it", all);

/// `vrrp_notify_fifo`
pub static VRRP: [Keyword<Global>; 2] = fifo!(
    "vrrp_notify_fifo",
    "vrrp_notify_fifo_script",
    "a FIFO that changes of instances and groups are written to, and who owns it",
    vrrp
);

/// `lvs_notify_fifo`
pub static LVS: [Keyword<Global>; 2] = fifo!(
    "lvs_notify_fifo",
    "lvs_notify_fifo_script",
    "a FIFO that changes of virtual and real servers are written to, and who owns it",
    lvs
);

/// The rest.
pub static NOTIFY: &[Keyword<Global>] = &[
    Keyword::switch("smtp_alert", "mail about instances, groups, virtual and real servers", |r, s, d: &mut Global| {
        d.mail.alert = r.switch(s).or(d.mail.alert);
    })
    .or("off, except for real servers"),
    Keyword::switch("smtp_alert_vrrp", "mail about instances and groups", |r, s, d: &mut Global| {
        d.mail.alert_vrrp = r.switch(s).or(d.mail.alert_vrrp);
    })
    .or("that of smtp_alert"),
    Keyword::switch("smtp_alert_checker", "mail about virtual and real servers", |r, s, d: &mut Global| {
        d.mail.alert_checker = r.switch(s).or(d.mail.alert_checker);
    })
    .or("that of smtp_alert"),
    Keyword::flag("no_email_faults", "no mail when an instance enters FAULT", |_, _, d: &mut Global| {
        d.mail.no_faults = Switch::On
    }),
    Keyword::switch(
        "no_checker_emails",
        "mail when a real server is added or removed, not for each of its checkers",
        |r, s, d: &mut Global| {
            put(&mut d.mail.no_checkers, r.switch(s));
        },
    )
    .or("off"),
    Keyword::switch(
        "vrrp_notify_priority_changes",
        "the notify_priority_changes of instances that name none",
        |r, s, d: &mut Global| {
            put(&mut d.vrrp.notify_priority_changes, r.switch(s));
        },
    )
    .or("off"),
    Keyword::flag(
        "fifo_write_vrrp_states_on_reload",
        "a reload writes the states of all instances and groups to the FIFOs again",
        |_, _, d: &mut Global| {
            d.fifos.states_on_reload = Switch::On;
        },
    ),
];
