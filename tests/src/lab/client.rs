//! The client: asks the virtual address all the time and remembers who answered when.

use crate::failure::{Failure, Outcome, wait_until};
use crate::http;
use crate::lan::Host;
use nix::sched::{CloneFlags, setns};
use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Pause between two requests.
const EVERY: Duration = Duration::from_millis(50);

/// How long the client waits for an answer.
const PATIENCE: Duration = Duration::from_millis(400);

/// When a request ended and who answered; none when nobody did.
type Answer = (Instant, Option<String>);

/// A client that asks until dropped.
#[derive(Debug)]
pub struct Client {
    answers: Arc<Mutex<Vec<Answer>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Starts to ask `server` from `host`, each time over a new connection.
    pub fn start(host: &Host, server: SocketAddr) -> Outcome<Self> {
        let namespace = File::open(format!("/run/netns/{}", host.netns.name()))?;
        let answers = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (into, until) = (Arc::clone(&answers), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            if setns(namespace, CloneFlags::CLONE_NEWNET).is_err() {
                return;
            }
            while !until.load(Ordering::Relaxed) {
                let answer = http::get(server, "/", PATIENCE).ok();
                if let Ok(mut answers) = into.lock() {
                    answers.push((Instant::now(), answer));
                }
                std::thread::sleep(EVERY);
            }
        });
        Ok(Client { answers, stop, thread: Some(thread) })
    }

    /// Who answered how often since `since`.
    pub fn answers(&self, since: Instant) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (_, answer) in self.since(since) {
            *counts.entry(answer.unwrap_or_else(|| "nobody".to_owned())).or_insert(0) += 1;
        }
        counts
    }

    /// Waits until each of `names` has answered since `since`, and says how often.
    pub fn wait_answers(&self, names: &[&str], since: Instant, limit: Duration) -> Outcome<String> {
        let what = format!("the client has answers from {}", names.join(" and "));
        wait_until(&what, limit, || Ok(names.iter().all(|name| self.answers(since).contains_key(*name))))?;
        Ok(say(&self.answers(since)))
    }

    /// Waits for `count` more requests that all are answered by somebody, and says by whom.
    pub fn wait_steady(&self, count: usize, limit: Duration) -> Outcome<String> {
        wait_until(&format!("{count} requests of the client are answered one after the other"), limit, || {
            let answers = self.answers.lock().map_err(|_| Failure::new("the client's thread panicked"))?;
            Ok(answers.len() >= count && answers.iter().rev().take(count).all(|(_, answer)| answer.is_some()))
        })?;
        Ok("steady".to_owned())
    }

    /// The longest time since `since` in which no request was answered: from one answer to the next.
    pub fn longest_gap(&self, since: Instant) -> Duration {
        let mut last = since;
        let mut longest = Duration::ZERO;
        for (at, _) in self.since(since).into_iter().filter(|(_, answer)| answer.is_some()) {
            longest = longest.max(at.saturating_duration_since(last));
            last = at;
        }
        longest
    }

    fn since(&self, since: Instant) -> Vec<Answer> {
        let answers = self.answers.lock().map(|answers| answers.clone()).unwrap_or_default();
        answers.into_iter().filter(|(at, _)| *at >= since).collect()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// `web1 3 times, web2 2 times`
pub fn say(counts: &BTreeMap<String, usize>) -> String {
    counts.iter().map(|(name, count)| format!("{name} {count} times")).collect::<Vec<_>>().join(", ")
}
