//! The old master: a thread that sends what a master sends, once a second, until it is told to fall silent at once.

use crate::failure::{Context, Outcome};
use crate::lan::{Host, INTERFACE};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it advertises, RFC 3768's default.
pub const ADVERT_INT: Duration = Duration::from_secs(1);

/// Its priority: above that of the daemon that is measured.
const PRIORITY: u8 = 200;

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// The virtual address of a virtual router.
pub fn vip(vrid: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, 0, vrid)
}

/// A master of the virtual routers 1 to some number; it falls silent when dropped.
#[derive(Debug)]
pub struct OldMaster {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl OldMaster {
    /// Begins to advertise `instances` virtual routers on `host`, all at once each second: a machine that dies takes all of its
    /// virtual routers with it.
    pub fn start(host: &Host, instances: u8) -> Outcome<Self> {
        let socket = host.netns.enter(open)?.context(|| "cannot open a raw socket".into())?;
        let adverts: Vec<Vec<u8>> = (1..=instances).map(|vrid| advert(host.address, vrid)).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let to = SockAddr::from(SocketAddrV4::new(GROUP, 0));
            let mut next = Instant::now();
            while !until.load(Ordering::Relaxed) {
                for advert in &adverts {
                    // One that is lost is not the last one either: the times are those of what was seen on the wire.
                    let _ = socket.send_to(advert, &to);
                }
                next += ADVERT_INT;
                while !until.load(Ordering::Relaxed) && Instant::now() < next {
                    std::thread::sleep((next - Instant::now()).min(Duration::from_millis(20)));
                }
            }
        });
        Ok(OldMaster { stop, thread: Some(thread) })
    }
}

impl Drop for OldMaster {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn open() -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
    socket.set_header_included_v4(true)?;
    socket.bind_device(Some(INTERFACE.as_bytes()))?;
    socket.set_multicast_loop_v4(false)?;
    Ok(socket)
}

/// A VRRPv2 packet without authentication (RFC 3768 §5.1) in an IPv4 header whose checksum the kernel fills in.
fn advert(source: Ipv4Addr, vrid: u8) -> Vec<u8> {
    let mut vrrp = vec![0x21, vrid, PRIORITY, 1, 0, 1, 0, 0];
    vrrp.extend(vip(vrid).octets());
    vrrp.extend([0; 8]);
    let sum = checksum(&vrrp).to_be_bytes();
    let mut packet = vec![0x45, 0xc0, 0, 40, 0, vrid, 0, 0, 255, 112, 0, 0];
    packet.extend(source.octets());
    packet.extend(GROUP.octets());
    for (n, byte) in vrrp.into_iter().enumerate() {
        packet.push(match n {
            6 => sum[0],
            7 => sum[1],
            _ => byte,
        });
    }
    packet
}

/// RFC 1071, for an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(u16::MAX)
}
