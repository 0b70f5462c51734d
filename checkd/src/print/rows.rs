//! Rows that belong to others: the real servers of each virtual server, the checkers of each real server.

use alloc::vec::Vec;
use ipc::table::Index;

/// The rows of a table by the row of another one that they belong to, each owner's in their own order. One sort, then nothing is searched
/// in more than logarithmic time: there may be a hundred thousand of each.
pub(super) struct Rows<'a, T> {
    rows: Vec<(usize, &'a T)>,
}

impl<'a, T> Rows<'a, T> {
    /// `owner` says whose a row is.
    pub(super) fn by<I: Index>(rows: &'a [T], owner: impl Fn(&T) -> I) -> Self {
        let mut rows: Vec<(usize, &T)> = rows.iter().map(|row| (owner(row).to_usize(), row)).collect();
        rows.sort_by_key(|(owner, _)| *owner); // stable
        Rows { rows }
    }

    /// Those of one owner.
    pub(super) fn of(&self, owner: impl Index) -> impl Iterator<Item = &'a T> + Clone + '_ {
        let owner = owner.to_usize();
        let first = self.rows.partition_point(|(other, _)| *other < owner);
        let after = self.rows.partition_point(|(other, _)| *other <= owner);
        self.rows.get(first..after).unwrap_or_default().iter().map(|(_, row)| *row)
    }
}
