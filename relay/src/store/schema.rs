//! The schema, in numbered steps that both engines take.

use super::{StoreError, Tx};
use crate::params;

/// The steps: the first makes schema 1, the next would make 2 of it.
pub(super) const STEPS: [&str; 1] = [include_str!("schema/v1.sql")];

/// The schema that this relay has.
pub(super) fn latest() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Which steps the database lacks. The table of versions is there already.
pub(super) fn lacking(tx: &mut Tx<'_>) -> Result<Vec<(i64, &'static str)>, StoreError> {
    let version = tx.count("SELECT COALESCE(MAX(version), 0) FROM schema_version", &[])?;
    if version > latest() {
        return Err(StoreError::Later(version));
    }
    Ok((1..).zip(STEPS).filter(|(number, _)| *number > version).collect())
}

/// Notes that a step was taken.
pub(super) fn taken(tx: &mut Tx<'_>, version: i64) -> Result<(), StoreError> {
    tx.run("INSERT INTO schema_version (version) VALUES ($1)", params![version]).map(drop)
}

/// The table of versions.
pub(super) const VERSIONS: &str =
    "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY)";
