//! Where in the configuration something was asked for.

use core::borrow::Borrow;
use core::cell::RefCell;
use core::fmt;
use core::ops::Deref;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
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
    /// The names in the value that this thread is encoding or decoding: what comes again is its number, in the order in which they came.
    static CAME: RefCell<Came> = const { RefCell::new(Came { names: Vec::new(), numbers: BTreeMap::new() }) };
}

/// The names in a value.
#[derive(Default)]
struct Came {
    /// Where it is decoded.
    names: Vec<FileName>,
    /// Where it is encoded.
    numbers: BTreeMap<FileName, u32>,
}

/// Encodes or decodes one value.
pub(crate) fn in_one_value<T>(f: impl FnOnce() -> T) -> T {
    let done = f();
    CAME.take();
    done
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
        CAME.with_borrow_mut(|came| match came.numbers.get(self) {
            Some(number) => (*number, None),
            None => {
                // u32: more than memory holds
                let number = u32::try_from(came.numbers.len()).unwrap_or(u32::MAX);
                came.numbers.insert(self.clone(), number);
                (number, Some(&**self))
            }
        })
        .serialize(to)
    }
}

impl<'de> Deserialize<'de> for FileName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<FileName, D::Error> {
        let (number, new): (u32, Option<String>) = Deserialize::deserialize(from)?;
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let name = CAME.with_borrow_mut(|came| {
            if let Some(new) = new {
                if number != came.names.len() {
                    return None;
                }
                came.names.push(FileName::from(new.as_str()));
            }
            came.names.get(number).cloned()
        });
        name.ok_or_else(|| D::Error::custom("file names are numbered in the order in which they come"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};

    #[test]
    fn a_name_comes_once_in_a_value_and_then_as_its_number() {
        let origins = ["a.conf", "b.conf", "a.conf"].map(|name| Origin { file: FileName::from(name), line: 1 });
        let bytes = encode(&origins.to_vec()).unwrap();
        assert_eq!(bytes.windows(6).filter(|text| text == b"a.conf").count(), 1);
        assert_eq!(decode::<Vec<Origin>>(&bytes).unwrap(), origins);
        // Neither of a number that nobody has, nor with another number than its own.
        assert!(decode::<FileName>(&encode(&(0_u32, None::<&str>)).unwrap()).is_err());
        assert!(decode::<FileName>(&encode(&(1_u32, Some("a.conf"))).unwrap()).is_err());
        assert_eq!(&*decode::<FileName>(&encode(&(0_u32, Some("a.conf"))).unwrap()).unwrap(), "a.conf");
    }

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
