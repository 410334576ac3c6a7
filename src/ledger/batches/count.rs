//! What was scanned in a batch: its scans in order, and the different envelopes that they are.

use crate::ballot::{BallotId, ElectionId, Status};
use crate::clock::Micros;
use crate::ledger::fact::{By, Fact, ScanFact, SetFact};
use crate::ledger::rows::{self, BallotRow};
use crate::ledger::tally::{self, Scope};
use crate::scan::Verdict;
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, HashSet};
use std::fmt;

/// Verdicts of scans that may be more, or fewer, envelopes than they seem; and what to look for.
const DOUBTFUL: [(Verdict, &str); 6] = [
    (Verdict::Unreadable, "unreadable"),
    (Verdict::AlreadyReceived, "already received (second envelopes, or one scanned twice)"),
    (Verdict::NotIssued, "not issued"),
    (Verdict::WrongElection, "of another election"),
    (Verdict::Ambiguous, "ambiguous"),
    (Verdict::OutboundPiece, "outbound pieces"),
];

/// What was counted by hand beside what was scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Envelopes counted by hand.
    pub counted: u32,
    /// Different envelopes that were scanned and not taken back.
    pub envelopes: u32,
    /// Scans that could explain a difference, by what they are, without zeros.
    pub could_be: BTreeMap<&'static str, i64>,
}

impl Difference {
    pub(super) fn of(conn: &Connection, batch: u32, counted: u32) -> rusqlite::Result<Self> {
        let mut envelopes = Envelopes::default();
        scans(conn, batch, &mut |scanned| envelopes.add(conn, &scanned).map(drop))?;
        let verdicts = tally::read(conn, &Scope::Batch(batch))?;
        let mut could_be: BTreeMap<_, _> = DOUBTFUL
            .into_iter()
            .filter_map(|(verdict, what)| Some((what, *verdicts.get(verdict.name())?)))
            .collect();
        could_be.insert("taken back", i64::from(envelopes.n_taken_back));
        could_be.retain(|_, n| *n > 0);
        Ok(Self { counted, envelopes: envelopes.count(), could_be })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counted, envelopes, could_be } = self;
        write!(f, "{counted} envelopes were counted and {envelopes} scanned; ")?;
        if could_be.is_empty() {
            return f.write_str("no scan of it could explain the difference");
        }
        f.write_str("look at its scans that were ")?;
        let list: Vec<_> = could_be.iter().map(|(what, n)| format!("{what}: {n}")).collect();
        f.write_str(&list.join(", "))
    }
}

/// A scan of a batch.
pub(super) struct Scanned {
    pub(super) seq: i64,
    pub(super) id: String,
    pub(super) at: Micros,
    pub(super) scan: ScanFact,
}

/// The scans of a batch in order. They end where as many were found as are counted, so that a batch of long ago is not looked for
/// among all that came since.
pub(super) fn scans(
    conn: &Connection,
    batch: u32,
    each: &mut dyn FnMut(Scanned) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let n: i64 = tally::read(conn, &Scope::Batch(batch))?.values().sum();
    let mut events = conn.prepare_cached(
        "SELECT seq, body FROM event WHERE seq > (SELECT seq FROM batch WHERE number = ?1) \
         AND body ->> 'batch' = ?1 AND body ->> 'kind' = 'scan' ORDER BY seq LIMIT ?2",
    )?;
    let mut rows = events.query(params![batch, n])?;
    while let Some(row) = rows.next()? {
        let event = rows::event_in(row, 1)?;
        if let Fact::Scan(scan) = event.fact {
            each(Scanned { seq: row.get(0)?, id: event.id, at: event.at, scan })?;
        }
    }
    Ok(())
}

/// The ballot that a scan names.
pub(super) fn ballot_of(conn: &Connection, scan: &ScanFact) -> rusqlite::Result<Option<BallotRow>> {
    match (&scan.election, &scan.ballot) {
        (Some(election), Some(ballot)) => rows::by_id(conn, election.as_str(), ballot.as_str()),
        _ => Ok(None),
    }
}

/// How it was said that a scan of the ballot was wrong, if an event of the ballot after it does: by whom, and where the ballot went.
pub(super) fn correction_of(
    conn: &Connection,
    row: &BallotRow,
    scan_seq: i64,
    scan_id: &str,
) -> rusqlite::Result<Option<(By, Status)>> {
    let mut seq = if row.status_seq == scan_seq { scan_seq } else { row.last_seq };
    while seq > scan_seq {
        let (event, before) = conn
            .prepare_cached("SELECT body, coalesce(ballot_prev, 0) FROM event WHERE seq = ?")?
            .query_row([seq], |row| Ok((rows::event_in(row, 0)?, row.get::<_, i64>(1)?)))?;
        if let Fact::Set(SetFact { method, to, corrects: Some(id), .. }) = event.fact
            && id == scan_id
        {
            return Ok(Some((method, to)));
        }
        // The chain of a ballot's events only ever leads back.
        seq = before.min(seq - 1);
    }
    Ok(None)
}

/// By what an envelope is known again.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Envelope {
    Ballot(ElectionId, BallotId),
    /// HMAC of a payload that names no ballot.
    Payload(String),
    /// A picture without a symbol: each is one of its own.
    Nameless(i64),
}

/// The different envelopes of scans that were not taken back.
#[derive(Debug, Default)]
pub(super) struct Envelopes {
    known: HashSet<Envelope>,
    pub(super) n_taken_back: u32,
}

/// What a scan adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    Envelope,
    /// One that was scanned before.
    Nothing,
    /// The scan was taken back.
    TakenBack,
}

impl Envelopes {
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.known.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn add(&mut self, conn: &Connection, scanned: &Scanned) -> rusqlite::Result<Added> {
        let scan = &scanned.scan;
        if scan.to.is_some()
            && let Some(row) = ballot_of(conn, scan)?
            && let Some((By::Manual, _)) = correction_of(conn, &row, scanned.seq, &scanned.id)?
        {
            self.n_taken_back += 1;
            return Ok(Added::TakenBack);
        }
        let envelope = match (&scan.election, &scan.ballot, &scan.mac) {
            (Some(election), Some(ballot), _) => Envelope::Ballot(election.clone(), ballot.clone()),
            (_, _, Some(mac)) => Envelope::Payload(mac.clone()),
            _ => Envelope::Nameless(scanned.seq),
        };
        Ok(if self.known.insert(envelope) { Added::Envelope } else { Added::Nothing })
    }
}
