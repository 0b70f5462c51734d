//! `global_defs`: the IPVS table as a whole. COMPAT: keepalived 2.4.3.

use super::diag::{Code, Diagnostic};
use super::global::Global;
use super::global_vrrp::{fill, is_first};
use super::keyword::{Args, Keyword, Reader};
use super::tree::{Statement, Word};
use alloc::format;
use ipc::config::lvs::{FlushOnStop, SyncDaemon};
use ipc::config::vrrp::Switch;

/// Longest timeout of a connection: the kernel's 31 days.
const TIMEOUT: i64 = 2_678_400;

fn missing(r: &mut Reader<'_>, option: Word<'_>) {
    let message = format!("`{}` needs a value", option.text());
    r.diags.push(Diagnostic::error(Code::MISSING_ARGUMENT, option.span, message).label("ignored"));
}

fn timeouts(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Global) {
    let mut words = s.words(1);
    while let Some(option) = words.next() {
        let slot = match option.text() {
            "tcp" => &mut d.lvs.tcp_timeout,
            "tcpfin" => &mut d.lvs.tcp_fin_timeout,
            "udp" => &mut d.lvs.udp_timeout,
            _ => {
                r.bad(option, "`tcp`, `tcpfin` or `udp`");
                continue;
            }
        };
        match words.next() {
            Some(word) => *slot = r.number(Some(word), 0..=TIMEOUT).or(*slot),
            None => missing(r, option),
        }
    }
}

fn flush_on_stop(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Global) {
    match s.word(1) {
        None => d.lvs.flush_on_stop = FlushOnStop::All,
        Some(word) if word.text() == "VS" => d.lvs.flush_on_stop = FlushOnStop::Services,
        Some(word) => r.bad(word, "`VS`"),
    }
}

/// `IF [[inst] INSTANCE] [id N] [maxlen N] [port N] [ttl N] [group IP]`; the old form is `IF INSTANCE ID`.
/// COMPAT: the first statement wins; an option at fault is ignored, the others count.
fn sync_daemon(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Global) {
    if !is_first(r, s, d.lvs.sync.is_none()) {
        return;
    }
    let Some(link) = s.word(1).and_then(|w| r.link_name(w)) else { return };
    let mut sync =
        SyncDaemon { link: link.value, instance: None, id: None, max_length: None, port: None, ttl: None, group: None };
    let mut instance = None;
    let mut words = s.words(2);
    let mut place = 0_u32;
    while let Some(option) = words.next() {
        place = place.saturating_add(1);
        let name = option.text();
        if !matches!(name, "inst" | "id" | "maxlen" | "port" | "ttl" | "group") {
            let is_number = name.bytes().all(|b| b.is_ascii_digit());
            match place {
                1 => instance = r.text(option),
                2 if is_number && instance.is_some() => match r.number(Some(option), 0..=255) {
                    Some(id) => {
                        let old = Diagnostic::warning(
                            Code::DEPRECATED,
                            option.span,
                            "`id` before this number is today's form",
                        );
                        r.diags.push(old.patch(option.span, alloc::format!("id {id}")));
                        sync.id = Some(id);
                    }
                    None => continue,
                },
                _ => r.bad(option, "`inst`, `id`, `maxlen`, `port`, `ttl` or `group`"),
            }
            continue;
        }
        let Some(word) = words.next() else {
            missing(r, option);
            break;
        };
        match name {
            "inst" => instance = r.text(word).or(instance),
            "id" => fill(&mut sync.id, r.number(Some(word), 0..=255)),
            "maxlen" => fill(&mut sync.max_length, r.number(Some(word), 1..=65_507)),
            "port" => fill(&mut sync.port, r.port(word, false)),
            "ttl" => fill(&mut sync.ttl, r.number(Some(word), 1..=255)),
            _ => match r.ip(word) {
                Some(group) if group.is_multicast() => sync.group = Some(group),
                Some(_) => r.bad(word, "a multicast address"),
                None => {}
            },
        }
    }
    sync.instance = instance.as_ref().map(|n| n.value.clone());
    d.sync_instance = instance;
    d.lvs.sync = Some(sync);
}

/// `global_defs`
pub static LVS: &[Keyword<Global>] = &[
    Keyword::new(
        "lvs_timeouts",
        Args::Count(1, 6),
        "[tcp S] [tcpfin S] [udp S]",
        "how long the kernel remembers idle connections, ones that are closing, and datagrams, in seconds",
        timeouts,
    )
    .or("the kernel's"),
    Keyword::flag("lvs_flush", "the IPVS table is emptied when the daemon starts", |_, _, d: &mut Global| {
        d.lvs.flush = Switch::On
    }),
    Keyword::new(
        "lvs_flush_on_stop",
        Args::Count(0, 1),
        "[VS]",
        "the IPVS table is emptied when the daemon stops; VS: only its own virtual servers are removed",
        flush_on_stop,
    ),
    Keyword::new(
        "lvs_flush_onstop",
        Args::Count(0, 1),
        "[VS]",
        "the IPVS table is emptied when the daemon stops",
        flush_on_stop,
    )
    .old_name_of("lvs_flush_on_stop"),
    Keyword::new(
        "lvs_sync_daemon",
        Args::Some(1),
        "INTERFACE [[inst] INSTANCE] [id 0..255] [maxlen 1..65507] [port N] [ttl 1..255] [group IP]",
        "connections are told to the other directors on this interface; with an instance the master sends and the backups listen",
        sync_daemon,
    ),
];
