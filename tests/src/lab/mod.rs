//! The lab: two directors, two web servers and a client, told as it happens.

pub mod client;
pub mod follow;
pub mod lvs;
pub mod nginx;
pub mod stage;
pub mod story;
