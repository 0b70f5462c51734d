//! The main file, which may be a pattern. COMPAT: keepalived 2.2.7, tried: `-f '/etc/keepalived/conf.d/*.conf'` reads the files that
//! match, in order, as if one followed the other.

use super::file::{Unusable, open_regular};
use crate::shell::glob;
use ipc::msg::compile::Main;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Opens the main file, unless it is a pattern that matches something.
pub fn open(path: &Path) -> Result<(Option<OwnedFd>, Main), Unusable> {
    match open_regular(path) {
        Ok(file) => Ok((Some(file), Main::File)),
        Err(Unusable::Missing) if glob::is_pattern(&path.to_string_lossy()) => match matching(path) {
            0 => Err(Unusable::Because("no file matches it".to_owned())),
            _ => Ok((None, Main::Pattern)),
        },
        Err(why) => Err(why),
    }
}

/// Whether there is a main file of that name, or a file that matches it.
pub fn is_there(path: &Path) -> bool {
    path.is_file() || glob::is_pattern(&path.to_string_lossy()) && matching(path) > 0
}

fn matching(path: &Path) -> usize {
    let found = glob::matches(&path.to_string_lossy(), Path::new(".")).unwrap_or_default();
    found.iter().filter(|file| file.is_file()).count()
}

/// A path that was looked for in the working directory, as its user would write it.
pub fn as_named(path: PathBuf) -> PathBuf {
    path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)
}
