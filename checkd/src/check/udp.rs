//! `UDP_CHECK`: a datagram is sent; what is right is no ICMP error, a datagram, or a datagram that looks as it should.

use super::{Fault, Verdict};
use ipc::config::probe::{Reply, Udp};

/// What is sent without `payload`. COMPAT: keepalived 2.2.7, measured.
const PAYLOAD: &[u8] = b"keepalived check - keepalived ch";

/// What is sent.
pub fn payload(udp: &Udp) -> &[u8] {
    if udp.payload.is_empty() { PAYLOAD } else { &udp.payload }
}

/// What a datagram says of the server.
///
/// COMPAT: keepalived 2.4.3: the limits of the length count only where bytes are given, and only as many bytes are
/// compared as both have. That any datagram is as good as none where none is wanted is the same there.
pub fn answer(udp: &Udp, datagram: &[u8]) -> Verdict {
    let Reply::Like { bytes, mask } = &udp.reply else { return Verdict::Pass };
    let length = usize::from(udp.min_length)..=usize::from(udp.max_length);
    let mut pairs = bytes.iter().zip(mask).zip(datagram);
    if length.contains(&datagram.len()) && pairs.all(|((byte, mask), got)| byte & mask == got & mask) {
        Verdict::Pass
    } else {
        Verdict::Fail(Fault::Reply)
    }
}

/// What it says that nothing came in time.
pub fn silence(udp: &Udp) -> Verdict {
    match udp.reply {
        Reply::NotNeeded => Verdict::Pass,
        Reply::Any | Reply::Like { .. } => Verdict::Fail(Fault::ReadTimeout),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right() {
        let like = Reply::Like { bytes: b"\x12\x00\x56".to_vec(), mask: b"\xff\x00\xff".to_vec() };
        let udp = |reply: &Reply| Udp { payload: [].into(), reply: reply.clone(), min_length: 2, max_length: 4 };
        let fail = Verdict::Fail(Fault::Reply);
        for (reply, datagram, verdict) in [
            (&Reply::NotNeeded, &b""[..], Verdict::Pass),
            (&Reply::Any, b"", Verdict::Pass),
            (&Reply::Any, b"123456789", Verdict::Pass),
            (&like, b"\x12\x34\x56", Verdict::Pass),
            (&like, b"\x12\x99\x56\x01", Verdict::Pass),
            (&like, b"\x12\x99", Verdict::Pass),
            (&like, b"\x12", fail),
            (&like, b"\x12\x34\x57", fail),
            (&like, b"\x12\x34\x56\x01\x02", fail),
            (&like, b"", fail),
        ] {
            assert_eq!(answer(&udp(reply), datagram), verdict, "{reply:?} {datagram:?}");
        }
        assert_eq!(silence(&udp(&Reply::NotNeeded)), Verdict::Pass);
        assert_eq!(silence(&udp(&Reply::Any)), Verdict::Fail(Fault::ReadTimeout));
        assert_eq!(payload(&udp(&Reply::Any)).len(), 32);
    }
}
