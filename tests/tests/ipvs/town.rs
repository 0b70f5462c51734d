//! A director, three real servers that answer in many ways, and a client with many addresses.
//!
//! What the client sends from its own addresses is answered without the director (DR); the way to all its other ones leads through the director
//! (NAT).

use super::{run, web_host};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::Child;
use std::time::Duration;
use tests::cleanup::Directory;
use tests::failure::{Context, Failure, Outcome};
use tests::http;
use tests::lan::{Host, INTERFACE, Lan};
use tests::web::Web;

/// How long an answer may take; the machine is emulated.
const ANSWER: Duration = Duration::from_secs(5);

/// Where SCTP is spoken.
pub const SCTP_PORT: u16 = 5000;

/// Where SIP is spoken.
pub const SIP_PORT: u16 = 5060;

/// The last bytes of the virtual addresses that the real servers have, too, as direct routing asks for; the last one is for services by mark.
pub const DIRECT: u8 = 188;
pub const TRANSLATED: u8 = 189;
pub const MARKED: u8 = 190;

/// A family's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// An address on the LAN.
    pub fn on_lan(self, last: u8) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::new(192, 168, 154, last).into(),
            Family::V6 => IpAddr::V6(format!("fd00:9::{last}").parse().unwrap_or(std::net::Ipv6Addr::UNSPECIFIED)),
        }
    }

    /// One of the client's many, to which the way leads through the director: of a network (10.77.NET.0/24, fd00:77:0:NET::/64) and there.
    pub fn afar(self, net: u8, last: u8) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::new(10, 77, net, last).into(),
            Family::V6 => IpAddr::from([0xfd00, 0x77, 0, net.into(), 0, 0, 0, last.into()]),
        }
    }
}

/// A program that ends with this.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All of it.
pub struct Town {
    pub director: Host,
    pub client: Host,
    pub reals: Vec<Host>,
    /// Taken out, one is dead for checks.
    pub webs: Vec<Option<Web>>,
    names: Vec<Running>,
    /// The certificates of the web servers.
    directory: Directory,
    _lan: Lan,
}

impl Town {
    /// Real servers 12, 13 and 14: web pages on 80 and 443, the name `who.test` on 53, SCTP and SIP; each tells its name.
    pub fn new() -> Outcome<Town> {
        let lan = Lan::new()?;
        let director = lan.host("director", "192.168.154.11/24")?;
        run(director.netns.command("ipvsadm").arg("-Ln"))
            .context(|| "the kernel has no IPVS; tests/run takes care of that".into())?;
        let client = lan.host("client", "192.168.154.100/24")?;
        for (host, last) in [(&director, 11), (&client, 100)] {
            six(host, last)?;
        }
        for (key, value) in [("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")] {
            director.netns.sysctl(key, value)?;
        }
        for key in ["all", INTERFACE] {
            director.netns.sysctl(&format!("ipv4/conf/{key}/send_redirects"), "0")?;
        }
        director.netns.ip("route add 10.77.0.0/16 via 192.168.154.100")?;
        director.netns.ip("-6 route add fd00:77::/32 via fd00:9::100")?;
        client.netns.ip(&format!("addr add 192.168.154.101/24 dev {INTERFACE}"))?;
        client.netns.ip(&format!("addr add fd00:9::101/64 dev {INTERFACE} nodad"))?;
        client.netns.ip("route add local 10.77.0.0/16 dev lo")?;
        client.netns.ip("-6 route add local fd00:77::/32 dev lo")?;
        client.netns.sysctl("ipv6/ip_nonlocal_bind", "1")?;
        let mut town = Town {
            director,
            client,
            reals: Vec::new(),
            webs: Vec::new(),
            names: Vec::new(),
            directory: Directory::new()?,
            _lan: lan,
        };
        for last in 12..=14 {
            let name = format!("web{}", last - 11);
            let host = web_host(&town._lan, &name, &format!("192.168.154.{last}/24"))?;
            town.add(host, last)?;
        }
        Ok(town)
    }

    fn add(&mut self, host: Host, last: u8) -> Outcome {
        six(&host, last)?;
        host.netns.sysctl("ipv6/conf/lo/disable_ipv6", "0")?;
        for key in ["all", INTERFACE] {
            host.netns.sysctl(&format!("ipv6/conf/{key}/accept_redirects"), "0")?;
        }
        host.netns.ip(&format!("addr add 192.168.154.{MARKED}/32 dev lo"))?;
        for vip in [DIRECT, MARKED] {
            host.netns.ip(&format!("addr add fd00:9::{vip}/128 dev lo nodad"))?;
        }
        host.netns.ip("route add 10.77.0.0/16 via 192.168.154.11")?;
        host.netns.ip("-6 route add fd00:77::/32 via fd00:9::11")?;
        for family in [Family::V4, Family::V6] {
            for address in [DIRECT, last] {
                serve_sctp(&host, SocketAddr::new(family.on_lan(address), SCTP_PORT))?;
            }
        }
        serve_sip(&host)?;
        let mut names = host.netns.command("dnsmasq");
        names.args(["-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file="]);
        self.names.push(Running(names.arg(format!("--address=/who.test/{}", host.address)).spawn()?));
        self.certify(&host.name)?;
        self.reals.push(host);
        self.webs.push(None);
        self.start_web(self.reals.len() - 1)
    }

    /// A key and a certificate that is good for the virtual addresses.
    fn certify(&self, name: &str) -> Outcome {
        let at = self.directory.path().display();
        let addresses: Vec<String> = [DIRECT, TRANSLATED, MARKED]
            .iter()
            .flat_map(|vip| [Family::V4, Family::V6].map(|family| format!("IP:{}", family.on_lan(*vip))))
            .collect();
        let text = format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {at}/{name}.key -out {at}/{name}.cert -days 2 -subj \
             /CN={name} -addext subjectAltName={} && cat {at}/{name}.cert >>{at}/trusted",
            addresses.join(",")
        );
        run(std::process::Command::new("sh").args(["-c", &text])).map(drop)
    }

    /// Starts the web server of a real server.
    pub fn start_web(&mut self, which: usize) -> Outcome {
        let (host, at) = (&self.reals[which], self.directory.path().display());
        let name = &host.name;
        let more = format!(
            "listen [::]:80; listen 443 ssl; listen [::]:443 ssl; ssl_certificate {at}/{name}.cert; ssl_certificate_key {at}/{name}.key;"
        );
        self.webs[which] = Some(Web::start_with(host, name, &more)?);
        Ok(())
    }

    /// Ends it.
    pub fn kill_web(&mut self, which: usize) {
        self.webs[which].take().into_iter().for_each(Web::kill);
    }

    /// What `ipvsadm` says with these arguments.
    pub fn ipvsadm(&self, arguments: &str) -> Outcome<String> {
        run(self.director.netns.command("ipvsadm").args(arguments.split_whitespace()))
    }

    /// A connection of the client from one of its addresses.
    pub fn connect(&self, from: IpAddr, to: SocketAddr) -> Outcome<TcpStream> {
        Ok(self.client.netns.enter(|| open(from, to, Protocol::TCP))??.into())
    }

    /// The page that the client gets from one of its addresses.
    pub fn page(&self, from: IpAddr, to: SocketAddr) -> Outcome<String> {
        http::get_over(self.connect(from, to)?, to, "/", ANSWER)
    }

    /// The page behind TLS, and whose certificate was shown. It must be good for the virtual address.
    pub fn secret_page(&self, from: IpAddr, to: SocketAddr) -> Outcome<(String, String)> {
        let source = SocketAddr::new(from, 0);
        let trusted = self.directory.file("trusted");
        let text = format!(
            "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 20 openssl s_client -connect {to} -bind {source} -CAfile {} -verify_return_error \
             -verify_ip {} -brief -ign_eof 2>&1",
            trusted.display(),
            to.ip()
        );
        let said = run(self.client.netns.command("sh").args(["-c", &text]))?;
        let after = |key: &str| said.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim();
        let page = said.lines().next_back().unwrap_or_default().trim();
        if after("Verification:") != "OK" || !after("Protocol version:").starts_with("TLSv1.") {
            return Err(Failure::new(format!("TLS of {to} did not come about:\n{said}")));
        }
        Ok((after("Peer certificate: CN =").to_owned(), page.to_owned()))
    }

    /// Whose address the name `who.test` has, asked for in a datagram.
    pub fn name_by_udp(&self, from: IpAddr, to: SocketAddr) -> Outcome<IpAddr> {
        let answer = self.client.netns.enter(|| -> std::io::Result<Vec<u8>> {
            let socket = UdpSocket::bind(SocketAddr::new(from, 0))?;
            socket.set_read_timeout(Some(ANSWER))?;
            socket.connect(to)?;
            socket.send(QUESTION)?;
            let mut bytes = vec![0; 512];
            let length = socket.recv(&mut bytes)?;
            bytes.truncate(length);
            Ok(bytes)
        })??;
        address_in(&answer)
    }

    /// The same over a connection.
    pub fn name_by_tcp(&self, from: IpAddr, to: SocketAddr) -> Outcome<IpAddr> {
        let mut stream = self.connect(from, to)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.write_all(&[&[0, QUESTION.len() as u8], QUESTION].concat())?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer)?;
        address_in(&answer)
    }

    /// Who answers to a word over an SCTP association.
    pub fn name_by_sctp(&self, from: IpAddr, to: SocketAddr) -> Outcome<String> {
        let mut socket = self.client.netns.enter(|| open(from, to, SCTP.into()))??;
        socket.write_all(b"who?")?;
        let mut answer = [0; 64];
        let length = socket.read(&mut answer)?;
        Ok(String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned())
    }

    /// Who answers to a SIP request of a call.
    pub fn name_by_sip(&self, from: IpAddr, to: SocketAddr, call: &str) -> Outcome<String> {
        let answer = self.client.netns.enter(|| -> std::io::Result<String> {
            let socket = UdpSocket::bind(SocketAddr::new(from, 0))?;
            socket.set_read_timeout(Some(ANSWER))?;
            let request = format!(
                "OPTIONS sip:who@test SIP/2.0\r\nVia: SIP/2.0/UDP {from}\r\nMax-Forwards: 70\r\nFrom: <sip:a@test>;tag=1\r\nTo: \
                 <sip:who@test>\r\nCall-ID: {call}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            );
            socket.send_to(request.as_bytes(), to)?;
            let mut bytes = [0; 64];
            let (length, _) = socket.recv_from(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
        })?;
        Ok(answer?)
    }
}

/// A question for the address of `who.test`.
const QUESTION: &[u8] = b"\x07\x07\x01\0\0\x01\0\0\0\0\0\0\x03who\x04test\0\0\x01\0\x01";

/// The last four bytes of an answer to it.
fn address_in(answer: &[u8]) -> Outcome<IpAddr> {
    let last: &[u8; 4] = answer.last_chunk().context(|| format!("no answer: {answer:?}"))?;
    Ok(IpAddr::from(*last))
}

/// IPPROTO_SCTP
const SCTP: i32 = 132;

fn open(from: IpAddr, to: SocketAddr, protocol: Protocol) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(protocol))?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect_timeout(&to.into(), ANSWER)?;
    socket.set_read_timeout(Some(ANSWER))?;
    Ok(socket)
}

/// IPv6 on a host.
fn six(host: &Host, last: u8) -> Outcome {
    for key in ["all", INTERFACE] {
        host.netns.sysctl(&format!("ipv6/conf/{key}/disable_ipv6"), "0")?;
    }
    host.netns.ip(&format!("addr add fd00:9::{last}/64 dev {INTERFACE} nodad")).map(drop)
}

/// Every word is answered with the host's name.
fn serve_sctp(host: &Host, address: SocketAddr) -> Outcome {
    let listener = host.netns.enter(|| -> std::io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(SCTP.into()))?;
        socket.bind(&address.into())?;
        socket.listen(16)?;
        Ok(socket)
    })?;
    let listener = listener.context(|| format!("no SCTP on {address}; is there a module sctp?"))?;
    let name = host.name.clone();
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let name = name.clone();
            std::thread::spawn(move || -> std::io::Result<()> {
                let mut word = [0; 64];
                while socket.read(&mut word)? > 0 {
                    socket.write_all(name.as_bytes())?;
                }
                Ok(())
            });
        }
    });
    Ok(())
}

fn serve_sip(host: &Host) -> Outcome {
    let socket = host.netns.enter(|| UdpSocket::bind(("0.0.0.0", SIP_PORT)))??;
    let name = host.name.clone();
    std::thread::spawn(move || {
        let mut request = [0; 2048];
        while let Ok((_, from)) = socket.recv_from(&mut request) {
            let _ = socket.send_to(name.as_bytes(), from);
        }
    });
    Ok(())
}

/// A virtual server; `more` goes into it, `real` into each real server.
pub fn virtual_server(key: &str, more: &str, reals: &[SocketAddr], real: &str) -> String {
    let reals: Vec<String> = reals
        .iter()
        .map(|address| format!(" real_server {} {} {{\n {real}\n }}\n", address.ip(), address.port()))
        .collect();
    format!("virtual_server {key} {{\n delay_loop 3\n {more}\n{}}}\n", reals.concat())
}

/// A check that asks for no more than the web server's port.
pub const ALIVE: &str = "TCP_CHECK {\n  connect_port 80\n  connect_timeout 3\n  retry 1\n  delay_before_retry 1\n }";
