//! Rules (linux/fib_rules.h `struct fib_rule_hdr`, `FRA_…`).

use super::{af, any, family, network};
use crate::netlink::attr::{Attrs, addr, u16_of, u32_of};
use crate::path::RuleName;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ipc::config::route::RuleAction;
use ipc::config::vrrp::Switch;
use ipc::net::{Family, Prefix};
use netlink_packet_core::NlasIterator;

/// Bytes of `struct fib_rule_hdr`.
pub const HEADER: usize = 12;

const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_GOTO: u16 = 4;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_FLOW: u16 = 11;
const FRA_TUN_ID: u16 = 12;
const FRA_SUPPRESS_IFGROUP: u16 = 13;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_L3MDEV: u16 = 19;
const FRA_UID_RANGE: u16 = 20;
const FRA_PROTOCOL: u16 = 21;
const FRA_IP_PROTO: u16 = 22;
const FRA_SPORT_RANGE: u16 = 23;
const FRA_DPORT_RANGE: u16 = 24;

/// FR_ACT_*
const TO_TABLE: u8 = 1;
const GOTO: u8 = 2;
const NOP: u8 = 3;
const BLACKHOLE: u8 = 6;
const UNREACHABLE: u8 = 7;
const PROHIBIT: u8 = 8;

/// FIB_RULE_INVERT
const INVERT: u32 = 2;

/// A rule, as it is asked for and as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFact {
    family: Family,
    from: Option<Prefix>,
    to: Option<Prefix>,
    preference: u32,
    tos: u8,
    action: u8,
    table: u32,
    goto: u32,
    invert: Switch,
    /// Mark and mask.
    mark: Option<(u32, u32)>,
    realms: u32,
    tunnel: u64,
    suppress_prefix: Option<u32>,
    suppress_group: Option<u32>,
    iif: Option<String>,
    oif: Option<String>,
    l3mdev: Switch,
    uids: Option<(u32, u32)>,
    protocol: u8,
    ip_protocol: u8,
    sport: Option<(u16, u16)>,
    dport: Option<(u16, u16)>,
}

/// The rule that the configuration asks for.
pub fn wanted(name: &RuleName) -> RuleFact {
    let (action, table, goto) = match name.action {
        RuleAction::Table(table) => (TO_TABLE, table, 0),
        RuleAction::Goto(preference) => (GOTO, 0, preference),
        RuleAction::Nop => (NOP, 0, 0),
        RuleAction::Blackhole => (BLACKHOLE, 0, 0),
        RuleAction::Unreachable => (UNREACHABLE, 0, 0),
        RuleAction::Prohibit => (PROHIBIT, 0, 0),
    };
    let narrow = |prefix: Option<Prefix>| prefix.filter(|p| p.len > 0).map(network);
    RuleFact {
        family: name.family,
        from: narrow(name.from),
        to: narrow(name.to),
        preference: name.preference,
        tos: name.tos.unwrap_or(0),
        action,
        table,
        goto,
        invert: name.invert,
        mark: name.fwmark,
        realms: name.realms.unwrap_or(0),
        tunnel: name.tunnel.unwrap_or(0),
        suppress_prefix: name.suppress_prefix.map(u32::from),
        suppress_group: name.suppress_group,
        iif: name.iif.clone(),
        oif: name.oif.clone(),
        l3mdev: name.l3mdev,
        uids: name.uids,
        protocol: name.protocol.unwrap_or(0),
        ip_protocol: name.ip_protocol.unwrap_or(0),
        sport: name.sport,
        dport: name.dport,
    }
}

/// The payload of a request about a rule.
pub(super) fn request(rule: &RuleFact) -> Vec<u8> {
    let len = |prefix: Option<Prefix>| prefix.map_or(0, |p| p.len);
    let short = u8::try_from(rule.table).unwrap_or(0);
    let flags = if rule.invert == Switch::On { INVERT } else { 0 };
    let [f0, f1, f2, f3] = flags.to_ne_bytes();
    let family = af(rule.family);
    let header = [family, len(rule.to), len(rule.from), rule.tos, short, 0, 0, rule.action, f0, f1, f2, f3];
    let mut attrs = Attrs::behind(&header);
    for (kind, prefix) in [(FRA_DST, rule.to), (FRA_SRC, rule.from)] {
        if let Some(prefix) = prefix {
            attrs.put_addr(kind, prefix.addr);
        }
    }
    attrs.put_u32(FRA_PRIORITY, rule.preference);
    if let Some((mark, mask)) = rule.mark {
        attrs.put_u32(FRA_FWMARK, mark);
        attrs.put_u32(FRA_FWMASK, mask);
    }
    let numbers = [
        (FRA_FLOW, Some(rule.realms).filter(|n| *n > 0)),
        (FRA_GOTO, Some(rule.goto).filter(|_| rule.action == GOTO)),
        (FRA_SUPPRESS_PREFIXLEN, rule.suppress_prefix),
        (FRA_SUPPRESS_IFGROUP, rule.suppress_group),
        (FRA_TABLE, Some(rule.table).filter(|n| *n > u32::from(u8::MAX))),
    ];
    for (kind, value) in numbers {
        if let Some(value) = value {
            attrs.put_u32(kind, value);
        }
    }
    for (kind, name) in [(FRA_IIFNAME, &rule.iif), (FRA_OIFNAME, &rule.oif)] {
        if let Some(name) = name {
            attrs.put_text(kind, name);
        }
    }
    if rule.tunnel > 0 {
        attrs.put_be64(FRA_TUN_ID, rule.tunnel);
    }
    if let Some((first, last)) = rule.uids {
        attrs.put(FRA_UID_RANGE, &[first.to_ne_bytes(), last.to_ne_bytes()].concat());
    }
    let bytes = [(FRA_L3MDEV, u8::from(rule.l3mdev == Switch::On)), (FRA_IP_PROTO, rule.ip_protocol)];
    for (kind, value) in bytes.into_iter().chain([(FRA_PROTOCOL, rule.protocol)]) {
        if value > 0 {
            attrs.put_u8(kind, value);
        }
    }
    for (kind, ports) in [(FRA_SPORT_RANGE, rule.sport), (FRA_DPORT_RANGE, rule.dport)] {
        if let Some((first, last)) = ports {
            attrs.put(kind, &[first.to_ne_bytes(), last.to_ne_bytes()].concat());
        }
    }
    attrs.into_bytes()
}

/// What a message says of a rule; `None` for a family that does not matter.
pub(super) fn fact(payload: &[u8]) -> Result<Option<RuleFact>, String> {
    let Some(header) = payload.first_chunk::<HEADER>() else { return Err("a rule is cut off".to_string()) };
    let [af, to_len, from_len, tos, short, _, _, action, f0, f1, f2, f3] = *header;
    let Some(family) = family(af) else { return Ok(None) };
    let prefix = |len: u8| (len > 0).then_some(Prefix { addr: any(family), len });
    let invert = u32::from_ne_bytes([f0, f1, f2, f3]) & INVERT != 0;
    let mut rule = RuleFact {
        family,
        from: prefix(from_len),
        to: prefix(to_len),
        preference: 0,
        tos,
        action,
        table: u32::from(short),
        goto: 0,
        invert: if invert { Switch::On } else { Switch::Off },
        mark: None,
        realms: 0,
        tunnel: 0,
        suppress_prefix: None,
        suppress_group: None,
        iif: None,
        oif: None,
        l3mdev: Switch::Off,
        uids: None,
        protocol: 0,
        ip_protocol: 0,
        sport: None,
        dport: None,
    };
    for attribute in NlasIterator::new(payload.get(HEADER..).unwrap_or_default()) {
        let attribute = attribute.map_err(|e| e.to_string())?;
        read(attribute.kind(), attribute.value(), &mut rule);
    }
    if rule.action != TO_TABLE {
        rule.table = 0;
    }
    Ok(Some(rule))
}

/// One attribute.
fn read(kind: u16, value: &[u8], rule: &mut RuleFact) {
    let number = || u32_of(value).unwrap_or(0);
    let byte = || value.first().copied().unwrap_or(0);
    let name = || String::from_utf8_lossy(value.split(|b| *b == 0).next().unwrap_or_default()).to_string();
    let ports = || Some((u16_of(value)?, u16_of(value.get(2..)?)?));
    // The kernel says "none" as all ones.
    let unless_none = || u32_of(value).filter(|n| *n != u32::MAX);
    let place = |prefix: &mut Option<Prefix>| {
        if let (Some(prefix), Some(addr)) = (prefix, addr(value)) {
            prefix.addr = addr;
        }
    };
    match kind {
        FRA_DST => place(&mut rule.to),
        FRA_SRC => place(&mut rule.from),
        FRA_IIFNAME => rule.iif = Some(name()),
        FRA_OIFNAME => rule.oif = Some(name()),
        FRA_GOTO => rule.goto = number(),
        FRA_PRIORITY => rule.preference = number(),
        FRA_FWMARK => rule.mark = Some((number(), rule.mark.map_or(u32::MAX, |(_, mask)| mask))),
        FRA_FWMASK => rule.mark = Some((rule.mark.map_or(0, |(mark, _)| mark), number())),
        FRA_FLOW => rule.realms = number(),
        FRA_TUN_ID => rule.tunnel = value.first_chunk().map_or(0, |b| u64::from_be_bytes(*b)),
        FRA_SUPPRESS_IFGROUP => rule.suppress_group = unless_none(),
        FRA_SUPPRESS_PREFIXLEN => rule.suppress_prefix = unless_none(),
        FRA_TABLE => rule.table = number(),
        FRA_L3MDEV => rule.l3mdev = if byte() == 0 { Switch::Off } else { Switch::On },
        FRA_UID_RANGE => rule.uids = u32_of(value).zip(value.get(4..).and_then(u32_of)).filter(|r| *r != (0, u32::MAX)),
        FRA_PROTOCOL => rule.protocol = byte(),
        FRA_IP_PROTO => rule.ip_protocol = byte(),
        FRA_SPORT_RANGE => rule.sport = ports(),
        FRA_DPORT_RANGE => rule.dport = ports(),
        _ => {}
    }
}
