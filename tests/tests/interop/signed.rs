//! Signed adverts (`auth_hmac`) between two of ours: Debian's keepalived has none.

use crate::{Dialect, v2, v3, v6};
use std::time::Duration;
use tests::config::{VIP, Vrrp};
use tests::daemon::{Daemon, Program};
use tests::failure::{Outcome, wait_until};
use tests::pair::{Pair, SOON, with_log};

/// The key of both.
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// That of somebody else, under the same number.
const WRONG: &str = "fedcba9876543210fedcba9876543210";

/// Bytes that a signature adds (behind the advertisement): its kind and key, a sequence number, the hash.
const TRAILER: usize = 28;

/// An instance with these lines in its block.
fn signed(config: Vrrp, lines: &str) -> Vrrp {
    config.line(format!("auth_hmac {{\n{lines}\n    }}"))
}

fn key_7(key: &str) -> String {
    format!("key 7 {key}\n active_key 7")
}

/// Starts a master of `first` and beside it, one after the other, backups of the others: each hears it or not.
fn heard(first: Vrrp, others: &[(&str, Vrrp, bool)]) -> Outcome {
    let pair = Pair::new()?;
    let one = Daemon::start(Program::Holdfast, &pair.a, &first.to_string())?;
    pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
    for (what, other, hears) in others {
        let mut two = Daemon::start(Program::Holdfast, &pair.b, &other.to_string())?;
        two.wait_log("Entering BACKUP STATE", SOON)?;
        if *hears {
            pair.wire.clear();
            // Longer than it takes a backup to notice that there is no master.
            std::thread::sleep(Duration::from_millis(4_500));
            assert_eq!(pair.adverts_of(&pair.b), [], "{what} hears it:\n{}", two.log());
        } else {
            two.wait_log("Entering MASTER STATE", SOON)?;
        }
        two.terminate()?;
        assert!(pair.a.has(VIP)?, "{what}: the better one stays:\n{}", one.log());
    }
    Ok(())
}

/// A backup with a key and a mode.
fn backup(key: &str, mode: &str) -> Vrrp {
    signed(Vrrp::backup(90), &format!("{}\n mode {mode}", key_7(key)))
}

#[test]
fn who_hears_a_master_that_signs() -> Outcome {
    heard(
        signed(Vrrp::master(100), &key_7(KEY)),
        &[
            ("permissive", backup(KEY, "permissive"), true),
            ("permissive with another key", backup(WRONG, "permissive"), false),
            ("receive-only", backup(KEY, "receive-only"), true),
            ("receive-only with another key", backup(WRONG, "receive-only"), false),
            ("without keys", Vrrp::backup(90), false),
        ],
    )
}

#[test]
fn who_hears_a_master_that_does_not_sign() -> Outcome {
    heard(
        Vrrp::master(100),
        &[
            ("permissive", backup(KEY, "permissive"), true),
            ("receive-only", backup(KEY, "receive-only"), true),
            ("enforce", backup(KEY, "enforce"), false),
        ],
    )
}

/// Which of them put a signature into their adverts.
#[test]
fn who_signs() -> Outcome {
    let pair = Pair::new()?;
    let length = |config: Vrrp| -> Outcome<usize> {
        pair.wire.clear();
        let mut one = Daemon::start(Program::Holdfast, &pair.a, &config.to_string())?;
        pair.wait_master(&pair.a).map_err(|failure| with_log(&failure, &one))?;
        one.terminate()?;
        pair.wait_released(&pair.a)?;
        let lengths: Vec<usize> = pair.adverts_of(&pair.a).iter().map(|(_, advert)| advert.comparable.len()).collect();
        assert!(lengths.len() >= 2 && lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
        Ok(lengths[0])
    };
    let plain = length(Vrrp::master(90))?;
    for (mode, more) in [("enforce", TRAILER), ("permissive", TRAILER), ("receive-only", 0)] {
        assert_eq!(length(backup(KEY, mode))?, plain + more, "{mode}");
    }
    Ok(())
}

/// A new key goes round, reload by reload, and no advert is missed; one that the backup does not know is not heard.
#[test]
fn keys_are_changed_without_an_election() -> Outcome {
    let pair = Pair::new()?;
    let both = format!("key 7 {KEY}\n key 8 {WRONG}");
    let [old, changing, new] = [key_7(KEY), format!("{both}\n active_key 7"), format!("{both}\n active_key 8")];
    let last = format!("key 8 {WRONG}\n active_key 8");
    let one_with = |lines: &str| signed(Vrrp::master(100), lines).to_string();
    let two_with = |lines: &str| signed(Vrrp::backup(90), lines).to_string();
    let [one, two] = pair.start([Program::Holdfast; 2], &one_with(&old), &two_with(&old))?;
    let reload = |daemon: &Daemon, config: &str| -> Outcome {
        let before = daemon.log().matches("Reload complete").count();
        daemon.reload(config)?;
        wait_until("it is reloaded", SOON, || Ok(daemon.log().matches("Reload complete").count() > before))
            .map_err(|failure| with_log(&failure, daemon))
    };
    let signs_with = |key: u8| {
        pair.wire.clear();
        // The trailer is the end of the packet; the second byte of it is the number of the key.
        pair.wire.wait(&format!("an advert with key {key}"), SOON, |frame| {
            let advert = frame.advert().filter(|_| pair.a.sent(frame));
            advert.is_some_and(|advert| {
                let packet = &advert.comparable;
                packet.len().checked_sub(TRAILER - 1).and_then(|at| packet.get(at)) == Some(&key)
            })
        })
    };
    signs_with(7)?;
    reload(&two, &two_with(&changing))?;
    reload(&one, &one_with(&changing))?;
    signs_with(7)?;
    reload(&one, &one_with(&new))?;
    signs_with(8)?;
    reload(&two, &two_with(&new))?;
    reload(&one, &one_with(&last))?;
    reload(&two, &two_with(&last))?;
    signs_with(8)?;
    std::thread::sleep(Duration::from_millis(4_500));
    assert_eq!(pair.adverts_of(&pair.b), [], "{}", two.log());
    assert!(!two.log().contains("Entering MASTER STATE"), "{}", two.log());

    reload(&one, &one_with(&format!("key 9 {KEY}\n active_key 9")))?;
    two.wait_log("Entering MASTER STATE", SOON)
}

/// The backup hears the master in each version, and one with another key does not.
#[test]
fn signed_adverts_between_two_of_ours() -> Outcome {
    let ours = [Program::Holdfast, Program::Holdfast];
    let signed = |config: Vrrp, key: &str| signed(config, &key_7(key));
    let pair = Pair::with_ipv6()?;
    for dialect in [v2 as Dialect, v3, v6] {
        let master = dialect(signed(Vrrp::master(100), KEY), true).to_string();
        let [mut one, mut two] =
            pair.start(ours, &master, &dialect(signed(Vrrp::backup(90), KEY), false).to_string())?;
        pair.wire.clear();
        std::thread::sleep(Duration::from_millis(4500));
        assert_eq!(pair.adverts_of(&pair.b), [], "the backup is silent; it logged:\n{}", two.log());
        let lengths: Vec<usize> = pair.adverts_of(&pair.a).iter().map(|(_, advert)| advert.comparable.len()).collect();
        assert!(lengths.len() >= 4, "{lengths:?}");
        two.terminate()?;
        let mut stranger =
            Daemon::start(Program::Holdfast, &pair.b, &dialect(signed(Vrrp::backup(90), WRONG), false).to_string())?;
        stranger.wait_log("its signature is wrong", SOON)?;
        stranger.wait_log("Entering MASTER STATE", SOON)?;
        stranger.terminate()?;
        one.terminate()?;
        pair.wait_released(&pair.a)?;
        pair.wire.clear();
    }
    Ok(())
}

/// A credential of the service manager is a key: the backup, which has the same in its text, hears the master. Without it nothing runs.
#[test]
fn a_key_is_a_credential() -> Outcome {
    let pair = Pair::new()?;
    let begin = |name: &str| {
        let config = v3(signed(Vrrp::master(100), &key_7(&format!("credential:{name}"))), true).to_string();
        Daemon::start_after(&pair.a, &config, &[], |own| {
            format!("export CREDENTIALS_DIRECTORY='{0}' && echo {KEY} >'{0}/vrrp-key' && ", own.display())
        })
    };
    let mut one = begin("vrrp-key")?;
    pair.wait_master(&pair.a)?;
    let two = Daemon::start(Program::Holdfast, &pair.b, &v3(signed(Vrrp::backup(90), &key_7(KEY)), false).to_string())?;
    two.wait_log("Entering BACKUP STATE", SOON)?;
    pair.wire.clear();
    std::thread::sleep(Duration::from_millis(4500));
    assert_eq!(pair.adverts_of(&pair.b), [], "the backup is silent; it logged:\n{}", two.log());
    one.terminate()?;
    let refused = begin("another")?;
    refused.wait_log("cannot use credential:another as a key", SOON)?;
    pair.wire.clear();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(pair.adverts_of(&pair.a), []);
    // A test outside of the service has none to look at; one inside has.
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), v3(signed(Vrrp::master(100), &key_7("credential:another")), true).to_string())?;
    let test = |directory: Option<&str>| -> Outcome<bool> {
        let mut command = pair.a.netns.command(Program::Holdfast.executable()?);
        command.arg("-t").arg("-f").arg(file.path()).env_remove("CREDENTIALS_DIRECTORY");
        command.envs(directory.map(|directory| ("CREDENTIALS_DIRECTORY", directory)));
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("credential:another"), "{said}");
        Ok(output.status.success())
    };
    assert!(test(None)?);
    assert!(!test(Some("/nowhere"))?);
    Ok(())
}
