//! Rule records.

use super::Printer;
use super::address::tracked;
use super::route::{realms, tos};
use super::value::{Value, int};
use super::words;
use super::writer::Writer;
use alloc::format;
use core::fmt;
use ipc::config::route::{Rule, RuleAction};
use ipc::config::vrrp::Switch;
use ipc::net::Family;

pub(super) fn rule(w: &mut Writer<'_>, p: Printer<'_>, rule: &Rule) -> fmt::Result {
    let Rule {
        family,
        invert,
        from,
        to,
        preference,
        tos: tos_byte,
        fwmark,
        realms: realm,
        suppress_prefix,
        suppress_group,
        iif,
        oif,
        tunnel,
        uids,
        l3mdev,
        protocol,
        ip_protocol,
        sport,
        dport,
        action: what,
        tracked: track,
        origin: _,
    } = rule;
    w.json_only("family", Value::Text(words::family(*family)))?;
    if *family == Family::V6 && from.is_none() && to.is_none() {
        w.text_only(|w| w.bare("", Value::Text("inet6")))?;
    }
    w.flag("not", *invert)?;
    w.maybe("from", from.as_ref().map(|from| Value::Shown(from)))?;
    w.maybe("to", to.as_ref().map(|to| Value::Shown(to)))?;
    w.field("preference", int(*preference))?;
    tos(w, *tos_byte)?;
    let mark =
        fwmark.map(|(mark, mask)| if mask == u32::MAX { format!("{mark}") } else { format!("{mark}/{mask:#x}") });
    w.maybe("fwmark", mark.as_ref().map(|mark| Value::Shown(mark)))?;
    let realm = realm.map(realms);
    w.maybe("realms", realm.as_ref().map(|realm| Value::Shown(realm)))?;
    w.maybe("suppress_prefixlength", suppress_prefix.map(int))?;
    w.maybe("suppress_ifgroup", suppress_group.map(int))?;
    w.maybe("iif", iif.map(|link| p.link(link)))?;
    w.maybe("oif", oif.map(|link| p.link(link)))?;
    w.maybe("tunnel-id", tunnel.map(int))?;
    range(w, "uidrange", *uids)?;
    w.flag("l3mdev", *l3mdev)?;
    w.maybe("protocol", protocol.map(int))?;
    w.maybe("ipproto", ip_protocol.map(int))?;
    range(w, "sport", sport.map(|(a, b)| (a.into(), b.into())))?;
    range(w, "dport", dport.map(|(a, b)| (a.into(), b.into())))?;
    action(w, *what, *l3mdev)?;
    tracked(w, p, track)
}

fn range(w: &mut Writer<'_>, keyword: &str, range: Option<(u32, u32)>) -> fmt::Result {
    let range = range.map(|(first, last)| format!("{first}-{last}"));
    w.maybe(keyword, range.as_ref().map(|range| Value::Shown(range)))
}

fn action(w: &mut Writer<'_>, action: RuleAction, l3mdev: Switch) -> fmt::Result {
    let word = match action {
        // The table is that of the device.
        RuleAction::Table(0) if l3mdev == Switch::On => return Ok(()),
        RuleAction::Table(table) => return w.field("table", int(table)),
        RuleAction::Goto(preference) => return w.field("goto", int(preference)),
        RuleAction::Nop => "nop",
        RuleAction::Blackhole => "blackhole",
        RuleAction::Unreachable => "unreachable",
        RuleAction::Prohibit => "prohibit",
    };
    w.bare("action", Value::Text(word))
}
