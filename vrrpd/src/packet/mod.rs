//! What goes over the wire. Every reader here takes any bytes and answers with a reason, never with a panic.

pub mod advert;
pub mod ah;
pub mod arp;
pub mod auth;
pub mod bfd;
pub mod checksum;
pub mod hmac;
pub mod ip;
pub mod ndisc;
pub mod receive;

/// IP protocol number of VRRP.
pub const PROTOCOL: u8 = 112;

/// IP protocol number of the authentication header (RFC 2402).
pub const PROTOCOL_AH: u8 = 51;
