//! Counts that are kept as they change, so that a report never reads a million rows.

use crate::ballot::ElectionId;
use rusqlite::{Connection, params};
use std::collections::HashMap;

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// Ballots of an election, by status.
    Ballots(ElectionId),
    /// Ballots of an election that an undecided import staged, by status.
    Staged(i64, ElectionId),
    /// Scans of a batch, by verdict.
    Batch(u32),
    /// Changes for the relay, by state.
    Outbox,
    /// What has no event: repeats and the like.
    Working,
}

impl Scope {
    /// The scope as the table has it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Ballots(election) => format!("ballots/{election}"),
            Self::Staged(import, election) => format!("staged/{import}/{election}"),
            Self::Batch(number) => format!("batch/{number}"),
            Self::Outbox => "outbox".to_owned(),
            Self::Working => "working".to_owned(),
        }
    }
}

/// Differences since the transaction began; written in its last moment.
#[derive(Debug, Default)]
pub(super) struct Tally {
    deltas: HashMap<(Scope, &'static str), i64>,
}

impl Tally {
    /// `n` more of this.
    pub(super) fn add(&mut self, scope: Scope, name: &'static str, n: i64) {
        *self.deltas.entry((scope, name)).or_default() += n;
    }

    /// Writes the differences into the open transaction.
    pub(super) fn flush(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let mut upsert = conn.prepare_cached(
            "INSERT INTO tally (scope, name, n) VALUES (?, ?, ?) \
             ON CONFLICT (scope, name) DO UPDATE SET n = n + excluded.n",
        )?;
        for ((scope, name), n) in self.deltas.drain().filter(|(_, n)| *n != 0) {
            upsert.execute(params![scope.text(), name, n])?;
        }
        Ok(())
    }

    /// What import `number` staged becomes part of its elections.
    pub(super) fn take_over(&mut self, conn: &Connection, number: i64) -> rusqlite::Result<()> {
        self.flush(conn)?;
        let prefix = format!("staged/{number}/");
        conn.execute(
            "INSERT INTO tally (scope, name, n) \
             SELECT 'ballots/' || substr(scope, ?2), name, n FROM tally WHERE substr(scope, 1, ?2 - 1) = ?1 \
             ON CONFLICT (scope, name) DO UPDATE SET n = n + excluded.n",
            params![prefix, i64::try_from(prefix.len() + 1).unwrap_or(i64::MAX)],
        )?;
        Self::drop_staged(conn, number)
    }

    /// Forgets what import `number` staged.
    pub(super) fn drop_staged(conn: &Connection, number: i64) -> rusqlite::Result<()> {
        let prefix = format!("staged/{number}/");
        conn.execute(
            "DELETE FROM tally WHERE substr(scope, 1, ?2) = ?1",
            params![prefix, i64::try_from(prefix.len()).unwrap_or(i64::MAX)],
        )?;
        Ok(())
    }
}

/// Every count of a scope, by name.
pub(super) fn read(conn: &Connection, scope: &Scope) -> rusqlite::Result<HashMap<String, i64>> {
    conn.prepare_cached("SELECT name, n FROM tally WHERE scope = ?")?
        .query_map([scope.text()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}
