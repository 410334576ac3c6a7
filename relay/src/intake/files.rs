//! The county's files: its voters, its mail ballots, and the Postal Service's legacy file. A row that does not do is refused with its
//! line and its reason; the others are taken: also one that is no UTF-8, or holds a NUL. Nothing of a row is in a message.

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
use csv::{ByteRecord, StringRecord};
use jiff::civil;
use relay_wire::Status;
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

/// What became of a row: whether it changed something, or why it was refused.
type Outcome = Result<bool, &'static str>;

/// Why a row's code is refused.
const NO_PIECE: &str =
    "imb or imb_out is none: 20, 25, 29 or 31 digits, or the 15 of mailer id and serial number";

/// The reason of a row that takes back that its voter voted in person, as an earlier row said.
const NOT_IN_PERSON: &str = "not_in_person";

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
    /// It cannot be read, or its header is no UTF-8.
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

/// Takes the mail ballot file: `ballot, voter`, and `election, status, reason, mailed, happened, imb, imb_out` where there are such. Rows
/// without an election get `election`. `happened` is when the status came about; where it is empty, and the status is not `mailed`, it is
/// known from the import on. What lies in the future is refused: it has not happened.
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
) -> Result<Outcome, StoreError> {
    let said = match Said::read(row, (county, election), now) {
        Ok(said) => said,
        Err(why) => return Ok(Err(why)),
    };
    let Said { ballot, status, reason, .. } = said;
    let voter = VoterId { county: county.id.clone(), voter: said.voter.to_owned() };
    let change = Change {
        cause: &cause(county, election, ballot, status),
        origin: Origin::File,
        source: "",
        voter: &voter,
        election,
        ballot,
        status: Stand::Status(status),
        reason,
        happened_at: said.happened_at,
        corrects: None,
    };
    let applied = if reason == Some(NOT_IN_PERSON) {
        let told = cause(county, election, ballot, Status::Voided);
        take_back(tx, relay, (&change, &told), now)?
    } else {
        ballot::apply(tx, &relay.config, &change, now)?
    };
    if applied == Applied::Conflict {
        return Ok(Err("the ballot is another voter's"));
    }
    for piece in &said.pieces {
        put_piece(tx, piece, (&county.id, election, ballot))?;
        postal::place(tx, &relay.config, piece, now)?;
    }
    Ok(Ok(applied == Applied::Moved))
}

/// What a row of the mail ballot file says.
struct Said<'a> {
    ballot: &'a str,
    voter: &'a str,
    status: Status,
    reason: Option<&'a str>,
    happened_at: Micros,
    pieces: Vec<String>,
}

impl<'a> Said<'a> {
    fn read(
        row: &'a FileRow<'_>,
        (county, election): (&County, &str),
        now: Micros,
    ) -> Result<Self, &'static str> {
        let (ballot, voter) = (row.get("ballot"), row.get("voter"));
        if ballot.is_empty() || voter.is_empty() {
            return Err("ballot or voter is empty");
        }
        if !county.elections.contains_key(election) {
            return Err("its election is not configured");
        }
        let past = |column, none, future| match row.get(column) {
            "" => Ok(None),
            text => match moment(text, county) {
                Some(at) if at > now => Err(future),
                Some(at) => Ok(Some(at)),
                None => Err(none),
            },
        };
        let mailed = past("mailed", "mailed is no date", "mailed is in the future")?;
        let happened = past("happened", "happened is no date", "happened is in the future")?;
        let status = match (row.get("status"), mailed) {
            ("", None) => Status::Issued,
            ("", Some(_)) => Status::Mailed,
            (name, _) => Status::from_name(name).ok_or("status is none of ours")?,
        };
        let happened_at = if status == Status::Mailed {
            mailed.or(happened).ok_or("it is mailed, but without a date")?
        } else {
            happened.unwrap_or(now)
        };
        let codes =
            [row.get("imb"), row.get("imb_out")].into_iter().filter(|code| !code.is_empty());
        let pieces = codes.map(|code| piece(code).ok_or(NO_PIECE)).collect::<Result<_, _>>()?;
        let reason = Some(row.get("reason")).filter(|reason| !reason.is_empty());
        Ok(Self { ballot, voter, status, reason, happened_at, pieces })
    }
}

/// The cause of what a file says of a ballot: the same however often it is read.
fn cause(county: &County, election: &str, ballot: &str, status: Status) -> String {
    format!("file/{}/{election}/{ballot}/{status}", county.id)
}

/// A row takes back that its voter voted in person, which an earlier row `told`. Where none did, or the ballot has later news, it says
/// only where the ballot stands.
fn take_back(
    tx: &mut Tx<'_>,
    relay: &Relay,
    (change, told): (&Change<'_>, &str),
    now: Micros,
) -> Result<Applied, StoreError> {
    let Change { voter, election, ballot, .. } = change;
    let change = Change { reason: None, ..change.clone() };
    let taken_back = tx.run(
        "DELETE FROM in_person WHERE county = $1 AND election = $2 AND voter = $3 AND cause = $4",
        params![&voter.county, *election, &voter.voter, told],
    )?;
    let stands = tx.count(
        "SELECT COUNT(*) FROM ballot WHERE county = $1 AND election = $2 AND ballot = $3 AND event = $4",
        params![&voter.county, *election, *ballot, told],
    )?;
    if taken_back == 0 || stands == 0 {
        return ballot::apply(tx, &relay.config, &change, now);
    }
    // A correction moves a ballot back; a file's own word would not.
    let cause = format!("{told}/back");
    let change = Change { cause: &cause, origin: Origin::Station, corrects: Some(told), ..change };
    ballot::apply(tx, &relay.config, &change, now)
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
    for (line_idx, record) in (1_u64..).zip(reader.byte_records()) {
        report.rows += 1;
        let read = text(record.map_err(FileError::Csv)?).and_then(|record| {
            let cells: Vec<_> = record.iter().collect();
            postal::legacy(&cells).ok_or("it is no scan")
        });
        match read {
            Ok(scan) => scans.push(scan),
            Err(why) => report.refuse(line_idx, why),
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

/// The row as text that a database takes.
fn text(record: ByteRecord) -> Result<StringRecord, &'static str> {
    let record = StringRecord::from_byte_record(record).map_err(|_other| "it is not UTF-8")?;
    if record.iter().any(|cell| cell.contains('\0')) {
        return Err("it holds a NUL");
    }
    Ok(record)
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
    F: Fn(&mut Tx<'_>, &FileRow<'_>, Micros) -> Result<Outcome, StoreError> + Send + Sync + 'static,
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
    let mut records = reader.into_byte_records();
    loop {
        let some = records.by_ref().take(ROWS_MAX).map(|record| record.map(text));
        let some: Vec<_> = some.collect::<Result<_, _>>().map_err(FileError::Csv)?;
        if some.is_empty() {
            break;
        }
        let (first, n_some) = (report.rows + 2, some.len() as u64);
        let (columns, take, now) = (Arc::clone(&columns), Arc::clone(&take), relay.clock.now());
        let outcomes = relay.store.write_now(move |tx| {
            let outcomes = some.iter().map(|read| match read {
                Ok(record) => take(tx, &FileRow { columns: &columns, record }, now),
                Err(why) => Ok(Err(*why)),
            });
            outcomes.collect::<Result<Vec<_>, _>>()
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
