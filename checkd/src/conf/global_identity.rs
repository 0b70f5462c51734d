//! `global_defs`: names and files of the daemon. COMPAT: keepalived 2.4.3.

use super::diag::{Code, Diagnostic};
use super::global::Global;
use super::global_vrrp::{fill, once, put};
use super::keyword::{Args, Keyword, Reader, nearest, shown};
use super::tree::Statement;
use alloc::format;
use alloc::string::String;
use ipc::config::vrrp::Switch;

/// Longest name of a process (`TASK_COMM_LEN` without its NUL).
const NAME_BYTES: usize = 15;

fn text(r: &mut Reader<'_>, s: Statement<'_>) -> Option<String> {
    s.word(1).and_then(|w| r.text(w)).map(|t| t.value)
}

/// COMPAT: a longer name is cut.
fn process_name(r: &mut Reader<'_>, s: Statement<'_>) -> Option<String> {
    let word = s.word(1)?;
    let name = r.text(word)?.value;
    let end =
        name.char_indices().map(|(at, c)| at.saturating_add(c.len_utf8())).take_while(|end| *end <= NAME_BYTES).last();
    let cut = name.get(..end.unwrap_or(0)).unwrap_or_default();
    if cut.is_empty() {
        r.bad(word, "a name");
        return None;
    }
    if cut.len() < name.len() {
        r.adjusted(word, format!("the name of a process has at most {NAME_BYTES} bytes: `{cut}`"));
    }
    Some(String::from(cut))
}

fn absolute(r: &mut Reader<'_>, s: Statement<'_>) -> Option<String> {
    let word = s.word(1)?;
    let path = r.text(word)?.value;
    if !path.starts_with('/') {
        r.bad(word, "an absolute path");
        return None;
    }
    Some(path)
}

/// stat(2): the words of `umask` and their bits.
const MODES: [(&str, u16); 12] = [
    ("IRUSR", 0o400),
    ("IWUSR", 0o200),
    ("IXUSR", 0o100),
    ("IRWXU", 0o700),
    ("IRGRP", 0o040),
    ("IWGRP", 0o020),
    ("IXGRP", 0o010),
    ("IRWXG", 0o070),
    ("IROTH", 0o004),
    ("IWOTH", 0o002),
    ("IXOTH", 0o001),
    ("IRWXO", 0o007),
];

/// A number (decimal, `0` octal, `0x` hexadecimal) or words with `|` between.
fn umask(r: &mut Reader<'_>, s: Statement<'_>) -> Option<u16> {
    let word = s.word(1)?;
    let all: alloc::vec::Vec<&str> = s.words(1).map(|w| w.text()).collect();
    let joined = all.concat();
    let text = joined.as_str();
    let number = if let Some(hex) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        u16::from_str_radix(hex, 16).ok()
    } else if text.len() > 1 && text.starts_with('0') {
        u16::from_str_radix(text, 8).ok()
    } else {
        text.parse().ok()
    };
    let mask = number.or_else(|| {
        let bit = |name: &str| MODES.iter().find(|(n, _)| *n == name.trim()).map(|(_, bits)| *bits);
        text.split('|').try_fold(0, |mask, name| Some(mask | bit(name)?))
    });
    let mask = mask.filter(|m| *m <= 0o777);
    if mask.is_none() {
        r.bad(word, "a mask: a number up to 0777, or IRUSR, IWGRP, IRWXO … with | between");
    }
    mask
}

/// What may fail in an include.
const CHECKS: [&str; 4] = ["read", "match", "wildcard_match", "brace_match"];

/// COMPAT: a word without sign stands only first.
fn include_check(r: &mut Reader<'_>, s: Statement<'_>, _: &mut Global) {
    for (n, word) in s.words(1).enumerate() {
        let plain = word.text().trim_start_matches(['+', '-']);
        if !CHECKS.contains(&plain) {
            let message = format!("`{}` is not read, match, wildcard_match or brace_match", shown(word.text()));
            let mut bad = Diagnostic::error(Code::BAD_VALUE, word.span, message).label("ignored");
            if let Some(near) = nearest(plain, CHECKS.into_iter()) {
                bad = bad.help(format!("did you mean `{near}`?"));
            }
            r.diags.push(bad);
        } else if n > 0 && plain == word.text() {
            r.bad(word, "allowed here without `+` or `-`: only the first word is");
        }
    }
}

macro_rules! path {
    ($name:literal, $usage:literal, $help:literal, $slot:ident, $read:ident) => {
        Keyword::new($name, Args::Count(1, 1), $usage, $help, |r, s, d: &mut Global| {
            fill(&mut d.identity.$slot, $read(r, s));
        })
        .not_yet()
    };
}

/// `global_defs`
pub static IDENTITY: &[Keyword<Global>] = &[
    Keyword::new(
        "default_interface",
        Args::Count(1, 1),
        "INTERFACE",
        "the interface of static addresses that name none",
        |r, s, d: &mut Global| {
            fill(&mut d.identity.default_interface, s.word(1).and_then(|w| r.link_name(w)).map(|n| n.value));
        },
    )
    .or("eth0"),
    Keyword::flag("process_names", "the children are named after what they do", |_, _, d: &mut Global| {
        d.identity.names = Switch::On;
    })
    .not_yet(),
    path!(
        "process_name",
        "NAME",
        "the name of the supervisor in process lists; 15 characters count",
        name,
        process_name
    )
    .or("the program"),
    path!(
        "vrrp_process_name",
        "NAME",
        "the name of the VRRP process in process lists; 15 characters count",
        vrrp_name,
        process_name
    )
    .or("the program"),
    path!(
        "checker_process_name",
        "NAME",
        "the name of the checker process in process lists; 15 characters count",
        checker_name,
        process_name
    )
    .or("the program"),
    Keyword::new(
        "lvs_process_name",
        Args::Count(1, 1),
        "NAME",
        "the name of the checker process in process lists; 15 characters count",
        |r, s, d: &mut Global| {
            fill(&mut d.identity.checker_name, process_name(r, s));
        },
    )
    .old_name_of("checker_process_name"),
    path!(
        "bfd_process_name",
        "NAME",
        "the name of the BFD process in process lists; 15 characters count",
        bfd_name,
        process_name
    )
    .or("the program"),
    Keyword::switch(
        "set_supplementary_groups",
        "scripts also get the other groups of their user",
        |r, s, d: &mut Global| {
            put(&mut d.identity.supplementary_groups, r.switch(s));
        },
    )
    .or("off")
    .since("2.4.4"),
    Keyword::new(
        "umask",
        Args::Some(1),
        "NUMBER|NAME[|NAME…]",
        "permissions that files do not get: an octal number with a 0 in front, or names such as IRWXG|IRWXO",
        |r, s, d: &mut Global| {
            fill(&mut d.identity.umask, umask(r, s));
        },
    )
    .not_yet()
    .or("IXUSR|IRWXG|IRWXO"),
    Keyword::new(
        "random_seed",
        Args::Count(1, 1),
        "INT 0..4294967295",
        "the number that ${_RANDOM} starts from, so that its values repeat",
        |r, s, d: &mut Global| {
            let seed = s.word(1).and_then(|word| r.whole_number(word, 0..=i64::from(u32::MAX)));
            fill(&mut d.identity.random_seed, seed);
        },
    )
    .or("another one each time"),
    Keyword::new(
        "tmp_config_directory",
        Args::Count(1, 1),
        "DIR",
        "the directory for the copy of the configuration that the children read",
        |r, s, d: &mut Global| {
            let directory = absolute(r, s);
            once(r, s, &mut d.identity.tmp_config_directory, directory);
        },
    )
    .or("a file in memory")
    .not_yet(),
    path!(
        "config_save_dir",
        "DIR",
        "the directory that the configuration and the state around a reload are written to",
        config_save_dir,
        absolute
    ),
    Keyword::new(
        "reload_check_config",
        Args::Count(0, 1),
        "[FILE]",
        "a reload tests the file first and goes on only if it is without fault; FILE takes the messages",
        |r, s, d: &mut Global| {
            let file = if s.word(1).is_some() { text(r, s) } else { Some("/dev/null".into()) };
            fill(&mut d.identity.reload_check, file);
        },
    )
    .not_yet(),
    path!(
        "reload_time_file",
        "PATH",
        "a file that holds the time of the next reload: HH:MM:SS, or with a date before it, and Z for UTC",
        reload_time_file,
        absolute
    ),
    Keyword::flag(
        "reload_repeat",
        "reload_time_file stays, so that a time without a date is one of every day",
        |_, _, d: &mut Global| d.identity.reload_repeat = Switch::On,
    )
    .not_yet(),
    Keyword::new(
        "reload_file",
        Args::Count(0, 1),
        "[PATH]",
        "a file that is there while the configuration is read, so that scripts can wait for the end",
        |r, s, d: &mut Global| {
            let path = if s.word(1).is_some() { absolute(r, s) } else { Some("/run/holdfast.reload".into()) };
            fill(&mut d.identity.reload_file, path);
        },
    )
    .or("off; a bare `reload_file` is /run/holdfast.reload")
    .not_yet(),
    Keyword::new(
        "include_check",
        Args::Some(0),
        "[read] [+match] …",
        "which include directives that fail are errors: read, match, wildcard_match, brace_match, with + or - before them",
        include_check,
    ),
    Keyword::switch(
        "data_use_instance",
        "the names of dump files contain those of namespace and instance",
        |r, s, d: &mut Global| {
            put(&mut d.identity.data_use_instance, r.switch(s));
        },
    )
    .or("off")
    .not_yet(),
    Keyword::new("state_dump_file", Args::Count(1, 1), "PATH", "the file that SIGUSR1 writes; those of checkd, ipvsd and the supervisor are beside it, with _check, _ipvs and _parent in their names; another for each daemon, and in a directory that nobody but root can replace", |r, s, d: &mut Global| {
        fill(&mut d.identity.state_dump_file, absolute(r, s));
    })
        .or("keepalived.data in /run/holdfast, with -s NAME in /run/holdfast/NAME")
        .since("2.3.3"),
    Keyword::new("stats_dump_file", Args::Count(1, 1), "PATH", "the file that SIGUSR2 writes", |r, s, d: &mut Global| {
        fill(&mut d.identity.stats_dump_file, absolute(r, s));
    })
        .or("keepalived.stats there")
        .since("2.3.3"),
    Keyword::new("json_dump_file", Args::Count(1, 1), "PATH", "the file that the JSON signal writes", |r, s, d: &mut Global| {
        fill(&mut d.identity.json_dump_file, absolute(r, s));
    })
        .or("keepalived.json there")
        .since("2.3.3"),
    Keyword::new(
        "json_version",
        Args::Count(1, 1),
        "1|2",
        "the layout of the JSON dump; 2 is an object that also has the tracked processes",
        |r, s, d: &mut Global| {
            put(&mut d.identity.json_version, r.number(s.word(1), 1..=2));
        },
    )
    .or("1")
    .since("2.2.8"),
    path!("iproute_usr_dir", "PATH", "where the distribution keeps rt_tables and the like", iproute_usr_dir, absolute)
        .or("/usr/share/iproute2")
        .since("2.3.2"),
    path!("iproute_etc_dir", "PATH", "where the administrator keeps rt_tables and the like", iproute_etc_dir, absolute)
        .or("/etc/iproute2")
        .since("2.3.2"),
];
