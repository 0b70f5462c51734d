//! `vrrp_script`: when it runs and what its results mean. COMPAT: keepalived 2.4.3, behaviour of `rise`, `fall` and `init_fail`.

use crate::effects::Effects;
use alloc::format;
use core::time::Duration;
use ipc::config::vrrp::{Switch, TrackScript};
use ipc::msg::control::{Cause, Outcome, Run};
use ipc::report::Level;
use ipc::time::Mono;

/// Shortest interval that is kept, whatever the configuration says.
const MIN_INTERVAL: Duration = Duration::from_millis(1);

/// What is known of the thing a script watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No run has ended yet, and who tracks it with weight 0 waits for it (start of the daemon).
    Awaited,
    /// No run has ended yet, and nobody waits (added by a reload).
    Unknown,
    /// It works.
    Up,
    /// It does not.
    Down,
}

/// One script.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its configuration.
    pub conf: TrackScript,
    /// What is known.
    pub verdict: Verdict,
    /// 0..=rise+fall−1; from `rise` on it is up.
    count: u32,
    /// Start of the next run; `None` before it is started.
    next: Option<Mono>,
    running: Running,
    last: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Running {
    No,
    Yes,
    /// Yes, and the log says already that it takes longer than its interval.
    TooLong,
}

/// Whether the verdict is another one now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl Script {
    /// A script that has not run yet. `unknown` is what is held of it until then, unless `init_fail` says down.
    pub fn new(conf: TrackScript, unknown: Verdict) -> Self {
        let (count, verdict) = match conf.init_fail {
            Switch::On => (0, Verdict::Down),
            Switch::Off => (conf.rise.saturating_sub(1), unknown),
        };
        Script { conf, verdict, count, next: None, running: Running::No, last: None }
    }

    /// The same script with the configuration of a new generation: the result is kept, scaled to the new `rise` and `fall`. It runs at
    /// once if its interval is another one, or if the supervisor has ended a run of the old generation, whose result will not come.
    pub fn reconfigured(&self, conf: TrackScript) -> Self {
        let mut script = self.clone();
        script.count = match self.verdict {
            Verdict::Up => top(&conf),
            Verdict::Down => 0,
            Verdict::Awaited | Verdict::Unknown => conf.rise.saturating_sub(1),
        };
        if self.running != Running::No || self.conf.interval != conf.interval {
            script.next = None;
        }
        script.running = Running::No;
        script.conf = conf;
        script
    }

    /// Starts the schedule: the first run is due at once.
    pub fn start(&mut self, now: Mono) {
        self.next.get_or_insert(now);
    }

    /// When the next run is due.
    pub fn deadline(&self) -> Option<Mono> {
        self.next
    }

    /// What its last run came to, in words.
    pub fn last_words(&self) -> alloc::string::String {
        self.last.map_or_else(|| "has not run yet".into(), describe)
    }

    /// Asks for a run when one is due. Intervals go from start to start; a run that is still going on is not doubled.
    pub fn expire(&mut self, now: Mono, out: &mut Effects) {
        let Some(due) = self.next.filter(|due| *due <= now) else { return };
        let interval = self.conf.interval.max(MIN_INTERVAL);
        let after = due + interval;
        self.next = Some(if after > now { after } else { now + interval });
        match self.running {
            Running::No => {
                self.running = Running::Yes;
                out.run(Run { script: self.conf.script, cause: Cause::Probe });
            }
            Running::Yes => {
                self.running = Running::TooLong;
                out.log(Level::Warning, format!("Script `{}` is still running, run skipped", self.conf.name));
            }
            Running::TooLong => {}
        }
    }

    /// Takes the result of a run. Only exit status 0 is a success.
    pub fn ended(&mut self, outcome: Outcome, out: &mut Effects) -> Turned {
        self.running = Running::No;
        if self.last.replace(outcome) != Some(outcome)
            && let Outcome::Exited(status) = outcome
        {
            out.log(Level::Info, format!("Script `{}` now returning {status}", self.conf.name));
        }
        let verdict = match outcome {
            Outcome::Exited(0) => self.succeeded(),
            Outcome::Exited(_) | Outcome::Signalled(_) | Outcome::TimedOut | Outcome::NotStarted => self.failed(),
        };
        if verdict == self.verdict {
            return Turned::No;
        }
        self.verdict = verdict;
        out.log(Level::Info, format!("VRRP_Script({}) {}", self.conf.name, describe(outcome)));
        Turned::Yes
    }

    fn succeeded(&mut self) -> Verdict {
        if self.count.saturating_add(1) < self.conf.rise {
            self.count = self.count.saturating_add(1);
            // Down stays down until it has risen; what was never known becomes known.
            return Verdict::Down;
        }
        self.count = top(&self.conf);
        Verdict::Up
    }

    fn failed(&mut self) -> Verdict {
        if self.count > self.conf.rise {
            self.count = self.count.saturating_sub(1);
            return Verdict::Up;
        }
        self.count = 0;
        Verdict::Down
    }
}

/// The highest count: `fall` failures from here are down.
fn top(conf: &TrackScript) -> u32 {
    conf.rise.saturating_add(conf.fall).saturating_sub(1).max(conf.rise)
}

fn describe(outcome: Outcome) -> alloc::string::String {
    match outcome {
        Outcome::Exited(0) => "succeeded".into(),
        Outcome::Exited(status) => format!("failed (exited with status {status})"),
        Outcome::Signalled(signal) => format!("failed (due to signal {signal})"),
        Outcome::TimedOut => "timed_out".into(),
        Outcome::NotStarted => "failed (could not be started)".into(),
    }
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
