//! What can wait until nothing else is to be done: log lines, and the second and further copies of a gratuitous ARP.
//!
//! When many instances become master together, the first copies for all of them, and the messages to and from ipvsd, must not
//! stand in line behind a thousand log lines. What waits is worked off piece by piece, whenever nothing else has been ready for
//! [`LULL`]: the process sleeps so long before, since ipvsd may need this very processor to answer.
//!
//! Bounds: a piece keeps the loop for about a tenth of a millisecond; after [`PATIENCE`] a piece is done in every turn; more than
//! [`LIMIT`] of a kind are not kept waiting.

use super::sender::Packet;
use core::time::Duration;
use ipc::report::Line;
use ipc::time::Mono;
use std::collections::VecDeque;

/// Most of each kind that wait.
pub const LIMIT: usize = 8_192;

/// How long nothing else has been ready before something is done that can wait: longer than ipvsd takes to put some addresses there.
pub const LULL: Duration = Duration::from_micros(300);

/// How long something waits for a lull.
pub const PATIENCE: Duration = Duration::from_millis(20);

/// Frames in a piece.
const FRAMES: usize = 32;

/// Log lines in a piece.
const LINES: usize = 16;

/// What waits.
#[derive(Debug, Default)]
pub struct Later {
    frames: VecDeque<(u32, Packet)>,
    lines: VecDeque<Line>,
    /// When the first came after there was nothing.
    since: Mono,
    /// When something else was last done.
    busy: Mono,
}

/// What is to be done next of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Frames for one interface.
    Frames(u32, Vec<Packet>),
    /// Log lines.
    Lines(Vec<Line>),
    /// Nothing waits.
    Nothing,
}

impl Later {
    /// Puts frames for an interface behind those that wait.
    pub fn frames(&mut self, now: Mono, ifindex: u32, frames: Vec<Packet>) {
        self.begin(now);
        self.frames.extend(frames.into_iter().map(|frame| (ifindex, frame)));
    }

    /// Puts lines behind those that wait.
    pub fn lines(&mut self, now: Mono, lines: Vec<Line>) {
        self.begin(now);
        self.lines.extend(lines);
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.lines.is_empty()
    }

    fn begin(&mut self, now: Mono) {
        if self.is_empty() {
            self.since = now;
        }
    }

    /// Something else was ready.
    pub fn put_off(&mut self, now: Mono) {
        self.busy = now;
    }

    /// When the next piece is due; `None` when nothing waits.
    pub fn due(&self) -> Option<Mono> {
        (!self.is_empty()).then(|| (self.busy + LULL).min(self.since + PATIENCE))
    }

    /// Whether more waits than should.
    pub fn is_full(&self) -> bool {
        self.frames.len() > LIMIT || self.lines.len() > LIMIT
    }

    /// Takes the next piece: frames before lines.
    pub fn next(&mut self, now: Mono) -> Piece {
        self.put_off(now);
        match self.next_frames(FRAMES) {
            Some((ifindex, frames)) => Piece::Frames(ifindex, frames),
            None if self.lines.is_empty() => Piece::Nothing,
            None => Piece::Lines(self.lines.drain(..LINES.min(self.lines.len())).collect()),
        }
    }

    /// Takes frames for one interface, at most `limit`.
    pub fn next_frames(&mut self, limit: usize) -> Option<(u32, Vec<Packet>)> {
        let (ifindex, first) = self.frames.pop_front()?;
        let mut frames = vec![first];
        while frames.len() < limit
            && let Some((_, frame)) = self.frames.pop_front_if(|(other, _)| *other == ifindex)
        {
            frames.push(frame);
        }
        Some((ifindex, frames))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::report::Level;

    fn packets(n: u8) -> Vec<Packet> {
        (0..n).map(|n| Packet { destination: None, bytes: vec![n] }).collect()
    }

    #[test]
    fn a_lull_is_awaited_but_not_for_ever() {
        let start = Mono(1_000_000_000);
        let mut later = Later::default();
        later.put_off(start);
        assert_eq!(later.due(), None);
        later.frames(start, 1, packets(33));
        assert_eq!(later.due(), Some(start + LULL));
        let busy = start + LULL / 2;
        later.put_off(busy);
        assert_eq!(later.due(), Some(busy + LULL));
        // A piece is itself something that was done.
        later.next(start + LULL * 2);
        assert_eq!(later.due(), Some(start + LULL * 3));
        later.put_off(start + PATIENCE);
        assert_eq!(later.due(), Some(start + PATIENCE));
        later.next(start + PATIENCE);
        assert_eq!(later.due(), None);
    }

    #[test]
    fn pieces_in_order() {
        let mut later = Later::default();
        later.lines(Mono::ZERO, (0..20).map(|n| Line::new(Level::Info, n.to_string())).collect());
        later.frames(Mono::ZERO, 1, packets(40));
        later.frames(Mono::ZERO, 2, packets(1));
        assert_eq!(later.next(Mono::ZERO), Piece::Frames(1, packets(32)));
        assert_eq!(later.next(Mono::ZERO), Piece::Frames(1, packets(40).split_off(32)));
        assert_eq!(later.next(Mono::ZERO), Piece::Frames(2, packets(1)));
        assert!(matches!(later.next(Mono::ZERO), Piece::Lines(lines) if lines.len() == 16 && lines[0].text == "0"));
        assert!(!later.is_empty());
        assert!(matches!(later.next(Mono::ZERO), Piece::Lines(lines) if lines.len() == 4 && lines[3].text == "19"));
        assert!(later.is_empty());
        assert_eq!(later.next(Mono::ZERO), Piece::Nothing);
    }
}
