//! `virtual_server_group` blocks: lines of addresses, ranges and marks. COMPAT: keepalived 2.4.3.

use super::diag::{Code, Diagnostic};
use super::keyword::{At, Reader, no_block};
use super::source::Span;
use super::tree::{Statement, Word};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ipc::config::ipvs::GroupEntry;
use ipc::net::Family;

/// A `virtual_server_group` block.
#[derive(Clone, Debug)]
pub struct ServerGroup {
    /// Its name.
    pub name: At<String>,
    /// Its lines that make sense; none when the block as a whole does not.
    pub entries: Vec<GroupEntry>,
    /// Its first line.
    pub span: Span,
}

/// Most addresses of one line: each is a service of its own.
const ADDRESSES: u128 = 65_536;

/// Reads the lines of a block.
pub fn read(r: &mut Reader<'_>, s: Statement<'_>, name: At<String>) -> ServerGroup {
    let mut group = ServerGroup { name, entries: Vec::new(), span: s.whole() };
    for line in s.children() {
        no_block(r, line);
        let entry = match line.keyword() {
            "fwmark" => mark(r, line),
            _ => addresses(r, line),
        };
        group.entries.extend(entry);
    }
    if let Some(message) = unusable(&group) {
        r.diags
            .push(Diagnostic::error(Code::INCOMPLETE, group.span, message).label("virtual servers of it are ignored"));
        group.entries.clear();
    }
    group
}

/// COMPAT: keepalived 2.2.7: the family of a mark is that of the real servers, which cannot be both.
fn unusable(group: &ServerGroup) -> Option<String> {
    let has = |f: fn(&GroupEntry) -> bool| group.entries.iter().any(f);
    let name = &group.name.value;
    if group.entries.is_empty() {
        return Some(format!("`virtual_server_group {name}` has no address and no mark"));
    }
    let mixed = has(|e| matches!(e, GroupEntry::Fwmark { family: None, .. }))
        && has(|e| matches!(e, GroupEntry::Addrs { first: IpAddr::V4(_), .. }))
        && has(|e| matches!(e, GroupEntry::Addrs { first: IpAddr::V6(_), .. }));
    mixed.then(|| {
        format!("`virtual_server_group {name}` has addresses of both families, so its marks need `inet` or `inet6`")
    })
}

fn extra(r: &mut Reader<'_>, line: Statement<'_>, from: usize) {
    if let Some(word) = line.word(from) {
        let message = "this line takes no more words; this is ignored";
        r.diags.push(Diagnostic::warning(Code::EXTRA_WORDS, word.span.to(line.whole()), message));
    }
}

fn mark(r: &mut Reader<'_>, line: Statement<'_>) -> Option<GroupEntry> {
    let Some(word) = line.word(1) else {
        let message = "`fwmark` needs a number";
        r.diags.push(Diagnostic::error(Code::MISSING_ARGUMENT, line.whole(), message).label("ignored"));
        return None;
    };
    let mark = r.number(Some(word), 0..=i64::from(u32::MAX))?;
    let family = match line.word(2) {
        None => None,
        Some(word) => match word.text() {
            "inet" => Some(Family::V4),
            "inet6" => Some(Family::V6),
            _ => {
                r.bad(word, "`inet` or `inet6`");
                return None;
            }
        },
    };
    extra(r, line, 3);
    Some(GroupEntry::Fwmark { mark, family })
}

fn addresses(r: &mut Reader<'_>, line: Statement<'_>) -> Option<GroupEntry> {
    let word = line.word(0)?;
    let port = match line.word(1) {
        Some(port) => r.port(port, true)?,
        None => 0,
    };
    extra(r, line, 2);
    let (first, last) = match range(word.text()) {
        Ok(range) => range,
        Err(wanted) => {
            r.bad(word, wanted);
            return None;
        }
    };
    too_many(r, word, first, last).then_some(GroupEntry::Addrs { first, last, port })
}

fn too_many(r: &mut Reader<'_>, word: Word<'_>, first: IpAddr, last: IpAddr) -> bool {
    let count = number(last).saturating_sub(number(first)).saturating_add(1);
    if count > ADDRESSES {
        let message = format!("these are {count} addresses, each of which is a service; {ADDRESSES} are allowed");
        r.diags.push(Diagnostic::error(Code::TOO_MANY, word.span, message).label("ignored"));
    }
    count <= ADDRESSES
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// `IP`, `IP-N`, `IP-IP`, `IP/LEN`; the last of `IP-N` replaces the last byte (IPv4, decimal) or the last 16 bits (IPv6, hexadecimal).
fn range(text: &str) -> Result<(IpAddr, IpAddr), &'static str> {
    const ADDRESS: &str = "an address, a range of addresses or a network";
    if let Some((ip, length)) = text.split_once('/') {
        let ip: IpAddr = ip.parse().map_err(|_| ADDRESS)?;
        let bits = if ip.is_ipv4() { 32 } else { 128 };
        let length: u32 = length.parse().ok().filter(|n| *n <= bits).ok_or("a network with a valid prefix length")?;
        let hosts = 1_u128.checked_shl(bits.saturating_sub(length)).map_or(u128::MAX, |n| n.saturating_sub(1));
        if number(ip) & hosts != 0 {
            return Err("a network: bits beyond the prefix must be 0");
        }
        return Ok((ip, ip_of(ip, number(ip) | hosts)));
    }
    let Some((first, last)) = text.split_once('-') else {
        let ip = text.parse().map_err(|_| ADDRESS)?;
        return Ok((ip, ip));
    };
    let first: IpAddr = first.parse().map_err(|_| ADDRESS)?;
    let last = match (first, last.parse::<IpAddr>()) {
        (_, Ok(last)) => last,
        (IpAddr::V4(v4), Err(_)) => {
            let n: u8 = last.parse().map_err(|_| ADDRESS)?;
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & !0xff | u32::from(n)))
        }
        (IpAddr::V6(v6), Err(_)) => {
            let n = u16::from_str_radix(last, 16).map_err(|_| ADDRESS)?;
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !0xffff | u128::from(n)))
        }
    };
    if first.is_ipv4() != last.is_ipv4() || number(last) < number(first) {
        return Err("a range whose end is not below its beginning");
    }
    Ok((first, last))
}

fn ip_of(like: IpAddr, bits: u128) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX))),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_are_read_as_keepalived_does() {
        let of = |text: &str| range(text).map(|(a, b)| alloc::format!("{a} {b}")).ok();
        assert_eq!(of("10.0.0.1").as_deref(), Some("10.0.0.1 10.0.0.1"));
        assert_eq!(of("10.0.0.1-20").as_deref(), Some("10.0.0.1 10.0.0.20"));
        assert_eq!(of("10.0.0.1-10.0.1.2").as_deref(), Some("10.0.0.1 10.0.1.2"));
        assert_eq!(of("fd00::1-1f").as_deref(), Some("fd00::1 fd00::1f"));
        assert_eq!(of("10.0.0.0/30").as_deref(), Some("10.0.0.0 10.0.0.3"));
        assert_eq!(of("::/0").as_deref(), Some(":: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
        for wrong in
            ["10.0.0.9-8", "10.0.0.1-256", "10.0.0.1/24", "10.0.0.0/33", "fd00::1-1ffff", "10.0.0.1-fd00::1", "x"]
        {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
