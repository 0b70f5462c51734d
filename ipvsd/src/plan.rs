//! The difference between what is desired and what is observed, in the order in which it is made good: [`addrs`] for
//! addresses, [`services`] for IPVS.

pub mod addrs;
pub mod services;

/// Whether something may be removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Removal {
    /// The peer has said everything.
    Allowed,
    /// It has not yet: what it has not spoken of may still be wanted.
    #[default]
    NotYet,
}
