//! Whether a process is one that a `vrrp_track_process` means. What is looked at was chosen by whoever runs it.

use alloc::vec::Vec;
use ipc::config::vrrp_track::{ParamMatch, TrackProcess};

/// Bytes of a command line that are looked at; a longer one is never exactly that of a configuration.
pub const COMMAND_LINE: usize = 4_096;

/// Bytes of /proc/PID/stat that are looked at: a number, a name of at most 64 bytes, a letter.
pub const STAT: usize = 128;

/// The longest name a process can have (`TASK_COMM_LEN` − 1).
const NAME: usize = 15;

/// What is known of a running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    name: &'a [u8],
    words: Vec<&'a [u8]>,
    whole: Whole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

impl<'a> Command<'a> {
    /// Reads /proc/PID/stat (`PID (NAME) STATE …`, proc_pid_stat(5)) and /proc/PID/cmdline; `None` when the process does not run any more
    /// or is a zombie. The name may hold blanks and parentheses.
    pub fn read(stat: &'a [u8], command_line: &'a [u8]) -> Option<Self> {
        let begin = stat.iter().position(|byte| *byte == b'(')?.checked_add(1)?;
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let name = stat.get(begin..end)?;
        let state = stat.get(end.checked_add(2)?)?;
        if matches!(state, b'Z' | b'X' | b'x') {
            return None;
        }
        let whole = if command_line.len() < COMMAND_LINE { Whole::Yes } else { Whole::No };
        // Each word ends with a NUL; one that has rewritten its command line may have left out the last.
        let text = command_line.strip_suffix(&[0]).unwrap_or(command_line);
        let words = if command_line.is_empty() { Vec::new() } else { text.split(|byte| *byte == 0).collect() };
        Some(Command { name, words, whole })
    }

    /// Whether it is meant.
    ///
    /// COMPAT: keepalived 2.2.7, measured: without parameters and `full_command` the name counts; otherwise the first word, path and all,
    /// and the parameters as `param_match` says. A name of more than 15 bytes never matches there; here its first 15 count.
    pub fn is(&self, conf: &TrackProcess) -> bool {
        let Some((program, parameters)) = conf.process.split_first() else { return false };
        let program = program.as_bytes();
        if !conf.reads_command_lines() {
            return self.name == program.get(..NAME).unwrap_or(program);
        }
        let Some((first, words)) = self.words.split_first() else { return false };
        *first == program && self.has(words, parameters, conf.params)
    }

    fn has(&self, words: &[&[u8]], parameters: &[impl AsRef<[u8]>], how: ParamMatch) -> bool {
        let same = |parameters: &[_]| {
            let pairs = words.iter().zip(parameters.iter());
            words.len() >= parameters.len() && pairs.into_iter().all(|(word, wanted)| is_same(word, wanted))
        };
        match (how, parameters.split_last()) {
            (ParamMatch::Any, _) => true,
            (ParamMatch::Exact, _) => words.len() == parameters.len() && self.whole == Whole::Yes && same(parameters),
            (ParamMatch::Partial, _) | (ParamMatch::Initial, None) => same(parameters),
            (ParamMatch::Initial, Some((last, others))) => {
                same(others) && words.get(others.len()).is_some_and(|word| word.starts_with(last.as_ref()))
            }
        }
    }
}

fn is_same(word: &[u8], wanted: &impl AsRef<[u8]>) -> bool {
    word == wanted.as_ref()
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
