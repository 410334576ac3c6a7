//! Whether everything adds up, to the last ballot: what was issued and where it stands, what moved each ballot there, what was
//! scanned, and what was counted by hand.
//!
//! Each side of an equation is counted by itself from the events: a ballot where it stands, where it was issued, and at each of
//! its moves. So a sum that does not hold is a fault, of this program or of the file.

use super::{ReadError, Reader, add, count, zeros};
use crate::ballot::{ElectionId, Status};
use crate::clock::Micros;
use crate::ledger::batches;
use crate::ledger::tally::{self, Means, QUARTER_MICROS, Scope};
use crate::scan::Verdict;
use serde::Serialize;
use std::collections::BTreeMap;

/// Ballots of an election, the moves between their statuses, the scans of a station, and the hand counts of its batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// The election.
    pub election: String,
    /// When, in local time with offset.
    pub as_of: String,
    /// Whether every equation below holds.
    pub balanced: bool,
    /// Ballots that imports issued.
    pub issued: i64,
    /// Ballots by the status in which they stand, zeros too.
    pub ballots: BTreeMap<&'static str, i64>,
    /// Their sum, which is `issued`.
    pub sum: i64,
    /// Of those in an open status: ballots whose last scan of that kind was `held` or `late`, by status.
    pub waiting: BTreeMap<&'static str, BTreeMap<&'static str, i64>>,
    /// Ballots whose envelope is in the building: received, accepted, needs attention or rejected.
    pub taken_in: Flow,
    /// For each status: issued there, came there, left there, and so stands there now.
    pub moves: Vec<Flow>,
    /// Scans.
    pub scans: ScanSums,
    /// Hand counts.
    pub hand_counts: HandCounts,
}

/// How ballots came to stand in a status, or in one of several: `issued` + all that came - all that left = `now`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// The status, or `taken_in`.
    pub status: &'static str,
    /// Issued there.
    pub issued: i64,
    /// Moved there, by `scans`, `undone` (a clerk took the last scan back), `by_hand` (a supervisor, or a batch was reversed) and
    /// `imports`.
    pub came: BTreeMap<&'static str, i64>,
    /// Moved elsewhere, likewise.
    pub left: BTreeMap<&'static str, i64>,
    /// Standing there now.
    pub now: i64,
    /// Whether that is the sum.
    pub balanced: bool,
}

/// Scans by local day and batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScanSums {
    /// All scans by verdict, zeros too.
    pub verdicts: BTreeMap<&'static str, i64>,
    /// Their sum.
    pub sum: i64,
    /// The scans of each batch on each local day.
    pub days: Vec<BatchDay>,
    /// Whether the days of each batch sum up to the batch.
    pub balanced: bool,
}

/// The scans of a batch on one local day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchDay {
    /// The local date.
    pub day: String,
    /// `<station>-<n>`.
    pub batch: String,
    /// How many, the sum over all verdicts.
    pub scans: i64,
    /// By verdict, without zeros.
    pub verdicts: BTreeMap<String, i64>,
}

/// What was counted by hand when batches were closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HandCounts {
    /// Batches that were closed.
    pub batches: i64,
    /// Batches of those whose counts differ; each is an exception.
    pub different: i64,
    /// Batches that are open.
    pub open: i64,
    /// Envelopes counted by hand.
    pub counted: i64,
    /// Different envelopes that were scanned and not taken back.
    pub envelopes: i64,
    /// The first less the second.
    pub difference: i64,
}

impl Reader {
    /// The reconciliation of an election.
    pub fn reconciliation(
        &self,
        election: &ElectionId,
        as_of: Micros,
    ) -> Result<Reconciliation, ReadError> {
        self.snapshot(|| self.reconciled(election, as_of))
    }

    fn reconciled(&self, election: &ElectionId, as_of: Micros) -> rusqlite::Result<Reconciliation> {
        let ballots = self.ballots(Some(election))?;
        let sum = ballots.values().sum();
        let moves = Moves::read(self, election, &ballots)?;
        let issued = moves.issued.values().sum();
        let flows: Vec<Flow> = Status::ALL
            .iter()
            .map(|status| moves.flow(status.name(), &|other| other == *status))
            .collect();
        let taken_in = moves.flow("taken_in", &Status::is_in);
        let scans = self.scan_sums()?;
        let balanced = sum == issued
            && scans.balanced
            && flows.iter().chain([&taken_in]).all(|flow| flow.balanced);
        Ok(Reconciliation {
            election: election.to_string(),
            as_of: self.zone.date_time(as_of),
            balanced,
            issued,
            sum,
            waiting: self.all_waiting(election)?,
            taken_in,
            moves: flows,
            scans,
            hand_counts: self.hand_counts()?,
            ballots,
        })
    }

    fn all_waiting(
        &self,
        election: &ElectionId,
    ) -> rusqlite::Result<BTreeMap<&'static str, BTreeMap<&'static str, i64>>> {
        let mut waiting: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for status in Status::ALL.into_iter().filter(|status| status.is_open()) {
            let counts = tally::read(&self.conn, &Scope::Waiting(status, election.clone()))?;
            for verdict in [Verdict::Held, Verdict::Late] {
                let n = count(&counts, verdict.name());
                waiting.entry(verdict.name()).or_default().insert(status.name(), n);
            }
        }
        Ok(waiting)
    }

    fn scan_sums(&self) -> rusqlite::Result<ScanSums> {
        let station = self.station()?;
        let mut days: BTreeMap<(String, u32), BTreeMap<String, i64>> = BTreeMap::new();
        let mut day = (i64::MIN, String::new());
        tally::scans_between(&self.conn, (0, i64::MAX / QUARTER_MICROS + 1), &mut |at| {
            if day.0 != at.quarter {
                day = (at.quarter, self.zone.date(Micros(at.quarter * QUARTER_MICROS)));
            }
            let of_day = days.entry((day.1.clone(), at.batch)).or_default();
            *of_day.entry(at.verdict.to_owned()).or_default() += at.n;
        })?;
        let mut left = tally::of_batches(&self.conn)?;
        let mut verdicts = zeros();
        for of_batch in left.values() {
            add(&mut verdicts, of_batch);
        }
        for ((_, batch), of_day) in &days {
            let of_batch = left.entry(*batch).or_default();
            for (verdict, n) in of_day {
                *of_batch.entry(verdict.clone()).or_default() -= n;
            }
        }
        let balanced = left.values().all(|of_batch| of_batch.values().all(|n| *n == 0));
        let day = |((day, batch), verdicts): ((String, u32), BTreeMap<String, i64>)| BatchDay {
            day,
            batch: batches::name(&station, batch),
            scans: verdicts.values().sum(),
            verdicts,
        };
        let days = days.into_iter().map(day).collect();
        Ok(ScanSums { sum: verdicts.values().sum(), verdicts, days, balanced })
    }

    fn hand_counts(&self) -> rusqlite::Result<HandCounts> {
        let counted = tally::read(&self.conn, &Scope::Counted)?;
        let number = |sql| self.conn.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
        let (by_hand, envelopes) = (count(&counted, "counted"), count(&counted, "envelopes"));
        Ok(HandCounts {
            batches: count(&counted, "batches"),
            different: number("SELECT count(*) FROM batch WHERE difference <> 0")?,
            open: number("SELECT count(*) FROM batch WHERE closed IS NULL")?,
            counted: by_hand,
            envelopes,
            difference: by_hand - envelopes,
        })
    }
}

/// Every move of an election's ballots, counted.
struct Moves<'a> {
    issued: BTreeMap<Status, i64>,
    moved: Vec<(Means, Status, Status, i64)>,
    ballots: &'a BTreeMap<&'static str, i64>,
}

impl<'a> Moves<'a> {
    fn read(
        reader: &Reader,
        election: &ElectionId,
        ballots: &'a BTreeMap<&'static str, i64>,
    ) -> rusqlite::Result<Self> {
        let read = |scope| tally::read(&reader.conn, &scope);
        let counts = read(Scope::Issued(election.clone()))?;
        let issued = Status::ALL.map(|status| (status, count(&counts, status.name()))).into();
        let mut moved = Vec::new();
        for means in Means::ALL {
            for from in Status::ALL {
                let counts = read(Scope::Moves(means, from, election.clone()))?;
                moved.extend(Status::ALL.map(|to| (means, from, to, count(&counts, to.name()))));
            }
        }
        Ok(Self { issued, moved, ballots })
    }

    /// How ballots came to stand where `is` says.
    fn flow(&self, status: &'static str, is: &dyn Fn(Status) -> bool) -> Flow {
        let sum = |from: bool, to: bool, means: Means| {
            let moves = self.moved.iter().filter(|(by, ..)| *by == means);
            moves
                .filter(|(_, f, t, _)| is(*f) == from && is(*t) == to)
                .map(|(.., n)| n)
                .sum::<i64>()
        };
        let came: BTreeMap<_, _> =
            Means::ALL.map(|means| (means.name(), sum(false, true, means))).into();
        let left: BTreeMap<_, _> =
            Means::ALL.map(|means| (means.name(), sum(true, false, means))).into();
        let issued = self.issued.iter().filter(|(status, _)| is(**status)).map(|(_, n)| n).sum();
        let standing = Status::ALL.into_iter().filter(|status| is(*status));
        let now = standing.filter_map(|status| self.ballots.get(status.name())).sum();
        let balanced = issued + came.values().sum::<i64>() - left.values().sum::<i64>() == now;
        Flow { status, issued, came, left, now, balanced }
    }
}
