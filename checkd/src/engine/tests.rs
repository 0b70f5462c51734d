mod laws;
mod limits;
mod reload;
mod resume;
mod service;
mod transcript;
mod world;
