//! Which frames of a peer count.

use crate::config::Generation;

/// The generations a child knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generations {
    current: Option<Generation>,
    previous: Option<Generation>,
    prepared: Option<Generation>,
}

/// What a frame's generation means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// It counts.
    Current,
    /// Written before the sender, or read before this process, was activated: dropped without a word, because everything is
    /// said again after an activation.
    Stale,
    /// No honest peer writes it.
    Violation,
}

impl Generations {
    /// The one that counts.
    pub fn current(&self) -> Option<Generation> {
        self.current
    }

    /// The one that is prepared but not activated.
    pub fn prepared(&self) -> Option<Generation> {
        self.prepared
    }

    /// A slice of that generation was understood.
    pub fn prepare(&mut self, generation: Generation) {
        self.prepared = Some(generation);
    }

    /// The prepared one is dropped.
    pub fn discard(&mut self) {
        self.prepared = None;
    }

    /// The prepared one counts from now on; false, and nothing changes, when `generation` is not prepared.
    #[must_use]
    pub fn activate(&mut self, generation: Generation) -> bool {
        if self.prepared != Some(generation) {
            return false;
        }
        self.previous = self.current;
        self.current = self.prepared.take();
        true
    }

    /// What a frame of that generation means. The current one counts; the previous and the prepared one are stale. A process
    /// that has not been activated twice does not know the previous generation of peers that live longer, so to it every older
    /// one is stale.
    pub fn judge(&self, generation: Generation) -> Age {
        if self.current == Some(generation) {
            return Age::Current;
        }
        if self.prepared == Some(generation) || self.previous == Some(generation) {
            return Age::Stale;
        }
        let newest = self.prepared.or(self.current);
        match (self.previous, newest) {
            // Nothing is known here yet: a peer may have been activated first.
            (_, None) => Age::Stale,
            (None, Some(newest)) if generation < newest => Age::Stale,
            _ => Age::Violation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(current: Option<u32>, previous: Option<u32>, prepared: Option<u32>) -> Generations {
        let g = |n: Option<u32>| n.map(Generation);
        Generations { current: g(current), previous: g(previous), prepared: g(prepared) }
    }

    #[test]
    fn every_age_in_every_situation() {
        use Age::{Current, Stale, Violation};
        let table = [
            ("not configured yet", at(None, None, None), [Stale, Stale, Stale, Stale]),
            ("restarted, prepared", at(None, None, Some(3)), [Stale, Stale, Stale, Violation]),
            ("restarted, activated", at(Some(3), None, None), [Stale, Stale, Current, Violation]),
            ("second activation", at(Some(3), Some(2), None), [Violation, Stale, Current, Violation]),
            ("reload on its way", at(Some(3), Some(2), Some(4)), [Violation, Stale, Current, Stale]),
            ("a generation was discarded", at(Some(4), Some(2), None), [Violation, Stale, Violation, Current]),
        ];
        for (name, generations, expected) in table {
            for (n, age) in (1..).zip(expected) {
                assert_eq!(generations.judge(Generation(n)), age, "{name}, frame of generation {n}");
            }
        }
    }

    #[test]
    fn only_what_is_prepared_can_be_activated() {
        let mut g = Generations::default();
        assert!(!g.activate(Generation(1)));
        g.prepare(Generation(1));
        assert!(!g.activate(Generation(2)));
        assert!(g.activate(Generation(1)));
        assert_eq!(g.current(), Some(Generation(1)));
        g.prepare(Generation(2));
        g.discard();
        assert!(!g.activate(Generation(2)));
        assert_eq!(g, at(Some(1), None, None));
    }
}
