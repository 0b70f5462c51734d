//! When a session speaks, and how long it waits for its neighbour (RFC 5880 §6.8.2, §6.8.3, §6.8.4, §6.8.7).

use super::session::Session;
use crate::packet::bfd::{Flag, State};
use core::time::Duration;
use ipc::config::vrrp::Switch;
use ipc::time::Mono;

/// An interval that the neighbour is told, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    /// What packets say.
    pub said: u32,
    /// What counts as long as the neighbour has not confirmed that.
    pub used: u32,
}

/// A Poll Sequence (RFC 5880 §6.5): what it asks the neighbour to confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Poll {
    tx: u32,
    rx: u32,
}

impl Session {
    /// The intervals follow state and configuration. RFC 5880 §6.8.3: not Up means at least a second between packets. While the session is
    /// Up a change is confirmed by a Poll Sequence, and until then the slower of both counts where the neighbour relies on it; in other
    /// states it counts at once, and the next packet says so.
    pub(super) fn settle_intervals(&mut self) {
        let tx = micros(if self.state == State::Up { self.conf.min_tx } else { self.conf.idle_tx });
        let rx = micros(self.conf.min_rx);
        if self.state != State::Up {
            self.tx = Interval { said: tx, used: tx };
            self.rx = Interval { said: rx, used: rx };
            self.poll = None;
            return;
        }
        if (self.tx.said, self.rx.said) == (tx, rx) {
            return;
        }
        self.tx = Interval { said: tx, used: self.tx.used.min(tx) };
        self.rx = Interval { said: rx, used: self.rx.used.max(rx) };
        self.poll.get_or_insert(Poll { tx, rx });
    }

    /// The neighbour has confirmed; once more, if something else has been said since it was asked.
    pub(super) fn polled(&mut self) {
        let now = Poll { tx: self.tx.said, rx: self.rx.said };
        match self.poll {
            Some(asked) if asked == now => {
                self.tx.used = now.tx;
                self.rx.used = now.rx;
                self.poll = None;
            }
            Some(_) => self.poll = Some(now),
            None => {}
        }
    }

    /// The time between two packets of ours, before jitter.
    pub fn interval(&self) -> Duration {
        Duration::from_micros(self.tx.used.max(self.remote.min_rx).into())
    }

    /// The Detection Time: so long without a packet, and the session is down.
    pub fn detection_time(&self) -> Duration {
        let interval = self.rx.used.max(self.remote.min_tx);
        Duration::from_micros(u64::from(interval).saturating_mul(self.remote.multiplier.into()))
    }

    /// Whether nothing is said unasked: the neighbour wants nothing, a passive end has not been spoken to, or the neighbour is in
    /// demand mode.
    fn is_silent(&self) -> bool {
        let both_up = self.state == State::Up && self.remote.state == State::Up;
        self.remote.min_rx == 0
            || self.conf.passive == Switch::On && self.yours == 0
            || self.remote.demand == Flag::Set && both_up && self.poll.is_none()
    }

    /// Sets the time of the next packet after one was sent.
    pub(super) fn schedule(&mut self, now: Mono) {
        self.paced = self.interval();
        let after = self.jittered();
        self.sent = Some(now);
        self.send_at = (!self.is_silent()).then_some(now + after);
    }

    /// Sets it after something was learned: never later than a shorter interval wants it.
    pub(super) fn reschedule(&mut self, now: Mono) {
        if self.is_silent() {
            self.send_at = None;
        } else if self.send_at.is_none() || self.interval() < self.paced {
            self.paced = self.interval();
            let due = self.sent.map_or(now, |sent| sent + self.jittered());
            self.send_at = Some(self.send_at.map_or(due, |at| at.min(due)).max(now));
        }
    }

    /// RFC 5880 §6.8.7: three quarters of the interval to all of it, to nine tenths when a single packet that is missed ends the session.
    fn jittered(&mut self) -> Duration {
        let most = if self.conf.multiplier == 1 { 150 } else { 250 };
        let part = 750_u64.saturating_add(self.chance.bits() % (most + 1));
        let nanos = u64::try_from(self.paced.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos((nanos / 1000).saturating_mul(part))
    }
}

/// Microseconds as packets carry them.
pub(super) fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
