//! Words that the option grammars of routes and rules share: tables, protocols, scopes and realms by name or number.
//!
//! Names are those that iproute2 has, and those of [`super::names`].

use super::diag::{Code, Diagnostic};
use super::keyword::{Reader, nearest, shown};
use super::names::NameOf;
use super::tree::{Statement, Word};
use alloc::format;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ipc::net::{Family, Prefix};

/// The words of a line, one option after the other.
pub struct Options<'t> {
    line: Statement<'t>,
    at: usize,
}

impl<'t> Options<'t> {
    /// From word `at` on.
    pub fn new(line: Statement<'t>, at: usize) -> Self {
        Options { line, at }
    }

    /// The next word, which stays the next.
    pub fn peek(&self) -> Option<Word<'t>> {
        self.line.word(self.at)
    }

    /// Whether the next word is this one; then it is taken.
    pub fn take(&mut self, text: &str) -> bool {
        let taken = self.peek().is_some_and(|w| w.text() == text);
        if taken {
            self.at = self.at.saturating_add(1);
        }
        taken
    }

    /// The value of an option; without one it is reported.
    pub fn value(&mut self, r: &mut Reader<'_>, option: Word<'_>) -> Option<Word<'t>> {
        let value = self.next();
        if value.is_none() {
            let message = format!("`{}` needs a value", option.text());
            r.diags.push(Diagnostic::error(Code::MISSING_ARGUMENT, option.span, message).label("this line is ignored"));
        }
        value
    }
}

impl<'t> Iterator for Options<'t> {
    type Item = Word<'t>;

    fn next(&mut self) -> Option<Word<'t>> {
        let word = self.peek()?;
        self.at = self.at.saturating_add(1);
        Some(word)
    }
}

/// Reports an option that nothing knows.
pub fn unknown(r: &mut Reader<'_>, word: Word<'_>, of: &str, known: &[&str]) {
    let message = format!("unknown option `{}` of {of}", shown(word.text()));
    let mut unknown = Diagnostic::error(Code::UNKNOWN_KEYWORD, word.span, message).label("this line is ignored");
    if let Some(near) = nearest(word.text(), known.iter().copied()) {
        unknown = unknown.help(format!("did you mean `{near}`?")).patch(word.span, near);
    }
    r.diags.push(unknown);
}

/// `default|any|all|IP[/LEN]`; a word gives length 0 and the family that is known by then, else IPv4.
pub fn destination(r: &mut Reader<'_>, word: Word<'_>, family: Option<Family>) -> Option<Prefix> {
    if word.text() == "default6" {
        // COMPAT: keepalived 2.4.3; 2.2.7 takes it without a word.
        let message = "`default6` is an old word for `::/0`";
        let old = Diagnostic::warning(Code::DEPRECATED, word.span, message);
        r.diags.push(old.patch(word.span, "::/0"));
    }
    let any = match (word.text(), family) {
        ("default" | "any" | "all", Some(Family::V6)) | ("default6", _) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ("default" | "any" | "all", _) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        _ => {
            let prefix = network(r, word)?;
            if family.is_some_and(|f| f != Family::of(prefix.addr)) {
                r.bad(word, "of the address family of this line");
                return None;
            }
            return Some(prefix);
        }
    };
    Some(Prefix { addr: any, len: 0 })
}

/// `IP[/LEN]`, any address; bits beyond the length are the kernel's to judge.
pub fn network(r: &mut Reader<'_>, word: Word<'_>) -> Option<Prefix> {
    let (addr, len) = match word.text().split_once('/') {
        Some((addr, len)) => (addr, Some(len)),
        None => (word.text(), None),
    };
    let parsed = addr.parse::<IpAddr>().ok().and_then(|addr| {
        let full = if addr.is_ipv4() { 32 } else { 128 };
        let digits = |t: &&str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        let len = match len {
            None => full,
            Some(text) => Some(text).filter(digits)?.parse::<u8>().ok().filter(|n| *n <= full)?,
        };
        Some(Prefix { addr, len })
    });
    if parsed.is_none() {
        r.bad(word, "an address or a network");
    }
    parsed
}

/// A number in decimal, `0x` hexadecimal or `0` octal, as iproute2 takes them.
pub fn number(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok();
    }
    if text.len() > 1 && text.starts_with('0') {
        return u64::from_str_radix(text, 8).ok();
    }
    Some(text).filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
}

/// A number up to a limit.
pub fn up_to<N: TryFrom<u64>>(r: &mut Reader<'_>, word: Word<'_>, most: u64) -> Option<N> {
    let value = number(word.text()).filter(|n| *n <= most).and_then(|n| N::try_from(n).ok());
    if value.is_none() {
        r.bad(word, &format!("a number from 0 to {most}"));
    }
    value
}

fn named<N: TryFrom<u64>>(
    r: &mut Reader<'_>,
    word: Word<'_>,
    of: NameOf,
    names: &[(&str, u64)],
    most: u64,
    what: &str,
) -> Option<N> {
    let name = names.iter().find(|(name, _)| *name == word.text()).map(|(_, n)| *n);
    let name = name.or_else(|| r.names.number(of, word.text()).map(u64::from));
    let value = name.or_else(|| number(word.text())).filter(|n| *n <= most).and_then(|n| N::try_from(n).ok());
    if value.is_none() {
        r.bad(word, what);
    }
    value
}

/// rtnetlink(7) `RT_TABLE_…`
pub fn table(r: &mut Reader<'_>, word: Word<'_>) -> Option<u32> {
    const NAMES: &[(&str, u64)] = &[("unspec", 0), ("default", 253), ("main", 254), ("local", 255)];
    named(r, word, NameOf::Table, NAMES, u64::from(u32::MAX), "a routing table: main, default, local or a number")
}

/// rtnetlink(7) `RTPROT_…`
pub fn protocol(r: &mut Reader<'_>, word: Word<'_>) -> Option<u8> {
    const NAMES: &[(&str, u64)] = &[
        ("unspec", 0),
        ("redirect", 1),
        ("kernel", 2),
        ("boot", 3),
        ("static", 4),
        ("gated", 8),
        ("ra", 9),
        ("mrt", 10),
        ("zebra", 11),
        ("bird", 12),
        ("dnrouted", 13),
        ("xorp", 14),
        ("ntk", 15),
        ("dhcp", 16),
        ("mrouted", 17),
        ("keepalived", 18),
        ("babel", 42),
        ("ovn", 84),
        ("openr", 99),
        ("bgp", 186),
        ("isis", 187),
        ("ospf", 188),
        ("rip", 189),
        ("eigrp", 192),
    ];
    named(r, word, NameOf::Protocol, NAMES, 255, "a routing protocol: static, boot, keepalived … or a number up to 255")
}

/// rtnetlink(7) `RT_SCOPE_…`
pub fn scope(r: &mut Reader<'_>, word: Word<'_>) -> Option<u8> {
    const NAMES: &[(&str, u64)] =
        &[("global", 0), ("universe", 0), ("site", 200), ("link", 253), ("host", 254), ("nowhere", 255)];
    named(r, word, NameOf::Scope, NAMES, 255, "a scope: global, site, link, host, nowhere or a number up to 255")
}

/// `tos`, `dsfield`: iproute2 writes the number in hexadecimal, with or without `0x`.
pub fn tos(r: &mut Reader<'_>, word: Word<'_>) -> Option<u8> {
    let text = word.text();
    let named = r.names.number(NameOf::TypeOfService, text).and_then(|n| u8::try_from(n).ok());
    let value = named.or_else(|| u8::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok());
    if value.is_none() {
        r.bad(word, "a type of service in hexadecimal, up to ff");
    }
    value
}

/// `[FROM/]TO`: FROM in the upper 16 bits.
pub fn realms(r: &mut Reader<'_>, word: Word<'_>) -> Option<u32> {
    let one = |text: &str| match (text, r.names.number(NameOf::Realm, text)) {
        ("cosmos", _) => Some(0),
        (_, Some(n)) => u16::try_from(n).ok(),
        (_, None) => number(text).and_then(|n| u16::try_from(n).ok()),
    };
    let value = match word.text().split_once('/') {
        Some((from, to)) => one(from).zip(one(to)).map(|(from, to)| u32::from(from) << 16 | u32::from(to)),
        None => one(word.text()).map(u32::from),
    };
    if value.is_none() {
        r.bad(word, "a realm or two, numbers up to 65535: [FROM/]TO");
    }
    value
}
