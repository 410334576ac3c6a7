//! What was derived, held against what stands in the ledger: range by range, each at one moment.

use super::{Anew, Differed, Stop, fault};
use crate::ballot::Status;
use crate::ledger::key::hex;
use rusqlite::OptionalExtension as _;
use rusqlite::types::Value;

/// A table that derives from events.
struct Table {
    name: &'static str,
    /// What makes its rows comparable, the key first. Working columns are left out.
    columns: &'static str,
    /// A whole number by which it is compared in ranges; a table without one is small.
    key: Option<&'static str>,
    /// The rows that are compared.
    only: &'static str,
}

const ALL: &str = "true";

const TABLES: &[Table] = &[
    Table { name: "import", columns: "number, seq", key: None, only: "seq IS NOT NULL" },
    Table {
        name: "import_change",
        columns: "n, import, ballot, row, CASE WHEN (SELECT done FROM old.import_change AS now \
                  WHERE now.n = import_change.n) THEN before END",
        key: Some("n"),
        only: "import NOT IN (SELECT number FROM old.import WHERE seq IS NULL)",
    },
    Table {
        name: "ballot",
        columns: "key, election, ballot, voter, imb, style, issued_status, issued_reason, mailed, receive_until, \
                  since, codes, returned, status, reason, status_seq, last_seq, owed_seq, sent",
        key: Some("key"),
        only: "since NOT IN (SELECT number FROM old.import WHERE seq IS NULL) AND key NOT IN \
               (SELECT change.ballot FROM old.import_change AS change JOIN old.import ON number = import \
                WHERE done = 0 AND applied = 0)",
    },
    Table {
        name: "batch",
        columns: "number, seq, mode, received_by, day, closed, reversed, difference",
        key: None,
        only: ALL,
    },
    Table {
        name: "exception",
        columns: "seq, verdict, batch, ballot, waits",
        key: Some("seq"),
        only: "ballot IS NULL OR ballot NOT IN \
               (SELECT change.ballot FROM old.import_change AS change JOIN old.import ON number = import \
                WHERE done = 0 AND applied = 0)",
    },
    Table {
        name: "operator",
        columns: "name, seq, role, password, badge, disabled",
        key: None,
        only: ALL,
    },
    Table { name: "proposal", columns: "seq, decided", key: Some("seq"), only: ALL },
    Table { name: "checkpoint", columns: "seq, of, note, witnessed", key: Some("seq"), only: ALL },
    Table {
        name: "outbox",
        columns: "seq, ballot, prev, state, sequence, body",
        key: Some("seq"),
        only: ALL,
    },
    Table { name: "event", columns: "seq, ballot_prev", key: Some("seq"), only: ALL },
    Table { name: "tally", columns: "scope, name, n", key: None, only: COUNTS },
];

/// Counts that derive from events; those of ballots only when no import is being rolled forward.
const COUNTS: &str = "n <> 0 AND scope <> 'working' AND scope NOT LIKE 'staged/%' AND \
     (scope IN ('ballot_outbox', 'counted') OR scope LIKE 'batch/%' OR scope LIKE 'at/%' \
     OR NOT EXISTS (SELECT 1 FROM old.import WHERE seq IS NOT NULL AND applied = 0))";

/// Ballots that an import has yet to change stand as it will find them: their rows by their own words, before it and now.
const PENDING: &str = "SELECT change.ballot FROM old.import_change AS change JOIN old.import ON number = change.import \
     JOIN main.import_change AS derived ON derived.n = change.n \
     JOIN old.ballot AS now ON now.key = change.ballot JOIN main.ballot AS ours ON ours.key = change.ballot \
     WHERE change.done = 0 AND applied = 0 AND old.import.seq IS NOT NULL AND ( \
         (now.election, now.ballot, now.voter, now.imb, now.style, {status}, now.reason, now.mailed, now.receive_until, \
          now.codes, now.returned) IS NOT \
         (derived.before ->> 'election', derived.before ->> 'ballot', derived.before ->> 'voter', derived.before ->> 'imb', \
          derived.before ->> 'style', derived.before ->> 'status', derived.before ->> 'reason', derived.before ->> 'mailed', \
          derived.before ->> 'receive_until', derived.before -> 'codes', derived.before ->> 'returned') \
         OR (now.issued_status, now.issued_reason, now.since, now.last_seq, now.owed_seq, now.sent) IS NOT \
            (ours.issued_status, ours.issued_reason, ours.since, ours.last_seq, ours.owed_seq, ours.sent)) LIMIT 1";

/// Rows of a table compared within one transaction.
const PIECE_ROWS: i64 = 1_000;

/// A range of a table's key, up to and with its end.
struct Range {
    after: Option<i64>,
    to: Option<i64>,
}

impl Anew<'_> {
    /// Compares every table; the first row that differs is the fault.
    pub(super) fn compare(&mut self) -> Result<(), Stop> {
        for table in TABLES {
            self.each_range(table, |anew, range| match anew.first_difference(table, range)? {
                Some(row) => fault(
                    None,
                    format!("table {} does not follow from the events: row {row}", table.name),
                ),
                None => Ok(()),
            })
            .map_err(|stop| stop.in_table(table.name))?;
        }
        let names: String = Status::ALL
            .map(|status| format!(" WHEN {} THEN '{}'", status.number(), status.name()))
            .concat();
        let sql = PENDING.replace("{status}", &format!("CASE now.status{names} END"));
        self.check_words()?;
        self.at_once(|anew| {
            anew.catch_up()?;
            let pending: Option<i64> =
                anew.conn.prepare(&sql)?.query_row([], |row| row.get(0)).optional()?;
            match pending {
                Some(key) => {
                    fault(None, format!("table ballot does not follow from the events: row {key}"))
                }
                None => Ok(()),
            }
        })
    }

    /// What is compared with nothing can be read all the same: a word that is no text would spoil a report.
    fn check_words(&mut self) -> Result<(), Stop> {
        for (table, words) in [
            ("tally", "SELECT scope || name FROM old.tally"),
            (
                "outbox",
                "SELECT last_error FROM old.outbox WHERE state < 3 AND last_error IS NOT NULL",
            ),
        ] {
            let read = self.at_once(|anew| {
                let mut words = anew.conn.prepare(words)?;
                let mut rows = words.query([])?;
                while let Some(row) = rows.next()? {
                    row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
                }
                Ok(())
            });
            read.map_err(|stop| stop.in_table(table))?;
        }
        Ok(())
    }

    /// Compares every table, and counts what differs.
    pub(super) fn differing(&mut self) -> Result<Vec<Differed>, Stop> {
        let mut differed = Vec::new();
        for table in TABLES {
            let mut rows = 0;
            self.each_range(table, |anew, range| {
                rows += anew.count_differences(table, range)?;
                Ok(())
            })?;
            if rows > 0 {
                differed.push(Differed { table: table.name, rows });
            }
        }
        Ok(differed)
    }

    /// Every range of a table, each at a moment to which all events were derived.
    fn each_range(
        &mut self,
        table: &Table,
        mut each: impl FnMut(&Self, &Range) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut after = None;
        loop {
            let to = self.at_once(|anew| {
                anew.catch_up()?;
                let range = Range { after, to: anew.end_of_piece(table, after)? };
                each(anew, &range)?;
                Ok(range.to)
            })?;
            if to.is_none() {
                return Ok(());
            }
            after = to;
        }
    }

    /// Where the piece after that key ends; nothing when it is the last.
    fn end_of_piece(&self, table: &Table, after: Option<i64>) -> rusqlite::Result<Option<i64>> {
        let Some(key) = table.key else { return Ok(None) };
        let name = table.name;
        let from = after.map_or(String::new(), |after| format!("WHERE {key} > {after}"));
        let sql = format!(
            "SELECT {key} FROM old.{name} {from} ORDER BY {key} LIMIT 1 OFFSET {}",
            PIECE_ROWS - 1
        );
        self.conn.prepare_cached(&sql)?.query_row([], |row| row.get(0)).optional()
    }

    fn first_difference(&self, table: &Table, range: &Range) -> rusqlite::Result<Option<String>> {
        for (one, other) in [("old", "main"), ("main", "old")] {
            let sql = format!(
                "{} EXCEPT {} LIMIT 1",
                rows_of(one, table, range),
                rows_of(other, table, range)
            );
            let different = self
                .conn
                .prepare(&sql)?
                .query_row([], |row| Ok(format!("{} {}", shown(&row.get(0)?), shown(&row.get(1)?))))
                .optional()?;
            if different.is_some() {
                return Ok(different);
            }
        }
        Ok(None)
    }

    /// Rows by their key, of either side, that the other does not have.
    fn count_differences(&self, table: &Table, range: &Range) -> rusqlite::Result<i64> {
        let [old, new] = ["old", "main"].map(|of| rows_of(of, table, range));
        let key = match table.name {
            "tally" => "scope, name",
            _ => table.columns.split(',').next().unwrap_or("rowid"),
        };
        let sql = format!(
            "SELECT count(*) FROM (SELECT DISTINCT {key} FROM (SELECT * FROM ({old} EXCEPT {new}) \
             UNION ALL SELECT * FROM ({new} EXCEPT {old})))"
        );
        self.conn.prepare(&sql)?.query_row([], |row| row.get(0))
    }
}

/// The rows of a range that are compared.
fn rows_of(schema: &str, table: &Table, range: &Range) -> String {
    let Table { name, columns, key, only } = table;
    let bound = |side: &str, at: Option<i64>| match (key, at) {
        (Some(key), Some(at)) => format!(" AND {key} {side} {at}"),
        _ => String::new(),
    };
    let (after, to) = (bound(">", range.after), bound("<=", range.to));
    format!("SELECT {columns} FROM {schema}.{name} WHERE ({only}){after}{to}")
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Integer(n) => n.to_string(),
        Value::Real(n) => n.to_string(),
        Value::Text(text) => crate::event::printable(text),
        Value::Blob(bytes) => hex(bytes),
    }
}
