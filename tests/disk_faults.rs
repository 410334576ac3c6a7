//! The k-th call to the disk fails, for every k of a small day: no good answer is given for what may not be there, and when the
//! disk is mended work goes on by itself, in the same process.
#![cfg(test)]

mod support;

use ballot_intake::ballot::Status;
use std::collections::BTreeSet;
use std::thread;
use support::Dice;
use support::disk_log::{Record, Replay, Survives, Syncs};
use support::recorded::{ALARM, Day, Granted, RecordingDisk, folder};

/// The test below.
const TEST: &str = "no_failing_call_is_answered_good_and_work_goes_on_when_the_disk_is_mended";

/// Without `BALLOT_INTAKE_LONG=1` only every so many-th write is failed, but every other call.
const WRITES_APART: usize = 12;

/// Days that are played at once: most of each is waiting for the ledger to have nothing to do.
const DAYS_AT_ONCE: usize = 6;

/// The calls that are made to fail.
const FAILING: [&str; 5] = ["open", "create", "write", "truncate", "sync"];

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// What the disk says, and whether it goes on saying so until it is mended.
const FAULTS: [&str; 4] = ["5 once", "28 once", "5 lasting", "28 lasting"];

/// Start, import, scans, corrections, deliveries, a checkpoint, a batch, a reopening, an operator and an end.
fn small_day(day: &mut Day) {
    day.import(8);
    day.scan([1]);
    day.scan([2, 3, 4]);
    day.set(2, Status::NeedsAttention);
    day.set(3, Status::NeedsAttention);
    day.deliver();
    day.rest();
    let batch = day.open_batch();
    day.scan([5]);
    day.close_batch(batch, 1);
    day.reopen();
    day.scan([6]);
    day.add_operator();
    day.end();
}

/// Whether a record is of a call that can be made to fail; the partial write of a full disk is one call with the failure after it.
fn is_call(record: &Record) -> bool {
    FAILING.contains(&record.op.as_str())
}

/// Whether a call was made to fail.
fn is_fault(record: &Record) -> bool {
    [EIO, ENOSPC].contains(&record.errno)
}

/// A handle whose sync failed is never told to sync again before it is closed. SQLite itself does so where it rolls the first
/// page of a new file back, and says that it failed: before anything is granted that is let pass.
fn check_handles(records: &[Record]) -> Result<(), String> {
    let mut failed: BTreeSet<(i32, &str)> = BTreeSet::new();
    let mut is_granted = false;
    for record in records {
        is_granted |= record.marked().is_some_and(|mark| mark != ALARM);
        let handle = (record.fd, record.name.as_str());
        match record.op.as_str() {
            "sync" if is_granted && failed.contains(&handle) => {
                return Err(format!("{} was synced again on the same handle", record.name));
            }
            "sync" if record.errno != 0 => {
                failed.insert(handle);
            }
            "close" => failed.retain(|(fd, _)| *fd != record.fd),
            _ => {}
        }
    }
    Ok(())
}

/// After the first good answer that follows the fault, and at the end of the day, the power goes and takes all that it can.
fn check_answers(records: &[Record]) -> Result<(), String> {
    let mut replay = Replay::new(Syncs::Honest);
    let mut granted = Granted::default();
    let mut failed = false;
    let mut dice = Dice(0);
    for (n, record) in records.iter().enumerate() {
        replay.take(record);
        granted.take(record);
        failed |= is_fault(record);
        let is_good = failed && record.marked().is_some_and(|mark| mark != ALARM);
        if is_good || n + 1 == records.len() {
            failed = false;
            let dir = folder();
            replay.cut(Survives::Nothing, &mut dice, dir.path());
            granted.check(dir.path()).map_err(|why| format!("at record {n}: {why}"))?;
        }
    }
    Ok(())
}

/// What came of days with faults.
#[derive(Default)]
struct Played {
    /// In how many of them a call failed: a day may end before the call that was to.
    failed: usize,
    wrong: Vec<String>,
}

impl Played {
    fn with(disk: &RecordingDisk, faults: &[String]) -> Self {
        let mut played = Self::default();
        for fault in faults {
            if let Err(why) = played.play(disk, fault) {
                played.wrong.push(format!("{fault}: {why}"));
            }
        }
        played
    }

    fn play(&mut self, disk: &RecordingDisk, fault: &str) -> Result<(), String> {
        let records = disk.record(TEST, Some(fault))?;
        self.failed += usize::from(records.iter().any(is_fault));
        check_handles(&records)?;
        check_answers(&records)
    }

    fn and(mut self, other: Self) -> Self {
        self.failed += other.failed;
        self.wrong.extend(other.wrong);
        self
    }
}

#[test]
fn no_failing_call_is_answered_good_and_work_goes_on_when_the_disk_is_mended() {
    if let Some(mut day) = Day::begin() {
        return small_day(&mut day);
    }
    let long = std::env::var_os("BALLOT_INTAKE_LONG").is_some();
    let disk = RecordingDisk::new();
    let records = disk.record(TEST, None).unwrap();
    let calls: Vec<&Record> = records.iter().filter(|record| is_call(record)).collect();
    let faults: Vec<String> = calls
        .iter()
        .enumerate()
        .flat_map(|(k, call)| FAULTS.iter().enumerate().map(move |(n, fault)| (k, n, call, fault)))
        .filter(|(k, n, call, _)| long || call.op != "write" || (k + n) % WRITES_APART == 0)
        .map(|(k, _, _, fault)| format!("any {k} {fault}"))
        .collect();
    let played = thread::scope(|scope| {
        let playing: Vec<_> = faults
            .chunks(faults.len().div_ceil(DAYS_AT_ONCE))
            .map(|faults| scope.spawn(|| Played::with(&disk, faults)))
            .collect();
        playing.into_iter().map(|it| it.join().unwrap()).fold(Played::default(), Played::and)
    });
    let Played { failed, wrong } = played;
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), faults.len(), wrong.join("\n"));
    assert!(calls.len() > 100 && failed * 10 > faults.len() * 9, "{failed} of {}", faults.len());
}
