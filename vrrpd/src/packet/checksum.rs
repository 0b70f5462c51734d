//! The Internet checksum (RFC 1071), with and without a pseudo-header.

use core::net::IpAddr;

/// Checksum of the concatenation of `parts`; every part but the last must be of even length.
fn sum<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u16 {
    let mut total = 0u64;
    for part in parts {
        let mut pairs = part.chunks_exact(2);
        for pair in &mut pairs {
            if let [high, low] = *pair {
                total = total.wrapping_add(u64::from(u16::from_be_bytes([high, low])));
            }
        }
        if let [last] = *pairs.remainder() {
            total = total.wrapping_add(u64::from(u16::from_be_bytes([last, 0])));
        }
    }
    // 64 bits hold the sum of 2^48 words, so nothing was lost; four folds bring any of them down to 16 bits.
    for _ in 0..4 {
        total = (total & 0xffff).wrapping_add(total >> 16);
    }
    !u16::try_from(total & 0xffff).unwrap_or(0)
}

/// Checksum of `data`. Zero over data that holds its own correct checksum.
pub fn plain(data: &[u8]) -> u16 {
    sum([data])
}

/// Checksum of `data` and the pseudo-header of either family (RFC 9568 §5.2.8, RFC 8200 §8.1): the same words in another order.
/// Zero over data that holds its own correct checksum.
pub fn with_pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, data: &[u8]) -> u16 {
    // Longer data cannot come out of an IP packet; saturating makes its checksum wrong, which is what it is.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes();
    let words = |addr| match addr {
        IpAddr::V4(v4) => v4.to_ipv6_compatible().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    sum([&words(source)[..], &words(destination)[..], &[0, protocol], &length, data])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071() {
        // RFC 1071 §3: the sum of these words is ddf2.
        assert_eq!(plain(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn an_odd_byte_counts_as_the_high_half() {
        assert_eq!(plain(&[0x12]), !0x1200);
    }

    #[test]
    fn the_longest_packet_does_not_overflow() {
        assert_eq!(plain(&[0xff; 65_535]), !0xff00);
    }
}
