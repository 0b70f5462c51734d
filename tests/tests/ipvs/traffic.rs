//! A client that asks the virtual address, with every way from the director to the real servers.

use super::{SETTLED, Stage, TCP, service};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::http;
use tests::lan::{Host, INTERFACE};

/// A director of ours that is master, and a client.
struct Served {
    stage: Stage,
    client: Host,
}

impl Served {
    fn new() -> Outcome<Served> {
        let stage = Stage::new()?;
        let client = stage.lan.host("client", "192.168.154.100/24")?;
        Ok(Served { stage, client })
    }

    /// Runs a configuration until both web servers have answered the client.
    fn both_answer(&self, config: &str) -> Outcome {
        let vrrp = tests::config::Vrrp::master(100).to_string();
        let config = format!("{vrrp}\n{}", config.replace("global_defs {\n    router_id test\n}\n", ""));
        let daemon = Daemon::start(Program::under_test(), &self.stage.ours, &config)?;
        let vip: SocketAddr = "192.168.154.188:80".parse()?;
        let mut answered = BTreeSet::new();
        wait_until("both web servers answer the client", SETTLED, || {
            answered.extend(self.client.netns.enter(|| http::get(vip, "/", Duration::from_secs(2)))?);
            Ok(answered.len() == 2)
        })
        .map_err(|failure| tests::pair::with_log(&failure, &daemon))
    }
}

#[test]
fn traffic_with_direct_routing() -> Outcome {
    Served::new()?.both_answer(&service("lb_algo rr\n    lb_kind DR", "", TCP))
}

/// The answers go back through the director, which is the web servers' way to the client.
#[test]
fn traffic_with_nat() -> Outcome {
    let served = Served::new()?;
    let director = &served.stage.ours.netns;
    director.sysctl("ipv4/ip_forward", "1")?;
    for key in ["all", INTERFACE] {
        director.sysctl(&format!("ipv4/conf/{key}/send_redirects"), "0")?;
    }
    for web in &served.stage.hosts {
        web.netns.ip(&format!("route add 192.168.154.100/32 via {}", served.stage.ours.address))?;
    }
    served.both_answer(&service("lb_algo rr\n    lb_kind NAT", "", TCP))
}

/// What the client sends gets a mark where it comes in.
#[test]
fn traffic_by_firewall_mark() -> Outcome {
    let served = Served::new()?;
    let director = &served.stage.ours.netns;
    for arguments in [
        format!("qdisc add dev {INTERFACE} clsact"),
        format!(
            "filter add dev {INTERFACE} ingress protocol ip u32 match ip dst 192.168.154.188/32 match ip dport 80 0xffff \
             action skbedit mark 7"
        ),
    ] {
        tests::netns::run(director.command("tc").args(arguments.split_whitespace()))?;
    }
    let config = service("lb_algo rr\n    lb_kind DR", "", TCP);
    served.both_answer(&config.replace("192.168.154.188 80", "fwmark 7"))
}

/// An IPv4 service with one real server behind a tunnel of IPv4 and one behind a tunnel of IPv6; then behind GUE and GRE.
#[test]
fn traffic_through_tunnels() -> Outcome {
    let served = Served::new()?;
    let [four, six] = &served.stage.hosts;
    for (host, address) in [(&served.stage.ours, "fd00:9::11/64"), (six, "fd00:9::13/64")] {
        for key in ["all", INTERFACE] {
            host.netns.sysctl(&format!("ipv6/conf/{key}/disable_ipv6"), "0")?;
        }
        host.netns.ip(&format!("addr add {address} dev {INTERFACE} nodad"))?;
    }
    // Whoever sends it: the address of the director is that of its interface.
    four.netns.ip("link add tunnel type ipip local 192.168.154.12 remote 192.168.154.11")?;
    six.netns.ip("link add tunnel type ip6tnl mode ipip6 local fd00:9::13 remote fd00:9::11")?;
    for host in [four, six] {
        host.netns.ip("link set tunnel up")?;
        for key in ["all", "tunnel"] {
            host.netns.sysctl(&format!("ipv4/conf/{key}/rp_filter"), "0")?;
        }
    }
    let config = service("lb_algo rr\n    lb_kind TUN", "", TCP);
    let check = "connect_timeout 1";
    let config = config.replace("real_server 192.168.154.13 80", "real_server fd00:9::13 80");
    // nginx listens on IPv4 alone: what is checked is its address there.
    let at = config.rfind(check).unwrap_or(0);
    let config = format!("{}connect_ip 192.168.154.13\n            {}", &config[..at], &config[at..]);
    served.both_answer(&config)?;

    // GUE to one, whose contents come to the tunnel that is there, and GRE to the other.
    // Nothing loads this module when it is asked for.
    tests::netns::run(std::process::Command::new("modprobe").arg("fou"))?;
    four.netns.ip("fou add port 6080 gue")?;
    six.netns.ip("link add tunnel4 type gre local 192.168.154.13 remote 192.168.154.11")?;
    six.netns.ip("link set tunnel4 up")?;
    six.netns.sysctl("ipv4/conf/tunnel4/rp_filter", "0")?;
    let config = service("lb_algo rr\n    lb_kind TUN", "", TCP);
    let config = config.replace("weight 1", "lvs_method TUN type gue port 6080 csum\n        weight 1");
    served.both_answer(&config.replace("weight 3", "lvs_method TUN type gre\n        weight 1"))
}
