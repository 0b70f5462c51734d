//! Notify scripts of instances and groups.

use super::keyword::At;
use super::script::Command;

/// The notify scripts of an instance or a group.
#[derive(Clone, Debug, Default)]
pub struct Notify {
    /// `notify_master`
    pub master: Option<At<Command>>,
    /// `notify_backup`
    pub backup: Option<At<Command>>,
    /// `notify_fault`
    pub fault: Option<At<Command>>,
    /// `notify_stop`
    pub stop: Option<At<Command>>,
    /// `notify`
    pub generic: Option<At<Command>>,
    /// `notify_master_rx_lower_pri`
    pub master_rx_lower_pri: Option<At<Command>>,
}

/// The kinds of notify script, for instances and groups.
macro_rules! notify {
    ($name:literal, $field:ident, $help:literal) => {
        Keyword::new($name, Args::Script, "COMMAND [USER [GROUP]]", $help, |r, s, d| {
            if let Some(command) = r.command(s) {
                r.first(&mut d.notify.$field, s, command);
            }
        })
    };
}

pub(super) use notify;
