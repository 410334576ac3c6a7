//! One ballot's story: every event that names it, and the imports that issued and changed it.

use super::{ReadError, Reader};
use crate::ballot::{Status, import_moves};
use crate::ledger::apply::State;
use crate::ledger::fact::{BatchReversed, By, Decided, Fact, SetFact, TwoPersonAct};
use crate::ledger::proposals::Proposal;
use crate::ledger::rows::{self, BallotRow};
use crate::scan::Verdict;
use rusqlite::OptionalExtension as _;
use serde::Serialize;
use std::collections::BTreeMap;

/// Events shown of one ballot, the newest.
const HISTORY_MAX: usize = 10_000;

/// One ballot's story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BallotStory {
    /// The ballot.
    pub ballot: String,
    /// Whose it is.
    pub voter: String,
    /// The election.
    pub election: String,
    /// Where it stands.
    pub status: Status,
    /// Why.
    pub reason: Option<String>,
    /// Other codes that name it, by kind.
    pub codes: BTreeMap<String, String>,
    /// What happened to it, oldest first.
    pub history: Vec<Chapter>,
    /// What is proposed of it, and nobody decided on.
    pub proposals: Vec<Proposal>,
}

/// One event of a ballot's story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chapter {
    /// Row number of the event.
    pub seq: i64,
    /// The event's id.
    pub id: String,
    /// When, in local time with offset.
    pub at: String,
    /// `issued`, `imported`, `scanned`, `set`, `undone`, `reversed` or `declined`.
    pub what: &'static str,
    /// Of a scan, its verdict.
    pub verdict: Option<Verdict>,
    /// Where it stood before.
    pub from: Option<Status>,
    /// Where it was moved; null when it was not.
    pub to: Option<Status>,
    /// Why, in words.
    pub reason: Option<String>,
    /// The scanner, or who.
    pub by: String,
    /// The operating system's user, where `by` is an operator.
    pub os_user: Option<String>,
    /// The operator who confirmed it, where it took two.
    pub confirmed_by: Option<String>,
    /// The batch of a scan, `<station>-<n>`.
    pub batch: Option<String>,
    /// The id of the event that this one says was wrong.
    pub corrects: Option<String>,
    /// Where the change stands on its way to the relay.
    pub relay: Option<&'static str>,
    /// What was proposed, and declined: the ballot stayed where it was.
    pub proposal: Option<Proposal>,
    /// Of an import that made it another voter's, whose it was and became.
    pub voter: Option<VoterChange>,
}

/// A ballot became another voter's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VoterChange {
    /// Whose it was.
    pub before: String,
    /// Whose it became.
    pub after: String,
}

impl Reader {
    /// The story of that ballot, if it was issued.
    pub fn ballot(&self, election: &str, ballot: &str) -> Result<Option<BallotStory>, ReadError> {
        self.snapshot(|| {
            let row = rows::by_id(&self.conn, election, ballot)?;
            match row {
                Some(row) if self.is_decided(&row)? => self.story(&row).map(Some),
                _ => Ok(None),
            }
        })
    }

    /// The stories of that voter's ballots.
    pub fn voter(&self, election: &str, voter: &str) -> Result<Vec<BallotStory>, ReadError> {
        self.snapshot(|| {
            let rows = rows::by_voter(&self.conn, election, voter)?;
            let mut stories = Vec::new();
            for row in &rows {
                if self.is_decided(row)? {
                    stories.push(self.story(row)?);
                }
            }
            Ok(stories)
        })
    }

    pub(super) fn is_decided(&self, row: &BallotRow) -> rusqlite::Result<bool> {
        self.conn
            .prepare_cached("SELECT 1 FROM import WHERE number = ? AND seq IS NOT NULL")?
            .exists([row.since])
    }

    pub(super) fn story(&self, row: &BallotRow) -> rusqlite::Result<BallotStory> {
        let mut history = self.imports(row)?;
        history.extend(self.events(row)?);
        history.extend(self.declined(row)?);
        history.sort_by_key(|chapter| chapter.seq);
        Ok(BallotStory {
            ballot: row.ballot.to_string(),
            voter: row.voter.clone(),
            election: row.election.to_string(),
            status: row.status,
            reason: row.reason.clone(),
            codes: row
                .imb
                .iter()
                .map(|imb| ("imb".to_owned(), imb.clone()))
                .chain(row.codes.clone())
                .collect(),
            history,
            proposals: self.undecided()?.into_iter().filter(|p| is_about(&p.what, row)).collect(),
        })
    }

    /// What was proposed of the ballot, and declined.
    fn declined(&self, ballot: &BallotRow) -> rusqlite::Result<Vec<Chapter>> {
        let mut declined = self.conn.prepare(
            "SELECT decision.seq, decision.body, act.seq FROM proposal \
             CROSS JOIN event AS act ON act.seq = proposal.seq \
             CROSS JOIN event AS decision ON decision.seq = proposal.decided \
             WHERE act.body ->> 'election' = ? AND act.body ->> 'ballot' = ? \
             AND decision.body ->> 'decision' = 'declined'",
        )?;
        let mut rows = declined.query([ballot.election.as_str(), ballot.ballot.as_str()])?;
        let mut chapters = Vec::new();
        while let Some(row) = rows.next()? {
            let event = rows::event_in(row, 1)?;
            let Fact::Decided(Decided { who, .. }) = event.fact else { continue };
            chapters.push(Chapter {
                seq: row.get(0)?,
                id: event.id,
                at: self.zone.date_time(event.at),
                what: "declined",
                by: who.by,
                os_user: who.os_user,
                proposal: self.proposed(row.get(2)?)?,
                ..Chapter::blank()
            });
        }
        Ok(chapters)
    }

    /// The import that issued the ballot, and those that changed it.
    fn imports(&self, ballot: &BallotRow) -> rusqlite::Result<Vec<Chapter>> {
        let mut imports = self.conn.prepare(
            "SELECT seq, ballot.issued_status, ballot.issued_reason, 'issued', NULL, NULL, NULL FROM import \
             JOIN ballot ON ballot.since = import.number WHERE ballot.key = ?1 \
             UNION ALL \
             SELECT seq, row ->> 'status', row ->> 'reason', 'imported', before ->> 'status', before ->> 'voter', \
                row ->> 'voter' FROM import_change \
             JOIN import ON import.number = import_change.import \
             WHERE import_change.ballot = ?1 AND import.number <> ?2 AND seq IS NOT NULL",
        )?;
        let mut rows = imports.query([ballot.key, ballot.since])?;
        let mut chapters = Vec::new();
        while let Some(row) = rows.next()? {
            let seq = row.get(0)?;
            let event = rows::event(&self.conn, seq)?;
            let Fact::Imported(imported) = event.fact else { continue };
            let what = if row.get_ref(3)?.as_str()? == "issued" { "issued" } else { "imported" };
            let is_overtaken =
                what == "imported" && imported.overtook(&ballot.election, &ballot.ballot);
            let to = match row.get_ref(1)? {
                rusqlite::types::ValueRef::Integer(number) => Status::from_number(number),
                name => name.as_str().ok().and_then(Status::from_name),
            };
            let before: Option<String> = row.get(4)?;
            let before = before.as_deref().and_then(Status::from_name);
            // What the file says of a status that the ballot has passed is old news.
            let to = to.filter(|to| before.is_none_or(|before| import_moves(before, *to)));
            let to = to.filter(|_| !is_overtaken);
            let keeps_voter = is_overtaken && before.is_some_and(Status::may_count);
            let (id, at) = (event.id, self.zone.date_time(event.at));
            chapters.push(Chapter {
                seq,
                id,
                at,
                what,
                to,
                reason: row.get::<_, Option<String>>(2)?.filter(|_| to.is_some()),
                by: imported.file,
                voter: voter_change(row.get(5)?, row.get(6)?).filter(|_| !keeps_voter),
                ..Chapter::blank()
            });
        }
        Ok(chapters)
    }

    /// The events that name the ballot, newest first.
    fn events(&self, ballot: &BallotRow) -> rusqlite::Result<Vec<Chapter>> {
        let station = self.station()?;
        let mut chapters = Vec::new();
        let mut seq = ballot.last_seq;
        while seq != 0 && chapters.len() < HISTORY_MAX {
            let (event, prev) = self
                .conn
                .prepare_cached("SELECT body, coalesce(ballot_prev, 0) FROM event WHERE seq = ?")?
                .query_row([seq], |row| Ok((rows::event_in(row, 0)?, row.get::<_, i64>(1)?)))?;
            let state: Option<i64> = self
                .conn
                .prepare_cached("SELECT state FROM outbox WHERE seq = ?")?
                .query_row([seq], |row| row.get(0))
                .optional()?;
            let relay = state.and_then(State::from_number).map(State::name);
            let at = self.zone.date_time(event.at);
            let reversal = self.reversal_of(&event.fact)?;
            chapters.extend(chapter(&station, event.fact, reversal).map(|chapter| Chapter {
                seq,
                id: event.id,
                at,
                relay,
                ..chapter
            }));
            // The chain of a ballot's events only ever leads back.
            seq = if prev < seq { prev } else { 0 };
        }
        Ok(chapters)
    }
}

impl Reader {
    /// The reversal of a batch that an event is part of.
    fn reversal_of(&self, fact: &Fact) -> rusqlite::Result<Option<BatchReversed>> {
        let Fact::Set(SetFact { reversal: Some(seq), .. }) = fact else { return Ok(None) };
        match rows::event(&self.conn, *seq)?.fact {
            Fact::BatchReversed(reversed) => Ok(Some(reversed)),
            _ => Err(rows::foreign(0, "no batch was reversed there")),
        }
    }
}

impl Chapter {
    const fn blank() -> Self {
        Self {
            seq: 0,
            id: String::new(),
            at: String::new(),
            what: "",
            verdict: None,
            from: None,
            to: None,
            reason: None,
            by: String::new(),
            os_user: None,
            confirmed_by: None,
            batch: None,
            corrects: None,
            relay: None,
            proposal: None,
            voter: None,
        }
    }
}

fn voter_change(before: Option<String>, after: Option<String>) -> Option<VoterChange> {
    let (before, after) = before.zip(after)?;
    (before != after).then_some(VoterChange { before, after })
}

fn is_about(what: &TwoPersonAct, row: &BallotRow) -> bool {
    matches!(what, TwoPersonAct::SetBallot { election, ballot, .. }
        if *election == row.election && *ballot == row.ballot)
}

fn chapter(station: &str, fact: Fact, reversal: Option<BatchReversed>) -> Option<Chapter> {
    match fact {
        Fact::Scan(scan) => Some(Chapter {
            what: "scanned",
            verdict: Some(scan.verdict),
            from: scan.from,
            to: scan.to,
            reason: scan.reason,
            by: scan.scanner,
            batch: Some(format!("{station}-{}", scan.batch)),
            ..Chapter::blank()
        }),
        Fact::Set(set) => Some(Chapter {
            what: match (set.method, &reversal) {
                (_, Some(_)) => "reversed",
                (By::Manual, None) => "undone",
                (By::Supervisor, None) => "set",
                (By::Import, None) => "imported",
            },
            from: Some(set.from),
            to: Some(set.to),
            batch: reversal.as_ref().map(|reversal| format!("{station}-{}", reversal.batch)),
            reason: reversal.map(|reversal| reversal.reason).or(set.reason),
            by: set.who.by,
            os_user: set.who.os_user,
            confirmed_by: set.confirmed_by,
            corrects: set.corrects,
            ..Chapter::blank()
        }),
        _ => None,
    }
}
