//! genhash beside the one of Debian's keepalived, and beside what openssl says of the page.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends at what it did not expect")]

use nix::sched::{CloneFlags, unshare};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};

const OURS: &str = env!("CARGO_BIN_EXE_genhash");

fn in_namespace(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("this test needs root; tests/run is the command that runs all tests");
        assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
        work();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Answers everybody with these bytes.
fn serve(address: &str, answer: &'static [u8]) {
    let listener = TcpListener::bind(address).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut text, mut byte) = (Vec::new(), [0u8]);
            while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                text.extend_from_slice(&byte);
            }
            let _ = stream.write_all(answer);
        }
    });
}

fn run(program: &str, arguments: &str) -> Output {
    Command::new(program).args(arguments.split(' ')).output().unwrap_or_else(|e| panic!("{program}: {e}"))
}

#[test]
fn the_digest_of_keepalived() {
    in_namespace(|| {
        let pages: [(&str, &'static [u8]); 4] = [
            ("127.0.0.2:80", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"),
            ("127.0.0.3:80", b"HTTP/1.1 200 OK\r\n\r\nhello\nand more\n"),
            ("127.0.0.4:80", b"HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nno\n"),
            ("127.0.0.5:80", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhello\n"),
        ];
        for (address, answer) in pages {
            serve(address, answer);
            let ip = address.split(':').next().unwrap();
            for more in ["", " -P 1.1 -V www.test", " --protocol=1.0c -t 2"] {
                let arguments = format!("-s {ip} -p 80 -u /x{more}");
                let ours = run(OURS, &arguments);
                assert!(ours.status.success(), "{arguments}: {}", String::from_utf8_lossy(&ours.stderr));
                let theirs = run("genhash", &arguments);
                assert_eq!(
                    String::from_utf8_lossy(&ours.stdout),
                    String::from_utf8_lossy(&theirs.stdout),
                    "{address} {arguments}"
                );
            }
        }
        let refused = run(OURS, "-s 127.0.0.9 -p 80 -u /");
        assert_eq!(refused.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&refused.stderr).starts_with("Connection failed"));
        assert_eq!(run(OURS, "-p 80").status.code(), Some(1));
        assert!(run(OURS, "--help").status.success());
    });
}
