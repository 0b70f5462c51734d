//! Real commands, really run.

use super::*;
use crate::shell::testdir::TestDir;
use ipc::config::Origin;
use ipc::config::script::{Asker, RunAs, ScriptKind};
use ipc::config::vrrp::Switch;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::{Permissions, read_to_string, set_permissions, write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

const G: Generation = Generation(1);
const SCRIPT: ScriptIdx = ScriptIdx(0);
const RUN: RunId = RunId(7);

struct Bench {
    dir: TestDir,
    commands: Commands,
}

impl Bench {
    /// One command, a file with that text, run as that user.
    fn new(text: &str, user: &str, security: ScriptSecurity) -> (Bench, Findings) {
        let dir = TestDir::new("exec");
        set_permissions(dir.path(), Permissions::from_mode(0o1777)).unwrap();
        let path = dir.path().join("script");
        write(&path, text.replace("DIR", dir.path().to_str().unwrap())).unwrap();
        set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        let script = Script {
            argv: vec![path.as_os_str().as_bytes().to_vec(), b"two words".to_vec()],
            run_as: Some(RunAs {
                user: user.to_owned(),
                group: None,
                others: Switch::Off,
                origin: Origin { file: "a.conf".into(), line: 5 },
            }),
            label: "vrrp_script x".to_owned(),
            origin: Origin { file: "a.conf".into(), line: 3 },
            kind: ScriptKind::Event,
            asker: Asker::Vrrp,
        };
        let table = ScriptConfig { scripts: [script].into_iter().collect(), security, ..ScriptConfig::default() };
        let mut commands = Commands::new();
        let findings = commands.load(G, &table);
        (Bench { dir, commands }, findings)
    }

    fn start(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        let tail = vec![b"INSTANCE".to_vec(), b"$(id)".to_vec()];
        self.commands.start(RUN, G, SCRIPT, tail, &mut lines).unwrap();
        lines
    }

    fn end(&mut self) -> Outcome {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some((outcome, _)) = self.commands.reap(RUN) {
                return outcome;
            }
            assert!(Instant::now() < until, "it does not end");
            let pidfd = self.commands.running[&RUN].process.pidfd();
            poll(&mut [PollFd::new(pidfd, PollFlags::POLLIN)], PollTimeout::from(100u16)).unwrap();
        }
    }

    fn output(&self, name: &str) -> String {
        read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }
}

fn wait_for(path: &Path) -> String {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => assert!(Instant::now() < until, "{} does not come", path.display()),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn arguments_identity_group_and_descriptors() {
    let text = "#!/bin/sh\nprintf '%s|' \"$@\" > DIR/args\nid -u > DIR/id; id -G >> DIR/id; pwd >> DIR/id\n\
                ls -l /proc/self/fd | grep -c ' [0-9][0-9]* -> ' > DIR/fds; exit 3\n";
    let (mut bench, findings) = Bench::new(text, "nobody", ScriptSecurity::On);
    assert_eq!((findings.unusable, findings.unprotected), (0, 0), "{:?}", findings.lines);
    assert_eq!(bench.start(), []);
    assert_eq!(bench.end(), Outcome::Exited(3));
    assert_eq!(bench.output("args"), "two words|INSTANCE|$(id)|");
    assert_eq!(bench.output("id"), "65534\n65534\n/\n", "no supplementary groups");
    // 0, 1, 2 and the directory that ls reads; what the test program itself was started with goes on top.
    assert_eq!(bench.output("fds").trim(), (4 + inherited()).to_string());
}

/// Descriptors from 3 on that are not closed on exec: none of them was opened here.
fn inherited() -> usize {
    let flags = |entry: std::fs::DirEntry| {
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        let info = read_to_string(entry.path()).ok()?;
        let flags = info.lines().find_map(|l| l.strip_prefix("flags:"))?;
        Some((number, u32::from_str_radix(flags.trim(), 8).ok()?))
    };
    let all = std::fs::read_dir("/proc/self/fdinfo").unwrap().flatten().filter_map(flags);
    all.filter(|(number, flags)| *number > 2 && flags & 0o2_000_000 == 0).count()
}

#[test]
fn a_file_without_an_interpreter_line_is_run_by_the_shell() {
    let (mut bench, _) = Bench::new("echo \"$0 $2\" > DIR/out; exit 5\n", "nobody", ScriptSecurity::On);
    bench.start();
    assert_eq!(bench.end(), Outcome::Exited(5));
    assert_eq!(bench.output("out"), format!("{}/script INSTANCE\n", bench.dir.path().display()));
}

/// The supervisor blocks nearly all signals; a command that inherited that could not be ended by SIGTERM, and `timeout 5 …` in it would wait
/// for ever.
#[test]
fn no_signal_is_blocked_in_a_command() {
    use nix::sys::signal::SigSet;
    let (mut bench, _) =
        Bench::new("#!/bin/sh\ngrep SigBlk /proc/self/status > DIR/mask\n", "nobody", ScriptSecurity::On);
    let before = SigSet::thread_get_mask().unwrap();
    SigSet::all().thread_block().unwrap();
    bench.start();
    before.thread_set_mask().unwrap();
    assert_eq!(bench.end(), Outcome::Exited(0));
    assert_eq!(bench.output("mask"), "SigBlk:\t0000000000000000\n");
}

#[test]
fn signals_reach_the_whole_process_group() {
    let text = "#!/bin/sh\nsleep 1000 & echo $! > DIR/child; trap '' TERM; wait; wait; sleep 1000\n";
    let (mut bench, _) = Bench::new(text, "nobody", ScriptSecurity::On);
    bench.start();
    let child = wait_for(&bench.dir.path().join("child"));
    bench.commands.signal(RUN, Sig::Kill);
    assert_eq!(bench.end(), Outcome::Signalled(9));
    let gone = || {
        let status = read_to_string(format!("/proc/{}/status", child.trim())).unwrap_or_default();
        status.is_empty() || status.contains("State:\tZ")
    };
    let until = Instant::now() + Duration::from_secs(10);
    while !gone() {
        assert!(Instant::now() < until, "the child of the script is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_a_killed_leader_leaves_behind_goes_with_it() {
    let text = "#!/bin/sh\n(trap '' TERM; echo x > DIR/ready; exec sleep 1000) & echo $! > DIR/child; wait\n";
    let (mut bench, _) = Bench::new(text, "nobody", ScriptSecurity::On);
    bench.start();
    let child = wait_for(&bench.dir.path().join("child"));
    wait_for(&bench.dir.path().join("ready"));
    bench.commands.signal(RUN, Sig::Term);
    assert_eq!(bench.end(), Outcome::Signalled(15));
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let status = read_to_string(format!("/proc/{}/status", child.trim())).unwrap_or_default();
        if status.is_empty() || status.contains("State:\tZ") {
            return;
        }
        assert!(Instant::now() < until, "it ignores SIGTERM and is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_unsafe_script_is_not_run_with_security_and_warned_of_without() {
    for (security, runs) in [(ScriptSecurity::On, false), (ScriptSecurity::Off, true)] {
        let (mut bench, findings) = Bench::new("#!/bin/sh\nexit 0\n", "root", security);
        assert_eq!(findings.unusable, 0, "safe so far: {:?}", findings.lines);
        set_permissions(bench.dir.path().join("script"), Permissions::from_mode(0o777)).unwrap();
        let mut lines = Vec::new();
        let started = bench.commands.start(RUN, G, SCRIPT, Vec::new(), &mut lines).is_ok();
        assert_eq!(started, runs);
        let text = lines.first().unwrap().text.clone();
        assert!(text.starts_with("a.conf:3: vrrp_script x is "), "{text}");
        assert!(text.contains("script is writable by everybody (mode 0777; chmod o-w"), "{text}");
        if runs {
            assert_eq!(bench.end(), Outcome::Exited(0));
        }
        let mut again = Vec::new();
        let _ = bench.commands.start(RunId(8), G, SCRIPT, Vec::new(), &mut again);
        assert_eq!(again, [], "said once");
        set_permissions(bench.dir.path().join("script"), Permissions::from_mode(0o755)).unwrap();
        assert!(
            bench.commands.start(RunId(9), G, SCRIPT, Vec::new(), &mut again).is_ok(),
            "put right without a reload"
        );
    }
}

#[test]
fn an_unknown_user_is_named() {
    let (mut bench, findings) = Bench::new("#!/bin/sh\n", "no-such-user", ScriptSecurity::Off);
    assert_eq!(findings.unusable, 1);
    assert!(findings.lines[0].text.contains(
        "vrrp_script x is not run: user no-such-user (a.conf:5) does not exist; create it, or name one that does"
    ));
    assert_eq!(bench.commands.start(RUN, G, SCRIPT, Vec::new(), &mut Vec::new()).err(), Some(Outcome::NotStarted));
    assert!(bench.commands.start(RUN, G, ScriptIdx(4), Vec::new(), &mut Vec::new()).is_err());
    assert!(bench.commands.start(RUN, Generation(5), SCRIPT, Vec::new(), &mut Vec::new()).is_err());
}
