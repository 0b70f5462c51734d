//! Lines, comments, quotes, braces, blocks.

use crate::common::{bundle, codes, instance, load, problems, problems_of};
use checkd::conf::diag::Code;

fn router_id(text: impl AsRef<[u8]>) -> String {
    bundle(text).check.router_id
}

#[test]
fn comments_begin_anywhere_but_in_double_quotes() {
    assert_eq!(router_id("global_defs {\nrouter_id a # b\n}"), "a");
    assert_eq!(router_id("global_defs {\nrouter_id a!b\n}"), "a");
    assert_eq!(router_id("global_defs {\nrouter_id \"a#b!c\" # d\n}"), "a#b!c");
    assert_eq!(router_id("global_defs {\nrouter_id 'a#b'\n}"), "'a");
    assert_eq!(router_id("global_defs {\nrouter_id a\\#b\\!c\n}"), "a#b!c");
}

#[test]
fn line_ends_and_the_byte_order_mark_do_not_matter() {
    assert_eq!(router_id(b"\xef\xbb\xbfglobal_defs {\r\nrouter_id a\r\n}\r\n"), "a");
    assert_eq!(router_id("global_defs {\nrouter_id a\n}"), "a"); // no newline at the end
    assert_eq!(router_id(b"global_defs { # \xff\xfe\nrouter_id a\n}"), "a"); // no UTF-8 in a comment
}

#[test]
fn braces_stand_anywhere() {
    for text in ["global_defs{router_id a}", "global_defs\n{\nrouter_id a\n}", "global_defs { router_id a }"] {
        assert_eq!(router_id(text), "a", "{text}");
        assert_eq!(problems_of(text), [""; 0], "{text}");
    }
    assert_eq!(router_id("global_defs {\nrouter_id \"a{b}\"\n}"), "a{b}");
}

#[test]
fn a_quotation_mark_ends_a_word() {
    let problems = problems_of(&instance("state ab\"cd ef\"gh"));
    assert!(problems.contains(&"7:7 error[V001] `ab` is neither MASTER nor BACKUP".to_owned()), "{problems:?}");
}

#[test]
fn an_unbalanced_quote_costs_its_statement_and_no_more() {
    let text = "vrrp_instance \"A {\nfoo\n}\nglobal_defs {\nrouter_id \"x\nsmtp_connect_timeout 7\n}\n";
    let compiled = load(text);
    assert_eq!(
        problems(&compiled),
        [
            "1:15 error[L003] this `\"` has no partner on its line; the statement is skipped",
            "5:11 error[L003] this `\"` has no partner on its line; the statement is skipped"
        ]
    );
    assert_eq!(compiled.bundle.unwrap().check.mail.timeout.as_secs(), 7);
}

#[test]
fn lines_with_nul_and_long_lines_are_ignored() {
    let long = "x".repeat(70_000);
    let compiled = load(format!("router\0_id b\n{long}\nglobal_defs {{\nrouter_id a\n}}\n"));
    assert_eq!(
        problems(&compiled),
        [
            "1:7 error[L002] this line is ignored: it holds a NUL byte",
            "2:1 error[L001] this line of 70000 bytes is ignored: a line may have 32767"
        ]
    );
    assert_eq!(compiled.bundle.unwrap().check.router_id, "a");
}

#[test]
fn an_extra_brace_is_an_error_and_not_the_end() {
    let compiled = load("global_defs {\n}\n}\nglobal_defs {\nrouter_id a\n}\n");
    assert_eq!(problems(&compiled), ["3:1 error[T001] this `}` closes nothing and is ignored"]);
    assert_eq!(compiled.bundle.unwrap().check.router_id, "a");
}

#[test]
fn a_missing_brace_is_an_error_at_its_partner() {
    let problems = problems_of("global_defs {\nrouter_id a\n");
    assert_eq!(problems, ["1:13 error[T002] this `{` has no `}`"]);
    let compiled = load("global_defs {\nrouter_id a\nvrrp_script x {\nscript /bin/true\n}\n");
    let unknown = compiled.diags.list().iter().find(|d| d.code == Code::UNKNOWN_KEYWORD).unwrap();
    assert_eq!(
        unknown.help.as_deref(),
        Some("`vrrp_script` stands outside all blocks; is a `}` missing before this line?")
    );
}

/// keepalived takes the contents of an unknown block for the enclosing one's, and its `}` for that one's end.
#[test]
fn an_unknown_block_is_skipped_whole() {
    let text = instance("unheard_of 1 {\npriority 7\ninner {\npriority 8\n}\n}\npriority 9");
    let compiled = load(text);
    assert_eq!(problems(&compiled), ["7:1 error[K001] unknown keyword `unheard_of` in `vrrp_instance`"]);
    assert_eq!(compiled.bundle.unwrap().vrrp.instances.rows()[0].priority, 9);
}

#[test]
fn a_block_of_nothing_is_skipped_whole() {
    let text = "{\nrouter_id a\n{ x }\n}\nglobal_defs {\nrouter_id b\n}\n";
    assert_eq!(problems_of(text), ["1:1 error[T004] this `{` follows no keyword; what it holds is skipped"]);
    assert_eq!(router_id(text), "b");
}

/// keepalived 2.2.7 takes them as letters, and ends at a full-width brace.
#[test]
fn characters_that_look_like_others_are_pointed_at() {
    let told = |text: &str| problems_of(text).into_iter().filter(|p| p.contains("L005")).collect::<Vec<_>>();
    assert_eq!(told("global_defs ｛\n}\n"), ["1:13 error[L005] this character (U+FF5B) only looks like `{`"]);
    let spaced = told("global_defs {\nrouter_id\u{a0}a\n}\n");
    assert_eq!(spaced, ["2:10 error[L005] this character (U+00A0) only looks like a space"]);
    let curly = told("global_defs {\nrouter_id \u{201c}a b\u{201d}\n}\n");
    assert_eq!(curly, ["2:11 error[L005] this character (U+201C) only looks like `\"`"]);
    assert_eq!(told("global_defs {\nrouter_id \"a｛\" # ｝\n}\n"), [""; 0]);
    assert_eq!(told("global_defs {\nrouter_id 主\n}\n"), [""; 0]);
}

#[test]
fn depth_is_bounded() {
    let text = format!("{}{}global_defs {{\nrouter_id a\n}}\n", "a {\n".repeat(10_000), "}\n".repeat(10_000));
    let compiled = load(text);
    assert_eq!(
        problems(&compiled),
        [
            "1:1 error[K001] unknown keyword `a` in the file",
            "65:3 error[T003] blocks may be nested 64 deep; this one is skipped"
        ]
    );
    assert_eq!(compiled.bundle.unwrap().check.router_id, "a");
}

#[test]
fn a_word_of_the_next_statement_on_one_line_is_told() {
    let text = "vrrp_script x {\nscript /bin/true\ninterval 2 weight 2\n}\n";
    let compiled = load(text);
    let extra = compiled.diags.list().iter().find(|d| d.code == Code::EXTRA_WORDS).unwrap();
    assert_eq!(extra.help.as_deref(), Some("put `weight` on a line of its own"));
}

#[test]
fn a_missing_argument_costs_its_statement() {
    let text = instance("priority\nnopreempt");
    let problems = problems_of(&text);
    assert_eq!(problems, ["7:1 error[K002] `priority` needs an argument"]);
}

#[test]
fn near_keywords_are_suggested() {
    let compiled = load(instance("advrt_int 1"));
    let unknown = &compiled.diags.list()[0];
    assert_eq!(unknown.help.as_deref(), Some("did you mean `advert_int`?"));
    assert_eq!(unknown.patch.as_ref().map(|p| p.with.as_str()), Some("advert_int"));
}

#[test]
fn keywords_of_later_work_are_told_once_each() {
    let text = format!("global_defs {{\nenable_traps\nenable_snmp_x\nenable_traps\n}}\n{}", instance(""));
    assert_eq!(
        problems_of(&text),
        [
            "2:1 warning[K007] `enable_traps` is read but has no effect yet",
            "3:1 error[K001] unknown keyword `enable_snmp_x` in `global_defs`",
            "4:1 warning[K007] `enable_traps` is read but has no effect yet"
        ]
    );
}

#[test]
fn flags_do_not_swallow_what_follows() {
    assert_eq!(
        codes(&instance("nopreempt now\ntrack_interface {\neth1 {\nx\n}\n}")),
        [Code::EXTRA_WORDS, Code::UNEXPECTED_BLOCK]
    );
}

/// No word may have two readers, and every line of help says something.
#[test]
fn keyword_tables_are_sound() {
    use checkd::conf::keyword::{Body, Keyword};
    use checkd::conf::{checker, group, http, real, server, track, walk};
    fn sound<T>(tables: &[&[Keyword<T>]]) -> usize {
        let all: Vec<&Keyword<T>> = tables.iter().copied().flatten().collect();
        let names: std::collections::BTreeSet<&str> = all.iter().map(|k| k.name).collect();
        assert_eq!(names.len(), all.len());
        for keyword in &all {
            assert!(!keyword.help.is_empty() && !keyword.help.ends_with('.'), "{}", keyword.name);
            let takes_words = keyword.args != checkd::conf::keyword::Args::Flag;
            assert!(keyword.body != Body::None || takes_words != keyword.usage.is_empty(), "{}", keyword.name);
        }
        all.len()
    }
    // COMPAT: keepalived 2.4.3 has 140 keywords in global_defs; `checker_merge` and
    // `vrrp_on_external_removal` are ours.
    assert_eq!(sound(walk::GLOBAL_DEFS), 142);
    assert!(sound(walk::ROOTS) > 20);
    assert!(sound(walk::VRRP_INSTANCE) > 60);
    assert!(sound(&[group::GROUP]) > 10);
    assert!(sound(&[track::SCRIPT]) == 8);
    assert!(sound(&[server::SERVER]) > 30);
    assert!(sound(&[real::REAL]) > 20);
    assert!(sound(checker::TCP) > 10);
    assert!(sound(checker::HTTP) > 15);
    assert!(sound(&[http::URL]) > 10);
}
