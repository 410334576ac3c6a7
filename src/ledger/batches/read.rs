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
    /// The operating system's user, where `opened_by` is an operator who signed in; else null.
    pub opened_os_user: Option<String>,
    /// Its closing and its hand count.
    pub closed: Option<BatchCount>,
    /// Its reversal: all that its scans moved was taken back.
    pub reversed: Option<BatchReversal>,
    /// Its scans by verdict, zeros too.
    pub scans: BTreeMap<&'static str, i64>,
}

/// How a batch was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchCount {
    /// When.
    pub at: String,
    /// Who.
    #[serde(flatten)]
    pub who: Who,
    /// Envelopes counted by hand.
    pub counted: u32,
    /// Different envelopes that were scanned and not taken back, when it was closed.
    pub envelopes: u32,
    /// The first less the second.
    pub difference: i64,
    /// Why they differ.
    pub explanation: Option<String>,
}

/// How a batch was reversed, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchReversal {
    /// When.
    pub at: String,
    /// Who proposed it.
    #[serde(flatten)]
    pub who: Who,
    /// The operator who confirmed it.
    pub confirmed_by: String,
    /// Why.
    pub reason: String,
}

impl BatchStory {
    /// Who opened it, in words; none where the station did.
    pub fn opener(&self) -> Option<String> {
        let by = self.opened_by.clone()?;
        Some(Who { by, os_user: self.opened_os_user.clone() }.in_words())
    }
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
    /// Scans after those, which are not told one by one.
    pub left_out: usize,
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

    /// Batch `number`, if there is one, with its first `scans_max` scans.
    pub fn batch(&self, number: u32, scans_max: usize) -> Result<Option<Contents>, ReadError> {
        self.snapshot(|| {
            let Some(story) = self.batch_story(number)? else { return Ok(None) };
            let mut envelopes = Envelopes::default();
            let (mut scanned, mut left_out) = (Vec::new(), 0);
            scans(&self.conn, number, &mut |scan| {
                let counts_as = match envelopes.add(&self.conn, &scan)? {
                    Added::Envelope => "envelope",
                    Added::Nothing => "again",
                    Added::TakenBack => "taken_back",
                };
                if scanned.len() >= scans_max {
                    left_out += 1;
                    return Ok(());
                }
                scanned.push(BatchScan {
                    position: scanned.len() + 1,
                    at: self.zone.date_time(scan.at),
                    scanner: scan.scan.scanner,
                    verdict: scan.scan.verdict,
                    ballot: scan.scan.ballot.map(|ballot| ballot.to_string()),
                    reason: scan.scan.reason,
                    counts_as,
                });
                Ok(())
            })?;
            Ok(Some(Contents { story, envelopes_now: envelopes.count(), scanned, left_out }))
        })
    }

    /// The story of batch `number`, if there is one.
    pub(in crate::ledger) fn batch_story(
        &self,
        number: u32,
    ) -> rusqlite::Result<Option<BatchStory>> {
        let Some(BatchRow { seq, closed, reversed }) = row_of(&self.conn, number)? else {
            return Ok(None);
        };
        let (at, opened) = opening(&self.conn, seq)?;
        let mut story = self.opened_story(at, opened)?;
        let event = |seq: Option<i64>| seq.map(|seq| rows::event(&self.conn, seq)).transpose();
        if let Some(Event { at, fact: Fact::BatchClosed(fact), .. }) = event(closed)? {
            story.state = "closed";
            story.closed = Some(BatchCount {
                at: self.zone.date_time(at),
                who: fact.who,
                counted: fact.counted,
                envelopes: fact.envelopes,
                difference: i64::from(fact.counted) - i64::from(fact.envelopes),
                explanation: fact.explanation,
            });
        }
        if let Some(Event { at, fact: Fact::BatchReversed(fact), .. }) = event(reversed)? {
            story.state = "reversed";
            story.reversed = Some(BatchReversal {
                at: self.zone.date_time(at),
                who: fact.who,
                confirmed_by: fact.confirmed_by,
                reason: fact.reason,
            });
        }
        Ok(Some(story))
    }

    fn opened_story(&self, at: Micros, opened: BatchOpened) -> rusqlite::Result<BatchStory> {
        let scans = tally::read(&self.conn, &Scope::Batch(opened.batch))?;
        let scans = |verdict: Verdict| scans.get(verdict.name()).copied().unwrap_or(0);
        let (opened_by, opened_os_user) =
            opened.who.map_or((None, None), |Who { by, os_user }| (Some(by), os_user));
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
            opened_by,
            opened_os_user,
            closed: None,
            reversed: None,
            scans: Verdict::ALL.map(|verdict| (verdict.name(), scans(verdict))).into(),
        })
    }
}
