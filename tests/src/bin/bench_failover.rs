//! The benchmark behind `tests/bench/failover`.

use clap::Parser;
use std::process::ExitCode;
use tests::bench::large::{self, Size};
use tests::bench::round::Bench;
use tests::bench::table::{Runs, each, judge, print};
use tests::cleanup;
use tests::daemon::Program;
use tests::failure::Outcome;

/// How soon after the Master_Down_Interval the new master advertises and announces its addresses, Holdfast and Debian's
/// keepalived in turn in the same namespaces.
#[derive(Debug, Parser)]
struct Options {
    /// Takeovers of each daemon and number of instances; about ten seconds each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Numbers of instances (1 to 255).
    #[arg(long, value_delimiter = ',', default_value = "1,255", value_parser = clap::value_parser!(u8).range(1..))]
    instances: Vec<u8>,
    /// Measure this daemon only.
    #[arg(long, value_enum)]
    daemon: Option<Program>,
    /// Measure stop, crash, reload, CPU time and memory of 255 and of 1,000 instances too; about a minute each.
    #[arg(long)]
    large: bool,
    /// Say what each takeover took.
    #[arg(long)]
    each: bool,
    /// Exit with 1 when what is to be reached is missed.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match bench(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) if options.check => ExitCode::FAILURE,
        Ok(false) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("failed: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints; whether everything that is to be reached is.
fn bench(options: &Options) -> Outcome<bool> {
    cleanup::on_signals()?;
    let programs = match options.daemon {
        Some(program) => vec![program],
        None => vec![Program::Holdfast, Program::Keepalived],
    };
    let mut tables = Vec::new();
    for instances in &options.instances {
        let runs =
            programs.iter().map(|program| measure(*program, *instances, options)).collect::<Outcome<Vec<Runs>>>()?;
        print(&runs);
        tables.push(runs);
    }
    println!();
    let mut reached = true;
    for runs in &tables {
        if let [ours, theirs] = runs.as_slice() {
            reached &= judge(ours, theirs);
        }
    }
    if options.large {
        for size in [Size::LINK, Size::THOUSAND] {
            let found = programs.iter().map(|program| large::measure(*program, size)).collect::<Outcome<Vec<_>>>()?;
            reached &= large::print(size, &found);
        }
    }
    Ok(reached)
}

fn measure(program: Program, instances: u8, options: &Options) -> Outcome<Runs> {
    let bench = Bench::new(program, instances)?;
    let mut rounds = Vec::new();
    for number in 1..=options.rounds {
        let round = bench.round()?;
        if options.each {
            println!("{}", each(program, number, &round));
        }
        rounds.push(round);
    }
    Ok(Runs { program, instances, rounds })
}
