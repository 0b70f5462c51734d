//! `checkd compile` as the supervisor sees it: the program itself, confined, over its channel. Needs root, as the program does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends at what it did not expect")]

use ipc::channel::{Channel, ChannelError, pair};
use ipc::chunk::Assembly;
use ipc::codec::decode_slice;
use ipc::config::check::CheckConfig;
use ipc::config::ipvs::IpvsConfig;
use ipc::config::script::ScriptConfig;
use ipc::config::vrrp::{Auth, VrrpConfig};
use ipc::config::{Generation, SliceKind};
use ipc::msg::compile::{CompileMode, Facts, FromCompile, MessageFormat, ToCompile, Unread, Verdict};
use ipc::msg::control::{LogSetup, Sink};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

struct Compiler {
    child: Child,
    channel: Channel<ToCompile, FromCompile>,
    socket: OwnedFd,
    errors: PathBuf,
}

/// A directory of this test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("holdfast-compile-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn file(&self, name: &str, text: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn seed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conf/seeds").join(name)
}

impl Compiler {
    fn start(scratch: &Scratch, main: OwnedFd, path: &Path, mode: CompileMode) -> Compiler {
        let (ours, theirs) = pair().unwrap();
        let errors = scratch.0.join("stderr");
        let child = Command::new(env!("CARGO_BIN_EXE_checkd"))
            .args(["compile", "--uid", "61199", "--gid", "61199"])
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(File::create(&errors).unwrap())
            .spawn()
            .unwrap();
        let socket = ours.try_clone().unwrap();
        let mut channel = Channel::new(ours);
        let log = LogSetup { detail: 0, console: Sink::Off, syslog: Sink::Off, facility: 3, file: Sink::On };
        let facts = Facts {
            path: path.display().to_string(),
            cwd: "/".into(),
            config_id: "n1".into(),
            hostname: "n1.example".into(),
            interfaces: vec!["lo".into(), "ens33".into(), "eth0".into()],
            ..Facts::default()
        };
        let log_file = File::create(scratch.0.join("log")).unwrap().into();
        channel
            .send_with_fds(
                Generation(1),
                ToCompile::Start { log, facts, mode, format: MessageFormat::Human },
                vec![main, log_file],
            )
            .unwrap();
        Compiler { child, channel, socket, errors }
    }

    fn on(scratch: &Scratch, path: &Path, mode: CompileMode) -> Compiler {
        Compiler::start(scratch, File::open(path).unwrap().into(), path, mode)
    }

    fn next(&mut self) -> Result<Vec<FromCompile>, ChannelError> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(received) = self.channel.receive()? {
                return Ok(received.frame.messages);
            }
            assert!(Instant::now() < until, "checkd compile says nothing: {}", self.stderr());
            let fd = nix::poll::PollFd::new(self.socket.as_fd(), nix::poll::PollFlags::POLLIN);
            nix::poll::poll(&mut [fd], 100_u16).unwrap();
        }
    }

    fn result(&mut self) -> (Verdict, BTreeMap<SliceKind, Vec<u8>>) {
        let (mut slices, mut assembly) = (BTreeMap::new(), Assembly::default());
        loop {
            for message in self.next().unwrap_or_else(|e| panic!("{e}: {}", self.stderr())) {
                match message {
                    FromCompile::Slice(kind, chunk) => {
                        if let Some(bytes) = assembly.push(chunk).unwrap() {
                            slices.insert(kind, bytes);
                        }
                    }
                    FromCompile::Done(verdict) => return (verdict, slices),
                    // Files of the machine.
                    FromCompile::Include { pattern, .. } if pattern.starts_with("/etc/") => {
                        self.channel.send(Generation(1), vec![ToCompile::EndOfFiles { problems: Vec::new() }]).unwrap();
                    }
                    asked
                    @ (FromCompile::Include { .. } | FromCompile::Environment(_) | FromCompile::Credential(_)) => {
                        panic!("{asked:?} is not expected")
                    }
                }
            }
        }
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap_or_default()
    }

    fn exit(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "checkd compile does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_configuration_becomes_four_slices() {
    assert!(is_root(), "this test needs root; tests/run is the command that runs all tests");
    let scratch = Scratch::new("slices");
    let mut compiler = Compiler::on(&scratch, &seed("000_3_lvs_dr_master.conf"), CompileMode::Load);
    let (verdict, slices) = compiler.result();
    assert_eq!((verdict.fatal, verdict.errors), (0, 0));
    let script: ScriptConfig = decode_slice(&slices[&SliceKind::Script]).unwrap();
    let ipvs: IpvsConfig = decode_slice(&slices[&SliceKind::Ipvs]).unwrap();
    let vrrp: VrrpConfig = decode_slice(&slices[&SliceKind::Vrrp]).unwrap();
    let check: CheckConfig = decode_slice(&slices[&SliceKind::Check]).unwrap();
    assert_eq!(script.reals, 2);
    assert_eq!((ipvs.services.len(), ipvs.reals.len(), check.checkers.len()), (1, 2, 2));
    assert!(matches!(&vrrp.instances.rows()[0].auth, Auth::Pass(secret) if secret.reveal() == b"1111"));
    for (kind, bytes) in &slices {
        let has_password = bytes.windows(4).any(|w| w == b"1111");
        assert_eq!(has_password, *kind == SliceKind::Vrrp, "{kind:?}");
    }
    assert!(compiler.exit().success(), "{}", compiler.stderr());
    let log = std::fs::read_to_string(scratch.0.join("log")).unwrap();
    assert!(log.contains("000_3_lvs_dr_master.conf:26:5: warning[V003]: `persistence_timeout 0`"), "{log}");
    assert!(compiler.stderr().contains("26 |     persistence_timeout 0"), "{}", compiler.stderr());
}

#[test]
fn it_is_confined_and_asks_for_includes() {
    assert!(is_root(), "this test needs root; tests/run is the command that runs all tests");
    let scratch = Scratch::new("include");
    let main = scratch.file("main.conf", b"include conf.d/*.conf\nvirtual_router_id 3\n");
    let part = scratch.file("part.conf", b"global_defs {\n router_id here\n}\nunknown_word 5\n");
    let mut compiler = Compiler::on(&scratch, &main, CompileMode::Load);
    let asked = compiler.next().unwrap();
    let expected = FromCompile::Include { pattern: "conf.d/*.conf".into(), from: main.display().to_string() };
    assert_eq!(asked, [expected]);

    // It waits for us now: what may it do?
    let mut status = String::new();
    File::open(format!("/proc/{}/status", compiler.child.id())).unwrap().read_to_string(&mut status).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("{name}"));
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(field("Uid:"), ["61199"; 4]);
    assert_eq!(field("Gid:"), ["61199"; 4]);
    assert_eq!(field("CapEff:"), ["0000000000000000"]);
    assert_eq!(field("CapBnd:"), ["0000000000000000"]);
    assert_eq!(field("NoNewPrivs:"), ["1"]);
    assert_eq!(field("Seccomp:"), ["2"]);

    let file = ToCompile::File { path: part.display().to_string() };
    compiler.channel.send_with_fds(Generation(1), file, vec![File::open(&part).unwrap().into()]).unwrap();
    let problems = vec![Unread::Unusable("conf.d/b.conf".to_owned(), "permission denied".to_owned())];
    compiler.channel.send(Generation(1), vec![ToCompile::EndOfFiles { problems }]).unwrap();
    let (verdict, slices) = compiler.result();
    let check: CheckConfig = decode_slice(&slices[&SliceKind::Check]).unwrap();
    assert_eq!(check.router_id, "here");
    assert_eq!((verdict.fatal, verdict.errors, verdict.warnings), (0, 2, 1), "{}", compiler.stderr());
    let errors = compiler.stderr();
    assert!(errors.contains("part.conf:4:1"), "{errors}");
    assert!(errors.contains("cannot include `conf.d/b.conf`: permission denied"), "{errors}");
    assert!(errors.contains("`virtual_router_id` belongs in `vrrp_instance`"), "{errors}");
    assert!(compiler.exit().success());
}

#[test]
fn a_fifo_is_refused() {
    assert!(is_root(), "this test needs root; tests/run is the command that runs all tests");
    let scratch = Scratch::new("fifo");
    let path = scratch.0.join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let flags = nix::fcntl::OFlag::O_RDONLY | nix::fcntl::OFlag::O_NONBLOCK;
    let fifo = nix::fcntl::open(&path, flags, nix::sys::stat::Mode::empty()).unwrap();
    assert!(fifo.as_raw_fd() > 2);
    let mut compiler = Compiler::start(&scratch, fifo, &path, CompileMode::Load);
    let (verdict, slices) = compiler.result();
    assert_eq!((verdict.fatal, slices.len()), (1, 0));
    assert!(compiler.stderr().contains("it is not a regular file"), "{}", compiler.stderr());
}

#[test]
fn it_ends_with_its_supervisor() {
    assert!(is_root(), "this test needs root; tests/run is the command that runs all tests");
    let scratch = Scratch::new("orphan");
    let main = scratch.file("main.conf", b"include other\n");
    let mut compiler = Compiler::on(&scratch, &main, CompileMode::Load);
    compiler.next().unwrap();
    let (spare, _) = pair().unwrap();
    compiler.channel = Channel::new(spare);
    compiler.socket = File::open("/dev/null").unwrap().into();
    assert!(compiler.exit().success(), "{}", compiler.stderr());
}

#[test]
fn with_a_fatal_problem_there_is_no_slice() {
    assert!(is_root(), "this test needs root; tests/run is the command that runs all tests");
    let scratch = Scratch::new("fatal");
    let main = scratch.file(
        "main.conf",
        b"vrrp_instance A {\n interface eth9\n virtual_router_id 1\n virtual_ipaddress { 192.0.2.1 }\n}\n",
    );
    let mut compiler = Compiler::on(&scratch, &main, CompileMode::Test);
    let (verdict, slices) = compiler.result();
    assert_eq!((verdict.fatal, slices.len()), (1, 0));
    assert!(compiler.stderr().contains("fatal[R004]: interface eth9 does not exist"), "{}", compiler.stderr());
    assert!(compiler.stderr().contains("there is eth0"), "{}", compiler.stderr());
}

/// A file of SSL_GET that is not there, or not what it should be, is named where it stands, in a test as in a start.
#[test]
fn certificates_and_keys_are_looked_at() {
    assert!(is_root(), "this test needs root; tests/run is the command that runs all tests");
    let scratch = Scratch::new("pem");
    let text =
        b"SSL {\n certificate /c.pem\n key /k.pem\n}\nvirtual_server 192.0.2.1 443 {\n protocol TCP\n real_server \
        192.0.2.2 443 {\n  SSL_GET {\n   ssl_ca_file /a.pem\n   url { path / }\n  }\n }\n}\n";
    let main = scratch.file("main.conf", text);
    for mode in [CompileMode::Test, CompileMode::Load] {
        let mut compiler = Compiler::on(&scratch, &main, mode);
        for (path, content) in [("/a.pem", None), ("/c.pem", Some("hello\n")), ("/k.pem", Some("hello\n"))] {
            let from = main.display().to_string();
            assert_eq!(compiler.next().unwrap(), [FromCompile::Include { pattern: path.into(), from }]);
            if let Some(content) = content {
                let file = File::open(scratch.file("pem", content.as_bytes())).unwrap();
                let named = ToCompile::File { path: path.into() };
                compiler.channel.send_with_fds(Generation(1), named, vec![file.into()]).unwrap();
            }
            let missing = Unread::Missing(path.into());
            let problems = if content.is_none() { vec![missing] } else { Vec::new() };
            compiler.channel.send(Generation(1), vec![ToCompile::EndOfFiles { problems }]).unwrap();
        }
        let (verdict, _) = compiler.result();
        assert_eq!((verdict.fatal, verdict.errors), (0, 3), "{}", compiler.stderr());
        let log = std::fs::read_to_string(scratch.0.join("log")).unwrap();
        for line in [
            "main.conf:2:14: error[V001]: /c.pem holds no certificate",
            "main.conf:3:6: error[V001]: /k.pem holds no private key: no items found",
            "main.conf:9:16: error[P004]: cannot read /a.pem: it does not exist",
        ] {
            assert!(log.contains(line), "{line}: {log}");
        }
    }
    // The text alone: nothing is asked for.
    let (verdict, _) = Compiler::on(&scratch, &main, CompileMode::Offline).result();
    assert_eq!(verdict.errors, 0);
}
