//! Scans that a supervisor may have to look at, and whether their ballots still wait for one.
//!
//! A scan that was held or late left its ballot where it was. It waits as long as the ballot stands in an open status: whoever
//! decides about the envelope moves the ballot on, and when that was wrong and the ballot is out again, so does the scan wait again.

use super::Projection;
use crate::ballot::Status;
use crate::ledger::fact::ScanFact;
use crate::ledger::rows::BallotRow;
use crate::ledger::tally::Scope;
use crate::scan::Verdict;
use rusqlite::{OptionalExtension as _, params};

impl Projection<'_> {
    /// A scan that a supervisor may have to look at. One that is held although no ballot is named waits for ever: nothing in the
    /// ledger could say what became of its envelope.
    pub(super) fn excepted(
        &mut self,
        seq: i64,
        scan: &ScanFact,
        row: Option<&BallotRow>,
    ) -> rusqlite::Result<()> {
        let waits = scan.verdict.is_decided_later() && row.is_none_or(|row| row.status.is_open());
        if let Some(row) = row.filter(|_| waits) {
            let before = self.waits(row)?;
            self.count_waiting(row, row.status, before, -1);
            self.count_waiting(row, row.status, Some(scan.verdict), 1);
        }
        self.conn
            .prepare_cached(
                "INSERT INTO exception (seq, verdict, batch, ballot, waits) VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![
                seq,
                scan.verdict.name(),
                scan.batch,
                row.map(|row| row.key),
                waits
            ])?;
        Ok(())
    }

    /// The ballot, which stood as `row` says, stands at `to` from here on.
    pub(super) fn waits_on(&mut self, row: &BallotRow, to: Status) -> rusqlite::Result<()> {
        let Some(verdict) = self.waits(row)? else { return Ok(()) };
        self.count_waiting(row, row.status, Some(verdict), -1);
        self.count_waiting(row, to, Some(verdict), 1);
        self.conn
            .prepare_cached(
                "UPDATE exception SET waits = ? WHERE ballot = ? AND verdict IN ('held', 'late')",
            )?
            .execute(params![to.is_open(), row.key])?;
        Ok(())
    }

    /// The last verdict by which somebody has to decide about the ballot, whether or not that is done.
    fn waits(&self, row: &BallotRow) -> rusqlite::Result<Option<Verdict>> {
        // Most ballots are scanned once, and no event names them before.
        if row.last_seq == 0 {
            return Ok(None);
        }
        let verdict: Option<String> = self
            .conn
            .prepare_cached(
                "SELECT verdict FROM exception WHERE ballot = ? AND verdict IN ('held', 'late') \
                 ORDER BY seq DESC LIMIT 1",
            )?
            .query_row([row.key], |row| row.get(0))
            .optional()?;
        Ok(verdict.as_deref().and_then(Verdict::from_name))
    }

    fn count_waiting(&mut self, row: &BallotRow, at: Status, verdict: Option<Verdict>, n: i64) {
        if let Some(verdict) = verdict.filter(|_| at.is_open()) {
            self.tally.add(Scope::Waiting(at, row.election.clone()), verdict.name(), n);
        }
    }
}
