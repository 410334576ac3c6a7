//! How much a sender may hand over now: tokens that fill up with time, in a row that all processes share.

use crate::clock::Micros;
use crate::config::Rate;
use crate::params;
use crate::store::{StoreError, Tx};
use crate::template::SEGMENTS_MAX;
use std::time::Duration;

/// Thousandths of a segment.
const MILLI: i64 = 1_000;
/// The least that a full bucket holds: the longest text must fit into the slowest one.
const HOLDS_MIN: i64 = SEGMENTS_MAX as i64 * MILLI;

/// How long a bucket is waited for before it is looked at again.
const WAIT_MIN: Duration = Duration::from_millis(2);
const WAIT_MAX: Duration = Duration::from_mins(1);

/// A bucket, held by this transaction.
#[derive(Debug)]
pub(super) struct Bucket {
    name: String,
    tokens: i64,
    rate: i64,
    /// Up to when it was filled: never before what another process wrote, whose clock may be ahead or whose turn came first. An empty
    /// one that is filled up to later than now rests until then.
    filled_at: Micros,
    rest: Duration,
    /// Segments that are left of the day's, if the day has a limit.
    day: Option<(String, i64)>,
}

impl Bucket {
    /// Takes the bucket as full as it is now. The others wait until the transaction ends.
    pub(super) fn hold(
        tx: &mut Tx<'_>,
        name: &str,
        rate: Rate,
        now: Micros,
    ) -> Result<Self, StoreError> {
        let holds = rate.milli_per_second.max(HOLDS_MIN);
        let (tokens, filled_at) = row(tx, name, holds, now)?;
        let elapsed = i64::try_from(now.since(filled_at).as_micros()).unwrap_or(i64::MAX);
        let new = i128::from(elapsed) * i128::from(rate.milli_per_second) / 1_000_000;
        let new = i64::try_from(new).unwrap_or(i64::MAX);
        let tokens = tokens.saturating_add(new).min(holds);
        let day = match rate.per_day {
            None => None,
            Some(limit) => {
                let name = format!("{name}/{}", now.seconds().div_euclid(86_400));
                let (left, _) = row(tx, &name, i64::from(limit), now)?;
                Some((name, left))
            }
        };
        Ok(Self {
            name: name.to_owned(),
            tokens,
            rate: rate.milli_per_second,
            filled_at: filled_at.max(now),
            rest: filled_at.since(now),
            day,
        })
    }

    /// Takes so many segments, if there are as many.
    pub(super) fn take(&mut self, segments: u32) -> bool {
        let wanted = i64::from(segments) * MILLI;
        let is_in_day = self.day.as_ref().is_none_or(|(_, left)| *left >= i64::from(segments));
        if self.tokens < wanted || !is_in_day {
            return false;
        }
        self.tokens -= wanted;
        if let Some((_, left)) = &mut self.day {
            *left -= i64::from(segments);
        }
        true
    }

    /// How long until so many segments fill up.
    pub(super) fn wait(&self, segments: u32) -> Duration {
        if self.day.as_ref().is_some_and(|(_, left)| *left < i64::from(segments)) {
            return WAIT_MAX;
        }
        let lacking = (i64::from(segments) * MILLI - self.tokens).max(0);
        let millis = lacking.saturating_mul(1_000) / self.rate.max(1);
        let fill = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        fill.saturating_add(self.rest).clamp(WAIT_MIN, WAIT_MAX)
    }

    /// Writes down what is left.
    pub(super) fn put(self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let sql = "UPDATE bucket SET tokens = $2, filled_at = $3 WHERE name = $1";
        tx.run(sql, params![self.name, self.tokens, self.filled_at])?;
        if let Some((name, left)) = self.day {
            tx.run(sql, params![name, left, self.filled_at])?;
        }
        Ok(())
    }
}

fn row(tx: &mut Tx<'_>, name: &str, full: i64, now: Micros) -> Result<(i64, Micros), StoreError> {
    let sql = format!("SELECT tokens, filled_at FROM bucket WHERE name = $1{}", tx.for_update());
    if let Some(row) = tx.row(&sql, params![name])? {
        return Ok((row.int(0)?, row.at(1)?));
    }
    tx.run(
        "INSERT INTO bucket (name, tokens, filled_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
        params![name, full, now],
    )?;
    match tx.row(&sql, params![name])? {
        Some(row) => Ok((row.int(0)?, row.at(1)?)),
        None => Ok((full, now)),
    }
}
