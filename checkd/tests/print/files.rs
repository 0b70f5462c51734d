//! Files that are there: ours, the examples, and keepalived's samples.

use super::common::{files_below, json, read, round_trip};
use super::schema;
use std::path::Path;

pub fn corpus() -> Vec<std::path::PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = files_below(&root.join("tests/conf"));
    files.retain(|path| path.extension().is_some_and(|e| e == "conf"));
    files.extend(files_below(&root.join("packaging/examples")));
    files.extend(files_below(Path::new("/usr/share/doc/keepalived/samples")));
    files.retain(|path| path.extension().is_none_or(|e| e != "expected"));
    files
}

#[test]
fn a_colon_before_the_group_of_a_command_stays() {
    let text = b"global_defs {\nstartup_script /bin/true root :root\n}\n";
    let printed = String::from_utf8(round_trip(text).unwrap()).unwrap();
    assert!(printed.contains(":root"), "{printed}");
    let in_json = String::from_utf8(json(&read(text).bundle.unwrap())).unwrap();
    assert!(in_json.contains("\":root\""), "{in_json}");
}

#[test]
fn what_counts_of_statements_given_twice_or_at_fault() {
    for (lines, counts) in [
        ("vrrp_rx_bufs_policy MTU\nvrrp_rx_bufs_policy ADVERT", "vrrp_rx_bufs_policy MTU"),
        ("vrrp_rx_bufs_policy ADVERT\nvrrp_rx_bufs_policy MTU", "vrrp_rx_bufs_policy MTU"),
        ("vrrp_rx_bufs_policy 9\nvrrp_rx_bufs_policy MTU", "vrrp_rx_bufs_policy 9"),
        ("lvs_sync_daemon eth0 id 3 maxlen x ttl 4\nlvs_sync_daemon eth1", "lvs_sync_daemon eth0 id 3 ttl 4"),
    ] {
        let printed =
            String::from_utf8(round_trip(format!("global_defs {{\n{lines}\n}}\n").as_bytes()).unwrap()).unwrap();
        assert!(printed.lines().any(|line| line.trim() == counts), "{lines}: {printed}");
    }
}

#[test]
fn every_file_that_compiles_is_printed_as_what_it_is() {
    let mut printed = 0_u32;
    for path in corpus() {
        let text = std::fs::read(&path).unwrap();
        if read(&text).bundle.is_none() {
            continue;
        }
        println!("{}", path.display());
        printed += u32::from(round_trip(&text).is_some());
    }
    assert!(printed > 20, "{printed} files were printed");
}

#[test]
fn every_file_that_compiles_is_printed_as_the_schema_says() {
    let schema = schema::schema();
    for path in corpus() {
        let Some(bundle) = read(&std::fs::read(&path).unwrap()).bundle else { continue };
        let document = serde_json::from_slice(&json(&bundle)).unwrap();
        if let Err(why) = schema::check(&schema, &document, &mut Default::default()) {
            panic!("{}: {why}", path.display());
        }
    }
}
