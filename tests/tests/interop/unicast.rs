//! Whom a router with unicast peers listens to: `check_unicast_src`, `min_ttl`, `max_ttl`; one without peers; the checksum of old versions.

use crate::{agree, ours_first, same_unicast_packets, theirs_first, v3_unicast};
use std::time::Duration;
use tests::config::Vrrp;
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::pair::{Pair, SOON, with_log};

/// What b has in `unicast_peer`, and more lines; the hop limit of what a sends; whether b hears it.
const ROWS: [(&str, &str, u8, bool); 6] = [
    ("192.168.154.99", "", 255, true),
    ("192.168.154.99", "check_unicast_src", 255, false),
    ("192.168.154.10 min_ttl 254", "", 255, true),
    ("192.168.154.10 min_ttl 254", "", 64, false),
    ("192.168.154.10 max_ttl 64", "", 64, true),
    ("192.168.154.10 max_ttl 64", "", 255, false),
];

fn listens(programs: [Program; 2]) -> Outcome {
    for (peer, more, ttl, hears) in ROWS {
        let row = format!("{peer} {more}, {ttl}");
        let pair = Pair::new()?;
        let config = Vrrp::master(255).unicast("192.168.154.10", "192.168.154.11").line(format!("unicast_ttl {ttl}"));
        let one = Daemon::start(programs[0], &pair.a, &config.to_string())?;
        let said = pair.wait_advert(&pair.a).map_err(|failure| with_log(&failure, &one))?;
        assert_eq!(said.advert().map(|advert| advert.ttl), Some(ttl), "{row}");
        let config = Vrrp::backup(200).unicast("192.168.154.11", peer).line(more).to_string();
        let two = Daemon::start(programs[1], &pair.b, &config)?;
        two.wait_log("Entering BACKUP STATE", SOON)?;
        if hears {
            // Longer than it takes a backup to notice that there is no master.
            std::thread::sleep(Duration::from_millis(4_200));
            assert!(!two.log().contains("Entering MASTER STATE"), "{row}:\n{}", two.log());
        } else {
            two.wait_log("Entering MASTER STATE", SOON).map_err(|failure| with_log(&failure, &one))?;
        }
    }
    Ok(())
}

#[test]
fn ours_listens_to_its_peers() -> Outcome {
    listens(theirs_first())
}

#[test]
fn theirs_listens_to_its_peers() -> Outcome {
    listens(ours_first())
}

/// It is in FAULT and says nothing; without the keyword it uses multicast.
#[test]
fn without_a_peer_it_is_in_fault_if_that_is_asked_for() -> Outcome {
    for program in theirs_first() {
        for (more, faulty) in [("unicast_fault_no_peer", true), ("", false)] {
            let pair = Pair::new()?;
            let config = Vrrp::master(255).line("unicast_src_ip 192.168.154.10").line(more).to_string();
            let one = Daemon::start(program, &pair.a, &config)?;
            if faulty {
                wait_until("it tells of FAULT", SOON, || Ok(one.log().to_lowercase().contains("fault state")))
                    .map_err(|failure| with_log(&failure, &one))?;
                std::thread::sleep(Duration::from_millis(2_500));
                assert_eq!(pair.adverts_of(&pair.a), [], "{}", one.log());
            } else {
                let said = pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
                let destination = said.advert().map(|advert| advert.destination.to_string());
                assert_eq!(destination.as_deref(), Some("224.0.0.18"), "{program:?}");
            }
        }
    }
    Ok(())
}

/// Both of them with it.
fn old_checksum(config: Vrrp, is_a: bool) -> Vrrp {
    v3_unicast(config, is_a).line("old_unicast_checksum")
}

/// Only the master has it, and the backup learns.
fn old_checksum_of_one(config: Vrrp, is_a: bool) -> Vrrp {
    let config = v3_unicast(config, is_a);
    if is_a { config.line("old_unicast_checksum") } else { config }
}

#[test]
fn the_old_checksum_ours_is_master() -> Outcome {
    agree(ours_first(), old_checksum)?;
    agree(ours_first(), old_checksum_of_one)
}

#[test]
fn the_old_checksum_theirs_is_master() -> Outcome {
    agree(theirs_first(), old_checksum)?;
    agree(theirs_first(), old_checksum_of_one)
}

#[test]
fn same_bytes_old_checksum() -> Outcome {
    let old = same_unicast_packets(&old_checksum(Vrrp::master(100), true))?;
    assert_ne!(old, same_unicast_packets(&v3_unicast(Vrrp::master(100), true))?, "it is another one");
    Ok(())
}
