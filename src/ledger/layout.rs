//! The layouts of mail ballot files: a file of strangers to rows of an import, and what is wrong with the others.
//!
//! - A layout is a TOML file: facts, not code. Those of `layouts/` are compiled in; a county's own stand beside its configuration.
//! - A file is separated values with a header row. A row that cannot be taken is refused with its line and column, and the next
//!   one is read; only a header that lacks something refuses the file.
//! - A date that cannot be, or that is still to come, is a refusal and never an event: a county's system writes days ahead.
//! - Nothing is held in memory but the piece at hand: so many records of a bounded length.
//! - A reason shows what stood in the row only where that is an id or a status: anything else may be somebody's name.

mod dates;
mod encoding;
mod faults;
mod header;
mod records;
mod refused;
mod row;
mod written;

use self::dates::Form;
use self::encoding::Encoding;
pub use self::faults::{LayoutFault, LayoutFaults};
use self::header::Column;
pub use self::header::Header;
use self::records::{Fields, Next, RECORD_BYTES_MAX, Records, Whole};
use self::refused::OWN_COLUMNS;
pub use self::refused::RefusedRows;
use self::row::{Fault, Reading};
use super::import::ImportRow;
use crate::ballot::{ElectionId, Status};
use crate::clock::{Micros, Zone};
use crate::reason::Reason;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

/// Longest layout, in bytes.
pub const LAYOUT_BYTES_MAX: usize = 64 * 1024;

/// Every layout that is compiled in, in the order of names: its name, and its text.
const SHIPPED: [(&str, &str); 5] = [
    ("ballottrax-status", include_str!("layouts/ballottrax-status.toml")),
    ("ce-068", include_str!("layouts/ce-068.toml")),
    ("generic", include_str!("layouts/generic.toml")),
    ("nc-absentee", include_str!("layouts/nc-absentee.toml")),
    ("vr-systems", include_str!("layouts/vr-systems.toml")),
];

/// How a mail ballot file is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    name: String,
    /// What may stand between fields: the first that makes sense of the header row does.
    delimiters: Vec<u8>,
    encoding: Encoding,
    values: Values,
    /// How dates are written, tried in this order.
    dates: Vec<Form>,
    /// Of each of our columns, the columns of the file that may make it: the first that are all there do.
    columns: [Vec<Vec<String>>; Column::ALL.len()],
    /// Without these no file is of this layout; nor is one without a voter.
    required: Vec<Column>,
    /// Kinds of further codes, and the columns they stand in.
    codes: BTreeMap<String, String>,
    /// The characters that an id has.
    lengths: Vec<(Column, usize)>,
    /// Columns that are known to mean nothing here.
    ignored: Vec<String>,
    /// What the values of the status column mean.
    statuses: Vec<(String, Meaning)>,
    /// What the codes of the reason column mean; without them it is text.
    reasons: Option<Vec<(String, Reason)>>,
}

/// How a value is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    /// As it stands.
    Exact,
    /// Without white space around it, in any case, and no id that a spreadsheet has cut.
    Trimmed,
}

/// What a value of the status column says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Where the ballot stands, and why.
    Is(Status, Option<Reason>),
    /// No more than the row's dates, and that it stands here where there are none.
    Dates(Status),
    /// Not enough to go by.
    Refuse,
}

impl Layout {
    /// The layouts that are compiled in, in the order of their names.
    pub fn shipped() -> impl Iterator<Item = Self> {
        SHIPPED.iter().filter_map(|(_, text)| Self::parse(text).ok())
    }

    /// The names of [`Layout::shipped`].
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The layout of that name that is compiled in.
    pub fn named(name: &str) -> Option<Self> {
        let text = SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| text);
        text.and_then(|text| Self::parse(text).ok())
    }

    /// Reads and checks a layout.
    pub fn parse(text: &str) -> Result<Self, LayoutFaults> {
        written::read(text)
    }

    /// The name on the command line and in the ledger.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A layout of nothing, which no text is.
    fn empty() -> Self {
        Self {
            name: String::new(),
            delimiters: Vec::new(),
            encoding: Encoding::Utf8,
            values: Values::Trimmed,
            dates: Vec::new(),
            columns: Column::ALL.map(|_| Vec::new()),
            required: Vec::new(),
            codes: BTreeMap::new(),
            lengths: Vec::new(),
            ignored: Vec::new(),
            statuses: Vec::new(),
            reasons: None,
        }
    }

    /// What may make the column, in this order.
    fn spellings(&self, column: Column) -> &[Vec<String>] {
        self.columns.get(column as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether a file must have the column.
    fn requires(&self, column: Column) -> bool {
        let is_id = matches!(column, Column::Ballot | Column::Voter);
        (is_id && !self.spellings(column).is_empty()) || self.required.contains(&column)
    }

    /// What a header row with those names lacks for the column, by its first spelling.
    fn first_missing(&self, column: Column, keys: &[String]) -> String {
        let parts = self.spellings(column).first();
        let is_missing = |part: &&String| !keys.contains(&header::key(part));
        let missing = parts.and_then(|parts| parts.iter().find(is_missing));
        missing.map_or_else(|| column.name().to_owned(), Clone::clone)
    }

    /// What separates columns, in words.
    fn separated(&self) -> String {
        let word = |delimiter: &u8| match delimiter {
            b',' => "commas".to_owned(),
            b';' => "semicolons".to_owned(),
            b'\t' => "tabs".to_owned(),
            other => format!("`{}`", char::from(*other)),
        };
        self.delimiters.iter().map(word).collect::<Vec<_>>().join(" or ")
    }

    fn length(&self, column: Column) -> Option<usize> {
        self.lengths.iter().find(|(of, _)| *of == column).map(|(_, length)| *length)
    }

    /// Whether there are bytes that the encoding has no character for.
    const fn has_foreign_bytes(&self) -> bool {
        matches!(self.encoding, Encoding::Utf8)
    }

    /// Why a text is no date.
    fn no_date(&self) -> String {
        let forms: Vec<String> = self.dates.iter().map(ToString::to_string).collect();
        let none = match forms.as_slice() {
            [form] => format!("not {form}"),
            [one, other] => format!("neither {one} nor {other}"),
            forms => format!("none of {}", forms.join(", ")),
        };
        format!("the time is {none}, or there is no such day")
    }
}

/// What a row is held to.
#[derive(Debug, Clone)]
pub struct Rules {
    /// `[election] id`.
    pub election: Option<ElectionId>,
    /// Its day, `YYYY-MM-DD`, where it is known: for files that name an election by its day.
    pub election_day: Option<String>,
    /// `--election`: taken beside the configured one, and before it for rows that name none.
    pub named: Option<ElectionId>,
    /// Kinds of codes that envelopes carry: a column of such a name holds the ballot's code, unless the layout knows another.
    pub codes: Vec<String>,
    /// Where a date without a time is a day.
    pub zone: Zone,
    /// Nothing was mailed after it.
    pub now: Micros,
}

impl Rules {
    /// The election of rows that name none.
    fn default_election(&self) -> Option<&ElectionId> {
        self.named.as_ref().or(self.election.as_ref())
    }
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
    #[error("its header row has no column `{column}`; columns are separated by {separated}")]
    Missing {
        /// The column, as the layout spells it.
        column: String,
        /// What the layout has between columns.
        separated: String,
    },
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
    /// What those are about, as far as it can be read, for the ledger to know that the file names it.
    pub named: Vec<ImportRow>,
    /// Whether the file has come to its end.
    pub done: bool,
}

/// A row as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its first line, from 1.
    pub line: u64,
    fields: Fields,
}

impl Origin {
    /// The row's fields, as they stand there.
    pub fn fields(&self) -> impl Iterator<Item = &[u8]> {
        self.fields.iter()
    }

    /// The row of these fields.
    pub fn of(line: u64, fields: &[&[u8]]) -> Self {
        Self { line, fields: Fields::from(&fields.iter().collect::<csv::ByteRecord>()) }
    }

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

/// The rows of a file.
pub struct Rows<R> {
    records: Records<R>,
    header: Header,
    reading: Reading,
}

impl<R> fmt::Debug for Rows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("header", &self.header).finish_non_exhaustive()
    }
}

impl<R: Read> Rows<R> {
    /// Reads the header row.
    pub fn open(reader: R, layout: &Layout, rules: Rules) -> Result<Self, LayoutError> {
        let mut records = Records::new(reader, b',');
        let delimiter = find_delimiter(&mut records, layout)?;
        records.separate_by(delimiter);
        let header = match records.next().map_err(LayoutError::Read)? {
            Some(Next::Record(Whole { fields, .. })) => {
                let fields = if is_of_refused(&fields) { fields.bare() } else { fields };
                Header::of(fields, layout, delimiter, &rules.codes)?
            }
            Some(Next::Broken(_)) => return Err(LayoutError::Header),
            None => return Err(LayoutError::Empty),
        };
        Ok(Self { records, header, reading: Reading::new(layout.clone(), rules) })
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
        let (line, fields, row) = match next {
            Next::Broken(broken) => {
                let fault = Fault { at: None, reason: broken.why.to_owned() };
                (broken.line, self.bare(broken.fields), Err(fault))
            }
            Next::Record(Whole { line, fields, .. }) => {
                let fields = self.bare(fields);
                let row = self.reading.row(&self.header, &fields);
                (line, fields, row)
            }
        };
        match row {
            Ok(row) => {
                piece.rows.push(row);
                piece.origins.push(Origin { line, fields });
            }
            Err(Fault { at, reason }) => {
                piece.named.extend(self.reading.named(&self.header, &fields));
                let column = at.map(|at| (at + 1, self.header.name(at)));
                let origin = Origin { line, fields };
                piece.refused.push(Refused { origin, column, reason });
            }
        }
        Ok(())
    }

    /// The fields as they stood in the file that was refused of, where this is a file of refused rows.
    fn bare(&self, fields: Fields) -> Fields {
        if is_of_refused(self.header.fields()) { fields.bare() } else { fields }
    }

    /// Whether stray quotes made the record. Where its fields are as many as they should be, none that is known may hold a line's
    /// end; where they are not, it is one record with too many of them or too few.
    fn is_broken(&self, whole: &Whole) -> bool {
        let (fields, wanted) = (&whole.fields, self.header.len());
        let has_line_end =
            |(at, field): (usize, &[u8])| field.contains(&b'\n') && self.header.is_known(at);
        whole.is_of_several_lines()
            && (whole.is_of_several_rows(self.header.delimiter, wanted)
                || (fields.len() == wanted && fields.iter().enumerate().any(has_line_end)))
    }
}

/// Whether a file with that header row is one of refused rows, of our own writing.
fn is_of_refused(header: &Fields) -> bool {
    let mut names = header.iter();
    OWN_COLUMNS.iter().all(|own| names.next() == Some(own.as_bytes()))
}

/// The layout's first delimiter that makes sense of the header row, else the one that makes the most columns of it.
fn find_delimiter<R: Read>(records: &mut Records<R>, layout: &Layout) -> Result<u8, LayoutError> {
    let mut best = (layout.delimiters.first().copied().unwrap_or(b','), 0);
    if layout.delimiters.len() < 2 {
        return Ok(best.0);
    }
    for delimiter in &layout.delimiters {
        records.separate_by(*delimiter);
        let fields = records.peek().map_err(LayoutError::Read)?.ok_or(LayoutError::Empty)?;
        let count = fields.len();
        if Header::of(fields, layout, *delimiter, &[]).is_ok() {
            return Ok(*delimiter);
        }
        if count > best.1 {
            best = (*delimiter, count);
        }
    }
    Ok(best.0)
}

#[cfg(test)]
mod tests;
