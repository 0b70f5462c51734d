//! Who is told of what happens to virtual and real servers: scripts, FIFOs and mails, beside keepalived's.

use super::{Outcome, Stage};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command};
use tests::cleanup::Directory;
use tests::failure::wait_until;
use tests::post::{Delivered, Mailbox, PORT};

/// Reads a FIFO for as long as it is let, whoever writes.
struct Reader(Child);

impl Reader {
    fn start(directory: &Directory, name: &str) -> Outcome<Self> {
        let path = directory.file(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU)?;
        let text = format!("exec cat <>{0} >>{0}.lines", path.display());
        Ok(Reader(Command::new("sh").args(["-c", &text]).spawn()?))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Three services: with all that can be told, of a mark, with `alpha` and a sorry server that is a real server, too.
fn config(directory: &Directory, which: &str) -> Outcome<String> {
    let record = directory.file("record");
    let at = directory.path().display();
    let script = directory.script("tell", &format!("#!/bin/sh\necho \"$@\" >>{}\n", record.display()))?;
    let script = script.display();
    let checked = "TCP_CHECK {\n   connect_port 80\n   connect_timeout 2\n   retry 1\n   delay_before_retry 1\n  }";
    let real = |vs: &str, last: u8, more: &str| {
        format!(
            " real_server 192.168.154.{last} 80 {{\n  {more}\n  notify_up \"{script} {vs} {last} up\"\n  notify_down \"{script} \
             {vs} {last} down\"\n  {checked}\n }}\n"
        )
    };
    let service = |key: &str, vs: &str, more: &str, reals: &str| {
        format!(
            "virtual_server {key} {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n delay_loop 1\n warmup 0\n {more}\n quorum_up \
             \"{script} {vs} quorum_up\"\n quorum_down \"{script} {vs} quorum_down\"\n{reals}}}\n"
        )
    };
    let mut text = format!(
        "global_defs {{\n router_id test\n script_user root\n lvs_notify_fifo {at}/lvs\n notify_fifo {at}/all\n rs_init_notifies\n smtp_alert_checker\n \
         smtp_server 127.0.0.1 {PORT}\n notification_email {{\n  admin@example.com\n }}\n notification_email_from ha@example.com\n}}\n{}",
        service(
            "192.168.154.188 80",
            "one",
            "omega\n quorum 2\n hysteresis 0\n sorry_server 192.168.154.99 80",
            &[real("one", 12, "inhibit_on_failure"), real("one", 13, "weight 2")].concat(),
        )
    );
    if which != "less" {
        text += &service("fwmark 5", "mark", "", &real("mark", 12, ""));
    }
    let both = [real("alpha", 12, ""), if which == "less" { String::new() } else { real("alpha", 13, "") }].concat();
    text += &service("192.168.154.189 80", "alpha", "alpha\n sorry_server 192.168.154.12 80", &both);
    Ok(text)
}

/// The lines of each subject, in order.
pub fn by_subject(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut subjects: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let (subject, state) = line.rsplit_once(' ').unwrap_or((line, ""));
        subjects.entry(subject.to_owned()).or_default().push(state.to_owned());
    }
    subjects
}

/// The mails about each subject, in order. What program sent it is no secret.
fn mails_by_subject(post: &Mailbox) -> Outcome<BTreeMap<String, Vec<Delivered>>> {
    let mut subjects: BTreeMap<String, Vec<Delivered>> = BTreeMap::new();
    for mut mail in post.mails()? {
        let about = mail.subject.rsplit_once(" - ").map_or(mail.subject.clone(), |(about, _)| about.to_owned());
        let [.., mailer] = &mut mail.envelope;
        assert!(["Keepalived", "Holdfast"].contains(&mailer.as_str()), "{mail:#?}");
        mailer.clear();
        // The numbers are a mistake in keepalived: they are those by which a quorum is gained.
        if mail.body.contains("quorum") && mail.subject.ends_with("DOWN") {
            mail.body = mail.body.replacen('+', "-", 1).replacen(" <= ", " > ", 1);
        }
        subjects.entry(about).or_default().push(mail);
    }
    Ok(subjects)
}

#[test]
fn scripts_and_fifos_are_told_the_same() -> Outcome {
    let mut stage = Stage::new()?;
    let directories = [Directory::new()?, Directory::new()?];
    let mut readers = Vec::new();
    for directory in &directories {
        readers.extend([Reader::start(directory, "lvs")?, Reader::start(directory, "all")?]);
    }
    let posts = Mailbox::start([&stage.theirs.netns, &stage.ours.netns])?;
    let configs = |which| -> Outcome<[String; 2]> {
        let [a, b] = &directories;
        Ok([config(a, which)?, config(b, which)?])
    };
    let [theirs, ours] = configs("full")?;
    let mut daemons = stage.start_two(&theirs, &ours)?;
    let full = stage.agree("both alive", &daemons, |table| table.matches("154.13:80").count() == 2)?;
    // Each side's checks run by their own clock, so every state is waited for.
    stage.kill_web(1);
    stage.agree("one dead", &daemons, |table| table.contains("154.99") && !table.contains("154.13:80"))?;
    stage.start_web(1)?;
    stage.agree("it is back", &daemons, |table| table == full)?;
    stage.kill_web(0);
    stage.agree("the other is dead", &daemons, |table| table != full)?;
    stage.kill_web(1);
    stage.agree("both are dead", &daemons, |table| table.contains("154.99") && !table.contains("154.13:80"))?;
    stage.start_web(0)?;
    stage.start_web(1)?;
    stage.agree("both are back", &daemons, |table| table == full)?;
    let [theirs, ours] = configs("less")?;
    daemons[0].reload(&theirs)?;
    daemons[1].reload(&ours)?;
    stage.agree("some is removed", &daemons, |table| table.matches("154.13:80").count() == 1)?;
    let mailed = |side: usize| mails_by_subject(&posts[side]);
    let same = wait_until("the mails are the same", std::time::Duration::from_secs(20), || {
        let (theirs, ours) = (mailed(0)?, mailed(1)?);
        Ok(theirs == ours && theirs.len() >= 6)
    });
    let (theirs, before) = (mailed(0)?, mailed(1)?);
    assert!(same.is_ok(), "theirs: {theirs:#?}\nours: {before:#?}");
    for daemon in &mut daemons {
        assert!(daemon.terminate()?.success());
    }
    let read = |name: &str| {
        directories
            .each_ref()
            .map(|directory| by_subject(&fs::read_to_string(directory.file(name)).unwrap_or_default()))
    };
    for name in ["record", "lvs.lines", "all.lines"] {
        let same = wait_until(&format!("{name} is the same"), std::time::Duration::from_secs(10), || {
            let [theirs, ours] = read(name);
            Ok(theirs == ours)
        });
        let [theirs, ours] = read(name);
        assert!(same.is_ok(), "{name}\ntheirs: {theirs:#?}\nours: {ours:#?}");
        assert!(theirs.len() >= 8, "{name}: {theirs:#?}");
    }
    // COMPAT: keepalived 2.2.7, measured: scripts and FIFOs are told of the end with `omega`, and nobody gets a mail.
    for side in 0..2 {
        assert_eq!(mailed(side)?, before, "{}: a mail of the end", ["theirs", "ours"][side]);
    }
    Ok(())
}
