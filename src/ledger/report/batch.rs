//! One batch: who opened it, what came in it, how it was closed, and what somebody has to look at in it.

use super::exceptions::Exception;
use super::{ReadError, Reader};
use crate::clock::Micros;
use crate::ledger::batches::BatchStory;
use crate::ledger::checkpoint::on_paper;
use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;

/// Exceptions shown of one batch, the oldest; the list of all exceptions has the others.
const EXCEPTIONS_MAX: usize = 1_000;

/// One batch, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchSheet {
    /// Its story.
    #[serde(flatten)]
    pub story: BatchStory,
    /// What somebody has to look at.
    pub exceptions: Vec<Exception>,
    /// The newest checkpoint, as it stands on paper.
    pub checkpoint: Option<String>,
    /// When it was asked, in local time with offset.
    pub as_of: String,
}

impl Reader {
    /// Batch `number`, if there is one.
    pub fn batch_sheet(&self, number: u32, as_of: Micros) -> Result<Option<BatchSheet>, ReadError> {
        self.snapshot(|| {
            let Some(story) = self.batch_story(number)? else { return Ok(None) };
            Ok(Some(BatchSheet {
                story,
                exceptions: self.exceptions_in(number, EXCEPTIONS_MAX)?,
                checkpoint: newest_checkpoint(&self.conn)?,
                as_of: self.zone.date_time(as_of),
            }))
        })
    }
}

/// The newest checkpoint as it stands on paper: row number and 16 letters of the row's hash.
pub(super) fn newest_checkpoint(conn: &Connection) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached(
        "SELECT event.seq, event.hash FROM checkpoint JOIN event ON event.seq = checkpoint.of \
         ORDER BY checkpoint.seq DESC LIMIT 1",
    )?
    .query_row([], |row| {
        let (seq, hash): (i64, [u8; 32]) = (row.get(0)?, row.get(1)?);
        Ok(on_paper(seq, &hash))
    })
    .optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ballot::{ElectionId, Mode};
    use crate::clock::Zone;
    use crate::ledger::book::{Book, Settings};
    use crate::ledger::export::Export;
    use crate::ledger::fact::{BatchClosed, BatchOpened, BatchReversed, Fact, Who, Why};
    use crate::ledger::report::After;
    use std::path::Path;
    use std::time::Duration;

    const NOON: Micros = Micros(1_793_646_000_000_000);

    fn book(dir: &Path) -> Book {
        let settings = Settings {
            path: dir.join("ledger.sqlite"),
            key_file: dir.join("signing.key"),
            facility: "boulder".to_owned(),
            station: "intake-1".to_owned(),
            zone: Zone::named("America/Denver").unwrap(),
            election: ElectionId::new("202611").ok(),
            receive_until: None,
            postmarked_receive_until: None,
            cure_until: None,
            mode: Mode::Receive,
            hold_back: Duration::ZERO,
            announce_imports: Vec::new(),
            batch_cap: 0,
        };
        Book::open(settings, None).unwrap()
    }

    fn opened(batch: u32) -> Fact {
        Fact::BatchOpened(BatchOpened {
            batch,
            mode: Mode::Receive,
            received_by: "drop_box".to_owned(),
            day: None,
            received_at: Some(Micros(NOON.0 - 3_600_000_000)),
            reason: Some("came before the deadline".to_owned()),
            postmarked: false,
            attention: None,
            place: Some("Box 7".to_owned()),
            seals: vec!["A1".to_owned(), "A2".to_owned()],
            cap: Some(100),
            who: Some(Who::os_user("kim".to_owned())),
        })
    }

    fn closed(batch: u32, counted: u32) -> Fact {
        Fact::BatchClosed(BatchClosed {
            batch,
            counted,
            envelopes: 40,
            explanation: (counted != 40).then(|| "two stuck together".to_owned()),
            who: Who { by: "lee".to_owned(), os_user: Some("intake".to_owned()) },
        })
    }

    /// Batch 1 agrees, batch 2 has two envelopes too many, batch 3 was reversed, and the head before that was signed.
    fn closed_batches(dir: &Path) -> Reader {
        let mut book = book(dir);
        book.begin(NOON).unwrap();
        let reversed = Fact::BatchReversed(BatchReversed {
            batch: 3,
            reason: "another county's".to_owned(),
            who: Who::os_user("kim".to_owned()),
            confirmed_by: "lee".to_owned(),
        });
        let facts = [opened(1), closed(1, 40), opened(2), closed(2, 42), opened(3), closed(3, 40)];
        for fact in facts.into_iter().chain([reversed]) {
            book.append(NOON, fact, None).unwrap();
        }
        book.checkpoint(NOON, Why::Batch).unwrap();
        book.commit().unwrap();
        Reader::open(&dir.join("ledger.sqlite"), Zone::named("America/Denver").unwrap()).unwrap()
    }

    #[test]
    fn a_batch_that_was_closed_says_who_counted_what() {
        let dir = tempfile::tempdir().unwrap();
        let reader = closed_batches(dir.path());
        let sheet = reader.batch_sheet(2, NOON).unwrap().unwrap();
        assert!(sheet.checkpoint.unwrap().starts_with("8 "));
        let batch = sheet.story;
        assert_eq!(Some(&batch), reader.batch(2, 0).unwrap().map(|shown| shown.story).as_ref());
        assert_eq!(batch.received_at.as_deref(), Some("2026-11-02T11:00:00-07:00"));
        assert_eq!((batch.place.as_deref(), batch.seals.len()), (Some("Box 7"), 2));
        assert_eq!(batch.reversed, None);
        let count = batch.closed.unwrap();
        assert_eq!((count.counted, count.envelopes, count.difference), (42, 40, 2));
        assert_eq!(count.explanation.as_deref(), Some("two stuck together"));
        let third = reader.batch_sheet(3, NOON).unwrap().unwrap().story;
        assert_eq!(third.state, "reversed");
        let reversed = third.reversed.unwrap();
        assert_eq!(
            (reversed.confirmed_by.as_str(), reversed.reason.as_str()),
            ("lee", "another county's")
        );
        let listed = reader.report(None, NOON).unwrap().batches;
        let reversed: Vec<_> = listed.iter().map(|batch| batch.reversed).collect();
        assert_eq!(reversed, [false, false, true]);
        assert!(listed.iter().all(|batch| batch.closed.is_some()));
    }

    /// An operator may have the name of somebody who never signed in.
    #[test]
    fn a_user_of_the_operating_system_is_not_taken_for_an_operator() {
        let dir = tempfile::tempdir().unwrap();
        let reader = closed_batches(dir.path());
        let story = reader.batch_sheet(1, NOON).unwrap().unwrap().story;
        assert_eq!(story.opener().as_deref(), Some("user kim"));
        let told = serde_json::to_value(&story).unwrap();
        let by = [&told["opened_by"], &told["opened_os_user"]];
        assert_eq!(by, [&"kim".into(), &serde_json::Value::Null]);
        let count = story.closed.unwrap();
        assert_eq!(count.who.in_words(), "lee (signed in by user intake)");
        let told = serde_json::to_value(&count).unwrap();
        assert_eq!([&told["by"], &told["os_user"]], [&"lee", &"intake"]);
        let mut csv = Vec::new();
        reader.export(Export::Batches, None, NOON, &mut csv).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        assert_eq!(csv.matches("\"user kim\"").count(), 4, "{csv}");
        assert_eq!(csv.matches("\"lee (signed in by user intake)\"").count(), 3, "{csv}");
    }

    #[test]
    fn counts_that_differ_are_an_exception_and_are_summed() {
        let dir = tempfile::tempdir().unwrap();
        let reader = closed_batches(dir.path());
        let found = reader.exceptions(After::START, 10, NOON).unwrap().exceptions;
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].what.as_str(), found[0].difference), ("difference", Some(2)));
        assert_eq!((found[0].batch.as_str(), found[0].settled), ("intake-1-2", None));
        let election = ElectionId::new("202611").unwrap();
        let counts = reader.reconciliation(&election, NOON).unwrap().hand_counts;
        assert_eq!((counts.batches, counts.different, counts.open), (3, 1, 0));
        assert_eq!((counts.counted, counts.envelopes, counts.difference), (122, 120, 2));
        assert_eq!(crate::ledger::verify(&dir.path().join("ledger.sqlite")).unwrap().fault, None);
    }
}
