//! What an import writes beside the file: lists in CSV, each made when there is something to list.

use super::{ImportError, ImportRequest};
use crate::ledger::{Unnamed, write_csv_row};
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Names that are tried for a list in one folder.
const NAMES_MAX: usize = 1_000;

/// A list of a kind.
#[derive(Debug)]
pub(super) struct List {
    kind: &'static str,
    columns: &'static [&'static str],
    open: Option<(PathBuf, BufWriter<File>)>,
}

impl List {
    /// A list whose file is `FILE.<kind>.csv`.
    pub(super) const fn new(kind: &'static str, columns: &'static [&'static str]) -> Self {
        Self { kind, columns, open: None }
    }

    /// Writes a line.
    pub(super) fn write(
        &mut self,
        request: &ImportRequest<'_>,
        fields: &[&str],
    ) -> Result<(), ImportError> {
        let (path, file) = if let Some(open) = self.open.take() {
            open
        } else {
            let (path, file) = create(request, self.kind)?;
            let mut file = BufWriter::new(file);
            write_line(&mut file, self.columns).map_err(|e| not_written(&path, e))?;
            (path, file)
        };
        let (path, file) = self.open.insert((path, file));
        write_line(file, fields).map_err(|e| not_written(path, e))
    }

    /// Writes what is buffered; the file, if there is one.
    pub(super) fn end(self) -> Result<Option<PathBuf>, ImportError> {
        let Some((path, mut file)) = self.open else { return Ok(None) };
        file.flush().map_err(|e| not_written(&path, e))?;
        Ok(Some(path))
    }
}

/// Writes a ballot that the file does not name.
pub(super) fn write_unnamed(
    list: &mut List,
    request: &ImportRequest<'_>,
    unnamed: &Unnamed,
) -> Result<(), ImportError> {
    let fields = [unnamed.ballot.as_str(), &unnamed.voter, unnamed.status.name()];
    list.write(request, &fields)
}

pub(super) fn not_written(path: &Path, source: io::Error) -> ImportError {
    ImportError::List { path: path.to_owned(), source }
}

/// Creates a list beside the file, or in the other folder where that cannot be.
pub(super) fn create(
    request: &ImportRequest<'_>,
    kind: &str,
) -> Result<(PathBuf, File), ImportError> {
    let name = request.file.file_name().unwrap_or_default();
    if let Some(folder) = request.lists {
        return create_new(folder, name, kind);
    }
    let beside = request.file.with_file_name("");
    create_new(&beside, name, kind).or_else(|_| create_new(request.folder, name, kind))
}

/// Creates the first of `<name>.<kind>.csv`, `<name>.<kind>-2.csv` and so on that is not there yet.
fn create_new(folder: &Path, name: &OsStr, kind: &str) -> Result<(PathBuf, File), ImportError> {
    for number in 1..=NAMES_MAX {
        let path = folder.join(name_of(name, kind, number));
        // It holds what the mail ballot file holds, so it is its owner's only.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            // A path from here says little to whoever reads it elsewhere.
            Err(e) => return Err(not_written(&std::path::absolute(&path).unwrap_or(path), e)),
            Ok(file) => return Ok((path, file)),
        }
    }
    Err(not_written(&folder.join(name_of(name, kind, 1)), io::ErrorKind::AlreadyExists.into()))
}

fn name_of(name: &OsStr, kind: &str, number: usize) -> OsString {
    let mut own = name.to_owned();
    own.push(if number == 1 { format!(".{kind}.csv") } else { format!(".{kind}-{number}.csv") });
    own
}

fn write_line(to: &mut BufWriter<File>, fields: &[&str]) -> io::Result<()> {
    let mut line = String::new();
    write_csv_row(&mut line, fields);
    to.write_all(line.as_bytes())
}
