//! The rules, each a function from a file to what is wrong in it.

use crate::code::Source;
use regex::Regex;

/// A file to what is wrong in it.
pub(crate) type Rule = fn(&Source) -> Vec<String>;

/// The layers, lowest first: a module imports from lower ones only, and words from one another.
const LAYERS: [&[&str]; 7] = [
    &["scan", "ballot", "reason", "imb", "clock", "coded", "event", "delivery", "sheet"],
    &["scanner", "decode", "envelope", "dedupe", "ledger", "forward", "facility"],
    &["control", "config", "labels"],
    &["pipeline", "desk"],
    &["daemon"],
    &["cli"],
    &["main"],
];

/// Those of the relay, a package of its own.
const RELAY_LAYERS: [&[&str]; 17] = [
    &["clock", "hours", "id", "key", "news", "told", "params"],
    &["store"],
    &["config"],
    &["template"],
    &["relay"],
    &["alarm", "voter"],
    &["notice"],
    &["suppress"],
    &["ballot", "bulk", "channel"],
    &["receipt", "intake"],
    &["work", "callback"],
    &["serve"],
    &["web"],
    &["pages", "office", "stand_in"],
    &["demo"],
    &["cli"],
    &["main"],
];

/// Where the packages' code stands, and in which layers.
const PACKAGES: [(&str, &[&[&str]]); 2] = [("src/", &LAYERS), ("relay/src/", &RELAY_LAYERS)];

type Door = (&'static str, &'static str, &'static str);

/// A foreign library, the file or the folder that may use it, and why that one.
const DOORS: [Door; 25] = [
    ("rxing", "src/decode/image.rs", "it panics on real frames, so it is called behind one guard"),
    ("rxing", "src/decode/image/", "the same guard, in files of its own"),
    ("rxing", "src/cli/", "labels are drawn with its writers"),
    ("image", "src/decode/image.rs", "pictures of strangers are opened within one set of limits"),
    ("image", "src/cli/", "labels are written as pictures"),
    ("reqwest", "src/forward/relay.rs", "the one way out of the station"),
    ("axum", "src/desk/", "the one way into the station by HTTP"),
    ("askama", "src/desk/", "pages escape what strangers wrote"),
    ("tokio_rustls", "src/desk/tls.rs", "the pages' own TLS"),
    ("hyper", "src/desk/", "the one way into the station by HTTP"),
    ("hyper", "src/cli/loopback.rs", "the demonstration's relay"),
    ("hyper_util", "src/desk/", "the one way into the station by HTTP"),
    ("hyper_util", "src/cli/loopback.rs", "the demonstration's relay"),
    ("rusqlite", "src/ledger.rs", "the ledger owns its database"),
    ("rusqlite", "src/ledger/", "the ledger owns its database"),
    ("csv", "src/ledger/layout.rs", "files of strangers are read within bounds"),
    ("csv", "src/ledger/layout/", "files of strangers are read within bounds"),
    ("tokio_serial", "src/scanner/", "serial ports belong to the drivers"),
    ("linuxvideo", "src/scanner/camera/", "a camera's device belongs to its driver"),
    ("toml", "src/config.rs", "the configuration"),
    ("toml", "src/config/", "the configuration"),
    ("toml", "src/desk/words.rs", "the words of the pages are TOML, too"),
    ("toml", "src/ledger/layout/written.rs", "layouts are TOML, too"),
    ("toml", "src/scanner/profile.rs", "profiles are TOML, too"),
    ("toml", "src/scanner/profile/", "profiles are TOML, too"),
];

/// Those of the relay.
const RELAY_DOORS: [Door; 22] = [
    ("rusqlite", "relay/src/store", "one seam for two databases"),
    ("postgres", "relay/src/store", "one seam for two databases"),
    ("tokio_postgres_rustls", "relay/src/store/postgres.rs", "one seam for two databases"),
    ("tokio_rustls", "relay/src/store/postgres.rs", "the connection to the database"),
    ("tokio_rustls", "relay/src/serve", "the relay's own TLS"),
    ("hyper", "relay/src/serve.rs", "connections are bounded in one place"),
    ("hyper_util", "relay/src/serve.rs", "connections are bounded in one place"),
    ("lettre", "relay/src/channel/email.rs", "the one way to the mail server"),
    ("reqwest", "relay/src/channel", "the one way to the provider"),
    ("reqwest", "relay/src/stand_in", "the stand-in calls back"),
    ("mail_parser", "relay/src/stand_in/post_box.rs", "the demonstration shows mail"),
    ("minijinja", "relay/src/template.rs", "what voters are told is filled in one place"),
    ("csv", "relay/src/intake/files.rs", "files of strangers are read within bounds"),
    ("toml", "relay/src/config", "the configuration"),
    ("toml", "relay/src/template.rs", "the words of notices are TOML, too"),
    ("toml", "relay/src/web/words.rs", "the words of the pages are TOML, too"),
    ("argon2", "relay/src/office/people.rs", "passwords are proven in one place"),
    ("askama", "relay/src/web", "pages escape what strangers wrote"),
    ("askama", "relay/src/pages", "pages escape what strangers wrote"),
    ("askama", "relay/src/office", "pages escape what strangers wrote"),
    ("askama", "relay/src/stand_in", "pages escape what strangers wrote"),
    ("clap", "relay/src/cli", "what people type"),
];

/// Longest file, in lines.
const LINES_MAX: usize = 800;

const SLEEP: &str = r"\bsleep(_until|_ms)?\b";

/// What a test must not have, and why.
const DISHONEST: [(&str, &str); 5] = [
    (SLEEP, "a test waits on a level with a deadline, not on time"),
    (r"#\[ignore\b", "a test that does not run proves nothing"),
    (r"#\[should_panic\b", "look at the error instead"),
    (r"[;{}]\s*(assert_)?matches!\s*\([^;]*\)\s*;", "a bare `matches!` asserts nothing"),
    (r"\.expect_err\s*\(", "take the error with `unwrap_err` and look at it"),
];

/// A module imports from lower layers only.
pub(crate) fn direction(source: &Source) -> Vec<String> {
    let Some((module, layers)) = module_of(&source.path) else { return Vec::new() };
    let layer_of = |module: &str| layers.iter().position(|layer| layer.contains(&module));
    let Some(from) = layer_of(&module) else {
        return vec![
            source.complaint(0, &format!("`{module}` stands in no layer of `tests/tidy`")),
        ];
    };
    let mut wrong = Vec::new();
    for (offset, target) in crate_paths(&source.outside_tests) {
        let may = target == module
            || layer_of(&target).is_some_and(|to| to < from || (to == 0 && from == 0));
        if !may {
            wrong.push(source.complaint(offset, &format!("`{module}` must not import `{target}`")));
        }
    }
    for offset in paths_above_the_module(source) {
        wrong.push(source.complaint(offset, "`super` leaves the module; write `crate`"));
    }
    wrong
}

/// A foreign library is used at its doors only.
pub(crate) fn doors(source: &Source) -> Vec<String> {
    let doors: &[Door] = match package_of(&source.path) {
        Some(("src/", _)) => &DOORS,
        Some(_) => &RELAY_DOORS,
        None => return Vec::new(),
    };
    let mut libraries: Vec<_> = doors.iter().map(|(library, ..)| *library).collect();
    libraries.sort_unstable();
    libraries.dedup();
    let mut wrong = Vec::new();
    for library in libraries {
        let is_door =
            doors.iter().any(|(l, path, _)| *l == library && source.path.starts_with(path));
        let has_module =
            find(&source.outside_tests, &format!(r"\bmod {library}\b")).next().is_some();
        if is_door || has_module {
            continue;
        }
        let used = format!(r"(?:^|[^\w:]|[^\w>]::){library}::|\buse (?:::)?{library}\b");
        for offset in find(&source.outside_tests, &used) {
            wrong.push(source.complaint(offset, &format!("`{library}` has its door elsewhere")));
        }
    }
    wrong
}

/// A file opens with a sentence of what it is for.
pub(crate) fn opening(source: &Source) -> Vec<String> {
    let first = source.text.lines().next().unwrap_or_default();
    let sentence = first.strip_prefix("//! ").unwrap_or_default().trim();
    if !source.is_rust() || sentence.contains(' ') {
        return Vec::new();
    }
    vec![source.complaint(0, "the first line is no `//!` that says what the file is for")]
}

/// Source is ASCII: what looks alike is alike.
pub(crate) fn ascii(source: &Source) -> Vec<String> {
    let foreign = source.text.chars().position(|c| !c.is_ascii());
    foreign
        .filter(|_| source.is_rust())
        .map(|offset| source.complaint(offset, "not ASCII; write an escape"))
        .into_iter()
        .collect()
}

/// A file has a bounded length.
pub(crate) fn length(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if !source.is_rust() || lines <= LINES_MAX {
        return Vec::new();
    }
    vec![format!("{}:{lines}: more than {LINES_MAX} lines", source.path)]
}

/// What is to do stands in the tracker.
pub(crate) fn marks(source: &Source) -> Vec<String> {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")].join("|");
    find(&source.text, &format!(r"\b(?:{marks})\b"))
        .map(|offset| source.complaint(offset, "what is to do stands in the tracker"))
        .collect()
}

/// A test can fail, runs always, and does not wait on time, unless time stands still and is only counted.
pub(crate) fn honest_tests(source: &Source) -> Vec<String> {
    let mut wrong = Vec::new();
    let time_is_counted = source.tests.contains("start_paused = true");
    for (pattern, why) in DISHONEST {
        if time_is_counted && pattern == SLEEP {
            continue;
        }
        for offset in find(&source.tests, pattern) {
            wrong.push(source.complaint(offset, why));
        }
    }
    wrong
}

/// The package whose code the file is.
fn package_of(path: &str) -> Option<(&'static str, &'static [&'static [&'static str]])> {
    PACKAGES.iter().copied().find(|(root, _)| path.starts_with(root))
}

/// The top module a file of a package belongs to, and the package's layers; none for the root itself.
fn module_of(path: &str) -> Option<(String, &'static [&'static [&'static str]])> {
    let (root, layers) = package_of(path)?;
    let inside = path.strip_prefix(root)?.strip_suffix(".rs")?;
    let module = inside.split('/').next()?;
    (module != "lib").then(|| (module.to_owned(), layers))
}

/// The top modules that the code names, each with the offset of its path.
fn crate_paths(code: &str) -> Vec<(usize, String)> {
    let chars: Vec<char> = code.chars().collect();
    let mut paths = Vec::new();
    for offset in find(code, r"\b(?:crate|ballot_intake|ballot_relay)\s*::") {
        let colons = chars[offset..].iter().position(|c| *c == ':').map_or(0, |n| offset + n + 2);
        let names = first_names(&chars[colons..]);
        paths.extend(names.into_iter().map(|name| (offset, name)));
    }
    paths
}

/// The first names of a path or of a `{}` group of paths.
fn first_names(chars: &[char]) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let (mut depth, mut is_first) = (0_usize, true);
    for &c in chars {
        let is_word = c.is_alphanumeric() || c == '_' || c == '*';
        match c {
            _ if is_word && is_first => name.push(c),
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if c.is_whitespace() && name.is_empty() => continue,
            _ => {}
        }
        if !is_word && !name.is_empty() {
            names.push(std::mem::take(&mut name));
            is_first = false;
        }
        if c == ',' && depth == 1 {
            is_first = true;
        }
        if depth == 0 && !names.is_empty() {
            break;
        }
    }
    names.extend((!name.is_empty()).then_some(name));
    names
}

/// Where a chain of `super` reaches the root of the crate, so that any module could follow.
fn paths_above_the_module(source: &Source) -> Vec<usize> {
    let root = package_of(&source.path).map_or("", |(root, _)| root);
    let depth = source.path.strip_prefix(root).unwrap_or(&source.path).matches('/').count() + 1;
    find(&source.outside_tests, &format!(r"\b(?:super\s*::\s*){{{depth},}}")).collect()
}

/// The offsets, in characters, at which the pattern is found.
fn find(text: &str, pattern: &str) -> impl Iterator<Item = usize> {
    let pattern = Regex::new(pattern).unwrap();
    let starts: Vec<_> = pattern.find_iter(text).map(|found| found.start()).collect();
    let (mut bytes, mut characters) = (0, 0);
    starts.into_iter().map(move |start| {
        characters += text.get(bytes..start).map_or(0, |between| between.chars().count());
        bytes = start;
        characters
    })
}

/// How many complaints the rule has about a file of that text.
#[track_caller]
fn check(rule: Rule, path: &str, text: &str, expected: usize) {
    let wrong = rule(&Source::new(path, text));
    assert_eq!(wrong.len(), expected, "{path}: {text}\n{wrong:#?}");
}

#[test]
fn an_import_upward_or_sideways_is_found() {
    for (path, text, expected) in [
        ("src/scan.rs", "use crate::clock::Micros;", 0),
        ("src/scan.rs", "use crate::ledger::Row;", 1),
        ("src/ledger.rs", "use crate::{clock::Micros, scan};", 0),
        ("src/ledger/append.rs", "use crate::ledger::schema;", 0),
        ("src/ledger/append.rs", "use crate::{clock::{Clock, Micros}, forward::relay, desk};", 2),
        ("src/ledger/append.rs", "fn f() { crate::forward::send() }", 1),
        ("src/ledger/append.rs", "use crate::*;", 1),
        ("src/ledger/append.rs", "// use crate::forward;\nconst A: &str = \"crate::desk::x\";", 0),
        ("src/ledger.rs", "#[cfg(test)]\nmod tests { use crate::forward::x; }", 0),
        ("src/config.rs", "use crate::envelope::Format;", 0),
        ("src/config.rs", "use crate::control::Command;", 1),
        ("src/pipeline.rs", "use crate::{config, control, ledger, scan};", 0),
        ("src/pipeline.rs", "use crate::daemon;", 1),
        ("src/cli/run.rs", "use crate::{daemon, config};", 0),
        ("src/main.rs", "ballot_intake::cli::run();", 0),
        ("src/ledger.rs", "use super::forward;", 1),
        ("src/ledger/append.rs", "use super::chain;", 0),
        ("src/ledger/append.rs", "use super::super::forward;", 1),
        ("src/novel.rs", "", 1),
        ("src/lib.rs", "pub mod ledger;", 0),
        ("relay/src/voter.rs", "use crate::store::Tx;", 0),
        ("relay/src/store.rs", "use crate::{clock, voter};", 1),
        ("relay/src/work/claim.rs", "use super::bucket; use crate::callback;", 1),
        ("relay/src/novel.rs", "", 1),
        ("tests/x.rs", "use ballot_intake::ledger;", 0),
    ] {
        check(direction, path, text, expected);
    }
}

#[test]
fn a_foreign_library_beside_its_door_is_found() {
    for (path, text, expected) in [
        ("src/ledger.rs", "use rusqlite::Connection;", 0),
        ("src/ledger/append.rs", "fn f(c: &rusqlite::Connection) {}", 0),
        ("src/ledger_copy.rs", "use rusqlite::Connection;", 1),
        ("src/desk.rs", "fn f(c: &rusqlite::Connection) {}", 1),
        ("src/desk.rs", "use ::rusqlite as sql;", 1),
        ("src/forward/relay.rs", "use reqwest::Client;", 0),
        ("src/forward.rs", "use reqwest::Client;", 1),
        ("src/decode.rs", "mod image;\npub use image::Frame;", 0),
        ("src/decode/imb_reader.rs", "use super::image::Frame;", 0),
        ("src/decode/imb_reader.rs", "use image::GrayImage;", 1),
        ("src/scanner/profile.rs", "toml::from_str(text)", 0),
        ("src/scanner/serial.rs", "use tokio_serial::SerialStream; use toml::Table;", 1),
        ("src/desk.rs", "#[cfg(test)]\nmod tests { use rusqlite::Connection; }", 0),
        ("relay/src/store/sqlite.rs", "use rusqlite::Connection;", 0),
        ("relay/src/voter.rs", "use rusqlite::Connection;", 1),
    ] {
        check(doors, path, text, expected);
    }
}

#[test]
fn a_dishonest_test_is_found() {
    for (text, expected) in [
        ("fn t() { assert!(matches!(x, A)); }", 0),
        ("fn t() { matches!(x, A); }", 1),
        ("fn t() { let y = 1;\n matches!(x,\n A | B(_)\n); }", 1),
        ("fn t() -> bool { matches!(x, A) }", 0),
        ("fn t() { let is = matches!(x, A); assert!(is); }", 0),
        ("fn t() { std::thread::sleep(d); }", 1),
        ("async fn t() { tokio::time::sleep(d).await; }", 1),
        ("fn t() { let asleep = 1; }", 0),
        ("#[ignore = \"slow\"]\nfn t() {}", 1),
        ("#[should_panic(expected = \"x\")]\nfn t() {}", 1),
        ("fn t() { r.expect_err(\"x\"); }", 1),
        ("fn t() { assert_eq!(r.unwrap_err(), E); }", 0),
        ("// sleep\nfn t() { f(\"#[ignore]\"); }", 0),
    ] {
        check(honest_tests, "tests/x.rs", text, expected);
        let inline = format!("#[cfg(test)]\nmod tests {{\n{text}\n}}\n");
        check(honest_tests, "src/x.rs", &inline, expected);
        check(honest_tests, "src/x.rs", text, 0);
    }
}

#[test]
fn a_file_without_its_sentence_is_found() {
    for (path, text, expected) in [
        ("src/x.rs", "//! What it is for.\n", 0),
        ("src/x.rs", "use a;\n//! What it is for.\n", 1),
        ("src/x.rs", "//!\n//! What it is for.\n", 1),
        ("src/x.rs", "", 1),
        ("deploy/x.toml", "", 0),
    ] {
        check(opening, path, text, expected);
    }
}

#[test]
fn what_is_not_ascii_too_long_or_unfinished_is_found() {
    check(ascii, "src/x.rs", "// caf\u{e9}\n", 1);
    check(ascii, "src/x.rs", "// cafe\n", 0);
    check(length, "src/x.rs", &"\n".repeat(LINES_MAX), 0);
    check(length, "src/x.rs", &"\n".repeat(LINES_MAX + 1), 1);
    check(marks, "deploy/x", concat!("# TO", "DO: more\n"), 1);
    check(marks, "src/x.rs", concat!("// TO", "DOWN\n"), 0);
}

#[test]
fn a_complaint_names_the_line() {
    let source = Source::new("src/scan.rs", "//! What it is for.\n\nuse crate::ledger::Row;\n");
    assert_eq!(direction(&source), ["src/scan.rs:3: `scan` must not import `ledger`"]);
}
