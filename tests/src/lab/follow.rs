//! Prints the lines of a daemon's log that tell the story, as they are written.

use super::story::Teller;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// What is worth a line.
const TELLING: [&str; 8] = [
    "Entering MASTER",
    "Entering BACKUP",
    "Entering FAULT",
    "Adding service",
    "Removing service",
    "quorum",
    "VRRP_Script(",
    "Changing effective priority",
];

/// How often the log is looked at.
const EVERY: Duration = Duration::from_millis(50);

/// Follows one log until dropped.
#[derive(Debug)]
pub struct Follower {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Starts to follow the log at `path` of the daemon on `host`.
    pub fn start(teller: Teller, host: &str, path: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (until, host) = (Arc::clone(&stop), host.to_owned());
        let thread = std::thread::spawn(move || {
            let mut seen = 0;
            loop {
                let last = until.load(Ordering::Relaxed);
                seen = print_news(teller, &host, &path, seen);
                if last {
                    return;
                }
                std::thread::sleep(EVERY);
            }
        });
        Follower { stop, thread: Some(thread) }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Prints the telling lines after byte `seen` and returns where the last whole line ends.
fn print_news(teller: Teller, host: &str, path: &PathBuf, seen: u64) -> u64 {
    let mut news = Vec::new();
    let Ok(mut file) = File::open(path) else { return seen };
    if file.seek(SeekFrom::Start(seen)).is_err() || file.read_to_end(&mut news).is_err() {
        return seen;
    }
    let Some(end) = news.iter().rposition(|byte| *byte == b'\n') else { return seen };
    let text = String::from_utf8_lossy(news.get(..end).unwrap_or_default()).into_owned();
    for line in text.lines().filter(|line| TELLING.iter().any(|word| line.contains(word))) {
        teller.tell(host, without_date(line));
    }
    seen + end as u64 + 1
}

/// A console line without the date before it, `Sat Nov 21 03:10:11 2026: `.
fn without_date(line: &str) -> &str {
    line.split_once(": ").map_or(line, |(_, text)| text)
}
