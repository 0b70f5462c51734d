//! Quorum, sorry servers, mails, scripts and shared probes, beside keepalived: real servers come and go at times that are known, and each
//! virtual server must be told of in the same order.

use super::timing::Trial;
use super::told::by_subject;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_for, wait_until};
use tests::oracle::{self, Kind};
use tests::post::{Mail, PORT, Post};

const LONG: Duration = Duration::from_secs(90);

/// A virtual server of ours: its port, what it has, its real servers with what they answer.
type Service = (u16, &'static str, &'static [(u16, &'static str)]);

/// The changes of one virtual server are seconds apart, so that their order is known.
const SERVICES: &[Service] = &[
    (7100, "omega\n sorry_server 192.168.154.99 80", &[(7101, "pppfffffp"), (7102, "pppppfffffp")]),
    (7200, "alpha\n sorry_server 192.168.154.99 80", &[(7201, "fpppp")]),
    (7300, "sorry_server 192.168.154.99 80\n sorry_server_inhibit", &[(7301, "ppffffp")]),
    // It is its own sorry server.
    (7400, "alpha\n sorry_server REAL 7401", &[(7401, "fffpppffffp")]),
    (7500, "inhibit_on_failure\n omega", &[(7501, "pppffffp")]),
];

fn config(trial: &Trial, side: usize, services: &[Service]) -> Outcome<String> {
    let (directory, address) = (&trial.directories[side], trial.oracle(side).address.to_string());
    let record = directory.file("record");
    let script = directory.script("tell", &format!("#!/bin/sh\necho \"$@\" >>{}\n", record.display()))?;
    let script = script.display();
    let mut text = format!(
        "global_defs {{\n router_id test\n script_user root\n lvs_notify_fifo {}\n smtp_alert_checker\n smtp_server 127.0.0.1 {PORT}\n \
         notification_email {{\n  admin@example.com\n }}\n notification_email_from ha@example.com\n}}\n",
        directory.file("told").display()
    );
    for (port, more, reals) in services {
        text += &format!(
            "virtual_server 192.168.154.188 {port} {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n delay_loop 2\n retry 1\n \
             delay_before_retry 1\n warmup 0\n {}\n quorum_up \"{script} {port} up\"\n quorum_down \"{script} {port} down\"\n",
            more.replace("REAL", &address)
        );
        for (real, _) in *reals {
            text += &format!(
                " real_server {address} {real} {{\n notify_up \"{script} {real} up\"\n notify_down \"{script} {real} down\"\n DNS_CHECK {{\n \
                 type A\n name x.test\n connect_timeout 2\n }}\n }}\n"
            );
        }
        text += "}\n";
    }
    Ok(text)
}

/// The lines about each virtual server, in order.
fn told(trial: &Trial, side: usize) -> BTreeMap<u16, Vec<String>> {
    let mut lines: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for note in trial.notes[side].all() {
        let of = |port: u16| note.whose == "told" && note.what.contains(&format!("[192.168.154.188]:tcp:{port} "));
        if let Some((port, ..)) = SERVICES.iter().find(|(port, ..)| of(*port)) {
            lines.entry(*port).or_default().push(note.what.replace("192.168.154.13", "192.168.154.12"));
        }
    }
    lines
}

/// The envelopes of the mails and what they say; by what they are about, in order.
fn mailed(post: &Post) -> BTreeMap<String, Vec<Mail>> {
    let mut mails: BTreeMap<String, Vec<Mail>> = BTreeMap::new();
    for mail in post.mails() {
        let known = ["HELO", "MAIL FROM", "RCPT TO", "Subject: ", "=> ", "."];
        let mail: Mail = mail
            .iter()
            .filter(|line| known.iter().any(|known| line.starts_with(known)))
            // The numbers are a mistake in keepalived: they are those by which a quorum is gained.
            .map(|line| line.replace("192.168.154.13", "192.168.154.12").replace(" 1+0=1 <= 0 ", " 1-0=1 > 0 "))
            .collect();
        let subject = mail.iter().find(|line| line.starts_with("Subject: ")).cloned().unwrap_or_default();
        let about = subject.rsplit_once(" - ").map_or(subject.clone(), |(about, _)| about.to_owned());
        mails.entry(about).or_default().push(mail);
    }
    mails
}

/// Waits until both sides give the same, and `enough` holds of it.
fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    daemons: &[Daemon; 2],
    of: impl Fn(usize) -> T,
    enough: impl Fn(&T) -> bool,
) -> Outcome<T> {
    let found = wait_for(&format!("{what}: the same of both"), LONG, || {
        let (theirs, ours) = (of(0), of(1));
        Ok((theirs == ours && enough(&theirs)).then_some(ours))
    });
    let [theirs, ours] = daemons;
    assert!(found.is_ok(), "{what}\ntheirs {:#?}\nours {:#?}\n{}\n{}", of(0), of(1), theirs.log(), ours.log());
    found
}

#[test]
fn all_is_told_in_the_same_order() -> Outcome {
    let trial = Trial::new()?;
    for side in [0, 1] {
        for (real, answers) in SERVICES.iter().flat_map(|(_, _, reals)| *reals) {
            oracle::start(trial.oracle(side), Kind::Dns, *real, answers, "asked", &trial.notes[side])?;
        }
    }
    let posts = [Post::start(&trial.stage.theirs.netns)?, Post::start(&trial.stage.ours.netns)?];
    let both = |services: &[Service]| -> Outcome<[String; 2]> {
        Ok([config(&trial, 0, services)?, config(&trial, 1, services)?])
    };
    let [theirs, ours] = both(SERVICES)?;
    let mut daemons = trial.stage.start_two(&theirs, &ours)?;
    same(
        "the lines",
        &daemons,
        |side| told(&trial, side),
        |told| {
            let last = |port: u16, times: usize| {
                let up = format!("VS [192.168.154.188]:tcp:{port} UP");
                told.get(&port).is_some_and(|lines| lines.iter().filter(|line| **line == up).count() == times)
            };
            // From the start, and again; those with `alpha` from when they are up.
            [(7100, 2), (7200, 1), (7300, 2), (7400, 2), (7500, 2)].iter().all(|(port, times)| last(*port, *times))
                && told[&7100].last().is_some_and(|line| line.contains(":7102 "))
        },
    )?;
    let mails = same("the mails", &daemons, |side| mailed(&posts[side]), |mails| mails.len() >= 10)?;

    // A virtual server and a real server are removed.
    let mut less: Vec<Service> = SERVICES.iter().filter(|(port, ..)| *port != 7500).copied().collect();
    less[0].2 = &less[0].2[..1];
    let [theirs, ours] = both(&less)?;
    daemons[0].reload(&theirs)?;
    daemons[1].reload(&ours)?;
    let gone = |told: &BTreeMap<u16, Vec<String>>| {
        [(7100, ":7102 "), (7500, "VS ")]
            .iter()
            .all(|(port, of)| told[port].last().is_some_and(|line| line.contains(of) && line.ends_with(" DOWN")))
    };
    same("the lines of what was removed", &daemons, |side| told(&trial, side), gone)?;
    let before: usize = mails.values().map(Vec::len).sum();
    let count = |mails: &BTreeMap<String, Vec<Mail>>| mails.values().map(Vec::len).sum::<usize>();
    let removed = same("its mails", &daemons, |side| mailed(&posts[side]), |mails| count(mails) > before)?;
    println!(
        "{:#?}",
        removed.values().flatten().filter(|mail| !mails.values().flatten().any(|m| m == *mail)).collect::<Vec<_>>()
    );

    // The end, which `omega` tells of; and a second start, which tells all that a first one does.
    for daemon in &mut daemons {
        assert!(daemon.terminate()?.success());
    }
    let end = |told: &BTreeMap<u16, Vec<String>>| told[&7100].last().is_some_and(|line| line.ends_with(" DOWN"));
    let ended = same("the lines of the end", &daemons, |side| told(&trial, side), end)?;
    assert!(ended[&7300].last().is_some_and(|line| line.ends_with(" UP")), "without omega: {ended:#?}");
    let daemons = trial.stage.start_two(&theirs, &ours)?;
    let again = |told: &BTreeMap<u16, Vec<String>>| {
        [7100, 7300].iter().all(|port| told[port].len() > ended[port].len())
            && told[&7400].len() == ended[&7400].len() + 3
    };
    same("the lines of another start", &daemons, |side| told(&trial, side), again)?;
    // Scripts run side by side under keepalived; each has its own order.
    let scripts =
        |side: usize| by_subject(&fs::read_to_string(trial.directories[side].file("record")).unwrap_or_default());
    same("the scripts", &daemons, scripts, |scripts| scripts.len() >= 11)?;
    Ok(())
}

/// Three virtual servers with the same real server and equal checkers: keepalived asks for each, ours once for all, unless `checker_merge
/// no` says otherwise.
#[test]
fn equal_checkers_are_one_probe() -> Outcome {
    let trial = Trial::new()?;
    let config = |side: usize, global: &str, real: u16| {
        let service = |port: u16| {
            format!(
                "virtual_server 192.168.154.188 {port} {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n delay_loop 2\n warmup 0\n real_server {} \
                 {real} {{\n DNS_CHECK {{\n type A\n name x.test\n retry 1\n delay_before_retry 1\n connect_timeout 2\n }}\n }}\n}}\n",
                trial.oracle(side).address
            )
        };
        format!(
            "global_defs {{\n router_id test\n lvs_notify_fifo {}\n {global}\n}}\n{}",
            trial.directories[side].file("told").display(),
            [7100, 7200, 7300].map(service).concat()
        )
    };
    let asked = |side: usize, whose: &str| trial.notes[side].all().iter().filter(|note| note.whose == whose).count();
    let mut of_ten_seconds = Vec::new();
    for (side, program, global, real, whose) in [
        (0, Program::Keepalived, "", 7001, "theirs"),
        (1, Program::Holdfast, "checker_merge no", 7002, "apart"),
        (1, Program::Holdfast, "", 7003, "merged"),
    ] {
        let answers = if whose == "merged" { "pppppppppff" } else { "p" };
        oracle::start(trial.oracle(side), Kind::Dns, real, answers, whose, &trial.notes[side])?;
        let host = [&trial.stage.theirs, &trial.stage.ours][side];
        let mut daemon = Daemon::start(program, host, &config(side, global, real))?;
        wait_until("it is asked", LONG, || Ok(asked(side, whose) >= 3))?;
        let before = asked(side, whose);
        std::thread::sleep(Duration::from_secs(10));
        of_ten_seconds.push(asked(side, whose) - before);
        if whose == "merged" {
            let down = |port: u16| {
                let line = format!("RS [192.168.154.13]:tcp:{real} [192.168.154.188]:tcp:{port} DOWN");
                trial.notes[side].all().into_iter().find(|note| note.what == line)
            };
            let all = wait_for("its verdict counts for all", LONG, || {
                Ok([7100, 7200, 7300].map(down).into_iter().collect::<Option<Vec<_>>>())
            })?;
            assert!(all[2].at.duration_since(all[0].at) < Duration::from_millis(500), "{all:?}");
        }
        assert!(daemon.terminate()?.success());
    }
    println!("questions in ten seconds: {of_ten_seconds:?}");
    let [theirs, apart, merged] = of_ten_seconds[..] else { unreachable!() };
    assert!(theirs >= 9 && apart.abs_diff(theirs) <= 3 && merged * 2 < theirs, "{of_ten_seconds:?}");
    Ok(())
}
