use super::*;
use alloc::string::{String, ToString};
use alloc::vec;
use core::time::Duration;
use ipc::config::Origin;
use ipc::config::vrrp::{Switch, Weight};

fn conf(process: &str, params: ParamMatch, full_command: Switch) -> TrackProcess {
    TrackProcess {
        name: String::new(),
        origin: Origin::default(),
        process: process.split(' ').map(ToString::to_string).collect(),
        params,
        full_command,
        weight: Weight { value: 0, reverse: Switch::Off },
        least: 1,
        most: None,
        fork_delay: Duration::ZERO,
        terminate_delay: Duration::ZERO,
    }
}

fn line(words: &[&str]) -> Vec<u8> {
    words.iter().flat_map(|word| word.bytes().chain([0])).collect()
}

/// Each row was measured with keepalived 2.2.7: which of these blocks gained its quorum when the command ran.
#[test]
fn the_same_processes_are_meant_as_with_keepalived() {
    use ParamMatch::{Any, Exact, Initial, Partial};
    use Switch::{Off, On};
    let blocks = [
        ("comm", conf("pkslp", Any, Off)),
        ("long15", conf("pkslpaveryveryl", Any, Off)),
        ("path", conf("/D/pkslp", Any, Off)),
        ("full", conf("/D/pkslp", Any, On)),
        ("fullname", conf("pkslp", Any, On)),
        ("exact", conf("/D/pkslp 100 200", Exact, Off)),
        ("exactname", conf("pkslp 100 200", Exact, Off)),
        ("exactx", conf("/D/pkslp 100", Exact, Off)),
        ("bare", conf("/D/pkslp", Exact, Off)),
        ("initial", conf("/D/pkslp 100", Initial, Off)),
        ("initial2", conf("/D/pkslp 100 20", Initial, Off)),
        ("partial", conf("/D/pkslp 100", Partial, Off)),
        ("partial2", conf("/D/pkslp 100 20", Partial, Off)),
        ("initial0", conf("/D/pkslp", Initial, Off)),
        ("partial0", conf("/D/pkslp", Partial, Off)),
        ("fullinit", conf("/D/pk", Initial, On)),
    ];
    let long = "/D/pkslpaveryverylongname";
    let rows: [(&str, &[&str], &[&str]); 9] = [
        ("pkslp", &["/D/pkslp", "100"], &["comm", "full", "exactx", "initial", "partial", "initial0", "partial0"]),
        (
            "pkslp",
            &["/D/pkslp", "100", "200"],
            &["comm", "full", "exact", "initial", "initial2", "partial", "initial0", "partial0"],
        ),
        (
            "pkslp",
            &["/D/pkslp", "100", "2000"],
            &["comm", "full", "initial", "initial2", "partial", "initial0", "partial0"],
        ),
        ("pkslp", &["/D/pkslp", "1000"], &["comm", "full", "initial", "initial0", "partial0"]),
        ("pkslp", &["pkslp", "100", "200"], &["comm", "fullname", "exactname"]),
        ("pkslp", &["pkslp", "100"], &["comm", "fullname"]),
        ("pkslpaveryveryl", &[long, "100"], &["long15"]),
        ("pkslp", &["other", "100"], &["comm"]),
        ("sleep", &["/D/pkslp", "100"], &["full", "exactx", "initial", "partial", "initial0", "partial0"]),
    ];
    for (name, words, expected) in rows {
        let (stat, text) = (alloc::format!("7 ({name}) S 1 7"), line(words));
        let command = Command::read(stat.as_bytes(), &text).unwrap();
        let meant: Vec<&str> = blocks.iter().filter(|(_, conf)| command.is(conf)).map(|(block, _)| *block).collect();
        assert_eq!(meant, expected, "{name} {words:?}");
    }
}

#[test]
fn a_long_name_counts_with_its_first_fifteen_bytes() {
    let command = Command::read(b"7 (pkslpaveryveryl) S", b"").unwrap();
    assert!(command.is(&conf("pkslpaveryverylongname", ParamMatch::Any, Switch::Off)));
}

#[test]
fn names_may_hold_anything_and_zombies_do_not_run() {
    for (stat, name) in [
        (&b"1 (a b) S 1"[..], Some(&b"a b"[..])),
        (b"1 (a) Z (b)) R 1", Some(b"a) Z (b)")),
        (b"1 (a) Z 1", None),
        (b"1 (a) X 1", None),
        (b"1 () S 1", Some(b"")),
        (b"1 (a)", None),
        (b"1 )a( S", None),
        (b"", None),
    ] {
        assert_eq!(Command::read(stat, b"").map(|command| command.name), name, "{}", String::from_utf8_lossy(stat));
    }
}

#[test]
fn a_command_line_that_was_cut_is_never_exactly_that_of_the_file() {
    let word = "x".repeat(COMMAND_LINE);
    let text = line(&["p", &word]);
    let cut = &text[..COMMAND_LINE];
    let rest = &word[..COMMAND_LINE - 2];
    let command = Command::read(b"1 (p) S", cut).unwrap();
    assert!(!command.is(&conf(&alloc::format!("p {rest}"), ParamMatch::Exact, Switch::Off)));
    assert!(command.is(&conf("p xxx", ParamMatch::Initial, Switch::Off)));
    let none = Command::read(b"1 (p) S", b"").unwrap();
    assert_eq!(none.words, vec![b""; 0]);
    assert!(!none.is(&conf("p", ParamMatch::Exact, Switch::Off)));
}
