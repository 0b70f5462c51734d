//! How an instance speaks: sources, destinations, `authentication`.

use super::diag::{Code, Diagnostic};
use super::keyword::{Args, At, Keyword, Reader, no_block, set};
use super::tree::{Statement, Word};
use super::vrrp::{AuthType, Instance};
use alloc::format;
use core::net::IpAddr;
use ipc::config::vrrp::{Peer, Switch};

pub(super) fn source(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance) {
    set(&mut i.source, s.word(1).and_then(|w| r.ip(w)), s);
}

pub(super) fn unicast_source(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance) {
    i.unicast_words = i.unicast_words.or(Some(s.whole()));
    source(r, s, i);
}

pub(super) fn group_ip(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance) {
    let Some(word) = s.word(1) else { return };
    match r.ip(word) {
        // COMPAT: RFC 9568 §5.1.2.2: adverts of IPv6 do not leave the link.
        Some(IpAddr::V6(ip)) if ip.segments().first().is_none_or(|first| first & 0xff0f != 0xff02) => {
            r.bad(word, "a link-local multicast address, such as `ff02::12`");
        }
        Some(ip) if ip.is_multicast() => set(&mut i.group_ip, Some(ip), s),
        Some(_) => r.bad(word, "a multicast address"),
        None => {}
    }
}

/// Most peers of one instance: each advert is sent to each of them.
const PEERS_LIMIT: usize = 255;

/// Lines `IP [min_ttl 0..255] [max_ttl 0..255]`.
pub(super) fn peers(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance) {
    i.unicast_words = i.unicast_words.or(Some(s.whole()));
    for line in s.children() {
        no_block(r, line);
        let Some(addr) = line.word(0).and_then(|w| r.ip(w)) else { continue };
        let mut peer = Peer { addr, min_ttl: 0, max_ttl: 255 };
        let mut words = line.words(1);
        while let Some(option) = words.next() {
            let slot = match option.text() {
                "min_ttl" => &mut peer.min_ttl,
                "max_ttl" => &mut peer.max_ttl,
                _ => {
                    r.bad(option, "`min_ttl` or `max_ttl`");
                    continue;
                }
            };
            let Some(value) = words.next() else {
                let message = format!("`{}` needs a number", option.text());
                r.diags.push(Diagnostic::error(Code::MISSING_ARGUMENT, option.span, message).label("ignored"));
                continue;
            };
            if let Some(ttl) = r.number(Some(value), 0..=255) {
                *slot = ttl;
                i.check_unicast_src = Switch::On; // COMPAT: a ttl range implies it
            }
        }
        if let Some(earlier) = i.peers.iter().find(|p| p.value.addr == addr) {
            let message = format!("{addr} is a peer already");
            r.diags.push(
                Diagnostic::warning(Code::DUPLICATE, line.whole(), message).label("ignored").also(earlier.span, "here"),
            );
        } else if i.peers.len() >= PEERS_LIMIT {
            let message = format!("an instance may have {PEERS_LIMIT} peers");
            r.diags.push(Diagnostic::error(Code::TOO_MANY, line.whole(), message).label("ignored"));
        } else {
            i.peers.push(At::new(peer, line.whole()));
        }
    }
}

/// `authentication`
pub static AUTHENTICATION: &[Keyword<Instance>] = &[
    Keyword::new(
        "auth_type",
        Args::Count(1, 1),
        "PASS|AH",
        "how adverts are authenticated: by a password in them, or by the IPsec header of RFC 2402",
        |r, s, i| match s.word(1).map(Word::text) {
            Some("PASS") => set(&mut i.auth_type, Some(AuthType::Pass), s),
            Some("AH") => set(&mut i.auth_type, Some(AuthType::Ah), s),
            _ => {
                if let Some(word) = s.word(1) {
                    r.bad(word, "`PASS` or `AH`");
                }
            }
        },
    ),
    Keyword::new(
        "auth_pass",
        Args::Count(1, 1),
        "PASSWORD",
        "the password, the same on all routers; eight bytes count",
        auth_pass,
    ),
];

/// Longest PASS password: what the packet has room for.
const PASSWORD_BYTES: usize = 8;

fn auth_pass(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance) {
    let Some(word) = s.word(1) else { return };
    r.diags.hide(word.span);
    let password = word.bytes.get(..PASSWORD_BYTES).unwrap_or(word.bytes);
    if word.bytes.len() > PASSWORD_BYTES {
        let message = format!("`auth_pass` has {} bytes, only the first {PASSWORD_BYTES} count", word.bytes.len());
        let cut = Diagnostic::warning(Code::LONG_PASSWORD, word.span, message);
        r.diags.push(cut.help("what is longer protects nothing; the other routers cut it as well"));
    }
    set(&mut i.auth_pass, Some(password.to_vec()), s);
}
