//! The benchmark behind `tests/bench/ipvs`.

use clap::Parser;
use std::process::ExitCode;
use tests::bench::ipvs::figures::{judge, print};
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
    /// Measure this daemon only.
    #[arg(long, value_enum)]
    daemon: Option<Program>,
    /// Exit with 1 when what is to be reached is missed.
    #[arg(long)]
    check: bool,
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
    let mut reached = true;
    for reals in &options.reals {
        let mut runs = Vec::new();
        for program in [Program::Keepalived, Program::Holdfast] {
            if options.daemon.is_none_or(|only| only == program) {
                let run = Stage::new()?.run(program, *reals, options.rate)?;
                print(&run);
                runs.push(run);
            }
        }
        if let [theirs, ours] = runs.as_slice() {
            reached &= judge(ours, theirs);
        }
    }
    Ok(reached)
}
