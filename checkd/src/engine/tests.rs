mod laws;
mod limits;
mod misc;
mod reload;
mod resume;
mod service;
mod transcript;
mod world;
