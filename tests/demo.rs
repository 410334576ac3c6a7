//! `demo` and `replay`, as people run them: the real program, in a temporary folder that must be empty afterwards.
#![cfg(test)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

const OFFICE: [&str; 4] =
    ["--config", "fixtures/sessions/office.toml", "--ballots", "fixtures/sessions/office.csv"];

fn ballot_intake(temp: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ballot-intake"));
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("TMPDIR", temp)
        .env_remove("RUST_LOG")
        .process_group(0);
    command
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}\n{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// Every process of the group that the program began.
fn processes(group: u32) -> Vec<String> {
    let stats = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok());
    stats
        .filter(|stat| {
            let fields = stat.rsplit(')').next().unwrap_or_default();
            fields.split_whitespace().nth(2) == Some(&group.to_string())
        })
        .collect()
}

#[track_caller]
fn check_nothing_is_left(temp: &Path, group: u32) {
    let left: Vec<PathBuf> = fs::read_dir(temp).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(processes(group), [""; 0]);
}

/// A program whose lines are read as they come.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
    seen: String,
}

impl Running {
    fn start(temp: &Path, arguments: &[&str]) -> Self {
        let mut child = ballot_intake(temp, arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines, seen: String::new() }
    }

    /// The next line that holds this.
    #[track_caller]
    fn line_with(&mut self, what: &str) -> String {
        loop {
            let mut line = String::new();
            let n = self.lines.read_line(&mut line).unwrap();
            assert!(n > 0, "no line with {what} in {}", self.seen);
            self.seen.push_str(&line);
            if line.contains(what) {
                return line.trim().to_owned();
            }
        }
    }

    /// Sends a signal and waits for the end: the exit code, and all that was printed.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        self.lines.read_to_string(&mut self.seen).unwrap();
        (self.child.wait().unwrap().code(), self.seen)
    }
}

fn number_before(text: &str, what: &str) -> u64 {
    let before = text.split(what).next().unwrap();
    before.rsplit([' ', ',']).next().unwrap().parse().unwrap()
}

#[test]
fn the_demonstration_settles_everything_and_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let child = ballot_intake(temp.path(), &["demo", "--once"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let group = child.id();
    let output = child.wait_with_output().unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    let last: Vec<&str> = text.trim().lines().rev().take(7).collect();
    let [further, numbers, _checkpoint, _key, verified, _backup, batch] = last[..] else {
        panic!("{text}")
    };
    assert!(batch.starts_with("batch "), "{text}");
    assert!(verified.contains("events hold"), "{text}");
    assert!(numbers.ends_with("changes taken by the relay, signatures all good"), "{text}");
    assert!(number_before(numbers, " scans, ") >= 200, "{text}");
    assert!(number_before(numbers, " pictures, ") >= 5, "{text}");
    assert!(number_before(numbers, " changes ") >= 190, "{text}");
    assert!(further.contains("without --once"), "{text}");
    assert!(output.stderr.is_empty(), "{text}");
    assert!(!text.contains('\u{1b}'), "steers a terminal that is none: {text}");
    check_nothing_is_left(temp.path(), group);
}

#[test]
fn an_interrupted_demonstration_leaves_nothing() {
    for signal in ["-INT", "-HUP"] {
        let temp = tempfile::tempdir().unwrap();
        let mut running = Running::start(temp.path(), &["demo", "--once"]);
        let group = running.child.id();
        running.line_with("50 of ");
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
        let (code, text) = running.end(signal);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("lacking: stopped before everything was settled"), "{text}");
        check_nothing_is_left(temp.path(), group);
    }
}

#[test]
fn a_demonstration_that_works_on_is_asked_and_scanned_at() {
    let temp = tempfile::tempdir().unwrap();
    let mut running = Running::start(temp.path(), &["demo"]);
    let group = running.child.id();
    let scan = running.line_with("printf ");
    let report = running.line_with("ballot-intake report");
    let asked = ballot_intake(temp.path(), &report.split(' ').skip(1).collect::<Vec<_>>());
    let output = { asked }.output().unwrap();
    assert!(output.status.success() && text(&output).contains("received 198"), "{output:?}");

    let port = scan.split(' ').find(|word| word.starts_with("/dev/")).unwrap();
    let payload = scan.split('\'').nth(1).unwrap().strip_suffix("\\r").unwrap();
    let mut port = fs::OpenOptions::new().read(true).write(true).open(port).unwrap();
    port.write_all(format!("{payload}\r").as_bytes()).unwrap();
    running.line_with(&format!("received {}", payload.get(6..15).unwrap()));
    let mut answer = [0];
    port.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [0x06]);
    drop(port);

    let (code, text) = running.end("-TERM");
    assert_eq!(code, Some(0), "{text}");
    check_nothing_is_left(temp.path(), group);
}

#[test]
fn a_demonstration_with_a_ledger_of_somebody_else_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let output = ballot_intake(temp.path(), &["demo", "--once", "--ledger", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{}", text(&output));
}

#[test]
fn every_recorded_session_comes_to_what_it_came_to() {
    let mut sessions: Vec<PathBuf> = fs::read_dir("fixtures/sessions")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    sessions.sort();
    assert!(sessions.len() >= 4, "{sessions:?}");
    for session in sessions {
        let temp = tempfile::tempdir().unwrap();
        let output = ballot_intake(temp.path(), &["replay", session.to_str().unwrap()])
            .args(OFFICE)
            .output()
            .unwrap();
        let golden = fs::read_to_string(session.with_extension("txt")).unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), golden, "{}", text(&output));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_session_that_comes_otherwise_than_expected_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let recording = temp.path().join("r.jsonl");
    let lines = concat!(
        "{\"ms\": 0, \"in\": \"2026112026114172\\r\", \"expect\": \"bad\"}\n",
        "{\"ms\": 9, \"in\": \"2026112026114172\\r\", \"expect\": \"repeat\"}\n",
        "{\"ms\": 99, \"in\": \"\\u001b[2J\\r\"}\n",
    );
    fs::write(&recording, lines).unwrap();
    let recording = recording.to_str().unwrap();
    let output =
        ballot_intake(temp.path(), &["replay", "--json", recording]).args(OFFICE).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let complaint = format!("ballot-intake: {recording}, line 1: expected bad, came received\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), complaint);
    let out = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let scan = |n, verdict, ballot: Option<&str>, reason: Option<&str>| {
        serde_json::json!({
            "recording": recording, "n": n, "verdict": verdict, "ballot": ballot, "reason": reason
        })
    };
    let [first, second, counts] = &objects[..] else { panic!("{out}") };
    assert_eq!(*first, scan(1, "received", Some("202611417"), None));
    assert_eq!(*second, scan(2, "unreadable", None, Some("matches no envelope format")));
    assert_eq!(counts["scans"]["received"], 1);
    assert_eq!(counts["scans"]["late"], 0);
    assert_eq!((&counts["repeats"], &counts["unexpected"]), (&1.into(), &1.into()));
}

#[test]
fn what_is_no_recording_is_told_with_its_place() {
    let temp = tempfile::tempdir().unwrap();
    let recording = temp.path().join("r.jsonl");
    fs::write(&recording, "{\"ms\": 0, \"in\": \"\"}\n{\"ms\": 1, \"on\": \"\"}\n").unwrap();
    let recording = recording.to_str().unwrap();
    let output = ballot_intake(temp.path(), &["replay", recording]).output().unwrap();
    assert_eq!(output.status.code(), Some(66), "{}", text(&output));
    let complaint = format!("cannot use {recording}: line 2, column ");
    assert!(text(&output).contains(&complaint), "{}", text(&output));
    let output = ballot_intake(temp.path(), &["replay", "nowhere.jsonl"]).output().unwrap();
    assert_eq!(output.status.code(), Some(66), "{}", text(&output));
}
