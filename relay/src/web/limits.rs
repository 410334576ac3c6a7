//! How often something may be tried: failed and costly tries are written down, by what they are about, for all processes of a
//! relay and across restarts. What they are about stands there under the relay's key only.

use crate::clock::Micros;
use crate::id::new_id;
use crate::key::{Keys, Purpose};
use crate::params;
use crate::store::{StoreError, Tx};
use std::time::Duration;

/// So many in a while.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// What is counted, such as `code`.
    pub name: &'static str,
    /// Most of them.
    pub n_max: i64,
    /// Within this while.
    pub within: Duration,
}

impl Limit {
    fn key(self, keys: &Keys, about: &str) -> String {
        format!("{}:{}", self.name, keys.look_up(Purpose::Identity, &format!("strike\0{about}")))
    }
}

/// Whether one more is within the limit.
pub fn admits(
    tx: &mut Tx<'_>,
    keys: &Keys,
    (limit, about): (Limit, &str),
    now: Micros,
) -> Result<bool, StoreError> {
    let since = now.minus(limit.within);
    let n = tx.count(
        "SELECT COUNT(*) FROM strike WHERE what = $1 AND at > $2",
        params![limit.key(keys, about), since],
    )?;
    Ok(n < limit.n_max)
}

/// Writes one down, and forgets those that count no more.
pub fn strike(
    tx: &mut Tx<'_>,
    keys: &Keys,
    (limit, about): (Limit, &str),
    now: Micros,
) -> Result<(), StoreError> {
    let (what, since) = (limit.key(keys, about), now.minus(limit.within));
    tx.run("DELETE FROM strike WHERE what = $1 AND at <= $2", params![&what, since])?;
    let values = params![what, now, new_id(now)];
    tx.run("INSERT INTO strike (what, at, id) VALUES ($1, $2, $3)", values)?;
    Ok(())
}

/// Counts one more towards each of the limits, if all of them admit it.
pub fn one_more(
    tx: &mut Tx<'_>,
    keys: &Keys,
    limits: &[(Limit, &str)],
    now: Micros,
) -> Result<bool, StoreError> {
    for limit in limits {
        if !admits(tx, keys, *limit, now)? {
            return Ok(false);
        }
    }
    for limit in limits {
        strike(tx, keys, *limit, now)?;
    }
    Ok(true)
}

/// Forgets what was counted: it was no failure.
pub fn forgive(
    tx: &mut Tx<'_>,
    keys: &Keys,
    (limit, about): (Limit, &str),
) -> Result<(), StoreError> {
    tx.run("DELETE FROM strike WHERE what = $1", params![limit.key(keys, about)])?;
    Ok(())
}
