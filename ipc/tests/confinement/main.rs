//! Confinement of real processes: this program starts itself as the process to be confined, looks at it from outside, and sees
//! forbidden system calls end it.
//!
//! Needs root; says so and fails without. `cargo test -p ipc --test confinement [PART OF A NAME]`.

// Without the test harness clippy does not see that this is a test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod jailed;
mod sys;

use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Output, Stdio};

/// Names what the started copy shall do.
const ACT: &str = "HOLDFAST_TEST_ACT";

const UID: u32 = 61_300;
const GID: u32 = 61_301;

type Test = (&'static str, fn());

const TESTS: &[Test] = &[
    ("the_kernel_reports_the_declared_state", the_kernel_reports_the_declared_state),
    ("inherited_descriptors_and_environment_are_gone", inherited_descriptors_and_environment_are_gone),
    ("forbidden_calls_kill", forbidden_calls_kill),
    ("argument_rules_tell_apart", argument_rules_tell_apart),
    ("nobody_sends_to_whom_no_socket_is_connected", nobody_sends_to_whom_no_socket_is_connected),
    ("the_file_system_is_closed_without_the_filter", the_file_system_is_closed_without_the_filter),
    ("a_user_gets_a_clear_sentence", a_user_gets_a_clear_sentence),
    ("a_user_can_be_confined_as_he_is", a_user_can_be_confined_as_he_is),
    ("who_has_rights_does_not_stay_who_he_is", who_has_rights_does_not_stay_who_he_is),
    ("a_missing_capability_is_named", a_missing_capability_is_named),
    ("a_panic_is_one_line_and_sigabrt", a_panic_is_one_line_and_sigabrt),
    ("a_panic_reaches_syslog", a_panic_reaches_syslog),
    ("the_supervisor_keeps_what_it_needs", the_supervisor_keeps_what_it_needs),
    ("a_supervisor_in_a_container_says_what_it_lacks", a_supervisor_in_a_container_says_what_it_lacks),
    ("a_child_of_the_confined_supervisor_confines_itself", a_child_of_the_confined_supervisor_confines_itself),
    ("the_log_works_in_the_jail", the_log_works_in_the_jail),
];

fn main() -> ExitCode {
    if let Ok(act) = std::env::var(ACT) {
        return jailed::act(&act);
    }
    let filter = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    assert!(geteuid().is_root(), "these tests need root");
    for (name, test) in TESTS {
        if filter.as_ref().is_none_or(|part| name.contains(part.as_str())) {
            test();
            println!("test {name} ... ok");
        }
    }
    ExitCode::SUCCESS
}

/// This program, to do `act` with a pipe as standard input and output.
fn copy(act: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.env(ACT, act).env("SECRET", "of the supervisor");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(act: &str) -> Output {
    copy(act).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A copy that says a line and then waits until its standard input is closed.
struct Waiting {
    child: Child,
    said: String,
}

impl Waiting {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        if said.is_empty() {
            let mut complaint = String::new();
            child.stderr.as_mut().unwrap().read_to_string(&mut complaint).unwrap();
            panic!("it ended with {:?}: {complaint}", child.wait().unwrap());
        }
        Waiting { child, said }
    }

    fn status(&self) -> BTreeMap<String, String> {
        self.proc("status")
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")))
            .collect()
    }

    fn proc(&self, file: &str) -> String {
        text(&fs::read(format!("/proc/{}/{file}", self.child.id())).unwrap())
    }

    /// Soft and hard limit.
    fn limit(&self, name: &str) -> String {
        let limits = self.proc("limits");
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line.trim_start_matches(name).split_ascii_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    fn end(mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        self.child.wait().unwrap()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn assert_status(waiting: &Waiting, expected: &[(&str, String)]) {
    let status = waiting.status();
    for (name, value) in expected {
        assert_eq!(status.get(*name), Some(value), "{name}");
    }
}

fn the_kernel_reports_the_declared_state() {
    for (act, capabilities) in [("wait_with_net_raw", 1u64 << 13), ("wait_with_nothing", 0)] {
        let waiting = Waiting::start(copy(act));
        assert_status(
            &waiting,
            &[
                ("Uid", format!("{UID} {UID} {UID} {UID}")),
                ("Gid", format!("{GID} {GID} {GID} {GID}")),
                ("Groups", String::new()),
                ("CapInh", format!("{:016x}", 0)),
                ("CapPrm", format!("{capabilities:016x}")),
                ("CapEff", format!("{capabilities:016x}")),
                ("CapBnd", format!("{:016x}", 0)),
                ("CapAmb", format!("{:016x}", 0)),
                ("NoNewPrivs", "1".to_owned()),
                ("Seccomp", "2".to_owned()),
            ],
        );
        assert_eq!(waiting.limit("Max processes"), "0 0");
        assert_eq!(waiting.limit("Max core file size"), "0 0");
        assert_eq!(waiting.limit("Max open files"), "100 100");
        assert_eq!(waiting.end().code(), Some(0));
    }
}

fn inherited_descriptors_and_environment_are_gone() {
    // The copy opens descriptors without close-on-exec and executes itself, so that they are there when it confines itself.
    let waiting = Waiting::start(copy("wait_with_inheritance"));
    let mut open: Vec<String> = fs::read_dir(format!("/proc/{}/fd", waiting.child.id()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2"]);
    assert_eq!(waiting.said.trim(), "there were more descriptors, there are 0 variables");
    assert_eq!(waiting.end().code(), Some(0));
}

fn forbidden_calls_kill() {
    for act in ["open", "socket", "connect", "execve", "fork", "kill", "ptrace", "setuid", "prctl", "executable_memory"]
    {
        let output = run(act);
        assert_eq!(text(&output.stdout), "confined\n", "{act}: {}", text(&output.stderr));
        assert_eq!(output.status.signal(), Some(Signal::SIGSYS as i32), "{act}: {:?}", output.status);
    }
}

fn argument_rules_tell_apart() {
    let output = run("socket_rules");
    assert_eq!(text(&output.stdout), "confined\nunix datagram\nunix packets\n", "{}", text(&output.stderr));
    assert_eq!(output.status.signal(), Some(Signal::SIGSYS as i32), "{:?}", output.status);
}

fn nobody_sends_to_whom_no_socket_is_connected() {
    for act in ["connects_by_sendmsg", "connects_by_sendto", "sends_to_an_address"] {
        let output = run(act);
        assert_eq!(text(&output.stdout), "confined\n", "{act}: {}", text(&output.stderr));
        assert_eq!(output.status.signal(), Some(Signal::SIGSYS as i32), "{act}: {:?}", output.status);
    }
    let output = run("sends_to_nobody");
    assert_eq!(text(&output.stdout), "confined\nErr(EDESTADDRREQ)\n", "{}", text(&output.stderr));
}

fn the_file_system_is_closed_without_the_filter() {
    let output = run("open_allowed_by_the_filter");
    let said = text(&output.stdout);
    assert!(
        said == "Absent: opened\n" || said.ends_with(": permission denied\n"),
        "{said:?} {:?} {}",
        output.status,
        text(&output.stderr)
    );
    println!("     {}", said.trim());
}

fn a_user_gets_a_clear_sentence() {
    let mut command = copy("wait_with_nothing");
    let output = command.uid(UID).gid(GID).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        format!("test program does not run unconfined: it must be started by holdfast as root: it runs as uid {UID}\n")
    );
}

fn a_user_can_be_confined_as_he_is() {
    let mut command = copy("wait_as_user");
    command.uid(UID).gid(GID);
    let waiting = Waiting::start(command);
    assert_status(
        &waiting,
        &[
            ("Uid", format!("{UID} {UID} {UID} {UID}")),
            ("Gid", format!("{GID} {GID} {GID} {GID}")),
            ("CapInh", format!("{:016x}", 0)),
            ("CapPrm", format!("{:016x}", 0)),
            ("CapEff", format!("{:016x}", 0)),
            ("CapAmb", format!("{:016x}", 0)),
            ("NoNewPrivs", "1".to_owned()),
            ("Seccomp", "2".to_owned()),
        ],
    );
    assert_eq!(waiting.limit("Max processes"), "0 0");
    assert_eq!(waiting.limit("Max core file size"), "0 0");
    assert_eq!(waiting.limit("Max open files"), "100 100");
    assert_eq!(waiting.end().code(), Some(0));
    // And what the table does not name ends it.
    let output = copy("open_as_user").uid(UID).gid(GID).output().unwrap();
    assert_eq!(output.status.signal(), Some(Signal::SIGSYS as i32), "{}", text(&output.stderr));
}

fn who_has_rights_does_not_stay_who_he_is() {
    let output = run("wait_as_user");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "test program does not run unconfined: only a user without rights stays who he is: its uids are 0, 0 and 0\n"
    );
}

fn a_missing_capability_is_named() {
    let output = run("without_net_raw");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("CAP_NET_RAW missing in its permitted set"), "{said}");
}

fn a_panic_is_one_line_and_sigabrt() {
    for act in ["panic", "panic_in_the_jail"] {
        let output = run(act);
        assert_eq!(output.status.signal(), Some(Signal::SIGABRT as i32), "{act}: {:?}", output.status);
        let said = text(&output.stderr);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("test program: internal error at ipc/tests/confinement/jailed.rs:"), "{said}");
        assert!(said.ends_with(": two lines in one\n"), "{said}");
    }
}

fn a_panic_reaches_syslog() {
    let (syslog, theirs) = UnixDatagram::pair().unwrap();
    syslog.set_nonblocking(true).unwrap();
    let output = copy("panic_with_syslog").stdin(OwnedFd::from(theirs)).output().unwrap();
    assert_eq!(output.status.signal(), Some(Signal::SIGABRT as i32), "{:?}", output.status);
    let mut buffer = [0; 512];
    let length = syslog.recv(&mut buffer).unwrap();
    let said = text(&buffer[..length]);
    assert!(said.starts_with("<131>Holdfast_test["), "{said}");
    assert!(said.ends_with(": two lines in one"), "{said}");
}

fn the_supervisor_keeps_what_it_needs() {
    let waiting = Waiting::start(copy("supervise"));
    // NET_RAW NET_ADMIN SETUID SETGID SETPCAP KILL DAC_READ_SEARCH, and SYS_NICE because the act asks for it.
    let keep = [13, 12, 7, 6, 8, 5, 2, 23].iter().fold(0u64, |mask, bit| mask | 1 << bit);
    assert_status(
        &waiting,
        &[
            ("Uid", "0 0 0 0".to_owned()),
            ("CapInh", format!("{:016x}", 0)),
            ("CapPrm", format!("{keep:016x}")),
            ("CapEff", format!("{keep:016x}")),
            ("CapBnd", format!("{keep:016x}")),
            ("CapAmb", format!("{:016x}", 0)),
            ("NoNewPrivs", "0".to_owned()),
            ("Seccomp", "2".to_owned()),
        ],
    );
    // What the act saw: denied calls fail, a script still runs, as another user too.
    assert_eq!(waiting.said.trim(), "confined; ptrace EPERM; mount EPERM; script as 61300");
    assert_eq!(waiting.end().code(), Some(0));
}

fn a_supervisor_in_a_container_says_what_it_lacks() {
    let waiting = Waiting::start(copy("supervise_in_a_container"));
    assert_eq!(
        waiting.said.trim(),
        "confined but for the system call filter: the kernel wants CAP_SYS_ADMIN or no_new_privs for a filter; it was started \
         without CAP_NET_RAW"
    );
    let keep = [12, 7, 6, 8, 5, 2].iter().fold(0u64, |mask, bit| mask | 1 << bit);
    assert_status(
        &waiting,
        &[("CapEff", format!("{keep:016x}")), ("CapBnd", format!("{keep:016x}")), ("Seccomp", "0".to_owned())],
    );
    assert_eq!(waiting.end().code(), Some(0));
}

fn a_child_of_the_confined_supervisor_confines_itself() {
    let waiting = Waiting::start(copy("supervise_and_become_a_child"));
    assert_status(
        &waiting,
        &[
            ("Uid", format!("{UID} {UID} {UID} {UID}")),
            ("CapEff", format!("{:016x}", 1u64 << 13)),
            ("CapBnd", format!("{:016x}", 0)),
            ("Seccomp", "2".to_owned()),
            ("Seccomp_filters", "2".to_owned()),
        ],
    );
    assert_eq!(waiting.end().code(), Some(0));
}

fn the_log_works_in_the_jail() {
    let output = run("log");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    // `Sat Nov 21 10:00:00 2026: text`
    assert_eq!(said.lines().count(), 1, "{said}");
    let (stamp, line) = said.trim_end().split_at(24);
    assert_eq!(line, ": (VI_1) Entering MASTER STATE");
    assert_eq!(stamp.split_ascii_whitespace().count(), 5, "{stamp}");
    assert!(stamp.contains(':') && stamp.contains(" 20"), "{stamp}");
}
