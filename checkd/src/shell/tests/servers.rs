//! Real servers of other kinds: aiosmtpd, dnsmasq, socat, and the kernel, which answers echoes.

use super::bench::{Bench, asking, config, in_namespace};
use core::net::SocketAddr;
use core::time::Duration;
use ipc::config::check::{Checker, CheckerKind};
use ipc::config::probe::{DnsType, Reply, Udp};
use ipc::config::vrrp::Switch;
use std::process::{Child, Command, Stdio};

/// A server that ends with the value.
pub struct Running(Child);

impl Running {
    /// Starts a program; `package` is what has it.
    pub fn start(program: &str, arguments: &[&str], package: &str) -> Running {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Running(command.spawn().unwrap_or_else(|e| panic!("{program}: {e}; apt-get install {package}")))
    }

    /// Ends it.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for a server that listens on TCP.
pub fn wait_for(address: &str) {
    for _ in 0..400 {
        if std::net::TcpStream::connect(address).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("nothing listens at {address}");
}

fn checker(target: &str, kind: CheckerKind) -> Checker {
    asking(target.parse().unwrap(), kind)
}

fn within(mut checker: Checker, seconds: u64) -> Checker {
    checker.timeout = Duration::from_secs(seconds);
    checker
}

fn beginning_down(mut checker: Checker) -> Checker {
    checker.alpha = Switch::On;
    checker
}

const PATIENCE: Duration = Duration::from_secs(20);

fn wait_until(bench: &mut Bench, lines: &[&str]) {
    let done = bench.run_until(PATIENCE, |bench| lines.iter().all(|line| bench.said(line)));
    assert!(done, "not all of {lines:#?} in {:#?}", bench.lines);
}

#[test]
fn a_mail_server() {
    in_namespace(|| {
        let start = || {
            let arguments = ["-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Sink", "-l", "127.0.0.2:25"];
            let server = Running::start("/usr/bin/python3", &arguments, "python3-aiosmtpd");
            wait_for("127.0.0.2:25");
            server
        };
        let mut server = start();
        let smtp = || CheckerKind::Smtp { helo: "me.test".into() };
        let checkers = vec![checker("127.0.0.2:25", smtp()), checker("127.0.0.3:25", smtp())];
        let checkers = checkers.into_iter().map(|c| within(c, 3)).collect();
        let mut bench = Bench::new(config(checkers), 10);
        let refused = "SMTP_CHECK Could not connect to server [127.0.0.3]:25";
        wait_until(&mut bench, &["Remote SMTP server [10.0.0.0]:tcp:0 succeed on service.", refused]);
        assert!(bench.serves(0) && !bench.serves(1));
        server.kill();
        wait_until(&mut bench, &["SMTP_CHECK Could not connect to server [127.0.0.2]:25"]);
        bench.lines.clear();
        let _server = start();
        wait_until(&mut bench, &["Remote SMTP server [10.0.0.0]:tcp:0 succeed on service."]);
        assert!(bench.serves(0));
    });
}

#[test]
fn a_name_server() {
    in_namespace(|| {
        let arguments = [
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--listen-address=127.0.0.2",
            "--bind-interfaces",
            "--address=/known.test/192.0.2.7",
            "--pid-file=",
            "--user=root",
        ];
        let _server = Running::start("/usr/sbin/dnsmasq", &arguments, "dnsmasq-base");
        wait_for("127.0.0.2:53");
        let dns = |address: &str, name: &str| {
            let kind = CheckerKind::Dns { query: DnsType::A, name: name.into() };
            checker(address, kind)
        };
        let checkers = vec![
            beginning_down(dns("127.0.0.2:53", "known.test")),
            dns("127.0.0.2:53", "unknown.test."),
            dns("127.0.0.3:53", "known.test"),
            dns("192.0.2.1:53", "known.test"),
        ];
        let mut bench = Bench::new(config(checkers), 10);
        wait_until(
            &mut bench,
            &[
                "Adding service [10.0.0.0]:tcp:0 to VS VS 0",
                // dnsmasq refuses what it has nobody to ask for.
                "DNS_CHECK ([10.0.0.1]:tcp:0) read error occurred. (rcode = 5)",
                "DNS_CHECK ([10.0.0.2]:tcp:0) failed to read socket; refused or unreachable",
                "DNS_CHECK ([10.0.0.3]:tcp:0) failed to read socket; refused or unreachable",
            ],
        );
        let serving: Vec<bool> = (0..4).map(|n| bench.serves(n)).collect();
        assert_eq!(serving, [true, false, false, false]);
    });
}

#[test]
fn datagrams() {
    in_namespace(|| {
        let echo = ["-T", "600", "UDP4-RECVFROM:99,bind=127.0.0.2,fork", "EXEC:/bin/cat"];
        let _echo = Running::start("socat", &echo, "socat");
        let mute = ["-u", "UDP4-RECV:99,bind=127.0.0.3", "OPEN:/dev/null"];
        let _mute = Running::start("socat", &mute, "socat");
        // What this machine does not let out has not reached anybody.
        let rules = "add table ip t; add chain ip t out { type filter hook output priority 0; }; add rule ip t out ip daddr 127.0.0.5 drop";
        assert!(Command::new("nft").arg(rules).status().unwrap().success());
        std::thread::sleep(Duration::from_millis(500));
        let udp = |address: &str, payload: &[u8], reply: Reply| {
            let kind =
                CheckerKind::Udp(Box::new(Udp { payload: payload.to_vec(), reply, min_length: 0, max_length: 255 }));
            within(checker(address, kind), 1)
        };
        let like = |bytes: &[u8]| Reply::Like { bytes: bytes.to_vec(), mask: vec![0xff, 0, 0xff] };
        let checkers = vec![
            udp("127.0.0.2:99", &[1, 2, 3], like(&[1, 0, 3])),
            udp("127.0.0.2:99", &[1, 2, 3], like(&[1, 0, 4])),
            udp("127.0.0.2:99", &[], Reply::Any),
            udp("127.0.0.3:99", &[], Reply::NotNeeded),
            udp("127.0.0.3:99", &[], Reply::Any),
            udp("127.0.0.4:99", &[], Reply::NotNeeded),
            udp("127.0.0.5:99", &[], Reply::NotNeeded),
        ];
        let mut bench = Bench::new(config(checkers), 10);
        wait_until(
            &mut bench,
            &[
                "UDP connection to [10.0.0.0]:tcp:0 success.",
                "UDP check to [10.0.0.1]:tcp:0 reply data mismatch.",
                "UDP_CHECK on service [10.0.0.1]:tcp:0 failed.",
                "UDP connection to [10.0.0.2]:tcp:0 success.",
                "UDP connection to [10.0.0.3]:tcp:0 success.",
                "UDP connection to [10.0.0.4]:tcp:0 failed.",
                "UDP connection to [10.0.0.5]:tcp:0 failed.",
                "UDP connection to [10.0.0.6]:tcp:0 failed.",
            ],
        );
        let serving: Vec<bool> = (0..7).map(|n| bench.serves(n)).collect();
        assert_eq!(serving, [true, false, true, true, false, false, false]);
    });
}

#[test]
fn echoes() {
    in_namespace(|| {
        let ping = |address: &str| asking(SocketAddr::new(address.parse().unwrap(), 0), CheckerKind::Ping);
        let checkers = || vec![ping("127.0.0.2"), ping("::1"), ping("10.9.0.2"), ping("192.0.2.1")];
        // Nobody may ping in a new namespace: that says nothing of the servers.
        let mut bench = Bench::new(config(checkers()), 10);
        let wants = "its group is not within net.ipv4.ping_group_range";
        assert!(bench.run_until(PATIENCE, |bench| bench.lines.iter().any(|(_, line)| line.contains(wants))));
        assert!((0..4).all(|n| bench.serves(n)));

        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0").unwrap();
        for arguments in
            ["link add d0 type veth peer name d1", "addr add 10.9.0.1/24 dev d0", "link set d0 up", "link set d1 up"]
        {
            assert!(Command::new("ip").args(arguments.split(' ')).status().unwrap().success());
        }
        let mut checkers = checkers();
        checkers[0].bind_if = Some("lo".into());
        checkers[0].bind = Some("127.0.0.9:7".parse().unwrap());
        let mut bench = Bench::new(config(checkers), 10);
        wait_until(
            &mut bench,
            &[
                "ICMP connection to [10.0.0.0]:tcp:0 success.",
                "ICMP connection to [10.0.0.1]:tcp:0 success.",
                "ICMP connection to address [10.0.0.2]:tcp:0 timeout.",
                "ICMP CHECK on service [10.0.0.2]:tcp:0 failed.",
                "ICMP connection to address [10.0.0.3]:tcp:0 failed.",
            ],
        );
        let serving: Vec<bool> = (0..4).map(|n| bench.serves(n)).collect();
        assert_eq!(serving, [true, true, false, false]);
    });
}
