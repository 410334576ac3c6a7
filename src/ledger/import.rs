//! Taking in a mail ballot file: rows are staged in pieces between scans, one event decides, and what it changes is rolled
//! forward in pieces.
//!
//! - A ballot that a staged row issues is written at once and is invisible until the event; a crash before it clears them away.
//! - A row that changes a ballot is kept beside it. From the event on every look-up applies the changes of the ballots that it
//!   meets first, so the order of events is the order of what happened; the rest is applied while nobody scans.
//! - Nothing is ever held in memory but the piece at hand.

use super::apply::Change;
use super::book::{Book, WriteError};
use super::fact::{By, Counts, Fact, Imported, SetFact, Who};
use super::key::hex;
use super::rows::{self, BallotRow};
use super::tally::{Scope, Tally};
use crate::ballot::{BallotId, ElectionId, Status, VoterId, import_moves};
use crate::clock::Micros;
use crate::event::LogEvent;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Changes applied, or staged ballots cleared away, in one transaction: well under 20 ms of work.
const PIECE_ROWS: i64 = 500;

/// One row of a mail ballot file, as every layout comes to it; its canonical form is RFC 8785 JSON of this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRow {
    /// The election.
    pub election: ElectionId,
    /// None: the voter's one ballot; where the voter has none, a ballot with the voter's id is issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ballot: Option<BallotId>,
    /// Whose it is.
    pub voter: VoterId,
    /// The 15 digits of mailer id and serial of its mail piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imb: Option<String>,
    /// Other codes that name it, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub codes: BTreeMap<String, String>,
    /// The ballot style.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<String>,
    /// Where it stands by the file.
    pub status: Status,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was mailed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailed: Option<Micros>,
    /// When it came back, by the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<Micros>,
    /// Its own deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_until: Option<Micros>,
}

impl ImportRow {
    /// The id of the ballot that it is about.
    pub(super) fn ballot_id(&self) -> &str {
        self.ballot.as_ref().map_or_else(|| self.voter.as_str(), BallotId::as_str)
    }

    fn canonical(&self) -> Result<String, WriteError> {
        serde_json_canonicalizer::to_string(self).map_err(WriteError::Body)
    }
}

/// A row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRow {
    /// Its place in the piece, from 0.
    pub index: usize,
    /// Why.
    pub reason: String,
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
}

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
#[derive(Debug, Default)]
pub(super) struct Staging {
    counts: Counts,
    seen: Seen,
    issued: Sha256,
    changed: Sha256,
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
}

/// What a row is to the ledger.
enum Effect {
    Issued,
    Updated,
    Voided,
    Unchanged,
    Refused(String),
}

impl Book {
    /// Begins an import; its number.
    pub(super) fn import_begin(&mut self) -> Result<Result<i64, ImportRefused>, WriteError> {
        if self.staging.is_some() || self.applying.is_some() {
            return Ok(Err(ImportRefused::Busy));
        }
        self.conn.execute(
            "INSERT INTO import (number) SELECT coalesce(max(number), 0) + 1 FROM import",
            [],
        )?;
        let number = self.conn.last_insert_rowid();
        self.staging = Some(number);
        self.staged = Some(Staging::default());
        Ok(Ok(number))
    }

    /// Stages a piece of rows; those that were refused.
    pub(super) fn import_stage(
        &mut self,
        number: i64,
        piece: &[ImportRow],
    ) -> Result<Result<Vec<RefusedRow>, ImportRefused>, WriteError> {
        let Some(mut staged) = self.staged.take_if(|_| self.staging == Some(number)) else {
            return Ok(Err(ImportRefused::Abandoned(number)));
        };
        let mut refused = Vec::new();
        for (index, row) in piece.iter().enumerate() {
            staged.counts.rows += 1;
            match self.stage_row(number, row, &mut staged)? {
                Effect::Issued => staged.counts.issued += 1,
                Effect::Updated => staged.counts.updated += 1,
                Effect::Voided => staged.counts.voided += 1,
                Effect::Unchanged => staged.counts.unchanged += 1,
                Effect::Refused(reason) => {
                    staged.counts.refused += 1;
                    refused.push(RefusedRow { index, reason });
                }
            }
        }
        self.staged = Some(staged);
        self.wal_pages += i64::try_from(piece.len()).unwrap_or(i64::MAX);
        Ok(Ok(refused))
    }

    /// Decides the import: from this event on it is in force.
    pub(super) fn import_commit(
        &mut self,
        now: Micros,
        number: i64,
        file: &ImportedFile,
    ) -> Result<Result<Counts, ImportRefused>, WriteError> {
        let Some(staged) = self.staged.take_if(|_| self.staging == Some(number)) else {
            return Ok(Err(ImportRefused::Abandoned(number)));
        };
        let counts = counts_with(staged.counts, file.refused);
        let announces = self.settings.announce_imports.clone();
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
            }),
            None,
        )?;
        self.staging = None;
        self.applying = Some(number);
        Ok(Ok(counts))
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

    fn stage_row(
        &mut self,
        number: i64,
        row: &ImportRow,
        staged: &mut Staging,
    ) -> Result<Effect, WriteError> {
        let Some(before) = self.row_before(row)? else {
            return self.stage_issue(number, row, staged);
        };
        if !staged.seen.first(before.key) {
            return Ok(Effect::Refused(format!(
                "ballot {} stands in the file twice",
                row.ballot_id()
            )));
        }
        let moves = import_moves(before.status, row.status);
        if row.status == Status::Voided && before.status != Status::Voided && !moves {
            return Ok(Effect::Refused(format!(
                "ballot {} is {}: leaving that status takes two operators",
                row.ballot_id(),
                before.status
            )));
        }
        // A status that the ballot has passed is old news.
        let wanted = if moves {
            row.clone()
        } else {
            ImportRow { status: before.status, reason: before.reason, ..row.clone() }
        };
        let current = current_row(&self.conn, before.key)?;
        let wanted = ImportRow {
            ballot: current.ballot.clone(),
            codes: BTreeMap::new(),
            returned: None,
            ..wanted
        };
        if wanted == current {
            return Ok(Effect::Unchanged);
        }
        // What is kept is the file's own word: the ballot may have been moved back by the time that it counts.
        self.stage_change(number, before.key, row, staged)?;
        Ok(if moves && row.status == Status::Voided { Effect::Voided } else { Effect::Updated })
    }

    fn stage_issue(
        &mut self,
        number: i64,
        row: &ImportRow,
        staged: &mut Staging,
    ) -> Result<Effect, WriteError> {
        let announced = self.settings.announce_imports.contains(&row.status);
        // An announced status comes by an event of its own.
        let status = if announced { Status::Issued } else { row.status };
        let reason = row.reason.as_deref().filter(|_| !announced);
        self.conn
            .prepare_cached(
                "INSERT INTO ballot (election, ballot, voter, imb, style, issued_status, issued_reason, \
                 mailed, receive_until, since, status, reason) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
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
                status.number(),
                reason
            ])?;
        let key = self.conn.last_insert_rowid();
        staged.seen.first(key);
        self.tally.add(Scope::Staged(number, row.election.clone()), status.name(), 1);
        feed(&mut staged.issued, &row.canonical()?);
        if announced {
            self.stage_change(number, key, row, staged)?;
        }
        Ok(if row.status == Status::Voided { Effect::Voided } else { Effect::Issued })
    }

    fn stage_change(
        &self,
        number: i64,
        key: i64,
        row: &ImportRow,
        staged: &mut Staging,
    ) -> Result<(), WriteError> {
        let canonical = row.canonical()?;
        feed(&mut staged.changed, &canonical);
        self.conn
            .prepare_cached("INSERT INTO import_change (import, ballot, row) VALUES (?, ?, ?)")?
            .execute(params![number, key, canonical])?;
        Ok(())
    }

    fn row_before(&self, row: &ImportRow) -> rusqlite::Result<Option<BallotRow>> {
        rows::by_id(&self.conn, row.election.as_str(), row.ballot_id())
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
        let (seq, announces) = self.decision(number)?;
        self.projection().imported_change(
            seq,
            &Change { import: number, key, row: &change, announces: &announces },
        )?;
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
        if !announces.contains(&change.status) || !import_moves(row.status, change.status) {
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
            unheard: false,
            withdraws: None,
            previous: Some(row.status),
        };
        self.append(decided.at, Fact::Set(fact), Some(&row))?;
        Ok(())
    }

    fn decision(&self, number: i64) -> Result<(i64, Vec<Status>), WriteError> {
        let seq: i64 = self
            .conn
            .prepare_cached("SELECT seq FROM import WHERE number = ?")?
            .query_row([number], |row| row.get(0))?;
        match rows::event(&self.conn, seq)?.fact {
            Fact::Imported(imported) => Ok((seq, imported.announces)),
            _ => Err(rows::foreign(0, "the row of an import is none").into()),
        }
    }

    fn clear_piece(&mut self, number: i64) -> Result<(), WriteError> {
        // Keys grow, so what the last import staged stands at the end of the table.
        let ballots = self.conn.execute(
            "DELETE FROM ballot WHERE key IN \
             (SELECT key FROM (SELECT key, since FROM ballot ORDER BY key DESC LIMIT ?2) WHERE since = ?1)",
            [number, PIECE_ROWS],
        )?;
        let changes = self.conn.execute(
            "DELETE FROM import_change WHERE n IN \
             (SELECT n FROM import_change WHERE import = ? AND done = 0 LIMIT ?)",
            [number, PIECE_ROWS],
        )?;
        if ballots == 0 && changes == 0 {
            // Its row stays: whoever began it must not find another import under its number.
            self.conn.execute("UPDATE import SET applied = 1 WHERE number = ?", [number])?;
            Tally::drop_staged(&self.conn, number)?;
            self.staging = None;
        }
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
        "SELECT election, ballot, voter, imb, style, status, reason, mailed, receive_until \
         FROM ballot WHERE key = ?",
    )?
    .query_row([key], import_row)
}

/// A row as the file had it, or would have it now.
pub(super) fn import_row(row: &Row<'_>) -> rusqlite::Result<ImportRow> {
    let id = |e: crate::ballot::IdError| rows::foreign(0, &e.to_string());
    Ok(ImportRow {
        election: ElectionId::new(row.get_ref(0)?.as_str()?).map_err(id)?,
        ballot: Some(BallotId::new(row.get_ref(1)?.as_str()?).map_err(id)?),
        voter: VoterId::new(row.get_ref(2)?.as_str()?).map_err(id)?,
        imb: row.get(3)?,
        codes: BTreeMap::new(),
        style: row.get(4)?,
        status: Status::from_number(row.get(5)?).ok_or_else(|| rows::foreign(5, "no status"))?,
        reason: row.get(6)?,
        mailed: row.get::<_, Option<i64>>(7)?.map(Micros),
        returned: None,
        receive_until: row.get::<_, Option<i64>>(8)?.map(Micros),
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
