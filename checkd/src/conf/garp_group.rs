//! `garp_group` blocks, and the lines of `linkbeat_interfaces` and `interface_up_down_delays`. COMPAT: keepalived 2.4.3.

use super::diag::{Code, Diagnostic};
use super::global_vrrp::DAY;
use super::keyword::{Args, At, Keyword, Reader, no_block, set, shown};
use super::source::Span;
use super::tree::Statement;
use super::value::{micros, secs};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::vrrp_track::LinkbeatBy;

/// A `garp_group` block.
#[derive(Clone, Debug)]
pub struct GarpGroup {
    /// Its first line.
    pub span: Span,
    /// `garp_interval`
    pub garp: Option<At<Duration>>,
    /// `gna_interval`
    pub gna: Option<At<Duration>>,
    /// `interface`, `interfaces`
    pub links: Vec<At<String>>,
}

impl GarpGroup {
    /// An empty block.
    pub fn new(span: Span) -> Self {
        GarpGroup { span, garp: None, gna: None, links: Vec::new() }
    }
}

/// `garp_group`
pub static GARP_GROUP: &[Keyword<GarpGroup>] = &[
    Keyword::new(
        "garp_interval",
        Args::Count(1, 1),
        "SECONDS",
        "the pause between two gratuitous ARPs on these interfaces together",
        |r, s, d| {
            set(&mut d.garp, r.timer(s.word(1), micros(0)..=DAY), s);
        },
    ),
    Keyword::new(
        "gna_interval",
        Args::Count(1, 1),
        "SECONDS",
        "the pause between two neighbour advertisements on these interfaces together",
        |r, s, d| {
            set(&mut d.gna, r.timer(s.word(1), micros(0)..=DAY), s);
        },
    ),
    Keyword::new("interface", Args::Count(1, 1), "INTERFACE", "an interface of the group", |r, s, d| {
        d.links.extend(s.word(1).and_then(|w| r.link_name(w)));
    }),
    Keyword::new("interfaces", Args::Flag, "", "the interfaces of the group", |r, s, d: &mut GarpGroup| {
        for line in s.children() {
            no_block(r, line);
            d.links.extend(line.words(0).filter_map(|w| r.link_name(w)));
        }
    })
    .block(),
];

/// Lines `IFNAME [MII|ETHTOOL|IOCTL]`.
pub(super) fn linkbeats(r: &mut Reader<'_>, s: Statement<'_>, list: &mut Vec<(At<String>, LinkbeatBy)>) {
    for line in s.children() {
        no_block(r, line);
        let Some(link) = line.word(0).and_then(|w| r.link_name(w)) else { continue };
        let by = match line.word(1).map(|w| (w, w.text())) {
            None => LinkbeatBy::Auto,
            Some((_, "MII")) => LinkbeatBy::Mii,
            Some((_, "ETHTOOL")) => LinkbeatBy::Ethtool,
            Some((_, "IOCTL")) => LinkbeatBy::Ioctl,
            Some((word, _)) => {
                r.bad(word, "`MII`, `ETHTOOL` or `IOCTL`");
                continue;
            }
        };
        if let Some(word) = line.word(2) {
            let message =
                alloc::format!("`{}` is one word too many: a line is INTERFACE and one way", shown(word.text()));
            r.diags.push(Diagnostic::warning(Code::EXTRA_WORDS, word.span, message).label("ignored"));
        }
        list.push((link, by));
    }
}

/// Lines `IFNAME DOWN [UP]`. COMPAT: without UP it is 0, whatever the manual says.
pub(super) fn delays(r: &mut Reader<'_>, s: Statement<'_>, list: &mut Vec<(At<String>, Duration, Duration)>) {
    for line in s.children() {
        no_block(r, line);
        let Some(link) = line.word(0).and_then(|w| r.link_name(w)) else { continue };
        let Some(down) = line.word(1) else {
            let message = "a delay follows the interface";
            r.diags.push(Diagnostic::error(Code::MISSING_ARGUMENT, line.whole(), message).label("ignored"));
            continue;
        };
        let range = micros(0)..=secs(255);
        let Some(down) = r.timer(Some(down), range.clone()) else { continue };
        let up = match line.word(2) {
            Some(word) => match r.timer(Some(word), range) {
                Some(up) => up,
                None => continue,
            },
            None => Duration::ZERO,
        };
        list.push((link, down, up));
    }
}
