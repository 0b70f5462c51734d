//! Where in the configuration something was asked for.

use core::fmt;
use core::ops::Deref;
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

/// The name of a file of the configuration. Ten thousands of rows name the same few files: a process has each name once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName(Arc<str>);

/// The names of this process.
#[derive(Debug)]
struct Known {
    /// Rows come file by file.
    last: Option<Arc<str>>,
    all: BTreeSet<Arc<str>>,
}

static KNOWN: Mutex<Known> = Mutex::new(Known { last: None, all: BTreeSet::new() });

impl Known {
    fn name(&mut self, name: &str) -> Arc<str> {
        match &self.last {
            Some(last) if **last == *name => return Arc::clone(last),
            _ => {}
        }
        let known = match self.all.get(name) {
            Some(known) => Arc::clone(known),
            None => self.learn(name),
        };
        self.last = Some(Arc::clone(&known));
        known
    }

    fn learn(&mut self, name: &str) -> Arc<str> {
        let new = Arc::from(name);
        if self.all.len() >= KNOWN_LIMIT {
            self.last = None;
            self.all.retain(|known| Arc::strong_count(known) > 1);
        }
        if self.all.len() < KNOWN_LIMIT {
            self.all.insert(Arc::clone(&new));
        }
        new
    }
}

impl From<&str> for FileName {
    fn from(name: &str) -> FileName {
        FileName(KNOWN.lock().unwrap_or_else(PoisonError::into_inner).name(name))
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

impl Serialize for FileName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for FileName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<FileName, D::Error> {
        String::deserialize(from).map(|name| FileName::from(name.as_str()))
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
        assert!(Arc::ptr_eq(&kept, &known.name("kept")));
    }
}
