//! Notify FIFOs.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::process::Command;
use std::time::Duration;
use tests::cleanup::Directory;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::pair::{Pair, SOON, with_log};

/// Reads a FIFO until it ends, and writes what it was called with and each line.
const READER: &str =
    "#!/bin/sh\necho \"$*\" >>DIR/called\nwhile read -r line; do echo \"$line\" >>DIR/read; done <\"$1\"\n";

fn reader(directory: &Directory) -> Outcome<String> {
    let text = READER.replace("DIR", &directory.path().display().to_string());
    Ok(directory.script("reader", &text)?.display().to_string())
}

/// Two instances in a group, one of which has a script that changes its priority, and one beside.
fn config(directory: &Directory) -> Outcome<Vrrp> {
    let at = directory.path().display();
    let instance = |name: &str, vrid: u8, vip: &str, more: &str| {
        format!(
            "vrrp_instance {name} {{\n    state BACKUP\n    interface ens33\n    virtual_router_id {vrid}\n    priority 90\n    \
             advert_int 1\n    virtual_ipaddress {{\n        {vip}\n    }}\n    {more}\n}}"
        )
    };
    Ok(Vrrp::master(100)
        .global(format!("notify_fifo {at}/all"))
        .global(format!("notify_fifo_script {}", reader(directory)?))
        .global(format!("vrrp_notify_fifo {at}/vrrp nobody nogroup"))
        .block(format!(
            "vrrp_script good {{\n    script \"/usr/bin/test -e {at}/good\"\n    interval 1\n    weight 10\n}}"
        ))
        .block("vrrp_sync_group G1 {\n    group {\n        VI_1\n        VI_2\n    }\n}")
        .block(instance("VI_2", 52, "192.168.154.189", ""))
        .block(instance(
            "VI_3",
            53,
            "192.168.154.190",
            "notify_priority_changes on\n    track_script {\n        good\n    }",
        )))
}

/// The lines that begin with these words, in order.
fn of<'a>(text: &'a str, words: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(words)).collect()
}

/// The lines about the group that come before one of its members was in that state.
fn early(text: &str) -> Vec<&str> {
    let (mut members, mut early) = ([None; 2], Vec::new());
    for line in text.lines() {
        let state = line.split(' ').nth(2);
        match line.split(' ').nth(1) {
            Some("\"VI_1\"") => members[0] = state,
            Some("\"VI_2\"") => members[1] = state,
            Some("\"G1\"") if members != [state; 2] => early.push(line),
            _ => {}
        }
    }
    early
}

/// Start, a priority that changes, a cable that is pulled and plugged in, the end: what each FIFO had to say.
fn told(program: Program) -> Outcome<[String; 2]> {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let mut daemon = Daemon::start(program, &pair.a, &config(&directory)?.to_string())?;
    wait_until("the FIFO of VRRP is there", SOON, || Ok(directory.file("vrrp").exists()))
        .map_err(|failure| with_log(&failure, &daemon))?;
    let meta = fs::symlink_metadata(directory.file("vrrp"))?;
    assert!(meta.file_type().is_fifo());
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o777), (65_534, 65_534, 0o600), "nobody's");
    let file = fs::File::create(directory.file("vrrp.read"))?;
    let mut cat = Command::new("cat").arg(directory.file("vrrp")).stdout(file).spawn()?;

    let read = || fs::read_to_string(directory.file("read")).unwrap_or_default();
    let wait = |line: &str| {
        wait_until(&format!("{line:?} was read"), SOON, || Ok(read().contains(line)))
            .map_err(|failure| with_log(&failure, &daemon))
    };
    wait("INSTANCE \"VI_3\" MASTER 90")?;
    wait("GROUP \"G1\" MASTER 0")?;
    directory.write("good", "")?;
    wait("INSTANCE \"VI_3\" MASTER_PRIORITY 100")?;
    pair.lan.unplug(&pair.a)?;
    wait("INSTANCE \"VI_3\" FAULT 100")?;
    wait("GROUP \"G1\" FAULT 0")?;
    std::thread::sleep(Duration::from_millis(300));
    pair.lan.plug(&pair.a)?;
    wait_until("all are master again", Duration::from_secs(20), || {
        Ok(read().matches("MASTER 0").count() == 2 && read().matches("\"VI_3\" MASTER 100").count() == 1)
    })?;
    assert!(daemon.terminate()?.success());
    wait_until("the reader of the other FIFO comes to its end", SOON, || Ok(cat.try_wait()?.is_some()))?;
    assert!(!directory.file("all").exists() && !directory.file("vrrp").exists(), "they are removed");
    let called = fs::read_to_string(directory.file("called"))?;
    assert_eq!(called, format!("{}\n", directory.file("all").display()), "the path is the argument");
    Ok([read(), fs::read_to_string(directory.file("vrrp.read"))?])
}

#[test]
fn fifos_are_written_what_keepalived_writes() -> Outcome {
    let theirs = told(Program::Keepalived)?;
    let ours = told(Program::under_test())?;
    // keepalived 2.2.7 does so too, but for BACKUP at the start.
    assert_eq!(early(&ours[1]), [""; 0], "the group after its members");
    // COMPAT: keepalived ends its reader with a signal, which need not have read the last lines by then.
    let subjects = ["INSTANCE \"VI_1\"", "INSTANCE \"VI_2\"", "INSTANCE \"VI_3\"", "GROUP \"G1\""];
    for subject in subjects {
        // The other one was read to its end with both.
        assert_eq!(of(&ours[1], subject), of(&theirs[1], subject), "{subject}");
        assert_eq!(of(&ours[0], subject), of(&ours[1], subject), "{subject}: both are told the same");
    }
    Ok(())
}

#[test]
fn a_reload_leaves_an_unchanged_fifo_and_its_reader_alone() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let first = config(&directory)?;
    let daemon = Daemon::start(Program::Holdfast, &pair.a, &first.to_string())?;
    daemon.wait_log("(VI_3) Entering MASTER STATE", SOON)?;
    let inode = |name: &str| Ok(fs::symlink_metadata(directory.file(name)).map(|meta| meta.ino())?);
    let before: Outcome<u64> = inode("all");
    let before = before?;
    let other = first
        .global("fifo_write_vrrp_states_on_reload")
        .to_string()
        .replace("/vrrp nobody nogroup", "/other nobody nogroup");
    daemon.reload(&other)?;
    let read = || fs::read_to_string(directory.file("read")).unwrap_or_default();
    wait_until("all states are told again", SOON, || {
        let text = read();
        let twice = |line: &str| text.lines().filter(|l| *l == line).count() == 2;
        Ok(twice("INSTANCE \"VI_3\" MASTER 90")
            && twice("INSTANCE \"VI_1\" MASTER 100")
            && twice("GROUP \"G1\" MASTER 0"))
    })
    .map_err(|failure| with_log(&failure, &daemon))?;
    let after: Outcome<u64> = inode("all");
    assert_eq!(after?, before, "the same FIFO");
    assert_eq!(fs::read_to_string(directory.file("called"))?.lines().count(), 1, "the same reader");
    assert!(directory.file("other").exists() && !directory.file("vrrp").exists(), "the other one has moved");
    Ok(())
}

#[test]
fn a_file_in_the_place_of_a_fifo_is_not_touched() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    directory.write("all", "precious")?;
    std::os::unix::fs::symlink(directory.file("all"), directory.file("vrrp"))?;
    let daemon = Daemon::start(Program::Holdfast, &pair.a, &config(&directory)?.to_string())?;
    daemon.wait_log("all is there and is no FIFO; nothing is written to it", SOON)?;
    daemon.wait_log("vrrp_notify_fifo: ", SOON)?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &daemon))?;
    assert_eq!(fs::read_to_string(directory.file("all"))?, "precious");
    assert!(!directory.file("called").exists(), "there is nothing to read");
    Ok(())
}
