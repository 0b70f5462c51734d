//! Address records: the lines of `virtual_ipaddress` and `virtual_ipaddress_excluded`.
//!
//! COMPAT: keepalived 2.4.3: `IP[/PFX]`, then options in any order; /32 or /128 when no prefix is given; unknown options
//! are reported and ignored.

use super::diag::{Code, Diagnostic};
use super::keyword::{At, Reader, no_block, shown};
use super::options::scope;
use super::source::Span;
use super::tree::{Statement, Word};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use ipc::config::ipvs::AddrMore;
use ipc::config::vrrp::Switch;
use ipc::net::Prefix;

/// An address record.
#[derive(Clone, Debug)]
pub struct Address {
    /// Address and prefix.
    pub prefix: Prefix,
    /// `dev`
    pub link: Option<At<String>>,
    /// `brd`, `+` and `-` already worked out.
    pub broadcast: Option<Ipv4Addr>,
    /// `scope`
    pub scope: u8,
    /// `label`
    pub label: Option<String>,
    /// The other options.
    pub more: AddrMore,
    /// `no_track`: the interface's state does not matter.
    pub no_track: Switch,
    /// `track_group`, static addresses only.
    pub group: Option<At<String>>,
    /// The line.
    pub span: Span,
}

/// Longest label (`IFNAMSIZ` without its NUL).
const LABEL_BYTES: usize = 15;

/// Whose addresses they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Instance,
    Static,
}

/// The lines of an address block of an instance.
pub fn records(r: &mut Reader<'_>, s: Statement<'_>, list: &mut Vec<Address>) {
    lines(r, s, Whose::Instance, list);
}

/// The lines of `static_ipaddress`.
pub fn statics(r: &mut Reader<'_>, s: Statement<'_>, list: &mut Vec<Address>) {
    lines(r, s, Whose::Static, list);
}

fn lines(r: &mut Reader<'_>, s: Statement<'_>, whose: Whose, list: &mut Vec<Address>) {
    for line in s.children() {
        no_block(r, line);
        list.extend(record(r, line, whose));
    }
}

const KNOWN: &[&str] = &[
    "dev",
    "brd",
    "broadcast",
    "scope",
    "label",
    "peer",
    "home",
    "mngtmpaddr",
    "noprefixroute",
    "autojoin",
    "-nodad",
    "preferred_lft",
    "no_track",
    "track_group",
    "use_vmac",
];

fn record(r: &mut Reader<'_>, s: Statement<'_>, whose: Whose) -> Option<Address> {
    let prefix = prefix(r, s.word(0)?)?;
    let mut address = Address {
        prefix,
        link: None,
        broadcast: None,
        scope: 0,
        label: None,
        more: AddrMore::default(),
        no_track: Switch::Off,
        group: None,
        span: s.whole(),
    };
    let mut words = s.words(1);
    while let Some(option) = words.next() {
        let flag = match option.text() {
            "no_track" => {
                address.no_track = Switch::On;
                continue;
            }
            "home" => &mut address.more.home,
            "mngtmpaddr" => &mut address.more.mngtmpaddr,
            "noprefixroute" => &mut address.more.noprefixroute,
            "autojoin" => &mut address.more.autojoin,
            "-nodad" => &mut address.more.dad,
            "use_vmac" if whose == Whose::Static => {
                let message = "`use_vmac` is for addresses of an instance; it is ignored here";
                r.diags.push(Diagnostic::error(Code::CONFLICT, option.span, message));
                continue;
            }
            "use_vmac" => &mut address.more.use_vmac,
            name @ ("dev" | "brd" | "broadcast" | "scope" | "label" | "peer" | "preferred_lft" | "track_group") => {
                let Some(value) = words.next() else {
                    let message = format!("`{name}` needs a value");
                    r.diags.push(Diagnostic::error(Code::MISSING_ARGUMENT, option.span, message).label("ignored"));
                    continue;
                };
                option_value(r, name, option, value, &mut address, whose);
                continue;
            }
            _ => {
                let message = format!("unknown option `{}` of an address", shown(option.text()));
                let mut unknown = Diagnostic::error(Code::UNKNOWN_KEYWORD, option.span, message).label("ignored");
                if let Some(near) = super::keyword::nearest(option.text(), KNOWN.iter().copied()) {
                    unknown = unknown.help(format!("did you mean `{near}`?")).patch(option.span, near);
                }
                r.diags.push(unknown);
                continue;
            }
        };
        *flag = Switch::On;
    }
    if address.prefix.addr.is_multicast() && address.more.autojoin == Switch::Off {
        let message = format!("{} is a multicast address, which needs `autojoin`", address.prefix.addr);
        r.diags.push(Diagnostic::warning(Code::CONFLICT, address.span, message));
    }
    if let (Some(peer), Some(_)) = (address.more.peer, address.broadcast) {
        let message = format!("an address with a peer ({peer}) has no broadcast address");
        r.diags.push(Diagnostic::warning(Code::CONFLICT, address.span, message).label("`brd` is ignored"));
        address.broadcast = None;
    }
    Some(address)
}

fn option_value(
    r: &mut Reader<'_>,
    name: &str,
    option: Word<'_>,
    value: Word<'_>,
    address: &mut Address,
    whose: Whose,
) {
    let v6 = address.prefix.addr.is_ipv6();
    match name {
        "dev" => {
            if let Some(link) = r.link_name(value) {
                r.first_word(&mut address.link, option, link);
            }
        }
        "brd" | "broadcast" => {
            if v6 {
                v4_only(r, option);
            } else if let Some(broadcast) = broadcast(r, value, address.prefix) {
                address.broadcast = Some(broadcast);
            }
        }
        "scope" => {
            if let Some(scope) = scope(r, value) {
                if v6 { v4_only(r, option) } else { address.scope = scope }
            }
        }
        "label" => {
            if v6 {
                v4_only(r, option);
            } else if value.bytes.len() > LABEL_BYTES {
                r.bad(value, "a label of at most 15 bytes");
            } else if let Some(label) = r.text(value) {
                address.label = Some(label.value);
            }
        }
        "peer" => peer(r, option, value, address),
        "track_group" if whose == Whose::Static => address.group = r.text(value),
        "track_group" => {
            let message = "`track_group` is for static addresses; it is ignored here";
            r.diags.push(Diagnostic::error(Code::UNKNOWN_KEYWORD, option.span.to(value.span), message));
        }
        _ => {
            let lifetime = match value.text() {
                "forever" => Some(u32::MAX),
                _ => r.number(Some(value), 0..=i64::from(u32::MAX)),
            };
            if v6 {
                address.more.preferred_lft = lifetime.or(address.more.preferred_lft);
            } else {
                let message = "`preferred_lft` is for IPv6 addresses; it is ignored here";
                r.diags.push(Diagnostic::warning(Code::CONFLICT, option.span, message));
            }
        }
    }
}

/// COMPAT: the prefix length is the peer's: the address itself has none.
fn peer(r: &mut Reader<'_>, option: Word<'_>, value: Word<'_>, address: &mut Address) {
    let Some(peer) = prefix(r, value) else { return };
    let own = address.prefix;
    if peer.addr.is_ipv4() != own.addr.is_ipv4() {
        return r.bad(value, "of the address family of its address");
    }
    let full = if own.addr.is_ipv4() { 32 } else { 128 };
    if own.len != full {
        let message = "an address with a `peer` has no prefix length of its own";
        r.diags.push(Diagnostic::error(Code::CONFLICT, option.span.to(value.span), message).label("`peer` is ignored"));
        return;
    }
    address.more.peer = Some(peer.addr);
    address.prefix.len = peer.len;
}

fn v4_only(r: &mut Reader<'_>, option: Word<'_>) {
    let message = format!("`{}` is for IPv4 addresses; it is ignored here", option.text());
    r.diags.push(Diagnostic::warning(Code::CONFLICT, option.span, message));
}

impl Reader<'_> {
    fn first_word<T>(&mut self, slot: &mut Option<At<T>>, option: Word<'_>, value: At<T>) {
        match slot {
            Some(earlier) => {
                let message = format!("`{}` is given twice; the first one counts", option.text());
                let again = Diagnostic::error(Code::REPEATED, value.span, message).label("ignored");
                self.diags.push(again.also(earlier.span, "the first one"));
            }
            None => *slot = Some(value),
        }
    }
}

/// `IP[/PFX]`
pub fn prefix(r: &mut Reader<'_>, word: Word<'_>) -> Option<Prefix> {
    let (addr, len) = match word.text().split_once('/') {
        Some((addr, len)) => (addr, Some(len)),
        None => (word.text(), None),
    };
    let Ok(addr) = addr.parse::<IpAddr>() else {
        r.bad(word, "an IP address");
        return None;
    };
    let full = if addr.is_ipv4() { 32 } else { 128 };
    let len = match len {
        None => full,
        Some(text) => {
            match text.parse::<u8>().ok().filter(|n| *n <= full && text.bytes().all(|b| b.is_ascii_digit())) {
                Some(len) => len,
                None => {
                    r.bad(word, &format!("an address with a prefix of 0 to {full} bits"));
                    return None;
                }
            }
        }
    };
    if addr.is_unspecified() || addr == IpAddr::V4(Ipv4Addr::BROADCAST) {
        r.bad(word, "an address that a host can have");
        return None;
    }
    Some(Prefix { addr, len })
}

/// `brd ADDR`, `brd +` (host bits one), `brd -` (host bits zero; both only where the prefix leaves two host bits).
fn broadcast(r: &mut Reader<'_>, word: Word<'_>, prefix: Prefix) -> Option<Ipv4Addr> {
    let IpAddr::V4(addr) = prefix.addr else { return None };
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(prefix.len))).unwrap_or(0);
    match word.text() {
        "+" | "-" if prefix.len > 30 => {
            let message = format!("a /{} leaves no room for a broadcast address", prefix.len);
            r.diags.push(Diagnostic::error(Code::CONFLICT, word.span, message).label("ignored"));
            None
        }
        "+" => Some(Ipv4Addr::from_bits(addr.to_bits() | !mask)),
        "-" => Some(Ipv4Addr::from_bits(addr.to_bits() & mask)),
        text => match text.parse() {
            Ok(broadcast) => Some(broadcast),
            Err(_) => {
                r.bad(word, "an IPv4 address, `+` or `-`");
                None
            }
        },
    }
}
