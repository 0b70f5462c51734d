//! `checkd run` as the supervisor and ipvsd see it: the program itself, confined, over its channels, in a network namespace of its
//! own. Needs root, as the program does, and `ip`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends at what it did not expect")]

use core::net::SocketAddr;
use ipc::channel::{Channel, pair};
use ipc::chunk::cut;
use ipc::codec::encode_slice;
use ipc::config::check::{CheckConfig, Checker, CheckerKind, Endpoint, How, Http, HttpProtocol, Real, Service, Url};
use ipc::config::global::Mail;
use ipc::config::ipvs::Protocol;
use ipc::config::probe::{DnsType, Reply, Udp};
use ipc::config::vrrp::Switch;
use ipc::config::{CheckerIdx, Generation, Origin, RealIdx, ScriptIdx, ServiceIdx};
use ipc::msg::Role;
use ipc::msg::control::{AtStop, Cause, Down, DumpKind, FromCheck, LogSetup, Run, Sink, StopMode, ToCheck, Up};
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck, Standing, alike};
use nix::sched::{CloneFlags, unshare};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn in_namespace(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("this test needs root; tests/run is the command that runs all tests");
        assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
        work();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A file without a name.
fn file() -> File {
    let path =
        std::env::temp_dir().join(format!("checkd-run-{}-{:?}", std::process::id(), std::thread::current().id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

fn content(mut file: &File) -> String {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

/// The program with the supervisor's and ipvsd's end of its channels.
struct Checkd {
    process: Child,
    supervisor: Channel<ToCheck, FromCheck>,
    ipvsd: Option<Channel<IpvsToCheck, CheckToIpvs>>,
    log: File,
    generation: u32,
    ups: Vec<Up>,
    runs: Vec<Run>,
    /// Commands of a generation that is being left.
    last_runs: Vec<(Generation, Run)>,
    heard: Vec<CheckToIpvs>,
    /// What ipvsd holds.
    reals: BTreeMap<RealIdx, Standing>,
}

impl Checkd {
    fn start() -> Checkd {
        let (ours, theirs) = pair().unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_checkd"))
            .args(["run", "--uid", "61198", "--gid", "61197"])
            .stdin(Stdio::from(theirs))
            .spawn()
            .unwrap();
        let log = file();
        let mut checkd = Checkd {
            process,
            supervisor: Channel::new(ours),
            ipvsd: None,
            log,
            generation: 0,
            ups: Vec::new(),
            runs: Vec::new(),
            last_runs: Vec::new(),
            heard: Vec::new(),
            reals: BTreeMap::new(),
        };
        let log = LogSetup { detail: 0, console: Sink::Off, syslog: Sink::Off, facility: 3, file: Sink::On };
        checkd.tell(Down::Hello { log, stop: KEEP }, vec![checkd.log.try_clone().unwrap().into()]);
        checkd
    }

    fn tell(&mut self, down: Down, fds: Vec<OwnedFd>) {
        let generation = Generation(self.generation);
        self.supervisor.send_with_fds(generation, ToCheck::Control(down), fds).unwrap();
    }

    fn attach(&mut self) {
        let (ours, theirs) = pair().unwrap();
        self.ipvsd = Some(Channel::new(ours));
        self.tell(Down::Attach(Role::Ipvs), vec![theirs]);
    }

    fn activate(&mut self, config: &CheckConfig) {
        self.generation += 1;
        let generation = Generation(self.generation);
        let bytes = encode_slice(config).unwrap();
        let chunks: Vec<_> = cut(&bytes).map(|chunk| ToCheck::Control(Down::Slice(chunk))).collect();
        self.supervisor.send_slice(generation, chunks.into_iter()).unwrap();
        self.wait("Ready", |c| c.ups.last() == Some(&Up::Ready));
        let activated = |c: &Checkd| c.ups.iter().filter(|up| **up == Up::Activated).count();
        let before = activated(self);
        self.tell(Down::Activate, Vec::new());
        // A violation may have been reported right behind it.
        self.wait("Activated", |c| activated(c) > before);
    }

    /// One turn of the supervisor and of ipvsd.
    fn turn(&mut self) {
        // An error is the end of the process, which the tests look at.
        while let Ok(Some(received)) = self.supervisor.receive() {
            for message in received.frame.messages {
                match message {
                    FromCheck::Control(up) => self.ups.push(up),
                    FromCheck::Tell(_) => {}
                    FromCheck::Run(run) if received.frame.generation.0 == self.generation => self.runs.push(run),
                    FromCheck::Run(run) => {
                        assert_ne!(self.ups.last(), Some(&Up::Activated), "too late: it has left that generation");
                        self.last_runs.push((received.frame.generation, run));
                    }
                }
            }
        }
        let Some(ipvsd) = &mut self.ipvsd else { return };
        let mut answer = Vec::new();
        while let Ok(Some(received)) = ipvsd.receive() {
            assert_eq!(received.frame.generation, Generation(self.generation));
            for message in received.frame.messages {
                self.heard.push(message);
                match message {
                    CheckToIpvs::Resync => {
                        let reals = alike(self.reals.iter().map(|(real, standing)| (*real, *standing))).into_iter();
                        let held = |(first, last, standing)| IpvsToCheck::HeldReals { first, last, standing };
                        answer = reals.map(held).collect();
                        answer.push(IpvsToCheck::Synced);
                    }
                    CheckToIpvs::SetReal { real, want } => drop(self.reals.insert(real, want)),
                    CheckToIpvs::SetReals { first, last, want } => {
                        self.reals.extend((first.0..=last.0).map(|real| (RealIdx(real), want)));
                    }
                    CheckToIpvs::SetSorry { .. }
                    | CheckToIpvs::SetWeight { .. }
                    | CheckToIpvs::Watch { .. }
                    | CheckToIpvs::Open { .. }
                    | CheckToIpvs::Synced => {}
                }
            }
        }
        let _ = ipvsd.send(Generation(self.generation), answer);
    }

    fn wait(&mut self, what: &str, done: impl Fn(&Checkd) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            self.turn();
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("it ended, {status}, while waiting for {what}:\n{}", content(&self.log));
            }
            assert!(Instant::now() < end, "no {what}: {:?} {:?}\n{}", self.ups, self.reals, content(&self.log));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn serves(&self, real: u32) -> bool {
        self.reals.get(&RealIdx(real)) == Some(&Standing::Serving)
    }

    fn end(&mut self) -> std::process::ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            self.turn();
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it does not end:\n{}", content(&self.log));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn status(&self, field: &str) -> String {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = text.lines().find_map(|l| l.strip_prefix(field)).unwrap();
        line.trim_start_matches(':').split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Checkd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A web server that can be closed.
struct Web {
    open: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Web {
    fn start(address: &str) -> Web {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let open = Arc::new(AtomicBool::new(true));
        let still = Arc::clone(&open);
        let thread = std::thread::spawn(move || {
            while still.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((mut stream, _)) => {
                        stream.set_nonblocking(false).unwrap();
                        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
                        if stream.read(&mut [0u8; 999]).is_ok_and(|n| n > 0) {
                            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello\n");
                        }
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Web { open, thread: Some(thread) }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.open.store(false, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One service with a real server for each address; notify_up 10 + n, notify_down 20 + n, quorum_up 1. IPv4 by TCP_CHECK from a
/// port of its own, IPv6 by HTTP_GET.
fn config(addresses: &[&str]) -> CheckConfig {
    let mut config = CheckConfig { router_id: "test".into(), ..CheckConfig::default() };
    let service = Service {
        label: "VS".into(),
        quorum: 1,
        hysteresis: 0,
        sorry: None,
        omega: Switch::Off,
        ha_suspend: Switch::Off,
        smtp_alert: Switch::Off,
        snmp_name: None,
        quorum_up: Some(ScriptIdx(1)),
        quorum_down: None,
        origin: Origin::default(),
    };
    config.services.push(service).unwrap();
    for (n, address) in addresses.iter().enumerate() {
        let target: SocketAddr = address.parse().unwrap();
        let real = Real {
            service: ServiceIdx(0),
            label: Endpoint { addr: target.ip(), protocol: Some(Protocol::Tcp), port: target.port() },
            weight: 1,
            inhibit: Switch::Off,
            alpha: Switch::Off,
            smtp_alert: Switch::Off,
            snmp_name: None,
            notify_up: Some(ScriptIdx(10 + n as u16)),
            notify_down: Some(ScriptIdx(20 + n as u16)),
            origin: Origin::default(),
        };
        let real = config.reals.push(real).unwrap();
        let url = Url { path: "/".into(), host: None, digest: None, status: vec![(200, 299)], regex: None };
        let http = Http { protocol: HttpProtocol::V10, urls: vec![url], fast_recovery: Switch::Off };
        let checker = Checker {
            real,
            target,
            how: Arc::new(How {
                bind: target.is_ipv4().then(|| ([127, 0, 0, 77], 7_000 + n as u16).into()),
                bind_if: None,
                fwmark: 0,
                marked: None,
                timeout: Duration::from_secs(2),
                delay_loop: Duration::from_millis(200),
                retry: 0,
                delay_before_retry: Duration::from_millis(100),
                warmup: Duration::ZERO,
                log_all_failures: Switch::Off,
                alpha: Switch::Off,
                kind: if target.is_ipv4() { CheckerKind::Tcp } else { CheckerKind::Http(Box::new(http)) },
            }),
            origin: Origin::default(),
        };
        config.checkers.push(checker).unwrap();
    }
    config
}

const A: &str = "127.0.0.2:80";
const B: &str = "[::1]:80";
const KEEP: StopMode = StopMode { vips: AtStop::Keep, ipvs: AtStop::Keep };

#[test]
fn it_checks_in_its_cage() {
    in_namespace(|| {
        let web_a = Web::start(A);
        let _web_b = Web::start(B);
        let mut checkd = Checkd::start();
        checkd.attach();
        checkd.activate(&config(&[A, B]));
        checkd.wait("both in service", |c| c.serves(0) && c.serves(1));
        let expected = [
            ("Uid", "61198 61198 61198 61198"),
            ("Gid", "61197 61197 61197 61197"),
            ("Groups", ""),
            ("CapInh", "0000000000000000"),
            ("CapPrm", "0000000000000000"),
            ("CapEff", "0000000000000000"),
            ("CapBnd", "0000000000000000"),
            ("CapAmb", "0000000000000000"),
            ("NoNewPrivs", "1"),
            ("Seccomp", "2"),
        ];
        for (field, value) in expected {
            assert_eq!(checkd.status(field), value, "{field}");
        }
        assert_eq!(checkd.runs, [Run { script: ScriptIdx(1), cause: Cause::Quorum(ServiceIdx(0)) }]);

        checkd.runs.clear();
        drop(web_a);
        checkd.wait("the dead one out", |c| !c.serves(0) && c.serves(1));
        checkd.wait("notify_down", |c| c.runs == [Run { script: ScriptIdx(20), cause: Cause::Real(RealIdx(0)) }]);
        checkd.runs.clear();
        let _web_a = Web::start(A);
        checkd.wait("it back", |c| c.serves(0));
        checkd.wait("notify_up", |c| c.runs == [Run { script: ScriptIdx(10), cause: Cause::Real(RealIdx(0)) }]);

        let dump = file();
        checkd.tell(Down::Dump(DumpKind::Data), vec![dump.try_clone().unwrap().into()]);
        checkd.wait("the dump", |_| content(&dump).contains("RS = [127.0.0.2]:tcp:80"));

        checkd.tell(Down::Stop, Vec::new());
        assert_eq!(checkd.end().code(), Some(0));
        assert_eq!(checkd.ups.last(), Some(&Up::Stopped));
        let log = content(&checkd.log);
        for line in [
            "Gained quorum 1+0=1 <= 2 for VS VS",
            "Activating healthchecker for service [127.0.0.2]:tcp:80 for VS VS",
            "TCP connection to [127.0.0.2]:tcp:80 success.",
            "Remote Web server [::1]:tcp:80 succeed on service.",
            "TCP_CHECK on service [127.0.0.2]:tcp:80 failed.",
            "Removing service [127.0.0.2]:tcp:80 from VS VS",
            "Adding service [127.0.0.2]:tcp:80 to VS VS",
        ] {
            assert!(log.contains(line), "no {line:?} in\n{log}");
        }
    });
}

/// Killed and started again: what was in service stays, what was not comes when it passes, nothing is announced.
#[test]
fn it_goes_on_after_a_crash() {
    in_namespace(|| {
        let _web_a = Web::start(A);
        let mut first = Checkd::start();
        first.attach();
        first.activate(&config(&[A, B]));
        first.wait("one out", |c| c.serves(0) && c.reals.get(&RealIdx(1)) == Some(&Standing::Absent));
        first.process.kill().unwrap();
        assert_eq!(first.end().signal(), Some(9));

        let mut second = Checkd::start();
        second.reals = std::mem::take(&mut first.reals);
        second.attach();
        second.activate(&config(&[A, B]));
        second.wait("everything said", |c| c.heard.last() == Some(&CheckToIpvs::Synced));
        assert!(second.serves(0) && !second.serves(1));
        let until = Instant::now() + Duration::from_millis(1_500);
        second.wait("some probes", |_| Instant::now() > until);
        assert!(second.serves(0) && !second.serves(1));
        assert_eq!(second.runs, []);
        let _web_b = Web::start(B);
        second.wait("the other back", |c| c.serves(1));
    });
}

#[test]
fn a_reload_and_a_new_ipvsd() {
    in_namespace(|| {
        let _web_a = Web::start(A);
        let _web_b = Web::start(B);
        let mut checkd = Checkd::start();
        checkd.attach();
        checkd.activate(&config(&[A, "127.0.0.9:80"]));
        checkd.wait("one out", |c| c.serves(0) && c.reals.get(&RealIdx(1)) == Some(&Standing::Absent));
        checkd.runs.clear();
        checkd.reals.clear();
        checkd.heard.clear();
        checkd.activate(&config(&[B, A]));
        checkd.wait("the new order", |c| c.serves(0) && c.serves(1));
        assert_eq!((checkd.runs.len(), checkd.last_runs.len()), (0, 0));
        // ipvsd forgets what its new configuration has not.
        checkd.reals.remove(&RealIdx(1));
        checkd.heard.clear();
        checkd.activate(&config(&[B]));
        checkd.wait("everything said", |c| c.heard.last() == Some(&CheckToIpvs::Synced));
        let run = Run { script: ScriptIdx(21), cause: Cause::Real(RealIdx(1)) };
        assert_eq!(checkd.last_runs, [(Generation(2), run)]);
        checkd.activate(&config(&[B, A]));
        checkd.wait("it in service again", |c| c.serves(1));

        checkd.heard.clear();
        checkd.reals.clear();
        checkd.tell(Down::Detached(Role::Ipvs), Vec::new());
        checkd.attach();
        checkd.wait("everything said again", |c| c.heard.last() == Some(&CheckToIpvs::Synced));
        assert!(checkd.serves(0) && checkd.serves(1));
        assert_eq!(checkd.heard.first(), Some(&CheckToIpvs::Resync));
    });
}

/// An index of nothing, and bytes that are no frame: reported, and the checks go on.
#[test]
fn an_ipvsd_that_lies_is_reported() {
    in_namespace(|| {
        let _web = Web::start(A);
        let mut checkd = Checkd::start();
        checkd.attach();
        checkd.reals.insert(RealIdx(99), Standing::Serving);
        checkd.activate(&config(&[A]));
        checkd.wait("the report", |c| c.ups.contains(&Up::Violation(Role::Ipvs)));

        checkd.ups.clear();
        checkd.reals.clear();
        let (ours, theirs) = pair().unwrap();
        checkd.tell(Down::Attach(Role::Ipvs), vec![theirs]);
        nix::unistd::write(&ours, b"no frame").unwrap();
        checkd.wait("the second report", |c| c.ups.contains(&Up::Violation(Role::Ipvs)));

        checkd.attach();
        checkd.wait("service", |c| c.serves(0));
    });
}

/// A configuration that does not decode is refused; the running one goes on.
#[test]
fn a_broken_slice_is_refused() {
    in_namespace(|| {
        let web = Web::start(A);
        let mut checkd = Checkd::start();
        checkd.attach();
        checkd.activate(&config(&[A]));
        checkd.wait("service", |c| c.serves(0));
        let chunks: Vec<_> = cut(b"nonsense").map(|chunk| ToCheck::Control(Down::Slice(chunk))).collect();
        checkd.supervisor.send_slice(Generation(2), chunks.into_iter()).unwrap();
        checkd.wait("the refusal", |c| c.ups.last() == Some(&Up::Refused));
        drop(web);
        checkd.wait("it out", |c| !c.serves(0));
    });
}

#[test]
fn it_ends_with_its_supervisor() {
    in_namespace(|| {
        let _web = Web::start(A);
        let mut checkd = Checkd::start();
        checkd.attach();
        checkd.activate(&config(&[A]));
        checkd.wait("service", |c| c.serves(0));
        let (unused, _) = pair().unwrap();
        checkd.supervisor = Channel::new(unused);
        assert_eq!(checkd.end().code(), Some(0));
    });
}

/// Every kind of checker makes no call that its cage forbids: the process is there at the end, and each server is judged rightly.
#[test]
fn every_kind_of_checker_in_its_cage() {
    in_namespace(|| {
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "61197 61197").unwrap();
        let directory = std::env::temp_dir().join(format!("checkd-cage-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            command.current_dir(&directory).args(arguments.split(' '));
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().expect("openssl is needed")
        };
        let made = openssl("req -x509 -newkey rsa:2048 -nodes -keyout k -out c -days 30 -subj /CN=x").wait().unwrap();
        assert!(made.success());
        let mut web = openssl("s_server -quiet -www -accept 127.0.0.2:443 -cert c -key k");
        let mut config = config(&["127.0.0.2:443", "127.0.0.2:53", "127.0.0.2:25", "127.0.0.2:0", "127.0.0.2:99"]);
        let page = Url { path: "/".into(), host: None, digest: None, status: vec![(200, 299)], regex: None };
        let page = Http { protocol: HttpProtocol::V10, urls: vec![page], fast_recovery: Switch::Off };
        let udp = Udp { payload: Vec::new(), reply: Reply::NotNeeded, min_length: 0, max_length: 255 };
        let kinds = [
            CheckerKind::Ssl(Box::new(page), Box::default()),
            CheckerKind::Dns { query: DnsType::A, name: "x.test".into() },
            CheckerKind::Smtp { helo: "x.test".into() },
            CheckerKind::Ping,
            CheckerKind::Udp(Box::new(udp)),
        ];
        for (n, kind) in kinds.into_iter().enumerate() {
            let checker = config.checkers.at_mut(CheckerIdx(n as u32)).unwrap();
            (checker.kind, checker.bind) = (kind, None);
            checker.bind_if = Some("lo".into());
            checker.alpha = Switch::On;
        }
        let mail = Mail { to: vec!["a@x.test".into()], server: "127.0.0.2:26".parse().ok(), ..Mail::default() };
        config.mail = Mail { timeout: Duration::from_secs(5), ..mail };
        for (real, _) in config.reals.clone().iter() {
            config.reals.at_mut(real).unwrap().smtp_alert = Switch::On;
        }
        let mut checkd = Checkd::start();
        checkd.attach();
        checkd.activate(&config);
        checkd.wait("those that answer in service", |c| c.serves(0) && c.serves(3));
        checkd.wait("a mail nobody takes", |c| content(&c.log).contains("SMTP alert is lost"));
        assert!(!checkd.serves(1) && !checkd.serves(2) && !checkd.serves(4), "{}", content(&checkd.log));
        checkd.tell(Down::Stop, Vec::new());
        assert_eq!(checkd.end().signal(), None);
        let _ = (web.kill(), web.wait());
        let _ = std::fs::remove_dir_all(&directory);
    });
}
