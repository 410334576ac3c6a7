//! A station with a temporary ledger and a clock that tests own.

use ballot_intake::ballot::{BallotId, ElectionId, Mode, Status, VoterId};
use ballot_intake::clock::{ManualClock, Micros, Zone};
use ballot_intake::delivery::{Answer, Delivery};
use ballot_intake::ledger::{
    Checkpoint, Counts, ImportRow, ImportedFile, Ledger, Party, Person, ProofRequest, Reader,
    Report, Request, SetRequest, Settings, Verified, Who, verify,
};
use ballot_intake::scan::{
    Capture, CodeKind, Direction, Face, Judged, Method, Named, Payload, Scan, ScanId, ScannerId,
    Symbol, Symbology,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

/// Noon in Denver on the day before the election.
pub(crate) const NOON: Micros = Micros(1_793_646_000_000_000);

/// Between a change and its release.
pub(crate) const HOLD_BACK: Duration = Duration::from_mins(10);

/// Transactions that an import may take to be applied.
const IMPORT_PIECES_MAX: usize = 10_000;

type Open = (Ledger, JoinHandle<()>);

pub(crate) struct Station {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) settings: Settings,
    open: Option<Open>,
}

impl Default for Station {
    fn default() -> Self {
        Self::with(|_| ())
    }
}

impl Station {
    /// A station with other settings.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let dir = folder();
        let mut settings = settings(dir.path());
        change(&mut settings);
        let clock = Arc::new(ManualClock::new(NOON));
        let mut station = Self { dir, clock, settings, open: None };
        station.start();
        station
    }

    /// Ballots 1 to `n` are issued, 1 to 3 received and 3 taken back, and an envelope names none; of what is owed the relay has
    /// the first and refused the second. Imports announce what they void.
    pub(crate) fn corrected(n: u32) -> Self {
        let station = Self::with(|settings| settings.announce_imports = vec![Status::Voided]);
        station.import(&(1..=n).map(row).collect::<Vec<_>>());
        for ballot in [1, 2, 3, 99] {
            station.scan_ballot("left", ballot);
        }
        let undo = |reply| Request::Undo { who: Who::os_user("clerk".to_owned()), of: None, reply };
        station.ledger().ask(undo).unwrap().unwrap();
        station.pass(HOLD_BACK);
        let claimed = station.claim();
        station.settle(claimed[0].seq, Answer::Delivered);
        station.settle(claimed[1].seq, Answer::ChangeRefused { why: "422".to_owned() });
        station
    }

    fn start(&mut self) {
        let clock = Arc::clone(&self.clock);
        self.open = Some(Ledger::start(self.settings.clone(), clock, 1_024).unwrap());
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.settings.path.clone()
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.open.as_ref().unwrap().0
    }

    /// Stops as a daemon that was asked to.
    pub(crate) fn close(&mut self) {
        if let Some((ledger, thread)) = self.open.take() {
            drop(ledger);
            thread.join().unwrap();
        }
    }

    pub(crate) fn reopen(&mut self) {
        self.close();
        self.start();
    }

    /// As after a power cut: what is on the disk now is all that the next start finds.
    pub(crate) fn crash(&mut self) {
        let found = folder();
        // As long as somebody reads, the log is not begun anew, so the copies belong together.
        let reading = rusqlite::Connection::open(self.path()).unwrap();
        reading.execute_batch("BEGIN; SELECT count(*) FROM import").unwrap();
        for name in ["ledger.sqlite", "ledger.sqlite-wal", "signing.key"] {
            std::fs::copy(self.dir.path().join(name), found.path().join(name)).unwrap();
        }
        drop(reading);
        self.close();
        self.settings.path = found.path().join("ledger.sqlite");
        self.settings.key_file = found.path().join("signing.key");
        self.dir = found;
        self.start();
    }

    pub(crate) fn ask_for<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> T {
        let (reply, answer) = oneshot::channel();
        self.ledger().send(request(reply)).unwrap();
        answer.blocking_recv().unwrap()
    }

    /// Time passes, and the ledger notices.
    pub(crate) fn pass(&self, while_: Duration) {
        self.clock.advance(while_);
        self.ask_for(Request::Probe);
    }

    pub(crate) fn scan(&self, scanner: &str, face: Face, payload: &str) -> Judged {
        let (verdicts, mut judged) = mpsc::channel(1);
        let scan = Scan {
            id: ScanId(7),
            scanner: ScannerId(1),
            scanner_name: scanner.into(),
            at: ballot_intake::clock::Clock::now(&*self.clock),
            method: Method::Scanner,
            face,
            symbols: vec![symbol(payload)],
        };
        self.ledger().send(Request::Scan { scan: Box::new(scan), verdicts }).unwrap();
        judged.blocking_recv().unwrap()
    }

    /// Scans ballot `n` by its own code.
    pub(crate) fn scan_ballot(&self, scanner: &str, n: u32) -> Judged {
        self.scan(scanner, Face::Names(vec![ballot_code(n)]), &format!("{n:09}"))
    }

    /// Imports a file of these rows; what became of them.
    pub(crate) fn import(&self, rows: &[ImportRow]) -> Counts {
        let import = self.begin_import();
        let ledger = self.ledger();
        let rows = rows.to_vec();
        ledger.ask(|reply| Request::ImportRows { import, rows, reply }).unwrap().unwrap();
        self.decide_import(import)
    }

    pub(crate) fn begin_import(&self) -> i64 {
        for _ in 0..IMPORT_PIECES_MAX {
            if let Ok(number) = self.ledger().ask(Request::ImportBegin).unwrap() {
                return number;
            }
        }
        panic!("the import before this one is never done")
    }

    pub(crate) fn decide_import(&self, import: i64) -> Counts {
        let file = imported_file();
        self.ledger().ask(|reply| Request::ImportCommit { import, file, reply }).unwrap().unwrap()
    }

    pub(crate) fn claim(&self) -> Vec<Delivery> {
        self.ask_for(|reply| Request::Claim { max: 100, reply })
    }

    pub(crate) fn settle(&self, seq: i64, answer: Answer) {
        self.ask_for(|reply| Request::Settle { settled: vec![(seq, answer)], reply });
    }

    /// Signs the chain as it stands.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        self.ledger().ask(|reply| Request::Proof(ProofRequest::Checkpoint(reply))).unwrap()
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.path(), self.settings.zone.clone()).unwrap()
    }

    pub(crate) fn report(&self) -> Report {
        self.reader().report(self.settings.election.as_ref(), NOON).unwrap()
    }

    pub(crate) fn verify(&self) -> Verified {
        verify(&self.path()).unwrap()
    }

    /// The status of ballot `n`.
    pub(crate) fn status(&self, n: u32) -> Status {
        self.reader().ballot("202611", &format!("{n:09}")).unwrap().unwrap().status
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.close();
    }
}

/// The settings of a station whose files are in `dir`.
pub(crate) fn settings(dir: &Path) -> Settings {
    Settings {
        path: dir.join("ledger.sqlite"),
        key_file: dir.join("signing.key"),
        facility: "boulder".to_owned(),
        station: "intake-1".to_owned(),
        zone: Zone::named("America/Denver").unwrap(),
        election: ElectionId::new("202611").ok(),
        receive_until: None,
        postmarked_receive_until: None,
        cure_until: None,
        mode: Mode::Receive,
        hold_back: HOLD_BACK,
        announce_imports: Vec::new(),
        batch_cap: 0,
    }
}

/// A mail ballot file.
pub(crate) fn imported_file() -> ImportedFile {
    ImportedFile {
        file: "ballots.csv".to_owned(),
        sha256: "00".repeat(32),
        layout: "generic".to_owned(),
        refused: 0,
        by: "clerk".to_owned(),
        os_user: None,
    }
}

/// Ballot `n` is set by hand.
pub(crate) fn set(n: u32, status: Status, reason: &str, by: &str) -> SetRequest {
    SetRequest {
        election: row(n).election,
        ballot: row(n).ballot.unwrap(),
        status,
        reason: reason.to_owned(),
        from: None,
        party: Party::of(Person::os_user(by.to_owned())),
    }
}

/// In memory where there is such a place: random tests sync thousands of times.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) fn symbol(payload: &str) -> Symbol {
    Symbol {
        symbology: Named::One(Symbology::Code128),
        identifier: None,
        payload: Payload(payload.into()),
        length: u32::try_from(payload.len()).unwrap(),
        repaired: false,
    }
}

/// Ballot `n` of voter `n`, mailed.
pub(crate) fn row(n: u32) -> ImportRow {
    ImportRow {
        election: ElectionId::new("202611").unwrap(),
        ballot: Some(BallotId::new(&format!("{n:09}")).unwrap()),
        voter: VoterId::new(&format!("V{n}")).unwrap(),
        imb: Some(format!("901234567{n:06}")),
        codes: BTreeMap::new(),
        style: None,
        status: Status::Mailed,
        reason: None,
        mailed: None,
        returned: None,
        receive_until: None,
    }
}

pub(crate) fn ballot_code(n: u32) -> Capture {
    capture(CodeKind::Ballot, &format!("{n:09}"))
}

pub(crate) fn capture(names: CodeKind, code: &str) -> Capture {
    Capture {
        format: names.name().into(),
        names,
        code: code.to_owned(),
        direction: Direction::Return,
    }
}
