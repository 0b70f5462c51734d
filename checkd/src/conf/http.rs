//! `HTTP_GET` and `SSL_GET` with their `url` blocks.

use super::checker::{Checker, Kind};
use super::diag::{Code, Diagnostic};
use super::global_vrrp::{fill, put};
use super::keyword::{self, Args, At, Keyword, Reader};
use super::source::Span;
use super::tree::{Statement, Word};
use crate::check::pattern::Pattern;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::check::HttpProtocol;
use ipc::config::probe::Regex;
use ipc::config::vrrp::Switch;

/// A `url` block.
#[derive(Clone, Debug)]
pub struct Url {
    /// Its first line.
    pub span: Span,
    /// `path`
    pub path: Option<At<String>>,
    /// `digest`
    pub digest: Option<[u8; 16]>,
    /// `status_code`
    pub status: Vec<(u16, u16)>,
    /// `virtualhost`
    pub host: Option<At<String>>,
    /// `regex` and its kin.
    pub regex: Regex,
    /// The line of `regex`.
    pub regex_at: Option<Span>,
    /// `tls_compliant`
    pub tls_compliant: Option<Switch>,
}

const NO_REGEX: Regex = Regex {
    pattern: Vec::new(),
    no_match: Switch::Off,
    options: Vec::new(),
    stack: None,
    min_offset: None,
    max_offset: None,
};

impl Url {
    fn new(span: Span) -> Self {
        Url {
            span,
            path: None,
            digest: None,
            status: Vec::new(),
            host: None,
            regex: NO_REGEX,
            regex_at: None,
            tls_compliant: None,
        }
    }
}

/// Largest offset and stack of a match: no page that is looked at is larger.
const OFFSET: i64 = i32::MAX as i64;

/// Words of `regex_options`. COMPAT: keepalived 2.4.3; it ignores others without a word.
const REGEX_OPTIONS: &[&str] = &[
    "allow_empty_class",
    "alt_bsux",
    "alt_circumflex",
    "alt_verbnames",
    "auto_callout",
    "caseless",
    "dollar_endonly",
    "dotall",
    "dupnames",
    "extended",
    "firstline",
    "match_unset_backref",
    "multiline",
    "never_backslash_c",
    "never_ucp",
    "never_utf",
    "no_auto_capture",
    "no_auto_possess",
    "no_dotstar_anchor",
    "no_start_optimize",
    "ucp",
    "ungreedy",
    "use_offset_limit",
    "utf",
];

fn regex_options(r: &mut Reader<'_>, s: Statement<'_>, u: &mut Url) {
    for word in s.words(1) {
        match REGEX_OPTIONS.iter().find(|o| **o == word.text()) {
            Some(option) if u.regex.options.iter().any(|o| o == option) => {}
            Some(option) => u.regex.options.push(String::from(*option)),
            None => {
                let message = format!("`{}` is not an option of a regular expression", keyword::shown(word.text()));
                let mut unknown = Diagnostic::warning(Code::BAD_VALUE, word.span, message).label("ignored");
                if let Some(near) = keyword::nearest(word.text(), REGEX_OPTIONS.iter().copied()) {
                    unknown = unknown.help(format!("did you mean `{near}`?")).patch(word.span, near);
                }
                r.diags.push(unknown);
            }
        }
    }
}

fn regex_stack(r: &mut Reader<'_>, s: Statement<'_>, u: &mut Url) {
    let (Some(start), Some(max)) = (r.number::<u32>(s.word(1), 1..=OFFSET), r.number::<u32>(s.word(2), 1..=OFFSET))
    else {
        return;
    };
    if start > max {
        let message = "`regex_stack`: the start is larger than the maximum";
        r.diags.push(Diagnostic::error(Code::CONFLICT, s.whole(), message).label("ignored"));
        return;
    }
    u.regex.stack = Some((start, max));
}

/// `HTTP_GET` and `SSL_GET`
pub static HTTP: &[Keyword<Checker>] = &[
    Keyword::new(
        "http_protocol",
        Args::Count(1, 1),
        "1.0|1.0C|1.1",
        "the version of HTTP; 1.0C also asks for the end of the connection",
        protocol,
    )
    .or("1.0"),
    Keyword::new("virtualhost", Args::Count(1, 1), "NAME", "the Host header", |r, s, c: &mut Checker| {
        c.host = s.word(1).and_then(|w| r.text(w)).or(c.host.take());
    })
    .or("that of the real server"),
    Keyword::new(
        "fast_recovery",
        Args::Switch,
        "[on|off]",
        "while the server is down, its pages are asked for one after another without a pause",
        |r, s, c: &mut Checker| {
            c.fast_recovery = r.switch(s).unwrap_or(c.fast_recovery);
        },
    )
    .or("off"),
    Keyword::new("url", Args::Flag, "", "a page that is asked for; all of them must be right", url).block(),
    Keyword::switch("enable_sni", "the name of the host is sent before TLS begins", |r, s, c: &mut Checker| {
        put(&mut c.tls.sni, r.switch(s))
    })
    .or("off"),
    Keyword::new(
        "sni_name",
        Args::Count(0, 1),
        "[NAME]",
        "the name that is sent, if it is not that of the host",
        |r, s, c: &mut Checker| {
            c.tls.sni = Switch::On;
            fill(&mut c.tls.sni_name, s.word(1).and_then(|w| r.text(w)).map(|n| n.value));
        },
    )
    .or("that of the host")
    .since("2.4.4"),
    Keyword::switch("tls_compliant", "a server that ends TLS without saying so has failed", |r, s, c: &mut Checker| {
        of_tls(r, s, c);
        put(&mut c.tls.compliant, r.switch(s));
    })
    .or("off")
    .since("2.2.8"),
    Keyword::switch("ssl_verify", "the certificate must be trusted", |r, s, c: &mut Checker| {
        of_tls(r, s, c);
        put(&mut c.tls.verify, r.switch(s));
    })
    .or("off"),
    Keyword::new("ssl_ca_file", Args::Count(1, 1), "FILE", "who is trusted", |r, s, c: &mut Checker| {
        of_tls(r, s, c);
        if let Some(path) = s.word(1).and_then(|w| r.text(w)) {
            c.tls.verify = Switch::On;
            c.tls.ca_file = Some(path.value);
            c.ca_file = Some(path.span);
        }
    })
    .or("ca, else whom the system trusts"),
];

/// Says that what is about TLS means nothing without it. COMPAT: keepalived 2.4.3 knows `tls_compliant` in SSL_GET alone; the names for the
/// handshake it takes in HTTP_GET without a word, and so they are here.
fn of_tls(r: &mut Reader<'_>, s: Statement<'_>, c: &Checker) {
    if c.kind == Kind::Http {
        let message = format!("`{}` is for SSL_GET: HTTP_GET has no TLS", s.keyword());
        r.diags.push(Diagnostic::warning(Code::CONFLICT, s.span(), message).label("ignored"));
    }
}

fn protocol(r: &mut Reader<'_>, s: Statement<'_>, c: &mut Checker) {
    match s.word(1).map(Word::text) {
        Some("1.0") => c.protocol = HttpProtocol::V10,
        Some("1.0C" | "1.0c") => c.protocol = HttpProtocol::V10Close,
        Some("1.1") => c.protocol = HttpProtocol::V11,
        _ => {
            if let Some(word) = s.word(1) {
                r.bad(word, "1.0, 1.0C or 1.1");
            }
        }
    }
}

/// `url`
pub static URL: &[Keyword<Url>] = &[
    Keyword::new("path", Args::Count(1, 1), "PATH", "what follows the host in the address of the page", path),
    Keyword::new(
        "digest",
        Args::Count(1, 1),
        "HEX",
        "the MD5 digest that the page must have: 32 hexadecimal digits, as genhash prints them",
        |r, s, u: &mut Url| {
            let Some(word) = s.word(1) else { return };
            match digest(word.bytes) {
                Some(digest) => u.digest = Some(digest),
                None => r.bad(word, "an MD5 digest of 32 hexadecimal digits"),
            }
        },
    ),
    Keyword::new(
        "status_code",
        Args::Some(1),
        "N[-N] …",
        "the status codes that are right, or ranges of them",
        |r, s, u: &mut Url| {
            for word in s.words(1) {
                u.status.extend(status(r, word));
            }
        },
    )
    .or("200-299"),
    Keyword::new("virtualhost", Args::Count(1, 1), "NAME", "the Host header", |r, s, u: &mut Url| {
        u.host = s.word(1).and_then(|w| r.text(w)).or(u.host.take());
    })
    .or("that of the real server"),
    Keyword::new(
        "regex",
        Args::Command,
        "PATTERN",
        "a regular expression that the page must match",
        |r, s, u: &mut Url| {
            if let Some(pattern) = r.pattern(s) {
                u.regex.pattern = pattern;
                u.regex_at = Some(s.whole());
            }
        },
    ),
    Keyword::flag("regex_no_match", "the page must not match it", |_, _, u: &mut Url| u.regex.no_match = Switch::On),
    Keyword::new(
        "regex_options",
        Args::Some(1),
        "WORD …",
        "how it is matched: words such as caseless and multiline, as pcre2api(3) has them",
        regex_options,
    ),
    Keyword::new(
        "regex_stack",
        Args::Count(2, 2),
        "START MAX",
        "the first and the greatest size of the stack for matching",
        regex_stack,
    ),
    Keyword::new(
        "regex_min_offset",
        Args::Count(1, 1),
        "N",
        "the match must begin at this byte or later",
        |r, s, u: &mut Url| {
            fill(&mut u.regex.min_offset, r.number(s.word(1), 0..=OFFSET));
        },
    ),
    Keyword::new(
        "regex_max_offset",
        Args::Count(1, 1),
        "N",
        "the match must begin at this byte or earlier",
        |r, s, u: &mut Url| {
            fill(&mut u.regex.max_offset, r.number(s.word(1), 0..=OFFSET));
        },
    ),
    Keyword::switch("tls_compliant", "a server that ends TLS without saying so has failed", |r, s, u: &mut Url| {
        u.tls_compliant = r.switch(s).or(u.tls_compliant);
    })
    .or("off")
    .since("2.2.8"),
];

/// Sent as it is, so it may hold nothing that ends a request line.
fn path(r: &mut Reader<'_>, s: Statement<'_>, u: &mut Url) {
    let Some(word) = s.word(1) else { return };
    let Some(text) = r.text(word) else { return };
    if text.value.contains(' ') {
        r.bad(word, "a path without blanks (write %20)");
        return;
    }
    if !text.value.starts_with('/') {
        r.diags.push(
            Diagnostic::warning(Code::ADJUSTED, word.span, "a path that does not start with `/` is sent as it is")
                .patch(word.span, format!("/{}", text.value)),
        );
    }
    u.path = Some(text);
}

fn digest(hex: &[u8]) -> Option<[u8; 16]> {
    let mut digest = [0; 16];
    if hex.len() != 32 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
        let pair = core::str::from_utf8(pair).ok().filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(digest)
}

/// `N` or `N-M`, 100 to 599.
fn status(r: &mut Reader<'_>, word: Word<'_>) -> Option<(u16, u16)> {
    let (low, high) = word.text().split_once('-').unwrap_or((word.text(), word.text()));
    let code = |t: &str| t.parse::<u16>().ok().filter(|n| (100..=599).contains(n));
    match (code(low), code(high)) {
        (Some(low), Some(high)) if low <= high => Some((low, high)),
        _ => {
            r.bad(word, "a status code from 100 to 599 or a range of them");
            None
        }
    }
}

fn url(r: &mut Reader<'_>, s: Statement<'_>, c: &mut Checker) {
    let mut url = Url::new(s.span());
    keyword::read(r, &[URL], "`url`", s.children(), &mut url);
    if url.path.is_none() {
        // COMPAT: keepalived ignores a url without path.
        let message = "this `url` has no `path`";
        r.diags.push(Diagnostic::error(Code::INCOMPLETE, url.span, message).label("ignored").help("path /"));
        return;
    }
    if url.regex_at.is_none() && url.regex != NO_REGEX {
        let message = "the `regex_…` lines of this `url` have no `regex`";
        r.diags.push(Diagnostic::error(Code::INCOMPLETE, url.span, message).label("they are ignored"));
    }
    if let Some(at) = url.regex_at
        && let Err(why) = Pattern::new(&url.regex)
    {
        let message = format!("this `regex` cannot be used: {why}");
        r.diags.push(Diagnostic::error(Code::BAD_VALUE, at, message).label("this `url` is ignored"));
        return;
    }
    if let Some(at) = url.regex_at
        && let (Some(min), Some(max)) = (url.regex.min_offset, url.regex.max_offset)
        && min > max
    {
        let message = "`regex_min_offset` is above `regex_max_offset`: nothing matches";
        r.diags.push(Diagnostic::warning(Code::CONFLICT, at, message));
    }
    if let Some(compliant) = url.tls_compliant {
        s.children().filter(|line| line.is("tls_compliant")).for_each(|line| of_tls(r, line, c));
        c.tls.compliant = compliant;
    }
    c.urls.push(url);
}
