//! Names of services and destinations for log lines, as keepalived writes them.

use crate::observed::Counts;
use alloc::format;
use alloc::string::String;
use core::net::IpAddr;
use ipc::config::ipvs::{Protocol, ServiceKey};
use ipc::net::Family;

/// `[10.0.0.1]:tcp:80`, `FWM 7`, `FWM 7 IPv6`
pub fn service(key: &ServiceKey) -> String {
    match key {
        ServiceKey::Addr { addr, port, protocol } => {
            let protocol = match protocol {
                Protocol::Tcp => "tcp",
                Protocol::Udp => "udp",
                Protocol::Sctp => "sctp",
            };
            format!("[{addr}]:{protocol}:{port}")
        }
        ServiceKey::Fwmark { mark, family: Family::V4 } => format!("FWM {mark}"),
        ServiceKey::Fwmark { mark, family: Family::V6 } => format!("FWM {mark} IPv6"),
    }
}

/// `[10.0.0.2]:80`
pub fn dest(addr: IpAddr, port: u16) -> String {
    format!("[{addr}]:{port}")
}

/// What was counted, in numbers of 64 bits.
pub fn counts(c: &Counts) -> String {
    format!(
        "connections {}, packets {} in {} out, bytes {} in {} out; a second: connections {}, packets {} in {} out, bytes {} in {} out",
        c.connections,
        c.in_packets,
        c.out_packets,
        c.in_bytes,
        c.out_bytes,
        c.connection_rate,
        c.in_packet_rate,
        c.out_packet_rate,
        c.in_byte_rate,
        c.out_byte_rate,
    )
}
