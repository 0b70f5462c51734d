//! The benchmark behind `tests/bench/ipvs`.

use clap::Parser;
use std::process::ExitCode;
use std::time::Instant;
use tests::bench::ipvs::figures::{Runs, judge, name, of_changes, of_checks};
use tests::bench::ipvs::stage::Stage;
use tests::cleanup;
use tests::daemon::Program;
use tests::failure::Outcome;

/// How soon many virtual servers are in the kernel, changed there and gone again, and what that and their checks cost.
#[derive(Debug, Parser)]
struct Options {
    /// Numbers of real servers, ten for each virtual server.
    #[arg(long, value_delimiter = ',', default_value = "2000,10000", value_parser = clap::value_parser!(u32).range(10..62_500))]
    reals: Vec<u32>,
    /// Checks a second.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// How often each daemon is started, in turn.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure this daemon only.
    #[arg(long, value_enum)]
    daemon: Option<Program>,
    /// Measure this only.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Exit with 1 when what is to be reached is missed.
    #[arg(long)]
    check: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Start, reloads, stop.
    Changes,
    /// Checks.
    Checks,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match bench(&options) {
        Ok(false) if options.check => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("failed: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints; whether everything that is to be reached is.
fn bench(options: &Options) -> Outcome<bool> {
    cleanup::on_signals()?;
    let began = Instant::now();
    let programs = [Program::Keepalived, Program::Holdfast];
    let programs = programs.into_iter().filter(|program| options.daemon.is_none_or(|only| only == *program));
    for program in programs.clone() {
        Stage::new()?.warm(program)?;
    }
    let wants = |part| options.only.is_none_or(|only| only == part);
    let mut reached = true;
    for reals in &options.reals {
        let [mut theirs, mut ours] = [Runs::default(), Runs::default()];
        for round in 1..=options.rounds {
            for program in programs.clone() {
                let say = |text: String| {
                    println!(
                        "{:>5.0} s {reals:>6} round {round} {:<11}{text}",
                        began.elapsed().as_secs_f64(),
                        name(program)
                    );
                };
                let runs = if program == Program::Holdfast { &mut ours } else { &mut theirs };
                if wants(Part::Changes) {
                    let changes = Stage::new()?.changes(program, *reals)?;
                    say(of_changes(&changes));
                    runs.changes.push(changes);
                }
                if wants(Part::Checks) {
                    let checks = Stage::new()?.checks(program, *reals, options.rate)?;
                    say(of_checks(&checks));
                    runs.checks.push(checks);
                }
            }
        }
        if options.daemon.is_none() {
            reached &= judge(*reals, &ours, &theirs, Stage::new()?.least(*reals)?);
        }
    }
    Ok(reached)
}
