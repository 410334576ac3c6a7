//! People at the command line: operators, signing in with and without the daemon, and what takes two of them.
#![cfg(test)]

mod support;

use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Output, Stdio};
use support::pty::Pty;
use support::relay::{Behavior, Relay, SECRET};
use support::station::{Station, files};
use support::{GOOD, eventually, payload};

/// What nobody ever may read anywhere.
const PASSWORDS: [&str; 4] = ["root-password", "sue-password", "sam-password", "wrong-password"];

fn spawn(station: &Station, arguments: &[&str], input: Stdio) -> Child {
    Command::new(env!("CARGO_BIN_EXE_ballot-intake"))
        .args(arguments)
        .arg("--config")
        .arg(station.config())
        .env_remove("RUST_LOG")
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a command with these lines on its standard input.
fn run(station: &Station, arguments: &[&str], lines: &[&str]) -> Output {
    let mut child = spawn(station, arguments, Stdio::piped());
    let text = [lines, &[""]].concat().join("\n");
    // A command that needs no line may end before it is written.
    drop(child.stdin.take().unwrap().write_all(text.as_bytes()));
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned()
}

/// It says no, and says this.
#[track_caller]
fn refused(output: &Output, why: &str) {
    assert_eq!(output.status.code(), Some(1), "{}", said(output));
    assert!(said(output).contains(why), "{}", said(output));
    assert!(output.stdout.is_empty(), "{}", said(output));
}

#[track_caller]
fn done(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
    said(output)
}

fn password_of(name: &str) -> String {
    format!("{name}-password")
}

/// Has the administrator `root` add an operator.
fn add(station: &Station, name: &str, role: &str) -> Output {
    let arguments = ["operators", "add", name, "--role", role, "--operator", "root"];
    run(station, &arguments, &["root-password", &password_of(name)])
}

/// An administrator and the supervisors `sue` and `sam`; ballots 0 to 9, of which 1 is accepted.
fn staffed(more: &str) -> Station {
    let station = Station::with_scanners(&["left"], more);
    station.import(10);
    station.json(&["ballot", "set", "000000001", "accepted", "--reason", "by hand"]);
    let root = ["operators", "add", "root", "--role", "administrator"];
    done(&run(&station, &root, &["root-password"]));
    for name in ["sue", "sam"] {
        done(&add(&station, name, "supervisor"));
    }
    station
}

fn set_to_received<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let set = ["ballot", "set", "000000001", "received", "--reason", "accepted by mistake"];
    [&set, more].concat()
}

fn proposal_of(output: &Output) -> String {
    let answer: Value = serde_json::from_str(&done(output)).unwrap();
    answer["proposal"].to_string()
}

/// No password stands in any file, but what tests wrote themselves.
#[track_caller]
fn nothing_secret(station: &Station) {
    let mut paths = files(&station.state());
    paths.push(station.path("daemon.log"));
    for path in paths {
        let bytes = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for password in PASSWORDS {
            assert!(!text.contains(password), "{}", path.display());
        }
    }
}

#[test]
fn operators_are_added_listed_and_disabled() {
    let station = Station::new("");
    let arguments = ["operators", "add", "sue", "--role", "supervisor"];
    refused(&run(&station, &arguments, &["sue-password"]), "the first operator");
    let root = ["operators", "add", "root", "--role", "administrator"];
    refused(&run(&station, &root, &["1234567"]), "at least 8 characters");
    assert_eq!(run(&station, &root, &[]).status.code(), Some(64));
    done(&run(&station, &root, &["root-password"]));
    refused(&run(&station, &arguments, &["sue-password"]), "--operator NAME");
    for name in ["O'Brien \"Bob\"; DROP TABLE operator", "sue"] {
        done(&add(&station, name, "supervisor"));
    }
    for name in ["", "a\nb", "\u{1b}[2J", "sue ", &"x".repeat(65)] {
        let arguments = ["operators", "add", name, "--role", "clerk", "--operator", "root"];
        let added = run(&station, &arguments, &["root-password", "some-password"]);
        refused(&added, "an operator's name is");
    }
    refused(&add(&station, "sue", "clerk"), "no name is used twice");
    assert_eq!(add(&station, "kim", "queen").status.code(), Some(64));
    let disable = |name: &str, by: &str| {
        let arguments = ["operators", "disable", name, "--operator", by];
        run(&station, &arguments, &[&password_of(by)])
    };
    refused(&disable("root", "root"), "last administrator");
    refused(&disable("root", "sue"), "this takes administrator");
    done(&disable("sue", "root"));
    refused(&disable("root", "sue"), "is not an operator's");
    refused(&add(&station, "sue", "clerk"), "no name is used twice");
    let listed = station.json(&["operators", "list"]);
    let of = |key: &str| listed.iter().map(|entry| entry[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("operator"), ["root", "O'Brien \"Bob\"; DROP TABLE operator", "sue"]);
    assert_eq!(of("disabled_by"), [Value::Null, Value::Null, "root".into()]);
    assert!(said(&station.run(&["operators", "list"])).contains("sue: supervisor, by password"));
    nothing_secret(&station);
    station.verify();
}

/// What two people do, with the daemon and without it, across a restart.
#[test]
fn a_proposal_outlives_the_daemon_and_is_confirmed_by_another() {
    let station = staffed("");
    let daemon = station.start();
    refused(&run(&station, &set_to_received(&[]), &[]), "--operator NAME");
    let by_sue = set_to_received(&["--operator", "sue", "--json"]);
    refused(&run(&station, &by_sue, &["wrong-password"]), "is not an operator's");
    let proposal = proposal_of(&run(&station, &by_sue, &["sue-password"]));
    daemon.kill9();
    let told = said(&station.run(&["ballot", "show", "000000001"]));
    assert!(told.contains("accepted (by hand)\n"), "{told}");
    let open = format!("proposal {proposal}, 20");
    assert!(told.contains(&open) && told.contains("sue proposed that ballot 000000001"), "{told}");
    let confirm = |name: &str, word: &str| {
        let arguments = ["proposals", word, &proposal, "--operator", name];
        run(&station, &arguments, &[&password_of(name)])
    };
    refused(&confirm("sue", "confirm"), "another operator must confirm it");
    refused(&run(&station, &["proposals", "confirm", &proposal], &[]), "--operator NAME");
    let daemon = station.start();
    assert_eq!(station.json(&["proposals", "list"])[0]["by"], "sue");
    let moved = done(&confirm("sam", "confirm"));
    assert!(moved.contains("accepted to received"), "{moved}");
    refused(&confirm("sam", "confirm"), "was decided already");
    refused(&confirm("sam", "decline"), "was decided already");
    daemon.stop();
    assert_eq!(station.json(&["proposals", "list"]), [Value::Null; 0]);
    let told = said(&station.run(&["ballot", "show", "000000001"]));
    assert!(told.contains("confirmed by sam, set it from accepted to received"), "{told}");
    assert!(told.contains("(accepted by mistake)."), "{told}");
    nothing_secret(&station);
    station.verify();
    done(&station.run(&["ledger", "rebuild"]));
    station.verify();
}

#[test]
fn two_sign_in_at_once_and_a_ballot_that_moved_between_stays() {
    let station = staffed("");
    let by_sue = set_to_received(&["--operator", "sue", "--json"]);
    let first = proposal_of(&run(&station, &by_sue, &["sue-password"]));
    let both = set_to_received(&["--operator", "sue", "--confirmed-by", "sam"]);
    refused(&run(&station, &both, &["sue-password", "wrong-password"]), "is not an operator's");
    done(&run(&station, &both, &["sue-password", "sam-password"]));
    let arguments = ["proposals", "confirm", &first, "--operator", "sam"];
    refused(&run(&station, &arguments, &["sam-password"]), "was moved after proposal");
    let void = "nobody can confirm it any more: ballot 000000001 was moved after proposal";
    for shown in [&["proposals", "list"][..], &["ballot", "show", "000000001"]] {
        let told = said(&station.run(shown));
        assert!(told.contains(void), "{told}");
    }
    let story = station.json(&["ballot", "show", "000000001"]).remove(0);
    assert_eq!(story["proposals"][0], station.json(&["proposals", "list"])[0]);
    assert!(story["proposals"][0]["void_because"].is_string(), "{story}");
    let arguments = ["proposals", "decline", &first, "--operator", "sue"];
    done(&run(&station, &arguments, &["sue-password"]));
    let told = said(&station.run(&["ballot", "show", "000000001"]));
    let declined = format!("declined proposal {first} of sue: from accepted to received (");
    assert!(told.contains(&declined) && !told.contains("nobody can"), "{told}");
    let alone = run(&station, &set_to_received(&["--confirmed-by", "sam"]), &["sam-password"]);
    assert_eq!(alone.status.code(), Some(64), "{}", said(&alone));
    let same = ["ballot", "set", "000000001", "rejected", "--reason", "late"];
    let same = [&same[..], &["--operator", "sue", "--confirmed-by", "sue"]].concat();
    refused(&run(&station, &same, &["sue-password", "sue-password"]), "another operator");
    station.verify();
}

#[test]
fn a_batch_is_reversed_by_two_operators() {
    let station = staffed("");
    let scanner = station.plug("left");
    let daemon = station.start();
    assert_eq!(scanner.ask(payload(2).as_bytes()), GOOD);
    let reverse = ["batch", "reverse", "intake-1-9", "--reason", "wrong mode"];
    let by_sue = [&reverse[..], &["--operator", "sue"]].concat();
    refused(&run(&station, &reverse, &[]), "there is no batch");
    refused(&run(&station, &by_sue, &["sue-password"]), "there is no batch");
    let other = run(&station, &["batch", "reverse", "x-1", "--reason", "wrong mode"], &[]);
    assert_eq!(other.status.code(), Some(64));
    let by_sue = |arguments: &[&str]| {
        run(&station, &[arguments, &["--operator", "sue"]].concat(), &["sue-password"])
    };
    done(&by_sue(&["batch", "close", "1", "--counted", "1"]));
    done(&by_sue(&["batch", "reverse", "1", "--reason", "wrong mode"]));
    let twice = by_sue(&["batch", "reverse", "1", "--reason", "wrong day"]);
    let first = station.json(&["proposals", "list"])[0]["proposal"].to_string();
    let same = String::from_utf8_lossy(&twice.stderr);
    assert!(same.contains(&format!("the same waits as proposal {first} of sue")), "{same}");
    let told = said(&station.run(&["proposals", "list"]));
    assert!(told.contains("sue proposed that batch intake-1-1 be reversed (wrong mode)"), "{told}");
    let told = said(&station.run(&["batch", "show", "1"]));
    assert!(told.contains("closed by    sue (signed in by user "), "{told}");
    daemon.stop();
}

#[test]
fn five_wrong_passwords_lock_a_name_while_the_daemon_runs() {
    let station = staffed("");
    let daemon = station.start();
    let undo =
        |name: &str, password: &str| run(&station, &["undo", "--operator", name], &[password]);
    for _ in 0..5 {
        refused(&undo("sue", "wrong-password"), "is not an operator's");
    }
    refused(&undo("sue", "sue-password"), "too many failures");
    refused(&undo("sam", "sam-password"), "no scan to take back");
    refused(&undo("wrong-password", "sam-password"), "is not an operator's");
    assert_eq!(station.logged("SignInRefused"), 7, "{}", station.log());
    daemon.stop();
    nothing_secret(&station);
    refused(&undo("sue", "sue-password"), "no scan to take back");
}

#[test]
fn a_badge_is_printed_once_and_signs_its_holder_in() {
    let station = staffed("");
    let arguments = ["operators", "add", "bea", "--role", "clerk", "--badge"];
    let arguments = [&arguments[..], &["--operator", "root", "--json"]].concat();
    let added: Value =
        serde_json::from_str(&done(&run(&station, &arguments, &["root-password"]))).unwrap();
    let badge = added["badge"].as_str().unwrap().to_owned();
    let scanner = station.plug("left");
    let daemon = station.start();
    assert_eq!(scanner.ask(payload(2).as_bytes()), GOOD);
    let undo = ["undo", "--operator", "bea"];
    refused(&run(&station, &undo, &["BIB-00000000000000000000000000"]), "is not an operator's");
    let told = done(&run(&station, &undo, &[&badge]));
    assert!(told.starts_with("took the last scan back: ballot 000000002"), "{told}");
    daemon.stop();
    let story = station.json(&["ballot", "show", "000000002"]).remove(0);
    assert_eq!(story["history"][2]["by"], "bea");
    for path in files(&station.state()) {
        let bytes = fs::read(&path).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(&badge), "{}", path.display());
    }
    assert!(!station.log().contains(&badge));
}

#[test]
fn an_auditor_changes_nothing_and_who_was_disabled_does_not_either() {
    let station = staffed("");
    done(&add(&station, "ada", "auditor"));
    let commands: [&[&str]; 5] = [
        &["undo"],
        &["outbox", "retry"],
        &["ballot", "set", "000000002", "voided", "--reason", "voted_in_person"],
        &["operators", "disable", "sue"],
        &["outbox", "drop", "1", "--reason", "none"],
    ];
    for command in commands {
        let arguments = [command, &["--operator", "ada"]].concat();
        refused(&run(&station, &arguments, &["ada-password"]), "an auditor");
    }
    // Each is an event of its own, with who and what.
    let refusals: Vec<_> = station
        .look()
        .events_after(0)
        .into_iter()
        .filter(|event| event.text("kind") == "refused")
        .map(|event| (event.text("what").to_owned(), event.text("by").to_owned()))
        .collect();
    let whats = ["undo", "outbox_retry", "ballot_set", "operator_disable", "outbox_drop"];
    assert_eq!(refusals, whats.map(|what| (what.to_owned(), "ada".to_owned())));
    refused(&run(&station, &["undo", "--operator", "ada"], &["wrong-password"]), "is not");
    let last = station.look().events_after(0).pop().unwrap();
    assert_eq!((last.text("kind"), last.text("what")), ("refused", "sign_in"));
    done(&run(
        &station,
        &["operators", "disable", "sue", "--operator", "root"],
        &["root-password"],
    ));
    let by_sue = set_to_received(&["--operator", "sue"]);
    refused(&run(&station, &by_sue, &["sue-password"]), "is not an operator's");
}

#[test]
fn a_reason_is_kept_by_its_name_in_the_taxonomy() {
    let station = staffed("[reasons]\nSIG = 'signature_differs'\n'V 1' = 'voted_in_person'\n");
    for (n, status, reason, kept) in [
        (2, "needs_attention", "SIG", "signature_differs"),
        (3, "needs_attention", "signature_missing", "signature_missing"),
        (4, "voided", "V 1", "voted_in_person"),
        (5, "rejected", "found in a river", "found in a river"),
    ] {
        let ballot = format!("{n:09}");
        let set =
            ["ballot", "set", &ballot, status, "--reason", reason, "--operator", "sue", "--json"];
        done(&run(&station, &set, &["sue-password"]));
        assert_eq!(station.json(&["ballot", "show", &ballot])[0]["reason"], kept);
    }
    for reason in ["", " ", "a\u{1b}[2Jb"] {
        let set = ["ballot", "set", "000000006", "voided", "--reason", reason];
        refused(&run(&station, &set, &[]), "a reason is");
    }
}

#[test]
fn the_group_of_the_service_can_give_commands_and_read_nothing() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let station = staffed("");
    let daemon = station.start();
    let mode =
        |name: &str| fs::metadata(station.state().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode("ledger.sock"), mode("ledger.sqlite.lock")], [0o660, 0o640]);
    assert_eq!([mode("ledger.sqlite"), mode("signing.key")], [0o600, 0o600]);
    daemon.stop();
}

/// The relay's number of what is sent has no gap, and nobody needs to restart anything.
#[test]
fn what_waited_behind_a_dropped_change_is_sent() {
    let relay = Relay::start(Behavior::Refuse(422));
    let station = staffed("");
    let secret = station.path("secret");
    fs::write(&secret, SECRET).unwrap();
    let (url, secret) = (relay.url(), secret.display().to_string());
    station.add(&format!("[relay]\nurl = '{url}'\nsecret_file = '{secret}'\nhold_back = '0s'"));
    let daemon = station.start();
    let listed = |state: &str| {
        let list = station.json(&["outbox", "list"]);
        list.into_iter().find(|entry| entry["state"] == state).map(|entry| entry["seq"].to_string())
    };
    eventually("the refusal", || listed("set_aside").is_some());
    let change = listed("set_aside").unwrap();
    relay.behave(Behavior::Ok);
    done(&run(
        &station,
        &set_to_received(&["--operator", "sue", "--confirmed-by", "sam"]),
        &["sue-password", "sam-password"],
    ));
    let drop_it = ["outbox", "drop", &change, "--reason", "the relay does not know this voter"];
    refused(&run(&station, &drop_it, &[]), "--operator NAME");
    refused(&run(&station, &["outbox", "drop", "1", "--reason", "x"], &[]), "--operator NAME");
    let by_sue = [&drop_it[..], &["--operator", "sue"]].concat();
    let told = done(&run(&station, &by_sue, &["sue-password"]));
    assert!(told.contains("ballot 000000001"), "{told}");
    refused(&run(&station, &by_sue, &["sue-password"]), "only what is set aside can be dropped");
    let attempts = relay.until("the next change", |all| all.iter().any(|one| one.accepted));
    let body: Value = serde_json::from_str(&attempts.last().unwrap().body).unwrap();
    assert_eq!(
        (&body["data"]["status"], &body["data"]["sequence"]),
        (&"received".into(), &1.into())
    );
    assert_eq!(body["data"]["corrects"], Value::Null);
    daemon.stop();
    let told = said(&station.run(&["ballot", "show", "000000001"]));
    assert!(told.contains("refused to hear it, and is never told"), "{told}");
    station.verify();
}

/// A terminal shows the prompt and no password.
#[test]
fn a_terminal_does_not_show_what_is_typed() {
    let station = staffed("");
    let link = station.path("terminal");
    let master = Pty::open(&link);
    let terminal = fs::OpenOptions::new().read(true).write(true).open(&link).unwrap();
    let mut child = spawn(&station, &["undo", "--operator", "sue"], Stdio::from(terminal));
    let mut prompt = [0; 26];
    child.stderr.as_mut().unwrap().read_exact(&mut prompt).unwrap();
    assert_eq!(&prompt, b"Password or badge of sue: ");
    master.write(b"sue-password\n");
    let output = child.wait_with_output().unwrap();
    refused(&output, "no scan to take back");
    let shown = master.read_some(4_096).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&shown).contains("password"), "{shown:?}");
}
