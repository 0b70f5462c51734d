//! `vrrp_script` blocks, and the lines of `track_script` and `track_interface`.

use super::diag::{Code, Diagnostic};
use super::keyword::{Args, At, Keyword, Reader, set};
use super::script::Command;
use super::source::Span;
use super::tree::Statement;
use super::value::{micros, secs};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::script::RunAs;
use ipc::config::vrrp::{Switch, Weight};

/// A `vrrp_script` block.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its name.
    pub name: At<String>,
    /// `script`
    pub command: Option<Command>,
    /// `interval`
    pub interval: Option<At<Duration>>,
    /// `timeout`
    pub timeout: Option<At<Duration>>,
    /// `weight`
    pub weight: Option<At<Weight>>,
    /// `rise`
    pub rise: Option<At<u32>>,
    /// `fall`
    pub fall: Option<At<u32>>,
    /// `user`
    pub user: Option<At<RunAs>>,
    /// `init_fail`
    pub init_fail: Switch,
}

impl Script {
    /// An empty block.
    pub fn new(name: At<String>) -> Self {
        Script {
            name,
            command: None,
            interval: None,
            timeout: None,
            weight: None,
            rise: None,
            fall: None,
            user: None,
            init_fail: Switch::Off,
        }
    }
}

/// Longest interval and timeout: a hundred days, so that sums of times stay far from any limit.
const LONGEST: Duration = secs(8_640_000);

/// `vrrp_script`
pub static SCRIPT: &[Keyword<Script>] = &[
    Keyword::new(
        "script",
        Args::Command,
        "\"COMMAND\"",
        "the command; exit status 0 is success",
        |r, s, d: &mut Script| {
            if let Some(command) = r.command_only(s) {
                d.command = Some(command);
            }
        },
    ),
    Keyword::new(
        "interval",
        Args::Count(1, 1),
        "SECONDS",
        "the time from one start to the next",
        |r, s, d: &mut Script| {
            set(&mut d.interval, at_least_one_milli(r, s), s);
        },
    )
    .or("1"),
    Keyword::new(
        "timeout",
        Args::Count(1, 1),
        "SECONDS",
        "how long a run may take before it is killed and counts as failed",
        |r, s, d: &mut Script| {
            set(&mut d.timeout, at_least_one_milli(r, s), s);
        },
    )
    .or("that of interval"),
    Keyword::new(
        "weight",
        Args::Count(1, 2),
        "INT -253..253 [reverse]",
        "what a success (or, below 0, a failure) adds to the priority; 0: a failure is FAULT",
        |r, s, d: &mut Script| {
            let weight = script_weight(r, s);
            set(&mut d.weight, weight, s);
        },
    )
    .or("0"),
    Keyword::new(
        "rise",
        Args::Count(1, 1),
        "INT from 1",
        "how many runs must succeed in a row before the script counts as up",
        |r, s, d: &mut Script| {
            set(&mut d.rise, r.number(s.word(1), 1..=i64::from(i32::MAX)), s);
        },
    )
    .or("1"),
    Keyword::new(
        "fall",
        Args::Count(1, 1),
        "INT from 1",
        "how many runs must fail in a row before the script counts as down",
        |r, s, d: &mut Script| {
            set(&mut d.fall, r.number(s.word(1), 1..=i64::from(i32::MAX)), s);
        },
    )
    .or("1"),
    Keyword::new("user", Args::Count(1, 2), "USER [[:]GROUP]", "who runs it", |r, s, d: &mut Script| {
        d.user = r.run_as(s).or(d.user.take());
    })
    .or("that of script_user"),
    Keyword::flag("init_fail", "the script counts as down until it has succeeded", |_, _, d: &mut Script| {
        d.init_fail = Switch::On
    }),
];

/// COMPAT: keepalived 2.4.3 takes 0 as 1 s.
fn at_least_one_milli(r: &mut Reader<'_>, s: Statement<'_>) -> Option<Duration> {
    let word = s.word(1)?;
    let value = r.millis(Some(word), micros(0)..=LONGEST)?;
    if value.is_zero() {
        r.adjusted(word, format!("`{}` 0 is taken as 1 second", s.keyword()));
        return Some(secs(1));
    }
    Some(value)
}

/// `INT [reverse|noreverse]` from word `n` on. COMPAT: ±254 is taken as ±253.
pub fn weight(r: &mut Reader<'_>, s: Statement<'_>, n: usize) -> Option<Weight> {
    weight_within(r, s, n, 253)
}

/// That of a `vrrp_script`. COMPAT: keepalived 2.2.7: a number beyond ±254 is an error, and taken as ±253.
fn script_weight(r: &mut Reader<'_>, s: Statement<'_>) -> Option<Weight> {
    let word = s.word(1)?;
    let value = r.int(word, i64::MIN..=i64::MAX)?;
    if !(-254..=254).contains(&value) {
        let message = format!("`{}` is out of range; {} is taken", word.text(), value.clamp(-253, 253));
        r.diags.push(Diagnostic::error(Code::OUT_OF_RANGE, word.span, message).label("-253 to 253 is allowed"));
    }
    finish(r, s, 1, value, 253)
}

/// The same for what may weigh 254.
pub fn weight_within(r: &mut Reader<'_>, s: Statement<'_>, n: usize, most: i64) -> Option<Weight> {
    let value = r.int(s.word(n)?, -254..=254)?;
    finish(r, s, n, value, most)
}

/// The number as it counts, and the word after it.
fn finish(r: &mut Reader<'_>, s: Statement<'_>, n: usize, value: i64, most: i64) -> Option<Weight> {
    let word = s.word(n)?;
    let clamped = value.clamp(most.saturating_neg(), most);
    if clamped != value && value.abs_diff(0) <= 254 {
        r.adjusted(word, format!("a weight of {value} is taken as {clamped}"));
    }
    let mut reverse = Switch::Off;
    if let Some(word) = s.word(n.saturating_add(1)) {
        match word.text() {
            "reverse" => reverse = Switch::On,
            "noreverse" => {}
            _ => r.bad(word, "`reverse` or `noreverse`"),
        }
    }
    Some(Weight { value: i16::try_from(clamped).unwrap_or(0), reverse })
}

/// A line of `track_script` or `track_interface`.
#[derive(Clone, Debug)]
pub struct Use {
    /// What is tracked.
    pub name: At<String>,
    /// The line's own weight.
    pub weight: Option<Weight>,
    /// The line.
    pub span: Span,
}

/// Most lines of a `track_…` block: each is compared with those before it.
const USES_LIMIT: usize = 1024;

/// The lines of a `track_…` block.
pub fn uses(r: &mut Reader<'_>, s: Statement<'_>, list: &mut Vec<Use>) {
    uses_within(r, s, list, 253);
}

/// The same for what may weigh 254.
pub fn uses_within(r: &mut Reader<'_>, s: Statement<'_>, list: &mut Vec<Use>, most: i64) {
    for line in s.children() {
        super::keyword::no_block(r, line);
        let Some(name) = line.word(0).and_then(|w| r.text(w)) else { continue };
        let mut used = Use { name, weight: None, span: line.whole() };
        match line.word(1) {
            Some(word) if word.text() == "weight" => match line.word(2) {
                Some(_) => {
                    let Some(weight) = weight_within(r, line, 2, most) else { continue };
                    used.weight = Some(weight);
                }
                None => {
                    let message = "`weight` needs a number";
                    r.diags.push(Diagnostic::error(Code::MISSING_ARGUMENT, word.span, message).label("ignored"));
                }
            },
            Some(word) => r.bad(word, "`weight`"),
            None => {}
        }
        if let Some(earlier) = list.iter().find(|u| u.name.value == used.name.value) {
            let message = format!("`{}` is tracked twice; the first line counts", used.name.value);
            let again = Diagnostic::error(Code::DUPLICATE, used.span, message).label("ignored");
            r.diags.push(again.also(earlier.span, "the first one"));
            continue;
        }
        if list.len() >= USES_LIMIT {
            let message = format!("one block may track {USES_LIMIT} of a kind");
            r.diags.push(Diagnostic::error(Code::TOO_MANY, used.span, message).label("this and the rest are ignored"));
            return;
        }
        list.push(used);
    }
}
