//! What somebody at the office must look at: one open alarm for each thing, however often it happens.

use crate::clock::Micros;
use crate::id::new_id;
use crate::params;
use crate::store::{StoreError, Tx};

/// What is raised. `subject` is what it is about (an id of ours, never an address), `what` a sentence for the office.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm<'a> {
    /// Whose office; `*` for all of them.
    pub county: &'a str,
    /// `not_me`, `template`, `channel`, `gap`, `future_date`, `conflict`, `bulk`, `unconfirmed`.
    pub kind: &'a str,
    /// What it is about.
    pub subject: &'a str,
    /// What happened, and what to do.
    pub what: &'a str,
}

/// Raises an alarm, unless the same one is open.
pub fn raise(tx: &mut Tx<'_>, alarm: Alarm<'_>, now: Micros) -> Result<(), StoreError> {
    let Alarm { county, kind, subject, what } = alarm;
    let open = tx.count(
        "SELECT COUNT(*) FROM alarm WHERE county = $1 AND kind = $2 AND subject = $3
         AND closed_at IS NULL",
        params![county, kind, subject],
    )?;
    if open == 0 {
        tx.run(
            "INSERT INTO alarm (id, county, kind, subject, what, raised_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![new_id(now), county, kind, subject, what, now],
        )?;
        tracing::error!(kind, "An alarm was raised; the office must look at it.");
    }
    Ok(())
}

/// Somebody looked at it. Whether it was open.
pub fn close(tx: &mut Tx<'_>, id: &str, operator: &str, now: Micros) -> Result<bool, StoreError> {
    let closed = tx.run(
        "UPDATE alarm SET closed_at = $2, closed_by = $3 WHERE id = $1 AND closed_at IS NULL",
        params![id, now, operator],
    )?;
    Ok(closed > 0)
}
