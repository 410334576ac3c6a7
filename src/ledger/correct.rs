//! What people do to a ballot: set it by hand, or take the last scan back. A correction is a new event; nothing is rewritten.

use super::apply::State;
use super::batches;
use super::book::{Book, WriteError};
use super::fact::{By, Event, Fact, ScanFact, SetFact, TwoPersonAct, Who};
use super::operators::{NotAllowed, checked_reason};
use super::outbox;
use super::proposals::{Done, NotDone, Party};
use super::rows::{self, BallotRow};
use super::writer::Change;
use crate::ballot::{BallotId, ElectionId, SetMove, Status, set_move};
use crate::clock::Micros;
use crate::scan::{CodeKind, Verdict};
use rusqlite::{Connection, OptionalExtension as _};

/// Rows that `undo` looks back over for the station's last scan that changed something.
const UNDO_ROWS_MAX: i64 = 100_000;

/// A ballot as a correction left it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Moved {
    /// The ballot's election.
    pub election: ElectionId,
    /// The ballot.
    pub ballot: BallotId,
    /// Where it stood.
    pub previous: Status,
    /// Where it stands.
    pub status: Status,
    /// The id of the event that this one says was wrong.
    pub corrects: Option<String>,
    /// Whether the change that was wrong was still held back, so that the relay never hears of it.
    pub withdrawn: bool,
    /// Another ballot of the voter that may be counted beside this one: whoever moved this one has decided that, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<BallotId>,
    /// The scan that was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<Box<TakenBack>>,
}

/// A scan that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TakenBack {
    /// When it was scanned, in local time with offset.
    pub at: String,
    /// By what scanner.
    pub scanner: String,
    /// How many scans came after it that changed nothing: of those nothing is taken back.
    pub later: u64,
}

/// Why a correction was not made. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotMoved {
    /// The ledger has no such ballot.
    #[error("ballot {ballot} was not issued in election {election}")]
    NotIssued {
        /// The election.
        election: ElectionId,
        /// The ballot.
        ballot: BallotId,
    },
    /// It stands there.
    #[error("ballot {0} is {1} already")]
    Same(BallotId, Status),
    /// Another ballot of the voter may count, and nobody who may decide that both do has said so.
    #[error(
        "ballot {other} of the same voter is {status}: a supervisor must decide that {ballot} counts, too; sign in as one with \
         --operator NAME"
    )]
    OtherCounts {
        /// The ballot.
        ballot: BallotId,
        /// The other one.
        other: BallotId,
        /// Where that one stands.
        status: Status,
    },
    /// The ballot is not any more where it stood when that was proposed.
    #[error(
        "ballot {ballot} was moved after proposal {proposal} was made, to {status}: propose it anew"
    )]
    MovedSinceProposed {
        /// The ballot.
        ballot: BallotId,
        /// The proposal.
        proposal: i64,
        /// Where it stands.
        status: Status,
    },
    /// Another ballot of the voter may count that did not when that was proposed.
    #[error(
        "since proposal {proposal} was made, ballot {other} of the same voter came to be {status}: propose it anew, if both shall count"
    )]
    CountsSinceProposed {
        /// The proposal.
        proposal: i64,
        /// The other ballot.
        other: BallotId,
        /// Where that one stands.
        status: Status,
    },
    /// Another scan changed something after the one that was shown.
    #[error("ballot {0} was scanned since: look again at what is taken back")]
    ScannedSince(BallotId),
    /// The scan that was shown was taken back, by whoever asked or by another.
    #[error("this scan was taken back already, of ballot {0}: nothing more was done")]
    TakenBackAlready(BallotId),
    /// No scan of this station changed anything, or all were taken back.
    #[error("there is no scan to take back")]
    NothingToUndo,
    /// The same, as far as was looked back.
    #[error("among the newest {UNDO_ROWS_MAX} events is no scan to take back")]
    NothingNearToUndo,
    /// Its batch was counted and closed.
    #[error(
        "ballot {ballot}, which was scanned last, is in batch {batch}, which is closed: set the ballot, or have the batch reversed"
    )]
    InClosedBatch {
        /// The ballot.
        ballot: BallotId,
        /// `<station>-<n>`.
        batch: String,
    },
    /// What the scan put the ballot at is not held back any more, and takes two to leave.
    #[error(
        "ballot {0}, which was scanned last, is {1}, which takes two operators to leave: use `ballot-intake ballot set`"
    )]
    TakesTwo(BallotId, Status),
    /// Whoever asked may do nothing any more.
    #[error(transparent)]
    People(NotAllowed),
    /// The ballot is not any more where whoever asks saw it.
    #[error("ballot {0} was moved since it was shown, to {1}: look at it again")]
    MovedSinceShown(BallotId, Status),
    /// The ballot was moved by something else since.
    #[error("ballot {0} was moved again after its scan, to {1}")]
    MovedSince(BallotId, Status),
}

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetRequest {
    /// The ballot's election.
    pub election: ElectionId,
    /// The ballot.
    pub ballot: BallotId,
    /// Where it shall stand.
    pub status: Status,
    /// Why.
    pub reason: String,
    /// Where it stood when whoever asks looked at it.
    pub from: Option<Status>,
    /// Who asks, and who confirms.
    pub party: Party,
}

impl Book {
    /// Sets a ballot by hand, or proposes to where that takes two.
    pub(super) fn set(
        &mut self,
        now: Micros,
        request: &SetRequest,
    ) -> Result<Result<Done, NotDone>, WriteError> {
        let SetRequest { election, ballot, status: to, reason, from: shown, party } = request;
        if let Err(why) = checked_reason(reason) {
            return Ok(Err(why.into()));
        }
        let Some(row) = self.visible(election, ballot)? else {
            let (election, ballot) = (election.clone(), ballot.clone());
            return Ok(Err(NotDone::Ballot(NotMoved::NotIssued { election, ballot })));
        };
        if shown.is_some_and(|shown| shown != row.status) {
            return Ok(Err(NotDone::Ballot(NotMoved::MovedSinceShown(row.ballot, row.status))));
        }
        let corrected = match set_move(row.status, *to) {
            SetMove::Same => {
                return Ok(Err(NotDone::Ballot(NotMoved::Same(row.ballot, row.status))));
            }
            SetMove::TakesTwo => {
                let beside = self.other_that_may_count(&row, *to)?.map(|other| other.ballot);
                let (from, to, reason) = (row.status, *to, reason.clone());
                let (election, ballot) = (row.election, row.ballot);
                let what = TwoPersonAct::SetBallot { election, ballot, from, to, reason, beside };
                return self.propose(now, what, party);
            }
            SetMove::Forward => None,
            SetMove::Correction => self.last_change(&row)?,
        };
        let other = self.other_that_may_count(&row, *to)?;
        if let Err(why) = self.may_set(party, &row, other.as_ref())? {
            return Ok(Err(why));
        }
        let fact = SetFact {
            reason: Some(with_other(reason.clone(), other.as_ref())),
            who: party.by.who.clone(),
            confirmed_by: party.second.as_ref().map(|second| second.who.by.clone()),
            ..self.set_fact(&row, *to, corrected.as_ref())?
        };
        let moved = self.moved_by(now, &row, fact)?;
        Ok(Ok(Done::Moved(Moved { beside: other.map(|other| other.ballot), ..moved })))
    }

    /// Whether one person may move the ballot: a supervisor, or before there are operators any user of the operating system.
    fn may_set(
        &self,
        party: &Party,
        row: &BallotRow,
        other: Option<&BallotRow>,
    ) -> Result<Result<(), NotDone>, WriteError> {
        let mut allowed = self.supervises(&party.by)?;
        if let (Err(NotAllowed::SignIn(_)), Some(other)) = (&allowed, other) {
            return Ok(Err(NotDone::Ballot(NotMoved::OtherCounts {
                ballot: row.ballot.clone(),
                other: other.ballot.clone(),
                status: other.status,
            })));
        }
        if let Some(second) = party.second.as_ref().filter(|_| allowed.is_ok()) {
            allowed = self.may_confirm(&party.by.who.by, second)?;
        }
        Ok(allowed.map_err(NotDone::People))
    }

    /// Another ballot of the voter that may be counted, where this one would be, too: a rejected one is not, unless two people
    /// take that back.
    pub(super) fn other_that_may_count(
        &mut self,
        row: &BallotRow,
        to: Status,
    ) -> Result<Option<BallotRow>, WriteError> {
        if !may_count(to) {
            return Ok(None);
        }
        let others = self.rows_named(row.election.as_str(), &CodeKind::Voter, &row.voter)?;
        Ok(others.into_iter().find(|other| {
            other.key != row.key && Some(other.since) != self.staging && may_count(other.status)
        }))
    }

    /// Takes back the station's last scan that changed something, while its batch is open; only the scan `of` where somebody
    /// was shown that one.
    pub(super) fn undo(
        &mut self,
        now: Micros,
        who: Who,
        of: Option<&str>,
    ) -> Result<Result<Moved, NotMoved>, WriteError> {
        if let Err(why) = self.may_still(&who)? {
            return Ok(Err(NotMoved::People(why)));
        }
        let last = last_scan_not_taken_back(&self.conn)?;
        if let Some(of) = of
            && last.as_ref().is_none_or(|last| last.event.id != of)
            && let Some(set) = set_that_corrects(&self.conn, of)?
        {
            return Ok(Err(self.corrected_already(set)?));
        }
        let Some(last) = last else {
            let has_more = self.head.seq > UNDO_ROWS_MAX;
            let none = if has_more { NotMoved::NothingNearToUndo } else { NotMoved::NothingToUndo };
            return Ok(Err(none));
        };
        if of.is_some_and(|of| of != last.event.id) {
            return Ok(Err(NotMoved::ScannedSince(last.ballot)));
        }
        let Some(row) = self.visible(&last.election, &last.ballot)? else {
            let MovingScan { election, ballot, .. } = last;
            return Ok(Err(NotMoved::NotIssued { election, ballot }));
        };
        let from = match goes_back_to(&self.conn, &self.settings.station, &last, &row)? {
            Ok(from) => from,
            Err(why) => return Ok(Err(why)),
        };
        let MovingScan { seq, event, fact: scan, later, .. } = last;
        let at = self.settings.zone.date_time(event.at);
        let taken_back = TakenBack { at, scanner: scan.scanner, later };
        let fact = self.set_fact(&row, from, Some(&(seq, event)))?;
        let fact = SetFact { reason: scan.from_reason, method: By::Manual, who, ..fact };
        let moved = self.moved_by(now, &row, fact)?;
        Ok(Ok(Moved { scan: Some(Box::new(taken_back)), ..moved }))
    }

    /// Why a scan that `set` corrected is not taken back once more.
    fn corrected_already(&mut self, set: SetFact) -> Result<NotMoved, WriteError> {
        let SetFact { election, ballot, .. } = set;
        if set.method == By::Manual {
            return Ok(NotMoved::TakenBackAlready(ballot));
        }
        Ok(match self.visible(&election, &ballot)? {
            Some(row) => NotMoved::MovedSince(row.ballot, row.status),
            None => NotMoved::NotIssued { election, ballot },
        })
    }

    pub(super) fn moved_by(
        &mut self,
        now: Micros,
        row: &BallotRow,
        fact: SetFact,
    ) -> Result<Moved, WriteError> {
        let moved = Moved {
            election: fact.election.clone(),
            ballot: fact.ballot.clone(),
            previous: row.status,
            status: fact.to,
            corrects: fact.corrects.clone(),
            withdrawn: fact.withdraws.is_some(),
            beside: None,
            scan: None,
        };
        self.append(now, Fact::Set(fact), Some(row))?;
        self.changes.push(Change::Ballot(moved.ballot.clone()));
        if moved.withdrawn {
            self.next_due = self.first_due()?;
        }
        Ok(moved)
    }

    /// A move to `to`. When it corrects a change that is still held back, that one is never sent; and when this leaves the
    /// ballot where the relay believes it to be, the relay is owed nothing.
    pub(super) fn set_fact(
        &self,
        row: &BallotRow,
        to: Status,
        corrected: Option<&(i64, Event)>,
    ) -> Result<SetFact, WriteError> {
        let mut previous = Some(row.status);
        let mut withdraws = None;
        let mut unheard = false;
        if let Some((seq, event)) = corrected {
            let state = self.state_of(*seq)?;
            unheard = matches!(state, None | Some(State::Held | State::Withdrawn | State::Dropped));
            if state == Some(State::Held) {
                withdraws = Some(*seq);
                previous = before(&event.fact);
            }
        }
        Ok(SetFact {
            election: row.election.clone(),
            ballot: row.ballot.clone(),
            from: row.status,
            to,
            reason: None,
            method: By::Supervisor,
            who: Who::station(),
            confirmed_by: None,
            corrects: corrected.map(|(_, event)| event.id.clone()),
            reversal: None,
            unheard,
            withdraws,
            previous: previous.filter(|previous| *previous != to),
        })
    }

    /// The ballot of that id, unless it is of an import that is not decided.
    pub(super) fn visible(
        &mut self,
        election: &ElectionId,
        ballot: &BallotId,
    ) -> Result<Option<BallotRow>, WriteError> {
        let row = rows::by_id(&self.conn, election.as_str(), ballot.as_str())?
            .filter(|row| Some(row.since) != self.staging);
        match (row, self.applying) {
            (Some(row), Some(import)) => {
                self.apply_change(import, row.key)?;
                Ok(Some(rows::by_key(&self.conn, row.key)?))
            }
            (row, _) => Ok(row),
        }
    }

    pub(super) fn last_change(&self, row: &BallotRow) -> Result<Option<(i64, Event)>, WriteError> {
        if row.status_seq == 0 {
            return Ok(None);
        }
        Ok(Some((row.status_seq, rows::event(&self.conn, row.status_seq)?)))
    }
}

/// The last scan that moved a ballot and was not taken back.
pub(super) fn last_scan_not_taken_back(conn: &Connection) -> rusqlite::Result<Option<MovingScan>> {
    let mut events =
        conn.prepare_cached("SELECT seq, body FROM event ORDER BY seq DESC LIMIT ?")?;
    let mut rows = events.query([UNDO_ROWS_MAX])?;
    let mut taken_back = std::collections::HashSet::new();
    let mut later = 0;
    while let Some(row) = rows.next()? {
        let (seq, event) = (row.get(0)?, rows::event_in(row, 1)?);
        match &event.fact {
            Fact::Set(SetFact { corrects: Some(id), .. }) => {
                taken_back.insert(id.clone());
            }
            Fact::Scan(scan) if scan.to.is_some() && !taken_back.contains(&event.id) => {
                let (Some(election), Some(ballot)) = (&scan.election, &scan.ballot) else {
                    continue;
                };
                let (election, ballot) = (election.clone(), ballot.clone());
                let fact = scan.clone();
                return Ok(Some(MovingScan { seq, event, fact, election, ballot, later }));
            }
            Fact::Scan(scan) if scan.to.is_none() && scan.verdict != Verdict::Command => {
                later += 1;
            }
            _ => {}
        }
    }
    Ok(None)
}

/// What corrected the scan of that id, as far as is looked back.
fn set_that_corrects(conn: &Connection, scan: &str) -> rusqlite::Result<Option<SetFact>> {
    let mut events = conn.prepare_cached("SELECT body FROM event ORDER BY seq DESC LIMIT ?")?;
    let mut rows = events.query([UNDO_ROWS_MAX])?;
    while let Some(row) = rows.next()? {
        let event = rows::event_in(row, 0)?;
        match event.fact {
            Fact::Set(set) if set.corrects.as_deref() == Some(scan) => return Ok(Some(set)),
            _ if event.id == scan => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

/// Where its ballot goes back to when one person takes the last scan back; else why it does not.
pub(super) fn goes_back_to(
    conn: &Connection,
    station: &str,
    last: &MovingScan,
    row: &BallotRow,
) -> rusqlite::Result<Result<Status, NotMoved>> {
    let stands_by_it = stands_by(conn, row)? == last.seq;
    let Some(from) = last.fact.from.filter(|_| stands_by_it) else {
        return Ok(Err(NotMoved::MovedSince(row.ballot.clone(), row.status)));
    };
    if let Some(batch) = batches::closed(conn, station, last.fact.batch)? {
        return Ok(Err(NotMoved::InClosedBatch { ballot: row.ballot.clone(), batch }));
    }
    // The relay may know of it, and the ballot leaves where it stands by two only.
    let is_held = outbox::state_of(conn, last.seq)? == Some(State::Held);
    if !is_held && set_move(row.status, from) == SetMove::TakesTwo {
        return Ok(Err(NotMoved::TakesTwo(row.ballot.clone(), row.status)));
    }
    Ok(Ok(from))
}

/// Row number of the change by which a ballot stands where it stands. Where a correction put it back, that is the change
/// before the one that was wrong.
pub(super) fn stands_by(conn: &Connection, row: &BallotRow) -> rusqlite::Result<i64> {
    let mut seq = row.status_seq;
    while let Some((Fact::Set(SetFact { corrects: Some(wrong), to, .. }), before_it)) =
        in_story(conn, seq)?.map(|(event, before_it)| (event.fact, before_it))
    {
        let Some(wrong) = back_to(conn, before_it, |event| event.id == wrong)? else { break };
        if moved(&wrong.fact).map(|(from, _)| from) != Some(to) {
            break;
        }
        match back_to(conn, wrong.before_it, |event| moved(&event.fact).is_some())? {
            Some(earlier) if moved(&earlier.fact).is_some_and(|(_, then)| then == to) => {
                seq = earlier.seq;
            }
            _ => break,
        }
    }
    Ok(seq)
}

/// Going back from row `seq` through the events of one ballot: the first that is wanted.
fn back_to(
    conn: &Connection,
    mut seq: i64,
    is_wanted: impl Fn(&Event) -> bool,
) -> rusqlite::Result<Option<InStory>> {
    while let Some((event, before_it)) = in_story(conn, seq)? {
        if is_wanted(&event) {
            return Ok(Some(InStory { seq, fact: event.fact, before_it }));
        }
        // The chain of a ballot's events only ever leads back.
        seq = before_it.min(seq - 1);
    }
    Ok(None)
}

/// The event of row `seq`, and the row of the one before it that concerns the same ballot, 0 for none.
fn in_story(conn: &Connection, seq: i64) -> rusqlite::Result<Option<(Event, i64)>> {
    conn.prepare_cached("SELECT body, coalesce(ballot_prev, 0) FROM event WHERE seq = ?")?
        .query_row([seq], |row| Ok((rows::event_in(row, 0)?, row.get(1)?)))
        .optional()
}

/// Whether a ballot that stands there may still be counted.
const fn may_count(status: Status) -> bool {
    matches!(status, Status::Received | Status::Accepted | Status::NeedsAttention)
}

/// The reason, and that another ballot of the voter may count, where one does: whoever gave it has decided that, too.
pub(super) fn with_other(reason: String, other: Option<&BallotRow>) -> String {
    match other {
        None => reason,
        Some(BallotRow { ballot, status, .. }) => {
            format!("{reason}; ballot {ballot} of the same voter is {status}, too")
        }
    }
}

/// An event among those of a ballot.
struct InStory {
    seq: i64,
    fact: Fact,
    /// The row of the one before it, 0 for none.
    before_it: i64,
}

/// A scan that moved a ballot.
pub(super) struct MovingScan {
    pub(super) seq: i64,
    pub(super) event: Event,
    pub(super) fact: ScanFact,
    pub(super) election: ElectionId,
    pub(super) ballot: BallotId,
    /// Scans after it that moved nothing.
    pub(super) later: u64,
}

/// Where a ballot stood before this change, as far as the relay knows.
fn before(fact: &Fact) -> Option<Status> {
    match fact {
        Fact::Scan(scan) => scan.from,
        Fact::Set(set) => set.previous,
        _ => None,
    }
}

/// From where to where an event moved its ballot, if it did.
fn moved(fact: &Fact) -> Option<(Status, Status)> {
    match fact {
        Fact::Scan(scan) => scan.from.zip(scan.to),
        Fact::Set(set) => Some((set.from, set.to)),
        _ => None,
    }
}
