//! Scanners at the real daemon: every frame becomes a scan with its verdict and its answer, whatever the line does.
#![cfg(test)]

mod support;

use rustix::event::PollFlags;
use std::collections::BTreeMap;
use std::thread;
use support::pty::{Manner, Pty};
use support::station::Station;
use support::{BAD, Deadline, GOOD, NOTICE, eventually, frames, payload, wrong_payload};

/// A day's frames.
const MANY: u32 = 20_000;

/// A frame, its answer and its verdict: most are issued, some are not, and some do not hold.
fn frame(n: u32) -> (String, u8, &'static str) {
    match n % 10 {
        3 => (payload(900_000_000 + n), BAD, "not_issued"),
        7 => (wrong_payload(n), BAD, "unreadable"),
        _ => (payload(n), GOOD, "received"),
    }
}

#[track_caller]
fn many_frames(manner: Manner) {
    let station = Station::with_scanners(&["left"], "");
    station.import(MANY);
    let scanner = station.plug("left");
    let daemon = station.start();
    let line: String = (0..MANY).map(|n| frame(n).0 + "\r").collect();
    let answers = scanner.exchange(line.as_bytes(), MANY as usize, manner);
    let expected: Vec<u8> = (0..MANY).map(|n| frame(n).1).collect();
    assert!(answers == expected, "an answer is wrong, or out of order");
    daemon.stop();
    let scans = station.look().scans();
    assert_eq!(scans.len(), MANY as usize);
    for (n, scan) in (0..).zip(&scans) {
        assert_eq!(scan.text("verdict"), frame(n).2, "{n}: {scan:?}");
        if frame(n).1 == GOOD {
            assert_eq!(scan.text("ballot"), format!("{n:09}"));
        }
    }
    station.verify();
}

#[test]
fn twenty_thousand_frames_are_as_many_scans_and_answers_in_order() {
    many_frames(Manner::ReadAsYouWrite);
}

#[test]
fn a_scanner_that_reads_no_answer_until_it_has_sent_all_gets_them_all() {
    many_frames(Manner::WriteThenRead);
}

#[test]
fn eight_scanners_receive_each_envelope_once() {
    const EACH: u32 = 5_000;
    const SHARED: u32 = EACH / 3;
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let station = Station::with_scanners(&names, "");
    station.import(SHARED + 8 * (EACH - SHARED));
    let scanners = names.map(|name| station.plug(name));
    let daemon = station.start();
    let answers: Vec<Vec<u8>> = thread::scope(|scope| {
        let all = (0..).zip(&scanners).map(|(n, scanner)| {
            scope.spawn(move || {
                let own = SHARED + n * (EACH - SHARED);
                // Every third envelope is one that all eight see.
                let line = (0..EACH).map(|i| {
                    if i % 3 == 0 && i / 3 < SHARED {
                        i / 3
                    } else {
                        own + i - (i / 3 + 1).min(SHARED)
                    }
                });
                scanner.exchange(&frames(line), EACH as usize, Manner::ReadAsYouWrite)
            })
        });
        let all: Vec<_> = all.collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    daemon.stop();
    let look = station.look();
    let received = look.received();
    assert_eq!(received.len(), (SHARED + 8 * (EACH - SHARED)) as usize);
    assert!(received.values().all(|times| *times == 1));
    for (name, answers) in names.iter().zip(&answers) {
        let expected: Vec<u8> = look
            .verdicts()
            .iter()
            .filter(|(scanner, _)| scanner == name)
            .map(|(_, verdict)| match verdict.as_str() {
                "received" => GOOD,
                "already_received" => NOTICE,
                other => panic!("{other}"),
            })
            .collect();
        assert_eq!(expected.len(), EACH as usize);
        assert!(*answers == expected, "{name}: an answer is wrong, or out of order");
    }
    station.verify();
}

#[test]
fn a_repeat_is_silent_and_counted_and_no_row() {
    let station = Station::with_scanners(&["left"], "");
    station.import(3);
    let scanner = station.plug("left");
    let daemon = station.start();
    // Before its verdict, and after it.
    let answers = scanner.exchange(&frames([1, 1, 1, 2]), 2, Manner::ReadAsYouWrite);
    assert_eq!(answers, [GOOD, GOOD]);
    let answers = scanner.exchange(&frames([2, 2, 1]), 1, Manner::ReadAsYouWrite);
    assert_eq!(answers, [NOTICE]);
    daemon.stop();
    let report = station.report();
    assert_eq!(report["repeats"], 4);
    assert_eq!(station.look().scans().len(), 3);
}

#[test]
fn a_repeat_is_answered_where_the_scanner_waits_for_it() {
    let station = Station::new("");
    station.add(&format!(
        "[[scanner]]\nname = 'left'\nprofile = 'honeywell-xenon-1900'\npath = '{}'",
        station.tty("left").display()
    ));
    station.import(3);
    let scanner = station.plug("left");
    let daemon = station.start();
    let good = [0x1b, 0x37, 0x2c];
    for ballot in [1, 1, 1, 2] {
        assert_eq!(scanner.exchange(&frames([ballot]), 3, Manner::ReadAsYouWrite), good);
    }
    daemon.stop();
    assert_eq!(station.report()["repeats"], 2);
    assert_eq!(station.look().scans().len(), 2);
}

#[test]
fn a_half_frame_is_answered_bad_and_counted_and_no_scan() {
    let station = Station::with_scanners(&["left"], "");
    station.import(2);
    let scanner = station.plug("left");
    let daemon = station.start();
    scanner.write(&payload(1).as_bytes()[..9]);
    assert_eq!(scanner.read(1), [BAD]);
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    daemon.stop();
    assert_eq!(station.report()["no_reads"], 1);
    assert_eq!(station.look().verdicts(), [("left".to_owned(), "received".to_owned())]);
    assert_eq!(station.logged("NoRead"), 1);
}

#[test]
fn an_overlong_frame_is_one_unreadable_scan() {
    let station = Station::with_scanners(&["left"], "");
    station.import(2);
    let scanner = station.plug("left");
    let daemon = station.start();
    assert_eq!(scanner.ask(&payload(1).repeat(313).as_bytes()[..5_000]), BAD);
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    daemon.stop();
    let scans = station.look().scans();
    assert_eq!((scans[0].text("verdict"), &scans[0].body["length"]), ("unreadable", &5_000.into()));
    assert_eq!(scans.len(), 2);
}

/// Waits until the daemon has tried the port so often; the link leads to a plain file, which can be watched.
fn tried(station: &Station, times: usize) {
    use rustix::fs::inotify;
    let file = station.path("no-port");
    std::fs::write(&file, "").unwrap();
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, &file, inotify::WatchFlags::OPEN).unwrap();
    let beside = station.path("link");
    std::os::unix::fs::symlink(&file, &beside).unwrap();
    std::fs::rename(&beside, station.tty("left")).unwrap();
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4_096];
    let mut reader = inotify::Reader::new(&watch, &mut buffer);
    for _ in 0..times {
        let event = reader.next().unwrap();
        assert!(event.events().contains(inotify::ReadFlags::OPEN));
    }
}

#[test]
fn a_port_that_is_pulled_in_the_middle_of_a_frame_costs_no_scan_and_no_processor() {
    let station = Station::with_scanners(&["left"], "");
    station.import(2);
    let scanner = station.plug("left");
    let daemon = station.start();
    scanner.write(&payload(1).as_bytes()[..9]);
    drop(scanner);
    eventually("the loss of the scanner", || station.logged("ScannerLost") == 1);
    let before = daemon.ticks();
    tried(&station, 3);
    let spent = daemon.ticks() - before;
    assert!(spent < 20, "{spent} ticks for three attempts");
    let scanner = station.plug("left");
    eventually("the scanner", || station.logged("ScannerOpened") == 2);
    // The other half is no frame of its own that names a ballot, and is not joined with the first.
    assert_eq!(scanner.ask(&payload(1).as_bytes()[9..]), BAD);
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    daemon.stop();
    let verdicts: Vec<String> = station.look().verdicts().into_iter().map(|(_, v)| v).collect();
    assert_eq!(verdicts, ["unreadable", "received"]);
    assert_eq!(station.logged("ScannerLost"), 1);
}

#[test]
fn what_was_answered_before_a_stop_is_in_the_ledger() {
    let station = Station::with_scanners(&["left"], "");
    station.import(MANY);
    let scanner = station.plug("left");
    let daemon = station.start();
    let line = frames(0..MANY);
    let (mut rest, mut answers) = (&line[..], Vec::new());
    let deadline = Deadline::new();
    while answers.len() < 500 {
        deadline.check("500 answers");
        scanner.wait(PollFlags::IN | PollFlags::OUT, &deadline);
        rest = &rest[scanner.write_some(rest)..];
        answers.extend(scanner.read_some(usize::MAX).unwrap());
    }
    daemon.terminate();
    while let Some(more) = scanner.read_some(usize::MAX) {
        deadline.check("the end of the line");
        answers.extend(more);
        scanner.wait(PollFlags::IN | PollFlags::OUT, &deadline);
        rest = &rest[scanner.write_some(rest)..];
    }
    assert_eq!(daemon.ended().code(), Some(0));
    assert!(answers.iter().all(|answer| *answer == GOOD));
    // No more and no less: what was read is answered.
    let ballots: Vec<String> =
        station.look().scans().iter().map(|scan| scan.text("ballot").to_owned()).collect();
    let expected: Vec<String> = (0..answers.len()).map(|n| format!("{n:09}")).collect();
    assert!(ballots == expected, "{} scans, {} answers", ballots.len(), answers.len());
    station.verify();
}

/// Lines that should do harm; none has a terminator inside.
fn hostile() -> Vec<Vec<u8>> {
    let mut dice = support::Dice(7);
    let mut noise = || -> Vec<u8> {
        let bytes = (0..2_000).map(|_| u8::try_from(dice.below(256)).unwrap());
        bytes.map(|b| if [2, 3, 9, 10, 13].contains(&b) { b'.' } else { b }).collect()
    };
    let mut lines = vec![
        vec![0],
        vec![0; 300],
        vec![b'7'; 1 << 20],
        b"\x1b[2J\x1b]0;owned\x07".to_vec(),
        b"'; DROP TABLE event; --".to_vec(),
        b"=cmd|' /C calc'!A0,\"x\"".to_vec(),
        b"\xff\xfe\xc3\x28".to_vec(),
        b"]".to_vec(),
        b"]C".to_vec(),
        b"]]]]C0".to_vec(),
        b"202611000000001".to_vec(),
        "202611\u{661}\u{662}\u{663}0000017".as_bytes().to_vec(),
        format!("{} ", payload(1)).into_bytes(),
        format!("{}\0", payload(1)).into_bytes(),
        b"%s%n{}\\r\\n../../etc/passwd${jndi:x}".to_vec(),
    ];
    lines.extend((0..200).map(|_| noise()));
    lines
}

#[test]
fn hostile_lines_name_nothing_and_stop_nothing() {
    let station = Station::with_scanners(&["left"], "");
    station.import(2);
    let scanner = station.plug("left");
    let daemon = station.start();
    let lines = hostile();
    for line in &lines {
        assert_eq!(scanner.ask(line), BAD, "{:?}", line.escape_ascii().to_string().get(..40));
    }
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    let peak = daemon.memory_peak();
    assert!(peak < 96 * 1024, "{peak} KiB");
    daemon.stop();
    let mut verdicts = BTreeMap::new();
    for (_, verdict) in station.look().verdicts() {
        *verdicts.entry(verdict).or_insert(0) += 1;
    }
    let expected = [("received".to_owned(), 1), ("unreadable".to_owned(), lines.len())];
    assert_eq!(verdicts, BTreeMap::from(expected));
    let log = station.log();
    assert!(log.chars().all(|c| c == '\n' || !c.is_control()), "{log}");
    assert!(!log.contains("DROP") && !log.contains("owned"), "{log}");
    station.verify();
}

#[test]
fn a_scanner_that_is_silent_costs_no_processor() {
    let station = Station::with_scanners(&["left"], "");
    station.import(2);
    let scanner = station.plug("left");
    let daemon = station.start();
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    let before = daemon.ticks();
    let reports: u64 =
        (0..40).map(|_| station.report()["scans"]["received"].as_u64().unwrap()).sum();
    let spent = daemon.ticks() - before;
    assert_eq!(reports, 40);
    assert!(spent < 10, "{spent} ticks for nothing");
    daemon.stop();
}

#[test]
fn a_scanner_that_is_away_at_the_start_is_found_when_it_is_plugged_in() {
    let station = Station::with_scanners(&["left"], "");
    station.import(2);
    let daemon = station.start();
    assert_eq!(station.logged("ScannerLost"), 1);
    let scanner: Pty = station.plug("left");
    eventually("the scanner", || station.logged("ScannerOpened") == 1);
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    daemon.stop();
}
