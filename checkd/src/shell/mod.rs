//! The shell of checkd: descriptors and system calls.

pub mod compile;
pub mod render;
