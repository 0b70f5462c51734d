//! `auth_hmac`: signed adverts. COMPAT: keepalived 2.4.3.

use super::diag::{Code, Diagnostic};
use super::keyword::{Args, At, Keyword, Reader, set};
use super::source::Span;
use super::tree::Statement;
use super::value::secs;
use super::vrrp::Instance;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use ipc::config::Secret;
use ipc::config::vrrp::VrrpConfig;
use ipc::config::vrrp_options::{AntiReplay, HmacKey, HmacMode};
use ipc::msg::compile::is_credential;

/// An `auth_hmac` block.
#[derive(Clone, Debug)]
pub struct Hmac {
    /// Its first line.
    pub span: Span,
    /// `key`
    pub keys: Vec<(At<u8>, HmacKey)>,
    /// `active_key`
    pub active: Option<At<u8>>,
    /// `anti_replay`
    pub anti_replay: AntiReplay,
    /// `time_window`
    pub window: Option<At<Duration>>,
    /// `mode`
    pub mode: Option<At<HmacMode>>,
}

/// Bytes of a key.
const KEY_BYTES: core::ops::RangeInclusive<usize> = 32..=64;

/// `hex:…`, `file:PATH`, `credential:NAME` or the bytes themselves. Nothing of it stands in a message.
fn key(r: &mut Reader<'_>, s: Statement<'_>, d: &mut Hmac) {
    let (Some(id), Some(word)) = (s.word(1), s.word(2)) else { return };
    r.diags.hide(word.span);
    let Some(id) = r.number::<u8>(Some(id), 1..=255).map(|n| At::new(n, id.span)) else { return };
    if let Some((first, _)) = d.keys.iter().find(|(k, _)| k.value == id.value) {
        let message = format!("there is a key {} already", id.value);
        r.diags.push(Diagnostic::error(Code::DUPLICATE, id.span, message).label("ignored").also(first.span, "here"));
        return;
    }
    let mut wrong = |why: &str| r.diags.push(Diagnostic::error(Code::BAD_VALUE, s.whole(), why).label("ignored"));
    if let Some(path) = word.bytes.strip_prefix(b"file:") {
        return match core::str::from_utf8(path) {
            Ok(path) if path.starts_with('/') => d.keys.push((id, HmacKey::File(path.to_string()))),
            _ => wrong("`file:` is followed by an absolute path"),
        };
    }
    if let Some(name) = word.bytes.strip_prefix(b"credential:") {
        return match core::str::from_utf8(name).ok().filter(|name| is_credential(name)) {
            Some(name) => d.keys.push((id, HmacKey::Credential(name.to_string()))),
            None => wrong("`credential:` is followed by a name of letters, digits, `.`, `_` and `-`"),
        };
    }
    match value(word.bytes) {
        Ok(secret) => d.keys.push((id, HmacKey::Bytes(secret))),
        Err(why) => wrong(&why),
    }
}

/// `hex:…` or the bytes themselves.
fn value(text: &[u8]) -> Result<Secret, String> {
    let bytes = match text.strip_prefix(b"hex:") {
        Some(digits) => unhex(digits).ok_or("`hex:` is followed by pairs of hexadecimal digits")?,
        None => text.to_vec(),
    };
    if !KEY_BYTES.contains(&bytes.len()) {
        return Err(format!("this key has {} bytes, 32 to 64 are allowed", bytes.len()));
    }
    Ok(Secret::new(bytes))
}

/// The files and credentials that keys are in; vrrpd, which needs them, has no file system.
pub fn elsewhere(config: &VrrpConfig) -> Vec<HmacKey> {
    let keys = config.options.rows().iter().filter_map(|o| o.hmac.as_ref()).flat_map(|hmac| &hmac.keys);
    let mut found = Vec::new();
    for (_, key) in keys.filter(|(_, key)| !matches!(key, HmacKey::Bytes(_))) {
        if !found.contains(key) {
            found.push(key.clone());
        }
    }
    found
}

/// Puts what is in a file or credential where that is named. COMPAT: line ends after the key do not count.
pub fn fill(config: &mut VrrpConfig, from: &HmacKey, content: &[u8]) -> Result<(), String> {
    let end = content.iter().rposition(|b| !matches!(b, b'\r' | b'\n')).map_or(0, |n| n.saturating_add(1));
    let secret = value(content.get(..end).unwrap_or_default())?;
    let all = config.options.iter_mut().filter_map(|(_, o)| o.hmac.as_mut()).flat_map(|hmac| &mut hmac.keys);
    for (_, key) in all.filter(|(_, key)| key == from) {
        *key = HmacKey::Bytes(secret.clone());
    }
    Ok(())
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

/// `auth_hmac`
pub static HMAC: &[Keyword<Hmac>] = &[
    Keyword::new(
        "key",
        Args::Count(2, 2),
        "1..255 hex:DIGITS|file:PATH|credential:NAME|TEXT",
        "a key of 32 to 64 bytes by its number: text, hexadecimal digits, or the content of a file or of a credential of \
         the service manager (systemd.exec(5), LoadCredential), which changes only when the service is started again",
        key,
    )
    .since("2.4.0"),
    Keyword::new(
        "active_key",
        Args::Count(1, 1),
        "1..255",
        "the number of the key that signs; the others only check",
        |r, s, d: &mut Hmac| {
            set(&mut d.active, r.number(s.word(1), 1..=255), s);
        },
    )
    .since("2.4.0"),
    Keyword::new(
        "anti_replay",
        Args::Count(1, 1),
        "time|monotonic",
        "how an advert that was sent before is known: by its time, or by a number that only grows",
        |r, s, d: &mut Hmac| match s.word(1) {
            Some(word) if word.text() == "time" => d.anti_replay = AntiReplay::Time,
            Some(word) if word.text() == "monotonic" => d.anti_replay = AntiReplay::Monotonic,
            Some(word) => r.bad(word, "`time` or `monotonic`"),
            None => {}
        },
    )
    .or("time")
    .since("2.4.0"),
    Keyword::new(
        "time_window",
        Args::Count(1, 1),
        "SECONDS 1..300",
        "how far the clocks of the routers may differ",
        |r, s, d: &mut Hmac| {
            set(&mut d.window, r.number(s.word(1), 1..=300).map(secs), s);
        },
    )
    .or("three advert intervals, 5 to 300")
    .since("2.4.0"),
    Keyword::new(
        "mode",
        Args::Count(1, 1),
        "enforce|permissive|receive-only",
        "adverts with no or a bad signature are refused; without a signature accepted; or accepted and none is sent",
        |r, s, d: &mut Hmac| {
            let mode = match s.word(1).map(|w| w.text()) {
                Some("enforce") => HmacMode::Enforce,
                Some("permissive") => HmacMode::Permissive,
                Some("receive-only") => HmacMode::ReceiveOnly,
                _ => return s.word(1).map_or((), |w| r.bad(w, "`enforce`, `permissive` or `receive-only`")),
            };
            set(&mut d.mode, Some(mode), s);
        },
    )
    .or("enforce")
    .since("2.4.0"),
];

pub(super) fn auth_hmac(r: &mut Reader<'_>, s: Statement<'_>, i: &mut Instance) {
    let mut hmac = Hmac {
        span: s.span(),
        keys: Vec::new(),
        active: None,
        anti_replay: AntiReplay::Time,
        window: None,
        mode: None,
    };
    super::keyword::read(r, &[HMAC], "`auth_hmac`", s.children(), &mut hmac);
    i.more.hmac = Some(hmac);
}
