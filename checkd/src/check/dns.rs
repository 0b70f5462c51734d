//! `DNS_CHECK`: one question, and a response to it without an error. COMPAT: keepalived 2.4.3: the answer itself is not
//! looked at; what is no response to the question is as if it had not come.

use super::{Fault, Verdict};
use alloc::vec::Vec;
use ipc::config::probe::DnsType;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, Question, TYPE, header_buffer};

/// Longest datagram that is answered to a question without EDNS (RFC 1035 §2.3.4); the header alone is read.
pub const MESSAGE_LIMIT: usize = 512;

/// The question, recursion desired, with this id. `None`: the name is none.
pub fn query(id: u16, kind: DnsType, name: &str) -> Option<Vec<u8>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let kind = QTYPE::TYPE(TYPE::from(number(kind)));
    packet.questions.push(Question::new(Name::new(name).ok()?, kind, CLASS::IN.into(), false));
    packet.build_bytes_vec().ok()
}

/// What a datagram says of the server; `None`: it is no answer to question `id`.
pub fn answer(id: u16, datagram: &[u8]) -> Option<Verdict> {
    // RFC 1035 §4.1.1: the header has twelve bytes.
    let header = datagram.get(..12)?;
    if header_buffer::id(header).ok()? != id || !header_buffer::has_flags(header, PacketFlag::RESPONSE).ok()? {
        return None;
    }
    // The low half of the fourth byte; simple-dns names the codes, the log wants the number.
    let rcode = header.get(3)? & 0xf;
    Some(if rcode == 0 { Verdict::Pass } else { Verdict::Fail(Fault::Rcode(rcode)) })
}

/// RFC 1035 §3.2.2, RFC 3596, RFC 4034.
fn number(kind: DnsType) -> u16 {
    match kind {
        DnsType::A => 1,
        DnsType::Ns => 2,
        DnsType::Cname => 5,
        DnsType::Soa => 6,
        DnsType::Mx => 15,
        DnsType::Txt => 16,
        DnsType::Aaaa => 28,
        DnsType::Rrsig => 46,
        DnsType::Dnskey => 48,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// keepalived 2.2.7, captured: `type A`, no name.
    #[test]
    fn the_question_of_keepalived() {
        let wire = b"\xa7\x1b\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01";
        assert_eq!(query(0xa71b, DnsType::A, ".").unwrap(), wire);
        let wire = b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x02bc\x00\x00\x30\x00\x01";
        assert_eq!(query(1, DnsType::Dnskey, "a.bc.").unwrap(), wire);
        assert_eq!(query(1, DnsType::Soa, &"x".repeat(64)), None);
    }

    #[test]
    fn only_a_response_with_the_id_is_an_answer() {
        let fail = |code| Some(Verdict::Fail(Fault::Rcode(code)));
        let rest = [0u8; 8];
        for (head, verdict) in [
            ([1, 2, 0x81, 0x80], Some(Verdict::Pass)),
            ([1, 2, 0x80, 0x00], Some(Verdict::Pass)),
            ([1, 2, 0x81, 0x83], fail(3)),
            ([1, 2, 0x81, 0x8f], fail(15)),
            ([1, 2, 0x01, 0x00], None),
            ([1, 3, 0x81, 0x80], None),
        ] {
            assert_eq!(answer(0x0102, &[&head[..], &rest[..]].concat()), verdict, "{head:?}");
        }
        assert_eq!(answer(0x0102, b"\x01\x02\x81\x80\0\0\0\0\0\0\0"), None);
        assert_eq!(answer(0x0102, b""), None);
    }
}
