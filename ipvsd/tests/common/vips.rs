//! The words of a vrrpd about addresses on `v0`, and what the kernel then shows.

use super::ip;
use ipc::config::InstanceIdx;
use ipc::config::filter::VipTable;
use ipc::config::ipvs::{AddrMore, AddrSpec, InstanceAddrs, IpvsConfig, MadeKind, MadeLink};
use ipc::config::vrrp::{Link, Switch};
use ipc::config::{LinkIdx, Origin};
use ipc::msg::vips::{Applied, IpvsToVrrp, Presence, VrrpToIpvs};
use ipc::net::{Family, Mac, Prefix};
use ipc::table::Table;
use std::io::Read;
use std::time::Duration;

pub fn origin() -> Origin {
    Origin { file: "test.conf".into(), line: 7 }
}

pub fn links(names: &[&str]) -> Table<LinkIdx, Link> {
    names.iter().map(|name| Link { name: (*name).into(), origin: origin() }).collect()
}

pub fn spec(prefix: &str) -> AddrSpec {
    let (addr, len) = prefix.split_once('/').expect("ADDR/LEN");
    let prefix = Prefix { addr: addr.parse().expect("an address"), len: len.parse().expect("a length") };
    AddrSpec {
        prefix,
        link: LinkIdx(0),
        broadcast: None,
        scope: 0,
        label: None,
        more: AddrMore::default(),
        origin: origin(),
    }
}

pub fn config(instances: &[(&str, Vec<AddrSpec>)]) -> IpvsConfig {
    let hold = Duration::from_millis(500);
    let instances = instances.iter().map(|(name, addrs)| InstanceAddrs {
        name: (*name).into(),
        addrs: addrs.clone(),
        routes: vec![],
        rules: vec![],
        hold,
        accept: Default::default(),
    });
    IpvsConfig { links: links(&["v0"]), instances: instances.collect(), ..IpvsConfig::default() }
}

/// `use_vmac` on `v0`: a macvlan `vrrp.7`.
pub fn vmac() -> MadeLink {
    MadeLink {
        link: LinkIdx(1),
        parent: LinkIdx(0),
        kind: MadeKind::Macvlan(Mac([0, 0, 0x5e, 0, 1, 7])),
        family: Family::V4,
        group: None,
        link_local: Switch::Off,
        addr: None,
        origin: origin(),
    }
}

/// The table of `no_accept`.
pub fn table() -> VipTable {
    VipTable { name: "keepalived".into(), priority: -1, counters: Switch::Off, outgoing: Switch::On, igmp: Switch::On }
}

pub fn set(instance: u16, want: Presence) -> VrrpToIpvs {
    VrrpToIpvs::SetVips { instance: InstanceIdx(instance), want }
}

pub fn applied(instance: u16, now: Presence) -> IpvsToVrrp {
    IpvsToVrrp::VipsApplied { instance: InstanceIdx(instance), now, result: Applied::All }
}

pub fn synced(message: &IpvsToVrrp) -> bool {
    *message == IpvsToVrrp::Synced
}

/// The addresses of `v0` as `ip -o addr` shows them, without lifetimes.
pub fn shown() -> Vec<String> {
    let lines = ip("-o addr show dev v0");
    let words = |line: &str| {
        let line = line.split('\\').next().unwrap_or_default();
        line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")
    };
    lines.lines().map(words).filter(|line| !line.contains("fe80:")).collect()
}

/// [`shown`] without the owner, which Debian's keepalived does not say, in an order of its own.
pub fn sorted() -> Vec<String> {
    let without_owner = |line: String| line.replace(" proto keepalived", "").replace(" proto 0x12", "");
    let mut lines: Vec<String> = shown().into_iter().map(without_owner).collect();
    lines.sort();
    lines
}

/// `ip monitor address` while something happens. Ended by its pid.
pub struct Monitor(std::process::Child);

impl Monitor {
    pub fn start() -> Monitor {
        let mut command = std::process::Command::new("ip");
        let child = command.args(["-o", "monitor", "address"]).stdout(std::process::Stdio::piped()).spawn();
        std::thread::sleep(Duration::from_millis(200));
        Monitor(child.expect("ip monitor"))
    }

    pub fn stop(mut self) -> Vec<String> {
        std::thread::sleep(Duration::from_millis(100));
        let _ = self.0.kill();
        let mut text = String::new();
        self.0.stdout.take().expect("a pipe").read_to_string(&mut text).expect("text");
        text.lines().map(String::from).collect()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
