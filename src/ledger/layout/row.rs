//! A record to a row of an import, by what the layout says of its columns; or the column that is to blame, and why.

use super::dates::{Days, Hour, day};
use super::header::{Column, Header};
use super::records::Fields;
use super::{Layout, Meaning, Rules, Values};
use crate::ballot::{BallotId, ElectionId, IdError, Status, VoterId};
use crate::clock::Micros;
use crate::event::printable;
use crate::imb;
use crate::ledger::import::ImportRow;
use crate::reason::Reason;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Longest `style` and `reason`, in bytes.
const TEXT_BYTES_MAX: usize = 200;

/// Digits of mailer id and serial together (USPS-B-3200, section 3).
const PIECE_DIGITS: usize = 15;

/// 2000-01-01: what a mail ballot file is about is not older, so an earlier date is a slip.
const EARLIEST: Micros = Micros(946_684_800_000_000);

/// 2100-01-01: nor is a deadline as far away.
const LATEST: Micros = Micros(4_102_444_800_000_000);

/// Between the parts of a ballot's id.
const BALLOT_PARTS: &str = "-";

/// Between the values of several columns where a layout names them together.
pub(super) const VALUES: &str = " + ";

/// What rows are read by.
#[derive(Debug)]
pub(super) struct Reading {
    layout: Layout,
    rules: Rules,
    days: Days,
}

/// What is wrong with a row, and in which field from 0.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: Option<usize>,
    pub(super) reason: String,
}

/// The times of a row.
#[derive(Debug)]
struct Times {
    mailed: Option<Micros>,
    returned: Option<Micros>,
    voted_in_person: Option<Micros>,
}

impl Reading {
    pub(super) fn new(layout: Layout, rules: Rules) -> Self {
        let days = Days::new(rules.zone.clone());
        Self { layout, rules, days }
    }

    /// Which ballot a record is about that is no row, or whose ballots, as far as it can be read.
    pub(super) fn named(&self, header: &Header, fields: &Fields) -> Option<ImportRow> {
        let Self { layout, rules, .. } = self;
        let cells = Cells { fields, header, layout };
        let says_none = [Column::Election, Column::ElectionDate].map(|column| cells.get(column));
        let election = if says_none.iter().all(|cell| cell.is_empty()) {
            rules.default_election()?.clone()
        } else {
            cells.election(rules).ok()?
        };
        let ballot = cells.ballot().ok().flatten();
        let voter = cells.id(Column::Voter, VoterId::new).ok();
        ImportRow::refused(election, ballot, voter)
    }

    /// The row that a record is.
    pub(super) fn row(&mut self, header: &Header, fields: &Fields) -> Result<ImportRow, Fault> {
        let (has, wanted) = (fields.len(), header.len());
        if has != wanted {
            // One separator too many or too few would put each value into its neighbor's column.
            let reason = format!("the row has {has} fields, the header row {wanted}");
            return Err(Fault { at: None, reason });
        }
        let Self { layout, rules, days } = self;
        let cells = Cells { fields, header, layout };
        cells.check_text()?;
        let times = cells.times(days, rules.now)?;
        let election = cells.election(rules)?;
        let ballot = cells.ballot()?;
        let voter = cells.id(Column::Voter, VoterId::new)?;
        let imb = cells.piece()?;
        let codes = cells.codes()?;
        let style = cells.text(Column::Style)?;
        let (status, because) = cells.status(&times)?;
        let reason = cells.reason(status)?.or_else(|| because.map(|why| why.name().to_owned()));
        let receive_until = cells.time(Column::ReceiveUntil, days, Hour::Last)?;
        Ok(ImportRow {
            election,
            ballot,
            voter,
            imb,
            codes,
            style,
            status,
            reason,
            mailed: times.mailed,
            returned: times.returned,
            receive_until,
        })
    }
}

/// The fields of a row by column.
struct Cells<'a> {
    fields: &'a Fields,
    header: &'a Header,
    layout: &'a Layout,
}

impl<'a> Cells<'a> {
    /// In UTF-8 a byte that is none makes the text doubtful; every other encoding has a character for every byte.
    fn check_text(&self) -> Result<(), Fault> {
        if self.fields.is_ascii() || !self.layout.has_foreign_bytes() {
            return Ok(());
        }
        match self.fields.iter().position(|field| std::str::from_utf8(field).is_err()) {
            Some(at) => Err(Fault { at: Some(at), reason: "the text is not UTF-8".to_owned() }),
            None => Ok(()),
        }
    }

    /// What stands in the column; empty when the file has no such column.
    fn get(&self, column: Column) -> Cow<'a, str> {
        self.header.places(column).first().map_or(Cow::Borrowed(""), |at| self.at(*at))
    }

    fn at(&self, at: usize) -> Cow<'a, str> {
        let field = self.fields.get(at).unwrap_or_default();
        let field = match self.layout.values {
            Values::Exact => field,
            Values::Trimmed => field.trim_ascii(),
        };
        self.layout.encoding.decode(field)
    }

    fn fault(&self, column: Column, reason: String) -> Fault {
        Fault { at: self.header.places(column).first().copied(), reason }
    }

    fn id<T>(&self, column: Column, new: impl Fn(&str) -> Result<T, IdError>) -> Result<T, Fault> {
        let value = self.get(column);
        let id = id_of(column.name(), &value, new);
        let id = id.map_err(|reason| self.fault(column, reason))?;
        match self.layout.length(column) {
            Some(length) if length != value.len() => {
                let (name, has) = (column.name(), value.len());
                let reason = format!("{name} \"{value}\" has not {length} characters but {has}");
                Err(self.fault(column, reason))
            }
            _ => Ok(id),
        }
    }

    /// The ballot that the row names; none where the layout has no such column.
    fn ballot(&self) -> Result<Option<BallotId>, Fault> {
        match self.header.places(Column::Ballot) {
            [] => Ok(None),
            [_] => self.id(Column::Ballot, BallotId::new).map(Some),
            parts => {
                let mut id = String::new();
                for at in parts {
                    let part = self.part(*at).map_err(|reason| Fault { at: Some(*at), reason })?;
                    if !id.is_empty() {
                        id.push_str(BALLOT_PARTS);
                    }
                    id.push_str(&part);
                }
                let id = id_of(Column::Ballot.name(), &id, BallotId::new);
                id.map(Some).map_err(|reason| self.fault(Column::Ballot, reason))
            }
        }
    }

    /// A part of a ballot's id: a date as YYYY-MM-DD, however it is written.
    fn part(&self, at: usize) -> Result<Cow<'a, str>, String> {
        let text = self.at(at);
        if text.is_empty() {
            return Err("a part of the ballot's id is empty".to_owned());
        }
        let is_time = Column::TIMES.iter().any(|time| self.header.places(*time).contains(&at));
        if !is_time {
            return Ok(text);
        }
        day(&self.layout.dates, &text)
            .map(|day| Cow::Owned(day.to_string()))
            .ok_or_else(|| self.layout.no_date())
    }

    fn election(&self, rules: &Rules) -> Result<ElectionId, Fault> {
        let needed = [Column::Election, Column::ElectionDate];
        let is_empty = |column: &Column| self.get(*column).is_empty();
        if let Some(empty) = needed.iter().find(|c| self.layout.requires(**c) && is_empty(c)) {
            return Err(self.fault(*empty, "the row does not say which election".to_owned()));
        }
        if !is_empty(&Column::ElectionDate) {
            return self.election_of_day(rules);
        }
        let of_rules = [&rules.named, &rules.election];
        if self.get(Column::Election).is_empty() {
            let default = rules.default_election().cloned();
            let reason = "the row names no election, and none is configured";
            return default.ok_or_else(|| self.fault(Column::Election, reason.to_owned()));
        }
        let election = self.id(Column::Election, ElectionId::new)?;
        if of_rules.into_iter().flatten().any(|ours| *ours == election) {
            return Ok(election);
        }
        let reason = if rules.election.is_none() {
            format!("no election is configured; `--election {election}` takes it")
        } else {
            format!("election {election} is another one; `--election` takes it")
        };
        Err(self.fault(Column::Election, reason))
    }

    /// The election of which the row says only the day: one whose day that is, where it is known, else whose id spells it.
    fn election_of_day(&self, rules: &Rules) -> Result<ElectionId, Fault> {
        let column = Column::ElectionDate;
        let text = self.get(column);
        let day = day(&self.layout.dates, &text);
        let day = day.ok_or_else(|| self.fault(column, self.layout.no_date()))?;
        let known = |ours: &ElectionId| {
            rules.election_day.as_deref().filter(|_| rules.election.as_ref() == Some(ours))
        };
        let is_its_day = |ours: &&ElectionId| match known(ours) {
            Some(known) => known == day.to_string(),
            None => day.is_spelt_in(ours.as_str()),
        };
        let mut of_rules = [&rules.named, &rules.election].into_iter().flatten();
        if let Some(ours) = of_rules.find(is_its_day) {
            return Ok(ours.clone());
        }
        let reason = match (&rules.election, &rules.election_day) {
            (None, _) => {
                format!("the election of {day} is another one; `--election {day}` takes it")
            }
            (Some(ours), Some(known)) => {
                format!("the election of {day} is not {ours}, which is on {known}")
            }
            (Some(ours), None) => {
                format!("the election of {day} is not {ours}, unless `[election] day` says so")
            }
        };
        Err(self.fault(column, reason))
    }

    /// Mailer id and serial, of these alone or of a whole bar code.
    fn piece(&self) -> Result<Option<String>, Fault> {
        let digits = self.get(Column::Imb);
        if digits.is_empty() {
            return Ok(None);
        }
        if digits.len() == PIECE_DIGITS && digits.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Some(digits.into_owned()));
        }
        match imb::fields(&digits) {
            Ok(fields) => Ok(Some(fields.piece.to_owned())),
            Err(why) => {
                let reason =
                    format!("neither {PIECE_DIGITS} digits nor an Intelligent Mail code: {why}");
                Err(self.fault(Column::Imb, reason))
            }
        }
    }

    /// The further codes that are there; a code is held to the form of an id.
    fn codes(&self) -> Result<BTreeMap<String, String>, Fault> {
        let mut codes = BTreeMap::new();
        for (kind, at) in self.header.codes() {
            let code = self.at(*at);
            if code.is_empty() {
                continue;
            }
            id_of(kind, &code, BallotId::new).map_err(|reason| Fault { at: Some(*at), reason })?;
            codes.insert(kind.clone(), code.into_owned());
        }
        Ok(codes)
    }

    fn text(&self, column: Column) -> Result<Option<String>, Fault> {
        let text = self.get(column);
        if text.len() > TEXT_BYTES_MAX {
            let reason = format!("the text has {} bytes, more than {TEXT_BYTES_MAX}", text.len());
            return Err(self.fault(column, reason));
        }
        if text.chars().any(char::is_control) {
            return Err(self.fault(column, "the text holds a control character".to_owned()));
        }
        Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
    }

    /// Where the ballot stands by the file's word for it, or by its dates where there is none, and why.
    fn status(&self, times: &Times) -> Result<(Status, Option<Reason>), Fault> {
        let (value, why) = match self.look_up(Column::Status, &self.layout.statuses) {
            Ok((Meaning::Is(status, reason), _)) => return Ok((*status, *reason)),
            Ok((Meaning::Dates(without), _)) => return Ok(times.status(*without)),
            Err(value) if value.is_empty() => return Ok(times.status(Status::Issued)),
            Ok((Meaning::Refuse, value)) => (value, "says too little to go by"),
            Err(value) => (value, "is unknown"),
        };
        Err(self.fault(Column::Status, format!("status \"{}\" {why}", printable(&value))))
    }

    /// The reason that stands in the row: by the layout's list of codes, or as it stands where there is none.
    fn reason(&self, status: Status) -> Result<Option<String>, Fault> {
        let Some(reasons) = &self.layout.reasons else { return self.text(Column::Reason) };
        // A code that was left behind by an earlier status says nothing of this one.
        let has_one = matches!(status, Status::NeedsAttention | Status::Rejected | Status::Voided);
        let reason = match self.look_up(Column::Reason, reasons) {
            Ok((reason, _)) => Some(*reason),
            Err(value) => Some(Reason::Other).filter(|_| !value.is_empty()),
        };
        Ok(reason.filter(|_| has_one).map(|reason| reason.name().to_owned()))
    }

    /// What the layout says of all values of the column together, else of the first, and of which; else the first.
    fn look_up<'m, T>(
        &self,
        column: Column,
        meanings: &'m [(String, T)],
    ) -> Result<(&'m T, Cow<'a, str>), Cow<'a, str>> {
        let find = |value: &str| {
            let is_it = |known: &str| match self.layout.values {
                Values::Exact => known == value,
                Values::Trimmed => known.eq_ignore_ascii_case(value),
            };
            meanings.iter().find(|(known, _)| is_it(known)).map(|(_, meaning)| meaning)
        };
        let parts = self.header.places(column);
        if parts.len() > 1 {
            let all: Vec<_> = parts.iter().map(|at| self.at(*at)).collect();
            let all = all.join(VALUES);
            if let Some(meaning) = find(&all) {
                return Ok((meaning, Cow::Owned(all)));
            }
        }
        let first = self.get(column);
        match find(&first) {
            Some(meaning) => Ok((meaning, first)),
            None => Err(first),
        }
    }

    /// What the row says was done to the ballot and when; nothing of it can be in the future.
    fn times(&self, days: &mut Days, now: Micros) -> Result<Times, Fault> {
        let mut past = |column| {
            let time = self.time(column, days, Hour::First)?;
            if time.is_some_and(|time| time > now) {
                return Err(self.fault(column, "the time is in the future".to_owned()));
            }
            Ok(time)
        };
        let mailed = past(Column::Mailed)?;
        past(Column::Requested)?;
        let returned = past(Column::Returned)?;
        let voted_in_person = past(Column::VotedInPerson)?;
        if let (Some(mailed), Some(returned)) = (mailed, returned)
            && returned < mailed
            && days.date(returned) != days.date(mailed)
        {
            let reason = "the ballot came back before it was mailed".to_owned();
            return Err(self.fault(Column::Returned, reason));
        }
        Ok(Times { mailed, returned, voted_in_person })
    }

    fn time(&self, column: Column, days: &mut Days, hour: Hour) -> Result<Option<Micros>, Fault> {
        let text = self.get(column);
        if text.is_empty() {
            return Ok(None);
        }
        let time = days.instant(&self.layout.dates, &text, hour);
        let time = time.ok_or_else(|| self.fault(column, self.layout.no_date()))?;
        let why = if time < EARLIEST {
            "the time is before the year 2000"
        } else if time >= LATEST {
            "the time is after the year 2099"
        } else {
            return Ok(Some(time));
        };
        Err(self.fault(column, why.to_owned()))
    }
}

impl Times {
    /// What follows from the dates alone, and where it stands without them. Receiving is not accepting.
    const fn status(&self, without: Status) -> (Status, Option<Reason>) {
        if self.voted_in_person.is_some() {
            (Status::Voided, Some(Reason::VotedInPerson))
        } else if self.returned.is_some() {
            (Status::Received, None)
        } else if self.mailed.is_some() {
            (Status::Mailed, None)
        } else {
            (without, None)
        }
    }
}

fn id_of<T>(
    name: &str,
    value: &str,
    new: impl Fn(&str) -> Result<T, IdError>,
) -> Result<T, String> {
    let shown = || printable(value);
    if is_shortened(value) {
        return Err(format!("{name} \"{}\" is a number that a spreadsheet cut", shown()));
    }
    new(value).map_err(|why| format!("{name} \"{}\" is no id: {why}", shown()))
}

/// Whether it has the form to which spreadsheets cut long numbers, as `1.23457E+10`.
fn is_shortened(value: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let parts = value
        .split_once(['E', 'e'])
        .and_then(|(number, rest)| Some((number, rest.strip_prefix('+')?)));
    parts.is_some_and(|(number, exponent)| {
        let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, "0"));
        is_digits(whole) && is_digits(fraction) && is_digits(exponent)
    })
}
