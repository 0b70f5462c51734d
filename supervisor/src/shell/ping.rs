//! `net.ipv4.ping_group_range`: whose sockets may ping without a right. While there is a PING_CHECK, checkd's group is in it.
//!
//! What it was is written down in the run directory first, so that the next start restores it after a crash. The number of the network
//! namespace is in the name: each has a range of its own, and the run directory may be shared.

use super::files;
use core::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

const SYSCTL: &str = "/proc/sys/net/ipv4/ping_group_range";

/// Groups that may ping: from the first to the second; nobody where the first is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range(u32, u32);

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

impl Range {
    fn parse(text: &str) -> Option<Range> {
        let mut words = text.split_ascii_whitespace().map(str::parse);
        match (words.next(), words.next(), words.next()) {
            (Some(Ok(first)), Some(Ok(last)), None) => Some(Range(first, last)),
            _ => None,
        }
    }

    fn with(self, groups: &[u32]) -> Range {
        let one = |Range(first, last): Range, group: &u32| {
            if first > last { Range(*group, *group) } else { Range(first.min(*group), last.max(*group)) }
        };
        groups.iter().fold(self, one)
    }
}

/// The range as it was found, and as it was made.
#[derive(Debug)]
pub struct PingGroups {
    sysctl: PathBuf,
    widened: Option<Widened>,
}

#[derive(Debug)]
struct Widened {
    before: Range,
    now: Range,
    note: PathBuf,
}

impl Default for PingGroups {
    fn default() -> Self {
        PingGroups { sysctl: PathBuf::from(SYSCTL), widened: None }
    }
}

impl PingGroups {
    /// Lets groups ping, beside those that it lets already. The sentence is for the log.
    pub fn widen(&mut self, groups: &[u32]) -> Result<Option<String>, String> {
        let namespace = fs::metadata("/proc/self/ns/net").map_or(0, |meta| meta.ino());
        let note = files::run_dir()?.join(format!("ping_group_range.{namespace}"));
        self.widen_with(groups, &note)
    }

    fn widen_with(&mut self, groups: &[u32], note: &Path) -> Result<Option<String>, String> {
        let range =
            fs::read_to_string(&self.sysctl).map_err(|e| format!("{} cannot be read: {e}", self.sysctl.display()))?;
        let Some(found) = Range::parse(&range) else {
            return Err(format!("{} is no range: {range:?}", self.sysctl.display()));
        };
        // Of this run, or of one that did not come to its end: what was before, and what was made of it. It counts only if the range is
        // still that.
        let left = fs::read_to_string(note).unwrap_or_default();
        let mut left = left.lines().map(Range::parse);
        let before = match (left.next().flatten(), left.next().flatten()) {
            (Some(before), Some(made)) if made == found => before,
            _ => found,
        };
        let now = before.with(groups);
        if before == now || self.widened.as_ref().is_some_and(|widened| widened.now == now) {
            return Ok(None);
        }
        files::note(note, &format!("{before}\n{now}\n"))?;
        if now != found {
            fs::write(&self.sysctl, now.to_string())
                .map_err(|e| format!("{} cannot be written, PING_CHECK may not work: {e}", self.sysctl.display()))?;
        }
        self.widened = Some(Widened { before, now, note: note.to_owned() });
        Ok(Some(format!("net.ipv4.ping_group_range is \"{now}\" for PING_CHECK, and \"{before}\" again at the end")))
    }

    /// Puts the range back, unless somebody else has changed it.
    pub fn restore(&mut self) -> Result<(), String> {
        let Some(Widened { before, now, note }) = self.widened.take() else { return Ok(()) };
        let found = fs::read_to_string(&self.sysctl).ok().and_then(|text| Range::parse(&text));
        if found == Some(now) {
            fs::write(&self.sysctl, before.to_string())
                .map_err(|e| format!("{} cannot be put back to \"{before}\": {e}", self.sysctl.display()))?;
        }
        let _ = fs::remove_file(note);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::testdir::TestDir;

    fn groups(dir: &TestDir, range: &str) -> (PingGroups, PathBuf) {
        let sysctl = dir.path().join("range");
        fs::write(&sysctl, range).unwrap();
        (PingGroups { sysctl, widened: None }, dir.path().join("note"))
    }

    fn range(groups: &PingGroups) -> String {
        fs::read_to_string(&groups.sysctl).unwrap()
    }

    #[test]
    fn the_group_is_let_in_and_what_was_comes_back() {
        for (before, during) in
            [("1\t0\n", "7 7"), ("0\t5\n", "0 7"), ("9\t20\n", "7 20"), ("0\t2147483647\n", "0\t2147483647\n")]
        {
            let dir = TestDir::new("ping");
            let (mut groups, note) = groups(&dir, before);
            groups.widen_with(&[7], &note).unwrap();
            assert_eq!(range(&groups), during);
            groups.restore().unwrap();
            assert_eq!(
                range(&groups).split_ascii_whitespace().collect::<Vec<_>>(),
                before.split_ascii_whitespace().collect::<Vec<_>>()
            );
            assert!(!note.exists());
        }
    }

    #[test]
    fn what_a_crash_left_is_taken_up() {
        let dir = TestDir::new("ping");
        let (mut first, note) = groups(&dir, "1 0");
        first.widen_with(&[7], &note).unwrap();
        let mut second = PingGroups { sysctl: first.sysctl.clone(), widened: None };
        second.widen_with(&[7], &note).unwrap();
        assert_eq!(range(&second), "7 7");
        second.restore().unwrap();
        assert_eq!(range(&second), "1 0");
    }

    #[test]
    fn what_somebody_else_made_of_it_stays() {
        let dir = TestDir::new("ping");
        let (mut groups, note) = groups(&dir, "1 0");
        groups.widen_with(&[7], &note).unwrap();
        fs::write(&groups.sysctl, "0 100").unwrap();
        groups.restore().unwrap();
        assert_eq!(range(&groups), "0 100");
    }
}
