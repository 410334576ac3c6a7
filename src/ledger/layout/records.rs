//! The records of a file of separated values (RFC 4180, with any separator), one at a time and bounded, so that a quote that is
//! never closed costs one line and not the rest of the file.
//!
//! The `csv` crate reads a record of any length. So lines are read within a bound here, joined while a quote is open, and only
//! whole records are handed to it; a line without a quote is split here, which is what nearly all of a file is.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Cursor, Read};

use csv::{ByteRecord, ReaderBuilder, Terminator};

use crate::ledger::cell;

/// Longest record, in bytes; the columns that a layout knows need less than 2,000, the rest is for columns that are ignored.
pub(super) const RECORD_BYTES_MAX: usize = 16 * 1024;

/// Bytes that are read from the file at once.
const READ_BYTES: usize = 64 * 1024;

/// What some programs write before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The records of a file.
pub(super) struct Records<R> {
    reader: BufReader<R>,
    /// Between the fields of a record.
    delimiter: u8,
    /// Lines that were read and did not belong to the record.
    given_back: VecDeque<Line>,
    /// The number of the last line that was read from the file.
    line: u64,
    parser: csv::Reader<Cursor<Vec<u8>>>,
    /// What the parser writes into.
    parsed: ByteRecord,
}

/// The fields of a record as bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    text: Vec<u8>,
    /// Where each begins and ends; [`RECORD_BYTES_MAX`] bounds them.
    places: Vec<(u32, u32)>,
}

/// What stands next in the file.
#[derive(Debug)]
pub(super) enum Next {
    /// A record.
    Record(Whole),
    /// A line that is no record of its own.
    Broken(Broken),
}

/// A record.
#[derive(Debug)]
pub(super) struct Whole {
    /// Its first line.
    pub(super) line: u64,
    /// Its fields.
    pub(super) fields: Fields,
    /// Its lines, unless it is one without a quote.
    lines: Vec<Line>,
    /// Whether each quote opens a field at its start, or closes it at its end.
    is_well_quoted: bool,
}

/// A line that could not be read as a record.
#[derive(Debug)]
pub(super) struct Broken {
    /// The line.
    pub(super) line: u64,
    /// Its fields as far as they can be told.
    pub(super) fields: Fields,
    /// Why.
    pub(super) why: &'static str,
}

#[derive(Debug)]
struct Line {
    number: u64,
    /// Without its end; `None` when it is longer than [`RECORD_BYTES_MAX`].
    text: Option<Vec<u8>>,
}

impl Fields {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.places.len()
    }

    /// The field at that place, from 0.
    pub(super) fn get(&self, at: usize) -> Option<&[u8]> {
        self.places.get(at).and_then(|place| self.at(*place))
    }

    /// All of them in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().filter_map(|place| self.at(*place))
    }

    /// Whether every byte of them is ASCII.
    pub(super) fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }

    /// The same, without the sign that keeps a spreadsheet from taking a field for a formula.
    pub(super) fn bare(&self) -> Self {
        let bare = self.iter().map(cell::bare);
        Self::from(&bare.collect::<ByteRecord>())
    }

    /// The fields of a line without a quote.
    fn split(text: Vec<u8>, delimiter: u8) -> Self {
        let mut places = Vec::with_capacity(FIELDS_EXPECTED);
        let mut start = 0;
        for (byte, at) in text.iter().zip(0..) {
            if *byte == delimiter {
                places.push((start, at));
                start = at + 1;
            }
        }
        places.push((start, u32::try_from(text.len()).unwrap_or(u32::MAX)));
        Self { text, places }
    }

    fn at(&self, (start, end): (u32, u32)) -> Option<&[u8]> {
        self.text.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }
}

/// As many as most files have: one allocation does.
const FIELDS_EXPECTED: usize = 16;

impl From<&ByteRecord> for Fields {
    fn from(record: &ByteRecord) -> Self {
        let mut end = 0;
        let lengths = record.iter().map(<[u8]>::len);
        let places = lengths.map(|length| {
            let start = end;
            end = start + u32::try_from(length).unwrap_or(u32::MAX);
            (start, end)
        });
        Self { places: places.collect(), text: record.as_slice().to_vec() }
    }
}

impl<R: Read> Records<R> {
    pub(super) fn new(reader: R, delimiter: u8) -> Self {
        Self {
            reader: BufReader::with_capacity(READ_BYTES, reader),
            delimiter,
            given_back: VecDeque::new(),
            line: 0,
            parser: parser(delimiter),
            parsed: ByteRecord::new(),
        }
    }

    /// Takes `delimiter` to stand between fields from here on.
    pub(super) fn separate_by(&mut self, delimiter: u8) {
        self.delimiter = delimiter;
        self.parser = parser(delimiter);
    }

    /// The fields of the next line as a record of its own, which stays the next one; `None` at the end of the file.
    pub(super) fn peek(&mut self) -> io::Result<Option<Fields>> {
        loop {
            let Some(line) = self.next_line()? else { return Ok(None) };
            if line.text.as_ref().is_some_and(Vec::is_empty) {
                continue;
            }
            let text = line.text.clone().unwrap_or_default();
            self.give_back(vec![line]);
            return self.fields(text).map(Some);
        }
    }

    /// The next record; `None` at the end of the file. Empty lines are passed over.
    pub(super) fn next(&mut self) -> io::Result<Option<Next>> {
        loop {
            let Some(Line { number, text }) = self.next_line()? else { return Ok(None) };
            match text {
                Some(text) if text.is_empty() => {}
                Some(text) if text.contains(&b'"') => {
                    let first = Line { number, text: Some(text.clone()) };
                    return self.record(text, first).map(Some);
                }
                Some(text) => {
                    let fields = Fields::split(text, self.delimiter);
                    let lines = Vec::new();
                    let whole = Whole { line: number, fields, lines, is_well_quoted: true };
                    return Ok(Some(Next::Record(whole)));
                }
                None => return Ok(Some(Next::Broken(too_long(number)))),
            }
        }
    }

    /// Takes a record of several lines as what it is more likely to be: a line with a stray quote, and lines after it.
    pub(super) fn split(&mut self, whole: Whole) -> io::Result<Next> {
        let mut lines = whole.lines.into_iter();
        let Some(first) = lines.next() else { return Ok(Next::Broken(too_long(whole.line))) };
        self.give_back(lines.collect());
        self.unclosed(first).map(Next::Broken)
    }

    fn record(&mut self, mut text: Vec<u8>, first: Line) -> io::Result<Next> {
        let mut quotes = Quotes::new(self.delimiter);
        quotes.pass(&text);
        let mut lines = vec![first];
        while quotes.at == Place::Inside {
            let next = self.next_line()?;
            let more = next.as_ref().and_then(|line| line.text.as_ref());
            let more = more.filter(|more| text.len() + more.len() < RECORD_BYTES_MAX);
            if let Some(more) = more {
                text.push(b'\n');
                text.extend_from_slice(more);
                quotes.pass(b"\n");
                quotes.pass(more);
                lines.extend(next);
            } else {
                let first = lines.remove(0);
                lines.extend(next);
                self.give_back(lines);
                return self.unclosed(first).map(Next::Broken);
            }
        }
        let line = lines.first().map_or(0, |line| line.number);
        let fields = self.fields(text)?;
        Ok(Next::Record(Whole { line, fields, lines, is_well_quoted: !quotes.is_stray }))
    }

    fn unclosed(&mut self, line: Line) -> io::Result<Broken> {
        let mut text = line.text.unwrap_or_default();
        text.push(b'"');
        let why = "a quote is opened and not closed";
        Ok(Broken { line: line.number, fields: self.fields(text)?, why })
    }

    fn give_back(&mut self, lines: Vec<Line>) {
        for line in lines.into_iter().rev() {
            self.given_back.push_front(line);
        }
    }

    /// The fields of one record without its end.
    fn fields(&mut self, mut text: Vec<u8>) -> io::Result<Fields> {
        text.push(b'\n');
        // The parser stops behind the line end that is given it, so it never comes to the end of its input.
        *self.parser.get_mut() = Cursor::new(text);
        self.parser.read_byte_record(&mut self.parsed).map_err(io::Error::other)?;
        Ok(Fields::from(&self.parsed))
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.given_back.pop_front() {
            return Ok(Some(line));
        }
        let limit = u64::try_from(RECORD_BYTES_MAX).unwrap_or(u64::MAX);
        let mut text = Vec::new();
        if (&mut self.reader).take(limit).read_until(b'\n', &mut text)? == 0 {
            return Ok(None);
        }
        self.line += 1;
        if text.pop_if(|end| *end == b'\n').is_none() && text.len() == RECORD_BYTES_MAX {
            self.reader.skip_until(b'\n')?;
            return Ok(Some(Line { number: self.line, text: None }));
        }
        text.pop_if(|end| *end == b'\r');
        if self.line == 1 && text.starts_with(BYTE_ORDER_MARK) {
            text.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(Some(Line { number: self.line, text: Some(text) }))
    }
}

impl Whole {
    /// Whether it spans more than one line.
    pub(super) const fn is_of_several_lines(&self) -> bool {
        self.lines.len() > 1
    }

    /// Whether a stray quote made it of several rows of so many fields: a quote stands where none may, or lines of it are rows
    /// themselves. A field of several lines has no row within it, and its first and last lines are parts of one.
    pub(super) fn is_of_several_rows(&self, delimiter: u8, fields: usize) -> bool {
        let is_row = |line: &Line| {
            let text = line.text.as_deref().unwrap_or_default();
            fields > 1 && fields_alone(text, delimiter) == fields
        };
        match self.lines.as_slice() {
            [] | [_] => false,
            [first, within @ .., last] => {
                !self.is_well_quoted || within.iter().any(is_row) || (is_row(first) && is_row(last))
            }
        }
    }
}

/// How many fields a line has by itself; a quote that it does not close is none.
fn fields_alone(text: &[u8], delimiter: u8) -> usize {
    let mut quotes = Quotes::new(delimiter);
    let (mut fields, mut since_quote) = (1, 0);
    for byte in text {
        quotes.pass(&[*byte]);
        match quotes.at {
            Place::FieldStart => (fields, since_quote) = (fields + 1, 0),
            Place::Inside => since_quote += usize::from(*byte == delimiter),
            Place::Field | Place::Closing => {}
        }
    }
    if quotes.at == Place::Inside { fields + since_quote } else { fields }
}

fn parser(delimiter: u8) -> csv::Reader<Cursor<Vec<u8>>> {
    let mut builder = ReaderBuilder::new();
    builder
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .terminator(Terminator::Any(b'\n'));
    builder.from_reader(Cursor::default())
}

fn too_long(line: u64) -> Broken {
    Broken { line, fields: Fields::default(), why: "the line is too long: at most 16384 bytes" }
}

const _: () = assert!(RECORD_BYTES_MAX == 16_384, "the reason above says so");

/// The quotes of a record, byte by byte.
#[derive(Debug)]
struct Quotes {
    delimiter: u8,
    at: Place,
    /// Whether one stood within a field that it does not open, or before more of the field that it closes.
    is_stray: bool,
}

/// Where in a record a byte stands, as the `csv` crate sees it: a quote opens a quoted field only at the field's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    FieldStart,
    Field,
    Inside,
    /// Behind a quote that closes the field, unless another one follows.
    Closing,
}

impl Quotes {
    const fn new(delimiter: u8) -> Self {
        Self { delimiter, at: Place::FieldStart, is_stray: false }
    }

    fn pass(&mut self, text: &[u8]) {
        for byte in text {
            self.at = match (self.at, *byte) {
                (Place::Inside, b'"') => Place::Closing,
                (Place::FieldStart | Place::Closing, b'"') | (Place::Inside, _) => Place::Inside,
                (_, byte) if byte == self.delimiter => Place::FieldStart,
                (before, byte) => {
                    self.is_stray |= byte == b'"' || before == Place::Closing;
                    Place::Field
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(fields: &Fields) -> Vec<String> {
        fields.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect()
    }

    fn all(text: &[u8]) -> Vec<String> {
        let mut records = Records::new(text, b',');
        let mut found = Vec::new();
        while let Some(next) = records.next().unwrap() {
            found.push(match next {
                Next::Record(whole) => format!("{} {:?}", whole.line, shown(&whole.fields)),
                Next::Broken(broken) => {
                    format!("{} {:?} {}", broken.line, shown(&broken.fields), broken.why)
                }
            });
        }
        found
    }

    #[test]
    fn records_are_found_with_their_lines() {
        for (text, expected) in [
            ("", &[][..]),
            ("\n\r\n", &[]),
            ("a,b", &[r#"1 ["a", "b"]"#]),
            ("a,b\r\nc,d\n\ne,f\r\n", &[r#"1 ["a", "b"]"#, r#"2 ["c", "d"]"#, r#"4 ["e", "f"]"#]),
            ("\u{feff}\"a,1\",b\n", &[r#"1 ["a,1", "b"]"#]),
            ("\"a\n\nx\",\"q\"\"q\"\nc,d\n", &[r#"1 ["a\n\nx", "q\"q"]"#, r#"4 ["c", "d"]"#]),
            ("a,b\"c\n\"d\"e\",f\n", &[r#"1 ["a", "b\"c"]"#, r#"2 ["de\"", "f"]"#]),
            (
                "a,\"b\nc,d\ne,f\n",
                &[
                    r#"1 ["a", "b"] a quote is opened and not closed"#,
                    r#"2 ["c", "d"]"#,
                    r#"3 ["e", "f"]"#,
                ],
            ),
        ] {
            assert_eq!(all(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_costs_only_itself() {
        let fits = "x".repeat(RECORD_BYTES_MAX - 1);
        for long in [format!("{fits}x"), format!("{fits}xx"), fits.repeat(20)] {
            let found = all(format!("a\n{long}\r\nb\n").as_bytes());
            assert_eq!(found.len(), 3);
            assert_eq!(found[1], "2 [] the line is too long: at most 16384 bytes");
            assert_eq!(found[2], r#"3 ["b"]"#);
        }
        assert!(!all(format!("{fits}\n").as_bytes())[0].contains("too long"));
    }

    #[test]
    fn a_quote_open_for_too_long_costs_only_its_line() {
        let rows = "c,d\n".repeat(20_000);
        let found = all(format!("a,\"b\n{rows}").as_bytes());
        assert_eq!(found.len(), 20_001);
        assert!(found[0].ends_with("not closed"), "{}", found[0]);
        assert_eq!(found[20_000], r#"20001 ["c", "d"]"#);
    }

    proptest! {
        #[test]
        fn closed_records_are_what_the_crate_reads(text in "[a\",\n]{0,60}") {
            let mut builder = ReaderBuilder::new();
            builder.has_headers(false).flexible(true).terminator(Terminator::Any(b'\n'));
            let mut reader = builder.from_reader(text.as_bytes());
            let whole = reader.byte_records().map(Result::unwrap);
            let whole: Vec<_> = whole.map(|record| shown(&Fields::from(&record))).collect();
            let mut records = Records::new(text.as_bytes(), b',');
            let mut ours = Vec::new();
            let mut broken = false;
            while let Some(next) = records.next().unwrap() {
                match next {
                    Next::Record(whole) => ours.push(shown(&whole.fields)),
                    Next::Broken(_) => broken = true,
                }
            }
            prop_assert!(broken || ours == whole, "{ours:?} {whole:?}");
        }
    }
}
