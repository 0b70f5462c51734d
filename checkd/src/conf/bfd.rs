//! `bfd_instance` blocks. COMPAT: keepalived 2.4.3.

use super::diag::{Code, Diagnostic};
use super::global_vrrp::{fill, put};
use super::keyword::{Args, At, Keyword, Reader, set};
use super::source::Span;
use super::track::weight;
use super::tree::Statement;
use alloc::format;
use alloc::string::String;
use core::net::IpAddr;
use core::time::Duration;
use ipc::config::bfd::Told;
use ipc::config::vrrp::{Switch, Weight};

/// Longest name of a session.
pub const NAME_BYTES: usize = 31;

/// A `bfd_instance` block.
#[derive(Clone, Debug)]
pub struct Bfd {
    /// Its name.
    pub name: At<String>,
    /// `neighbor_ip`
    pub neighbor: Option<At<IpAddr>>,
    /// `source_ip`
    pub source: Option<At<IpAddr>>,
    /// `min_rx`
    pub min_rx: Option<Duration>,
    /// `min_tx`
    pub min_tx: Option<Duration>,
    /// `idle_tx`
    pub idle_tx: Option<Duration>,
    /// `multiplier`
    pub multiplier: Option<u8>,
    /// `passive`
    pub passive: Switch,
    /// `ttl`, `hoplimit`
    pub ttl: Option<u8>,
    /// `max_hops`; −1 for any.
    pub max_hops: Option<At<i16>>,
    /// `multihop`
    pub multihop: Switch,
    /// `weight`
    pub weight: Option<Weight>,
    /// `vrrp`, `checker`
    pub told: Told,
    /// Its first line.
    pub span: Span,
}

impl Bfd {
    /// An empty block.
    pub fn new(name: At<String>, span: Span) -> Self {
        Bfd {
            name,
            neighbor: None,
            source: None,
            min_rx: None,
            min_tx: None,
            idle_tx: None,
            multiplier: None,
            passive: Switch::Off,
            ttl: None,
            max_hops: None,
            multihop: Switch::Off,
            weight: None,
            told: Told::Both,
            span,
        }
    }
}

/// Milliseconds with up to three decimals, from `least`.
fn millis(r: &mut Reader<'_>, s: Statement<'_>, least: u64) -> Option<Duration> {
    r.milliseconds(s.word(1), least..=4_294_967)
}

fn neighbor(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Bfd) {
    set(&mut d.neighbor, s.word(1).and_then(|w| r.ip(w)), s);
}

fn ttl(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Bfd) {
    fill(&mut d.ttl, r.number(s.word(1), 1..=255));
}

/// COMPAT: `vrrp` and `checker` together are both, which is the default.
fn told(d: &mut Bfd, who: Told) {
    d.told = if d.told == Told::Both || d.told == who { who } else { Told::Both };
}

/// `bfd_instance`
pub static BFD: &[Keyword<Bfd>] = &[
    Keyword::new("neighbor_ip", Args::Count(1, 1), "IP", "the address of the neighbour", neighbor),
    Keyword::new(
        "neighbour_ip",
        Args::Count(1, 1),
        "IP",
        "the address of the neighbour; another spelling of neighbor_ip",
        neighbor,
    ),
    Keyword::new(
        "source_ip",
        Args::Count(1, 1),
        "IP",
        "the address that packets are sent from",
        |r, s, d: &mut Bfd| {
            set(&mut d.source, s.word(1).and_then(|w| r.ip(w)), s);
        },
    )
    .or("that of the route"),
    Keyword::new(
        "min_rx",
        Args::Count(1, 1),
        "MILLISECONDS 1..4294967",
        "the shortest time between two packets that this end can take",
        |r, s, d: &mut Bfd| {
            fill(&mut d.min_rx, millis(r, s, 1));
        },
    )
    .or("10"),
    Keyword::new(
        "min_tx",
        Args::Count(1, 1),
        "MILLISECONDS 1..4294967",
        "the shortest time between two packets that this end would like to send",
        |r, s, d: &mut Bfd| {
            fill(&mut d.min_tx, millis(r, s, 1));
        },
    )
    .or("10"),
    Keyword::new(
        "idle_tx",
        Args::Count(1, 1),
        "MILLISECONDS 1000..4294967",
        "the time between two packets while the session is not up",
        |r, s, d: &mut Bfd| {
            fill(&mut d.idle_tx, millis(r, s, 1000));
        },
    )
    .or("1000"),
    Keyword::new(
        "multiplier",
        Args::Count(1, 1),
        "INT 1..255",
        "how many packets may be missed before the session is down",
        |r, s, d: &mut Bfd| {
            fill(&mut d.multiplier, r.number(s.word(1), 1..=255));
        },
    )
    .or("5"),
    Keyword::flag("passive", "this end waits for the neighbour to begin", |_, _, d: &mut Bfd| d.passive = Switch::On),
    Keyword::new("ttl", Args::Count(1, 1), "INT 1..255", "the TTL of packets that are sent", ttl).or("255"),
    Keyword::new(
        "hoplimit",
        Args::Count(1, 1),
        "INT 1..255",
        "the hop limit of packets that are sent; another name of ttl",
        ttl,
    )
    .or("64"),
    Keyword::new(
        "max_hops",
        Args::Count(1, 1),
        "INT -1..255",
        "how many routers may be between; -1: any number",
        |r, s, d: &mut Bfd| {
            set(&mut d.max_hops, r.number(s.word(1), -1..=255), s);
        },
    )
    .or("0"),
    Keyword::switch("multihop", "port 4784 (RFC 5883) instead of 3784", |r, s, d: &mut Bfd| {
        put(&mut d.multihop, r.switch(s))
    })
    .or("off")
    .since("2.2.8"),
    Keyword::new(
        "weight",
        Args::Count(1, 2),
        "INT -253..253 [reverse]",
        "what a session that is up (or, below 0, down) adds to the priority; 0: down is FAULT",
        |r, s, d: &mut Bfd| {
            fill(&mut d.weight, weight(r, s, 1));
        },
    )
    .or("0"),
    Keyword::flag("vrrp", "instances are told about the session, checkers are not", |_, _, d: &mut Bfd| {
        told(d, Told::Vrrp)
    }),
    Keyword::flag("checker", "checkers are told about the session, instances are not", |_, _, d: &mut Bfd| {
        told(d, Told::Checker)
    }),
];

/// What a finished block says; `None` with a word about it when it cannot be used. `before`: those that can.
pub fn finish(r: &mut Reader<'_>, d: Bfd, before: &[Bfd]) -> Option<Bfd> {
    if d.name.value.len() > NAME_BYTES {
        let message = format!("the name of a `bfd_instance` has at most {NAME_BYTES} bytes");
        r.diags.push(Diagnostic::error(Code::BAD_VALUE, d.name.span, message).label("this block is ignored"));
        return None;
    }
    let Some(neighbor) = &d.neighbor else {
        let message = format!("`bfd_instance {}` has no `neighbor_ip`", d.name.value);
        r.diags.push(Diagnostic::error(Code::INCOMPLETE, d.span, message).label("ignored"));
        return None;
    };
    if let Some(source) = d.source.as_ref().filter(|s| s.value.is_ipv4() != neighbor.value.is_ipv4()) {
        let message = "`source_ip` and `neighbor_ip` are not of one address family";
        r.diags.push(Diagnostic::error(Code::CONFLICT, source.span, message).label("this block is ignored"));
        return None;
    }
    // COMPAT: keepalived 2.2.7, measured: the first one counts. The port tells one hop from many.
    let ends = |b: &Bfd| (b.neighbor.as_ref().map(|n| n.value), b.source.as_ref().map(|s| s.value), b.multihop);
    if let Some(first) = before.iter().find(|b| ends(b) == ends(&d)) {
        let message =
            format!("`bfd_instance {}` has the addresses of `bfd_instance {}`", d.name.value, first.name.value);
        let repeated = Diagnostic::error(Code::DUPLICATE, d.name.span, message).label("this block is ignored");
        r.diags.push(repeated.also(first.name.span, "the first one"));
        return None;
    }
    Some(d)
}
