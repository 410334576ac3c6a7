//! Who is signed in: random tokens, of which the database has the hash.

use super::visit::{Role, Visitor};
use crate::clock::Micros;
use crate::key::{KeyError, token};
use crate::params;
use crate::store::{Row, StoreError, Tx};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::time::Duration;

/// A voter's session ends so long after it began.
const VOTER_MAX: Duration = Duration::from_hours(1);

/// An operator's: a shift.
const OPERATOR_MAX: Duration = Duration::from_hours(12);

/// Either ends when it was not used for so long.
const IDLE_MAX: Duration = Duration::from_mins(30);

/// Between two times that a session's use is written down.
const SEEN_EVERY: Duration = Duration::from_mins(1);

/// Begins one; its token, which nobody sees again.
pub fn begin(
    tx: &mut Tx<'_>,
    visitor: &Visitor,
    now: Micros,
) -> Result<Option<String>, StoreError> {
    let (role, county, subject, lasts) = match visitor {
        Visitor::Nobody => return Ok(None),
        Visitor::Voter { county, voter } => ("voter", county, voter, VOTER_MAX),
        Visitor::Operator { county, name, .. } => ("operator", county, name, OPERATOR_MAX),
    };
    let Ok(token): Result<String, KeyError> = token() else { return Ok(None) };
    tx.run("DELETE FROM session WHERE expires_at < $1", params![now])?;
    tx.run(
        "INSERT INTO session (token_hash, role, county, subject, created_at, seen_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $5, $6)",
        params![hash(&token), role, county, subject, now, now.plus(lasts)],
    )?;
    Ok(Some(token))
}

/// Whose token it is, if the session lasts; and whether its use must be written down.
pub(super) fn find(
    tx: &mut Tx<'_>,
    token: &str,
    now: Micros,
) -> Result<Option<(Visitor, bool)>, StoreError> {
    let found = tx.row(
        "SELECT role, county, subject, seen_at FROM session \
         WHERE token_hash = $1 AND expires_at > $2 AND seen_at > $3",
        params![hash(token), now, now.minus(IDLE_MAX)],
    )?;
    let Some(row) = found else { return Ok(None) };
    let (county, subject, seen) = (row.text(1)?, row.text(2)?, row.at(3)?);
    let visitor = if row.text(0)? == "operator" {
        operator(tx, &subject)?
    } else {
        Some(Visitor::Voter { county, voter: subject })
    };
    Ok(visitor.map(|visitor| (visitor, now.since(seen) > SEEN_EVERY)))
}

/// Somebody of the office, as they may do now.
fn operator(tx: &mut Tx<'_>, name: &str) -> Result<Option<Visitor>, StoreError> {
    let found = tx.row(
        "SELECT county, role FROM operator WHERE name = $1 AND disabled_at IS NULL",
        params![name],
    )?;
    let of = |row: Row| -> Result<Option<Visitor>, StoreError> {
        let role = Role::from_name(&row.text(1)?);
        let (county, name) = (row.text(0)?, name.to_owned());
        Ok(role.map(|role| Visitor::Operator { county, name, role }))
    };
    found.map_or(Ok(None), of)
}

/// The session is in use.
pub(super) fn seen(tx: &mut Tx<'_>, token: &str, now: Micros) -> Result<(), StoreError> {
    tx.run("UPDATE session SET seen_at = $2 WHERE token_hash = $1", params![hash(token), now])?;
    Ok(())
}

/// Ends one.
pub fn end(tx: &mut Tx<'_>, token: &str) -> Result<(), StoreError> {
    tx.run("DELETE FROM session WHERE token_hash = $1", params![hash(token)])?;
    Ok(())
}

/// Ends all of somebody's.
pub fn end_all(tx: &mut Tx<'_>, role: &str, subject: &str) -> Result<(), StoreError> {
    tx.run("DELETE FROM session WHERE role = $1 AND subject = $2", params![role, subject])?;
    Ok(())
}

fn hash(token: &str) -> String {
    Sha256::digest(token).iter().fold(String::with_capacity(64), |mut text, byte| {
        if write!(text, "{byte:02x}").is_err() {
            text.clear();
        }
        text
    })
}
