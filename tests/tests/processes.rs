//! Processes that must run: `vrrp_track_process` and `track_process`, with the kernel's process connector and without.

use nix::sys::signal::{SIGHUP, SIGKILL};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tests::cleanup::Directory;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::{Context, Failure, Outcome, wait_for, wait_until};
use tests::pair::{Pair, SOON, with_log};

/// Where the kernel says what happens, it counts this soon.
const AT_ONCE: Duration = Duration::from_millis(500);

/// A shell under a name that nobody else has, which does what it is told.
struct Puppet {
    process: Child,
}

/// Makes a copy of the puppet that waits for ever.
const COPY: &str = "(read -r line <>\"$1\") & kid=$!";

impl Puppet {
    /// Starts it from a copy in a directory; `n` tells the puppets of a test apart.
    fn start(directory: &Directory, n: usize) -> Outcome<Self> {
        let (path, fifo) = (directory.file(&name(n)), directory.file("fifo"));
        if !path.exists() {
            fs::copy("/bin/bash", &path)?;
        }
        if !fifo.exists() {
            mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR)?;
        }
        let process = Command::new(&path)
            .args(["-c", "while read -r line; do eval \"$line\"; done", "two words"])
            .arg(fifo)
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .context(|| format!("cannot start {}", path.display()))?;
        Ok(Puppet { process })
    }

    /// Lets it run a line of shell.
    fn tell(&mut self, line: &str) -> Outcome {
        let stdin = self.process.stdin.as_mut().context(|| "a puppet without strings".into())?;
        Ok(writeln!(stdin, "{line}")?)
    }

    fn kill(&mut self) {
        // Its copies too, which have its process group.
        if let Ok(group) = i32::try_from(self.process.id()) {
            let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), SIGKILL);
        }
        let _ = self.process.wait();
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        self.kill();
    }
}

fn name(n: usize) -> String {
    format!("hf{}x{n}", std::process::id())
}

fn block(block: &str, lines: &str) -> String {
    format!("vrrp_track_process {block} {{\n    {lines}\n}}")
}

fn track(lines: &str) -> String {
    format!("track_process {{\n        {lines}\n    }}")
}

/// What was said of quorums, in order.
fn quorums(daemon: &Daemon) -> Vec<String> {
    let words = |line: &str| Some(line.split_once("Quorum ")?.1.replace("for tracked process ", ""));
    daemon.log().lines().filter_map(words).collect()
}

/// keepalived 2.2.7 was seen to miss the end of a process on a busy machine; it is given three tries.
#[test]
fn counts_and_delays_are_those_of_keepalived() -> Outcome {
    counts_and_delays().or_else(|_| counts_and_delays()).or_else(|_| counts_and_delays())
}

/// Both watch the same processes at the same time.
fn counts_and_delays() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let (name, path) = (name(0), directory.file(&name(0)));
    let path = path.display();
    let delays = "fork_delay 0.4\n    terminate_delay 0.8";
    let blocks = [
        ("one", format!("process {name}\n    {delays}")),
        ("two", format!("process {name}\n    quorum 2\n    {delays}")),
        ("max1", format!("process {name}\n    quorum_max 1\n    {delays}")),
        ("none", format!("process {name}\n    quorum_max 0")),
        ("path", format!("process {path}\n    full_command")),
        ("first", format!("process {path} -c\n    param_match partial")),
        ("begin", format!("process {path} -c while\n    param_match initial")),
        ("bare", format!("process {path}\n    param_match")),
        ("other", format!("process {path} -d\n    param_match partial")),
    ];
    let all: Vec<String> = blocks.iter().map(|(name, lines)| block(name, &format!("{lines}\n    weight 1"))).collect();
    let names: Vec<&str> = blocks.iter().map(|(name, _)| *name).collect();
    let config =
        |priority| Vrrp::backup(priority).block(all.join("\n")).line(track(&names.join("\n        "))).to_string();
    let theirs = Daemon::start_outside(Program::Keepalived, &pair.a, &config(100))?;
    let ours = Daemon::start_outside(Program::under_test(), &pair.b, &config(90))?;
    for daemon in [&theirs, &ours] {
        daemon.wait_log("Entering BACKUP STATE", SOON)?;
    }
    std::thread::sleep(Duration::from_millis(500));

    let mut puppet = Puppet::start(&directory, 0)?;
    let mut seen = 0;
    for (line, pause) in [
        ("true", 300),
        (COPY, 800),
        ("kill $kid", 1_200),
        ("echo other > /proc/$$/comm", 400),
        (&format!("echo {name} > /proc/$$/comm"), 400),
        (COPY, 150),
        ("kill $kid", 1_200),
        ("exec sleep 1000", 400),
    ] {
        puppet.tell(line)?;
        std::thread::sleep(Duration::from_millis(pause));
        let said = || {
            [&theirs, &ours].map(|daemon| {
                let mut said = quorums(daemon).split_off(seen.min(quorums(daemon).len()));
                said.sort();
                said
            })
        };
        // On a busy machine one of them may be late.
        let equal = wait_for("both say the same", SOON, || {
            let [theirs_said, ours_said] = said();
            Ok((theirs_said == ours_said).then_some(ours_said))
        });
        let ours_said = equal.map_err(|failure| {
            let what = format!("{failure} after {line:?}: {:?}", said());
            Failure::new(format!("{what}\n{}\n{}", ours.log(), theirs.log()))
        })?;
        seen += ours_said.len();
    }
    puppet.kill();
    assert!(seen >= 16, "{:?}", quorums(&ours));
    assert_eq!(quorums(&ours).len(), quorums(&theirs).len());
    Ok(())
}

#[test]
fn the_other_router_takes_over_when_the_process_ends() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let program = Program::under_test();
    let blocks = block("web", &format!("process {}", name(1)));
    let first = Vrrp::master(100).block(blocks).line(track("web weight 0")).to_string();
    let mut puppet = Puppet::start(&directory, 1)?;
    let one = Daemon::start_outside(program, &pair.a, &first)?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    let _two = Daemon::start(program, &pair.b, &Vrrp::backup(90).to_string())?;
    for _ in 0..2 {
        pair.wire.clear();
        let ended = Instant::now();
        puppet.kill();
        one.wait_log("tracked process web: 0 of", SOON)?;
        assert!(ended.elapsed() < AT_ONCE, "it took {:?}\n{}", ended.elapsed(), one.log());
        pair.wait_master(&pair.b)?;
        pair.wait_released(&pair.a)?;
        pair.wire.clear();
        puppet = Puppet::start(&directory, 1)?;
        pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    }
    Ok(())
}

/// What dies is told of all processes again; a reload counts anew as well, and neither is noticed by the other router.
#[test]
fn the_numbers_are_right_after_a_crash_and_after_a_reload() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let config = |blocks: &str| Vrrp::master(100).block(blocks).line(track("web")).to_string();
    let quorum = |n| block("web", &format!("process {}\n    weight 20\n    quorum {n}", name(2)));
    let mut puppets = [Puppet::start(&directory, 2)?, Puppet::start(&directory, 2)?];
    let one = Daemon::start_outside(Program::Holdfast, &pair.a, &config(&quorum(1)))?;
    let priority = |wanted: u8| {
        pair.wire.clear();
        pair.wire.wait(&format!("priority {wanted}"), SOON, |frame| {
            pair.a.sent(frame) && frame.advert().is_some_and(|advert| advert.priority == wanted)
        })
    };
    priority(120).map_err(|failure| with_log(&failure, &one))?;
    for child in ["vrrpd", "ipvsd"] {
        let process = one.process(child)?;
        pair.wire.clear();
        process.signal(SIGKILL);
        wait_until("another one", SOON, || Ok(one.process(child)?.pid != process.pid))?;
        std::thread::sleep(Duration::from_millis(2_500));
        let priorities: Vec<u8> = pair.adverts_of(&pair.a).iter().map(|(_, advert)| advert.priority).collect();
        assert!(priorities.len() >= 2 && priorities.iter().all(|of| *of == 120), "{priorities:?}\n{}", one.log());
    }
    // One is enough, then two are needed.
    puppets[0].kill();
    std::thread::sleep(Duration::from_millis(200));
    priority(120)?;
    one.reload(&config(&quorum(2)))?;
    priority(100).map_err(|failure| with_log(&failure, &one))?;
    puppets[0] = Puppet::start(&directory, 2)?;
    priority(120).map_err(|failure| with_log(&failure, &one))?;
    // Without, and with again.
    one.reload(&Vrrp::master(100).to_string())?;
    priority(100)?;
    one.reload(&config(&quorum(1)))?;
    priority(120).map_err(|failure| with_log(&failure, &one))?;
    puppets.iter_mut().for_each(Puppet::kill);
    priority(100).map_err(|failure| with_log(&failure, &one))?;
    // What is told under the next generation while the last one ends is no breach of anything.
    for _ in 0..5 {
        one.signal(SIGHUP);
        puppets[0] = Puppet::start(&directory, 2)?;
    }
    priority(120).map_err(|failure| with_log(&failure, &one))?;
    assert!(!one.log().contains("broke the protocol"), "{}", one.log());
    // The kernel told of them all the time.
    assert!(!one.log().contains("looked for every second"), "{}", one.log());
    Ok(())
}

/// In another network namespace the kernel tells nothing, and keepalived gives up; here they are looked for.
#[test]
fn processes_are_looked_for_where_the_kernel_tells_nothing() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let blocks = block("web", &format!("process {}\n    quorum_max 1", name(3)));
    let config = Vrrp::master(100).block(blocks).line(track("web")).to_string();
    let mut puppet = Puppet::start(&directory, 3)?;
    let one = Daemon::start(Program::Holdfast, &pair.a, &config)?;
    one.wait_log("are looked for every second", SOON)?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    let second = Puppet::start(&directory, 3)?;
    one.wait_log("tracked process web: 2 of", SOON)?;
    drop(second);
    pair.wait_released(&pair.a)?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    puppet.kill();
    one.wait_log("tracked process web: 0 of", SOON)?;
    pair.wait_released(&pair.a)
}

/// A program makes a copy of itself that is its parent's child (CLONE_PARENT): it counts for the program, and not for the parent. keepalived
/// 2.2.7 counts it for the parent (seen).
#[test]
fn a_copy_that_has_another_parent_is_a_copy_all_the_same() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let (outer, inner) = (name(5), name(6));
    let blocks = [
        block("outer", &format!("process {outer}\n    weight 10\n    quorum_max 1\n    fork_delay 0.3")),
        block("inner", &format!("process {inner}\n    weight 20\n    quorum 2")),
    ];
    let config = Vrrp::master(100).block(blocks.join("\n")).line(track("outer\n        inner")).to_string();
    let one = Daemon::start_outside(Program::Holdfast, &pair.a, &config)?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    let mut puppet = Puppet::start(&directory, 5)?;
    one.wait_log("effective priority from 100 to 110", SOON)?;
    let path = directory.file(&inner);
    fs::copy("/usr/bin/perl", &path)?;
    let clone = nix::libc::SYS_clone;
    let flags = nix::libc::CLONE_PARENT | nix::libc::SIGCHLD;
    puppet.tell(&format!("{} -e 'syscall({clone}, {flags}, 0, 0, 0, 0); sleep 1000' &", path.display()))?;
    one.wait_log("effective priority from 110 to 130", SOON).map_err(|failure| with_log(&failure, &one))?;
    std::thread::sleep(Duration::from_millis(800));
    let changes = one.log().matches("Changing effective priority").count();
    assert_eq!(changes, 2, "it counts for one of them only: {}", one.log());
    puppet.kill();
    one.wait_log("effective priority from 130 to", SOON)
}

/// More happens at once than there is room for, and in the end the number is right.
#[test]
fn a_storm_of_processes_is_survived() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let blocks = block("web", &format!("process {}\n    weight 30\n    quorum 21\n    quorum_max 21", name(4)));
    let config = Vrrp::master(100).global("process_monitor_rcv_bufs 4096").block(blocks).line(track("web")).to_string();
    let mut puppet = Puppet::start(&directory, 4)?;
    let one = Daemon::start_outside(Program::Holdfast, &pair.a, &config)?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    let begin = Instant::now();
    puppet
        .tell(&format!("for n in {{1..2000}}; do (:) & done 2>/dev/null; wait; for n in {{1..20}}; do {COPY}; done"))?;
    one.wait_log("Changing effective priority from 100 to 130", Duration::from_secs(30))?;
    wait_until("the storm is over and the number right", Duration::from_secs(10), || {
        Ok(one
            .log()
            .lines()
            .rev()
            .find_map(|line| line.split_once("priority from "))
            .is_some_and(|(_, to)| to.ends_with("to 130")))
    })?;
    let silence = pair.longest_silence(&pair.a)?;
    assert!(silence < Duration::from_millis(1_500), "{silence:?} in {:?}", begin.elapsed());
    assert!(!one.log().contains("broke the protocol"), "{}", one.log());
    puppet.kill();
    one.wait_log("Quorum lost for tracked process web", SOON)
}
