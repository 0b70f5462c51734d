//! BFD control packets (RFC 5880 §4.1), without authentication.

use alloc::vec::Vec;

/// Length of a packet without authentication.
pub const LEN: usize = 24;

/// Packets of a single hop go there (RFC 5881 §4).
pub const PORT: u16 = 3784;

/// Packets of several hops go there (RFC 5883 §5).
pub const PORT_MULTIHOP: u16 = 4784;

/// Protocol version.
const VERSION: u8 = 1;

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const AUTHENTICATED: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// The state of a session (RFC 5880 §4.1, Sta).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// 0: taken down by hand.
    AdminDown,
    /// 1
    Down,
    /// 2: the neighbour is heard, and may not hear us.
    Init,
    /// 3: both hear each other.
    Up,
}

/// Why a session left the state Up (RFC 5880 §4.1, Diag), as far as it is said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diag(pub u8);

impl Diag {
    /// No Diagnostic
    pub const NONE: Diag = Diag(0);
    /// Control Detection Time Expired
    pub const EXPIRED: Diag = Diag(1);
    /// Neighbor Signaled Session Down
    pub const NEIGHBOR: Diag = Diag(3);

    /// Its name, RFC 5880 §4.1.
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "No Diagnostic",
            1 => "Control Detection Time Expired",
            2 => "Echo Function Failed",
            3 => "Neighbor Signaled Session Down",
            4 => "Forwarding Plane Reset",
            5 => "Path Down",
            6 => "Concatenated Path Down",
            7 => "Administratively Down",
            8 => "Reverse Concatenated Path Down",
            _ => "a diagnostic that is reserved",
        }
    }
}

/// Whether a flag is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// 1
    Set,
    /// 0
    Clear,
}

impl Flag {
    fn of(byte: u8, bit: u8) -> Flag {
        if byte & bit == 0 { Flag::Clear } else { Flag::Set }
    }

    fn bit(self, bit: u8) -> u8 {
        match self {
            Flag::Set => bit,
            Flag::Clear => 0,
        }
    }
}

/// A control packet. Intervals are microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// Diag
    pub diag: Diag,
    /// Sta
    pub state: State,
    /// P
    pub poll: Flag,
    /// F; never together with `poll`.
    pub last: Flag,
    /// D
    pub demand: Flag,
    /// Detect Mult, not 0.
    pub multiplier: u8,
    /// My Discriminator, not 0.
    pub mine: u32,
    /// Your Discriminator; 0 only in Down and AdminDown.
    pub yours: u32,
    /// Desired Min TX Interval
    pub min_tx: u32,
    /// Required Min RX Interval; 0: the sender wants no periodic packets.
    pub min_rx: u32,
}

impl Control {
    /// Reads what came in a datagram: `None` for what RFC 5880 §6.8.6 discards whatever session it is for, and for authenticated
    /// packets, since no session here is authenticated.
    pub fn parse(bytes: &[u8]) -> Option<Control> {
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        let [first, flags, multiplier, length] = *head;
        let words = rest.first_chunk::<20>()?;
        let whole = usize::from(length);
        let unusable = flags & (AUTHENTICATED | MULTIPOINT) != 0 || flags & POLL != 0 && flags & FINAL != 0;
        if first >> 5 != VERSION || whole < LEN || whole > bytes.len() || multiplier == 0 || unusable {
            return None;
        }
        let state = match flags >> 6 {
            0 => State::AdminDown,
            1 => State::Down,
            2 => State::Init,
            _ => State::Up,
        };
        let mut words = words.chunks_exact(4).map(|w| w.iter().fold(0, |n: u32, b| n << 8 | u32::from(*b)));
        let mut word = || words.next().unwrap_or_default();
        let control = Control {
            diag: Diag(first & 0x1f),
            state,
            poll: Flag::of(flags, POLL),
            last: Flag::of(flags, FINAL),
            demand: Flag::of(flags, DEMAND),
            multiplier,
            mine: word(),
            yours: word(),
            min_tx: word(),
            min_rx: word(),
        };
        let nobodys = control.yours == 0 && matches!(state, State::Init | State::Up);
        (control.mine != 0 && !nobodys).then_some(control)
    }

    /// The packet: no authentication, no echo function, not independent of the control plane.
    pub fn encode(&self) -> Vec<u8> {
        let state = match self.state {
            State::AdminDown => 0,
            State::Down => 1,
            State::Init => 2,
            State::Up => 3_u8,
        };
        let flags = state << 6 | self.poll.bit(POLL) | self.last.bit(FINAL) | self.demand.bit(DEMAND);
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend([VERSION << 5 | self.diag.0 & 0x1f, flags, self.multiplier, 24]);
        for word in [self.mine, self.yours, self.min_tx, self.min_rx, 0] {
            bytes.extend(word.to_be_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What keepalived 2.2.7 sent when its session came up (min_tx 50, multiplier 3).
    const CAPTURED: [u8; 24] = [
        0x20, 0xe0, 3, 24, 0x8f, 0x66, 0xcc, 0x11, 0xfc, 0x12, 0x44, 0x16, 0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50, 0, 0, 0,
        0,
    ];

    fn control() -> Control {
        Control {
            diag: Diag::NONE,
            state: State::Up,
            poll: Flag::Set,
            last: Flag::Clear,
            demand: Flag::Clear,
            multiplier: 3,
            mine: 0x8f66_cc11,
            yours: 0xfc12_4416,
            min_tx: 50_000,
            min_rx: 50_000,
        }
    }

    #[test]
    fn the_bytes_are_keepaliveds() {
        assert_eq!(Control::parse(&CAPTURED), Some(control()));
        assert_eq!(control().encode(), CAPTURED);
    }

    fn changed(at: usize, to: u8) -> [u8; 24] {
        let mut bytes = CAPTURED;
        bytes[at] = to;
        bytes
    }

    /// RFC 5880 §6.8.6, in its order.
    #[test]
    fn what_the_rfc_discards_is_discarded() {
        assert_eq!(Control::parse(&changed(0, 0)), None, "version 0");
        assert_eq!(Control::parse(&changed(0, 0x40)), None, "version 2");
        assert_eq!(Control::parse(&changed(3, 23)), None, "too short");
        assert_eq!(Control::parse(&changed(3, 25)), None, "longer than the datagram");
        assert_eq!(Control::parse(&changed(2, 0)), None, "Detect Mult 0");
        assert_eq!(Control::parse(&changed(1, 0xe1)), None, "multipoint");
        assert_eq!(Control::parse(&changed(1, 0xe4)), None, "authenticated");
        assert_eq!(Control::parse(&changed(1, 0xf0)), None, "Poll and Final");
        let mut bytes = CAPTURED;
        bytes[4..8].fill(0);
        assert_eq!(Control::parse(&bytes), None, "My Discriminator 0");
        for (flags, taken) in [(0x00, true), (0x40, true), (0x80, false), (0xc0, false)] {
            let mut bytes = changed(1, flags);
            bytes[8..12].fill(0);
            assert_eq!(Control::parse(&bytes).is_some(), taken, "Your Discriminator 0 in state {}", flags >> 6);
        }
        for length in 0..LEN {
            assert_eq!(Control::parse(&CAPTURED[..length]), None, "{length} bytes");
        }
        let mut padded = CAPTURED.to_vec();
        padded.extend([0; 9]);
        assert_eq!(Control::parse(&padded), Some(control()), "bytes behind the packet");
    }
}
