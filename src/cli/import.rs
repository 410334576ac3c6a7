//! `ballot-intake import`: a mail ballot file into the ledger, through the daemon or without one.
//!
//! All of the file is staged first and one event decides, so a file is in force as a whole or not at all. Rows that are refused
//! go to a file of their own, to be mended and imported.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::read::Output;
use crate::control::{Answer, Command, ControlError, Desk};
use crate::event::printable;
use crate::ledger::{
    Counts, Header, ImportedFile, Layout, LayoutError, Piece, Refused, RefusedRows, Rows, Rules,
};

/// Rows that are staged at a time: about 20 ms of the ledger's time, and less than a command may have bytes.
const PIECE_ROWS: usize = 1_000;

/// Between two attempts to begin while the import before this one is not finished.
const BUSY_AGAIN: Duration = Duration::from_millis(50);

/// Attempts to begin: two minutes, in which about a million rows are applied.
const BUSY_ATTEMPTS_MAX: usize = 2_400;

/// Names that are tried for the file of refused rows in one folder.
const NAMES_MAX: usize = 1_000;

/// What is imported, and how.
#[derive(Debug)]
pub struct ImportRequest<'a> {
    /// The mail ballot file.
    pub file: &'a Path,
    /// How it is laid out.
    pub layout: &'a Layout,
    /// What its rows are held to.
    pub rules: Rules,
    /// Whether it is to count.
    pub run: Run,
    /// Where the file of refused rows goes when the file's own folder cannot be written: the current directory.
    pub folder: &'a Path,
    /// What the answer looks like.
    pub output: Output,
    /// Whether `err` is a terminal.
    pub progress: Progress,
}

/// Whether an import is to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// It is decided.
    Real,
    /// `--dry-run`: it is given up after it was counted.
    Dry,
}

/// Whether rows are counted on `err` as they go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// For people who wait.
    Shown,
    /// For files.
    Hidden,
}

/// What became of a file; the answer in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportOutcome {
    /// What became of its rows.
    #[serde(flatten)]
    pub counts: Counts,
    /// The file of refused rows, when there were any.
    pub refused_file: Option<PathBuf>,
}

/// Why a file was not imported. Nothing of it is in force, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such file, or it cannot be opened: exit code 66.
    #[error("cannot open {}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not of that layout, or it cannot be read to its end: exit code 1.
    #[error("{} is no file of the layout {layout}", .path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// The layout.
        layout: String,
        /// Why.
        #[source]
        source: LayoutError,
    },
    /// Refused rows could not be written down: exit code 74.
    #[error("cannot write the refused rows to {}", .path.display())]
    RefusedFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The daemon does not answer any more: exit code 69. After the last row it is not known whether the file is in force.
    #[error("the import was not carried out")]
    Control(#[source] ControlError),
    /// Another import does not come to its end: exit code 69.
    #[error("another import is under way")]
    Busy,
    /// The ledger did not take it: exit code 74.
    #[error("the ledger did not take the import: {0}")]
    Ledger(String),
    /// What is said on the way, or the answer, could not be written: exit code 74. By the answer, the file is in force.
    #[error("cannot write the answer")]
    Out(#[source] io::Error),
}

/// Imports a file and says what became of its rows on `out`.
pub fn import(
    desk: &mut Desk,
    request: &ImportRequest<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ImportOutcome, ImportError> {
    let mut file = Hashed { file: open(request.file)?, digest: Sha256::new() };
    let mut rows = Rows::open(&mut file, request.layout, request.rules.clone())
        .map_err(|e| of_layout(request, e))?;
    say_unknown(rows.header(), err).map_err(ImportError::Out)?;
    let import = begin(desk)?;
    let mut staging = Staging { import, request, told: 0, refused: 0, refused_file: None };
    let staged = staging.stage(desk, &mut rows, err);
    drop(rows);
    let outcome = staged.and_then(|()| staging.decide(desk, file.digest));
    if outcome.is_err() {
        // An import that nobody decides is cleared away in any case; this one is so at once.
        drop(desk.ask(Command::ImportAbandon { import, refused: 0 }));
    }
    let outcome = outcome?;
    if request.run == Run::Real && outcome.counts.rows > outcome.counts.unchanged {
        wait_until_applied(desk);
    }
    say(&outcome, request, out).map_err(ImportError::Out)?;
    Ok(outcome)
}

fn open(path: &Path) -> Result<File, ImportError> {
    let open = || {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
    };
    open().map_err(|source| ImportError::Open { path: path.to_owned(), source })
}

fn of_layout(request: &ImportRequest<'_>, source: LayoutError) -> ImportError {
    let layout = request.layout.name().to_owned();
    ImportError::Layout { path: request.file.to_owned(), layout, source }
}

fn say_unknown(header: &Header, err: &mut dyn Write) -> io::Result<()> {
    let unknown = header.unknown();
    if unknown.is_empty() {
        return Ok(());
    }
    writeln!(err, "These columns mean nothing here and are ignored: {}.", unknown.join(", "))
}

/// Begins an import, after the one before it was applied.
fn begin(desk: &mut Desk) -> Result<i64, ImportError> {
    for _attempt in 0..BUSY_ATTEMPTS_MAX {
        match desk.ask(Command::ImportBegin {}).map_err(ImportError::Control)? {
            Answer::ImportBegun { import } => return Ok(import),
            // It may wake early, which costs an attempt.
            Answer::ImportBusy {} => thread::park_timeout(BUSY_AGAIN),
            other => return Err(unexpected(other)),
        }
    }
    Err(ImportError::Busy)
}

fn unexpected(answer: Answer) -> ImportError {
    ImportError::Ledger(match answer {
        Answer::Refused { why } | Answer::Failed { why } => why,
        other => format!("it answered {other:?}"),
    })
}

/// The import is in force, but a report counts a change only once it is applied. The next import begins when that is so.
fn wait_until_applied(desk: &mut Desk) {
    // When this fails the changes are applied later, as after a restart.
    if let Ok(import) = begin(desk) {
        drop(desk.ask(Command::ImportAbandon { import, refused: 0 }));
    }
}

fn say(
    outcome: &ImportOutcome,
    request: &ImportRequest<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    if request.output == Output::Json {
        serde_json::to_writer(&mut *out, outcome)?;
        return writeln!(out);
    }
    let Counts { rows, issued, updated, unchanged, voided, refused } = outcome.counts;
    writeln!(
        out,
        "{rows} rows: {issued} issued, {updated} updated, {unchanged} unchanged, {voided} voided, {refused} refused"
    )?;
    if let Some(path) = &outcome.refused_file {
        writeln!(out, "The refused rows are in {}.", printable(&path.to_string_lossy()))?;
    }
    if request.run == Run::Dry {
        writeln!(out, "This was a dry run: nothing was changed.")?;
    }
    Ok(())
}

/// An import that is being staged.
struct Staging<'a> {
    import: i64,
    request: &'a ImportRequest<'a>,
    /// Rows so far.
    told: usize,
    /// Rows that were refused here, not by the ledger.
    refused: u64,
    refused_file: Option<RefusedFile>,
}

/// A file of refused rows.
struct RefusedFile {
    path: PathBuf,
    rows: RefusedRows<File>,
}

impl Staging<'_> {
    /// Hands the ledger all rows.
    fn stage(
        &mut self,
        desk: &mut Desk,
        rows: &mut Rows<&mut Hashed>,
        err: &mut dyn Write,
    ) -> Result<(), ImportError> {
        loop {
            let piece = rows.piece(PIECE_ROWS).map_err(|e| of_layout(self.request, e))?;
            let done = piece.done;
            self.told += piece.rows.len() + piece.refused.len();
            self.refused += u64::try_from(piece.refused.len()).unwrap_or(u64::MAX);
            let refused = self.stage_piece(desk, piece)?;
            self.write_down(&refused, rows.header())?;
            if self.request.progress == Progress::Shown {
                let end = if done { "\n" } else { "" };
                write!(err, "\r{} rows{end}", self.told)
                    .and_then(|()| err.flush())
                    .map_err(ImportError::Out)?;
            }
            if done {
                return Ok(());
            }
        }
    }

    /// Hands the ledger a piece; all its refused rows, in the order of the file.
    fn stage_piece(&self, desk: &mut Desk, piece: Piece) -> Result<Vec<Refused>, ImportError> {
        let mut refused = piece.refused;
        if piece.rows.is_empty() {
            return Ok(refused);
        }
        let command = Command::ImportRows { import: self.import, rows: piece.rows };
        let by_ledger = match desk.ask(command).map_err(ImportError::Control)? {
            Answer::ImportStaged { refused } => refused,
            other => return Err(unexpected(other)),
        };
        for row in by_ledger {
            let Some(origin) = piece.origins.get(row.index) else {
                return Err(ImportError::Ledger(format!("it refused row {}", row.index)));
            };
            refused.push(origin.clone().refused(row.reason));
        }
        refused.sort_by_key(|refused| refused.origin.line);
        Ok(refused)
    }

    fn write_down(&mut self, refused: &[Refused], header: &Header) -> Result<(), ImportError> {
        if refused.is_empty() {
            return Ok(());
        }
        let file = match self.refused_file.take() {
            Some(file) => file,
            None => create_refused(self.request, header)?,
        };
        let RefusedFile { path, rows } = self.refused_file.insert(file);
        for row in refused {
            rows.write(row).map_err(|source| no_refused_file(path, source))?;
        }
        Ok(())
    }

    /// Decides the import, or gives it up after a dry run.
    fn decide(self, desk: &mut Desk, digest: Sha256) -> Result<ImportOutcome, ImportError> {
        let refused_file = self.refused_file.map(|RefusedFile { path, rows }| {
            rows.end().map_err(|source| no_refused_file(&path, source)).map(|_| path)
        });
        let refused_file = refused_file.transpose()?;
        let (import, refused) = (self.import, self.refused);
        let command = match self.request.run {
            Run::Dry => Command::ImportAbandon { import, refused },
            Run::Real => Command::ImportCommit {
                import,
                file: ImportedFile {
                    file: file_name(self.request.file),
                    sha256: hex(&digest.finalize()),
                    layout: self.request.layout.name().to_owned(),
                    refused,
                    // Whoever carries the command out knows who asks.
                    by: String::new(),
                    os_user: None,
                },
            },
        };
        match desk.ask(command).map_err(ImportError::Control)? {
            Answer::ImportDone(counts) => Ok(ImportOutcome { counts, refused_file }),
            other => Err(unexpected(other)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Creates the file of refused rows beside the file, or in the other folder where that cannot be.
fn create_refused(
    request: &ImportRequest<'_>,
    header: &Header,
) -> Result<RefusedFile, ImportError> {
    let name = request.file.file_name().unwrap_or_default();
    let beside = request.file.with_file_name("");
    let (path, file) = create_new(&beside, name)
        .or_else(|_| create_new(request.folder, name))
        .map_err(|source| no_refused_file(&request.folder.join(name), source))?;
    let rows = RefusedRows::begin(file, header).map_err(|source| no_refused_file(&path, source))?;
    Ok(RefusedFile { path, rows })
}

fn no_refused_file(path: &Path, source: io::Error) -> ImportError {
    ImportError::RefusedFile { path: path.to_owned(), source }
}

/// Creates the first of `<name>.refused.csv`, `<name>.refused-2.csv` and so on that is not there yet.
fn create_new(folder: &Path, name: &std::ffi::OsStr) -> io::Result<(PathBuf, File)> {
    for number in 1..=NAMES_MAX {
        let mut own = name.to_owned();
        own.push(if number == 1 {
            ".refused.csv".to_owned()
        } else {
            format!(".refused-{number}.csv")
        });
        let path = folder.join(own);
        // It holds what the mail ballot file holds, so it is its owner's only.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
            Ok(file) => return Ok((path, file)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// A file whose digest is made while it is read.
struct Hashed {
    file: File,
    digest: Sha256,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.digest.update(buffer.get(..n).unwrap_or_default());
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_digested() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let mut hashed = Hashed { file: open(&path).unwrap(), digest: Sha256::new() };
        let read = io::read_to_string(&mut hashed).unwrap();
        assert_eq!((read.as_str(), hex(&hashed.digest.finalize()).as_str()), ("abc", abc));
    }
}
