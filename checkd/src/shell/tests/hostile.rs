//! Servers that want to do harm: every probe ends in a verdict, in bounded time and memory, and the others go on.

use super::bench::{Bench, asking, config, http, in_namespace, tcp};
use core::net::SocketAddr;
use core::time::Duration;
use ipc::config::check::{Checker, CheckerKind};
use ipc::config::vrrp::Switch;
use socket2::Socket;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Serves each connection on a thread of its own, for as long as the test runs.
pub fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    server_on("127.0.0.1:0", serve)
}

/// The same at an address.
pub fn server_on(address: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Reads the request.
pub fn request(stream: &mut TcpStream) -> String {
    let (mut text, mut byte) = (Vec::new(), [0u8]);
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        text.extend_from_slice(&byte);
    }
    String::from_utf8(text).unwrap()
}

/// Reads the request, then writes this for ever.
fn flood(first: &'static [u8], then: &'static [u8], pause: Duration) -> SocketAddr {
    server(move |mut stream| {
        request(&mut stream);
        let mut alive = stream.write_all(first).is_ok();
        while alive {
            alive = stream.write_all(then).is_ok();
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
        }
    })
}

fn says(bytes: &'static [u8]) -> SocketAddr {
    server(move |mut stream| {
        request(&mut stream);
        let _ = stream.write_all(bytes);
    })
}

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
const ZEROS: &[u8] = &[0; 64 * 1024];

/// Kilobytes of this process that are in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4
}

#[test]
fn hostile_servers_end_in_a_verdict() {
    in_namespace(|| {
        let reset = server(|mut stream| {
            request(&mut stream);
            Socket::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
        });
        // A listener that does not accept: its queue of one is filled, further connections get no answer.
        let full = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        full.listen(0).unwrap();
        let full_address = full.local_addr().unwrap().as_socket().unwrap();
        let _fills = TcpStream::connect(full_address).unwrap();

        let long = |mut checker: Checker| {
            checker.timeout = Duration::from_secs(2);
            checker
        };
        let ns = Duration::from_nanos(0);
        let cases: Vec<(Checker, Option<&str>)> = vec![
            (http(says(GOOD), None), None),
            (
                http(flood(b"HTTP/1.1 200 OK\r\n", b"X-Endless: header\r\n", ns), None),
                Some("Header of server [10.0.0.1]:tcp:0 is too long."),
            ),
            (
                http(flood(b"H", b"H", Duration::from_millis(50)), None),
                Some("Answer of server [10.0.0.2]:tcp:0 takes too long."),
            ),
            (http(reset, None), Some("Read error with server [10.0.0.3]:tcp:0.")),
            (http(says(b"\x00\xffno http\r\n\r\n"), None), Some("HTTP status code error to server [10.0.0.4]:tcp:0.")),
            (
                http(
                    server(|mut s| drop(s.read(&mut [0u8; 999]).map(|_| std::thread::sleep(Duration::from_secs(9))))),
                    None,
                ),
                Some("Timeout WEB read server [10.0.0.5]:tcp:0."),
            ),
            (http(says(b""), None), Some("Read, no data received from  server [10.0.0.6]:tcp:0.")),
            (
                http(says(b"HTTP/1.1 200 OK\r\nContent-"), None),
                Some("Read, no data received from  server [10.0.0.7]:tcp:0."),
            ),
            (http(full_address, None), Some("Timeout connecting server [10.0.0.8]:tcp:0.")),
            (tcp(full_address), Some("TCP connection to [10.0.0.9]:tcp:0 timeout.")),
            (tcp("127.0.0.1:1".parse().unwrap()), Some("TCP connection to [10.0.0.10]:tcp:0 failed.")),
            (tcp("192.0.2.1:80".parse().unwrap()), Some("TCP connection to [10.0.0.11]:tcp:0 failed.")),
            (http(says(b"HTTP/1.1 503 No\r\n\r\n"), None), Some("HTTP status code error to server [10.0.0.12]:tcp:0.")),
            (
                long(http(flood(b"HTTP/1.1 200 OK\r\n\r\n", ZEROS, ns), Some([0; 16]))),
                Some("Page of server [10.0.0.13]:tcp:0 is too long."),
            ),
            (
                long(http(flood(b"HTTP/1.1 200 OK\r\n\r\n", ZEROS, ns), None)),
                Some("Page of server [10.0.0.14]:tcp:0 is too long."),
            ),
        ];
        let (checkers, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
        let before = resident();
        let mut bench = Bench::new(config(checkers), 100);
        let all = |bench: &Bench| expected.iter().flatten().all(|line| bench.said(line));
        let done = bench.run_until(Duration::from_secs(40), all);
        for (n, line) in expected.iter().enumerate() {
            assert!(line.is_none_or(|line| bench.said(line)), "not said: {line:?}\n{:#?}", bench.lines);
            assert_eq!(bench.serves(n as u32), line.is_none(), "server {n}");
        }
        assert!(done, "{:#?}", bench.lines);
        // The listener's queues, the threads and the buffers included.
        assert!(resident() < before + 64 * 1024, "{before} kB grew to {} kB", resident());
        // The healthy one was never thought ill.
        assert!(
            !bench.lines.iter().any(|(_, l)| l.contains("[10.0.0.0]:tcp:0") && l.contains("failed")),
            "{:#?}",
            bench.lines
        );
    });
}

/// A server that holds every connection sees no more of them than the limit.
#[test]
fn connections_are_bounded() {
    in_namespace(|| {
        static NOW: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        static ALL: AtomicUsize = AtomicUsize::new(0);
        let address = server(|mut stream| {
            ALL.fetch_add(1, Ordering::SeqCst);
            MOST.fetch_max(NOW.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // Until the client gives up.
            while stream.read(&mut [0u8; 999]).is_ok_and(|n| n > 0) {}
            NOW.fetch_sub(1, Ordering::SeqCst);
        });
        let mut config = config((0..40).map(|_| http(address, None)).collect());
        config.separate = Switch::On;
        let mut bench = Bench::new(config, 5);
        let done = bench.run_until(Duration::from_secs(20), |bench| (0..40).all(|n| !bench.serves(n)));
        assert!(done, "{} connections", ALL.load(Ordering::SeqCst));
        // One may have been given up here and not yet been noticed there.
        assert!(MOST.load(Ordering::SeqCst) <= 5 + 5, "{} at a time", MOST.load(Ordering::SeqCst));
    });
}

/// Mail servers that talk without end, byte by byte or nonsense; web servers with a status line of 10 MB, with chunks that lie, with a
/// gigabyte behind TLS that is none. Each is down in its time, the healthy one is asked on time, and memory is bounded.
#[test]
fn hostile_servers_of_other_kinds() {
    in_namespace(|| {
        let smtp = |target| asking(target, CheckerKind::Smtp { helo: "me".into() });
        let tls = |target| {
            let CheckerKind::Http(page) = http(target, None).kind.clone() else { panic!() };
            asking(target, CheckerKind::Ssl(page, Box::default()))
        };
        let endless = |line: &'static [u8], pause| {
            server(move |mut stream| {
                while stream.write_all(line).is_ok() {
                    std::thread::sleep(pause);
                }
            })
        };
        let (quick, slow) = (Duration::ZERO, Duration::from_millis(50));
        let healthy = http(says(GOOD), None);
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx\r\n-1\r\n";
        let checkers = vec![
            healthy,
            smtp(endless(b"220-hello\r\n", quick)),
            smtp(endless(b"2", slow)),
            smtp(endless(ZEROS, quick)),
            http(flood(b"HTTP/1.1 2", &[b'0'; 4096], quick), None),
            http(says(chunks), Some([1; 16])),
            tls(endless(ZEROS, quick)),
            tls(endless(&[0x16, 3, 3, 0x40, 0], slow)),
            tls(endless(b"\x16", slow)),
        ];
        let count = checkers.len() as u32;
        let before = resident();
        let mut bench = Bench::new(config(checkers), 100);
        let begun = std::time::Instant::now();
        let done = bench.run_until(Duration::from_secs(20), |bench| (1..count).all(|n| !bench.serves(n)));
        let down: Vec<u32> = (1..count).filter(|n| !bench.serves(*n)).collect();
        assert!(done, "{down:?} of {count} are down: {:#?}", bench.lines);
        // 1 s, then ten steps of 300 ms at the most.
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
        bench.run(Duration::from_secs(2));
        assert!(bench.serves(0));
        assert!(resident() < before + 64 * 1024, "{before} kB grew to {} kB", resident());
    });
}
