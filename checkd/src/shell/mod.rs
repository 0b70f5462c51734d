//! The shell of checkd: descriptors and system calls.

pub mod compile;
pub mod connect;
pub mod driver;
pub mod explain;
pub mod letter;
mod marked;
pub mod print;
pub mod prober;
pub mod render;
pub mod run;
mod shown;
pub mod syscalls;
pub mod tls;

#[cfg(test)]
mod tests;
