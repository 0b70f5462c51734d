//! `SMTP_CHECK`: the greeting 220, HELO answered by 250, and any answer to QUIT.
//!
//! COMPAT: keepalived 2.2.7, measured: a server that closes instead of answering QUIT fails; a bad greeting ends the conversation
//! without a word. Replies of several lines (`220-`), which it fails, are replies here as RFC 5321 §4.2.1 has them; Postfix's
//! postscreen greets so.

use super::reply::{Read, Replies};
use super::{Fault, Next, Verdict};
use alloc::format;

/// A conversation, from the connection on.
#[derive(Clone, Debug, Default)]
pub struct Dialogue {
    waits_for: Answer,
    replies: Replies,
}

#[derive(Clone, Copy, Debug, Default)]
enum Answer {
    #[default]
    Greeting,
    Helo,
    Quit,
}

impl Dialogue {
    /// Takes bytes as they come.
    pub fn feed(&mut self, helo: &str, bytes: &[u8]) -> Next {
        match (self.waits_for, self.replies.feed(bytes)) {
            (_, Read::More) => Next::Wait,
            (Answer::Greeting, Read::Code(220)) => {
                self.waits_for = Answer::Helo;
                Next::Say(format!("HELO {helo}\r\n").into_bytes())
            }
            (Answer::Greeting, Read::Code(_) | Read::Nonsense) => Next::over(Verdict::Fail(Fault::Greeting)),
            (Answer::Helo, Read::Code(250)) => {
                self.waits_for = Answer::Quit;
                Next::Say(b"QUIT\r\n".to_vec())
            }
            (Answer::Helo, Read::Code(_) | Read::Nonsense) => Next::over(Verdict::Fail(Fault::Helo)),
            (Answer::Quit, Read::Code(_) | Read::Nonsense) => Next::over(Verdict::Pass),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said to a server that says `answers` one after another, and the verdict.
    fn talk(answers: &[&[u8]]) -> (alloc::string::String, Option<Verdict>) {
        let mut dialogue = Dialogue::default();
        let mut said = alloc::vec::Vec::new();
        for answer in answers {
            match dialogue.feed("me", answer) {
                Next::Wait | Next::Again => {}
                Next::Say(bytes) => said.extend(bytes),
                Next::Over(outcome) => return (alloc::string::String::from_utf8(said).unwrap(), Some(outcome.verdict)),
            }
        }
        (alloc::string::String::from_utf8(said).unwrap(), None)
    }

    #[test]
    fn as_keepalived() {
        let all = "HELO me\r\nQUIT\r\n";
        let fail = |fault| Some(Verdict::Fail(fault));
        for (answers, said, verdict) in [
            (&[&b"220 hi\r\n"[..], b"250 ok\r\n", b"221 bye\r\n"][..], all, Some(Verdict::Pass)),
            (&[b"220 hi\r\n", b"250 ok\r\n", b"500 what\r\n"], all, Some(Verdict::Pass)),
            (&[b"220 hi\r\n", b"250 ok\r\n"], all, None),
            (&[b"554 no\r\n"], "", fail(Fault::Greeting)),
            (&[b"220 hi\r\n", b"502 no\r\n"], "HELO me\r\n", fail(Fault::Helo)),
            // Ours.
            (&[b"220-hi\r\n", b"220 there\r\n", b"250 ok\r\n", b"221\r\n"], all, Some(Verdict::Pass)),
            (&[b"220 hi\r\n", b"250-ok\r\n250 more\r\n", b"221 bye\r\n"], all, Some(Verdict::Pass)),
        ] {
            assert_eq!(talk(answers), (said.into(), verdict), "{answers:?}");
        }
    }
}
