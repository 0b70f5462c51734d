//! Scripts that decide, and scripts that are told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};
use tests::cleanup::Directory;
use tests::config::{VIP, Vrrp};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::netns::run;
use tests::pair::{Pair, SOON, with_log};

/// A `vrrp_script` that succeeds while the file `good` is in the directory.
fn probe(directory: &Directory, more: &str) -> Outcome<String> {
    let script =
        directory.script("probe", &format!("#!/bin/sh\nexec test -e {}\n", directory.file("good").display()))?;
    Ok(format!("vrrp_script probe {{\n    script \"{}\"\n    interval 1\n    {more}\n}}", script.display()))
}

const TRACK: &str = "track_script {\n        probe\n    }";

#[test]
fn a_weighted_script_moves_the_service_there_and_back() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    directory.write("good", "")?;
    let program = Program::under_test();
    let first =
        Vrrp::master(100).block(probe(&directory, "weight -20\n    fall 2\n    rise 1")?).line(TRACK).to_string();
    let [one, two] = pair.start([program; 2], &first, &Vrrp::backup(90).to_string())?;

    pair.wire.clear();
    fs::remove_file(directory.file("good"))?;
    pair.wait_master(&pair.b).map_err(|failure| with_log(&failure, &two))?;
    pair.wait_released(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    one.wait_log("Changing effective priority from 100 to 80", SOON)?;
    one.wait_log("VRRP_Script(probe) failed (exited with status 1)", SOON)?;

    pair.wire.clear();
    directory.write("good", "")?;
    pair.wait_master(&pair.a)?;
    pair.wait_released(&pair.b)?;
    one.wait_log("Changing effective priority from 80 to 100", SOON)?;
    one.wait_log("VRRP_Script(probe) succeeded", SOON)
}

/// The command stands in the configuration that is left, and is run all the same.
#[test]
fn what_a_reload_removes_is_told() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let told = directory.file("told");
    let script = directory.script("tell", &format!("#!/bin/sh\necho \"$2 $3\" >>{}\n", told.display()))?;
    let first = Vrrp::master(100).line(format!("notify {}", script.display())).to_string();
    let one = Daemon::start(Program::under_test(), &pair.a, &first)?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    let other = Vrrp::master(100).addresses(&["192.168.154.190"]).to_string();
    one.reload(&other.replace("virtual_router_id 51", "virtual_router_id 52"))?;
    pair.wait_released(&pair.a)?;
    wait_until("the script has heard it", SOON, || {
        Ok(fs::read_to_string(&told).is_ok_and(|text| text.ends_with("VI_1 MASTER\nVI_1 FAULT\n")))
    })
    .map_err(|failure| with_log(&failure, &one))
}

#[test]
fn a_script_without_weight_means_fault() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    directory.write("good", "")?;
    let program = Program::under_test();
    let first = Vrrp::master(100).block(probe(&directory, "fall 1\n    rise 1")?).line(TRACK).to_string();
    let [one, _two] = pair.start([program; 2], &first, &Vrrp::backup(90).to_string())?;
    pair.wire.clear();
    fs::remove_file(directory.file("good"))?;
    one.wait_log("Entering FAULT STATE", SOON)?;
    pair.wait_released(&pair.a)?;
    pair.wait_master(&pair.b)?;
    pair.wire.clear();
    directory.write("good", "")?;
    pair.wait_master(&pair.a)?;
    pair.wait_released(&pair.b)
}

#[test]
fn a_script_that_hangs_is_a_failure_and_ends() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let script = directory
        .script("hang", &format!("#!/bin/sh\necho $$ >{}\nexec sleep 1000\n", directory.file("pid").display()))?;
    let block = format!(
        "vrrp_script probe {{\n    script \"{}\"\n    interval 2\n    timeout 1\n    weight 5\n}}",
        script.display()
    );
    let config = Vrrp::master(100).block(block).line(TRACK).to_string();
    let one = Daemon::start(Program::under_test(), &pair.a, &config)?;
    one.wait_log("timed", SOON)?;
    let pid = fs::read_to_string(directory.file("pid"))?;
    wait_until("the hanging script is ended", SOON, || {
        let now = fs::read_to_string(directory.file("pid"))?;
        Ok(now != pid || !std::path::Path::new(&format!("/proc/{}", pid.trim())).exists())
    })?;
    pair.wait_master(&pair.a)?;
    assert!(pair.adverts_of(&pair.a).iter().all(|(_, advert)| advert.priority == 100));
    Ok(())
}

/// `USER :GROUP` and `USER :` have the user's other groups, `set_supplementary_groups` gives them to all; others have one group.
#[test]
fn scripts_get_the_groups_that_are_asked_for() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let groups = fs::read_to_string("/etc/group")? + "holdfast-test-a:x:64001:nobody\nholdfast-test-b:x:64002:nobody\n";
    directory.write("group", &groups)?;
    let script = |name: &str| {
        let record = directory.file(&format!("{name}.record"));
        fs::write(&record, "")?;
        fs::set_permissions(&record, fs::Permissions::from_mode(0o666))?;
        directory.script(name, &format!("#!/bin/sh\necho $(id -u) $(id -G) >>{}\n", record.display()))
    };
    let told = |name: &str| fs::read_to_string(directory.file(&format!("{name}.record")));
    let nobody = "65534 65534";
    for (everybody, alone) in [("", nobody), ("set_supplementary_groups", "65534 65534 64001 64002")] {
        let config = Vrrp::master(100)
            .line(format!("notify {} nobody :", script("all")?.display()))
            .line(format!("notify_master {} nobody :holdfast-test-b", script("one_first")?.display()))
            .line(format!("notify_backup {} nobody", script("alone")?.display()))
            .line(format!("notify_stop {} root :", script("root")?.display()))
            .to_string();
        let config = format!("global_defs {{\n{everybody}\n}}\n{config}");
        let group = directory.file("group");
        let mut one =
            Daemon::start_with_files(Program::Holdfast, &pair.a, &config, &[(group.as_path(), "/etc/group")])?;
        pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
        assert!(one.terminate()?.success());
        wait_until("the scripts have been run", SOON, || Ok(!told("root")?.is_empty()))?;
        assert_eq!(told("all")?.lines().next(), Some("65534 65534 64001 64002"), "{}", one.log());
        assert_eq!(told("one_first")?.trim(), "65534 64002 64001 65534", "{}", one.log());
        assert_eq!(told("alone")?.lines().next(), Some(alone), "{}", one.log());
        assert_eq!(told("root")?.trim(), "0 0", "root is in no group but its own");
    }
    Ok(())
}

/// The events that happen to a router: backup, master, fault (its cable is pulled), backup and master again, stop. Returns
/// what each of its notify scripts was called with, line by line.
fn notified(program: Program) -> Outcome<Vec<(String, String)>> {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let names = ["notify", "notify_master", "notify_backup", "notify_fault", "notify_stop"];
    let mut config = Vrrp::backup(100);
    for name in names {
        let record = directory.file(&format!("{name}.record"));
        fs::write(&record, "")?;
        // Every argument on the line in brackets, so that blanks and empty ones are seen; then who runs it.
        let text = format!(
            "#!/bin/sh\nline=\nfor a in \"$@\"; do line=\"$line[$a]\"; done\necho \"$line $(id -u) $(id -g)\" >>{}\n",
            record.display()
        );
        let script = directory.script(name, &text)?;
        config = config.line(match name {
            "notify_backup" => format!("{name} \"{} 'two words' plain\"", script.display()),
            _ => format!("{name} {}", script.display()),
        });
    }
    let mut daemon = Daemon::start(program, &pair.a, &config.to_string())?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &daemon))?;
    std::thread::sleep(Duration::from_millis(500));
    pair.lan.unplug(&pair.a)?;
    daemon.wait_log("Entering FAULT STATE", SOON)?;
    std::thread::sleep(Duration::from_millis(500));
    pair.wire.clear();
    pair.lan.plug(&pair.a)?;
    pair.wait_master(&pair.a)?;
    std::thread::sleep(Duration::from_millis(500));
    assert!(daemon.terminate()?.success());
    assert!(!pair.a.has(VIP)?);
    std::thread::sleep(Duration::from_millis(300));
    names
        .iter()
        .map(|name| Ok(((*name).to_owned(), fs::read_to_string(directory.file(&format!("{name}.record")))?)))
        .collect()
}

#[test]
fn notify_scripts_are_told_what_keepalived_tells_them() -> Outcome {
    let theirs = notified(Program::Keepalived)?;
    let ours = notified(Program::under_test())?;
    assert!(theirs.iter().all(|(_, record)| !record.is_empty()), "each was called: {theirs:?}");
    assert_eq!(ours, theirs);
    Ok(())
}

/// A router of lower priority that hears nothing, and so is a second master: its adverts are told to the script and to the FIFO.
fn lower_told(program: Program) -> Outcome<[Vec<String>; 2]> {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let [called, read] = ["called", "read"].map(|name| directory.file(name));
    let script = directory.script("lower", &format!("#!/bin/sh\necho \"$*\" >>{}\n", called.display()))?;
    let reader = format!("#!/bin/sh\nwhile read -r line; do echo \"$line\" >>{}; done <\"$1\"\n", read.display());
    let reader = directory.script("reader", &reader)?;
    let config = Vrrp::master(100)
        .global(format!("vrrp_notify_fifo {}", directory.file("fifo").display()))
        .global(format!("vrrp_notify_fifo_script {}", reader.display()))
        .line(format!("notify_master_rx_lower_pri \"{} 'two words'\"", script.display()))
        .to_string();
    let one = Daemon::start(program, &pair.a, &config)?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    let lines = |path: &std::path::Path| -> Vec<String> {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().filter(|line| !line.ends_with(" BACKUP 100")).map(str::to_owned).collect()
    };
    for rule in [
        "add table ip deaf",
        "add chain ip deaf in { type filter hook input priority 0 ; }",
        "add rule ip deaf in ip protocol 112 drop",
    ] {
        run(pair.b.netns.command("nft").arg(rule))?;
    }
    assert!(!called.exists(), "nothing was received so far");
    let mut two = Daemon::start(Program::Keepalived, &pair.b, &Vrrp::backup(90).to_string())?;
    // Each of its adverts is told, not the first alone.
    wait_until("two adverts are told", SOON * 2, || Ok(lines(&called).len() >= 2 && lines(&read).len() >= 3))
        .map_err(|failure| with_log(&failure, &one))?;
    assert!(pair.a.has(VIP)?);
    // Its last one has priority 0, of which nothing is told.
    two.terminate()?;
    Ok([lines(&called), lines(&read)].map(|mut lines| {
        lines.dedup();
        lines
    }))
}

#[test]
fn adverts_of_lower_priority_are_told_as_keepalived_tells_them() -> Outcome {
    let theirs = lower_told(Program::Keepalived)?;
    let ours = lower_told(Program::under_test())?;
    assert_eq!(ours, theirs);
    assert!(ours[1].iter().any(|line| line == "INSTANCE \"VI_1\" MASTER_RX_LOWER_PRI 100"), "{ours:?}");
    Ok(())
}

/// The script of one state never ends: what comes after it waits for 30 s, and is run then, the newest last.
#[test]
fn a_notify_script_that_never_ends_holds_up_the_next_ones_for_its_time_only() -> Outcome {
    let (pair, directory) = (Pair::new()?, Directory::new()?);
    let told = directory.file("told");
    let script = directory.script(
        "tell",
        &format!("#!/bin/sh\necho \"$3 $$\" >>{}\n[ \"$3\" != BACKUP ] || exec sleep 1000\n", told.display()),
    )?;
    let other = directory.script("other", &format!("#!/bin/sh\necho >{}\n", directory.file("other_told").display()))?;
    let config = Vrrp::backup(100).line(format!("notify {}", script.display())).block(format!(
        "vrrp_sync_group G {{\n    group {{\n        VI_1\n    }}\n    notify_master {}\n}}",
        other.display()
    ));
    let mut one = Daemon::start(Program::Holdfast, &pair.a, &config.to_string())?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    let began = Instant::now();
    wait_until("another subject's script does not wait", SOON, || Ok(directory.file("other_told").exists()))?;
    let states = || -> Vec<String> {
        let text = fs::read_to_string(&told).unwrap_or_default();
        text.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
    };
    assert_eq!(states(), ["BACKUP"], "the script of MASTER waits");
    wait_until("the script of MASTER is run", Duration::from_secs(40), || Ok(states() == ["BACKUP", "MASTER"]))
        .map_err(|failure| with_log(&failure, &one))?;
    let took = began.elapsed();
    assert!(took > Duration::from_secs(20), "{took:?}");
    one.wait_log("still runs after 30 s", SOON)?;
    let text = fs::read_to_string(&told)?;
    let pid = text.split_whitespace().nth(1).unwrap_or_default();
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists(), "it is not killed:\n{}", one.log());
    one.terminate()?;
    Ok(())
}
