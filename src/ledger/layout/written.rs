//! A layout as it is written down, read by hand so that every fault is found with its place.

use super::dates::Form;
use super::encoding::Encoding;
use super::faults::{LayoutFaults, Sink};
use super::header::{Column, key};
use super::row::VALUES;
use super::{LAYOUT_BYTES_MAX, Layout, Meaning, Values};
use crate::ballot::{ID_BYTES_MAX, Status};
use crate::event::printable;
use crate::reason::Reason;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Longest name of a layout, a column, a code or a value, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Most delimiters, date forms and spellings of a column.
const CHOICES_MAX: usize = 8;

/// Most columns of a file that make one of ours.
const PARTS_MAX: usize = 4;

/// Most kinds of further codes.
const CODES_MAX: usize = 8;

/// Most columns that are ignored, values of a status and codes of a reason.
const NAMES_MAX: usize = 256;

/// Between the columns of a file that make one of ours.
const PARTS: &str = " + ";

/// What stands before the first table.
const KEYS: [&str; 7] = ["name", "delimiter", "encoding", "values", "dates", "required", "ignored"];

/// The tables.
const TABLES: [&str; 5] = ["columns", "codes", "lengths", "status", "reasons"];

/// A value with the byte at which it stands.
type Placed<T> = (T, usize);

/// Reads and checks a layout.
pub(super) fn read(text: &str) -> Result<Layout, LayoutFaults> {
    let mut sink = Sink::new(text);
    if text.len() > LAYOUT_BYTES_MAX {
        sink.fault(LAYOUT_BYTES_MAX, format!("longer than {LAYOUT_BYTES_MAX} bytes"));
        return sink.into_faults().map_or_else(|| Ok(Layout::empty()), Err);
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let mut reader = Reader { root: root.get_ref(), sink };
        let layout = reader.layout();
        return reader.sink.into_faults().map_or(Ok(layout), Err);
    }
    for error in errors {
        let offset = error.span().map_or(text.len(), |span| span.start);
        sink.fault(offset, format!("not TOML: {}", error.message()));
    }
    sink.keep_first_of_lines();
    sink.into_faults().map_or_else(|| Ok(Layout::empty()), Err)
}

struct Reader<'a, 'i, 't> {
    root: &'a DeTable<'i>,
    sink: Sink<'t>,
}

impl<'a> Reader<'a, '_, '_> {
    fn layout(&mut self) -> Layout {
        self.refuse_unknown();
        let layout = Layout {
            name: self.name(),
            delimiters: self.delimiters(),
            encoding: self.encoding(),
            values: self.values(),
            dates: self.dates(),
            columns: self.columns(),
            required: self.required(),
            codes: self.codes(),
            lengths: self.lengths(),
            ignored: self.names("ignored"),
            statuses: self.meanings("status", meaning),
            reasons: self.reasons(),
        };
        self.check_whole(&layout);
        layout
    }

    fn refuse_unknown(&mut self) {
        for key in self.root.keys() {
            let name: &str = key.get_ref();
            if !KEYS.contains(&name) && !TABLES.contains(&name) {
                let (name, keys, tables) = (printable(name), KEYS.join(", "), TABLES.join(", "));
                let message = format!("unknown `{name}`; there are {keys} and the tables {tables}");
                self.sink.fault(key.span().start, message);
            }
        }
    }

    fn name(&mut self) -> String {
        let Some((name, at)) = self.text("name") else {
            self.missing("name", "name = \"county-list\"");
            return String::new();
        };
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if !name.bytes().all(is_plain) || !(1..=NAME_BYTES_MAX).contains(&name.len()) {
            let what = format!("1 to {NAME_BYTES_MAX} lower-case letters, digits and hyphens");
            self.sink.fault(at, format!("name: {} is not {what}", shown(name)));
        }
        name.to_owned()
    }

    fn delimiters(&mut self) -> Vec<u8> {
        let Some(written) = self.texts("delimiter", CHOICES_MAX) else { return vec![b','] };
        let mut delimiters = Vec::new();
        for (text, at) in written {
            match text.as_bytes() {
                [byte] if is_delimiter(*byte) => delimiters.push(*byte),
                _ => {
                    let what = "a sign other than a quote, or \"\\t\"";
                    self.sink.fault(at, format!("delimiter: {} is not {what}", shown(text)));
                }
            }
        }
        delimiters
    }

    fn encoding(&mut self) -> Encoding {
        let Some((name, at)) = self.text("encoding") else { return Encoding::Utf8 };
        Encoding::from_name(name).unwrap_or_else(|| {
            let names = Encoding::names().join(", ");
            self.sink.fault(at, format!("encoding: {} is none of {names}", shown(name)));
            Encoding::Utf8
        })
    }

    fn values(&mut self) -> Values {
        match self.text("values") {
            None | Some(("trimmed", _)) => Values::Trimmed,
            Some(("exact", _)) => Values::Exact,
            Some((other, at)) => {
                self.sink.fault(at, format!("values: {} is not trimmed or exact", shown(other)));
                Values::Trimmed
            }
        }
    }

    fn dates(&mut self) -> Vec<Form> {
        let mut forms = Vec::new();
        for (text, at) in self.texts("dates", CHOICES_MAX).unwrap_or_default() {
            match Form::new(text) {
                Ok(form) => forms.push(form),
                Err(why) => {
                    let example = "such as YYYY-MM-DD, M/D/YYYY, DD-MON-YY or RFC 3339";
                    let message = format!("dates: {} is no form: {why}; {example}", shown(text));
                    self.sink.fault(at, message);
                }
            }
        }
        forms
    }

    fn columns(&mut self) -> [Vec<Vec<String>>; Column::ALL.len()] {
        let mut columns = Column::ALL.map(|_| Vec::new());
        if !self.root.contains_key("columns") {
            self.missing("columns", "[columns] and voter = \"VOTER_ID\"");
        }
        let Some(table) = self.table("columns") else { return columns };
        for (key, value) in table {
            let name: &str = key.get_ref();
            let at = key.span().start;
            let Some(column) = self.column(name, at) else { continue };
            let spellings = self.texts_of(name, value, CHOICES_MAX);
            let spellings = spellings.into_iter().filter_map(|(text, at)| {
                let parts: Vec<String> =
                    text.split(PARTS).map(str::trim).map(str::to_owned).collect();
                self.check_parts(column, &parts, at).then_some(parts)
            });
            let spellings = spellings.collect();
            if let Some(place) = columns.get_mut(column as usize) {
                *place = spellings;
            }
        }
        columns
    }

    fn check_parts(&mut self, column: Column, parts: &[String], at: usize) -> bool {
        let name = column.name();
        let wrong = if parts.iter().any(|part| !is_name(part)) {
            format!("the name of a column has 1 to {NAME_BYTES_MAX} bytes")
        } else if parts.len() > PARTS_MAX {
            format!("more than {PARTS_MAX} columns")
        } else if parts.len() > 1 && !column.is_of_parts() {
            let of_parts = Column::ALL.into_iter().filter(|column| column.is_of_parts());
            let of_parts: Vec<_> = of_parts.map(Column::name).collect();
            format!("only {} can be of several columns", of_parts.join(", "))
        } else {
            return true;
        };
        self.sink.fault(at, format!("[columns] {name}: {wrong}"));
        false
    }

    fn column(&mut self, name: &str, at: usize) -> Option<Column> {
        let column = Column::from_name(name);
        if column.is_none() {
            let names = Column::ALL.map(Column::name).join(", ");
            self.sink.fault(at, format!("unknown column {}; there are {names}", shown(name)));
        }
        column
    }

    fn required(&mut self) -> Vec<Column> {
        let written = self.texts("required", Column::ALL.len()).unwrap_or_default();
        written.into_iter().filter_map(|(name, at)| self.column(name, at)).collect()
    }

    fn codes(&mut self) -> BTreeMap<String, String> {
        let mut codes = BTreeMap::new();
        for (kind, value) in self.table("codes").into_iter().flatten() {
            let (name, at) = (kind.get_ref().as_ref(), kind.span().start);
            let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
            if !name.bytes().all(is_plain) || !is_name(name) {
                let what = "lower-case letters, digits and underscores";
                self.sink.fault(at, format!("[codes] {}: a kind is of {what}", shown(name)));
            }
            if codes.len() == CODES_MAX {
                self.sink.fault(at, format!("[codes]: more than {CODES_MAX} kinds"));
                break;
            }
            if let Some((column, at)) = self.text_of(name, value) {
                if !is_name(column) {
                    let what = format!("the name of a column has 1 to {NAME_BYTES_MAX} bytes");
                    self.sink.fault(at, format!("[codes] {}: {what}", shown(name)));
                }
                codes.insert(name.to_owned(), column.to_owned());
            }
        }
        codes
    }

    fn lengths(&mut self) -> Vec<(Column, usize)> {
        let mut lengths = Vec::new();
        for (key, value) in self.table("lengths").into_iter().flatten() {
            let name: &str = key.get_ref();
            let Some(column) = self.column(name, key.span().start) else { continue };
            let is_id = matches!(column, Column::Ballot | Column::Voter | Column::Election);
            let length = value.get_ref().as_integer();
            let length = length.and_then(|n| usize::from_str_radix(n.as_str(), n.radix()).ok());
            match length.filter(|length| (1..=ID_BYTES_MAX).contains(length)) {
                Some(length) if is_id => lengths.push((column, length)),
                _ if !is_id => {
                    let what = "only ballot, voter and election have a length";
                    self.sink.fault(key.span().start, format!("[lengths] {name}: {what}"));
                }
                _ => {
                    let what = format!("a number from 1 to {ID_BYTES_MAX}");
                    self.sink.fault(value.span().start, format!("[lengths] {name}: not {what}"));
                }
            }
        }
        lengths
    }

    fn reasons(&mut self) -> Option<Vec<(String, Reason)>> {
        self.root.get("reasons")?;
        Some(self.meanings("reasons", reason))
    }

    /// What the values of a column mean, by the table of that name.
    fn meanings<T>(
        &mut self,
        table: &'static str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Vec<(String, T)> {
        let mut meanings: Vec<(String, T)> = Vec::new();
        for (value, written) in self.table(table).into_iter().flatten() {
            let (name, at) = (value.get_ref().trim(), value.span().start);
            if name.len() > NAME_BYTES_MAX * PARTS_MAX {
                self.sink.fault(at, format!("[{table}]: a value of {} bytes", name.len()));
                continue;
            }
            if meanings.len() == NAMES_MAX {
                self.sink.fault(at, format!("[{table}]: more than {NAMES_MAX} values"));
                break;
            }
            if meanings.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                self.sink.fault(at, format!("[{table}] {}: it stands there twice", shown(name)));
            }
            let Some((text, at)) = self.text_of(name, written) else { continue };
            match parse(text) {
                Ok(meaning) => meanings.push((name.to_owned(), meaning)),
                Err(why) => {
                    self.sink.fault(at, format!("[{table}] {}: {why}", shown(name)));
                }
            }
        }
        meanings
    }

    /// What the tables say of one another.
    fn check_whole(&mut self, layout: &Layout) {
        let columns = self.root.get_key_value("columns").map(|(key, _)| key.span().start);
        let Some(columns) = columns else { return };
        if layout.spellings(Column::Voter).is_empty() {
            let what = "the column `voter` is missing; such as voter = \"VOTER_ID\"";
            self.sink.fault(columns, format!("[columns]: {what}"));
        }
        let has_times = Column::TIMES.iter().any(|time| !layout.spellings(*time).is_empty());
        if has_times && self.root.get("dates").is_none() {
            self.missing("dates", "dates = [\"YYYY-MM-DD\"]");
        }
        for (table, column) in [("status", Column::Status), ("reasons", Column::Reason)] {
            let has_table = self.root.contains_key(table);
            let has_column = !layout.spellings(column).is_empty();
            let what = match (has_table, has_column) {
                (true, false) => format!("[{table}] has no `{}` in [columns]", column.name()),
                (false, true) if column == Column::Status => {
                    "[columns] has a status, so a table [status] must say what its values mean"
                        .to_owned()
                }
                _ => continue,
            };
            self.sink.fault(columns, what);
        }
        for column in layout.required.iter().filter(|c| layout.spellings(**c).is_empty()) {
            self.sink.fault(columns, format!("`{}` is required and no column", column.name()));
        }
        self.check_shared(layout, columns);
    }

    /// A column of the file has one meaning; only a part may have another one as well.
    fn check_shared(&mut self, layout: &Layout, at: usize) {
        let mut seen = BTreeMap::new();
        for column in Column::ALL {
            for parts in layout.spellings(column).iter().filter(|parts| parts.len() == 1) {
                let earlier = parts.first().and_then(|name| seen.insert(key(name), column));
                if let Some(earlier) = earlier {
                    let (a, b) = (earlier.name(), column.name());
                    self.sink.fault(at, format!("[columns]: `{a}` and `{b}` are the same column"));
                }
            }
        }
    }

    fn missing(&mut self, key: &str, example: &str) {
        self.sink.fault(0, format!("`{key}` is missing; such as {example}"));
    }

    fn names(&mut self, key: &'static str) -> Vec<String> {
        let written = self.texts(key, NAMES_MAX).unwrap_or_default();
        written.into_iter().map(|(name, _)| name.to_owned()).collect()
    }

    fn table(&mut self, name: &str) -> Option<&'a DeTable<'a>> {
        let (key, value) = self.root.get_key_value(name)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.sink.fault(key.span().start, format!("`{name}` is a table, [{name}]"));
        }
        table
    }

    fn text(&mut self, key: &str) -> Option<Placed<&'a str>> {
        let value = self.root.get(key)?;
        self.text_of(key, value)
    }

    fn text_of(&mut self, key: &str, value: &'a Spanned<DeValue<'_>>) -> Option<Placed<&'a str>> {
        let at = value.span().start;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.sink.fault(at, format!("{}: not a text in quotes", printable(key)));
        }
        text.map(|text| (text, at))
    }

    /// A text, or a list of them.
    fn texts(&mut self, key: &str, max: usize) -> Option<Vec<Placed<&'a str>>> {
        let value = self.root.get(key)?;
        Some(self.texts_of(key, value, max))
    }

    fn texts_of(
        &mut self,
        key: &str,
        value: &'a Spanned<DeValue<'_>>,
        max: usize,
    ) -> Vec<Placed<&'a str>> {
        let Some(list) = value.get_ref().as_array() else {
            return self.text_of(key, value).into_iter().collect();
        };
        let texts: Vec<_> = list.iter().filter_map(|value| self.text_of(key, value)).collect();
        if !(1..=max).contains(&list.len()) {
            self.sink.fault(value.span().start, format!("{key}: not 1 to {max} of them"));
        }
        texts
    }
}

/// `accepted`, `rejected: late`, `dates`, `dates, else mailed` or `refuse`.
fn meaning(text: &str) -> Result<Meaning, String> {
    match text {
        "dates" => return Ok(Meaning::Dates(Status::Issued)),
        "dates, else mailed" => return Ok(Meaning::Dates(Status::Mailed)),
        "refuse" => return Ok(Meaning::Refuse),
        _ => {}
    }
    let (name, why) = match text.split_once(':') {
        Some((name, why)) => (name.trim(), Some(why.trim())),
        None => (text, None),
    };
    let status = Status::from_name(name).ok_or_else(|| {
        let names = Status::ALL.map(Status::name).join(", ");
        let others = "dates, refuse or \"dates, else mailed\"";
        format!("{} is none of {names}, {others}", shown(name))
    })?;
    why.map(reason).transpose().map(|why| Meaning::Is(status, why))
}

fn reason(name: &str) -> Result<Reason, String> {
    Reason::from_name(name).ok_or_else(|| {
        let names = Reason::ALL.map(Reason::name).join(", ");
        format!("the reason {} is none of {names}", shown(name))
    })
}

const fn is_delimiter(byte: u8) -> bool {
    (byte.is_ascii_punctuation() && !matches!(byte, b'"' | b'\'')) || byte == b'\t'
}

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
}

fn shown(text: &str) -> String {
    format!("\"{}\"", printable(text))
}

const _: () = assert!(VALUES.len() == PARTS.len(), "values are joined as their columns are");
