//! Command sheets and badges at the real daemon: what a clerk can do without a keyboard, and what no envelope can.
#![cfg(test)]

mod support;

use ballot_intake::ballot::{Mode, ReceivedBy};
use ballot_intake::cli::faces;
use ballot_intake::control::{Answer, Command as Asked, Desk};
use ballot_intake::ledger::{Renewal, SheetCodes};
use ballot_intake::scan::Symbology;
use ballot_intake::sheet::{Opening, Order, Place};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use support::daemon::Daemon;
use support::pty::Pty;
use support::station::{Station, files};
use support::{BAD, GOOD, NOTICE, eventually, payload, wrong_payload};

/// Kills of the daemon for each order; `BALLOT_INTAKE_LONG=1` makes it 100.
const KILLS: usize = 4;
const KILLS_LONG: usize = 100;

/// A station whose county would take anything for a ballot, with its scanner.
struct Counter {
    station: Station,
    scanner: Pty,
}

impl Counter {
    fn new() -> Self {
        let station = Station::with_scanners(
            &["left"],
            "[[envelope]]\nname = 'greedy'\nsymbologies = ['code128']\npattern = '^(?<ballot>.*)$'\nnames = 'ballot'\n",
        );
        station.import(20);
        let scanner = station.plug("left");
        Self { station, scanner }
    }

    fn start(&self) -> Daemon {
        self.station.start()
    }

    fn codes(&self, renewal: Renewal) -> SheetCodes {
        codes(&self.station, renewal)
    }

    #[track_caller]
    fn scans(&self, payload: &str, answer: u8) {
        assert_eq!(self.scanner.ask(payload.as_bytes()), answer, "{payload}");
    }

    #[track_caller]
    fn orders(&self, codes: &SheetCodes, order: Order, answer: u8) {
        let code = of(codes, order);
        self.scans(&code, answer);
    }

    #[track_caller]
    fn counts(&self, codes: &SheetCodes, digits: [u8; 3]) {
        for (place, digit) in Place::ALL.into_iter().zip(digits) {
            self.orders(codes, Order::Digit(place, digit), NOTICE);
        }
    }

    /// The last scan.
    fn last(&self) -> Value {
        self.station.look().scans().pop().unwrap().body
    }

    #[track_caller]
    fn refuses(&self, payload: &str, why: &str) {
        self.scans(payload, BAD);
        let last = self.last();
        assert_eq!(last["verdict"], "refused", "{payload}: {last}");
        assert!(last["reason"].as_str().unwrap().contains(why), "{payload}: {last}");
        assert!(last["mac"].is_string() && last["code"].is_null() && last["batch"] == 0, "{last}");
    }

    fn status(&self, ballot: u32) -> Value {
        let id = format!("{ballot:09}");
        self.station.json(&["ballot", "show", &id]).remove(0)["status"].clone()
    }
}

fn codes(station: &Station, renewal: Renewal) -> SheetCodes {
    let mut desk = Desk::of_daemon(&station.ledger()).unwrap();
    match desk.ask(Asked::Sheet { renewal, of: None }).unwrap() {
        Answer::Sheet(codes) => codes,
        other => panic!("{other:?}"),
    }
}

fn of(codes: &SheetCodes, order: Order) -> String {
    codes.codes.iter().find(|code| code.order == order).unwrap().payload.clone()
}

fn open(mode: Mode, received_by: ReceivedBy) -> Order {
    Order::Open(Opening { mode, received_by, attention: None })
}

const RECEIVE: fn() -> Order = || open(Mode::Receive, ReceivedBy::DropBox);

/// Runs a command with a line on its standard input; what it said, and its exit code.
fn run(station: &Station, arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let output = station.run_with(arguments, input);
    let said = [&*output.stdout, &*output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// Everything derives from the events, before and after all is derived anew.
#[track_caller]
fn proves(station: &Station) {
    station.verify();
    assert_eq!(run(station, &["ledger", "rebuild"], "").0, Some(0));
    station.verify();
}

#[test]
fn a_clerk_opens_counts_and_closes_a_batch_by_codes_alone() {
    let counter = Counter::new();
    let daemon = counter.start();
    let codes = counter.codes(Renewal::Keep);
    counter.refuses(&of(&codes, Order::Close), "no batch is open");
    counter.refuses(&of(&codes, Order::Digit(Place::Ones, 3)), "no batch is open");
    counter.orders(&codes, RECEIVE(), NOTICE);
    counter.refuses(&of(&codes, open(Mode::Lookup, ReceivedBy::Mail)), "is open; close it first");
    for ballot in 0..3 {
        counter.scans(&payload(ballot), GOOD);
    }
    counter.refuses(&of(&codes, Order::Close), "scan the hundreds");
    counter.counts(&codes, [0, 0, 4]);
    counter.refuses(&of(&codes, Order::Close), "4 envelopes were counted and 3 scanned");
    counter.orders(&codes, Order::CallSupervisor, NOTICE);
    // A count is asked for once, and an envelope in between makes it void.
    counter.refuses(&of(&codes, Order::Close), "scan the hundreds");
    counter.counts(&codes, [0, 0, 3]);
    counter.scans(&payload(3), GOOD);
    counter.refuses(&of(&codes, Order::Close), "scan the hundreds");
    counter.counts(&codes, [0, 0, 4]);
    counter.orders(&codes, Order::Close, NOTICE);
    let batch = counter.station.json(&["batch", "show", "1"]).remove(0);
    assert_eq!(batch["received_by"], "drop_box", "{batch}");
    assert_eq!(batch["closed"]["counted"], 4, "{batch}");
    assert_eq!(counter.last()["command"], "close batch: the count is right");
    let scans = counter.station.report()["scans"].clone();
    assert_eq!((&scans["received"], &scans["command"]), (&4.into(), &12.into()), "{scans}");
    assert_eq!(counter.station.logged("SupervisorCalled"), 1);
    daemon.stop();
    proves(&counter.station);
}

#[test]
fn a_mode_is_switched_and_the_last_scan_undone_by_codes() {
    let counter = Counter::new();
    let daemon = counter.start();
    let codes = counter.codes(Renewal::Keep);
    counter.scans(&payload(0), GOOD);
    counter.scans(&payload(1), GOOD);
    counter.orders(&codes, Order::Undo, NOTICE);
    // Held before the reader for long, a code is one command: the repeat has no answer of its own.
    counter.scanner.write(format!("{}\r", of(&codes, Order::Undo)).as_bytes());
    counter.scans(&payload(1), GOOD);
    counter.orders(&codes, Order::Undo, NOTICE);
    assert_eq!((counter.status(0), counter.status(1)), ("received".into(), "mailed".into()));
    let reason = Some(ballot_intake::reason::Reason::SignatureMissing);
    let mode = Mode::NeedsAttention;
    let attention = Opening { mode, received_by: ReceivedBy::Mail, attention: reason };
    counter.orders(&codes, Order::Open(attention), NOTICE);
    counter.scans(&payload(0), GOOD);
    counter.counts(&codes, [0, 0, 1]);
    counter.orders(&codes, Order::Close, NOTICE);
    let look_up = open(Mode::Lookup, ReceivedBy::Mail);
    counter.orders(&codes, look_up, NOTICE);
    // What scans do is another now, and the code is still one command.
    counter.scanner.write(format!("{}\r", of(&codes, look_up)).as_bytes());
    counter.scans(&payload(5), NOTICE);
    assert_eq!(counter.last()["verdict"], "found");
    assert_eq!((counter.status(0), counter.status(5)), ("needs_attention".into(), "mailed".into()));
    daemon.stop();
    proves(&counter.station);
}

#[test]
fn the_last_tone_is_heard_again() {
    let counter = Counter::new();
    let daemon = counter.start();
    let codes = counter.codes(Renewal::Keep);
    counter.orders(&codes, Order::RepeatTone, NOTICE);
    counter.scans(&payload(0), GOOD);
    counter.orders(&codes, Order::RepeatTone, GOOD);
    counter.scans(&wrong_payload(1), BAD);
    counter.orders(&codes, Order::CallSupervisor, NOTICE);
    counter.orders(&codes, Order::RepeatTone, BAD);
    daemon.stop();
    proves(&counter.station);
}

#[test]
fn no_near_miss_does_anything() {
    let counter = Counter::new();
    let daemon = counter.start();
    let codes = counter.codes(Renewal::Keep);
    let right = of(&codes, RECEIVE());
    let before = counter.station.look().events_after(0).len();
    let mut n = 0;
    let mut refuse = |wrong: &str| {
        counter.scans(wrong, BAD);
        n += 1;
    };
    for at in 0..right.len() {
        let (begin, rest) = right.split_at(at);
        let end = rest.split_at(1).1;
        for with in ["0", "A", ":", "~"] {
            let wrong = [begin, with, end].concat();
            if wrong != right {
                refuse(&wrong);
            }
        }
        refuse(&[begin, end].concat());
    }
    let swapped = right.replace(":O:", ":C:");
    let others = [right.to_lowercase(), format!(" {right}"), format!("{right} "), swapped];
    for wrong in &others {
        refuse(wrong);
    }
    // What an envelope could say beside it, in one symbol.
    refuse(&format!("{}{right}", payload(1)));
    refuse(&format!("{right}{}", payload(1)));
    refuse(&format!("{right}:{right}"));
    refuse(&format!("BIS1:{}", ":".repeat(500)));
    let events = counter.station.look().events_after(0);
    // That the sheets were printed may be written down after they were.
    let more = events.iter().skip(before).filter(|event| event.text("kind") != "acted");
    let more: Vec<_> = more.collect();
    let refused = ["refused", "unreadable", "not_issued"];
    for event in &more {
        let is_batch = event.text("kind") == "batch_opened" && !event.text("day").is_empty();
        let is_scan = refused.contains(&event.text("verdict")) && event.text("ballot").is_empty();
        assert!(is_batch || is_scan, "{}", event.body);
    }
    let scans = more.iter().filter(|event| event.text("kind") == "scan").count();
    assert_eq!(scans, n, "each is reported");
    assert!(counter.station.logged("SheetRefused") > n / 2);
    counter.scans(&right, NOTICE);
    assert_eq!(counter.last()["command"], "open batch: receive, drop box");
    daemon.stop();
    proves(&counter.station);
}

#[test]
fn another_station_s_sheet_and_an_older_one_are_refused() {
    let counter = Counter::new();
    let other = Station::new("");
    let elsewhere = other.start();
    let theirs = codes(&other, Renewal::Keep);
    let daemon = counter.start();
    counter.refuses(&of(&theirs, Order::Undo), "of another station");
    let first = counter.codes(Renewal::Keep);
    let second = counter.codes(Renewal::Renew);
    assert_eq!((first.generation, second.generation), (1, 2));
    counter.refuses(&of(&first, Order::CallSupervisor), "print a new one");
    counter.orders(&second, Order::CallSupervisor, NOTICE);
    // Their tag with our seal, and a generation that is still to come.
    let [ours, foreign] = [&second, &theirs].map(|codes| of(codes, Order::Undo));
    let [our_tag, tag] = [&ours, &foreign].map(|code| code.split(':').nth(1).unwrap());
    counter.refuses(&ours.replace(our_tag, tag), "of another station");
    counter.refuses(&ours.replace(":2:", ":3:"), "damaged or made up");
    daemon.stop();
    let backup = counter.station.path("backup.sqlite");
    let backup = backup.to_str().unwrap();
    assert_eq!(run(&counter.station, &["ledger", "backup", backup], "").0, Some(0));
    assert_eq!(run(&counter.station, &["ledger", "restore", backup], "").0, Some(0));
    proves(&counter.station);
    let daemon = counter.start();
    counter.refuses(&of(&first, Order::Undo), "print a new one");
    counter.orders(&second, Order::RepeatTone, BAD);
    daemon.stop();
    elsewhere.stop();
}

/// Adds an operator with a badge; its code.
fn badge(station: &Station, name: &str, role: &str, by: &str) -> String {
    let more: &[&str] = if by.is_empty() { &[] } else { &["--operator", "root"] };
    let arguments = ["operators", "add", name, "--role", role, "--badge", "--json"];
    let (code, said) = run(station, &[&arguments, more].concat(), &format!("{by}\n"));
    assert_eq!(code, Some(0), "{said}");
    let added: Value = serde_json::from_str(&said).unwrap();
    added["badge"].as_str().unwrap().to_owned()
}

#[test]
fn a_badge_signs_in_where_it_is_scanned_and_out_again_and_is_kept_nowhere() {
    let counter = Counter::new();
    let daemon = counter.start();
    let station = &counter.station;
    let root = badge(station, "root", "administrator", "");
    let [mary, ann] = [("mary", "clerk"), ("ann", "auditor")]
        .map(|(name, role)| badge(station, name, role, &root));
    let codes = counter.codes(Renewal::Keep);
    counter.scans(&mary, NOTICE);
    assert_eq!(
        (&counter.last()["by"], &counter.last()["command"]),
        (&"mary".into(), &"sign in".into())
    );
    counter.scans(&payload(0), GOOD);
    assert_eq!(counter.last()["by"], "mary");
    counter.orders(&codes, RECEIVE(), NOTICE);
    let batch = station.json(&["batch", "show", "2"]).remove(0);
    assert_eq!(batch["opened_by"], "mary", "{batch}");
    counter.refuses(&ann, "an auditor");
    let stranger = format!("BIB-{}", "7".repeat(26));
    counter.refuses(&stranger, "no operator");
    counter.refuses(&mary.to_lowercase(), "damaged badge");
    counter.scans(&mary, NOTICE);
    assert_eq!(counter.last()["command"], "sign out");
    counter.scans(&payload(1), GOOD);
    assert_eq!(counter.last()["by"], Value::Null);
    counter.refuses(&of(&codes, Order::SignOut), "nobody has signed in");
    counter.scans(&mary, NOTICE);
    counter.orders(&codes, Order::SignOut, NOTICE);
    counter.scans(&mary, NOTICE);
    let disable = ["operators", "disable", "mary", "--operator", "root"];
    assert_eq!(run(station, &disable, &format!("{root}\n")).0, Some(0));
    counter.scans(&payload(2), GOOD);
    assert_eq!(counter.last()["by"], Value::Null);
    counter.refuses(&mary, "no operator");
    daemon.stop();
    proves(station);
    for path in files(&station.state()).iter().chain([&station.path("daemon.log")]) {
        let bytes = fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for code in [&root, &mary, &ann, &stranger] {
            let secret = code.strip_prefix("BIB-").unwrap();
            assert!(!text.contains(secret), "{}", path.display());
        }
        assert!(!text.contains(of(&codes, RECEIVE()).rsplit(':').next().unwrap()));
    }
}

/// The daemon is killed after an order was sent, with or without its answer: it is carried out once, whole, or not at all.
#[test]
fn no_kill_carries_an_order_out_twice_or_by_half() {
    let is_long = std::env::var_os("BALLOT_INTAKE_LONG").is_some();
    let counter = Counter::new();
    let daemon = counter.start();
    let codes = counter.codes(Renewal::Keep);
    daemon.stop();
    for n in 0..if is_long { KILLS_LONG } else { KILLS } {
        let ballots = |wanted: &str| counter.station.report()["ballots"][wanted].clone();
        let daemon = counter.start();
        counter.scans(&payload(0), GOOD);
        counter.scans(&payload(1), GOOD);
        killed(&counter, daemon, &of(&codes, Order::Undo), n);
        let daemon = counter.start();
        counter.orders(&codes, Order::Undo, NOTICE);
        assert_eq!((ballots("received"), ballots("mailed")), (1.into(), 19.into()), "kill {n}");
        killed(&counter, daemon, &of(&codes, RECEIVE()), n);
        let daemon = counter.start();
        counter.orders(&codes, RECEIVE(), NOTICE);
        counter.scans(&payload(1), GOOD);
        counter.counts(&codes, [0, 0, 1]);
        killed(&counter, daemon, &of(&codes, Order::Close), n);
        let daemon = counter.start();
        if counter.scanner.ask(of(&codes, Order::Close).as_bytes()) == BAD {
            // It was not committed, and with the daemon the count is gone.
            counter.counts(&codes, [0, 0, 1]);
            counter.orders(&codes, Order::Close, NOTICE);
        }
        let by_hand = counter.station.json(&["batch", "list"]);
        let by_hand: Vec<_> = by_hand.iter().filter(|batch| batch["day"].is_null()).collect();
        assert_eq!(by_hand.len(), n + 1, "kill {n}");
        let is_closed = |batch: &&Value| batch["counted"] == 1 || batch["closed"]["counted"] == 1;
        assert!(by_hand.iter().all(is_closed), "kill {n}: {by_hand:?}");
        daemon.stop();
        let back = ["000000000", "000000001"];
        for ballot in back {
            let set = ["ballot", "set", ballot, "mailed", "--reason", "again"];
            assert_eq!(run(&counter.station, &set, "").0, Some(0));
        }
        counter.station.verify();
    }
    proves(&counter.station);
}

/// Sends a code and kills the daemon: at once, or once the code was committed.
fn killed(counter: &Counter, daemon: Daemon, code: &str, n: usize) {
    let before = counter.station.look().scans().len();
    counter.scanner.write(format!("{code}\r").as_bytes());
    if n % 2 == 1 {
        eventually("its scan", || counter.station.look().scans().len() > before);
    }
    daemon.kill9();
    // The answer may have come; the clerk did not hear it.
    counter.scanner.read_to_end();
}

/// After a restart everybody signs in anew, and only then scans again what was not answered.
#[test]
fn a_badge_before_it_takes_no_good_tone_from_an_envelope_that_was_not_answered() {
    let counter = Counter::new();
    let daemon = counter.start();
    let root = badge(&counter.station, "root", "administrator", "");
    killed(&counter, daemon, &payload(0), 1);
    let daemon = counter.start();
    counter.scans(&root, NOTICE);
    counter.scans(&payload(0), GOOD);
    assert_eq!(counter.station.look().received().values().sum::<usize>(), 1);
    daemon.stop();
    proves(&counter.station);
}

#[test]
fn a_code_on_an_envelope_and_several_at_once_are_ambiguous_and_do_nothing() {
    let station = Station::new("");
    let folder = station.path("pictures");
    fs::create_dir(&folder).unwrap();
    let folder_scanner = "[[scanner]]\nname = 'pictures'\nprofile = 'folder'";
    station.add(&format!("{folder_scanner}\npath = '{}'\n", folder.display()));
    station.import(2);
    let daemon = station.start();
    let codes = codes(&station, Renewal::Keep);
    let [undo, call] = [Order::Undo, Order::CallSupervisor].map(|order| of(&codes, order));
    let envelope = payload(0);
    let faces: [&[&str]; 4] = [&[&envelope, &call], &[&undo, &call], &[&call, "HELLO"], &[&call]];
    for (n, payloads) in faces.iter().enumerate() {
        let symbols: Vec<_> = payloads.iter().map(|text| (Symbology::Code128, *text)).collect();
        let picture = faces::draw(&symbols, 7).unwrap();
        fs::write(folder.join(format!("{n}.png")), picture).unwrap();
        eventually("its scan", || station.look().scans().len() > n);
    }
    let verdicts: Vec<_> =
        station.look().verdicts().into_iter().map(|(_, verdict)| verdict).collect();
    assert_eq!(verdicts, ["ambiguous", "ambiguous", "ambiguous", "command"]);
    assert_eq!(station.report()["ballots"]["mailed"], 2);
    assert_eq!(station.logged("SupervisorCalled"), 1);
    daemon.stop();
    proves(&station);
}

#[test]
fn the_acknowledge_code_unlocks_the_scanner_beside_it() {
    let station = Station::with_scanners(&["left"], "");
    let locks = format!(
        "[[scanner]]\nname = 'right'\nprofile = 'cipherlab-1660'\nstop_on = 'bad'\npath = '{}'\n",
        station.tty("right").display()
    );
    station.add(&locks);
    let (left, right) = (station.plug("left"), station.plug("right"));
    let daemon = station.start();
    let (lock, unlock) = (b"#@----\r", b"#@....\r");
    right.write(b"HELLO\r");
    assert_eq!(right.read(lock.len()), lock);
    let acknowledge = of(&codes(&station, Renewal::Keep), Order::Acknowledge);
    assert_eq!(left.ask(acknowledge.as_bytes()), NOTICE);
    assert_eq!(right.read(unlock.len()), unlock);
    daemon.stop();
    proves(&station);
}

#[test]
fn sheets_are_printed_for_their_owner_only_and_with_hostile_arguments_not_at_all() {
    let counter = Counter::new();
    let daemon = counter.start();
    let station = &counter.station;
    let out = station.path("sheet.pdf");
    let to = out.to_str().unwrap();
    let labels = |more: &[&str]| run(station, &[&["labels"], more].concat(), "\n");
    let printed = station.json(&["labels", "commands", "--out", to]).remove(0);
    assert!(printed["labels"].as_u64().unwrap() > 40 && printed["pages"].as_u64().unwrap() > 1);
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let first = fs::read(&out).unwrap();
    assert!(first.starts_with(b"%PDF-1.4") && first.ends_with(b"%%EOF\n"));
    let both = ["commands", "--out", to, "--renew", "--symbology", "code128", "--symbology", "qr"];
    assert_eq!(labels(&both).0, Some(0));
    assert_ne!(fs::read(&out).unwrap(), first);
    assert_eq!(counter.codes(Renewal::Keep).generation, 2);
    let envelopes = ["envelopes", "--out", to, &payload(1), "(\\)\u{1b}[2J", "=1+1"];
    assert_eq!(labels(&envelopes).0, Some(0));
    let badge = labels(&["badge", "mary", "--out", to]);
    assert_eq!(badge.0, Some(64), "{}", badge.1);
    // A code that is nobody's badge, as one is that was mistyped: nothing is printed over the file.
    let (before, mistyped) = (fs::read(&out).unwrap(), "BIB-7ZZZZZZZZZZZZZZZZZZZZZZZZZ\n");
    let badge = run(station, &["labels", "badge", "mary", "--out", to], mistyped);
    assert_eq!(badge.0, Some(1), "{}", badge.1);
    assert!(badge.1.contains("not the badge of mary"), "{}", badge.1);
    assert_eq!(fs::read(&out).unwrap(), before);
    for (wrong, exit) in [
        (&["commands"][..], 64),
        (&["commands", "--out", to, "--symbology", "imb"], 64),
        (&["commands", "--out", "/none/such/sheet.pdf"], 74),
        (&["envelopes", "--out", to, &"x".repeat(5_000)], 1),
        (&["envelopes", "--out", to, "\u{20ac}"], 1),
    ] {
        let (code, said) = labels(wrong);
        assert_eq!(code, Some(exit), "{wrong:?}: {said}");
    }
    daemon.stop();
    // Without a daemon, too.
    assert_eq!(labels(&["commands", "--out", to]).0, Some(0));
    proves(station);
}
