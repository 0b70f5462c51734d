//! A mail as it goes over the wire: the shell has the clock.

use checkd::alert::{Letter, address};
use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;
use std::time::{SystemTime, UNIX_EPOCH};

/// Longest line of a header (RFC 5322 §2.1.1), without its name.
const LINE_LIMIT: usize = 900;

/// Header and body of a letter, lines ending in CRLF. Whatever stands in a name cannot add a header.
///
/// COMPAT: keepalived writes a subject as it is, in one line, and filters look for it so; only one that cannot be written so is encoded.
pub fn compose(letter: &Letter) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let domain = address(&letter.from).rsplit('@').next().unwrap_or("localhost").to_owned();
    let id = format!("{now}.{:x}@{domain}", unique());
    let subject = letter.subject.as_str();
    let plain = subject.len() <= LINE_LIMIT && subject.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let message = MessageBuilder::new()
        .date(now)
        .from(letter.from.as_str())
        .header("X-Mailer", Raw::new("Holdfast"))
        .to(letter.to.iter().map(String::as_str).collect::<Vec<&str>>())
        .message_id(id)
        .text_body(format!("{}\r\n", letter.body));
    let message = if plain { message } else { message.subject(subject) };
    let mut written = if plain { format!("Subject: {subject}\r\n").into_bytes() } else { Vec::new() };
    // Into memory: it cannot fail.
    written.extend(message.write_to_vec().unwrap_or_default());
    written
}

fn unique() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}
