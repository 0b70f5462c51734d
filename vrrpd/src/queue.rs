//! Who wants to be woken when: finding the next one costs the same for one instance and for a thousand.

use alloc::collections::{BTreeMap, BTreeSet};
use ipc::config::{BfdIdx, InstanceIdx, TrackScriptIdx};
use ipc::time::Mono;

/// Who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// An instance.
    Instance(InstanceIdx),
    /// A script.
    Script(TrackScriptIdx),
    /// Announcements that keep a distance.
    Paces,
    /// A BFD session.
    Bfd(BfdIdx),
    /// The delay of an interface.
    Links,
    /// The delay of a tracked process.
    Processes,
}

/// The deadlines, each of somebody else.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    by_time: BTreeSet<(Mono, Who)>,
    by_who: BTreeMap<Who, Mono>,
}

impl Queue {
    /// Sets, moves or removes a deadline.
    pub fn set(&mut self, who: Who, at: Option<Mono>) {
        let before = match at {
            Some(at) => self.by_who.insert(who, at),
            None => self.by_who.remove(&who),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, who));
        }
        if let Some(at) = at {
            self.by_time.insert((at, who));
        }
    }

    /// The first deadline.
    pub fn first(&self) -> Option<Mono> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// The first deadline and whose it is.
    pub fn peek(&self) -> Option<(Mono, Who)> {
        self.by_time.first().copied()
    }

    /// Removes the first deadline that has passed and answers whose it was.
    pub fn pop(&mut self, now: Mono) -> Option<Who> {
        let first = *self.by_time.first().filter(|(at, _)| *at <= now)?;
        self.by_time.remove(&first);
        self.by_who.remove(&first.1);
        Some(first.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_was_moved_is_not_met_twice() {
        let mut queue = Queue::default();
        let [a, b] = [Who::Instance(InstanceIdx(0)), Who::Script(TrackScriptIdx(0))];
        queue.set(a, Some(Mono(5)));
        queue.set(b, Some(Mono(7)));
        queue.set(a, Some(Mono(9)));
        assert_eq!(queue.first(), Some(Mono(7)));
        assert_eq!(queue.pop(Mono(6)), None);
        assert_eq!([queue.pop(Mono(9)), queue.pop(Mono(9)), queue.pop(Mono(9))], [Some(b), Some(a), None]);
        queue.set(a, Some(Mono(5)));
        queue.set(a, None);
        assert_eq!(queue.first(), None);
    }
}
