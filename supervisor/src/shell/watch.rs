//! Tracked files: watched with inotify on their directories, opened, never read.
//!
//! Whoever may write into such a directory must not gain anything by it: no link in place of the file is followed unless root made it
//! before the configuration was loaded, only regular files are handed out, and a storm of events is looked at once in [`HOLD`].

use super::trackable::{self, NotTrackable};
use core::time::Duration;
use ipc::config::file::WatchedFile;
use ipc::config::vrrp::Switch;
use ipc::config::{FileIdx, Generation};
use ipc::log::Logger;
use ipc::table::Table;
use ipc::time::Mono;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use supervisor::pace::Pace;

/// From one look at the events to the next.
const HOLD: Duration = Duration::from_millis(10);

/// Looks at events in one turn; each takes at most 4 KiB of them.
const READS_PER_TURN: usize = 16;

/// How often a directory that cannot be watched is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The watched events. COMPAT: keepalived 2.4.3: a file counts when it has been written and closed, moved here or
/// away, or removed.
fn mask() -> AddWatchFlags {
    AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_MOVE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR
}

/// Whether the descriptor of the events is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Watch it from now on.
    Now(RawFd),
    /// Nothing to do.
    Already,
}

/// A file with the path that counts.
#[derive(Debug)]
struct Listed {
    file: WatchedFile,
    path: PathBuf,
}

/// The files of the configurations, and the watches of the one that counts.
#[derive(Default)]
pub struct Watcher {
    tables: BTreeMap<Generation, Table<FileIdx, Listed>>,
    current: Generation,
    inotify: Option<Inotify>,
    directories: HashMap<WatchDescriptor, PathBuf>,
    /// Directories that cannot be watched now.
    missing: BTreeSet<PathBuf>,
    /// Those of which that was said.
    said: BTreeSet<PathBuf>,
    retry: Option<Mono>,
    pace: Pace<PathBuf>,
    /// When events are looked at.
    look: Option<Mono>,
    looked: Mono,
}

impl Watcher {
    /// Takes the files of a generation.
    pub fn load(&mut self, generation: Generation, files: &Table<FileIdx, WatchedFile>, logger: &mut Logger) {
        let list = |file: &WatchedFile| {
            let (path, complaint) = trackable::resolve(Path::new(&file.path));
            if let Some(complaint) = complaint {
                logger.warning(format!("{}: track_file {}: {complaint}", file.origin, file.name));
            }
            Listed { file: file.clone(), path }
        };
        if !files.is_empty() {
            self.tables.insert(generation, files.rows().iter().map(list).collect());
        }
    }

    /// They are not needed any more.
    pub fn forget(&mut self, generation: Generation) {
        self.tables.remove(&generation);
    }

    /// Writes the files that are to be written at the start.
    pub fn init(&self, generation: Generation, logger: &mut Logger) {
        for Listed { file, path } in self.tables.get(&generation).map(Table::rows).unwrap_or_default() {
            let Some(init) = file.init.filter(|_| is_tracked(file)) else { continue };
            if let Err(why) = trackable::init(path, init) {
                logger.warning(format!("{}: track_file {} is not initialised: {why}", file.origin, file.name));
            }
        }
    }

    /// Watches the files of a generation and no others. All of them count as changed when their directory begins to be watched.
    pub fn watch(&mut self, now: Mono, generation: Generation, logger: &mut Logger) -> Open {
        let mut opened = Open::Already;
        self.current = generation;
        self.pace.clear();
        self.missing.clear();
        let wanted: BTreeSet<PathBuf> = self
            .current_files()
            .filter(|listed| is_tracked(&listed.file))
            .filter_map(|listed| listed.path.parent().map(Path::to_owned))
            .collect();
        if self.inotify.is_none() && !wanted.is_empty() {
            match Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC) {
                Ok(inotify) => {
                    opened = Open::Now(inotify.as_fd().as_raw_fd());
                    self.inotify = Some(inotify);
                }
                Err(e) => logger.error(format!("Tracked files cannot be watched: {}; they are read once", e.desc())),
            }
        }
        let Some(inotify) = &self.inotify else { return opened };
        self.directories.retain(|watch, directory| {
            let keep = wanted.contains(directory);
            if !keep {
                // It may be gone.
                let _ = inotify.rm_watch(*watch);
            }
            keep
        });
        let there: BTreeSet<&PathBuf> = self.directories.values().collect();
        self.missing = wanted.into_iter().filter(|directory| !there.contains(directory)).collect();
        self.try_missing(now, logger);
        opened
    }

    /// The descriptor of the events has something. It is looked at in the next [`Watcher::turn`] after [`HOLD`].
    pub fn is_ready(&mut self) {
        self.look.get_or_insert(self.looked + HOLD);
    }

    /// When [`Watcher::turn`] is wanted.
    pub fn deadline(&self) -> Option<Mono> {
        [self.look, self.retry, self.pace.deadline()].into_iter().flatten().min()
    }

    /// Looks at what happened; gives the files that may have changed.
    pub fn turn(&mut self, now: Mono, logger: &mut Logger) -> Vec<(Generation, FileIdx)> {
        if self.retry.is_some_and(|at| at <= now) {
            self.try_missing(now, logger);
        }
        if self.look.is_some_and(|at| at <= now) {
            self.look(now, logger);
        }
        let changed: BTreeSet<PathBuf> = self.pace.take(now).into_iter().collect();
        if changed.is_empty() {
            return Vec::new();
        }
        let Some(files) = self.tables.get(&self.current) else { return Vec::new() };
        let changed = files.iter().filter(|(_, listed)| changed.contains(&listed.path));
        changed.map(|(idx, _)| (self.current, idx)).collect()
    }

    /// A file as it is now, if it can be read.
    pub fn open(&self, generation: Generation, idx: FileIdx) -> Option<OwnedFd> {
        trackable::open(&self.tables.get(&generation)?.at(idx)?.path)
    }

    fn current_files(&self) -> impl Iterator<Item = &Listed> {
        self.tables.get(&self.current).map(Table::rows).unwrap_or_default().iter()
    }

    fn look(&mut self, now: Mono, logger: &mut Logger) {
        self.looked = now;
        self.look = None;
        for _ in 0..READS_PER_TURN {
            let Some(inotify) = &self.inotify else { return };
            match inotify.read_events() {
                Ok(events) => events.into_iter().for_each(|event| self.happened(now, event)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                Err(e) => return logger.error(format!("Tracked files cannot be watched any more: {}", e.desc())),
            }
        }
        // The descriptor is edge-triggered: what is left would not be reported again.
        self.look = Some(now + HOLD);
    }

    fn happened(&mut self, now: Mono, event: InotifyEvent) {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            let all: Vec<PathBuf> = self.current_files().map(|listed| listed.path.clone()).collect();
            return all.into_iter().for_each(|path| self.pace.changed(now, path));
        }
        let gone = AddWatchFlags::IN_IGNORED | AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF;
        if event.mask.intersects(gone) {
            let Some(directory) = self.directories.remove(&event.wd) else { return };
            if let Some(inotify) = self.inotify.as_ref().filter(|_| !event.mask.contains(AddWatchFlags::IN_IGNORED)) {
                let _ = inotify.rm_watch(event.wd);
            }
            self.all_of(now, &directory);
            self.missing.insert(directory);
            self.retry = Some(now);
            return;
        }
        let Some((directory, name)) = self.directories.get(&event.wd).zip(event.name) else { return };
        let path = directory.join(name);
        if self.current_files().any(|listed| listed.path == path) {
            self.pace.changed(now, path);
        }
    }

    /// Every file of a directory may have changed.
    fn all_of(&mut self, now: Mono, directory: &Path) {
        let of_it: Vec<PathBuf> = self
            .current_files()
            .filter(|listed| listed.path.parent() == Some(directory))
            .map(|listed| listed.path.clone())
            .collect();
        of_it.into_iter().for_each(|path| self.pace.changed(now, path));
    }

    fn try_missing(&mut self, now: Mono, logger: &mut Logger) {
        let Some(inotify) = &self.inotify else { return };
        let mut found = Vec::new();
        let mut still = BTreeSet::new();
        for directory in core::mem::take(&mut self.missing) {
            let watched = trackable::directory(&directory)
                .and_then(|()| inotify.add_watch(&directory, mask()).map_err(NotTrackable::Errno));
            match watched {
                Ok(watch) => {
                    self.directories.insert(watch, directory.clone());
                    self.said.remove(&directory);
                    found.push(directory);
                }
                Err(why) => {
                    if self.said.insert(directory.clone()) {
                        let directory = directory.display();
                        logger.warning(format!(
                            "The directory {directory} of a track_file cannot be watched: {why}; its files count as 0, and it is \
                             tried again every second"
                        ));
                    }
                    still.insert(directory);
                }
            }
        }
        self.missing = still;
        self.retry = (!self.missing.is_empty()).then(|| now + AGAIN);
        for directory in found {
            self.all_of(now, &directory);
        }
    }
}

fn is_tracked(file: &WatchedFile) -> bool {
    file.vrrp == Switch::On || file.check == Switch::On
}
