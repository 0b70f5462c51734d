//! The log against real sockets and files.
// Clippy takes functions without #[test] for production code.
#![allow(clippy::unwrap_used)]

use ipc::evloop::clock;
use ipc::log::{LINE_BYTES, LINES_BURST, Logger, SyslogState, printable, syslog};
use ipc::msg::control::{LogSetup, Sink};
use ipc::report::{Level, Line};
use proptest::prelude::*;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A directory of its own for one test.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("holdfast-log-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Dir(path)
    }

    fn dev_log(&self) -> PathBuf {
        self.0.join("log")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn setup(syslog: Sink, file: Sink) -> LogSetup {
    LogSetup { detail: 0, console: Sink::Off, syslog, facility: 16, file }
}

fn syslogd(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn heard(syslogd: &UnixDatagram) -> Vec<String> {
    let mut lines = Vec::new();
    let mut buffer = [0; 8_192];
    loop {
        match syslogd.recv(&mut buffer) {
            Ok(n) => lines.push(String::from_utf8(buffer[..n].to_vec()).unwrap()),
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::WouldBlock);
                return lines;
            }
        }
    }
}

/// The text after `ident[pid]: `.
fn said(line: &str) -> &str {
    line.split_once("]: ").map_or(line, |(_, text)| text)
}

#[test]
fn a_line_is_an_rfc_3164_datagram() {
    let dir = Dir::new("format");
    let daemon = syslogd(&dir.dev_log());
    let socket = syslog::connect(&dir.dev_log()).unwrap();
    let mut logger = Logger::new("Holdfast_vrrp", setup(Sink::On, Sink::Off), Some(socket), None);
    logger.notice("(VI_1) Entering MASTER STATE");
    logger.error("bad\nnews");
    logger.detail("only with -D");
    let lines = heard(&daemon);
    assert_eq!(lines.len(), 2, "{lines:?}");
    // local0 is 16: 16 * 8 + 5 (notice), + 3 (error).
    assert!(lines[0].starts_with("<133>"), "{}", lines[0]);
    assert!(lines[1].starts_with("<131>"), "{}", lines[1]);
    assert!(lines[0].ends_with(&format!(" Holdfast_vrrp[{}]: (VI_1) Entering MASTER STATE", std::process::id())));
    assert!(lines[1].ends_with("]: bad news"), "{}", lines[1]);
    // `Nov 21 10:00:00 `
    let stamp = &lines[0].as_bytes()[5..21];
    assert_eq!((stamp[3], stamp[6], stamp[9], stamp[12], stamp[15]), (b' ', b' ', b':', b':', b' '), "{}", lines[0]);
}

#[test]
fn a_flood_that_nobody_reads_does_not_block_and_is_counted() {
    let dir = Dir::new("flood");
    let daemon = syslogd(&dir.dev_log());
    let socket = syslog::connect(&dir.dev_log()).unwrap();
    let mut logger = Logger::new("Holdfast", setup(Sink::On, Sink::Off), Some(socket), None);
    let start = Instant::now();
    for n in 0..5_000 {
        logger.info(format!("line {n}"));
    }
    assert!(start.elapsed() < Duration::from_secs(20), "it waited for the reader");
    assert_eq!(logger.turn(clock()), SyslogState::Fine, "a full socket is not a lost one");
    // The reader comes back: what was kept arrives in order, then the count of what was not, then new lines.
    let mut lines = heard(&daemon);
    while logger.turn(clock()) == SyslogState::Fine {
        let more = heard(&daemon);
        if more.is_empty() {
            break;
        }
        lines.extend(more);
    }
    let kept = lines.len();
    assert!(kept >= syslog::PENDING_LINES, "{kept}");
    for (n, line) in lines.iter().enumerate() {
        assert_eq!(said(line), format!("line {n}"));
    }
    logger.info("after");
    let lines = heard(&daemon);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(said(&lines[0]), format!("{} log lines were lost: syslog did not take them", 5_000 - kept));
    assert_eq!(said(&lines[1]), "after");
}

#[test]
fn a_restart_of_syslog_loses_nothing() {
    let dir = Dir::new("restart");
    let daemon = syslogd(&dir.dev_log());
    let socket = syslog::connect(&dir.dev_log()).unwrap();
    let mut logger = Logger::new("Holdfast", setup(Sink::On, Sink::Off), Some(socket), None);
    logger.info("before");
    assert_eq!(heard(&daemon).len(), 1);
    drop(daemon);
    fs::remove_file(dir.dev_log()).unwrap();

    logger.info("meanwhile 1");
    logger.info("meanwhile 2");
    let now = clock();
    assert_eq!(logger.turn(now), SyslogState::Lost);
    assert_eq!(logger.turn(now + Duration::from_millis(999)), SyslogState::Fine, "asked again within the second");
    assert_eq!(logger.turn(now + Duration::from_millis(1_000)), SyslogState::Lost);

    let daemon = syslogd(&dir.dev_log());
    logger.replace_socket(syslog::connect(&dir.dev_log()).unwrap());
    logger.info("after");
    let lines = heard(&daemon);
    let texts: Vec<&str> = lines.iter().map(|line| said(line)).collect();
    assert_eq!(texts, ["meanwhile 1", "meanwhile 2", "after"]);
    assert_eq!(logger.turn(now + Duration::from_secs(5)), SyslogState::Fine);
}

#[test]
fn no_syslog_at_the_start_is_asked_for_ever_less_often() {
    let dir = Dir::new("none");
    let socket = syslog::connect(&dir.dev_log()).unwrap();
    let mut logger = Logger::new("Holdfast", setup(Sink::On, Sink::Off), Some(socket), None);
    let start = clock();
    assert_eq!(logger.turn(start), SyslogState::Fine);
    logger.info("kept");
    let mut asked = Vec::new();
    for second in 0..200 {
        if logger.turn(start + Duration::from_secs(second)) == SyslogState::Lost {
            asked.push(second);
            logger.replace_socket(syslog::connect(&dir.dev_log()).unwrap());
        }
    }
    assert_eq!(asked, [0, 1, 3, 7, 15, 31, 63, 95, 127, 159, 191]);
    let daemon = syslogd(&dir.dev_log());
    logger.replace_socket(syslog::connect(&dir.dev_log()).unwrap());
    assert_eq!(heard(&daemon).len(), 1);
    // And it is as quick as ever the next time.
    drop(daemon);
    logger.info("kept again");
    assert_eq!(logger.turn(start + Duration::from_secs(192)), SyslogState::Lost);
}

#[test]
fn lines_that_wait_for_syslog_want_another_turn_and_nothing_else_does() {
    let dir = Dir::new("deadline");
    let daemon = syslogd(&dir.dev_log());
    let socket = syslog::connect(&dir.dev_log()).unwrap();
    let mut logger = Logger::new("Holdfast", setup(Sink::On, Sink::Off), Some(socket), None);
    let now = clock();
    logger.info("before");
    logger.turn(now);
    assert_eq!(logger.deadline(), None);
    drop(daemon);
    fs::remove_file(dir.dev_log()).unwrap();
    logger.turn(now);
    assert_eq!(logger.deadline(), None, "nothing waits, so nobody has to wake up for it");

    logger.info("meanwhile");
    let mut woken = Vec::new();
    let mut at = now;
    for _ in 0..5 {
        if logger.turn(at) == SyslogState::Lost {
            logger.replace_socket(syslog::connect(&dir.dev_log()).unwrap());
        }
        let next = logger.deadline().unwrap();
        assert!(next > at);
        woken.push(next.since(now).as_secs());
        at = next;
    }
    assert_eq!(woken, [1, 3, 7, 15, 31]);
    let daemon = syslogd(&dir.dev_log());
    logger.replace_socket(syslog::connect(&dir.dev_log()).unwrap());
    logger.turn(at);
    assert_eq!((heard(&daemon).len(), logger.deadline()), (1, None));
}

#[test]
fn a_log_without_syslog_asks_for_none() {
    let mut silent = Logger::new("Holdfast", setup(Sink::Off, Sink::Off), None, None);
    silent.info("nowhere");
    assert_eq!(silent.turn(clock()), SyslogState::Fine);
}

fn file_logger(path: &Path, detail: u8) -> Logger {
    let file = File::options().append(true).create(true).open(path).unwrap();
    let setup = LogSetup { detail, ..setup(Sink::Off, Sink::On) };
    Logger::new("Holdfast", setup, None, Some(OwnedFd::from(file)))
}

#[test]
fn a_file_gets_dated_lines() {
    let dir = Dir::new("file");
    let path = dir.0.join("file");
    file_logger(&path, 0).info("one");
    let mut logger = file_logger(&path, 1);
    logger.detail("two");
    logger.log(&Line::new(Level::Debug, "three"));
    let text = fs::read_to_string(&path).unwrap();
    let texts: Vec<&str> = text.lines().map(|line| &line[24..]).collect();
    assert_eq!(texts, [": one", ": two"]);
    let stamp = &text.as_bytes()[..24];
    // `Sat Nov 21 10:00:00 2026`
    assert_eq!((stamp[3], stamp[7], stamp[13], stamp[16], stamp[19]), (b' ', b' ', b':', b':', b' '));
}

#[test]
fn a_storm_of_lines_is_cut_and_said() {
    let dir = Dir::new("storm");
    let path = dir.0.join("file");
    let mut logger = file_logger(&path, 0);
    let count = LINES_BURST * 4;
    let start = clock();
    for n in 0..count {
        logger.info(n.to_string());
    }
    let seconds = clock().since(start).as_secs_f64();
    std::thread::sleep(Duration::from_millis(20));
    logger.info("after");
    let text = fs::read_to_string(&path).unwrap();
    let written = text.lines().filter(|line| line[26..].parse::<u32>().is_ok()).count();
    let told: usize = text
        .lines()
        .filter_map(|line| line[26..].split_once(" log lines were suppressed")?.0.parse::<usize>().ok())
        .sum();
    assert_eq!(written + told, count as usize);
    let allowed = f64::from(LINES_BURST) + (seconds + 0.1) * f64::from(ipc::log::LINES_PER_SECOND) + 1.0;
    assert!((written as f64) <= allowed, "{written} lines in {seconds} s");
    assert!(text.ends_with(": after\n"));
}

#[test]
fn a_full_file_system_is_said_elsewhere() {
    let dir = Dir::new("full");
    let daemon = syslogd(&dir.dev_log());
    let socket = syslog::connect(&dir.dev_log()).unwrap();
    let file = File::options().append(true).open("/dev/full").unwrap();
    let mut logger = Logger::new("Holdfast", setup(Sink::On, Sink::On), Some(socket), Some(OwnedFd::from(file)));
    logger.info("one");
    logger.info("two");
    logger.info("three");
    let lines = heard(&daemon);
    let texts: Vec<&str> = lines.iter().map(|line| said(line)).collect();
    assert_eq!(texts, ["one", "1 log lines could not be written to the console or the log file", "two", "three"]);
}

proptest! {
    #[test]
    fn what_is_printed_is_one_bounded_line(text in "(\\PC|[\\x00-\\x20\\x7f-\\x9f\u{2028}\u{202e}]){0,900}") {
        let out = printable(&text);
        prop_assert!(out.len() <= LINE_BYTES);
        prop_assert!(!out.chars().any(char::is_control));
        let reordered = out.contains(['\u{2028}', '\u{202e}']);
        prop_assert!(!reordered);
    }
}

#[test]
fn a_long_line_is_cut_at_a_character() {
    let out = printable(&"ä".repeat(LINE_BYTES));
    assert!(out.ends_with("ä..."));
    assert!(out.len() <= LINE_BYTES);
    assert_eq!(printable("(VI_1) plain"), "(VI_1) plain");
    assert_eq!(printable("a\tb\r\nc\x1b[31m"), "a b  c?[31m");
}
