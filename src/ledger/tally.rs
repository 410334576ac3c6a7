//! Counts that are kept as they change, so that a report never reads a million rows.

use crate::ballot::{ElectionId, Status};
use crate::clock::Micros;
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, HashMap};

/// Microseconds of a quarter of an hour. Every offset in use is a whole number of them, so a local day and hour is, too.
pub(super) const QUARTER_MICROS: i64 = 15 * 60 * 1_000_000;

/// Between a scanner's name and an operator's, of which neither has it.
const BETWEEN_NAMES: char = '\t';

/// What is counted together. Those that one scan changes stand side by side in the order of their names, so that it changes one
/// page: the newest quarter of an hour is the last before the ballots', the newest batch the first behind them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// Ballots of an election, by status.
    Ballots(ElectionId),
    /// Ballots of an election that an undecided import staged, by status.
    Staged(i64, ElectionId),
    /// Ballots of an election by the status that the import which issued them gave them.
    Issued(ElectionId),
    /// Moves of an election's ballots out of a status by some means, by the status that they were moved to.
    Moves(Means, Status, ElectionId),
    /// Ballots of an election that stand in an open status after a scan that was held or late, by that verdict.
    Waiting(Status, ElectionId),
    /// Scans of a batch, by verdict.
    Batch(u32),
    /// Scans of a quarter of an hour, counted from 1970-01-01T00:00Z, in a batch, by a scanner, of the operator who had signed in
    /// there, if one had; by verdict.
    At(i64, u32, String, Option<String>),
    /// What was counted by hand.
    Counted,
    /// Changes for the relay, by state.
    Outbox,
    /// What has no event: repeats and the like.
    Working,
}

/// By what a ballot is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Means {
    /// A scan.
    Scan,
    /// A clerk took the last scan back.
    Undo,
    /// A supervisor set it, or two operators reversed its batch.
    Hand,
    /// A mail ballot file.
    Import,
}

impl Means {
    pub(super) const ALL: [Self; 4] = [Self::Scan, Self::Undo, Self::Hand, Self::Import];

    /// The name in the table: a scan, or the method of an event that sets a ballot.
    const fn text(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Undo => "manual",
            Self::Hand => "supervisor",
            Self::Import => "import",
        }
    }

    /// The name in reports.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Scan => "scans",
            Self::Undo => "undone",
            Self::Hand => "by_hand",
            Self::Import => "imports",
        }
    }
}

impl Scope {
    /// The scans that are counted with one of that moment.
    pub(super) fn at(at: Micros, batch: u32, scanner: &str, operator: Option<&str>) -> Self {
        Self::At(quarter(at), batch, scanner.to_owned(), operator.map(str::to_owned))
    }

    /// The scope as the table has it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Ballots(election) => format!("ballots/{election}"),
            Self::Staged(import, election) => format!("staged/{import}/{election}"),
            Self::Issued(election) => format!("ballot_issued/{election}"),
            Self::Moves(means, from, election) => {
                format!("ballot_moves/{}/{from}/{election}", means.text())
            }
            Self::Waiting(status, election) => format!("ballot_waiting/{status}/{election}"),
            Self::At(quarter, batch, scanner, None) => {
                format!("at/{quarter:011}/{batch}/{scanner}")
            }
            Self::At(quarter, batch, scanner, Some(operator)) => {
                format!("at/{quarter:011}/{batch}/{scanner}{BETWEEN_NAMES}{operator}")
            }
            Self::Counted => "counted".to_owned(),
            Self::Batch(number) => format!("batch/{:010}", u32::MAX - number),
            Self::Outbox => "ballot_outbox".to_owned(),
            Self::Working => "working".to_owned(),
        }
    }
}

/// The quarter of an hour of that moment. A clock that stands before 1970 is not told from one at its begin.
pub(super) fn quarter(at: Micros) -> i64 {
    at.0.max(0) / QUARTER_MICROS
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
        let (from, until) = staged(number);
        for scope in ["ballots/", "ballot_issued/"] {
            conn.execute(
                "INSERT INTO tally (scope, name, n) \
                 SELECT ?4 || substr(scope, ?3), name, n FROM tally WHERE scope >= ?1 AND scope < ?2 \
                 ON CONFLICT (scope, name) DO UPDATE SET n = n + excluded.n",
                params![from, until, i64::try_from(from.len() + 1).unwrap_or(i64::MAX), scope],
            )?;
        }
        Self::drop_staged(conn, number)
    }

    /// Forgets what import `number` staged.
    pub(super) fn drop_staged(conn: &Connection, number: i64) -> rusqlite::Result<()> {
        let (from, until) = staged(number);
        conn.execute("DELETE FROM tally WHERE scope >= ? AND scope < ?", [from, until])?;
        Ok(())
    }
}

/// The scopes of what an import staged: from the first to before the second. (`0` is the character after `/`.)
fn staged(number: i64) -> (String, String) {
    (format!("staged/{number}/"), format!("staged/{number}0"))
}

/// Every count of a scope, by name.
pub(super) fn read(conn: &Connection, scope: &Scope) -> rusqlite::Result<HashMap<String, i64>> {
    conn.prepare_cached("SELECT name, n FROM tally WHERE scope = ?")?
        .query_map([scope.text()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Every count of scans between two quarters of an hour, the second left out.
pub(super) fn scans_between(
    conn: &Connection,
    (from, until): (i64, i64),
    each: &mut dyn FnMut(ScansAt<'_>),
) -> rusqlite::Result<()> {
    let mut counts = conn.prepare_cached(
        "SELECT scope, name, n FROM tally WHERE scope >= ? AND scope < ? ORDER BY scope",
    )?;
    let bound = |quarter: i64| format!("at/{:011}/", quarter.max(0));
    let mut rows = counts.query([bound(from), bound(until)])?;
    while let Some(row) = rows.next()? {
        let scope = row.get_ref(0)?.as_str()?;
        let mut parts = scope.splitn(4, '/').skip(1);
        let (Some(quarter), Some(batch), Some(scanner)) =
            (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (Ok(quarter), Ok(batch)) = (quarter.parse(), batch.parse()) else { continue };
        let (scanner, operator) = match scanner.split_once(BETWEEN_NAMES) {
            Some((scanner, operator)) => (scanner, Some(operator)),
            None => (scanner, None),
        };
        each(ScansAt {
            quarter,
            batch,
            scanner,
            operator,
            verdict: row.get_ref(1)?.as_str()?,
            n: row.get(2)?,
        });
    }
    Ok(())
}

/// So many scans of one verdict.
pub(super) struct ScansAt<'a> {
    pub(super) quarter: i64,
    pub(super) batch: u32,
    pub(super) scanner: &'a str,
    pub(super) operator: Option<&'a str>,
    pub(super) verdict: &'a str,
    pub(super) n: i64,
}

/// The scans of each batch by verdict, without zeros.
pub(super) fn of_batches(
    conn: &Connection,
) -> rusqlite::Result<HashMap<u32, BTreeMap<String, i64>>> {
    let mut counts = conn.prepare_cached(
        "SELECT scope, name, n FROM tally WHERE scope >= 'batch/' AND scope < 'batch0'",
    )?;
    let mut rows = counts.query([])?;
    let mut batches: HashMap<u32, BTreeMap<String, i64>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let scope = row.get_ref(0)?.as_str()?;
        let before_last: Option<u32> = scope.strip_prefix("batch/").and_then(|n| n.parse().ok());
        let (Some(before_last), n) = (before_last, row.get(2)?) else { continue };
        if n != 0 {
            batches.entry(u32::MAX - before_last).or_default().insert(row.get(1)?, n);
        }
    }
    Ok(batches)
}
