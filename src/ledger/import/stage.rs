//! What a row of a file is to the ledger: a new ballot, a change, nothing new, or refused.

use super::super::book::{Book, WriteError};
use super::super::fact::{By, Fact};
use super::super::rows::{self, BallotRow};
use super::super::tally::Scope;
use super::codes::CodesError;
use super::row::ImportRow;
use super::{Repeats, Staging, feed, import_row};
use crate::ballot::{BallotId, Status, import_moves};
use crate::scan::CodeKind;
use rusqlite::{OptionalExtension as _, Row, params};
use std::collections::BTreeMap;
use std::io;

/// Ballots read at once for a piece of rows in order, beside those of the piece.
const BESIDE_MAX: usize = 1_000;

/// Events of a ballot that are looked back over for the one that took it in.
const EVENTS_BACK_MAX: usize = 64;

/// What a row is to the ledger.
#[derive(Debug)]
pub(super) enum Effect {
    Issued,
    Updated,
    Voided,
    Unchanged,
    Refused(String),
}

/// Why a piece was not staged.
#[derive(Debug)]
pub(super) enum StageError {
    /// The ledger cannot be written.
    Write(WriteError),
    /// A file beside it cannot be.
    Scratch(io::Error),
}

impl From<rusqlite::Error> for StageError {
    fn from(source: rusqlite::Error) -> Self {
        Self::Write(source.into())
    }
}

impl From<CodesError> for StageError {
    fn from(error: CodesError) -> Self {
        match error {
            CodesError::Scratch(error) => Self::Scratch(error),
            CodesError::Write(error) => Self::Write(error),
        }
    }
}

/// A ballot of the ledger, as a file would have to say it to change nothing.
struct Known {
    key: i64,
    row: ImportRow,
    /// What the row that issued it said of its status.
    issued: (Status, Option<String>),
    /// Its last event; 0 where it has none.
    last_seq: i64,
}

/// A statement that selects ballots as [`Known`].
macro_rules! known {
    ($where:literal) => {
        concat!(
            "SELECT election, ballot, voter, imb, style, status, reason, mailed, receive_until, codes, returned, ",
            "key, issued_status, issued_reason, last_seq FROM ballot WHERE ",
            $where
        )
    };
}

impl Known {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let issued = Status::from_number(row.get(12)?);
        let issued = issued.ok_or_else(|| rows::foreign(12, "no status"))?;
        let issued = (issued, row.get(13)?);
        Ok(Self { key: row.get(11)?, row: import_row(row)?, issued, last_seq: row.get(14)? })
    }
}

/// The ballots of a piece whose rows are in order, read in one go.
struct Ahead {
    known: std::iter::Peekable<std::vec::IntoIter<Known>>,
    /// The last ballot up to which all were read.
    until: BallotId,
}

impl Book {
    /// Stages rows; `each` hears what became of which, with the ballot as it stood.
    pub(super) fn stage(
        &mut self,
        number: i64,
        piece: Vec<ImportRow>,
        staged: &mut Staging,
        mut each: impl FnMut(usize, &ImportRow, Effect, Option<ImportRow>),
    ) -> Result<(), StageError> {
        let mut ahead = self.read_ahead(&piece)?;
        let mut issued = BTreeMap::new();
        for (index, row) in piece.into_iter().enumerate() {
            if row.is_refused() {
                self.names(&row, staged)?;
                continue;
            }
            if !staged.elections.contains(&row.election) {
                staged.elections.push(row.election.clone());
            }
            let mut row = match self.with_ballot(row)? {
                Ok(row) => row,
                Err((row, why)) => {
                    self.names(&row, staged)?;
                    staged.counts.rows += 1;
                    staged.counts.refused += 1;
                    each(index, &row, Effect::Refused(why), None);
                    continue;
                }
            };
            let (effect, before) = self.stage_row(number, &mut row, staged, ahead.as_mut())?;
            if matches!(effect, Effect::Issued | Effect::Voided) && before.is_none() {
                let status = self.status_at_issue(&row);
                *issued.entry((row.election.clone(), status)).or_default() += 1;
            }
            staged.count(&effect);
            let why = match &effect {
                Effect::Refused(why) => Some(why.clone()),
                _ => None,
            };
            each(index, &row, effect, before);
            if !staged.names_last(&row) {
                staged.last = Some((row, why));
            }
        }
        for ((election, status), n) in issued {
            self.tally.add(Scope::Staged(number, election), Status::name(status), n);
        }
        Ok(())
    }

    /// Reads the ballots of rows in order at once; nothing when they are in none.
    fn read_ahead(&self, piece: &[ImportRow]) -> rusqlite::Result<Option<Ahead>> {
        let is_in_order = |pair: &[ImportRow]| match pair {
            [a, b] => a.election == b.election && a.ballot.is_some() && a.ballot <= b.ballot,
            _ => false,
        };
        let (Some(first), Some(last)) = (piece.first(), piece.last()) else { return Ok(None) };
        let Some(until) = last.ballot.clone() else { return Ok(None) };
        if piece.len() < 2 || !piece.windows(2).all(is_in_order) {
            return Ok(None);
        }
        let max = piece.len() + BESIDE_MAX;
        let known: Vec<Known> = self
            .conn
            .prepare_cached(known!(
                "election = ? AND ballot BETWEEN ? AND ? ORDER BY ballot LIMIT ?"
            ))?
            .query_map(
                params![
                    first.election.as_str(),
                    first.ballot_id(),
                    until.as_str(),
                    i64::try_from(max).unwrap_or(i64::MAX)
                ],
                Known::read,
            )?
            .collect::<rusqlite::Result<_>>()?;
        let until = match known.last().and_then(|known| known.row.ballot.clone()) {
            Some(cut) if known.len() == max => cut,
            _ => until,
        };
        Ok(Some(Ahead { known: known.into_iter().peekable(), until }))
    }

    /// The ballot of that row, as it stands.
    fn known(
        &self,
        row: &ImportRow,
        staged: &Staging,
        ahead: Option<&mut Ahead>,
    ) -> rusqlite::Result<Option<Known>> {
        if let Some(ahead) = ahead
            && !staged.names_last(row)
            && row.ballot_id() <= ahead.until.as_str()
        {
            let before = |known: &Known| known.row.ballot_id() < row.ballot_id();
            while ahead.known.next_if(before).is_some() {}
            return Ok(ahead.known.next_if(|known| known.row.ballot == row.ballot));
        }
        self.conn
            .prepare_cached(known!("election = ? AND ballot = ?"))?
            .query_row([row.election.as_str(), row.ballot_id()], Known::read)
            .optional()
    }

    /// The file names the ballot of a row that is refused, or the voter's.
    fn names(&self, row: &ImportRow, staged: &mut Staging) -> Result<(), StageError> {
        let election = row.election.as_str();
        let (names, code) = match &row.ballot {
            Some(ballot) => (CodeKind::Ballot, ballot.as_str()),
            None => (CodeKind::Voter, row.voter.as_str()),
        };
        for ballot in rows::named(&self.conn, election, &names, code)? {
            staged.named.first(ballot.key);
        }
        Ok(())
    }

    /// What the row is to the ledger, and how its ballot stood. When a ballot came in is no news where the ledger knows it.
    fn stage_row(
        &mut self,
        number: i64,
        row: &mut ImportRow,
        staged: &mut Staging,
        ahead: Option<&mut Ahead>,
    ) -> Result<(Effect, Option<ImportRow>), StageError> {
        let Some(known) = self.known(row, staged, ahead)? else {
            return Ok((self.stage_issue(number, row, staged)?, None));
        };
        if row.returned.is_some()
            && row.returned != known.row.returned
            && self.has_recorded_receipt(&known)?
        {
            row.returned = None;
        }
        let row = &*row;
        if !staged.seen.first(known.key) {
            return Ok((self.repeat(number, row, &known, staged)?, Some(known.row)));
        }
        let Known { key, row: current, .. } = known;
        if row.is_no_news(&current) && !is_voiding_too_late(row, &current) {
            return Ok((Effect::Unchanged, Some(current)));
        }
        if let Some(why) = self.refused(number, row, Some((key, &current)), staged)? {
            return Ok((Effect::Refused(why), Some(current)));
        }
        // What is kept is the file's own word: the ballot may have been moved back by the time that it counts.
        self.stage_change(number, key, row, staged)?;
        staged.codes.gather(key, row, Some(&current)).map_err(StageError::Scratch)?;
        if brings_in(row, Some(&current)) {
            Self::takes_in(row, key, staged)?;
        }
        let voids = row.status == Status::Voided && import_moves(current.status, row.status);
        Ok((if voids { Effect::Voided } else { Effect::Updated }, Some(current)))
    }

    /// Whether the ballot is in by a scan or by hand, so that the ledger knows when it came.
    fn has_recorded_receipt(&self, known: &Known) -> Result<bool, StageError> {
        let mut seq = known.last_seq;
        for _ in 0..EVENTS_BACK_MAX {
            if seq == 0 || !known.row.status.is_in() {
                return Ok(false);
            }
            let (event, before) = self
                .conn
                .prepare_cached("SELECT body, coalesce(ballot_prev, 0) FROM event WHERE seq = ?")?
                .query_row([seq], |row| Ok((rows::event_in(row, 0)?, row.get::<_, i64>(1)?)))?;
            let (from, to, is_our_own) = match &event.fact {
                Fact::Scan(scan) => (scan.from, scan.to, true),
                Fact::Set(set) => (Some(set.from), Some(set.to), !matches!(set.method, By::Import)),
                _ => (None, None, false),
            };
            let was_in = from.is_some_and(Status::is_in);
            match to {
                // A file took it in afterwards.
                Some(to) if !to.is_in() => return Ok(false),
                Some(_) if !was_in => return Ok(is_our_own),
                _ => seq = if before < seq { before } else { 0 },
            }
        }
        Ok(false)
    }

    /// The row with its ballot: one that names a voter alone is about that voter's ballot.
    fn with_ballot(
        &self,
        row: ImportRow,
    ) -> Result<Result<ImportRow, (ImportRow, String)>, StageError> {
        if row.ballot.is_some() {
            return Ok(Ok(row));
        }
        let (election, voter) = (row.election.as_str(), row.voter.as_str());
        let mut ballots = rows::named(&self.conn, election, &CodeKind::Voter, voter)?;
        ballots.retain(|ballot| Some(ballot.since) != self.staging);
        let open = |ballot: &BallotRow| ballot.status != Status::Voided;
        if ballots.iter().any(open) {
            ballots.retain(open);
        }
        let ballot = match ballots.as_slice() {
            [one] => Ok(one.ballot.clone()),
            [] => self.own_ballot(election, voter)?,
            _ => Err(format!("voter {voter} has several ballots: the file must say which")),
        };
        Ok(match ballot {
            Ok(ballot) => Ok(ImportRow { ballot: Some(ballot), ..row }),
            Err(why) => Err((row, why)),
        })
    }

    /// The ballot that is issued to a voter who has none, under the voter's own id.
    fn own_ballot(
        &self,
        election: &str,
        voter: &str,
    ) -> Result<Result<BallotId, String>, StageError> {
        let taken = rows::by_id(&self.conn, election, voter)?;
        if taken.is_some_and(|taken| taken.voter != voter) {
            let why = format!("voter {voter} has no ballot, and ballot {voter} is another voter's");
            return Ok(Err(why));
        }
        Ok(BallotId::new(voter).map_err(|why| format!("voter {voter} is no ballot's id: {why}")))
    }

    /// A row of a ballot that the file has named before.
    fn repeat(
        &self,
        number: i64,
        row: &ImportRow,
        first: &Known,
        staged: &Staging,
    ) -> Result<Effect, StageError> {
        let twice = format!("ballot {} stands in the file twice", row.ballot_id());
        if staged.repeats == Repeats::Refused {
            return Ok(Effect::Refused(twice));
        }
        if let Some((last, why)) = staged.last.as_ref().filter(|_| staged.names_last(row)) {
            return Ok(match why {
                Some(why) if last == row => Effect::Refused(why.clone()),
                None if last == row => Effect::Unchanged,
                _ => Effect::Refused(twice),
            });
        }
        let said = if let Some(change) = self.change_of(number, first.key)? {
            change == *row
        } else if first.key > staged.before {
            let (status, reason) = first.issued.clone();
            ImportRow { status, reason, ..first.row.clone() } == *row
        } else {
            row.is_no_news(&first.row) && !is_voiding_too_late(row, &first.row)
        };
        Ok(if said { Effect::Unchanged } else { Effect::Refused(twice) })
    }

    /// What import `number` says of a ballot that was there already.
    pub(super) fn change_of(&self, number: i64, key: i64) -> Result<Option<ImportRow>, StageError> {
        let change: Option<String> = self
            .conn
            .prepare_cached("SELECT row FROM import_change WHERE ballot = ? AND import = ?")?
            .query_row([key, number], |row| row.get(0))
            .optional()?;
        let change = change.map(|change| serde_json::from_str(&change)).transpose();
        change.map_err(|e| StageError::Write(WriteError::Body(e)))
    }

    /// Why the row cannot be taken, if it cannot. `known` is the ballot as it stands.
    fn refused(
        &self,
        number: i64,
        row: &ImportRow,
        known: Option<(i64, &ImportRow)>,
        staged: &Staging,
    ) -> Result<Option<String>, StageError> {
        if let Some((_, current)) = known
            && is_voiding_too_late(row, current)
        {
            return Ok(Some(format!(
                "ballot {} is {}: leaving that status takes two operators",
                row.ballot_id(),
                current.status
            )));
        }
        let current = known.map(|(_, current)| current);
        let accepts = row.status == Status::Accepted
            && current.is_some_and(|current| import_moves(current.status, row.status));
        if !accepts && !brings_in(row, current) {
            return Ok(None);
        }
        self.other_in(number, row, known.map(|(key, _)| key), staged)
    }

    /// Another ballot of this voter that is in and may count: two of them never come to do so by a file alone.
    fn other_in(
        &self,
        number: i64,
        row: &ImportRow,
        key: Option<i64>,
        staged: &Staging,
    ) -> Result<Option<String>, StageError> {
        let (election, voter) = (row.election.as_str(), row.voter.as_str());
        if staged.before > 0 {
            let others = rows::named(&self.conn, election, &CodeKind::Voter, voter)?;
            let is_in = |other: &&BallotRow| {
                Some(other.key) != key && other.since != number && other.status.may_count()
            };
            if let Some(other) = others.iter().find(is_in) {
                let why = format!("ballot {} of this voter is {}", other.ballot, other.status);
                return Ok(Some(why));
            }
        }
        let others = staged.voters.ballots(election, voter).map_err(StageError::Scratch)?;
        for other in others.into_iter().filter(|other| Some(*other) != key) {
            let other = self.taken_in(number, other)?;
            if other.voter == row.voter && other.election == row.election {
                return Ok(Some(format!(
                    "the file takes in ballot {} of this voter, too",
                    other.ballot_id()
                )));
            }
        }
        Ok(None)
    }

    /// What import `number` says of a ballot that it takes in.
    pub(super) fn taken_in(&self, number: i64, key: i64) -> Result<ImportRow, StageError> {
        match self.change_of(number, key)? {
            Some(change) => Ok(change),
            None => Ok(super::current_row(&self.conn, key)?),
        }
    }

    fn takes_in(row: &ImportRow, key: i64, staged: &mut Staging) -> Result<(), StageError> {
        let (election, voter) = (row.election.as_str(), row.voter.as_str());
        staged.voters.add(election, voter, key, &staged.folders).map_err(StageError::Scratch)
    }

    /// Where the row's ballot stands once it is issued: an announced status comes by an event of its own.
    fn status_at_issue(&self, row: &ImportRow) -> Status {
        let announced = self.settings.announce_imports.contains(&row.status);
        if announced { Status::Issued } else { row.status }
    }

    fn stage_issue(
        &mut self,
        number: i64,
        row: &ImportRow,
        staged: &mut Staging,
    ) -> Result<Effect, StageError> {
        if let Some(why) = self.refused(number, row, None, staged)? {
            return Ok(Effect::Refused(why));
        }
        let announced = self.settings.announce_imports.contains(&row.status);
        let reason = row.reason.as_deref().filter(|_| !announced);
        self.conn
            .prepare_cached(
                "INSERT INTO ballot (election, ballot, voter, imb, style, issued_status, issued_reason, mailed, \
                 receive_until, since, status, reason, codes, returned) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            )?
            .execute(params![
                row.election.as_str(),
                row.ballot_id(),
                row.voter.as_str(),
                row.imb,
                row.style,
                row.status.number(),
                row.reason,
                row.mailed.map(|at| at.0),
                row.receive_until.map(|at| at.0),
                number,
                self.status_at_issue(row).number(),
                reason,
                rows::codes_text(&row.codes)?,
                row.returned.map(|at| at.0),
            ])?;
        let key = self.conn.last_insert_rowid();
        staged.seen.first(key);
        feed(&mut staged.issued, &canonical(row)?);
        staged.codes.gather(key, row, None).map_err(StageError::Scratch)?;
        if announced {
            self.stage_change(number, key, row, staged)?;
        }
        if brings_in(row, None) {
            Self::takes_in(row, key, staged)?;
        }
        Ok(if row.status == Status::Voided { Effect::Voided } else { Effect::Issued })
    }

    fn stage_change(
        &self,
        number: i64,
        key: i64,
        row: &ImportRow,
        staged: &mut Staging,
    ) -> Result<(), StageError> {
        let canonical = canonical(row)?;
        feed(&mut staged.changed, &canonical);
        self.conn
            .prepare_cached("INSERT INTO import_change (import, ballot, row) VALUES (?, ?, ?)")?
            .execute(params![number, key, canonical])?;
        Ok(())
    }
}

fn canonical(row: &ImportRow) -> Result<String, StageError> {
    row.canonical().map_err(|e| StageError::Write(WriteError::Body(e)))
}

/// Whether by the row one more ballot of its voter is in and may count: it comes in, or it was another voter's.
fn brings_in(row: &ImportRow, current: Option<&ImportRow>) -> bool {
    let Some(current) = current else { return row.status.may_count() };
    let moves = import_moves(current.status, row.status);
    let is_in = if moves { row.status } else { current.status }.may_count();
    is_in && (!current.status.may_count() || current.voter != row.voter)
}

/// Whether the row voids a ballot that only two people could void.
fn is_voiding_too_late(row: &ImportRow, current: &ImportRow) -> bool {
    row.status == Status::Voided
        && current.status != Status::Voided
        && !import_moves(current.status, row.status)
}
