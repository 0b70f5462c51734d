//! The table: medians of all rounds, ratios, and what is to be reached.

use super::least::Least;
use super::stage::{Changes, Checks};
use crate::daemon::Program;
use std::time::Duration;

/// Most time in milliseconds that 99 of 100 checks may be late.
const LATE: f64 = 20.0;

/// What was measured with one daemon and one number of real servers.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// One after another.
    pub changes: Vec<Changes>,
    /// One after another.
    pub checks: Vec<Checks>,
}

/// The name of a daemon.
pub fn name(program: Program) -> &'static str {
    match program {
        Program::Holdfast => "holdfast",
        Program::Keepalived => "keepalived",
    }
}

/// A line about one round.
pub fn of_changes(c: &Changes) -> String {
    let left = if c.left > 0 { format!(" ({} real servers left)", c.left) } else { String::new() };
    format!(
        "start {:.2} s, weights {:.2} s, stop {:.2} s{left}; nothing new: {} messages, {:.2} s CPU; {} kB",
        c.start.as_secs_f64(),
        c.weights.as_secs_f64(),
        c.stop.as_secs_f64(),
        c.messages,
        c.processor.as_secs_f64(),
        c.memory
    )
}

/// A line about one round of checks.
pub fn of_checks(c: &Checks) -> String {
    format!(
        "1,000 checks {:.3} s CPU; {:.0} a second, p99 {:.0} ms late; the machine idle {:.0} %",
        c.processor.as_secs_f64(),
        c.rate,
        millis(c.late),
        c.idle * 100.0
    )
}

/// One line of the table.
struct Row {
    what: &'static str,
    theirs: f64,
    ours: f64,
    /// What the kernel alone costs, where that was measured.
    least: Option<f64>,
    decimals: usize,
    to_reach: ToReach,
}

#[derive(Clone, Copy)]
enum ToReach {
    /// At most this part of theirs.
    Part(f64),
    /// At most this, whatever theirs is.
    Most(f64),
    /// Only shown.
    Shown,
}

impl Row {
    fn is_reached(&self) -> Option<bool> {
        match self.to_reach {
            ToReach::Part(part) => Some(self.ours <= self.theirs * part),
            ToReach::Most(most) => Some(self.ours <= most),
            ToReach::Shown => None,
        }
    }

    fn print(&self) {
        let Row { what, theirs, ours, decimals, least, .. } = self;
        let least = least.map_or(String::new(), |least| format!("{least:.decimals$}"));
        let to_reach = match self.to_reach {
            ToReach::Part(part) => format!("x {part}"),
            ToReach::Most(most) => format!("{most}"),
            ToReach::Shown => String::new(),
        };
        let said = match self.is_reached() {
            Some(true) => "reached",
            Some(false) => "missed",
            None => "",
        };
        let ratio = ours / theirs.max(1e-9);
        let ratio = if *theirs > 0.0 { format!("{ratio:.3}") } else { "-".to_owned() };
        let line =
            format!("  {what:<46}{theirs:>11.decimals$}{ours:>11.decimals$}{ratio:>9}{to_reach:>10}{least:>9}  {said}");
        println!("{}", line.trim_end());
    }
}

/// Prints how ours compares with theirs, and with what the kernel alone costs; whether everything that is to be reached is.
pub fn judge(reals: u32, ours: &Runs, theirs: &Runs, least: Least) -> bool {
    println!(
        "\n{reals:>6} real servers, medians{:>31}{:>11}{:>9}{:>10}{:>9}",
        "keepalived", "holdfast", "ratio", "to reach", "kernel"
    );
    let rows = rows(ours, theirs, least);
    rows.iter().for_each(Row::print);
    println!();
    rows.iter().all(|row| row.is_reached() != Some(false))
}

fn rows(ours: &Runs, theirs: &Runs, least: Least) -> Vec<Row> {
    let mut rows = Vec::new();
    if !ours.changes.is_empty() && !theirs.changes.is_empty() {
        let mut add = |what, decimals, to_reach, least: Option<Duration>, of: fn(&Changes) -> f64| {
            let (theirs, ours) = (median(theirs.changes.iter().map(of)), median(ours.changes.iter().map(of)));
            let least = least.map(|time| time.as_secs_f64());
            rows.push(Row { what, theirs, ours, least, decimals, to_reach });
        };
        add("start until all destinations are there, s", 2, ToReach::Part(0.2), Some(least.start), |c| {
            c.start.as_secs_f64()
        });
        add("reload of every weight until applied, s", 2, ToReach::Part(0.05), Some(least.weights), |c| {
            c.weights.as_secs_f64()
        });
        add("stop until the table is empty, s", 2, ToReach::Part(0.2), Some(least.stop), |c| c.stop.as_secs_f64());
        add("reload of nothing: messages", 0, ToReach::Most(0.0), None, |c| c.messages as f64);
        add("reload of nothing: CPU, s", 2, ToReach::Part(0.25), None, |c| c.processor.as_secs_f64());
        add("memory of all processes, PSS, kB", 0, ToReach::Part(1.0), None, |c| c.memory as f64);
    }
    if !ours.checks.is_empty() && !theirs.checks.is_empty() {
        let mut add = |what, decimals, to_reach, least: Option<Duration>, of: fn(&Checks) -> f64| {
            let (theirs, ours) = (median(theirs.checks.iter().map(of)), median(ours.checks.iter().map(of)));
            let least = least.map(|time| time.as_secs_f64());
            rows.push(Row { what, theirs, ours, least, decimals, to_reach });
        };
        add("CPU of 1,000 checks, s", 3, ToReach::Part(0.5), Some(least.checks), |c| c.processor.as_secs_f64());
        add("lateness of checks, p99, ms", 0, ToReach::Most(LATE), None, |c| millis(c.late));
        add("checks a second", 0, ToReach::Shown, None, |c| c.rate);
        add("idle time of the machine meanwhile, %", 0, ToReach::Shown, None, |c| c.idle * 100.0);
    }
    rows
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get((values.len().max(1) - 1) / 2).copied().unwrap_or(f64::NAN)
}
