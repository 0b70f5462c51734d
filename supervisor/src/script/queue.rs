//! What waits for one subject.

use super::{Key, RunId};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What commands are about. Instances and groups go by name, so that the order also holds across a reload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A `vrrp_instance`.
    Instance(String),
    /// A `vrrp_sync_group`.
    Group(String),
    /// A real server, by index.
    Real(u32),
    /// A service, by index.
    Service(u32),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Instance(name) => write!(f, "vrrp_instance {name}"),
            Subject::Group(name) => write!(f, "vrrp_sync_group {name}"),
            Subject::Real(n) => write!(f, "real server {n}"),
            Subject::Service(n) => write!(f, "virtual server {n}"),
        }
    }
}

/// A command that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub key: Key,
    pub tail: Vec<Vec<u8>>,
}

/// The commands of one subject.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// The one that runs and is waited for.
    pub running: Option<RunId>,
    /// Those that wait, oldest first.
    pub waiting: VecDeque<Job>,
    /// How many were left out since the queue was last empty.
    pub left_out: u64,
}

impl Queue {
    /// Appends a job. Beyond `limit` the oldest that waits goes. Says whether that happened for the first time.
    pub fn push(&mut self, job: Job, limit: usize) -> bool {
        self.waiting.push_back(job);
        if self.waiting.len() <= limit {
            return false;
        }
        self.waiting.pop_front();
        self.left_out = self.left_out.saturating_add(1);
        self.left_out == 1
    }
}
