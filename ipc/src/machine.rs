//! The shape every state machine of Holdfast has.

use crate::time::Mono;

/// The event "the deadline may have passed".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout;

/// A deterministic state machine without clock, socket, randomness or log: those are inputs and outputs.
///
/// Laws, tested on every machine by one generic property test (`tests/tests/machine_laws.rs`):
/// * after `step(t, Timeout)` with `t >= deadline`, the new deadline is later than `t` (or there is none);
/// * a `Timeout` before the deadline does nothing;
/// * `step` is total: no event in any state panics.
pub trait Machine {
    /// What can happen to it.
    type Event: From<Timeout>;
    /// What it wants done.
    type Action;

    /// Takes one event at time `now` and appends what is to be done to `out`. Actions are carried out in order.
    fn step(&mut self, now: Mono, event: Self::Event, out: &mut Vec<Self::Action>);

    /// When it next wants a [`Timeout`].
    fn deadline(&self) -> Option<Mono>;
}
