//! JSON, written.

use alloc::string::String;
use core::fmt::{Display, Write};

/// `{…}`
pub(super) fn object(text: &mut String, members: impl FnOnce(&mut String)) {
    text.push('{');
    members(text);
    text.push('}');
}

/// `"key":`, after a comma unless it is the first of its object.
pub(super) fn key(text: &mut String, key: &str) {
    if !text.ends_with('{') {
        text.push(',');
    }
    // Writing to a String cannot fail.
    let _ = write!(text, "\"{key}\":");
}

/// `[…]`
pub(super) fn elements<T>(text: &mut String, all: impl Iterator<Item = T>, mut one: impl FnMut(&mut String, T)) {
    text.push('[');
    for (n, element) in all.enumerate() {
        if n > 0 {
            text.push(',');
        }
        one(text, element);
    }
    text.push(']');
}

/// `"key":[…]`
pub(super) fn array<T>(text: &mut String, name: &str, all: impl Iterator<Item = T>, one: impl FnMut(&mut String, T)) {
    key(text, name);
    elements(text, all, one);
}

/// `"key":["…","…"]`
pub(super) fn strings<'a>(text: &mut String, name: &str, all: impl Iterator<Item = &'a str>) {
    array(text, name, all, quoted);
}

/// The same; nothing where there are none. COMPAT: keepalived 2.2.7.
pub(super) fn some_strings<'a>(text: &mut String, name: &str, all: impl Iterator<Item = &'a str>) {
    let mut all = all.peekable();
    if all.peek().is_some() {
        strings(text, name, all);
    }
}

/// A number, `true` or `false`.
pub(super) fn member(text: &mut String, name: &str, value: impl Display) {
    key(text, name);
    let _ = write!(text, "{value}");
}

pub(super) fn string(text: &mut String, name: &str, value: &str) {
    key(text, name);
    quoted(text, value);
}

fn quoted(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}
