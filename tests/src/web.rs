//! A web server (nginx) on a host, which answers every request with one word.

use crate::cleanup::Directory;
use crate::failure::{Context, Outcome, wait_until};
use crate::http;
use crate::lan::Host;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Child;
use std::time::Duration;

/// A running nginx; killed when dropped.
#[derive(Debug)]
pub struct Web {
    process: Child,
    /// Holds its configuration and temporary files until it is gone.
    _directory: Directory,
}

impl Web {
    /// Starts one on `host` that listens on port 80 of all its IPv4 addresses and says `word`; returns once it answers.
    pub fn start(host: &Host, word: &str) -> Outcome<Self> {
        Self::start_with(host, word, "")
    }

    /// [`start`](Self::start) with more directives for its server.
    pub fn start_with(host: &Host, word: &str, more: &str) -> Outcome<Self> {
        let directory = Directory::new()?;
        let at = directory.path().display();
        let config = directory.write(
            "nginx.conf",
            &format!(
                "daemon off; master_process off; pid {at}/pid; error_log {at}/errors;\n\
                 events {{ worker_connections 256; }}\n\
                 http {{ access_log off; default_type text/plain; client_body_temp_path {at}/1; proxy_temp_path {at}/2;\n\
                 fastcgi_temp_path {at}/3; uwsgi_temp_path {at}/4; scgi_temp_path {at}/5;\n\
                 server {{ listen 80; {more} location / {{ return 200 \"{word}\\n\"; }} }} }}\n"
            ),
        )?;
        let output = File::create(directory.file("output"))?;
        let process = host
            .netns
            .command("nginx")
            .arg("-c")
            .arg(&config)
            .arg("-p")
            .arg(directory.path())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context(|| format!("cannot start nginx on {}", host.name))?;
        let web = Web { process, _directory: directory };
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
        wait_until(&format!("nginx on {} answers", host.name), Duration::from_secs(20), || {
            Ok(host.netns.enter(|| http::get(server, "/", Duration::from_secs(1)))?.is_ok())
        })?;
        Ok(web)
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Kills it and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.end();
    }
}
