//! Every change of an address that the kernel reports in a namespace, from `ip monitor`.

use crate::cleanup::Directory;
use crate::failure::Outcome;
use crate::lan::Host;
use std::fs::{self, File};
use std::process::Child;
use std::time::Duration;

/// A running `ip monitor address`; ends when dropped.
#[derive(Debug)]
pub struct Monitor {
    process: Child,
    directory: Directory,
}

impl Monitor {
    /// Starts one on `host`.
    pub fn start(host: &Host) -> Outcome<Self> {
        Self::run(host, &["-4", "-o", "monitor", "address"])
    }

    /// Starts one that reports changes of other kinds too, as `ip monitor` names them.
    pub fn of(host: &Host, kinds: &[&str]) -> Outcome<Self> {
        Self::run(host, &[&["-o", "monitor"], kinds].concat())
    }

    fn run(host: &Host, arguments: &[&str]) -> Outcome<Self> {
        let directory = Directory::new()?;
        let output = File::create(directory.file("changes"))?;
        let process = host.netns.command("ip").args(arguments).stdout(output).spawn()?;
        // It says nothing when it has subscribed; this is long enough on every machine seen so far.
        std::thread::sleep(Duration::from_millis(300));
        Ok(Monitor { process, directory })
    }

    /// All changes so far.
    pub fn lines(&self) -> Outcome<Vec<String>> {
        Ok(fs::read_to_string(self.directory.file("changes"))?.lines().map(str::to_owned).collect())
    }

    /// The changes so far that name `address`, one line each; removals begin with `Deleted`.
    pub fn changes(&self, address: &str) -> Outcome<Vec<String>> {
        let text = fs::read_to_string(self.directory.file("changes"))?;
        Ok(text.lines().filter(|line| line.contains(&format!(" {address}/"))).map(str::to_owned).collect())
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
