//! The prober with an event loop, and a namespace to run in.

use crate::shell::prober::Prober;
use checkd::engine::Event;
use core::net::SocketAddr;
use core::time::Duration;
use ipc::config::check::{CheckConfig, Checker, CheckerKind, Endpoint, How, Http, HttpProtocol, Real, Service, Url};
use ipc::config::ipvs::Protocol;
use ipc::config::vrrp::Switch;
use ipc::config::{Generation, Origin, RealIdx, ServiceIdx};
use ipc::evloop::{EventLoop, clock};
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck, Standing};
use ipc::time::Mono;
use nix::sched::{CloneFlags, unshare};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

/// Runs `work` on a thread in a network namespace with nothing but `lo`, which is up.
pub fn in_namespace(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET)
            .expect("network namespaces need root; tests/run is the command that runs all tests");
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap();
        assert!(up.success());
        work();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A service with one real server for each checker, labels `VS n` and `[10.0.0.n]:tcp:0`.
pub fn config(checkers: Vec<Checker>) -> CheckConfig {
    let mut config = CheckConfig { log_all_failures: Switch::On, ..CheckConfig::default() };
    for (n, mut checker) in checkers.into_iter().enumerate() {
        let service = Service {
            label: format!("VS {n}"),
            quorum: 1,
            hysteresis: 0,
            sorry: None,
            omega: Switch::Off,
            ha_suspend: Switch::Off,
            smtp_alert: Switch::Off,
            snmp_name: None,
            quorum_up: None,
            quorum_down: None,
            origin: Origin::default(),
        };
        let service = config.services.push(service).unwrap();
        let real = Real {
            service,
            label: Endpoint { addr: [10, 0, 0, n as u8].into(), protocol: Some(Protocol::Tcp), port: 0 },
            weight: 1,
            inhibit: Switch::Off,
            alpha: Switch::Off,
            smtp_alert: Switch::Off,
            snmp_name: None,
            notify_up: None,
            notify_down: None,
            origin: Origin::default(),
        };
        checker.real = config.reals.push(real).unwrap();
        config.checkers.push(checker).unwrap();
    }
    config
}

/// TCP_CHECK every 200 ms, connect_timeout 300 ms, no retry.
pub fn tcp(target: SocketAddr) -> Checker {
    let how = How {
        bind: None,
        bind_if: None,
        fwmark: 0,
        marked: None,
        timeout: Duration::from_millis(300),
        delay_loop: Duration::from_millis(200),
        retry: 0,
        delay_before_retry: Duration::from_millis(100),
        warmup: Duration::ZERO,
        log_all_failures: Switch::Off,
        alpha: Switch::Off,
        kind: CheckerKind::Tcp,
    };
    let origin = Origin { file: "test.conf".into(), line: 7 };
    Checker { real: RealIdx(0), target, how: Arc::new(how), origin }
}

/// Another kind, the same times.
pub fn asking(target: SocketAddr, kind: CheckerKind) -> Checker {
    let mut checker = tcp(target);
    checker.kind = kind;
    checker
}

/// HTTP_GET of `/`, the same times.
pub fn http(target: SocketAddr, digest: Option<[u8; 16]>) -> Checker {
    let url = Url { path: "/".into(), host: None, digest, status: vec![(200, 299)], regex: None };
    let http = Http { protocol: HttpProtocol::V10, urls: vec![url], fast_recovery: Switch::Off };
    asking(target, CheckerKind::Http(Box::new(http)))
}

pub struct Bench {
    prober: Prober,
    events: EventLoop,
    pub lines: Vec<(Mono, String)>,
    pub standing: BTreeMap<u32, Standing>,
}

impl Bench {
    /// Begins to check; the first probes come a second later.
    pub fn new(config: CheckConfig, connections: usize) -> Bench {
        let mut bench = Bench {
            prober: Prober::new(connections, 2),
            events: EventLoop::new().unwrap(),
            lines: Vec::new(),
            standing: BTreeMap::new(),
        };
        let generation = Generation(1);
        bench.step(Event::IpvsAttached);
        bench.step(Event::Configure { generation, config: Box::new(config), seed: 1 });
        bench.step(Event::Activate);
        bench.step(Event::Ipvs { generation, message: IpvsToCheck::Synced });
        bench
    }

    fn step(&mut self, event: Event) {
        self.prober.step(clock(), event, &mut self.events);
        self.collect();
    }

    fn collect(&mut self) {
        let now = clock();
        let outbox = core::mem::take(&mut self.prober.outbox);
        self.lines.extend(outbox.lines.into_iter().map(|line| (now, line.text)));
        for word in outbox.ipvs {
            match word {
                CheckToIpvs::SetReal { real, want } => drop(self.standing.insert(real.0, want)),
                CheckToIpvs::SetReals { first, last, want } => {
                    self.standing.extend((first.0..=last.0).map(|real| (real, want)));
                }
                _ => {}
            }
        }
    }

    /// Turns until `done`, for `limit` at most; false when it is not done by then.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Bench) -> bool) -> bool {
        let end = clock() + limit;
        let mut ready = Vec::new();
        while !done(self) {
            let wake = self.prober.deadline().map_or(end, |d| d.min(end));
            let now = self.events.wait(Some(wake), &mut ready).unwrap();
            for ready in ready.drain(..) {
                self.prober.ready(now, ready, &mut self.events);
            }
            if self.prober.deadline().is_some_and(|d| d <= now) {
                self.prober.step(now, Event::Timeout, &mut self.events);
            }
            self.collect();
            if now >= end {
                return done(self);
            }
        }
        true
    }

    /// Turns for `time`.
    pub fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Whether a line of this text was logged.
    pub fn said(&self, text: &str) -> bool {
        self.lines.iter().any(|(_, line)| line == text)
    }

    pub fn serves(&self, n: u32) -> bool {
        self.standing.get(&n) == Some(&Standing::Serving)
    }
}

/// The services of a configuration that do not serve.
pub fn down(bench: &Bench, config: &CheckConfig) -> Vec<ServiceIdx> {
    config.services.iter().map(|(idx, _)| idx).filter(|idx| !bench.serves(idx.0)).collect()
}
