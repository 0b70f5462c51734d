//! Mails to aiosmtpd.

use super::bench::{Bench, config, in_namespace, tcp};
use super::servers::{Running, wait_for};
use core::time::Duration;
use ipc::config::global::Mail;
use ipc::config::vrrp::Switch;

#[test]
fn a_mail_about_a_server_that_is_down() {
    in_namespace(|| {
        let directory = std::env::temp_dir().join(format!("checkd-mail-{}", std::process::id()));
        let mailbox = directory.display().to_string();
        let arguments = ["-m", "aiosmtpd", "-n", "-l", "127.0.0.9:25", "-c", "aiosmtpd.handlers.Mailbox", &mailbox];
        let _server = Running::start("/usr/bin/python3", &arguments, "python3-aiosmtpd");
        wait_for("127.0.0.9:25");
        let mut config = config(vec![tcp("127.0.0.2:80".parse().unwrap())]);
        config.router_id = "router".into();
        config.mail = Mail {
            to: vec!["a@x.test".into(), "Somebody <b@x.test>".into()],
            from: Some("me@x.test".into()),
            server: "127.0.0.9:25".parse().ok(),
            timeout: Duration::from_secs(5),
            ..Mail::default()
        };
        for (real, _) in config.reals.clone().iter() {
            config.reals.at_mut(real).unwrap().smtp_alert = Switch::On;
        }
        let mut bench = Bench::new(config, 10);
        let sent = bench.run_until(Duration::from_secs(20), |bench| bench.said("SMTP alert successfully sent."));
        let mail = std::fs::read_dir(directory.join("new"))
            .ok()
            .and_then(|mut files| files.next())
            .and_then(|file| std::fs::read_to_string(file.unwrap().path()).ok())
            .unwrap_or_default();
        let _ = std::fs::remove_dir_all(&directory);
        assert!(sent, "{:#?}", bench.lines);
        let header = |name: &str| mail.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim().to_owned();
        assert!(
            mail.replace("\n ", " ")
                .replace("\n\t", " ")
                .contains("[router] Realserver [10.0.0.0]:tcp:0 of virtual server VS 0 - DOWN"),
            "{mail}"
        );
        assert_eq!(header("From:"), "me@x.test", "{mail}");
        assert!(mail.replace("\n ", " ").contains("To: a@x.test, Somebody <b@x.test>\n"), "{mail}");
        assert_eq!(header("X-Mailer:"), "Holdfast");
        assert!(header("Date:").contains(" 20"), "{mail}");
        assert!(mail.contains("=> TCP CHECK failed on service <=") || mail.contains("=3D> TCP CHECK failed"), "{mail}");
        assert!(mail.contains("a@x.test") && mail.contains("b@x.test"), "{mail}");
    });
}
