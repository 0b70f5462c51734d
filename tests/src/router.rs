//! One router driven by hand: configurations in a line, time in milliseconds, and what came out of each event.

use ipc::config::vrrp::{
    Auth, GarpTiming, Instance, Link, Notify, Preemption, Switch, TrackLink, TrackScript, TrackScriptUse, Transport,
    Version, Vip, VrrpConfig, Wanted, Weight,
};
use ipc::config::{Generation, InstanceIdx, LinkIdx, Origin, ScriptIdx, TrackScriptIdx};
use ipc::machine::Machine;
use ipc::msg::control::{Cause, NotifyState, Outcome, ProbeEnded, StopMode};
use ipc::msg::vips::{Applied, Arp, Forwarding, IpvsToVrrp, LinkFacts, LinkState, Multicast, Presence, VrrpToIpvs};
use ipc::net::{Family, Mac};
use ipc::table::Table;
use ipc::time::Mono;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use vrrpd::fsm::instance::{Instance as Live, State};
use vrrpd::io::{Action, Event};
use vrrpd::packet::{advert, auth};
use vrrpd::router::Router;

/// The interface of every configuration here.
pub const LINK: LinkIdx = LinkIdx(0);

/// VRRP's group.
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// The same for IPv6.
pub const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// Scripts of every instance: state-specific ones from 0, the generic one 5.
pub const NOTIFY: Notify = Notify {
    master: Some(ScriptIdx(0)),
    backup: Some(ScriptIdx(1)),
    fault: Some(ScriptIdx(2)),
    stop: Some(ScriptIdx(3)),
    generic: Some(ScriptIdx(5)),
    master_rx_lower_pri: Some(ScriptIdx(4)),
};

/// A tracked thing of which every loss is FAULT.
pub const FAULT: Weight = Weight { value: 0, reverse: Switch::Off };

/// A line of the configuration: instances stand at their number, what they track at 100 more, scripts from 200 on.
pub fn at(line: u32) -> Origin {
    Origin { file: "test.conf".into(), line }
}

/// An instance with the compiler's defaults, version 2, one second, one address.
pub fn instance(vrid: u8, priority: u8) -> Instance {
    Instance {
        name: format!("VI_{vrid}"),
        origin: at(u32::from(vrid)),
        version: Version::V2,
        family: Family::V4,
        link: LINK,
        vrid,
        priority,
        wanted: Wanted::Backup,
        advert_int: Duration::from_secs(1),
        preemption: Preemption::Preempt { delay: Duration::ZERO },
        down_timer_adverts: 3,
        source: None,
        track_source: Switch::Off,
        transport: Transport::Multicast { group: IpAddr::V4(GROUP) },
        auth: Auth::None,
        v3_checksum_as_v2: Switch::Off,
        vips: vec![Vip { addr: IpAddr::V4(Ipv4Addr::new(10, 0, vrid, 100)), link: LINK }],
        excluded: Vec::new(),
        garp: GarpTiming {
            repeat: 5,
            delay: Duration::from_secs(5),
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_prio_repeat: 5,
            lower_prio_delay: Duration::from_secs(5),
        },
        lower_prio_no_advert: Switch::Off,
        higher_prio_send_advert: Switch::On,
        owner_ignore_adverts: Switch::Off,
        skip_check_adv_addr: Switch::Off,
        track_links: vec![TrackLink { link: LINK, weight: FAULT, origin: at(100 + u32::from(vrid)) }],
        track_scripts: Vec::new(),
        notify: NOTIFY,
        group: None,
    }
}

/// The same over IPv6: version 3, a link-local address and another one.
pub fn instance6(vrid: u8, priority: u8) -> Instance {
    let vip = |first, second| Vip {
        addr: IpAddr::V6(Ipv6Addr::new(first, second, 0, 0, 0, 0, vrid.into(), 0x100)),
        link: LINK,
    };
    Instance {
        name: format!("VI6_{vrid}"),
        version: Version::V3,
        family: Family::V6,
        transport: Transport::Multicast { group: IpAddr::V6(GROUP6) },
        vips: vec![vip(0xfe80, 0), vip(0x2001, 0xdb8)],
        ..instance(vrid, priority)
    }
}

/// A configuration with these instances on one interface, `eth0`.
pub fn config(instances: Vec<Instance>) -> VrrpConfig {
    VrrpConfig {
        links: [Link { name: "eth0".into(), origin: Origin::default() }].into_iter().collect(),
        instances: instances.into_iter().collect(),
        groups: Table::new(),
        track_scripts: Table::new(),
        startup_delay: Duration::ZERO,
        ..VrrpConfig::default()
    }
}

/// A script that runs every second, up after one success and down after one failure.
pub fn track_script(n: u16) -> TrackScript {
    TrackScript {
        name: format!("chk_{n}"),
        origin: at(200 + u32::from(n)),
        script: ScriptIdx(100 + n),
        interval: Duration::from_secs(1),
        rise: 1,
        fall: 1,
        init_fail: Switch::Off,
    }
}

/// Tracks script `n` with a weight.
pub fn track(n: u16, value: i16) -> TrackScriptUse {
    TrackScriptUse { script: TrackScriptIdx(n), weight: Weight { value, reverse: Switch::Off } }
}

/// The end of a run of the first generation.
pub fn probe_ended(script: u16, status: u8) -> Event {
    let ended = ProbeEnded { script: ScriptIdx(script), outcome: Outcome::Exited(status) };
    Event::ProbeEnded { generation: Generation(1), ended }
}

/// Facts of `eth0`, up, with this address.
pub fn facts(addr: Ipv4Addr) -> LinkFacts {
    let [_, _, c, d] = addr.octets();
    LinkFacts {
        name: "eth0".into(),
        ifindex: 2,
        base: 2,
        state: LinkState::Up,
        arp: Arp::Yes,
        multicast: Multicast::Yes,
        mac: Mac([2, 0, 0, 0, c, d]),
        mtu: 1500,
        primary: Some(addr),
        link_local: Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, c.into(), d.into())),
        forwarding: Forwarding::No,
        addrs: vec![addr.into()],
    }
}

/// An advert as a peer would send it for `conf`.
pub fn peer_advert(conf: &Instance, priority: u8, source: impl Into<IpAddr>) -> Vec<u8> {
    let addrs: Vec<IpAddr> =
        conf.vips.iter().map(|vip| vip.addr).filter(|addr| Family::of(*addr) == conf.family).collect();
    let group = match conf.family {
        Family::V4 => IpAddr::V4(GROUP),
        Family::V6 => IpAddr::V6(GROUP6),
    };
    advert::Outgoing {
        version: conf.version,
        vrid: conf.vrid,
        priority,
        interval: conf.advert_int,
        addrs: &addrs,
        auth_type: auth::kind(&conf.auth),
        auth_data: auth::data(&conf.auth),
        checksum_as_v2: conf.v3_checksum_as_v2,
    }
    .encode(source.into(), group, 255, 1)
}

/// One router, its clock, and the actions of its last event.
pub struct Bench {
    /// The machine.
    pub router: Router,
    /// The clock.
    pub now: Mono,
    /// What the last event brought.
    pub out: Vec<Action>,
    /// Its own address.
    pub addr: Ipv4Addr,
    /// Its configuration.
    pub config: VrrpConfig,
    /// The generation that runs.
    pub generation: Generation,
}

impl Bench {
    /// A configured router whose ipvsd has said everything: instances have their first state.
    pub fn start(config: VrrpConfig) -> Bench {
        let mut bench = Bench::unsynced(config);
        bench.sync(&[]);
        bench
    }

    /// A router with one instance.
    pub fn one(instance: Instance) -> Bench {
        Bench::start(config(vec![instance]))
    }

    /// A configured router that has asked ipvsd to say everything.
    pub fn unsynced(config: VrrpConfig) -> Bench {
        let mut bench = Bench {
            router: Router::new(),
            now: Mono(1_000_000_000),
            out: Vec::new(),
            addr: Ipv4Addr::new(10, 0, 0, 10),
            config: config.clone(),
            generation: Generation(1),
        };
        bench.event(Event::Configure { generation: Generation(1), config: Box::new(config) });
        bench.event(Event::IpvsAttached);
        bench.event(Event::Activate);
        bench
    }

    /// ipvsd says everything, these instances are held.
    pub fn sync(&mut self, held: &[u16]) {
        self.ipvs(IpvsToVrrp::LinkChanged(facts(self.addr)));
        for &n in held {
            self.ipvs(IpvsToVrrp::Held { instance: InstanceIdx(n) });
        }
        self.ipvs(IpvsToVrrp::Synced);
    }

    /// Activates another configuration; ipvsd says everything again.
    pub fn reload(&mut self, config: VrrpConfig) -> Vec<Action> {
        self.generation = Generation(self.generation.0 + 1);
        self.config = config.clone();
        let generation = self.generation;
        let mut all = Vec::new();
        self.event(Event::Configure { generation, config: Box::new(config) });
        all.append(&mut self.out);
        self.event(Event::Activate);
        all.append(&mut self.out);
        self.sync(&[]);
        all.append(&mut self.out);
        all
    }

    /// One event now.
    pub fn event(&mut self, event: Event) -> &[Action] {
        self.out.clear();
        self.router.step(self.now, event, &mut self.out);
        &self.out
    }

    /// A message of ipvsd.
    pub fn ipvs(&mut self, message: IpvsToVrrp) -> &[Action] {
        let generation = self.generation;
        self.event(Event::Ipvs { generation, message })
    }

    /// ipvsd has put the addresses of instance `n` in place.
    pub fn applied(&mut self, n: u16) -> &[Action] {
        let message =
            IpvsToVrrp::VipsApplied { instance: InstanceIdx(n), now: Presence::Present, result: Applied::All };
        self.ipvs(message)
    }

    /// An advert for instance 0 arrives from `10.0.0.LAST` or `fe80::LAST`.
    pub fn hear(&mut self, priority: u8, last: u8) -> &[Action] {
        let conf = self.config.instances.at(InstanceIdx(0)).unwrap().clone();
        let bytes = match conf.family {
            Family::V4 => peer_advert(&conf, priority, Ipv4Addr::new(10, 0, 0, last)),
            Family::V6 => peer_advert(&conf, priority, Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last.into())),
        };
        self.event(Event::Packet { ifindex: 2, bytes })
    }

    /// Lets time pass, without waking the router.
    pub fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// Goes to the next deadline and wakes the router there.
    pub fn expire(&mut self) -> &[Action] {
        self.now = self.router.deadline().expect("a deadline");
        self.event(Event::Timeout)
    }

    /// Time until the next deadline.
    pub fn until_deadline(&self) -> Duration {
        self.router.deadline().expect("a deadline").since(self.now)
    }

    /// Lets time pass and wakes the router at every deadline on the way; what came out is in `out`.
    pub fn run(&mut self, time: Duration) -> &[Action] {
        let end = self.now + time;
        let mut all = Vec::new();
        while let Some(at) = self.router.deadline().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.router.step(self.now, Event::Timeout, &mut all);
        }
        self.now = end;
        self.out = all;
        &self.out
    }

    /// Ends with release of everything.
    pub fn stop(&mut self) -> &[Action] {
        self.event(Event::Stop(StopMode::RELEASE))
    }

    /// Instance `n`.
    pub fn live(&self, n: u16) -> &Live {
        self.router.active().unwrap().instances.at(InstanceIdx(n)).unwrap()
    }

    /// State of instance `n`.
    pub fn state(&self, n: u16) -> State {
        self.live(n).state
    }

    /// Brings instance 0 to MASTER, with its addresses in place.
    pub fn to_master(&mut self) {
        while self.state(0) != State::Master {
            self.expire();
        }
        self.applied(0);
    }
}

/// Priorities of the adverts among actions.
pub fn adverts(actions: &[Action]) -> Vec<u8> {
    let priority = |action: &Action| match action {
        Action::Transmit { bytes, destination, .. } => bytes.get(if destination.is_ipv4() { 22 } else { 42 }).copied(),
        _ => None,
    };
    actions.iter().filter_map(priority).collect()
}

/// What ipvsd is asked for.
pub fn wants(actions: &[Action]) -> Vec<(u16, Presence)> {
    let want = |action: &Action| match action {
        Action::ToIpvs(VrrpToIpvs::SetVips { instance, want }) => Some((instance.0, *want)),
        _ => None,
    };
    actions.iter().filter_map(want).collect()
}

/// How many gratuitous ARP frames there are.
pub fn announcements(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Announce { .. })).count()
}

/// Notify runs: script, state and priority.
pub fn notifications(actions: &[Action]) -> Vec<(u16, NotifyState, u8)> {
    let run = |action: &Action| match action {
        Action::Run(run) => match run.cause {
            Cause::Instance { state, priority, .. } => Some((run.script.0, state, priority)),
            _ => None,
        },
        _ => None,
    };
    actions.iter().filter_map(run).collect()
}

/// Scripts that are probed.
pub fn probes(actions: &[Action]) -> Vec<u16> {
    let probe = |action: &Action| match action {
        Action::Run(run) if run.cause == Cause::Probe => Some(run.script.0),
        _ => None,
    };
    actions.iter().filter_map(probe).collect()
}

/// Log lines.
pub fn lines(actions: &[Action]) -> Vec<&str> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Log(line) => Some(line.text.as_str()),
            _ => None,
        })
        .collect()
}
