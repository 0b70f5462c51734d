//! The command line: keepalived's whole option table. COMPAT: keepalived 2.4.3, keepalived(8).

use super::getopt;
use clap::{ArgAction, CommandFactory as _, Parser};
use ipc::log::facility;
use ipc::msg::compile;
use ipc::msg::control::{AtStop, StopMode};
use nix::libc;
use std::ffi::OsString;
use std::path::PathBuf;
use supervisor::lifecycle::{Options, Respawn};
use supervisor::reload::Parts;

/// Read when no `-f` is given and it exists.
pub const OWN_CONFIG: &str = "/etc/holdfast/holdfast.conf";

/// Read when no `-f` is given and [`OWN_CONFIG`] does not exist.
pub const KEEPALIVED_CONFIG: &str = "/etc/keepalived/keepalived.conf";

/// Where `-g` without a value writes.
pub const LOG_FILE: &str = "/var/log/holdfast.log";

/// How `-t` tells problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// With the lines they speak of.
    Human,
    /// `FILE:LINE:COL: error[CODE]: text`
    Short,
    /// One JSON object a line.
    Json,
}

impl From<Format> for compile::MessageFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Human => compile::MessageFormat::Human,
            Format::Short => compile::MessageFormat::Short,
            Format::Json => compile::MessageFormat::Json,
        }
    }
}

/// How `--print-config` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PrintFormat {
    /// As a configuration file.
    Keepalived,
    /// As JSON.
    Json,
}

impl From<PrintFormat> for compile::PrintFormat {
    fn from(format: PrintFormat) -> Self {
        match format {
            PrintFormat::Keepalived => compile::PrintFormat::Keepalived,
            PrintFormat::Json => compile::PrintFormat::Json,
        }
    }
}

/// VRRP, IPVS and health checks; a drop-in replacement for keepalived.
///
/// Short options are keepalived's; see holdfast(8).
#[derive(Clone, Debug, Parser)]
#[command(group = clap::ArgGroup::new("checking").args(["config_test", "print_config"]))]
#[command(name = "holdfast", disable_version_flag = true, disable_help_flag = true, infer_long_args = true)]
pub struct Cli {
    /// -f: use this configuration file, or those that match this pattern [default: /etc/holdfast/holdfast.conf, else /etc/keepalived/keepalived.conf]
    #[arg(long, value_name = "FILE")]
    pub use_file: Option<PathBuf>,
    /// -P: only run the VRRP part
    #[arg(long)]
    pub vrrp: bool,
    /// -C: only run the health checks and IPVS
    #[arg(long)]
    pub check: bool,
    /// -B: accepted; BFD is part of vrrpd
    #[arg(long = "no_bfd")]
    pub no_bfd: bool,
    /// Run every process, also those the configuration has nothing for
    #[arg(long)]
    pub all: bool,
    /// -l: also log to standard error
    #[arg(long)]
    pub log_console: bool,
    /// -D: detailed messages; twice for more
    #[arg(long, action = ArgAction::Count)]
    pub log_detail: u8,
    /// -S: syslog facility: 0-7, local0-local7, user, daemon (default), …
    #[arg(long, value_name = "FACILITY")]
    pub log_facility: Option<String>,
    /// -g: also log to FILE [default: /var/log/holdfast.log]; the value must be attached: -gFILE, --log-file=FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = LOG_FILE)]
    pub log_file: Option<PathBuf>,
    /// Accepted; every line is flushed anyway
    #[arg(long)]
    pub flush_log_file: bool,
    /// -G: do not log to syslog
    #[arg(long)]
    pub no_syslog: bool,
    /// -u: file creation mask of the scripts, in octal (022), decimal or hexadecimal (0x12)
    #[arg(long, value_name = "MASK", value_parser = umask)]
    pub umask: Option<u32>,
    /// -X: accepted; addresses are always reconciled
    #[arg(long)]
    pub release_vips: bool,
    /// -V: leave addresses in place at the end
    #[arg(long)]
    pub dont_release_vrrp: bool,
    /// -I: leave virtual and real servers in place at the end
    #[arg(long)]
    pub dont_release_ipvs: bool,
    /// -R: end when a child process dies, instead of starting it again
    #[arg(long)]
    pub dont_respawn: bool,
    /// -n: stay in the foreground
    #[arg(long)]
    pub dont_fork: bool,
    /// -d: write the dumps of SIGUSR1 once everything runs
    #[arg(long)]
    pub dump_conf: bool,
    /// -p: pid file [default: /run/holdfast.pid]
    #[arg(long, value_name = "FILE")]
    pub pid: Option<PathBuf>,
    /// -c: pid file of checkd [default: /run/holdfast/checkers.pid]
    #[arg(long = "checkers_pid", value_name = "FILE")]
    pub checkers_pid: Option<PathBuf>,
    /// -r: pid file of vrrpd [default: /run/holdfast/vrrp.pid]
    #[arg(long = "vrrp_pid", value_name = "FILE")]
    pub vrrp_pid: Option<PathBuf>,
    /// -b: accepted; there is no BFD process
    #[arg(long = "bfd_pid", value_name = "FILE")]
    pub bfd_pid: Option<PathBuf>,
    /// -T: be genhash; the first argument, what follows are genhash's
    #[arg(long)]
    pub genhash: bool,
    /// -a: log addresses that are added or deleted (not built yet)
    #[arg(long)]
    pub address_monitoring: bool,
    /// -x: SNMP (not built yet)
    #[arg(long)]
    pub snmp: bool,
    /// -A: SNMP master agent (not built yet)
    #[arg(long, value_name = "SOCKET")]
    pub snmp_agent_socket: Option<String>,
    /// -m: core dumps (never written: they hold secrets)
    #[arg(long)]
    pub core_dump: bool,
    /// -M: pattern of core dumps (never written)
    #[arg(long, value_name = "PATTERN", num_args = 0..=1, require_equals = true, default_missing_value = "core")]
    pub core_dump_pattern: Option<String>,
    /// -L: accepted
    #[arg(long)]
    pub mem_check_log: bool,
    /// -O: accepted
    #[arg(long)]
    pub openssl_mem_check: bool,
    /// Accepted
    #[arg(long)]
    pub no_mem_check: bool,
    /// -s: run in the network namespace NAME (/run/netns/NAME); pid files and dumps are then in /run/holdfast/NAME
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<OsString>,
    /// -e: every include must find what it names
    #[arg(long)]
    pub all_config: bool,
    /// -i: use lines that begin with @ID [default: the host name up to the first dot]
    #[arg(long, value_name = "ID")]
    pub config_id: Option<String>,
    /// Print the number of a signal: STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON, TDUMP
    #[arg(long, value_name = "NAME")]
    pub signum: Option<String>,
    /// -t: check the configuration and end; messages go to standard error, or are appended to FILE (-tFILE, --config-test=FILE)
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub config_test: Option<OsString>,
    /// Print the configuration as it is understood to standard output, with defaults filled in, includes and sequences
    /// expanded and secrets masked, and end; exit codes and problems (on standard error) as with -t
    #[arg(long, conflicts_with = "config_test")]
    pub print_config: bool,
    /// With --print-config: keepalived (a configuration file that means the same) or json
    #[arg(long, value_name = "FORM", value_enum, default_value_t = PrintFormat::Keepalived, requires = "print_config")]
    pub format: PrintFormat,
    /// With --print-config: print passwords and keys too
    #[arg(long, requires = "print_config")]
    pub show_secrets: bool,
    /// With -t: how problems are told: human (to standard error), short or json (one line each to standard output)
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Human, requires = "checking")]
    pub message_format: Format,
    /// With -t or --print-config: the text alone; no interface, script or user of this machine is looked up
    #[arg(long, requires = "checking")]
    pub offline: bool,
    /// Explain a configuration keyword or the code of a diagnostic, and end
    #[arg(long, value_name = "KEYWORD|CODE")]
    pub explain: Option<String>,
    /// Accepted
    #[arg(long, value_name = "FD", hide = true)]
    pub config_fd: Option<u32>,
    /// Do not end on SIGINT
    #[arg(long)]
    pub ignore_sigint: bool,
    /// Accepted
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "all", hide = true)]
    pub perf: Option<String>,
    /// Accepted
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "", hide = true)]
    pub debug: Option<String>,
    /// -v: print the version to standard error and end
    #[arg(long)]
    pub version: bool,
    /// -h: print this and end
    #[arg(long)]
    pub help: bool,
    /// Words that are no options; they are reported and ignored
    #[arg(hide = true)]
    pub extra: Vec<OsString>,
}

/// Parses a command line, program name first. The error is the text to print; the exit code is then 1.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Cli, String> {
    let mut args = args;
    let name = args.next().unwrap_or_else(|| OsString::from("holdfast"));
    let line = std::iter::once(name).chain(getopt::lengthen(args));
    Cli::try_parse_from(line).map_err(|e| e.to_string())
}

/// The help text.
pub fn help() -> String {
    Cli::command().render_help().to_string()
}

/// A mask as keepalived reads it: 0 in front is octal, 0x hexadecimal, else decimal.
fn umask(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(text, 8),
        None => text.parse(),
    };
    match parsed {
        Ok(mask) if mask <= 0o777 => Ok(mask),
        Ok(_) | Err(_) => Err("not a file creation mask; write it in octal with a 0 in front, such as 022".to_owned()),
    }
}

/// The number of the signal that keepalived calls by that name.
pub fn signum(name: &str) -> Option<i32> {
    match name {
        "STOP" => Some(libc::SIGTERM),
        "RELOAD" => Some(libc::SIGHUP),
        "DATA" => Some(libc::SIGUSR1),
        "STATS" => Some(libc::SIGUSR2),
        "STATS_CLEAR" => libc::SIGRTMAX().checked_sub(1),
        "JSON" => libc::SIGRTMIN().checked_add(2),
        "TDUMP" => Some(libc::SIGRTMAX()),
        _ => None,
    }
}

impl Cli {
    /// What the core needs to know.
    pub fn options(&self) -> Options {
        let parts = match (self.all, self.vrrp, self.check) {
            (true, _, _) => Parts::All,
            (false, true, false) => Parts::VrrpOnly,
            (false, false, true) => Parts::CheckOnly,
            // COMPAT: keepalived 2.4.3: both together are the default.
            (false, true, true) | (false, false, false) => Parts::AsConfigured,
        };
        Options {
            parts,
            respawn: if self.dont_respawn || self.config_test.is_some() { Respawn::No } else { Respawn::Yes },
        }
    }

    /// What stays at the end.
    pub fn stop_mode(&self) -> StopMode {
        let keep = |keep| if keep { AtStop::Keep } else { AtStop::Release };
        StopMode { vips: keep(self.dont_release_vrrp), ipvs: keep(self.dont_release_ipvs) }
    }

    /// What the compiler needs to know of `-P` and `-C`.
    pub fn compile_parts(&self) -> compile::Parts {
        match self.options().parts {
            Parts::AsConfigured | Parts::All => compile::Parts::Both,
            Parts::VrrpOnly => compile::Parts::VrrpOnly,
            Parts::CheckOnly => compile::Parts::CheckOnly,
        }
    }

    /// Which failures of includes are errors.
    pub fn compile_includes(&self) -> compile::Includes {
        if self.all_config { compile::Includes::AllChecked } else { compile::Includes::AsWritten }
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        match &self.use_file {
            Some(path) => path.clone(),
            None if PathBuf::from(OWN_CONFIG).exists() => PathBuf::from(OWN_CONFIG),
            None => PathBuf::from(KEEPALIVED_CONFIG),
        }
    }

    /// `-S`, or a sentence if there is no such facility. COMPAT: keepalived 2.2.7 then uses `daemon`, and `-t` ends with 5.
    pub fn facility(&self) -> Result<Option<u8>, String> {
        let Some(given) = self.log_facility.as_deref() else { return Ok(None) };
        let unknown = || format!("-S/--log-facility {given}: there is no such facility; daemon is used");
        facility::code(given).map(Some).ok_or_else(unknown)
    }

    /// One sentence for each option that is accepted and does nothing.
    pub fn without_effect(&self) -> Vec<String> {
        let table: [(bool, &str); 12] = [
            (self.snmp, "-x/--snmp: there is no SNMP"),
            (self.snmp_agent_socket.is_some(), "-A/--snmp-agent-socket: there is no SNMP"),
            (self.core_dump || self.core_dump_pattern.is_some(), "-m/-M: no core is dumped, it would hold secrets"),
            (self.no_bfd, "-B/--no_bfd: BFD is part of vrrpd; it runs when the configuration has a bfd_instance"),
            (self.bfd_pid.is_some(), "-b/--bfd_pid: there is no BFD process"),
            (self.mem_check_log, "-L/--mem-check-log does nothing"),
            (self.openssl_mem_check, "-O/--openssl-mem-check does nothing"),
            (self.no_mem_check, "--no-mem-check does nothing"),
            (self.address_monitoring, "-a/--address-monitoring is not built"),
            (self.config_fd.is_some(), "--config-fd does nothing"),
            (self.perf.is_some(), "--perf does nothing"),
            (self.debug.is_some(), "--debug does nothing; use -D -D"),
        ];
        table.iter().filter(|(given, _)| *given).map(|(_, text)| (*text).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cli(line: &str) -> Cli {
        parse(std::iter::once("holdfast").chain(line.split_whitespace()).map(OsString::from)).unwrap()
    }

    #[test]
    fn every_option_of_keepalived_is_accepted() {
        for line in [
            "-f x -P -C -B --all -l -D -S 3 -g -G -u 022 -X -V -I -R -n -d -p a -c b -r c -b d -T -a -x -A s -m -M -L",
            "-O --no-mem-check -s ns -e -i id --signum STOP -t --config-fd 3 --ignore-sigint --perf --debug -v -h",
            "--use-file=x --vrrp --check --no_bfd --log-console --log-detail --log-facility=local1 --log-file=y",
            "--flush-log-file --no-syslog --umask=0x12 --release-vips --dont-release-vrrp --dont-release-ipvs",
            "--dont-respawn --dont-fork --dump-conf --pid=a --checkers_pid=b --vrrp_pid=c --bfd_pid=d --genhash",
            "--address-monitoring --snmp --snmp-agent-socket=s --core-dump --core-dump-pattern=p --namespace=ns",
            "--all-config --config-id=i --signum=DATA --config-test=log --version --help --perf=end --debug=Vv",
        ] {
            cli(line);
        }
    }

    #[test]
    fn values() {
        let c = cli("-nlDDf /a -S local3 -u 077 -tlog");
        assert_eq!((c.dont_fork, c.log_console, c.log_detail), (true, true, 2));
        assert_eq!(c.use_file, Some(PathBuf::from("/a")));
        assert_eq!((c.umask, c.config_test), (Some(0o77), Some(OsString::from("log"))));
        assert_eq!(cli("-u 18").umask, Some(18));
        assert_eq!(cli("-t").config_test, Some(OsString::new()));
        assert_eq!(cli("-g").log_file, Some(PathBuf::from(LOG_FILE)));
        assert_eq!(cli("--use /b").use_file, Some(PathBuf::from("/b")), "long options may be cut short");
        assert_eq!(cli("-n word").extra, [OsString::from("word")]);
    }

    #[test]
    fn wrong_lines_are_refused() {
        for line in ["--foo", "-Z", "-f", "-u 1000", "-u x"] {
            let args = std::iter::once("holdfast").chain(line.split_whitespace()).map(OsString::from);
            assert!(parse(args).is_err(), "{line}");
        }
    }

    #[test]
    fn parts() {
        assert_eq!(cli("-P").options().parts, Parts::VrrpOnly);
        assert_eq!(cli("-C").options().parts, Parts::CheckOnly);
        assert_eq!(cli("-P -C").options().parts, Parts::AsConfigured);
        assert_eq!(cli("--all -P").options().parts, Parts::All);
    }

    #[test]
    fn clap_finds_no_fault_with_the_table() {
        Cli::command().debug_assert();
    }
}
