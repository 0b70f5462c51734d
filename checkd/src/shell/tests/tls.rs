//! SSL_GET against OpenSSL.

use super::bench::{Bench, asking, config, http, in_namespace};
use super::hostile::server;
use super::servers::{Running, wait_for};
use core::net::SocketAddr;
use core::time::Duration;
use ipc::config::Secret;
use ipc::config::check::{Checker, CheckerKind};
use ipc::config::probe::{Pem, Tls};
use ipc::config::vrrp::Switch;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A directory with an authority and certificates; goes with the value.
struct Keys(PathBuf);

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn openssl(directory: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.current_dir(directory).args(arguments.split(' ')).stdin(Stdio::null()).stderr(Stdio::null());
    assert!(command.stdout(Stdio::null()).status().unwrap().success(), "openssl {arguments}");
}

impl Keys {
    fn new() -> Keys {
        let directory = std::env::temp_dir().join(format!("checkd-tls-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let keys = Keys(directory);
        let d = &keys.0;
        openssl(d, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=Authority");
        keys.signed("good", "DNS:www.test,IP:127.0.0.2", "-days 30");
        keys.signed("over", "DNS:www.test", "-days -1");
        // Version 1: no extensions.
        openssl(d, "req -newkey rsa:2048 -nodes -keyout one.key -out one.csr -subj /CN=www.test");
        openssl(d, "x509 -req -in one.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out one.pem");
        keys
    }

    fn signed(&self, name: &str, names: &str, time: &str) {
        let d = &self.0;
        openssl(
            d,
            &format!(
                "req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN=x -addext subjectAltName={names}"
            ),
        );
        openssl(
            d,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copyall {time} -out {name}.pem"
            ),
        );
    }

    fn read(&self, name: &str) -> Pem {
        Pem { path: name.into(), content: Secret::new(std::fs::read(self.0.join(name)).unwrap()) }
    }

    /// A web server with TLS.
    fn serve(&self, address: &str, certificate: &str, more: &str) -> Running {
        let file = |end: &str| self.0.join(format!("{certificate}.{end}")).display().to_string();
        let ca = self.0.join("ca.pem").display().to_string();
        let (cert, key, more) = (file("pem"), file("key"), more.replace("AUTHORITY", &ca));
        let mut arguments = vec!["s_server", "-quiet", "-www", "-accept", address, "-cert", &cert, "-key", &key];
        arguments.extend(more.split(' ').filter(|word| !word.is_empty()));
        let server = Running::start("openssl", &arguments, "openssl");
        wait_for(address);
        server
    }
}

fn ssl(address: &str, tls: Tls, host: Option<&str>) -> Checker {
    ssl_to(address.parse().unwrap(), tls, host)
}

fn ssl_to(target: SocketAddr, tls: Tls, host: Option<&str>) -> Checker {
    let CheckerKind::Http(mut http) = http(target, None).kind.clone() else { panic!() };
    http.urls[0].host = host.map(Into::into);
    let mut checker = asking(target, CheckerKind::Ssl(http, Box::new(tls)));
    (checker.timeout, checker.delay_loop) = (Duration::from_secs(3), Duration::from_secs(1));
    checker
}

fn verify(ca: &str) -> Tls {
    Tls { verify: Switch::On, ca_file: Some(ca.into()), ..Tls::default() }
}

#[test]
fn servers_with_tls() {
    in_namespace(|| {
        let keys = Keys::new();
        let _servers = [
            keys.serve("127.0.0.2:443", "good", ""),
            keys.serve("127.0.0.3:443", "over", ""),
            keys.serve("127.0.0.4:443", "one", ""),
            keys.serve("127.0.0.5:443", "good", "-tls1_2 -cipher AES128-SHA"),
            keys.serve("127.0.0.6:443", "good", "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256"),
            keys.serve("127.0.0.7:443", "good", "-Verify 1 -verify_return_error -CAfile AUTHORITY"),
            keys.serve("127.0.0.8:443", "good", "-tls1_1 -cipher DEFAULT:@SECLEVEL=0"),
        ];
        let garbage = server(|mut stream| {
            let _ = stream.read(&mut [0u8; 9_999]);
            let _ = stream.write_all(b"220 this is no TLS at all\r\n");
        });
        let any = Tls::default;
        let www = Some("www.test:443");
        // With what is expected: nothing is a server that is well.
        let cases = [
            (ssl("127.0.0.2:443", any(), None), ""),
            (ssl("127.0.0.2:443", verify("ca.pem"), www), ""),
            (ssl("127.0.0.2:443", verify("ca.pem"), None), ""),
            (ssl("127.0.0.2:443", verify("ca.pem"), Some("other.test")), "not valid for name"),
            (ssl("127.0.0.2:443", verify("good.pem"), www), "invalid peer certificate"),
            (ssl("127.0.0.2:443", verify("absent.pem"), www), "absent.pem could not be read"),
            (ssl("127.0.0.3:443", any(), None), ""),
            (ssl("127.0.0.3:443", verify("ca.pem"), www), "xpired"),
            (ssl("127.0.0.4:443", any(), None), ""),
            (ssl("127.0.0.5:443", any(), None), "it may offer only RSA key exchange or CBC suites"),
            (ssl("127.0.0.6:443", any(), None), ""),
            (ssl("127.0.0.7:443", any(), None), ""),
            (ssl("127.0.0.8:443", any(), None), "is needed"),
            (ssl_to(garbage, any(), None), "corrupt"),
        ];
        let (checkers, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
        let count = expected.len();
        let mut config = config(checkers);
        config.tls.files = ["ca.pem", "good.pem", "good.key"].map(|name| keys.read(name)).into();
        (config.tls.certificate, config.tls.key) = (Some("good.pem".into()), Some("good.key".into()));
        let mut bench = Bench::new(config, 100);
        let verdict = |bench: &Bench, n: usize| {
            let label = format!(" [10.0.0.{n}]:tcp:0");
            bench.lines.iter().any(|(_, line)| line.contains(&label))
        };
        let settled = bench.run_until(Duration::from_secs(30), |bench| (0..count).all(|n| verdict(bench, n)));
        bench.run(Duration::from_secs(2));
        assert!(settled, "{:#?}", bench.lines);
        for (n, why) in expected.iter().enumerate() {
            let said = format!("No TLS with server [10.0.0.{n}]:tcp:0: ");
            let line =
                bench.lines.iter().find(|(_, line)| line.starts_with(&said)).map_or("", |(_, line)| line.as_str());
            assert_eq!(bench.serves(n as u32), why.is_empty(), "server {n}: {line}");
            assert!(line.contains(why), "server {n}: {line:?} does not say {why:?}");
        }
        assert_eq!(bench.lines.iter().filter(|(_, line)| line.contains("SSL_GET takes any certificate")).count(), 1);
    });
}

/// What the server sees of SNI, and its goodbye that is missing.
#[test]
fn names_and_goodbyes() {
    in_namespace(|| {
        let seen = || {
            let (tell, told) = std::sync::mpsc::channel();
            let address = server(move |mut stream| {
                let mut hello = [0u8; 9_999];
                let n = stream.read(&mut hello).unwrap_or(0);
                let _ = tell.send(hello.get(..n).unwrap_or_default().to_vec());
            });
            (address, told)
        };
        let ((with, told_with), (without, told_without)) = (seen(), seen());
        let sni = Tls { sni: Switch::On, sni_name: Some("sni.test".into()), ..Tls::default() };
        let checkers = vec![ssl_to(with, sni, Some("www.test")), ssl_to(without, Tls::default(), Some("www.test"))];
        let mut bench = Bench::new(config(checkers), 10);
        assert!(bench.run_until(Duration::from_secs(10), |bench| !bench.serves(0) && !bench.serves(1)));
        let has = |hello: Vec<u8>, name: &[u8]| hello.windows(name.len()).any(|part| part == name);
        assert!(has(told_with.recv().unwrap(), b"sni.test"));
        assert!(!has(told_without.recv().unwrap(), b"www.test"));
    });
}
