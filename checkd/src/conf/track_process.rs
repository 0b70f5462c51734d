//! `vrrp_track_process` blocks. COMPAT: keepalived 2.4.3.

use super::diag::{Code, Diagnostic};
use super::keyword::{Args, At, Keyword, Reader, set};
use super::source::Span;
use super::track::weight_within;
use super::tree::Statement;
use super::value::{micros, secs};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::vrrp::{Switch, Weight};
use ipc::config::vrrp_track::ParamMatch;

/// A `vrrp_track_process` block.
#[derive(Clone, Debug)]
pub struct TrackProcess {
    /// Its name.
    pub name: At<String>,
    /// Its first line.
    pub span: Span,
    /// `process`: name, then its parameters.
    pub process: Vec<String>,
    /// `param_match`; `None` inside without a word: exactly these parameters.
    pub params: Option<At<ParamMatch>>,
    /// `weight`
    pub weight: Option<At<Weight>>,
    /// `quorum`
    pub least: Option<At<u32>>,
    /// `quorum_max`
    pub most: Option<At<u32>>,
    /// `fork_delay`, `delay`
    pub fork_delay: Option<At<Duration>>,
    /// `terminate_delay`, `delay`
    pub terminate_delay: Option<At<Duration>>,
    /// `full_command`
    pub full_command: Switch,
}

impl TrackProcess {
    /// An empty block.
    pub fn new(name: At<String>, span: Span) -> Self {
        TrackProcess {
            name,
            span,
            process: Vec::new(),
            params: None,
            weight: None,
            least: None,
            most: None,
            fork_delay: None,
            terminate_delay: None,
            full_command: Switch::Off,
        }
    }
}

fn delay(r: &mut Reader<'_>, s: Statement<'_>) -> Option<Duration> {
    r.timer(s.word(1), micros(1)..=secs(3600))
}

fn process(r: &mut Reader<'_>, s: Statement<'_>, d: &mut TrackProcess) {
    if !d.process.is_empty() {
        return r.again(s); // COMPAT: the first one counts
    }
    let words: Option<Vec<String>> = s.words(1).map(|w| r.text(w).map(|t| t.value)).collect();
    if words.as_ref().is_some_and(|w| w.first().is_some_and(String::is_empty)) {
        r.diags.push(Diagnostic::error(Code::BAD_VALUE, s.whole(), "a process has a name").label("ignored"));
    } else if let Some(words) = words {
        d.process = words;
    }
}

/// COMPAT: without a word, exactly the parameters that are given, none included.
fn param_match(r: &mut Reader<'_>, s: Statement<'_>, d: &mut TrackProcess) {
    let value = match s.word(1) {
        None => ParamMatch::Exact,
        Some(word) if word.text() == "initial" => ParamMatch::Initial,
        Some(word) if word.text() == "partial" => ParamMatch::Partial,
        Some(word) => return r.bad(word, "`initial` or `partial`"),
    };
    set(&mut d.params, Some(value), s);
}

/// `vrrp_track_process`
pub static TRACK_PROCESS: &[Keyword<TrackProcess>] = &[
    Keyword::new(
        "process",
        Args::Some(1),
        "NAME [PARAMETER …]",
        "the name of the process as in /proc/PID/comm; with parameters or full_command, the words of its command line",
        process,
    ),
    Keyword::new(
        "param_match",
        Args::Count(0, 1),
        "[initial|partial]",
        "how parameters are compared: alone, all of them; partial, the first ones; initial, these too, and the last one may go on",
        param_match,
    ),
    Keyword::new(
        "weight",
        Args::Count(1, 2),
        "INT -254..254 [reverse]",
        "what the process adds to the priority while it runs (or, below 0, while it does not); 0: without it, FAULT",
        |r, s, d: &mut TrackProcess| {
            let weight = weight_within(r, s, 1, 254);
            set(&mut d.weight, weight, s);
        },
    )
    .or("0"),
    Keyword::new(
        "quorum",
        Args::Count(1, 1),
        "INT 1..65535",
        "how many of it must run",
        |r, s, d: &mut TrackProcess| {
            set(&mut d.least, r.number(s.word(1), 1..=65535), s);
        },
    )
    .or("1"),
    Keyword::new(
        "quorum_max",
        Args::Count(1, 1),
        "INT 0..65535",
        "how many of it may run; 0: none must",
        |r, s, d: &mut TrackProcess| {
            set(&mut d.most, r.number(s.word(1), 0..=65535), s);
        },
    )
    .or("any number"),
    Keyword::new(
        "delay",
        Args::Count(1, 1),
        "SECONDS 0.000001..3600",
        "how long a change must last before it counts; both fork_delay and terminate_delay",
        |r, s, d: &mut TrackProcess| {
            let delay = delay(r, s);
            set(&mut d.fork_delay, delay, s);
            set(&mut d.terminate_delay, delay, s);
        },
    )
    .or("no time"),
    Keyword::new(
        "fork_delay",
        Args::Count(1, 1),
        "SECONDS 0.000001..3600",
        "how long a change by a copy that one of them has made of itself must last before it counts",
        |r, s, d: &mut TrackProcess| {
            set(&mut d.fork_delay, delay(r, s), s);
        },
    )
    .or("no time"),
    Keyword::new(
        "terminate_delay",
        Args::Count(1, 1),
        "SECONDS 0.000001..3600",
        "how long a change by the end of one of them must last before it counts",
        |r, s, d: &mut TrackProcess| {
            set(&mut d.terminate_delay, delay(r, s), s);
        },
    )
    .or("no time"),
    Keyword::flag(
        "full_command",
        "the first word of the command line is compared, path and all, not the name of the process",
        |_, _, d: &mut TrackProcess| d.full_command = Switch::On,
    ),
];
