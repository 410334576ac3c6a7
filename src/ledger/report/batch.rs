//! One batch: who opened it, what came in it, how it was closed, and what somebody has to look at in it.

use super::exceptions::Exception;
use super::{ReadError, Reader, add, zeros};
use crate::clock::Micros;
use crate::ledger::checkpoint::on_paper;
use crate::ledger::fact::{BatchClosed, BatchOpened, BatchReversed, Event, Fact};
use crate::ledger::rows;
use crate::ledger::tally::{self, Scope};
use rusqlite::OptionalExtension as _;
use serde::Serialize;
use std::collections::BTreeMap;

/// Exceptions shown of one batch, the oldest; the list of all exceptions has the others.
const EXCEPTIONS_MAX: usize = 1_000;

/// One batch, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchSheet {
    /// `<station>-<n>`.
    pub batch: String,
    /// The local date of the station's running batch; null for one that was opened by hand.
    pub day: Option<String>,
    /// What its scans do.
    pub mode: String,
    /// How its envelopes came.
    pub received_by: String,
    /// When they did, where that was before they were scanned; in local time with offset, as all times here.
    pub received_at: Option<String>,
    /// Why that was earlier.
    pub reason: Option<String>,
    /// Whether every envelope of it was postmarked in time.
    pub postmarked: bool,
    /// What the voters must do.
    pub attention: Option<String>,
    /// The drop box or the mail tray.
    pub place: Option<String>,
    /// The numbers of its seals.
    pub seals: Vec<String>,
    /// Envelopes from which on the clerk was warned.
    pub cap: Option<u32>,
    /// When it was opened.
    pub opened: String,
    /// Who opened it.
    pub opened_by: Option<String>,
    /// Its closing and its hand count.
    pub closed: Option<BatchCount>,
    /// Its reversal: all that its scans moved was taken back.
    pub reversed: Option<Explained>,
    /// Its scans by verdict, zeros too.
    pub scans: BTreeMap<&'static str, i64>,
    /// What somebody has to look at.
    pub exceptions: Vec<Exception>,
    /// The newest checkpoint, as it stands on paper.
    pub checkpoint: Option<String>,
    /// When it was asked.
    pub as_of: String,
}

/// How a batch was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchCount {
    /// When.
    pub at: String,
    /// Who.
    pub by: String,
    /// Envelopes counted by hand.
    pub counted: u32,
    /// Different envelopes that were scanned and not taken back.
    pub envelopes: u32,
    /// The first less the second.
    pub difference: i64,
    /// Why they differ.
    pub explanation: Option<String>,
}

/// What was done with a batch, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// When.
    pub at: String,
    /// Who proposed it.
    pub by: String,
    /// Who confirmed it.
    pub confirmed_by: String,
    /// Why.
    pub reason: String,
}

/// The events of a batch.
pub(in crate::ledger) struct BatchEvents {
    pub(in crate::ledger) opened: (Micros, BatchOpened),
    pub(in crate::ledger) closed: Option<(Micros, BatchClosed)>,
    pub(in crate::ledger) reversed: Option<(Micros, BatchReversed)>,
}

impl Reader {
    /// The batch of that number, if there is one. `batch` is its number, or `<station>-<n>`.
    pub fn batch_sheet(&self, batch: &str, as_of: Micros) -> Result<Option<BatchSheet>, ReadError> {
        self.snapshot(|| {
            let station = self.station()?;
            let number = batch.strip_prefix(&format!("{station}-")).unwrap_or(batch);
            let Ok(number) = number.parse() else { return Ok(None) };
            self.batch_events(number)?
                .map(|events| self.sheet_of(&station, number, events, as_of))
                .transpose()
        })
    }

    /// The events of that batch, if there is one.
    pub(in crate::ledger) fn batch_events(
        &self,
        number: u32,
    ) -> rusqlite::Result<Option<BatchEvents>> {
        let found: Option<(i64, Option<i64>, Option<i64>)> = self
            .conn
            .prepare_cached("SELECT seq, closed, reversed FROM batch WHERE number = ?")?
            .query_row([number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((opened, closed, reversed)) = found else { return Ok(None) };
        let event = |seq| rows::event(&self.conn, seq);
        let Event { at, fact: Fact::BatchOpened(opening), .. } = event(opened)? else {
            return Err(rows::foreign(0, "the row of a batch opens none"));
        };
        let closed = closed.map(event).transpose()?.and_then(|event| match event.fact {
            Fact::BatchClosed(closed) => Some((event.at, closed)),
            _ => None,
        });
        let reversed = reversed.map(event).transpose()?.and_then(|event| match event.fact {
            Fact::BatchReversed(reversed) => Some((event.at, reversed)),
            _ => None,
        });
        Ok(Some(BatchEvents { opened: (at, opening), closed, reversed }))
    }

    fn sheet_of(
        &self,
        station: &str,
        number: u32,
        events: BatchEvents,
        as_of: Micros,
    ) -> rusqlite::Result<BatchSheet> {
        let BatchEvents { opened: (opened_at, opened), closed, reversed } = events;
        let time = |at: Micros| self.zone.date_time(at);
        let mut scans = zeros();
        add(&mut scans, &tally::read(&self.conn, &Scope::Batch(number))?.into_iter().collect());
        Ok(BatchSheet {
            batch: format!("{station}-{number}"),
            day: opened.day,
            mode: opened.mode.name().to_owned(),
            received_by: opened.received_by,
            received_at: opened.received_at.map(time),
            reason: opened.reason,
            postmarked: opened.postmarked,
            attention: opened.attention,
            place: opened.place,
            seals: opened.seals,
            cap: opened.cap,
            opened: time(opened_at),
            opened_by: opened.who.map(|who| who.by),
            closed: closed.map(|(at, closed)| BatchCount {
                at: time(at),
                by: closed.who.by,
                counted: closed.counted,
                envelopes: closed.envelopes,
                difference: i64::from(closed.counted) - i64::from(closed.envelopes),
                explanation: closed.explanation,
            }),
            reversed: reversed.map(|(at, reversed)| Explained {
                at: time(at),
                by: reversed.who.by,
                confirmed_by: reversed.confirmed_by,
                reason: reversed.reason,
            }),
            scans,
            exceptions: self.exceptions_in(number, EXCEPTIONS_MAX)?,
            checkpoint: self.newest_checkpoint()?,
            as_of: time(as_of),
        })
    }

    /// The newest checkpoint as it stands on paper: row number and 16 letters of the row's hash.
    fn newest_checkpoint(&self) -> rusqlite::Result<Option<String>> {
        self.conn
            .prepare_cached(
                "SELECT event.seq, event.hash FROM checkpoint JOIN event ON event.seq = checkpoint.of \
                 ORDER BY checkpoint.seq DESC LIMIT 1",
            )?
            .query_row([], |row| {
                let (seq, hash): (i64, [u8; 32]) = (row.get(0)?, row.get(1)?);
                Ok(on_paper(seq, &hash))
            })
            .optional()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ballot::{ElectionId, Mode};
    use crate::clock::Zone;
    use crate::ledger::book::{Book, Settings};
    use crate::ledger::fact::{Who, Why};
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
            who: Who::os_user("lee".to_owned()),
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
        let batch = reader.batch_sheet("2", NOON).unwrap().unwrap();
        assert_eq!(batch.opened_by.as_deref(), Some("kim"));
        assert_eq!(batch.received_at.as_deref(), Some("2026-11-02T11:00:00-07:00"));
        assert_eq!((batch.place.as_deref(), batch.seals.len()), (Some("Box 7"), 2));
        let count = batch.closed.unwrap();
        assert_eq!((count.counted, count.envelopes, count.difference), (42, 40, 2));
        assert_eq!(count.explanation.as_deref(), Some("two stuck together"));
        assert!(batch.checkpoint.unwrap().starts_with("8 "));
        assert_eq!(batch.reversed, None);
        let reversed = reader.batch_sheet("3", NOON).unwrap().unwrap().reversed.unwrap();
        assert_eq!(
            (reversed.confirmed_by.as_str(), reversed.reason.as_str()),
            ("lee", "another county's")
        );
        let listed = reader.report(None, NOON).unwrap().batches;
        let reversed: Vec<_> = listed.iter().map(|batch| batch.reversed).collect();
        assert_eq!(reversed, [false, false, true]);
        assert!(listed.iter().all(|batch| batch.closed.is_some()));
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
