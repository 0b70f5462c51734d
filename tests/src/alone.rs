//! A host whose kernel is looked at.

use crate::capture::Capture;
use crate::daemon::{Daemon, Program};
use crate::failure::{Outcome, wait_until};
use crate::lan::{Host, Lan};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long something may take that follows from an event at once.
pub const SOON: Duration = Duration::from_secs(6);

/// A host of its own with 10.9.0.100/24 on `ens33`, IPv6 switched on.
pub struct Alone {
    /// The host.
    pub host: Host,
    /// [`Alone::picture`] before anything was started.
    pub empty: BTreeSet<String>,
    /// Every frame that it sends.
    pub wire: Capture,
    /// The LAN that it is alone on.
    pub lan: Lan,
}

impl Alone {
    /// Makes it.
    pub fn new() -> Outcome<Alone> {
        let lan = Lan::new()?;
        let host = lan.host("host", "10.9.0.100/24")?;
        host.netns.sysctl("ipv6/conf/all/disable_ipv6", "0")?;
        host.netns.sysctl("ipv6/conf/default/disable_ipv6", "0")?;
        let wire = lan.capture()?;
        let mut alone = Alone { host, empty: BTreeSet::new(), wire, lan };
        alone.empty = alone.picture()?;
        Ok(alone)
    }

    /// Starts Holdfast there.
    pub fn start(&self, config: &str) -> Outcome<Daemon> {
        Daemon::start(Program::Holdfast, &self.host, config)
    }

    /// Waits until `ip ARGUMENTS` shows all of `lines`, words compared, or none of them.
    pub fn wait_shows(&self, arguments: &str, shown: Shown, lines: &[&str]) -> Outcome {
        let what = format!("ip {arguments}: {lines:?} {shown:?}");
        wait_until(&what, SOON, || {
            let there = self.lines(arguments)?;
            Ok(lines.iter().all(|line| there.iter().any(|l| l.contains(line)) == (shown == Shown::All)))
        })
    }

    /// The lines of `ip ARGUMENTS`, blanks evened out.
    pub fn lines(&self, arguments: &str) -> Outcome<Vec<String>> {
        let text = self.host.netns.ip(arguments)?;
        Ok(text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect())
    }

    /// Everything that matters here, as `ip -d` shows it; without what every host has of its own.
    pub fn picture(&self) -> Outcome<BTreeSet<String>> {
        let mut all = BTreeSet::new();
        for arguments in [
            "-d -o addr show",
            "-d -4 -o route show table all",
            "-d -6 -o route show table all",
            "-d -o rule",
            "-d -6 -o rule",
        ] {
            for line in self.lines(arguments)? {
                if !["fe80:", "link/", "proto kernel", "ff00::", "127.0.0.1", "::1/128"]
                    .iter()
                    .any(|own| line.contains(own))
                {
                    // Numbers of interfaces and lifetimes that run.
                    let line = line.trim_start_matches(|c: char| c.is_ascii_digit() && arguments.contains("addr"));
                    all.insert(line.split("\\ valid_lft").next().unwrap_or_default().to_owned());
                }
            }
        }
        Ok(all)
    }
}

/// Whether lines are to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// They are to be there, each of them.
    All,
    /// None of them is to be there.
    None,
}

/// A master alone on `ens33` with these blocks in it.
pub fn master(blocks: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n state MASTER\n interface ens33\n virtual_router_id 7\n priority 200\n \
         virtual_ipaddress {{\n 10.9.0.1/24\n }}\n{blocks}\n}}\n"
    )
}
