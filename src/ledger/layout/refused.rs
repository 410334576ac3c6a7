//! The file of refused rows: each with its line, its column and the reason before it, so that it can be mended and imported.

use std::borrow::Cow;
use std::io::{self, Write};

use csv::{Writer, WriterBuilder};

use super::encoding::Encoding;
use super::records::Fields;
use super::{Header, Refused};
use crate::ledger::cell;

/// The columns that stand before the row's own; an import ignores them.
pub(super) const OWN_COLUMNS: [&str; 3] = ["refused_line", "refused_column", "refused_reason"];

/// Writes refused rows, separated as their file is.
///
/// The row stands as it came, in UTF-8 where its file has another encoding, and with an apostrophe before what a spreadsheet
/// would take for a formula, which an import takes away again. What is ours begins with a digit or a word, so it is none.
#[derive(Debug)]
pub struct RefusedRows<W: Write> {
    writer: Writer<W>,
    encoding: Encoding,
    /// Which of the row's own columns are written: one that a file of refused rows brought is not written twice.
    kept: Vec<bool>,
}

impl<W: Write> RefusedRows<W> {
    /// Writes the header row.
    pub fn begin(to: W, header: &Header) -> io::Result<Self> {
        let kept: Vec<bool> =
            header.names().iter().map(|name| !OWN_COLUMNS.contains(&name.as_str())).collect();
        let mut builder = WriterBuilder::new();
        let writer = builder.flexible(true).delimiter(header.delimiter).from_writer(to);
        let mut rows = Self { writer, encoding: header.encoding, kept };
        rows.write_record(&OWN_COLUMNS.map(str::to_owned), header.fields())?;
        Ok(rows)
    }

    /// Writes a row.
    pub fn write(&mut self, refused: &Refused) -> io::Result<()> {
        let column = refused.column.as_ref();
        let column = column.map_or_else(String::new, |(at, name)| format!("{at} ({name})"));
        let own = [refused.origin.line.to_string(), column, refused.reason.clone()];
        self.write_record(&own, &refused.origin.fields)
    }

    /// Writes what is buffered; gives back what was written to.
    pub fn end(self) -> io::Result<W> {
        self.writer.into_inner().map_err(|e| io::Error::from(e.error().kind()))
    }

    fn write_record(&mut self, own: &[String; 3], fields: &Fields) -> io::Result<()> {
        let encoding = self.encoding;
        let kept = self.kept.iter().copied().chain(std::iter::repeat(true));
        let fields = fields.iter().zip(kept).filter(|(_, is_kept)| *is_kept);
        let own = own.iter().map(|text| Cow::Borrowed(text.as_bytes()));
        let fields = fields.map(|(field, _)| Cow::Owned(cell::guarded(&in_utf8(encoding, field))));
        for field in own.chain(fields) {
            self.writer.write_field(field).map_err(io::Error::other)?;
        }
        self.writer.write_record(None::<&[u8]>).map_err(io::Error::other)
    }
}

/// A field of a file that should be UTF-8 and is not stays as it is, for nobody knows what it is.
fn in_utf8(encoding: Encoding, field: &[u8]) -> Cow<'_, [u8]> {
    match encoding {
        Encoding::Utf8 => Cow::Borrowed(field),
        other => match other.decode(field) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        },
    }
}
