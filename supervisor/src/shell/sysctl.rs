//! Settings below `net.ipv4` that hold for the run. ipvsd, which has no file system, sets those of the interfaces that it makes itself.
//!
//! Those of an interface are set when it is there: ipvsd, which sees it come, says that there is something to look at.
//!
//! What they were is written down in the run directory first, so that the next start knows it after a crash. The number of the network
//! namespace is in the name: each has settings of its own, and the run directory may be shared.

use super::files;
use ipc::config::script::KernelSettings;
use ipc::config::vrrp::Switch;
use ipc::report::{Level, Line};
use ipc::time::Mono;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const ROOT: &str = "/proc/sys/net/ipv4";
const REPORTS: &str = "igmp_link_local_mcast_reports";
/// `conf/all/rp_filter`: the stricter of it and the interface's own counts.
const ALL: &str = "all";
/// keepalived 2.2.7 leaves the loopback as it is (measured).
const LOOPBACK: &str = "lo";

/// From one look that ipvsd asks for to the next.
const AGAIN: Duration = Duration::from_secs(1);

/// A setting as it was found, and as it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Changed {
    before: i32,
    now: i32,
}

/// What has been changed, by the path below `net.ipv4`.
#[derive(Debug)]
pub struct Sysctls {
    root: PathBuf,
    note: Option<PathBuf>,
    changed: BTreeMap<String, Changed>,
    /// What is wanted, from the first time to the end.
    wanted: Option<KernelSettings>,
    /// When it is looked at again.
    due: Option<Mono>,
    looked: Mono,
}

impl Default for Sysctls {
    fn default() -> Self {
        let (root, changed) = (PathBuf::from(ROOT), BTreeMap::new());
        Sysctls { root, note: None, changed, wanted: None, due: None, looked: Mono::ZERO }
    }
}

impl Sysctls {
    /// Has everything as it is wanted, and the rest as it was.
    pub fn settle(&mut self, wanted: &KernelSettings) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Err(why) = self.remember() {
            lines.push(Line::new(Level::Warning, why));
        }
        self.wanted = Some(wanted.clone());
        let wanted = self.values(wanted);
        let gone: Vec<String> = self.changed.keys().filter(|name| !wanted.contains_key(*name)).cloned().collect();
        gone.iter().for_each(|name| lines.extend(self.put_back(name)));
        lines.extend(self.set(wanted));
        lines
    }

    /// Sets what is not as wanted, and notes what it was.
    fn set(&mut self, wanted: BTreeMap<String, i32>) -> Vec<Line> {
        let mut lines = Vec::new();
        for (name, now) in &wanted {
            match self.read(name) {
                // Its interface is gone. Another one of that name has its own before.
                None => drop(self.changed.remove(name)),
                Some(found) if found != *now => {
                    let before = self.changed.get(name).map_or(found, |changed| changed.before);
                    self.changed.insert(name.clone(), Changed { before, now: *now });
                }
                Some(_) => {}
            }
        }
        if let Err(why) = self.write_down() {
            lines.push(Line::new(
                Level::Warning,
                format!("{why}; after a crash the kernel's settings would stay changed"),
            ));
        }
        // `conf/all/rp_filter` comes last of the filters: none is less strict meanwhile. What is put back goes the other way.
        let changed = self.changed.iter().filter(|(name, _)| wanted.contains_key(*name));
        let mut all: Vec<(&String, &Changed)> = changed.collect();
        all.sort_by_key(|(name, _)| name.starts_with("conf/all/"));
        for (name, Changed { before, now }) in all {
            if self.read(name) == Some(*now) {
                continue;
            }
            let dotted = name.replace('/', ".");
            lines.push(match fs::write(self.root.join(name), now.to_string()) {
                Ok(()) => Line::new(
                    Level::Info,
                    format!("net.ipv4.{dotted} is {now} for the run, and {before} again at its end"),
                ),
                Err(e) => Line::new(Level::Warning, format!("net.ipv4.{dotted} cannot be set to {now}: {e}")),
            });
        }
        lines
    }

    /// An interface has come: soon everything is looked at again.
    pub fn unsettled(&mut self, now: Mono) {
        if self.wanted.is_some() {
            self.due.get_or_insert(now.max(self.looked + AGAIN));
        }
    }

    /// When [`Sysctls::turn`] is wanted.
    pub fn deadline(&self) -> Option<Mono> {
        self.due
    }

    /// Looks again at what interfaces bring with them, if it is time. Other settings are whoever's who has changed them since.
    pub fn turn(&mut self, now: Mono) -> Vec<Line> {
        if self.due.is_none_or(|at| at > now) {
            return Vec::new();
        }
        (self.due, self.looked) = (None, now);
        let wanted = self.wanted.as_ref().map(promoted).unwrap_or_default();
        self.set(wanted)
    }

    /// The end: everything as it was, unless somebody else has changed it.
    pub fn restore(&mut self) -> Vec<Line> {
        (self.wanted, self.due) = (None, None);
        let names: Vec<String> = self.changed.keys().cloned().collect();
        let lines = names.iter().flat_map(|name| self.put_back(name)).collect();
        if let Some(note) = self.note.take() {
            let _ = fs::remove_file(note);
        }
        lines
    }

    /// The values that settings should have.
    fn values(&self, wanted: &KernelSettings) -> BTreeMap<String, i32> {
        let mut values = BTreeMap::new();
        if wanted.no_local_igmp == Switch::On {
            values.insert(REPORTS.to_owned(), 0);
        }
        values.extend(promoted(wanted));
        if wanted.own_rp_filter == Switch::On {
            self.filters(&mut values);
        }
        values
    }

    /// COMPAT: keepalived 2.2.7, measured: as strict as that of all for each interface and for those to come, and 0 for all.
    fn filters(&self, values: &mut BTreeMap<String, i32>) {
        let path = |link: &str| format!("conf/{link}/rp_filter");
        if self.changed.contains_key(&path(ALL)) {
            // Interfaces that came later are as they are made: those of ipvsd among them do not filter.
            let filters = self.changed.iter().filter(|(name, _)| name.ends_with("/rp_filter"));
            values.extend(filters.map(|(name, changed)| (name.clone(), changed.now)));
            return;
        }
        let Some(all) = self.read(&path(ALL)).filter(|all| *all != 0) else { return };
        let links = fs::read_dir(self.root.join("conf")).into_iter().flatten().flatten();
        for link in links.filter_map(|entry| entry.file_name().into_string().ok()) {
            if link != ALL && link != LOOPBACK && self.read(&path(&link)).is_some_and(|own| own < all) {
                values.insert(path(&link), all);
            }
        }
        values.insert(path(ALL), 0);
    }

    fn read(&self, name: &str) -> Option<i32> {
        fs::read_to_string(self.root.join(name)).ok()?.trim().parse().ok()
    }

    fn put_back(&mut self, name: &str) -> Option<Line> {
        let Changed { before, now } = self.changed.remove(name)?;
        if self.read(name) != Some(now) {
            return None;
        }
        let failed = fs::write(self.root.join(name), before.to_string()).err()?;
        let dotted = name.replace('/', ".");
        Some(Line::new(Level::Warning, format!("net.ipv4.{dotted} cannot be put back to {before}: {failed}")))
    }

    /// Takes up what a run that did not come to its end has left. A setting counts only if it is still what that run made of it.
    fn remember(&mut self) -> Result<(), String> {
        if self.note.is_some() {
            return Ok(());
        }
        let namespace = fs::metadata("/proc/self/ns/net").map_or(0, |meta| meta.ino());
        let note = files::run_dir()?.join(format!("sysctl.{namespace}"));
        self.take_up(&note);
        self.note = Some(note);
        Ok(())
    }

    fn take_up(&mut self, note: &Path) {
        let text = fs::read_to_string(note).unwrap_or_default();
        for line in text.lines() {
            let mut words = line.split(' ');
            let (Some(name), Some(before), Some(now)) = (words.next(), words.next(), words.next()) else { continue };
            let (Ok(before), Ok(now)) = (before.parse(), now.parse()) else { continue };
            if is_ours(name) && self.read(name) == Some(now) {
                self.changed.insert(name.to_owned(), Changed { before, now });
            }
        }
    }

    fn write_down(&self) -> Result<(), String> {
        let Some(note) = &self.note else { return Ok(()) };
        if self.changed.is_empty() {
            let _ = fs::remove_file(note);
            return Ok(());
        }
        let lines = self.changed.iter().map(|(name, Changed { before, now })| format!("{name} {before} {now}\n"));
        files::note(note, &lines.collect::<String>())
    }
}

/// `promote_secondaries` of interfaces. The compiler says the names, and it is not root.
fn promoted(wanted: &KernelSettings) -> BTreeMap<String, i32> {
    let links = wanted.promote.iter().filter(|link| is_interface(link));
    links.map(|link| (format!("conf/{link}/promote_secondaries"), 1)).collect()
}

/// Whether an interface may have that name: no path leads anywhere else.
fn is_interface(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && name.len() <= 15 && !name.contains('/')
}

/// Whether it is a setting that is changed here at all.
fn is_ours(name: &str) -> bool {
    let link = name.strip_prefix("conf/").and_then(|rest| rest.split_once('/'));
    name == REPORTS
        || link.is_some_and(|(link, setting)| {
            is_interface(link) && ["rp_filter", "promote_secondaries"].contains(&setting)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::testdir::TestDir;

    fn kernel(dir: &TestDir, values: &[(&str, i32)]) -> Sysctls {
        for (name, value) in values {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{value}\n")).unwrap();
        }
        let mut sysctls =
            Sysctls { root: dir.path().to_owned(), note: Some(dir.path().join("note")), ..Sysctls::default() };
        sysctls.take_up(&dir.path().join("note"));
        sysctls
    }

    const FILTERS: [(&str, i32); 4] =
        [("conf/all/rp_filter", 1), ("conf/default/rp_filter", 0), ("conf/lo/rp_filter", 0), ("conf/e.0/rp_filter", 2)];

    fn now(sysctls: &Sysctls) -> Vec<i32> {
        FILTERS.iter().map(|(name, _)| sysctls.read(name).unwrap()).collect()
    }

    #[test]
    fn each_interface_filters_as_strictly_as_all_did_and_everything_comes_back() {
        let dir = TestDir::new("sysctl");
        let mut sysctls = kernel(&dir, &FILTERS);
        let wanted = KernelSettings { own_rp_filter: Switch::On, ..KernelSettings::default() };
        assert_eq!(sysctls.settle(&wanted).len(), 2);
        assert_eq!(now(&sysctls), [0, 1, 0, 2]);
        assert_eq!(sysctls.settle(&wanted), [], "the same again changes nothing");
        // A crash: another process finds the note.
        let mut sysctls = kernel(&dir, &[]);
        assert_eq!(sysctls.settle(&wanted), []);
        assert_eq!(sysctls.restore(), []);
        assert_eq!(now(&sysctls), [1, 0, 0, 2]);
        assert!(!dir.path().join("note").exists());
    }

    #[test]
    fn what_a_reload_does_not_want_any_more_is_as_it_was_and_what_others_changed_stays() {
        let dir = TestDir::new("sysctl");
        let mut sysctls =
            kernel(&dir, &[(REPORTS, 1), ("conf/a/promote_secondaries", 0), ("conf/b/promote_secondaries", 0)]);
        let promote = vec!["a".to_owned(), "b".to_owned(), "missing".to_owned()];
        sysctls.settle(&KernelSettings { no_local_igmp: Switch::On, promote, ..KernelSettings::default() });
        assert_eq!(sysctls.read(REPORTS), Some(0));
        assert_eq!(sysctls.read("conf/b/promote_secondaries"), Some(1));
        sysctls.settle(&KernelSettings { promote: vec!["b".to_owned()], ..KernelSettings::default() });
        assert_eq!((sysctls.read(REPORTS), sysctls.read("conf/a/promote_secondaries")), (Some(1), Some(0)));
        fs::write(dir.path().join("conf/b/promote_secondaries"), "0").unwrap();
        assert_eq!(sysctls.restore(), []);
        assert_eq!(sysctls.read("conf/b/promote_secondaries"), Some(0));
    }

    #[test]
    fn an_interface_that_comes_is_set_and_written_down_once_a_second_at_most() {
        const SETTING: &str = "conf/late/promote_secondaries";
        let dir = TestDir::new("sysctl");
        let mut sysctls = kernel(&dir, &[(REPORTS, 1)]);
        let at = |ms: u64| Mono::ZERO + Duration::from_millis(5_000 + ms);
        sysctls.unsettled(at(0));
        assert_eq!(sysctls.deadline(), None, "nothing is wanted yet");
        sysctls.settle(&KernelSettings { promote: vec!["late".to_owned()], ..KernelSettings::default() });
        drop(kernel(&dir, &[(SETTING, 0)]));
        sysctls.unsettled(at(10));
        assert_eq!(sysctls.deadline(), Some(at(10)));
        assert_eq!((sysctls.turn(at(9)), sysctls.read(SETTING)), (Vec::new(), Some(0)));
        assert_eq!((sysctls.turn(at(10)).len(), sysctls.read(SETTING)), (1, Some(1)));
        sysctls.unsettled(at(20));
        sysctls.unsettled(at(30));
        assert_eq!(sysctls.deadline(), Some(at(1_010)));
        // A crash: another process finds the note.
        let mut sysctls = kernel(&dir, &[]);
        sysctls.settle(&KernelSettings::default());
        assert_eq!(sysctls.read(SETTING), Some(0));
        sysctls.restore();
        sysctls.unsettled(at(2_000));
        assert_eq!(sysctls.deadline(), None, "it is over");
    }
}
