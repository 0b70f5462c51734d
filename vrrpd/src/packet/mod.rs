//! What goes over the wire. Every reader here takes any bytes and answers with a reason, never with a panic.

pub mod advert;
pub mod arp;
pub mod auth;
pub mod checksum;
pub mod ip;
pub mod receive;

/// IP protocol number of VRRP.
pub const PROTOCOL: u8 = 112;
