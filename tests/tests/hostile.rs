//! What is no file, or made to hurt, given to the real programs: it is refused at once, and a daemon that runs stays as it is.
//! (What a hostile file costs: bounds.rs.)

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
use tests::daemon::{Daemon, Program, built};
use tests::failure::{Failure, Outcome, wait_until};
use tests::pair::{Pair, SOON, STEADY};
use tests::tested::test;

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
