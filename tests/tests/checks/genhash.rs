//! genhash beside the one of Debian's keepalived, asking nginx; and the checks, which take the digest that it prints.

use super::tls::{Nginx, openssl};
use super::{SOON, count, host};
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;
use tests::cleanup::Directory;
use tests::daemon::{Daemon, Program, built};
use tests::failure::{Outcome, wait_until};
use tests::lan::Host;

/// Both print the same of these.
const SAME: &[&str] = &[
    "-s 127.0.0.1 -p 80 -u /",
    "-s 127.0.0.1 -p 80 -u / -V www.test",
    "-s ::1 -p 80 -u /",
    "-s ::1 -p 80 -u / -V www.test",
    "--server 127.0.0.1 --port 80 --url / --use-virtualhost www.test",
    "--server=::1 --port=80 --url=/big --timeout=9",
    "-s 127.0.0.1 -p 80 -u /big",
    "-s 127.0.0.1 -p 80 -u /none",
    "-s 127.0.0.1 -p 80 -u none",
    "-s 127.0.0.1 -p 80 -u / -P 1.0",
    "-s 127.0.0.1 -p 80 -u / -P 1.0c",
    "-s 127.0.0.1 -p 80 -u / -P 1.1",
    "-s 127.0.0.1 -p 80 -u / -m 7 -t 3",
    "-s 127.0.0.1 -p 443 -u /",
    "-S -s 127.0.0.1 -p 443 -u /",
    "-S -s ::1 -p 443 -u / -V www.test",
    "-S -I -s 127.0.0.1 -p 443 -u / -V www.test",
    "--use-ssl --use-sni -s ::1 -p 443 -u / -V www.test -P 1.1",
    "-S -s 127.0.0.1 -p 443 -u /big",
];

/// Both refuse these.
const REFUSED: &[&str] = &[
    "-p 80 -u /",
    "-s nonsense -p 80 -u /",
    "-s 127.0.0.1 -p 99999 -u /",
    "-s 127.0.0.1 -p 0 -u /",
    "-s 127.0.0.1 -p 80 -u / -P 2",
    "-s 127.0.0.1 -p 80 -u / -x",
    "-s 127.0.0.1 -p 80 -u / more",
];

/// These fail as well, and only ours has an exit code that says so.
const FAILED: &[&str] = &["-s 127.0.0.1 -p 81 -u /", "-S -s 127.0.0.1 -p 80 -u /"];

fn asked(host: &Host, program: &Path, first: &[&str], arguments: &str) -> Outcome<Output> {
    Ok(host.netns.command(program).args(first).args(arguments.split(' ')).output()?)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn digests_are_those_of_keepalived_and_of_the_checks() -> Outcome {
    let (_lan, host) = host()?;
    for key in ["all", "lo"] {
        host.netns.sysctl(&format!("ipv6/conf/{key}/disable_ipv6"), "0")?;
    }
    let directory = Directory::new()?;
    let at = directory.path().display();
    openssl(directory.path(), "req -x509 -newkey rsa:2048 -nodes -keyout key -out crt -days 30 -subj /CN=www.test")?;
    fs::write(directory.file("big"), (0..3_000_000_u32).map(|n| (n % 251) as u8).collect::<Vec<u8>>())?;
    let server = |default: &str, more: &str| {
        format!(
            "server {{ listen 80 {default}; listen [::]:80 {default}; listen 443 ssl {default}; listen [::]:443 ssl {default}; ssl_certificate \
             {at}/crt; ssl_certificate_key {at}/key; {more} location /big {{ root {at}; }} location /none {{ return 404 \"none\\n\"; }} \
             location / {{ return 200 \"$server_name $ssl_server_name $host $server_protocol\\n\"; }} }}\n"
        )
    };
    let servers = [server("default_server", ""), server("", "server_name www.test;")].concat();
    let _nginx = Nginx::start_with(&host, &directory, &servers, "[::1]:443")?;
    let (ours, theirs, holdfast) = (built("genhash")?, Path::new("genhash"), built("holdfast")?);
    for arguments in SAME {
        let [ours, through, theirs] = [
            asked(&host, &ours, &[], arguments)?,
            asked(&host, &holdfast, &["--genhash"], arguments)?,
            asked(&host, theirs, &[], arguments)?,
        ];
        assert_eq!(text(&ours), text(&theirs), "{arguments}: {ours:?}");
        assert_eq!((text(&through), through.status.code()), (text(&ours), Some(0)), "{arguments}: {through:?}");
        assert_eq!(text(&ours).len(), 32, "{arguments}: {ours:?}");
        assert!(theirs.status.success() && ours.status.success(), "{arguments}");
    }
    for (list, code) in [(REFUSED, 1), (FAILED, 0)] {
        for arguments in list {
            for (program, first, expected) in
                [(ours.as_path(), &[][..], 1), (&holdfast, &["--genhash"][..], 1), (theirs, &[][..], code)]
            {
                let output = asked(&host, program, first, arguments)?;
                assert_eq!(output.status.code(), Some(expected), "{} {arguments}: {output:?}", program.display());
            }
        }
    }
    // What -v adds stands before the digest and after it.
    for arguments in ["-s 127.0.0.1 -p 80 -u / -v", "-S -s 127.0.0.1 -p 443 -u / --verbose"] {
        for program in [ours.as_path(), theirs] {
            let said = text(&asked(&host, program, &[], arguments)?);
            let digest =
                text(&asked(&host, &ours, &[], arguments.trim_end_matches(" -v").trim_end_matches(" --verbose"))?);
            assert!(said.contains("HTTP/1.1 200 OK") && said.contains("Global response time for [/]"), "{said}");
            // Theirs has bytes in hexadecimal beside.
            assert!(said.contains(&digest), "{}: {digest} is not in:\n{said}", program.display());
        }
    }

    // The checks, each with the digest that its page has, and with that of another.
    let checks = [
        ("-s 127.0.0.1 -p 80 -u /", "HTTP_GET", ""),
        ("-s 127.0.0.1 -p 80 -u / -V www.test -P 1.1", "HTTP_GET", "virtualhost www.test\n http_protocol 1.1"),
        ("-s 127.0.0.1 -p 80 -u /big", "HTTP_GET", ""),
        ("-S -I -s 127.0.0.1 -p 443 -u / -V www.test", "SSL_GET", "enable_sni\n virtualhost www.test"),
    ];
    let mut config = String::new();
    for (n, (arguments, kind, more)) in (1..).zip(checks) {
        let digest = text(&asked(&host, &ours, &[], arguments)?);
        let (path, port) =
            (if arguments.contains("/big") { "/big" } else { "/" }, if kind == "SSL_GET" { 443 } else { 80 });
        for (number, digest) in [(n, digest.as_str()), (n + 10, "00000000000000000000000000000000")] {
            config += &format!(
                "virtual_server 192.168.154.188 {number} {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n delay_loop 1\n warmup 0\n alpha\n \
                 real_server 127.0.0.1 {port} {{\n {kind} {{\n {more}\n connect_timeout 3\n url {{\n path {path}\n digest {digest}\n }}\n }}\n }}\n}}\n"
            );
        }
    }
    let mut daemon = Daemon::start(Program::Holdfast, &host, &config)?;
    wait_until("pages with the right digest pass", SOON, || {
        Ok((1..=4).all(|n| count(&daemon, &format!("to VS [192.168.154.188]:tcp:{n}\n")) == 1))
    })
    .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    std::thread::sleep(Duration::from_secs(2));
    let log = daemon.log();
    for n in 1..=4 {
        assert!(!log.contains(&format!("to VS [192.168.154.188]:tcp:{}\n", n + 10)), "{log}");
        assert!(!log.contains(&format!("from VS [192.168.154.188]:tcp:{n}\n")), "{log}");
    }
    assert!(daemon.terminate()?.success());
    Ok(())
}
