//! One `vrrp_track_process`: whether enough of it runs, and for how long it must before that counts.

use super::script::{Turned, Verdict};
use crate::effects::Effects;
use alloc::format;
use alloc::string::String;
use core::time::Duration;
use ipc::config::vrrp_track::TrackProcess;
use ipc::report::Level;
use ipc::time::Mono;

/// Why the number is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// One of them has made a copy of itself: `fork_delay`.
    Forked,
    /// One of them has ended: `terminate_delay`.
    Ended,
    /// One has become, or ceased to be, such a process by execve(2) or by its name, or all were counted anew: counts at once.
    Turned,
}

/// Which delay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// `fork_delay`
    Fork,
    /// `terminate_delay`
    Terminate,
    /// None: it is due.
    None,
}

/// A `vrrp_track_process`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its configuration.
    pub conf: TrackProcess,
    /// What counts.
    pub verdict: Verdict,
    /// How many run.
    pub count: u32,
    /// When what the number says counts, unless it says something else before.
    due: Option<(Mono, Delay)>,
}

impl Process {
    /// One of which nothing is known.
    pub fn new(conf: TrackProcess, unknown: Verdict) -> Self {
        Process { conf, verdict: unknown, count: 0, due: None }
    }

    /// The same with the configuration of a new generation; all are counted anew next.
    pub fn reconfigured(&self, conf: TrackProcess) -> Self {
        Process { conf, ..self.clone() }
    }

    /// What the number says.
    fn judged(&self) -> Verdict {
        let enough = self.count >= self.conf.least && self.conf.most.is_none_or(|most| self.count <= most);
        if enough { Verdict::Up } else { Verdict::Down }
    }

    /// So many run now. COMPAT: keepalived 2.2.7, measured: which delay applies depends on what happened, not on whether the quorum was
    /// gained or lost by it; one that runs already goes on, and ends when the number says again what counts.
    pub fn counted(&mut self, now: Mono, count: u32, why: Why) {
        self.count = count;
        if self.judged() == self.verdict {
            self.due = None;
            return;
        }
        let (delay, which) = match why {
            Why::Forked => (self.conf.fork_delay, Delay::Fork),
            Why::Ended => (self.conf.terminate_delay, Delay::Terminate),
            Why::Turned => (Duration::ZERO, Delay::None),
        };
        if self.due.is_none() || why == Why::Turned {
            self.due = Some((now + delay, which));
        }
    }

    /// When it wants [`Process::expire`].
    pub fn deadline(&self) -> Option<Mono> {
        self.due.map(|(at, _)| at)
    }

    /// Which delay runs.
    pub fn delayed(&self) -> Delay {
        self.due.map_or(Delay::None, |(_, which)| which)
    }

    /// What the number says counts, if it is time.
    pub fn expire(&mut self, now: Mono, out: &mut Effects) -> Turned {
        if self.due.is_none_or(|(at, _)| now < at) {
            return Turned::No;
        }
        self.due = None;
        let now_it_is = self.judged();
        let before = core::mem::replace(&mut self.verdict, now_it_is);
        // COMPAT: keepalived 2.2.7: nothing is said of what is found at the start.
        match (before, self.verdict) {
            (Verdict::Down, Verdict::Up) => self.tell("gained", out),
            (Verdict::Up, Verdict::Down) => self.tell("lost", out),
            _ => {}
        }
        if before == self.verdict { Turned::No } else { Turned::Yes }
    }

    fn tell(&self, what: &str, out: &mut Effects) {
        out.log(Level::Info, format!("Quorum {what} for tracked process {}", self.conf.name));
    }

    /// How many run and how many there should be, in words.
    pub fn words(&self) -> String {
        let bounds = match (self.conf.least, self.conf.most) {
            (least, None) => format!("at least {least}"),
            (_, Some(0)) => "none".into(),
            (least, Some(most)) => format!("{least} to {most}"),
        };
        let program = self.conf.process.first().map_or("", String::as_str);
        format!("tracked process {}: {} of {program} run, {bounds} should", self.conf.name, self.count)
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
