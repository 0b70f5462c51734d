//! Two to five routers on one LAN, in virtual time: loss, delay, duplication, partition, crash and restart, late wake-ups, cables that are
//! pulled, scripts that fail, reloads and clocks that are set. Every router has a stand-in for ipvsd that puts addresses in place, holds
//! them while vrrpd is away, and lets go when it stays away. Everything follows from the seed.

mod random;
mod watch;

pub use random::Random;

use crate::router::{GROUP, GROUP6, config, facts};
use ipc::config::vrrp::{Instance, VrrpConfig};
use ipc::config::{Generation, InstanceIdx, ScriptIdx};
use ipc::machine::Machine;
use ipc::msg::control::{Cause, Outcome, ProbeEnded, Run};
use ipc::msg::vips::{Applied, IpvsToVrrp, LinkFacts, LinkState, Presence, VrrpToIpvs};
use ipc::time::Mono;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use vrrpd::fsm::instance::State;
use vrrpd::fsm::timers;
use vrrpd::io::{Action, Event};
use vrrpd::router::Router;
use watch::Watch;

/// How long the stand-in for ipvsd takes for anything.
const IPVSD: Duration = Duration::from_micros(300);

/// How long a script runs at most, in microseconds.
const SCRIPT: u64 = 50_000;

/// Most events in one stretch of time.
const EVENTS: u32 = 200_000;

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Packets lost, in a thousand.
    pub loss: u64,
    /// Packets that arrive twice, in a thousand.
    pub twice: u64,
    /// Longest delay in microseconds; at least 1.
    pub delay: u64,
    /// How much later than its deadline a router may be woken, in microseconds: other programs want the processor too.
    pub late: u64,
}

/// A good day.
pub const CALM: Weather = Weather { loss: 0, twice: 0, delay: 500, late: 0 };

/// One machine with vrrpd and the stand-in for ipvsd.
pub struct Node {
    /// Its address.
    pub addr: Ipv4Addr,
    config: VrrpConfig,
    generation: Generation,
    /// Whether its cable is plugged in: that of `eth0`.
    cable: LinkState,
    /// The same of `eth1`, which nothing is sent on.
    spare: LinkState,
    /// Scripts that fail.
    failing: BTreeSet<ScriptIdx>,
    /// Its clock: time since 1970 at the beginning of all time; `None` where nobody has set it.
    day: Option<Duration>,
    /// How much too late it is woken next time.
    late: Duration,
    router: Option<Router>,
    /// Instances whose addresses are in place.
    present: BTreeSet<u16>,
    /// Which life of vrrpd this is: messages to an earlier one are lost.
    life: u32,
    /// On which side of a partition it is.
    side: u32,
    /// When adverts were sent, of instance 0.
    pub sent: Vec<Mono>,
    watch: Watch,
    /// Where a host beside it looks for each address: who announced it last, as far as it could hear.
    pub neighbour: BTreeMap<IpAddr, usize>,
}

/// Something on its way.
#[derive(Clone, Debug)]
enum Coming {
    Event {
        node: usize,
        life: u32,
        event: Event,
    },
    /// vrrpd has been away for too long.
    Release {
        node: usize,
        life: u32,
    },
}

/// The LAN.
pub struct Lan {
    /// The time.
    pub now: Mono,
    /// The machines.
    pub nodes: Vec<Node>,
    /// The network.
    pub weather: Weather,
    /// Chance.
    pub random: Random,
    /// From whom to whom nothing gets through, beside what a partition parts.
    pub cut: BTreeSet<(usize, usize)>,
    coming: BTreeMap<(Mono, u64), Coming>,
    count: u64,
}

impl Lan {
    /// A LAN on which nobody has started yet; machine n has address 10.0.0.n+1 and these instances.
    pub fn new(seed: u64, confs: Vec<Vec<Instance>>) -> Lan {
        Lan::of(seed, confs.into_iter().map(config).collect())
    }

    /// The same with whole configurations.
    pub fn of(seed: u64, configs: Vec<VrrpConfig>) -> Lan {
        let node = |(n, config): (usize, VrrpConfig)| Node {
            addr: Ipv4Addr::new(10, 0, 0, n as u8 + 1),
            config,
            generation: Generation(1),
            cable: LinkState::Up,
            spare: LinkState::Up,
            failing: BTreeSet::new(),
            day: None,
            late: Duration::ZERO,
            router: None,
            present: BTreeSet::new(),
            life: 0,
            side: 0,
            sent: Vec::new(),
            watch: Watch::default(),
            neighbour: BTreeMap::new(),
        };
        Lan {
            now: Mono(1_000_000_000),
            nodes: configs.into_iter().enumerate().map(node).collect(),
            weather: CALM,
            random: Random(seed),
            cut: BTreeSet::new(),
            coming: BTreeMap::new(),
            count: 0,
        }
    }

    /// Starts vrrpd on a machine where it is not running.
    pub fn start(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        if node.router.is_some() {
            return;
        }
        node.life += 1;
        node.router = Some(Router::new());
        let configure = Event::Configure { generation: node.generation, config: Box::new(node.config.clone()) };
        let clock = node.day.map(|day| Event::Clock(day + self.now.since(Mono::ZERO)));
        for event in clock.into_iter().chain([configure, Event::IpvsAttached, Event::Activate]) {
            self.step(n, event);
        }
    }

    /// Another configuration, from now on and, where vrrpd runs, at once.
    pub fn reload(&mut self, n: usize, config: VrrpConfig) {
        let node = &mut self.nodes[n];
        node.config = config;
        node.generation = Generation(node.generation.0 + 1);
        let configure = Event::Configure { generation: node.generation, config: Box::new(node.config.clone()) };
        if node.router.is_some() {
            self.step(n, configure);
            self.step(n, Event::Activate);
        }
    }

    /// Pulls the cable of a machine, or plugs it in.
    pub fn cable(&mut self, n: usize, state: LinkState) {
        let node = &mut self.nodes[n];
        node.cable = state;
        let message = node.cable();
        self.say(n, message);
    }

    /// The same with the cable of `eth1`.
    pub fn spare(&mut self, n: usize, state: LinkState) {
        let node = &mut self.nodes[n];
        node.spare = state;
        let message = node.spare();
        self.say(n, message);
    }

    /// From now on a script of a machine succeeds, or fails.
    pub fn script(&mut self, n: usize, script: ScriptIdx, status: u8) {
        let failing = &mut self.nodes[n].failing;
        if status == 0 {
            failing.remove(&script)
        } else {
            failing.insert(script)
        };
    }

    /// Sets the clock of a machine: time since 1970. Nothing follows from that: what is timed is timed by a clock that nobody sets.
    pub fn clock(&mut self, n: usize, day: Duration) {
        let now = self.now;
        let node = &mut self.nodes[n];
        node.day = Some(day.saturating_sub(now.since(Mono::ZERO)));
        if let Some(router) = &mut node.router {
            let (before, mut out) = (router.deadline(), Vec::new());
            router.step(now, Event::Clock(day), &mut out);
            assert_eq!((out, router.deadline()), (Vec::new(), before), "a clock that was set");
        }
    }

    /// Kills vrrpd; ipvsd stays and waits for `hold`.
    pub fn kill(&mut self, n: usize, hold: Duration) {
        let node = &mut self.nodes[n];
        if node.router.take().is_none() {
            return;
        }
        let life = node.life;
        node.life += 1;
        self.schedule(hold, Coming::Release { node: n, life: life + 1 });
    }

    /// Kills the whole machine.
    pub fn crash(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        node.router = None;
        node.life += 1;
        node.present.clear();
    }

    /// Puts the machines on the two sides of a partition: a bit set of those on the other side; 0 heals it.
    pub fn partition(&mut self, other_side: u64) {
        for (n, node) in self.nodes.iter_mut().enumerate() {
            node.side = ((other_side >> n) & 1) as u32;
        }
    }

    /// State of instance `i` on machine `n`; `None` when vrrpd is not running there.
    pub fn state(&self, n: usize, i: u16) -> Option<State> {
        Some(self.nodes[n].router.as_ref()?.active()?.instances.at(InstanceIdx(i))?.state)
    }

    /// The machines that are master of instance `i`.
    pub fn masters(&self, i: u16) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&n| self.state(n, i) == Some(State::Master)).collect()
    }

    /// The machines that hold the addresses of instance `i`.
    pub fn holders(&self, i: u16) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&n| self.nodes[n].present.contains(&i)).collect()
    }

    /// The machines on which vrrpd runs.
    pub fn living(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&n| self.nodes[n].router.is_some()).collect()
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        // Far more than the adverts and answers of any run; less than a message that answers itself for ever.
        for events in 0.. {
            assert!(events < EVENTS, "the routers and ipvsd do not come to rest");
            let packet = self.coming.keys().next().map(|(at, _)| *at);
            let due = |node: &Node| Some(node.router.as_ref()?.deadline()? + node.late);
            let timer = self.nodes.iter().enumerate().filter_map(|(n, node)| Some((due(node)?, n))).min();
            let at = match (packet, timer) {
                (Some(packet), Some((timer, _))) => packet.min(timer),
                (Some(packet), None) => packet,
                (None, Some((timer, _))) => timer,
                (None, None) => end,
            };
            if at >= end {
                break;
            }
            self.now = self.now.max(at);
            match timer {
                Some((timer, n)) if packet.is_none_or(|packet| timer <= packet) => self.wake(n),
                _ => self.arrive(),
            }
        }
        self.now = end;
        self.nodes.iter_mut().for_each(|node| node.watch(end));
    }

    /// The deadline of a router has passed: it must not want the same again.
    fn wake(&mut self, n: usize) {
        self.step(n, Event::Timeout);
        self.nodes[n].late = Duration::from_micros(self.random.below(self.weather.late + 1));
        let next = self.nodes[n].router.as_ref().and_then(Router::deadline);
        assert!(next.is_none_or(|next| next > self.now + Duration::from_nanos(1)), "a deadline that nobody served");
    }

    /// Something is there for a router: what is due it does first, as the shell lets it. When nothing is, it is woken all the same, now
    /// and then: it must not do anything.
    fn wake_for(&mut self, n: usize) {
        let now = self.now;
        let Some(router) = self.nodes[n].router.as_mut() else { return };
        let before = router.deadline();
        if before.is_some_and(|due| due <= now) {
            self.wake(n);
        } else if self.random.happens(50) {
            let mut out = Vec::new();
            router.step(now, Event::Timeout, &mut out);
            assert_eq!((out, router.deadline()), (Vec::new(), before), "woken too early");
        }
    }

    /// The first thing on its way arrives.
    fn arrive(&mut self) {
        let Some((_, coming)) = self.coming.pop_first() else { return };
        match coming {
            Coming::Event { node, life, event } if self.nodes[node].life == life => {
                self.wake_for(node);
                self.step(node, event);
            }
            Coming::Release { node, life } if self.nodes[node].life == life => self.nodes[node].present.clear(),
            Coming::Event { .. } | Coming::Release { .. } => {}
        }
    }

    fn schedule(&mut self, after: Duration, coming: Coming) {
        self.count += 1;
        self.coming.insert((self.now + after, self.count), coming);
    }

    fn step(&mut self, n: usize, event: Event) {
        let mut out = Vec::new();
        if let Some(router) = &mut self.nodes[n].router {
            router.step(self.now, event, &mut out);
        }
        for action in out {
            match action {
                Action::Run(Run { script, cause: Cause::Probe }) => self.probe(n, script),
                Action::Transmit { bytes, destination, .. } => {
                    assert!(destination == GROUP || destination == GROUP6, "{destination}");
                    self.transmit(n, bytes);
                }
                Action::ToIpvs(message) => self.ipvsd(n, message),
                Action::Announce { frame, .. } => self.announce(n, &frame),
                Action::Listen(_)
                | Action::BfdListen(_)
                | Action::Bfd { .. }
                | Action::ToCheck(_)
                | Action::Run(_)
                | Action::RunOfLeft { .. }
                | Action::Tell(_)
                | Action::TellOfLeft { .. }
                | Action::Up(_)
                | Action::Log(_)
                | Action::Dump(_) => {}
            }
        }
        let now = self.now;
        self.nodes[n].watch(now);
    }

    /// A script is run: it ends a little later, as it must then.
    fn probe(&mut self, n: usize, script: ScriptIdx) {
        let took = Duration::from_micros(1 + self.random.below(SCRIPT));
        let node = &self.nodes[n];
        let outcome = Outcome::Exited(u8::from(node.failing.contains(&script)));
        let (life, generation) = (node.life, node.generation);
        let event = Event::ProbeEnded { generation, ended: ProbeEnded { script, outcome } };
        self.schedule(took, Coming::Event { node: n, life, event });
    }

    fn transmit(&mut self, from: usize, bytes: Vec<u8>) {
        let header = if bytes.first().is_some_and(|first| first >> 4 == 6) { 40 } else { 20 };
        if bytes[header + 2] != 0 {
            let (now, vrid) = (self.now, bytes[header + 1]);
            self.nodes[from].watch.sent(vrid, now);
            if vrid == 1 {
                self.nodes[from].sent.push(now);
            }
        }
        for to in 0..self.nodes.len() {
            if to == from || !self.hears(from, to) || self.random.happens(self.weather.loss) {
                continue;
            }
            let copies = if self.random.happens(self.weather.twice) { 2 } else { 1 };
            for _ in 0..copies {
                let delay = Duration::from_micros(1 + self.random.below(self.weather.delay));
                let event = Event::Packet { ifindex: 2, bytes: bytes.clone() };
                let life = self.nodes[to].life;
                self.schedule(delay, Coming::Event { node: to, life, event });
            }
        }
    }

    /// Whether what one machine sends gets to another, and to the host beside that.
    fn hears(&self, from: usize, to: usize) -> bool {
        let plugged = [from, to].into_iter().all(|n| self.nodes[n].cable == LinkState::Up);
        plugged && self.nodes[to].side == self.nodes[from].side && !self.cut.contains(&(from, to))
    }

    /// Gratuitous ARP or a neighbour advertisement: the hosts that hear it believe it.
    fn announce(&mut self, from: usize, frame: &[u8]) {
        let four = frame.get(12..14) == Some(&[8, 6]);
        let at = if four { 28..32 } else { 62..78 };
        let Some(bytes) = frame.get(at) else { return };
        let addr = match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
            (Ok(addr), _) => IpAddr::from(addr),
            (_, Ok(addr)) => IpAddr::from(addr),
            _ => return,
        };
        for to in 0..self.nodes.len() {
            if to == from || self.hears(from, to) {
                self.nodes[to].neighbour.insert(addr, from);
            }
        }
    }

    /// What ipvsd does and answers.
    fn ipvsd(&mut self, n: usize, message: VrrpToIpvs) {
        let node = &mut self.nodes[n];
        let answers = match message {
            VrrpToIpvs::Resync => {
                let mut all = vec![node.cable(), node.spare()];
                all.extend(node.present.iter().map(|&i| IpvsToVrrp::Held { instance: InstanceIdx(i) }));
                all.push(IpvsToVrrp::Synced);
                all
            }
            VrrpToIpvs::SetVips { instance, want } => {
                match want {
                    Presence::Present => node.present.insert(instance.0),
                    Presence::Absent => node.present.remove(&instance.0),
                };
                vec![IpvsToVrrp::VipsApplied { instance, now: want, result: Applied::All }]
            }
            VrrpToIpvs::Synced | VrrpToIpvs::Expect => Vec::new(),
        };
        for message in answers {
            self.say(n, message);
        }
    }

    /// ipvsd tells vrrpd.
    fn say(&mut self, n: usize, message: IpvsToVrrp) {
        let node = &self.nodes[n];
        let (life, generation) = (node.life, node.generation);
        self.schedule(IPVSD, Coming::Event { node: n, life, event: Event::Ipvs { generation, message } });
    }
}

impl Node {
    fn cable(&self) -> IpvsToVrrp {
        IpvsToVrrp::LinkChanged(LinkFacts { state: self.cable, ..facts(self.addr) })
    }

    fn spare(&self) -> IpvsToVrrp {
        let eth0 = facts(self.addr);
        IpvsToVrrp::LinkChanged(LinkFacts { name: "eth1".into(), ifindex: 3, base: 3, state: self.spare, ..eth0 })
    }

    fn watch(&mut self, now: Mono) {
        match &self.router {
            Some(router) => self.watch.check(now, router),
            None => self.watch = Watch::default(),
        }
    }
}

/// How long a router may take from any disturbance to the state it stays in: whoever is left hears nobody for a
/// Master_Down_Interval at the least priority, and may do so once more because what it heard last was said by one that is gone.
pub fn settle_time(conf: &Instance) -> Duration {
    let longest = timers::master_down_interval(conf.version, 1, conf.advert_int, conf.down_timer_adverts);
    longest * 2 + conf.advert_int
}
