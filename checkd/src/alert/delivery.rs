//! Handing one mail to a mail server (RFC 5321). Bytes in, bytes out, an end.
//!
//! COMPAT: keepalived 2.2.7: 220, `HELO` 250, `MAIL FROM` 250, `RCPT TO` for each 250, `DATA` 354, the mail 250, `QUIT`. A recipient that the
//! server does not want costs the others nothing here.

use super::{Letter, address};
use crate::check::reply::{Read, Replies};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// One conversation.
#[derive(Clone, Debug)]
pub struct Delivery {
    helo: String,
    from: String,
    to: Vec<String>,
    /// The mail, ready for the wire.
    data: Vec<u8>,
    replies: Replies,
    waits_for: Answer,
    /// How many recipients the server has taken.
    taken: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Greeting,
    Helo,
    From,
    /// To the recipient with this number.
    To(usize),
    Data,
    Mail,
}

/// What is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing yet.
    Wait,
    /// This is said.
    Say(Vec<u8>),
    /// The server has taken the mail; this is said, and that is the end.
    Delivered(Vec<u8>),
    /// It has not, for this reason.
    Lost(String),
}

impl Delivery {
    /// Before the greeting. `message`: the mail with its header, lines ending in CRLF.
    pub fn new(helo: &str, letter: &Letter, message: &[u8]) -> Delivery {
        Delivery {
            helo: helo.into(),
            from: address(&letter.from),
            to: letter.to.iter().map(|to| address(to)).collect(),
            data: stuffed(message),
            replies: Replies::default(),
            waits_for: Answer::Greeting,
            taken: 0,
        }
    }

    /// Takes bytes as they come.
    pub fn feed(&mut self, bytes: &[u8]) -> Next {
        let code = match self.replies.feed(bytes) {
            Read::More => return Next::Wait,
            Read::Code(code) => code,
            Read::Nonsense => return Next::Lost("it does not speak SMTP".into()),
        };
        match (self.waits_for, code) {
            (Answer::Greeting, 220) => self.say(Answer::Helo, format!("HELO {}\r\n", self.helo)),
            (Answer::Helo, 250) => self.say(Answer::From, format!("MAIL FROM:<{}>\r\n", self.from)),
            (Answer::From, 250) => self.recipient(0),
            (Answer::To(n), code) => {
                if matches!(code, 250 | 251) {
                    self.taken = self.taken.saturating_add(1);
                }
                self.recipient(n.saturating_add(1))
            }
            (Answer::Data, 354) => {
                self.waits_for = Answer::Mail;
                Next::Say(core::mem::take(&mut self.data))
            }
            (Answer::Mail, 250) => Next::Delivered(b"QUIT\r\n".to_vec()),
            (waits_for, code) => Next::Lost(format!("it answered {code} to {}", waits_for.name())),
        }
    }

    fn recipient(&mut self, n: usize) -> Next {
        match self.to.get(n) {
            Some(to) => {
                let line = format!("RCPT TO:<{to}>\r\n");
                self.say(Answer::To(n), line)
            }
            None if self.taken == 0 => Next::Lost("it wants none of the recipients".into()),
            None => self.say(Answer::Data, "DATA\r\n".into()),
        }
    }

    fn say(&mut self, waits_for: Answer, line: String) -> Next {
        self.waits_for = waits_for;
        Next::Say(line.into_bytes())
    }
}

impl Answer {
    fn name(self) -> &'static str {
        match self {
            Answer::Greeting => "the connection",
            Answer::Helo => "HELO",
            Answer::From => "MAIL FROM",
            Answer::To(_) => "RCPT TO",
            Answer::Data => "DATA",
            Answer::Mail => "the mail",
        }
    }
}

/// RFC 5321 §4.5.2: a dot that begins a line is doubled, and a line with a dot is the end.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(message.len().saturating_add(8));
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            data.push(b'.');
        }
        data.extend_from_slice(line);
    }
    if !data.ends_with(b"\r\n") {
        data.extend_from_slice(b"\r\n");
    }
    data.extend_from_slice(b".\r\n");
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliver(answers: &[&str]) -> (String, Next) {
        let letter = Letter {
            from: "Me <me@x.y>".into(),
            to: ["a@x.y".into(), "b@x.y".into()].into(),
            subject: String::new(),
            body: String::new(),
        };
        let mut delivery = Delivery::new("me.x", &letter, b"Subject: s\r\n\r\n.dot\r\n");
        let (mut said, mut last) = (Vec::new(), Next::Wait);
        for answer in answers {
            last = delivery.feed(answer.as_bytes());
            match &last {
                Next::Say(bytes) | Next::Delivered(bytes) => said.extend_from_slice(bytes),
                Next::Wait | Next::Lost(_) => {}
            }
        }
        (String::from_utf8(said).unwrap(), last)
    }

    #[test]
    fn as_keepalived() {
        let ok = "250 ok\r\n";
        let (said, last) = deliver(&["220 hi\r\n", ok, ok, ok, ok, "354 go\r\n", ok]);
        let head = "HELO me.x\r\nMAIL FROM:<me@x.y>\r\nRCPT TO:<a@x.y>\r\nRCPT TO:<b@x.y>\r\nDATA\r\n";
        assert_eq!(said, format!("{head}Subject: s\r\n\r\n..dot\r\n.\r\nQUIT\r\n"));
        assert_eq!(last, Next::Delivered(b"QUIT\r\n".to_vec()));
    }

    #[test]
    fn a_recipient_that_is_not_wanted_costs_the_others_nothing() {
        let (ok, no) = ("250 ok\r\n", "550 no\r\n");
        assert!(matches!(deliver(&["220\r\n", ok, ok, no, ok, "354\r\n", ok]).1, Next::Delivered(_)));
        assert_eq!(deliver(&["220\r\n", ok, ok, no, no]).1, Next::Lost("it wants none of the recipients".into()));
        assert_eq!(deliver(&["220\r\n", no]).1, Next::Lost("it answered 550 to HELO".into()));
        assert_eq!(deliver(&["what\r\n"]).1, Next::Lost("it does not speak SMTP".into()));
    }
}
