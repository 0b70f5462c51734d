//! FILE_CHECK: what numbers in files make of weights and real servers.

use super::{Outcome, Stage};
use tests::cleanup::Directory;

#[test]
fn numbers_in_files_make_the_same_table() -> Outcome {
    let (stage, directory) = (Stage::new()?, Directory::new()?);
    let block = |name: &str, more: &str| {
        format!("track_file {name} {{\n file {}\n weight {more}\n}}\n", directory.file(name).display())
    };
    let real = |last: u8, more: &str, check: &str| {
        format!(
            " real_server 192.168.154.{last} 80 {{\n  weight 10\n  {more}\n  FILE_CHECK {{\n   {check}\n  }}\n }}\n"
        )
    };
    let reals = [
        real(12, "", "track_file a"),
        real(13, "inhibit_on_failure", "track_file z"),
        real(14, "", "track_file a\n   weight -3 reverse"),
        real(15, "", "track_file a\n   weight -1"),
    ];
    let config = format!(
        "{}{}virtual_server 192.168.154.188 80 {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n delay_loop 1\n{}}}\n",
        block("a", "2"),
        block("z", "0"),
        reals.concat()
    );
    let mut daemons = stage.start(&config)?;
    let first = stage.agree("no file is there", &daemons, |table| table.matches("-w 10").count() == 4)?;
    for (name, number, expected) in [
        ("a", "5", "-r 192.168.154.12:80 -m -w 20"),
        ("a", "-5", "-r 192.168.154.12:80 -m -w 0"),
        ("a", "-3", "-r 192.168.154.14:80 -m -w 1"),
        ("a", "2147483647", "-r 192.168.154.12:80 -m -w 2147483647"),
        ("z", "1", "-r 192.168.154.13:80 -m -w 0"),
        ("a", "garbage", "-r 192.168.154.12:80 -m -w 10"),
        ("z", "", "-r 192.168.154.13:80 -m -w 10"),
    ] {
        directory.write(name, number)?;
        stage.agree(&format!("{name} holds {number:?}"), &daemons, |table| table.contains(expected))?;
    }
    stage.agree("all is as at first", &daemons, |table| table == first)?;
    directory.write("a", "-2147483648")?;
    stage
        .agree("two servers are out", &daemons, |table| !table.contains("154.12:80") && !table.contains("154.14:80"))?;
    for daemon in &mut daemons {
        assert!(daemon.terminate()?.success());
    }
    Ok(())
}
