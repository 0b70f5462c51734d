//! One probe of one server as a conversation: what is said to it, and when enough is known.

use super::http::{Answer, Lengths, Progress, Response, request};
use super::pattern::Pattern;
use super::ping::Echo;
use super::tcp::{self, Attempt};
use super::{Fault, Verdict, dns, smtp, udp};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::check::{Checker, CheckerKind, Url};

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it says of the server.
    pub verdict: Verdict,
    /// Worth a note, whatever the verdict.
    pub mismatch: Option<Lengths>,
    /// More than the verdict says of a fault.
    pub detail: Option<String>,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        Outcome { verdict, mismatch: None, detail: None }
    }
}

impl From<Answer> for Outcome {
    fn from(Answer { verdict, mismatch }: Answer) -> Self {
        Outcome { verdict, mismatch, detail: None }
    }
}

/// What is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing; the time of the step runs on.
    Wait,
    /// Nothing, but the server has said something new: its time begins again.
    Again,
    /// This is said, and its time begins again.
    Say(Vec<u8>),
    /// Enough is known.
    Over(Outcome),
}

impl Next {
    /// Enough is known.
    pub fn over(verdict: Verdict) -> Next {
        Next::Over(verdict.into())
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// By which checker.
    pub checker: &'a Checker,
    /// For which page, where it has pages.
    pub url: Option<&'a Url>,
    /// `regex` of that page.
    pub pattern: Option<&'a Pattern>,
}

/// How far it is.
#[derive(Clone, Debug, Default)]
pub enum Dialogue {
    /// No connection yet.
    #[default]
    Connecting,
    /// A page is being read.
    Http(Box<Response>),
    /// A mail server is being talked to.
    Smtp(smtp::Dialogue),
    /// A question with this id was asked.
    Dns(u16),
    /// A datagram was sent.
    Udp,
    /// An echo was asked for.
    Ping(Echo),
}

impl Dialogue {
    /// The connection is there. `entropy`: random bits.
    pub fn connected(&mut self, asked: Asked<'_>, entropy: u64) -> Next {
        if !matches!(self, Dialogue::Connecting) {
            return Next::Wait;
        }
        let target = asked.checker.target;
        match (&asked.checker.kind, asked.url) {
            (CheckerKind::Tcp, _) | (CheckerKind::Http(_) | CheckerKind::Ssl(..), None) => {
                Next::over(tcp::verdict(Attempt::Connected))
            }
            // Never connected to.
            (CheckerKind::Misc(_) | CheckerKind::File { .. } | CheckerKind::Bfd { .. }, _) => Next::Wait,
            (CheckerKind::Http(http) | CheckerKind::Ssl(http, _), Some(url)) => {
                *self = Dialogue::Http(Box::new(Response::new(asked.pattern.is_some())));
                Next::Say(request(http.protocol, url, target))
            }
            (CheckerKind::Smtp { .. }, _) => {
                *self = Dialogue::Smtp(smtp::Dialogue::default());
                Next::Again
            }
            (CheckerKind::Dns { query, name }, _) => {
                let [a, b, ..] = entropy.to_le_bytes();
                let id = u16::from_be_bytes([a, b]);
                *self = Dialogue::Dns(id);
                // The compiler lets no other name through.
                dns::query(id, *query, name).map_or_else(|| Next::over(Verdict::Fail(Fault::Malformed)), Next::Say)
            }
            (CheckerKind::Udp(udp), _) => {
                *self = Dialogue::Udp;
                Next::Say(udp::payload(udp).to_vec())
            }
            (CheckerKind::Ping, _) => {
                let echo = Echo::new(entropy);
                *self = Dialogue::Ping(echo);
                Next::Say(echo.request(target))
            }
        }
    }

    /// Bytes, or a datagram.
    pub fn bytes(&mut self, asked: Asked<'_>, bytes: &[u8]) -> Next {
        match (self, &asked.checker.kind) {
            (Dialogue::Http(response), _) => match response.feed(bytes) {
                Progress::More => Next::Again,
                Progress::Enough => Next::Over(end(response, asked)),
            },
            (Dialogue::Smtp(dialogue), CheckerKind::Smtp { helo }) => dialogue.feed(helo, bytes),
            (Dialogue::Dns(id), _) => dns::answer(*id, bytes).map_or(Next::Wait, Next::over),
            (Dialogue::Udp, CheckerKind::Udp(udp)) => Next::over(udp::answer(udp, bytes)),
            (Dialogue::Ping(echo), _) if echo.is_answered_by(asked.checker.target, bytes) => Next::over(Verdict::Pass),
            // Nobody was asked, or somebody else.
            (Dialogue::Connecting | Dialogue::Smtp(_) | Dialogue::Udp | Dialogue::Ping(_), _) => Next::Wait,
        }
    }

    /// The server has closed.
    pub fn closed(&mut self, asked: Asked<'_>) -> Outcome {
        match self {
            Dialogue::Connecting => Verdict::Fail(Fault::NotConnected).into(),
            Dialogue::Http(response) => end(response, asked),
            Dialogue::Smtp(_) | Dialogue::Dns(_) | Dialogue::Udp | Dialogue::Ping(_) => {
                Verdict::Fail(Fault::Broken).into()
            }
        }
    }

    /// The connection broke, or an ICMP error came.
    pub fn broken(&mut self) -> Outcome {
        let fault = match self {
            Dialogue::Connecting => Fault::NotConnected,
            _ => Fault::Broken,
        };
        Verdict::Fail(fault).into()
    }

    /// The server closed without the goodbye of TLS, which it must not (`tls_compliant`).
    pub fn truncated(&mut self) -> Outcome {
        Verdict::Fail(Fault::Truncated).into()
    }

    /// There is no TLS with the server, for this reason.
    pub fn not_secured(&mut self, why: String) -> Outcome {
        Outcome { verdict: Verdict::Fail(Fault::Tls), mismatch: None, detail: Some(why) }
    }

    /// The step has taken too long.
    pub fn late(&mut self, asked: Asked<'_>) -> Outcome {
        match (self, &asked.checker.kind) {
            (Dialogue::Connecting, _) => tcp::verdict(Attempt::TimedOut),
            (Dialogue::Udp, CheckerKind::Udp(udp)) => udp::silence(udp),
            (Dialogue::Http(response), _) if response.has_begun() => Verdict::Fail(Fault::AnswerStopped),
            _ => Verdict::Fail(Fault::ReadTimeout),
        }
        .into()
    }
}

fn end(response: &mut Box<Response>, asked: Asked<'_>) -> Outcome {
    let response = *core::mem::take(response);
    match asked.url {
        Some(url) => response.end(url, asked.pattern).into(),
        None => Verdict::Fail(Fault::NoAnswer).into(),
    }
}
