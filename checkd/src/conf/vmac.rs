//! `use_vmac` and `use_ipvlan`: interfaces with the virtual router's own MAC or IP address.

use super::diag::{Code, Diagnostic};
use super::keyword::{At, Reader};
use super::tree::{Statement, Word};
use super::vrrp::Instance;
use alloc::format;
use alloc::string::String;
use core::net::IpAddr;
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_options::{Ipvlan, IpvlanMode, MacChoice, Vmac};
use ipc::net::Prefix;

/// The word after an option.
fn value<'s>(r: &mut Reader<'_>, option: Word<'s>, words: &mut impl Iterator<Item = Word<'s>>) -> Option<Word<'s>> {
    let next = words.next();
    if next.is_none() {
        let message = format!("`{}` needs a value", option.text());
        r.diags.push(Diagnostic::error(Code::MISSING_ARGUMENT, option.span, message).label("ignored"));
    }
    next
}

/// Takes a name once.
fn name(r: &mut Reader<'_>, slot: &mut Option<String>, word: Word<'_>) {
    if let Some(name) = r.link_name(word) {
        match slot {
            Some(_) => r.bad(word, "expected: the interface has a name already"),
            None => *slot = Some(name.value),
        }
    }
}

fn hex_bytes(text: &str) -> Option<alloc::vec::Vec<u8>> {
    let part = |p: &str| if (1..=2).contains(&p.len()) { u8::from_str_radix(p, 16).ok() } else { None };
    text.split(':').map(part).collect()
}

/// Six bytes, or five that the VRID follows. COMPAT: a group address, and what RFC 9568 §7.3 reserves, is refused.
fn mac(r: &mut Reader<'_>, word: Word<'_>) -> Option<MacChoice> {
    let bytes = hex_bytes(word.text()).unwrap_or_default();
    let choice = match *bytes.as_slice() {
        [a, b, c, d, e, f] => Some(MacChoice::Whole([a, b, c, d, e, f])),
        [a, b, c, d, e] => Some(MacChoice::BeforeVrid([a, b, c, d, e])),
        _ => None,
    };
    let why = match bytes.as_slice() {
        _ if choice.is_none() => "a MAC address of 6 bytes, or of 5 that the virtual router id follows",
        [first, ..] if first & 1 != 0 => "usable: it is a group address",
        [0, 0, 0x5e, 0, 1 | 2, ..] => "usable: VRRP itself uses it, leave it out",
        _ => return choice,
    };
    r.bad(word, why);
    None
}

/// `[[name] IF] [MAC] [netlink_notify_msg] [group ID]`. COMPAT: keepalived 2.4.3.
pub(super) fn use_vmac(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance) {
    let mut vmac = Vmac::default();
    let mut words = s.words(1);
    while let Some(word) = words.next() {
        match word.text() {
            "name" => {
                let Some(next) = value(r, word, &mut words) else { return };
                name(r, &mut vmac.name, next);
            }
            "group" => {
                let Some(next) = value(r, word, &mut words) else { return };
                vmac.group = r.text(next).map(|g| g.value);
            }
            "netlink_notify_msg" => vmac.netlink_notify = Switch::On,
            text if text.contains(':') => {
                let Some(mac) = mac(r, word) else { return };
                vmac.mac = Some(mac);
            }
            _ => name(r, &mut vmac.name, word),
        }
    }
    r.first(&mut i.more.vmac, s, vmac);
}

/// `IP[/P]`
fn prefix(r: &mut Reader<'_>, word: Word<'_>) -> Option<Prefix> {
    let (addr, length) = word.text().split_once('/').map_or((word.text(), None), |(a, l)| (a, Some(l)));
    let addr: Option<IpAddr> = addr.parse().ok();
    let most = if addr.is_some_and(|a| a.is_ipv6()) { 128 } else { 32 };
    let len = length.map_or(Some(most), |l| l.parse().ok().filter(|l| *l <= most));
    match (addr, len) {
        (Some(addr), Some(len)) => Some(Prefix { addr, len }),
        _ => {
            r.bad(word, "an IP address, with or without a prefix length");
            None
        }
    }
}

/// `[[name] IF] [IP[/P]] [bridge|private|vepa] [group ID]`. COMPAT: keepalived 2.4.3.
pub(super) fn use_ipvlan(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance) {
    let mut ipvlan = Ipvlan::default();
    let mut words = s.words(1);
    while let Some(word) = words.next() {
        match word.text() {
            "name" => {
                let Some(next) = value(r, word, &mut words) else { return };
                name(r, &mut ipvlan.name, next);
            }
            "group" => {
                let Some(next) = value(r, word, &mut words) else { return };
                ipvlan.group = r.text(next).map(|g| g.value);
            }
            "bridge" => ipvlan.mode = IpvlanMode::Bridge,
            "private" => ipvlan.mode = IpvlanMode::Private,
            "vepa" => ipvlan.mode = IpvlanMode::Vepa,
            text if text.contains(['/', ':']) || text.parse::<IpAddr>().is_ok() => {
                let Some(addr) = prefix(r, word) else { return };
                ipvlan.addr = Some(addr);
            }
            _ => name(r, &mut ipvlan.name, word),
        }
    }
    i.more.ipvlan = Some(At::new(ipvlan, s.whole()));
}
