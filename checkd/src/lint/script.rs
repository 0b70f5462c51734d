//! Scripts: how long they may run, and arguments that are taken for a user.

use crate::conf::Draft;
use crate::conf::diag::{Code, Diagnostic, Severity};
use crate::conf::keyword::{Reader, shown};
use crate::conf::source::Span;
use crate::conf::tree::Statement;
use crate::conf::value::{plain, secs};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

/// Looks at the `vrrp_script`s that something tracks.
pub fn look(r: &mut Reader<'_>, draft: &Draft) {
    let uses = draft.instances.iter().flat_map(|i| &i.track_scripts);
    let uses = uses.chain(draft.groups.iter().flat_map(|g| &g.track_scripts));
    let used: BTreeSet<&str> = uses.map(|u| u.name.value.as_str()).collect();
    for script in draft.scripts.iter().filter(|s| s.timeout.is_none() && used.contains(s.name.value.as_str())) {
        let Some(command) = &script.command else { continue };
        let interval = script.interval.as_ref().map_or(secs(1), |i| i.value);
        let message =
            format!("`vrrp_script {}` has no `timeout`: it may run for {} s", script.name.value, plain(interval));
        let mut note = Diagnostic::new(Severity::Note, Code::NO_TIMEOUT, command.span, message)
            .label("a run that takes longer counts as failed")
            .help(format!("say what you expect, for example `timeout {}`", plain(interval)));
        if let Some(interval) = &script.interval {
            note = note.also(interval.span, "its `interval`");
        }
        r.diags.push(note);
    }
}

/// States and kinds, which a notify script gets without being told to.
const STATES: &[&str] = &["MASTER", "BACKUP", "FAULT", "STOP", "INSTANCE", "GROUP", "UP", "DOWN"];

/// A word after a command is the user who runs it. `user`: that word; `at`: the command and all that follows.
pub fn unquoted(r: &mut Reader<'_>, s: Statement<'_>, user: &str, place: Span, at: Span) {
    let state = STATES.iter().any(|state| user.eq_ignore_ascii_case(state));
    if !state && !user.starts_with(['-', '/', '.']) && !user.contains('=') {
        return;
    }
    let message = format!("`{}` is taken for the user who runs the command", shown(user));
    let mut warning = Diagnostic::warning(Code::UNQUOTED_COMMAND, place, message)
        .label("this is no user's name")
        .help(format!("a command with arguments is written in quotes: {} \"COMMAND ARGUMENT\"", s.keyword()));
    if let Some(text) = quotable(r, at) {
        warning = warning.patch(at, format!("\"{text}\""));
    }
    r.diags.push(warning);
}

/// The words of a place, if they can be put into quotes as they are.
pub fn quotable(r: &Reader<'_>, at: Span) -> Option<String> {
    let text = r.sources.get(at.file)?.text.get(at.start as usize..at.end as usize)?;
    let text = core::str::from_utf8(text).ok()?;
    (!text.contains(['"', '\'', '\\', '$', '\n', '\t'])).then(|| text.into())
}
