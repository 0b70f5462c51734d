//! The packet filter on the real kernel: the tables as `nft list ruleset` shows them, beside those of Debian's keepalived, and what
//! becomes of packets. In namespaces of the tests' own; needs root and nft(8).

// What a test needs and has not got ends it.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::vips::{applied, config, set, spec, synced, table};
use common::{Ipvsd, Line, eventually, ip, link, namespace, run};
use ipc::config::filter::{Filter, MarkTable, VipTable};
use ipc::config::ipvs::{AddrSpec, Granularity, IpvsConfig, Protocol, Service, ServiceGroup, ServiceKey};
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_options::Accept;
use ipc::config::{InstanceIdx, ServerGroupIdx};
use ipc::msg::vips::{IpvsToVrrp, Presence, VrrpToIpvs};
use nix::sched::{CloneFlags, unshare};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

fn ruleset() -> String {
    run("nft", "list ruleset")
}

/// Instances that do not accept packets for their addresses.
fn deaf(instances: &[(&str, Vec<AddrSpec>)]) -> IpvsConfig {
    let mut config = config(instances);
    for (_, instance) in config.instances.iter_mut() {
        instance.accept = Accept::Drop;
    }
    config.filter.vips = Some(table());
    config
}

fn become_master(vrrp: &mut Line<VrrpToIpvs, IpvsToVrrp>, generation: u32) {
    vrrp.say(generation, vec![VrrpToIpvs::Resync]);
    vrrp.hear_until(synced);
    vrrp.say(generation, vec![set(0, Presence::Present), VrrpToIpvs::Synced]);
    vrrp.hear_until(|m| *m == applied(0, Presence::Present));
}

/// Debian's keepalived and ipvsd filter the same addresses; `nft` shows the same.
#[test]
fn the_tables_look_as_those_of_keepalived() {
    namespace();
    link();
    let v4 = ["10.9.0.50/24", "10.9.0.51/24", "10.9.1.4/32"];
    let v6 = ["fd00:9::50/64", "fe80::51/64"];
    let lines = |all: &[&str]| all.iter().map(|a| format!("  {a} dev v0\n")).collect::<String>();
    let text = |globals: &str| {
        format!(
            "global_defs {{\n{globals}\n}}\nvrrp_instance V {{\n interface v0\n virtual_router_id 7\n priority 254\n version 3\n \
             advert_int 0.1\n no_accept\n virtual_ipaddress {{\n{} }}\n virtual_ipaddress_excluded {{\n{} }}\n}}\n",
            lines(&v4),
            lines(&v6)
        )
    };
    let specs: Vec<AddrSpec> = v4.iter().chain(&v6).map(|a| spec(a)).collect();
    for (globals, table) in [
        ("nftables", table()),
        (
            "nftables other\nnftables_counters\nnftables_priority 5",
            VipTable { name: "other".into(), priority: 5, counters: Switch::On, ..table() },
        ),
    ] {
        let keepalived = common::Keepalived::start(&text(globals));
        eventually("keepalived is master", || ip("addr show dev v0").contains("fe80::51"));
        let theirs = uncounted(&ruleset());
        keepalived.stop();
        assert_eq!(ruleset(), "");

        let mut ipvsd = Ipvsd::start();
        let mut config = deaf(&[("V", specs.clone())]);
        config.filter.vips = Some(table);
        ipvsd.activate(1, &config);
        let mut vrrp = ipvsd.vrrp();
        become_master(&mut vrrp, 1);
        assert_eq!(uncounted(&ruleset()), theirs);
        ipvsd.stop();
        assert_eq!(ruleset(), "");
    }
}

/// Without what the counters say.
fn uncounted(text: &str) -> String {
    let mut words = text.split_inclusive(' ').peekable();
    let mut out = String::new();
    while let Some(word) = words.next() {
        out.push_str(word);
        if word == "packets " || word == "bytes " {
            words.next();
        }
    }
    out
}

/// The other end of the link, in a namespace of its own.
struct Peer(mpsc::Sender<Box<dyn FnOnce() + Send>>);

impl Peer {
    fn new() -> Peer {
        let (send, receive) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("network namespaces are needed");
            receive.into_iter().for_each(|job| job());
        });
        let peer = Peer(send);
        let thread = peer.there(nix::unistd::gettid);
        ip(&format!("link set v1 netns {thread}"));
        peer.there(|| {
            ip("addr add 10.9.0.1/24 dev v1");
            ip("addr add fd00:9::1/64 dev v1 nodad");
            ip("link set v1 up");
        });
        peer
    }

    fn there<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (send, receive) = mpsc::channel();
        self.0.send(Box::new(move || drop(send.send(job())))).expect("the thread lives");
        receive.recv().expect("the job ends")
    }

    /// What comes of a connection to an address.
    fn connects(&self, to: &str) -> Result<(), ErrorKind> {
        let to: SocketAddr = to.parse().expect("an address");
        self.there(move || TcpStream::connect_timeout(&to, Duration::from_millis(400)).map(drop).map_err(|e| e.kind()))
    }
}

#[test]
fn packets_to_the_addresses_are_dropped_and_nothing_else() {
    namespace();
    link();
    ip("addr add fd00:9::100/64 dev v0 nodad");
    let peer = Peer::new();
    let _listener = TcpListener::bind("[::]:80").expect("a port");
    let addrs = vec![spec("10.9.0.50/24"), spec("fd00:9::50/64")];
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &deaf(&[("V", addrs.clone())]));
    let mut vrrp = ipvsd.vrrp();
    become_master(&mut vrrp, 1);
    eventually("the link carries", || peer.connects("10.9.0.100:80") == Ok(()));
    assert_eq!(peer.connects("10.9.0.50:80"), Err(ErrorKind::TimedOut));
    assert_eq!(peer.connects("[fd00:9::50]:80"), Err(ErrorKind::TimedOut));
    assert_eq!(peer.connects("[fd00:9::100]:80"), Ok(()));
    // Who asks for them is told where they are (RFC 9568 §6.4.3).
    let neighbours = peer.there(|| ip("neigh show dev v1"));
    for addr in ["10.9.0.50", "fd00:9::50"] {
        assert!(neighbours.lines().any(|l| l.starts_with(addr) && l.contains("lladdr")), "{addr} in\n{neighbours}");
    }
    // A reload that says `accept`: the addresses stay, and answer.
    let mut open = deaf(&[("V", addrs)]);
    open.filter.vips = None;
    open.instances.at_mut(InstanceIdx(0)).expect("the instance").accept = Accept::Accept;
    ipvsd.activate(2, &open);
    become_master(&mut vrrp, 2);
    assert_eq!(ruleset(), "");
    assert_eq!(peer.connects("10.9.0.50:80"), Ok(()));
    assert_eq!(peer.connects("[fd00:9::50]:80"), Ok(()));
    ipvsd.stop();
}

/// An address has its element as long as it is there. What does not change is not touched.
#[test]
fn the_sets_follow_the_addresses() {
    namespace();
    link();
    let first = deaf(&[("V", vec![spec("10.9.0.50/24"), spec("fe80::50/64")])]);
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &first);
    let mut vrrp = ipvsd.vrrp();
    eventually("the tables are there", || run("nft", "list tables").lines().count() == 2);
    assert!(!ruleset().contains("elements = { 10"), "nothing is filtered on a backup");
    become_master(&mut vrrp, 1);
    let filtered = ruleset();
    assert!(filtered.contains("elements = { 10.9.0.50 }"), "{filtered}");
    assert!(filtered.contains("elements = { fe80::50 . \"v0\" }"), "{filtered}");
    let handles = run("nft", "-a list ruleset");
    ipvsd.activate(2, &first);
    become_master(&mut vrrp, 2);
    assert_eq!(run("nft", "-a list ruleset"), handles);
    let more = deaf(&[("V", vec![spec("10.9.0.50/24"), spec("fe80::50/64"), spec("10.9.0.51/24")])]);
    ipvsd.activate(3, &more);
    become_master(&mut vrrp, 3);
    assert!(ruleset().contains("elements = { 10.9.0.50, 10.9.0.51 }"));
    assert_eq!(run("nft", "-a list ruleset").replace("50, 10.9.0.51", "50"), handles);
    vrrp.say(3, vec![set(0, Presence::Absent)]);
    vrrp.hear_until(|m| *m == applied(0, Presence::Absent));
    eventually("nothing is filtered any more", || !ruleset().contains("elements = { 10"));
    assert!(!ruleset().contains("fe80::50"));
    ipvsd.stop();
    assert_eq!(ruleset(), "");
}

/// A new process takes over what a crash has left: what is there is filtered before anybody asks for it.
#[test]
fn after_a_crash_the_tables_are_made_anew() {
    namespace();
    link();
    let config = deaf(&[("V", vec![spec("10.9.0.50/24")])]);
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config);
    become_master(&mut ipvsd.vrrp(), 1);
    let before = ruleset();
    drop(ipvsd);
    assert_eq!(ruleset(), before);
    run("nft", "add element ip keepalived vips { 10.9.0.99 }");
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config);
    eventually("the set holds what is there", || ruleset() == before);
    become_master(&mut ipvsd.vrrp(), 1);
    assert_eq!(ruleset(), before);
    ipvsd.stop();
    assert_eq!(ruleset(), "");
}

/// `vrrp_iptables INPUT`
#[test]
fn with_one_chain_nothing_is_filtered_on_its_way_out() {
    namespace();
    link();
    let mut config = deaf(&[("V", vec![spec("10.9.0.50/24"), spec("fd00:9::50/64")])]);
    config.filter.vips = Some(VipTable { outgoing: Switch::Off, ..table() });
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config);
    become_master(&mut ipvsd.vrrp(), 1);
    let ruleset = ruleset();
    assert!(ruleset.contains("ip daddr @vips drop") && ruleset.contains("ip6 daddr @vips drop"), "{ruleset}");
    assert!(!ruleset.contains("chain out") && !ruleset.contains("saddr"), "{ruleset}");
    ipvsd.stop();
}

fn group(name: &str) -> ServiceGroup {
    ServiceGroup { name: name.into(), entries: vec![], origin: common::vips::origin() }
}

fn service(group: Option<u16>, keys: &[(&str, u16, Protocol)]) -> Service {
    let key = |(addr, port, protocol): &(&str, u16, Protocol)| ServiceKey::Addr {
        addr: addr.parse().expect("an address"),
        port: *port,
        protocol: *protocol,
    };
    Service {
        keys: keys.iter().map(key).collect(),
        group: group.map(ServerGroupIdx),
        scheduler: "rr".into(),
        flags: 0,
        persistence: None,
        granularity: Granularity::WHOLE,
        engine: None,
        drain: None,
        sorry: None,
        sorry_inhibit: Switch::Off,
        origin: common::vips::origin(),
    }
}

/// The table of `nftables_ipvs` as keepalived 2.2.7 makes it of the same groups (seen with nft(8) 1.0.6).
const MARKS: &str = "table ip keepalived_ipvs {
	map tcp_map {
		type ipv4_addr . inet_service : mark
		flags interval
		elements = { 10.9.0.70-10.9.0.72 . 80 : 0x00000005,
			     10.9.1.5 . 81 : 0x00000005 }
	}

	chain in {
		type filter hook input priority filter + 7; policy accept;
		meta mark set ip daddr . tcp dport map @tcp_map return
	}
}
table ip6 keepalived_ipvs {
	map sctp_map {
		type ipv6_addr . inet_service : mark
		flags interval
		elements = { fd00:9::5 . 81 : 0x00000006,
			     fd00:9::70-fd00:9::72 . 80 : 0x00000006 }
	}

	chain in {
		type filter hook input priority filter + 7; policy accept;
		meta mark set ip6 daddr . sctp dport map @sctp_map return
	}
}
";

/// The lines of a ruleset without the order in which nft(8) has them.
fn sorted_lines(text: &str) -> Vec<String> {
    let word = |line: &str| line.replace("elements = {", "").replace(['}', ','], "").trim().to_string();
    let mut lines: Vec<String> = text.lines().map(word).collect();
    lines.sort();
    lines
}

#[test]
fn groups_get_marks() {
    namespace();
    link();
    let tcp = Protocol::Tcp;
    let first = service(
        Some(0),
        &[("10.9.0.70", 80, tcp), ("10.9.0.71", 80, tcp), ("10.9.0.72", 80, tcp), ("10.9.1.5", 81, tcp)],
    );
    let sctp = Protocol::Sctp;
    let addrs = ["fd00:9::70", "fd00:9::71", "fd00:9::72"].map(|a| (a, 80, sctp));
    let second = service(Some(1), &[addrs.as_slice(), &[("fd00:9::5", 81, sctp)]].concat());
    let table = MarkTable { name: "keepalived_ipvs".into(), priority: 7, counters: Switch::Off, first: 5 };
    let config = |services: &[Service]| IpvsConfig {
        services: services.iter().cloned().collect(),
        groups: [group("R"), group("S")].into_iter().collect(),
        filter: Filter { vips: None, marks: Some(table.clone()) },
        ..IpvsConfig::default()
    };
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config(&[first.clone(), second.clone()]));
    eventually("both tables are there", || run("nft", "list tables").lines().count() == 2);
    assert_eq!(sorted_lines(&ruleset()), sorted_lines(MARKS));
    let handles = run("nft", "-a list ruleset");
    // The other order is the same to the kernel: a mark stays with its group.
    ipvsd.activate(2, &config(&[second.clone(), first.clone()]));
    assert_eq!(run("nft", "-a list ruleset"), handles);
    // One address less: its element goes.
    let fewer = Service { keys: first.keys[..3].to_vec(), ..first.clone() };
    ipvsd.activate(3, &config(&[second, fewer]));
    eventually("the element is gone", || !ruleset().contains("10.9.1.5"));
    assert!(ruleset().contains("10.9.0.70-10.9.0.72 . 80 : 0x00000005"), "{}", ruleset());
    ipvsd.stop();
    assert_eq!(ruleset(), "");
}

/// An address that two groups have cannot have two marks: it stays a service of its own, with the real servers of both.
#[test]
fn what_two_groups_share_has_no_mark() {
    let tcp = Protocol::Tcp;
    let first = service(Some(0), &[("10.9.0.70", 80, tcp), ("10.9.0.71", 80, tcp)]);
    let second = service(Some(1), &[("10.9.0.71", 80, tcp), ("10.9.0.72", 80, tcp)]);
    let alone = service(None, &[("10.9.0.72", 80, tcp)]);
    let any_port = service(Some(2), &[("10.9.0.75", 0, tcp), ("10.9.0.76", 80, tcp)]);
    let table = MarkTable { name: "t".into(), priority: -1, counters: Switch::Off, first: 1000 };
    let config = IpvsConfig {
        services: [first, second, alone, any_port].into_iter().collect(),
        groups: [group("R"), group("S"), group("T")].into_iter().collect(),
        filter: Filter { vips: None, marks: Some(table) },
        ..IpvsConfig::default()
    };
    let ledger = ipvsd::ledger::Ledger::new(config).expect("it can be used");
    let keys: Vec<String> =
        ledger.services().map(|(_, s)| s.keys.iter().map(ipvsd::show::service).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        keys,
        [
            "FWM 1000 [10.9.0.71]:tcp:80",
            "[10.9.0.71]:tcp:80 [10.9.0.72]:tcp:80",
            "[10.9.0.72]:tcp:80",
            "FWM 1001 [10.9.0.75]:tcp:0",
        ]
    );
    assert_eq!(ledger.marks().len(), 2);
}
