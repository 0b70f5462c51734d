//! Next hops of routes: `via`, `dev`, `onlink`, `realms`, `encap`, and several of them after `nexthop`.

use super::diag::{Code, Diagnostic};
use super::keyword::{At, Reader};
use super::options::{Options, number, realms, tos, up_to};
use super::tree::Word;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ipc::config::route::{Encap, TunnelKey};
use ipc::config::vrrp::Switch;
use ipc::net::{Family, Prefix};

/// A hop as it is written.
pub type Hop = ipc::config::route::Hop<At<String>>;

/// The destination that is everything.
pub fn any(family: Family) -> Prefix {
    let addr = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    Prefix { addr, len: 0 }
}

/// One option of a hop. Gives the family of `via`, if it was that; `None` when the line is at fault, which was said.
pub fn option(
    r: &mut Reader<'_>,
    option: Word<'_>,
    options: &mut Options<'_>,
    hop: &mut Hop,
) -> Option<Option<Family>> {
    match option.text() {
        "onlink" => hop.onlink = Switch::On,
        "via" | "gw" => return via(r, option, options, hop).map(Some),
        "dev" | "oif" => {
            let word = options.value(r, option)?;
            hop.link = Some(r.link_name(word)?);
        }
        "realms" => {
            let word = options.value(r, option)?;
            hop.realms = Some(realms(r, word)?);
        }
        "weight" => {
            let word = options.value(r, option)?;
            hop.weight = Some(r.number(Some(word), 1..=256)?);
        }
        _ => hop.encap = Some(encap(r, option, options)?),
    }
    Some(None)
}

/// `via [inet|inet6] IP`
fn via(r: &mut Reader<'_>, option: Word<'_>, options: &mut Options<'_>, hop: &mut Hop) -> Option<Family> {
    if option.text() == "gw" {
        let old = Diagnostic::warning(Code::DEPRECATED, option.span, "`gw` is an old name of `via` and works as that");
        r.diags.push(old.patch(option.span, "via"));
    }
    let family = if options.take("inet") {
        Some(Family::V4)
    } else if options.take("inet6") {
        Some(Family::V6)
    } else {
        None
    };
    let word = options.value(r, option)?;
    let ip = r.ip(word)?;
    if family.is_some_and(|f| f != Family::of(ip)) {
        r.bad(word, "an address of that family");
        return None;
    }
    hop.via = Some(ip);
    Some(Family::of(ip))
}

/// `nexthop …` up to the end of the line: hops, each begun by `nexthop`. `or IP` is one too.
pub fn several(
    r: &mut Reader<'_>,
    first: Word<'_>,
    options: &mut Options<'_>,
    hops: &mut Vec<Hop>,
) -> Option<Option<Family>> {
    let mut family = None;
    let mut hop = Hop::default();
    if first.text() == "or" {
        family = Some(via(r, first, options, &mut hop)?);
        hops.push(hop);
        return Some(family);
    }
    let mut begin = first;
    while let Some(word) = options.next() {
        match word.text() {
            "nexthop" => {
                finish(r, begin, core::mem::take(&mut hop), hops)?;
                begin = word;
            }
            "via" | "dev" | "oif" | "weight" | "onlink" | "encap" | "realms" => {
                family = family.or(option(r, word, options, &mut hop)?);
            }
            _ => {
                super::options::unknown(r, word, "a next hop", &["via", "dev", "weight", "onlink", "encap", "realms"]);
                return None;
            }
        }
    }
    finish(r, begin, hop, hops)?;
    Some(family)
}

fn finish(r: &mut Reader<'_>, begin: Word<'_>, hop: Hop, hops: &mut Vec<Hop>) -> Option<()> {
    if hop.via.is_none() && hop.link.is_none() {
        let message = "`nexthop` needs `via` or `dev`";
        r.diags.push(Diagnostic::error(Code::INCOMPLETE, begin.span, message).label("this line is ignored"));
        return None;
    }
    hops.push(hop);
    Some(())
}

/// `encap ip|ip6|mpls|ila …`
fn encap(r: &mut Reader<'_>, option: Word<'_>, options: &mut Options<'_>) -> Option<Encap> {
    let kind = options.value(r, option)?;
    match kind.text() {
        "ip" => tunnel(r, options, Family::V4),
        "ip6" => tunnel(r, options, Family::V6),
        "mpls" => {
            let word = options.value(r, kind)?;
            // RFC 3032 §2.1: labels have 20 bits.
            let one = |text: &str| number(text).filter(|n| *n < 1 << 20).and_then(|n| u32::try_from(n).ok());
            let labels: Option<Vec<u32>> = word.text().split('/').map(one).collect();
            if labels.is_none() {
                r.bad(word, "MPLS labels: N[/N…], each below 1048576");
            }
            labels.map(Encap::Mpls)
        }
        "ila" => {
            let word = options.value(r, kind)?;
            let parts: Vec<Option<u64>> =
                word.text().split(':').map(|t| u16::from_str_radix(t, 16).ok().map(u64::from)).collect();
            let locator = match parts.as_slice() {
                [Some(a), Some(b), Some(c), Some(d)] => Some(a << 48 | b << 32 | c << 16 | d),
                _ => None,
            };
            if locator.is_none() {
                r.bad(word, "an ILA locator: four groups of hexadecimal digits with : between");
            }
            locator.map(Encap::Ila)
        }
        _ => {
            r.bad(kind, "`ip`, `ip6`, `mpls` or `ila`");
            None
        }
    }
}

fn tunnel(r: &mut Reader<'_>, options: &mut Options<'_>, family: Family) -> Option<Encap> {
    let mut key = TunnelKey { family, id: None, dst: None, src: None, tos: None, ttl: None, flags: None };
    while let Some(option) = options.peek() {
        let name = option.text();
        if !matches!(name, "id" | "dst" | "src" | "tos" | "tc" | "ttl" | "hoplimit" | "flags") {
            break;
        }
        options.next();
        let value = options.value(r, option)?;
        match name {
            "id" => key.id = Some(up_to(r, value, u64::MAX)?),
            "dst" => key.dst = Some(end(r, value, family)?),
            "src" => key.src = Some(end(r, value, family)?),
            "tos" | "tc" => key.tos = Some(tos(r, value)?),
            "ttl" | "hoplimit" => key.ttl = Some(up_to(r, value, 255)?),
            _ => key.flags = Some(up_to(r, value, 65_535)?),
        }
    }
    Some(Encap::Ip(key))
}

fn end(r: &mut Reader<'_>, word: Word<'_>, family: Family) -> Option<IpAddr> {
    let ip = r.ip(word)?;
    if Family::of(ip) != family {
        r.bad(word, "an address of the tunnel's family");
        return None;
    }
    Some(ip)
}
