//! The records of a CSV file (RFC 4180), one at a time and bounded, so that a quote that is never closed costs one line and not
//! the rest of the file.
//!
//! The `csv` crate reads a record of any length. So lines are read within a bound here, joined while a quote is open, and only
//! whole records are handed to it.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Cursor, Read};

use csv::{ByteRecord, ReaderBuilder, Terminator};

/// Longest record, in bytes; nine known columns need less than 1,000, the rest is for columns that are ignored.
pub(super) const RECORD_BYTES_MAX: usize = 16 * 1024;

/// What some programs write before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The records of a file.
pub(super) struct Records<R> {
    reader: BufReader<R>,
    /// Lines that were read and did not belong to the record.
    given_back: VecDeque<Line>,
    /// The number of the last line that was read from the file.
    line: u64,
    parser: csv::Reader<Cursor<Vec<u8>>>,
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
    pub(super) fields: ByteRecord,
    lines: Vec<Line>,
}

/// A line that could not be read as a record.
#[derive(Debug)]
pub(super) struct Broken {
    /// The line.
    pub(super) line: u64,
    /// Its fields as far as they can be told.
    pub(super) fields: ByteRecord,
    /// Why.
    pub(super) why: &'static str,
}

#[derive(Debug)]
struct Line {
    number: u64,
    /// Without its end; `None` when it is longer than [`RECORD_BYTES_MAX`].
    text: Option<Vec<u8>>,
}

impl<R: Read> Records<R> {
    pub(super) fn new(reader: R) -> Self {
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).terminator(Terminator::Any(b'\n'));
        Self {
            reader: BufReader::new(reader),
            given_back: VecDeque::new(),
            line: 0,
            parser: builder.from_reader(Cursor::default()),
        }
    }

    /// The next record; `None` at the end of the file. Empty lines are passed over.
    pub(super) fn next(&mut self) -> io::Result<Option<Next>> {
        loop {
            let Some(first) = self.next_line()? else { return Ok(None) };
            match &first.text {
                Some(text) if text.is_empty() => {}
                Some(text) => return self.record(text.clone(), first).map(Some),
                None => return Ok(Some(Next::Broken(too_long(first.number)))),
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
        let mut quotes = Quotes::FieldStart;
        quotes.pass(&text);
        let mut lines = vec![first];
        while quotes == Quotes::Inside {
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
        Ok(Next::Record(Whole { line, fields: self.fields(text)?, lines }))
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
    fn fields(&mut self, mut text: Vec<u8>) -> io::Result<ByteRecord> {
        text.push(b'\n');
        // The parser stops behind the line end that is given it, so it never comes to the end of its input.
        *self.parser.get_mut() = Cursor::new(text);
        let mut fields = ByteRecord::new();
        self.parser.read_byte_record(&mut fields).map_err(io::Error::other)?;
        Ok(fields)
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
}

fn too_long(line: u64) -> Broken {
    Broken { line, fields: ByteRecord::new(), why: "the line is too long: at most 16384 bytes" }
}

const _: () = assert!(RECORD_BYTES_MAX == 16_384, "the reason above says so");

/// Where in a record a byte stands, as the `csv` crate sees it: a quote opens a quoted field only at the field's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    FieldStart,
    Field,
    Inside,
    /// Behind a quote that closes the field, unless another one follows.
    Closing,
}

impl Quotes {
    fn pass(&mut self, text: &[u8]) {
        for byte in text {
            *self = match (*self, byte) {
                (Self::Inside, b'"') => Self::Closing,
                (Self::FieldStart | Self::Closing, b'"') | (Self::Inside, _) => Self::Inside,
                (_, b',') => Self::FieldStart,
                (Self::FieldStart | Self::Field | Self::Closing, _) => Self::Field,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &[u8]) -> Vec<String> {
        let mut records = Records::new(text);
        let mut found = Vec::new();
        while let Some(next) = records.next().unwrap() {
            found.push(match next {
                Next::Record(whole) => format!("{} {:?}", whole.line, whole.fields),
                Next::Broken(broken) => {
                    format!("{} {:?} {}", broken.line, broken.fields, broken.why)
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
            ("a,b", &[r#"1 ByteRecord(["a", "b"])"#]),
            (
                "a,b\r\nc,d\n\ne,f\r\n",
                &[
                    r#"1 ByteRecord(["a", "b"])"#,
                    r#"2 ByteRecord(["c", "d"])"#,
                    r#"4 ByteRecord(["e", "f"])"#,
                ],
            ),
            ("\u{feff}\"a,1\",b\n", &[r#"1 ByteRecord(["a,1", "b"])"#]),
            (
                "\"a\n\nx\",\"q\"\"q\"\nc,d\n",
                &[r#"1 ByteRecord(["a\n\nx", "q\"q"])"#, r#"4 ByteRecord(["c", "d"])"#],
            ),
            (
                "a,b\"c\n\"d\"e\",f\n",
                &[r#"1 ByteRecord(["a", "b\"c"])"#, r#"2 ByteRecord(["de\"", "f"])"#],
            ),
            (
                "a,\"b\nc,d\ne,f\n",
                &[
                    r#"1 ByteRecord(["a", "b"]) a quote is opened and not closed"#,
                    r#"2 ByteRecord(["c", "d"])"#,
                    r#"3 ByteRecord(["e", "f"])"#,
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
            assert_eq!(found[1], "2 ByteRecord([]) the line is too long: at most 16384 bytes");
            assert_eq!(found[2], r#"3 ByteRecord(["b"])"#);
        }
        assert!(!all(format!("{fits}\n").as_bytes())[0].contains("too long"));
    }

    #[test]
    fn a_quote_open_for_too_long_costs_only_its_line() {
        let rows = "c,d\n".repeat(20_000);
        let found = all(format!("a,\"b\n{rows}").as_bytes());
        assert_eq!(found.len(), 20_001);
        assert!(found[0].ends_with("not closed"), "{}", found[0]);
        assert_eq!(found[20_000], r#"20001 ByteRecord(["c", "d"])"#);
    }

    proptest! {
        #[test]
        fn closed_records_are_what_the_crate_reads(text in "[a\",\n]{0,60}") {
            let mut builder = ReaderBuilder::new();
            builder.has_headers(false).flexible(true).terminator(Terminator::Any(b'\n'));
            let whole: Vec<ByteRecord> =
                builder.from_reader(text.as_bytes()).byte_records().map(Result::unwrap).collect();
            let mut records = Records::new(text.as_bytes());
            let mut ours = Vec::new();
            let mut broken = false;
            while let Some(next) = records.next().unwrap() {
                match next {
                    Next::Record(whole) => ours.push(whole.fields),
                    Next::Broken(_) => broken = true,
                }
            }
            prop_assert!(broken || ours == whole, "{ours:?} {whole:?}");
        }
    }
}
