//! Rule records: the lines of `static_rules` and `virtual_rules`. COMPAT: keepalived 2.4.3.

use super::diag::{Code, Diagnostic};
use super::hop::any;
use super::keyword::{At, Reader, no_block};
use super::names::NameOf;
use super::options::{Options, destination, number, protocol, realms, table, tos, unknown, up_to};
use super::route::TRACKED_PROTOCOL;
use super::tree::{Statement, Word};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::route::{RuleAction, Tracked};
use ipc::config::vrrp::Switch;
use ipc::net::Family;

/// A rule as it is written.
pub type Rule = ipc::config::route::Rule<At<String>, At<String>>;

/// Where preferences begin that nobody wrote.
const PREFERENCE: u32 = 16_384;

/// How many rules of the file have no preference of their own, by family.
#[derive(Debug, Default)]
pub struct Unordered {
    v4: u32,
    v6: u32,
}

impl Reader<'_> {
    /// COMPAT: keepalived 2.2.7: counting down over the whole file, each family by itself.
    fn next_preference(&mut self, family: Family) -> u32 {
        let count = match family {
            Family::V4 => &mut self.unordered.v4,
            Family::V6 => &mut self.unordered.v6,
        };
        let next = PREFERENCE.saturating_sub(*count);
        *count = count.saturating_add(1);
        next
    }
}

const KNOWN: &[&str] = &[
    "inet",
    "inet6",
    "from",
    "to",
    "table",
    "lookup",
    "not",
    "preference",
    "order",
    "priority",
    "tos",
    "dsfield",
    "fwmark",
    "realms",
    "suppress_prefixlength",
    "sup_pl",
    "suppress_ifgroup",
    "sup_group",
    "dev",
    "iif",
    "oif",
    "tunnel-id",
    "uidrange",
    "l3mdev",
    "protocol",
    "ipproto",
    "ip_proto",
    "sport",
    "dport",
    "no_track",
    "track_group",
    "type",
    "goto",
    "nop",
    "blackhole",
    "prohibit",
    "unreachable",
];

/// The lines of a block; `statics`: whether `track_group` is allowed.
pub fn records(r: &mut Reader<'_>, s: Statement<'_>, statics: Switch, list: &mut Vec<Rule>) {
    for line in s.children() {
        no_block(r, line);
        let Some((mut rule, preference)) = record(r, line, statics) else { continue };
        rule.preference = preference.unwrap_or_else(|| {
            let next = r.next_preference(rule.family);
            let message = format!("this rule has no `preference`; {next} is taken");
            r.diags.push(Diagnostic::error(Code::INCOMPLETE, line.whole(), message).help(format!("preference {next}")));
            next
        });
        if let RuleAction::Goto(to) = rule.action
            && to <= rule.preference
        {
            let own = rule.preference;
            let message = format!("`goto {to}` must lead to a rule after this one, whose preference is {own}");
            r.diags.push(Diagnostic::error(Code::CONFLICT, line.whole(), message).label("this line is ignored"));
            continue;
        }
        list.push(rule);
    }
}

fn empty(r: &Reader<'_>, s: Statement<'_>) -> Rule {
    Rule {
        family: Family::V4,
        invert: Switch::Off,
        from: None,
        to: None,
        preference: 0,
        tos: None,
        fwmark: None,
        realms: None,
        suppress_prefix: None,
        suppress_group: None,
        iif: None,
        oif: None,
        tunnel: None,
        uids: None,
        l3mdev: Switch::Off,
        protocol: None,
        ip_protocol: None,
        sport: None,
        dport: None,
        action: RuleAction::Nop,
        tracked: Tracked::default(),
        origin: r.sources.origin(s.whole()),
    }
}

fn record(r: &mut Reader<'_>, s: Statement<'_>, statics: Switch) -> Option<(Rule, Option<u32>)> {
    let mut rule = empty(r, s);
    let (mut family, mut action, mut preference) = (None, None, None);
    let mut group: Option<At<String>> = None;
    let mut options = Options::new(s, 0);
    while let Some(option) = options.next() {
        match option.text() {
            "inet" => family = Some(Family::V4),
            "inet6" => family = Some(Family::V6),
            "not" => rule.invert = Switch::On,
            "l3mdev" => rule.l3mdev = Switch::On,
            "no_track" => rule.tracked.no_track = Switch::On,
            "type" => {} // before an action
            "nop" => action = Some(RuleAction::Nop),
            "blackhole" => action = Some(RuleAction::Blackhole),
            "prohibit" => action = Some(RuleAction::Prohibit),
            "unreachable" => action = Some(RuleAction::Unreachable),
            known if KNOWN.contains(&known) => {
                let value = options.value(r, option)?;
                match known {
                    "from" | "to" => {
                        let prefix = destination(r, value, family)?;
                        if !matches!(value.text(), "any" | "all" | "default") {
                            family = Some(Family::of(prefix.addr));
                        }
                        *(if known == "from" { &mut rule.from } else { &mut rule.to }) = Some(prefix);
                    }
                    "table" | "lookup" => action = Some(RuleAction::Table(table(r, value)?)),
                    "goto" => action = Some(RuleAction::Goto(up_to(r, value, u64::from(u32::MAX))?)),
                    "preference" | "order" | "priority" => preference = Some(up_to(r, value, u64::from(u32::MAX))?),
                    "track_group" => group = Some(r.text(value)?),
                    _ => match_value(r, known, value, &mut rule)?,
                }
            }
            _ => {
                unknown(r, option, "a rule", KNOWN);
                return None;
            }
        }
    }
    rule.family = family.unwrap_or(Family::V4);
    for end in rule.from.iter_mut().chain(&mut rule.to) {
        if end.len == 0 {
            *end = any(rule.family); // `any` may stand before the word that decides for a family
        } else if Family::of(end.addr) != rule.family {
            let message = "the addresses of this rule are not of one address family";
            r.diags.push(Diagnostic::error(Code::CONFLICT, s.whole(), message).label("this line is ignored"));
            return None;
        }
    }
    if rule.family == Family::V6 && rule.realms.is_some() {
        let message = "`realms` is for IPv4 rules";
        r.diags.push(Diagnostic::error(Code::CONFLICT, s.whole(), message).label("this line is ignored"));
        return None;
    }
    rule.tracked.group = super::route::group(r, group, statics, rule.iif.is_some(), "`iif`");
    let Some(action) = action.or((rule.l3mdev == Switch::On).then_some(RuleAction::Table(0))) else {
        let message =
            "this rule says nothing to do: `table N`, `goto N`, `nop`, `blackhole`, `prohibit` or `unreachable`";
        r.diags.push(Diagnostic::error(Code::INCOMPLETE, s.whole(), message).label("this line is ignored"));
        return None;
    };
    rule.action = action;
    if rule.tracked.no_track == Switch::Off {
        // COMPAT: keepalived 2.2.7 marks the rules that it watches, whatever `protocol` says, and reports it.
        if rule.protocol.is_some_and(|protocol| protocol != TRACKED_PROTOCOL) {
            let message = format!("a tracked rule has the protocol {TRACKED_PROTOCOL}, by which it is known");
            r.diags.push(Diagnostic::warning(Code::ADJUSTED, s.whole(), message).help("no_track"));
        }
        rule.protocol = Some(TRACKED_PROTOCOL);
    }
    Some((rule, preference))
}

/// What a packet must be.
fn match_value(r: &mut Reader<'_>, name: &str, value: Word<'_>, rule: &mut Rule) -> Option<()> {
    const ALL: u64 = u32::MAX as u64;
    match name {
        "tos" | "dsfield" => rule.tos = Some(tos(r, value)?),
        "fwmark" => rule.fwmark = Some(mark(r, value)?),
        "realms" => rule.realms = Some(realms(r, value)?),
        "suppress_prefixlength" | "sup_pl" => rule.suppress_prefix = Some(up_to(r, value, 128)?),
        // rtnl(5): the group 0 has this name everywhere.
        "suppress_ifgroup" | "sup_group" if value.text() == "default" => rule.suppress_group = Some(0),
        "suppress_ifgroup" | "sup_group" => {
            let named = r.names.number(NameOf::LinkGroup, value.text());
            rule.suppress_group = Some(named.map_or_else(|| up_to(r, value, ALL), Some)?);
        }
        "dev" | "iif" => rule.iif = Some(r.link_name(value)?),
        "oif" => rule.oif = Some(r.link_name(value)?),
        "tunnel-id" => rule.tunnel = Some(up_to(r, value, u64::MAX)?),
        "uidrange" => rule.uids = Some(range(r, value, ALL)?),
        "protocol" => rule.protocol = Some(protocol(r, value)?),
        "ipproto" | "ip_proto" => rule.ip_protocol = Some(ip_protocol(r, value)?),
        "sport" => rule.sport = Some(ports(r, value)?),
        _ => rule.dport = Some(ports(r, value)?),
    }
    Some(())
}

fn mark(r: &mut Reader<'_>, word: Word<'_>) -> Option<(u32, u32)> {
    let (mark, mask) = word.text().split_once('/').unwrap_or((word.text(), "0xffffffff"));
    let one = |text| number(text).and_then(|n| u32::try_from(n).ok());
    let value = one(mark).zip(one(mask));
    if value.is_none() {
        r.bad(word, "a mark: N[/MASK]");
    }
    value
}

/// `A-B`. COMPAT: keepalived rejects a single number by mistake; it is taken for A-A.
fn range(r: &mut Reader<'_>, word: Word<'_>, most: u64) -> Option<(u32, u32)> {
    let (first, last) = word.text().split_once('-').unwrap_or((word.text(), word.text()));
    let one = |text| number(text).filter(|n| *n <= most).and_then(|n| u32::try_from(n).ok());
    let value = one(first).zip(one(last)).filter(|(first, last)| first <= last);
    if value.is_none() {
        r.bad(word, &format!("a range of numbers up to {most}: A-B"));
    }
    value
}

fn ports(r: &mut Reader<'_>, word: Word<'_>) -> Option<(u16, u16)> {
    let (first, last) = range(r, word, 65_535)?;
    Some((u16::try_from(first).ok()?, u16::try_from(last).ok()?))
}

/// Names of protocols(5); the numbers are those of IANA.
const IP_PROTOCOLS: [(&str, u8); 55] = [
    ("ip", 0),
    ("hopopt", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ggp", 3),
    ("ipencap", 4),
    ("st", 5),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("pup", 12),
    ("udp", 17),
    ("hmp", 20),
    ("xns-idp", 22),
    ("rdp", 27),
    ("iso-tp4", 29),
    ("dccp", 33),
    ("xtp", 36),
    ("ddp", 37),
    ("idpr-cmtp", 38),
    ("ipv6", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("idrp", 45),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("skip", 57),
    ("ipv6-icmp", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("rspf", 73),
    ("vmtp", 81),
    ("eigrp", 88),
    ("ospf", 89),
    ("ax.25", 93),
    ("ipip", 94),
    ("etherip", 97),
    ("encap", 98),
    ("pim", 103),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("l2tp", 115),
    ("isis", 124),
    ("sctp", 132),
    ("fc", 133),
    ("mobility-header", 135),
    ("udplite", 136),
    ("mpls-in-ip", 137),
    ("manet", 138),
    ("hip", 139),
    ("shim6", 140),
    ("wesp", 141),
    ("rohc", 142),
];

fn ip_protocol(r: &mut Reader<'_>, word: Word<'_>) -> Option<u8> {
    let named = IP_PROTOCOLS.iter().find(|(name, _)| *name == word.text()).map(|(_, n)| *n);
    let value = named.or_else(|| number(word.text()).and_then(|n| u8::try_from(n).ok()));
    if value.is_none() {
        r.bad(word, "a protocol: a name of /etc/protocols or 0 to 255");
    }
    value
}
