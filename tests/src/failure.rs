//! What went wrong, in one sentence for the person who reads the test's output.

use std::fmt;
use std::time::{Duration, Instant};

/// Why a step of a test or of the lab could not be done.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure(String);

/// What every step returns.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure that says `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Failure(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure(error.to_string())
    }
}

/// Says what was attempted when it failed.
pub trait Context<T> {
    /// Puts `what()` before the reason.
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T, E: fmt::Display> Context<T> for Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{}: {error}", what())))
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T> {
        self.ok_or_else(|| Failure(what()))
    }
}

/// How often [`wait_for`] looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until `look` finds something, at most for `limit`. The failure names `what` was waited for.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Outcome<Option<T>>) -> Outcome<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if started.elapsed() > limit {
            return Err(Failure(format!("waited {:.1} s in vain: {what}", limit.as_secs_f64())));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// [`wait_for`] for something that is true or not.
pub fn wait_until(what: &str, limit: Duration, mut look: impl FnMut() -> Outcome<bool>) -> Outcome {
    wait_for(what, limit, || Ok(look()?.then_some(())))
}
