//! One HTTP request with a limit on how long it may take.

use crate::failure::{Context, Failure, Outcome};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Longest answer that is read, bytes.
const LONGEST: usize = 64 << 10;

/// Fetches `path` over a new connection and returns the body of a 200 answer, blanks trimmed. Made in the calling
/// thread's network namespace; use [`Netns::enter`](crate::netns::Netns::enter).
pub fn get(server: SocketAddr, path: &str, limit: Duration) -> Outcome<String> {
    let until = Instant::now() + limit;
    let stream = TcpStream::connect_timeout(&server, limit).context(|| format!("cannot connect to {server}"))?;
    get_over(stream, server, path, until.saturating_duration_since(Instant::now()))
}

/// [`get`] over a connection that is there.
pub fn get_over(mut stream: TcpStream, server: SocketAddr, path: &str, limit: Duration) -> Outcome<String> {
    let until = Instant::now() + limit;
    let left = || {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(Failure::new(format!("{server} did not answer within {limit:?}"))) } else { Ok(left) }
    };
    stream.set_write_timeout(Some(left()?))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {server}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while answer.len() < LONGEST {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut buffer).context(|| format!("cannot read from {server}"))? {
            0 => break,
            length => answer.extend_from_slice(buffer.get(..length).unwrap_or_default()),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context(|| format!("{server} sent no HTTP answer"))?;
    if head.split_whitespace().nth(1) != Some("200") {
        return Err(Failure::new(format!("{server} answered {}", head.lines().next().unwrap_or_default())));
    }
    Ok(body.trim().to_owned())
}
