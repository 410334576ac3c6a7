//! The scan that would be taken back, for whoever looks before they ask for it.

use super::{ReadError, Reader};
use crate::ballot::{BallotId, ElectionId, Status};
use crate::coded::{Coded, Refuses as _};
use crate::ledger::correct::{NotMoved, goes_back_to, last_scan_not_taken_back};
use crate::ledger::{batches, rows};
use serde::Serialize;

/// The last scan that changed something and was not taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undoable {
    /// The id of its event.
    pub id: String,
    /// When it was scanned, in local time with offset.
    pub at: String,
    /// By what scanner.
    pub scanner: String,
    /// `<station>-<n>`.
    pub batch: String,
    /// The ballot's election.
    pub election: ElectionId,
    /// The ballot.
    pub ballot: BallotId,
    /// Where the ballot stands.
    pub status: Status,
    /// Where it goes back to.
    pub back_to: Status,
    /// How many scans came after it that changed nothing: of those nothing is taken back.
    pub later: u64,
    /// Whether it takes a supervisor and a second person.
    pub takes_two: bool,
    /// Why nobody can take it back, where nobody can.
    pub refused: Option<Coded>,
}

impl Reader {
    /// The scan that `undo` would take back, and whether it would; none when there is none.
    pub fn undoable(&self) -> Result<Option<Undoable>, ReadError> {
        self.snapshot(|| {
            let Some(last) = last_scan_not_taken_back(&self.conn)? else { return Ok(None) };
            let row = rows::by_id(&self.conn, last.election.as_str(), last.ballot.as_str())?;
            let Some((row, back_to)) = row.zip(last.fact.from) else { return Ok(None) };
            let station = self.station()?;
            let (takes_two, refused) = match goes_back_to(&self.conn, &station, &last, &row)? {
                Ok(_) => (false, None),
                Err(NotMoved::TakesTwo(..)) => (true, None),
                Err(why) => (false, Some(why.coded())),
            };
            Ok(Some(Undoable {
                id: last.event.id,
                at: self.zone.date_time(last.event.at),
                batch: batches::name(&station, last.fact.batch),
                scanner: last.fact.scanner,
                election: last.election,
                ballot: last.ballot,
                status: row.status,
                back_to,
                later: last.later,
                takes_two,
                refused,
            }))
        })
    }
}
