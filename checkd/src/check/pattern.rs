//! `regex` of a `url`: patterns as PCRE2 has them, matched by `fancy-regex`, which is written in Rust throughout and cannot be made to
//! corrupt memory by a page. What differs between the two is translated ([`translate`]) or refused when the file is compiled.
//!
//! Bounds: [`PROGRAM_LIMIT`] and [`CACHE_LIMIT`] for memory. For the time, [`PAGE_LIMIT`] for the page: what regular expressions proper
//! are matched by takes time in proportion to it. Look-around, back references and the like step back, and each of at most
//! [`BACKTRACK_LIMIT`] steps may search what is left of the page, so that they get [`BACKTRACK_PAGE_LIMIT`] of it: a few hundred
//! milliseconds for the worst of them. A match that would take longer is none, as with PCRE2's own limit.

mod translate;

use alloc::format;
use alloc::string::{String, ToString};
use fancy_regex::{BytesMode, RegexBuilder};
use ipc::config::probe::Regex;
use ipc::config::vrrp::Switch;
use translate::translate;

/// Bytes of a page that are matched against; what comes behind them is not looked at.
pub const PAGE_LIMIT: usize = 256 * 1024;

/// The same for a pattern that may step back.
pub const BACKTRACK_PAGE_LIMIT: usize = 8 * 1024;

/// Steps back of one match.
pub const BACKTRACK_LIMIT: usize = 50_000;

/// What makes a pattern step back, and what cannot be told from it at a glance.
const STEPS_BACK: [&str; 23] = [
    "(?=", "(?!", "(?<", "(?>", "(?(", "(?|", "(?P", "(?&", "(?R", "(*", "++", "*+", "?+", "}+", "\\k", "\\g", "\\G",
    "\\K", "\\R", "\\X", "\\b{", "\\<", "\\>",
];

/// Instructions of a compiled pattern.
pub const PROGRAM_LIMIT: usize = 20_000;

/// Bytes of a part of a pattern that is compiled to an automaton, and of its cache.
pub const CACHE_LIMIT: usize = 1024 * 1024;

/// Options that say how PCRE2 is to work, not what matches.
const WITHOUT_EFFECT: [&str; 10] = [
    "alt_verbnames",
    "auto_callout",
    "dupnames",
    "never_backslash_c",
    "never_ucp",
    "never_utf",
    "no_auto_possess",
    "no_dotstar_anchor",
    "no_start_optimize",
    "use_offset_limit",
];

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: fancy_regex::Regex,
    no_match: Switch,
    first: usize,
    last: usize,
    /// How much of a page is matched against.
    reach: usize,
}

impl Pattern {
    /// Compiles a pattern, or says in words why that cannot be.
    pub fn new(wanted: &Regex) -> Result<Pattern, String> {
        let text = core::str::from_utf8(&wanted.pattern).map_err(|_| String::from("it is not UTF-8"))?;
        let has = |name: &str| wanted.options.iter().any(|option| option == name);
        let known = ["caseless", "dollar_endonly", "dotall", "extended", "multiline", "ucp", "ungreedy", "utf"];
        let refused = |option: &&String| !known.iter().chain(&WITHOUT_EFFECT).any(|known| known == option);
        if let Some(option) = wanted.options.iter().find(refused) {
            return Err(format!("the option `{option}` is not supported"));
        }
        let mut pattern = translate(text, has("multiline"), has("dollar_endonly"))?;
        if has("ungreedy") {
            pattern.insert_str(0, "(?U)");
        }
        let unicode = has("utf") || has("ucp");
        let regex = RegexBuilder::new(&pattern)
            .case_insensitive(has("caseless"))
            .multi_line(has("multiline"))
            .dot_matches_new_line(has("dotall"))
            .verbose_mode(has("extended"))
            .unicode_mode(unicode)
            .bytes_mode(if unicode { BytesMode::UnicodeBytes } else { BytesMode::Ascii })
            .backtrack_limit(BACKTRACK_LIMIT)
            .max_prog_size(PROGRAM_LIMIT)
            .delegate_size_limit(CACHE_LIMIT)
            .delegate_dfa_size_limit(CACHE_LIMIT)
            .build()
            .map_err(|e| e.to_string())?;
        let offset = |offset: Option<u64>| offset.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let reach = if may_step_back(&pattern) { BACKTRACK_PAGE_LIMIT } else { PAGE_LIMIT };
        Ok(Pattern {
            regex,
            reach,
            no_match: wanted.no_match,
            first: offset(wanted.min_offset).unwrap_or_default(),
            last: offset(wanted.max_offset).unwrap_or(usize::MAX),
        })
    }

    /// Whether a page is as it should be: it matches, or with `regex_no_match` it does not.
    pub fn accepts(&self, page: &[u8]) -> bool {
        let page = page.get(..self.reach).unwrap_or(page);
        let matches = self.first <= page.len()
            && matches!(self.regex.find_from_pos(page, self.first), Ok(Some(found)) if found.start() <= self.last);
        matches != (self.no_match == Switch::On)
    }
}

fn may_step_back(pattern: &str) -> bool {
    let refers_back = |pair: &[u8]| matches!(pair, [b'\\', digit] if digit.is_ascii_digit());
    let calls_itself = |three: &[u8]| matches!(three, [b'(', b'?', b'0'..=b'9' | b'+' | b'-']);
    STEPS_BACK.iter().any(|part| pattern.contains(part))
        || pattern.as_bytes().windows(2).any(refers_back)
        || pattern.as_bytes().windows(3).any(calls_itself)
}

#[cfg(test)]
mod tests;
