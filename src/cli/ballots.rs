//! Takes a mail ballot file of the generic layout into a ledger of the command's own.

use super::ask::find_desk;
use super::place::Place;
use super::{Exit, Failure};
use crate::ballot::{BallotId, ElectionId, Status, VoterId};
use crate::config::Config;
use crate::control::{Answer, Command, Desk};
use crate::ledger::{Counts, ImportRow, ImportedFile};
use anyhow::anyhow;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// Rows handed over at a time.
const PIECE_ROWS: usize = 500;

/// A row as the file has it.
#[derive(Debug, Deserialize)]
struct Written {
    ballot: BallotId,
    voter: VoterId,
    imb: Option<String>,
    style: Option<String>,
    status: Option<Status>,
    reason: Option<String>,
}

/// Imports the text of a mail ballot file; what became of its rows.
pub(super) fn import(place: &Place, config: &Config, csv: &str) -> Result<Counts, Failure> {
    let election = config.election.as_ref().map(|election| &election.id).ok_or_else(|| {
        Failure::new(Exit::Config, anyhow!("no election is configured, so ballots belong to none"))
    })?;
    let rows = rows(csv, election)?;
    let mut desk = find_desk(place, config)?;
    let outcome = carry_over(&mut desk, &rows, csv);
    desk.close();
    outcome
}

fn rows(csv: &str, election: &ElectionId) -> Result<Vec<ImportRow>, Failure> {
    csv::Reader::from_reader(csv.as_bytes())
        .into_deserialize()
        .map(|row| {
            let row: Written = row.map_err(|e| Failure::new(Exit::NoInput, e))?;
            Ok(ImportRow {
                election: election.clone(),
                ballot: row.ballot,
                voter: row.voter,
                imb: row.imb,
                style: row.style,
                status: row.status.unwrap_or(Status::Issued),
                reason: row.reason,
                mailed: None,
                receive_until: None,
            })
        })
        .collect()
}

fn carry_over(desk: &mut Desk, rows: &[ImportRow], csv: &str) -> Result<Counts, Failure> {
    let mut ask = |command| desk.ask(command).map_err(super::ask::control_failure);
    let Answer::ImportBegun { import } = ask(Command::ImportBegin {})? else {
        return Err(not_taken());
    };
    for piece in rows.chunks(PIECE_ROWS) {
        let staged = ask(Command::ImportRows { import, rows: piece.to_vec() })?;
        if !matches!(staged, Answer::ImportStaged { .. }) {
            return Err(not_taken());
        }
    }
    let file = ImportedFile {
        file: "ballots.csv".to_owned(),
        sha256: hex(&Sha256::digest(csv)),
        layout: "generic".to_owned(),
        refused: 0,
        by: String::new(),
    };
    match ask(Command::ImportCommit { import, file })? {
        Answer::ImportDone(counts) => Ok(counts),
        _ => Err(not_taken()),
    }
}

fn not_taken() -> Failure {
    Failure::new(Exit::Ledger, anyhow!("the ledger did not take the ballots"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
