//! genhash: asks a web server for a page and prints the digest that an HTTP_GET or SSL_GET of that page compares with `digest`. It is
//! computed by the same code. COMPAT: keepalived's genhash(1), its options and its output; that it fails with exit code 1 is ours.

#[path = "../shell/tls.rs"]
mod tls;

use checkd::check::http::{BODY_LIMIT, Progress, Response, request};
use ipc::config::check::{CheckConfig, Checker, CheckerKind, How, Http, HttpProtocol, Url};
use ipc::config::probe::Tls;
use ipc::config::vrrp::Switch;
use ipc::config::{Origin, RealIdx};
use rustls::StreamOwned;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

const HELP: &str = "Usage: genhash COMMAND [OPTIONS]
Commands:
   -s server-address -p port -u url
   -S -s server-address -p port -u url
   -h

Options:
Either long or short options are allowed.
   --use-ssl         -S       Ask over TLS.
   --use-sni         -I       Name the virtual host in the handshake of TLS (see -V).
   --server          -s       Address of the server.
   --port            -p       Port of the server, default 80, or 443 with -S.
   --url             -u       What is asked for, default /.
   --use-virtualhost -V       Host field of the request.
   --verbose         -v       Print the header, too.
   --help            -h       Print this.
   --fwmark          -m       Mark of the packets.
   --protocol        -P       HTTP protocol: 1.0, 1.0c or 1.1.
                                1.0c means 1.0 with 'Connection: close'
   --timeout         -t       Seconds for the connection and for each read, default 5.
";

/// What is asked for.
struct Wanted {
    server: Option<IpAddr>,
    port: Option<NonZeroU16>,
    url: Url,
    protocol: HttpProtocol,
    tls: Option<Tls>,
    mark: u32,
    timeout: Duration,
    verbose: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let wanted = match read(&arguments) {
        Ok(Some(wanted)) => wanted,
        Ok(None) => {
            let _ = std::io::stdout().write_all(HELP.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(why) => return fail(&format!("{why}\n{HELP}")),
    };
    match run(&wanted) {
        Ok(text) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(why) => fail(&format!("{why}\n")),
    }
}

fn fail(why: &str) -> ExitCode {
    let _ = std::io::stderr().write_all(why.as_bytes());
    ExitCode::FAILURE
}

/// Reads the command line; `None` where only help is wanted.
fn read(arguments: &[String]) -> Result<Option<Wanted>, String> {
    let url = Url { path: "/".into(), host: None, digest: None, status: Vec::new(), regex: None };
    let (mut ssl, mut sni) = (false, false);
    let mut wanted = Wanted {
        server: None,
        port: None,
        url,
        protocol: HttpProtocol::V10,
        tls: None,
        mark: 0,
        timeout: Duration::from_secs(5),
        verbose: false,
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let (option, glued) = split(word);
        let mut value =
            || glued.clone().or_else(|| words.next().cloned()).ok_or_else(|| format!("{option} needs a value"));
        match option.as_str() {
            "-S" | "--use-ssl" => ssl = true,
            "-I" | "--use-sni" => sni = true,
            "-v" | "--verbose" => wanted.verbose = true,
            "-h" | "--help" => return Ok(None),
            "-s" | "--server" => wanted.server = Some(number(&value()?, "an address")?),
            "-p" | "--port" => wanted.port = Some(number(&value()?, "a port")?),
            "-u" | "--url" => wanted.url.path = value()?,
            "-V" | "--use-virtualhost" => wanted.url.host = Some(value()?),
            "-m" | "--fwmark" => wanted.mark = number(&value()?, "a mark")?,
            "-t" | "--timeout" => wanted.timeout = Duration::from_secs(number::<u64>(&value()?, "seconds")?.max(1)),
            "-P" | "--protocol" => {
                wanted.protocol = match value()?.as_str() {
                    "1.0" => HttpProtocol::V10,
                    "1.0c" | "1.0C" => HttpProtocol::V10Close,
                    "1.1" => HttpProtocol::V11,
                    other => return Err(format!("{other} is no protocol: 1.0, 1.0c or 1.1")),
                }
            }
            other => return Err(format!("{other} is no option")),
        }
    }
    if wanted.server.is_none() {
        return Err("-s names the server".into());
    }
    if ssl {
        let sni = if sni { Switch::On } else { Switch::Off };
        wanted.tls = Some(Tls { sni, ..Tls::default() });
    }
    Ok(Some(wanted))
}

/// `--url=/a` and `-u/a` are an option with its value.
fn split(word: &str) -> (String, Option<String>) {
    if word.starts_with("--") {
        return match word.split_once('=') {
            Some((option, value)) => (option.into(), Some(value.into())),
            None => (word.into(), None),
        };
    }
    match word.split_at_checked(2) {
        Some((option, value)) if option.starts_with('-') && !value.is_empty() => (option.into(), Some(value.into())),
        _ => (word.into(), None),
    }
}

fn number<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not {what}"))
}

fn run(wanted: &Wanted) -> Result<String, String> {
    let Some(server) = wanted.server else { return Err("-s names the server".into()) };
    let port = wanted.port.map_or(if wanted.tls.is_some() { 443 } else { 80 }, NonZeroU16::get);
    let target = SocketAddr::new(server, port);
    let begun = Instant::now();
    let socket = connect(target, wanted)?;
    let said = request(wanted.protocol, &wanted.url, target);
    let mut ends = None;
    let (response, header) = match &wanted.tls {
        None => converse(socket, &said)?,
        Some(tls) => {
            let (contexts, _) = tls::Contexts::new(&config(target, tls));
            let session = contexts.connect(tls, wanted.url.host.as_deref(), server)?;
            let mut stream = StreamOwned::new(session, socket);
            let answer = converse(&mut stream, &said)?;
            ends = tls::certificate_ends(&stream.conn);
            answer
        }
    };
    let digest = response.digest().ok_or("no data received from remote webserver")?;
    let mut text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push('\n');
    if wanted.verbose {
        let took = begun.elapsed().as_micros();
        let header = String::from_utf8_lossy(&header).into_owned();
        if let Some(ends) = ends {
            text.push_str(&format!("certificate ends = {ends} (seconds since 1970)\n"));
        }
        text = format!("{header}{text}Global response time for [{}] = {took} usecs\n", wanted.url.path);
    }
    Ok(text)
}

fn connect(target: SocketAddr, wanted: &Wanted) -> Result<Socket, String> {
    let make = || -> std::io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
        if wanted.mark != 0 {
            socket.set_mark(wanted.mark)?;
        }
        socket.connect_timeout(&target.into(), wanted.timeout)?;
        socket.set_read_timeout(Some(wanted.timeout))?;
        socket.set_write_timeout(Some(wanted.timeout))?;
        Ok(socket)
    };
    make().map_err(|e| format!("Connection failed: {target}: {e}"))
}

/// Says the request and reads to the end; gives the answer and its header.
fn converse(mut stream: impl Read + Write, said: &[u8]) -> Result<(Response, Vec<u8>), String> {
    stream
        .write_all(said)
        .and_then(|()| stream.flush())
        .map_err(|e| format!("cannot send the request: {}", why(&e)))?;
    let (mut response, mut header) = (Response::default(), Vec::new());
    let mut buffer = [0; 16 * 1024];
    loop {
        let n = match stream.read(&mut buffer) {
            Ok(n) => n,
            // The end without the goodbye of TLS.
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => 0,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(format!("the answer cannot be read: {}", why(&e))),
        };
        let bytes = buffer.get(..n).unwrap_or_default();
        if !header.windows(4).any(|end| end == b"\r\n\r\n") {
            header.extend_from_slice(bytes);
        }
        if n > 0 && response.feed(bytes) == Progress::Enough {
            return Err(format!("the page is longer than {BODY_LIMIT} bytes; HTTP_GET takes none that long"));
        }
        if n == 0 {
            let end = header.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |at| at.saturating_add(4));
            header.truncate(end);
            return Ok((response, header));
        }
    }
}

fn why(error: &std::io::Error) -> String {
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    of_tls.map_or_else(|| error.to_string(), tls::explain)
}

/// The configuration that this page would have.
fn config(target: SocketAddr, tls: &Tls) -> CheckConfig {
    let http = Http { protocol: HttpProtocol::V10, urls: Vec::new(), fast_recovery: Switch::Off };
    let checker = Checker {
        real: RealIdx(0),
        target,
        how: Arc::new(How {
            bind: None,
            bind_if: None,
            fwmark: 0,
            marked: None,
            timeout: Duration::ZERO,
            delay_loop: Duration::ZERO,
            retry: 0,
            delay_before_retry: Duration::ZERO,
            warmup: Duration::ZERO,
            log_all_failures: Switch::Off,
            alpha: Switch::Off,
            kind: CheckerKind::Ssl(Box::new(http), Box::new(tls.clone())),
        }),
        origin: Origin::default(),
    };
    CheckConfig { checkers: [checker].into_iter().collect(), ..CheckConfig::default() }
}
