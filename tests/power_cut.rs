//! The power goes at every sync of 200 scans, and between: whatever the disk may hold then, nothing acknowledged is lost.
//!
//! Every file operation of the ledger's process is recorded; from the record the test makes what a disk may hold at that moment
//! (`support/disk_log.rs`) and opens it as the next start of the daemon would.
#![cfg(test)]

mod support;

use ballot_intake::ballot::Status;
use crossbeam_channel::{Receiver, Sender};
use std::thread;
use support::Dice;
use support::disk_log::{Record, Replay, Survives, Syncs};
use support::recorded::{Day, Granted, RecordingDisk, folder};
use tempfile::TempDir;

/// What is made of each sync: so many things that the disk may hold just before it, and half as many at moments between.
/// `BALLOT_INTAKE_LONG=1` makes it thirty times as many.
const STATES: usize = 6;
const STATES_LONG: usize = 180;

/// Ballots that are issued.
const BALLOTS: u32 = 230;

/// What is opened at once, and what waits for that.
const OPENED_AT_ONCE: usize = 3;

/// 200 scans, alone and in bursts, with an import, batches, corrections, deliveries, checkpoints, a reopening, an operator and a
/// sync that fails.
fn two_hundred_scans(day: &mut Day) {
    let alone = |day: &mut Day, ballots: std::ops::RangeInclusive<u32>| {
        ballots.for_each(|ballot| day.scan([ballot]));
    };
    day.import(BALLOTS);
    alone(day, 1..=50);
    day.rest();
    day.scan(51..=66);
    alone(day, 67..=90);
    (60..=63).for_each(|ballot| day.set(ballot, Status::NeedsAttention));
    day.reopen();
    let batch = day.open_batch();
    alone(day, 91..=110);
    day.close_batch(batch, 20);
    day.deliver();
    alone(day, 111..=120);
    // Far from all that is in the write-ahead log.
    day.fail("sync 0 5 once");
    day.scan([229]);
    alone(day, 121..=150);
    day.scan(151..=166);
    day.rest();
    alone(day, 167..=180);
    day.fail("sync 0 5 once");
    day.rest();
    alone(day, 181..=199);
    day.set(64, Status::NeedsAttention);
    let batch = day.open_batch();
    day.scan([200, 201]);
    day.close_batch(batch, 2);
    day.add_operator();
    day.end();
}

/// What a disk may hold after a cut, and what was granted before.
struct Cut {
    dir: TempDir,
    granted: Granted,
    /// Where, and what survived.
    what: String,
}

impl Cut {
    fn of(replay: &Replay, granted: &Granted, survives: Survives, dice: &mut Dice) -> Self {
        let what = format!("seed {:?}, {survives:?}", dice.0);
        let dir = folder();
        replay.cut(survives, dice, dir.path());
        Self { dir, granted: granted.clone(), what }
    }
}

/// Makes cuts all along the record: before every sync, and at moments between.
fn cut_everywhere(records: &[Record], states: usize, cuts: &Sender<Cut>) -> usize {
    let mut dice = Dice(0xB0);
    let mut replay = Replay::new(Syncs::Honest);
    let mut granted = Granted::default();
    let (mut syncs, mut last_sync) = (0, 0);
    let ends = |record: &Record| record.is_sync() && record.name != ".";
    let spans = records.split_inclusive(ends);
    for span in spans {
        let first = last_sync;
        last_sync += span.len();
        let between: Vec<u64> =
            (0..states.div_ceil(2)).map(|_| dice.below(span.len() as u64)).collect();
        for (n, record) in span.iter().enumerate() {
            let here = between.iter().filter(|at| **at == n as u64).count();
            let here = if n + 1 == span.len() { here + states } else { here };
            for _ in 0..here {
                let survives = Survives::any(&mut dice, first, first + n);
                let mut cut = Cut::of(&replay, &granted, survives, &mut dice);
                cut.what = format!("before record {} ({}): {}", first + n, record.op, cut.what);
                cuts.send(cut).unwrap();
            }
            replay.take(record);
            granted.take(record);
        }
        syncs += 1;
    }
    syncs
}

/// Opens what comes; how many those were, and what was wrong with them.
fn open_all(cuts: &Receiver<Cut>) -> (usize, Vec<String>) {
    let mut opened = 0;
    let mut wrong = Vec::new();
    for cut in cuts {
        opened += 1;
        if let Err(why) = cut.granted.check(cut.dir.path()) {
            wrong.push(format!("{}: {why}", cut.what));
        }
    }
    (opened, wrong)
}

#[test]
fn no_power_cut_loses_what_was_acknowledged() {
    if let Some(mut day) = Day::begin() {
        return two_hundred_scans(&mut day);
    }
    let long = std::env::var_os("BALLOT_INTAKE_LONG").is_some();
    let states = if long { STATES_LONG } else { STATES };
    let disk = RecordingDisk::new();
    let records = disk.record("no_power_cut_loses_what_was_acknowledged", None).unwrap();
    let (cuts_tx, cuts_rx) = crossbeam_channel::bounded(OPENED_AT_ONCE);
    let (syncs, opened) = thread::scope(|scope| {
        let opening: Vec<_> = (0..OPENED_AT_ONCE)
            .map(|_| {
                let cuts_rx = cuts_rx.clone();
                scope.spawn(move || open_all(&cuts_rx))
            })
            .collect();
        let syncs = cut_everywhere(&records, states, &cuts_tx);
        drop(cuts_tx);
        let opened: Vec<_> = opening.into_iter().map(|it| it.join().unwrap()).collect();
        (syncs, opened)
    });
    let states: usize = opened.iter().map(|(opened, _)| opened).sum();
    let wrong: Vec<String> = opened.into_iter().flat_map(|(_, wrong)| wrong).collect();
    assert!(wrong.is_empty(), "{} of {states}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(syncs > 200, "{syncs}");
}

/// The same on a disk that lies: it must find something, or the test above shows nothing.
#[test]
fn a_disk_that_lies_about_its_syncs_is_found_to_lose_scans() {
    if let Some(mut day) = Day::begin() {
        return two_hundred_scans(&mut day);
    }
    let disk = RecordingDisk::new();
    let records =
        disk.record("a_disk_that_lies_about_its_syncs_is_found_to_lose_scans", None).unwrap();
    let mut lying = Replay::new(Syncs::Lying);
    let mut honest = Replay::new(Syncs::Honest);
    let mut granted = Granted::default();
    for record in &records {
        lying.take(record);
        honest.take(record);
        granted.take(record);
    }
    let mut dice = Dice(1);
    assert!(granted.len() > 200);
    for survives in [Survives::Nothing, Survives::Often(97), Survives::Often(50)] {
        let cut = Cut::of(&lying, &granted, survives, &mut dice);
        assert!(cut.granted.check(cut.dir.path()).is_err(), "{survives:?}");
        let cut = Cut::of(&honest, &granted, survives, &mut dice);
        assert_eq!(cut.granted.check(cut.dir.path()), Ok(()), "{survives:?}");
    }
}

#[test]
fn nothing_but_shared_memory_is_mapped() {
    if let Some(mut day) = Day::begin() {
        return two_hundred_scans(&mut day);
    }
    let records = RecordingDisk::new().record("nothing_but_shared_memory_is_mapped", None).unwrap();
    let mapped: Vec<&str> =
        records.iter().filter(|it| it.op == "map").map(|it| it.name.as_str()).collect();
    assert!(!mapped.is_empty());
    assert!(mapped.iter().all(|name| *name == "ledger.sqlite-shm"), "{mapped:?}");
}
