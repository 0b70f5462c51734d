//! When a server is asked again, and when what it answers changes its state. COMPAT: keepalived 2.4.3;
//! the timings of keepalived 2.2.7 are rows of the test table.

use super::Verdict;
use core::time::Duration;
use ipc::config::check::{Checker, CheckerKind};
use ipc::config::vrrp::Switch;

/// Least time between two probes in steady state, least `connect_timeout`: a configuration with zeros must not make a busy loop.
pub const LEAST: Duration = Duration::from_millis(1);

/// How long after activation the first probe is made, `warmup` apart.
pub const FIRST_RUN: Duration = Duration::from_secs(1);

/// What the configuration says of the timing of one checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    delay_loop: Duration,
    delay_before_retry: Duration,
    retry: u32,
    rounds: Rounds,
    first: First,
}

/// Whether the first failure of a server counts, whatever `retry`, as long as nothing is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Counts,
    /// SMTP_CHECK has its retries. COMPAT: keepalived 2.2.7, measured.
    Tolerated,
}

/// What makes a server that was down come up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rounds {
    /// One success.
    Single,
    /// One success of each of so many URLs; first, of the one that failed.
    Urls { count: u32, pace: Pace },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    DelayLoop,
    /// `fast_recovery`
    BackToBack,
}

impl Timing {
    /// Of a checker.
    pub fn of(checker: &Checker) -> Timing {
        let rounds = match &checker.kind {
            CheckerKind::Tcp
            | CheckerKind::Smtp { .. }
            | CheckerKind::Dns { .. }
            | CheckerKind::Udp(_)
            | CheckerKind::Ping
            | CheckerKind::Misc(_)
            | CheckerKind::File { .. }
            | CheckerKind::Bfd { .. } => Rounds::Single,
            CheckerKind::Http(http) | CheckerKind::Ssl(http, _) => Rounds::Urls {
                count: u32::try_from(http.urls.len()).unwrap_or(u32::MAX).max(1),
                pace: if http.fast_recovery == Switch::On { Pace::BackToBack } else { Pace::DelayLoop },
            },
        };
        let first = match &checker.kind {
            CheckerKind::Smtp { .. } => First::Tolerated,
            _ => First::Counts,
        };
        // What is heard of and not asked for counts at once.
        let event_driven = matches!(checker.kind, CheckerKind::File { .. } | CheckerKind::Bfd { .. });
        Timing {
            delay_loop: checker.delay_loop.max(LEAST),
            delay_before_retry: checker.delay_before_retry,
            retry: if event_driven { 0 } else { checker.retry },
            rounds,
            first,
        }
    }

    /// `retry`
    pub fn retry(&self) -> u32 {
        self.retry
    }

    /// `delay_loop`: also the delay after a probe that could not be made for reasons of this machine.
    pub fn delay_loop(&self) -> Duration {
        self.delay_loop
    }
}

/// Whether the checker lets its server serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Up,
    /// It does not.
    Down,
}

/// How a checker begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At the start of the daemon: the first failure counts, whatever `retry`.
    Start,
    /// Added by a reload: failures are tolerated as later. COMPAT: keepalived 2.2.7, measured.
    Added,
    /// An earlier process left it in this state: as if it had been watched all the time.
    Resumed,
}

/// What a verdict changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Stays,
    /// It was down and is up.
    CameUp,
    /// It was up and is down.
    WentDown,
}

/// Whether this completes the first judgement of the server since the checker began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It does.
    First,
    /// An earlier one did, or the round is not complete.
    Later,
}

/// What follows from a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Until the next probe.
    pub delay: Duration,
    /// Of the state.
    pub change: Change,
    /// Of the first judgement.
    pub judgement: Judgement,
}

/// The state of one checker between probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    health: Health,
    /// Failures in a row while up.
    failures: u32,
    judged: Judged,
    /// The URL that is asked next, 0 for checks without.
    url: u32,
    round: Round,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    /// Nothing is known, or not all pages have passed; the first failure counts, whatever `retry`. COMPAT: keepalived 2.2.7, measured.
    Strictly,
    /// Not for the first time.
    NotYet,
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// Each URL in turn, for ever.
    Steady,
    /// Each must pass once, so many have.
    Proving(u32),
    /// This one failed and is asked until it passes; then all must prove themselves.
    Stuck,
}

impl Schedule {
    /// At the beginning, in this state.
    pub fn new(health: Health, begin: Begin) -> Schedule {
        let judged = match begin {
            Begin::Start => Judged::Strictly,
            Begin::Added => Judged::NotYet,
            Begin::Resumed => Judged::Yes,
        };
        let steady = begin == Begin::Resumed && health == Health::Up;
        let round = if steady { Round::Steady } else { Round::Proving(0) };
        Schedule { health, failures: 0, judged, url: 0, round }
    }

    /// The state.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Which URL is asked next.
    pub fn url(&self) -> usize {
        usize::try_from(self.url).unwrap_or(usize::MAX)
    }

    /// Failures in a row while up.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// How many failures it would tolerate if it were up.
    pub fn tolerates(&self, timing: &Timing) -> u32 {
        if self.judged == Judged::Strictly && timing.first == First::Counts { 0 } else { timing.retry }
    }

    /// Takes the verdict of the probe of [`Schedule::url`].
    pub fn record(&mut self, timing: &Timing, verdict: Verdict) -> Step {
        match verdict {
            Verdict::Pass => self.passed(timing),
            Verdict::Fail(_) => self.failed(timing),
        }
    }

    fn passed(&mut self, timing: &Timing) -> Step {
        self.failures = 0;
        let Rounds::Urls { count, pace } = timing.rounds else {
            return self.complete(timing);
        };
        let within_round = if pace == Pace::BackToBack { Duration::ZERO } else { timing.delay_loop };
        match self.round {
            Round::Steady => {
                self.url = next(self.url, count);
                Step { delay: timing.delay_loop, change: Change::Stays, judgement: Judgement::Later }
            }
            Round::Stuck => {
                self.url = 0;
                self.round = Round::Proving(0);
                Step { delay: within_round, change: Change::Stays, judgement: Judgement::Later }
            }
            Round::Proving(passed) => {
                let passed = passed.saturating_add(1);
                self.url = next(self.url, count);
                if passed < count {
                    self.round = Round::Proving(passed);
                    return Step { delay: within_round, change: Change::Stays, judgement: Judgement::Later };
                }
                self.round = Round::Steady;
                self.complete(timing)
            }
        }
    }

    fn complete(&mut self, timing: &Timing) -> Step {
        let change = if self.health == Health::Down { Change::CameUp } else { Change::Stays };
        self.health = Health::Up;
        Step { delay: timing.delay_loop, change, judgement: self.judge() }
    }

    fn failed(&mut self, timing: &Timing) -> Step {
        let http = timing.rounds != Rounds::Single;
        let until_recovery = if http { timing.delay_before_retry.max(timing.delay_loop) } else { timing.delay_loop };
        // COMPAT: keepalived 2.2.7, measured: so it does for a server that begins down.
        let beginning = self.judged == Judged::Strictly && timing.first == First::Tolerated;
        if (self.health == Health::Up || beginning) && self.failures < self.tolerates(timing) {
            self.failures = self.failures.saturating_add(1);
            return Step { delay: timing.delay_before_retry, change: Change::Stays, judgement: Judgement::Later };
        }
        let change = if self.health == Health::Up { Change::WentDown } else { Change::Stays };
        self.health = Health::Down;
        self.failures = 0;
        if http {
            self.round = Round::Stuck;
        }
        let judgement = self.judge();
        // COMPAT: keepalived 2.2.7, measured: that a server which began down fails is no news of its pages.
        let no_news = http && change == Change::Stays;
        Step { delay: until_recovery, change, judgement: if no_news { Judgement::Later } else { judgement } }
    }

    fn judge(&mut self) -> Judgement {
        match core::mem::replace(&mut self.judged, Judged::Yes) {
            Judged::Strictly | Judged::NotYet => Judgement::First,
            Judged::Yes => Judgement::Later,
        }
    }
}

fn next(url: u32, count: u32) -> u32 {
    let url = url.saturating_add(1);
    if url < count { url } else { 0 }
}

#[cfg(test)]
mod tests;
