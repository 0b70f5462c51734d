//! Mail servers that take everything and keep it: one of our own, which knows every line that was said, and aiosmtpd, which says no to what is not
//! SMTP.

use crate::cleanup::Directory;
use crate::failure::{Context, Outcome, wait_until};
use crate::netns::Netns;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Where it listens.
pub const PORT: u16 = 2525;

/// What one client said, line by line.
pub type Mail = Vec<String>;

/// The server, on 127.0.0.1 of a namespace. It ends with the test's process; its socket belongs to the namespace.
#[derive(Clone, Debug)]
pub struct Post {
    mails: Arc<Mutex<Vec<Mail>>>,
}

impl Post {
    /// Listens.
    pub fn start(netns: &Netns) -> Outcome<Post> {
        let listener = netns.enter(|| TcpListener::bind(("127.0.0.1", PORT)))?.context(|| "no mail server".into())?;
        let post = Post { mails: Arc::default() };
        let mails = Arc::clone(&post.mails);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mails = Arc::clone(&mails);
                // A client that breaks off has delivered nothing.
                std::thread::spawn(move || {
                    if let (Ok(mail), Ok(mut all)) = (serve(&stream), mails.lock()) {
                        all.push(mail);
                    }
                });
            }
        });
        Ok(post)
    }

    /// What was delivered, in the order in which it was.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().map(|mails| mails.clone()).unwrap_or_default()
    }

    /// The subjects.
    pub fn subjects(&self) -> Vec<String> {
        let subject = |mail: Mail| mail.into_iter().find_map(|line| Some(line.strip_prefix("Subject: ")?.to_owned()));
        self.mails().into_iter().filter_map(subject).collect()
    }
}

fn serve(stream: &TcpStream) -> std::io::Result<Mail> {
    let mut out = stream;
    let mut mail = Mail::new();
    let mut in_data = false;
    out.write_all(b"220 post\r\n")?;
    for line in BufReader::new(stream).lines() {
        let line = line?.trim_end().to_owned();
        let answer: &[u8] = match (in_data, line.as_str()) {
            (true, ".") => {
                in_data = false;
                b"250 taken\r\n"
            }
            (true, _) => b"",
            (false, "DATA") => {
                in_data = true;
                b"354 go on\r\n"
            }
            (false, "QUIT") => b"221 bye\r\n",
            (false, _) => b"250 yes\r\n",
        };
        let over = !in_data && line == "QUIT";
        mail.push(line);
        out.write_all(answer)?;
        if over {
            break;
        }
    }
    Ok(mail)
}

/// aiosmtpd on 127.0.0.1 of a namespace, with a mailbox. It ends with this.
#[derive(Debug)]
pub struct Mailbox {
    process: Child,
    directory: Directory,
}

/// A mail as it lies in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivered {
    /// `Subject`
    pub subject: String,
    /// Who sent it and who gets it: of the envelope, then of the headers; and with what.
    pub envelope: [String; 5],
    /// What follows the headers.
    pub body: String,
}

impl Mailbox {
    /// Starts one in each namespace and waits until they listen.
    pub fn start(namespaces: [&Netns; 2]) -> Outcome<[Mailbox; 2]> {
        let [one, two] = namespaces.map(Self::begin);
        let both = [one?, two?];
        for netns in namespaces {
            // An emulated machine that is busy takes long to start it.
            wait_until("aiosmtpd listens", Duration::from_secs(180), || {
                Ok(netns.enter(|| TcpStream::connect(("127.0.0.1", PORT)))?.is_ok())
            })?;
        }
        Ok(both)
    }

    fn begin(netns: &Netns) -> Outcome<Mailbox> {
        let directory = Directory::new()?;
        let mut command = netns.command("/usr/bin/python3");
        command.args(["-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{PORT}"), "-c", "aiosmtpd.handlers.Mailbox"]);
        let process = command.arg(directory.file("box")).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Mailbox { process: process.context(|| "cannot start aiosmtpd".into())?, directory })
    }

    /// What was delivered, in the order in which it was.
    pub fn mails(&self) -> Outcome<Vec<Delivered>> {
        let mut files = Vec::new();
        for file in std::fs::read_dir(self.directory.file("box").join("new"))? {
            let path = file?.path();
            // A mailbox numbers what one process puts into it.
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let number = name.split_once('Q').and_then(|(_, rest)| rest.split('.').next()?.parse::<u32>().ok());
            files.push((number, std::fs::read_to_string(&path)?));
        }
        files.sort();
        Ok(files.iter().map(|(_, text)| delivered(text)).collect())
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn delivered(text: &str) -> Delivered {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    // A header goes on in lines that begin with a blank.
    let head = head.replace("\r", "").replace("\n\t", " ").replace("\n ", " ");
    let of = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let envelope = ["X-MailFrom", "X-RcptTo", "From", "To", "X-Mailer"].map(of);
    Delivered { subject: of("Subject"), envelope, body: body.trim().to_owned() }
}
