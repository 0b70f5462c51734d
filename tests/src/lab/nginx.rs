//! Seeds 000_5 and 000_6: nginx runs on the directors themselves; a track script steps back when it has died.

use super::stage::{PATIENCE, Power, Stage};
use super::story::Story;
use crate::cleanup::Directory;
use crate::daemon::Program;
use crate::failure::{Failure, Outcome};
use crate::web::Web;
use std::time::{Duration, Instant};

const MASTER: &str = include_str!("../../conf/seeds/000_5_nginx_master.conf");
const BACKUP: &str = include_str!("../../conf/seeds/000_6_nginx_backup.conf");

/// Where the seeds expect the script.
const SCRIPT: &str = "/etc/keepalived/nginx.sh";

/// The script's interval of 2 s, the skew time, and as much again for a slow machine.
const STEP_BACK: Duration = Duration::from_secs(6);

/// The stage with a web server on each director.
#[derive(Debug)]
pub struct Nginx {
    stage: Stage,
    webs: [Option<Web>; 2],
    scripts: [Directory; 2],
}

impl Nginx {
    /// Sets everything up; no daemon runs yet.
    pub fn new(program: Program) -> Outcome<Self> {
        let scripts = [script()?, script()?];
        let config = |seed: &str, at: &Directory| seed.replace(SCRIPT, &at.file("nginx.sh").display().to_string());
        let stage = Stage::new(program, [config(MASTER, &scripts[0]), config(BACKUP, &scripts[1])])?;
        let mut part = Nginx { stage, webs: [None, None], scripts };
        part.start_web(0)?;
        part.start_web(1)?;
        Ok(part)
    }

    /// The whole part.
    pub fn play(&mut self, story: &mut Story) -> Outcome {
        self.stage.start(story)?;
        self.note_daemons()?;
        let since = Instant::now();
        let outcome = self.stage.client.wait_answers(&["director1"], since, PATIENCE);
        story.step("the client reaches nginx on director1", outcome)?;
        self.lose_web(story)?;
        self.start_web(0)?;
        self.stage.return_first(story)?;
        self.note_daemons()?;
        self.stage.lose_first(story, Power::Stays)?;
        let since = Instant::now();
        let outcome = self.stage.client.wait_answers(&["director2"], since, PATIENCE);
        story.step("the client reaches nginx on director2", outcome)?;
        self.stage.return_first(story)?;
        self.stage.stop(story)
    }

    /// Kills nginx on the master: the script sees it and stops the daemon there.
    fn lose_web(&mut self, story: &mut Story) -> Outcome {
        let since = Instant::now();
        if let Some(web) = self.webs[0].take() {
            web.kill();
        }
        story.teller.tell("director1", "its nginx is killed");
        let ended = self.stage.first.daemon()?.wait_end(PATIENCE);
        let outcome = ended.map(|status| format!("{status} after {:.1} s", since.elapsed().as_secs_f64()));
        story.step("the track script stops director1's daemon", outcome)?;
        let outcome = self.stage.client.wait_answers(&["director2"], since, PATIENCE).and_then(|_| {
            let gap = self.stage.client.longest_gap(since);
            let remark = format!("client without service for at most {:.2} s", gap.as_secs_f64());
            if gap > STEP_BACK { Err(Failure::new(remark)) } else { Ok(remark) }
        });
        story.step("director2 serves the client", outcome)
    }

    fn start_web(&mut self, which: usize) -> Outcome {
        let director = if which == 0 { &self.stage.first } else { &self.stage.second };
        let web = Web::start(&director.host, &director.host.name)?;
        if let (Some(slot), Some(directory)) = (self.webs.get_mut(which), self.scripts.get(which)) {
            directory.write("nginx.pid", &web.pid().to_string())?;
            *slot = Some(web);
        }
        Ok(())
    }

    /// Tells the scripts whom to stop.
    fn note_daemons(&mut self) -> Outcome {
        let [first, second] = &self.scripts;
        first.write("daemon.pid", &self.stage.first.daemon()?.pid().to_string())?;
        second.write("daemon.pid", &self.stage.second.daemon()?.pid().to_string())?;
        Ok(())
    }
}

/// A directory with the script of the seeds' kind: fine while nginx lives; else it stops the daemon, so that the other
/// director takes over.
fn script() -> Outcome<Directory> {
    let directory = Directory::new()?;
    let at = directory.path().display();
    let text = format!(
        "#!/bin/sh\n\
         [ -d \"/proc/$(cat {at}/nginx.pid)\" ] && exit 0\n\
         [ -e {at}/daemon.pid ] && kill \"$(cat {at}/daemon.pid)\"\n\
         exit 1\n"
    );
    directory.script("nginx.sh", &text)?;
    Ok(directory)
}
