//! A mail as it goes over the wire: the shell has the clock.

use checkd::alert::{Letter, address};
use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;
use std::time::{SystemTime, UNIX_EPOCH};

/// Longest line of a header (RFC 5322 §2.1.1), without its name.
const LINE_LIMIT: usize = 900;

/// Header and body of a letter, lines ending in CRLF. Whatever stands in a name cannot add a header.
///
/// COMPAT: keepalived writes the subject and addresses as they are in the file, and filters look for them so; only what cannot be written
/// so is encoded.
pub fn compose(letter: &Letter) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let domain = address(&letter.from).rsplit('@').next().unwrap_or("localhost").to_owned();
    let id = format!("{now}.{:x}@{domain}", unique());
    let mut message = MessageBuilder::new()
        .date(now)
        .header("X-Mailer", Raw::new("Holdfast"))
        .message_id(id)
        .text_body(format!("{}\r\n", letter.body));
    let mut written = String::new();
    if plain(&letter.from) {
        written += &format!("From: {}\r\n", letter.from);
    } else {
        message = message.from(letter.from.as_str());
    }
    if plain(&letter.subject) {
        written += &format!("Subject: {}\r\n", letter.subject);
    } else {
        message = message.subject(letter.subject.as_str());
    }
    if letter.to.iter().all(|to| plain(to)) {
        written += &format!("To: {}\r\n", letter.to.join(",\r\n "));
    } else {
        message = message.to(letter.to.iter().map(String::as_str).collect::<Vec<&str>>());
    }
    let mut written = written.into_bytes();
    // Into memory: it cannot fail.
    written.extend(message.write_to_vec().unwrap_or_default());
    written
}

/// Whether it can stand in a header as it is.
fn plain(text: &str) -> bool {
    text.len() <= LINE_LIMIT && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn unique() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}
