//! The imports of a ledger, and what each of them changed. A page has a bound, and says where the next one begins.

use super::{ReadError, Reader};
use crate::ledger::fact::{Counts, Fact, Imported, Who};
use crate::ledger::rows;
use rusqlite::{OptionalExtension as _, Row, params};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Imports, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportPage {
    /// The imports.
    pub imports: Vec<ImportEntry>,
    /// Before which number the next page begins; null on the last.
    pub next: Option<i64>,
}

/// One import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportEntry {
    /// Its number in this ledger.
    pub import: i64,
    /// When it was decided, in local time with offset.
    pub at: String,
    /// The file's name, without its folder.
    pub file: String,
    /// SHA-256 of the file, hexadecimal.
    pub file_sha256: String,
    /// The layout by which it was read.
    pub layout: String,
    /// Who.
    #[serde(flatten)]
    pub who: Who,
    /// What became of its rows.
    pub counts: Counts,
    /// Ballots of the file's elections that it does not name and that were not voided; null when nobody counted them.
    pub disappeared: Option<u64>,
    /// Ballots that stayed where they were, for another ballot of their voter came in meanwhile.
    pub overtaken: usize,
    /// Whether all its changes are applied.
    pub applied: bool,
}

/// An import with a page of what it changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportSheet {
    /// The import.
    #[serde(flatten)]
    pub entry: ImportEntry,
    /// Ballots that it changed, in the file's order.
    pub differences: Vec<ImportDifference>,
    /// After which of them the next page begins; null on the last.
    pub next: Option<i64>,
}

/// What an import changed of a ballot that was there before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportDifference {
    /// Where it stands among all such changes of the ledger.
    pub n: i64,
    /// The election.
    pub election: String,
    /// The ballot.
    pub ballot: String,
    /// What the file says otherwise.
    pub fields: Vec<FieldDifference>,
}

/// One field that a file says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldDifference {
    /// The field.
    pub field: String,
    /// What an earlier file said; null where none said anything.
    pub before: Option<String>,
    /// What this one says.
    pub after: String,
}

impl Reader {
    /// At most `limit` imports before that number.
    pub fn import_page(&self, before: i64, limit: usize) -> Result<ImportPage, ReadError> {
        self.snapshot(|| {
            let mut list = self.conn.prepare_cached(
                "SELECT seq, applied FROM import WHERE seq IS NOT NULL AND number < ? \
                 ORDER BY number DESC LIMIT ?",
            )?;
            let mut rows = list.query(params![before, super::rows_and_one(limit)])?;
            let mut imports = Vec::new();
            while let Some(row) = rows.next()? {
                imports.push(self.import_entry(row)?);
            }
            let next = super::cut(&mut imports, limit, |entry| entry.import);
            Ok(ImportPage { imports, next })
        })
    }

    /// Import `number`, if it was decided, with at most `limit` of the ballots that it changed, after that one.
    pub fn import_sheet(
        &self,
        number: i64,
        after: i64,
        limit: usize,
    ) -> Result<Option<ImportSheet>, ReadError> {
        self.snapshot(|| {
            let entry = self
                .conn
                .prepare_cached(
                    "SELECT seq, applied FROM import WHERE seq IS NOT NULL AND number = ?",
                )?
                .query_row([number], |row| self.import_entry(row))
                .optional()?;
            let Some(entry) = entry else { return Ok(None) };
            let mut differences = self
                .conn
                .prepare_cached(
                    "SELECT n, row, coalesce(before, '{}') FROM import_change \
                     WHERE import = ? AND n > ? ORDER BY n LIMIT ?",
                )?
                .query_map(params![number, after, super::rows_and_one(limit)], difference)?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let next = super::cut(&mut differences, limit, |difference| difference.n);
            Ok(Some(ImportSheet { entry, differences, next }))
        })
    }

    fn import_entry(&self, row: &Row<'_>) -> rusqlite::Result<ImportEntry> {
        let event = rows::event(&self.conn, row.get(0)?)?;
        let at = self.zone.date_time(event.at);
        let Fact::Imported(imported) = event.fact else {
            return Err(rows::foreign(0, "the row of an import is none"));
        };
        let Imported { import, file, file_sha256, layout, who, counts, disappeared, .. } = imported;
        let overtaken = imported.overtaken.len();
        let applied = row.get(1)?;
        Ok(ImportEntry {
            import,
            at,
            file,
            file_sha256,
            layout,
            who,
            counts,
            disappeared,
            overtaken,
            applied,
        })
    }
}

fn difference(row: &Row<'_>) -> rusqlite::Result<ImportDifference> {
    let object = |column: usize| -> rusqlite::Result<Map<String, Value>> {
        serde_json::from_str(row.get_ref(column)?.as_str().unwrap_or_default())
            .map_err(|error| rows::foreign(column, &error.to_string()))
    };
    let (after, before) = (object(1)?, object(2)?);
    let names: BTreeSet<&String> = after.keys().collect();
    let changed = |name: &String| {
        let (old, new) = (before.get(name), after.get(name)?);
        (old != Some(new)).then(|| FieldDifference {
            field: name.clone(),
            before: old.map(text),
            after: text(new),
        })
    };
    let said = |name: &str| after.get(name).map(text).unwrap_or_default();
    Ok(ImportDifference {
        n: row.get(0)?,
        election: said("election"),
        ballot: said("ballot"),
        fields: names.into_iter().filter_map(changed).collect(),
    })
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
