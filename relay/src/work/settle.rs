//! Writes down what calls brought. It may be written twice, or after somebody else found it out: then it changes nothing.

use super::Ended;
use crate::channel::code::is_final;
use crate::channel::{Outcome, Trouble};
use crate::clock::Micros;
use crate::config::Config;
use crate::params;
use crate::receipt::{Word, account_alarm, failed, word};
use crate::store::{StoreError, Tx};
use std::time::Duration;

/// Writes all of them down.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    config: &Config,
    ended: &[Ended],
    now: Micros,
) -> Result<(), StoreError> {
    for one in ended {
        match &one.outcome {
            Outcome::Accepted { provider_id, status } => {
                accepted(tx, config, one, (provider_id, status), now)?;
            }
            Outcome::NotSent { why, after, of } => {
                not_sent(tx, config, one, (why, *after, *of), now)?;
            }
            Outcome::Refused { code, class } => {
                let changed = tx.run(
                    "UPDATE attempt SET state = 'refused', code = $2, body = NULL, ended_at = $3
                     WHERE id = $1 AND state IN ('calling', 'unknown')",
                    params![&one.attempt, code, now],
                )?;
                if changed > 0 {
                    failed(tx, &one.notice, (*class, code), now)?;
                }
            }
            Outcome::Unknown { why } => unknown(tx, one, why, now)?,
        }
    }
    Ok(())
}

fn accepted(
    tx: &mut Tx<'_>,
    config: &Config,
    one: &Ended,
    (provider_id, status): (&str, &str),
    now: Micros,
) -> Result<(), StoreError> {
    if is_final(status) {
        // Seldom: it is over before it began.
        return word(tx, config, &one.attempt, Word { provider_id, status, code: "" }, now)
            .map(drop);
    }
    // A callback may have been faster: what it said stands.
    tx.run(
        "UPDATE attempt SET state = 'accepted', provider_id = $2, status = $3, body = NULL, ended_at = $4
         WHERE id = $1 AND state IN ('calling', 'unknown')",
        params![&one.attempt, provider_id, status, now],
    )?;
    tx.run(
        "UPDATE notice SET state = 'sent', handed_at = COALESCE(handed_at, $2), next_at = $3, changed_at = $2
         WHERE id = $1 AND state IN ('calling', 'unknown')",
        params![&one.notice, now, now.plus(config.sending.ask_after)],
    )
    .map(drop)
}

fn not_sent(
    tx: &mut Tx<'_>,
    config: &Config,
    one: &Ended,
    (why, after, of): (&str, Option<Duration>, Trouble),
    now: Micros,
) -> Result<(), StoreError> {
    // It was certainly not sent: only a failure of this message leaves a trace, or an outage would leave millions.
    let changed = match of {
        Trouble::Message => tx.run(
            "UPDATE attempt SET state = 'refused', code = $2, body = NULL, ended_at = $3
             WHERE id = $1 AND state IN ('calling', 'unknown')",
            params![&one.attempt, why, now],
        )?,
        Trouble::Way | Trouble::Account => tx.run(
            "DELETE FROM attempt WHERE id = $1 AND state IN ('calling', 'unknown')",
            params![&one.attempt],
        )?,
    };
    if changed == 0 {
        return Ok(());
    }
    let tries = tx.count("SELECT tries FROM notice WHERE id = $1", params![&one.notice])?;
    let wait = match of {
        Trouble::Message => after.unwrap_or_default().max(backoff(config, tries, &one.attempt)),
        // The channel rests as a whole; the notice keeps its place.
        Trouble::Way | Trouble::Account => Duration::ZERO,
    };
    if of == Trouble::Account {
        account_alarm(tx, why, now)?;
    }
    tx.run(
        "UPDATE notice SET state = 'owed', why = $2, next_at = $3, tries = tries + $4, changed_at = $5
         WHERE id = $1 AND state IN ('calling', 'unknown')",
        params![&one.notice, why, now.plus(wait), i64::from(of == Trouble::Message), now],
    )
    .map(drop)
}

fn unknown(tx: &mut Tx<'_>, one: &Ended, why: &str, now: Micros) -> Result<(), StoreError> {
    tx.run(
        "UPDATE attempt SET state = 'unknown', code = $2 WHERE id = $1 AND state = 'calling'",
        params![&one.attempt, why],
    )?;
    // `next_at` is the end of the lease: then the provider lists what it took.
    tx.run(
        "UPDATE notice SET state = 'unknown', why = $2, changed_at = $3 WHERE id = $1 AND state = 'calling'",
        params![&one.notice, why, now],
    )
    .map(drop)
}

/// Twice as long after each failure, up to the limit, give or take a quarter so that failures do not come back together.
fn backoff(config: &Config, tries: i64, salt: &str) -> Duration {
    let sending = &config.sending;
    let doublings = u32::try_from(tries.clamp(0, 16)).unwrap_or(16);
    let whole = sending.retry_after.saturating_mul(1 << doublings).min(sending.retry_after_max);
    let spread =
        salt.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    whole.mul_f64(0.75 + f64::from(spread % 512) / 1_024.0)
}
