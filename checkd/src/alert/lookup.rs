//! The address of a mail server that is given by name: questions to name servers, one after another, until one has an answer (RFC 1035).
//!
//! COMPAT: keepalived asks once, when it reads its configuration, and waits for the answer; here nothing waits, and a mail that is written
//! later finds the server where it then is.

use crate::check::dns;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use ipc::config::probe::DnsType;
use simple_dns::Packet;
use simple_dns::rdata::RData;

/// How long a name server may take to answer.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// For how long an address is believed, whatever the answer says of that.
pub const BELIEVED: Duration = Duration::from_secs(60);

/// Most questions for one name.
const QUESTIONS: usize = 24;

/// Port of name servers.
const DOMAIN: u16 = 53;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Question {
    server: SocketAddr,
    name: String,
    kind: DnsType,
}

/// The search for one address.
#[derive(Clone, Debug)]
pub struct Lookup {
    left: VecDeque<Question>,
    asked: Option<(u16, Question)>,
}

/// What a datagram says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is no answer to the question.
    Nothing,
    /// The address.
    Address(IpAddr),
    /// Not by this question.
    Not,
}

impl Lookup {
    /// Of a name, with the name servers and the domains of this machine (resolv.conf(5)).
    pub fn new(name: &str, servers: &[IpAddr], search: &[String]) -> Lookup {
        let within = search.iter().map(|domain| format!("{name}.{domain}"));
        let plain = [name.to_string()];
        // resolv.conf(5), ndots: a name with a dot is a whole one first.
        let names: Vec<String> = match name.contains('.') {
            true if name.ends_with('.') => plain.into_iter().collect(),
            true => plain.into_iter().chain(within).collect(),
            false => within.chain(plain).collect(),
        };
        let mut left = VecDeque::new();
        for name in &names {
            for kind in [DnsType::A, DnsType::Aaaa] {
                for server in servers {
                    left.push_back(Question { server: SocketAddr::new(*server, DOMAIN), name: name.clone(), kind });
                }
            }
        }
        left.truncate(QUESTIONS);
        Lookup { left, asked: None }
    }

    /// The next question: whom to ask, and what; `id` is random. `None`: nobody is left.
    pub fn next(&mut self, id: u16) -> Option<(SocketAddr, Vec<u8>)> {
        loop {
            let question = self.left.pop_front()?;
            if let Some(bytes) = dns::query(id, question.kind, &question.name) {
                let server = question.server;
                self.asked = Some((id, question));
                return Some((server, bytes));
            }
        }
    }

    /// Takes a datagram of whoever was asked.
    pub fn hear(&mut self, datagram: &[u8]) -> Heard {
        let Some((id, question)) = &self.asked else { return Heard::Nothing };
        let Some(verdict) = dns::answer(*id, datagram) else { return Heard::Nothing };
        let address = Packet::parse(datagram).ok().and_then(|packet| {
            packet.answers.iter().find_map(|record| match &record.rdata {
                RData::A(a) => Some(IpAddr::V4(a.address.into())),
                RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.address.into())),
                _ => None,
            })
        });
        if let (crate::check::Verdict::Pass, Some(address)) = (verdict, address) {
            return Heard::Address(address);
        }
        // There is no such name, or nothing of that kind: others would say the same.
        if matches!(verdict, crate::check::Verdict::Pass | crate::check::Verdict::Fail(crate::check::Fault::Rcode(3))) {
            let (name, kind) = (question.name.clone(), question.kind);
            self.left.retain(|other| other.name != name || other.kind != kind);
        }
        Heard::Not
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers() -> Vec<IpAddr> {
        ["10.0.0.1", "fd00::1"].iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn questions_come_in_order_and_end() {
        let mut lookup = Lookup::new("mail", &servers(), &["a.test".to_string()]);
        let mut asked = 0;
        while let Some((server, bytes)) = lookup.next(7) {
            assert_eq!(server.port(), DOMAIN);
            let whole = bytes.windows(4).any(|part| part == b"test");
            assert_eq!(whole, asked < 4, "{asked}");
            asked += 1;
        }
        assert_eq!(asked, 8);
        assert_eq!(Lookup::new("m.x.", &servers(), &["a.test".to_string()]).left.len(), 4);
    }

    #[test]
    fn an_answer_has_the_address() {
        let mut lookup = Lookup::new("m.x", &servers(), &[]);
        let (_, question) = lookup.next(7).unwrap();
        assert_eq!(lookup.hear(b"\0\x08\x81\x80\0\0\0\0\0\0\0\0"), Heard::Nothing);
        let mut answer = question.clone();
        answer[2..4].copy_from_slice(b"\x81\x80");
        // NODATA: the second server is not asked for the same.
        assert_eq!(lookup.hear(&answer), Heard::Not);
        assert_eq!(lookup.left.len(), 2);
        answer[7] = 1;
        answer.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\x0a\x01\x02\x03");
        assert_eq!(lookup.hear(&answer), Heard::Address("10.1.2.3".parse().unwrap()));
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(datagram: Vec<u8>) {
            let mut lookup = Lookup::new("m.x", &servers(), &[]);
            let _ = lookup.next(7);
            let _ = lookup.hear(&datagram);
            let _ = lookup.hear(&[&b"\0\x07\x81\x80"[..], &datagram].concat());
        }
    }
}
