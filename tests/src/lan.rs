//! A LAN of hosts: one bridge in a namespace of its own, each host in another, one cable each.

use crate::capture::Capture;
use crate::failure::{Context, Outcome};
use crate::netns::Netns;
use std::net::Ipv4Addr;

/// The name of every host's interface; the seed configurations say the same.
pub const INTERFACE: &str = "ens33";

/// The bridge that joins the hosts.
#[derive(Debug)]
pub struct Lan {
    netns: Netns,
}

impl Lan {
    /// Makes an empty one. It floods multicast like a simple switch and learns at once.
    pub fn new() -> Outcome<Self> {
        let netns = Netns::new("lan")?;
        netns.ip("link add lan type bridge forward_delay 0 stp_state 0 mcast_snooping 0")?;
        netns.ip("link set lan up")?;
        Ok(Lan { netns })
    }

    /// Adds a host `name` (at most 9 bytes) with an address like `192.168.154.10/24`.
    pub fn host(&self, name: &str, address: &str) -> Outcome<Host> {
        let netns = Netns::new(name)?;
        let port = format!("port-{name}");
        self.netns.ip(&format!("link add {port} type veth peer name {INTERFACE} netns {}", netns.name()))?;
        self.netns.ip(&format!("link set {port} master lan up"))?;
        netns.ip(&format!("link set {INTERFACE} up"))?;
        netns.ip(&format!("addr add {address} brd + dev {INTERFACE}"))?;
        for kind in ["all", "default", INTERFACE] {
            netns.sysctl(&format!("ipv4/conf/{kind}/rp_filter"), "0")?;
        }
        let index = self.netns.enter(|| nix::net::if_::if_nametoindex(port.as_str()))??;
        let mac = mac_of(&netns.ip(&format!("-o link show {INTERFACE}"))?)?;
        let address = address.split('/').next().unwrap_or_default();
        let address = address.parse().context(|| format!("{address} is not an IPv4 address"))?;
        Ok(Host { name: name.to_owned(), netns, port, index, address, mac })
    }

    /// Gives a host another interface on the LAN, without an address.
    pub fn second(&self, host: &Host, interface: &str) -> Outcome {
        let port = format!("{}2", host.port);
        self.netns.ip(&format!("link add {port} type veth peer name {interface} netns {}", host.netns.name()))?;
        self.netns.ip(&format!("link set {port} master lan up"))?;
        host.netns.ip(&format!("link set {interface} up")).map(drop)
    }

    /// Pulls the cable of a host: both ends lose the carrier.
    pub fn unplug(&self, host: &Host) -> Outcome {
        self.netns.ip(&format!("link set {} down", host.port)).map(drop)
    }

    /// Plugs it in again.
    pub fn plug(&self, host: &Host) -> Outcome {
        self.netns.ip(&format!("link set {} up", host.port)).map(drop)
    }

    /// Cuts a host off without its noticing: its link stays up, no frame gets through.
    pub fn isolate(&self, host: &Host) -> Outcome {
        self.netns.ip(&format!("link set {} nomaster", host.port)).map(drop)
    }

    /// Ends [`isolate`](Self::isolate).
    pub fn rejoin(&self, host: &Host) -> Outcome {
        self.netns.ip(&format!("link set {} master lan", host.port)).map(drop)
    }

    /// Starts recording every frame that a host sends, once, where it enters the bridge.
    pub fn capture(&self) -> Outcome<Capture> {
        Capture::start(&self.netns)
    }
}

/// A host on a LAN.
#[derive(Debug)]
pub struct Host {
    /// What the test calls it.
    pub name: String,
    /// Where it lives.
    pub netns: Netns,
    /// Its own address.
    pub address: Ipv4Addr,
    /// Its hardware address.
    pub mac: [u8; 6],
    port: String,
    index: u32,
}

impl Host {
    /// Whether a captured frame was sent by this host.
    pub fn sent(&self, frame: &crate::capture::Frame) -> bool {
        frame.port == self.index
    }

    /// The addresses of its interface, `address/prefix`, in the kernel's order.
    pub fn addresses(&self) -> Outcome<Vec<String>> {
        let text = self.netns.ip(&format!("-o -4 addr show dev {INTERFACE}"))?;
        Ok(text.lines().filter_map(|line| line.split_whitespace().nth(3).map(str::to_owned)).collect())
    }

    /// Whether it has `address` (with or without prefix) on its interface.
    pub fn has(&self, address: &str) -> Outcome<bool> {
        Ok(self.addresses()?.iter().any(|a| a == address || a.split('/').next() == Some(address)))
    }
}

/// The hardware address in a line of `ip -o link show`.
fn mac_of(line: &str) -> Outcome<[u8; 6]> {
    let mut words = line.split_whitespace().skip_while(|word| *word != "link/ether").skip(1);
    let text = words.next().context(|| format!("no hardware address in: {line}"))?;
    let bytes: Vec<u8> = text.split(':').filter_map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    bytes.try_into().ok().context(|| format!("{text} is not a hardware address"))
}
