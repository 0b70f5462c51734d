//! Replies of mail servers (RFC 5321 §4.2), read as their bytes come: for `SMTP_CHECK` and for the mails of `smtp_alert`.

use alloc::vec::Vec;

/// Longest line in bytes. RFC 5321 §4.5.3.1.5 allows 512.
pub const LINE_LIMIT: usize = 4_096;

/// Most lines of one reply.
pub const LINES_LIMIT: u32 = 100;

/// Reads replies. Holds at most [`LINE_LIMIT`] bytes.
#[derive(Clone, Debug, Default)]
pub struct Replies {
    line: Vec<u8>,
    /// Lines of the reply that is being read.
    lines: u32,
}

/// What the bytes so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// The reply goes on.
    More,
    /// A whole reply with this code, 100..=599. What came behind it is dropped: nobody may speak before being asked.
    Code(u16),
    /// No reply: a line without a code, too long, or one of too many.
    Nonsense,
}

impl Replies {
    /// Takes bytes as they come.
    pub fn feed(&mut self, bytes: &[u8]) -> Read {
        for byte in bytes {
            if *byte != b'\n' {
                if self.line.len() >= LINE_LIMIT {
                    return Read::Nonsense;
                }
                self.line.push(*byte);
                continue;
            }
            let line = core::mem::take(&mut self.line);
            self.lines = self.lines.saturating_add(1);
            match parse(line.strip_suffix(b"\r").unwrap_or(&line)) {
                Some((code, Last::Yes)) => {
                    self.lines = 0;
                    return Read::Code(code);
                }
                Some((_, Last::No)) if self.lines < LINES_LIMIT => {}
                Some((_, Last::No)) | None => return Read::Nonsense,
            }
        }
        Read::More
    }
}

enum Last {
    Yes,
    No,
}

fn parse(line: &[u8]) -> Option<(u16, Last)> {
    let (code, rest) = line.split_at_checked(3)?;
    let code = match code {
        [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => core::str::from_utf8(code).ok()?.parse().ok()?,
        _ => return None,
    };
    match rest.first() {
        None | Some(b' ') => Some((code, Last::Yes)),
        Some(b'-') => Some((code, Last::No)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_one_line_and_of_several() {
        for (bytes, expected) in [
            (&b"220 hi\r\n"[..], Read::Code(220)),
            (b"220\r\n", Read::Code(220)),
            (b"250 bare line feed\n", Read::Code(250)),
            (b"250-one\r\n250-two\r\n250 three\r\n", Read::Code(250)),
            (b"250-one\r\n250-two\r\n", Read::More),
            (b"220 hi\r", Read::More),
            (b"2200 hi\r\n", Read::Nonsense),
            (b"099 hi\r\n", Read::Nonsense),
            (b"hello\r\n", Read::Nonsense),
            (b"\r\n", Read::Nonsense),
        ] {
            assert_eq!(Replies::default().feed(bytes), expected, "{bytes:?}");
            // Byte by byte it is the same.
            let mut replies = Replies::default();
            let last = bytes.iter().map(|b| replies.feed(&[*b])).find(|read| *read != Read::More);
            assert_eq!(last.unwrap_or(Read::More), expected, "{bytes:?}");
        }
    }

    #[test]
    fn nothing_grows_without_end() {
        assert_eq!(Replies::default().feed(&[b'2'; LINE_LIMIT + 1]), Read::Nonsense);
        let lines = b"250-x\r\n".repeat(LINES_LIMIT as usize);
        assert_eq!(Replies::default().feed(&lines), Read::Nonsense);
    }
}
