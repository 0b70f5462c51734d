//! Every example configuration that is shipped passes `holdfast -t`, and those of users are taken as they are.

use std::fs;
use std::path::Path;
use tests::cleanup::Directory;
use tests::daemon::Program;
use tests::failure::Outcome;
use tests::netns::Netns;

/// Exit code and output of `holdfast -t` with this text, where `ens33` and `eth0` exist.
fn tested(text: &str) -> Outcome<(Option<i32>, String)> {
    let netns = Netns::new("examples")?;
    netns.ip("link add ens33 type veth peer name eth0")?;
    let directory = Directory::new()?;
    let file = directory.write("conf", text)?;
    let output = netns.command(Program::Holdfast.executable()?).arg("-t").arg("-f").arg(file).output()?;
    Ok((output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()))
}

#[test]
fn every_shipped_example_is_good() -> Outcome {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/examples");
    let mut count = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let (code, output) = tested(&fs::read_to_string(&path)?)?;
        assert_eq!(code, Some(0), "{}:\n{output}", path.display());
        count += 1;
    }
    assert!(count > 0);
    Ok(())
}

/// What users have written is accepted as far as it makes sense, and what does not is named; keepalived says 5 to most of it.
#[test]
fn seeds_are_read_to_the_end() -> Outcome {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/seeds"))? {
        let path = entry?.path();
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let (code, output) = tested(&text)?;
        assert!(code.is_some_and(|code| (0..=6).contains(&code)), "{}: {code:?}:\n{output}", path.display());
        assert!(code == Some(0) || !output.is_empty(), "{}: {code:?} without a word", path.display());
        assert!(!output.contains("panicked"), "{}:\n{output}", path.display());
    }
    Ok(())
}

/// A log file that other programs write too, before and after: nobody's lines are overwritten.
#[test]
fn a_console_that_is_a_file_is_shared() -> Outcome {
    let netns = Netns::new("examples")?;
    let directory = Directory::new()?;
    let conf = directory.write("conf", "nonsense\n")?;
    let log = directory.write("log", "")?;
    let script =
        "exec 2>\"$3\"; echo before >&2; \"$1\" -t -f \"$2\"; echo between >&2; \"$1\" -t -f \"$2\"; echo after >&2";
    let mut command = netns.command("sh");
    command.args(["-c", script, "sh"]).arg(Program::Holdfast.executable()?).arg(conf).arg(&log);
    assert!(command.status()?.success());
    let text = fs::read_to_string(log)?;
    let at = |word: &str| text.find(word).unwrap_or_else(|| panic!("`{word}` is lost:\n{text}"));
    assert!(at("before") < at("between") && at("between") < at("after"), "{text}");
    assert_eq!(text.matches("unknown keyword `nonsense`").count(), 2, "{text}");
    Ok(())
}

/// `-f` with a pattern: the files that match, in order, are the configuration. Debian's keepalived gives the same codes.
#[test]
fn a_pattern_names_the_files_that_match() -> Outcome {
    let directory = Directory::new()?;
    for (name, text) in
        [("1.conf", "$N=n\nvrrp_script a {\n}\n"), ("2.conf", "global_defs {\nrouter_id $N\nwrong\n}\n")]
    {
        std::fs::write(directory.path().join(name), text)?;
    }
    for (pattern, code, says) in [
        ("*.conf", 5, "2.conf:3:1: error[K001]"),
        ("{2,3}.conf", 5, "3.conf is left out"),
        ("[3-9].conf", 4, ""),
        ("3.conf", 4, ""),
    ] {
        let output = std::process::Command::new(Program::Holdfast.executable()?)
            .args(["-t", "--offline", "--message-format", "short", "-f", pattern])
            .current_dir(directory.path())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{pattern}: {said}");
        assert!(said.contains(says), "{pattern}: {said}");
    }
    Ok(())
}
