//! The open ledger: the one writing connection, the head of the chain, and what must be remembered between scans.

use super::apply::Projection;
use super::at_scanners::AtScanners;
use super::batches::Batch;
use super::body::Origin;
use super::fact::{BODY_VERSION, Event, Fact, Opened};
use super::import::Staging;
use super::key::{KeyError, StationKey};
use super::proof::Checkpoints;
use super::rows::{self, BallotRow};
use super::schema::{self, SchemaError};
use super::tally::{Scope, Tally};
use super::unanswered::{Answered, Unanswered};
use super::writer::Change;
use crate::ballot::{ElectionId, Mode, Status};
use crate::clock::{Clock, Micros, Zone};
use crate::scan::CodeKind;
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;
use std::time::Duration;

/// Random bytes fetched from the operating system at a time; an event id takes 10.
const RANDOM_BYTES: usize = 2_560;

/// The name under which it is counted how often the ledger was opened anew after a failed commit.
const REOPENED: &str = "reopened";

/// Ballots looked up when a ledger is opened, and the time that may take.
const LOOKED_OVER: i64 = 1_024;
const LOOK_OVER_MAX: Duration = Duration::from_millis(250);

/// Pages that one event adds to the write-ahead log, about.
const PAGES_PER_EVENT: i64 = 6;

/// Whose ledger it is and by which rules it judges.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The SQLite file.
    pub path: PathBuf,
    /// The station's secret key; made at first start.
    pub key_file: PathBuf,
    /// `[facility] id`.
    pub facility: String,
    /// `[station] id`.
    pub station: String,
    /// The facility's time zone: the running batch is the local day's.
    pub zone: Zone,
    /// The election whose envelopes are scanned.
    pub election: Option<ElectionId>,
    /// The election's deadline, for ballots that have none of their own.
    pub receive_until: Option<Micros>,
    /// The later deadline of envelopes that were postmarked in time.
    pub postmarked_receive_until: Option<Micros>,
    /// Until when a ballot that needs its voter's attention may be cured.
    pub cure_until: Option<Micros>,
    /// What scans do when no batch says otherwise.
    pub mode: Mode,
    /// How long a change waits for its correction before it is owed to the relay.
    pub hold_back: Duration,
    /// Statuses whose change by an import is owed to the relay.
    pub announce_imports: Vec<Status>,
    /// Scans from which on the clerk is warned in a batch that a command sheet opens; 0 for no bound.
    pub batch_cap: u32,
}

/// Why a ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be used.
    #[error(transparent)]
    Schema(SchemaError),
    /// The station's key cannot be used.
    #[error(transparent)]
    Key(KeyError),
    /// SQLite failed while reading it.
    #[error("cannot read the ledger {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// SQLite failed while writing to it.
    #[error("cannot write the ledger {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The last row does not follow from the one before it.
    #[error("the ledger {path} was changed: row {seq} does not follow from the row before it")]
    Broken {
        /// The file.
        path: PathBuf,
        /// The row.
        seq: i64,
    },
    /// It belongs to another station, or its key file was replaced.
    #[error(
        "the ledger {path} belongs to {theirs}, not to {ours}; where only the key differs, put the signing key's copy back"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Facility, station and key in its first event.
        theirs: String,
        /// Ours.
        ours: String,
    },
    /// The operating system gave no random bytes.
    #[error("no random bytes for event ids")]
    Random(#[source] getrandom::Error),
}

/// Why a transaction was given up. Whatever it was, none of it may be answered good.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// SQLite failed.
    #[error("the ledger could not be written")]
    Sqlite(#[source] rusqlite::Error),
    /// A body could not be made.
    #[error("an event has no JSON form")]
    Body(#[source] serde_json::Error),
    /// The operating system gave no random bytes.
    #[error("no random bytes for event ids")]
    Random(#[source] getrandom::Error),
}

impl From<rusqlite::Error> for WriteError {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sqlite(source)
    }
}

/// The last row of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) hash: [u8; 32],
}

impl Head {
    /// Before the first row.
    pub(super) const START: Self = Self { seq: 0, hash: [0; 32] };

    /// The head once `body` is appended.
    pub(super) fn follow(self, body: &str) -> Self {
        let hash = Sha256::new().chain_update(self.hash).chain_update(body).finalize().into();
        Self { seq: self.seq + 1, hash }
    }
}

/// The open ledger.
pub(super) struct Book {
    pub(super) conn: Connection,
    pub(super) settings: Settings,
    pub(super) key: StationKey,
    pub(super) tally: Tally,
    pub(super) head: Head,
    pub(super) unanswered: Unanswered,
    /// The import that is being staged, or cleared away; invisible until its event.
    pub(super) staging: Option<i64>,
    /// What was staged so far; nothing when it is being cleared away.
    pub(super) staged: Option<Staging>,
    /// The import whose changes are being applied.
    pub(super) applying: Option<i64>,
    /// When the oldest change that is held back becomes due.
    pub(super) next_due: Option<Micros>,
    /// Pages in the write-ahead log since it was last copied into the ledger, about.
    pub(super) wal_pages: i64,
    pub(super) checkpoints: Checkpoints,
    /// The batch that scans go to, once it is known.
    pub(super) batch: Option<Batch>,
    /// Who works at which scanner.
    pub(super) at_scanners: AtScanners,
    /// What people changed in the open transaction.
    pub(super) changes: Vec<Change>,
    origin: Origin,
    random: Vec<u8>,
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Book")
            .field("path", &self.settings.path)
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

impl Book {
    /// Opens the ledger, makes it if there is none, and reads what must be remembered. What scanners committed after row
    /// `answered_to` may not have been answered.
    pub(super) fn open(settings: Settings, answered_to: Option<i64>) -> Result<Self, OpenError> {
        let conn = schema::open_writer(&settings.path).map_err(OpenError::Schema)?;
        let is_begun = conn
            .prepare("SELECT 1 FROM event WHERE seq > 0")
            .and_then(|mut first| first.exists([]))
            .map_err(|source| OpenError::Read { path: settings.path.clone(), source })?;
        let key = if is_begun { StationKey::of_begun } else { StationKey::open };
        let key = key(&settings.key_file).map_err(OpenError::Key)?;
        let origin =
            Origin { facility: settings.facility.clone(), station: settings.station.clone() };
        let path = settings.path.clone();
        let mut book = Self {
            conn,
            key,
            tally: Tally::default(),
            head: Head::START,
            unanswered: Unanswered::default(),
            staging: None,
            staged: None,
            applying: None,
            next_due: None,
            batch: None,
            at_scanners: AtScanners::default(),
            changes: Vec::new(),
            origin,
            wal_pages: 0,
            checkpoints: Checkpoints::default(),
            random: Vec::new(),
            settings,
        };
        let at = |source| OpenError::Read { path, source };
        match book.read_head().map_err(at.clone())? {
            Ok(head) => book.head = head,
            Err(seq) => return Err(OpenError::Broken { path: book.settings.path, seq }),
        }
        if let Some(event) = book
            .conn
            .query_row("SELECT body FROM event WHERE seq = 1", [], |row| rows::event_in(row, 0))
            .optional()
            .map_err(at.clone())?
        {
            book.check_owner(&event)?;
        }
        let answered = match answered_to {
            Some(seq) => Answered::to(seq),
            None => Answered::at_close(&book.conn, book.head.seq).map_err(at.clone())?,
        };
        book.unanswered = Unanswered::read(&book.conn, &answered).map_err(at.clone())?;
        book.resume_imports().map_err(at.clone())?;
        book.checkpoints =
            Checkpoints::read(&book.conn, &book.settings.zone).map_err(at.clone())?;
        book.next_due = book.first_due().map_err(at)?;
        Ok(book)
    }

    /// Looks ballots up from all over the ledger, at most for [`LOOK_OVER_MAX`]: the pages that lead to every ballot are in the
    /// cache then, and the memory of the cache is there, before the first envelope waits for them. A page that cannot be read
    /// is left to whoever needs it.
    pub(super) fn look_over(&self, clock: &dyn Clock) {
        let start = clock.elapsed();
        let last = "SELECT max(key) FROM ballot";
        let Ok(Some(last)) = self.conn.query_row(last, [], |row| row.get::<_, Option<i64>>(0))
        else {
            return;
        };
        let apart = (last / LOOKED_OVER).max(1);
        let mut key = 1;
        while let Ok(Some(row)) = rows::from_key(&self.conn, key)
            && clock.elapsed().saturating_sub(start) < LOOK_OVER_MAX
        {
            for kind in [CodeKind::Ballot, CodeKind::Imb] {
                let Some(code) = row.code(&kind) else { continue };
                if rows::named(&self.conn, row.election.as_str(), &kind, code).is_err() {
                    return;
                }
            }
            key = row.key + apart;
        }
    }

    /// Says what was answered. Nothing is written after this.
    pub(super) fn close(&mut self) -> Result<(), WriteError> {
        Ok(self.unanswered.close(&self.conn, self.head.seq)?)
    }

    /// The last row, once it was seen to follow from the one before it; else its number.
    fn read_head(&self) -> rusqlite::Result<Result<Head, i64>> {
        let mut last =
            self.conn.prepare("SELECT seq, body, hash FROM event ORDER BY seq DESC LIMIT 2")?;
        let rows: Vec<(i64, String, [u8; 32])> = last
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let (before, last) = match rows.as_slice() {
            [] => return Ok(Ok(Head::START)),
            [last] => (Head::START, last),
            [last, before, ..] => (Head { seq: before.0, hash: before.2 }, last),
        };
        let head = before.follow(&last.1);
        Ok(if head == (Head { seq: last.0, hash: last.2 }) { Ok(head) } else { Err(last.0) })
    }

    fn check_owner(&self, first: &Event) -> Result<(), OpenError> {
        let ours = Opened {
            facility: self.settings.facility.clone(),
            station: self.settings.station.clone(),
            public_key: self.key.public_key(),
        };
        let text =
            |o: &Opened| format!("station {} of {} (key {})", o.station, o.facility, o.public_key);
        match &first.fact {
            Fact::Opened(theirs) if *theirs == ours => Ok(()),
            Fact::Opened(theirs) => Err(OpenError::Foreign {
                path: self.settings.path.clone(),
                theirs: text(theirs),
                ours: text(&ours),
            }),
            _ => Err(OpenError::Broken { path: self.settings.path.clone(), seq: 1 }),
        }
    }

    /// Begins the transaction that everything below happens in.
    pub(super) fn begin(&mut self, now: Micros) -> Result<(), WriteError> {
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        if self.head == Head::START {
            let fact = Fact::Opened(Opened {
                facility: self.settings.facility.clone(),
                station: self.settings.station.clone(),
                public_key: self.key.public_key(),
            });
            self.append(now, fact, None)?;
        }
        Ok(())
    }

    /// Makes all of it durable. When this fails it is *not known* whether it is: open the ledger anew.
    pub(super) fn commit(&mut self) -> Result<(), WriteError> {
        self.tally.flush(&self.conn)?;
        self.conn.execute_batch("COMMIT")?;
        Ok(())
    }

    /// Commits and syncs a count of no weight.
    pub(super) fn try_writing(&mut self) -> Result<(), OpenError> {
        let path = self.settings.path.clone();
        self.tally.add(Scope::Working, REOPENED, 1);
        self.tally.flush(&self.conn).map_err(|source| OpenError::Write { path, source })?;
        self.wal_pages += PAGES_PER_EVENT;
        Ok(())
    }

    /// Appends an event and applies it. `row` is the ballot that it names, as it stands.
    pub(super) fn append(
        &mut self,
        at: Micros,
        fact: Fact,
        row: Option<&BallotRow>,
    ) -> Result<Event, WriteError> {
        let event = Event { v: BODY_VERSION, id: self.event_id(at)?, at, fact };
        let body = event.body().map_err(WriteError::Body)?;
        let head = self.head.follow(&body);
        let prev = row.map(|row| row.last_seq).filter(|seq| *seq != 0);
        self.conn
            .prepare_cached("INSERT INTO event (seq, body, hash, ballot_prev) VALUES (?, ?, ?, ?)")?
            .execute(params![head.seq, body, head.hash, prev])?;
        self.head = head;
        self.wal_pages += PAGES_PER_EVENT;
        self.projection().apply(head.seq, &event, row)?;
        if let (Some(row), Some(to)) = (row, event.fact.moves_to()) {
            self.overtakes(row, to);
        }
        if event.fact.owes() {
            // Changes are released in order, so the oldest that is held back is the one to wait for.
            self.next_due.get_or_insert(at.plus(self.settings.hold_back));
        }
        Ok(event)
    }

    /// What derives from events, to be written.
    pub(super) const fn projection(&mut self) -> Projection<'_> {
        Projection {
            conn: &self.conn,
            tally: &mut self.tally,
            hold_back: self.settings.hold_back,
            origin: &self.origin,
        }
    }

    /// A `UUIDv7` of that moment.
    fn event_id(&mut self, at: Micros) -> Result<String, WriteError> {
        if self.random.len() < 10 {
            self.random.resize(RANDOM_BYTES, 0);
            getrandom::fill(&mut self.random).map_err(WriteError::Random)?;
        }
        let mut random = [0; 10];
        let left = self.random.len() - random.len();
        for (to, from) in random.iter_mut().zip(self.random.drain(left..)) {
            *to = from;
        }
        let millis = u64::try_from(at.0 / 1_000).unwrap_or(0);
        Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string())
    }
}
