//! Servers whose answer to the n-th question is written down beforehand, and that note when they were asked: two daemons that ask the
//! same oracle must then ask at the same times and come to the same verdicts, whatever their clocks.

use crate::failure::{Context, Outcome};
use crate::lan::Host;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Connections alone: it listens or does not.
    Tcp,
    /// Pages: 200 or 500; the path is noted.
    Http,
    /// A greeting: 220 or 554.
    Smtp,
    /// A name: NOERROR or SERVFAIL.
    Dns,
    /// A datagram: it comes back or does not.
    Udp,
    /// An echo, of the whole host: answered or not.
    Ping,
}

/// Something that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Instant,
    /// Of which oracle or file.
    pub whose: String,
    /// What.
    pub what: String,
}

/// What was seen so far, in the order in which it was.
#[derive(Clone, Debug, Default)]
pub struct Notes(Arc<Mutex<Vec<Note>>>);

impl Notes {
    /// Adds one.
    pub fn note(&self, whose: &str, what: &str) {
        if let Ok(mut notes) = self.0.lock() {
            notes.push(Note { at: Instant::now(), whose: whose.to_owned(), what: what.to_owned() });
        }
    }

    /// All of them.
    pub fn all(&self) -> Vec<Note> {
        self.0.lock().map(|notes| notes.clone()).unwrap_or_default()
    }

    /// Notes every line that somebody writes into a FIFO, which is made here.
    pub fn follow(&self, fifo: &Path, whose: &str) -> Outcome {
        nix::unistd::mkfifo(fifo, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR)?;
        // Open for writing as well, it has no end.
        let file = std::fs::OpenOptions::new().read(true).write(true).open(fifo)?;
        let (notes, whose) = (self.clone(), whose.to_owned());
        std::thread::spawn(move || {
            for line in BufReader::new(file).lines().map_while(Result::ok) {
                notes.note(&whose, &line);
            }
        });
        Ok(())
    }
}

/// The answers: `p` lets the check pass, anything else fails it. The last one holds for all that follow.
#[derive(Clone, Debug)]
struct Answers {
    text: String,
    given: usize,
}

impl Answers {
    fn upcoming(&self) -> bool {
        let letter = self.text.as_bytes().get(self.given).or(self.text.as_bytes().last());
        letter == Some(&b'p')
    }

    fn next(&mut self) -> bool {
        let pass = self.upcoming();
        self.given += 1;
        pass
    }
}

/// How long after a question the answer to the next one is prepared where the kernel gives it: the check is over by then.
const OVER: Duration = Duration::from_millis(250);

/// Starts one on a host. It goes on as long as the test runs.
pub fn start(host: &Host, kind: Kind, port: u16, answers: &str, whose: &str, notes: &Notes) -> Outcome {
    let answers = Answers { text: answers.to_owned(), given: 0 };
    let (notes, whose) = (notes.clone(), whose.to_owned());
    let address = SocketAddr::from((host.address, port));
    let asked = move |what: &str| notes.note(&whose, what);
    match kind {
        Kind::Tcp => tcp(host, address, answers, asked),
        Kind::Ping => ping(host, answers, asked),
        Kind::Http | Kind::Smtp => {
            let listener = host.netns.enter(|| TcpListener::bind(address))?.context(|| format!("{address}"))?;
            std::thread::spawn(move || talk(&listener, kind, answers, asked));
            Ok(())
        }
        Kind::Dns | Kind::Udp => {
            let socket = host.netns.enter(|| UdpSocket::bind(address))?.context(|| format!("{address}"))?;
            std::thread::spawn(move || datagrams(&socket, kind, answers, asked));
            Ok(())
        }
    }
}

fn raw(host: &Host, protocol: Protocol) -> Outcome<Socket> {
    host.netns
        .enter(|| Socket::new(Domain::IPV4, Type::RAW, Some(protocol)))?
        .context(|| format!("no raw socket on {}", host.name))
}

/// What follows the header of IPv4 in each packet.
fn payloads(mut socket: Socket, mut each: impl FnMut(&[u8])) {
    let mut packet = [0; 2048];
    while let Ok(length) = socket.read(&mut packet) {
        let packet = packet.get(..length).unwrap_or_default();
        let header = usize::from(packet.first().copied().unwrap_or(0) & 15) * 4;
        each(packet.get(header..).unwrap_or_default());
    }
}

fn tcp(host: &Host, address: SocketAddr, mut answers: Answers, asked: impl Fn(&str) + Send + 'static) -> Outcome {
    let socket = raw(host, Protocol::TCP)?;
    let namespace = host.netns.name().to_owned();
    let listen = move |pass: bool| -> Option<Socket> {
        if !pass {
            return None;
        }
        // The thread below is in the namespace.
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
        listener.set_reuse_address(true).ok()?;
        listener.bind(&address.into()).ok()?;
        listener.listen(64).ok()?;
        listener.set_nonblocking(true).ok()?;
        Some(listener)
    };
    let (started, ready) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let path = Path::new("/run/netns").join(namespace);
        let entered = std::fs::File::open(path)
            .map(|file| nix::sched::setns(file, nix::sched::CloneFlags::CLONE_NEWNET).is_ok())
            .unwrap_or(false);
        let mut listener = listen(answers.upcoming());
        let _ = started.send(entered);
        payloads(socket, |segment| {
            let port = segment.get(2..4).map_or(0, |port| u16::from_be_bytes([port[0], port[1]]));
            // SYN without ACK.
            if port != address.port() || segment.get(13).is_none_or(|flags| flags & 0x12 != 0x02) {
                return;
            }
            asked("");
            let before = answers.next();
            std::thread::sleep(OVER);
            while let Some(Ok(_)) = listener.as_ref().map(Socket::accept) {}
            if answers.upcoming() != before {
                drop(listener.take());
                listener = listen(answers.upcoming());
            }
        });
    });
    match ready.recv() {
        Ok(true) => Ok(()),
        _ => Err(crate::failure::Failure::new(format!("cannot listen on {address}"))),
    }
}

fn ping(host: &Host, mut answers: Answers, asked: impl Fn(&str) + Send + 'static) -> Outcome {
    let socket = raw(host, Protocol::ICMPV4)?;
    let mut switch = host
        .netns
        .enter(|| std::fs::OpenOptions::new().write(true).open("/proc/sys/net/ipv4/icmp_echo_ignore_all"))??;
    let mut set = move |pass: bool| switch.write_all(if pass { b"0" } else { b"1" });
    set(answers.upcoming())?;
    std::thread::spawn(move || {
        payloads(socket, |message| {
            if message.first() == Some(&8) {
                asked("");
                answers.next();
                std::thread::sleep(OVER);
                let _ = set(answers.upcoming());
            }
        });
    });
    Ok(())
}

fn talk(listener: &TcpListener, kind: Kind, mut answers: Answers, asked: impl Fn(&str)) {
    for stream in listener.incoming().flatten() {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
        let _ = match kind {
            Kind::Http => page(&stream, &mut answers, &asked),
            _ => {
                asked("");
                greeting(&stream, &mut answers)
            }
        };
    }
}

fn page(mut stream: &TcpStream, answers: &mut Answers, asked: impl Fn(&str)) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    asked(request.split(' ').nth(1).unwrap_or_default());
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let status = if answers.next() { "200 OK" } else { "500 No" };
    write!(stream, "HTTP/1.0 {status}\r\nContent-Length: 2\r\n\r\nx\n")
}

fn greeting(mut stream: &TcpStream, answers: &mut Answers) -> std::io::Result<()> {
    if !answers.next() {
        return stream.write_all(b"554 no\r\n");
    }
    stream.write_all(b"220 yes\r\n")?;
    for line in BufReader::new(stream).lines() {
        let over = line?.starts_with("QUIT");
        stream.write_all(if over { b"221 bye\r\n" } else { b"250 yes\r\n" })?;
        if over {
            break;
        }
    }
    Ok(())
}

fn datagrams(socket: &UdpSocket, kind: Kind, mut answers: Answers, asked: impl Fn(&str)) {
    let mut packet = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut packet) {
        asked("");
        let pass = answers.next();
        let Some(answer) = packet.get_mut(..length) else { continue };
        if kind == Kind::Dns
            && let Some(flags) = answer.get_mut(2..4)
        {
            // QR, RD, RA; the code.
            flags.copy_from_slice(&[0x81, if pass { 0x80 } else { 0x82 }]);
        }
        if pass || kind == Kind::Dns {
            let _ = socket.send_to(answer, from);
        }
    }
}
