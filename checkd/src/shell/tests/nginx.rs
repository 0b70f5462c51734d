//! A real web server.

use super::bench::{Bench, config, down, http, in_namespace, tcp};
use core::time::Duration;
use ipc::config::check::{Checker, CheckerKind, HttpProtocol};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// nginx in one process with a directory of its own; ends with the value.
struct Nginx {
    directory: PathBuf,
    process: Child,
}

impl Nginx {
    fn start(name: &str) -> Nginx {
        let directory = std::env::temp_dir().join(format!("checkd-{}-{name}", std::process::id()));
        std::fs::create_dir_all(directory.join("www")).unwrap();
        std::fs::write(directory.join("www/index.html"), "hello\n").unwrap();
        let d = directory.display();
        let text = format!(
            "daemon off; master_process off; pid {d}/pid; error_log {d}/error.log; events {{ }}\n\
             http {{ access_log {d}/access.log; client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f;\n\
             uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;\n\
             server {{ listen 127.0.0.1:80; listen [::1]:80; root {d}/www; location /old {{ return 301 /; }} }} }}\n"
        );
        std::fs::write(directory.join("nginx.conf"), text).unwrap();
        let mut nginx = Nginx { process: Nginx::spawn(&directory), directory };
        nginx.wait();
        nginx
    }

    fn spawn(directory: &std::path::Path) -> Child {
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-p").arg(directory).arg("-c").arg(directory.join("nginx.conf"));
        command.arg("-e").arg(directory.join("error.log"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("nginx is needed: apt-get install nginx-light")
    }

    fn wait(&mut self) {
        for _ in 0..200 {
            if std::net::TcpStream::connect("127.0.0.1:80").is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "nginx does not listen: {}",
            std::fs::read_to_string(self.directory.join("error.log")).unwrap_or_default()
        );
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn restart(&mut self) {
        self.process = Nginx::spawn(&self.directory);
        self.wait();
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn with(mut checker: Checker, path: &str, status: &[(u16, u16)], protocol: HttpProtocol) -> Checker {
    if let CheckerKind::Http(http) = &mut checker.kind {
        http.protocol = protocol;
        http.urls[0].path = path.into();
        http.urls[0].status = status.to_vec();
    }
    checker
}

#[test]
fn nginx_goes_and_comes() {
    in_namespace(|| {
        let mut nginx = Nginx::start("goes");
        let digest = Some(0xb194_6ac9_2492_d234_7c62_35b4_d261_1184_u128.to_be_bytes());
        let v4 = "127.0.0.1:80".parse().unwrap();
        let v6 = "[::1]:80".parse().unwrap();
        let ok: &[(u16, u16)] = &[(200, 299)];
        let config = config(vec![
            tcp(v4),
            with(http(v4, digest), "/", ok, HttpProtocol::V10),
            with(http(v6, digest), "/index.html", ok, HttpProtocol::V11),
            with(http(v4, None), "/none", &[(404, 404)], HttpProtocol::V10Close),
            with(http(v4, None), "/old", &[(200, 204), (301, 302)], HttpProtocol::V11),
            // These are ill.
            with(http(v4, Some([7; 16])), "/", ok, HttpProtocol::V10),
            with(http(v4, None), "/none", ok, HttpProtocol::V10),
        ]);
        let ill = |bench: &Bench| down(bench, &config).iter().map(|s| s.0).collect::<Vec<_>>();
        let mut bench = Bench::new(config.clone(), 10);
        assert!(bench.run_until(Duration::from_secs(10), |b| b.said("MD5 digest error to server [10.0.0.5]:tcp:0.")
            && b.said("HTTP status code error to server [10.0.0.6]:tcp:0.")));
        bench.run(Duration::from_secs(1));
        assert_eq!(ill(&bench), [5, 6], "{:#?}", bench.lines);
        nginx.kill();
        assert!(bench.run_until(Duration::from_secs(10), |b| ill(b) == [0, 1, 2, 3, 4, 5, 6]), "{:#?}", bench.lines);
        nginx.restart();
        assert!(bench.run_until(Duration::from_secs(10), |b| ill(b) == [5, 6]), "{:#?}", bench.lines);
        assert!(bench.said("MD5 digest success to [10.0.0.1]:tcp:0 url(/)"));
        assert!(bench.said("HTTP status code success to [10.0.0.3]:tcp:0 url(/none)"));
        let log = std::fs::read_to_string(nginx.directory.join("access.log")).unwrap();
        assert!(log.contains("\"GET / HTTP/1.0\" 200 6 \"-\" \"KeepAliveClient\""), "{log}");
    });
}
