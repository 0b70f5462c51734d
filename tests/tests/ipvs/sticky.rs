//! Which server a client gets: persistence, with granularity and by the Call-ID of SIP; thresholds; hashes that keep a client where it is while
//! another server is gone.

use super::town::{ALIVE, Family, SIP_PORT, TRANSLATED, Town, virtual_server};
use super::{Outcome, SETTLED};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::wait_until;
use tests::pair::with_log;

/// The ports of the services.
const EACH_CLIENT: u16 = 8001;
const EACH_NETWORK: u16 = 8002;
const LIMITED: u16 = 8003;
const HASHED: u16 = 8004;
const MAGLEV: u16 = 8005;
const MAGLEV_REMOVED: u16 = 8006;

/// The services that hash, and how many of the others' clients may move when one server of three is gone: removed from a table of Maglev it leaves
/// gaps that are dealt out anew, and a few others with them.
const HASHES: [(u16, usize); 3] = [(HASHED, 0), (MAGLEV, 0), (MAGLEV_REMOVED, 3)];

fn service(family: Family, port: u16, protocol: &str, more: &str, real: &str) -> String {
    let to = if port == SIP_PORT { port } else { 80 };
    let reals = [12, 13, 14].map(|last| SocketAddr::new(family.on_lan(last), to));
    let key = format!("{} {port}", family.on_lan(TRANSLATED));
    virtual_server(
        &key,
        &format!("protocol {protocol}\n lvs_method NAT\n {more}"),
        &reals,
        &format!("{real}\n {ALIVE}"),
    )
}

fn config() -> String {
    let mut text = Vrrp::master(100)
        .addresses(&["192.168.154.189"])
        .line("virtual_ipaddress_excluded {\n fd00:9::189\n }")
        .to_string();
    let persistent = "lvs_sched rr\n persistence_timeout 300";
    text += &service(Family::V4, EACH_CLIENT, "TCP", persistent, "");
    text += &service(Family::V6, EACH_CLIENT, "TCP", persistent, "");
    text +=
        &service(Family::V4, EACH_NETWORK, "TCP", &format!("{persistent}\n persistence_granularity 255.255.255.0"), "");
    text += &service(Family::V6, EACH_NETWORK, "TCP", &format!("{persistent}\n persistence_granularity 64"), "");
    text += &service(Family::V4, SIP_PORT, "UDP", &format!("{persistent}\n persistence_engine sip"), "");
    text += &service(Family::V4, LIMITED, "TCP", "lvs_sched rr", "uthreshold 2\n lthreshold 1");
    text += &service(Family::V4, HASHED, "TCP", "lvs_sched sh\n sh-fallback", "inhibit_on_failure");
    text += &service(Family::V4, MAGLEV, "TCP", "lvs_sched mh\n mh-fallback", "inhibit_on_failure");
    text += &service(Family::V4, MAGLEV_REMOVED, "TCP", "lvs_sched mh", "");
    text
}

struct Trial {
    town: Town,
    daemon: Daemon,
}

impl Trial {
    fn at(family: Family, port: u16) -> SocketAddr {
        SocketAddr::new(family.on_lan(TRANSLATED), port)
    }

    /// Who serves a client.
    fn serves(&self, family: Family, port: u16, net: u8, last: u8) -> Outcome<String> {
        self.town
            .page(family.afar(net, last), Self::at(family, port))
            .map_err(|failure| with_log(&failure, &self.daemon))
    }

    /// A client stays with its server while others are given theirs in turn.
    fn persistence(&self, family: Family) -> Outcome {
        let mut first = BTreeMap::new();
        for round in 0..3 {
            for last in 1..=3 {
                let server = self.serves(family, EACH_CLIENT, 1, last)?;
                assert_eq!(*first.entry(last).or_insert(server.clone()), server, "client {last}, round {round}");
            }
        }
        assert_eq!(first.values().collect::<BTreeSet<_>>().len(), 3, "three clients have three servers: {first:?}");
        // Networks count as one client.
        let mut first = BTreeMap::new();
        for last in 1..=3 {
            for net in 1..=3 {
                let server = self.serves(family, EACH_NETWORK, net, last)?;
                assert_eq!(*first.entry(net).or_insert(server.clone()), server, "client {last} of network {net}");
            }
        }
        assert_eq!(first.values().collect::<BTreeSet<_>>().len(), 3, "three networks have three servers: {first:?}");
        println!("{family:?}: clients and networks stay with their servers");
        Ok(())
    }

    /// A call stays with its server, wherever its requests come from.
    fn calls(&self) -> Outcome {
        let mut first = BTreeMap::new();
        for last in 1..=3 {
            for call in ["one@test", "two@test", "three@test"] {
                let (from, to) = (Family::V4.afar(2, last), Self::at(Family::V4, SIP_PORT));
                let server =
                    self.town.name_by_sip(from, to, call).map_err(|failure| with_log(&failure, &self.daemon))?;
                assert_eq!(*first.entry(call).or_insert(server.clone()), server, "{call} from {from}");
            }
        }
        assert_eq!(first.values().collect::<BTreeSet<_>>().len(), 3, "three calls have three servers: {first:?}");
        println!("calls stay with their servers: {first:?}");
        Ok(())
    }

    /// Two connections a server and no more; one that ends is not enough for another, two are.
    fn thresholds(&self) -> Outcome {
        let to = Self::at(Family::V4, LIMITED);
        let from = |n| Family::V4.afar(4, n);
        let mut open = Vec::new();
        for n in 1..=6 {
            open.push(self.town.connect(from(n), to).map_err(|failure| with_log(&failure, &self.daemon))?);
        }
        let full = || self.town.connect(from(7), to).is_err();
        assert!(full() && full(), "all three are full:\n{}", self.town.ipvsadm("-Ln")?);
        // The first server has the first and the fourth.
        let (fourth, first) = (open.remove(3), open.remove(0));
        let known = || -> Outcome<usize> {
            Ok(self.town.ipvsadm("-Lnc")?.lines().filter(|line| line.contains(&to.to_string())).count())
        };
        reset(&first)?;
        drop(first);
        wait_until("the first is forgotten", SETTLED, || Ok(known()? == 5))?;
        assert!(full(), "one of two is not below the lower threshold:\n{}", self.town.ipvsadm("-Ln")?);
        reset(&fourth)?;
        drop(fourth);
        wait_until("the fourth is forgotten", SETTLED, || Ok(known()? == 4))?;
        let server = self.serves(Family::V4, LIMITED, 4, 8)?;
        println!("thresholds: {server} takes connections again");
        Ok(())
    }

    /// Which clients have which server.
    fn spread(&self, port: u16) -> Outcome<BTreeMap<u8, String>> {
        (1..=30).map(|last| Ok((last, self.serves(Family::V4, port, 3, last)?))).collect()
    }
}

/// Lets a connection end with a reset, of which the kernel thinks for ten seconds.
fn reset(stream: &std::net::TcpStream) -> Outcome {
    Ok(socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?)
}

/// The destinations of all services.
const ALL: usize = 9 * 3;

#[test]
fn clients_stay_with_their_servers() -> Outcome {
    let town = Town::new()?;
    let daemon = Daemon::start(Program::under_test(), &town.director, &config())?;
    let mut trial = Trial { town, daemon };
    let alive = |trial: &Trial, weight: u8, count: usize| -> Outcome<bool> {
        let table = trial.town.ipvsadm("-Sn")?;
        Ok(table.matches(&format!(" -w {weight}")).count() == count)
    };
    wait_until("all are in the table", SETTLED, || {
        Ok(alive(&trial, 1, ALL)? && trial.town.director.has("192.168.154.189")?)
    })
    .map_err(|failure| with_log(&failure, &trial.daemon))?;
    std::thread::scope(|scope| {
        let limits = scope.spawn(|| trial.thresholds());
        let rest = || -> Outcome {
            trial.persistence(Family::V4)?;
            trial.persistence(Family::V6)?;
            trial.calls()
        };
        let rest = rest();
        match limits.join() {
            Ok(limits) => limits.and(rest),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })?;
    let spread = |trial: &Trial| -> Outcome<Vec<_>> { HASHES.iter().map(|(port, _)| trial.spread(*port)).collect() };
    let before = spread(&trial)?;
    assert_eq!(before, spread(&trial)?, "a client stays where it is");
    trial.town.kill_web(2);
    let removed = format!("-a -t {} -r 192.168.154.14", Trial::at(Family::V4, MAGLEV_REMOVED));
    let gone = |trial: &Trial| Ok(alive(trial, 0, 2)? && !trial.town.ipvsadm("-Sn")?.contains(&removed));
    wait_until("one is gone", SETTLED, || gone(&trial)).map_err(|failure| with_log(&failure, &trial.daemon))?;
    let after = spread(&trial)?;
    trial.town.start_web(2)?;
    wait_until("all are back", SETTLED, || alive(&trial, 1, ALL))
        .map_err(|failure| with_log(&failure, &trial.daemon))?;
    assert_eq!(spread(&trial)?, before, "every client has its server again");
    for (n, (port, most)) in HASHES.iter().enumerate() {
        let (before, after) = (&before[n], &after[n]);
        let others: Vec<u8> =
            before.iter().filter(|(_, server)| *server != "web3").map(|(client, _)| *client).collect();
        let moved: Vec<u8> = others.iter().copied().filter(|client| before[client] != after[client]).collect();
        println!("{port}: of {} clients of the others {} have moved", others.len(), moved.len());
        assert!((10..30).contains(&others.len()), "{port}: {before:?}");
        assert!(after.values().all(|server| server != "web3"), "{port}: {after:?}");
        assert!(moved.len() <= *most, "{port}: {moved:?} have moved\nbefore {before:?}\nafter {after:?}");
    }
    assert!(trial.daemon.terminate()?.success());
    assert_eq!(trial.town.ipvsadm("-Sn")?, "");
    Ok(())
}
