//! The shape every state machine of Holdfast has.

use crate::time::Mono;

/// The event "the deadline may have passed".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout;

/// A deterministic state machine without clock, socket, randomness or log: those are inputs and outputs.
///
/// Laws; each machine has a property test of them under any sequence of its own events, sensible or not (vrrpd's `Router`:
/// `tests/tests/vrrp_properties.rs`, checkd's `Engine`: `checkd/src/engine/tests/laws.rs`, ipvsd's `Reconciler`:
/// `ipvsd/tests/converge`, the supervisor's `Lifecycle`: `supervisor/src/lifecycle/tests/laws.rs`):
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
