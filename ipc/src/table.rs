//! Tables addressed by typed indices: an index of one table cannot be used on another, and a foreign index is `None`,
//! never a panic. Indices are what the processes exchange after configuration.

use core::marker::PhantomData;
use serde::{Deserialize, Serialize};

/// An index type: a newtype over a small integer.
pub trait Index: Copy + Eq {
    /// Position in the table.
    fn to_usize(self) -> usize;
    /// The index for a position, `None` when the type cannot hold it.
    fn from_usize(n: usize) -> Option<Self>;
}

/// Declares index newtypes.
#[macro_export]
macro_rules! index {
    ($($(#[$doc:meta])* $name:ident($int:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub struct $name(pub $int);

        impl $crate::table::Index for $name {
            fn to_usize(self) -> usize {
                self.0 as usize
            }
            fn from_usize(n: usize) -> Option<Self> {
                <$int>::try_from(n).ok().map($name)
            }
        }
    )*};
}

/// A vector that is addressed by `I` only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table<I, T> {
    rows: Vec<T>,
    #[serde(skip)]
    index: PhantomData<I>,
}

impl<I, T> Default for Table<I, T> {
    fn default() -> Self {
        Table { rows: Vec::new(), index: PhantomData }
    }
}

impl<I: Index, T> Table<I, T> {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a row and returns its index; gives the row back when the index type is exhausted.
    pub fn push(&mut self, row: T) -> Result<I, T> {
        match I::from_usize(self.rows.len()) {
            Some(i) => {
                self.rows.push(row);
                Ok(i)
            }
            None => Err(row),
        }
    }

    /// Removes all rows.
    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// The row at `i`, `None` for an index of nothing.
    pub fn at(&self, i: I) -> Option<&T> {
        self.rows.get(i.to_usize())
    }

    /// The row at `i`, mutable.
    pub fn at_mut(&mut self, i: I) -> Option<&mut T> {
        self.rows.get_mut(i.to_usize())
    }

    /// Whether `i` names a row.
    pub fn has(&self, i: I) -> bool {
        i.to_usize() < self.rows.len()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows in order, with their indices.
    pub fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.rows.iter().enumerate().filter_map(|(n, row)| I::from_usize(n).map(|i| (i, row)))
    }

    /// The rows in order, mutable, with their indices.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        self.rows.iter_mut().enumerate().filter_map(|(n, row)| I::from_usize(n).map(|i| (i, row)))
    }

    /// The rows in order.
    pub fn rows(&self) -> &[T] {
        &self.rows
    }

    /// The index of the first row for which `f` holds.
    pub fn find(&self, f: impl FnMut(&T) -> bool) -> Option<I> {
        self.rows.iter().position(f).and_then(I::from_usize)
    }
}

impl<I: Index, T> FromIterator<T> for Table<I, T> {
    /// Rows beyond what `I` can address are dropped; builders that may meet that many use [`Table::push`].
    fn from_iter<A: IntoIterator<Item = T>>(rows: A) -> Self {
        let mut table = Table::new();
        for row in rows {
            if table.push(row).is_err() {
                break;
            }
        }
        // What is collected is whole, and stays for long.
        table.rows.shrink_to_fit();
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::index! {
        /// Test index.
        Small(u8);
    }

    #[test]
    fn a_foreign_index_is_none() {
        let t: Table<Small, u32> = [7].into_iter().collect();
        assert_eq!(t.at(Small(0)), Some(&7));
        assert_eq!(t.at(Small(1)), None);
    }

    #[test]
    fn a_full_table_gives_the_row_back() {
        let mut t: Table<Small, u32> = (0..256).collect();
        assert_eq!(t.push(9), Err(9));
        assert_eq!(t.len(), 256);
    }
}
