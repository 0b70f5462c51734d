//! What a comment counts for.

use super::*;
use crate::conf::source::Sources;
use alloc::vec;

/// The lines (from 1) that each comment of a text counts for.
fn counts(text: &str) -> Vec<(&'static str, Vec<usize>)> {
    let mut sources = Sources::default();
    let file = sources.add("x".into(), text.into());
    let mut allows = Allows::default();
    let misread = allows.read(sources.get(file).unwrap(), file, Span::default());
    assert_eq!(misread, [], "{text}");
    let mut starts = vec![0];
    starts.extend(text.match_indices('\n').map(|(n, _)| offset(n + 1)));
    starts.pop_if(|last| *last == offset(text.len()));
    let of = |a: &Allow| (1..).zip(&starts).filter(|(_, s)| a.region.contains(*s)).map(|(n, _)| n).collect();
    allows.list.iter().map(|a| (a.code.0, of(a))).collect()
}

#[test]
fn a_line_a_block_or_the_file() {
    assert_eq!(counts("a\nb # holdfast: allow(K006)\nc\n"), [("K006", vec![2])]);
    assert_eq!(
        counts("a\n ! holdfast:allow ( K006 , K007 ) as it was\n\n# more\nc\nd"),
        [("K006", vec![5]), ("K007", vec![5])]
    );
    assert_eq!(
        counts("a\nb { # holdfast: allow(K006)\n c {\n d \"}\" # }\n }\n}\ne\n"),
        [("K006", vec![2, 3, 4, 5, 6])]
    );
    assert_eq!(counts("a\n# holdfast: allow(K006)\nb\n# x\n{\n c\n}\nd\n"), [("K006", vec![3, 4, 5, 6, 7])]);
    assert_eq!(counts("a\n# holdfast: allow(K006)\nb { c }\n{ d\n"), [("K006", vec![3])]);
    assert_eq!(counts("\u{feff}# about\n# holdfast: allow(K006)\na\nb\n"), [("K006", vec![1, 2, 3, 4])]);
    assert_eq!(counts("a\n# holdfast: allow(K006)\n"), [("K006", vec![])]);
    assert_eq!(counts("a\nb { # holdfast: allow(K006)\nc\n"), [("K006", vec![2, 3])]);
    assert_eq!(counts("a\nb {\n} c { # holdfast: allow(K006)\n}\nd\n"), [("K006", vec![3, 4])]);
}

#[test]
fn what_is_no_such_comment() {
    for text in [
        "a holdfast: allow(K006)\n",
        "# unholdfast: allow(K006)\n",
        "# holdfast: see below\n",
        "a \"# holdfast: allow(K006)\"\n",
    ] {
        assert_eq!(counts(text), [], "{text}");
    }
}

#[test]
fn it_takes_no_longer_than_the_file_is_long() {
    let text = "# holdfast: allow(K006)\nb { # holdfast: allow(K007)\n".repeat(30_000);
    let mut sources = Sources::default();
    let file = sources.add("x".into(), text.into());
    let mut allows = Allows::default();
    let misread = allows.read(sources.get(file).unwrap(), file, Span::default());
    assert_eq!((misread.len(), allows.list.len()), (1, ALLOWS_LIMIT));
}
