//! Whatever servers answer: every decoder ends, holds no more than it says, and gives the same verdict however the bytes are cut. Runs as
//! an ordinary test for a while; `cargo bolero test -p checkd --test fuzz_answers NAME` searches on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends at what it did not expect")]

use checkd::alert::Letter;
use checkd::alert::delivery::{self, Delivery};
use checkd::check::http::{Progress, Response};
use checkd::check::ping::Echo;
use checkd::check::{Next, cert, dns, smtp, udp};
use ipc::config::check::Url;
use ipc::config::probe::{Reply, Udp};
use std::time::Duration;

const TIME: Duration = Duration::from_millis(700);

/// Two pieces; the first byte says where they are cut.
fn cut(bytes: &[u8]) -> (&[u8], [&[u8]; 2]) {
    let (at, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let at = usize::from(*at).min(rest.len());
    (rest, [&rest[..at], &rest[at..]])
}

#[test]
fn http() {
    let url = Url { path: "/".into(), host: None, digest: Some([0; 16]), status: vec![(200, 299)], regex: None };
    let verdict = |pieces: &[&[u8]]| {
        let mut response = Response::new(true);
        for piece in pieces {
            if response.feed(piece) == Progress::Enough {
                break;
            }
        }
        response.end(&url, None)
    };
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let (whole, pieces) = cut(bytes);
        assert_eq!(verdict(&[whole]), verdict(&pieces));
        let headed = [b"HTTP/1.1 200 OK\r\nContent-Length: ", whole].concat();
        let (first, second) = headed.split_at(headed.len() / 2);
        assert_eq!(verdict(&[&headed]), verdict(&[first, second]));
    });
}

#[test]
fn smtp_of_the_check() {
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let mut dialogue = smtp::Dialogue::default();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if let Next::Over(_) = dialogue.feed("me", line) {
                return;
            }
        }
    });
}

#[test]
fn smtp_of_a_mail() {
    let letter = Letter {
        from: "me@x.y".into(),
        to: vec!["a@x.y".into(), "b@x.y".into()],
        subject: String::new(),
        body: String::new(),
    };
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let mut delivery = Delivery::new("me", &letter, b"x\r\n");
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if matches!(delivery.feed(line), delivery::Next::Delivered(_) | delivery::Next::Lost(_)) {
                return;
            }
        }
    });
}

#[test]
fn datagrams_and_certificates() {
    let target = "192.0.2.1:0".parse().unwrap();
    let like = Reply::Like { bytes: vec![1, 2, 3], mask: vec![0xff, 0xf0, 0] };
    let udp = Udp { payload: Vec::new(), reply: like, min_length: 1, max_length: 9 };
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let _ = dns::answer(7, bytes);
        let _ = udp::answer(&udp, bytes);
        let _ = cert::not_after(bytes);
        assert!(!Echo::new(1).is_answered_by(target, bytes) || bytes.len() == 16);
    });
}
