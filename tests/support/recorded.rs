//! A day at a ledger whose disk is recorded, in a process of its own; what was granted is marked in the record.
//!
//! The test starts itself once more with `recording_disk.c` under it. That process plays the day; whatever is answered with the
//! alarm is asked again, after a few times on a disk that is mended, and the ledger must come back by itself.

use super::disk_log::Record;
use super::ledger::Look;
use super::own_ledger::{self, HOLD_BACK, NOON, ballot_code, imported_file, row, settings, symbol};
use super::{Deadline, look_again};
use ballot_intake::ballot::Status;
use ballot_intake::clock::{Clock as _, ManualClock};
use ballot_intake::delivery::Answer;
use ballot_intake::ledger::{
    BatchRequest, Closing, Ledger, NewBatch, NewOperator, NotAllowed, NotBatched, NotKnown,
    PeopleRequest, Person, Proof, Reply, Request, Role, Secret, Settings, verify,
};
use ballot_intake::scan::{Face, Judged, Method, Scan, ScanId, ScannerId, Verdict};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

pub(crate) use super::own_ledger::folder;

/// The mark of whatever was not granted.
pub(crate) const ALARM: &str = "alarm";

/// Alarms in a row after which the disk is mended.
const ALARMS_UNTIL_MENDED: u32 = 3;

/// Alarms in a row that no ledger needs on a good disk.
const ALARMS_MAX: u32 = 20;

/// Between two attempts the clock goes on by more than the ledger waits.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);

/// The library under the tests of one process.
#[derive(Debug)]
pub(crate) struct RecordingDisk {
    dir: TempDir,
}

impl RecordingDisk {
    /// Builds it.
    pub(crate) fn new() -> Self {
        let dir = folder();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/recording_disk.c");
        let compiled = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .arg(dir.path().join("disk.so"))
            .args([source, "-ldl"])
            .status();
        assert!(compiled.unwrap().success());
        Self { dir }
    }

    /// Plays the day of this test, on a disk with that fault, if any (`recording_disk.c`); what the disk was asked, or what the
    /// day failed of.
    pub(crate) fn record(&self, test: &str, fault: Option<&str>) -> Result<Vec<Record>, String> {
        let dir = folder();
        let (recorded, log) = (dir.path().join("ledger"), dir.path().join("log"));
        fs::create_dir(&recorded).unwrap();
        if let Some(fault) = fault {
            fs::write(fault_file(&log), fault).unwrap();
        }
        let played = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env("LD_PRELOAD", self.dir.path().join("disk.so"))
            .env("RECORDED_FOLDER", &recorded)
            .env("RECORDED_LOG", &log)
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        if !played.status.success() {
            return Err(String::from_utf8_lossy(&played.stderr).into_owned());
        }
        let log = fs::read(log).unwrap();
        let (records, taken) = Record::parse(&log);
        assert_eq!(taken, log.len(), "the record ends in the middle");
        Ok(records)
    }
}

fn fault_file(log: &Path) -> PathBuf {
    log.with_extension("fault")
}

/// The ledger of the process that is recorded.
#[derive(Debug)]
pub(crate) struct Day {
    settings: Settings,
    clock: Arc<ManualClock>,
    open: Option<(Ledger, JoinHandle<()>)>,
    log: PathBuf,
    marks: File,
    alarms: u32,
    deliveries: u32,
    closed: u32,
}

impl Day {
    /// Begins the day, in the process that is recorded; none in any other.
    pub(crate) fn begin() -> Option<Self> {
        let folder = PathBuf::from(std::env::var_os("RECORDED_FOLDER")?);
        let log = PathBuf::from(std::env::var_os("RECORDED_LOG")?);
        let marks = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let clock = Arc::new(ManualClock::new(NOON));
        let (alarms, deliveries, closed) = (0, 0, 0);
        let settings = settings(&folder);
        let mut day = Self { settings, clock, open: None, log, marks, alarms, deliveries, closed };
        day.start();
        Some(day)
    }

    /// Starts until it starts, as systemd does with the daemon.
    fn start(&mut self) {
        loop {
            match Ledger::start(self.settings.clone(), Arc::<ManualClock>::clone(&self.clock), 64) {
                Ok(open) => break self.open = Some(open),
                Err(error) => self.alarm(&format!("{error:?}")),
            }
        }
        self.alarms = 0;
    }

    /// Stops as a daemon that was asked to.
    pub(crate) fn end(&mut self) {
        let (ledger, thread) = self.open.take().unwrap();
        drop(ledger);
        thread.join().unwrap();
    }

    /// Stops and starts.
    pub(crate) fn reopen(&mut self) {
        self.end();
        self.start();
    }

    fn ledger(&self) -> &Ledger {
        &self.open.as_ref().unwrap().0
    }

    fn mark(&mut self, text: &str) {
        self.marks.write_all(&Record::mark(text)).unwrap();
    }

    /// Something was answered with the alarm.
    fn alarm(&mut self, why: &str) {
        self.mark(ALARM);
        self.alarms += 1;
        assert!(self.alarms < ALARMS_MAX, "the ledger does not come back: {why}");
        if self.alarms == ALARMS_UNTIL_MENDED {
            self.mend();
        }
        self.clock.advance(BETWEEN_ATTEMPTS);
    }

    fn granted(&mut self, text: &str) {
        self.alarms = 0;
        self.mark(text);
    }

    fn mend(&self) {
        // A fault that comes once is gone by itself.
        fs::remove_file(fault_file(&self.log)).unwrap_or_default();
    }

    /// From here on the disk has this fault.
    pub(crate) fn fail(&self, fault: &str) {
        fs::write(fault_file(&self.log), fault).unwrap();
    }

    /// Asks until it is known what came of it.
    fn ask<T: Send + 'static>(&mut self, request: impl Fn(Reply<T>) -> Request) -> T {
        loop {
            match self.ledger().ask(&request) {
                Ok(answer) => break answer,
                Err(NotKnown) => self.alarm("not known"),
            }
        }
    }

    /// The same for what is answered only when it is done.
    fn ask_for<T>(&mut self, request: impl Fn(oneshot::Sender<T>) -> Request) -> T {
        loop {
            let (reply, answer) = oneshot::channel();
            self.ledger().send(request(reply)).unwrap();
            match answer.blocking_recv() {
                Ok(answer) => break answer,
                Err(_) => self.alarm("no answer"),
            }
        }
    }

    /// Imports ballots 1 to `n`.
    pub(crate) fn import(&mut self, n: u32) {
        loop {
            let Ok(import) = self.ask(Request::ImportBegin) else { continue };
            let rows: Vec<_> = (1..=n).map(row).collect();
            let staged = |reply| Request::ImportRows { import, rows: rows.clone(), reply };
            if self.ask(staged).is_err() {
                continue;
            }
            let decide = |reply| Request::ImportCommit { import, file: imported_file(), reply };
            // After an alarm it may have been decided, and the ledger knows no such import any more.
            match self.ledger().ask(decide) {
                Ok(Ok(_)) => break,
                Ok(Err(_)) => {}
                Err(NotKnown) => self.alarm("not known"),
            }
        }
        self.granted("count imported 1");
    }

    fn send(&self, n: u32) -> mpsc::Receiver<Judged> {
        let (verdicts, judged) = mpsc::channel(1);
        let scan = Scan {
            id: ScanId(u64::from(n)),
            scanner: ScannerId(1),
            scanner_name: "left".into(),
            at: self.clock.now(),
            method: Method::Scanner,
            face: Face::Names(vec![ballot_code(n)]),
            symbols: vec![symbol(&format!("{n:09}"))],
        };
        self.ledger().send(Request::Scan { scan: Box::new(scan), verdicts }).unwrap();
        judged
    }

    /// Scans these ballots at once, and again those that were answered with the alarm.
    pub(crate) fn scan(&mut self, ballots: impl IntoIterator<Item = u32>) {
        let mut left: Vec<u32> = ballots.into_iter().collect();
        while !left.is_empty() {
            let sent: Vec<_> = left.iter().map(|n| (*n, self.send(*n))).collect();
            left.clear();
            for (n, mut judged) in sent {
                match judged.blocking_recv().unwrap().verdict {
                    Verdict::Received => self.granted(&format!("to {n:09} received")),
                    Verdict::Fault => left.push(n),
                    other => panic!("ballot {n}: {}", other.name()),
                }
            }
            if !left.is_empty() {
                self.alarm("a scan");
            }
        }
    }

    /// Sets a ballot by hand.
    pub(crate) fn set(&mut self, n: u32, status: Status) {
        let request = own_ledger::set(n, status, "by hand", "supervisor");
        let before = self.alarms;
        let set = self.ask(|reply| Request::Set(request.clone(), reply));
        assert!(set.is_ok() || self.alarms > before, "{set:?}");
        self.granted(&format!("to {n:09} {}", status.name()));
    }

    /// Opens a batch; its number.
    pub(crate) fn open_batch(&mut self) -> u32 {
        let person = || Person::os_user("clerk".to_owned());
        let wanted = NewBatch::default;
        let before = self.alarms;
        let open = |reply| BatchRequest::Open { wanted: wanted(), person: person(), reply };
        let batch = match self.ask(|reply| Request::Batch(open(reply))) {
            Ok(open) => open.batch,
            Err(NotBatched::StillOpen(batch)) if self.alarms > before => batch,
            Err(why) => panic!("{why}"),
        };
        let number = batch.rsplit('-').next().unwrap().parse().unwrap();
        self.granted(&format!("count batch_opened {number}"));
        number
    }

    /// Closes a batch in which so many envelopes were scanned; that is signed.
    pub(crate) fn close_batch(&mut self, batch: u32, counted: u32) {
        let closing = || Closing { batch, counted, explanation: None };
        let person = || Person::os_user("clerk".to_owned());
        let before = self.alarms;
        let close = |reply| BatchRequest::Close { closing: closing(), person: person(), reply };
        match self.ask(|reply| Request::Batch(close(reply))) {
            Ok(_) => {}
            Err(NotBatched::Closed(_)) if self.alarms > before => {}
            Err(why) => panic!("{why}"),
        }
        self.closed += 1;
        self.granted(&format!("count batch_closed {}", self.closed));
        self.mark(&format!("count checkpointed {}", self.closed));
    }

    /// Adds the first operator. Who signs in as nobody may set no ballot from here on.
    pub(crate) fn add_operator(&mut self) {
        let new = || NewOperator {
            operator: "root".to_owned(),
            role: Role::Administrator,
            proof: Proof::PasswordHash(Secret::new("a hash".to_owned())),
        };
        let by = || Person::os_user("clerk".to_owned());
        let before = self.alarms;
        let add = |reply| PeopleRequest::Add { new: new(), by: by(), reply };
        match self.ask(|reply| Request::People(add(reply))) {
            Ok(()) => {}
            Err(NotAllowed::NameTaken(_) | NotAllowed::SignIn(_)) if self.alarms > before => {}
            Err(why) => panic!("{why}"),
        }
        self.granted("count operator_added 1");
    }

    /// Hold-back ends, and the relay takes what is owed.
    pub(crate) fn deliver(&mut self) {
        self.clock.advance(HOLD_BACK);
        let claimed = loop {
            self.ask_for(Request::Probe);
            let claimed = self.ask_for(|reply| Request::Claim { max: 100, reply });
            if !claimed.is_empty() {
                break claimed;
            }
        };
        let settled: Vec<_> = claimed.iter().map(|it| (it.seq, Answer::Delivered)).collect();
        self.ask_for(|reply| Request::Settle { settled: settled.clone(), reply });
        self.deliveries += 1;
        self.granted(&format!("count delivered {}", self.deliveries));
    }

    /// Nothing happens until the write-ahead log was copied into the ledger; a long one may have been, right after the last answer.
    pub(crate) fn rest(&mut self) {
        let (records, from) = Record::parse(&fs::read(&self.log).unwrap());
        let is_written =
            |record: &&Record| record.op == "write" && record.name == "ledger.sqlite-wal";
        let is_copied = |record: &&Record| {
            record.op == "sync" && record.name == "ledger.sqlite" && record.errno == 0
        };
        let newest = records.iter().rfind(|it| is_written(it) || is_copied(it));
        if newest.is_some_and(|record| is_copied(&record)) {
            return;
        }
        let deadline = Deadline::new();
        loop {
            let log = fs::read(&self.log).unwrap();
            let (records, _) = Record::parse(&log[from..]);
            let of_ledger =
                |record: &&Record| record.op == "sync" && record.name == "ledger.sqlite";
            match records.iter().rfind(of_ledger) {
                Some(record) if record.errno == 0 => break,
                _ if records.iter().any(|record| record.errno != 0) => {
                    self.mend();
                    self.clock.advance(BETWEEN_ATTEMPTS);
                }
                _ => {}
            }
            deadline.check("a checkpoint");
            look_again();
        }
    }
}

/// What a record says was granted up to some moment of it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Granted {
    to: Vec<(String, String)>,
    counts: BTreeMap<String, usize>,
}

impl Granted {
    /// The next record.
    pub(crate) fn take(&mut self, record: &Record) {
        let words: Vec<&str> = record.marked().unwrap_or_default().split(' ').collect();
        match words[..] {
            ["to", ballot, status] => self.to.push((ballot.to_owned(), status.to_owned())),
            ["count", kind, n] => {
                self.counts.insert(kind.to_owned(), n.parse().unwrap());
            }
            _ => {}
        }
    }

    /// How much that is.
    pub(crate) fn len(&self) -> usize {
        self.to.len() + self.counts.len()
    }

    /// Opens what a power cut left in the folder and looks whether all of it is there and work goes on; else what is wrong.
    pub(crate) fn check(&self, folder: &Path) -> Result<(), String> {
        let settings = settings(folder);
        let clock = Arc::new(ManualClock::new(NOON));
        let (ledger, thread) =
            Ledger::start(settings.clone(), clock, 64).map_err(|error| format!("{error:?}"))?;
        let found = self.look(&settings.path);
        let (reply, probed) = oneshot::channel();
        ledger.send(Request::Probe(reply)).unwrap();
        let goes_on = probed.blocking_recv().map_err(|_closed| "work does not go on".to_owned());
        drop(ledger);
        thread.join().unwrap();
        found.and(goes_on)?;
        let verified = verify(&settings.path).map_err(|error| format!("{error:?}"))?;
        if verified.ok { Ok(()) } else { Err(format!("{:?}", verified.fault)) }
    }

    fn look(&self, ledger: &Path) -> Result<(), String> {
        let events = Look::open(ledger).events_after(0);
        let mut to: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for event in &events {
            *to.entry((event.text("ballot"), event.text("to"))).or_default() += 1;
            *counts.entry(event.text("kind")).or_default() += 1;
        }
        for (ballot, status) in &self.to {
            match to.get(&(ballot.as_str(), status.as_str())) {
                Some(1) => {}
                times => return Err(format!("{ballot} became {status} {times:?} times")),
            }
        }
        for (kind, n) in &self.counts {
            if counts.get(kind.as_str()).copied().unwrap_or(0) < *n {
                return Err(format!("an event {kind} of {n} is lost"));
            }
        }
        Ok(())
    }
}
