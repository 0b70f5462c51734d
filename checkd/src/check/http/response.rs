//! What is answered.

use crate::check::pattern::{PAGE_LIMIT, Pattern};
use crate::check::{Fault, Verdict};
use alloc::vec::Vec;
use httparse::{EMPTY_HEADER, Status};
use ipc::config::check::Url;
use md5::{Digest, Md5};

/// Longest header in bytes, the status line and the empty line included.
pub const HEAD_LIMIT: usize = 16 * 1024;

/// Most header fields that are read; a header with more has no `Content-Length`.
const HEADERS_LIMIT: usize = 128;

/// Most bytes of a body that are read; one that is as long is no right answer. COMPAT: keepalived 2.2.7 reads a page without end without
/// end, as long as something comes within `connect_timeout`.
pub const BODY_LIMIT: u64 = 64 * 1024 * 1024;

/// An answer that is being read. Holds at most [`HEAD_LIMIT`] bytes, and [`PAGE_LIMIT`] where a pattern is to be matched.
#[derive(Clone, Debug, Default)]
pub struct Response {
    state: State,
    page: Option<Vec<u8>>,
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
    /// What a pattern is to be matched against.
    page: Option<Vec<u8>>,
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

impl Default for State {
    fn default() -> Self {
        State::Head(Vec::new())
    }
}

impl Response {
    /// Before anything has come; `keeps`: the page will be wanted as a whole.
    pub fn new(keeps: bool) -> Response {
        Response { state: State::default(), page: keeps.then(Vec::new) }
    }

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
                        body.page = self.page.take();
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

    /// Whether anything has come.
    pub fn has_begun(&self) -> bool {
        !matches!(&self.state, State::Head(head) if head.is_empty())
    }

    /// The digest of the body so far, as `digest` is compared with; `None` without a whole header.
    pub fn digest(self) -> Option<[u8; 16]> {
        match self.state {
            State::Body(body) => Some(body.digest.finalize().into()),
            State::Head(_) | State::Over(_) => None,
        }
    }

    /// The server has closed, or enough is known.
    pub fn end(self, url: &Url, pattern: Option<&Pattern>) -> Answer {
        match self.state {
            State::Head(_) => Answer { verdict: Verdict::Fail(Fault::NoAnswer), mismatch: None },
            State::Over(fault) => Answer { verdict: Verdict::Fail(fault), mismatch: None },
            State::Body(body) => body.end(url, pattern),
        }
    }
}

impl Body {
    fn feed(&mut self, bytes: &[u8]) -> Progress {
        let left = self.declared.unwrap_or(u64::MAX).saturating_sub(self.received);
        let within = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let bytes_within = bytes.get(..within).unwrap_or_default();
        self.digest.update(bytes_within);
        if let Some(page) = &mut self.page {
            let room = PAGE_LIMIT.saturating_sub(page.len()).min(within);
            page.extend_from_slice(bytes_within.get(..room).unwrap_or_default());
        }
        self.received = self.received.saturating_add(bytes.len() as u64);
        if self.received >= BODY_LIMIT { Progress::Enough } else { Progress::More }
    }

    fn end(self, url: &Url, pattern: Option<&Pattern>) -> Answer {
        let Body { status, declared, received, digest, page } = self;
        let mismatch = declared.filter(|d| *d != received).map(|declared| Lengths { declared, received });
        let accepted = url.status.iter().any(|(low, high)| (*low..=*high).contains(&status));
        let verdict = if !accepted {
            Verdict::Fail(Fault::Status(status))
        } else if received >= BODY_LIMIT {
            Verdict::Fail(Fault::BodyTooLong)
        } else if url.digest.is_some_and(|wanted| digest.finalize().as_slice() != wanted.as_slice()) {
            Verdict::Fail(Fault::Digest)
        } else if pattern.is_some_and(|pattern| !pattern.accepts(&page.unwrap_or_default())) {
            Verdict::Fail(Fault::Regex)
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

/// Reads a header, its empty line included. The status decides; of the fields only `Content-Length` matters, and fields that
/// cannot be read say nothing. COMPAT: keepalived 2.2.7 looks for three digits between spaces, whatever the version before them
/// (`HTTP/2.0`, Shoutcast's `ICY`); that the space after them may be missing, or stand twice before them, is ours.
fn parse(head: &[u8]) -> Result<Body, Fault> {
    let line = head.split_inclusive(|b| *b == b'\n').next().unwrap_or_default();
    let status = status(line).ok_or(Fault::Malformed)?;
    let mut fields = [EMPTY_HEADER; HEADERS_LIMIT];
    let declared = match httparse::parse_headers(head.get(line.len()..).unwrap_or_default(), &mut fields) {
        Ok(Status::Complete((_, fields))) => content_length(fields),
        Ok(Status::Partial) | Err(_) => None,
    };
    Ok(Body { status, declared, received: 0, digest: Md5::new(), page: None })
}

fn status(line: &[u8]) -> Option<u16> {
    let mut words = line.trim_ascii_end().split(|b| *b == b' ');
    words.next().filter(|version| !version.is_empty())?;
    match words.find(|word| !word.is_empty())? {
        code @ [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] => core::str::from_utf8(code).ok()?.parse().ok(),
        _ => None,
    }
}

/// COMPAT: keepalived 2.2.7 takes the first of several.
fn content_length(fields: &[httparse::Header]) -> Option<u64> {
    let first = fields.iter().find(|f| f.name.eq_ignore_ascii_case("content-length"))?;
    core::str::from_utf8(first.value).ok()?.trim().parse().ok()
}
