//! What holds of each stage whatever it is given: it ends, it does not panic, what it makes is bounded, places lie in the files, and a
//! diagnostic has a place.

use checkd::conf::diag::Diagnostics;
use checkd::conf::expand::{self, Definitions, Expanded};
use checkd::conf::keyword::Reader;
use checkd::conf::lines::{self, Text};
use checkd::conf::preproc::{Preprocessor, Step};
use checkd::conf::source::{FileId, Sources, Span};
use checkd::conf::tree::{Builder, Tree};
use checkd::conf::{Checks, Compiled, LIMITS, compile, loops, root};
use ipc::msg::compile::{CompileMode, Facts, Unread};

fn facts() -> Facts {
    Facts {
        path: "/etc/keepalived/keepalived.conf".into(),
        cwd: "/".into(),
        config_id: "n1".into(),
        hostname: "n1.example".into(),
        interfaces: ["lo", "eth0", "eth1"].map(String::from).to_vec(),
        ..Facts::default()
    }
}

fn known() -> expand::Facts {
    expand::Facts { config_id: "n1".into(), cwd: "/".into(), random: 1, ..expand::Facts::default() }
}

fn source(text: &[u8]) -> (Sources, FileId) {
    let mut sources = Sources::default();
    let file = sources.add("/etc/x.conf".into(), text.to_vec());
    (sources, file)
}

fn inside(span: Span, sources: &Sources) {
    let source = sources.get(span.file).expect("a file");
    assert!(span.start <= span.end && span.end as usize <= source.text.len(), "{span:?} of {}", source.text.len());
    let place = sources.place(span);
    assert!(place.line >= 1 && place.column >= 1);
}

/// Every diagnostic has a place, in a file.
fn sound(diags: &Diagnostics, sources: &Sources) {
    assert!(diags.list().len() <= LIMITS.diagnostics + 101);
    for diagnostic in diags.list() {
        inside(diagnostic.primary.as_ref().expect("a place").span, sources);
        diagnostic.others.iter().for_each(|label| inside(label.span, sources));
        diagnostic.patch.iter().for_each(|patch| inside(patch.span, sources));
        assert!(!diagnostic.message.is_empty() && !diagnostic.message.contains(char::is_control), "{diagnostic:?}");
    }
}

/// Lines come one after another, are as long as they may be, and hold neither NUL nor line end.
pub fn lines(text: &[u8]) {
    let (sources, file) = source(text);
    let source = sources.get(file).unwrap();
    let mut diags = Diagnostics::default();
    let (mut at, mut count) = (0, 0);
    while let Some((line, after)) = lines::next(source, file, at, &mut diags) {
        assert!(after > at && after <= text.len());
        assert!(line.bytes().len() <= LIMITS.line_bytes);
        assert!(!line.bytes().contains(&0) && !line.bytes().contains(&b'\n'));
        let whole = line.into_text(file).whole();
        inside(whole, &sources);
        assert!(whole.end as usize <= after || whole == Span::default());
        (at, count) = (after, count + 1);
    }
    let ends = text.iter().filter(|b| **b == b'\n').count();
    assert_eq!(count, ends + usize::from(!text.is_empty() && !text.ends_with(b"\n")));
    sound(&diags, &sources);
}

/// The lines of a text, as texts.
fn texts(text: &[u8]) -> (Sources, Vec<Text>) {
    let (sources, file) = source(text);
    let mut diags = Diagnostics::default();
    let (mut at, mut all) = (0, Vec::new());
    while let Some((line, after)) = lines::next(sources.get(file).unwrap(), file, at, &mut diags) {
        all.push(line.into_text(file));
        at = after;
    }
    (sources, all)
}

/// An expanded line is a bounded one, and each of its bytes has a place.
pub fn expand(text: &[u8]) {
    let (sources, all) = texts(text);
    let (mut definitions, mut facts, mut diags) = (Definitions::default(), known(), Diagnostics::default());
    let (mut out, mut longest) = (Text::default(), 512);
    for text in all {
        if let Some((name, at)) = expand::definition(text.bytes()) {
            let value = text.part(at..text.len()).trimmed();
            longest = longest.max(value.len());
            definitions.set(name, vec![value; text.len() % 3], text.whole());
            continue;
        }
        let expanded = expand::line(&text, &mut definitions, &mut facts, &sources, &mut diags, &mut out);
        match expanded {
            Expanded::Same => assert!(!expand::has_reference(&text, &definitions)),
            Expanded::Needs(name) => {
                facts.environment.insert(name, b"value".to_vec());
            }
            Expanded::One(_) | Expanded::Many(_) => {
                assert!(expand::has_reference(&text, &definitions));
                assert!(out.len() <= LIMITS.line_bytes + longest + text.len());
                (0..out.len()).for_each(|n| inside(out.span(n..n + 1), &sources));
            }
        }
    }
    sound(&diags, &sources);
    definitions.uses().iter().for_each(|used| inside(used.reference, &sources));
}

/// A loop has as many turns as it says, and no more than may be.
pub fn loops(text: &[u8]) {
    let (sources, all) = texts(text);
    let (mut definitions, mut facts, mut diags) = (Definitions::default(), known(), Diagnostics::default());
    for text in all {
        match loops::parse(&text, 0, &mut definitions, &mut facts, &sources) {
            Some(Ok(mut turns)) => {
                let mut count = 0_u32;
                while count < 1000 && turns.turn(&mut definitions).is_some_and(|rest| !rest.is_empty()) {
                    count += 1;
                }
                assert!(count > 0, "a loop of no turns");
            }
            Some(Err(expand::Trouble::Problem(problem))) => diags.push(*problem),
            Some(Err(expand::Trouble::Needs(_))) | None => {}
        }
    }
    sound(&diags, &sources);
}

/// The lines of a text as a tree, with what is wrong.
fn parsed(text: &[u8]) -> (Sources, Tree, Diagnostics) {
    let (mut sources, mut diags, mut tree) = (Sources::default(), Diagnostics::default(), Builder::default());
    let mut preprocessor = Preprocessor::new(known(), Checks::NONE);
    preprocessor.begin(&mut sources, &mut diags, vec![("/etc/x.conf".into(), text.to_vec())]);
    let (mut includes, mut variables) = (0, 0);
    loop {
        match preprocessor.run(&sources, &mut tree, &mut diags) {
            Step::Include(request) => {
                includes += 1;
                assert!(includes <= LIMITS.includes && request.pattern.len() <= 3 * LIMITS.pattern_bytes);
                inside(request.span, &sources);
                let again = request.pattern.contains('a') && includes < 20;
                let files = again.then(|| ("/a".to_owned(), b"include ab\nstate $A\n$A=$B\n".to_vec()));
                let problems = [Unread::Missing("b".into()), Unread::Unusable("c".into(), "it is a directory".into())];
                preprocessor.included(&mut sources, &mut diags, &request, files.into_iter().collect(), &problems);
            }
            Step::Environment(name) => {
                variables += 1;
                assert!(variables <= LIMITS.variables && !name.is_empty());
                preprocessor.environment(name, b"~SEQ(A,2) $A".to_vec());
            }
            Step::Done => break,
        }
    }
    preprocessor.uses().iter().for_each(|used| inside(used.reference, &sources));
    assert!(tree.cost() <= LIMITS.memory + 2 * LIMITS.line_bytes);
    let tree = tree.finish(&mut diags);
    (sources, tree, diags)
}

/// It ends within its bounds.
pub fn preproc(text: &[u8]) {
    let (sources, _, diags) = parsed(text);
    sound(&diags, &sources);
}

/// A word stands where it says; one that was not expanded byte for byte.
pub fn tree(text: &[u8]) {
    let (sources, tree, diags) = parsed(text);
    for statement in tree.all() {
        assert!(!statement.is_empty());
        inside(statement.whole(), &sources);
        let raw = statement.raw(1);
        inside(raw.span(0..raw.bytes().len()), &sources);
        for word in statement.words(0) {
            inside(word.span, &sources);
            if !statement.is_expanded() && !word.bytes.is_empty() {
                let source = sources.get(word.span.file).unwrap();
                assert_eq!(&source.text[word.span.start as usize..word.span.end as usize], word.bytes);
            }
        }
    }
    sound(&diags, &sources);
}

/// Every statement is read or told.
pub fn readers(text: &[u8]) {
    let (sources, tree, mut diags) = parsed(text);
    root::hide_secrets(&tree, &mut diags);
    let names = checkd::conf::names::Names::default();
    let mut reader =
        Reader { diags: &mut diags, sources: &sources, names: &names, usage: None, unordered: Default::default() };
    root::read(&mut reader, &tree);
    sound(&diags, &sources);
}

/// A configuration whose parts refer to what is there, or something fatal.
pub fn whole(text: &[u8]) {
    let compiled: Compiled = compile(facts(), CompileMode::Load, text.to_vec(), |request| {
        let again = request.pattern.contains('a').then(|| ("/a".to_owned(), b"include ab\nstate $A\n".to_vec()));
        (again.into_iter().collect(), vec![Unread::Nothing])
    });
    sound(&compiled.diags, &compiled.sources);
    let verdict = compiled.verdict();
    assert!(verdict.unread <= verdict.fatal);
    assert_eq!(compiled.bundle.is_none(), verdict.fatal > 0);
    let Some(bundle) = &compiled.bundle else { return };
    let (vrrp, ipvs) = (&bundle.vrrp, &bundle.ipvs);
    assert_eq!(vrrp.instances.len(), ipvs.instances.len());
    assert_eq!(vrrp.instances.len(), bundle.script.instances.len());
    assert_eq!(vrrp.groups.len(), bundle.script.groups.len());
    assert_eq!(ipvs.services.len(), bundle.check.services.len());
    assert_eq!(ipvs.reals.len(), bundle.check.reals.len());
    assert!(vrrp.instances.rows().iter().all(|n| vrrp.links.has(n.link) && n.vrid > 0 && n.priority > 0));
    assert!(bundle.script.scripts.rows().iter().all(|s| !s.argv.is_empty()));
}
