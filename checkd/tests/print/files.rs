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
