//! The Debian package: built, installed into a root of its own (debootstrap), its unit verified, the daemon started there in a
//! network namespace of its own, stopped, and the package removed again. Needs root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const FILES: [(&str, u32); 10] = [
    ("usr/sbin/holdfast", 0o755),
    ("usr/libexec/holdfast/checkd", 0o755),
    ("usr/libexec/holdfast/vrrpd", 0o755),
    ("usr/libexec/holdfast/ipvsd", 0o755),
    ("usr/lib/sysusers.d/holdfast.conf", 0o644),
    ("usr/lib/tmpfiles.d/holdfast.conf", 0o644),
    ("usr/share/man/man8/holdfast.8.gz", 0o644),
    ("usr/share/man/man5/holdfast.conf.5.gz", 0o644),
    ("usr/share/doc/holdfast/README.md", 0o644),
    ("usr/share/doc/holdfast/examples/holdfast.conf", 0o644),
];

const ACCOUNTS: [&str; 4] = ["holdfast-vrrp", "holdfast-check", "holdfast-ipvs", "holdfast-compile"];

#[test]
fn the_package_installs_runs_and_goes() {
    assert!(nix::unistd::geteuid().is_root(), "this test installs a package into a root of its own: run it as root");
    let root = Root::new();
    let deb = build();
    fs::copy(&deb, root.join("holdfast.deb")).expect("copy the package into the root");

    root.run(&["dpkg", "-i", "/holdfast.deb"]);
    for (file, mode) in FILES {
        let found = fs::metadata(root.join(file)).unwrap_or_else(|e| panic!("{file} is not installed: {e}"));
        assert_eq!(found.permissions().mode() & 0o7777, mode, "mode of {file}");
    }
    let uids: Vec<u32> = ACCOUNTS.iter().map(|account| root.uid_of(account)).collect();
    root.run(&["systemd-analyze", "verify", "--man=no", "holdfast.service"]);
    let enabled = root.join("etc/systemd/system/multi-user.target.wants/holdfast.service");
    // It takes the place of a running keepalived; when that shall happen is for the administrator to say.
    assert!(fs::symlink_metadata(enabled).is_err(), "the unit is enabled");
    for script in ["postinst", "prerm"] {
        let text = fs::read_to_string(root.join(&format!("var/lib/dpkg/info/holdfast.{script}"))).expect("its script");
        assert!(!text.contains("deb-systemd-invoke start"), "{script} starts the unit:\n{text}");
    }

    let mut daemon = Daemon::start(&root);
    daemon.wait_for("192.0.2.80/32");
    let mut running = daemon.children_uids();
    running.sort_unstable();
    let mut expected = vec![uids[0], uids[1], uids[2]];
    expected.sort_unstable();
    assert_eq!(running, expected, "each child runs as its own account");
    daemon.stop();

    root.run(&["dpkg", "--purge", "holdfast"]);
    for (file, _) in FILES {
        assert!(!root.join(file).exists(), "{file} is left behind");
    }
    assert!(!root.join("usr/libexec/holdfast").exists(), "usr/libexec/holdfast is left behind");
}

/// The project's root directory.
fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests has a parent").to_path_buf()
}

fn build() -> PathBuf {
    let output = Command::new(project().join("packaging/build"))
        .args(["deb", "--quick", "--out", "target/package-test"])
        .stderr(Stdio::inherit())
        .output()
        .expect("run packaging/build");
    assert!(output.status.success(), "packaging/build failed");
    let path = String::from_utf8(output.stdout).expect("a path");
    project().join(path.trim())
}

/// A Debian root in a temporary directory, removed at the end. The untouched base is kept in `target/debroot`.
struct Root {
    dir: tempfile::TempDir,
}

impl Root {
    fn new() -> Self {
        let base = project().join("target/debroot");
        if !base.join("usr/bin/kill").exists() {
            let _ = fs::remove_dir_all(&base);
            let made = project().join("target/debroot.new");
            let _ = fs::remove_dir_all(&made);
            run(Command::new("debootstrap")
                .args(["--variant=minbase", "--include=systemd,iproute2,procps", "bookworm"])
                .arg(&made));
            fs::rename(&made, &base).expect("keep the base root");
        }
        let dir =
            tempfile::Builder::new().prefix("holdfast-root").tempdir_in(project().join("target")).expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("mode of the root");
        run(Command::new("cp").arg("-a").arg(base.join(".")).arg(dir.path()));
        let root = Root { dir };
        let policy = root.join("usr/sbin/policy-rc.d");
        fs::write(&policy, "#!/bin/sh\nexit 101\n").expect("write policy-rc.d");
        fs::set_permissions(&policy, fs::Permissions::from_mode(0o755)).expect("mode of policy-rc.d");
        root
    }

    fn join(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn run(&self, command: &[&str]) {
        run(Command::new("chroot").arg(self.dir.path()).args(command).env("DEBIAN_FRONTEND", "noninteractive"));
    }

    fn uid_of(&self, account: &str) -> u32 {
        let passwd = fs::read_to_string(self.join("etc/passwd")).expect("read etc/passwd");
        let line = passwd.lines().find(|l| l.split(':').next() == Some(account));
        let line = line.unwrap_or_else(|| panic!("no account {account}"));
        line.split(':').nth(2).and_then(|uid| uid.parse().ok()).expect("a uid")
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&text));
}

/// The installed daemon, in the root and in network and mount namespaces of its own with an interface `eth0`.
struct Daemon {
    child: Child,
}

impl Daemon {
    fn start(root: &Root) -> Self {
        let script =
            "set -e; mount -t proc proc \"$1/proc\"; mount -t tmpfs run \"$1/run\"; mount --bind /dev \"$1/dev\"
            ip link set lo up; ip link add eth0 type veth peer name other; ip address add 192.0.2.1/24 dev eth0
            ip link set eth0 up; ip link set other up
            exec chroot \"$1\" /usr/sbin/holdfast --dont-fork --log-console --no-syslog \
                -f /usr/share/doc/holdfast/examples/lvs-dr-master.conf";
        let child = Command::new("unshare")
            .args(["--net", "--mount", "--", "sh", "-c", script, "sh"])
            .arg(root.dir.path())
            .spawn()
            .expect("start the installed daemon");
        Daemon { child }
    }

    fn addresses(&self) -> String {
        let output = Command::new("nsenter")
            .args(["--net", "--target", &self.child.id().to_string(), "ip", "-4", "address", "show", "dev", "eth0"])
            .output()
            .expect("nsenter");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn wait_for(&mut self, address: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        while !self.addresses().contains(address) {
            assert!(self.child.try_wait().expect("wait").is_none(), "the installed daemon has ended");
            assert!(Instant::now() < end, "{address} did not appear on eth0");
            sleep(Duration::from_millis(100));
        }
    }

    fn children_uids(&self) -> Vec<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let children = fs::read_to_string(children).expect("read children");
        children.split_whitespace().map(uid_of_process).collect()
    }

    fn stop(mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("SIGTERM");
        let status = self.child.wait().expect("wait");
        assert!(status.success(), "the installed daemon ended with {status}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // After a failed assertion; harmless when it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn uid_of_process(pid: &str) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("read status");
    let line = status.lines().find_map(|l| l.strip_prefix("Uid:")).expect("a Uid line");
    line.split_whitespace().next().and_then(|uid| uid.parse().ok()).expect("a uid")
}
