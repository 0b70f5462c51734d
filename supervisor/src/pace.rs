//! How often something that changes is told: at once, but not again within [`GAP`]; what changes meanwhile is told when that is over.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::time::Mono;

/// Least time from one telling to the next.
pub const GAP: Duration = Duration::from_millis(50);

/// When which of several things is told next.
#[derive(Clone, Debug)]
pub struct Pace<K> {
    told: BTreeMap<K, Mono>,
    due: BTreeMap<K, Mono>,
}

impl<K> Default for Pace<K> {
    fn default() -> Self {
        Pace { told: BTreeMap::new(), due: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Pace<K> {
    /// It may have changed.
    pub fn changed(&mut self, now: Mono, what: K) {
        let at = self.told.get(&what).map_or(now, |told| (*told + GAP).max(now));
        self.due.entry(what).or_insert(at);
    }

    /// What is to be told now. What was told long ago is forgotten, so this holds no more than changed within a [`GAP`].
    pub fn take(&mut self, now: Mono) -> Vec<K> {
        let due: Vec<K> = self.due.iter().filter(|(_, at)| **at <= now).map(|(what, _)| what.clone()).collect();
        self.told.retain(|_, told| now.since(*told) < GAP);
        for what in &due {
            self.due.remove(what);
            self.told.insert(what.clone(), now);
        }
        due
    }

    /// When [`Pace::take`] next gives anything.
    pub fn deadline(&self) -> Option<Mono> {
        self.due.values().min().copied()
    }

    /// Forgets what has not been told.
    pub fn clear(&mut self) {
        self.due.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_change_is_told_at_once_and_a_storm_once_in_a_gap() {
        let mut pace = Pace::default();
        let start = Mono::ZERO + Duration::from_secs(1);
        let mut told = 0;
        for milli in 0..1_000 {
            let now = start + Duration::from_millis(milli);
            pace.changed(now, "a");
            told += pace.take(now).len();
        }
        assert_eq!(told, 20);
        // The last change is not lost.
        let end = pace.deadline().unwrap();
        assert_eq!(pace.take(end), ["a"]);
        assert_eq!(pace.deadline(), None);
        // Another is not held up by the first.
        pace.changed(end, "b");
        assert_eq!(pace.take(end), ["b"]);
    }
}
