//! Whatever comes in on a netlink socket is cut into facts, and nothing panics; a fact about IPVS that was read is written and
//! read again the same. Runs as an ordinary test for a while; `cargo bolero test -p ipvsd --test fuzz NAME` searches on.

// What a test needs and has not got ends it.
#![allow(clippy::expect_used)]

use ipc::config::ipvs::ServiceKey;
use ipc::net::Family;
use ipvsd::netlink::Bus;
use ipvsd::netlink::ipvs::{Attribute, Message, daemon, dest, request, service};
use ipvsd::netlink::paths::Request;
use ipvsd::netlink::reply::{Socket, read};
use netlink_packet_core::ParseableParametrized;
use netlink_packet_generic::GenlMessage;

const FAMILY: u16 = 0x22;

const KEY: ServiceKey = ServiceKey::Fwmark { mark: 1, family: Family::V4 };

/// What a request says.
fn sent(request: &Request) -> Vec<Attribute> {
    let message = GenlMessage::<Message>::parse_with_param(request.payload.as_slice(), FAMILY);
    message.expect("a request that can be read").payload.attributes
}

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
                        let again = sent(&request::add_service(FAMILY, &fact));
                        let [Attribute::Service(all)] = &again[..] else { panic!("{again:?}") };
                        assert_eq!(service::fact(all), Some(fact));
                    }
                }
                Attribute::Dest(all) => {
                    if let Some(fact) = dest::fact(all).filter(|fact| fact.method.is_some()) {
                        let again = sent(&request::add_dest(FAMILY, &KEY, &fact));
                        let [Attribute::Service(_), Attribute::Dest(all)] = &again[..] else { panic!("{again:?}") };
                        assert_eq!(dest::fact(all), Some(fact));
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
