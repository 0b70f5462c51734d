//! What can be tracked: `track_file`, `vrrp_track_process`.

use super::Printer;
use super::value::{Value, int};
use super::writer::Writer;
use alloc::format;
use core::fmt;
use ipc::config::file::{FileWeight, InitFile, TrackFile};
use ipc::config::vrrp::{Switch, Weight};
use ipc::config::vrrp_track::{ParamMatch, TrackProcess};

/// `weight N [reverse]`
pub(super) fn weight(w: &mut Writer<'_>, Weight { value, reverse }: Weight) -> fmt::Result {
    weight_of(w, value.into(), reverse)
}

/// The same of a file.
pub(super) fn file_weight(w: &mut Writer<'_>, FileWeight { value, reverse }: FileWeight) -> fmt::Result {
    weight_of(w, value.into(), reverse)
}

fn weight_of(w: &mut Writer<'_>, value: i128, reverse: Switch) -> fmt::Result {
    w.statement("weight", |w| {
        w.bare("value", Value::Int(value))?;
        w.flag("reverse", reverse)
    })
}

impl Printer<'_> {
    /// Everything that instances and real servers look at beside interfaces.
    pub(super) fn trackers(self, w: &mut Writer<'_>) -> fmt::Result {
        w.blocks("track_file", self.check.files.rows(), track_file)?;
        self.sessions(w)?;
        w.blocks("vrrp_track_process", self.vrrp.track_processes.rows(), track_process)?;
        self.track_scripts(w)
    }
}

fn track_file(w: &mut Writer<'_>, file: &TrackFile) -> fmt::Result {
    let TrackFile { name, path, weight, init, origin: _ } = file;
    w.bare("name", Value::Text(name))?;
    w.field("file", Value::Text(path))?;
    file_weight(w, *weight)?;
    let Some(InitFile { value, overwrite }) = *init else { return Ok(()) };
    w.statement("init_file", |w| {
        w.bare("value", int(value))?;
        w.flag("overwrite", overwrite)
    })
}

fn track_process(w: &mut Writer<'_>, tracked: &TrackProcess) -> fmt::Result {
    let TrackProcess {
        name,
        origin: _,
        process,
        params,
        full_command,
        weight: effect,
        least,
        most,
        fork_delay,
        terminate_delay,
    } = tracked;
    w.bare("name", Value::Text(name))?;
    w.words("process", process.iter().map(|word| Value::Text(word)))?;
    let (word, json) = match params {
        ParamMatch::Any => (None, "any"),
        ParamMatch::Exact => (Some(""), "exact"),
        ParamMatch::Initial => (Some(" initial"), "initial"),
        ParamMatch::Partial => (Some(" partial"), "partial"),
    };
    w.text_only(|w| word.map_or(Ok(()), |word| w.alone(&format!("param_match{word}"))))?;
    w.json_only("param_match", Value::Text(json))?;
    w.flag("full_command", *full_command)?;
    weight(w, *effect)?;
    // 0 follows from `quorum_max 0` and cannot be written.
    w.unless(*least == 0, "quorum", int(*least))?;
    w.maybe("quorum_max", most.map(int))?;
    w.unless(fork_delay.is_zero(), "fork_delay", Value::Seconds(*fork_delay))?;
    w.unless(terminate_delay.is_zero(), "terminate_delay", Value::Seconds(*terminate_delay))
}
