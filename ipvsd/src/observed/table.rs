//! What the kernel's IPVS holds.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::net::IpAddr;
use ipc::config::ipvs::{Method, ServiceKey};

/// An IPVS service as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceFact {
    /// Which.
    pub key: ServiceKey,
    /// Scheduler.
    pub scheduler: String,
    /// IP_VS_SVC_F_*, HASHED included.
    pub flags: u32,
    /// Persistence timeout in seconds; means something only with the PERSISTENT flag.
    pub timeout: u32,
    /// Persistence granularity: IPv4 netmask as `u32::from(Ipv4Addr)`, or IPv6 prefix length.
    pub netmask: u32,
    /// Persistence engine.
    pub engine: Option<String>,
}

/// An IPVS destination as the kernel shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestFact {
    /// Address.
    pub addr: IpAddr,
    /// Port.
    pub port: u16,
    /// Forwarding method; `None` for one that the configuration cannot ask for (local node, bypass).
    pub method: Option<Method>,
    /// Weight.
    pub weight: u32,
    /// Upper connection threshold.
    pub upper: u32,
    /// Lower connection threshold.
    pub lower: u32,
}

/// What the kernel has counted for a service or a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections.
    pub connections: u64,
    /// Packets in.
    pub in_packets: u64,
    /// Packets out.
    pub out_packets: u64,
    /// Bytes in.
    pub in_bytes: u64,
    /// Bytes out.
    pub out_bytes: u64,
    /// Connections a second.
    pub connection_rate: u64,
    /// Packets in a second.
    pub in_packet_rate: u64,
    /// Packets out a second.
    pub out_packet_rate: u64,
    /// Bytes in a second.
    pub in_byte_rate: u64,
    /// Bytes out a second.
    pub out_byte_rate: u64,
    /// Active connections; of a destination.
    pub active: u32,
    /// Inactive connections; of a destination.
    pub inactive: u32,
    /// Persistent connections; of a destination.
    pub persistent: u32,
}

/// What is counted for services of the configuration, and for their destinations.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// By service.
    pub services: BTreeMap<ServiceKey, Counts>,
    /// By destination.
    pub dests: BTreeMap<(ServiceKey, IpAddr, u16), Counts>,
}

/// Timeouts of IPVS connections in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Established TCP.
    pub tcp: Option<u32>,
    /// TCP after a FIN.
    pub tcp_fin: Option<u32>,
    /// UDP.
    pub udp: Option<u32>,
}

/// What a daemon that synchronises connections does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DaemonState {
    /// It sends.
    Master,
    /// It receives.
    Backup,
}

/// A daemon that synchronises connections; what is `None` is the kernel's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonFact {
    /// What it does.
    pub state: DaemonState,
    /// Name of its interface.
    pub link: String,
    /// What it sends or listens for.
    pub id: u32,
    /// Longest message in bytes.
    pub max_length: Option<u16>,
    /// Multicast group.
    pub group: Option<IpAddr>,
    /// UDP port.
    pub port: Option<u16>,
    /// Time to live.
    pub ttl: Option<u8>,
}

/// IPVS services and their destinations, and what concerns them all.
#[derive(Clone, Debug, Default)]
pub struct Table {
    services: BTreeMap<ServiceKey, Service>,
    /// Daemons that synchronise connections, at most one of each state.
    pub daemons: BTreeMap<DaemonState, DaemonFact>,
    /// The timeouts; `None` if they were not asked for.
    pub timeouts: Option<Timeouts>,
}

/// One service with its destinations.
#[derive(Clone, Debug)]
pub struct Service {
    /// The service itself.
    pub fact: ServiceFact,
    dests: BTreeMap<(IpAddr, u16), Settings>,
}

/// A [`DestFact`] without what it is found by: there may be ten thousand.
#[derive(Clone, Copy, Debug)]
struct Settings {
    method: Option<Method>,
    weight: u32,
    upper: u32,
    lower: u32,
}

impl Service {
    /// The destination with that address and port.
    pub fn dest(&self, (addr, port): (IpAddr, u16)) -> Option<DestFact> {
        let Settings { method, weight, upper, lower } = *self.dests.get(&(addr, port))?;
        Some(DestFact { addr, port, method, weight, upper, lower })
    }

    /// Addresses and ports of its destinations, in order.
    pub fn places(&self) -> impl Iterator<Item = (IpAddr, u16)> {
        self.dests.keys().copied()
    }
}

impl Table {
    /// A service is there (or was changed); its known destinations stay known.
    pub fn service_seen(&mut self, fact: ServiceFact) {
        match self.services.get_mut(&fact.key) {
            Some(service) => service.fact = fact,
            None => {
                self.services.insert(fact.key, Service { fact, dests: BTreeMap::new() });
            }
        }
    }

    /// A service is gone, and with it its destinations.
    pub fn service_gone(&mut self, key: &ServiceKey) {
        self.services.remove(key);
    }

    /// A destination is there. Ignored if its service is not.
    pub fn dest_seen(&mut self, key: &ServiceKey, fact: DestFact) {
        if let Some(service) = self.services.get_mut(key) {
            let DestFact { addr, port, method, weight, upper, lower } = fact;
            service.dests.insert((addr, port), Settings { method, weight, upper, lower });
        }
    }

    /// A destination is gone.
    pub fn dest_gone(&mut self, key: &ServiceKey, addr: IpAddr, port: u16) {
        if let Some(service) = self.services.get_mut(key) {
            service.dests.remove(&(addr, port));
        }
    }

    /// All services are gone.
    pub fn clear(&mut self) {
        self.services.clear();
    }

    /// A service.
    pub fn service(&self, key: &ServiceKey) -> Option<&Service> {
        self.services.get(key)
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &ServiceKey> {
        self.services.keys()
    }
}
