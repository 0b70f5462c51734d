//! Real servers that want to do harm to who checks them. Each serves for as long as the test runs.

use crate::failure::{Context, Outcome};
use crate::lan::Host;
use crate::oracle::Notes;
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malice {
    /// Says nothing, and holds the connection.
    Silence,
    /// Says this, closes and sends a reset.
    Reset(&'static [u8]),
    /// Says this and closes.
    Says(&'static [u8]),
    /// Says the first, then the second again and again as fast as it is taken, up to so many bytes.
    Flood(&'static [u8], &'static [u8], u64),
    /// Says this a byte a second, its last byte for ever.
    Drip(&'static [u8]),
    /// Gives back every datagram after so many bytes of it were set to this.
    Echo(usize, u8),
    /// Answers every datagram with this.
    Datagram(&'static [u8]),
    /// Answers every datagram with so many of 65,000 bytes.
    Storm(usize),
}

/// Starts one on 127.0.0.1 of a host. Every connection and datagram is noted.
pub fn start(host: &Host, malice: Malice, port: u16, whose: &str, notes: &Notes) -> Outcome {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (notes, whose) = (notes.clone(), whose.to_owned());
    let asked = move || notes.note(&whose, "asked");
    if let Malice::Echo(..) | Malice::Datagram(_) | Malice::Storm(_) = malice {
        let socket = host.netns.enter(|| UdpSocket::bind(address))?.context(|| format!("{address}"))?;
        std::thread::spawn(move || datagrams(&socket, malice, asked));
        return Ok(());
    }
    let listener = host.netns.enter(|| TcpListener::bind(address))?.context(|| format!("{address}"))?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            asked();
            // It ends when the client goes away.
            std::thread::spawn(move || serve(stream, malice));
        }
    });
    Ok(())
}

fn serve(mut stream: TcpStream, malice: Malice) -> std::io::Result<()> {
    match malice {
        Malice::Silence | Malice::Echo(..) | Malice::Datagram(_) | Malice::Storm(_) => {}
        Malice::Reset(first) => {
            stream.write_all(first)?;
            std::thread::sleep(Duration::from_millis(20));
            // Closed with nothing to linger for, the connection is reset.
            return SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        Malice::Says(all) => {
            stream.write_all(all)?;
            stream.shutdown(std::net::Shutdown::Write)?;
        }
        Malice::Flood(first, then, most) => {
            stream.write_all(first)?;
            let piece = then.repeat((64 << 10) / then.len().max(1) + 1);
            let mut left = most;
            while left > 0 {
                stream.write_all(&piece)?;
                left = left.saturating_sub(piece.len() as u64);
            }
        }
        Malice::Drip(text) => {
            for n in 0.. {
                let byte = text.get(n).or(text.last()).copied().unwrap_or(b'x');
                stream.write_all(&[byte])?;
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
    let mut sink = [0; 4096];
    while stream.read(&mut sink)? > 0 {}
    Ok(())
}

fn datagrams(socket: &UdpSocket, malice: Malice, asked: impl Fn()) {
    let mut packet = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut packet) {
        asked();
        let question = packet.get_mut(..length).unwrap_or_default();
        let _ = match malice {
            Malice::Echo(bytes, value) => {
                question.iter_mut().take(bytes).for_each(|byte| *byte = value);
                socket.send_to(question, from)
            }
            Malice::Datagram(answer) => socket.send_to(answer, from),
            Malice::Storm(count) => {
                let answer = vec![0xff; 65_000];
                (0..count).try_fold(0, |_, _| socket.send_to(&answer, from))
            }
            _ => Ok(0),
        };
    }
}
