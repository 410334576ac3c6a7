//! Batches: which one a scan goes to, and how people open and close them.
//!
//! One that was opened by hand takes every scan of the station until it is closed; with none open, scans go to the running batch of
//! the local day, in the configured mode. What is open is read from the ledger, so a restart changes nothing about it.

mod count;
mod read;
mod reverse;

use super::book::{Book, WriteError};
use super::fact::{BatchClosed, BatchOpened, Fact, Person, Role, Why};
use super::operators::NotAllowed;
use super::rows;
use super::tally::{self, Scope};
use super::unanswered::Purpose;
use super::writer::{Change, Desk, Reply, Taken};
use crate::ballot::{Mode, ReceivedBy};
use crate::clock::Micros;
use crate::scan::Fill;
use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub use count::Difference;
pub use read::{BatchCount, BatchReversal, BatchScan, BatchStory, Contents};
pub use reverse::{LeftAlone, NotReversed, Reversed};
pub(super) use reverse::{Reversal, reversible};

/// The number that stands where a scan is in no batch.
pub(super) const NO_BATCH: u32 = 0;

/// What stands in place of its name.
pub const IN_NO_BATCH: &str = "none";

/// Longest text that is written about a batch, in characters.
pub(super) const TEXT_CHARACTERS_MAX: usize = 200;

/// Most seals that a batch came under.
pub(super) const SEALS_MAX: usize = 64;

/// How near to midnight the end of the running batch's day is placed.
const MIDNIGHT: Duration = Duration::from_secs(1);

/// More than the longest day.
const DAY_MAX: Duration = Duration::from_hours(26);

/// What somebody asks about batches.
#[derive(Debug)]
pub enum BatchRequest {
    /// Open one; scans go to it from here on.
    Open {
        /// What it is.
        wanted: NewBatch,
        /// Who asks.
        person: Person,
        /// What came of it.
        reply: Reply<Result<OpenBatch, NotBatched>>,
    },
    /// Close one.
    Close {
        /// Which, and what was counted.
        closing: Closing,
        /// Who asks.
        person: Person,
        /// What came of it.
        reply: Reply<Result<ClosedBatch, NotBatched>>,
    },
}

/// A batch as somebody wants it opened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NewBatch {
    /// What its scans do; none for what the station is configured for.
    pub mode: Option<Mode>,
    /// How its envelopes came.
    pub received_by: ReceivedBy,
    /// When they did, where that was before they are scanned.
    pub received_at: Option<Micros>,
    /// Why that was earlier.
    pub reason: Option<String>,
    /// Whether all were postmarked in time.
    pub postmarked: bool,
    /// In mode `needs_attention`, what the voters must do.
    pub attention: Option<String>,
    /// The drop box or the mail tray.
    pub place: Option<String>,
    /// The numbers of the seals.
    pub seals: Vec<String>,
    /// Scans from which on the clerk is warned; none for no bound.
    pub cap: Option<u32>,
}

/// A batch that was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenBatch {
    /// `<station>-<n>`.
    pub batch: String,
    /// What its scans do.
    pub mode: Mode,
}

/// A batch as somebody wants it closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// Its number.
    pub batch: u32,
    /// Envelopes counted by hand.
    pub counted: u32,
    /// Why that is not what was scanned.
    pub explanation: Option<String>,
}

/// A batch that was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedBatch {
    /// `<station>-<n>`.
    pub batch: String,
    /// Envelopes counted by hand.
    pub counted: u32,
    /// Different envelopes that were scanned and not taken back.
    pub envelopes: u32,
    /// Why the two differ.
    pub explanation: Option<String>,
}

/// Why a batch was not opened or closed. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotBatched {
    /// Another one was opened by hand.
    #[error("batch {0} is open; close it first")]
    StillOpen(String),
    /// There is no such batch.
    #[error("there is no batch {0}")]
    NotThere(String),
    /// It is closed.
    #[error("batch {0} is closed already")]
    Closed(String),
    /// What was counted is not what was scanned, and nobody says why.
    #[error(
        "batch {0}: {1}; scan what is missing, or say with --explain why the two figures differ"
    )]
    Differs(String, Difference),
    /// Its ballots would stand at `needs_attention` without a word about why.
    #[error("a batch of mode needs_attention needs the reason that voters are told (--attention)")]
    AttentionMissing,
    /// There is a reason for voters, and no voter is told.
    #[error("only a batch of mode needs_attention has a reason that voters are told")]
    AttentionUnused,
    /// An auditor asked.
    #[error("an auditor only reads")]
    OnlyReads,
    /// Whoever asked may do nothing any more.
    #[error(transparent)]
    People(NotAllowed),
    /// Whoever asked is no supervisor who signed in.
    #[error("only a supervisor who signed in may say that envelopes were received earlier")]
    NeedsSupervisor,
    /// Nobody says why.
    #[error("say why the envelopes were received earlier (--reason)")]
    ReasonMissing,
    /// The envelopes are not there yet.
    #[error("{0} is in the future")]
    Future(String),
    /// A text is too long, empty, or would steer a terminal.
    #[error(
        "what is written about a batch is 1 to {TEXT_CHARACTERS_MAX} printable characters, not {0:?}"
    )]
    Text(String),
    /// There are too many seals.
    #[error("a batch came under {SEALS_MAX} seals at most, not {0}")]
    Seals(usize),
}

/// The batch that scans go to.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) number: u32,
    pub(super) mode: Mode,
    /// When its envelopes were received, where that was before they are scanned.
    pub(super) received_at: Option<Micros>,
    /// Whether the later deadline of postmarked envelopes holds.
    pub(super) is_postmarked: bool,
    /// What the voters must do.
    pub(super) attention: Option<Arc<str>>,
    /// For what its envelopes are scanned.
    pub(super) purpose: Purpose,
    /// Scans from which on the clerk is to be warned; none for no bound, and once that was done.
    cap: Option<u32>,
    /// Scans in it so far.
    scans: i64,
    /// When scans go to it: the running batch's day, else always.
    during: Range<Micros>,
}

impl Batch {
    fn holding(scans: i64, opened: &BatchOpened, during: Range<Micros>) -> Self {
        Self {
            number: opened.batch,
            mode: opened.mode,
            received_at: opened.received_at,
            is_postmarked: opened.postmarked,
            attention: opened.attention.as_deref().map(Arc::from),
            purpose: Purpose::of(opened),
            cap: opened.cap,
            scans,
            during,
        }
    }

    /// Whether the clerk is warned with the scan at that position. The scan that filled the batch may never have been answered, so
    /// any other that comes then or later does as well.
    fn fill_at(&mut self, position: i64) -> Fill {
        if self.cap.is_some_and(|cap| position >= i64::from(cap)) {
            self.cap = None;
            return Fill::Full;
        }
        Fill::Room
    }
}

/// A batch as the ledger has it.
struct BatchRow {
    /// Row numbers of the events that opened, closed and reversed it.
    seq: i64,
    closed: Option<i64>,
    reversed: Option<i64>,
}

/// The name of a batch: `<station>-<n>`. Scans of commands are in none.
pub(super) fn name(station: &str, number: u32) -> String {
    if number == NO_BATCH { IN_NO_BATCH.to_owned() } else { format!("{station}-{number}") }
}

fn row_of(conn: &Connection, number: u32) -> rusqlite::Result<Option<BatchRow>> {
    conn.prepare_cached("SELECT seq, closed, reversed FROM batch WHERE number = ?")?
        .query_row([number], |row| {
            Ok(BatchRow { seq: row.get(0)?, closed: row.get(1)?, reversed: row.get(2)? })
        })
        .optional()
}

/// How the batch that was opened at row `seq` began.
fn opening(conn: &Connection, seq: i64) -> rusqlite::Result<(Micros, BatchOpened)> {
    let event = rows::event(conn, seq)?;
    match event.fact {
        Fact::BatchOpened(opened) => Ok((event.at, opened)),
        _ => Err(rows::foreign(0, "no batch was opened there")),
    }
}

/// How batch `number` began, if there is one.
pub(super) fn opened(conn: &Connection, number: u32) -> rusqlite::Result<Option<BatchOpened>> {
    row_of(conn, number)?.map(|row| Ok(opening(conn, row.seq)?.1)).transpose()
}

impl BatchRequest {
    /// Does it, within the open transaction.
    pub(super) fn take(self, now: Micros, desk: &mut Desk<'_>) -> Taken {
        match self {
            Self::Open { wanted, person, reply } => {
                desk.with(reply, |book| book.open_batch(now, wanted, &person))
            }
            Self::Close { closing, person, reply } => {
                desk.with(reply, |book| book.close_batch(now, &closing, &person))
            }
        }
    }
}

impl Book {
    /// The batch that a scan of this moment goes to.
    pub(super) fn batch(&mut self, at: Micros) -> Result<Batch, WriteError> {
        match &self.batch {
            Some(batch) if batch.during.contains(&at) => Ok(batch.clone()),
            _ => {
                let batch = match self.batch_by_hand()? {
                    Some(seq) => {
                        let always = Micros(i64::MIN)..Micros(i64::MAX);
                        self.batch_from(seq, always)?
                    }
                    None => self.running_batch(at)?,
                };
                self.batch = Some(batch.clone());
                Ok(batch)
            }
        }
    }

    /// One more scan in the batch: its position, and whether the clerk is warned.
    pub(super) fn count_scan(&mut self) -> (i64, Fill) {
        let Some(batch) = &mut self.batch else { return (0, Fill::Room) };
        batch.scans += 1;
        (batch.scans, batch.fill_at(batch.scans))
    }

    /// Whether the clerk is warned with a scan that was counted before, and perhaps never answered.
    pub(super) fn fill_of(&mut self, number: u32, position: i64) -> Fill {
        match &mut self.batch {
            Some(batch) if batch.number == number => batch.fill_at(position),
            _ => Fill::Room,
        }
    }

    /// Row number of the event that opened the batch which somebody opened and nobody closed.
    pub(super) fn batch_by_hand(&self) -> rusqlite::Result<Option<i64>> {
        self.conn
            .prepare_cached(
                "SELECT seq FROM batch WHERE closed IS NULL AND day IS NULL ORDER BY number LIMIT 1",
            )?
            .query_row([], |row| row.get(0))
            .optional()
    }

    fn batch_from(&mut self, seq: i64, during: Range<Micros>) -> Result<Batch, WriteError> {
        let (_, opened) = opening(&self.conn, seq)?;
        self.tally.flush(&self.conn)?;
        let scans = tally::read(&self.conn, &Scope::Batch(opened.batch))?.values().sum();
        Ok(Batch::holding(scans, &opened, during))
    }

    fn running_batch(&mut self, at: Micros) -> Result<Batch, WriteError> {
        let day = self.settings.zone.date(at);
        let mode = self.settings.mode;
        let found: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT seq FROM batch WHERE closed IS NULL AND day = ? AND mode = ? \
                 ORDER BY number DESC LIMIT 1",
            )?
            .query_row([day.as_str(), mode.name()], |row| row.get(0))
            .optional()?;
        let until = self.end_of_day(at, &day);
        let seq = found.map_or_else(|| self.open_running_batch(at, day), Ok)?;
        self.batch_from(seq, at..until)
    }

    fn open_running_batch(&mut self, at: Micros, day: String) -> Result<i64, WriteError> {
        let opened = BatchOpened {
            batch: self.next_batch()?,
            mode: self.settings.mode,
            received_by: ReceivedBy::Mail.name().to_owned(),
            day: Some(day),
            received_at: None,
            reason: None,
            postmarked: false,
            attention: None,
            place: None,
            seals: Vec::new(),
            cap: None,
            who: None,
        };
        self.append(at, Fact::BatchOpened(opened), None)?;
        Ok(self.head.seq)
    }

    fn next_batch(&self) -> rusqlite::Result<u32> {
        self.conn
            .prepare_cached("SELECT coalesce(max(number), 0) + 1 FROM batch")?
            .query_row([], |row| row.get(0))
    }

    /// A moment up to which the local date stays `day`: midnight, or a little before.
    fn end_of_day(&self, at: Micros, day: &str) -> Micros {
        let (mut low, mut high) = (at, at.plus(DAY_MAX));
        while high.since(low) > MIDNIGHT {
            let middle = low.plus(high.since(low) / 2);
            if self.settings.zone.date(middle) == day {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Opens a batch by hand.
    pub(super) fn open_batch(
        &mut self,
        now: Micros,
        wanted: NewBatch,
        person: &Person,
    ) -> Result<Result<OpenBatch, NotBatched>, WriteError> {
        let mode = wanted.mode.unwrap_or(self.settings.mode);
        if let Err(why) = self.may_still(&person.who)? {
            return Ok(Err(NotBatched::People(why)));
        }
        if let Err(why) =
            self.judge_receipt(now, &wanted, person).and_then(|()| judge_texts(mode, &wanted))
        {
            return Ok(Err(why));
        }
        if let Some(seq) = self.batch_by_hand()? {
            let (_, open) = opening(&self.conn, seq)?;
            return Ok(Err(NotBatched::StillOpen(self.name_of(open.batch))));
        }
        let batch = self.next_batch()?;
        let opened = BatchOpened {
            batch,
            mode,
            received_by: wanted.received_by.name().to_owned(),
            day: None,
            received_at: wanted.received_at,
            reason: wanted.reason,
            postmarked: wanted.postmarked,
            attention: wanted.attention,
            place: wanted.place,
            seals: wanted.seals,
            cap: wanted.cap.filter(|cap| *cap > 0),
            who: Some(person.who.clone()),
        };
        self.append(now, Fact::BatchOpened(opened), None)?;
        self.batch = None;
        self.mode_goes(mode);
        Ok(Ok(OpenBatch { batch: self.name_of(batch), mode }))
    }

    /// Whether this person may say that the envelopes were received then.
    fn judge_receipt(
        &self,
        now: Micros,
        wanted: &NewBatch,
        person: &Person,
    ) -> Result<(), NotBatched> {
        if person.role == Some(Role::Auditor) {
            return Err(NotBatched::OnlyReads);
        }
        let Some(received_at) = wanted.received_at else { return Ok(()) };
        if received_at > now {
            return Err(NotBatched::Future(self.settings.zone.date_time(received_at)));
        }
        if !person.may(Role::Supervisor) {
            return Err(NotBatched::NeedsSupervisor);
        }
        if wanted.reason.is_none() { Err(NotBatched::ReasonMissing) } else { Ok(()) }
    }

    /// Closes a batch: what was counted by hand is what was scanned, or somebody says why not.
    pub(super) fn close_batch(
        &mut self,
        now: Micros,
        closing: &Closing,
        person: &Person,
    ) -> Result<Result<ClosedBatch, NotBatched>, WriteError> {
        let batch = self.name_of(closing.batch);
        if person.role == Some(Role::Auditor) {
            return Ok(Err(NotBatched::OnlyReads));
        }
        if let Err(why) = self.may_still(&person.who)? {
            return Ok(Err(NotBatched::People(why)));
        }
        let mode = match row_of(&self.conn, closing.batch)? {
            None => return Ok(Err(NotBatched::NotThere(batch))),
            Some(BatchRow { closed: Some(_), .. }) => return Ok(Err(NotBatched::Closed(batch))),
            Some(BatchRow { seq, .. }) => opening(&self.conn, seq)?.1.mode,
        };
        self.tally.flush(&self.conn)?;
        let counted = closing.counted;
        let difference = Difference::of(&self.conn, closing.batch, counted)?;
        let envelopes = difference.envelopes;
        let explanation = closing.explanation.clone().filter(|_| counted != envelopes);
        match &explanation {
            None if counted != envelopes => {
                return Ok(Err(NotBatched::Differs(batch, difference)));
            }
            Some(text) if !is_printable(text) => return Ok(Err(NotBatched::Text(text.clone()))),
            _ => {}
        }
        let fact = BatchClosed {
            batch: closing.batch,
            counted,
            envelopes,
            explanation: explanation.clone(),
            who: person.who.clone(),
        };
        self.append(now, Fact::BatchClosed(fact), None)?;
        self.checkpoint(now, Why::Batch)?;
        self.batch = None;
        self.mode_goes(mode);
        Ok(Ok(ClosedBatch { batch, counted, envelopes, explanation }))
    }

    /// A batch of that mode was opened or closed. Every other one is of the station's mode.
    fn mode_goes(&mut self, mode: Mode) {
        self.changes.push(Change::Batch);
        if mode != self.settings.mode {
            self.changes.push(Change::Mode);
        }
    }

    fn name_of(&self, batch: u32) -> String {
        name(&self.settings.station, batch)
    }
}

/// The name of that batch if it is closed.
pub(super) fn closed(
    conn: &Connection,
    station: &str,
    batch: u32,
) -> rusqlite::Result<Option<String>> {
    let closed = row_of(conn, batch)?.and_then(|row| row.closed);
    Ok(closed.map(|_| name(station, batch)))
}

fn judge_texts(mode: Mode, wanted: &NewBatch) -> Result<(), NotBatched> {
    match (mode, &wanted.attention) {
        (Mode::NeedsAttention, None) => return Err(NotBatched::AttentionMissing),
        (Mode::NeedsAttention, Some(_)) | (_, None) => {}
        (_, Some(_)) => return Err(NotBatched::AttentionUnused),
    }
    if wanted.seals.len() > SEALS_MAX {
        return Err(NotBatched::Seals(wanted.seals.len()));
    }
    let texts = [&wanted.reason, &wanted.attention, &wanted.place].into_iter().flatten();
    match texts.chain(&wanted.seals).find(|text| !is_printable(text)) {
        Some(text) => Err(NotBatched::Text(text.clone())),
        None => Ok(()),
    }
}

fn is_printable(text: &str) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= TEXT_CHARACTERS_MAX
        && !text.chars().any(char::is_control)
}
