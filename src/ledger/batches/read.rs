//! What people ask about batches, read beside a running daemon.

use super::count::{Added, Envelopes, scans};
use super::{BatchRow, name, opening, row_of};
use crate::ballot::Mode;
use crate::clock::Micros;
use crate::ledger::fact::{BatchOpened, Event, Fact, Who};
use crate::ledger::report::{ReadError, Reader};
use crate::ledger::rows;
use crate::ledger::tally::{self, Scope};
use crate::scan::Verdict;
use serde::Serialize;
use std::collections::BTreeMap;

/// Scans of a batch that are told one by one.
const SCANS_MAX: usize = 100_000;

/// A batch from its opening to its end. Times are local with offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchStory {
    /// `<station>-<n>`.
    pub batch: String,
    /// `open`, `closed` or `reversed`.
    pub state: &'static str,
    /// What its scans do.
    pub mode: Mode,
    /// The station's running batch of this local date; null for one that was opened by hand.
    pub day: Option<String>,
    /// How its envelopes came.
    pub received_by: String,
    /// When they did, where that was before they were scanned.
    pub received_at: Option<String>,
    /// Why that was earlier.
    pub reason: Option<String>,
    /// Whether all were postmarked in time.
    pub postmarked: bool,
    /// In mode `needs_attention`, what the voters must do.
    pub attention: Option<String>,
    /// The drop box or the mail tray.
    pub place: Option<String>,
    /// The numbers of the seals.
    pub seals: Vec<String>,
    /// Scans from which on the clerk is warned.
    pub cap: Option<u32>,
    /// When it was opened.
    pub opened: String,
    /// Who opened it; null where the station did.
    pub opened_by: Option<String>,
    /// When it was closed.
    pub closed: Option<String>,
    /// Who closed it.
    pub closed_by: Option<String>,
    /// Envelopes counted by hand.
    pub counted: Option<u32>,
    /// Different envelopes that were scanned and not taken back, when it was closed.
    pub envelopes: Option<u32>,
    /// Why the two differ.
    pub explanation: Option<String>,
    /// When it was reversed.
    pub reversed: Option<String>,
    /// Who proposed that.
    pub reversed_by: Option<String>,
    /// Who confirmed it.
    pub confirmed_by: Option<String>,
    /// Why it was reversed.
    pub reversal_reason: Option<String>,
    /// Its scans by verdict, without zeros.
    pub scans: BTreeMap<String, i64>,
}

/// A batch with all that was scanned in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// Its story.
    #[serde(flatten)]
    pub story: BatchStory,
    /// Different envelopes that were scanned and not taken back, as things stand.
    pub envelopes_now: u32,
    /// Its scans in order.
    pub scanned: Vec<BatchScan>,
}

/// A scan of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchScan {
    /// Its position, from 1.
    pub position: usize,
    /// When.
    pub at: String,
    /// The scanner.
    pub scanner: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The ballot that it names.
    pub ballot: Option<String>,
    /// Why, in words.
    pub reason: Option<String>,
    /// `envelope`; `again` for one that was scanned before in this batch; `taken_back`.
    pub counts_as: &'static str,
}

impl Reader {
    /// Every batch, in order.
    pub fn batch_list(&self) -> Result<Vec<BatchStory>, ReadError> {
        self.snapshot(|| {
            let mut batches = self.conn.prepare("SELECT number FROM batch ORDER BY number")?;
            let numbers = batches.query_map([], |row| row.get(0))?;
            let mut stories = Vec::new();
            for number in numbers {
                stories.extend(self.batch_story(number?)?);
            }
            Ok(stories)
        })
    }

    /// Batch `number` with its scans, if there is one.
    pub fn batch(&self, number: u32) -> Result<Option<Contents>, ReadError> {
        self.snapshot(|| {
            let Some(story) = self.batch_story(number)? else { return Ok(None) };
            let mut envelopes = Envelopes::default();
            let mut scanned = Vec::new();
            scans(&self.conn, number, &mut |scan| {
                let counts_as = match envelopes.add(&self.conn, &scan)? {
                    Added::Envelope => "envelope",
                    Added::Nothing => "again",
                    Added::TakenBack => "taken_back",
                };
                if scanned.len() < SCANS_MAX {
                    scanned.push(BatchScan {
                        position: scanned.len() + 1,
                        at: self.zone.date_time(scan.at),
                        scanner: scan.scan.scanner,
                        verdict: scan.scan.verdict,
                        ballot: scan.scan.ballot.map(|ballot| ballot.to_string()),
                        reason: scan.scan.reason,
                        counts_as,
                    });
                }
                Ok(())
            })?;
            Ok(Some(Contents { story, envelopes_now: envelopes.count(), scanned }))
        })
    }

    fn batch_story(&self, number: u32) -> rusqlite::Result<Option<BatchStory>> {
        let Some(BatchRow { seq, closed, reversed }) = row_of(&self.conn, number)? else {
            return Ok(None);
        };
        let (at, opened) = opening(&self.conn, seq)?;
        let mut story = self.opened_story(at, opened)?;
        let event = |seq: Option<i64>| seq.map(|seq| rows::event(&self.conn, seq)).transpose();
        if let Some(Event { at, fact: Fact::BatchClosed(fact), .. }) = event(closed)? {
            story.state = "closed";
            story.closed = Some(self.zone.date_time(at));
            story.closed_by = Some(fact.who.by);
            story.counted = Some(fact.counted);
            story.envelopes = Some(fact.envelopes);
            story.explanation = fact.explanation;
        }
        if let Some(Event { at, fact: Fact::BatchReversed(fact), .. }) = event(reversed)? {
            story.state = "reversed";
            story.reversed = Some(self.zone.date_time(at));
            story.reversed_by = Some(fact.who.by);
            story.confirmed_by = Some(fact.confirmed_by);
            story.reversal_reason = Some(fact.reason);
        }
        Ok(Some(story))
    }

    fn opened_story(&self, at: Micros, opened: BatchOpened) -> rusqlite::Result<BatchStory> {
        let scans = tally::read(&self.conn, &Scope::Batch(opened.batch))?;
        Ok(BatchStory {
            batch: name(&self.station()?, opened.batch),
            state: "open",
            mode: opened.mode,
            day: opened.day,
            received_by: opened.received_by,
            received_at: opened.received_at.map(|at| self.zone.date_time(at)),
            reason: opened.reason,
            postmarked: opened.postmarked,
            attention: opened.attention,
            place: opened.place,
            seals: opened.seals,
            cap: opened.cap,
            opened: self.zone.date_time(at),
            opened_by: opened.who.map(|Who { by, .. }| by),
            closed: None,
            closed_by: None,
            counted: None,
            envelopes: None,
            explanation: None,
            reversed: None,
            reversed_by: None,
            confirmed_by: None,
            reversal_reason: None,
            scans: scans.into_iter().filter(|(_, n)| *n != 0).collect(),
        })
    }
}
