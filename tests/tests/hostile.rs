//! Files made to hurt, given to the real programs: each ends in a diagnostic within the bounds that checkd/src/conf/limits.rs promises,
//! from the process without rights, and a daemon that runs stays as it is.
//!
//! What is measured is processor time and memory of the compiler: how long it takes depends on what else the machine does.

use nix::sys::signal::SIGHUP;
use nix::sys::stat::Mode;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tests::cleanup::Directory;
use tests::config::{VIP, Vrrp};
use tests::daemon::{BUILD, Daemon, Program, built};
use tests::failure::{Failure, Outcome, wait_until};
use tests::pair::{Pair, SOON, STEADY};

/// Processor time of the compiler: one second where it is optimised (`tests/run bounds`); a build for tests is slower.
fn processor() -> Duration {
    let optimised = std::env::var_os(BUILD).is_some() || !cfg!(debug_assertions);
    Duration::from_secs(if optimised { 1 } else { 15 })
}

/// Memory of the compiler in kB.
const MEMORY: u64 = 64 * 1024;

/// However busy the machine is.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of a test of a configuration.
#[derive(Debug)]
struct Tested {
    code: Option<i32>,
    said: String,
    processor: Duration,
    memory: u64,
    /// Of whom the compiler was, and its capabilities.
    uid: String,
    capabilities: String,
}

/// `holdfast -t`, watched.
fn test(path: &Path, environment: &[(&str, &str)]) -> Outcome<Tested> {
    let errors = tempfile::tempfile()?;
    let mut child = Command::new(built("holdfast")?)
        .args(["-t", "-f"])
        .arg(path)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors.try_clone()?)
        .spawn()?;
    let mut tested = Tested {
        code: None,
        said: String::new(),
        processor: Duration::ZERO,
        memory: 0,
        uid: String::new(),
        capabilities: String::new(),
    };
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Failure::new(format!("{} is not done", path.display())));
        }
        look(child.id(), &mut tested);
        std::thread::sleep(Duration::from_millis(1));
    };
    tested.code = status.code();
    let mut text = Vec::new();
    let mut errors = errors;
    std::io::Seek::rewind(&mut errors)?;
    std::io::Read::read_to_end(&mut errors, &mut text)?;
    tested.said = String::from_utf8_lossy(&text).into_owned();
    Ok(tested)
}

/// What the kernel says of the compiler, if it is there.
fn look(holdfast: u32, tested: &mut Tested) {
    let children = fs::read_to_string(format!("/proc/{holdfast}/task/{holdfast}/children")).unwrap_or_default();
    for pid in children.split_whitespace() {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default().to_owned()
        };
        tested.memory = tested.memory.max(field("VmHWM:").parse().unwrap_or(0));
        // Once it is confined: a filter of system calls it has from the supervisor already.
        if field("NoNewPrivs:") == "1" {
            tested.uid = field("Uid:");
            tested.capabilities = field("CapEff:");
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let ticks: u64 = stat
            .rsplit_once(") ")
            .map_or("", |(_, rest)| rest)
            .split(' ')
            .skip(11)
            .take(2)
            .filter_map(|n| n.parse::<u64>().ok())
            .sum();
        tested.processor = tested.processor.max(Duration::from_millis(ticks * 10));
    }
}

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

/// Things that are no files: nothing is read from them, nobody waits.
#[test]
fn what_is_no_file_is_refused_at_once() -> Outcome {
    let directory = Directory::new()?;
    let at = |name: &str| directory.path().join(name);
    nix::unistd::mkfifo(&at("fifo"), Mode::S_IRWXU)?;
    nix::unistd::mkfifo(&at("fifo with a writer"), Mode::S_IRWXU)?;
    let writer =
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(at("fifo with a writer"))?;
    (&writer).write_all(b"global_defs {\n}\n")?;
    let _socket = UnixListener::bind(at("socket"))?;
    std::os::unix::fs::symlink("/dev/zero", at("link"))?;
    std::os::unix::fs::symlink(at("loop"), at("loop"))?;
    File::create(at("program"))?.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let no_file = "it is no regular file";
    let cases: [(PathBuf, &str); 10] = [
        ("/dev/zero".into(), no_file),
        ("/dev/null".into(), no_file),
        (at("fifo"), no_file),
        (at("fifo with a writer"), no_file),
        (at("socket"), no_file),
        (at("link"), no_file),
        (at("loop"), "Too many symbolic links"),
        (at("program"), "it is executable"),
        (directory.path().to_owned(), "it is a directory"),
        (at("nothing"), "it does not exist"),
    ];
    for (path, why) in cases {
        let started = Instant::now();
        let tested = test(&path, &[])?;
        assert_eq!(tested.code, Some(4), "{}: {}", path.display(), tested.said);
        assert!(tested.said.contains(why), "{}: {}", path.display(), tested.said);
        assert!(started.elapsed() < Duration::from_secs(5), "{}", path.display());
        assert!(!tested.said.contains("checkd compile"), "it is not even started: {}", tested.said);
    }
    // Nobody has read what is in the pipe.
    assert!(readable(&writer)?);
    Ok(())
}

fn readable(file: &File) -> Outcome<bool> {
    let mut fds = [nix::poll::PollFd::new(file.as_fd(), nix::poll::PollFlags::POLLIN)];
    Ok(nix::poll::poll(&mut fds, 0_u16)? == 1)
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

/// What a file asks for by name it is told, and what is nobody's business is not.
#[test]
fn environment_variables_reach_the_compiler_by_name() -> Outcome {
    let directory = Directory::new()?;
    let path = directory.path().join("conf");
    fs::write(&path, "${_ENV FIRST}\nx${_ENV CREDENTIALS_DIRECTORY}x\n${_ENV UNSET} y\n")?;
    let secret = directory.path().display().to_string();
    let tested = test(&path, &[("FIRST", "word_of_the_environment"), ("CREDENTIALS_DIRECTORY", secret.as_str())])?;
    assert_eq!(tested.code, Some(5), "{}", tested.said);
    for said in ["unknown keyword `word_of_the_environment`", "unknown keyword `xx`", "unknown keyword `y`"] {
        assert!(tested.said.contains(said), "{}", tested.said);
    }
    Ok(())
}

/// A reload of what is hostile: the running configuration stays, no advert is missed, and a good one is taken afterwards.
#[test]
fn a_hostile_reload_leaves_the_running_configuration_running() -> Outcome {
    let pair = Pair::new()?;
    let one = Daemon::start(Program::Holdfast, &pair.a, &Vrrp::master(100).to_string())?;
    pair.wait_master(&pair.a)?;
    let pids = || one.processes().iter().map(|process| process.pid).collect::<Vec<_>>();
    let before = pids();
    let conf = one.directory().join("conf");
    pair.wire.clear();
    let refused = |count: usize| -> Outcome {
        wait_until("the reload is refused", SOON.max(Duration::from_secs(30)), || {
            Ok(one.log().matches("Reload failed").count() >= count)
        })
    };
    let mut count = 0;
    let own = format!("include {}\n", conf.display());
    for text in [
        "x\n".repeat(10_000_000),
        "\0".repeat(60_000_000),
        "~SEQ(A,1,1000) ~SEQ(B,1,1000) ~SEQ(C,1,1000) a${A}b${B}c${C}\n".to_owned(),
        "$A= \\\nx y \\\n$B \\\n$B\n$B= \\\nz \\\n$A \\\n$A\n$A\n".to_owned(),
        own,
        "includer /dev/zero\n".to_owned(),
    ] {
        one.reload(&text)?;
        count += 1;
        refused(count)?;
    }
    // In its place something that is no file.
    for make in [
        |path: &Path| nix::unistd::mkfifo(path, Mode::S_IRWXU).map_err(std::io::Error::from),
        |path: &Path| std::os::unix::fs::symlink("/dev/zero", path),
        |path: &Path| fs::create_dir(path),
    ] {
        if conf.is_dir() {
            fs::remove_dir(&conf)?
        } else {
            fs::remove_file(&conf)?
        }
        make(&conf)?;
        one.signal(SIGHUP);
        count += 1;
        refused(count)?;
    }
    fs::remove_dir(&conf)?;
    let silence = pair.longest_silence(&pair.a)?;
    assert!(silence < STEADY, "silent for {silence:?}; it logged:\n{}", one.log());
    assert!(pair.adverts_of(&pair.a).iter().all(|(_, advert)| advert.priority == 100));
    assert!(pair.a.has(VIP)?);
    assert_eq!(pids(), before, "no process was replaced");
    one.reload(&Vrrp::master(101).to_string())?;
    pair.wire
        .wait("the new priority", SOON, |frame| frame.advert().is_some_and(|advert| advert.priority == 101))
        .map(drop)
}

/// Nobody is left to tell: stopped, so that nothing but the kernel can end it.
#[test]
fn a_compiler_ends_with_the_test_that_it_is_for() -> Outcome {
    let directory = Directory::new()?;
    let path = directory.path().join("many.conf");
    // More than a pipe holds, so that it is there for as long as nobody reads.
    fs::write(&path, "~SEQ(n, 1, 3000) virtual_server fwmark $n { real_server 192.0.2.1 80 { } }\n")?;
    let mut holdfast = Command::new(built("holdfast")?)
        .args(["--print-config", "--offline", "-f"])
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let pid = holdfast.id();
    let mut output = holdfast.stdout.take().ok_or_else(|| Failure::new("it has no standard output"))?;
    std::io::Read::read_exact(&mut output, &mut [0])?;
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let compiler: i32 =
        children.split_whitespace().next().ok_or_else(|| Failure::new("there is no compiler"))?.parse()?;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(compiler), nix::sys::signal::SIGSTOP)?;
    holdfast.kill()?;
    holdfast.wait()?;
    wait_until("the compiler is gone", SOON, || {
        let stat = fs::read_to_string(format!("/proc/{compiler}/stat")).unwrap_or_default();
        Ok(stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with('Z')))
    })
}
