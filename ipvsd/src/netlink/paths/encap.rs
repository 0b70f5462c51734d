//! `encap`: what a route wraps packets into (linux/lwtunnel.h, linux/mpls_iptunnel.h, linux/ila.h).

use crate::netlink::attr::Attrs;
use alloc::vec::Vec;
use ipc::config::route::{Encap, TunnelKey};
use ipc::net::Family;

const RTA_ENCAP_TYPE: u16 = 21;
const RTA_ENCAP: u16 = 22;

const TYPE_MPLS: u16 = 1;
const TYPE_IP: u16 = 2;
const TYPE_ILA: u16 = 3;
const TYPE_IP6: u16 = 4;

/// LWTUNNEL_IP_…; LWTUNNEL_IP6_… has the hop limit and the traffic class at the places of TTL and TOS.
const TUNNEL_ID: u16 = 1;
const TUNNEL_DST: u16 = 2;
const TUNNEL_SRC: u16 = 3;
const TUNNEL_TTL: u16 = 4;
const TUNNEL_TOS: u16 = 5;
const TUNNEL_FLAGS: u16 = 6;

const MPLS_DST: u16 = 1;
const ILA_LOCATOR: u16 = 1;

/// RFC 3032 §2.1: label in the upper 20 bits, then the bit that marks the last one.
const LABEL_SHIFT: u32 = 12;
const BOTTOM: u32 = 0x100;

/// Appends it.
pub fn put(encap: &Encap, attrs: &mut Attrs) {
    let mut inner = Attrs::default();
    let kind = match encap {
        Encap::Ip(key) => {
            tunnel(key, &mut inner);
            match key.family {
                Family::V4 => TYPE_IP,
                Family::V6 => TYPE_IP6,
            }
        }
        Encap::Mpls(labels) => {
            inner.put(MPLS_DST, &stack(labels));
            TYPE_MPLS
        }
        Encap::Ila(locator) => {
            inner.put_be64(ILA_LOCATOR, *locator);
            TYPE_ILA
        }
    };
    attrs.put_u16(RTA_ENCAP_TYPE, kind);
    attrs.put_nested(RTA_ENCAP, &inner);
}

fn tunnel(key: &TunnelKey, inner: &mut Attrs) {
    if let Some(id) = key.id {
        inner.put_be64(TUNNEL_ID, id);
    }
    for (kind, addr) in [(TUNNEL_DST, key.dst), (TUNNEL_SRC, key.src)] {
        if let Some(addr) = addr {
            inner.put_addr(kind, addr);
        }
    }
    for (kind, value) in [(TUNNEL_TTL, key.ttl), (TUNNEL_TOS, key.tos)] {
        if let Some(value) = value {
            inner.put_u8(kind, value);
        }
    }
    if let Some(flags) = key.flags {
        inner.put(TUNNEL_FLAGS, &flags.to_be_bytes());
    }
}

fn stack(labels: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (n, label) in labels.iter().enumerate() {
        let bottom = if n.saturating_add(1) == labels.len() { BOTTOM } else { 0 };
        bytes.extend_from_slice(&(label.wrapping_shl(LABEL_SHIFT) | bottom).to_be_bytes());
    }
    bytes
}
