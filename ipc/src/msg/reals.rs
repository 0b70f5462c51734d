//! Between checkd and ipvsd.

use super::vips::Presence;
use crate::config::{MarkedIdx, RealIdx, ServiceIdx};
use serde::{Deserialize, Serialize};

/// checkd to ipvsd. The order on a new channel or after an activation is that of [`super::vips`]: Resync, held states and
/// Synced, then every real server and Synced. Until then ipvsd removes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckToIpvs {
    /// Say everything again.
    Resync,
    /// How a real server shall stand in the table.
    SetReal {
        /// Which.
        real: RealIdx,
        /// Wanted state.
        want: Standing,
    },
    /// How real servers whose indices follow one another shall stand in the table: many are said at once after a Resync. On one channel
    /// in one generation no index is named twice by it, and they ascend, however many frames and Resyncs there are: checkd says
    /// everything once, and many small frames cannot ask for more work than one pass over all real servers.
    SetReals {
        /// The first.
        first: RealIdx,
        /// The last, not before the first.
        last: RealIdx,
        /// Wanted state.
        want: Standing,
    },
    /// The weight with which a real server serves from now on, instead of the configured one. Only where the configuration lets
    /// checkers change it ([`crate::config::ipvs::Real::dynamic`]).
    SetWeight {
        /// Which.
        real: RealIdx,
        /// 0..=2147483647.
        weight: u32,
    },
    /// How the sorry server of a service shall stand in the table.
    SetSorry {
        /// Which service.
        service: ServiceIdx,
        /// Wanted state.
        want: Standing,
    },
    /// Say from now on whether this machine has an address of that service (`ha_suspend`); said after [`CheckToIpvs::Resync`].
    Watch {
        /// Which service.
        service: ServiceIdx,
    },
    /// Open a socket with a mark; answered by [`IpvsToCheck::Opened`] or [`IpvsToCheck::NotOpened`].
    Open {
        /// Which.
        marked: MarkedIdx,
    },
    /// All real servers have been said.
    Synced,
}

/// How a destination stands in the table of its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// Not there.
    Absent,
    /// There with weight 0.
    Inhibited,
    /// There with its weight.
    Serving,
}

/// ipvsd to checkd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpvsToCheck {
    /// How real servers whose indices follow one another stand since an earlier checkd, or this one, said so.
    HeldReals {
        /// The first.
        first: RealIdx,
        /// The last, not before the first.
        last: RealIdx,
        /// How.
        standing: Standing,
    },
    /// How a sorry server stands since an earlier checkd said so.
    HeldSorry {
        /// Which service.
        service: ServiceIdx,
        /// How.
        standing: Standing,
    },
    /// Whether this machine has an address of a service, as far as that is known; after [`CheckToIpvs::Watch`], before
    /// [`IpvsToCheck::Synced`], and whenever it changes.
    Address {
        /// Which service.
        service: ServiceIdx,
        /// Whether.
        now: Presence,
    },
    /// A socket with a mark. One descriptor, in a frame of its own.
    Opened {
        /// Which.
        marked: MarkedIdx,
    },
    /// It could not be opened; ipvsd has logged why.
    NotOpened {
        /// Which.
        marked: MarkedIdx,
    },
    /// Everything has been said.
    Synced,
}

super::goes_up!(CheckToIpvs);

/// Puts real servers that stand alike and follow one another together: first, last, how. They come in the order of their indices.
pub fn alike(reals: impl IntoIterator<Item = (RealIdx, Standing)>) -> Vec<(RealIdx, RealIdx, Standing)> {
    let mut runs: Vec<(RealIdx, RealIdx, Standing)> = Vec::new();
    for (real, standing) in reals {
        match runs.last_mut() {
            Some((_, last, of)) if *of == standing && last.0.checked_add(1) == Some(real.0) => *last = real,
            _ => runs.push((real, real, standing)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Absent, Serving};

    #[test]
    fn what_stands_alike_and_follows_is_one() {
        let reals = [(0, Serving), (1, Serving), (2, Absent), (3, Serving), (5, Serving), (6, Serving)];
        let runs = alike(reals.map(|(n, standing)| (RealIdx(n), standing)));
        let plain: Vec<_> = runs.into_iter().map(|(first, last, standing)| (first.0, last.0, standing)).collect();
        assert_eq!(plain, [(0, 1, Serving), (2, 2, Absent), (3, 3, Serving), (5, 6, Serving)]);
        assert!(alike([]).is_empty());
    }
}
