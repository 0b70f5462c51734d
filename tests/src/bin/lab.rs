//! The lab behind `tests/lab`: plays both parts and says whether everything happened.

use clap::Parser;
use std::io::IsTerminal;
use std::process::{Command, ExitCode};
use tests::cleanup;
use tests::daemon::Program;
use tests::failure::Outcome;
use tests::lab::lvs::Lvs;
use tests::lab::nginx::Nginx;
use tests::lab::story::Story;

/// Two directors, two web servers and a client in network namespaces; tells what happens to them.
#[derive(Debug, Parser)]
struct Options {
    /// Whose daemon the directors run.
    #[arg(long, value_enum, default_value = "holdfast")]
    daemon: Program,
    /// Play one part only.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Leave the first part running at the end and open a shell to look inside.
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// 000_3 and 000_4.
    Lvs,
    /// 000_5 and 000_6.
    Nginx,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut story = Story::begin();
    let played = play(&options, &mut story);
    if let Err(failure) = &played {
        println!("stopped: {failure}");
    }
    let complete = story.end() && played.is_ok();
    if options.keep
        && let Err(failure) = keep(&options, &mut story)
    {
        println!("cannot keep it running: {failure}");
        return ExitCode::FAILURE;
    }
    if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays the parts that were asked for; the second also when the first has failed.
fn play(options: &Options, story: &mut Story) -> Outcome {
    cleanup::on_signals()?;
    let mut outcome = Ok(());
    if options.only != Some(Part::Nginx) {
        story.part("LVS-DR with TCP_CHECK: conf/seeds/000_3_lvs_dr_master.conf, 000_4_lvs_dr_backup.conf");
        outcome = Lvs::new(options.daemon).and_then(|mut part| part.play(story));
    }
    if options.only != Some(Part::Lvs) {
        story.part("nginx with a track script: conf/seeds/000_5_nginx_master.conf, 000_6_nginx_backup.conf");
        outcome = outcome.and(Nginx::new(options.daemon).and_then(|mut part| part.play(story)));
    }
    outcome
}

/// Sets the first part up again and waits for the user.
fn keep(options: &Options, story: &mut Story) -> Outcome {
    story.part("Left running");
    let mut part = Lvs::new(options.daemon)?;
    part.stage.start(story)?;
    let [director1, director2] = [&part.stage.first, &part.stage.second].map(|director| director.host.netns.name());
    let client = part.stage.client_host.netns.name();
    println!("\nip netns list                                         all hosts");
    println!("ip netns exec {director1} ip addr       the addresses of director1");
    println!("ip netns exec {director2} ipvsadm -Ln   the IPVS table of director2");
    println!("ip netns exec {director1} tcpdump -ni ens33 vrrp");
    println!("ip netns exec {client} wget -qO- http://192.168.154.188/");
    if std::io::stdin().is_terminal() {
        println!("\nThis is a shell; `exit` ends the lab and removes everything.");
        Command::new("bash").status()?;
    } else {
        println!("\nCtrl-C (or SIGTERM to process {}) ends the lab and removes everything.", std::process::id());
        loop {
            std::thread::park();
        }
    }
    Ok(())
}
