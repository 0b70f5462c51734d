//! Mails about instances and groups.

use std::collections::BTreeMap;
use std::time::Duration;
use tests::cleanup::Directory;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::pair::{Pair, SOON, with_log};
use tests::post::{Mail, PORT, Post};

/// Two instances in a group, one that nobody wants mail about, and mail about the others.
fn config(more: &str) -> Vrrp {
    let instance = |name: &str, vrid: u8, vip: &str, more: &str| {
        format!(
            "vrrp_instance {name} {{\n    state BACKUP\n    interface ens33\n    virtual_router_id {vrid}\n    priority 90\n    \
             advert_int 1\n    virtual_ipaddress {{\n        {vip}\n    }}\n    {more}\n}}"
        )
    };
    Vrrp::backup(100)
        .global(format!("smtp_server 127.0.0.1 {PORT}"))
        .global("notification_email {\n        admin@example.com\n        two@example.com\n    }")
        .global("notification_email_from ha@example.com\n    smtp_helo_name director")
        .global("smtp_alert_vrrp on")
        .global(more)
        .block("vrrp_sync_group G1 {\n    group {\n        VI_1\n        VI_2\n    }\n}")
        .block(instance("VI_2", 52, "192.168.154.189", ""))
        .block(instance("VI_3", 53, "192.168.154.190", "smtp_alert off"))
}

/// Subject and body.
fn words(mail: &Mail) -> Vec<String> {
    mail.iter().filter(|line| line.starts_with("Subject: ") || line.starts_with("=> ")).cloned().collect()
}

/// What of a mail two programs must agree on: the envelope, and what is written to whom about what.
fn comparable(mail: &Mail) -> Vec<String> {
    let known = ["HELO", "MAIL FROM", "RCPT TO", "Subject: ", "=> ", "."];
    mail.iter().filter(|line| known.iter().any(|known| line.starts_with(known))).cloned().collect()
}

/// Start, a cable that is pulled and plugged in again: the mails by what they are about, each in order.
fn mailed(program: Program) -> Outcome<BTreeMap<String, Vec<Mail>>> {
    let pair = Pair::new()?;
    let post = Post::start(&pair.a.netns)?;
    let daemon = Daemon::start(program, &pair.a, &config("").to_string())?;
    let wait = |subject: &str, times: usize| {
        let all = || post.subjects().iter().filter(|known| known.ends_with(subject)).count();
        wait_until(&format!("{times} times {subject:?}"), Duration::from_secs(20), || Ok(all() >= times))
            .map_err(|failure| with_log(&failure, &daemon))
    };
    wait("VRRP Group G1 - Entering MASTER state", 1)?;
    wait("VI_2 - Entering MASTER state", 1)?;
    pair.lan.unplug(&pair.a)?;
    wait("VRRP Group G1 - Entering FAULT state", 1)?;
    pair.lan.plug(&pair.a)?;
    wait("VRRP Group G1 - Entering MASTER state", 2)?;
    wait("VI_1 - Entering MASTER state", 2)?;
    wait("VI_2 - Entering MASTER state", 2)?;
    let mut by_subject: BTreeMap<String, Vec<Mail>> = BTreeMap::new();
    for mail in post.mails() {
        let whose = ["VI_1", "VI_2", "VI_3", "G1"].into_iter().find(|name| words(&mail).concat().contains(name));
        by_subject.entry(whose.unwrap_or_default().to_owned()).or_default().push(mail);
    }
    Ok(by_subject)
}

#[test]
fn mails_are_what_keepalived_writes() -> Outcome {
    let theirs = mailed(Program::Keepalived)?;
    let ours = mailed(Program::Holdfast)?;
    assert_eq!(ours.keys().collect::<Vec<_>>(), ["G1", "VI_1", "VI_2"]);
    assert_eq!(theirs.keys().collect::<Vec<_>>(), ["G1", "VI_1", "VI_2"]);
    for (whose, mails) in &theirs {
        // Two mails that are on their way at the same time may come in any order, so each is looked for.
        let mut left: Vec<_> = ours[whose].iter().map(comparable).collect();
        for mail in mails.iter().map(comparable) {
            let place = left.iter().position(|known| *known == mail);
            let place = place.unwrap_or_else(|| panic!("{mail:#?} is not among {left:#?}"));
            left.remove(place);
        }
        assert!(left.is_empty(), "{left:#?} was not written by keepalived");
    }
    Ok(())
}

#[test]
fn mails_about_the_end_are_delivered_and_faults_only_where_they_are_wanted() -> Outcome {
    let pair = Pair::new()?;
    let post = Post::start(&pair.a.netns)?;
    let mut daemon = Daemon::start(Program::Holdfast, &pair.a, &config("no_email_faults").to_string())?;
    let has = |subject: &str| post.subjects().iter().any(|known| known == subject);
    wait_until("it is master", SOON, || Ok(has("[test] VRRP Instance VI_1 - Entering MASTER state")))
        .map_err(|failure| with_log(&failure, &daemon))?;
    pair.lan.unplug(&pair.a)?;
    daemon.wait_log("(VI_1) Entering FAULT STATE", SOON)?;
    assert!(daemon.terminate()?.success());
    let stopping = "[test] VRRP Instance VI_1 - Stopping";
    assert!(has(stopping), "{:?}", post.subjects());
    assert!(!post.subjects().iter().any(|subject| subject.contains("FAULT") || subject.contains("VI_3")));
    Ok(())
}

/// dnsmasq that knows one name; ends with this.
struct Dnsmasq(std::process::Child);

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `smtp_server NAME`: found in /etc/hosts, as by keepalived, or by asking a name server; without `smtp_helo_name` and `router_id` the
/// whole name of the machine stands in HELO and in the subject.
#[test]
fn the_mail_server_may_have_a_name() -> Outcome {
    let own = nix::unistd::gethostname()?.to_string_lossy().into_owned();
    let files = Directory::new()?;
    let this = format!("127.0.0.1 localhost\n127.0.1.1 whole.example.net {own}\n");
    let hosts = files.write("hosts", &format!("{this}127.0.0.1 mailhost\n"))?;
    let without = files.write("without", &this)?;
    let resolver =
        files.write("resolv.conf", "search nothing.test example.test\nnameserver 127.0.0.9\nnameserver 127.0.0.1\n")?;
    let text = Vrrp::backup(100)
        .global(format!("smtp_server mailhost {PORT}"))
        .global("notification_email {\n        admin@example.com\n    }")
        .global("smtp_alert_vrrp on")
        .to_string()
        .replace("router_id test", "");
    let mut said = Vec::new();
    for (program, hosts) in [(Program::Keepalived, &hosts), (Program::Holdfast, &hosts), (Program::Holdfast, &without)]
    {
        let pair = Pair::new()?;
        let post = Post::start(&pair.a.netns)?;
        let mut dns = pair.a.netns.command("dnsmasq");
        dns.args(["-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file="]);
        dns.args(["--address=/mailhost.example.test/127.0.0.1", "--listen-address=127.0.0.1", "--bind-interfaces"]);
        let _dns = Dnsmasq(dns.spawn()?);
        let machine = [(hosts.as_path(), "/etc/hosts"), (resolver.as_path(), "/etc/resolv.conf")];
        let daemon = Daemon::start_with_files(program, &pair.a, &text, &machine)?;
        wait_until("a mail comes", Duration::from_secs(30), || Ok(!post.mails().is_empty()))
            .map_err(|failure| with_log(&failure, &daemon))?;
        let mail = post.mails().concat();
        said.push(
            mail.into_iter().filter(|line| line.starts_with("HELO") || line.starts_with("Subject")).collect::<Vec<_>>(),
        );
    }
    assert!(
        said[0][0] == "HELO whole.example.net" && said[0][1].starts_with("Subject: [whole.example.net] "),
        "{said:?}"
    );
    assert!(said.iter().all(|lines| *lines == said[0]), "{said:?}");
    Ok(())
}
