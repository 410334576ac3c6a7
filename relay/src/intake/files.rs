//! The county's files: its voters, its mail ballots, and the Postal Service's legacy file. A row that does not do is refused with its
//! line and its reason; the others are taken. Nothing of a row is in a message.

use super::postal::{self, piece};
use crate::ballot::{self, Applied, Change, Origin, Stand};
use crate::clock::Micros;
use crate::config::County;
use crate::id::new_id;
use crate::params;
use crate::relay::Relay;
use crate::store::{StoreError, Tx};
use crate::template::start_of;
use crate::voter::{self, Voter, VoterId, identity};
use csv::StringRecord;
use jiff::civil;
use relay_wire::Status;
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

/// Rows in one transaction: others write between them.
const ROWS_MAX: usize = 500;
/// Refusals that are told one by one.
const TOLD_MAX: usize = 100;

/// What the column `confidential` says of a voter who is not. Counties mark the others as they like (`X`, `T`, `ACP`), so that any
/// other word keeps a voter secret.
const NOT_CONFIDENTIAL: [&str; 7] = ["", "0", "f", "false", "n", "no", "none"];

/// What became of a file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Rows.
    pub rows: u64,
    /// Rows that changed something.
    pub changed: u64,
    /// Rows that were refused.
    pub refused: u64,
    /// The first of them: line and reason.
    pub refusals: Vec<(u64, &'static str)>,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The county is not configured.
    #[error("the county {0:?} is not configured")]
    County(String),
    /// A column that every such file has is not there.
    #[error("there is no column {0}")]
    Column(&'static str),
    /// It is no CSV in UTF-8.
    #[error("the file cannot be read as CSV")]
    Csv(#[source] csv::Error),
    /// The database does not take it.
    #[error("the rows cannot be written")]
    Store(#[source] StoreError),
}

/// Takes the voter file: `voter, first_name, last_name, birth_date, zip`, and `confidential` where there is one: whoever has
/// another word there than `no`, `n`, `none`, `false`, `f`, `0` or nothing is.
pub fn voters(relay: &Arc<Relay>, county: &str, file: impl Read) -> Result<Report, FileError> {
    let county = configured(relay, county)?;
    let needed = ["voter", "first_name", "last_name", "birth_date", "zip"];
    let shared = Arc::clone(relay);
    let id = county.id.clone();
    each(relay, (&county.id, "voters"), file, &needed, move |tx, row, now| {
        let text = |column| row.get(column);
        let is_confidential =
            !NOT_CONFIDENTIAL.contains(&text("confidential").to_lowercase().as_str());
        if text("voter").is_empty() {
            return Ok(Err("voter is empty"));
        }
        let names = (text("first_name"), text("last_name"));
        let keys = &shared.config.keys;
        let identity = match identity(keys, names, text("birth_date"), text("zip")) {
            Some(identity) => identity,
            None if is_confidential => String::new(),
            None => return Ok(Err("names, birth_date (YYYY-MM-DD) or zip are none")),
        };
        let voter = Voter {
            id: VoterId { county: id.clone(), voter: text("voter").to_owned() },
            first_name: names.0.to_owned(),
            last_name: names.1.to_owned(),
            identity,
            is_confidential,
        };
        voter::put(tx, &voter, now)?;
        Ok(Ok(true))
    })
}

/// Takes the mail ballot file: `ballot, voter`, and `election, status, reason, mailed, imb, imb_out` where there are such. Rows
/// without an election get `election`. What is `mailed` in the future is refused: it has not happened.
pub fn ballots(
    relay: &Arc<Relay>,
    (county, election): (&str, Option<&str>),
    file: impl Read,
) -> Result<Report, FileError> {
    let county = configured(relay, county)?;
    let default = election.unwrap_or_default().to_owned();
    let (shared, owner) = (Arc::clone(relay), county.clone());
    each(relay, (&county.id, "ballots"), file, &["ballot", "voter"], move |tx, row, now| {
        let election = Some(row.get("election")).filter(|e| !e.is_empty()).unwrap_or(&default);
        ballot_row(tx, &shared, (&owner, election), row, now)
    })
}

fn ballot_row(
    tx: &mut Tx<'_>,
    relay: &Relay,
    (county, election): (&County, &str),
    row: &FileRow<'_>,
    now: Micros,
) -> Result<Result<bool, &'static str>, StoreError> {
    let (ballot, voter) = (row.get("ballot"), row.get("voter"));
    if ballot.is_empty() || voter.is_empty() {
        return Ok(Err("ballot or voter is empty"));
    }
    if !county.elections.contains_key(election) {
        return Ok(Err("its election is not configured"));
    }
    let mailed = row.get("mailed");
    let mailed_at = match mailed {
        "" => None,
        text => match moment(text, county) {
            Some(at) if at > now => return Ok(Err("mailed is in the future")),
            Some(at) => Some(at),
            None => return Ok(Err("mailed is no date")),
        },
    };
    let status = match (row.get("status"), mailed_at) {
        ("", None) => Status::Issued,
        ("", Some(_)) => Status::Mailed,
        (name, _) => match Status::from_name(name) {
            Some(Status::Mailed) if mailed_at.is_none() => {
                return Ok(Err("it is mailed, but without a date"));
            }
            Some(status) => status,
            None => return Ok(Err("status is none of ours")),
        },
    };
    for column in ["imb", "imb_out"] {
        if let Some(piece) = piece(row.get(column)) {
            put_piece(tx, &piece, (&county.id, election, ballot))?;
        }
    }
    let voter = VoterId { county: county.id.clone(), voter: voter.to_owned() };
    let change = Change {
        cause: &format!("file/{}/{election}/{ballot}/{status}", county.id),
        origin: Origin::File,
        source: "",
        voter: &voter,
        election,
        ballot,
        status: Stand::Status(status),
        reason: Some(row.get("reason")).filter(|reason| !reason.is_empty()),
        happened_at: if status == Status::Mailed { mailed_at.unwrap_or(now) } else { now },
        corrects: None,
    };
    Ok(match ballot::apply(tx, &relay.config, &change, now)? {
        Applied::Moved => Ok(true),
        Applied::Behind => Ok(false),
        Applied::Conflict => Err("the ballot is another voter's"),
    })
}

fn put_piece(
    tx: &mut Tx<'_>,
    piece: &str,
    (county, election, ballot): (&str, &str, &str),
) -> Result<(), StoreError> {
    tx.run(
        "INSERT INTO mail_piece (imb, county, election, ballot) VALUES ($1, $2, $3, $4)
         ON CONFLICT (imb) DO UPDATE SET county = excluded.county, election = excluded.election,
         ballot = excluded.ballot",
        params![piece, county, election, ballot],
    )
    .map(drop)
}

/// RFC 3339, or a day of the county's.
fn moment(text: &str, county: &County) -> Option<Micros> {
    Micros::parse_rfc3339(text)
        .or_else(|| start_of(text.parse::<civil::Date>().ok()?, &county.zone()))
}

/// Takes the Postal Service's legacy file: five columns, no header.
pub fn postal_file(relay: &Arc<Relay>, file: impl Read) -> Result<Report, FileError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
    let mut report = Report::default();
    let mut scans = Vec::new();
    for (line_idx, record) in (1_u64..).zip(reader.records()) {
        report.rows += 1;
        let record = record.map_err(FileError::Csv)?;
        let cells: Vec<_> = record.iter().collect();
        match postal::legacy(&cells) {
            Some(scan) => scans.push(scan),
            None => report.refuse(line_idx, "it is no scan"),
        }
    }
    for some in scans.chunks(ROWS_MAX) {
        let (some, shared, now) = (some.to_vec(), Arc::clone(relay), relay.clock.now());
        let taken = relay.store.write_now(move |tx| {
            let mut n_applied = 0;
            for scan in &some {
                n_applied += u64::from(postal::take(tx, &shared.config, scan, now)? == "applied");
            }
            Ok(n_applied)
        });
        report.changed += taken.map_err(FileError::Store)?;
    }
    Ok(report)
}

fn configured(relay: &Relay, county: &str) -> Result<County, FileError> {
    relay.config.county(county).cloned().ok_or_else(|| FileError::County(county.to_owned()))
}

impl Report {
    fn refuse(&mut self, line: u64, why: &'static str) {
        self.refused += 1;
        if self.refusals.len() < TOLD_MAX {
            self.refusals.push((line, why));
        }
    }
}

/// A row with its columns' names.
struct FileRow<'a> {
    columns: &'a HashMap<String, usize>,
    record: &'a StringRecord,
}

impl FileRow<'_> {
    /// The cell, empty where there is none.
    fn get(&self, column: &str) -> &str {
        let cell = self.columns.get(column).and_then(|idx| self.record.get(*idx));
        cell.unwrap_or_default().trim()
    }
}

/// Does something with each row, so many in one transaction.
fn each<F>(
    relay: &Arc<Relay>,
    (county, what): (&str, &'static str),
    file: impl Read,
    needed: &[&'static str],
    take: F,
) -> Result<Report, FileError>
where
    F: Fn(&mut Tx<'_>, &FileRow<'_>, Micros) -> Result<Result<bool, &'static str>, StoreError>
        + Send
        + Sync
        + 'static,
{
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let header = reader.headers().map_err(FileError::Csv)?.clone();
    let columns: HashMap<String, usize> = header
        .iter()
        .enumerate()
        .map(|(idx, name)| (name.trim_start_matches('\u{feff}').trim().to_lowercase(), idx))
        .collect();
    if let Some(missing) = needed.iter().find(|name| !columns.contains_key(**name)) {
        return Err(FileError::Column(missing));
    }
    let (columns, take) = (Arc::new(columns), Arc::new(take));
    let mut report = Report::default();
    let mut records = reader.into_records();
    loop {
        let some: Vec<_> =
            records.by_ref().take(ROWS_MAX).collect::<Result<_, _>>().map_err(FileError::Csv)?;
        if some.is_empty() {
            break;
        }
        let (first, n_some) = (report.rows + 2, some.len() as u64);
        let (columns, take, now) = (Arc::clone(&columns), Arc::clone(&take), relay.clock.now());
        let outcomes = relay.store.write_now(move |tx| {
            let row = |record| FileRow { columns: &columns, record };
            some.iter().map(|record| take(tx, &row(record), now)).collect::<Result<Vec<_>, _>>()
        });
        for (line, outcome) in (first..).zip(outcomes.map_err(FileError::Store)?) {
            match outcome {
                Ok(changed) => report.changed += u64::from(changed),
                Err(why) => report.refuse(line, why),
            }
        }
        report.rows += n_some;
    }
    note(relay, (county, what), &report)?;
    relay.owed.notify_waiters();
    Ok(report)
}

fn note(
    relay: &Relay,
    (county, what): (&str, &'static str),
    report: &Report,
) -> Result<(), FileError> {
    let now = relay.clock.now();
    let (county, count) = (county.to_owned(), |n| i64::try_from(n).unwrap_or(i64::MAX));
    let (n_rows, n_refused) = (count(report.rows), count(report.refused));
    let noted = relay.store.write_now(move |tx| {
        tx.run(
            "INSERT INTO imported (id, county, what, n_rows, n_refused, at) VALUES ($1, $2, $3, $4, $5, $6)",
            params![new_id(now), &county, what, n_rows, n_refused, now],
        )
    });
    noted.map(drop).map_err(FileError::Store)
}
