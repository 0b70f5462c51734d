//! Where PCRE2 and `fancy-regex` read the same characters differently: `$`, `\h`, `\H`, `\N`, `\Q…\E`.

use alloc::string::String;

/// A `$` of PCRE2 that is not of several lines: at the end, or before the line feed that is the end.
const END: &str = "(?=\\n?\\z)";

/// The same pattern in the words of `fancy-regex`, or why there is none.
pub(super) fn translate(pattern: &str, multiline: bool, end_only: bool) -> Result<String, String> {
    // A pattern that switches `(?m)` itself means its `$` as the other library has it.
    let multiline = multiline || inline_multiline(pattern);
    let mut out = String::with_capacity(pattern.len());
    let mut class = Class::Outside;
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, class) {
            ('\\', _) => {
                let Some(next) = rest.next() else {
                    return Err(String::from("it ends with a backslash"));
                };
                match (next, class) {
                    ('Q', _) => literal(&mut rest, &mut out),
                    ('E', _) => {}
                    ('h', Class::Outside) => out.push_str("[ \\t]"),
                    ('h', _) => out.push_str(" \\t"),
                    ('H', Class::Outside) => out.push_str("[^ \\t]"),
                    ('N', Class::Outside) if rest.peek() != Some(&'{') => out.push_str("[^\\n]"),
                    ('H' | 'C', _) => {
                        return Err(alloc::format!("`\\{next}` is not supported here"));
                    }
                    (next, _) => {
                        out.push('\\');
                        out.push(next);
                    }
                }
                if class == Class::Begins {
                    class = Class::Inside;
                }
            }
            ('[', Class::Outside) => {
                out.push('[');
                if rest.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                class = Class::Begins;
            }
            // The first thing in a class is itself.
            (']', Class::Begins) => {
                out.push_str("\\]");
                class = Class::Inside;
            }
            (']', Class::Inside) => {
                out.push(']');
                class = Class::Outside;
            }
            ('[', Class::Begins | Class::Inside) if rest.peek() == Some(&':') => {
                // [:alpha:]
                out.push('[');
                for c in rest.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
                class = Class::Inside;
            }
            // Operators of sets that PCRE2 does not have.
            ('[' | '&' | '~', Class::Begins | Class::Inside) => {
                out.push('\\');
                out.push(c);
                class = Class::Inside;
            }
            ('$', Class::Outside) if end_only && !multiline => out.push_str("\\z"),
            ('$', Class::Outside) if !multiline => out.push_str(END),
            (c, Class::Begins | Class::Inside) => {
                out.push(c);
                class = Class::Inside;
            }
            (c, Class::Outside) => out.push(c),
        }
    }
    Ok(out)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Outside,
    /// Nothing has stood in it yet.
    Begins,
    Inside,
}

/// Whether `(?m)` or the like stands in it.
fn inline_multiline(pattern: &str) -> bool {
    pattern.split("(?").skip(1).any(|flags| flags.chars().take_while(char::is_ascii_alphabetic).any(|flag| flag == 'm'))
}

/// `\Q…\E`: what is between means itself.
fn literal(rest: &mut core::iter::Peekable<core::str::Chars<'_>>, out: &mut String) {
    while let Some(c) = rest.next() {
        if c == '\\' && rest.next_if_eq(&'E').is_some() {
            return;
        }
        if !c.is_alphanumeric() && c.is_ascii() {
            out.push('\\');
        }
        out.push(c);
    }
}
