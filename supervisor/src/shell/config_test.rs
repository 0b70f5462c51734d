//! `-t`: the same compilation as at a start, then the same look at the scripts, and nothing else. Anybody may ask for it.
//! `--print-config` is that too, and the compiler prints what it has understood.

use super::accounts::{Accounts, Whom};
use super::cli::{Cli, Format};
use super::compile::{Compilation, Compiler, Order, Progress, script_table};
use super::exec::Commands;
use super::spawn::Programs;
use super::start::refuse;
use super::terminal;
use ipc::config::Generation;
use ipc::config::process::ProcessSettings;
use ipc::config::vrrp::Switch;
use ipc::confine;
use ipc::evloop::{EventLoop, clock};
use ipc::msg::Role;
use ipc::msg::compile::{CompileMode, Print, Secrets};
use ipc::msg::control::{LogSetup, Sink};
use mio::Token;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{dup2_stderr, geteuid};
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use supervisor::lifecycle::Death;
use supervisor::reload::Failure;

const CHANNEL: Token = Token(0);
const ENDED: Token = Token(1);

/// Exit codes. COMPAT: keepalived 2.4.3.
const FINE: u8 = 0;
const CANNOT_RUN: u8 = 4;
const ERRORS: u8 = 5;
/// Of files that had to be included and could not be, and of scripts that others may change.
const SECURITY: u8 = 6;

/// Tests the configuration; `log` is a file that messages are appended to, empty: standard error.
pub fn run(cli: &Cli, log: &OsStr) -> u8 {
    if !log.is_empty()
        && let Err(why) = append_to(Path::new(log))
    {
        return refuse(1, &why);
    }
    let unknown = cli.facility().err();
    if let Some(why) = &unknown {
        terminal::err(&format!("holdfast: {why}\n"));
    }
    match (tested(cli), unknown) {
        (FINE, Some(_)) => ERRORS, // COMPAT: keepalived 2.2.7, tried
        (code, _) => code,
    }
}

fn tested(cli: &Cli) -> u8 {
    let commands = Commands::new();
    // An ordinary user has nothing to give up; what he cannot read, this does not read either.
    let whom = if geteuid().is_root() {
        if let Err(e) = confine::supervise(confine::Needs::default()) {
            return refuse(1, &e.to_string());
        }
        Whom::Becomes(Accounts::find().0.of(Role::Compile))
    } else {
        Whom::Stays
    };
    match compile(cli, whom) {
        Ok(compilation) if cli.offline => match compilation.verdict.errors {
            0 => FINE,
            _ => ERRORS,
        },
        Ok(compilation) => verdict(&compilation, commands),
        // The compiler has said what is wrong.
        Err(Failure::Fatal { problems, unread }) if problems == unread => SECURITY,
        Err(Failure::Fatal { .. }) => CANNOT_RUN,
        Err(failure @ Failure::Unreadable(_)) => refuse(CANNOT_RUN, &failure.to_string()),
        Err(failure @ Failure::Compiler(_)) => refuse(failure.exit_code(), &failure.to_string()),
    }
}

/// Where and how the processes are to run, if the configuration can be used; nothing else is said.
pub fn settings(cli: &Cli) -> Option<ProcessSettings> {
    let whom = if geteuid().is_root() {
        confine::supervise(confine::Needs::default()).ok()?;
        Whom::Becomes(Accounts::find().0.of(Role::Compile))
    } else {
        Whom::Stays
    };
    let compilation = compile(cli, whom).ok()?;
    Some(script_table(&compilation.slices).ok()?.process)
}

/// Has the compiler explain a keyword or a code; 0 when it knows it.
pub fn explain(word: &str) -> u8 {
    let path = Programs::find().path("checkd");
    match std::process::Command::new(&path).args(["explain", word]).env_clear().stdin(Stdio::null()).status() {
        Ok(status) if status.success() => FINE,
        Ok(_) => 1,
        Err(e) => refuse(1, &format!("{} cannot be started: {e}", path.display())),
    }
}

/// Has genhash ask for a page: `holdfast --genhash` with genhash's own options. Its exit code.
pub fn genhash(arguments: impl Iterator<Item = std::ffi::OsString>) -> u8 {
    let path = Programs::find().path("genhash");
    match std::process::Command::new(&path).args(arguments).env_clear().stdin(Stdio::null()).status() {
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
        Err(e) => refuse(1, &format!("{} cannot be started: {e}", path.display())),
    }
}

fn append_to(path: &Path) -> Result<(), String> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = open(path, flags, Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP | Mode::S_IROTH);
    file.and_then(dup2_stderr).map_err(|e| format!("{} cannot be opened: {}", path.display(), e.desc()))
}

/// Where problems are written: for people to standard error, for programs to standard output, where nothing else is.
fn diagnostics(cli: &Cli) -> Result<Stdio, Failure> {
    if cli.message_format == Format::Human || cli.print_config {
        return Ok(Stdio::inherit());
    }
    stdout().map(Stdio::from)
}

fn stdout() -> Result<OwnedFd, Failure> {
    use std::os::fd::AsFd as _;
    let stdout = std::io::stdout().as_fd().try_clone_to_owned();
    stdout.map_err(|e| Failure::Compiler(format!("standard output cannot be used: {e}")))
}

/// What is asked of the compiler.
fn mode(cli: &Cli) -> CompileMode {
    let on = |set| if set { Switch::On } else { Switch::Off };
    match (cli.print_config, cli.offline) {
        (true, offline) => CompileMode::Print(Print {
            format: cli.format.into(),
            secrets: if cli.show_secrets { Secrets::Shown } else { Secrets::Masked },
            offline: on(offline),
        }),
        (false, true) => CompileMode::Offline,
        (false, false) => CompileMode::Test,
    }
}

fn compile(cli: &Cli, whom: Whom) -> Result<Compilation, Failure> {
    let os = |e: std::io::Error| Failure::Compiler(format!("the compiler cannot be watched: {e}"));
    let off = LogSetup { detail: cli.log_detail, console: Sink::Off, syslog: Sink::Off, facility: 3, file: Sink::Off };
    let mut events = EventLoop::new().map_err(os)?;
    let mut compiler = Compiler::start(
        clock(),
        Order {
            programs: &Programs::find(),
            whom,
            path: &cli.config(),
            config_id: cli.config_id.as_deref(),
            parts: cli.compile_parts(),
            includes: cli.compile_includes(),
            generation: Generation(1),
            mode: mode(cli),
            output: if cli.print_config { Some(stdout()?) } else { None },
            format: cli.message_format.into(),
            stderr: diagnostics(cli)?,
            log: (off, Vec::new()),
        },
    )?;
    compiler.register(&mut events, CHANNEL, ENDED).map_err(os)?;
    let mut ready = Vec::new();
    let result = loop {
        let now = events.wait(Some(compiler.until), &mut ready).map_err(os)?;
        match compiler.progress() {
            Progress::Done(result) => break result,
            Progress::More => compiler.rearm(&mut events, CHANNEL).map_err(os)?,
            Progress::Waiting if ready.iter().any(|r| r.token == ENDED) => {
                if let Some(failure) = compiler.ended() {
                    break Err(failure);
                }
            }
            Progress::Waiting => {}
        }
        if let Some(failure) = compiler.overdue(now) {
            break Err(failure);
        }
    };
    if let Ok(Compilation { verdict, .. }) = &result
        && cli.print_config
        && verdict.fatal == 0
    {
        let death = loop {
            // Before waiting: its end may have been reported together with its verdict, and is reported once.
            if let Some(death) = compiler.printed() {
                break death;
            }
            events.wait(None, &mut ready).map_err(os)?;
        };
        if death != Death::Exited(0) {
            // It has said why.
            return Err(Failure::Compiler("the configuration was not printed to its end".to_owned()));
        }
    }
    drop(compiler.end());
    let compilation = result?;
    match compilation.verdict.fatal {
        0 => Ok(compilation),
        problems => Err(Failure::Fatal { problems, unread: compilation.verdict.unread }),
    }
}

fn verdict(compilation: &Compilation, mut commands: Commands) -> u8 {
    let table = match script_table(&compilation.slices) {
        Ok(table) => table,
        Err(failure) => return refuse(failure.exit_code(), &failure.to_string()),
    };
    let findings = commands.load(Generation(1), &table);
    for line in &findings.lines {
        terminal::err(&format!("{line}\n"));
    }
    match (compilation.verdict.errors, findings.unusable, findings.unprotected) {
        (0, 0, 0) => FINE,
        (0, 0, _) => SECURITY,
        (_, _, _) => ERRORS,
    }
}
