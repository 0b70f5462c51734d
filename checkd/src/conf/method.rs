//! `lvs_method`: how packets reach a real server. COMPAT: keepalived 2.4.3.

use super::diag::{Code, Diagnostic};
use super::keyword::{self, Reader};
use super::tree::{Statement, Word};
use alloc::format;
use ipc::config::ipvs::{Checksum, Method};

/// `NAT|DR|TUN [type ipip|gue|gre] [port N] [nocsum|csum|remcsum]`
pub(super) fn method(r: &mut Reader<'_>, s: Statement<'_>) -> Option<Method> {
    let word = s.word(1)?;
    let method = match word.text() {
        "NAT" => Method::Nat,
        "DR" => Method::Dr,
        "TUN" => return tunnel(r, s),
        other => {
            let upper = other.to_ascii_uppercase();
            let message = format!("`{}` is not NAT, DR or TUN", keyword::shown(other));
            let mut bad = Diagnostic::error(Code::BAD_VALUE, word.span, message).label("NAT, DR or TUN is wanted here");
            if matches!(upper.as_str(), "NAT" | "DR" | "TUN") {
                bad = bad.patch(word.span, upper);
            }
            r.diags.push(bad);
            return None;
        }
    };
    if let Some(extra) = s.word(2) {
        let message = format!("`{}` takes no options; this is ignored", word.text());
        r.diags.push(Diagnostic::warning(Code::EXTRA_WORDS, extra.span.to(s.whole()), message));
    }
    Some(method)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Ipip,
    Gue,
    Gre,
}

fn tunnel(r: &mut Reader<'_>, s: Statement<'_>) -> Option<Method> {
    let (mut kind, mut port, mut checksum) = (Type::Ipip, None, None);
    let mut words = s.words(2);
    while let Some(option) = words.next() {
        match option.text() {
            "nocsum" => checksum = Some(Checksum::None),
            "csum" => checksum = Some(Checksum::Full),
            "remcsum" => checksum = Some(Checksum::Remote),
            "type" => {
                kind = match words.next().map(|w| (w, w.text())) {
                    Some((_, "ipip")) => Type::Ipip,
                    Some((_, "gue")) => Type::Gue,
                    Some((_, "gre")) => Type::Gre,
                    Some((word, _)) => {
                        r.bad(word, "a type of tunnel: `ipip`, `gue` or `gre`");
                        return None;
                    }
                    None => return missing(r, option),
                };
            }
            "port" => match words.next() {
                Some(word) => port = Some((r.port(word, false)?, word)),
                None => return missing(r, option),
            },
            _ => {
                r.bad(option, "`type`, `port`, `nocsum`, `csum` or `remcsum`");
                return None;
            }
        }
    }
    combined(r, s, kind, port, checksum)
}

fn missing<T>(r: &mut Reader<'_>, option: Word<'_>) -> Option<T> {
    let message = format!("`{}` needs a value", option.text());
    r.diags.push(Diagnostic::error(Code::MISSING_ARGUMENT, option.span, message).label("ignored"));
    None
}

/// COMPAT: gue wants a port and nothing else takes one; ipip has no checksum, gre no remote one.
fn combined(
    r: &mut Reader<'_>,
    s: Statement<'_>,
    kind: Type,
    port: Option<(u16, Word<'_>)>,
    checksum: Option<Checksum>,
) -> Option<Method> {
    let conflict = match (kind, port, checksum) {
        (Type::Gue, None, _) => "a tunnel of type gue needs a `port`",
        (Type::Ipip | Type::Gre, Some(_), _) => "only a tunnel of type gue has a `port`",
        (Type::Ipip, _, Some(Checksum::Full | Checksum::Remote)) => "a tunnel of type ipip has no checksum",
        (Type::Gre, _, Some(Checksum::Remote)) => "a tunnel of type gre has no `remcsum`",
        _ => "",
    };
    if !conflict.is_empty() {
        r.diags.push(Diagnostic::error(Code::CONFLICT, s.whole(), conflict).label("ignored"));
        return None;
    }
    let checksum = checksum.unwrap_or_default();
    Some(match (kind, port) {
        (Type::Gue, Some((port, _))) => Method::Gue { port, checksum },
        (Type::Gre, _) => Method::Gre { checksum },
        _ => Method::Tun,
    })
}
