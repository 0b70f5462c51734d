//! Conditions, parameters, loops, includes.

use crate::common::{bundle, facts, load, problems, problems_of};
use checkd::conf::diag::{Code, Severity};
use checkd::conf::{Compiled, Compiler, Step, compile};
use ipc::msg::compile::{CompileMode, Includes, Unread};

/// The mail recipients, a list of free words, show what a text expands to.
fn words(lines: &str) -> Vec<String> {
    bundle(format!("{lines}\n")).check.mail.to
}

fn list(definitions: &str, lines: &str) -> Vec<String> {
    words(&format!("{definitions}\nglobal_defs {{\nnotification_email {{\n{lines}\n}}\n}}"))
}

#[test]
fn conditions_compare_the_configuration_id() {
    assert_eq!(list("", "@n1 a\n@n2 b\n@^n1 c\n@^n2 d\n@n1\n"), ["a", "d"]);
    assert_eq!(list("@n1 $P=1\n@n2 $P=2", "$P"), ["1"]);
    assert_eq!(list("$IF=@n1\n$NOT=@n2", "$IF a\n$NOT b"), ["a"]);
}

#[test]
fn parameters_expand_where_they_are_used() {
    let definitions = "$BASE=10.2.${SUB}\n$SUB=0";
    assert_eq!(list(definitions, "${BASE}.1\n$SUB=10\n${BASE}.1"), ["10.2.0.1", "10.2.10.1"]);
    assert_eq!(list("$A= x  y ", "$A $A\n$A/ $A, $A)"), ["x", "y", "x", "y", "$A/", "x", "y,", "x", "y)"]);
    assert_eq!(list("$E=", "a${E}b $E"), ["ab"]);
    assert_eq!(list("", "$NO a$ $5"), ["$NO", "a$", "$5"]);
}

#[test]
fn built_in_parameters() {
    assert_eq!(
        list("", "${_INSTANCE} ${_PWD}/x ${_HASH}a ${_BANG} ${_RANDOM 5 5}"),
        ["n1", "/etc/keepalived/x", "#a", "!", "5"]
    );
    let drawn: u32 = list("", "${_RANDOM 10 20}")[0].parse().unwrap();
    assert!((10..=20).contains(&drawn));
    // COMPAT: keepalived 2.2.7 takes the minimum of an empty range.
    assert_eq!(list("", "${_RANDOM 7 5}"), ["7"]);
}

#[test]
fn multi_line_parameters_nest_and_take_what_stands_before_them() {
    let definitions = "$RS= \\\nr${N} \\\ns${N}\n$VS= \\\nv \\\n$N=1 \\\n$RS \\\n$N=2 \\\n$RS\n";
    assert_eq!(list(definitions, "$VS"), ["v", "r1", "s1", "r2", "s2"]);
    assert_eq!(list("$A= \\\n1 \\\n2", "x $A"), ["x", "1", "2"]);
    // COMPAT: keepalived 2.2.7: words on the first line are part of it; an empty line ends it, a `\` alone does not.
    assert_eq!(list("$A=0 \\\n1 \\\n\\\n2", "$A"), ["0", "1", "2"]);
    assert_eq!(list("$A= \\\n1 \\\n\n", "$A"), ["1"]);
}

#[test]
fn a_place_inside_a_multi_line_parameter_is_kept() {
    let text = "$I= \\\nvrrp_instance A { \\\nadvert_int ${X} \\\n}\n$X=often\n$I\n";
    let problems = problems_of(text);
    assert!(problems.contains(&"3:12 error[V001] `often` is not a number of seconds".to_owned()), "{problems:?}");
}

#[test]
fn sequences() {
    assert_eq!(list("", "~SEQ(I, 0, 3) a${I}"), ["a0", "a1", "a2", "a3"]);
    assert_eq!(list("", "~SEQ(I, 3) $I"), ["1", "2", "3"]);
    assert_eq!(list("", "~SEQ(I, -2) $I"), ["-1", "-2"]);
    assert_eq!(list("", "~SEQ(I, 5, -2, 0) $I"), ["5", "3", "1"]);
    assert_eq!(list("", "~SEQx(I, 0x90, 0x10, 0xb0) $I"), ["90", "a0", "b0"]);
    assert_eq!(list("", "~SEQ(I,1,2) ~SEQ(J,1,2) ${I}-${J}"), ["1-1", "1-2", "2-1", "2-2"]);
    assert_eq!(list("$END=2", "~SEQ(I, $END) $I\nlast$I ${I}"), ["1", "2", "last2", "2"]);
    assert_eq!(list("$M= \\\na$I \\\nb$I ", "~SEQ(I,2) $M"), ["a1", "b1", "a2", "b2"]);
}

#[test]
fn lists() {
    assert_eq!(list("", "~LST(I, a, b) x$I ${I}"), ["xa", "a", "xb", "b"]);
    assert_eq!(list("", "~LST({I,J}, {1,2}, {3}) ${I}-${J}"), ["1-2", "3-"]);
    let both = "~LST({A, B}, {10,1},{20,4}) ~SEQ(C,168,2,170) ${C}.${A}.${B}";
    assert_eq!(list("", both), ["168.10.1", "170.10.1", "168.20.4", "170.20.4"]);
}

#[test]
fn loops_that_make_no_sense_are_told() {
    for (line, message) in [
        ("~SEQ(I, 1, 0, 3) a", "from 1 a step of 0 never reaches 3"),
        ("~SEQ(I, 1, -1, 3) a", "from 1 a step of -1 never reaches 3"),
        ("~SEQ(I) a", "a sequence has one to three numbers"),
        ("~SEQ(I, x) a", "`x` is not a number"),
        ("~SEQ(1, 3) a", "`1` is not a parameter name"),
        ("~SEQ(I, 3)", "this loop repeats nothing"),
        ("~SEQ(I, 3 a", "this loop has no `)`"),
        ("~SEQx(I, -3) a", "a hexadecimal sequence has no negative numbers"),
        ("~LST({I,J}, {1,2,3}) a", "3 values for 2 variables"),
        ("~LST(I) a", "a list needs a value"),
    ] {
        let problems = problems_of(line);
        assert_eq!(problems, [format!("1:1 error[P003] {message}")], "{line}");
    }
}

#[test]
fn expansion_is_bounded() {
    let compiled = load("$A=$B x\n$B=$A y\n$A\n");
    assert_eq!(problems(&compiled), ["3:1 error[P002] parameters stand in one another more than 64 deep"]);
    let hopeless = problems_of("~SEQ(I,1,1000000000) x\n");
    assert_eq!(hopeless, ["1:1 error[P003] this sequence has 1000000000 turns; expansion may make 4000000 lines"]);
    let compiled = load("~SEQ(I,1,1000000) ~SEQ(J,1,1000000) @n2 x\n");
    assert!(compiled.bundle.is_none());
    assert!(problems(&compiled)[0].contains("fatal[P002] expansion stops here"), "{:?}", problems(&compiled));
    // Doubling with each definition.
    let mut text = String::from("$A0=xxxxxxxxxxxxxxxx\n");
    for n in 1..60 {
        text.push_str(&format!("$A{n}=${{A{0}}}${{A{0}}}\n", n - 1));
    }
    text.push_str("$A59\n");
    let problems = problems_of(&text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("expanded it is longer than 32767 bytes"), "{problems:?}");
}

/// Answers includes as the supervisor does, from these files: a pattern matches a name that ends as it does.
fn with_files(main: &str, files: &[(&str, &str)], asked: &mut Vec<(String, String)>) -> Compiled {
    compile(facts(), CompileMode::Load, main.into(), |request| {
        asked.push((request.pattern.clone(), request.from.clone()));
        let found = files.iter().filter(|(name, _)| name.ends_with(request.pattern.trim_start_matches('*')));
        let found: Vec<_> = found.map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        let missing = match request.pattern.contains('*') {
            _ if !found.is_empty() => Vec::new(),
            true => vec![Unread::Nothing],
            false => vec![Unread::Missing(request.pattern.clone())],
        };
        (found, missing)
    })
}

#[test]
fn included_files_stand_where_the_directive_stands() {
    let files = [("/c/a.conf", "one\ninclude deep\n"), ("/c/b.conf", "two\n"), ("/c/deep", "${_PWD}\n")];
    let mut asked = Vec::new();
    let main = "global_defs {\nnotification_email {\nzero\ninclude *.conf\nthree\n}\n}\n";
    let compiled = with_files(main, &files, &mut asked);
    assert_eq!(problems(&compiled), [""; 0]);
    assert_eq!(compiled.bundle.unwrap().check.mail.to, ["zero", "one", "/c", "two", "three"]);
    let main = "/etc/keepalived/keepalived.conf".to_owned();
    assert_eq!(asked, [("*.conf".to_owned(), main), ("deep".to_owned(), "/c/a.conf".to_owned())]);
}

#[test]
fn a_directory_full_of_files_is_not_deep() {
    let names: Vec<String> = (0..200).map(|n| format!("/c/{n}.conf")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "one\n")).collect();
    let main = "global_defs {\nnotification_email {\ninclude *.conf\n}\n}\n";
    let compiled = with_files(main, &files, &mut Vec::new());
    assert_eq!(problems(&compiled), [""; 0]);
    assert_eq!(compiled.bundle.unwrap().check.mail.to.len(), 200);
    // One that includes itself is.
    let compiled = with_files("include self\n", &[("/c/self", "include self\n")], &mut Vec::new());
    let expected =
        "1:9 fatal[L004] `/c/self` is not read: files may include one another 32 deep; does it include itself?";
    assert_eq!(problems(&compiled), [expected]);
}

/// What follows a brace is like a line of its own: keepalived 2.2.7 says the same of each.
#[test]
fn after_a_brace_a_line_begins_again() {
    let files = [("/c/part", "interface eth0\nvirtual_router_id 7\nbogus\n")];
    let main = "vrrp_instance A { include part\n$V=10.0.0\nvirtual_ipaddress { ~SEQ(I,1,2) ${V}.${I}\n} } $W=word\n$W 3\n\
                track_file f { @^n1 bogus\nfile /x\n} @n1 other\n";
    let compiled = with_files(main, &files, &mut Vec::new());
    let said = problems(&compiled);
    assert_eq!(
        said,
        [
            "5:1 error[K001] unknown keyword `word` in the file",
            "8:7 error[K001] unknown keyword `other` in the file",
            "3:1 error[K001] unknown keyword `bogus` in `vrrp_instance`",
        ]
    );
}

/// What is said of an include that finds nothing, or of one whose file cannot be used: `-`, `warning` or `fatal`.
fn said(main: &str, answer: &[Unread]) -> String {
    let compiled = compile(facts(), CompileMode::Load, main.into(), |_| (Vec::new(), answer.to_vec()));
    let list = compiled.diags.list().iter().filter(|d| d.code == Code::INCLUDE);
    let said: Vec<String> = list.map(|d| d.severity.to_string()).collect();
    if said.is_empty() { "-".to_owned() } else { said.join(" ") }
}

/// Each row was tried with keepalived 2.2.7: where it ends with 6, we say fatal; where it only logs, warning.
#[test]
fn what_is_missing_matters_as_the_directive_says() {
    let missing = [Unread::Missing("d/m".into())];
    let unusable = [Unread::Unusable("d/x".into(), "it is a directory".into())];
    for (variant, plain, wildcard, brace, file) in [
        ("include", "warning", "-", "warning", "warning"),
        ("includer", "warning", "-", "warning", "fatal"),
        ("includem", "fatal", "-", "warning", "fatal"),
        ("includew", "fatal", "fatal", "warning", "fatal"),
        ("includeb", "warning", "-", "fatal", "fatal"),
        ("includea", "fatal", "fatal", "fatal", "fatal"),
    ] {
        assert_eq!(said(&format!("{variant} d/m"), &missing), plain, "{variant}");
        assert_eq!(said(&format!("{variant} d/*"), &[Unread::Nothing]), wildcard, "{variant}");
        assert_eq!(said(&format!("{variant} d/{{a,m}}"), &missing), brace, "{variant}");
        assert_eq!(said(&format!("{variant} d/x"), &unusable), file, "{variant}");
    }
    let refused = [Unread::Refused("d/x".into(), "a configuration may have 4096 files".into())];
    assert_eq!(said("include d/x", &refused), "fatal");
    assert_eq!(problems_of("includex f\n"), ["1:1 error[K001] unknown keyword `includex` in the file"]);
    let mut all = facts();
    all.includes = Includes::AllChecked;
    let compiled = compile(all, CompileMode::Load, "include d/m".into(), |_| (Vec::new(), missing.to_vec()));
    assert_eq!((compiled.verdict().fatal, compiled.verdict().unread), (1, 1), "-e");
}

/// Each row was tried with keepalived 2.2.7.
#[test]
fn include_check_counts_from_where_it_stands() {
    let missing = [Unread::Missing("d/m".into())];
    let unusable = [Unread::Unusable("d/x".into(), "it is a directory".into())];
    let after = |words: &str, pattern: &str| format!("global_defs {{\n{words}\n}}\ninclude {pattern}\n");
    for (words, plain, wildcard, brace, file) in [
        ("include_check", "fatal", "fatal", "fatal", "fatal"),
        ("include_check match", "fatal", "-", "warning", "fatal"),
        ("include_check read", "warning", "-", "warning", "fatal"),
        ("include_check readable", "warning", "-", "warning", "warning"),
        ("include_check +match", "fatal", "-", "warning", "warning"),
        ("include_check +wildcard_match", "warning", "fatal", "warning", "warning"),
        ("include_check +match -wildcard_match", "fatal", "-", "warning", "warning"),
        ("include_check read +match -read", "fatal", "-", "warning", "warning"),
        ("include_check +read +match", "fatal", "-", "warning", "fatal"),
        ("include_check\ninclude_check -read", "fatal", "fatal", "fatal", "warning"),
        ("include_check\ninclude_check -match", "warning", "fatal", "fatal", "fatal"),
        ("include_check wildcard_match", "warning", "fatal", "warning", "fatal"),
        ("include_check brace_match", "warning", "-", "fatal", "fatal"),
        ("include_check match wildcard_match", "fatal", "-", "warning", "fatal"),
    ] {
        assert_eq!(said(&after(words, "d/m"), &missing), plain, "{words}");
        assert_eq!(said(&after(words, "d/*"), &[Unread::Nothing]), wildcard, "{words}");
        assert_eq!(said(&after(words, "d/{a,m}"), &missing), brace, "{words}");
        assert_eq!(said(&after(words, "d/x"), &unusable), file, "{words}");
    }
    assert_eq!(said("include d/m\nglobal_defs {\ninclude_check\n}\n", &missing), "warning", "too late");
    assert_eq!(said("global_defs { include_check match }\ninclude d/m\n", &missing), "fatal", "on one line");
    assert_eq!(said("$X=match\nglobal_defs {\ninclude_check $X\n}\ninclude d/m\n", &missing), "fatal", "expanded");
}

/// Tried with keepalived 2.2.7.
#[test]
fn include_check_ends_with_its_file() {
    let fatal = |main: &str, included: &str| {
        let compiled = compile(facts(), CompileMode::Load, main.into(), |request| match request.pattern.as_str() {
            "d/a" => (vec![("d/a".into(), included.into())], Vec::new()),
            _ => (Vec::new(), vec![Unread::Missing("d/m".into())]),
        });
        compiled.verdict().fatal
    };
    assert_eq!(fatal("include d/a\ninclude d/m\n", "global_defs {\ninclude_check\n}\n"), 0, "not for what comes after");
    assert_eq!(fatal("include d/a\n", "global_defs {\ninclude_check\n}\ninclude d/m\n"), 1, "for its own includes");
    assert_eq!(fatal("global_defs {\ninclude_check\n}\ninclude d/a\n", "include d/m\n"), 1, "for what is included");
}

#[test]
fn a_seed_makes_random_numbers_repeatable() {
    let drawn = |seed: &str, start: u64| {
        let text = format!("global_defs {{\n{seed}\nnotification_email {{\n${{_RANDOM}} ${{_RANDOM 1 6}}\n}}\n}}\n");
        let mut compiler = Compiler::new(facts(), CompileMode::Load, text.into_bytes(), start);
        assert_eq!(compiler.step(), Step::Done);
        compiler.finish().bundle.unwrap().check.mail.to
    };
    assert_eq!(drawn("random_seed 7", 1), drawn("random_seed 7", 99));
    assert_ne!(drawn("random_seed 7", 1), drawn("random_seed 8", 1));
    assert_ne!(drawn("", 1), drawn("", 99));
}

#[test]
fn environment_variables_are_asked_for_one_by_one_and_once() {
    let text = "$N=${_ENV COUNT}\n~SEQ(I,${_ENV COUNT}) x$I\nglobal_defs {\nrouter_id a${_ENV ID}b${_ENV NONE}c${_ENV ID}\n}\n\
                ${_ENV A B}\n${_ENV}\n";
    let mut compiler = Compiler::new(facts(), CompileMode::Load, text.as_bytes().to_vec(), 1);
    let mut asked = Vec::new();
    while let Step::Environment(name) = compiler.step() {
        let value = match name.as_str() {
            "ID" => Some(b"${_INSTANCE}".to_vec()),
            "COUNT" => Some(b"2".to_vec()),
            _ => None,
        };
        compiler.environment(name.clone(), value);
        asked.push(name);
    }
    assert_eq!(asked, ["COUNT", "ID", "NONE"]);
    let compiled = compiler.finish();
    assert_eq!(
        problems(&compiled),
        [
            "2:23 error[K001] unknown keyword `x1` in the file",
            "6:1 error[P005] `${_ENV NAME}` takes the name of one environment variable",
            "7:1 error[P005] `${_ENV NAME}` takes the name of one environment variable",
        ]
    );
    assert_eq!(compiled.bundle.unwrap().check.router_id, "an1bcn1");
}

#[test]
fn environment_variables_are_bounded() {
    let text = "~SEQ(I,1,300) ${_ENV V$I }\n".replace("$I ", "${I}");
    let mut compiler = Compiler::new(facts(), CompileMode::Load, format!("~SEQ(I,1,300) $A\n{text}").into_bytes(), 1);
    let mut count = 0;
    while let Step::Environment(name) = compiler.step() {
        compiler.environment(name, None);
        count += 1;
    }
    assert!(count <= 256, "{count}");
    let direct: String = (0..300).map(|n| format!("${{_ENV V{n}}}\n")).collect();
    let mut compiler = Compiler::new(facts(), CompileMode::Load, direct.into_bytes(), 1);
    let mut count = 0;
    while let Step::Environment(name) = compiler.step() {
        compiler.environment(name, None);
        count += 1;
    }
    assert_eq!(count, 256);
    assert_eq!(problems(&compiler.finish()).len(), 44);
}

#[test]
fn a_file_that_includes_itself_ends() {
    let mut asked = Vec::new();
    let compiled = with_files("include self", &[("/self", "include self\n")], &mut asked);
    assert!(problems(&compiled)[0].contains("does it include itself?"), "{:?}", problems(&compiled));
    assert!(asked.len() < 100);
}

/// The problems with the other places and the line as it was read.
fn origins(compiled: &Compiled) -> Vec<String> {
    let place = |span| {
        let place = compiled.sources.place(span);
        format!("{}:{}:{}", place.file.rsplit('/').next().unwrap(), place.line, place.column)
    };
    let list = compiled.diags.list().iter().filter(|d| d.severity >= Severity::Error);
    list.map(|d| {
        let others: String = d.others.iter().map(|l| format!(" | {} {}", place(l.span), l.text)).collect();
        let expanded = d.expanded.as_ref().map_or(String::new(), |line| format!(" | = {line}"));
        format!("{} {}{others}{expanded}", place(d.primary.as_ref().unwrap().span), d.message)
    })
    .collect()
}

#[test]
fn a_diagnostic_says_where_expanded_words_came_from() {
    let main = "include part\n\
                vrrp_instance A {\n\
                \u{20}   advert_int ${OFTEN}\n\
                \u{20}   ~SEQ(N,1,3) ~LST(W,x,y) priority $W$N\n\
                $BODY\n\
                }\n";
    let part = "$OFTEN=so ${HOW}\n$HOW=often\n$BODY= \\\n  priority a lot \\\n  garp_master_delay ${HOW}\n";
    let compiled = with_files(main, &[("/c/part", part)], &mut Vec::new());
    let told = origins(&compiled);
    let expected = [
        "keepalived.conf:2:15 `vrrp_instance A` has no `virtual_router_id`",
        "keepalived.conf:3:16 `so` is not a number of seconds | part:1:1 `${OFTEN}` comes from here | part:2:1 `${OFTEN}` comes from here | = advert_int so often",
        "keepalived.conf:4:38 `$W1` is not a number | keepalived.conf:4:5 `$N` comes from here | = priority $W1",
        "part:4:12 `a` is not a number | keepalived.conf:5:1 used here",
        "part:5:21 `often` is not a number | part:2:1 `${HOW}` comes from here | keepalived.conf:5:1 used here \
         | = garp_master_delay often",
    ];
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
}

#[test]
fn a_secret_is_not_shown_by_its_expansion() {
    let text = "$X=12345678901\nvrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nauthentication {\n\
                auth_type PASS\nauth_pass $X y\n}\n}\n";
    for diagnostic in load(text).diags.list() {
        assert!(!format!("{diagnostic:?}").contains("12345678901"), "{diagnostic:?}");
    }
}

#[test]
fn the_pattern_may_be_a_parameter() {
    let mut asked = Vec::new();
    with_files("$DIR=/x\ninclude ${DIR}/y\n", &[("/x/y", "")], &mut asked);
    assert_eq!(asked[0].0, "/x/y");
}
