//! Leaves nothing behind, on whatever way a program ends: its directories and namespaces are known here.

use crate::failure::{Context, Outcome};
use crate::netns;
use nix::sys::signal::{SigSet, Signal};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The directories that exist now.
static DIRECTORIES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A directory below /tmp in which every account may read. Dropping it removes it with all it holds.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Makes an empty one.
    pub fn new() -> Outcome<Self> {
        let path = tempfile::Builder::new()
            .prefix(&format!("holdfast-test-{}-", std::process::id()))
            .tempdir()
            .context(|| "no temporary directory".into())?
            .keep();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        if let Ok(mut known) = DIRECTORIES.lock() {
            known.push(path.clone());
        }
        Ok(Directory { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file in it is or will be.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file that everybody may read.
    pub fn write(&self, name: &str, text: &str) -> Outcome<PathBuf> {
        let path = self.file(name);
        fs::write(&path, text).context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Writes a program that everybody may execute.
    pub fn script(&self, name: &str, text: &str) -> Outcome<PathBuf> {
        let path = self.write(name, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
        if let Ok(mut known) = DIRECTORIES.lock() {
            known.retain(|path| *path != self.path);
        }
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP remove everything and end the program with exit code 130. To be called before
/// other threads are started, which inherit that the signals are blocked; programs that are started do not.
pub fn on_signals() -> Outcome {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    signals.thread_block()?;
    std::thread::spawn(move || {
        let _ = signals.wait();
        remove_all();
        std::process::exit(130);
    });
    Ok(())
}

fn remove_all() {
    netns::remove_all();
    let known = DIRECTORIES.lock().map(|mut known| std::mem::take(&mut *known)).unwrap_or_default();
    for path in known {
        let _ = fs::remove_dir_all(path);
    }
}
