//! Short options as getopt(3) reads them, turned into long ones.
//!
//! keepalived has options with an optional value (`-t`, `-g`, `-M`). getopt takes the value of those only from the same word
//! (`-tFILE`), clap cannot be told so; every short option is therefore rewritten (`-nlDf FILE` to `--dont-fork --log-console
//! --log-detail --use-file FILE`) before clap sees the line.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Whether an option has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    None,
    Needed,
    Optional,
}

/// keepalived's short options. COMPAT: keepalived 2.4.3, keepalived(8).
const SHORT: [(u8, &str, Value); 34] = [
    (b'f', "use-file", Value::Needed),
    (b'P', "vrrp", Value::None),
    (b'C', "check", Value::None),
    (b'B', "no_bfd", Value::None),
    (b'l', "log-console", Value::None),
    (b'D', "log-detail", Value::None),
    (b'S', "log-facility", Value::Needed),
    (b'g', "log-file", Value::Optional),
    (b'G', "no-syslog", Value::None),
    (b'u', "umask", Value::Needed),
    (b'X', "release-vips", Value::None),
    (b'V', "dont-release-vrrp", Value::None),
    (b'I', "dont-release-ipvs", Value::None),
    (b'R', "dont-respawn", Value::None),
    (b'n', "dont-fork", Value::None),
    (b'd', "dump-conf", Value::None),
    (b'p', "pid", Value::Needed),
    (b'c', "checkers_pid", Value::Needed),
    (b'r', "vrrp_pid", Value::Needed),
    (b'b', "bfd_pid", Value::Needed),
    (b'T', "genhash", Value::None),
    (b'a', "address-monitoring", Value::None),
    (b'x', "snmp", Value::None),
    (b'A', "snmp-agent-socket", Value::Needed),
    (b'm', "core-dump", Value::None),
    (b'M', "core-dump-pattern", Value::Optional),
    (b'L', "mem-check-log", Value::None),
    (b'O', "openssl-mem-check", Value::None),
    (b's', "namespace", Value::Needed),
    (b'e', "all-config", Value::None),
    (b'i', "config-id", Value::Needed),
    (b't', "config-test", Value::Optional),
    (b'v', "version", Value::None),
    (b'h', "help", Value::None),
];

/// Rewrites the short options of a command line (without the program's name). What is none is left for clap to refuse.
pub fn lengthen(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut out = Vec::new();
    let mut args = args;
    while let Some(arg) = args.next() {
        let bytes = arg.as_bytes();
        match bytes {
            b"--" => {
                out.push(arg);
                out.extend(args);
                return out;
            }
            [b'-', first, ..] if *first != b'-' => cluster(bytes.get(1..).unwrap_or_default(), &mut args, &mut out),
            _ => out.push(arg),
        }
    }
    out
}

/// One word of short options.
fn cluster(mut letters: &[u8], args: &mut impl Iterator<Item = OsString>, out: &mut Vec<OsString>) {
    while let Some((letter, rest)) = letters.split_first() {
        let Some((_, long, value)) = SHORT.iter().find(|(short, ..)| short == letter) else {
            out.push(OsString::from_vec(vec![b'-', *letter]));
            letters = rest;
            continue;
        };
        let mut word = OsString::from(format!("--{long}"));
        match value {
            Value::None => letters = rest,
            Value::Optional | Value::Needed if !rest.is_empty() => {
                word.push("=");
                word.push(OsString::from_vec(rest.to_vec()));
                letters = &[];
            }
            Value::Optional => letters = rest,
            Value::Needed => {
                letters = rest;
                if let Some(next) = args.next() {
                    word.push("=");
                    word.push(next);
                }
            }
        }
        out.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengthened(line: &str) -> String {
        let words = lengthen(line.split_whitespace().map(OsString::from));
        words.iter().map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn short_options_become_long_ones() {
        for (given, wanted) in [
            ("-n -l -D", "--dont-fork --log-console --log-detail"),
            ("-nlDDf x.conf", "--dont-fork --log-console --log-detail --log-detail --use-file=x.conf"),
            ("-fx.conf -n", "--use-file=x.conf --dont-fork"),
            ("-f -n", "--use-file=-n"),
            ("-t x", "--config-test x"),
            ("-tx", "--config-test=x"),
            ("-nt/tmp/x -l", "--dont-fork --config-test=/tmp/x --log-console"),
            ("-g -M", "--log-file --core-dump-pattern"),
            ("-S3", "--log-facility=3"),
            ("-nZ", "--dont-fork -Z"),
            ("--pid /x -- -n", "--pid /x -- -n"),
            ("-f", "--use-file"),
            ("- x", "- x"),
        ] {
            assert_eq!(lengthened(given), wanted, "{given}");
        }
    }
}
