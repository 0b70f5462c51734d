use super::{Answer, BODY_LIMIT, HEAD_LIMIT, Lengths, Progress, Response, request};
use crate::check::{Fault, Verdict};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;
use ipc::config::check::{HttpProtocol, Url};
use proptest::prelude::*;

/// MD5 of "hello\n".
const HELLO: [u8; 16] =
    [0xb1, 0x94, 0x6a, 0xc9, 0x24, 0x92, 0xd2, 0x34, 0x7c, 0x62, 0x35, 0xb4, 0xd2, 0x61, 0x11, 0x84];

fn url(path: &str, host: Option<&str>, digest: Option<[u8; 16]>) -> Url {
    Url { path: path.to_string(), host: host.map(String::from), digest, status: alloc::vec![(200, 299)], regex: None }
}

fn answer(bytes: &[u8], digest: Option<[u8; 16]>) -> Answer {
    let mut response = Response::default();
    response.feed(bytes);
    response.end(&url("/", None, digest), None)
}

/// Requests as keepalived 2.2.7 put them on the wire.
#[test]
fn requests_as_keepalived() {
    let v4: SocketAddr = ([127, 0, 0, 2], 8001).into();
    let v6: SocketAddr = "[::1]:8001".parse().unwrap();
    type Row = (HttpProtocol, &'static str, Option<&'static str>, SocketAddr, &'static [u8]);
    let table: [Row; 5] = [
        (
            HttpProtocol::V10,
            "/u1",
            None,
            v4,
            b"GET /u1 HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 127.0.0.2:8001\r\n\r\n",
        ),
        (
            HttpProtocol::V10,
            "/u2",
            Some("www.example.org"),
            v4,
            b"GET /u2 HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: www.example.org\r\n\r\n",
        ),
        (
            HttpProtocol::V11,
            "/f1",
            Some("vs.example.org"),
            v4,
            b"GET /f1 HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: vs.example.org\r\n\r\n",
        ),
        (
            HttpProtocol::V10Close,
            "/g1",
            Some("vs.example.org"),
            v4,
            b"GET /g1 HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: vs.example.org\r\n\r\n",
        ),
        (
            HttpProtocol::V10,
            "/six",
            None,
            v6,
            b"GET /six HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: [::1]:8001\r\n\r\n",
        ),
    ];
    for (protocol, path, host, target, wire) in table {
        let bytes = request(protocol, &url(path, host, None), target);
        assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(wire));
    }
}

/// What servers said to keepalived 2.2.7, and whether it let them serve: without a digest, and with that of "hello\n".
#[test]
fn verdicts_as_keepalived() {
    let table: [(&str, &[u8], bool, bool); 17] = [
        ("ordinary", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n", true, true),
        ("not found", b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nhello\n", false, false),
        ("shorter than said", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello\n", true, true),
        ("longer than said", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhello\n", true, false),
        ("no length", b"HTTP/1.1 200 OK\r\n\r\nhello\n", true, true),
        ("garbage", b"\x00\x01garbage no http\r\n\r\nfoo", false, false),
        ("nothing", b"", false, false),
        ("half a header", b"HTTP/1.1 200 OK\r\nContent-Le", false, false),
        ("bare LF", b"HTTP/1.1 200 OK\nContent-Length: 6\n\nhello\n", false, false),
        ("HTTP/0.9", b"hello world\n", false, false),
        ("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello\n\r\n0\r\n\r\n", true, false),
        ("header in pieces", b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 6\r\n\r\nhello\n", true, true),
        ("no content", b"HTTP/1.1 204 No Content\r\n\r\n", true, false),
        (
            "continue first",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n",
            false,
            false,
        ),
        ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 6\r\n\r\nhello\n", true, false),
        ("length 0", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true, false),
        ("server error", b"HTTP/1.1 503 Service Unavailable\r\n\r\nhello\n", false, false),
    ];
    for (name, bytes, plain, with_digest) in table {
        assert_eq!(answer(bytes, None).verdict == Verdict::Pass, plain, "{name}");
        assert_eq!(answer(bytes, Some(HELLO)).verdict == Verdict::Pass, with_digest, "{name}, digest");
    }
}

#[test]
fn faults_have_names() {
    let table: [(&[u8], Fault); 5] = [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", Fault::Status(404)),
        (b"HTTP/1.1 200 OK\r\n\r\nother", Fault::Digest),
        (b"HTTP/1.1 200 OK\r\nX", Fault::NoAnswer),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Fault::Malformed),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", Fault::Malformed),
    ];
    for (bytes, fault) in table {
        assert_eq!(answer(bytes, Some(HELLO)).verdict, Verdict::Fail(fault));
    }
}

#[test]
fn status_ranges_are_inclusive() {
    let mut url = url("/", None, None);
    url.status = alloc::vec![(200, 204), (404, 404)];
    for (code, ok) in [(199, false), (200, true), (204, true), (205, false), (403, false), (404, true), (405, false)] {
        let mut response = Response::default();
        response.feed(format!("HTTP/1.1 {code} X\r\n\r\n").as_bytes());
        assert_eq!(response.end(&url, None).verdict == Verdict::Pass, ok, "{code}");
    }
}

#[test]
fn a_wrong_length_is_noted() {
    let answer = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhello\n", None);
    assert_eq!(answer.mismatch, Some(Lengths { declared: 3, received: 6 }));
}

/// Fields that are no fields decide nothing, as long as the status line is one.
#[test]
fn careless_headers_pass() {
    let bytes = b"HTTP/1.1 200 OK\r\nServer : x\r\n no name\r\n=?=\x80: y\r\nContent-Length: 6\r\n\r\nhello\n";
    assert_eq!(answer(bytes, Some(HELLO)).verdict, Verdict::Pass);
}

#[test]
fn an_endless_header_ends() {
    let mut response = Response::default();
    response.feed(b"HTTP/1.1 200 OK\r\n");
    let line = b"X-Endless: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
    let fed = (0..10_000).take_while(|_| response.feed(line) == Progress::More).count();
    assert!(fed * line.len() <= HEAD_LIMIT);
    assert_eq!(response.end(&url("/", None, None), None).verdict, Verdict::Fail(Fault::HeadTooLong));
}

/// Heads at the edge of what HTTP allows, and whether keepalived 2.2.7 let their server serve. The last column is ours.
#[test]
fn careless_heads_as_keepalived() {
    let many: String = (0..200).map(|n| format!("X{n}: a\r\n")).collect();
    let many = format!("HTTP/1.1 200 OK\r\n{many}\r\n");
    let table: [(&[u8], bool, bool); 22] = [
        (b"HTTP/2.0 200 OK\r\n\r\n", true, true),
        (b"HTTP/1 200 OK\r\n\r\n", true, true),
        (b"HTTP/1.10 200 OK\r\n\r\n", true, true),
        (b"ICY 200 OK\r\n\r\n", true, true),
        (b"http/1.1 200 OK\r\n\r\n", true, true),
        (b"HTTP/1.1 200 \r\n\r\n", true, true),
        (b"HTTP/1.1 200 S\xc3\xad\r\n\r\n", true, true),
        (b"HTTP/1.1 200 \x01\r\n\r\n", true, true),
        (b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", true, true),
        (b"HTTP/1.1 200 OK\r\nX: \xff\r\n\r\n", true, true),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", true, true),
        (b"HTTP/1.1 200 OK\nX: a\r\n\r\n", true, true),
        (b"HTTP/1.1 200 OK\r\nX: a\n\r\n\r\n", true, true),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", true, true),
        (many.as_bytes(), true, true),
        (b"HTTP/1.1 200\r\n\r\n", false, true),
        (b"HTTP/2 200\r\n\r\n", false, true),
        (b"HTTP/1.1  200 OK\r\n\r\n", false, true),
        (b"HTTP/1.1 0200 OK\r\n\r\n", false, false),
        (b"HTTP/1.1 200OK\r\n\r\n", false, false),
        (b"HTTP/1.1\t200 OK\r\n\r\n", false, false),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", false, false),
    ];
    for (bytes, theirs, ours) in table {
        let head = String::from_utf8_lossy(bytes);
        assert_eq!(answer(bytes, None).verdict == Verdict::Pass, ours, "{head:?}");
        assert!(ours || !theirs, "what serves with keepalived serves with us: {head:?}");
    }
}

#[test]
fn an_endless_body_ends() {
    let mut response = Response::default();
    response.feed(b"HTTP/1.1 200 OK\r\n\r\n");
    let piece = alloc::vec![0u8; 1024 * 1024];
    let fed = (0..1_000).take_while(|_| response.feed(&piece) == Progress::More).count() as u64;
    assert_eq!(fed + 1, BODY_LIMIT / (1024 * 1024));
    assert_eq!(response.end(&url("/", None, None), None).verdict, Verdict::Fail(Fault::BodyTooLong));
}

fn fed_in_pieces(bytes: &[u8], cuts: &[usize]) -> Answer {
    let mut response = Response::default();
    let mut rest = bytes;
    for cut in cuts {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        response.feed(piece);
        rest = after;
    }
    response.feed(rest);
    response.end(&url("/", None, Some(HELLO)), None)
}

proptest! {
    /// However the network cuts an answer, the verdict is the same.
    #[test]
    fn pieces_do_not_matter(cuts in proptest::collection::vec(0usize..20, 0..40), which in 0usize..4) {
        let answers: [&[u8]; 4] = [
            b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 6\r\n\r\nhello\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\n\r\n\r\n",
            b"HTTP/1.0 404 Not Found\r\n\r\nhello\n",
            b"\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello\n",
        ];
        let bytes = answers[which];
        prop_assert_eq!(fed_in_pieces(bytes, &cuts), fed_in_pieces(bytes, &[]));
    }

    /// An answer with bytes changed, cut off or doubled is judged, never a panic, and never passes a digest that it has not.
    #[test]
    fn mutations_are_judged(
        changes in proptest::collection::vec((0usize..80, any::<u8>()), 0..8),
        length in 0usize..80,
        cuts in proptest::collection::vec(0usize..20, 0..8),
    ) {
        let mut bytes: Vec<u8> = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 6\r\n\r\nhello\n".to_vec();
        for (at, byte) in changes {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        bytes.truncate(length);
        let judged = fed_in_pieces(&bytes, &cuts);
        if judged.verdict == Verdict::Pass {
            let said = bytes.windows(6).any(|w| w == b"hello\n");
            prop_assert!(said);
        }
    }

    #[test]
    fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..4096), cuts in proptest::collection::vec(0usize..999, 0..8)) {
        fed_in_pieces(&bytes, &cuts);
    }
}
