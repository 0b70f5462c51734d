//! How checkers travel: what many of them have in common is written once, and is in memory once where it is read.

use super::check::{Checker, How};
use super::{CheckerIdx, Origin, RealIdx};
use crate::table::Table;
use core::net::SocketAddr;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

/// So many of those written last are compared with the next. Rows come block by block: in a file where real servers have two or three
/// checkers each, all are found; where each asks in its own way, not much time is lost.
const RECENT: usize = 8;

/// One checker; its `How` by its place in the list before.
#[derive(Serialize, Deserialize)]
struct Row<O> {
    real: RealIdx,
    target: SocketAddr,
    how: u32,
    origin: O,
}

/// Writes the table.
pub(super) fn serialize<S: Serializer>(table: &Table<CheckerIdx, Checker>, to: S) -> Result<S::Ok, S::Error> {
    let mut hows: Vec<&Arc<How>> = Vec::new();
    let mut rows = Vec::with_capacity(table.len());
    for Checker { real, target, how, origin } in table.rows() {
        let place = match hows.iter().rev().take(RECENT).position(|known| *known == how) {
            Some(back) => hows.len().saturating_sub(back).saturating_sub(1),
            None => {
                hows.push(how);
                hows.len().saturating_sub(1)
            }
        };
        let how = u32::try_from(place).unwrap_or(u32::MAX); // u32: more than memory holds
        rows.push(Row { real: *real, target: *target, how, origin });
    }
    let hows: Vec<&How> = hows.into_iter().map(Arc::as_ref).collect();
    (hows, rows).serialize(to)
}

/// Reads it; an error when a row has a `How` that is not there.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Table<CheckerIdx, Checker>, D::Error> {
    let (hows, rows): (Vec<How>, Vec<Row<Origin>>) = Deserialize::deserialize(from)?;
    let hows: Vec<Arc<How>> = hows.into_iter().map(Arc::new).collect();
    let whole = |Row { real, target, how, origin }: Row<Origin>| {
        let how = usize::try_from(how).ok().and_then(|place| hows.get(place));
        let how = how.cloned().ok_or_else(|| D::Error::custom("a checker asks in a way that is not there"))?;
        Ok(Checker { real, target, how, origin })
    };
    rows.into_iter().map(whole).collect()
}
