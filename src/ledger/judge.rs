//! The verdict on a scan: which ballot its codes name, whether they agree, and what the mode does to it.

mod command;
mod manual;

pub use manual::{BY_HAND, LookedUp, ManualRequest, NotMarked, Typed};

use super::batches::Batch;
use super::book::{Book, Settings, WriteError};
use super::fact::{Fact, ScanFact, Who};
use super::rows::{self, BallotRow};
use super::tally::Scope;
use super::unanswered::Committed;
use crate::ballot::{Mode, Move, Status, scan_move};
use crate::clock::Micros;
use crate::scan::{
    Capture, CodeKind, Direction, Earlier, Face, Judged, Scan, Symbol, Then, Unreadable, Verdict,
};
use rusqlite::OptionalExtension as _;
use std::time::Duration;

/// The name under which repeats are counted.
pub(super) const REPEATS: &str = "repeats";

/// Events of a ballot that are looked back over for the batch in which its envelope lies.
const EARLIER_EVENTS_MAX: usize = 16;

/// What the codes on a face come to.
enum Named {
    /// This ballot, by this capture.
    One(Box<BallotRow>, Capture),
    /// Several ballots of one voter are open.
    SeveralOpen,
    /// Different ballots.
    Several,
    /// No issued ballot.
    None,
}

/// A scan's ruling, with the ballot it is about and the capture that named that one.
struct Ruled {
    ruling: Ruling,
    row: Option<BallotRow>,
    capture: Option<Capture>,
}

impl Ruled {
    const fn on_none(ruling: Ruling) -> Self {
        Self { ruling, row: None, capture: None }
    }
}

/// A verdict in the making.
struct Ruling {
    verdict: Verdict,
    reason: Option<String>,
    to: Option<Status>,
}

impl Ruling {
    const fn plain(verdict: Verdict) -> Self {
        Self { verdict, reason: None, to: None }
    }

    fn because(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: Some(reason.into()), to: None }
    }

    const fn moves(verdict: Verdict, to: Status) -> Self {
        Self { verdict, reason: None, to: Some(to) }
    }
}

impl Book {
    /// Judges a scan, appends it, and says what the clerk is told once all of it is durable.
    /// `now` is time that passes, for whoever signed in at the scanner.
    pub(super) fn scan(&mut self, scan: &Scan, now: Duration) -> Result<Judged, WriteError> {
        if matches!(scan.face, Face::Command(_) | Face::Commands) {
            return self.command(scan, now);
        }
        self.at_scanners.forget_count(&scan.scanner_name);
        let person = self.person_at(&scan.scanner_name, now)?;
        let batch = self.batch(scan.at)?;
        if let Some(committed) = self.unanswered.take(scan, batch.purpose, &self.key)
            && self.still_stands(&committed)?
        {
            self.tally.add(Scope::Working, REPEATS, 1);
            return self.judged_before(scan, &committed);
        }
        self.judged_anew(scan, &batch, person.role.map(|_| &person.who))
    }

    /// Judges what was not judged before, and appends it.
    fn judged_anew(
        &mut self,
        scan: &Scan,
        batch: &Batch,
        who: Option<&Who>,
    ) -> Result<Judged, WriteError> {
        let ruled = self.rule(scan, batch)?;
        let fact = ScanFact {
            by: who.map(|who| who.by.clone()),
            os_user: who.and_then(|who| who.os_user.clone()),
            ..self.scan_fact(scan, batch, &ruled)
        };
        let Ruled { ruling, row, capture: _ } = ruled;
        let earlier = match (ruling.verdict, &row) {
            (Verdict::AlreadyReceived, Some(row)) => self.earlier(row)?,
            _ => None,
        };
        self.append(scan.at, Fact::Scan(fact), row.as_ref())?;
        let (position, fill) = self.count_scan();
        Ok(Judged {
            id: scan.id,
            verdict: ruling.verdict,
            status: ruling.to.or(row.as_ref().map(|row| row.status)),
            ballot: row.map(|row| row.ballot),
            reason: ruling.reason,
            earlier,
            batch: batch.number,
            position,
            fill,
            then: Then::Nothing,
        })
    }

    fn rule(&mut self, scan: &Scan, batch: &Batch) -> Result<Ruled, WriteError> {
        let captures = match &scan.face {
            Face::Names(captures) => captures,
            Face::WrongElection(format) => {
                let ruling = Ruling::because(Verdict::WrongElection, format!("by {format}"));
                return Ok(Ruled::on_none(ruling));
            }
            Face::Mixed => {
                let ruling = Ruling::because(Verdict::Ambiguous, "codes of two elections");
                return Ok(Ruled::on_none(ruling));
            }
            Face::Command(_) | Face::Commands | Face::CommandBeside => {
                let why = "a command's code beside something else: uncover one of them";
                return Ok(Ruled::on_none(Ruling::because(Verdict::Ambiguous, why)));
            }
            Face::Unreadable(why) => {
                let ruling = Ruling::because(Verdict::Unreadable, why.to_string());
                return Ok(Ruled::on_none(ruling));
            }
        };
        let ruling = match self.named(captures)? {
            Named::None => Ruling::plain(Verdict::NotIssued),
            Named::Several => Ruling::because(Verdict::Ambiguous, "codes of two ballots"),
            Named::SeveralOpen => {
                Ruling::because(Verdict::Held, "several open ballots of this voter")
            }
            Named::One(row, capture) => {
                let outbound = captures.iter().find(|c| c.direction == Direction::Outbound);
                let direction = outbound.map_or(Direction::Return, |c| c.direction);
                let ruling = self.rule_on(&row, batch, direction, scan.at)?;
                return Ok(Ruled { ruling, row: Some(*row), capture: Some(capture) });
            }
        };
        Ok(Ruled::on_none(ruling))
    }

    /// What the batch does to this ballot.
    fn rule_on(
        &mut self,
        row: &BallotRow,
        batch: &Batch,
        direction: Direction,
        at: Micros,
    ) -> Result<Ruling, WriteError> {
        let mode = batch.mode;
        if direction == Direction::Outbound && !matches!(mode, Mode::Undeliverable | Mode::Lookup) {
            return Ok(Ruling::plain(Verdict::OutboundPiece));
        }
        let received_at = batch.received_at.unwrap_or(at);
        Ok(match scan_move(mode, row.status) {
            Move::Look => Ruling::because(Verdict::Found, row.status.name()),
            Move::Voided => Ruling { reason: row.reason.clone(), ..Ruling::plain(Verdict::Voided) },
            Move::Already => Ruling::because(Verdict::AlreadyReceived, row.status.name()),
            Move::Refused => {
                let why = format!("{} does not allow {}", row.status, mode.name());
                Ruling::because(Verdict::Refused, why)
            }
            Move::To(Status::Received) => {
                let deadline = self.deadline(row, batch).filter(|until| received_at > *until);
                self.rule_on_time("was due", deadline)
                    .map_or_else(|| self.rule_on_receipt(row), Ok)?
            }
            Move::To(Status::Accepted) => {
                let deadline = self.cure_deadline(row).filter(|until| received_at > *until);
                self.rule_on_time("was to be cured until", deadline)
                    .map_or_else(|| self.rule_on_acceptance(row), Ok)?
            }
            Move::To(Status::NeedsAttention) => Ruling {
                reason: batch.attention.as_deref().map(str::to_owned),
                ..Ruling::moves(Verdict::NeedsAttention, Status::NeedsAttention)
            },
            Move::To(to) => Ruling::moves(Verdict::Undeliverable, to),
        })
    }

    /// Too late, where a deadline was missed.
    fn rule_on_time(&self, what: &str, missed: Option<Micros>) -> Option<Ruling> {
        let until = self.settings.zone.date_time(missed?);
        Some(Ruling::because(Verdict::Late, format!("{what} {until}")))
    }

    /// Received, unless another ballot of the voter is out or in.
    fn rule_on_receipt(&mut self, row: &BallotRow) -> Result<Ruling, WriteError> {
        let other = self.another(row, |other| other != Status::Voided)?;
        Ok(held_for(other).unwrap_or_else(|| Ruling::moves(Verdict::Received, Status::Received)))
    }

    /// Accepted, unless another ballot of the voter is in and may count.
    fn rule_on_acceptance(&mut self, row: &BallotRow) -> Result<Ruling, WriteError> {
        let other = self.another(row, Status::may_count)?;
        Ok(held_for(other).unwrap_or_else(|| Ruling::moves(Verdict::Accepted, Status::Accepted)))
    }

    /// Another ballot of the voter that stands so.
    fn another(
        &mut self,
        row: &BallotRow,
        stands: impl Fn(Status) -> bool,
    ) -> Result<Option<BallotRow>, WriteError> {
        if self.applying.is_none() && !rows::has_another(&self.conn, row)? {
            return Ok(None);
        }
        let others = self.rows_named(row.election.as_str(), &CodeKind::Voter, &row.voter)?;
        Ok(others.into_iter().find(|other| {
            other.key != row.key && Some(other.since) != self.staging && stands(other.status)
        }))
    }

    /// Until when the ballot may be received; in a batch of postmarked envelopes, the later of the two deadlines.
    fn deadline(&self, row: &BallotRow, batch: &Batch) -> Option<Micros> {
        let plain = row.receive_until.or_else(|| self.of_this_election(row, |s| s.receive_until));
        let postmarked = self
            .of_this_election(row, |s| s.postmarked_receive_until.filter(|_| batch.is_postmarked));
        plain.map(|plain| postmarked.map_or(plain, |later| plain.max(later)))
    }

    /// Until when the ballot may be cured, where it needs that.
    fn cure_deadline(&self, row: &BallotRow) -> Option<Micros> {
        self.of_this_election(row, |settings| settings.cure_until)
            .filter(|_| row.status == Status::NeedsAttention)
    }

    /// What is configured for the election, for a ballot of it.
    fn of_this_election(
        &self,
        row: &BallotRow,
        configured: impl Fn(&Settings) -> Option<Micros>,
    ) -> Option<Micros> {
        configured(&self.settings)
            .filter(|_| self.settings.election.as_ref() == Some(&row.election))
    }

    /// Which ballot the captures name. A voter's id says which only where nothing else does. A code that names none is passed
    /// over when another does, unless the ballot has a different code of that kind.
    fn named(&mut self, captures: &[Capture]) -> Result<Named, WriteError> {
        let (of_voter, of_piece): (Vec<_>, Vec<_>) =
            captures.iter().partition(|capture| capture.names == CodeKind::Voter);
        let mut found: Option<(BallotRow, &Capture)> = None;
        let mut unknown = Vec::new();
        for capture in of_piece {
            match (self.look_up(capture)?.as_slice(), &found) {
                ([], _) => unknown.push(capture),
                ([row], None) => found = Some((row.clone(), capture)),
                ([row], Some((before, _))) if row.key == before.key => {}
                (_, _) => return Ok(Named::Several),
            }
        }
        if found.is_none()
            && let Some(capture) = of_voter.first()
        {
            match self.look_up(capture)?.as_slice() {
                [] => {}
                [row] => found = Some((row.clone(), capture)),
                _ if of_voter.iter().all(|other| other.code == capture.code) => {
                    return Ok(Named::SeveralOpen);
                }
                _ => return Ok(Named::Several),
            }
        }
        let Some((row, capture)) = found else { return Ok(Named::None) };
        if of_voter.iter().any(|capture| capture.code != row.voter)
            || unknown.iter().any(|capture| contradicts(&row, capture))
        {
            return Ok(Named::Several);
        }
        Ok(Named::One(Box::new(row), capture.clone()))
    }

    /// The ballots that a code names: of a voter's the open ones, else the one that stands furthest.
    fn look_up(&mut self, capture: &Capture) -> Result<Vec<BallotRow>, WriteError> {
        let Some(election) = self.settings.election.clone() else { return Ok(Vec::new()) };
        let mut rows = self.rows_named(election.as_str(), &capture.names, &capture.code)?;
        rows.retain(|row| Some(row.since) != self.staging);
        if capture.names == CodeKind::Voter {
            rows = of_voter(rows);
        }
        Ok(rows)
    }

    /// The ballots that a code names, once what the import in force says of them is applied, and of those it gives that code.
    pub(super) fn rows_named(
        &mut self,
        election: &str,
        names: &CodeKind,
        code: &str,
    ) -> Result<Vec<BallotRow>, WriteError> {
        if let Some(import) = self.applying {
            for key in rows::candidates(&self.conn, election, names, code)? {
                self.apply_change(import, key)?;
            }
        }
        Ok(rows::named(&self.conn, election, names, code)?)
    }

    fn scan_fact(&self, scan: &Scan, batch: &Batch, ruled: &Ruled) -> ScanFact {
        let Ruled { ruling, row, capture } = ruled;
        let row = row.as_ref();
        let symbol = scan.symbols.first();
        let nearest = match &scan.face {
            Face::Names(captures) => captures.first().map(|capture| &capture.format),
            Face::WrongElection(format) => Some(format),
            Face::Unreadable(why) => Unreadable::format(why),
            Face::Mixed | Face::Command(_) | Face::Commands | Face::CommandBeside => None,
        };
        let (format, code) = match capture {
            Some(capture) => (Some(&capture.format), Some(capture.code.clone())),
            None => (nearest, None),
        };
        ScanFact {
            verdict: ruling.verdict,
            scanner: scan.scanner_name.to_string(),
            method: scan.method,
            batch: batch.number,
            symbology: symbol.map_or("none", |symbol| symbol.symbology.name()).to_owned(),
            length: symbol.map_or(0, |symbol| symbol.length),
            format: format.map(ToString::to_string),
            election: row.map(|row| row.election.clone()),
            ballot: row.map(|row| row.ballot.clone()),
            mac: if code.is_some() { None } else { symbol.map(|s| self.key.mac(&s.payload.0)) },
            code,
            from: row.map(|row| row.status),
            from_reason: ruling.to.and(row).and_then(|row| row.reason.clone()),
            to: ruling.to,
            reason: ruling.reason.clone(),
            repaired: scan.symbols.iter().any(|symbol: &Symbol| symbol.repaired),
            command: None,
            by: None,
            os_user: None,
        }
    }

    /// What put the ballot where it stands; nothing when the import that issued it did. Set by hand, its envelope lies in the
    /// batch of its last scan.
    fn earlier(&self, row: &BallotRow) -> Result<Option<Earlier>, WriteError> {
        if row.status_seq == 0 {
            return Ok(None);
        }
        let event = rows::event(&self.conn, row.status_seq)?;
        let (by, batch) = match event.fact {
            Fact::Scan(scan) => (scan.scanner, Some(scan.batch)),
            Fact::Set(set) => (set.who.by, self.last_batch(row.status_seq)?),
            Fact::Imported(imported) => (imported.file, None),
            _ => return Ok(None),
        };
        Ok(Some(Earlier { at: event.at, by, batch }))
    }

    /// The batch of the ballot's last scan before its event of row `seq`.
    fn last_batch(&self, seq: i64) -> rusqlite::Result<Option<u32>> {
        let mut before = self.conn.prepare_cached(
            "SELECT event.seq, event.body ->> 'batch' FROM event AS later \
             JOIN event ON event.seq = later.ballot_prev WHERE later.seq = ?",
        )?;
        let mut seq = seq;
        for _ in 0..EARLIER_EVENTS_MAX {
            let found: Option<(i64, Option<u32>)> =
                before.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            match found {
                None => break,
                Some((_, Some(batch))) => return Ok(Some(batch)),
                Some((before, None)) => seq = before,
            }
        }
        Ok(None)
    }

    /// Whether the verdict of a scan that was perhaps never answered is still what that scan would be told: no good tone for
    /// what was taken back since, none of the old for a ballot that was issued or moved since.
    fn still_stands(&mut self, committed: &Committed) -> Result<bool, WriteError> {
        let Fact::Scan(scan) = &committed.event.fact else { return Ok(false) };
        let (Some(election), Some(ballot)) = (&scan.election, &scan.ballot) else {
            return Ok(!self.is_imported_since(committed.seq)?);
        };
        let row = self.visible(election, ballot)?;
        Ok(row.is_some_and(|row| match scan.to {
            Some(_) => row.status_seq == committed.seq,
            None => Some(row.status) == scan.from,
        }) && self.settings.election.as_ref() == Some(election))
    }

    fn is_imported_since(&self, seq: i64) -> rusqlite::Result<bool> {
        self.conn.prepare_cached("SELECT 1 FROM import WHERE seq > ?")?.exists([seq])
    }

    /// The verdict that a scan had which was perhaps never answered.
    fn judged_before(&mut self, scan: &Scan, known: &Committed) -> Result<Judged, WriteError> {
        let Fact::Scan(fact) = &known.event.fact else { return Ok(Judged::fault(scan.id)) };
        let row = match (&fact.election, &fact.ballot) {
            (Some(election), Some(ballot)) => {
                rows::by_id(&self.conn, election.as_str(), ballot.as_str())?
            }
            _ => None,
        };
        Ok(Judged {
            id: scan.id,
            verdict: fact.verdict,
            ballot: fact.ballot.clone(),
            status: row.map(|row| row.status),
            reason: fact.reason.clone(),
            earlier: None,
            batch: fact.batch,
            position: known.position,
            fill: self.fill_of(fact.batch, known.position),
            then: Then::Nothing,
        })
    }
}

/// Held, for there is this other ballot of the voter.
fn held_for(other: Option<BallotRow>) -> Option<Ruling> {
    let other = other?;
    let why = format!("ballot {} of this voter is {}", other.ballot, other.status);
    Some(Ruling::because(Verdict::Held, why))
}

/// Whether the ballot has another code of that kind than the one on the face.
fn contradicts(row: &BallotRow, capture: &Capture) -> bool {
    row.code(&capture.names).is_some()
}

fn of_voter(rows: Vec<BallotRow>) -> Vec<BallotRow> {
    let (open, mut closed): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row.status.is_open());
    if !open.is_empty() {
        return open;
    }
    // None is open: the voter's one that is in, if there is one, says more than those that were voided.
    closed.sort_by_key(|row| (row.status.is_in(), row.last_seq));
    closed.pop().into_iter().collect()
}
