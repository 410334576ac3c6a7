//! Scans that were committed but perhaps never answered: before a restart, or when a commit failed and yet was found.
//!
//! The clerk who got no answer scans the envelope again, and a scanner that waits for one sends its frame again. Such a scan
//! gets the verdict that it would have had, and no second row. What a scanner may have in flight is bounded, so is this; and
//! it is over for a scanner with the first scan that is none of them.

use super::fact::{BatchOpened, Event, Fact, ScanFact};
use super::key::StationKey;
use super::rows;
use super::tally::{self, Scope};
use crate::ballot::Mode;
use crate::scan::{Face, Method, Scan};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Scans that a scanner may have in flight, at most.
const IN_FLIGHT_MAX: usize = 256;

/// The name under which it is written to which row every scan was answered.
const ANSWERED: &str = "answered";

/// Rows looked at from the end, where it is not known what was answered.
const ROWS_MAX: i64 = 4_096;

/// For what an envelope is scanned: only for the same purpose is the same envelope the same scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A running batch, of whichever day, that does this.
    Running(Mode),
    /// This batch, which was opened by hand.
    Batch(u32),
    /// None: it is no envelope but the code of a command.
    Command,
}

impl Purpose {
    /// That of a batch; a running one has a day.
    pub(super) const fn of(opened: &BatchOpened) -> Self {
        match opened.day {
            Some(_) => Self::Running(opened.mode),
            None => Self::Batch(opened.batch),
        }
    }
}

/// A committed scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) seq: i64,
    /// Its position in its batch, from 1.
    pub(super) position: i64,
    pub(super) purpose: Purpose,
    pub(super) event: Event,
}

/// To which row scans were answered.
#[derive(Debug)]
pub(super) struct Answered {
    to: i64,
    /// Of a scanner that a crash left without answers: before its first such scan, and its last one. What came after that was
    /// answered.
    of_scanner: HashMap<String, i64>,
}

impl Answered {
    /// All up to that row were.
    pub(super) fn to(seq: i64) -> Self {
        Self { to: seq, of_scanner: HashMap::new() }
    }

    /// As it was when the ledger was last closed as it should be.
    pub(super) fn at_close(conn: &Connection, head: i64) -> rusqlite::Result<Self> {
        let mut of_scanner = tally::read(conn, &Scope::Working)?;
        of_scanner.retain(|name, _| name.starts_with(ANSWERED));
        let to = of_scanner.remove(ANSWERED).unwrap_or(0).max(head - ROWS_MAX);
        Ok(Self { to, of_scanner })
    }

    /// The row up to which those of every scanner were.
    fn to_all(&self) -> i64 {
        self.of_scanner.values().copied().fold(self.to, i64::min)
    }

    fn leaves(&self, seq: i64, scan: &Event) -> bool {
        let Fact::Scan(fact) = &scan.fact else { return false };
        let mark = |name| self.of_scanner.get(&name).copied();
        let is_left = mark(of_scanner(&fact.scanner)).is_some_and(|before| {
            seq > before && mark(last_of_scanner(&fact.scanner)).is_none_or(|last| seq <= last)
        });
        is_left || seq > self.to
    }
}

/// The name under which it is written to where a scanner's scans were answered.
fn of_scanner(scanner: &str) -> String {
    format!("{ANSWERED}/{scanner}")
}

/// The name under which the last of those that were not is written.
fn last_of_scanner(scanner: &str) -> String {
    format!("{ANSWERED}_after/{scanner}")
}

/// The scans, each scanner's in order.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    by_scanner: HashMap<String, VecDeque<Committed>>,
    /// Taken in the open transaction; forgotten once that is durable.
    taken: Vec<Committed>,
}

impl Unanswered {
    /// Reads them from the end of the ledger.
    pub(super) fn read(conn: &Connection, answered: &Answered) -> rusqlite::Result<Self> {
        let mut all = Self::default();
        let mut rows = conn.prepare(
            "SELECT scan.seq, scan.body, opening.body FROM event AS scan \
             LEFT JOIN batch ON batch.number = scan.body ->> 'batch' \
             LEFT JOIN event AS opening ON opening.seq = batch.seq \
             WHERE scan.seq > ? AND scan.body ->> 'kind' = 'scan' ORDER BY scan.seq DESC LIMIT ?",
        )?;
        let mut rows = rows.query(params![answered.to_all(), ROWS_MAX])?;
        // Every scan after these was met before them.
        let mut positions: HashMap<u32, i64> = HashMap::new();
        while let Some(row) = rows.next()? {
            if row.get_ref(2)? == ValueRef::Null {
                let (seq, event) = (row.get(0)?, rows::event_in(row, 1)?);
                all.add(Committed { seq, position: 0, purpose: Purpose::Command, event });
            } else if let Fact::BatchOpened(opened) = rows::event_in(row, 2)?.fact {
                let (seq, event) = (row.get(0)?, rows::event_in(row, 1)?);
                let position = match positions.get(&opened.batch) {
                    Some(later) => later - 1,
                    None => tally::read(conn, &Scope::Batch(opened.batch))?.values().sum(),
                };
                positions.insert(opened.batch, position);
                let purpose = Purpose::of(&opened);
                if answered.leaves(seq, &event) {
                    all.add(Committed { seq, position, purpose, event });
                }
            }
        }
        Ok(all)
    }

    /// These and those that an earlier opening knew of; both may know the same.
    pub(super) fn and(self, earlier: Self) -> Self {
        let known = [self, earlier].into_iter().flat_map(|known| {
            known.by_scanner.into_values().flatten().chain(known.taken).collect::<Vec<_>>()
        });
        let by_seq: BTreeMap<i64, Committed> =
            known.map(|committed| (committed.seq, committed)).collect();
        let mut all = Self::default();
        for committed in by_seq.into_values().rev() {
            all.add(committed);
        }
        all
    }

    fn add(&mut self, committed: Committed) {
        let Fact::Scan(scan) = &committed.event.fact else { return };
        if scan.method == Method::Manual {
            // Whoever typed it was told on their connection, or looks before they type it again.
            return;
        }
        let scans = self.by_scanner.entry(scan.scanner.clone()).or_default();
        if scans.len() < IN_FLIGHT_MAX {
            scans.push_front(committed);
        }
    }

    /// The committed scan that this one repeats, if it does. Those before it were answered, then; if it repeats none, all were. The
    /// code of a command that repeats none says nothing about envelopes: after a restart everybody signs in anew.
    pub(super) fn take(
        &mut self,
        scan: &Scan,
        purpose: Purpose,
        key: &StationKey,
    ) -> Option<Committed> {
        let scans = self.by_scanner.get_mut(&*scan.scanner_name)?;
        let mac = scan.symbols.first().map(|symbol| key.mac(&symbol.payload.0));
        let found = scans.iter().position(|committed| match &committed.event.fact {
            Fact::Scan(fact) => {
                committed.purpose == purpose && is_same(fact, &scan.face, mac.as_deref())
            }
            _ => false,
        });
        let over = match (found, purpose) {
            (Some(position), _) => position + 1,
            (None, Purpose::Command) => 0,
            (None, Purpose::Running(_) | Purpose::Batch(_)) => scans.len(),
        };
        self.taken.extend(scans.drain(..over));
        if scans.is_empty() {
            self.by_scanner.remove(&*scan.scanner_name);
        }
        found.and_then(|_| self.taken.last().cloned())
    }

    /// Writes what was answered: all up to `head`, but for these.
    pub(super) fn close(&self, conn: &Connection, head: i64) -> rusqlite::Result<()> {
        let scope = Scope::Working.text();
        conn.prepare_cached("DELETE FROM tally WHERE scope = ? AND name GLOB ?")?
            .execute(params![scope, format!("{ANSWERED}*")])?;
        let mut write =
            conn.prepare_cached("INSERT INTO tally (scope, name, n) VALUES (?, ?, ?)")?;
        write.execute(params![scope, ANSWERED, head])?;
        for (scanner, scans) in &self.by_scanner {
            if let (Some(oldest), Some(last)) = (scans.front(), scans.back()) {
                write.execute(params![scope, of_scanner(scanner), oldest.seq - 1])?;
                write.execute(params![scope, last_of_scanner(scanner), last.seq])?;
            }
        }
        Ok(())
    }

    /// The transaction that took some is durable.
    pub(super) fn settled(&mut self) {
        self.taken.clear();
    }
}

fn is_same(committed: &ScanFact, face: &Face, mac: Option<&str>) -> bool {
    match (&committed.code, face) {
        (Some(named_by), Face::Names(captures)) => captures.iter().any(|capture| {
            capture.code == *named_by && committed.format.as_deref() == Some(&*capture.format)
        }),
        (Some(_), _) => false,
        (None, _) => committed.mac.is_some() && committed.mac.as_deref() == mac,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Micros;
    use crate::ledger::fact::BODY_VERSION;
    use crate::scan::Verdict;

    fn committed(seq: i64) -> Committed {
        let scan = ScanFact {
            verdict: Verdict::Unreadable,
            scanner: "left".to_owned(),
            method: Method::Scanner,
            batch: 1,
            symbology: "code128".to_owned(),
            length: 8,
            format: None,
            election: None,
            ballot: None,
            code: None,
            mac: Some(seq.to_string()),
            from: None,
            from_reason: None,
            to: None,
            reason: None,
            repaired: false,
            command: None,
            by: None,
            os_user: None,
        };
        let id = seq.to_string();
        Committed {
            seq,
            position: seq,
            purpose: Purpose::Running(Mode::Receive),
            event: Event { v: BODY_VERSION, id, at: Micros(0), fact: Fact::Scan(scan) },
        }
    }

    fn knows(seqs: &[i64]) -> Unanswered {
        let mut all = Unanswered::default();
        seqs.iter().rev().for_each(|seq| all.add(committed(*seq)));
        all
    }

    /// When a second commit failed, what the first one had left was known twice, and answered twice.
    #[test]
    fn what_two_openings_know_is_known_once_and_in_order() {
        let both =
            knows(&[3, 4, 5]).and(Unanswered { taken: vec![committed(2)], ..knows(&[1, 4]) });
        let left: Vec<_> = both.by_scanner["left"].iter().map(|known| known.seq).collect();
        assert_eq!(left, [1, 2, 3, 4, 5]);
    }
}
