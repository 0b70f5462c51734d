//! Seeds 000_3 and 000_4: two directors share the requests between two web servers (LVS-DR, TCP_CHECK).

use super::client::say;
use super::stage::{PATIENCE, Power, Stage, VIP};
use super::story::Story;
use crate::daemon::Program;
use crate::failure::{Failure, Outcome, wait_until};
use crate::lan::Host;
use crate::web::Web;
use std::time::{Duration, Instant};

const MASTER: &str = include_str!("../../conf/seeds/000_3_lvs_dr_master.conf");
const BACKUP: &str = include_str!("../../conf/seeds/000_4_lvs_dr_backup.conf");

/// When every first check is over: 1 s, up to delay_loop 6 of warm-up, and reserve. Until then one failure is enough, and
/// the time of the check could not be seen.
const WARM: Duration = Duration::from_secs(9);

/// The longest time from a death to the verdict: delay_loop 6, 3 retries after 3 s each, and reserve for a slow machine.
const VERDICT: Duration = Duration::from_secs(20);

/// The longest wait for a check of a server that is down: delay_loop 6, and reserve.
const NEXT_CHECK: Duration = Duration::from_secs(15);

/// The stage with its two web servers.
#[derive(Debug)]
pub struct Lvs {
    /// Directors and client.
    pub stage: Stage,
    webs: [(Host, Option<Web>); 2],
}

impl Lvs {
    /// Sets everything up; no daemon runs yet.
    pub fn new(program: Program) -> Outcome<Self> {
        let stage = Stage::new(program, [MASTER.to_owned(), BACKUP.to_owned()])?;
        let web = |name: &str, address: &str| -> Outcome<(Host, Option<Web>)> {
            let host = stage.lan.host(name, address)?;
            // Direct routing: the server accepts the virtual address and never answers ARP for it.
            for kind in ["all", "default"] {
                host.netns.sysctl(&format!("ipv4/conf/{kind}/arp_ignore"), "1")?;
                host.netns.sysctl(&format!("ipv4/conf/{kind}/arp_announce"), "2")?;
            }
            host.netns.ip(&format!("addr add {VIP}/32 dev lo"))?;
            let web = Web::start(&host, name)?;
            Ok((host, Some(web)))
        };
        let webs = [web("web1", "192.168.154.12/24")?, web("web2", "192.168.154.13/24")?];
        Ok(Lvs { stage, webs })
    }

    /// The whole part.
    pub fn play(&mut self, story: &mut Story) -> Outcome {
        self.stage.start(story)?;
        let since = Instant::now();
        let outcome = self.stage.client.wait_answers(&["web1", "web2"], since, PATIENCE);
        story.step("the client reaches both web servers", outcome)?;
        story.teller.tell("", "until all servers have been checked once");
        std::thread::sleep(WARM.saturating_sub(since.elapsed()));
        self.lose_web(story)?;
        self.return_web(story)?;
        self.stage.lose_first(story, Power::Stays)?;
        self.stage.return_first(story)?;
        self.stage.lose_first(story, Power::Fails)?;
        self.stage.return_first(story)?;
        let since = Instant::now();
        let outcome = self.stage.client.wait_answers(&["web1", "web2"], since, PATIENCE);
        story.step("both web servers still answer", outcome)?;
        self.stage.stop(story)?;
        std::thread::sleep(Duration::from_millis(500));
        let since = Instant::now();
        std::thread::sleep(Duration::from_secs(2));
        let answers = self.stage.client.answers(since);
        let outcome = match answers.keys().any(|name| name != "nobody") {
            false => Ok("nobody answers".to_owned()),
            true => Err(Failure::new(format!("still answered: {}", say(&answers)))),
        };
        story.step("nobody has the virtual address any more", outcome)
    }

    /// Kills the second web server; its checks must find out, and the client must not notice any more after that.
    fn lose_web(&mut self, story: &mut Story) -> Outcome {
        let (host, web) = &mut self.webs[1];
        let real = format!("{}:80", host.address);
        if let Some(web) = web.take() {
            web.kill();
        }
        story.teller.tell("web2", "its web server is killed");
        let since = Instant::now();
        for director in [&self.stage.first, &self.stage.second] {
            let name = &director.host.name;
            let outcome = wait_until(&format!("{real} is out of the table of {name}"), VERDICT, || {
                Ok(!director.table().contains(&real))
            })
            .map(|()| format!("after {:.1} s", since.elapsed().as_secs_f64()));
            story.step(&format!("the dead web server leaves {name}'s table"), outcome)?;
        }
        std::thread::sleep(Duration::from_millis(500));
        let since = Instant::now();
        std::thread::sleep(Duration::from_secs(1));
        let answers = self.stage.client.answers(since);
        let outcome = match answers.keys().all(|name| name == "web1") && !answers.is_empty() {
            true => Ok(say(&answers)),
            false => Err(Failure::new(say(&answers))),
        };
        story.step("only the living web server is asked", outcome)
    }

    /// Starts it again.
    fn return_web(&mut self, story: &mut Story) -> Outcome {
        let (host, web) = &mut self.webs[1];
        *web = Some(Web::start(host, "web2")?);
        story.teller.tell("web2", "its web server is started again");
        let since = Instant::now();
        let outcome = self.stage.client.wait_answers(&["web1", "web2"], since, NEXT_CHECK);
        let outcome = outcome.map(|_| format!("after {:.1} s", since.elapsed().as_secs_f64()));
        story.step("the web server returns to the table", outcome)
    }
}
