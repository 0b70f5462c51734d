//! What is answered.

use crate::check::{Fault, Verdict};
use alloc::vec::Vec;
use httparse::{EMPTY_HEADER, ParserConfig, Status};
use ipc::config::check::Url;
use md5::{Digest, Md5};

/// Longest header in bytes, the status line and the empty line included.
pub const HEAD_LIMIT: usize = 16 * 1024;

/// Most header fields.
pub const HEADERS_LIMIT: usize = 128;

/// Most bytes of a body that are read; the verdict is then given on what has come.
pub const BODY_LIMIT: u64 = 64 * 1024 * 1024;

/// An answer that is being read. Holds at most [`HEAD_LIMIT`] bytes.
#[derive(Clone, Debug)]
pub struct Response {
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Head(Vec<u8>),
    Body(Body),
    Over(Fault),
}

#[derive(Clone, Debug)]
struct Body {
    status: u16,
    declared: Option<u64>,
    received: u64,
    digest: Md5,
}

/// Whether more is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Read on.
    More,
    /// Nothing that may come changes the verdict: [`Response::end`].
    Enough,
}

/// A body that is not as long as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// `Content-Length`
    pub declared: u64,
    /// Bytes that came.
    pub received: u64,
}

/// An answer that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it says of the server.
    pub verdict: Verdict,
    /// Worth a note, whatever the verdict.
    pub mismatch: Option<Lengths>,
}

impl Default for Response {
    fn default() -> Self {
        Response { state: State::Head(Vec::new()) }
    }
}

impl Response {
    /// Takes bytes as they come.
    pub fn feed(&mut self, bytes: &[u8]) -> Progress {
        match &mut self.state {
            State::Head(head) => {
                // Only what is new can complete the end of the header, up to three bytes of which have come before.
                let from = head.len().saturating_sub(3);
                let room = HEAD_LIMIT.saturating_sub(head.len());
                let (taken, beyond) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
                head.extend_from_slice(taken);
                let Some(end) = end_of_head(head, from) else {
                    if head.len() < HEAD_LIMIT {
                        return Progress::More;
                    }
                    self.state = State::Over(Fault::HeadTooLong);
                    return Progress::Enough;
                };
                match parse(head.get(..end).unwrap_or_default()) {
                    Ok(mut body) => {
                        body.feed(head.get(end..).unwrap_or_default());
                        let progress = body.feed(beyond);
                        self.state = State::Body(body);
                        progress
                    }
                    Err(fault) => {
                        self.state = State::Over(fault);
                        Progress::Enough
                    }
                }
            }
            State::Body(body) => body.feed(bytes),
            State::Over(_) => Progress::Enough,
        }
    }

    /// The server has closed, or enough is known.
    pub fn end(self, url: &Url) -> Answer {
        match self.state {
            State::Head(_) => Answer { verdict: Verdict::Fail(Fault::NoAnswer), mismatch: None },
            State::Over(fault) => Answer { verdict: Verdict::Fail(fault), mismatch: None },
            State::Body(body) => body.end(url),
        }
    }
}

impl Body {
    fn feed(&mut self, bytes: &[u8]) -> Progress {
        let left = self.declared.unwrap_or(u64::MAX).saturating_sub(self.received);
        let within = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        self.digest.update(bytes.get(..within).unwrap_or_default());
        self.received = self.received.saturating_add(bytes.len() as u64);
        if self.received >= BODY_LIMIT { Progress::Enough } else { Progress::More }
    }

    fn end(self, url: &Url) -> Answer {
        let Body { status, declared, received, digest } = self;
        let mismatch = declared.filter(|d| *d != received).map(|declared| Lengths { declared, received });
        let accepted = url.status.iter().any(|(low, high)| (*low..=*high).contains(&status));
        let verdict = if !accepted {
            Verdict::Fail(Fault::Status(status))
        } else if url.digest.is_some_and(|wanted| digest.finalize().as_slice() != wanted.as_slice()) {
            Verdict::Fail(Fault::Digest)
        } else {
            Verdict::Pass
        };
        Answer { verdict, mismatch }
    }
}

/// The position behind the empty line that ends the header.
fn end_of_head(head: &[u8], from: usize) -> Option<usize> {
    let at = head.get(from..)?.windows(4).position(|w| w == b"\r\n\r\n")?;
    Some(from.saturating_add(at).saturating_add(4))
}

/// Reads a header, its empty line included. Lenient where keepalived is: fields that are not well-formed are skipped, they decide nothing.
fn parse(head: &[u8]) -> Result<Body, Fault> {
    let mut config = ParserConfig::default();
    config
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .ignore_invalid_headers_in_responses(true);
    let mut fields = [EMPTY_HEADER; HEADERS_LIMIT];
    let mut response = httparse::Response::new(&mut fields);
    match config.parse_response(&mut response, head) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) => return Err(Fault::Malformed),
        Err(httparse::Error::TooManyHeaders) => return Err(Fault::HeadTooLong),
        Err(_) => return Err(Fault::Malformed),
    }
    let status = response.code.ok_or(Fault::Malformed)?;
    // COMPAT: keepalived 2.2.7 takes the first of several.
    let declared = response.headers.iter().find(|f| f.name.eq_ignore_ascii_case("content-length"));
    let declared = declared.and_then(|f| core::str::from_utf8(f.value).ok()?.trim().parse().ok());
    Ok(Body { status, declared, received: 0, digest: Md5::new() })
}
