//! Source files and places in them. A [`Span`] is made when a byte is read and kept through every later stage, so that any message
//! can name the line that caused it.

use alloc::string::String;
use alloc::vec::Vec;
use ipc::config::{FileName, Origin};

/// Which file of a compilation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A byte range of a file. `end` is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// From the start of `self` to the end of `other`, or `self` when they are not in order in the same file.
    pub fn to(self, other: Span) -> Span {
        if self.file == other.file && self.start <= other.end {
            Span { end: other.end.max(self.end), ..self }
        } else {
            self
        }
    }

    /// The empty place at the end of the span.
    pub fn after(self) -> Span {
        Span { start: self.end, ..self }
    }

    /// Whether the other lies in it.
    pub fn contains(self, other: Span) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }

    /// Whether the two share a byte.
    pub fn overlaps(self, other: Span) -> bool {
        self.file == other.file && self.start < other.end && other.start < self.end
    }
}

/// A place for people: line and column from 1; the column counts characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// File as the user named it.
    pub file: &'a str,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// One file, whole.
#[derive(Clone, Debug)]
pub struct Source {
    /// As the user named it.
    pub name: FileName,
    /// Its bytes as they are on disk.
    pub text: Vec<u8>,
    /// Line ends before each [`BLOCK`]. An entry for each line would cost more than the text of a file of empty lines.
    marks: Vec<u32>,
    /// Bytes that no line needs to be searched for when the file has none.
    pub(super) has: Rare,
}

/// Which of the bytes that need a closer look there are in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rare {
    /// `#` or `!`
    pub sign: bool,
    /// `$`
    pub dollar: bool,
    /// A NUL byte.
    pub nul: bool,
    /// A byte that is not ASCII.
    pub high: bool,
}

/// Bytes between two entries of [`Source::marks`].
const BLOCK: usize = 128;

/// How many lines end in at most [`BLOCK`] bytes, which is what makes a byte large enough to count them.
fn line_ends(bytes: &[u8]) -> usize {
    usize::from(bytes.iter().fold(0_u8, |n, b| n.wrapping_add(u8::from(*b == b'\n'))))
}

impl Rare {
    /// Of a text that nobody looked through.
    pub(super) const ANY: Rare = Rare { sign: true, dollar: true, nul: true, high: true };

    /// Of a text. Each byte is looked at without a branch, so that many are looked at together.
    fn of(text: &[u8]) -> Rare {
        let any = |of: fn(u8) -> bool| text.iter().fold(0_u8, |found, b| found | u8::from(of(*b))) != 0;
        Rare {
            sign: any(|b| b == b'#' || b == b'!'),
            dollar: any(|b| b == b'$'),
            nul: any(|b| b == 0),
            high: !text.is_ascii(),
        }
    }
}

impl Source {
    fn new(name: String, text: Vec<u8>) -> Source {
        let mut before = 0_usize;
        let marks = text.chunks(BLOCK).map(|block| {
            let mark = u32::try_from(before).unwrap_or(u32::MAX);
            before = before.saturating_add(line_ends(block));
            mark
        });
        Source { name: name.as_str().into(), marks: marks.collect(), has: Rare::of(&text), text }
    }

    /// Whether there is a `#` or a `!` anywhere.
    pub fn has_signs(&self) -> bool {
        self.has.sign
    }

    /// Byte offset at which a line (from 0) starts.
    pub fn line_start(&self, line: usize) -> usize {
        if line == 0 {
            return 0;
        }
        // The line end before it is in the last block before which there are fewer.
        let block = self.marks.partition_point(|mark| (*mark as usize) < line).saturating_sub(1);
        let from = block.saturating_mul(BLOCK);
        let missing = line.saturating_sub(self.marks.get(block).map_or(0, |mark| *mark as usize));
        let rest = self.text.get(from..).unwrap_or_default().iter().enumerate();
        let end = rest.filter(|(_, b)| **b == b'\n').nth(missing.saturating_sub(1));
        end.map_or(self.text.len(), |(n, _)| from.saturating_add(n).saturating_add(1))
    }

    /// The line (from 0) that holds a byte.
    pub fn line_of(&self, offset: u32) -> usize {
        let offset = (offset as usize).min(self.text.len());
        let block = (offset / BLOCK).min(self.marks.len().saturating_sub(1));
        let before = self.marks.get(block).map_or(0, |mark| *mark as usize);
        let inside = self.text.get(block.saturating_mul(BLOCK)..offset).unwrap_or_default();
        before.saturating_add(line_ends(inside))
    }
}

/// All files of one compilation.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    /// Takes a file over. The caller bounds its length (see [`super::LIMITS`]).
    pub fn add(&mut self, name: String, text: Vec<u8>) -> FileId {
        self.files.push(Source::new(name, text));
        FileId(u32::try_from(self.files.len().saturating_sub(1)).unwrap_or(u32::MAX))
    }

    /// The file.
    pub fn get(&self, id: FileId) -> Option<&Source> {
        self.files.get(id.0 as usize)
    }

    /// Whether there is a `#` or a `!` in any of them.
    pub fn have_signs(&self) -> bool {
        self.files.iter().any(Source::has_signs)
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Where a span starts.
    pub fn place(&self, span: Span) -> Place<'_> {
        let Some(source) = self.get(span.file) else { return Place { file: "", line: 0, column: 0 } };
        let line = source.line_of(span.start);
        let before = source.text.get(source.line_start(line)..span.start as usize).unwrap_or_default();
        let before = before.strip_prefix(b"\xef\xbb\xbf").unwrap_or(before);
        let column = String::from_utf8_lossy(before).chars().count();
        Place {
            file: &source.name,
            line: u32::try_from(line).unwrap_or(u32::MAX).saturating_add(1),
            column: u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1),
        }
    }

    /// Where a span starts, for messages at run time.
    pub fn origin(&self, span: Span) -> Origin {
        let Some(source) = self.get(span.file) else { return Origin::default() };
        let line = u32::try_from(source.line_of(span.start)).unwrap_or(u32::MAX).saturating_add(1);
        Origin { file: source.name.clone(), line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn lines_are_found_in_files_of_many_blocks() {
        let text: Vec<u8> = (0..3000_u32).flat_map(|n| [vec![b'x'; (n % 7) as usize], vec![b'\n']].concat()).collect();
        let source = Source::new("x".into(), text.clone());
        let (mut line, mut start) = (0, 0);
        for (n, byte) in text.iter().enumerate() {
            assert_eq!(source.line_of(u32::try_from(n).unwrap()), line);
            assert_eq!(source.line_start(line), start);
            if *byte == b'\n' {
                (line, start) = (line + 1, n + 1);
            }
        }
        assert_eq!((source.line_start(line), source.line_start(line + 1)), (text.len(), text.len()));
        assert_eq!(source.line_of(u32::MAX), line);
        assert_eq!(Source::new("x".into(), Vec::new()).line_of(5), 0);
    }

    #[test]
    fn columns_count_characters_and_skip_the_byte_order_mark() {
        let mut sources = Sources::default();
        let file = sources.add("x".into(), vec![0xef, 0xbb, 0xbf, b'a', b'\n', 0xe5, 0xae, 0x9a, b' ', b'b']);
        let at = |start| sources.place(Span { file, start, end: start + 1 });
        assert_eq!((at(3).line, at(3).column), (1, 1));
        assert_eq!((at(9).line, at(9).column), (2, 3));
    }
}
