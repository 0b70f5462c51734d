//! What the lab prints: timed lines, the outcome of each step, and a table of all steps at the end.

use crate::failure::{Failure, Outcome};
use std::time::Instant;

/// The clock that all lines of one run share.
#[derive(Clone, Copy, Debug)]
pub struct Teller(Instant);

impl Teller {
    /// Prints that `who` did `what` now.
    pub fn tell(self, who: &str, what: &str) {
        println!("{:7.2} s  {who:<10} {what}", self.0.elapsed().as_secs_f64());
    }
}

/// The steps so far.
#[derive(Debug)]
pub struct Story {
    /// Prints lines with the time since the beginning.
    pub teller: Teller,
    steps: Vec<(String, Outcome<String>)>,
}

impl Story {
    /// Begins now.
    pub fn begin() -> Self {
        Story { teller: Teller(Instant::now()), steps: Vec::new() }
    }

    /// Prints a heading.
    pub fn part(&self, title: &str) {
        println!("\n--- {title}");
    }

    /// Notes what a step promised and how it went: a short remark, or why it did not happen.
    pub fn step(&mut self, promise: &str, outcome: Outcome<String>) -> Outcome {
        let passed = match &outcome {
            Ok(remark) => {
                self.teller.tell("OK", &format!("{promise}: {remark}"));
                Ok(())
            }
            Err(failure) => {
                self.teller.tell("FAILED", &format!("{promise}: {failure}"));
                Err(Failure::new(format!("{promise}: {failure}")))
            }
        };
        self.steps.push((promise.to_owned(), outcome));
        passed
    }

    /// Prints the table and whether everything happened.
    pub fn end(&self) -> bool {
        let width = self.steps.iter().map(|(promise, _)| promise.chars().count()).max().unwrap_or(0);
        println!("\n--- Summary");
        for (promise, outcome) in &self.steps {
            let (mark, remark) = match outcome {
                Ok(remark) => ("ok    ", remark.clone()),
                Err(_) => ("FAILED", "see above".to_owned()),
            };
            println!("{mark}  {promise:<width$}  {remark}");
        }
        let failed = self.steps.iter().filter(|(_, outcome)| outcome.is_err()).count();
        println!("{} steps, {failed} failed, {:.0} s", self.steps.len(), self.teller.0.elapsed().as_secs_f64());
        failed == 0 && !self.steps.is_empty()
    }
}
