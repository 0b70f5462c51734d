//! Whatever comes in on a netlink socket is cut into facts, and nothing panics; a fact about IPVS that was read is written and
//! read again the same. Runs as an ordinary test for a while; `cargo bolero test -p ipvsd --test fuzz NAME` searches on.

// What a test needs and has not got ends it.
#![allow(clippy::expect_used)]

use ipvsd::netlink::Bus;
use ipvsd::netlink::ipvs::{Attribute, Message, daemon, dest, request, service};
use ipvsd::netlink::reply::{Socket, read};
use netlink_packet_core::ParseableParametrized;
use netlink_packet_generic::GenlMessage;

const FAMILY: u16 = 0x22;

#[test]
fn datagrams_of_any_bytes() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let sockets = [
            Socket::Command(Bus::Generic),
            Socket::Command(Bus::Route),
            Socket::Command(Bus::Filter),
            Socket::Monitor { own_port: 0x0101_0101 },
        ];
        for socket in sockets {
            let mut facts = Vec::new();
            read(socket, bytes, &mut facts);
            // Each takes at least a header, and says at most two things.
            assert!(facts.len() <= bytes.len() / 8 + 2, "{} facts of {} bytes", facts.len(), bytes.len());
        }
    });
}

/// The payload behind a netlink header, of every kind that a dump may hold.
#[test]
fn messages_of_ipvs() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let Ok(message) = GenlMessage::<Message>::parse_with_param(bytes, FAMILY) else { return };
        for attribute in &message.payload.attributes {
            match attribute {
                Attribute::Service(all) => {
                    if let Some(fact) = service::fact(all) {
                        assert_eq!(service::fact(&service::whole(&fact)), Some(fact.clone()));
                        let _ = request::add_service(FAMILY, &fact);
                    }
                }
                Attribute::Dest(all) => {
                    if let Some(fact) = dest::fact(all).filter(|fact| fact.method.is_some()) {
                        assert_eq!(dest::fact(&dest::whole(&fact)), Some(fact));
                    }
                }
                Attribute::Daemon(all) => {
                    if let Some(fact) = daemon::fact(all) {
                        assert_eq!(daemon::fact(&daemon::whole(&fact)), Some(fact));
                    }
                }
                _ => {}
            }
        }
    });
}
