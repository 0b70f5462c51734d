//! Processes as /proc shows them.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;

/// A running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its pid.
    pub pid: i32,
    /// Its name (`comm`), at most 15 bytes.
    pub name: String,
}

impl Process {
    /// Sends it a signal. One that is gone already is no error: the caller looks at what follows.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.pid), signal);
    }

    /// Whether it still runs; a zombie does not.
    pub fn runs(&self) -> bool {
        state(self.pid).is_some_and(|state| state != 'Z')
    }

    /// The fields of `/proc/PID/status`, or none when it is gone.
    pub fn status(&self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" ")))
            .collect()
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid)).map(Iterator::count).unwrap_or(0)
    }
}

/// The state letter of a process, none when there is no such process.
pub(crate) fn state(pid: i32) -> Option<char> {
    stat(pid).map(|(state, _, _)| state)
}

/// A process and all that descend from it, the oldest first; zombies are left out.
pub fn family(pid: i32) -> Vec<Process> {
    let everybody: Vec<(i32, char, i32, String)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| stat(pid).map(|(state, parent, name)| (pid, state, parent, name)))
        .collect();
    let mut members = vec![pid];
    let mut next = 0;
    while let Some(&parent) = members.get(next) {
        members.extend(everybody.iter().filter(|(_, _, of, _)| *of == parent).map(|(pid, ..)| *pid));
        next += 1;
    }
    members
        .iter()
        .filter_map(|member| everybody.iter().find(|(pid, state, ..)| pid == member && *state != 'Z'))
        .map(|(pid, _, _, name)| Process { pid: *pid, name: name.clone() })
        .collect()
}

/// State, parent and name out of `/proc/PID/stat`.
fn stat(pid: i32) -> Option<(char, i32, String)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, rest) = text.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut fields = rest.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?, name.to_owned()))
}
