//! What somebody meant by a word that is not a value: only where there is hardly a doubt.

use super::keyword::nearest;
use super::value::{micros, plain};
use alloc::format;
use alloc::string::{String, ToString};
use core::net::{IpAddr, SocketAddr};

/// The word that was meant. `wanted` is what is said of the value that was expected; the words it names stand in backquotes or
/// are told apart by capitals alone. `port`: whether a port may follow an address.
pub fn meant(word: &str, wanted: &str, port: bool) -> Option<String> {
    time(word, wanted).or_else(|| address(word, wanted, port)).or_else(|| choice(word, wanted))
}

/// `100ms` for 0.1 seconds, `5s` for 5.
fn time(word: &str, wanted: &str) -> Option<String> {
    let in_seconds = wanted.ends_with(" seconds");
    if !in_seconds && !wanted.ends_with(" milliseconds") {
        return None;
    }
    let split = word.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = word.split_at_checked(split)?;
    let number: u64 = number.parse().ok()?;
    let factor = match unit {
        "us" => 1,
        "ms" => 1000,
        "s" | "sec" => 1_000_000,
        "m" | "min" => 60_000_000,
        _ => return None,
    };
    let time = number.checked_mul(factor)?;
    Some(plain(micros(if in_seconds { time } else { time.checked_mul(1000)? })))
}

/// An address with a prefix or a port that does not belong to it, or with zeros in front of its numbers.
fn address(word: &str, wanted: &str, port: bool) -> Option<String> {
    if wanted != "an IP address" {
        return None;
    }
    if let Some((addr, _)) = word.split_once('/') {
        return addr.parse::<IpAddr>().ok().map(|addr| addr.to_string());
    }
    if let Ok(socket) = word.parse::<SocketAddr>() {
        return Some(if port { format!("{} {}", socket.ip(), socket.port()) } else { socket.ip().to_string() });
    }
    let mut plain = String::new();
    for part in word.split('.') {
        let digits = part.trim_start_matches('0');
        let dot = if plain.is_empty() { "" } else { "." };
        plain.push_str(&format!("{dot}{}", if digits.is_empty() { "0" } else { digits }));
    }
    plain.parse::<IpAddr>().ok().map(|_| plain)
}

/// One of the words that are possible.
fn choice(word: &str, wanted: &str) -> Option<String> {
    let separators = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let same = wanted.split(separators).find(|w| w.eq_ignore_ascii_case(word) && w.len() > 1 && *w != word);
    if let Some(same) = same {
        return Some(same.into());
    }
    nearest(word, wanted.split('`').skip(1).step_by(2)).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_clear_is_corrected() {
        for (word, wanted, port, expected) in [
            ("100ms", "a number of seconds", false, Some("0.1")),
            ("5s", "a number of seconds", false, Some("5")),
            ("2s", "a number of milliseconds", false, Some("2000")),
            ("5h", "a number of seconds", false, None),
            ("often", "a number of seconds", false, None),
            ("192.0.2.1/24", "an IP address", false, Some("192.0.2.1")),
            ("192.0.2.1:80", "an IP address", true, Some("192.0.2.1 80")),
            ("[2001:db8::1]:80", "an IP address", true, Some("2001:db8::1 80")),
            ("192.168.001.010", "an IP address", true, Some("192.168.1.10")),
            ("192.168.1.300", "an IP address", true, None),
            ("On", "`on`, `true`, `yes`, `off`, `false` or `no`", false, Some("on")),
            ("ture", "`on`, `true`, `yes`, `off`, `false` or `no`", false, Some("true")),
            ("enabled", "`on`, `true`, `yes`, `off`, `false` or `no`", false, None),
            ("pass", "`PASS` or `AH`", false, Some("PASS")),
            ("a", "a name", false, None),
        ] {
            assert_eq!(meant(word, wanted, port).as_deref(), expected, "{word}");
        }
    }
}
