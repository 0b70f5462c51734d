//! The table, with ratios and what is to be reached.

use super::stage::Run;
use crate::daemon::Program;
use std::time::Duration;

/// Most time that 99 of 100 checks may be late.
const LATE: Duration = Duration::from_millis(20);

/// Prints a run.
pub fn print(run: &Run) {
    let name = match run.program {
        Program::Holdfast => "holdfast",
        Program::Keepalived => "keepalived",
    };
    if run.left > 0 {
        println!("{:>6} {name:<11} left {} real servers in the kernel at its end", run.reals, run.left);
    }
    println!(
        "{:>6} {name:<11} start {:>7.2} s  weights {:>7.2} s  stop {:>6.2} s  nothing new: {:>6} messages {:>6.2} s CPU  \
         memory {:>6} kB  1,000 checks {:>5.2} s CPU ({:.0}/s, p99 {:.0} ms late)",
        run.reals,
        run.start.as_secs_f64(),
        run.weights.as_secs_f64(),
        run.stop.as_secs_f64(),
        run.messages,
        run.processor.as_secs_f64(),
        run.memory,
        run.checks.as_secs_f64(),
        run.rate,
        run.late.as_secs_f64() * 1000.0
    );
}

/// Prints how ours compares with theirs; whether everything that is to be reached is.
pub fn judge(ours: &Run, theirs: &Run) -> bool {
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64().max(0.001);
    let memory = |run: &Run| Duration::from_millis(run.memory);
    let rows = [
        ("start until all destinations are there", ratio(ours.start, theirs.start), 0.2),
        ("reload of every weight until applied", ratio(ours.weights, theirs.weights), 0.05),
        ("stop until the table is empty", ratio(ours.stop, theirs.stop), 0.2),
        ("CPU of a reload that changes nothing", ratio(ours.processor, theirs.processor), 0.25),
        ("CPU of a check", ratio(ours.checks, theirs.checks), 0.5),
        ("memory", ratio(memory(ours), memory(theirs)), 1.0),
    ];
    println!("{} real servers, holdfast : keepalived", ours.reals);
    let mut all = true;
    for (what, ratio, most) in rows {
        let good = ratio <= most;
        all &= good;
        println!("  {what:<40} {ratio:>6.3}  to reach {most:>5.2}  {}", if good { "reached" } else { "missed" });
    }
    let quiet = ours.messages == 0;
    println!(
        "  {:<40} {:>6}  to reach     0  {}",
        "messages of a reload that changes nothing",
        ours.messages,
        if quiet { "reached" } else { "missed" }
    );
    let prompt = ours.late <= LATE;
    println!(
        "  {:<40} {:>6.1}  to reach    20  {}",
        "lateness of checks, p99, ms",
        ours.late.as_secs_f64() * 1000.0,
        if prompt { "reached" } else { "missed" }
    );
    all && quiet && prompt
}
