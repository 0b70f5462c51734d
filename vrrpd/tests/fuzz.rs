//! Any bytes through every decoder: `cargo test` tries some, a fuzzer as many as it likes (bolero).

use ipc::config::Secret;
use ipc::config::vrrp::Auth;
use std::net::{IpAddr, Ipv4Addr};
use vrrpd::packet::receive::Packet;
use vrrpd::packet::{advert, ah, auth, hmac, ip};

/// Version 2, version 3, either family, with and without an authentication header: what is not VRRP is refused, what is keeps its bounds.
#[test]
fn packets() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Ok((header, payload)) = ip::split(bytes) {
            assert_eq!(bytes.len(), header.header_len + payload.len());
        }
        let Ok(packet) = Packet::parse(bytes) else { return };
        let advert = advert::Incoming::parse(packet.payload, packet.header.family()).expect("a whole header");
        assert!(advert.addrs().count() <= usize::from(advert.count));
        let _ = (advert.auth_data(), advert.interval(), advert.expected_len());
        if let Some(ah) = &packet.header.ah {
            let key = auth::ah_key(&Auth::Ah(Secret::new(b"secret".to_vec()))).expect("a key");
            for ttl in [ah::Ttl::Covered, ah::Ttl::Mutable] {
                assert!(!ah::verify(&key, ah, ttl, bytes, &packet.header), "a forged check value");
            }
        }
    });
}

/// The same behind headers that are right, so that more of it is reached.
#[test]
fn adverts() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let mut whole = vec![0x45, 0xc0, 0, 0, 0, 1, 0, 0, 255, 112, 0, 0, 10, 0, 0, 9, 224, 0, 0, 18];
        whole.extend_from_slice(bytes);
        if let Ok(packet) = Packet::parse(&whole) {
            assert_eq!(packet.payload, bytes);
            assert_eq!(Some(packet.vrid()), bytes.get(1).copied());
        }
    });
}

#[test]
fn authentication_headers() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Some((_, rest)) = ah::split(bytes) {
            assert_eq!(rest.len() + ah::HEADER_LEN, bytes.len());
        }
    });
}

#[test]
fn trailers() {
    let source = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Some(trailer) = hmac::parse(bytes) {
            assert_eq!(bytes.len(), hmac::TRAILER_LEN);
            assert!(!hmac::verify(&[7; 32], &trailer, source, bytes), "a forged signature");
        }
    });
}

/// BFD: what is refused by none of the rules is whole and is written as it was read.
#[test]
fn bfd() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Some(control) = vrrpd::packet::bfd::Control::parse(bytes) {
            assert!(control.mine != 0 && control.multiplier != 0);
            assert_eq!(vrrpd::packet::bfd::Control::parse(&control.encode()), Some(control));
        }
    });
}
