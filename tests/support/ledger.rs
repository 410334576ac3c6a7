//! Looks into a ledger beside whoever writes it.

use super::DEADLINE;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A ledger, opened to read.
#[derive(Debug)]
pub(crate) struct Look(Connection);

/// An event of the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Its row.
    pub(crate) seq: i64,
    /// What it says.
    pub(crate) body: Value,
}

impl Event {
    /// A field that is text; empty where there is none.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.body.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Look {
    /// Opens the ledger at this path.
    pub(crate) fn open(path: &Path) -> Self {
        let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        conn.busy_timeout(DEADLINE).unwrap();
        Self(conn)
    }

    /// The events after row `seq`, in order.
    pub(crate) fn events_after(&self, seq: i64) -> Vec<Event> {
        let mut rows =
            self.0.prepare("SELECT seq, body FROM event WHERE seq > ? ORDER BY seq").unwrap();
        let events = rows.query_map([seq], |row| {
            Ok(Event {
                seq: row.get(0)?,
                body: serde_json::from_str(&row.get::<_, String>(1)?).unwrap(),
            })
        });
        events.unwrap().map(Result::unwrap).collect()
    }

    /// The scans, in order.
    pub(crate) fn scans(&self) -> Vec<Event> {
        self.events_after(0).into_iter().filter(|event| event.text("kind") == "scan").collect()
    }

    /// The scanner and the verdict of each scan, in order.
    pub(crate) fn verdicts(&self) -> Vec<(String, String)> {
        let both =
            |event: Event| (event.text("scanner").to_owned(), event.text("verdict").to_owned());
        self.scans().into_iter().map(both).collect()
    }

    /// How often each ballot was received.
    pub(crate) fn received(&self) -> BTreeMap<String, usize> {
        let mut received = BTreeMap::new();
        for scan in self.scans().iter().filter(|scan| scan.text("to") == "received") {
            *received.entry(scan.text("ballot").to_owned()).or_default() += 1;
        }
        received
    }

    /// The rows of changes that the outbox has, in order.
    pub(crate) fn outbox(&self) -> Vec<i64> {
        let mut rows = self.0.prepare("SELECT seq FROM outbox ORDER BY seq").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// How many changes are not yet with the relay.
    pub(crate) fn pending(&self) -> i64 {
        self.0
            .query_row("SELECT count(*) FROM outbox WHERE state < 3", [], |row| row.get(0))
            .unwrap()
    }
}
