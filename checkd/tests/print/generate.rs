//! Configurations made of the keyword tables: any keyword of any block, with arguments as its usage has them and some that are not.
//!
//! Choices come from a tape of bytes; where it ends, the first choice is taken. A shorter tape is a smaller configuration.

use super::records;
use checkd::conf::keyword::Body;
use checkd::conf::walk::{self, Entry};

/// Bytes that choose.
pub struct Tape<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Tape<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Tape { bytes, at: 0 }
    }

    fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    pub fn is_over(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (usize::from(self.byte()) << 8 | usize::from(self.byte())) % n
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// True in one case of `n`.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }
}

pub const NAMES: &[&str] = &["a", "b", "c", "d e", "f#g"];
pub const LINKS: &[&str] = &["eth0", "eth1", "br-1.5", "e#2"];
const TEXTS: &[&str] = &[
    "x",
    "word",
    "a b",
    "a#b",
    "!a{b}c",
    "é ü",
    "$x",
    "a$b c",
    "it's",
    "back\\slash",
    "~SEQ(1) x",
    "@y z",
    "include u",
    "${_HASH}",
    "'",
    "",
    "org.example.X1",
    "\t",
];
const PATHS: &[&str] = &["/tmp/x", "/run/a b", "/etc/é", "rel", "/x#y"];
const COMMANDS: &[&str] = &[
    "/bin/a",
    "\"/bin/a b c\"",
    "\"/bin/a 'b c' d\"",
    "'/bin/x \"y z\"'",
    "\"/bin/sh -c 'echo $1 ${x} # no {y} ${_PWD}'\"",
    "\"/bin/a \\\\042q\\\\047 \\\\\\\\ \\\\n\"",
    "\"/bin/é ü\"",
    "/bin/a\\ b",
    "\"/bin/a ''\"",
    "\"/bin/a 'x'\"'\"'\"'\"'\"'\"'y'\"",
    "\"/bin/b\\\\377\"",
];
const PATTERNS: &[&str] = &["\"a.*b\"", "^[0-9]+$", "\"a\\\\.b\"", "'x y'", "\"\\\\d{2,3}#\"", "\"\\042 \\\\$_x\""];
const ADDRESSES: &[&str] =
    &["192.0.2.1", "192.0.2.2", "198.51.100.7", "224.0.0.20", "0.0.0.0", "fd00::1", "fe80::2", "ff02::12", "x"];

/// A word in quotes where it needs them.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,=%*".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("\"{text}\"") }
}

pub fn address(t: &mut Tape<'_>) -> &'static str {
    let some = if t.one_in(4) { ADDRESSES } else { &ADDRESSES[..3] };
    t.pick(some)
}

/// A number of a range, its ends more often than others.
pub fn number(t: &mut Tape<'_>, low: i64, high: i64) -> i64 {
    match t.below(6) {
        0 => low,
        1 => high,
        2 => high.saturating_add(1),
        _ => low.saturating_add((t.below(65_536) as i64) % high.saturating_sub(low).saturating_add(1).max(1)),
    }
}

fn decimal(t: &mut Tape<'_>, low: f64, high: f64) -> String {
    match t.below(6) {
        0 => format!("{low}"),
        1 => format!("{high}"),
        2 => format!("{}", number(t, low.ceil() as i64, high.min(100.0) as i64)),
        3 => format!("{}.{}", t.below(20), t.pick(&["25", "000001", "1234567", "5", "001"])),
        _ => format!("{}", 1 + t.below(9)),
    }
}

/// What stands for a word of a usage.
fn atom(t: &mut Tape<'_>, word: &str) -> String {
    if let Some((low, high)) = word.split_once("..")
        && let (Ok(low), Ok(high)) = (low.parse(), high.parse())
    {
        return number(t, low, high).to_string();
    }
    match word {
        "INT" | "N" | "NUMBER" | "BYTES" | "CPU" | "START" | "MAX" => number(t, 0, 1000).to_string(),
        "MICROSECONDS" => number(t, 1, 100_000).to_string(),
        "PORT" => number(t, 1, 65_535).to_string(),
        "PREFIX" => t.below(33).to_string(),
        "SECONDS" | "MILLISECONDS" => decimal(t, 0.0, 20.0),
        "NAME" | "INSTANCE" | "TABLE" | "IN" | "OUT" | "ID" => {
            let text = if t.one_in(3) { t.pick(TEXTS) } else { t.pick(NAMES) };
            quoted(text)
        }
        "INTERFACE" => quoted(t.pick(LINKS)),
        "IP" => address(t).to_owned(),
        "MAC" => t.pick(&["02:00:00:00:00:01", "02:11:22:33:44", "01:00:5e:00:00:01"]).to_owned(),
        "PATH" | "FILE" | "DIR" => quoted(t.pick(PATHS)),
        "COMMAND" | "\"COMMAND\"" => t.pick(COMMANDS).to_owned(),
        "PATTERN" => t.pick(PATTERNS).to_owned(),
        "USER" | "GROUP" => t.pick(&["root", "daemon", "\"a b\"", "1000"]).to_owned(),
        "HEX" => t.pick(&["00ff", "x1Ax", "0123456789abcdef0123456789ABCDEF", "z"]).to_owned(),
        "NETMASK" => t.pick(&["255.255.255.0", "255.255.255.255", "64", "128", "255.0.255.0"]).to_owned(),
        "hex:DIGITS" => format!("hex:{}", "0a".repeat(32 + t.below(32))),
        "file:PATH" => "file:/etc/key".to_owned(),
        "TEXT" => "0123456789abcdef0123456789abcde#".chars().map(|c| if c == '#' { 'x' } else { c }).collect(),
        "PARAMETER" | "STRING" | "PASSWORD" | "ADDRESS" | "SPEC" => quoted(t.pick(TEXTS)),
        "WORD" => t.pick(&["caseless", "dotall", "utf", "caseles"]).to_owned(),
        "…" => String::new(),
        literal => literal.to_owned(),
    }
}

/// The piece of a usage up to the bracket that closes it.
fn until_close(usage: &str) -> (&str, &str) {
    let mut depth = 0;
    for (at, c) in usage.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth == 0 => return (&usage[..at], &usage[at + 1..]),
            ']' => depth -= 1,
            _ => {}
        }
    }
    (usage, "")
}

/// Arguments as a usage has them: `[…]` may be there, `|` is a choice, `…` is more of the same.
pub fn arguments(t: &mut Tape<'_>, usage: &str) -> String {
    let mut out = String::new();
    let mut rest = usage;
    let mut last = String::new();
    while let Some(c) = rest.chars().next() {
        match c {
            ' ' => {
                out.push(' ');
                rest = &rest[1..];
            }
            '[' => {
                let (inner, after) = until_close(&rest[1..]);
                if !t.one_in(2) {
                    out.push_str(&arguments(t, inner));
                }
                rest = after;
            }
            _ => {
                let end = rest.find([' ', '[']).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                rest = after;
                if word == "…" {
                    for _ in 0..t.below(3) {
                        out.push(' ');
                        out.push_str(&atom(t, &last));
                    }
                    continue;
                }
                let choices: Vec<&str> = word.split('|').filter(|w| *w != "…").collect();
                last = t.pick(&choices).to_owned();
                // `INT 1..255`, `SECONDS from 0.001`
                let bounds = after.trim_start();
                let bound = bounds.split(' ').next().unwrap_or_default();
                if matches!(word, "INT" | "SECONDS" | "MILLISECONDS" | "MICROSECONDS") && bound.contains("..") {
                    rest = &bounds[bound.len()..];
                    let (low, high) = bound.split_once("..").unwrap();
                    let (low, high): (f64, f64) = (low.parse().unwrap(), high.parse().unwrap());
                    out.push_str(&if word == "INT" {
                        number(t, low as i64, high as i64).to_string()
                    } else {
                        decimal(t, low, high)
                    });
                } else {
                    if bound == "from" {
                        rest = "";
                    }
                    out.push_str(&atom(t, &last));
                }
            }
        }
    }
    out
}

/// The words after the keyword of a block.
fn title(t: &mut Tape<'_>, name: &str, number: usize) -> String {
    match name {
        "virtual_server" => match t.below(6) {
            0 => format!("group {}", quoted(t.pick(NAMES))),
            1 => format!("fwmark {}", 1 + number),
            _ => format!("{} {}", address(t), 80 + number),
        },
        "real_server" => {
            let port = if t.one_in(4) { String::new() } else { format!(" {}", 8000 + t.below(3)) };
            format!("{}{port}", address(t))
        }
        "vrrp_instance"
        | "vrrp_sync_group"
        | "vrrp_script"
        | "track_file"
        | "vrrp_track_file"
        | "bfd_instance"
        | "virtual_server_group"
        | "vrrp_track_process"
        | "track_group" => quoted(NAMES[number % NAMES.len()]),
        _ => String::new(),
    }
}

/// What a block needs to be of use, after its other lines.
fn needs(t: &mut Tape<'_>, name: &str, number: usize) -> String {
    match name {
        "vrrp_instance" => format!(
            "interface {}\nvirtual_router_id {}\nvirtual_ipaddress {{\n192.0.2.{}\n}}\n",
            quoted(t.pick(&LINKS[..3])),
            1 + number,
            100 + number
        ),
        "vrrp_script" => format!("script {}\n", t.pick(COMMANDS)),
        "track_file" => "file /run/x\n".to_owned(),
        "bfd_instance" => "neighbor_ip 192.0.2.77\n".to_owned(),
        "vrrp_track_process" => "process p 'q r'\n".to_owned(),
        "virtual_server" if !t.one_in(4) => "protocol TCP\nreal_server 192.0.2.50 80 {\n}\n".to_owned(),
        "HTTP_GET" | "SSL_GET" => "url {\npath /\n}\n".to_owned(),
        "MISC_CHECK" => format!("misc_path {}\n", t.pick(COMMANDS)),
        "FILE_CHECK" => format!("track_file {}\n", quoted(t.pick(&NAMES[..2]))),
        "BFD_CHECK" => format!("name {}\n", quoted(t.pick(&NAMES[..2]))),
        "auth_hmac" => format!("key 7 hex:{}\nactive_key 7\n", "5c".repeat(32)),
        "url" => "path /é\n".to_owned(),
        _ => String::new(),
    }
}

/// One statement of a table.
pub fn statement(t: &mut Tape<'_>, all: &[Entry], entry: &Entry, number: usize, out: &mut String) {
    if entry.body == Body::None {
        out.push_str(&format!("{} {}\n", entry.name, arguments(t, entry.usage)));
    } else if all.iter().any(|e| e.block == entry.name) && !(entry.name == "track_file" && entry.block != "the file") {
        block(t, all, entry.name, number, out);
    } else {
        out.push_str(&format!("{} {} {{\n", entry.name, title(t, entry.name, number)));
        let lines = 1 + t.below(4);
        (0..lines).for_each(|_| out.push_str(&records::line(t, entry.name)));
        out.push_str("}\n");
    }
}

/// A block with a few statements of its table.
fn block(t: &mut Tape<'_>, all: &[Entry], name: &str, number: usize, out: &mut String) {
    let table: Vec<Entry> = all.iter().filter(|e| e.block == name).copied().collect();
    out.push_str(&format!("{name} {} {{\n", title(t, name, number)));
    let count = t.below(8);
    for n in 0..count {
        let entry = t.pick(&table);
        statement(t, all, &entry, n, out);
    }
    out.push_str(&needs(t, name, number));
    out.push_str("}\n");
}

/// A whole configuration.
pub fn configuration(tape: &[u8]) -> String {
    let all = walk::all();
    let roots: Vec<Entry> = all.iter().filter(|e| e.block == "the file").copied().collect();
    let mut t = Tape::new(tape);
    let mut out = String::new();
    let mut number = 0;
    while !t.is_over() {
        let entry = t.pick(&roots);
        statement(&mut t, &all, &entry, number, &mut out);
        number += 1;
    }
    out
}

/// A configuration that is there for one keyword.
pub fn around(entry: &Entry, tape: &[u8]) -> String {
    let all = walk::all();
    let mut t = Tape::new(tape);
    let mut text = String::new();
    statement(&mut t, &all, entry, 0, &mut text);
    let mut inside = entry.block;
    while inside != "the file" {
        text = format!("{inside} {} {{\n{text}{}}}\n", title(&mut t, inside, 0), needs(&mut t, inside, 0));
        inside = all.iter().find(|e| e.name == inside && e.body == Body::Block).map_or("the file", |e| e.block);
    }
    // Something of everything that can be referred to.
    let mut rest = String::new();
    for name in
        ["vrrp_script", "track_file", "bfd_instance", "vrrp_track_process", "vrrp_instance", "virtual_server_group"]
    {
        let body = if name == "virtual_server_group" { "192.0.2.1-9 80\n".to_owned() } else { needs(&mut t, name, 1) };
        rest.push_str(&format!("{name} {} {{\n{body}}}\n", NAMES[1]));
    }
    text + &rest
}
