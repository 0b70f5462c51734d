//! Where in the configuration something was asked for.

use core::borrow::Borrow;
use core::cell::RefCell;
use core::fmt;
use core::ops::Deref;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Most names that are kept; as many as a configuration has files. What is beyond is a name of its own.
const KNOWN_LIMIT: usize = 4_096;

/// Where in the configuration something was asked for, for messages about it at run time.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// File as the user named it.
    pub file: FileName,
    /// Line, from 1.
    pub line: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", &*self.file, self.line)
    }
}

/// The name of a file of the configuration. Ten thousands of rows name the same few files: a process has each name once, and so has a slice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName(Arc<Box<str>>);

/// The names of this process.
#[derive(Debug)]
struct Known {
    /// Rows come file by file.
    last: Option<FileName>,
    all: BTreeSet<FileName>,
}

static KNOWN: Mutex<Known> = Mutex::new(Known { last: None, all: BTreeSet::new() });

thread_local! {
    /// The names in the value that this thread is encoding or decoding, in the order in which they came: what comes again is a number.
    static CAME: RefCell<Vec<FileName>> = const { RefCell::new(Vec::new()) };
}

/// Another value begins.
pub(crate) fn begin() {
    CAME.with_borrow_mut(Vec::clear);
}

impl Known {
    fn name(&mut self, name: &str) -> FileName {
        match &self.last {
            Some(last) if **last == *name => return last.clone(),
            _ => {}
        }
        let known = match self.all.get(name) {
            Some(known) => known.clone(),
            None => self.learn(name),
        };
        self.last = Some(known.clone());
        known
    }

    fn learn(&mut self, name: &str) -> FileName {
        let new = FileName(Arc::new(name.into()));
        if self.all.len() >= KNOWN_LIMIT {
            self.last = None;
            self.all.retain(|known| Arc::strong_count(&known.0) > 1);
        }
        if self.all.len() < KNOWN_LIMIT {
            self.all.insert(new.clone());
        }
        new
    }
}

impl From<&str> for FileName {
    fn from(name: &str) -> FileName {
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).name(name)
    }
}

impl Default for FileName {
    fn default() -> FileName {
        FileName::from("")
    }
}

impl Deref for FileName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for FileName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for FileName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (place, new) = CAME.with_borrow_mut(|came| match came.iter().rposition(|name| name == self) {
            Some(place) => (place, None),
            None => {
                came.push(self.clone());
                (came.len().saturating_sub(1), Some(&**self))
            }
        });
        // u32: more than memory holds
        (u32::try_from(place).unwrap_or(u32::MAX), new).serialize(to)
    }
}

impl<'de> Deserialize<'de> for FileName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<FileName, D::Error> {
        let (place, new): (u32, Option<String>) = Deserialize::deserialize(from)?;
        let name = CAME.with_borrow_mut(|came| match new {
            Some(new) => {
                came.push(FileName::from(new.as_str()));
                came.last().cloned()
            }
            None => came.get(usize::try_from(place).ok()?).cloned(),
        });
        name.ok_or_else(|| D::Error::custom("a file name that has not come yet"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        let (a, _other, b) = (FileName::from("a.conf"), FileName::from("b.conf"), FileName::from("a.conf"));
        assert!(Arc::ptr_eq(&a.0, &b.0));
    }

    #[test]
    fn names_that_nobody_has_any_more_make_room() {
        let mut known = Known { last: None, all: BTreeSet::new() };
        let kept = known.name("kept");
        for n in 0..KNOWN_LIMIT * 2 {
            known.name(&format!("{n}"));
            assert!(known.all.len() <= KNOWN_LIMIT);
        }
        assert!(Arc::ptr_eq(&kept.0, &known.name("kept").0));
    }
}
