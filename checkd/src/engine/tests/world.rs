//! A world for the engine in virtual time: servers that answer as they are told, an ipvsd that remembers.

use crate::alert::Letter;
use crate::engine::{Action, Engine, Event, ProbeEvent, ProbeId};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use ipc::config::check::{CheckConfig, Checker, CheckerKind, Endpoint, How, Http, HttpProtocol, Real, Service, Url};
use ipc::config::file::{FileWeight, TrackFile};
use ipc::config::ipvs::Protocol;
use ipc::config::probe::Misc;
use ipc::config::vrrp::Switch;
use ipc::config::{Generation, Origin, RealIdx, ScriptIdx, ServiceIdx};
use ipc::machine::Machine;
use ipc::msg::control::{Cause, News, Run, Up};
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck, Standing, alike};
use ipc::time::Mono;

/// How a server treats a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// Takes it; answers a request with this and closes.
    Answers(&'static str),
    Refuses,
    /// Does not answer at all.
    Silent,
    /// Takes it and says nothing.
    Hangs,
    /// The shell could not try.
    NotTried,
}

pub const WELL: Server = Server::Answers("HTTP/1.1 200 OK\r\n\r\nhello\n");

/// Everything around the engine.
pub struct World {
    pub engine: Engine,
    pub now: Mono,
    pub servers: BTreeMap<SocketAddr, Server>,
    pub lines: Vec<(Mono, String)>,
    pub runs: Vec<(Mono, Run)>,
    /// Commands of a configuration that was left.
    pub last_runs: Vec<(Generation, u16, Cause)>,
    /// What was told of which generation.
    pub news: Vec<(u32, News)>,
    pub ups: Vec<Up>,
    pub letters: Vec<Letter>,
    pub connects: Vec<(Mono, SocketAddr)>,
    pub requests: Vec<(Mono, String)>,
    pub open: BTreeMap<ProbeId, SocketAddr>,
    pub most_open: usize,
    /// What ipvsd was told, by index of the generation that counts; `None`: it is not there.
    pub ipvs: Option<Ipvs>,
    pub generation: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ipvs {
    pub reals: BTreeMap<RealIdx, Standing>,
    pub sorry: BTreeMap<ServiceIdx, Standing>,
    pub weights: BTreeMap<RealIdx, u32>,
    pub synced: u32,
    /// Every word, in order.
    pub heard: Vec<CheckToIpvs>,
}

impl World {
    pub fn new() -> World {
        World::with(Engine::new(64), Ipvs::default())
    }

    pub fn with(engine: Engine, ipvs: Ipvs) -> World {
        World {
            engine,
            now: Mono(1_000_000_000_000),
            servers: BTreeMap::new(),
            lines: Vec::new(),
            runs: Vec::new(),
            last_runs: Vec::new(),
            news: Vec::new(),
            ups: Vec::new(),
            letters: Vec::new(),
            connects: Vec::new(),
            requests: Vec::new(),
            open: BTreeMap::new(),
            most_open: 0,
            ipvs: Some(ipvs),
            generation: 0,
        }
    }

    /// Attaches ipvsd and activates a configuration.
    pub fn start(&mut self, config: CheckConfig) {
        self.event(Event::IpvsAttached);
        self.activate(config);
    }

    pub fn activate(&mut self, config: CheckConfig) {
        self.generation += 1;
        let generation = Generation(self.generation);
        self.event(Event::Configure { generation, config: Box::new(config), seed: 7 });
        self.event(Event::Activate);
    }

    pub fn serve(&mut self, address: &str, server: Server) {
        self.servers.insert(address.parse().unwrap(), server);
    }

    /// One event with everything that follows from it at once.
    pub fn event(&mut self, event: Event) {
        let mut todo = VecDeque::from([event]);
        while let Some(event) = todo.pop_front() {
            let mut out = Vec::new();
            self.engine.step(self.now, event, &mut out);
            for action in out {
                self.act(action, &mut todo);
            }
        }
    }

    fn act(&mut self, action: Action, todo: &mut VecDeque<Event>) {
        match action {
            Action::Connect { probe, route } => {
                let target = route.target;
                self.connects.push((self.now, target));
                self.open.insert(probe, target);
                self.most_open = self.most_open.max(self.open.len());
                let what = match self.servers.get(&target).unwrap_or(&Server::Refuses) {
                    Server::Answers(_) | Server::Hangs => ProbeEvent::Connected,
                    Server::Refuses => ProbeEvent::Refused,
                    Server::Silent => return,
                    Server::NotTried => ProbeEvent::NotTried("no port is left".to_string()),
                };
                todo.push_back(Event::Probe { probe, what });
            }
            Action::Send { probe, bytes } => {
                self.requests.push((self.now, String::from_utf8(bytes).unwrap()));
                let target = self.open[&probe];
                if let Some(Server::Answers(answer)) = self.servers.get(&target) {
                    let bytes = answer.as_bytes().to_vec();
                    todo.push_back(Event::Probe { probe, what: ProbeEvent::Bytes(bytes) });
                    todo.push_back(Event::Probe { probe, what: ProbeEvent::Closed });
                }
            }
            Action::Close(probe) => assert!(self.open.remove(&probe).is_some(), "{probe:?} is closed twice"),
            Action::ToIpvs(word) => self.hear(word, todo),
            Action::IpvsViolation(what) => panic!("{what}"),
            Action::ToVrrp(_) => {}
            Action::VrrpViolation(what) => panic!("vrrpd accused: {what}"),
            Action::Run(run) => self.runs.push((self.now, run)),
            Action::Tell(news) => self.news.push((self.generation, news)),
            Action::TellOfLeft { left, news } => self.news.push((left.0, news)),
            Action::RunOfLeft { left, run } => self.last_runs.push((left, run.script.0, run.cause)),
            Action::Up(up) => self.ups.push(up),
            Action::Log(line) => self.lines.push((self.now, line.text)),
            Action::Compose(letter) => self.letters.push(letter),
            Action::Dump(text) => self.lines.push((self.now, text)),
        }
    }

    fn hear(&mut self, word: CheckToIpvs, todo: &mut VecDeque<Event>) {
        let Some(ipvs) = &mut self.ipvs else { return };
        ipvs.heard.push(word);
        match word {
            CheckToIpvs::Resync => {
                let generation = Generation(self.generation);
                let reals = alike(ipvs.reals.iter().map(|(real, standing)| (*real, *standing))).into_iter();
                let reals = reals.map(|(first, last, standing)| IpvsToCheck::HeldReals { first, last, standing });
                let sorry = ipvs.sorry.iter().map(|(idx, s)| IpvsToCheck::HeldSorry { service: *idx, standing: *s });
                let words = reals.chain(sorry).chain([IpvsToCheck::Synced]);
                todo.extend(words.map(|message| Event::Ipvs { generation, message }));
            }
            CheckToIpvs::SetReal { real, want } => drop(ipvs.reals.insert(real, want)),
            CheckToIpvs::SetReals { first, last, want } => {
                ipvs.reals.extend((first.0..=last.0).map(|real| (RealIdx(real), want)));
            }
            CheckToIpvs::SetWeight { real, weight } => drop(ipvs.weights.insert(real, weight)),
            CheckToIpvs::SetSorry { service, want } => drop(ipvs.sorry.insert(service, want)),
            CheckToIpvs::Watch { .. } | CheckToIpvs::Open { .. } => {}
            CheckToIpvs::Synced => ipvs.synced += 1,
        }
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.engine.deadline().filter(|d| *d <= end) {
            self.now = self.now.max(deadline);
            self.event(Event::Timeout);
        }
        self.now = end;
    }

    pub fn pass_secs(&mut self, seconds: f64) {
        self.pass(Duration::from_secs_f64(seconds));
    }

    /// Lines since `from`, without their times.
    pub fn said(&self, from: usize) -> Vec<&str> {
        self.lines.iter().skip(from).map(|(_, text)| text.as_str()).collect()
    }

    /// How a real server stands in ipvsd.
    pub fn real(&self, idx: u32) -> Standing {
        self.ipvs.as_ref().unwrap().reals[&RealIdx(idx)]
    }

    /// How a sorry server stands in ipvsd.
    pub fn sorry(&self, idx: u32) -> Standing {
        self.ipvs.as_ref().unwrap().sorry[&ServiceIdx(idx)]
    }

    /// Which scripts ran for what, in order.
    pub fn scripts(&self) -> Vec<(u16, Cause)> {
        self.runs.iter().map(|(_, run)| (run.script.0, run.cause)).collect()
    }
}

/// A configuration that grows.
#[derive(Clone, Default)]
pub struct Build {
    pub config: CheckConfig,
    names: BTreeSet<String>,
}

impl Build {
    /// A service; scripts 100 + index for quorum_up, 200 + index for quorum_down.
    pub fn service(&mut self, label: &str, edit: impl FnOnce(&mut Service)) -> ServiceIdx {
        let n = self.config.services.len() as u16;
        assert!(self.names.insert(label.to_string()));
        let mut service = Service {
            label: label.to_string(),
            quorum: 1,
            hysteresis: 0,
            sorry: None,
            omega: Switch::Off,
            ha_suspend: Switch::Off,
            smtp_alert: Switch::Off,
            snmp_name: None,
            quorum_up: Some(ScriptIdx(100 + n)),
            quorum_down: Some(ScriptIdx(200 + n)),
            origin: Origin::default(),
        };
        edit(&mut service);
        self.config.services.push(service).unwrap()
    }

    /// A real server of the last service; scripts 300 + index for notify_up, 400 + index for notify_down.
    pub fn real(&mut self, address: &str, edit: impl FnOnce(&mut Real)) -> RealIdx {
        let n = self.config.reals.len() as u16;
        let target: SocketAddr = address.parse().unwrap();
        let mut real = Real {
            service: ServiceIdx(self.config.services.len() as u32 - 1),
            label: Endpoint { addr: target.ip(), protocol: Some(Protocol::Tcp), port: target.port() },
            weight: 1,
            inhibit: Switch::Off,
            alpha: Switch::Off,
            smtp_alert: Switch::Off,
            snmp_name: None,
            notify_up: Some(ScriptIdx(300 + n)),
            notify_down: Some(ScriptIdx(400 + n)),
            origin: Origin::default(),
        };
        edit(&mut real);
        self.config.reals.push(real).unwrap()
    }

    /// A TCP_CHECK of the last real server: delay_loop 3, connect_timeout 2, retry 1, delay_before_retry 1, no warmup.
    pub fn tcp(&mut self, address: &str, edit: impl FnOnce(&mut Checker)) {
        let mut checker = Checker {
            real: RealIdx(self.config.reals.len() as u32 - 1),
            target: address.parse().unwrap(),
            how: Arc::new(How {
                bind: None,
                bind_if: None,
                fwmark: 0,
                marked: None,
                timeout: Duration::from_secs(2),
                delay_loop: Duration::from_secs(3),
                retry: 1,
                delay_before_retry: Duration::from_secs(1),
                warmup: Duration::ZERO,
                log_all_failures: Switch::Off,
                alpha: Switch::Off,
                kind: CheckerKind::Tcp,
            }),
            origin: Origin::default(),
        };
        edit(&mut checker);
        self.config.checkers.push(checker).unwrap();
    }

    /// The same with MISC_CHECK, script 500 + index, no retry.
    pub fn misc(&mut self, command: &str, edit: impl FnOnce(&mut Misc)) {
        let script = ScriptIdx(500 + self.config.checkers.len() as u16);
        let mut misc = Misc {
            script,
            command: [command.as_bytes().to_vec()].into(),
            run_as: None,
            timeout: Duration::from_secs(3),
            dynamic: Switch::Off,
        };
        edit(&mut misc);
        self.tcp("127.0.0.1:0", |c| {
            c.retry = 0;
            c.kind = CheckerKind::Misc(Box::new(misc));
        });
    }

    /// The same with HTTP_GET.
    pub fn http(&mut self, address: &str, paths: &[&str], edit: impl FnOnce(&mut Checker)) {
        let url = |path: &&str| Url {
            path: path.to_string(),
            host: None,
            digest: None,
            status: [(200, 299)].into(),
            regex: None,
        };
        let urls = paths.iter().map(url).collect();
        let http = Http { protocol: HttpProtocol::V10, urls, fast_recovery: Switch::Off };
        self.tcp(address, |c| {
            c.kind = CheckerKind::Http(Box::new(http));
            edit(c);
        });
    }

    /// A real server of the last service, of weight 3, that the number in a file judges.
    pub fn file(&mut self, address: &str, name: &str, path: &str, weight: i32) {
        self.real(address, |r| r.weight = 3);
        let weight = FileWeight { value: weight, reverse: Switch::Off };
        let (name, origin) = (name.to_string(), Origin::default());
        let file = TrackFile { name: name.clone(), path: path.to_string(), weight, init: None, origin };
        let file = self.config.files.push(file).unwrap();
        self.tcp(address, |c| c.kind = CheckerKind::File { file, name, weight });
    }

    /// A service with one real server and a TCP_CHECK of it, the usual.
    pub fn simple(&mut self, label: &str, address: &str) -> (ServiceIdx, RealIdx) {
        let service = self.service(label, |_| {});
        let real = self.real(address, |_| {});
        self.tcp(address, |_| {});
        (service, real)
    }
}

/// `[127.0.0.2]:tcp:80` and the like are written often.
pub fn all_up(world: &mut World, config: &CheckConfig) {
    for (_, checker) in config.checkers.iter() {
        world.servers.insert(checker.target, WELL);
    }
}
