//! `global_defs`: defaults of VRRP that later work brings to life. COMPAT: keepalived 2.4.3.

use super::diag::{Code, Diagnostic};
use super::global::Global;
use super::keyword::{Args, Keyword, Reader};
use super::tree::Statement;
use super::value::{micros, secs};
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::vrrp::Switch;
use ipc::config::vrrp_global::BufferPolicy;
use ipc::config::vrrp_options::ExtraGarp;

/// Longest time that anything here may take.
pub const DAY: Duration = secs(86_400);

/// Sets what is there.
pub fn put<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// Sets an option to what is there; a value at fault leaves it.
pub fn fill<T>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}

/// Sets an option that is not set yet; a second statement is an error and ignored. COMPAT: for the keywords where the first one wins.
pub fn once<T>(r: &mut Reader<'_>, s: Statement<'_>, slot: &mut Option<T>, value: Option<T>) {
    if is_first(r, s, slot.is_none()) {
        fill(slot, value);
    }
}

/// Passes on whether a statement is the first of its kind; one that is not is reported.
pub fn is_first(r: &mut Reader<'_>, s: Statement<'_>, first: bool) -> bool {
    if !first {
        let message = alloc::format!("`{}` is given twice; the first one counts", s.keyword());
        r.diags.push(Diagnostic::error(Code::REPEATED, s.whole(), message).label("ignored"));
    }
    first
}

/// `[all] SECONDS`; `None` inside for 0, which switches it off where that is allowed.
pub fn extra_garp(r: &mut Reader<'_>, s: Statement<'_>, least: u64) -> Option<Option<ExtraGarp>> {
    let first = s.word(1)?;
    let (all, word) = if first.text() == "all" {
        match s.word(2) {
            Some(word) => (Switch::On, word),
            None => {
                let message = "`all` stands before a number of seconds";
                r.diags.push(Diagnostic::error(Code::MISSING_ARGUMENT, first.span, message).label("ignored"));
                return None;
            }
        }
    } else {
        if let Some(word) = s.word(2) {
            r.bad(word, "expected here: `all` stands before the number");
            return None;
        }
        (Switch::Off, first)
    };
    let every = r.timer(Some(word), secs(least)..=DAY)?;
    if every.subsec_micros() != 0 {
        r.bad(word, "a whole number of seconds");
        return None;
    }
    Some((!every.is_zero()).then_some(ExtraGarp { every, all }))
}

fn group6(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Global) {
    let Some(word) = s.word(1) else { return };
    match r.ip(word) {
        Some(IpAddr::V6(ip)) if ip.is_multicast() => {
            // RFC 4291 §2.7: the scope is the low half of the second byte; 2 is the link.
            if ip.octets().get(1).is_some_and(|b| b & 0x0f != 2) {
                let message = "this group is not of link-local scope";
                r.diags.push(Diagnostic::warning(Code::CONFLICT, word.span, message).help("ff02::12"));
            }
            d.vrrp.group6 = Some(ip);
        }
        Some(_) => r.bad(word, "an IPv6 multicast address"),
        None => {}
    }
}

/// COMPAT: a number beats both words, `MTU` beats `ADVERT`, also over two statements; case does not matter.
fn buffer_policy(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Global) {
    let mut policy = d.vrrp.receive_buffers;
    for word in s.words(1) {
        let next = match word.text().to_ascii_uppercase().as_str() {
            "MTU" => BufferPolicy::Mtu,
            "ADVERT" => BufferPolicy::Advert,
            _ => match r.number(Some(word), 1..=i64::from(u32::MAX)) {
                Some(bytes) => BufferPolicy::Bytes(bytes),
                None => return,
            },
        };
        policy = match (policy, next) {
            (number @ BufferPolicy::Bytes(_), _) => number,
            (BufferPolicy::Mtu, BufferPolicy::Advert) => BufferPolicy::Mtu,
            _ => next,
        };
    }
    d.vrrp.receive_buffers = policy;
}

/// A prefix of interface names. COMPAT: the first one wins.
fn prefix(r: &mut Reader<'_>, s: Statement<'_>, slot: &mut Option<alloc::string::String>) {
    if let Some(name) = s.word(1).and_then(|w| r.link_name(w)) {
        once(r, s, slot, Some(name.value));
    }
}

/// `global_defs`, VRRP
pub static VRRP: &[Keyword<Global>] = &[
    Keyword::new("vrrp_mcast_group6", Args::Count(1, 1), "IP", "the multicast group that IPv6 adverts are sent to", group6)
        .or("ff02::12"),
    Keyword::switch("vrrp_strict", "the strict_mode of instances that name none: nothing that RFC 9568 does not have", |r, s, d: &mut Global| {
        put(&mut d.vrrp.strict, r.switch(s));
    })
    .or("off"),
    Keyword::new(
        "vrrp_garp_interval",
        Args::Count(1, 1),
        "SECONDS",
        "the pause between two gratuitous ARPs on one interface",
        |r, s, d: &mut Global| {
            put(&mut d.vrrp.garp_interval, r.timer(s.word(1), micros(1)..=DAY));
        },
    ).or("no pause"),
    Keyword::new(
        "vrrp_gna_interval",
        Args::Count(1, 1),
        "SECONDS",
        "the pause between two neighbour advertisements on one interface",
        |r, s, d: &mut Global| {
            put(&mut d.vrrp.gna_interval, r.timer(s.word(1), micros(1)..=DAY));
        },
    ).or("no pause"),
    Keyword::new(
        "vrrp_garp_extra_if",
        Args::Count(1, 2),
        "[all] SECONDS 1..86400",
        "how often a master sends gratuitous ARPs for addresses on other interfaces than its own; all: on those of use_vmac too",
        |r, s, d: &mut Global| put(&mut d.vrrp.garp_extra, extra_garp(r, s, 1)),
    ).or("not at all"),
    Keyword::new(
        "vrrp_vmac_garp_intvl",
        Args::Count(1, 2),
        "[all] SECONDS 1..86400",
        "how often a master sends gratuitous ARPs for addresses on other interfaces than its own",
        |r, s, d: &mut Global| put(&mut d.vrrp.garp_extra, extra_garp(r, s, 1)),
    )
    .old_name_of("vrrp_garp_extra_if"),
    Keyword::flag("log_unknown_vrids", "adverts of routers that are not configured here are logged", |_, _, d: &mut Global| {
        d.vrrp.log_unknown_vrids = Switch::On;
    }),
    Keyword::new(
        "vrrp_delay_after_boot",
        Args::Count(1, 1),
        "SECONDS from 0.001",
        "VRRP starts no earlier than this time after the machine has booted",
        |r, s, d: &mut Global| put(&mut d.vrrp.delay_after_boot, r.timer(s.word(1), micros(1000)..=DAY)),
    ).or("no time").since("2.4.0"),
    Keyword::new(
        "vmac_prefix",
        Args::Count(1, 1),
        "STRING",
        "what the names of use_vmac interfaces begin with",
        |r, s, d: &mut Global| {
            prefix(r, s, &mut d.vrrp.vmac_prefix);
        },
    )
    .or("vrrp"),
    Keyword::new(
        "vmac_addr_prefix",
        Args::Count(1, 1),
        "STRING",
        "what the names of use_vmac_addr interfaces begin with",
        |r, s, d: &mut Global| prefix(r, s, &mut d.vrrp.vmac_addr_prefix),
    ).or("that of vmac_prefix"),
    Keyword::flag("disable_local_igmp", "the kernel sends no IGMP reports for groups of the local network", |_, _, d: &mut Global| {
        d.vrrp.disable_local_igmp = Switch::On;
    }),
    Keyword::new("vrrp_rx_bufs_policy", Args::Some(1), "MTU|ADVERT|BYTES", "the size of receive buffers: room for packets of the interface's MTU, for adverts, or a number of bytes", buffer_policy).or("4194304, and no less whatever it says"),
    Keyword::new(
        "vrrp_rx_bufs_multiplier",
        Args::Count(1, 1),
        "INT from 1",
        "how many packets a receive buffer has room for",
        |r, s, d: &mut Global| {
            put(&mut d.vrrp.receive_multiplier, r.number(s.word(1), 1..=i64::from(u32::MAX)));
        },
    )
    .or("3"),
];
