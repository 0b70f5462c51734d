//! A compiler that is played by the test.

use super::*;
use crate::shell::testdir::TestDir;

#[test]
fn interfaces_are_read_from_proc() {
    let text = "Inter-|   Receive\n face |bytes\n    lo: 1 2 3\n  eth0: 4 5\neth0.7:9 1\n br:0: 1\n";
    assert_eq!(interfaces(text), ["lo", "eth0", "eth0.7", "br:0"]);
    assert!(interfaces("").is_empty());
}

#[test]
fn only_regular_files_are_opened() {
    let dir = TestDir::new("regular");
    let (fifo, socket, link) = (dir.path().join("fifo"), dir.path().join("socket"), dir.path().join("link"));
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::os::unix::fs::symlink("/nonexistent", &link).unwrap();
    let why = |path: &Path| open_regular(path).unwrap_err().to_string();
    for path in [Path::new("/dev/null"), Path::new("/dev/zero"), &fifo, &socket] {
        assert_eq!(why(path), "it is no regular file", "{}", path.display());
    }
    assert_eq!(why(Path::new("/")), "it is a directory");
    assert_eq!(why(Path::new("/nonexistent/x")), "it does not exist");
    assert_eq!(why(&link), "it is a link to nothing");
    assert!(why(Path::new("/proc/self/exe")).starts_with("it is executable"));
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(open_regular(&file).is_ok());
}

/// A compiler that is played by the test: its end of the channel.
fn played() -> (Compiler, Channel<FromCompile, ToCompile>) {
    let (ours, theirs) = pair().unwrap();
    let compiler = Compiler {
        generation: Generation(1),
        until: Mono::ZERO,
        process: Process::start(std::process::Command::new("sleep").arg("1000")).unwrap(),
        channel: Channel::new(ours),
        mode: CompileMode::Load,
        files: vec![PathBuf::from("/etc/a.conf")],
        includes: 0,
        variables: 0,
        answer: None,
        assembly: Assembly::default(),
        kind: None,
        slices: Slices::new(),
    };
    (compiler, Channel::new(theirs))
}

fn end(compiler: Compiler) {
    let mut process = compiler.end();
    while process.reap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn include() -> Vec<FromCompile> {
    vec![FromCompile::Include { pattern: "/nonexistent/x*".to_owned(), from: "/etc/a.conf".to_owned() }]
}

#[test]
fn a_compiler_that_talks_without_end_does_not_keep_the_loop() {
    let (mut compiler, mut its) = played();
    let all = FRAMES_PER_TURN * 3;
    for _ in 0..all {
        its.send(Generation(1), include()).unwrap();
    }
    // Nothing matches, so each is answered at once.
    let mut answers = || std::iter::from_fn(|| its.receive().unwrap()).count();
    for _ in 0..3 {
        assert!(matches!(compiler.progress(), Progress::More));
        assert_eq!(answers(), FRAMES_PER_TURN);
    }
    assert!(matches!(compiler.progress(), Progress::Waiting));
    end(compiler);
}

#[test]
fn includes_are_counted() {
    let (mut compiler, mut its) = played();
    compiler.includes = INCLUDES_LIMIT;
    its.send(Generation(1), include()).unwrap();
    let Progress::Done(Err(failure)) = compiler.progress() else { panic!("it goes on") };
    assert_eq!(failure.to_string(), "checkd compile broke the protocol: malformed frame: too many includes");
    end(compiler);
}

#[test]
fn more_files_than_the_socket_holds_are_handed_out_as_they_are_read() {
    let dir = crate::shell::testdir::TestDir::new("include");
    for n in 0..900 {
        std::fs::write(dir.path().join(format!("{n:03}.conf")), "").unwrap();
    }
    let (mut compiler, mut its) = played();
    let pattern = format!("{}/*.conf", dir.path().display());
    its.send(Generation(1), vec![FromCompile::Include { pattern, from: "/etc/a.conf".to_owned() }]).unwrap();
    let mut files = 0;
    loop {
        assert!(matches!(compiler.progress(), Progress::Waiting));
        match its.receive().unwrap() {
            Some(received) => match received.frame.messages.as_slice() {
                [ToCompile::File { path }] => {
                    assert!(path.ends_with(&format!("{files:03}.conf")) && received.fds.len() == 1, "{path}");
                    files += 1;
                }
                [ToCompile::EndOfFiles { problems }] => break assert!(problems.is_empty()),
                other => panic!("{other:?}"),
            },
            None => panic!("nothing after {files} files"),
        }
    }
    assert_eq!(files, 900);
    end(compiler);
}

#[test]
fn one_include_is_answered_before_the_next() {
    let (mut compiler, mut its) = played();
    compiler.answer = Some(Answer::default());
    its.send(Generation(1), include()).unwrap();
    its.send(Generation(1), include()).unwrap();
    // The first of the two comes after the answer has been sent.
    assert!(matches!(compiler.progress(), Progress::Waiting));
    compiler.answer = Some(Answer { paths: ["/nonexistent".into()].into(), ..Answer::default() });
    assert!(compiler.include("x", "/etc/a.conf").is_err());
    end(compiler);
}
