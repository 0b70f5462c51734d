//! A rule: `from 10.1.0.0/16 priority 100 tos 0x0 protocol 18 lookup 100`.

use super::Names;
use super::address::Short;
use super::route::protocol_of;
use crate::print::route::realms;
use alloc::string::String;
use core::fmt::{Result, Write as _};
use ipc::config::route::{Rule, RuleAction};
use ipc::config::vrrp::Switch;

/// The words of one.
pub(super) fn words(names: &Names<'_>, rule: &Rule) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, names, rule);
    text
}

fn write(text: &mut String, names: &Names<'_>, rule: &Rule) -> Result {
    let Rule {
        family: _,
        invert,
        from,
        to,
        preference,
        tos,
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
        action,
        tracked,
        origin: _,
    } = rule;
    if *invert == Switch::On {
        text.push_str("not ");
    }
    match from {
        Some(from) => write!(text, "from {}", Short(*from))?,
        None => text.push_str("from all"),
    }
    to.map_or(Ok(()), |to| write!(text, " to {}", Short(to)))?;
    write!(text, " priority {preference} tos {:#x}", tos.unwrap_or(0))?;
    match fwmark {
        Some((mark, u32::MAX)) => write!(text, " fwmark {mark:#x}")?,
        Some((mark, mask)) => write!(text, " fwmark {mark:#x}/{mask:#x}")?,
        None => {}
    }
    iif.map_or(Ok(()), |link| write!(text, " iif {}", names.of(link)))?;
    oif.map_or(Ok(()), |link| write!(text, " oif {}", names.of(link)))?;
    suppress_prefix.map_or(Ok(()), |len| write!(text, " suppress_prefixlen {len}"))?;
    suppress_group.map_or(Ok(()), |group| write!(text, " suppress_ifgroup {group}"))?;
    tunnel.map_or(Ok(()), |id| write!(text, " tunnel-id {id}"))?;
    uids.map_or(Ok(()), |(first, last)| write!(text, " uidrange {first}-{last}"))?;
    if *l3mdev == Switch::On {
        text.push_str(" l3mdev");
    }
    protocol_of(*protocol, tracked.no_track).map_or(Ok(()), |number| write!(text, " protocol {number}"))?;
    ip_protocol.map_or(Ok(()), |number| write!(text, " ipproto {number}"))?;
    sport.map_or(Ok(()), |(first, last)| write!(text, " sport {first}-{last}"))?;
    dport.map_or(Ok(()), |(first, last)| write!(text, " dport {first}-{last}"))?;
    realm.map_or(Ok(()), |realm| write!(text, " realms {}", realms(realm)))?;
    match action {
        RuleAction::Table(table) => write!(text, " lookup {table}")?,
        RuleAction::Goto(preference) => write!(text, " goto {preference}")?,
        RuleAction::Nop => text.push_str(" nop"),
        RuleAction::Blackhole => text.push_str(" type blackhole"),
        RuleAction::Unreachable => text.push_str(" type unreachable"),
        RuleAction::Prohibit => text.push_str(" type prohibit"),
    }
    if tracked.no_track == Switch::On {
        text.push_str(" no_track");
    }
    Ok(())
}
