//! Words to values, with the range each keyword allows. A word that is not a value is reported and gives `None`; the statement is
//! then ignored.

use super::diag::{Code, Diagnostic};
use super::keyword::{At, Reader, shown};
use super::tree::{Statement, Word};
use alloc::format;
use alloc::string::{String, ToString};
use core::net::IpAddr;
use core::ops::RangeInclusive;
use core::time::Duration;
use ipc::config::vrrp::Switch;

/// Longest interface name (`IFNAMSIZ` without its NUL).
pub const LINK_NAME_BYTES: usize = 15;

/// Microseconds, the resolution of times in the configuration.
pub const fn micros(n: u64) -> Duration {
    Duration::from_micros(n)
}

/// Seconds.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What a decimal number counts.
#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Milliseconds,
}

impl Unit {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Unit::Seconds => ("seconds", "s"),
            Unit::Milliseconds => ("milliseconds", "ms"),
        }
    }
}

impl Reader<'_> {
    /// Reports a value that is not of its kind.
    pub fn bad(&mut self, word: Word<'_>, wanted: &str) {
        let message = format!("`{}` is not {wanted}", shown(word.text()));
        let mut bad = Diagnostic::error(Code::BAD_VALUE, word.span, message).label("ignored");
        let port = self.usage.is_none_or(|(_, usage)| usage.contains("PORT"));
        if let Some(with) = super::suggest::meant(word.text(), wanted, port) {
            bad = bad.help(format!("did you mean `{with}`?")).patch(word.span, with);
        } else if let Some((name, usage)) = self.usage {
            bad = bad.help(format!("{name} {usage}"));
        }
        self.diags.push(bad);
    }

    fn out_of_range(&mut self, word: Word<'_>, range: &str) {
        let message = format!("{} is out of range", shown(word.text()));
        self.diags.push(Diagnostic::error(Code::OUT_OF_RANGE, word.span, message).label(format!("{range} is allowed")));
    }

    /// Reports a value that was changed to one that works.
    pub fn adjusted(&mut self, word: Word<'_>, message: impl Into<String>) {
        self.diags.push(Diagnostic::warning(Code::ADJUSTED, word.span, message));
    }

    /// A decimal number in a range. COMPAT: keepalived 2.4.3 takes a number that is followed by something else, with a warning.
    pub fn int(&mut self, word: Word<'_>, range: RangeInclusive<i64>) -> Option<i64> {
        let text = word.text();
        let digits_from = usize::from(text.starts_with(['-', '+']));
        let digits = text.get(digits_from..).unwrap_or_default();
        let length = digits.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(digits.len());
        if length == 0 {
            self.bad(word, "a number");
            return None;
        }
        let number = text.get(..digits_from.saturating_add(length)).unwrap_or_default();
        // A number that does not fit an i64 is out of any range here.
        let Some(value) = number.parse::<i64>().ok().filter(|n| range.contains(n)) else {
            self.out_of_range(word, &format!("{} to {}", range.start(), range.end()));
            return None;
        };
        if length < digits.len() {
            self.adjusted(word, format!("`{}` is read as {value}", shown(text)));
        }
        Some(value)
    }

    /// [`Reader::int`] for a type that the range fits.
    pub fn number<N: TryFrom<i64>>(&mut self, word: Option<Word<'_>>, range: RangeInclusive<i64>) -> Option<N> {
        self.int(word?, range).and_then(|n| N::try_from(n).ok())
    }

    /// A decimal number in a range that nothing may follow.
    pub fn whole_number<N: TryFrom<i64>>(&mut self, word: Word<'_>, range: RangeInclusive<i64>) -> Option<N> {
        let text = word.text();
        if text.strip_prefix(['-', '+']).unwrap_or(text).contains(|c: char| !c.is_ascii_digit()) {
            self.bad(word, "a decimal number");
            return None;
        }
        self.number(Some(word), range)
    }

    /// Seconds with up to six decimals. COMPAT: more are rounded half up with a warning.
    pub fn timer(&mut self, word: Option<Word<'_>>, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.decimal(word?, 6, range, Unit::Seconds)
    }

    /// Seconds with up to three decimals.
    pub fn millis(&mut self, word: Option<Word<'_>>, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.decimal(word?, 3, range, Unit::Seconds)
    }

    /// Milliseconds with up to three decimals.
    pub fn milliseconds(&mut self, word: Option<Word<'_>>, range: RangeInclusive<u64>) -> Option<Duration> {
        // Read as seconds, of which these are a thousandth.
        let read = self.decimal(word?, 3, secs(*range.start())..=secs(*range.end()), Unit::Milliseconds)?;
        Some(micros(u64::try_from(read.as_millis()).unwrap_or(u64::MAX)))
    }

    fn decimal(
        &mut self,
        word: Word<'_>,
        places: u32,
        range: RangeInclusive<Duration>,
        unit: Unit,
    ) -> Option<Duration> {
        let (name, short) = unit.names();
        let text = word.text();
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let end = fraction.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(fraction.len());
        let (fraction, after_fraction) = fraction.split_at_checked(end).unwrap_or_default();
        let end = whole.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(whole.len());
        let (whole, after_whole) = whole.split_at_checked(end).unwrap_or_default();
        let other = !after_whole.is_empty() || !after_fraction.is_empty();
        if other || whole.is_empty() && fraction.is_empty() {
            self.bad(word, &format!("a number of {name}"));
            return None;
        }
        let unit = 10_u64.checked_pow(6_u32.saturating_sub(places)).unwrap_or(1);
        let Some(value) = parse_micros(whole, fraction, places, unit).filter(|d| range.contains(d)) else {
            self.out_of_range(word, &format!("{} to {} {name}", plain(*range.start()), plain(*range.end())));
            return None;
        };
        if fraction.len() > places as usize {
            self.adjusted(word, format!("{} is rounded to {} {short}", shown(text), plain(value)));
        }
        Some(value)
    }

    /// `on|true|yes|off|false|no` (COMPAT: case-sensitive), or nothing for [`Switch::On`].
    pub fn switch(&mut self, s: Statement<'_>) -> Option<Switch> {
        match s.word(1) {
            None => Some(Switch::On),
            Some(word) => match word.text() {
                "on" | "true" | "yes" => Some(Switch::On),
                "off" | "false" | "no" => Some(Switch::Off),
                _ => {
                    self.bad(word, "`on`, `true`, `yes`, `off`, `false` or `no`");
                    None
                }
            },
        }
    }

    /// An IPv4 or IPv6 address.
    pub fn ip(&mut self, word: Word<'_>) -> Option<IpAddr> {
        let parsed = word.text().parse().ok();
        if parsed.is_none() {
            self.bad(word, "an IP address");
        }
        parsed
    }

    /// A port, 1 to 65535; 0 when `zero` is allowed.
    pub fn port(&mut self, word: Word<'_>, zero: bool) -> Option<u16> {
        self.number(Some(word), if zero { 0 } else { 1 }..=65535)
    }

    /// The name of an interface.
    pub fn link_name(&mut self, word: Word<'_>) -> Option<At<String>> {
        let text = word.text();
        if text.is_empty() || text == "." || text == ".." || text.contains(['/', ':', '\u{fffd}', ' ', '\t']) {
            self.bad(word, "the name of an interface");
            return None;
        }
        if text.len() > LINK_NAME_BYTES {
            let message = format!("`{}` is too long for the name of an interface", shown(text));
            let label = format!("{} bytes, {LINK_NAME_BYTES} are allowed", text.len());
            self.diags.push(Diagnostic::error(Code::BAD_VALUE, word.span, message).label(label));
            return None;
        }
        Some(At::new(text.to_string(), word.span))
    }

    /// Any UTF-8 text without control characters.
    pub fn text(&mut self, word: Word<'_>) -> Option<At<String>> {
        match core::str::from_utf8(word.bytes) {
            Ok(text) if !text.contains(char::is_control) => Some(At::new(text.to_string(), word.span)),
            _ => {
                self.bad(word, "plain text");
                None
            }
        }
    }

    /// Says that a statement comes for the second time, where it is not known where the first one stands.
    pub fn again(&mut self, s: Statement<'_>) {
        let message = format!("`{}` is given twice; the first one counts", s.keyword());
        self.diags.push(Diagnostic::error(Code::REPEATED, s.whole(), message).label("ignored"));
    }

    /// Sets a slot once; a second statement is an error and ignored. COMPAT: for the keywords where the first one wins.
    pub fn first<T>(&mut self, slot: &mut Option<At<T>>, s: Statement<'_>, value: T) {
        match slot {
            Some(earlier) => {
                let message = format!("`{}` is given twice; the first one counts", s.keyword());
                let again = Diagnostic::error(Code::REPEATED, s.whole(), message).label("ignored");
                self.diags.push(again.also(earlier.span, "the first one"));
            }
            None => *slot = Some(At::new(value, s.whole())),
        }
    }
}

/// Seconds and a decimal fraction in microseconds, rounded half up to `places` decimals (one of which is `unit` microseconds).
fn parse_micros(whole: &str, fraction: &str, places: u32, unit: u64) -> Option<Duration> {
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let whole = whole.checked_mul(1_000_000)?;
    if fraction.is_empty() {
        return Some(Duration::from_micros(whole));
    }
    let mut kept = 0_u64;
    for n in 0..places {
        let digit = fraction.as_bytes().get(n as usize).map_or(0, |b| b.saturating_sub(b'0'));
        kept = kept.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    if fraction.as_bytes().get(places as usize).is_some_and(|b| *b >= b'5') {
        kept = kept.checked_add(1)?;
    }
    let micros = whole.checked_add(kept.checked_mul(unit)?)?;
    Some(Duration::from_micros(micros))
}

/// Seconds as people write them: `1`, `0.01`.
pub fn plain(d: Duration) -> String {
    let (whole, micros) = (d.as_secs(), d.subsec_micros());
    if micros == 0 {
        return format!("{whole}");
    }
    let text = format!("{whole}.{micros:06}");
    text.trim_end_matches('0').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_round_half_up() {
        assert_eq!(parse_micros("1", "5", 6, 1), Some(micros(1_500_000)));
        assert_eq!(parse_micros("", "0000005", 6, 1), Some(micros(1)));
        assert_eq!(parse_micros("0", "0004", 3, 1000), Some(micros(0)));
        assert_eq!(parse_micros("0", "0005", 3, 1000), Some(micros(1000)));
        assert_eq!(parse_micros("99999999999999999999", "", 6, 1), None);
    }

    #[test]
    fn times_are_shown_as_written() {
        assert_eq!(plain(micros(10_000)), "0.01");
        assert_eq!(plain(secs(255)), "255");
    }
}
