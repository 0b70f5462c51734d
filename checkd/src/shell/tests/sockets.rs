//! What servers see of a probe.

use super::bench::{Bench, config, down, http, in_namespace, tcp};
use super::hostile::{request, server, server_on};
use core::net::SocketAddr;
use core::time::Duration;
use std::io::{Read, Write};
use std::sync::mpsc;

/// The connection of a TCP_CHECK is closed at once, with FIN and not with RST.
#[test]
fn tcp_check_says_goodbye() {
    in_namespace(|| {
        let (tell, told) = mpsc::channel();
        let address = server(move |mut stream| {
            let begun = std::time::Instant::now();
            let end = stream.read(&mut [0u8; 9]).map_err(|e| e.kind());
            let _ = tell.send((end, begun.elapsed()));
        });
        let mut bench = Bench::new(config(vec![tcp(address)]), 10);
        bench.run(Duration::from_millis(2_100));
        let seen: Vec<_> = told.try_iter().collect();
        assert!((5..=6).contains(&seen.len()), "{seen:?}");
        assert!(seen.iter().all(|(end, after)| *end == Ok(0) && *after < Duration::from_millis(100)), "{seen:?}");
        assert!(bench.said("TCP connection to [10.0.0.0]:tcp:0 success."));
    });
}

/// `bindto` and `bind_port`: the same port for every probe, also right after the last.
#[test]
fn the_address_to_bind_to() {
    in_namespace(|| {
        let (tell, told) = mpsc::channel();
        let tell_tcp = tell.clone();
        let tcp_address = server(move |stream| {
            // With a port of its own the probe resets the connection, which may be over before it is looked at.
            if let Ok(peer) = stream.peer_addr() {
                let _ = tell_tcp.send(peer);
            }
        });
        let http_address = server(move |mut stream| {
            request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            let _ = tell.send(stream.peer_addr().unwrap());
        });
        let mut checkers = vec![tcp(tcp_address), tcp(tcp_address), http(http_address, None)];
        for (checker, bind) in checkers.iter_mut().zip(["127.0.0.7:0", "127.0.0.8:4444", "127.0.0.9:5555"]) {
            checker.bind = Some(bind.parse().unwrap());
            checker.delay_loop = Duration::from_millis(50);
        }
        let config = config(checkers);
        let mut bench = Bench::new(config.clone(), 10);
        bench.run(Duration::from_millis(1_600));
        let seen: Vec<SocketAddr> = told.try_iter().collect();
        let count = |address: &str| seen.iter().filter(|a| **a == address.parse().unwrap()).count();
        assert!(seen.iter().filter(|a| a.ip().to_string() == "127.0.0.7").count() >= 4, "{seen:?}");
        assert!(count("127.0.0.8:4444") >= 1, "{seen:?}");
        assert!(count("127.0.0.9:5555") >= 4, "{seen:?}");
        assert_eq!(down(&bench, &config), []);
        assert!(!bench.lines.iter().any(|(_, l)| l.contains("cannot") || l.contains("failed")), "{:#?}", bench.lines);
    });
}

#[test]
fn an_address_that_is_not_here_says_nothing_of_the_server() {
    in_namespace(|| {
        let mut checker = tcp(server(|_| {}));
        checker.bind = Some("203.0.113.7:0".parse().unwrap());
        let mut bench = Bench::new(config(vec![checker]), 10);
        bench.run(Duration::from_millis(1_300));
        assert!(bench.serves(0));
        let (_, line) = bench.lines.last().unwrap();
        assert!(line.starts_with("test.conf:7: cannot connect to 127.0.0.1:"), "{line}");
        assert!(line.contains("cannot bind to 203.0.113.7:0: Cannot assign requested address"), "{line}");
    });
}

#[test]
fn ipv6_with_its_host_field() {
    in_namespace(|| {
        let (tell, told) = mpsc::channel();
        let address = server_on("[::1]:0", move |mut stream| {
            let _ = tell.send(request(&mut stream));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        });
        let mut bench = Bench::new(config(vec![http(address, None)]), 10);
        assert!(
            bench.run_until(Duration::from_secs(5), |b| b
                .said("Remote Web server [10.0.0.0]:tcp:0 succeed on service."))
        );
        let expected =
            format!("GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: [::1]:{}\r\n\r\n", address.port());
        assert_eq!(told.recv().unwrap(), expected);
    });
}

/// A header and a body that come in many pieces.
#[test]
fn a_slow_server_is_well() {
    in_namespace(|| {
        let address = server(|mut stream| {
            request(&mut stream);
            stream.set_nodelay(true).unwrap();
            for piece in b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n".chunks(7) {
                let _ = stream.write_all(piece);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let digest = Some(0xb194_6ac9_2492_d234_7c62_35b4_d261_1184_u128.to_be_bytes());
        let mut bench = Bench::new(config(vec![http(address, digest)]), 10);
        assert!(
            bench.run_until(Duration::from_secs(5), |b| b
                .said("Remote Web server [10.0.0.0]:tcp:0 succeed on service."))
        );
        assert!(bench.serves(0));
    });
}
