//! The file itself: its schema is the ledger's and nothing more, and SQLite finds its pages and indexes whole.

use super::{Anew, Stop, VerifyFault, fault};
use rusqlite::OptionalExtension as _;
use std::path::Path;

/// Statistics that SQLite may have been asked for are nobody's content.
const SCHEMA: &str = "SELECT type, name, tbl_name, sql FROM";
const NO_STATISTICS: &str = "WHERE name NOT LIKE 'sqlite_stat%'";

/// Up to so many pages the whole file is checked at once: a second or two. A larger one is checked table by table, each a moment of
/// its own, and then pages that belong to no table are not looked at.
const WHOLE_PAGES_MAX: i64 = 65_536;

/// What is said of a file that SQLite cannot make sense of.
pub(super) fn damaged(path: &Path, what: &str) -> String {
    format!("the file {} is damaged: {what}", path.display())
}

impl Anew<'_> {
    /// No table, index or trigger is lacking, another's, or too many.
    pub(super) fn check_schema(&mut self) -> Result<(), Stop> {
        let outcome = self.at_once(|anew| {
            for (one, other) in [("old", "main"), ("main", "old")] {
                let sql = format!(
                    "{SCHEMA} {one}.sqlite_schema {NO_STATISTICS} EXCEPT {SCHEMA} {other}.sqlite_schema {NO_STATISTICS} LIMIT 1"
                );
                let different: Option<(String, String)> = anew
                    .conn
                    .prepare(&sql)?
                    .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                if let Some((kind, name)) = different {
                    let (kind, name) =
                        (crate::event::printable(&kind), crate::event::printable(&name));
                    return fault(None, format!("the schema is not the ledger's: {kind} {name}"));
                }
            }
            anew.check_roots()
        });
        outcome.map_err(|stop| match stop {
            Stop::Fault(VerifyFault { seq: None, what }) if !what.starts_with("the schema") => {
                Stop::Fault(VerifyFault {
                    seq: None,
                    what: format!("the schema is not the ledger's: {what}"),
                })
            }
            other => other,
        })
    }

    /// No two trees of the file are one.
    fn check_roots(&self) -> Result<(), Stop> {
        let shared: bool = self
            .conn
            .prepare(
                "SELECT count(*) <> count(DISTINCT rootpage) FROM old.sqlite_schema WHERE rootpage <> 0",
            )?
            .query_row([], |row| row.get(0))?;
        if shared { fault(None, damaged(self.path, "two tables share a page")) } else { Ok(()) }
    }

    /// SQLite's own check of every page, and of each index against its table.
    pub(super) fn check_file(&mut self) -> Result<(), Stop> {
        let pages: i64 =
            self.conn.prepare("PRAGMA old.page_count")?.query_row([], |row| row.get(0))?;
        if pages <= WHOLE_PAGES_MAX {
            return self.check_table("");
        }
        let tables: Vec<String> = self
            .conn
            .prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table'")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for table in tables {
            self.check_table(&table)?;
        }
        Ok(())
    }

    /// Checks one table, or the whole file where none is named.
    fn check_table(&self, table: &str) -> Result<(), Stop> {
        let which = if table.is_empty() { String::new() } else { format!("('{table}')") };
        let found: String = self
            .conn
            .prepare(&format!("PRAGMA old.integrity_check{which}"))?
            .query_row([], |row| row.get(0))?;
        if found == "ok" { Ok(()) } else { fault(None, damaged(self.path, &found)) }
    }
}
