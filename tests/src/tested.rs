//! A configuration given to `holdfast -t`, and what its compiler used and was allowed meanwhile.

use crate::daemon::built;
use crate::failure::{Failure, Outcome};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time for one, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of a test of a configuration.
#[derive(Debug)]
pub struct Tested {
    /// Exit code of `holdfast`.
    pub code: Option<i32>,
    /// Its standard error.
    pub said: String,
    /// Processor time of the compiler.
    pub processor: Duration,
    /// Its largest memory, kB.
    pub memory: u64,
    /// Whose process it was.
    pub uid: String,
    /// Its effective ones, as /proc prints them.
    pub capabilities: String,
}

/// `holdfast -t -f PATH` with these variables in its environment, watched.
pub fn test(path: &Path, environment: &[(&str, &str)]) -> Outcome<Tested> {
    let errors = tempfile::tempfile()?;
    let mut child = Command::new(built("holdfast")?)
        .args(["-t", "-f"])
        .arg(path)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors.try_clone()?)
        .spawn()?;
    let mut tested = Tested {
        code: None,
        said: String::new(),
        processor: Duration::ZERO,
        memory: 0,
        uid: String::new(),
        capabilities: String::new(),
    };
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Failure::new(format!("{} is not done", path.display())));
        }
        look(child.id(), &mut tested);
        std::thread::sleep(Duration::from_millis(1));
    };
    tested.code = status.code();
    let mut text = Vec::new();
    let mut errors = errors;
    std::io::Seek::rewind(&mut errors)?;
    std::io::Read::read_to_end(&mut errors, &mut text)?;
    tested.said = String::from_utf8_lossy(&text).into_owned();
    Ok(tested)
}

/// What the kernel says of the compiler, if it is there.
fn look(holdfast: u32, tested: &mut Tested) {
    let children = fs::read_to_string(format!("/proc/{holdfast}/task/{holdfast}/children")).unwrap_or_default();
    for pid in children.split_whitespace() {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default().to_owned()
        };
        tested.memory = tested.memory.max(field("VmHWM:").parse().unwrap_or(0));
        // Once it is confined: a filter of system calls it has from the supervisor already.
        if field("NoNewPrivs:") == "1" {
            tested.uid = field("Uid:");
            tested.capabilities = field("CapEff:");
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let ticks: u64 = stat
            .rsplit_once(") ")
            .map_or("", |(_, rest)| rest)
            .split(' ')
            .skip(11)
            .take(2)
            .filter_map(|n| n.parse::<u64>().ok())
            .sum();
        tested.processor = tested.processor.max(Duration::from_millis(ticks * 10));
    }
}
