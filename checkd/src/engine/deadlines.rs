//! Who is next: one deadline for each checker, cheap with ten thousand of them.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use ipc::config::CheckerIdx;
use ipc::table::Index as _;
use ipc::time::Mono;

/// At most one deadline for each checker.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    order: BTreeSet<(Mono, CheckerIdx)>,
    /// By index, as long as the greatest that ever had one.
    of: Vec<Option<Mono>>,
}

impl Deadlines {
    /// Replaces the deadline of a checker.
    pub(super) fn set(&mut self, checker: CheckerIdx, at: Mono) {
        let place = checker.to_usize();
        if place >= self.of.len() {
            self.of.resize(place.saturating_add(1), None);
        }
        let Some(of) = self.of.get_mut(place) else { return };
        if let Some(old) = of.replace(at) {
            self.order.remove(&(old, checker));
        }
        self.order.insert((at, checker));
    }

    /// Takes the deadline of a checker away.
    pub(super) fn remove(&mut self, checker: CheckerIdx) {
        if let Some(at) = self.of.get_mut(checker.to_usize()).and_then(Option::take) {
            self.order.remove(&(at, checker));
        }
    }

    /// The deadline of a checker.
    pub(super) fn of(&self, checker: CheckerIdx) -> Option<Mono> {
        self.of.get(checker.to_usize()).copied().flatten()
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<Mono> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes out the earliest that has passed.
    pub(super) fn due(&mut self, now: Mono) -> Option<CheckerIdx> {
        let (at, checker) = self.order.first().copied()?;
        if at > now {
            return None;
        }
        self.remove(checker);
        Some(checker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_deadline_each_earliest_first() {
        let mut d = Deadlines::default();
        d.set(CheckerIdx(1), Mono(30));
        d.set(CheckerIdx(2), Mono(20));
        d.set(CheckerIdx(1), Mono(10));
        assert_eq!(d.next(), Some(Mono(10)));
        assert_eq!(d.due(Mono(9)), None);
        assert_eq!(d.due(Mono(15)), Some(CheckerIdx(1)));
        assert_eq!(d.due(Mono(15)), None);
        assert_eq!(d.due(Mono(20)), Some(CheckerIdx(2)));
        assert_eq!((d.next(), d.of(CheckerIdx(2))), (None, None));
    }
}
