//! When servers are asked, and what follows from which answer, beside keepalived: the n-th question of each gets the same answer, so both
//! must ask at the same times and tell the same in the same places.

use super::{Outcome, Stage};
use std::time::{Duration, Instant};
use tests::cleanup::Directory;
use tests::failure::{Failure, wait_until};
use tests::lan::Host;
use tests::oracle::{self, Kind, Note, Notes};

/// How far a time may be off: the machine is emulated, and busy.
const OFF: Duration = Duration::from_millis(900);

/// Two listeners note what is asked and what is told: what comes within so short a time is not put in the order in which it happened.
const MOMENT: Duration = Duration::from_millis(300);

/// How long all the questions of a test may take.
const LIMIT: Duration = Duration::from_secs(200);

/// One checker of one real server, in a virtual server of its own.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    kind: Option<Kind>,
    /// In the virtual server.
    more: &'static str,
    /// In the real server; PATH stands for the script of a MISC_CHECK.
    check: &'static str,
    /// See [`oracle::start`].
    answers: &'static str,
}

const fn case(
    name: &'static str,
    kind: Option<Kind>,
    more: &'static str,
    check: &'static str,
    answers: &'static str,
) -> Case {
    Case { name, kind, more, check, answers }
}

const TIMES: &str = "delay_loop 3\n retry 2\n delay_before_retry 1\n warmup 0";
const ALPHA: &str = "delay_loop 3\n retry 2\n delay_before_retry 1\n warmup 0\n alpha";
const INHIBIT: &str = "delay_loop 3\n retry 2\n delay_before_retry 1\n warmup 0\n inhibit_on_failure";
const BARE: &str = "delay_loop 2\n warmup 0";

/// The port of the n-th case.
fn port(n: usize) -> u16 {
    7000 + u16::try_from(n).unwrap_or(0)
}

/// What one of the two has seen of a case: what was asked and what was told, with the times.
type Course = Vec<(Instant, String)>;

/// Two directors with an oracle each.
pub struct Trial {
    pub stage: Stage,
    pub directories: [Directory; 2],
    pub notes: [Notes; 2],
}

impl Trial {
    pub fn new() -> Outcome<Trial> {
        let trial = Trial {
            stage: Stage::new()?,
            directories: [Directory::new()?, Directory::new()?],
            notes: [Notes::default(), Notes::default()],
        };
        for (directory, notes) in trial.directories.iter().zip(&trial.notes) {
            notes.follow(&directory.file("told"), "told")?;
            notes.follow(&directory.file("asked"), "asked")?;
        }
        Ok(trial)
    }

    /// Whom a director asks.
    pub fn oracle(&self, side: usize) -> &Host {
        &self.stage.hosts[side]
    }

    fn config(&self, side: usize, global: &str, cases: &[Case]) -> Outcome<String> {
        let directory = &self.directories[side];
        let mut text = format!(
            "global_defs {{\n router_id test\n script_user root\n lvs_notify_fifo {}\n {global}\n}}\n",
            directory.file("told").display()
        );
        for (n, case) in cases.iter().enumerate() {
            let path =
                if case.kind.is_some() { String::new() } else { misc(directory, case, &format!("{}", port(n)))? };
            let (port, address) = (port(n), self.oracle(side).address);
            text += &format!(
                "virtual_server 192.168.154.188 {port} {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n {}\n real_server {address} {port} \
                 {{\n weight 1\n {}\n }}\n}}\n",
                case.more,
                case.check.replace("PATH", &path)
            );
        }
        Ok(text)
    }

    fn start_oracles(&self, cases: &[Case]) -> Outcome {
        for side in [0, 1] {
            for (n, case) in cases.iter().enumerate() {
                if let Some(kind) = case.kind {
                    let whose = port(n).to_string();
                    oracle::start(self.oracle(side), kind, port(n), case.answers, &whose, &self.notes[side])?;
                }
            }
        }
        Ok(())
    }

    /// What a side has seen of the n-th case.
    fn course(&self, side: usize, n: usize) -> Course {
        let port = port(n).to_string();
        let here = |note: &Note| match note.whose.as_str() {
            "told" => note.what.contains(&format!(":{port} ")).then(|| note.what.clone()),
            "asked" => (note.what == port).then(|| "asked".to_owned()),
            whose => (whose == port).then(|| format!("asked {}", note.what).trim_end().to_owned()),
        };
        self.notes[side]
            .all()
            .iter()
            .filter_map(|note| Some((note.at, here(note)?.replace("192.168.154.13", "192.168.154.12"))))
            .collect()
    }

    /// Runs both until each case was asked as often as it has answers, and compares up to then.
    fn compare(&self, global: &str, cases: &[Case]) -> Outcome {
        self.start_oracles(cases)?;
        let mut daemons = self.stage.start_two(&self.config(0, global, cases)?, &self.config(1, global, cases)?)?;
        let done = |side: usize, n: usize| asked(&self.course(side, n)) >= cases[n].answers.len();
        let all =
            wait_until("every question was asked", LIMIT, || Ok((0..cases.len()).all(|n| done(0, n) && done(1, n))));
        let courses: Vec<[Course; 2]> = (0..cases.len())
            .map(|n| [0, 1].map(|side| until(in_order(self.course(side, n)), cases[n].answers.len())))
            .collect();
        let mut wrong = String::new();
        for (case, [theirs, ours]) in cases.iter().zip(&courses) {
            println!("{} {}\n  theirs {}\n  ours   {}", case.name, case.answers, shown(theirs), shown(ours));
            if !alike(theirs, ours, case.kind.is_some()) {
                wrong +=
                    &format!("{} {}\n  theirs {}\n  ours   {}\n", case.name, case.answers, shown(theirs), shown(ours));
            }
        }
        if !wrong.is_empty() || all.is_err() {
            let logs = daemons.each_ref().map(|daemon| daemon.log());
            return Err(Failure::new(format!("{all:?}\n{wrong}their log:\n{}our log:\n{}", logs[0], logs[1])));
        }
        for daemon in &mut daemons {
            assert!(daemon.terminate()?.success());
        }
        Ok(())
    }
}

/// Compares, and once more when that fails: on a machine that stood still meanwhile times mean nothing.
fn compared(global: &str, cases: &[Case]) -> Outcome {
    if let Err(failure) = Trial::new()?.compare(global, cases) {
        println!("once more, because: {failure}");
        return Trial::new()?.compare(global, cases);
    }
    Ok(())
}

/// The script of a MISC_CHECK, which notes that it ran and ends as its number among the runs says.
fn misc(directory: &Directory, case: &Case, whose: &str) -> Outcome<String> {
    let text = format!(
        "#!/bin/sh\necho {whose} >{fifo}\nread n <{count}\necho $((n + 1)) >{count}\na={answers}\nwhile [ $n -gt 0 ] && [ ${{#a}} -gt 1 ]; do \
         a=${{a#?}} n=$((n - 1)); done\ncase $a in p*) exit 0 ;; esac\nexit 1\n",
        fifo = directory.file("asked").display(),
        count = directory.write(&format!("count-{whose}"), "0\n")?.display(),
        answers = case.answers,
    );
    Ok(directory.script(&format!("misc-{whose}"), &text)?.display().to_string())
}

fn is_question((_, what): &(Instant, String)) -> bool {
    what.starts_with("asked")
}

fn asked(course: &Course) -> usize {
    course.iter().filter(|step| is_question(step)).count()
}

/// What is told follows from a question, and comes after it; but for what is told at the start, before the first one.
fn in_order(mut course: Course) -> Course {
    let first = course.iter().position(is_question).unwrap_or(course.len());
    let mut rest = course.split_off(first);
    let late = |pair: &[(Instant, String)]| {
        !is_question(&pair[0]) && is_question(&pair[1]) && pair[1].0.duration_since(pair[0].0) < MOMENT
    };
    while let Some(at) = rest.windows(2).position(late) {
        rest.swap(at, at + 1);
    }
    course.append(&mut rest);
    course
}

/// Up to the question of this number, without it: what follows from it may not have been told.
fn until(course: Course, questions: usize) -> Course {
    let mut seen = 0;
    course
        .into_iter()
        .take_while(|step| {
            seen += usize::from(is_question(step));
            seen < questions
        })
        .collect()
}

/// The seconds from step to step.
fn shown(course: &Course) -> String {
    let mut last = course.first().map(|(at, _)| *at);
    let step = |(at, what): &(Instant, String)| {
        let gap = last.replace(*at).map_or(0.0, |last| at.duration_since(last).as_secs_f64());
        let what = what.replace("[192.168.154.188]:tcp:", "").replace("[192.168.154.12]:tcp:", "");
        format!("+{gap:.2} {what}")
    };
    course.iter().map(step).collect::<Vec<_>>().join(", ")
}

fn words(course: &Course) -> Vec<String> {
    course.iter().map(|(_, what)| what.clone()).collect()
}

/// The same in the same order, and, if `timed`, the questions at the same times.
fn alike(theirs: &Course, ours: &Course, timed: bool) -> bool {
    let gaps = |course: &Course| -> Vec<Duration> {
        let questions: Vec<Instant> = course.iter().filter(|step| is_question(step)).map(|(at, _)| *at).collect();
        questions.windows(2).map(|pair| pair[1].duration_since(pair[0])).collect()
    };
    let in_time = || gaps(theirs).iter().zip(&gaps(ours)).all(|(a, b)| a.abs_diff(*b) < OFF);
    words(theirs) == words(ours) && (!timed || in_time())
}

const TCP: &str = "TCP_CHECK {\n connect_timeout 2\n }";
const SMTP: &str = "SMTP_CHECK {\n connect_timeout 2\n helo_name x\n }";
const DNS: &str = "DNS_CHECK {\n connect_timeout 2\n type A\n name x.test\n }";
const UDP: &str = "UDP_CHECK {\n connect_timeout 1\n require_reply\n }";
const PING: &str = "PING_CHECK {\n connect_timeout 1\n }";
const MISC: &str = "MISC_CHECK {\n misc_path PATH\n misc_timeout 9\n }";

/// What `rs_init_notifies` tells; the first failure counts at the start; later ones are tolerated. (What 2.2.7 does with
/// TCP_CHECK and SMTP_CHECK that go on failing is among the differences.)
#[test]
fn connections_and_datagrams() -> Outcome {
    let cases = [
        case("TCP_CHECK", Some(Kind::Tcp), TIMES, TCP, "ppfpfffpfffp"),
        case("TCP_CHECK that fails at first", Some(Kind::Tcp), TIMES, TCP, "fpffpp"),
        case("TCP_CHECK alpha", Some(Kind::Tcp), ALPHA, TCP, "ppfffpp"),
        case("TCP_CHECK alpha that fails at first", Some(Kind::Tcp), ALPHA, TCP, "fpffpfffpp"),
        case("TCP_CHECK inhibit_on_failure", Some(Kind::Tcp), INHIBIT, TCP, "ppfffpp"),
        case("TCP_CHECK without times", Some(Kind::Tcp), BARE, TCP, "ppffpfpffpp"),
        case("SMTP_CHECK", Some(Kind::Smtp), TIMES, SMTP, "ppfffppfpp"),
        case("SMTP_CHECK that fails at first", Some(Kind::Smtp), TIMES, SMTP, "fffppfpp"),
        case("SMTP_CHECK alpha that fails at first", Some(Kind::Smtp), ALPHA, SMTP, "fffpp"),
        case("SMTP_CHECK without times", Some(Kind::Smtp), BARE, SMTP, "ppffpfpp"),
        case("DNS_CHECK", Some(Kind::Dns), TIMES, DNS, "ppfffffppfpp"),
        case("DNS_CHECK that fails at first", Some(Kind::Dns), TIMES, DNS, "ffpfpp"),
        case("DNS_CHECK alpha that fails at first", Some(Kind::Dns), ALPHA, DNS, "ffpfpp"),
        case("DNS_CHECK without times", Some(Kind::Dns), BARE, DNS, "ppffffffpp"),
        case("UDP_CHECK", Some(Kind::Udp), TIMES, UDP, "ppffffppfpp"),
        case("UDP_CHECK that fails at first", Some(Kind::Udp), TIMES, UDP, "ffpfpp"),
        case("UDP_CHECK alpha that fails at first", Some(Kind::Udp), ALPHA, UDP, "ffpfpp"),
        case("UDP_CHECK without times", Some(Kind::Udp), BARE, UDP, "ppffffpp"),
        case("PING_CHECK", Some(Kind::Ping), TIMES, PING, "ppffffppfpp"),
    ];
    compared("rs_init_notifies", &cases)
}

/// Several pages: `fast_recovery`, and failures before all have passed. (Those while a server recovers are among the differences.)
#[test]
fn pages() -> Outcome {
    let (plain, fast) = (http("").leak(), http("fast_recovery").leak());
    let cases = [
        case("HTTP_GET", Some(Kind::Http), TIMES, plain, "pppppffffppppp"),
        case("HTTP_GET that fails at first", Some(Kind::Http), TIMES, plain, "fffpppppp"),
        case("HTTP_GET that fails in its first round", Some(Kind::Http), TIMES, plain, "pffppppfppp"),
        case("HTTP_GET alpha", Some(Kind::Http), ALPHA, plain, "pppppfffpppppp"),
        case("HTTP_GET alpha that fails at first", Some(Kind::Http), ALPHA, plain, "ffpppppp"),
        case("HTTP_GET alpha that fails in its first round", Some(Kind::Http), ALPHA, plain, "ppffpppppp"),
        case("HTTP_GET without times", Some(Kind::Http), BARE, plain, "ppppfffffpppp"),
        case("fast_recovery", Some(Kind::Http), TIMES, fast, "ppppppffffpppppp"),
        case("fast_recovery that fails at first", Some(Kind::Http), TIMES, fast, "fffpppppp"),
        case("fast_recovery that fails in its first round", Some(Kind::Http), TIMES, fast, "pffppppfppp"),
        case("fast_recovery alpha", Some(Kind::Http), ALPHA, fast, "ppppppfffppppp"),
    ];
    compared("", &cases)
}

/// Programs: starting them takes its time here, so only the order is compared.
#[test]
fn commands() -> Outcome {
    let cases = [
        case("MISC_CHECK", None, TIMES, MISC, "ppfffffppfpp"),
        case("MISC_CHECK that fails at first", None, TIMES, MISC, "ffffpp"),
        case("MISC_CHECK alpha", None, ALPHA, MISC, "ppfffpp"),
        case("MISC_CHECK alpha that fails at first", None, ALPHA, MISC, "ffffpp"),
    ];
    compared("", &cases)
}

fn http(first: &str) -> String {
    let url = |name| format!("url {{\n path /{name}\n status_code 200\n }}\n");
    format!("HTTP_GET {{\n {first}\n connect_timeout 2\n {} }}", ["a", "b", "c"].map(url).concat())
}

/// `warmup` spreads the first questions; with `ha_suspend` nobody is asked without the address; `hysteresis` keeps what a service is between
/// two sums.
#[test]
fn beginnings_pauses_and_sums() -> Outcome {
    const WARM: usize = 8;
    let warm = case("warmup", Some(Kind::Tcp), "delay_loop 20\n warmup 8", TCP, "p");
    let mut cases = vec![warm; WARM];
    cases.push(case("ha_suspend", Some(Kind::Tcp), "delay_loop 3\n warmup 0\n ha_suspend", TCP, "p"));
    let trial = Trial::new()?;
    trial.start_oracles(&cases)?;
    let config = |side: usize| -> Outcome<String> {
        let address = trial.oracle(side).address;
        let mut sums = String::from(
            "virtual_server 192.168.154.188 7100 {\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n delay_loop 2\n warmup 0\n quorum 4\n \
             hysteresis 1\n",
        );
        for (port, answers) in [(7101, "p"), (7102, "ppfffffffp"), (7103, "pppppffffffffp")] {
            oracle::start(trial.oracle(side), Kind::Tcp, port, answers, "of the sums", &trial.notes[side])?;
            sums += &format!(" real_server {address} {port} {{\n weight 2\n {TCP}\n }}\n");
        }
        Ok(trial.config(side, "", &cases)? + &sums + "}\n")
    };
    let mut daemons = trial.stage.start_two(&config(0)?, &config(1)?)?;
    let all = wait_until("all were asked, and the sums are what they were", LIMIT, || {
        Ok([0, 1].iter().all(|side| {
            (0..WARM).all(|n| asked(&trial.course(*side, n)) > 0) && words(&trial.course(*side, 100)).len() >= 7
        }))
    });
    let sums = [0, 1].map(|side| words(&trial.course(side, 100)));
    let real = |port: u16, now: &str| format!("RS [192.168.154.12]:tcp:{port} [192.168.154.188]:tcp:7100 {now}");
    let service = |now: &str| format!("VS [192.168.154.188]:tcp:7100 {now}");
    let expected = [
        service("UP"),
        real(7102, "DOWN"),
        real(7103, "DOWN"),
        service("DOWN"),
        real(7102, "UP"),
        real(7103, "UP"),
        service("UP"),
    ];
    assert!(all.is_ok() && sums.iter().all(|said| said == &expected), "{all:?} {sums:#?}");
    for side in [0, 1] {
        let courses: Vec<Course> = (0..WARM).map(|n| trial.course(side, n)).collect();
        // From when the service was up until the first question.
        let waited: Vec<f64> = courses
            .iter()
            .filter_map(|course| {
                let first = course.iter().find(|step| is_question(step))?;
                Some(first.0.duration_since(course.first()?.0).as_secs_f64())
            })
            .collect();
        println!("side {side}: first questions after {waited:.2?} s");
        let (least, most) = waited.iter().fold((f64::MAX, 0.0), |(a, b): (f64, f64), c| (a.min(*c), b.max(*c)));
        assert!(waited.len() == WARM && least > 0.3 && most < 10.0 && most - least > 1.0, "{side}: {waited:?}");
        assert_eq!(asked(&trial.course(side, WARM)), 0, "it was asked without the address");
    }
    let since = Instant::now();
    for host in [&trial.stage.theirs, &trial.stage.ours] {
        host.netns.ip("addr add 192.168.154.188/32 dev lo")?;
    }
    wait_until("it is asked with the address", Duration::from_secs(10), || {
        Ok([0, 1].iter().all(|side| asked(&trial.course(*side, WARM)) >= 2))
    })?;
    for side in [0, 1] {
        let course = trial.course(side, WARM);
        let first = course.iter().find(|step| is_question(step)).map_or(since, |step| step.0).duration_since(since);
        println!("side {side}: asked {first:?} after the address came");
        assert!(first < Duration::from_secs(6), "{first:?}");
    }
    for host in [&trial.stage.theirs, &trial.stage.ours] {
        host.netns.ip("addr del 192.168.154.188/32 dev lo")?;
    }
    std::thread::sleep(Duration::from_secs(1));
    let before = [0, 1].map(|side| asked(&trial.course(side, WARM)));
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!([0, 1].map(|side| asked(&trial.course(side, WARM))), before, "asked after the address went");
    for daemon in &mut daemons {
        assert!(daemon.terminate()?.success());
    }
    Ok(())
}
