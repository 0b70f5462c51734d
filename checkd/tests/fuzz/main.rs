//! Each stage of the compiler, and the whole, fed with whatever comes: a short run is part of the tests.
//!
//! For longer: `HOLDFAST_FUZZ_SECONDS=300 cargo test -p checkd --test fuzz STAGE`. An input that was ever found to break a law is kept in
//! `checkd/tests/fuzz/corpus` and given to every stage by each run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at what it did not expect"
)]

mod laws;
mod text;

use std::path::PathBuf;
use std::time::Duration;

/// Feeds a stage: as many inputs as a test may have, or for as long as is asked for.
fn feed(stage: fn(&[u8]), iterations: usize) {
    let target = bolero::check!().with_max_len(2048);
    match std::env::var("HOLDFAST_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()) {
        Some(seconds) => {
            target.with_test_time(Duration::from_secs(seconds)).for_each(|bytes: &[u8]| kept(stage, bytes));
        }
        None => target.with_iterations(iterations).for_each(|bytes: &[u8]| kept(stage, bytes)),
    }
}

/// Runs a stage; what breaks it is left in a file, for the corpus.
fn kept(stage: fn(&[u8]), bytes: &[u8]) {
    if std::panic::catch_unwind(|| stage(bytes)).is_err() {
        let name = bytes.iter().fold(0_u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(*b)));
        let path = std::env::temp_dir().join(format!("holdfast-found-{name:08x}"));
        std::fs::write(&path, bytes).unwrap();
        panic!("{} breaks a law", path.display());
    }
}

#[test]
fn lines() {
    feed(laws::lines, 3000);
}

#[test]
fn expand() {
    feed(|bytes| laws::expand(&text::of(bytes)), 2000);
}

#[test]
fn loops() {
    feed(|bytes| laws::loops(&text::of(bytes)), 2000);
}

#[test]
fn preproc() {
    feed(|bytes| laws::preproc(&text::of(bytes)), 1000);
}

#[test]
fn tree() {
    feed(|bytes| laws::tree(&text::of(bytes)), 2000);
}

#[test]
fn readers() {
    feed(|bytes| laws::readers(&text::of(bytes)), 1000);
}

#[test]
fn resolve() {
    feed(|bytes| laws::whole(&text::configuration(bytes)), 600);
}

#[test]
fn whole() {
    feed(laws::whole, 600);
}

fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn what_was_found_once_is_found_no_more() {
    let corpus = corpus();
    assert!(corpus.len() >= 20);
    for (path, bytes) in corpus {
        eprintln!("{}", path.display());
        laws::lines(&bytes);
        laws::expand(&bytes);
        laws::loops(&bytes);
        laws::tree(&bytes); // and the preprocessor before it
        laws::whole(&bytes); // and the readers within it
        laws::whole(&text::of(&bytes));
        laws::whole(&text::configuration(&bytes));
    }
}
