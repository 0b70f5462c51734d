//! What can wait until nothing else is to be done: log lines, and the second and further copies of a gratuitous ARP.
//!
//! When many instances become master together, the first copies for all of them, and the messages to and from ipvsd, must not
//! stand in line behind a thousand log lines. What waits is worked off piece by piece, in turns in which nothing else was ready.
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

/// How long something waits for a quiet turn.
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

    /// Whether something has waited long enough.
    pub fn is_overdue(&self, now: Mono) -> bool {
        !self.is_empty() && now.since(self.since) > PATIENCE
    }

    /// Whether more waits than should.
    pub fn is_full(&self) -> bool {
        self.frames.len() > LIMIT || self.lines.len() > LIMIT
    }

    /// Takes the next piece: frames before lines.
    pub fn next(&mut self) -> Piece {
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
    fn patience_ends() {
        let start = Mono(1_000_000_000);
        let mut later = Later::default();
        assert!(!later.is_overdue(start));
        later.frames(start, 1, packets(1));
        assert!(!later.is_overdue(start + PATIENCE));
        assert!(later.is_overdue(start + PATIENCE + Duration::from_nanos(1)));
        later.next();
        assert!(!later.is_overdue(start + PATIENCE * 2));
        later.frames(start + PATIENCE * 9, 1, packets(1));
        assert!(!later.is_overdue(start + PATIENCE * 9));
    }

    #[test]
    fn pieces_in_order() {
        let mut later = Later::default();
        later.lines(Mono::ZERO, (0..20).map(|n| Line::new(Level::Info, n.to_string())).collect());
        later.frames(Mono::ZERO, 1, packets(40));
        later.frames(Mono::ZERO, 2, packets(1));
        assert_eq!(later.next(), Piece::Frames(1, packets(32)));
        assert_eq!(later.next(), Piece::Frames(1, packets(40).split_off(32)));
        assert_eq!(later.next(), Piece::Frames(2, packets(1)));
        assert!(matches!(later.next(), Piece::Lines(lines) if lines.len() == 16 && lines[0].text == "0"));
        assert!(!later.is_empty());
        assert!(matches!(later.next(), Piece::Lines(lines) if lines.len() == 4 && lines[3].text == "19"));
        assert!(later.is_empty());
        assert_eq!(later.next(), Piece::Nothing);
    }
}
