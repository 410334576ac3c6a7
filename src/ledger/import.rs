//! Taking in a mail ballot file: rows are staged in pieces between scans, one event decides, and what it changes is rolled
//! forward in pieces.
//!
//! - A ballot that a staged row issues is written at once and is invisible until the event; a crash before it clears them away.
//! - A row that changes a ballot is kept beside it. From the event on every look-up applies the changes of the ballots that it
//!   meets first, so the order of events is the order of what happened; the rest is applied while nobody scans.
//! - Rows may come in any order. In the order of their ballots they are read, compared and written page by page; the codes of
//!   new ballots are gathered, and written into their index in its own order before the event.
//! - Nothing is ever held in memory but the piece at hand, a run of codes, and a bit for each ballot.

mod codes;
mod row;
mod stage;
mod voters;

pub(crate) use self::row::packed;
pub use self::row::{ImportRow, NotPacked};

use self::codes::{Codes, CodesError};
use self::stage::{Effect, StageError};
use self::voters::Voters;
use super::apply::Change;
use super::book::{Book, WriteError};
use super::fact::{By, Counts, Fact, Imported, Overtaken, SetFact, Who};
use super::key::hex;
use super::rows::{self, BallotRow};
use super::tally::{Scope, Tally};
use crate::ballot::{BallotId, ElectionId, Status, VoterId, import_moves};
use crate::clock::Micros;
use crate::event::LogEvent;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Changes applied, or staged ballots cleared away, in one transaction: well under 20 ms of work.
const PIECE_ROWS: i64 = 500;

/// Codes written into the index in one transaction: the same.
const PIECE_CODES: usize = 2_000;

/// Ballots looked at in one transaction for those that a file does not name: the same.
const PIECE_UNNAMED: usize = 2_000;

/// Ballots passed over in one transaction because the file names them: the same.
const PIECE_NAMED: i64 = 1_000_000;

/// A row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRow {
    /// Its place in the piece, from 0.
    pub index: usize,
    /// Why.
    pub reason: String,
}

/// What became of a piece of rows, row by row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// Rows that were not taken.
    pub refused: Vec<RefusedRow>,
    /// Rows that say something new.
    pub changed: Vec<Changed>,
}

/// A row that says something new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Its place in the piece, from 0.
    pub index: usize,
    /// The ballot as it stands; none when the row issues it.
    pub before: Option<ImportRow>,
    /// The ballot as it is by the row.
    pub after: ImportRow,
}

impl Changed {
    /// Whether the row changes whose the ballot is.
    pub fn is_of_voter(&self) -> bool {
        self.before.as_ref().is_some_and(|before| before.voter != self.after.voter)
    }

    /// Whether the row voids or rejects a ballot whose envelope is in the building.
    pub fn is_to_pull(&self) -> bool {
        self.before.as_ref().is_some_and(|before| before.status.may_count())
            && matches!(self.after.status, Status::Voided | Status::Rejected)
    }
}

/// What is done with a row that says what an earlier one of the file said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeats {
    /// It is refused.
    #[default]
    Refused,
    /// It says nothing new.
    Unchanged,
}

/// A ballot that the ledger has and the file does not name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unnamed {
    /// The election.
    pub election: ElectionId,
    /// The ballot.
    pub ballot: BallotId,
    /// Whose it is.
    pub voter: String,
    /// Where it stands.
    pub status: Status,
}

/// A piece of the ballots that the file does not name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnnamedPiece {
    /// The ballots.
    pub ballots: Vec<Unnamed>,
    /// Whether these were the last.
    pub done: bool,
}

/// Why an import cannot go on. Nothing of it is in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportRefused {
    /// Another import is under way, or an abandoned one is being cleared away.
    #[error("another import is under way")]
    Busy,
    /// It was abandoned, by a failed commit or a restart.
    #[error("import {0} was abandoned: import the file again")]
    Abandoned(i64),
    /// Its codes are being written, after which it takes no more rows.
    #[error("import {0} takes no more rows: its codes are being written")]
    Closed(i64),
    /// What it keeps in files beside the ledger until it is decided could not be written; it was abandoned.
    #[error("a file beside the ledger cannot be written: {0}")]
    Scratch(String),
}

/// Rows of an import, and codes, that share a page of the write-ahead log, about.
const ROWS_PER_PAGE: usize = 10;
const CODES_PER_PAGE: usize = 50;

/// What an import's event says beside its counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedFile {
    /// The file's name, without its folder.
    pub file: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// The layout it was read by.
    pub layout: String,
    /// Rows that were refused before they came to the ledger.
    pub refused: u64,
    /// Who imports.
    pub by: String,
    /// The operating system's user, where `by` is an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_user: Option<String>,
}

/// An import that is being staged.
#[derive(Debug)]
pub(super) struct Staging {
    counts: Counts,
    /// Ballots of which a row was compared.
    seen: Seen,
    /// Ballots of which rows were refused before that.
    named: Seen,
    issued: Sha256,
    changed: Sha256,
    codes: Codes,
    voters: Voters,
    repeats: Repeats,
    /// The last row that named its ballot first, and why it was refused, if it was.
    last: Option<(ImportRow, Option<String>)>,
    /// The elections that the file names.
    elections: Vec<ElectionId>,
    /// The last ballot before the import.
    before: i64,
    /// The last ballot that was looked at for those that the file does not name, and how many those were.
    unnamed: (i64, u64),
    /// Ballots that the file takes in, while a scan took another one of their voter in.
    overtaken: Vec<Overtaken>,
    /// Where files beside the ledger go.
    folders: Vec<PathBuf>,
}

impl Staging {
    fn new(before: i64, folder: &Path) -> Self {
        let folders = vec![folder.to_owned()];
        Self {
            counts: Counts::default(),
            seen: Seen::default(),
            named: Seen::default(),
            issued: Sha256::new(),
            changed: Sha256::new(),
            codes: Codes::new(folders.clone()),
            voters: Voters::default(),
            repeats: Repeats::default(),
            last: None,
            elections: Vec::new(),
            before,
            unnamed: (0, 0),
            overtaken: Vec::new(),
            folders,
        }
    }

    /// Whether the row is about the ballot that the last one was about.
    fn names_last(&self, row: &ImportRow) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|(last, _)| last.ballot == row.ballot && last.election == row.election)
    }

    fn count(&mut self, effect: &Effect) {
        self.counts.rows += 1;
        *match effect {
            Effect::Issued => &mut self.counts.issued,
            Effect::Updated => &mut self.counts.updated,
            Effect::Voided => &mut self.counts.voided,
            Effect::Unchanged => &mut self.counts.unchanged,
            Effect::Refused(_) => &mut self.counts.refused,
        } += 1;
    }
}

/// Ballots that the file has named so far, a bit for each key; keys are given without gaps.
#[derive(Debug, Default)]
struct Seen(Vec<u64>);

impl Seen {
    /// Whether the file names this ballot for the first time.
    fn first(&mut self, key: i64) -> bool {
        let Ok(key) = usize::try_from(key) else { return false };
        let (word, bit) = (key / 64, 1 << (key % 64));
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0.get_mut(word).is_some_and(|word| {
            let first = *word & bit == 0;
            *word |= bit;
            first
        })
    }

    fn has(&self, key: i64) -> bool {
        let word = usize::try_from(key / 64).ok().and_then(|word| self.0.get(word));
        word.is_some_and(|word| word & (1 << (key % 64)) != 0)
    }
}

impl Book {
    /// Begins an import; its number.
    pub(super) fn import_begin(&mut self) -> Result<Result<i64, ImportRefused>, WriteError> {
        if self.staging.is_some() || self.applying.is_some() {
            return Ok(Err(ImportRefused::Busy));
        }
        self.conn.execute(
            "INSERT INTO import (number, coded) SELECT coalesce(max(number), 0) + 1, 0 FROM import",
            [],
        )?;
        let number = self.conn.last_insert_rowid();
        let before: i64 =
            self.conn
                .query_row("SELECT coalesce(max(key), 0) FROM ballot", [], |row| row.get(0))?;
        let folder = self.settings.path.parent().unwrap_or(Path::new("."));
        self.staging = Some(number);
        self.staged = Some(Staging::new(before, folder));
        Ok(Ok(number))
    }

    /// From here on a row that says what an earlier one of the file said is treated so.
    pub(super) fn import_repeats(
        &mut self,
        number: i64,
        repeats: Repeats,
    ) -> Result<(), ImportRefused> {
        let staged = self.staged.as_mut().filter(|_| self.staging == Some(number));
        staged.ok_or(ImportRefused::Abandoned(number))?.repeats = repeats;
        Ok(())
    }

    /// Stages a piece of rows; those that were refused, and those that somebody must hear of.
    pub(super) fn import_stage(
        &mut self,
        number: i64,
        piece: Vec<ImportRow>,
    ) -> Result<Result<Compared, ImportRefused>, WriteError> {
        let mut compared = Compared::default();
        let staged = self.staged_piece(number, piece, |index, row, effect, before| {
            match (effect, before) {
                (Effect::Refused(reason), _) => compared.refused.push(RefusedRow { index, reason }),
                (Effect::Updated | Effect::Voided, Some(before)) => {
                    let after = row.upon(&before);
                    let changed = Changed { index, before: Some(before), after };
                    compared.changed.extend(
                        Some(changed).filter(|told| told.is_of_voter() || told.is_to_pull()),
                    );
                }
                _ => {}
            }
        })?;
        Ok(staged.map(|()| compared))
    }

    /// Stages a piece of rows; what became of each.
    pub(super) fn import_compare(
        &mut self,
        number: i64,
        piece: Vec<ImportRow>,
    ) -> Result<Result<Compared, ImportRefused>, WriteError> {
        let Compared { mut refused, mut changed } = Compared::default();
        let staged =
            self.staged_piece(number, piece, |index, row, effect, before| match effect {
                Effect::Refused(reason) => refused.push(RefusedRow { index, reason }),
                Effect::Unchanged => {}
                Effect::Issued | Effect::Updated | Effect::Voided => {
                    let after =
                        before.as_ref().map_or_else(|| row.clone(), |before| row.upon(before));
                    changed.push(Changed { index, before, after });
                }
            })?;
        Ok(staged.map(|()| Compared { refused, changed }))
    }

    fn staged_piece(
        &mut self,
        number: i64,
        piece: Vec<ImportRow>,
        each: impl FnMut(usize, &ImportRow, Effect, Option<ImportRow>),
    ) -> Result<Result<(), ImportRefused>, WriteError> {
        let Some(mut staged) = self.staged.take_if(|_| self.staging == Some(number)) else {
            return Ok(Err(ImportRefused::Abandoned(number)));
        };
        if !piece.is_empty() && !staged.codes.is_gathering() {
            self.staged = Some(staged);
            return Ok(Err(ImportRefused::Closed(number)));
        }
        self.wal_pages += i64::try_from(piece.len() / ROWS_PER_PAGE).unwrap_or(i64::MAX);
        match self.stage(number, piece, &mut staged, each) {
            Ok(()) => {
                self.staged = Some(staged);
                Ok(Ok(()))
            }
            // What was staged is cleared away.
            Err(StageError::Scratch(error)) => Ok(Err(ImportRefused::Scratch(error.to_string()))),
            Err(StageError::Write(error)) => Err(error),
        }
    }

    /// Writes a piece of the import's codes into their index, after its last row; how many are left.
    pub(super) fn import_index(
        &mut self,
        number: i64,
    ) -> Result<Result<u64, ImportRefused>, WriteError> {
        let Some(mut staged) = self.staged.take_if(|_| self.staging == Some(number)) else {
            return Ok(Err(ImportRefused::Abandoned(number)));
        };
        if staged.codes.is_gathering() {
            self.conn.execute("UPDATE import SET coded = 1 WHERE number = ?", [number])?;
        }
        match staged.codes.write(&self.conn, PIECE_CODES) {
            Ok(()) => {
                let left = staged.codes.left();
                self.wal_pages += i64::try_from(PIECE_CODES / CODES_PER_PAGE).unwrap_or(i64::MAX);
                self.staged = Some(staged);
                Ok(Ok(left))
            }
            Err(CodesError::Scratch(error)) => Ok(Err(ImportRefused::Scratch(error.to_string()))),
            Err(CodesError::Write(error)) => Err(error),
        }
    }

    /// The next piece of the ballots that the file does not name, of the elections that it does and of this one; voided ones are
    /// left out.
    pub(super) fn import_unnamed(
        &mut self,
        number: i64,
        election: Option<ElectionId>,
    ) -> Result<Result<UnnamedPiece, ImportRefused>, WriteError> {
        let Some(staged) = self.staged.as_mut().filter(|_| self.staging == Some(number)) else {
            return Ok(Err(ImportRefused::Abandoned(number)));
        };
        staged.elections.extend(election.filter(|meant| !staged.elections.contains(meant)));
        let (mut key, mut count) = staged.unnamed;
        let mut piece = UnnamedPiece::default();
        let mut read = 0;
        let last = staged.before.min(key + PIECE_NAMED);
        while key < last && read < PIECE_UNNAMED {
            key += 1;
            if staged.seen.has(key) || staged.named.has(key) {
                continue;
            }
            read += 1;
            let Some(row) = rows::at_key(&self.conn, key)? else { continue };
            if row.status != Status::Voided && staged.elections.contains(&row.election) {
                let BallotRow { election, ballot, voter, status, .. } = row;
                piece.ballots.push(Unnamed { election, ballot, voter, status });
                count += 1;
            }
        }
        piece.done = key >= staged.before;
        staged.unnamed = (key, count);
        Ok(Ok(piece))
    }

    /// Decides the import: from this event on it is in force. Codes that are not in the index yet are written first.
    pub(super) fn import_commit(
        &mut self,
        now: Micros,
        number: i64,
        file: &ImportedFile,
    ) -> Result<Result<Counts, ImportRefused>, WriteError> {
        loop {
            match self.import_index(number)? {
                Ok(0) => break,
                Ok(_) => {}
                Err(refused) => return Ok(Err(refused)),
            }
        }
        let Some(staged) = self.staged.take_if(|_| self.staging == Some(number)) else {
            return Ok(Err(ImportRefused::Abandoned(number)));
        };
        let counts = counts_with(staged.counts, file.refused);
        let announces = self.settings.announce_imports.clone();
        self.hold_overtaken(number, &staged.overtaken)?;
        let looked_at_all = staged.unnamed.0 >= staged.before;
        self.append(
            now,
            Fact::Imported(Imported {
                import: number,
                file: file.file.clone(),
                file_sha256: file.sha256.clone(),
                layout: file.layout.clone(),
                who: Who { by: file.by.clone(), os_user: file.os_user.clone() },
                counts,
                issued_sha256: hex(&staged.issued.finalize()),
                changed_sha256: hex(&staged.changed.finalize()),
                announces,
                keeps_unsaid: true,
                disappeared: looked_at_all.then_some(staged.unnamed.1),
                overtaken: staged.overtaken,
            }),
            None,
        )?;
        self.staging = None;
        self.applying = Some(number);
        Ok(Ok(counts))
    }

    /// A new ballot that was overtaken is issued, and not taken in.
    fn hold_overtaken(&mut self, number: i64, overtaken: &[Overtaken]) -> Result<(), WriteError> {
        for Overtaken { election, ballot } in overtaken {
            let row = rows::by_id(&self.conn, election.as_str(), ballot.as_str())?;
            let Some(row) = row.filter(|row| row.since == number && row.status.is_in()) else {
                continue;
            };
            self.conn
                .prepare_cached("UPDATE ballot SET status = ?, reason = NULL WHERE key = ?")?
                .execute(params![Status::Issued.number(), row.key])?;
            let mut staged = |status: Status, n| {
                self.tally.add(Scope::Staged(number, election.clone()), status.name(), n);
            };
            staged(row.status, -1);
            staged(Status::Issued, 1);
        }
        Ok(())
    }

    /// A ballot was taken in while a file is staged. Where that takes in another ballot of the voter, it does so no more.
    pub(super) fn overtakes(&mut self, row: &BallotRow, to: Status) {
        let (true, Some(number)) = (to.may_count(), self.staging) else { return };
        let Some(mut staged) = self.staged.take() else { return };
        if self.find_overtaken(number, row, &mut staged).is_ok() {
            self.staged = Some(staged);
        }
        // Else the import is abandoned, which its next piece hears.
    }

    fn find_overtaken(
        &self,
        number: i64,
        row: &BallotRow,
        staged: &mut Staging,
    ) -> Result<(), StageError> {
        let others = staged.voters.ballots(row.election.as_str(), &row.voter);
        let mut overtaken = Vec::new();
        for other in others.map_err(StageError::Scratch)?.into_iter().filter(|key| *key != row.key)
        {
            let other = self.taken_in(number, other)?;
            if other.voter.as_str() == row.voter && other.election == row.election {
                overtaken.extend(other.ballot.map(|ballot| (other.election, ballot)));
            }
        }
        // It is in for this voter from here on, and no file makes it another one's without a look at what that one has in.
        let change = self.change_of(number, row.key)?;
        if change.is_some_and(|change| change.voter.as_str() != row.voter) {
            overtaken.push((row.election.clone(), row.ballot.clone()));
        }
        for (election, ballot) in overtaken {
            let overtaken = Overtaken { election, ballot };
            if !staged.overtaken.contains(&overtaken) {
                staged.overtaken.push(overtaken);
            }
        }
        Ok(())
    }

    /// Gives an import up; what it would have done.
    pub(super) fn import_abandon(
        &mut self,
        number: i64,
        refused: u64,
    ) -> Result<Counts, ImportRefused> {
        let staged = self.staged.take_if(|_| self.staging == Some(number));
        staged
            .map(|staged| counts_with(staged.counts, refused))
            .ok_or(ImportRefused::Abandoned(number))
    }

    /// Rolls the import forward by a piece, or clears an abandoned one away by a piece; whether there was anything to do.
    pub(super) fn import_step(&mut self) -> Result<bool, WriteError> {
        if let Some(number) = self.applying {
            return self.apply_piece(number).map(|()| true);
        }
        match self.staging {
            Some(number) if self.staged.is_none() => self.clear_piece(number).map(|()| true),
            _ => Ok(false),
        }
    }

    /// Whether [`Book::import_step`] has something to do.
    pub(super) const fn import_waits(&self) -> bool {
        self.applying.is_some() || (self.staging.is_some() && self.staged.is_none())
    }

    fn apply_piece(&mut self, number: i64) -> Result<(), WriteError> {
        let keys: Vec<i64> = self
            .conn
            .prepare_cached(
                "SELECT ballot FROM import_change WHERE import = ? AND done = 0 LIMIT ?",
            )?
            .query_map([number, PIECE_ROWS], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for key in &keys {
            self.apply_change(number, *key)?;
        }
        self.wal_pages += PIECE_ROWS;
        if keys.is_empty() {
            self.conn.execute("UPDATE import SET applied = 1 WHERE number = ?", [number])?;
            self.applying = None;
        }
        Ok(())
    }

    /// Applies what import `number` says of this ballot, if that is not done yet.
    pub(super) fn apply_change(&mut self, number: i64, key: i64) -> Result<(), WriteError> {
        let change: Option<String> = self
            .conn
            .prepare_cached(
                "SELECT row FROM import_change WHERE ballot = ? AND import = ? AND done = 0",
            )?
            .query_row([key, number], |row| row.get(0))
            .optional()?;
        let Some(change) = change else { return Ok(()) };
        let change: ImportRow = serde_json::from_str(&change).map_err(WriteError::Body)?;
        let (seq, imported) = self.decision(number)?;
        let before = current_row(&self.conn, key)?;
        self.projection()
            .imported_change(seq, &Change { key, row: &change, imported: &imported })?;
        let after = current_row(&self.conn, key)?;
        codes::replace(&self.conn, key, &before, &after)?;
        // Where it was overtaken, its voter stays.
        codes::withdraw(&self.conn, key, &change, Some(&after))?;
        let row = rows::by_key(&self.conn, key)?;
        if change.status == Status::Voided
            && row.status.is_in()
            && !import_moves(row.status, Status::Voided)
        {
            tracing::error!(
                event = LogEvent::VoidingOvertaken.name(),
                ballot = row.ballot.as_str(),
                status = row.status.name(),
                "A file voids a ballot that was decided meanwhile; it stays."
            );
        }
        if imported.overtook(&row.election, &row.ballot)
            || !imported.announces.contains(&change.status)
            || !import_moves(row.status, change.status)
        {
            return Ok(());
        }
        let decided = rows::event(&self.conn, seq)?;
        let fact = SetFact {
            election: row.election.clone(),
            ballot: row.ballot.clone(),
            from: row.status,
            to: change.status,
            reason: change.reason,
            method: By::Import,
            who: Who { by: format!("import {number}"), os_user: None },
            confirmed_by: None,
            corrects: None,
            reversal: None,
            unheard: false,
            withdraws: None,
            previous: Some(row.status),
        };
        self.append(decided.at, Fact::Set(fact), Some(&row))?;
        Ok(())
    }

    fn decision(&self, number: i64) -> Result<(i64, Imported), WriteError> {
        let seq: i64 = self
            .conn
            .prepare_cached("SELECT seq FROM import WHERE number = ?")?
            .query_row([number], |row| row.get(0))?;
        match rows::event(&self.conn, seq)?.fact {
            Fact::Imported(imported) => Ok((seq, imported)),
            _ => Err(rows::foreign(0, "the row of an import is none").into()),
        }
    }

    fn clear_piece(&mut self, number: i64) -> Result<(), WriteError> {
        let coded = self
            .conn
            .prepare_cached("SELECT 1 FROM import WHERE number = ? AND coded = 1")?
            .exists([number])?;
        if coded {
            self.withdraw_codes(number)?;
        }
        // Keys grow, so what the last import staged stands at the end of the table.
        let ballots = self.conn.execute(
            "DELETE FROM ballot WHERE key IN \
             (SELECT key FROM (SELECT key, since FROM ballot ORDER BY key DESC LIMIT ?2) WHERE since = ?1)",
            [number, PIECE_ROWS],
        )?;
        let changes = self.conn.execute(
            "DELETE FROM import_change WHERE n IN \
             (SELECT n FROM import_change WHERE import = ? AND done = 0 ORDER BY n DESC LIMIT ?)",
            [number, PIECE_ROWS],
        )?;
        self.wal_pages += PIECE_ROWS / 8;
        if ballots == 0 && changes == 0 {
            // Its row stays: whoever began it must not find another import under its number.
            self.conn.execute("UPDATE import SET applied = 1 WHERE number = ?", [number])?;
            Tally::drop_staged(&self.conn, number)?;
            self.staging = None;
        }
        Ok(())
    }

    /// Takes the codes of the piece that is cleared away next out of their index.
    fn withdraw_codes(&mut self, number: i64) -> Result<(), WriteError> {
        let mut piece = self.conn.prepare_cached(
            "SELECT election, ballot, voter, imb, style, status, reason, mailed, receive_until, codes, returned, \
             key, since FROM ballot ORDER BY key DESC LIMIT ?",
        )?;
        let mut ballots = piece.query([PIECE_ROWS])?;
        while let Some(row) = ballots.next()? {
            if row.get::<_, i64>(12)? == number {
                codes::withdraw(&self.conn, row.get(11)?, &import_row(row)?, None)?;
            }
        }
        let mut piece = self.conn.prepare_cached(
            "SELECT ballot, row FROM import_change WHERE import = ? AND done = 0 ORDER BY n DESC LIMIT ?",
        )?;
        let mut changes = piece.query([number, PIECE_ROWS])?;
        while let Some(row) = changes.next()? {
            let key = row.get(0)?;
            let change: ImportRow =
                serde_json::from_str(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)
                    .map_err(WriteError::Body)?;
            let current = rows::at_key(&self.conn, key)?.map(|_| current_row(&self.conn, key));
            let current = current.transpose()?;
            codes::withdraw(&self.conn, key, &change, current.as_ref())?;
        }
        self.wal_pages += 2 * PIECE_ROWS;
        Ok(())
    }

    /// After opening: an import that was not decided is to be cleared away, one that was decided is to be applied.
    pub(super) fn resume_imports(&mut self) -> rusqlite::Result<()> {
        let first = |sql| self.conn.query_row(sql, [], |row| row.get(0)).optional();
        self.staging = first("SELECT number FROM import WHERE seq IS NULL AND applied = 0")?;
        self.applying = first(
            "SELECT number FROM import WHERE seq IS NOT NULL AND applied = 0 ORDER BY number",
        )?;
        Ok(())
    }
}

/// The row that a file would have to say of this ballot to change nothing.
pub(super) fn current_row(conn: &Connection, key: i64) -> rusqlite::Result<ImportRow> {
    conn.prepare_cached(
        "SELECT election, ballot, voter, imb, style, status, reason, mailed, receive_until, codes, returned \
         FROM ballot WHERE key = ?",
    )?
    .query_row([key], import_row)
}

/// A row as the file had it, or would have it now.
pub(super) fn import_row(row: &Row<'_>) -> rusqlite::Result<ImportRow> {
    let id = |e: crate::ballot::IdError| rows::foreign(0, &e.to_string());
    let time = |column| row.get::<_, Option<i64>>(column).map(|at| at.map(Micros));
    Ok(ImportRow {
        election: ElectionId::new(row.get_ref(0)?.as_str()?).map_err(id)?,
        ballot: Some(BallotId::new(row.get_ref(1)?.as_str()?).map_err(id)?),
        voter: VoterId::new(row.get_ref(2)?.as_str()?).map_err(id)?,
        imb: row.get(3)?,
        codes: rows::codes_in(row, 9)?,
        style: row.get(4)?,
        status: Status::from_number(row.get(5)?).ok_or_else(|| rows::foreign(5, "no status"))?,
        reason: row.get(6)?,
        mailed: time(7)?,
        returned: time(10)?,
        receive_until: time(8)?,
    })
}

/// A canonical row and a line feed, into the digest.
pub(super) fn feed(digest: &mut Sha256, canonical: &str) {
    digest.update(canonical);
    digest.update("\n");
}

const fn counts_with(counts: Counts, refused: u64) -> Counts {
    Counts { rows: counts.rows + refused, refused: counts.refused + refused, ..counts }
}
