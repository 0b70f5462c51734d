//! Files whose numbers matter: `track_file` of instances, and what those may do who can write to its directory.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;
use tests::cleanup::Directory;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::netns::run;
use tests::pair::{Pair, SOON, with_log};

fn block(directory: &Directory, name: &str, more: &str) -> String {
    format!("track_file {name} {{\n    file {}\n    {more}\n}}", directory.file(name).display())
}

fn track(lines: &str) -> String {
    format!("track_file {{\n        {lines}\n    }}")
}

/// How the priority changed, in order.
fn changes(daemon: &Daemon) -> Vec<String> {
    let words = "Changing effective priority ";
    daemon.log().lines().filter_map(|line| Some(line.split_once(words)?.1.to_owned())).collect()
}

/// What is written, and the priority that follows from it: 100 and twice the number.
const TEXTS: [(&str, &str); 16] = [
    ("5\n", "110"),
    (" 6\n", "112"),
    ("0x10", "132"),
    ("010", "116"),
    ("12abc", "124"),
    ("abc", "100"),
    ("+3", "106"),
    ("-3", "94"),
    ("\t9", "118"),
    ("5\r\n6", "110"),
    ("08", "100"),
    ("-0x10", "68"),
    ("1e2", "102"),
    ("--5", "100"),
    ("7\0\u{38}", "114"),
    ("", "100"),
];

fn priorities(program: Program) -> Outcome<Vec<String>> {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    directory.write("a", "4")?;
    let config = Vrrp::master(100).block(block(&directory, "a", "weight 2")).line(track("a")).to_string();
    let mut daemon = Daemon::start(program, &pair.a, &config)?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &daemon))?;
    let mut before = "108".to_owned();
    for (text, after) in TEXTS {
        fs::write(directory.file("a"), text)?;
        daemon.wait_log(&format!("from {before} to {after}"), SOON).map_err(|failure| with_log(&failure, &daemon))?;
        before = after.to_owned();
        // Two writes within less count as one.
        std::thread::sleep(Duration::from_millis(120));
    }
    // Beyond 32 bits: the last number stays.
    fs::write(directory.file("a"), "99999999999")?;
    daemon.wait_log("Invalid number", SOON)?;
    // Another file in its place, its removal, its return.
    directory.write("new", "20")?;
    fs::rename(directory.file("new"), directory.file("a"))?;
    daemon.wait_log("from 100 to 140", SOON)?;
    std::thread::sleep(Duration::from_millis(120));
    fs::remove_file(directory.file("a"))?;
    daemon.wait_log("from 140 to 100", SOON)?;
    std::thread::sleep(Duration::from_millis(120));
    directory.write("a", "30")?;
    daemon.wait_log("from 100 to 160", SOON)?;
    std::thread::sleep(Duration::from_millis(120));
    fs::rename(directory.file("a"), directory.file("away"))?;
    daemon.wait_log("from 160 to 100", SOON)?;
    daemon.terminate()?;
    Ok(changes(&daemon))
}

#[test]
fn numbers_change_the_priority_as_with_keepalived() -> Outcome {
    let theirs = priorities(Program::Keepalived)?;
    let ours = priorities(Program::under_test())?;
    // Theirs begins without the files and says so; ours begins with them.
    assert_eq!(ours, theirs.get(1..).unwrap_or_default());
    Ok(())
}

#[test]
fn without_weight_a_number_is_a_fault_and_the_other_router_takes_over() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let program = Program::under_test();
    let blocks = [block(&directory, "f", "weight 0"), block(&directory, "low", "weight 1")].join("\n");
    let first = Vrrp::master(100).block(blocks).line(track("f\n        low")).to_string();
    let [one, _two] = pair.start([program; 2], &first, &Vrrp::backup(90).to_string())?;
    for (name, bad, good) in [("f", "1", "0"), ("low", "-254", "-1"), ("f", "-7", "")] {
        pair.wire.clear();
        directory.write(name, bad)?;
        pair.wait_master(&pair.b).map_err(|failure| with_log(&failure, &one))?;
        pair.wait_released(&pair.a)?;
        one.wait_log(&format!("tracked file {name} now FAULT state"), SOON)?;
        pair.wire.clear();
        directory.write(name, good)?;
        pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
        pair.wait_released(&pair.b)?;
    }
    Ok(())
}

/// A vrrpd that starts again as master must know at once that it may not be one.
#[test]
fn the_numbers_are_known_after_a_crash_and_after_a_reload() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    directory.write("f", "3")?;
    let config = |weight| {
        Vrrp::master(100)
            .block(block(&directory, "f", "weight 1"))
            .line(track(&format!("f weight {weight}")))
            .to_string()
    };
    let one = Daemon::start(Program::Holdfast, &pair.a, &config(1))?;
    pair.wait_master(&pair.a)?;
    let all = |priority: u8| {
        wait_until("adverts with the priority", SOON, || {
            Ok(pair.adverts_of(&pair.a).last().is_some_and(|(_, advert)| advert.priority == priority))
        })
        .map_err(|failure| with_log(&failure, &one))
    };
    all(103)?;
    pair.wire.clear();
    one.process("vrrpd")?.signal(nix::sys::signal::SIGKILL);
    all(103)?;
    assert!(pair.adverts_of(&pair.a).iter().all(|(_, advert)| advert.priority == 103));
    pair.wire.clear();
    one.reload(&config(10))?;
    one.wait_log("Reload complete", SOON)?;
    all(130)?;
    assert!(pair.adverts_of(&pair.a).iter().all(|(_, advert)| [103, 130].contains(&advert.priority)));
    pair.wait_master(&pair.a).map(drop)
}

#[test]
fn a_directory_may_come_later_and_go_and_come_back() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let path = directory.file("later");
    let text = format!("track_file f {{\n    file {}/f\n}}", path.display());
    let config = Vrrp::master(100).block(text).line(track("f")).to_string();
    let one = Daemon::start(Program::Holdfast, &pair.a, &config)?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    one.wait_log("of a track_file cannot be watched: No such file or directory", SOON)?;
    fs::create_dir(&path)?;
    fs::write(path.join("f"), "7")?;
    one.wait_log("from 100 to 107", SOON)?;
    fs::rename(&path, directory.file("aside"))?;
    one.wait_log("from 107 to 100", SOON)?;
    fs::create_dir(&path)?;
    fs::write(path.join("f"), "9")?;
    one.wait_log("from 100 to 109", SOON)?;
    fs::remove_dir_all(&path)?;
    one.wait_log("from 109 to 100", SOON)
}

/// Whoever can write to the directory can set the number, and nothing else.
#[test]
fn nothing_but_a_regular_file_is_opened() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    directory.write("f", "5")?;
    directory.write("secret", "50")?;
    let config = Vrrp::master(100).block(block(&directory, "f", "")).line(track("f")).to_string();
    let one = Daemon::start(Program::Holdfast, &pair.a, &config)?;
    pair.wait_master(&pair.a)?;
    let put = |what: &str| -> Outcome {
        let new = directory.file("new");
        match what {
            "a link" => symlink(directory.file("secret"), &new)?,
            "a fifo" => nix::unistd::mkfifo(&new, nix::sys::stat::Mode::S_IRWXU)?,
            "a directory" => fs::create_dir(&new)?,
            _ => fs::write(&new, "6")?,
        }
        if directory.file("f").is_dir() {
            fs::remove_dir(directory.file("f"))?;
        } else if what == "a directory" {
            fs::remove_file(directory.file("f"))?;
        }
        fs::rename(&new, directory.file("f"))?;
        Ok(())
    };
    let mut before = 105;
    for what in ["a link", "a file", "a fifo", "a file", "a directory", "a file"] {
        let after = if what == "a file" { 106 } else { 100 };
        let seen = changes(&one).len();
        put(what)?;
        wait_until(&format!("{what}: from {before} to {after}"), SOON, || {
            Ok(changes(&one)
                .get(seen..)
                .is_some_and(|new| new.iter().any(|line| line.ends_with(&format!("to {after}")))))
        })
        .map_err(|failure| with_log(&failure, &one))?;
        before = after;
    }
    assert!(!one.log().contains("to 150"), "{}", one.log());
    Ok(())
}

#[test]
fn a_storm_of_writes_is_bounded_and_the_last_one_counts() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let config = Vrrp::master(100).block(block(&directory, "f", "")).line(track("f")).to_string();
    let one = Daemon::start(Program::Holdfast, &pair.a, &config)?;
    pair.wait_master(&pair.a)?;
    let began = std::time::Instant::now();
    for n in 0..4_000 {
        fs::write(directory.file("f"), format!("{}", n % 100))?;
        fs::write(directory.file("other"), "1")?;
    }
    fs::write(directory.file("f"), "77")?;
    let storm = began.elapsed();
    one.wait_log("to 177", SOON)?;
    let told = changes(&one).len();
    // One in 50 ms.
    let most = storm.as_millis() / 50 + 5;
    assert!((told as u128) <= most, "{told} changes in {storm:?}");
    Ok(())
}

#[test]
fn init_file_writes_at_the_start_and_a_reload_does_not() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    directory.write("over", "1")?;
    directory.write("kept", "2")?;
    let blocks = [
        block(&directory, "made", "init_file 7"),
        block(&directory, "kept", "init_file 9"),
        block(&directory, "over", "init_file 20 overwrite"),
    ];
    let config = Vrrp::master(100).block(blocks.join("\n")).line(track("made\n        kept\n        over")).to_string();
    let one = Daemon::start(Program::Holdfast, &pair.a, &config)?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    let read = |name: &str| fs::read_to_string(directory.file(name)).unwrap_or_default();
    assert_eq!([read("made"), read("kept"), read("over")], ["7\n", "2", "20\n"]);
    wait_until("adverts with priority 129", SOON, || {
        Ok(pair.adverts_of(&pair.a).last().is_some_and(|(_, advert)| advert.priority == 129))
    })?;
    fs::remove_file(directory.file("made"))?;
    one.wait_log("from 129 to 122", SOON)?;
    one.reload(&config)?;
    one.wait_log("Reload complete", SOON)?;
    assert_eq!(read("made"), "");
    // As keepalived makes it: nobody else's.
    assert!(run(std::process::Command::new("stat").args(["-c", "%a"]).arg(directory.file("over"))).is_ok());
    Ok(())
}

/// FILE_CHECK, as far as it shows without a table: what is logged, and what scripts are called.
#[test]
fn a_file_check_changes_the_weight_and_takes_the_server_out() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let told = directory.file("told");
    let script = directory.script("tell", &format!("#!/bin/sh\necho \"$@\" >>{}\n", told.display()))?;
    let script = script.display();
    let config = format!(
        "global_defs {{\n script_user root\n }}\n{}\n{}\nvirtual_server 192.168.154.188 80 {{\n lvs_sched rr\n lvs_method NAT\n \
         protocol TCP\n delay_loop 3600\n real_server 192.168.154.20 80 {{\n weight 10\n notify_up \"{script} up\"\n notify_down \
         \"{script} down\"\n FILE_CHECK {{\n track_file w\n }}\n FILE_CHECK {{\n track_file z\n }}\n }}\n }}\n",
        block(&directory, "w", "weight 2"),
        block(&directory, "z", "weight 0")
    );
    directory.write("w", "1")?;
    let mut daemon = Daemon::start(Program::Holdfast, &pair.a, &config)?;
    daemon.wait_log("Gained quorum 1+0=1 <= 12", SOON)?;
    let rs = "[192.168.154.20]:tcp:80";
    directory.write("w", "-7")?;
    daemon.wait_log("Changing weight from 12 to 0 for active service", SOON)?;
    directory.write("w", "5")?;
    daemon.wait_log("Changing weight from 0 to 20 for active service", SOON)?;
    directory.write("z", "1")?;
    daemon.wait_log(&format!("({rs}): tracked file z now FAULT state"), SOON)?;
    daemon.wait_log(&format!("Removing service {rs} from VS"), SOON)?;
    daemon.process("checkd")?.signal(nix::sys::signal::SIGKILL);
    // The other one finds the server out of service, and only one file that wants it so.
    daemon.wait_log(&format!("({rs}): tracked file w leaving FAULT state"), SOON)?;
    fs::remove_file(directory.file("z"))?;
    daemon.wait_log(&format!("({rs}): tracked file z leaving FAULT state"), SOON)?;
    daemon.wait_log(&format!("Adding service {rs} to VS"), SOON)?;
    daemon.reload(&config.replace("weight 10", "weight 30"))?;
    daemon.wait_log("Reload complete", SOON)?;
    directory.write("w", "6")?;
    daemon.wait_log("Changing weight from 40 to 42 for active service", SOON)?;
    daemon.terminate()?;
    let heard = fs::read_to_string(&told)?;
    assert!(heard.starts_with("down\n") && heard.contains("up\n"), "{heard}");
    Ok(())
}
