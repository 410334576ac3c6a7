//! The layouts of mail ballot files: a file of strangers to rows of an import, and what is wrong with the others.
//!
//! - The `generic` layout is CSV (RFC 4180) in UTF-8 with a header row. A row that cannot be taken is refused with its line and
//!   column, and the next one is read; only a header that lacks something refuses the file.
//! - Nothing is held in memory but the piece at hand: so many records of a bounded length.
//! - A reason shows what stood in the row only where that is an id or a status: anything else may be somebody's name.

mod records;
mod refused;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

use csv::ByteRecord;

use self::records::{Next, RECORD_BYTES_MAX, Records, Whole};
pub use self::refused::RefusedRows;
use super::import::ImportRow;
use crate::ballot::{BallotId, ElectionId, IdError, Status, VoterId};
use crate::clock::{Micros, Zone};
use crate::event::printable;
use crate::imb;

/// Longest `style` and `reason`, in bytes.
const TEXT_BYTES_MAX: usize = 200;

/// Digits of mailer id and serial together (USPS-B-3200, section 3).
const PIECE_DIGITS: usize = 15;

/// How a mail ballot file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Our own: CSV with named columns in any order.
    Generic,
}

impl Layout {
    /// Every layout.
    pub const ALL: [Self; 1] = [Self::Generic];

    /// The name on the command line and in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
        }
    }

    /// The layout of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.name() == name)
    }
}

/// What a row is held to.
#[derive(Debug, Clone)]
pub struct Rules {
    /// `[election] id`.
    pub election: Option<ElectionId>,
    /// `--election`: taken beside the configured one, and before it for rows that name none.
    pub named: Option<ElectionId>,
    /// Where a date without a time is a day.
    pub zone: Zone,
    /// Nothing was mailed after it.
    pub now: Micros,
}

/// Why a file is not read, or not read on.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The operating system does not give it.
    #[error("the file cannot be read")]
    Read(#[source] io::Error),
    /// There is nothing in it.
    #[error("it has no header row")]
    Empty,
    /// The header is no record.
    #[error("its header row has more than {RECORD_BYTES_MAX} bytes or a quote that is not closed")]
    Header,
    /// A column that every row needs is not there.
    #[error("its header row has no column `{0}`; columns are separated by commas")]
    Missing(&'static str),
    /// It is not clear which of the two counts.
    #[error("its header row has the column `{0}` twice")]
    Twice(String),
}

/// Rows of a file, and those that are refused, in the order of the file each.
#[derive(Debug, Default)]
pub struct Piece {
    /// What the ledger is to stage.
    pub rows: Vec<ImportRow>,
    /// Where each of [`Piece::rows`] came from.
    pub origins: Vec<Origin>,
    /// Rows that are not taken.
    pub refused: Vec<Refused>,
    /// Whether the file has come to its end.
    pub done: bool,
}

/// A row as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its first line, from 1.
    pub line: u64,
    fields: ByteRecord,
}

impl Origin {
    /// The row, refused as a whole.
    pub fn refused(self, reason: String) -> Refused {
        Refused { origin: self, column: None, reason }
    }
}

/// A row that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The row.
    pub origin: Origin,
    /// The place from 1 and the name of the column that is to blame, if it is one.
    pub column: Option<(usize, String)>,
    /// Why.
    pub reason: String,
}

/// The header row.
#[derive(Debug, Clone)]
pub struct Header {
    fields: ByteRecord,
    known: BTreeMap<Column, usize>,
}

/// A file of the `generic` layout.
pub struct Generic<R> {
    records: Records<R>,
    header: Header,
    rules: Rules,
}

impl<R> fmt::Debug for Generic<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generic").field("header", &self.header).finish_non_exhaustive()
    }
}

impl<R: Read> Generic<R> {
    /// Reads the header row.
    pub fn open(reader: R, rules: Rules) -> Result<Self, LayoutError> {
        let mut records = Records::new(reader);
        let header = match records.next().map_err(LayoutError::Read)? {
            Some(Next::Record(whole)) => Header::of(whole.fields)?,
            Some(Next::Broken(_)) => return Err(LayoutError::Header),
            None => return Err(LayoutError::Empty),
        };
        Ok(Self { records, header, rules })
    }

    /// The header row.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The next `max` rows of the file, refused ones among them.
    pub fn piece(&mut self, max: usize) -> Result<Piece, LayoutError> {
        let mut piece = Piece::default();
        while piece.rows.len() + piece.refused.len() < max {
            let next = self.records.next().map_err(LayoutError::Read)?;
            let Some(next) = next else {
                piece.done = true;
                break;
            };
            self.take(next, &mut piece)?;
        }
        Ok(piece)
    }

    fn take(&mut self, next: Next, piece: &mut Piece) -> Result<(), LayoutError> {
        let next = match next {
            Next::Record(whole) if self.is_broken(&whole) => {
                self.records.split(whole).map_err(LayoutError::Read)?
            }
            next => next,
        };
        match next {
            Next::Broken(broken) => {
                let origin = Origin { line: broken.line, fields: broken.fields };
                piece.refused.push(origin.refused(broken.why.to_owned()));
            }
            Next::Record(Whole { line, fields, .. }) => {
                let row = self.row(&fields);
                let origin = Origin { line, fields };
                match row {
                    Ok(row) => {
                        piece.rows.push(row);
                        piece.origins.push(origin);
                    }
                    Err(Fault { at, reason }) => {
                        let column = at.map(|at| (at + 1, self.header.name(at)));
                        piece.refused.push(Refused { origin, column, reason });
                    }
                }
            }
        }
        Ok(())
    }

    /// Nothing that is known may hold a line's end, so a quote that made one of it is a stray one.
    fn is_broken(&self, whole: &Whole) -> bool {
        let fields = &whole.fields;
        let mut known = self.header.known.values().filter_map(|at| fields.get(*at));
        whole.is_of_several_lines()
            && (fields.len() != self.header.fields.len()
                || known.any(|field| field.contains(&b'\n')))
    }

    fn row(&self, fields: &ByteRecord) -> Result<ImportRow, Fault> {
        let (has, wanted) = (fields.len(), self.header.fields.len());
        if has != wanted {
            // One comma too many or too few would put each value into its neighbor's column.
            let reason = format!("the row has {has} fields, the header row {wanted}");
            return Err(Fault { at: None, reason });
        }
        if let Some(at) = fields.iter().position(|field| std::str::from_utf8(field).is_err()) {
            return Err(Fault { at: Some(at), reason: "the text is not UTF-8".to_owned() });
        }
        let cells = Cells { fields, known: &self.header.known };
        let mailed = cells.time(Column::Mailed, &self.rules.zone, "00:00:00")?;
        if mailed.is_some_and(|mailed| mailed > self.rules.now) {
            return Err(cells.fault(Column::Mailed, "the time is in the future".to_owned()));
        }
        Ok(ImportRow {
            election: cells.election(&self.rules)?,
            ballot: cells.id(Column::Ballot, BallotId::new)?,
            voter: cells.id(Column::Voter, VoterId::new)?,
            imb: cells.piece()?,
            style: cells.text(Column::Style)?,
            status: cells.status(mailed)?,
            reason: cells.text(Column::Reason)?,
            mailed,
            receive_until: cells.time(Column::ReceiveUntil, &self.rules.zone, "23:59:59")?,
        })
    }
}

impl Header {
    fn of(fields: ByteRecord) -> Result<Self, LayoutError> {
        let mut header = Self { fields, known: BTreeMap::new() };
        let mut seen = std::collections::BTreeSet::new();
        for (at, name) in header.names().into_iter().enumerate() {
            if let Some(column) = Column::ALL.into_iter().find(|column| column.name() == name) {
                header.known.insert(column, at);
            }
            // Spreadsheets leave columns without a name behind.
            if !name.is_empty() && !seen.insert(name.clone()) {
                return Err(LayoutError::Twice(printable(&name)));
            }
        }
        let missing = [Column::Ballot, Column::Voter].into_iter().find(|c| !header.has(*c));
        missing.map_or(Ok(header), |column| Err(LayoutError::Missing(column.name())))
    }

    /// The names of columns that mean nothing in this layout.
    pub fn unknown(&self) -> Vec<String> {
        let is_known = |name: &String| Column::ALL.iter().any(|column| column.name() == name);
        let unknown = self.names().into_iter().filter(|name| !name.is_empty() && !is_known(name));
        unknown.map(|name| printable(&name)).collect()
    }

    fn has(&self, column: Column) -> bool {
        self.known.contains_key(&column)
    }

    /// The name of the column at `at`, from 0, as it may be shown.
    fn name(&self, at: usize) -> String {
        self.names().get(at).map_or_else(String::new, |name| printable(name))
    }

    /// The names, trimmed and in lower case.
    fn names(&self) -> Vec<String> {
        let spelt = self.fields.iter().map(String::from_utf8_lossy);
        spelt.map(|name| name.trim().to_ascii_lowercase()).collect()
    }

    const fn fields(&self) -> &ByteRecord {
        &self.fields
    }
}

/// A column that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Ballot,
    Voter,
    Election,
    Imb,
    Style,
    Status,
    Reason,
    Mailed,
    ReceiveUntil,
}

impl Column {
    const ALL: [Self; 9] = [
        Self::Ballot,
        Self::Voter,
        Self::Election,
        Self::Imb,
        Self::Style,
        Self::Status,
        Self::Reason,
        Self::Mailed,
        Self::ReceiveUntil,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Ballot => "ballot",
            Self::Voter => "voter",
            Self::Election => "election",
            Self::Imb => "imb",
            Self::Style => "style",
            Self::Status => "status",
            Self::Reason => "reason",
            Self::Mailed => "mailed",
            Self::ReceiveUntil => "receive_until",
        }
    }
}

/// What is wrong with a row, and in which field from 0.
struct Fault {
    at: Option<usize>,
    reason: String,
}

/// The fields of a row by column; all are UTF-8.
struct Cells<'a> {
    fields: &'a ByteRecord,
    known: &'a BTreeMap<Column, usize>,
}

impl Cells<'_> {
    /// What stands there; empty when the file has no such column.
    fn get(&self, column: Column) -> &str {
        let field = self.known.get(&column).and_then(|at| self.fields.get(*at));
        field.and_then(|field| std::str::from_utf8(field).ok()).unwrap_or_default()
    }

    fn fault(&self, column: Column, reason: String) -> Fault {
        Fault { at: self.known.get(&column).copied(), reason }
    }

    fn id<T>(&self, column: Column, new: impl Fn(&str) -> Result<T, IdError>) -> Result<T, Fault> {
        let value = self.get(column);
        new(value).map_err(|why| {
            let name = column.name();
            self.fault(column, format!("{name} \"{}\" is no id: {why}", printable(value)))
        })
    }

    fn election(&self, rules: &Rules) -> Result<ElectionId, Fault> {
        let of_rules = [&rules.named, &rules.election];
        if self.get(Column::Election).is_empty() {
            let default = of_rules.into_iter().flatten().next().cloned();
            let reason = "the row names no election, and none is configured";
            return default.ok_or_else(|| self.fault(Column::Election, reason.to_owned()));
        }
        let election = self.id(Column::Election, ElectionId::new)?;
        if of_rules.into_iter().flatten().any(|ours| *ours == election) {
            return Ok(election);
        }
        let reason = format!("election {election} is another one; `--election` takes it");
        Err(self.fault(Column::Election, reason))
    }

    /// Mailer id and serial, of these alone or of a whole bar code.
    fn piece(&self) -> Result<Option<String>, Fault> {
        let digits = self.get(Column::Imb);
        if digits.is_empty() {
            return Ok(None);
        }
        if digits.len() == PIECE_DIGITS && digits.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Some(digits.to_owned()));
        }
        match imb::fields(digits) {
            Ok(fields) => Ok(Some(fields.piece.to_owned())),
            Err(why) => {
                let reason =
                    format!("neither {PIECE_DIGITS} digits nor an Intelligent Mail code: {why}");
                Err(self.fault(Column::Imb, reason))
            }
        }
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
        Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
    }

    fn status(&self, mailed: Option<Micros>) -> Result<Status, Fault> {
        let name = self.get(Column::Status);
        if name.is_empty() {
            return Ok(if mailed.is_some() { Status::Mailed } else { Status::Issued });
        }
        Status::from_name(name).ok_or_else(|| {
            self.fault(Column::Status, format!("status \"{}\" is unknown", printable(name)))
        })
    }

    /// RFC 3339, or a local date, which is taken at `hour`.
    fn time(&self, column: Column, zone: &Zone, hour: &str) -> Result<Option<Micros>, Fault> {
        let text = self.get(column);
        if text.is_empty() {
            return Ok(None);
        }
        let time = if is_date(text) {
            zone.instant(&format!("{text}T{hour}")).ok()
        } else {
            Micros::parse_rfc3339(text)
        };
        let reason = "the time is neither RFC 3339 nor YYYY-MM-DD, or there is no such day";
        time.map(Some).ok_or_else(|| self.fault(column, reason.to_owned()))
    }
}

/// Whether it has the form of `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().zip(b"0000-00-00").all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            _ => byte == *form,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            election: Some(ElectionId::new("202611").unwrap()),
            named: None,
            zone: Zone::named("America/Denver").unwrap(),
            now: Micros::parse_rfc3339("2026-10-20T12:00:00-06:00").unwrap(),
        }
    }

    fn piece(text: &[u8], rules: Rules) -> Piece {
        let piece = Generic::open(text, rules).unwrap().piece(1_000).unwrap();
        assert!(piece.done);
        piece
    }

    /// The one row, or the column and the reason.
    fn one(header: &str, row: &str, rules: Rules) -> Result<ImportRow, String> {
        let mut piece = piece(format!("{header}\n{row}\n").as_bytes(), rules);
        assert_eq!(piece.rows.len() + piece.refused.len(), 1, "{row}");
        let refused = piece.refused.pop().map(|refused| {
            let (at, name) = refused.column.unwrap_or_default();
            format!("{at} {name}: {}", refused.reason)
        });
        piece.rows.pop().ok_or_else(|| refused.unwrap())
    }

    /// What the value of `column` becomes, beside a good ballot and voter.
    #[track_caller]
    fn check(column: &str, value: &str, part: fn(&ImportRow) -> String, expected: &str) {
        let row = one(&format!("ballot,voter,{column}"), &format!("1,2,{value}"), rules());
        let told = row.map_or_else(|reason| reason, |row| part(&row));
        assert_eq!(told, expected, "{column} {value:?}");
    }

    #[test]
    fn a_header_is_taken_in_any_order_and_any_spelling() {
        for header in [
            "ballot,voter",
            "\u{feff}Ballot, VOTER ",
            "\n\r\n\"ballot\",\"voter\"\r",
            "BALLOT\t,voter",
        ] {
            let row = one(header, "1,2", rules()).unwrap();
            assert_eq!((row.ballot.as_str(), row.voter.as_str()), ("1", "2"), "{header:?}");
        }
        let row = one("style,voter,,extra,ballot,", "A,2,,x,1,", rules()).unwrap();
        assert_eq!((row.ballot.as_str(), row.style.as_deref()), ("1", Some("A")));
    }

    #[test]
    fn a_header_that_lacks_something_refuses_the_file() {
        for (text, expected) in [
            ("", "it has no header row"),
            ("\n\n", "it has no header row"),
            (
                "ballot\n1\n",
                "its header row has no column `voter`; columns are separated by commas",
            ),
            ("a;b\n", "its header row has no column `ballot`; columns are separated by commas"),
            ("ballot,voter,Ballot \n", "its header row has the column `ballot` twice"),
            ("ballot,voter,x,x\n", "its header row has the column `x` twice"),
            (
                "ballot,\"voter\n1,2\n",
                "its header row has more than 16384 bytes or a quote that is not closed",
            ),
        ] {
            let error = Generic::open(text.as_bytes(), rules()).unwrap_err();
            assert_eq!(error.to_string(), expected, "{text:?}");
        }
    }

    #[test]
    fn columns_without_a_meaning_are_named() {
        let file = Generic::open(&b"voter,Precinct,ballot,,\x1b[2J"[..], rules()).unwrap();
        assert_eq!(file.header().unknown(), ["precinct", "\\u{1b}[2j"]);
    }

    #[test]
    fn ids_are_held_to_their_form() {
        for (row, expected) in [
            (",2", "1 ballot: ballot \"\" is no id: it is empty"),
            ("1,", "2 voter: voter \"\" is no id: it is empty"),
            (
                "1 ,2",
                "1 ballot: ballot \"1 \" is no id: it holds ' ', which is no visible ASCII character",
            ),
            (
                "1,\u{1b}x",
                "2 voter: voter \"\\u{1b}x\" is no id: it holds '\\u{1b}', which is no visible ASCII character",
            ),
            ("1", "0 : the row has 1 fields, the header row 2"),
            ("1,2,3", "0 : the row has 3 fields, the header row 2"),
        ] {
            assert_eq!(one("ballot,voter", row, rules()).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_row_belongs_to_the_configured_or_the_named_election() {
        let none = Rules { election: None, ..rules() };
        let named = |rules| Rules { named: Some(ElectionId::new("202705").unwrap()), ..rules };
        let another = "3 election: election 202705 is another one; `--election` takes it";
        for (rules, value, expected) in [
            (rules(), "", "202611"),
            (rules(), "202611", "202611"),
            (rules(), "202705", another),
            (named(rules()), "202705", "202705"),
            (named(rules()), "202611", "202611"),
            (named(rules()), "", "202705"),
            (named(none.clone()), "", "202705"),
            (none.clone(), "", "3 election: the row names no election, and none is configured"),
            (none, "202705", another),
            (
                rules(),
                "2 6",
                "3 election: election \"2 6\" is no id: it holds ' ', which is no visible ASCII character",
            ),
        ] {
            let row = one("ballot,voter,election", &format!("1,2,{value}"), rules);
            let told = row.map_or_else(|reason| reason, |row| row.election.to_string());
            assert_eq!(told, expected, "{value:?}");
        }
    }

    #[test]
    fn a_mail_piece_is_fifteen_digits_of_a_code() {
        let part = |row: &ImportRow| row.imb.clone().unwrap_or_default();
        let piece = "901234567000001";
        for code in [piece.to_owned(), format!("00777{piece}"), format!("00777{piece}80301123401")]
        {
            check("imb", &code, part, piece);
        }
        check("imb", "", part, "");
        let wrong = "3 imb: neither 15 digits nor an Intelligent Mail code: ";
        for (value, why) in [
            ("90123456700000", "it has 14 digits, not 20, 25, 29 or 31"),
            ("90123456700000x", "it holds something other than digits"),
            ("9.01235E+14", "it holds something other than digits"),
            ("05777901234567000001", "its second digit is 5, above 4"),
        ] {
            check("imb", value, part, &format!("{wrong}{why}"));
        }
    }

    #[test]
    fn a_status_follows_from_the_day_of_mailing_when_it_is_not_given() {
        let part = |row: &ImportRow| row.status.to_string();
        for status in Status::ALL {
            check("status", status.name(), part, status.name());
        }
        check("status", "", part, "issued");
        check("mailed", "", part, "issued");
        check("mailed", "2026-10-09", part, "mailed");
        check("status", "Received", part, "3 status: status \"Received\" is unknown");
        check("mailed,status", "2026-10-09,voided", part, "voided");
    }

    #[test]
    fn nothing_was_mailed_in_the_future() {
        let part = |row: &ImportRow| row.mailed.map_or_else(String::new, Micros::rfc3339);
        let future = "3 mailed: the time is in the future";
        let form = "3 mailed: the time is neither RFC 3339 nor YYYY-MM-DD, or there is no such day";
        for (value, expected) in [
            ("2026-10-09", "2026-10-09T06:00:00.000000Z"),
            ("2026-10-20", "2026-10-20T06:00:00.000000Z"),
            ("2026-10-20T12:00:00-06:00", "2026-10-20T18:00:00.000000Z"),
            ("2026-10-20T18:00:00.5Z", future),
            ("2026-10-21", future),
            ("2026-02-30", form),
            ("2026-10-09T12:00", form),
            ("10/09/2026", form),
            ("2026-1-9", form),
            ("20261009", form),
        ] {
            check("mailed", value, part, expected);
        }
    }

    #[test]
    fn a_deadline_that_is_a_day_is_the_end_of_that_day() {
        let part = |row: &ImportRow| row.receive_until.map_or_else(String::new, Micros::rfc3339);
        check("receive_until", "2026-11-03", part, "2026-11-04T06:59:59.000000Z");
        check("receive_until", "2026-11-03T19:00:00-07:00", part, "2026-11-04T02:00:00.000000Z");
        check("receive_until", "", part, "");
    }

    #[test]
    fn texts_are_bounded_and_steer_no_terminal() {
        let part = |row: &ImportRow| row.reason.clone().unwrap_or_default();
        check("reason", "voted in person", part, "voted in person");
        check("reason", "\"moved, then \"\"back\"\"\"", part, "moved, then \"back\"");
        check("reason", &"x".repeat(200), part, &"x".repeat(200));
        check(
            "reason",
            &"\u{e9}".repeat(101),
            part,
            "3 reason: the text has 202 bytes, more than 200",
        );
        check("reason", "a\tb", part, "3 reason: the text holds a control character");
        check("style", "\u{9b}2J", part, "3 style: the text holds a control character");
    }

    #[test]
    fn a_stray_quote_costs_its_own_line() {
        let text = b"ballot,voter,reason\n1,a,\"x\n2,\"b\",y\n3,c,z\n4,d,\"open\n";
        let piece = piece(text, rules());
        let rows: Vec<_> = piece.rows.iter().map(|row| row.ballot.as_str()).collect();
        let lines: Vec<_> = piece.origins.iter().map(|origin| origin.line).collect();
        let refused: Vec<_> = piece.refused.iter().map(|refused| refused.origin.line).collect();
        assert_eq!((rows, lines, refused), (vec!["2", "3"], vec![3, 4], vec![2, 5]));
    }

    #[test]
    fn a_line_end_in_a_column_that_is_ignored_is_none_of_our_business() {
        let piece = piece(b"ballot,note,voter\n1,\"two\nlines\",a\n2,\xff,b\n3,n,c\n", rules());
        let lines: Vec<_> = piece.origins.iter().map(|origin| origin.line).collect();
        assert_eq!(lines, [2, 5]);
        let refused = &piece.refused[0];
        assert_eq!((refused.origin.line, refused.reason.as_str()), (4, "the text is not UTF-8"));
        assert_eq!(refused.column, Some((2, "note".to_owned())));
    }

    #[test]
    fn a_piece_is_as_long_as_it_may_be() {
        let mut file = Generic::open(&b"ballot,voter\n1,a\n,b\n3,c\n"[..], rules()).unwrap();
        let sizes = |piece: &Piece| (piece.rows.len(), piece.refused.len(), piece.done);
        assert_eq!(sizes(&file.piece(2).unwrap()), (1, 1, false));
        assert_eq!(sizes(&file.piece(2).unwrap()), (1, 0, true));
    }

    #[test]
    fn a_file_of_refused_rows_can_be_mended_and_read() {
        let refuse = |text: &[u8]| {
            let mut file = Generic::open(text, rules()).unwrap();
            let mut rows = RefusedRows::begin(Vec::new(), file.header()).unwrap();
            for refused in file.piece(10).unwrap().refused {
                rows.write(&refused).unwrap();
            }
            String::from_utf8(rows.end().unwrap()).unwrap()
        };
        let first = refuse(b"ballot,voter,reason\n1 ,a,\"x,y\"\n2,b,\n3,c\n");
        assert_eq!(
            first,
            "refused_line,refused_column,refused_reason,ballot,voter,reason\n\
             2,1 (ballot),\"ballot \"\"1 \"\" is no id: it holds ' ', which is no visible ASCII character\",1 ,a,\"x,y\"\n\
             4,,\"the row has 2 fields, the header row 3\",3,c\n"
        );
        let mended = first.replace(",1 ,a", ",1,a").replace(",3,c", ",3,c,");
        assert_eq!(piece(mended.as_bytes(), rules()).rows.len(), 2);
        let again = refuse(first.replace(",3,c", ",3,c,").as_bytes());
        assert!(
            again.starts_with(
                "refused_line,refused_column,refused_reason,ballot,voter,reason\n2,4 (ballot),"
            ),
            "{again}"
        );
    }
}
