//! CSV as RFC 4180 has it, in UTF-8, of which no cell is a formula to a program that opens it.

use super::ExportError;
use crate::ledger::cell::write_csv_row;
use std::io;

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
        write_csv_row(&mut self.line, cells);
        self.rows += 1;
        self.out.write_all(self.line.as_bytes()).map_err(ExportError::Write)
    }

    /// How many rows below the header.
    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_below_the_header_are_counted() {
        let mut out = Vec::new();
        let mut sheet = Sheet::begin(&["a", "b"], &mut out).unwrap();
        sheet.row(&["1", "=1"]).unwrap();
        assert_eq!(sheet.rows(), 1);
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\",\"b\"\r\n\"1\",\"'=1\"\r\n");
    }
}
