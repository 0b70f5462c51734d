//! `vrrp_script` blocks.

use super::Printer;
use super::value::{Value, int};
use super::writer::Writer;
use super::{identity, track};
use core::fmt;
use ipc::config::script::{Script, ScriptKind};
use ipc::config::vrrp::{Switch, TrackScript, Weight};

/// The weight of the block: each line that uses it says its own.
const NONE: Weight = Weight { value: 0, reverse: Switch::Off };

impl Printer<'_> {
    pub(super) fn track_scripts(self, w: &mut Writer<'_>) -> fmt::Result {
        w.blocks("vrrp_script", self.vrrp.track_scripts.rows(), |w, block| {
            let TrackScript { name, origin: _, script, interval, rise, fall, init_fail } = block;
            w.bare("name", Value::Text(name))?;
            if let Some(command) = self.command(*script) {
                // The label and who may ask for it follow from where it stands.
                let Script { argv, run_as, label: _, origin: _, kind, asker: _ } = command;
                w.field("script", Value::Argv(argv))?;
                if let Some(user) = run_as {
                    w.statement("user", |w| identity::run_as(w, user))?;
                }
                if let ScriptKind::Probe { timeout } = kind {
                    w.field("timeout", Value::Seconds(*timeout))?;
                }
            }
            w.field("interval", Value::Seconds(*interval))?;
            track::weight(w, NONE)?;
            w.field("rise", int(*rise))?;
            w.field("fall", int(*fall))?;
            w.flag("init_fail", *init_fail)
        })
    }
}
