//! SSL_GET against nginx with certificates that openssl makes: what the server proves, what is shown to it, and what is asked of it.

use super::{SOON, host};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tests::cleanup::Directory;
use tests::daemon::{Daemon, Program};
use tests::failure::{Context, Outcome, wait_until};
use tests::lan::Host;
use tests::netns::run;

/// The MD5 digest of "hello\n".
const HELLO: &str = "b1946ac92492d2347c6235b4d2611184";

pub fn openssl(directory: &Path, arguments: &str) -> Outcome {
    run(Command::new("openssl").current_dir(directory).args(arguments.split(' '))).map(drop)
}

/// An authority and what it has signed: `good` for 30 days, `other` of another name, `client`, its key also under a password.
fn certificates(directory: &Directory) -> Outcome {
    let d = directory.path();
    openssl(d, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=Authority")?;
    openssl(d, "req -x509 -newkey rsa:2048 -nodes -keyout x.key -out stranger.pem -days 30 -subj /CN=Stranger")?;
    for (name, names) in
        [("good", "DNS:www.test,IP:127.0.0.1"), ("other", "DNS:other.test"), ("client", "DNS:client.test")]
    {
        let asked = format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr -subj /CN=x -addext \
             subjectAltName={names}"
        );
        openssl(d, &asked)?;
        let signed = format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copyall -days 30 -out {name}.pem"
        );
        openssl(d, &signed)?;
    }
    openssl(d, "pkcs8 -topk8 -in client.key -out sealed.key -passout pass:secret")
}

/// nginx; ends with this.
pub struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Nginx {
    fn start(host: &Host, directory: &Directory) -> Outcome<Nginx> {
        let at = directory.path().display();
        let server = |port: u16, certificate: &str, more: &str| {
            format!(
                "server {{ listen {port} ssl; ssl_certificate {at}/{certificate}.pem; ssl_certificate_key {at}/{certificate}.key; {more} \
                 location / {{ return 200 \"hello\\n\"; }} location /none {{ return 404; }} location /moved {{ return 302 /; }} \
                 location /host {{ return 200 \"of $host over $server_protocol\\n\"; }} }}\n"
            )
        };
        let servers = [
            server(443, "good", "ssl_protocols TLSv1.3;"),
            server(444, "good", "ssl_protocols TLSv1.2; ssl_verify_client on; ssl_client_certificate {at}/ca.pem;")
                .replace("{at}", &at.to_string()),
            // By the name in the handshake: strangers are turned away.
            server(445, "good", "ssl_reject_handshake on;"),
            server(445, "other", "server_name other.test;"),
        ];
        Self::start_with(host, directory, &servers.concat(), "127.0.0.1:445")
    }

    /// With these server blocks, of which the last to listen does so at `address`.
    pub fn start_with(host: &Host, directory: &Directory, servers: &str, address: &str) -> Outcome<Nginx> {
        let at = directory.path().display();
        let text = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/errors; events {{ }}\n\
             http {{ access_log {at}/access; default_type text/plain; client_body_temp_path {at}/1; proxy_temp_path {at}/2;\n\
             fastcgi_temp_path {at}/3; uwsgi_temp_path {at}/4; scgi_temp_path {at}/5;\n{servers} }}\n"
        );
        let config = directory.write("nginx.conf", &text)?;
        let mut command = host.netns.command("nginx");
        command.arg("-c").arg(&config).arg("-p").arg(directory.path()).arg("-e").arg(directory.file("errors"));
        let nginx = Nginx(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context(|| "nginx".into())?);
        wait_until("nginx listens", SOON, || Ok(host.netns.enter(|| std::net::TcpStream::connect(address))?.is_ok()))?;
        Ok(nginx)
    }
}

/// What a check asks, of which port, and what is said when it fails; nothing: it passes.
const CASES: &[(u16, &str, &str, &str)] = &[
    (443, "", "path /\n digest HELLO", ""),
    (443, "", "path /\n digest 00000000000000000000000000000000", "MD5 digest error"),
    (443, "", "path /none", "HTTP status code error"),
    (443, "", "path /none\n status_code 200-204 400-404", ""),
    (443, "", "path /moved\n status_code 301-303", ""),
    (
        443,
        "virtualhost www.test\n ssl_ca_file AT/ca.pem",
        "path /host\n regex \"^OF www\\.test over HTTP/1\\.0\"\n regex_options caseless",
        "",
    ),
    (443, "http_protocol 1.1", "path /host\n virtualhost a.test\n regex \"a\\.test over HTTP/1\\.1\"", ""),
    (443, "", "path /host\n regex \"over\"\n regex_no_match", "Regex match failed server"),
    (443, "", "path /host\n regex \"over\"\n regex_min_offset 40", "Regex match failed server"),
    // Without a name it is the address that must be the certificate's.
    (443, "ssl_verify yes\n ssl_ca_file AT/ca.pem", "path /", ""),
    (443, "virtualhost wrong.test\n ssl_ca_file AT/ca.pem", "path /", "not valid for name"),
    (443, "virtualhost www.test\n ssl_ca_file AT/stranger.pem", "path /", "UnknownIssuer"),
    (444, "tls_compliant", "path /\n digest HELLO", ""),
    (445, "", "path /", "No TLS with server"),
    (445, "enable_sni\n virtualhost other.test", "path /\n digest HELLO", ""),
    (445, "sni_name other.test\n virtualhost www.test", "path /host\n regex \"of www.test\"", ""),
    (445, "sni_name other.test\n virtualhost other.test\n ssl_ca_file AT/ca.pem", "path /", ""),
];

fn config(directory: &Directory, key: &str) -> String {
    let at = directory.path().display().to_string();
    let mut text = format!(
        "global_defs {{\n checker_log_all_failures yes\n}}\nSSL {{\n password secret\n ca {at}/ca.pem\n certificate {at}/client.pem\n key {at}/{key}\n}}\n"
    );
    for (n, (port, more, url, _)) in CASES.iter().enumerate() {
        text += &format!(
            "virtual_server 192.168.154.188 {} {{\n delay_loop 1\n warmup 0\n protocol TCP\n real_server 127.0.0.1 {port} {{\n \
             SSL_GET {{\n connect_timeout 5\n retry 0\n {more}\n url {{\n {url}\n }}\n }}\n }}\n}}\n",
            n + 1
        );
    }
    text.replace("AT", &at).replace("HELLO", HELLO)
}

#[test]
fn ssl_get_asks_nginx() -> Outcome {
    let (_lan, host) = host()?;
    let directory = Directory::new()?;
    certificates(&directory)?;
    let _nginx = Nginx::start(&host, &directory)?;
    let mut daemon = Daemon::start_apart(&host, &config(&directory, "sealed.key"), &[])?;
    let removed =
        |n: usize| format!("Removing service [127.0.0.1]:tcp:{} from VS [192.168.154.188]:tcp:{}\n", CASES[n].0, n + 1);
    for (n, (.., said)) in CASES.iter().enumerate().filter(|(_, (.., said))| !said.is_empty()) {
        daemon.wait_log(&removed(n), SOON)?;
        daemon.wait_log(said, SOON)?;
    }
    std::thread::sleep(Duration::from_secs(3));
    let log = daemon.log();
    for (n, case) in CASES.iter().enumerate().filter(|(_, (.., said))| said.is_empty()) {
        assert!(!log.contains(&removed(n)), "{case:?} fails: {log}");
    }
    // Who is trusted is asked for by some; of the others it is said once that they take anybody.
    assert_eq!(log.matches("SSL_GET takes any certificate").count(), 1, "{log}");
    daemon.signal(nix::sys::signal::SIGUSR1);
    let dump = daemon.directory().join("run/keepalived_check.data");
    wait_until("the dump says when certificates end", SOON, || {
        let text = fs::read_to_string(&dump).unwrap_or_default();
        Ok(text.contains("days left = 29") || text.contains("days left = 30"))
    })
    .map_err(|failure| tests::pair::with_log(&failure, &daemon))?;
    assert!(daemon.terminate()?.success());
    Ok(())
}

/// A key whose password is another one is told about before anything runs with it.
#[test]
fn a_key_that_does_not_open_is_told_about() -> Outcome {
    let directory = Directory::new()?;
    certificates(&directory)?;
    for (from, to, said) in [
        ("password secret", "password wrong", "the key does not open"),
        ("password secret", "", "the key is under a password"),
        ("", "", ""),
    ] {
        let text = config(&directory, "sealed.key").replace(from, to);
        let path = directory.write("ssl.conf", &text)?;
        let tested = Command::new(Program::Holdfast.executable()?).arg("-t").arg("-f").arg(&path).output()?;
        let told = String::from_utf8_lossy(&tested.stderr).into_owned();
        assert_eq!(tested.status.success(), said.is_empty(), "{told}");
        assert!(told.contains(said) && (said.is_empty() || told.contains("sealed.key")), "{told}");
    }
    Ok(())
}
