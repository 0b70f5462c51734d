//! `PING_CHECK`: an echo request (RFC 792, RFC 4443 §4.1) and the reply to it. The kernel writes the identifier and the checksum, and
//! hands over what is for this socket.

use alloc::vec::Vec;
use core::net::SocketAddr;

/// What the request and its reply have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    sequence: u16,
    /// Random, so that nobody answers who has not seen the request.
    data: [u8; 8],
}

/// Types of messages: RFC 792 and RFC 4443.
const REQUEST: [u8; 2] = [8, 128];
const REPLY: [u8; 2] = [0, 129];

fn of_family([v4, v6]: [u8; 2], target: SocketAddr) -> u8 {
    if target.is_ipv4() { v4 } else { v6 }
}

impl Echo {
    /// With random bits.
    pub fn new(entropy: u64) -> Echo {
        let [a, b, ..] = entropy.to_le_bytes();
        Echo { sequence: u16::from_be_bytes([a, b]), data: entropy.to_be_bytes() }
    }

    /// The message to send.
    pub fn request(&self, target: SocketAddr) -> Vec<u8> {
        self.message(of_family(REQUEST, target))
    }

    /// Whether a message is the reply.
    pub fn is_answered_by(&self, target: SocketAddr, message: &[u8]) -> bool {
        let wanted = self.message(of_family(REPLY, target));
        // Between the type and the sequence number lie the code, the checksum and the identifier.
        message.len() == wanted.len() && message.get(..2) == wanted.get(..2) && message.get(6..) == wanted.get(6..)
    }

    fn message(&self, kind: u8) -> Vec<u8> {
        let mut message = Vec::from([kind, 0, 0, 0, 0, 0]);
        message.extend(self.sequence.to_be_bytes());
        message.extend(self.data);
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_reply_is_the_reply() {
        let target = "192.0.2.1:0".parse().unwrap();
        let echo = Echo::new(0x0102_0304_0506_0708);
        let mut reply = echo.request(target);
        assert!(!echo.is_answered_by(target, &reply));
        reply[0] = 0;
        reply[2..6].copy_from_slice(&[1, 2, 3, 4]);
        assert!(echo.is_answered_by(target, &reply));
        assert!(!Echo::new(9).is_answered_by(target, &reply));
        assert!(!echo.is_answered_by("[::1]:0".parse().unwrap(), &reply));
        assert!(!echo.is_answered_by(target, &reply[..15]));
        assert!(!echo.is_answered_by(target, &[]));
    }
}
