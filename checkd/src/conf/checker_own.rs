//! What SMTP_CHECK, DNS_CHECK, UDP_CHECK, MISC_CHECK, FILE_CHECK and BFD_CHECK have of their own.

use super::checker::{Checker, SOCKET, TIMING};
use super::diag::{Code, Diagnostic};
use super::file::file_weight;
use super::global_vrrp::{fill, put};
use super::keyword::{self, Args, At, Keyword, Reader, Tables};
use super::script::Command;
use super::tree::Statement;
use super::value::secs;
use crate::check::dns;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::file::FileWeight;
use ipc::config::probe::{DnsType, Reply};
use ipc::config::script::RunAs;
use ipc::config::vrrp::Switch;

/// What one kind of checker has and others have not.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// `helo_name`
    pub helo: Option<String>,
    /// `type`
    pub dns_type: Option<DnsType>,
    /// `name` of a DNS_CHECK.
    pub dns_name: Option<String>,
    /// `payload`
    pub payload: Option<Vec<u8>>,
    /// `require_reply`
    pub reply: Option<Reply>,
    /// `min_reply_length`
    pub min_length: Option<At<u16>>,
    /// `max_reply_length`
    pub max_length: Option<At<u16>>,
    /// `misc_path`
    pub command: Option<Command>,
    /// `misc_timeout`; `None`: the virtual server's `delay_loop`.
    pub timeout: Option<Duration>,
    /// `misc_dynamic`
    pub dynamic: Switch,
    /// `user`
    pub user: Option<At<RunAs>>,
    /// `track_file`
    pub file: Option<At<String>>,
    /// `weight` of a FILE_CHECK.
    pub weight: Option<FileWeight>,
    /// `name` of a BFD_CHECK.
    pub bfd: Option<At<String>>,
}

/// Of a checker that has nothing of its own.
pub(super) static NOTHING: Own = Own {
    helo: None,
    dns_type: None,
    dns_name: None,
    payload: None,
    reply: None,
    min_length: None,
    max_length: None,
    command: None,
    timeout: None,
    dynamic: Switch::Off,
    user: None,
    file: None,
    weight: None,
    bfd: None,
};

/// `SMTP_CHECK`
pub static SMTP: Tables<'static, Checker> = &[SOCKET, TIMING, SMTP_OWN];

static SMTP_OWN: &[Keyword<Checker>] = &[
    Keyword::new(
        "helo_name",
        Args::Count(1, 1),
        "NAME",
        "the name that the server is greeted with",
        |r, s, c: &mut Checker| {
            let Some(word) = s.word(1) else { return };
            match r.text(word).map(|n| n.value) {
                Some(name) if name.is_empty() || name.contains(char::is_control) => r.bad(word, "a name"),
                name => fill(&mut c.own_mut().helo, name),
            }
        },
    )
    .or("smtpchecker.keepalived.org"),
    Keyword::new(
        "host",
        Args::Flag,
        "",
        "the settings of the connection, as they stand in the block itself today",
        |r, s, c: &mut Checker| {
            let message = "`host` is an old form: its lines belong in the checker itself";
            r.diags.push(Diagnostic::warning(Code::DEPRECATED, s.span(), message));
            keyword::read(r, &[SOCKET, TIMING], "`host`", s.children(), c);
        },
    )
    .block(),
];

/// `DNS_CHECK`
pub static DNS: Tables<'static, Checker> = &[SOCKET, TIMING, DNS_OWN];

const DNS_TYPES: [(&str, DnsType); 9] = [
    ("A", DnsType::A),
    ("NS", DnsType::Ns),
    ("CNAME", DnsType::Cname),
    ("SOA", DnsType::Soa),
    ("MX", DnsType::Mx),
    ("TXT", DnsType::Txt),
    ("AAAA", DnsType::Aaaa),
    ("RRSIG", DnsType::Rrsig),
    ("DNSKEY", DnsType::Dnskey),
];

static DNS_OWN: &[Keyword<Checker>] = &[
    Keyword::new(
        "type",
        Args::Count(1, 1),
        "A|NS|CNAME|SOA|MX|TXT|AAAA|RRSIG|DNSKEY",
        "the type of record that is asked for",
        |r, s, c: &mut Checker| {
            let Some(word) = s.word(1) else { return };
            match DNS_TYPES.iter().find(|(name, _)| word.text().eq_ignore_ascii_case(name)) {
                Some((_, query)) => c.own_mut().dns_type = Some(*query),
                None => r.bad(word, "a type of record: A, NS, `CNAME`, SOA, MX, TXT, AAAA, `RRSIG` or `DNSKEY`"),
            }
        },
    )
    .or("SOA"),
    Keyword::new("name", Args::Count(1, 1), "NAME", "the domain that is asked for", |r, s, c: &mut Checker| {
        let Some(word) = s.word(1) else { return };
        let Some(name) = r.text(word).map(|n| n.value) else { return };
        if c.own().dns_name.is_some() {
            r.again(s); // COMPAT: the first one counts
        } else if is_domain(&name) {
            c.own_mut().dns_name = Some(name);
        } else {
            r.bad(word, "the name of a domain");
        }
    })
    .or("."),
];

/// RFC 1035 §2.3.4: at most 255 bytes on the wire, labels of 1 to 63.
fn is_domain(name: &str) -> bool {
    let inner = name.strip_suffix('.').unwrap_or(name);
    let labels = inner.len() <= 253 && inner.split('.').all(|label| (1..=63).contains(&label.len()));
    name == "." || (labels && dns::query(0, DnsType::Soa, name).is_some())
}

/// `UDP_CHECK`
pub static UDP: Tables<'static, Checker> = &[SOCKET, TIMING, UDP_OWN];

/// Longest datagram (RFC 768 over IPv4).
const DATAGRAM: usize = 65_507;

static UDP_OWN: &[Keyword<Checker>] = &[
    Keyword::new("payload", Args::Some(1), "HEX …", "the bytes that are sent", |r, s, c: &mut Checker| {
        match hex(s).filter(|(_, mask)| mask.iter().all(|m| *m == 0xff)) {
            Some((bytes, _)) => c.own_mut().payload = Some(bytes),
            None => s.word(1).into_iter().for_each(|word| r.bad(word, "hexadecimal digits, at most 65507 bytes")),
        }
    })
    .or("some of its own"),
    Keyword::new(
        "require_reply",
        Args::Some(0),
        "[HEX …]",
        "there must be an answer; with digits it begins with these bytes, of which x stands for any digit",
        |r, s, c| match (s.word(1), hex(s)) {
            (None, _) => c.own_mut().reply = Some(Reply::Any),
            (Some(_), Some((bytes, mask))) => c.own_mut().reply = Some(Reply::Like { bytes, mask }),
            (Some(word), None) => r.bad(word, "hexadecimal digits or x, at most 65507 bytes"),
        },
    ),
    Keyword::new(
        "min_reply_length",
        Args::Count(1, 1),
        "INT 0..65535",
        "how long an answer must be, when digits are given",
        |r, s, c: &mut Checker| {
            keyword::set(&mut c.own_mut().min_length, r.number(s.word(1), 0..=65_535), s);
        },
    )
    .or("0"),
    Keyword::new(
        "max_reply_length",
        Args::Count(1, 1),
        "INT 0..65535",
        "how long an answer may be, when digits are given",
        |r, s, c: &mut Checker| {
            keyword::set(&mut c.own_mut().max_length, r.number(s.word(1), 0..=65_535), s);
        },
    )
    .or("255"),
];

/// Bytes and a mask of the digits that count. COMPAT: keepalived, its man page: digits may stand in groups, and the last of an odd number
/// in a group is a byte of its own.
fn hex(s: Statement<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut bytes, mut masks) = (Vec::new(), Vec::new());
    let groups = s.words(1).flat_map(|word| word.bytes.split(|b| matches!(b, b' ' | b'\t')));
    for digits in groups.flat_map(|group| group.chunks(2)) {
        let (mut byte, mut mask) = (0_u8, 0xf0_u8);
        for (n, digit) in digits.iter().enumerate() {
            let (value, counts) = match digit {
                b'x' | b'X' => (0, 0),
                digit => (char::from(*digit).to_digit(16)?, 0xf),
            };
            byte = byte << 4 | u8::try_from(value).ok()?;
            // What is not written of the first byte's half is 0.
            mask = if n == 0 { 0xf0 | counts } else { mask << 4 | counts };
        }
        bytes.push(byte);
        masks.push(mask);
    }
    (1..=DATAGRAM).contains(&bytes.len()).then_some((bytes, masks))
}

/// `MISC_CHECK`
pub static MISC: Tables<'static, Checker> = &[TIMING, MISC_OWN];

static MISC_OWN: &[Keyword<Checker>] = &[
    Keyword::new(
        "misc_path",
        Args::Command,
        "\"COMMAND\"",
        "the command; exit status 0 is success",
        |r, s, c: &mut Checker| {
            fill(&mut c.own_mut().command, r.command_only(s));
        },
    ),
    Keyword::new(
        "misc_timeout",
        Args::Count(1, 1),
        "SECONDS",
        "how long a run may take before it is killed and counts as failed",
        |r, s, c: &mut Checker| {
            // COMPAT: 0 is the virtual server's `delay_loop`, as if it were not there.
            c.own_mut().timeout = r.number(s.word(1), 0..=8_640_000).filter(|n| *n > 0).map(secs);
        },
    )
    .or("delay_loop of the virtual server"),
    Keyword::flag(
        "misc_dynamic",
        "exit statuses from 2 are success too, and set the weight to the status less 2; 0 sets the configured weight again",
        |_, _, c: &mut Checker| c.own_mut().dynamic = Switch::On,
    ),
    Keyword::new("user", Args::Count(1, 2), "USER [[:]GROUP]", "who runs it", |r, s, c: &mut Checker| {
        fill(&mut c.own_mut().user, r.run_as(s));
    })
    .or("that of script_user"),
];

/// `FILE_CHECK`
pub static FILE: Tables<'static, Checker> = &[FILE_OWN];

static FILE_OWN: &[Keyword<Checker>] = &[
    Keyword::new(
        "track_file",
        Args::Count(1, 1),
        "NAME",
        "the name of the track_file block",
        |r, s, c: &mut Checker| {
            fill(&mut c.own_mut().file, s.word(1).and_then(|w| r.text(w)));
        },
    ),
    Keyword::new(
        "weight",
        Args::Count(1, 2),
        "INT [reverse|noreverse]",
        "what the number in the file is multiplied with before it is added to the weight",
        |r, s, c: &mut Checker| {
            fill(&mut c.own_mut().weight, file_weight(r, s, i64::from(i32::MAX)));
        },
    )
    .or("weight of the track_file"),
];

/// `BFD_CHECK`
pub static BFD: Tables<'static, Checker> = &[BFD_OWN];

static BFD_OWN: &[Keyword<Checker>] = &[
    Keyword::new("name", Args::Count(1, 1), "NAME", "the name of the bfd_instance", |r, s, c: &mut Checker| {
        fill(&mut c.own_mut().bfd, s.word(1).and_then(|w| r.text(w)));
    }),
    Keyword::switch(
        "alpha",
        "the checker counts as failed until the session is up",
        |r: &mut Reader<'_>, s: Statement<'_>, c: &mut Checker| {
            let alpha = r.switch(s);
            put(&mut c.alpha, alpha.map(Some));
        },
    )
    .or("off"),
];
