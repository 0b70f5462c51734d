//! From the command line to the event loop: the order of the start.

use super::accounts::Accounts;
use super::cli::{Cli, LOG_FILE};
use super::compile::is_there;
use super::config_test;
use super::driver::{Driver, Setup};
use super::exec::Commands;
use super::namespaces::Namespaces;
use super::pidfile::{self, PidFile, PidFileError};
use super::spawn::Programs;
use super::{files, module, signals, sys, terminal};
use ipc::log::{Logger, learn_time_zone, own_console};
use ipc::msg::control::{LogSetup, Sink};
use ipc::report::{Level, Line};
use ipc::{confine, fault};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, daemon, geteuid};
use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf, absolute};
use supervisor::reload::Parts;

/// Syslog's `daemon`.
const DAEMON: u8 = 3;

/// The supervisor's name in syslog.
pub const IDENT: &str = "Holdfast";

/// Runs as the command line says; gives the exit code. COMPAT: keepalived 2.4.3, exit codes.
pub fn run(mut cli: Cli) -> u8 {
    // 1. Where to work. Before anything is opened or looked up that belongs to a namespace.
    // The kernel tells of processes in the first network namespace only. Without a socket they are looked for.
    let connector = sys::connector().ok();
    let namespaces = match Namespaces::enter(&cli, &cli.config()) {
        Ok(namespaces) => namespaces,
        Err(why) => return refuse(1, &why),
    };
    let outside = connector.filter(|_| namespaces.has_left());
    if let Some(log) = cli.config_test.clone() {
        return config_test::run(&cli, &log);
    }
    if cli.print_config {
        return config_test::run(&cli, OsStr::new(""));
    }
    if !geteuid().is_root() {
        return refuse(4, &format!("it must be started as root; this is uid {}", geteuid()));
    }
    // 2. Paths as seen from here; later the working directory is the root.
    let config = whole(&cli.config());
    if !is_there(&config) {
        // COMPAT: keepalived 2.4.3: a missing file is found before the fork, exit code 6.
        return refuse(6, &format!("the configuration file {} does not exist or is no regular file", config.display()));
    }
    cli.vrrp_pid = cli.vrrp_pid.as_deref().map(whole);
    cli.checkers_pid = cli.checkers_pid.as_deref().map(whole);
    let log_file = cli.log_file.as_deref().map(whole);
    let programs = Programs::find();
    // 3. The only one: before the fork, so that the caller sees it.
    let pid_path = match &cli.pid {
        Some(path) => whole(path),
        None if !namespaces.has_left() => PathBuf::from(pidfile::DEFAULT),
        // COMPAT: keepalived's `-s` implies `use_pid_dir`: one daemon in each namespace.
        None => match files::run_dir() {
            Ok(directory) => directory.join("holdfast.pid"),
            Err(why) => return refuse(1, &why),
        },
    };
    let mut pid_file = match PidFile::lock(&pid_path) {
        Ok(file) => file,
        Err(e @ PidFileError::Running(_)) => return refuse(0, &e.to_string()),
        Err(e) => return refuse(1, &e.to_string()),
    };
    // 4. From here on signals wait, until the event loop takes them.
    if let Err(e) = signals::block() {
        return refuse(1, &format!("it cannot block signals: {}", e.desc()));
    }
    // 5. Into the background, or at least out of the way.
    if let Some(mask) = cli.umask {
        umask(Mode::from_bits_truncate(mask));
    }
    let moved = if cli.dont_fork {
        std::env::set_current_dir("/").map_err(|e| e.to_string())
    } else {
        daemon(false, cli.log_console).map_err(|e| e.desc().to_owned())
    };
    if let Err(why) = moved {
        return refuse(1, &format!("it cannot go into the background: {why}"));
    }
    if let Err(e) = pid_file.write(Pid::this()) {
        return refuse(1, &e.to_string());
    }
    files::remove_unfinished();
    // 6. What needs the name service, the time zone's file or a capability that is given up next.
    learn_time_zone();
    own_console();
    let (accounts, missing_accounts) = Accounts::find();
    let commands = Commands::new();
    let (log, unknown_facility) = log_setup(&cli);
    let mut logger = logger(log, log_file.as_deref());
    hello(&cli, &mut logger, [missing_accounts, unknown_facility]);
    // Whether that matters only ipvsd knows, when it has a configuration, and ipvsd is who says so.
    if cli.options().parts != Parts::VrrpOnly
        && let Err(why) = module::load_ip_vs()
    {
        logger.log(&Line::new(Level::Debug, format!("The kernel module ip_vs cannot be loaded: {why}")));
    }
    // 7. What is not needed is given up, before any byte of configuration or of a child is read.
    match confine::supervise(confine::Needs::default()) {
        Ok(confined) if confined.unfiltered.is_none() && confined.missing.is_empty() => {}
        Ok(confined) => logger.warning(format!("The supervisor is {confined}")),
        Err(e) => {
            logger.error(e.to_string());
            return 1;
        }
    }
    // 8. To work.
    let code = serve(Setup { cli, config, programs, accounts, log, log_file, logger, commands, outside, namespaces });
    drop(pid_file);
    code
}

fn serve(setup: Setup) -> u8 {
    let (log, log_file) = (setup.log, setup.log_file.clone());
    let mut driver = match Driver::new(setup) {
        Ok(driver) => driver,
        Err(e) => {
            logger(log, log_file.as_deref()).error(format!("The event loop cannot be made: {e}"));
            return 1;
        }
    };
    let code = driver.run().unwrap_or_else(|e| {
        driver.logger().error(format!("The event loop cannot go on: {e}"));
        1
    });
    driver.logger().notice(format!("Stopped Holdfast v{}", env!("CARGO_PKG_VERSION")));
    code
}

/// Says why it does not start, to whoever started it.
pub fn refuse(code: u8, why: &str) -> u8 {
    terminal::err(&format!("holdfast: {why}\n"));
    code
}

fn whole(path: &Path) -> PathBuf {
    absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// How everybody logs, and a sentence if the facility is unknown.
fn log_setup(cli: &Cli) -> (LogSetup, Option<String>) {
    let sink = |on| if on { Sink::On } else { Sink::Off };
    let (code, unknown) = match cli.facility() {
        Ok(code) => (code, None),
        Err(unknown) => (Some(DAEMON), Some(unknown)),
    };
    let setup = LogSetup {
        detail: cli.log_detail,
        console: sink(cli.log_console),
        syslog: sink(!cli.no_syslog),
        facility: code.unwrap_or(DAEMON),
        file: sink(cli.log_file.is_some()),
    };
    (setup, unknown)
}

fn logger(log: LogSetup, path: Option<&Path>) -> Logger {
    let socket = if log.syslog == Sink::On { files::syslog_socket().ok() } else { None };
    if let Some(socket) = &socket {
        fault::tell_syslog(IDENT, log.facility, socket.as_fd());
    }
    let file = path.map(|path| files::log_file(path, None));
    let (file, why) = match file {
        Some(Ok(fd)) => (Some(fd), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    let mut logger = Logger::new(IDENT, log, socket, file);
    if let Some(why) = why {
        logger.warning(why);
    }
    logger
}

fn hello(cli: &Cli, logger: &mut Logger, problems: [Option<String>; 2]) {
    logger.notice(format!("Starting Holdfast v{}", env!("CARGO_PKG_VERSION")));
    let words: Vec<String> = std::env::args_os().map(|w| format!("'{}'", w.to_string_lossy())).collect();
    logger.info(format!("Command line: {}", words.join(" ")));
    for text in cli.without_effect() {
        logger.warning(text);
    }
    for word in &cli.extra {
        logger.warning(format!("Unexpected argument '{}' is ignored", word.to_string_lossy()));
    }
    if cli.log_file.as_deref() == Some(Path::new(LOG_FILE)) {
        logger.info(format!("Also logging to {LOG_FILE}"));
    }
    for problem in problems.into_iter().flatten() {
        logger.notice(problem);
    }
}
