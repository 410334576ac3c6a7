//! CSV as RFC 4180 has it, in UTF-8, of which no cell is a formula to a program that opens it.

use super::ExportError;
use std::io;

/// What a spreadsheet takes for the start of a formula, or passes over before one (OWASP, "CSV Injection"; ASVS 5.0, 1.2.10 has
/// the null character). Some take the full-width forms of the four signs for the signs.
const STARTS: [char; 12] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// A CSV file in the making.
pub(super) struct Sheet<'a> {
    out: &'a mut dyn io::Write,
    line: String,
    rows: u64,
}

impl<'a> Sheet<'a> {
    /// A file with that header.
    pub(super) fn begin(header: &[&str], out: &'a mut dyn io::Write) -> Result<Self, ExportError> {
        let mut sheet = Self { out, line: String::new(), rows: 0 };
        sheet.row(header)?;
        sheet.rows = 0;
        Ok(sheet)
    }

    /// A row.
    pub(super) fn row(&mut self, cells: &[&str]) -> Result<(), ExportError> {
        self.line.clear();
        for (place, cell) in cells.iter().enumerate() {
            if place > 0 {
                self.line.push(',');
            }
            self.cell(cell);
        }
        self.line.push_str("\r\n");
        self.rows += 1;
        self.out.write_all(self.line.as_bytes()).map_err(ExportError::Write)
    }

    /// How many rows below the header.
    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }

    /// Every cell with something in it is quoted, so that none ends early; what could be a formula begins with an apostrophe.
    fn cell(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.line.push('"');
        if is_formula(text) {
            self.line.push('\'');
        }
        for character in text.chars() {
            if character == '"' {
                self.line.push('"');
            }
            self.line.push(character);
        }
        self.line.push('"');
    }
}

/// Whether a spreadsheet could take a text for a formula.
pub(super) fn is_formula(text: &str) -> bool {
    text.trim_start_matches(' ').starts_with(STARTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cell: &str, written: &str) {
        let mut out = Vec::new();
        let mut sheet = Sheet::begin(&["a", "b"], &mut out).unwrap();
        sheet.row(&["1", cell]).unwrap();
        assert_eq!(sheet.rows(), 1);
        assert_eq!(String::from_utf8(out).unwrap(), format!("\"a\",\"b\"\r\n\"1\",{written}\r\n"));
    }

    #[test]
    fn a_cell_is_quoted_and_its_quotes_are_doubled() {
        check("", "");
        check("plain", "\"plain\"");
        check("a,b", "\"a,b\"");
        check("say \"no\"", "\"say \"\"no\"\"\"");
        check("two\r\nlines", "\"two\r\nlines\"");
        check("2026-11-03T19:00:00-07:00", "\"2026-11-03T19:00:00-07:00\"");
    }

    #[test]
    fn no_cell_begins_as_a_formula_does() {
        for start in STARTS {
            check(&format!("{start}1+1"), &format!("\"'{start}1+1\""));
            check(&format!("  {start}1+1"), &format!("\"'  {start}1+1\""));
        }
        check("=\"\"", "\"'=\"\"\"\"\"");
        check("1=1", "\"1=1\"");
    }
}
