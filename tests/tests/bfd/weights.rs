//! What a session does to the priorities of instances that track it: the same as with keepalived, line by line of the log.

use super::{DETECTION, SLACK, addresses, wait_up};
use std::time::Duration;
use tests::daemon::{Daemon, Program};
use tests::failure::Outcome;
use tests::pair::{Pair, SOON, with_log};

/// Each of them in an instance of its own.
const WEIGHTS: [&str; 6] =
    ["weight 10", "weight 10 reverse", "weight -10", "weight -10 reverse", "weight 0 reverse", ""];

/// The session's own weight counts where a line has none.
fn config(pair: &Pair) -> String {
    let [a, b] = addresses(pair, false);
    let mut text = format!(
        "bfd_instance other {{\n    neighbor_ip {b}\n    source_ip {a}\n    min_rx 100\n    min_tx 100\n    multiplier 3\n    \
         weight 7\n}}\n"
    );
    for (n, weight) in WEIGHTS.iter().enumerate() {
        text.push_str(&format!(
            "vrrp_instance V{n} {{\n    interface ens33\n    state BACKUP\n    virtual_router_id {}\n    priority {}\n    advert_int 30\n    \
             virtual_ipaddress {{\n        192.168.154.{}\n    }}\n    track_bfd {{\n        other {weight}\n    }}\n}}\n",
            n + 60,
            n + 100,
            n + 180
        ));
    }
    text
}

/// What the log says of each instance while the session comes up, goes down and comes up again.
fn told(program: Program) -> Outcome<Vec<Vec<String>>> {
    let pair = Pair::new()?;
    let [a, b] = addresses(&pair, false);
    let back = format!(
        "bfd_instance back {{\n    neighbor_ip {a}\n    source_ip {b}\n    min_rx 100\n    min_tx 100\n    multiplier 3\n}}\n\
         vrrp_instance V {{\n    interface ens33\n    state BACKUP\n    virtual_router_id 50\n    advert_int 30\n    \
         virtual_ipaddress {{\n        192.168.154.170\n    }}\n    track_bfd {{\n        back weight 1\n    }}\n}}\n"
    );
    let one = Daemon::start(program, &pair.a, &config(&pair))?;
    // What is new and has not come up yet counts as down after a while with us, at once with keepalived.
    std::thread::sleep(Duration::from_secs(7));
    let mut two = Daemon::start(Program::Keepalived, &pair.b, &back)?;
    wait_up(&one).map_err(|failure| with_log(&failure, &one))?;
    std::thread::sleep(Duration::from_secs(1));
    two.kill_all()?;
    one.wait_log("(other) Entering Down state", DETECTION + SLACK)?;
    std::thread::sleep(Duration::from_secs(1));
    let _two = Daemon::start(Program::Keepalived, &pair.b, &back)?;
    tests::failure::wait_until("the session is up again", SOON, || {
        Ok(one.log().matches("(other) Entering Up state").count() == 2)
    })?;
    std::thread::sleep(Duration::from_secs(1));
    let log = one.log();
    let of = |n: usize| {
        let name = format!("(V{n}) ");
        let words = log.lines().filter_map(|line| line.split_once(&name)).map(|(_, words)| words.to_owned());
        let is_wanted =
            |words: &String| words.starts_with("Changing effective priority") || words.starts_with("Entering ");
        // keepalived also says how it came to the priority that it starts with.
        words.filter(is_wanted).skip_while(|words| !words.contains("(init)")).collect::<Vec<String>>()
    };
    Ok((0..WEIGHTS.len()).map(of).collect())
}

#[test]
fn every_weight_does_what_it_does_with_keepalived() -> Outcome {
    let theirs = told(Program::Keepalived)?;
    let ours = told(Program::Holdfast)?;
    for ((weight, theirs), ours) in WEIGHTS.iter().zip(&theirs).zip(&ours) {
        assert!(theirs.len() >= 3, "{weight}: {theirs:?}");
        assert_eq!(ours, theirs, "track_bfd {{ other {weight} }}");
    }
    Ok(())
}
