//! One walk, two forms: what a block holds is said once, and comes out as lines of a configuration file or as members of a JSON object.
//!
//! ```text
//! block vrrp_instance           vrrp_instance VI_1 {          "vrrp_instance": [{
//!   bare name, field priority       priority 100                  "name": "VI_1", "priority": 100
//!   records virtual_ipaddress       virtual_ipaddress {           "virtual_ipaddress": [
//!     bare address, field dev           192.0.2.1/24 dev eth0         {"address": "192.0.2.1/24", "dev": "eth0"}
//! ```

use super::value::{MASK, Value};
use super::{Sink, json};
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use ipc::config::vrrp::Switch;
use ipc::msg::compile::{PrintFormat, Secrets};

/// How the members of what is open are set out in a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Each on a line of its own; nothing of it has been written yet, and its `{` waits for the words of its header.
    Header,
    /// Each on a line of its own.
    Block,
    /// All on one line, which is empty yet.
    LineStart,
    /// All on one line.
    Line,
    /// A list in JSON; in a file it cannot be seen.
    List,
}

struct Level {
    shape: Shape,
    /// Whether nothing stands in it yet (commas).
    empty: bool,
}

/// Writes one document.
pub struct Writer<'o> {
    out: &'o mut dyn Sink,
    format: PrintFormat,
    secrets: Secrets,
    levels: Vec<Level>,
    /// How deep blocks are nested in a file.
    depth: usize,
}

impl<'o> Writer<'o> {
    /// Writes to `out`.
    pub fn new(out: &'o mut dyn Sink, format: PrintFormat, secrets: Secrets) -> Self {
        let levels = Vec::from([Level { shape: Shape::Block, empty: true }]);
        Writer { out, format, secrets, levels, depth: 0 }
    }

    fn is_json(&self) -> bool {
        self.format == PrintFormat::Json
    }

    fn shape(&self) -> Shape {
        self.levels.last().map_or(Shape::Block, |level| level.shape)
    }

    fn set_shape(&mut self, shape: Shape) {
        if let Some(level) = self.levels.last_mut() {
            level.shape = shape;
        }
    }

    fn indent(&mut self, depth: usize) -> fmt::Result {
        (0..depth).try_for_each(|_| self.out.put(if self.is_json() { b"  " } else { b"    " }))
    }

    /// The comma and the line before the next member of an object or a list.
    fn json_next(&mut self) -> fmt::Result {
        let depth = self.levels.len();
        if let Some(level) = self.levels.last_mut() {
            let comma: &[u8] = if level.empty { b"\n" } else { b",\n" };
            level.empty = false;
            self.out.put(comma)?;
        }
        self.indent(depth)
    }

    fn json_key(&mut self, key: &str) -> fmt::Result {
        self.json_next()?;
        json::string(self.out, key)?;
        self.out.put(b": ")
    }

    fn json_open(&mut self, bracket: &[u8], shape: Shape) -> fmt::Result {
        self.levels.push(Level { shape, empty: true });
        self.out.put(bracket)
    }

    fn json_close(&mut self, bracket: &[u8]) -> fmt::Result {
        let empty = self.levels.pop().is_none_or(|level| level.empty);
        if !empty {
            self.out.put(b"\n")?;
            self.indent(self.levels.len())?;
        }
        self.out.put(bracket)
    }

    /// The place of the next statement in a file.
    fn text_next(&mut self, keyword: &str) -> fmt::Result {
        match self.shape() {
            Shape::Header => {
                self.out.put(b" {\n")?;
                self.set_shape(Shape::Block);
                self.depth = self.depth.saturating_add(1);
                self.indent(self.depth)?;
            }
            Shape::Block | Shape::List => self.indent(self.depth)?,
            Shape::LineStart => self.set_shape(Shape::Line),
            Shape::Line => self.out.put(b" ")?,
        }
        self.out.put(keyword.as_bytes())
    }

    /// The end of a statement in a file.
    fn text_end(&mut self) -> fmt::Result {
        match self.shape() {
            Shape::Line | Shape::LineStart => Ok(()),
            _ => self.out.put(b"\n"),
        }
    }

    fn is_masked(&self, value: Value<'_>) -> bool {
        matches!(value, Value::Secret(_)) && self.secrets == Secrets::Masked
    }

    fn text_value(&mut self, value: Value<'_>) -> fmt::Result {
        if self.is_masked(value) {
            // Only ever the last word of its line.
            return write!(self.out, "\"{MASK}\" # masked");
        }
        value.text(self.out)
    }

    fn json_value(&mut self, value: Value<'_>) -> fmt::Result {
        if self.is_masked(value) {
            return self.out.put(b"{\"masked\": true}");
        }
        value.json(self.out)
    }

    /// `KEYWORD VALUE`
    pub fn field(&mut self, keyword: &str, value: Value<'_>) -> fmt::Result {
        self.named(keyword, keyword, value)
    }

    /// The same where JSON has a name of its own.
    pub fn named(&mut self, keyword: &str, key: &str, value: Value<'_>) -> fmt::Result {
        if self.is_json() {
            self.json_key(key)?;
            return self.json_value(value);
        }
        self.text_next(keyword)?;
        self.out.put(b" ")?;
        self.text_value(value)?;
        self.text_end()
    }

    /// The same for a value that may be missing.
    pub fn maybe(&mut self, keyword: &str, value: Option<Value<'_>>) -> fmt::Result {
        value.map_or(Ok(()), |value| self.field(keyword, value))
    }

    /// A value that a file does not write, or only as a comment, when it is the default: keepalived knows no way to write it, or
    /// keepalived 2.2.7 does not know the keyword.
    pub fn unless(&mut self, is_default: bool, keyword: &str, value: Value<'_>) -> fmt::Result {
        if self.is_json() || !is_default {
            return self.field(keyword, value);
        }
        if matches!(self.shape(), Shape::Line | Shape::LineStart) {
            return Ok(());
        }
        self.text_next("# ")?;
        self.out.put(keyword.as_bytes())?;
        self.out.put(b" ")?;
        self.text_value(value)?;
        self.text_end()
    }

    /// A keyword that stands alone, or is not there.
    pub fn flag(&mut self, keyword: &str, set: Switch) -> fmt::Result {
        if self.is_json() {
            return self.field(keyword, Value::Switch(set));
        }
        if set == Switch::Off { Ok(()) } else { self.alone(keyword) }
    }

    /// A keyword without words, in a file; for [`Writer::text_only`].
    pub fn alone(&mut self, keyword: &str) -> fmt::Result {
        self.text_next(keyword)?;
        self.text_end()
    }

    /// A value without a keyword: a word of the header of a block, or of a line. `key` is its name in JSON.
    pub fn bare(&mut self, key: &str, value: Value<'_>) -> fmt::Result {
        if self.is_json() {
            self.json_key(key)?;
            return self.json_value(value);
        }
        match self.shape() {
            Shape::LineStart => self.set_shape(Shape::Line),
            _ => self.out.put(b" ")?,
        }
        self.text_value(value)
    }

    /// A word with its value in the header of a block.
    pub fn header(&mut self, word: &str, value: Value<'_>) -> fmt::Result {
        self.text_only(|w| w.bare("", Value::Text(word)))?;
        self.bare(word, value)
    }

    /// What only a file needs.
    pub fn text_only(&mut self, write: impl FnOnce(&mut Self) -> fmt::Result) -> fmt::Result {
        if self.is_json() { Ok(()) } else { write(self) }
    }

    /// What only JSON has.
    pub fn json_only(&mut self, key: &str, value: Value<'_>) -> fmt::Result {
        if self.is_json() { self.field(key, value) } else { Ok(()) }
    }

    /// `KEYWORD A B C`; nothing in a file when there are none.
    pub fn words<'v>(&mut self, keyword: &str, values: impl IntoIterator<Item = Value<'v>>) -> fmt::Result {
        let mut values = values.into_iter().peekable();
        if self.is_json() {
            return self.json_list(keyword, values);
        }
        if values.peek().is_none() {
            return Ok(());
        }
        self.text_next(keyword)?;
        for value in values {
            self.out.put(b" ")?;
            self.text_value(value)?;
        }
        self.text_end()
    }

    fn json_list<'v>(&mut self, key: &str, values: impl Iterator<Item = Value<'v>>) -> fmt::Result {
        self.json_key(key)?;
        self.out.put(b"[")?;
        for (n, value) in values.enumerate() {
            if n > 0 {
                self.out.put(b", ")?;
            }
            self.json_value(value)?;
        }
        self.out.put(b"]")
    }

    /// A block with one value a line; nothing in a file when there are none.
    pub fn lines<'v>(&mut self, keyword: &str, values: impl IntoIterator<Item = Value<'v>>) -> fmt::Result {
        let mut values = values.into_iter().peekable();
        if self.is_json() {
            return self.json_list(keyword, values);
        }
        if values.peek().is_none() {
            return Ok(());
        }
        self.text_next(keyword)?;
        self.out.put(b" {\n")?;
        for value in values {
            self.indent(self.depth.saturating_add(1))?;
            self.text_value(value)?;
            self.out.put(b"\n")?;
        }
        self.indent(self.depth)?;
        self.out.put(b"}\n")
    }

    /// A block with one record a line; nothing in a file when there are none.
    pub fn records<T>(
        &mut self,
        keyword: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> fmt::Result,
    ) -> fmt::Result {
        let mut items = items.into_iter().peekable();
        if self.is_json() {
            self.json_key(keyword)?;
            self.json_open(b"[", Shape::List)?;
        } else if items.peek().is_none() {
            return Ok(());
        } else {
            self.text_next(keyword)?;
            self.out.put(b" {\n")?;
            self.depth = self.depth.saturating_add(1);
        }
        for item in items {
            self.line(|w| write(w, item))?;
        }
        if self.is_json() {
            return self.json_close(b"]");
        }
        self.depth = self.depth.saturating_sub(1);
        self.indent(self.depth)?;
        self.out.put(b"}\n")
    }

    /// The same without a block of their own: they are the lines of the block that is open. `key` is their name in JSON.
    pub fn members<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> fmt::Result,
    ) -> fmt::Result {
        if !self.is_json() {
            for item in items {
                self.text_next("")?;
                self.levels.push(Level { shape: Shape::LineStart, empty: true });
                write(self, item)?;
                self.levels.pop();
                self.text_end()?;
            }
            return Ok(());
        }
        self.json_key(key)?;
        self.json_open(b"[", Shape::List)?;
        for item in items {
            self.line(|w| write(w, item))?;
        }
        self.json_close(b"]")
    }

    /// A keyword that may be there several times, each with words that have names in JSON.
    pub fn statements<T>(
        &mut self,
        keyword: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> fmt::Result,
    ) -> fmt::Result {
        if self.is_json() {
            return self.members(keyword, items, write);
        }
        items.into_iter().try_for_each(|item| self.statement(keyword, |w| write(w, item)))
    }

    fn line(&mut self, write: impl FnOnce(&mut Self) -> fmt::Result) -> fmt::Result {
        if self.is_json() {
            self.json_next()?;
            self.json_open(b"{", Shape::Block)?;
            write(self)?;
            return self.json_close(b"}");
        }
        self.indent(self.depth)?;
        self.levels.push(Level { shape: Shape::LineStart, empty: true });
        write(self)?;
        self.levels.pop();
        self.out.put(b"\n")
    }

    /// `KEYWORD A B C` where the words have names in JSON.
    pub fn statement(&mut self, keyword: &str, write: impl FnOnce(&mut Self) -> fmt::Result) -> fmt::Result {
        if self.is_json() {
            self.json_key(keyword)?;
            self.json_open(b"{", Shape::Block)?;
            write(self)?;
            return self.json_close(b"}");
        }
        self.text_next(keyword)?;
        self.levels.push(Level { shape: Shape::Line, empty: true });
        write(self)?;
        self.levels.pop();
        self.text_end()
    }

    /// One block. In a file it is there even when it is empty.
    pub fn block(&mut self, keyword: &str, write: impl FnOnce(&mut Self) -> fmt::Result) -> fmt::Result {
        if self.is_json() {
            self.json_key(keyword)?;
        }
        self.block_body(keyword, write)
    }

    /// Blocks of one keyword, a list in JSON.
    pub fn blocks<T>(
        &mut self,
        keyword: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> fmt::Result,
    ) -> fmt::Result {
        if self.is_json() {
            self.json_key(keyword)?;
            self.json_open(b"[", Shape::List)?;
        }
        for item in items {
            if self.is_json() {
                self.json_next()?;
            }
            self.block_body(keyword, |w| write(w, item))?;
        }
        if self.is_json() { self.json_close(b"]") } else { Ok(()) }
    }

    /// Blocks of several keywords in one list of JSON: what [`Writer::of_list`] writes is one of them.
    pub fn list(&mut self, key: &str, write: impl FnOnce(&mut Self) -> fmt::Result) -> fmt::Result {
        if !self.is_json() {
            return write(self);
        }
        self.json_key(key)?;
        self.json_open(b"[", Shape::List)?;
        write(self)?;
        self.json_close(b"]")
    }

    /// A block in a [`Writer::list`]; in JSON its keyword is the member `checker`.
    pub fn of_list(&mut self, keyword: &str, write: impl FnOnce(&mut Self) -> fmt::Result) -> fmt::Result {
        if self.is_json() {
            self.json_next()?;
        }
        self.block_body(keyword, |w| {
            w.json_only("checker", Value::Text(keyword))?;
            write(w)
        })
    }

    fn block_body(&mut self, keyword: &str, write: impl FnOnce(&mut Self) -> fmt::Result) -> fmt::Result {
        if self.is_json() {
            self.json_open(b"{", Shape::Block)?;
            write(self)?;
            return self.json_close(b"}");
        }
        self.text_next(keyword)?;
        let depth = self.depth;
        self.levels.push(Level { shape: Shape::Header, empty: true });
        write(self)?;
        let header = self.levels.pop().is_some_and(|level| level.shape == Shape::Header);
        self.depth = depth;
        if header {
            self.out.put(b" {\n")?;
        }
        self.indent(depth)?;
        self.out.put(b"}\n")
    }

    /// The whole document.
    pub fn document(&mut self, write: impl FnOnce(&mut Self) -> fmt::Result) -> fmt::Result {
        if !self.is_json() {
            return write(self);
        }
        self.levels.clear();
        self.json_open(b"{", Shape::Block)?;
        write(self)?;
        self.json_close(b"}")?;
        self.out.put(b"\n")
    }

    /// A line for people, in a file only.
    pub fn comment(&mut self, text: &str) -> fmt::Result {
        if self.is_json() {
            return Ok(());
        }
        self.text_next("# ")?;
        self.out.put(text.as_bytes())?;
        self.out.put(b"\n")
    }
}
