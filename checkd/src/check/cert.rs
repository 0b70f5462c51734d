//! How long a server's certificate is valid. The rest of a certificate is the affair of TLS; this reads as much of its DER
//! (X.690, RFC 5280 §4.1) as lies before the end of the validity.

/// Seconds since 1970 at which the certificate ends; `None`: what this is cannot be read.
pub fn not_after(der: &[u8]) -> Option<i64> {
    let (certificate, _) = inside(der, SEQUENCE)?;
    let (mut rest, _) = inside(certificate, SEQUENCE)?;
    // version is [0] and may be missing.
    if rest.first() == Some(&0xa0) {
        (_, rest) = inside(rest, 0xa0)?;
    }
    // serialNumber, signature, issuer
    for tag in [0x02, SEQUENCE, SEQUENCE] {
        (_, rest) = inside(rest, tag)?;
    }
    let (validity, _) = inside(rest, SEQUENCE)?;
    let (_, _, rest) = element(validity)?;
    let (tag, time, _) = element(rest)?;
    match tag {
        // UTCTime YYMMDDHHMMSSZ: 50 to 99 are of the twentieth century (RFC 5280 §4.1.2.5.1).
        0x17 => {
            let year = number(time, 0, 2)?;
            seconds(if year < 50 { year.checked_add(2000)? } else { year.checked_add(1900)? }, time.get(2..)?)
        }
        // GeneralizedTime YYYYMMDDHHMMSSZ
        0x18 => seconds(number(time, 0, 4)?, time.get(4..)?),
        _ => None,
    }
}

const SEQUENCE: u8 = 0x30;

/// The content of an element with this tag, and what follows it.
fn inside(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(der).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// Tag, content, what follows. Lengths of up to four bytes.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, mut rest) = rest.split_first()?;
    let length = match *length {
        short @ 0..=0x7f => usize::from(short),
        long @ 0x81..=0x84 => {
            let (bytes, behind) = rest.split_at_checked(usize::from(long & 0x7f))?;
            rest = behind;
            bytes.iter().try_fold(0_usize, |n, byte| n.checked_mul(256)?.checked_add(usize::from(*byte)))?
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn number(text: &[u8], from: usize, digits: usize) -> Option<i64> {
    let text = text.get(from..from.checked_add(digits)?)?;
    text.iter().all(u8::is_ascii_digit).then(|| core::str::from_utf8(text).ok()?.parse().ok())?
}

/// `MMDDHHMMSSZ` of a year.
fn seconds(year: i64, rest: &[u8]) -> Option<i64> {
    let part = |n: usize| number(rest, n.checked_mul(2)?, 2);
    let (month, day, hour, minute, second) = (part(0)?, part(1)?, part(2)?, part(3)?, part(4)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // The year begins in March, so that a leap day is its last: days since 0000-03-01.
    let (year, month) = match month.checked_sub(3)? {
        month @ 0.. => (year, month),
        before => (year.checked_sub(1)?, before.checked_add(12)?),
    };
    let leap_days = year.div_euclid(4).checked_sub(year.div_euclid(100))?.checked_add(year.div_euclid(400))?;
    let of_months = month.checked_mul(153)?.checked_add(2)?.div_euclid(5);
    let days = year.checked_mul(365)?.checked_add(leap_days)?.checked_add(of_months)?.checked_add(day)?;
    // 1970-01-01 is day 719,468 of that count from zero; the day of the month counts from one.
    let hours = days.checked_sub(719_469)?.checked_mul(24)?.checked_add(hour)?;
    hours.checked_mul(60)?.checked_add(minute)?.checked_mul(60)?.checked_add(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted() {
        for (year, rest, expected) in [
            (1970, &b"0101000000Z"[..], 0),
            (2000, b"0229000000Z", 951_782_400),
            (2038, b"0119031408Z", 2_147_483_648),
            (9999, b"1231235959Z", 253_402_300_799),
        ] {
            assert_eq!(seconds(year, rest), Some(expected));
        }
        assert_eq!(seconds(2000, b"1301000000Z"), None);
        assert_eq!(seconds(2000, b"0101"), None);
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(der: alloc::vec::Vec<u8>) {
            let _ = not_after(&der);
        }

        #[test]
        fn lengths_that_lie_are_no_certificate(cut in 0_usize..60, at in 0_usize..60, byte: u8) {
            let mut der = *b"\x30\x36\x30\x34\xa0\x03\x02\x01\x02\x02\x01\x01\x30\x00\x30\x00\x30\x20\x17\x0d991231235959Z\x18\x0f20501231235959Z\x30\x00\x05\x00\x05\x00";
            assert_eq!(not_after(&der), Some(2_556_143_999));
            if let Some(place) = der.get_mut(at) {
                *place = byte;
            }
            let _ = not_after(der.get(..cut).unwrap_or_default());
            let _ = not_after(&der);
        }
    }
}
