//! File name patterns of `include`, as glob(3) with GLOB_BRACE reads them: `*` `?` `[…]` `{a,b}`, names that begin with a dot
//! only when the pattern does, results sorted. Bounded in every direction: the pattern comes from a process that reads text.

use std::path::{Path, PathBuf};

/// Most alternatives that braces may expand to.
const ALTERNATIVES_LIMIT: usize = 256;

/// Most files that one pattern may match.
pub const MATCHES_LIMIT: usize = 1_024;

/// Most directory entries that are looked at for one pattern.
const ENTRIES_LIMIT: usize = 65_536;

/// A pattern that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobError {
    /// Braces that expand to more than [`ALTERNATIVES_LIMIT`] alternatives.
    TooManyAlternatives,
    /// More than [`MATCHES_LIMIT`] files.
    TooManyMatches,
}

impl core::fmt::Display for GlobError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            GlobError::TooManyAlternatives => write!(f, "its braces mean more than {ALTERNATIVES_LIMIT} names"),
            GlobError::TooManyMatches => write!(f, "it matches more than {MATCHES_LIMIT} files"),
        }
    }
}

/// The files that a pattern matches, relative ones starting in `base`. A pattern without special characters matches itself
/// whether the file exists or not, so that opening it can say what is wrong.
pub fn matches(pattern: &str, base: &Path) -> Result<Vec<PathBuf>, GlobError> {
    let mut out = Vec::new();
    let mut budget = ENTRIES_LIMIT;
    for alternative in expand(pattern)? {
        let start = base.join(&alternative);
        if !alternative.contains(['*', '?', '[', '\\']) {
            out.push(start);
            continue;
        }
        let mut found = walk(&alternative, base, &mut budget);
        found.sort();
        out.append(&mut found);
        if out.len() > MATCHES_LIMIT {
            return Err(GlobError::TooManyMatches);
        }
    }
    Ok(out)
}

/// Whether it may stand for other names than its own.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{', '\\'])
}

/// Braces: `a{b,c}d` is `abd` and `acd`; they nest. A brace without partner or comma stands for itself.
fn expand(pattern: &str) -> Result<Vec<String>, GlobError> {
    let mut todo = vec![pattern.to_owned()];
    let mut done = Vec::new();
    while let Some(next) = todo.pop() {
        if todo.len().saturating_add(done.len()) > ALTERNATIVES_LIMIT {
            return Err(GlobError::TooManyAlternatives);
        }
        match first_brace(&next) {
            None => done.push(next),
            Some((before, inner, after)) => {
                let alternatives: Vec<String> = split_commas(inner).map(|a| format!("{before}{a}{after}")).collect();
                todo.extend(alternatives.into_iter().rev());
            }
        }
    }
    Ok(done)
}

/// The first outermost brace pair with a comma: what is before, inside and after it.
fn first_brace(text: &str) -> Option<(&str, &str, &str)> {
    for (open, _) in text.match_indices('{') {
        let mut depth = 0u32;
        let mut comma = false;
        for (at, c) in text.get(open..)?.char_indices() {
            match c {
                '{' => depth = depth.saturating_add(1),
                ',' if depth == 1 => comma = true,
                '}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        if !comma {
                            break;
                        }
                        let close = open.checked_add(at)?;
                        let inner = text.get(open.checked_add(1)?..close)?;
                        return Some((text.get(..open)?, inner, text.get(close.checked_add(1)?..)?));
                    }
                }
                _ => {}
            }
        }
    }
    None
}

fn split_commas(inner: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0u32;
    inner.split(move |c| {
        match c {
            '{' => depth = depth.saturating_add(1),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
}

fn walk(pattern: &str, base: &Path, budget: &mut usize) -> Vec<PathBuf> {
    let mut places = vec![if pattern.starts_with('/') { PathBuf::from("/") } else { base.to_owned() }];
    for part in pattern.split('/').filter(|p| !p.is_empty()) {
        let mut next = Vec::new();
        for place in places {
            if part.contains(['*', '?', '[', '\\']) {
                next.extend(children(&place, part, budget));
            } else if place.join(part).symlink_metadata().is_ok() {
                next.push(place.join(part));
            }
            if next.len() > MATCHES_LIMIT {
                return next;
            }
        }
        places = next;
    }
    places
}

fn children(place: &Path, part: &str, budget: &mut usize) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let pattern: Vec<char> = part.chars().collect();
    let mut out = Vec::new();
    for entry in entries.flatten() {
        *budget = budget.saturating_sub(1);
        if *budget == 0 {
            break;
        }
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with('.') && !part.starts_with('.') {
            continue;
        }
        let letters: Vec<char> = name.chars().collect();
        if fits(&pattern, &letters) {
            out.push(place.join(name));
        }
    }
    out
}

/// Whether a name fits a pattern without slashes. Linear in the name for each star: only the last star is ever retried.
fn fits(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0usize, 0usize);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(p), name.get(n)) {
            (Some('*'), _) => {
                star = Some((p, n));
                p = p.saturating_add(1);
                continue;
            }
            (None, None) => return true,
            (Some(_), Some(c)) => {
                if let Some(used) = one(pattern.get(p..).unwrap_or_default(), *c) {
                    p = p.saturating_add(used);
                    n = n.saturating_add(1);
                    continue;
                }
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
        match star {
            Some((at, from)) if from < name.len() => {
                star = Some((at, from.saturating_add(1)));
                p = at.saturating_add(1);
                n = from.saturating_add(1);
            }
            Some(_) | None => return false,
        }
    }
}

/// Whether the first element of a pattern fits a character; then how long that element is.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['[', rest @ ..] => set(rest, c).unwrap_or_else(|| (c == '[').then_some(1)),
        ['\\', literal, ..] => (*literal == c).then_some(2),
        [literal, ..] => (*literal == c).then_some(1),
        [] => None,
    }
}

/// `[a-z]`, `[!a-z]`: `None` when there is no closing bracket, else whether it fits and the whole length.
fn set(rest: &[char], c: char) -> Option<Option<usize>> {
    let negated = matches!(rest.first(), Some('!' | '^'));
    let mut at = usize::from(negated);
    let first = at;
    let mut fits = false;
    loop {
        match rest.get(at)? {
            ']' if at > first => {
                let whole = at.saturating_add(2);
                return Some((fits != negated).then_some(whole));
            }
            low => match (rest.get(at.saturating_add(1)), rest.get(at.saturating_add(2))) {
                (Some('-'), Some(high)) if *high != ']' => {
                    fits |= (*low..=*high).contains(&c);
                    at = at.saturating_add(3);
                }
                _ => {
                    fits |= *low == c;
                    at = at.saturating_add(1);
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::testdir::TestDir;
    use proptest::prelude::*;

    fn fit(pattern: &str, name: &str) -> bool {
        fits(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
    }

    #[test]
    fn patterns() {
        for (pattern, name, wanted) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.bak", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?b", "ab", true),
            ("?b", "b", false),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[]a]", "]", true),
            ("[a", "[a", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(fit(pattern, name), wanted, "{pattern} {name}");
        }
    }

    #[test]
    fn braces() {
        assert_eq!(expand("a{b,c{d,e}}f").unwrap(), ["abf", "acdf", "acef"]);
        assert_eq!(expand("a{b}{c").unwrap(), ["a{b}{c"]);
        assert_eq!(expand("{,x}y").unwrap(), ["y", "xy"]);
        assert_eq!(expand(&"{a,b}".repeat(9)), Err(GlobError::TooManyAlternatives));
    }

    #[test]
    fn files_are_found_in_order_and_hidden_ones_are_not() {
        let dir = TestDir::new("glob");
        for name in ["d/b.conf", "d/a.conf", "d/.c.conf", "d/x.txt", "e/z.conf"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| -> Vec<String> {
            let cut = |p: PathBuf| p.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned();
            matches(pattern, dir.path()).unwrap().into_iter().map(cut).collect()
        };
        assert_eq!(found("d/*.conf"), ["d/a.conf", "d/b.conf"]);
        assert_eq!(found("*/*.conf"), ["d/a.conf", "d/b.conf", "e/z.conf"]);
        assert_eq!(found("d/.*"), ["d/.c.conf"]);
        assert_eq!(found("{e,d}/*.conf"), ["e/z.conf", "d/a.conf", "d/b.conf"]);
        assert_eq!(found("missing.conf"), ["missing.conf"], "opening it will say that it is missing");
        assert_eq!(found("missing/*.conf"), Vec::<String>::new());
        assert_eq!(found(&format!("{}/d/a*", dir.path().display())), ["d/a.conf"]);
    }

    proptest! {
        #[test]
        fn any_pattern_ends(pattern in "[ab*?\\[\\]!{},\\\\/-]{0,40}", name in "[ab\\]-]{0,40}") {
            fit(&pattern, &name);
            let _ = expand(&pattern);
        }

        #[test]
        fn a_name_without_special_characters_fits_itself(name in "[a-z.]{1,20}") {
            prop_assert!(fit(&name, &name));
            prop_assert!(fit("*", &name));
        }
    }
}
