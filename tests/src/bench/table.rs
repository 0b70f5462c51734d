//! The result as a table, and whether what was to be reached is reached.

use super::round::Round;
use crate::daemon::Program;

/// The takeovers of one daemon with one number of virtual routers.
#[derive(Clone, Debug)]
pub struct Runs {
    /// Whose.
    pub program: Program,
    /// How many virtual routers.
    pub instances: u8,
    /// One after another, at least one.
    pub rounds: Vec<Round>,
}

/// One line: medians over the rounds, but for the maximum, which is over all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Median of the virtual routers.
    pub p50: f64,
    /// 99th percentile of the virtual routers.
    pub p99: f64,
    /// The latest of all.
    pub max: f64,
}

impl Runs {
    /// Of the first adverts.
    pub fn advert(&self) -> Figures {
        self.figures(|round| &round.advert)
    }

    /// Of the first gratuitous ARPs.
    pub fn garp(&self) -> Figures {
        self.figures(|round| &round.garp)
    }

    /// From the first to the last address.
    pub fn spread(&self) -> f64 {
        percentile(self.rounds.iter().map(|round| round.spread), 50)
    }

    fn figures(&self, of: impl Fn(&Round) -> &Vec<f64>) -> Figures {
        let over_rounds = |n| percentile(self.rounds.iter().map(|round| percentile(of(round).iter().copied(), n)), 50);
        let max = self.rounds.iter().flat_map(|round| of(round).iter().copied()).fold(f64::NEG_INFINITY, f64::max);
        Figures { p50: over_rounds(50), p99: over_rounds(99), max }
    }
}

/// The smallest value that at least `n` percent of all values do not exceed.
fn percentile(values: impl Iterator<Item = f64>, n: usize) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * n).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// A line about one takeover.
pub fn each(program: Program, number: u32, round: &Round) -> String {
    let [(a, b), (c, d)] = [&round.advert, &round.garp]
        .map(|times| (percentile(times.iter().copied(), 50), percentile(times.iter().copied(), 99)));
    format!("{:<20} takeover {number:>3}: adverts p50 {a:.2} p99 {b:.2}, ARP p50 {c:.2} p99 {d:.2} ms", name(program))
}

/// Prints the lines of one number of virtual routers, with the ratio when both daemons were measured.
pub fn print(runs: &[Runs]) {
    let Some(first) = runs.first() else { return };
    println!(
        "\n{} instance{}, advert_int 1, {} rounds; ms after Master_Down_Interval (p50, p99: median of the rounds; max: of all)",
        first.instances,
        if first.instances == 1 { "" } else { "s" },
        first.rounds.len()
    );
    println!("{:<22}{:>27}{:>27}{:>14}", "", "first advert", "first gratuitous ARP", "first to last");
    println!("{:<22}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>14}", "", "p50", "p99", "max", "p50", "p99", "max", "address");
    for run in runs {
        let (a, g) = (run.advert(), run.garp());
        println!(
            "{:<22}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>14.2}",
            name(run.program),
            a.p50,
            a.p99,
            a.max,
            g.p50,
            g.p99,
            g.max,
            run.spread()
        );
    }
    if let [ours, theirs] = runs {
        let (a, b, g, h) = (ours.advert(), theirs.advert(), ours.garp(), theirs.garp());
        println!(
            "{:<22}{:>9.3}{:>9.3}{:>9.3}{:>9.3}{:>9.3}{:>9.3}{:>14.3}",
            "Holdfast/keepalived",
            a.p50 / b.p50,
            a.p99 / b.p99,
            a.max / b.max,
            g.p50 / h.p50,
            g.p99 / h.p99,
            g.max / h.max,
            ours.spread() / theirs.spread()
        );
    }
}

/// What is to be reached: one instance no slower than keepalived, many with a p99 of at most a tenth of keepalived's.
/// Says so, and whether all of it is.
pub fn judge(ours: &Runs, theirs: &Runs) -> bool {
    let mut reached = true;
    for (what, a, b) in
        [("first advert", ours.advert(), theirs.advert()), ("first gratuitous ARP", ours.garp(), theirs.garp())]
    {
        let (wanted, good) = match ours.instances {
            1 => ("p50 no later than keepalived's", a.p50 <= b.p50),
            _ => ("p99 at most a tenth of keepalived's", a.p99 <= b.p99 / 10.0),
        };
        println!("{:<8} {} instances, {what}: {wanted}", if good { "reached" } else { "MISSED" }, ours.instances);
        reached &= good;
    }
    reached
}

fn name(program: Program) -> &'static str {
    match program {
        Program::Holdfast => "Holdfast",
        Program::Keepalived => "keepalived (Debian)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_two_rounds() {
        let round = |from: u32| Round { advert: (from..from + 100).map(f64::from).collect(), ..Round::default() };
        let runs = Runs { program: Program::Holdfast, instances: 100, rounds: vec![round(0), round(10), round(1000)] };
        assert_eq!(runs.advert(), Figures { p50: 59.0, p99: 108.0, max: 1099.0 });
    }

    #[test]
    fn one_value_is_every_percentile() {
        assert_eq!(percentile([7.0].into_iter(), 50), 7.0);
        assert_eq!(percentile([7.0].into_iter(), 99), 7.0);
    }
}
