use super::{BACKTRACK_PAGE_LIMIT, PAGE_LIMIT, Pattern};
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::probe::Regex;
use ipc::config::vrrp::Switch;

fn regex(pattern: &str, options: &[&str]) -> Regex {
    Regex {
        pattern: pattern.into(),
        no_match: Switch::Off,
        options: options.iter().map(|o| String::from(*o)).collect(),
        stack: None,
        min_offset: None,
        max_offset: None,
    }
}

/// Each as pcre2pattern(3) has it.
#[test]
fn as_pcre2() {
    let none: &[&str] = &[];
    for (pattern, options, page, expected) in [
        ("hello", none, &b"<p>hello</p>"[..], true),
        ("hello$", none, b"hello\n", true),
        ("hello$", none, b"hello\nyou", false),
        ("hello$", &["dollar_endonly"], b"hello\n", false),
        ("hello$", &["multiline"], b"hello\nyou", true),
        ("(?m)hello$", none, b"hello\nyou", true),
        ("^you", none, b"hello\nyou", false),
        ("^you", &["multiline"], b"hello\nyou", true),
        ("a.b", none, b"a\nb", false),
        ("a.b", &["dotall"], b"a\nb", true),
        ("HELLO", &["caseless"], b"hello", true),
        ("a b # c", &["extended"], b"ab", true),
        ("a\\hb", none, b"a\tb", true),
        ("a\\hb", none, b"aab", false),
        ("a[\\h]b", none, b"a b", true),
        ("\\Qa.b$\\E", none, b"a.b$", true),
        ("\\Qa.b\\E", none, b"axb", false),
        ("a\\$", none, b"a$", true),
        ("[$]", none, b"$", true),
        ("[]a]", none, b"]", true),
        ("[^]a]", none, b"]a", false),
        ("[a&&b]", none, b"&", true),
        ("[[:alpha:]]x", none, b"ax", true),
        ("(a)\\1", none, b"aa", true),
        ("(?<!a)b", none, b"ab", false),
        ("\\x00", none, b"a\x00", true),
        (".", none, b"\xff", true),
        ("\\w", none, b"\xc3\xa4", false),
        ("^\\w$", &["utf", "ucp"], b"\xc3\xa4", true),
        ("a+?b", &["ungreedy"], b"aab", true),
        ("", none, b"", true),
    ] {
        let pattern = Pattern::new(&regex(pattern, options)).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        assert_eq!(pattern.accepts(page), expected, "{pattern:?} {options:?} {page:?}");
    }
}

#[test]
fn what_cannot_be_is_said() {
    for (pattern, options) in
        [("(", &[][..]), ("a\\", &[]), ("\\C", &[]), ("[\\H]", &[]), ("a", &["alt_bsux"]), ("a{99999}{99999}", &[])]
    {
        assert!(Pattern::new(&regex(pattern, options)).is_err(), "{pattern}");
    }
    let bytes = Regex { pattern: b"\xff".to_vec(), ..regex("", &[]) };
    assert!(Pattern::new(&bytes).is_err());
}

#[test]
fn offsets_and_no_match() {
    let with = |min, max, no_match| {
        Pattern::new(&Regex { min_offset: min, max_offset: max, no_match, ..regex("a", &[]) }).unwrap()
    };
    let (on, off) = (Switch::On, Switch::Off);
    assert!(with(Some(1), None, off).accepts(b"aba"));
    assert!(!with(Some(3), None, off).accepts(b"aba"));
    assert!(!with(Some(9), None, off).accepts(b"aba"));
    assert!(with(None, Some(0), off).accepts(b"aba"));
    assert!(!with(None, Some(1), off).accepts(b"bba"));
    assert!(with(None, Some(2), off).accepts(b"bba"));
    assert!(!with(None, None, on).accepts(b"aba"));
    assert!(with(None, None, on).accepts(b"bbb"));
}

/// The worst that a pattern and a page can do together is a bounded number of steps.
#[test]
fn no_page_takes_for_ever() {
    let pattern = Pattern::new(&regex("(?=(a+)+\\1$)x*(a|aa)+\\1$", &[])).unwrap();
    let mut page: Vec<u8> = alloc::vec![b'a'; PAGE_LIMIT];
    page.push(b'!');
    assert!(!pattern.accepts(&page));
}

#[test]
fn a_pattern_that_may_step_back_sees_less_of_a_page() {
    for (pattern, reach) in [
        ("(?i)hel+o (?:you|me)[^x]*y", PAGE_LIMIT),
        ("(?=a)[^y]*y", BACKTRACK_PAGE_LIMIT),
        ("(a)\\1", BACKTRACK_PAGE_LIMIT),
        ("a++b", BACKTRACK_PAGE_LIMIT),
        ("(?<!a)b", BACKTRACK_PAGE_LIMIT),
        ("(?>a*)b", BACKTRACK_PAGE_LIMIT),
    ] {
        assert_eq!(Pattern::new(&regex(pattern, &[])).unwrap().reach, reach, "{pattern}");
    }
    // Each of its steps searches all that is left of the page; with all of the page this takes minutes.
    assert!(!Pattern::new(&regex("(?=a)[^y]*y", &[])).unwrap().accepts(&[b'a'; PAGE_LIMIT]));
}
