//! Files made to hurt, given to the real programs: each ends in a diagnostic within the bounds that checkd/src/conf/limits.rs promises,
//! from the process without rights.
//!
//! What is measured is processor time and memory of the compiler: how long it takes depends on what else the machine does.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::time::Duration;
use tests::cleanup::Directory;
use tests::daemon::BUILD;
use tests::failure::Outcome;
use tests::tested::test;

/// Processor time of the compiler: one second where it is optimised (`tests/run bounds`); a build for tests is slower.
fn processor() -> Duration {
    let optimised = std::env::var_os(BUILD).is_some() || !cfg!(debug_assertions);
    Duration::from_secs(if optimised { 1 } else { 15 })
}

/// Memory of the compiler in kB.
const MEMORY: u64 = 64 * 1024;

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Name, text, exit codes of which it ends with one, and a piece of what is said.
type Case = (&'static str, Vec<u8>, &'static [i32], &'static str);

/// COMPAT: 4 cannot be run, 5 errors, 6 a file that had to be included.
fn cases() -> Vec<Case> {
    let text = |text: &str| text.as_bytes().to_vec();
    let lines = |line: &str, count: usize| line.repeat(count).into_bytes();
    let doubling: String = (1..60).map(|n| format!("$A{n}=${{A{0}}}${{A{0}}}\n", n - 1)).collect();
    vec![
        (
            "lines of 1 MB",
            lines(&format!("{}\n", "x".repeat(1_000_000)), 20),
            &[5],
            "this line of 1000000 bytes is ignored",
        ),
        ("NUL bytes", vec![0; 20_000_000], &[5], "L001"),
        ("more NUL bytes", vec![0; 60_000_000], &[4], "it has 60000000 bytes"),
        ("lines with NUL bytes", lines("a\0b\n", 5_000_000), &[5], "it holds a NUL byte"),
        ("10,000 nested braces", lines("a {\n", 10_000), &[5], "blocks may be nested 64 deep"),
        ("braces alone", lines(&format!("{}\n", "{".repeat(30_000)), 700), &[5], "follows no keyword"),
        ("quotation marks", lines(&format!("{}\n", "\"".repeat(30_001)), 700), &[4, 5], "L00"),
        ("ten million words", lines("x\n", 10_000_000), &[4], "the configuration is too large"),
        ("empty lines", lines("\n", 24_000_000), &[0], ""),
        (
            "long lists of words",
            lines(&format!("{}\n", "a ".repeat(15_000)), 600),
            &[4],
            "the configuration is too large",
        ),
        ("a long loop", text("~SEQ(I,1,1000000000) x\n"), &[5], "this sequence has 1000000000 turns"),
        ("two million turns", text("~SEQ(I,1,1999999) x\n"), &[4], "[L004]: the configuration is too large"),
        (
            "loops in loops",
            text("~SEQ(A,1,1000) ~SEQ(B,1,1000) ~SEQ(C,1,1000) a${A}b${B}c${C}\n"),
            &[4],
            "expansion stops here",
        ),
        ("loops of nothing", text("~SEQ(A,1,100000) ~SEQ(B,1,100000) @nobody x\n"), &[4], "expansion stops here"),
        ("mutual recursion", text("$A=$B x\n$B=$A y\n$A\n"), &[5], "more than 64 deep"),
        (
            "mutual recursion in lines",
            text("$A= \\\nx y \\\n$B \\\n$B\n$B= \\\nz \\\n$A \\\n$A\n$A\n"),
            &[4],
            "expansion stops here",
        ),
        ("doubling", text(&format!("$A0=xxxxxxxxxxxxxxxx\n{doubling}$A59\n")), &[5], "expanded it is longer than"),
        ("definitions", lines("$X=1\n", 4_000_000), &[4], "expansion stops here"),
        (
            "lines of a definition",
            format!("$A= \\\n{}", "x\\\n".repeat(6_000_000)).into_bytes(),
            &[4],
            "definitions may take",
        ),
        ("many names", (0..1_000_000).flat_map(|n| format!("$N{n}=1\n").into_bytes()).collect(), &[4], "[L004]"),
        ("references", format!("$X=1\n{}", "a $X\n".repeat(3_000_000)).into_bytes(), &[4], "fatal["),
        ("open references", lines(&format!("{}\n", "${".repeat(15_000)), 700), &[4, 5], "K001"),
        ("dollars", lines(&format!("{}\n", "$".repeat(30_000)), 700), &[4, 5], "K001"),
        ("random numbers", text("~SEQ(I,1,999999) ${_RANDOM}\n"), &[4, 5], "K001"),
        ("an include loop", text("include an include loop\n"), &[4], "does it include itself?"),
        ("a hundred include loops", lines("include a hundred include loops\n", 100), &[4], "does it include itself?"),
        ("includes of nothing", lines("include nothing*\n", 100_000), &[4], "may have 4096 includes"),
        ("braces of an include", text(&format!("include {}\n", "{a,b}".repeat(40))), &[6], "its braces mean more than"),
        ("a long include", text(&format!("include {}\n", "a/".repeat(5000))), &[6], "an include pattern may have"),
        ("the zeros", text("include /dev/zero\n"), &[0, 4], "it is no regular file"),
        ("the zeros, checked", text("includer /dev/zero\n"), &[6], "it is no regular file"),
        (
            "variables",
            (0..1000).flat_map(|n| format!("${{_ENV V{n}}}\n").into_bytes()).collect(),
            &[5],
            "is not looked up",
        ),
        ("names of groups", many_names(), &[0], "W301"),
        ("tracked scripts", many_uses(), &[5], "one block may track 1024 of a kind"),
        ("addresses", many_addresses(), &[0], "an advert has room for 255 addresses"),
        ("braces and conditions", lines(&format!("{}\n", "{@^x ".repeat(6_000)), 700), &[4, 5], "T004"),
        ("no text", (0..=255_u8).cycle().take(8_000_000).collect(), &[4, 5], "error"),
    ]
}

/// 20,000 groups, each looked for among all of them.
fn many_names() -> Vec<u8> {
    let groups = (0..20_000).map(|n| format!("virtual_server_group g{n:05} {{\n10.0.0.1 {}\n}}\n", n + 1));
    let uses = (0..20_000).rev().map(|n| {
        format!(
            "virtual_server group g{n:05} {{\nlvs_method NAT\nprotocol TCP\nreal_server 10.1.1.1 80 {{\nTCP_CHECK {{\n}}\n}}\n}}\n"
        )
    });
    groups.chain(uses).collect::<String>().into_bytes()
}

/// An instance with these lines in a block.
fn instance(block: &str, lines: impl Iterator<Item = String>) -> Vec<u8> {
    let lines: String = lines.collect();
    format!("global_defs {{\ndynamic_interfaces\n}}\nvrrp_instance A {{\ninterface e\nvirtual_router_id 1\n{block} {{\n{lines}}}\n}}\n").into_bytes()
}

fn many_uses() -> Vec<u8> {
    instance("track_script", (0..300_000).map(|n| format!("s{n}\n")))
}

fn many_addresses() -> Vec<u8> {
    instance("virtual_ipaddress", (0..60_000).map(|n| format!("10.{}.{}.{}\n", n >> 16, (n >> 8) & 255, n & 255)))
}

#[test]
fn each_hostile_file_ends_in_a_diagnostic_within_the_bounds() -> Outcome {
    assert!(is_root(), "this test needs root; tests/run is the command that runs all tests");
    let directory = Directory::new()?;
    let mut wrong = Vec::new();
    for (name, text, codes, piece) in cases() {
        let path = directory.path().join(name);
        fs::write(&path, text)?;
        let tested = test(&path, &[])?;
        let about = format!(
            "{name}: exit code {:?}, {:?}, {} kB, {}",
            tested.code,
            tested.processor,
            tested.memory,
            tested.said.lines().next().unwrap_or_default()
        );
        eprintln!("{about}");
        let placed = tested.said.is_empty() || tested.said.contains(name) || tested.said.contains("-->");
        if !tested.code.is_some_and(|code| codes.contains(&code))
            || !tested.said.contains(piece)
            || !placed
            || tested.processor > processor()
            || tested.memory > MEMORY
            || tested.uid == "0"
            || !matches!(tested.capabilities.as_str(), "" | "0000000000000000")
        {
            wrong.push(about);
        }
        fs::remove_file(&path)?;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn a_file_that_grows_while_it_is_read_ends() -> Outcome {
    let directory = Directory::new()?;
    let path = directory.path().join("growing");
    fs::write(&path, "x\n".repeat(500_000))?;
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| -> Outcome {
        let mut file = OpenOptions::new().append(true).open(&path)?;
        let stop = &stop;
        scope.spawn(move || {
            let piece = "y\n".repeat(500_000);
            while !stop.load(std::sync::atomic::Ordering::Relaxed)
                && file.metadata().is_ok_and(|meta| meta.len() < 400_000_000)
                && file.write_all(piece.as_bytes()).is_ok()
            {}
        });
        let tested = test(&path, &[]);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let tested = tested?;
        assert!(matches!(tested.code, Some(4 | 5)), "{tested:?}");
        assert!(tested.said.contains("growing"), "{}", tested.said);
        assert!(tested.processor <= processor() && tested.memory <= MEMORY, "{tested:?}");
        Ok(())
    })
}
