//! The number in a `track_file`. What it says comes from whoever may write to it: at most [`LENGTH`] bytes are looked at.

use std::os::fd::{AsFd, OwnedFd};

/// Bytes that are looked at. COMPAT: keepalived 2.2.7, measured: the 128th byte and what follows do not count.
pub const LENGTH: usize = 127;

/// The beginning of a file that was handed over, empty when it cannot be read.
pub fn read(file: OwnedFd) -> Vec<u8> {
    read_up_to(file, LENGTH)
}

/// At most `limit` bytes of a file that was handed over; empty when it cannot be read.
pub fn read_up_to(file: OwnedFd, limit: usize) -> Vec<u8> {
    let mut buffer = vec![0; limit];
    let mut len = 0;
    while let Some(room) = buffer.get_mut(len..).filter(|room| !room.is_empty()) {
        match nix::unistd::read(file.as_fd(), room) {
            Ok(0) => break,
            Ok(n) => len = len.saturating_add(n),
            Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return Vec::new(),
        }
    }
    buffer.truncate(len);
    buffer
}

/// The number at the beginning of a text, 0 when there is none; `None` when it is no 32-bit number: then the last one stays.
///
/// COMPAT: keepalived 2.2.7, measured: white space, a sign, then decimal digits, octal ones after `0` or hexadecimal ones after `0x`; what
/// follows does not matter.
pub fn number(text: &[u8]) -> Option<i32> {
    let text = text.get(..text.len().min(LENGTH)).unwrap_or_default();
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let begins = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    let text = text.get(begins..).unwrap_or_default();
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let hexadecimal = |rest: &[u8]| rest.first().is_some_and(u8::is_ascii_hexdigit);
    let (base, digits) = match digits {
        [b'0', b'x' | b'X', rest @ ..] if hexadecimal(rest) => (16, rest),
        [b'0', ..] => (8, digits),
        _ => (10, digits),
    };
    let mut value: i64 = 0;
    for digit in digits.iter().map_while(|byte| char::from(*byte).to_digit(base)) {
        // Far beyond any 32-bit number it may stop growing.
        value = value.saturating_mul(i64::from(base)).saturating_add(i64::from(digit));
    }
    i32::try_from(if negative { value.saturating_neg() } else { value }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, Write};

    #[test]
    fn numbers_are_those_of_keepalived() {
        // Measured with keepalived 2.2.7, but for 2147483648, which it takes.
        for (text, value) in [
            ("5\n", Some(5)),
            (" 6\n", Some(6)),
            ("\t9", Some(9)),
            ("\x0b5", Some(5)),
            ("5\r\n", Some(5)),
            ("5\n6", Some(5)),
            ("4   \n", Some(4)),
            ("12abc", Some(12)),
            ("1e2", Some(1)),
            ("abc", Some(0)),
            ("", Some(0)),
            ("+3", Some(3)),
            ("-3", Some(-3)),
            ("+ 5", Some(0)),
            ("--5", Some(0)),
            ("0x10", Some(16)),
            ("0X1F", Some(31)),
            ("-0x10", Some(-16)),
            ("0x", Some(0)),
            ("0xg", Some(0)),
            ("0b11", Some(0)),
            ("010", Some(8)),
            ("08", Some(0)),
            ("7\0{38}", Some(7)),
            ("2147483647", Some(i32::MAX)),
            ("-2147483648", Some(i32::MIN)),
            ("2147483648", None),
            ("-2147483649", None),
            ("99999999999999999999999999999999999999", None),
        ] {
            assert_eq!(number(text.as_bytes()), value, "{text:?}");
        }
        assert_eq!(number(format!("{:0>127}", 6).as_bytes()), Some(6));
        assert_eq!(number(format!("{:0>128}", 6).as_bytes()), Some(0));
    }

    #[test]
    fn only_the_beginning_of_a_file_is_read() {
        let path = std::env::temp_dir().join(format!("holdfast-tracked-{}", std::process::id()));
        let mut file = std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.write_all(&[b'7'; 4096]).unwrap();
        file.rewind().unwrap();
        assert_eq!(read(file.try_clone().unwrap().into()), [b'7'; LENGTH]);
        assert_eq!(read(file.into()).len(), LENGTH);
        let directory = std::fs::File::open("/").unwrap();
        assert_eq!(read(directory.into()), []);
    }
}
