//! Envelopes to pull: their ballots were voided or rejected, by a file or by hand, after they had come in.
//!
//! - It is read from the ballots' stories, and stands in no table: what `verify` proves of those holds of it.
//! - The counts of moves say whether there can be one at all; only then voided and rejected ballots are walked through, in the order of
//!   their rows.

use super::Reader;
use super::exceptions::{Exception, Mover, Pulled};
use super::story::{BallotStory, Chapter};
use crate::ballot::Status;
use crate::ledger::batches::{NO_BATCH, name};
use crate::ledger::fact::Who;
use crate::ledger::rows;
use rusqlite::params;

/// What such an exception is called.
pub(super) const TO_PULL: &str = "to_pull";

/// The means by which a ballot comes to stand at voided or rejected, as counts have them.
const MEANS: [&str; 2] = ["import", "supervisor"];

impl Reader {
    /// Those of ballots after row `after` of their table, each with its row, at most `limit`.
    pub(super) fn to_pull(
        &self,
        after: i64,
        limit: usize,
    ) -> rusqlite::Result<Vec<(i64, Exception)>> {
        let mut found = Vec::new();
        if limit == 0 || !self.has_moved_out()? {
            return Ok(found);
        }
        // Most ballots that were voided never came in: those are passed over without a look at their stories.
        let mut keys = self.conn.prepare_cached(
            "SELECT key FROM ballot INDEXED BY ballot_out WHERE key > ? AND status IN (5, 7) AND (\
             (SELECT body ->> 'from' FROM event WHERE seq = ballot.status_seq) \
             IN ('received', 'accepted', 'needs_attention', 'rejected', 'voided') \
             OR EXISTS (SELECT 1 FROM import_change WHERE import_change.ballot = ballot.key AND done = 1 \
             AND before ->> 'status' IN ('received', 'accepted', 'needs_attention'))) ORDER BY key",
        )?;
        let mut rows = keys.query([after])?;
        while let Some(row) = rows.next()? {
            let key = row.get(0)?;
            let story = self.story(&rows::by_key(&self.conn, key)?)?;
            found.extend(to_pull(story).map(|exception| (key, exception)));
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

    /// Whether any ballot that was in came to be voided or rejected.
    fn has_moved_out(&self) -> rusqlite::Result<bool> {
        let mut moves = self.conn.prepare_cached(
            "SELECT 1 FROM tally WHERE scope >= ? AND scope < ? AND name IN ('rejected', 'voided') AND n > 0",
        )?;
        for means in MEANS {
            for from in Status::ALL.into_iter().filter(|from| from.may_count()) {
                let scope = format!("ballot_moves/{means}/{from}");
                // The slash's successor ends what begins with it.
                if moves.exists(params![format!("{scope}/"), format!("{scope}0")])? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// What the story comes to, if its envelope is to be pulled.
fn to_pull(story: BallotStory) -> Option<Exception> {
    let BallotStory { ballot, election, status, reason, history, .. } = story;
    let (mut stands, mut batch, mut left) = (None, None, None);
    for chapter in history {
        let Some(to) = chapter.to else { continue };
        let is_out = matches!(to, Status::Voided | Status::Rejected);
        if to.may_count() {
            batch = chapter.batch.clone().or(batch);
        }
        left = match left {
            Some(left) if is_out => Some(left),
            _ if is_out && stands.is_some_and(Status::may_count) => Some(chapter),
            _ => None,
        };
        stands = Some(to);
    }
    let left = left?;
    let because = reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    let by = by(&left);
    let told = match &by {
        Mover::File(file) => format!("by the file {file}"),
        Mover::Person(who) => format!("by {}", who.by),
    };
    Some(Exception {
        seq: left.seq,
        reason: Some(format!("{status}{because} {told} after it came in")),
        id: left.id,
        what: TO_PULL.to_owned(),
        at: left.at,
        scanner: None,
        batch: batch.unwrap_or_else(|| name("", NO_BATCH)),
        election: Some(election),
        ballot: Some(ballot),
        difference: None,
        settled: None,
        pulled: Some(Pulled { status, reason, by }),
    })
}

fn by(chapter: &Chapter) -> Mover {
    let by = chapter.by.clone();
    if chapter.what == "imported" {
        return Mover::File(by);
    }
    Mover::Person(Who { by, os_user: chapter.os_user.clone() })
}
