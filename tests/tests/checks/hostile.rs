//! Servers that want to do harm, with all processes: each is found down in its time, checkd needs little memory for it, and servers that
//! are well are asked on time meanwhile.

use super::host;
use nix::sys::signal::{SIGCONT, SIGSTOP};
use std::time::{Duration, Instant};
use tests::bench::cost::memory_of;
use tests::cleanup::Directory;
use tests::daemon::{Daemon, Program};
use tests::failure::{Context, Outcome, wait_until};
use tests::malice::{self, Malice};
use tests::oracle::{self, Kind, Notes};

const MEGABYTE: u64 = 1 << 20;

/// How soon a verdict comes that the bytes alone decide: what is left is the work, on a busy machine too. No time-out decides it: that
/// of these checks is longer.
const AT_ONCE: u64 = 3;
const LONGER: u64 = 5;
/// `connect_timeout` of every other check here: a step that takes longer fails.
const STEP: u64 = 2;
/// How long a conversation of many steps may take: ten times as long.
const WHOLE: u64 = 10 * STEP;

const PAGE: &str = "HTTP_GET {\n url {\n path /\n status_code 200\n }";
const DIGEST: &str = "HTTP_GET {\n url {\n path /\n digest b1946ac92492d2347c6235b4d2611184\n }";
const SECURED: &str = "SSL_GET {\n url {\n path /\n status_code 200\n }";
const MAIL: &str = "SMTP_CHECK {\n helo_name x";
const NAME: &str = "DNS_CHECK {\n type A\n name x.test";
const BYTES: &str = "UDP_CHECK {\n require_reply 41424344\n payload 00";

/// What it does, how it is asked, and within how many seconds of the question it must be down.
const CASES: &[(&str, &str, Malice, u64)] = &[
    ("headers without end", PAGE, Malice::Flood(b"HTTP/1.1 200 OK\r\n", b"X-Endless: header\r\n", u64::MAX), AT_ONCE),
    ("a status line of 10 MB", PAGE, Malice::Flood(b"HTTP/1.1 2", b"0", 10 * MEGABYTE), AT_ONCE),
    ("a page, a byte a second", PAGE, Malice::Drip(b"HTTP/1.1 200 OK\r\n\r\nx"), WHOLE),
    ("headers, a byte a second", PAGE, Malice::Drip(b"HTTP/1.1 200 OK\r\nX: "), WHOLE),
    ("a reset before the answer", PAGE, Malice::Reset(b""), AT_ONCE),
    ("a reset in the header", PAGE, Malice::Reset(b"HTTP/1.1 200 OK\r\nContent-Le"), AT_ONCE),
    ("a reset in the page", PAGE, Malice::Reset(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nxx"), AT_ONCE),
    ("no answer", PAGE, Malice::Silence, STEP),
    ("an empty answer", PAGE, Malice::Says(b""), AT_ONCE),
    ("no HTTP", PAGE, Malice::Says(b"\x00\xff\x00\xff no http \r\n\r\n"), AT_ONCE),
    (
        "chunked nonsense",
        DIGEST,
        Malice::Says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx\r\n-1\r\n;;\r\n"),
        AT_ONCE,
    ),
    (
        "a length below nothing",
        DIGEST,
        Malice::Says(b"HTTP/1.1 200 OK\r\nContent-Length: -99999999999999999999\r\n\r\nhello\n!"),
        AT_ONCE,
    ),
    (
        "chunks without end",
        DIGEST,
        Malice::Flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n", 1 << 30),
        WHOLE,
    ),
    ("a gigabyte of page", PAGE, Malice::Flood(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 1 << 30), WHOLE),
    ("a gigabyte for a digest", DIGEST, Malice::Flood(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 1 << 30), WHOLE),
    ("TLS: zeros without end", SECURED, Malice::Flood(b"", b"\0", u64::MAX), AT_ONCE),
    ("TLS: an HTTP answer", SECURED, Malice::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), AT_ONCE),
    ("TLS: records without end", SECURED, Malice::Flood(b"", b"\x16\x03\x03\x40\x00", u64::MAX), AT_ONCE),
    ("TLS: an alert", SECURED, Malice::Says(b"\x15\x03\x03\x00\x02\x02\x28"), AT_ONCE),
    ("TLS: a record, a byte a second", SECURED, Malice::Drip(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb\x03\x03"), WHOLE),
    ("TLS: a reset in a record", SECURED, Malice::Reset(b"\x16\x03\x03\x3f\xff\x02"), AT_ONCE),
    ("TLS: silence", SECURED, Malice::Silence, STEP),
    ("SMTP: greetings without end", MAIL, Malice::Flood(b"", b"220-hello\r\n", u64::MAX), AT_ONCE),
    ("SMTP: a line of 10 MB", MAIL, Malice::Flood(b"220 ", b"x", 10 * MEGABYTE), AT_ONCE),
    ("SMTP: a byte a second", MAIL, Malice::Drip(b"220-hello"), WHOLE),
    ("SMTP: zeros", MAIL, Malice::Flood(b"", b"\0", 1 << 30), AT_ONCE),
    ("SMTP: a reset in the greeting", MAIL, Malice::Reset(b"22"), AT_ONCE),
    ("SMTP: the greeting twice", MAIL, Malice::Says(b"220 a\r\n220 b\r\n554 c\r\n"), STEP),
    ("SMTP: silence", MAIL, Malice::Silence, STEP),
    ("DNS: the question itself", NAME, Malice::Echo(0, 0), STEP),
    ("DNS: of another question", NAME, Malice::Echo(2, 0xa5), STEP),
    ("DNS: all bits", NAME, Malice::Echo(2048, 0xff), STEP),
    ("DNS: three bytes", NAME, Malice::Datagram(b"\0\0\x80"), STEP),
    ("DNS: empty datagrams", NAME, Malice::Datagram(b""), STEP),
    ("DNS: 200 datagrams of 65,000 bytes", NAME, Malice::Storm(200), STEP),
    ("UDP: another answer", BYTES, Malice::Datagram(b"ABCx"), AT_ONCE),
    ("UDP: 200 datagrams of 65,000 bytes", BYTES, Malice::Storm(200), AT_ONCE),
];

/// What a busy machine adds.
const BUSY: f64 = 1.5;

/// Healthy ones, asked each second.
const HEALTHY: u16 = 20;

/// How late nine of ten questions to them may be, and how late any: builds for tests are slow, and so is a busy machine.
const MOSTLY: Duration = Duration::from_millis(100);
const LATE: Duration = Duration::from_secs(1);

/// How much more memory checkd may have than before anybody was asked, kB: the buffer into which is read, and for each conversation at
/// most 16 KiB of header and what TLS holds.
const MEMORY: u64 = 8 * 1024;

#[test]
fn hostile_servers_are_down_in_time_and_delay_nobody() -> Outcome {
    let (_lan, host) = host()?;
    let (directory, notes) = (Directory::new()?, Notes::default());
    notes.follow(&directory.file("told"), "told")?;
    let service = |port: u16, real: &str, check: &str, every: u32, timeout: u64| {
        format!(
            "virtual_server 192.168.154.188 {port} {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n delay_loop {every}\n warmup 0\n \
             real_server {real} {port} {{\n {check}\n connect_timeout {timeout}\n retry 0\n }}\n }}\n}}\n"
        )
    };
    let mut config =
        format!("global_defs {{\n router_id x\n lvs_notify_fifo {}\n}}\n", directory.file("told").display());
    for port in 8000..8000 + HEALTHY {
        oracle::start(&host, Kind::Http, port, "p", &port.to_string(), &notes)?;
        config += &service(port, "192.168.154.10", PAGE, 1, STEP);
    }
    for (port, (_, check, malice, within)) in (9000..).zip(CASES) {
        malice::start(&host, *malice, port, &port.to_string(), &notes)?;
        config += &service(port, "127.0.0.1", check, 3, if *within == AT_ONCE { LONGER } else { STEP });
    }
    let mut daemon = Daemon::start(Program::Holdfast, &host, &config)?;
    daemon.wait_log("Activating healthchecker", Duration::from_secs(10))?;
    let checkd = daemon.process("checkd")?;
    let memory = || memory_of(checkd.pid)?.context(|| "checkd has ended".into());
    let before = memory()?;
    let mut most = (0, 0);
    // Once it stands still for a moment, as on a machine that has too much to do, while they flood it.
    wait_until("they were asked", Duration::from_secs(20), || Ok(notes.all().iter().any(|note| note.whose == "9000")))?;
    std::thread::sleep(Duration::from_millis(500));
    checkd.signal(SIGSTOP);
    std::thread::sleep(Duration::from_millis(300));
    checkd.signal(SIGCONT);
    let end = Instant::now() + Duration::from_secs(WHOLE + 5);
    while Instant::now() < end {
        let (pss, rss) = memory()?;
        most = (most.0.max(pss), most.1.max(rss));
        std::thread::sleep(Duration::from_millis(50));
    }
    let seen = notes.all();
    let down = |port: u16| {
        let line = format!("RS [127.0.0.1]:tcp:{port} [192.168.154.188]:tcp:{port} DOWN");
        let told = seen.iter().find(|note| note.whose == "told" && note.what == line)?.at;
        let asked = seen.iter().find(|note| note.whose == port.to_string())?.at;
        Some(told.saturating_duration_since(asked).as_secs_f64())
    };
    let mut wrong = Vec::new();
    for (port, (what, _, _, within)) in (9000..).zip(CASES) {
        let took = down(port);
        println!("{what}: down after {}", took.map_or("never".into(), |took| format!("{took:.2} s")));
        if took.is_none_or(|took| took > *within as f64 + BUSY) {
            wrong.push(*what);
        }
    }
    let mut late: Vec<Duration> = Vec::new();
    for port in 8000..8000 + HEALTHY {
        let asked: Vec<Instant> =
            seen.iter().filter(|note| note.whose == port.to_string()).map(|note| note.at).collect();
        assert!(asked.len() > 10, "{port} was asked {} times", asked.len());
        late.extend(asked.windows(2).map(|pair| (pair[1] - pair[0]).saturating_sub(Duration::from_secs(1))));
    }
    late.sort_unstable();
    let (most_of_them, worst) = (late[late.len() * 9 / 10], late[late.len() - 1]);
    println!(
        "{} questions to healthy servers: nine of ten at most {most_of_them:?} late, worst {worst:?}\ncheckd: PSS {} kB before, {} kB at most; RSS {} kB, {} kB",
        late.len(),
        before.0,
        most.0,
        before.1,
        most.1
    );
    let log = daemon.log();
    assert!(wrong.is_empty(), "not in time: {wrong:?}\n{log}");
    assert!(most_of_them < MOSTLY && worst < LATE, "{most_of_them:?}, {worst:?} late");
    assert!(most.1 < before.1 + MEMORY, "{before:?} kB became {most:?} kB");
    assert!(!(8000..8000 + HEALTHY).any(|port| log.contains(&format!("Removing service [192.168.154.10]:tcp:{port}"))));
    assert_eq!(daemon.process("checkd")?.pid, checkd.pid);
    assert!(daemon.terminate()?.success());
    Ok(())
}
