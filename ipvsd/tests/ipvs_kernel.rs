//! IPVS on a real kernel, in namespaces of the tests' own, compared with what `ipvsadm` shows. Needs root and a kernel with
//! IPVS: where it has none these tests fail; run them in the virtual machine then (`tests/src/vm.sh`).

// What a test needs and has not got ends it.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::{Ipvsd, Line, eventually, link, namespace, run};
use ipc::config::ipvs::{Dest, Granularity, InstanceAddrs, IpvsConfig, Method, Protocol, Real, Service, ServiceKey};
use ipc::config::lvs::SyncDaemon;
use ipc::config::vrrp::Switch;
use ipc::config::{InstanceIdx, Origin, RealIdx, ServiceIdx};
use ipc::msg::Role;
use ipc::msg::reals::{CheckToIpvs, IpvsToCheck, Standing};
use ipc::msg::vips::{Presence, VrrpToIpvs};
use ipc::net::Family;
use std::net::SocketAddr;

fn origin() -> Origin {
    Origin { file: "test.conf".into(), line: 7 }
}

fn tcp(at: &str) -> Service {
    let at: SocketAddr = at.parse().expect("ADDR:PORT");
    service(ServiceKey::Addr { addr: at.ip(), port: at.port(), protocol: Protocol::Tcp })
}

fn service(key: ServiceKey) -> Service {
    Service {
        keys: vec![key],
        group: None,
        scheduler: "wlc".into(),
        flags: 0,
        persistence: None,
        granularity: Granularity::WHOLE,
        sorry: None,
        engine: None,
        drain: None,
        sorry_inhibit: Switch::Off,
        origin: origin(),
    }
}

fn dest(at: &str, method: Method, weight: u32) -> Dest {
    let at: SocketAddr = at.parse().expect("ADDR:PORT");
    Dest { addr: at.ip(), port: at.port(), method, weight, upper: 0, lower: 0 }
}

fn config(services: &[(Service, Vec<Dest>)]) -> IpvsConfig {
    let mut config = IpvsConfig::default();
    for (service, dests) in services {
        let idx = config.services.push(service.clone()).expect("room");
        for dest in dests {
            config
                .reals
                .push(Real { service: idx, dest: *dest, dynamic: Switch::Off, origin: origin() })
                .expect("room");
        }
    }
    config
}

fn real(n: u32, want: Standing) -> CheckToIpvs {
    CheckToIpvs::SetReal { real: RealIdx(n), want }
}

fn sorry(n: u32, want: Standing) -> CheckToIpvs {
    CheckToIpvs::SetSorry { service: ServiceIdx(n), want }
}

/// Becomes checkd of a generation and says everything.
fn synced(ipvsd: &mut Ipvsd, generation: u32, mut words: Vec<CheckToIpvs>) -> Line<CheckToIpvs, IpvsToCheck> {
    let mut check = ipvsd.check();
    check.say(generation, vec![CheckToIpvs::Resync]);
    check.hear_until(|m| *m == IpvsToCheck::Synced);
    words.push(CheckToIpvs::Synced);
    check.say(generation, words);
    check
}

/// `ipvsadm -Sn`, sorted by ipvsadm itself.
fn table() -> Vec<String> {
    run("ipvsadm", "-Sn").lines().map(|line| line.trim().to_owned()).collect()
}

fn becomes(expected: &[&str]) {
    let mut seen = Vec::new();
    let mut expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
    expected.sort();
    for _ in 0..500 {
        seen = table();
        seen.sort();
        if seen == expected {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(seen, expected);
}

#[test]
fn ipvs_kernel_every_kind_of_service_and_destination() {
    namespace();
    link();
    let persistent = Service {
        persistence: Some(300),
        granularity: Granularity { mask: 0xffff_ff00, prefix: 128 },
        ..tcp("10.9.0.1:443")
    };
    let udp = Service {
        flags: 0x4,
        scheduler: "rr".into(),
        ..service(ServiceKey::Addr { addr: "10.9.0.1".parse().expect("v4"), port: 53, protocol: Protocol::Udp })
    };
    let sctp = service(ServiceKey::Addr { addr: "10.9.0.1".parse().expect("v4"), port: 9, protocol: Protocol::Sctp });
    let six = Service {
        persistence: Some(60),
        granularity: Granularity { mask: u32::MAX, prefix: 64 },
        scheduler: "wrr".into(),
        ..tcp("[fd00::1]:443")
    };
    let mark =
        Service { flags: 0x18, scheduler: "sh".into(), ..service(ServiceKey::Fwmark { mark: 7, family: Family::V4 }) };
    let mark6 = service(ServiceKey::Fwmark { mark: 8, family: Family::V6 });
    let limited = Dest { upper: 100, lower: 50, ..dest("10.9.0.3:8080", Method::Nat, 0) };
    let config = config(&[
        (tcp("10.9.0.1:80"), vec![dest("10.9.0.2:80", Method::Dr, 3), limited]),
        (persistent, vec![]),
        (udp, vec![]),
        (sctp, vec![]),
        (six, vec![dest("[fd00::2]:443", Method::Tun, 1)]),
        (mark, vec![dest("10.9.0.9:0", Method::Dr, 1)]),
        (mark6, vec![]),
    ]);
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config);
    let words = (0..4).map(|n| real(n, Standing::Serving)).collect();
    let check = synced(&mut ipvsd, 1, words);
    becomes(&[
        "-A -t 10.9.0.1:80 -s wlc",
        "-a -t 10.9.0.1:80 -r 10.9.0.2:80 -g -w 3",
        "-a -t 10.9.0.1:80 -r 10.9.0.3:8080 -m -w 0",
        "-A -t 10.9.0.1:443 -s wlc -p 300 -M 255.255.255.0",
        "-A -u 10.9.0.1:53 -s rr -o",
        "-A --sctp-service 10.9.0.1:9 -s wlc",
        "-A -t [fd00::1]:443 -s wrr -p 60 -M 64",
        "-a -t [fd00::1]:443 -r [fd00::2]:443 -i -w 1 --tun-type ipip",
        "-A -f 7 -s sh -b sh-fallback,sh-port",
        "-a -f 7 -r 10.9.0.9:0 -g -w 1",
        "-A -f 8 -6 -s wlc",
    ]);
    assert!(run("ipvsadm", "-Ln --thresholds").contains("100        50"), "{}", run("ipvsadm", "-Ln --thresholds"));
    drop(check);
    ipvsd.stop();
    assert_eq!(table(), Vec::<String>::new());
}

#[test]
fn ipvs_kernel_real_servers_go_and_come_and_keep_their_state_without_checkd() {
    namespace();
    link();
    let with_sorry = Service { sorry: Some(dest("10.9.0.8:80", Method::Dr, 1)), ..tcp("10.9.0.1:80") };
    let config = config(&[(with_sorry, vec![dest("10.9.0.2:80", Method::Dr, 3), dest("10.9.0.3:80", Method::Dr, 1)])]);
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config);
    let words = vec![real(0, Standing::Serving), real(1, Standing::Serving), sorry(0, Standing::Absent)];
    let mut check = synced(&mut ipvsd, 1, words);
    let service = "-A -t 10.9.0.1:80 -s wlc";
    let (two, three) = ("-a -t 10.9.0.1:80 -r 10.9.0.2:80 -g -w 3", "-a -t 10.9.0.1:80 -r 10.9.0.3:80 -g -w 1");
    becomes(&[service, two, three]);
    check.say(1, vec![real(0, Standing::Absent)]);
    becomes(&[service, three]);
    check.say(1, vec![real(0, Standing::Serving), real(1, Standing::Inhibited)]);
    becomes(&[service, two, "-a -t 10.9.0.1:80 -r 10.9.0.3:80 -g -w 0"]);
    check.say(1, vec![real(0, Standing::Absent), real(1, Standing::Absent), sorry(0, Standing::Serving)]);
    becomes(&[service, "-a -t 10.9.0.1:80 -r 10.9.0.8:80 -g -w 1"]);

    // Without checkd nothing changes; the next one hears how things stand.
    drop(check);
    ipvsd.detached(Role::Check);
    let mut check = ipvsd.check();
    check.say(1, vec![CheckToIpvs::Resync]);
    let held = check.hear_until(|m| *m == IpvsToCheck::Synced);
    assert_eq!(
        held,
        [
            IpvsToCheck::HeldReals { first: RealIdx(0), last: RealIdx(1), standing: Standing::Absent },
            IpvsToCheck::HeldSorry { service: ServiceIdx(0), standing: Standing::Serving },
            IpvsToCheck::Synced,
        ]
    );
    becomes(&[service, "-a -t 10.9.0.1:80 -r 10.9.0.8:80 -g -w 1"]);
    ipvsd.stop();
}

#[test]
fn ipvs_kernel_what_is_there_is_adopted_and_what_is_foreign_is_left_alone() {
    namespace();
    link();
    run("ipvsadm", "-A -t 10.9.0.1:80 -s rr");
    run("ipvsadm", "-a -t 10.9.0.1:80 -r 10.9.0.2:80 -g -w 9");
    run("ipvsadm", "-a -t 10.9.0.1:80 -r 10.9.0.77:80 -g -w 1");
    run("ipvsadm", "-A -t 10.9.0.200:80 -s rr");
    run("ipvsadm", "-a -t 10.9.0.200:80 -r 10.9.0.201:80 -g -w 1");
    let foreign = ["-A -t 10.9.0.200:80 -s rr", "-a -t 10.9.0.200:80 -r 10.9.0.201:80 -g -w 1"];
    let before = run("ipvsadm", "-Sn");
    let config = config(&[(tcp("10.9.0.1:80"), vec![dest("10.9.0.2:80", Method::Dr, 3)])]);
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config);
    let mut check = ipvsd.check();
    check.say(1, vec![CheckToIpvs::Resync]);
    check.hear_until(|m| *m == IpvsToCheck::Synced);
    eventually("the scheduler is changed in place", || run("ipvsadm", "-Sn") != before);
    becomes(&[
        "-A -t 10.9.0.1:80 -s wlc",
        "-a -t 10.9.0.1:80 -r 10.9.0.2:80 -g -w 9",
        "-a -t 10.9.0.1:80 -r 10.9.0.77:80 -g -w 1",
        foreign[0],
        foreign[1],
    ]);
    check.say(1, vec![real(0, Standing::Serving), CheckToIpvs::Synced]);
    becomes(&["-A -t 10.9.0.1:80 -s wlc", "-a -t 10.9.0.1:80 -r 10.9.0.2:80 -g -w 3", foreign[0], foreign[1]]);
    ipvsd.stop();
    becomes(&foreign);
}

#[test]
fn ipvs_kernel_a_reload_changes_only_what_differs() {
    namespace();
    link();
    let two = dest("10.9.0.2:80", Method::Dr, 1);
    let first = config(&[
        (tcp("10.9.0.1:80"), vec![two, dest("10.9.0.3:80", Method::Dr, 1)]),
        (tcp("10.9.0.1:81"), vec![dest("10.9.0.4:81", Method::Dr, 1)]),
    ]);
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &first);
    let mut check = synced(&mut ipvsd, 1, (0..3).map(|n| real(n, Standing::Serving)).collect());
    becomes(&[
        "-A -t 10.9.0.1:80 -s wlc",
        "-a -t 10.9.0.1:80 -r 10.9.0.2:80 -g -w 1",
        "-a -t 10.9.0.1:80 -r 10.9.0.3:80 -g -w 1",
        "-A -t 10.9.0.1:81 -s wlc",
        "-a -t 10.9.0.1:81 -r 10.9.0.4:81 -g -w 1",
    ]);
    // One service goes, one comes first, one real server goes, one gets another weight.
    let second = config(&[
        (tcp("10.9.0.1:82"), vec![]),
        (tcp("10.9.0.1:80"), vec![dest("10.9.0.9:80", Method::Dr, 1), Dest { weight: 5, ..two }]),
    ]);
    ipvsd.activate(2, &second);
    check.say(2, vec![CheckToIpvs::Resync]);
    let held = check.hear_until(|m| *m == IpvsToCheck::Synced);
    assert_eq!(
        held,
        [
            IpvsToCheck::HeldReals { first: RealIdx(1), last: RealIdx(1), standing: Standing::Serving },
            IpvsToCheck::Synced
        ]
    );
    check.say(2, vec![real(0, Standing::Absent), real(1, Standing::Serving), CheckToIpvs::Synced]);
    becomes(&["-A -t 10.9.0.1:80 -s wlc", "-a -t 10.9.0.1:80 -r 10.9.0.2:80 -g -w 5", "-A -t 10.9.0.1:82 -s wlc"]);
    ipvsd.stop();
    becomes(&[]);
}

#[test]
fn ipvs_kernel_an_unknown_scheduler_costs_its_own_service_only() {
    namespace();
    link();
    let config = config(&[
        (
            Service { scheduler: "nosuch".into(), ..tcp("10.9.0.1:80") },
            vec![dest("10.9.0.2:80", Method::Dr, 1), dest("10.9.0.3:80", Method::Dr, 1)],
        ),
        (tcp("10.9.0.1:81"), vec![dest("10.9.0.2:81", Method::Dr, 1)]),
    ]);
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config);
    let _check = synced(&mut ipvsd, 1, (0..3).map(|n| real(n, Standing::Serving)).collect());
    becomes(&["-A -t 10.9.0.1:81 -s wlc", "-a -t 10.9.0.1:81 -r 10.9.0.2:81 -g -w 1"]);
    ipvsd.stop();
}

#[test]
fn ipvs_kernel_what_somebody_else_removed_is_found_out_and_put_back() {
    namespace();
    link();
    let config =
        config(&[(tcp("10.9.0.1:80"), vec![dest("10.9.0.2:80", Method::Dr, 1), dest("10.9.0.3:80", Method::Dr, 1)])]);
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config);
    let mut check = synced(&mut ipvsd, 1, (0..2).map(|n| real(n, Standing::Serving)).collect());
    let service = "-A -t 10.9.0.1:80 -s wlc";
    let (two, three) = ("-a -t 10.9.0.1:80 -r 10.9.0.2:80 -g -w 1", "-a -t 10.9.0.1:80 -r 10.9.0.3:80 -g -w 1");
    becomes(&[service, two, three]);
    run("ipvsadm", "-C");
    check.say(1, vec![real(1, Standing::Inhibited)]);
    becomes(&[service, two, "-a -t 10.9.0.1:80 -r 10.9.0.3:80 -g -w 0"]);
    ipvsd.stop();
}

#[test]
fn ipvs_kernel_a_thousand_real_servers() {
    namespace();
    link();
    let services: Vec<(Service, Vec<Dest>)> = (1..=100u16)
        .map(|s| {
            let dests = (1..=10).map(|d| dest(&format!("10.8.{s}.{d}:80"), Method::Dr, 1)).collect();
            (tcp(&format!("10.9.1.{s}:80")), dests)
        })
        .collect();
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config(&services));
    let start = std::time::Instant::now();
    let _check = synced(&mut ipvsd, 1, (0..1000).map(|n| real(n, Standing::Serving)).collect());
    eventually("everything is there", || table().len() == 1100);
    eprintln!("100 services with 1,000 real servers in at most {:?}", start.elapsed());
    ipvsd.stop();
    assert_eq!(table().len(), 0);
}

#[test]
fn ipvs_kernel_timeouts_and_daemons_are_set_follow_an_instance_and_are_restored() {
    namespace();
    link();
    let mut config = config(&[(tcp("10.9.0.1:80"), vec![dest("10.9.0.2:80", Method::Dr, 1)])]);
    let hold = std::time::Duration::from_secs(1);
    config
        .instances
        .push(InstanceAddrs {
            name: "VI_1".into(),
            addrs: vec![],
            routes: vec![],
            rules: vec![],
            hold,
            accept: Default::default(),
        })
        .expect("room");
    config.lvs.tcp_timeout = Some(1000);
    config.lvs.sync = Some(SyncDaemon {
        link: "v0".into(),
        instance: Some("VI_1".into()),
        id: Some(5),
        max_length: None,
        port: None,
        ttl: None,
        group: None,
    });
    let before = run("ipvsadm", "-L --timeout");
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config);
    let _check = synced(&mut ipvsd, 1, vec![real(0, Standing::Serving)]);
    eventually("the timeout", || run("ipvsadm", "-L --timeout").contains("1000 120 300"));
    assert_eq!(run("ipvsadm", "-L --daemon"), "", "nobody has said what the instance is");
    let mut vrrp = ipvsd.vrrp();
    let instance = InstanceIdx(0);
    let mut say = |want| {
        let words = vec![VrrpToIpvs::Resync, VrrpToIpvs::SetVips { instance, want }, VrrpToIpvs::Synced];
        vrrp.say(1, words);
    };
    let daemons = |state: &str| {
        let text = run("ipvsadm", "-L --daemon");
        text.lines().count() == 1 && text.starts_with(state) && text.contains("syncid=5")
    };
    for (want, state) in [
        (Presence::Absent, "backup sync daemon"),
        (Presence::Present, "master sync daemon"),
        (Presence::Absent, "backup sync daemon"),
    ] {
        say(want);
        eventually(state, || daemons(state));
    }
    ipvsd.stop();
    assert_eq!(run("ipvsadm", "-L --daemon"), "");
    assert_eq!(run("ipvsadm", "-L --timeout"), before);
}

#[test]
fn ipvs_kernel_a_dump_shows_what_the_kernel_has_and_changes_nothing() {
    namespace();
    link();
    let config = config(&[(tcp("10.9.0.1:80"), vec![dest("10.9.0.2:80", Method::Dr, 3)])]);
    let mut ipvsd = Ipvsd::start();
    ipvsd.activate(1, &config);
    let _check = synced(&mut ipvsd, 1, vec![real(0, Standing::Serving)]);
    becomes(&["-A -t 10.9.0.1:80 -s wlc", "-a -t 10.9.0.1:80 -r 10.9.0.2:80 -g -w 3"]);
    // Somebody takes it out for maintenance.
    run("ipvsadm", "-e -t 10.9.0.1:80 -r 10.9.0.2:80 -g -w 0");
    let text = ipvsd.dump();
    for expected in [
        "[10.9.0.1]:tcp:80, wlc",
        "[10.9.0.2]:80, weight 0, wanted Serving",
        "active 0, inactive 0",
        "bytes 0 in 0 out",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    becomes(&["-A -t 10.9.0.1:80 -s wlc", "-a -t 10.9.0.1:80 -r 10.9.0.2:80 -g -w 0"]);
    ipvsd.stop();
}
