//! What instances share, in `keepalived.data`: groups, scripts, files, processes. COMPAT: the lines of keepalived 2.2.7.

use super::{Seconds, word};
use crate::active::Active;
use crate::fsm::instance::Instance;
use crate::fsm::process::Delay;
use crate::fsm::script::Verdict;
use alloc::string::String;
use core::fmt::{Result, Write};
use core::time::Duration;
use ipc::config::vrrp::{Switch, Weight};

pub(super) fn write(text: &mut String, active: &Active) -> Result {
    groups(text, active)?;
    scripts(text, active)?;
    files(text, active)?;
    processes(text, active)
}

fn groups(text: &mut String, active: &Active) -> Result {
    for (n, group) in active.groups.rows().iter().enumerate() {
        if n == 0 {
            writeln!(text, "------< VRRP Sync groups >------")?;
        }
        writeln!(text, " VRRP Sync Group = {}, {}", group.conf.name, word(group.state))?;
        writeln!(text, "   VRRP member instances :")?;
        for member in group.conf.members.iter().filter_map(|member| active.instances.at(*member)) {
            writeln!(text, "     {}", member.conf.name)?;
        }
    }
    Ok(())
}

fn scripts(text: &mut String, active: &Active) -> Result {
    writeln!(text, "------< VRRP Scripts >------")?;
    for (index, script) in active.scripts.iter() {
        writeln!(text, " VRRP Script = {}", script.conf.name)?;
        writeln!(text, "   Command = {}", active.commands.at(script.conf.script).unwrap_or("?"))?;
        writeln!(text, "   Interval = {} sec", Seconds(script.conf.interval))?;
        writeln!(text, "   Rise = {}\n   Fall = {}", script.conf.rise, script.conf.fall)?;
        writeln!(text, "   Status = {}", verdict(script.verdict))?;
        trackers(text, active, |instance| {
            instance.conf.track_scripts.iter().find(|used| used.script == index).map(|used| used.weight)
        })?;
    }
    Ok(())
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Up => "GOOD",
        Verdict::Down => "BAD",
        Verdict::Awaited | Verdict::Unknown => "INIT",
    }
}

fn files(text: &mut String, active: &Active) -> Result {
    writeln!(text, "------< VRRP Track files >------")?;
    for (index, file) in active.files.iter() {
        match file.number {
            Some(number) => writeln!(text, " Track file = {}\n   Status = {number}", file.name)?,
            None => writeln!(text, " Track file = {}\n   Status = not known yet", file.name)?,
        }
        trackers(text, active, |instance| {
            instance.options.track_files.iter().find(|used| used.file == index).map(|used| used.weight)
        })?;
    }
    Ok(())
}

fn processes(text: &mut String, active: &Active) -> Result {
    writeln!(text, "------< VRRP Track processes >------")?;
    for (index, process) in active.processes.iter() {
        let conf = &process.conf;
        writeln!(text, " VRRP Track process = {}\n   Process = {}", conf.name, conf.process.join(" "))?;
        writeln!(text, "   Min processes = {}", conf.least)?;
        if let Some(most) = conf.most {
            writeln!(text, "   Max processes = {most}")?;
        }
        writeln!(text, "   Current processes = {}", process.count)?;
        writeln!(text, "   Have quorum = {}", process.verdict == Verdict::Up)?;
        writeln!(text, "   Weight = {}", conf.weight.value)?;
        writeln!(text, "   Terminate delay = {}s", Long(conf.terminate_delay))?;
        writeln!(text, "   Fork delay = {}s", Long(conf.fork_delay))?;
        for (name, which) in [("Fork", Delay::Fork), ("Terminate", Delay::Terminate)] {
            let runs = if process.delayed() == which { "running" } else { "not running" };
            writeln!(text, "   {name} delay timer {runs}")?;
        }
        writeln!(text, "   Full command = {}", conf.full_command == Switch::On)?;
        trackers(text, active, |instance| {
            instance.options.track_processes.iter().find(|used| used.process == index).map(|used| used.weight)
        })?;
    }
    Ok(())
}

/// The instances that track it, with the weight each gives it.
fn trackers(text: &mut String, active: &Active, weight: impl Fn(&Instance) -> Option<Weight>) -> Result {
    writeln!(text, "   Tracking instances :")?;
    for instance in active.instances.rows() {
        let Some(Weight { value, reverse }) = weight(instance) else { continue };
        let reverse = if reverse == Switch::On { " reverse" } else { "" };
        writeln!(text, "     {}, weight {value}{reverse}", instance.conf.name)?;
    }
    Ok(())
}

/// Seconds with all six decimals.
struct Long(Duration);

impl core::fmt::Display for Long {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}
