//! `global_defs`: packet filter, SNMP and D-Bus. COMPAT: keepalived 2.4.3.

use super::diag::{Code, Diagnostic};
use super::global::Global;
use super::global_vrrp::{fill, once, put};
use super::keyword::{Args, Keyword, Reader};
use super::tree::{Statement, Word};
use super::value::{micros, secs};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_global::Ipsets;

/// Longest name of an nftables table, of an iptables chain, of an ipset.
const TABLE_BYTES: usize = 31;
const CHAIN_BYTES: usize = 28;
const SET_BYTES: usize = 31;

/// A name of something in the kernel.
fn name(r: &mut Reader<'_>, word: Word<'_>, most: usize) -> Option<String> {
    let text = word.text();
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '\\');
    if text.is_empty() || text.len() > most || !text.chars().all(good) {
        r.bad(word, &alloc::format!("a name of at most {most} letters, digits, `_`, `-` and `.`"));
        return None;
    }
    Some(text.to_string())
}

fn table(r: &mut Reader<'_>, s: Statement<'_>, default: &str) -> Option<String> {
    match s.word(1) {
        Some(word) => name(r, word, TABLE_BYTES),
        None => Some(default.to_string()),
    }
}

/// The two tables need two names.
fn is_free(r: &mut Reader<'_>, s: Statement<'_>, name: &str, other: Option<&str>) -> bool {
    let free = other != Some(name);
    if !free {
        let message = alloc::format!("`nftables` and `nftables_ipvs` cannot both be the table `{name}`");
        r.diags.push(Diagnostic::error(Code::DUPLICATE, s.whole(), message).label("ignored"));
    }
    free
}

fn int32(r: &mut Reader<'_>, s: Statement<'_>) -> Option<i32> {
    r.number(s.word(1), i64::from(i32::MIN)..=i64::from(i32::MAX))
}

/// COMPAT: nothing is INPUT and OUTPUT; one chain means that nothing is filtered on its way out.
fn iptables(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Global) {
    let Some(first) = s.word(1) else {
        d.vrrp.firewall.iptables = Some(("INPUT".to_string(), Some("OUTPUT".to_string())));
        return;
    };
    let Some(incoming) = name(r, first, CHAIN_BYTES) else { return };
    let outgoing = match s.word(2) {
        Some(word) => match name(r, word, CHAIN_BYTES) {
            Some(chain) => Some(chain),
            None => return,
        },
        None => None,
    };
    d.vrrp.firewall.iptables = Some((incoming, outgoing));
}

/// COMPAT: nothing is no ipsets; names must differ.
fn ipsets(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Global) {
    let mut names: Vec<String> = Vec::new();
    for word in s.words(1) {
        let Some(set) = name(r, word, SET_BYTES) else { return };
        if names.contains(&set) {
            let message = alloc::format!("two ipsets cannot both be `{set}`");
            r.diags.push(Diagnostic::error(Code::DUPLICATE, word.span, message).label("`vrrp_ipsets` is ignored"));
            return;
        }
        names.push(set);
    }
    d.vrrp.firewall.ipsets = if names.is_empty() { Ipsets::Off } else { Ipsets::Named(names) };
}

/// `global_defs`, packet filter
pub static FIREWALL: &[Keyword<Global>] = &[
    Keyword::new(
        "nftables",
        Args::Count(0, 1),
        "[TABLE]",
        "a table of this name filters for no_accept and use_vmac",
        |r, s, d: &mut Global| {
            let name = table(r, s, "keepalived").filter(|name| is_free(r, s, name, d.vrrp.firewall.ipvs.as_deref()));
            once(r, s, &mut d.vrrp.firewall.nftables, name);
        },
    )
    .or("off; `keepalived` without a name"),
    Keyword::new(
        "nftables_priority",
        Args::Count(1, 1),
        "INT",
        "the priority of its chains",
        |r, s, d: &mut Global| {
            fill(&mut d.vrrp.firewall.priority, int32(r, s));
        },
    )
    .or("-1"),
    Keyword::flag(
        "nftables_ifindex",
        "its sets name interfaces by their numbers, which they always do",
        |_, _, d: &mut Global| d.vrrp.firewall.by_ifindex = Switch::On,
    ),
    Keyword::flag("nftables_counters", "its rules count packets", |_, _, d: &mut Global| {
        d.vrrp.firewall.counters = Switch::On
    }),
    Keyword::new(
        "nftables_ipvs",
        Args::Count(0, 1),
        "[TABLE]",
        "a table of this name puts the firewall marks of virtual server groups on packets",
        |r, s, d: &mut Global| {
            let name =
                table(r, s, "keepalived_ipvs").filter(|name| is_free(r, s, name, d.vrrp.firewall.nftables.as_deref()));
            once(r, s, &mut d.vrrp.firewall.ipvs, name);
        },
    )
    .or("off; `keepalived_ipvs` without a name"),
    Keyword::new(
        "nftables_ipvs_priority",
        Args::Count(1, 1),
        "INT",
        "the priority of its chains",
        |r, s, d: &mut Global| {
            fill(&mut d.vrrp.firewall.ipvs_priority, int32(r, s));
        },
    )
    .or("-1"),
    Keyword::new(
        "nftables_ipvs_start_fwmark",
        Args::Count(1, 1),
        "INT from 1",
        "the first firewall mark that it uses",
        |r, s, d: &mut Global| {
            fill(&mut d.vrrp.firewall.first_mark, r.number(s.word(1), 1..=i64::from(u32::MAX)));
        },
    )
    .or("1000"),
    Keyword::new(
        "vrrp_iptables",
        Args::Count(0, 2),
        "[IN [OUT]]",
        "nftables filters for no_accept; with one word nothing is filtered on its way out",
        iptables,
    )
    .or("off; `INPUT OUTPUT` without names"),
    Keyword::new(
        "vrrp_ipsets",
        Args::Count(0, 6),
        "[NAME …]",
        "names of ipsets; the sets are those of the nftables table",
        ipsets,
    ),
];

/// Words in a D-Bus name or a socket.
fn plain(r: &mut Reader<'_>, s: Statement<'_>) -> Option<String> {
    let text = r.text(s.word(1)?)?.value;
    if text.is_empty() {
        r.bad(s.word(1)?, "a name");
        return None;
    }
    Some(text)
}

/// D-Bus specification, "Valid Names": parts of letters, digits, `_` and `-` between dots, at least two, none begins with a digit.
fn bus_name(r: &mut Reader<'_>, s: Statement<'_>) -> Option<String> {
    let word = s.word(1)?;
    let text = word.text();
    let part = |p: &str| {
        !p.is_empty()
            && !p.starts_with(|c: char| c.is_ascii_digit())
            && p.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    if text.len() > 255 || !text.contains('.') || !text.split('.').all(part) {
        r.bad(word, "a D-Bus name such as org.keepalived.Vrrp1");
        return None;
    }
    Some(text.to_string())
}

/// `global_defs`, SNMP and D-Bus
pub static MONITORING: &[Keyword<Global>] = &[
    Keyword::new(
        "snmp_socket",
        Args::Count(1, 1),
        "SPEC",
        "where the SNMP master agent listens",
        |r, s, d: &mut Global| {
            let socket = plain(r, s);
            once(r, s, &mut d.vrrp.snmp.socket, socket);
        },
    )
    .or("unix:/var/agentx/master")
    .not_yet(),
    Keyword::flag("enable_snmp_vrrp", "SNMP tells about instances as KEEPALIVED-MIB has it", |_, _, d: &mut Global| {
        d.vrrp.snmp.vrrp = Switch::On
    })
    .not_yet(),
    Keyword::flag(
        "enable_snmp_keepalived",
        "SNMP tells about instances as KEEPALIVED-MIB has it",
        |_, _, d: &mut Global| d.vrrp.snmp.vrrp = Switch::On,
    )
    .old_name_of("enable_snmp_vrrp"),
    Keyword::flag(
        "enable_snmp_checker",
        "SNMP tells about virtual and real servers as KEEPALIVED-MIB has it",
        |_, _, d: &mut Global| d.vrrp.snmp.checker = Switch::On,
    )
    .not_yet(),
    Keyword::flag("enable_snmp_rfc", "enable_snmp_rfcv2 and enable_snmp_rfcv3", |_, _, d: &mut Global| {
        d.vrrp.snmp.rfc2 = Switch::On;
        d.vrrp.snmp.rfc3 = Switch::On;
    })
    .not_yet(),
    Keyword::flag(
        "enable_snmp_rfcv2",
        "SNMP tells about version 2 instances as RFC 2787 has it",
        |_, _, d: &mut Global| d.vrrp.snmp.rfc2 = Switch::On,
    )
    .not_yet(),
    Keyword::flag("enable_snmp_rfcv3", "SNMP tells about instances as RFC 6527 has it", |_, _, d: &mut Global| {
        d.vrrp.snmp.rfc3 = Switch::On
    })
    .not_yet(),
    Keyword::flag("enable_traps", "SNMP traps are sent", |_, _, d: &mut Global| d.vrrp.snmp.traps = Switch::On)
        .not_yet(),
    Keyword::new(
        "snmp_vs_stats_update_interval",
        Args::Count(1, 1),
        "SECONDS 0.001..30",
        "how old the numbers of virtual servers in SNMP may be",
        |r, s, d: &mut Global| fill(&mut d.vrrp.snmp.services_every, r.timer(s.word(1), micros(1000)..=secs(30))),
    )
    .or("5")
    .since("2.3.0")
    .not_yet(),
    Keyword::new(
        "snmp_rs_stats_update_interval",
        Args::Count(1, 1),
        "SECONDS 0.001..30",
        "how old the numbers of real servers in SNMP may be",
        |r, s, d: &mut Global| fill(&mut d.vrrp.snmp.reals_every, r.timer(s.word(1), micros(1000)..=secs(30))),
    )
    .or("that of snmp_vs_stats_update_interval")
    .since("2.3.0")
    .not_yet(),
    Keyword::flag("enable_dbus", "the state of instances is on D-Bus", |_, _, d: &mut Global| {
        d.vrrp.dbus.enabled = Switch::On
    })
    .not_yet(),
    Keyword::new(
        "dbus_service_name",
        Args::Count(1, 1),
        "NAME",
        "the name of the service on D-Bus",
        |r, s, d: &mut Global| {
            fill(&mut d.vrrp.dbus.service, bus_name(r, s));
        },
    )
    .or("org.keepalived.Vrrp1")
    .not_yet(),
    Keyword::new(
        "dbus_no_interface_name",
        Args::Count(1, 1),
        "NAME",
        "what stands on D-Bus for an instance without interface",
        |r, s, d: &mut Global| {
            let name = s.word(1).and_then(|w| r.link_name(w)).map(|n| n.value);
            put(&mut d.vrrp.dbus.no_interface, name.map(Some));
        },
    )
    .or("none")
    .since("2.3.0")
    .not_yet(),
];
