//! A mail server that takes everything and keeps it.

use crate::failure::{Context, Outcome};
use crate::netns::Netns;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

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
