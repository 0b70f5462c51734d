//! The same story as keepalived 2.2.7 was told in a virtual machine, and the lines it wrote.

use super::world::{Build, Server, WELL, World};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::vrrp::Switch;

fn config() -> Build {
    let mut b = Build::default();
    b.service("[10.9.0.1]:tcp:80", |s| s.sorry = Some("[10.9.9.9]:tcp:80".into()));
    for address in ["127.0.0.2:8001", "127.0.0.3:8001"] {
        b.real(address, |_| {});
        b.tcp(address, |c| c.retry = 2);
    }
    b.service("[10.9.0.2]:tcp:80", |s| (s.quorum, s.hysteresis) = (3, 1));
    for (address, retry) in [("127.0.0.2:8001", 0), ("127.0.0.4:8001", 1)] {
        b.real(address, |r| (r.weight, r.inhibit) = (2, Switch::On));
        b.tcp(address, |c| c.retry = retry);
    }
    b.service("[10.9.0.3]:tcp:80", |s| s.sorry = Some("[10.9.9.9]:tcp:80".into()));
    b.real("127.0.0.2:8001", |r| r.weight = 2);
    b.tcp("127.0.0.2:8001", |c| c.alpha = Switch::On);
    b.service("[10.9.0.4]:tcp:80", |s| s.omega = Switch::On);
    for address in ["127.0.0.2:8001", "127.0.0.3:8001"] {
        b.real(address, |r| r.weight = 2);
        b.tcp(address, |c| c.alpha = Switch::On);
    }
    b.service("FWM 5", |_| {});
    b.real("127.0.0.2:8001", |r| r.label.protocol = None);
    b.tcp("127.0.0.2:8001", |_| {});
    b.service("[10.9.0.5]:tcp:80", |_| {});
    b.real("198.51.100.1:8001", |r| r.inhibit = Switch::On);
    b.tcp("198.51.100.1:8001", |_| {});
    b.tcp("127.0.0.2:8003", |_| {});
    b
}

/// Seconds since the start, and the line. 127.0.0.2 serves from the start, .3 and .4 from second 11.7, .2 and .3 are killed at
/// second 20.9. One row differs: keepalived 2.2.7 tried .3 for 10.9.0.1 at 14 because it goes through its retries while a
/// server is down as well; 2.4.3 does not, so it is 13 here.
const KEEPALIVED: &str = "\
0 Gained quorum 1+0=1 <= 2 for VS [10.9.0.1]:tcp:80
0 Gained quorum 3+1=4 <= 4 for VS [10.9.0.2]:tcp:80
0 Starting with quorum down 1-0=1 > 0 for VS [10.9.0.3]:tcp:80
0 Adding sorry server [10.9.9.9]:tcp:80 to VS [10.9.0.3]:tcp:80
0 Removing alive servers from the pool for VS [10.9.0.3]:tcp:80
0 Gained quorum 1+0=1 <= 1 for VS FWM 5
0 Gained quorum 1+0=1 <= 1 for VS [10.9.0.5]:tcp:80
0 Activating healthchecker for service [127.0.0.2]:tcp:8001 for VS [10.9.0.1]:tcp:80
0 Activating healthchecker for service [127.0.0.3]:tcp:8001 for VS [10.9.0.1]:tcp:80
0 Activating healthchecker for service [127.0.0.2]:tcp:8001 for VS [10.9.0.2]:tcp:80
0 Activating healthchecker for service [127.0.0.4]:tcp:8001 for VS [10.9.0.2]:tcp:80
0 Activating healthchecker for service [127.0.0.2]:tcp:8001 for VS [10.9.0.3]:tcp:80
0 Activating healthchecker for service [127.0.0.2]:tcp:8001 for VS [10.9.0.4]:tcp:80
0 Activating healthchecker for service [127.0.0.3]:tcp:8001 for VS [10.9.0.4]:tcp:80
0 Activating healthchecker for service [127.0.0.2]:none:8001 for VS FWM 5
0 Activating healthchecker for service [198.51.100.1]:tcp:8001 for VS [10.9.0.5]:tcp:80
0 Activating healthchecker for service [198.51.100.1]:tcp:8001 for VS [10.9.0.5]:tcp:80
1 TCP connection to [127.0.0.2]:tcp:8001 success.
1 TCP_CHECK on service [198.51.100.1]:tcp:8001 failed.
1 Disabling service [198.51.100.1]:tcp:8001 of VS [10.9.0.5]:tcp:80
1 Lost quorum 1-0=1 > 0 for VS [10.9.0.5]:tcp:80
1 TCP_CHECK on service [127.0.0.3]:tcp:8001 failed.
1 Removing service [127.0.0.3]:tcp:8001 from VS [10.9.0.1]:tcp:80
1 TCP connection to [127.0.0.2]:tcp:8001 success.
1 TCP_CHECK on service [127.0.0.4]:tcp:8001 failed.
1 Disabling service [127.0.0.4]:tcp:8001 of VS [10.9.0.2]:tcp:80
1 TCP connection to [127.0.0.2]:tcp:8001 success.
1 Adding service [127.0.0.2]:tcp:8001 to VS [10.9.0.3]:tcp:80
1 Gained quorum 1+0=1 <= 2 for VS [10.9.0.3]:tcp:80
1 Removing sorry server [10.9.9.9]:tcp:80 from VS [10.9.0.3]:tcp:80
1 Adding alive servers to the pool for VS [10.9.0.3]:tcp:80
1 TCP connection to [127.0.0.2]:tcp:8001 success.
1 Adding service [127.0.0.2]:tcp:8001 to VS [10.9.0.4]:tcp:80
1 Gained quorum 1+0=1 <= 2 for VS [10.9.0.4]:tcp:80
1 TCP_CHECK on service [127.0.0.3]:tcp:8001 failed.
1 TCP connection to [127.0.0.2]:none:8001 success.
1 TCP_CHECK on service [198.51.100.1]:tcp:8001 failed.
13 TCP connection to [127.0.0.4]:tcp:8001 success.
13 Enabling service [127.0.0.4]:tcp:8001 of VS [10.9.0.2]:tcp:80
13 TCP connection to [127.0.0.3]:tcp:8001 success.
13 Adding service [127.0.0.3]:tcp:8001 to VS [10.9.0.4]:tcp:80
13 TCP connection to [127.0.0.3]:tcp:8001 success.
13 Adding service [127.0.0.3]:tcp:8001 to VS [10.9.0.1]:tcp:80
22 TCP_CHECK on service [127.0.0.2]:tcp:8001 failed.
22 Disabling service [127.0.0.2]:tcp:8001 of VS [10.9.0.2]:tcp:80
23 TCP_CHECK on service [127.0.0.2]:tcp:8001 failed after 1 retries.
23 Removing service [127.0.0.2]:tcp:8001 from VS [10.9.0.3]:tcp:80
23 Lost quorum 1-0=1 > 0 for VS [10.9.0.3]:tcp:80
23 Adding sorry server [10.9.9.9]:tcp:80 to VS [10.9.0.3]:tcp:80
23 Removing alive servers from the pool for VS [10.9.0.3]:tcp:80
23 TCP_CHECK on service [127.0.0.3]:tcp:8001 failed after 1 retries.
23 Removing service [127.0.0.3]:tcp:8001 from VS [10.9.0.4]:tcp:80
23 TCP_CHECK on service [127.0.0.2]:tcp:8001 failed after 1 retries.
23 Removing service [127.0.0.2]:tcp:8001 from VS [10.9.0.4]:tcp:80
23 Lost quorum 1-0=1 > 0 for VS [10.9.0.4]:tcp:80
23 TCP_CHECK on service [127.0.0.2]:none:8001 failed after 1 retries.
23 Removing service [127.0.0.2]:none:8001 from VS FWM 5
23 Lost quorum 1-0=1 > 0 for VS FWM 5
24 TCP_CHECK on service [127.0.0.2]:tcp:8001 failed after 2 retries.
24 Removing service [127.0.0.2]:tcp:8001 from VS [10.9.0.1]:tcp:80
24 TCP_CHECK on service [127.0.0.3]:tcp:8001 failed after 2 retries.
24 Removing service [127.0.0.3]:tcp:8001 from VS [10.9.0.1]:tcp:80
24 Lost quorum 1-0=1 > 0 for VS [10.9.0.1]:tcp:80
24 Adding sorry server [10.9.9.9]:tcp:80 to VS [10.9.0.1]:tcp:80
24 Removing alive servers from the pool for VS [10.9.0.1]:tcp:80
";

#[test]
fn the_same_lines_at_the_same_seconds() {
    let b = config();
    let mut w = World::new();
    let start = w.now;
    w.serve("127.0.0.2:8001", WELL);
    w.start(b.config);
    w.pass_secs(11.7);
    w.serve("127.0.0.3:8001", WELL);
    w.serve("127.0.0.4:8001", WELL);
    w.pass_secs(9.2);
    w.serve("127.0.0.2:8001", Server::Refuses);
    w.serve("127.0.0.3:8001", Server::Refuses);
    w.pass_secs(12.0);
    let mut ours: Vec<String> =
        w.lines.iter().map(|(at, text)| format!("{} {text}", at.since(start).as_secs())).collect();
    let mut theirs: Vec<String> = KEEPALIVED.lines().map(ToString::to_string).collect();
    // Among those of one second the order is that in which the connections end.
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
}

/// The scripts that keepalived 2.2.7 ran in that story, seconds since the start. Quorum scripts are 100 + n up and 200 + n
/// down, those of real servers 300 + n and 400 + n.
#[test]
fn the_same_scripts() {
    let b = config();
    let mut w = World::new();
    let start = w.now;
    w.serve("127.0.0.2:8001", WELL);
    w.start(b.config);
    w.pass_secs(11.7);
    let mut ours: Vec<(u64, u16)> = w.runs.iter().map(|(at, run)| (at.since(start).as_secs(), run.script.0)).collect();
    ours.sort_unstable();
    // In the capture only 10.9.0.1 to 10.9.0.4 had quorum scripts, and only 10.9.0.1 and 10.9.0.4 those of real servers.
    ours.retain(|(_, script)| matches!(script, 100..=103 | 200..=203 | 300 | 301 | 305 | 306 | 400 | 401 | 405 | 406));
    let theirs = [(0, 100), (0, 101), (0, 202), (1, 102), (1, 103), (1, 305), (1, 401), (1, 406)];
    assert_eq!(ours, theirs);
}

/// keepalived 2.2.7: a server that was killed comes back; HTTP_GET with log_all_failures, delay_loop 3, retry 2,
/// delay_before_retry 1.
#[test]
fn http_lines() {
    let mut b = Build::default();
    b.service("[10.9.0.2]:tcp:80", |_| {});
    b.real("127.0.0.2:8001", |_| {});
    b.http("127.0.0.2:8001", &["/sw"], |c| {
        c.retry = 2;
        c.log_all_failures = Switch::On;
    });
    let mut w = World::new();
    let start = w.now;
    w.serve("127.0.0.2:8001", WELL);
    w.start(b.config);
    w.pass_secs(5.0);
    w.serve("127.0.0.2:8001", Server::Answers("HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nhello\n"));
    w.pass_secs(9.5);
    w.serve("127.0.0.2:8001", WELL);
    w.pass_secs(10.5);
    w.serve("127.0.0.2:8001", Server::Hangs);
    w.pass_secs(12.0);
    w.serve("127.0.0.2:8001", Server::Answers("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello\n"));
    w.pass_secs(12.0);
    let ours: Vec<String> = w.lines.iter().map(|(at, text)| format!("{} {text}", at.since(start).as_secs())).collect();
    let expected = [
        "0 Gained quorum 1+0=1 <= 1 for VS [10.9.0.2]:tcp:80",
        "0 Activating healthchecker for service [127.0.0.2]:tcp:8001 for VS [10.9.0.2]:tcp:80",
        "1 Remote Web server [127.0.0.2]:tcp:8001 succeed on service.",
        "7 HTTP status code error to server [127.0.0.2]:tcp:8001.",
        "8 HTTP status code error to server [127.0.0.2]:tcp:8001.",
        "9 HTTP status code error to server [127.0.0.2]:tcp:8001.",
        "9 HTTP_CHECK on service [127.0.0.2]:tcp:8001 failed after 2 retries.",
        "9 Removing service [127.0.0.2]:tcp:8001 from VS [10.9.0.2]:tcp:80",
        "9 Lost quorum 1-0=1 > 0 for VS [10.9.0.2]:tcp:80",
        "15 HTTP status code success to [127.0.0.2]:tcp:8001 url(/sw)",
        "18 HTTP status code success to [127.0.0.2]:tcp:8001 url(/sw)",
        "18 Remote Web server [127.0.0.2]:tcp:8001 succeed on service.",
        "18 Adding service [127.0.0.2]:tcp:8001 to VS [10.9.0.2]:tcp:80",
        "18 Gained quorum 1+0=1 <= 1 for VS [10.9.0.2]:tcp:80",
        "29 Timeout WEB read server [127.0.0.2]:tcp:8001.",
        "32 Timeout WEB read server [127.0.0.2]:tcp:8001.",
        "35 Timeout WEB read server [127.0.0.2]:tcp:8001.",
        "35 HTTP_CHECK on service [127.0.0.2]:tcp:8001 failed after 2 retries.",
        "35 Removing service [127.0.0.2]:tcp:8001 from VS [10.9.0.2]:tcp:80",
        "35 Lost quorum 1-0=1 > 0 for VS [10.9.0.2]:tcp:80",
        "38 http_check for RS [127.0.0.2]:tcp:8001 VS [10.9.0.2]:tcp:80 url /sw: content_length (100) does not match \
         received bytes (6)",
        "38 HTTP status code success to [127.0.0.2]:tcp:8001 url(/sw)",
        "41 HTTP status code success to [127.0.0.2]:tcp:8001 url(/sw)",
        "41 Remote Web server [127.0.0.2]:tcp:8001 succeed on service.",
        "41 Adding service [127.0.0.2]:tcp:8001 to VS [10.9.0.2]:tcp:80",
        "41 Gained quorum 1+0=1 <= 1 for VS [10.9.0.2]:tcp:80",
    ];
    assert_eq!(ours, expected);
    assert!(w.requests.iter().all(|(_, r)| r.starts_with("GET /sw HTTP/1.0\r\n")));
    w.pass(Duration::from_secs(9));
    assert!(!w.lines.iter().skip(expected.len()).any(|(_, l)| l.contains("content_length")), "said again and again");
}
