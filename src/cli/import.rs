//! `ballot-intake import`: a mail ballot file into the ledger, through the daemon or without one.
//!
//! - All of the file is staged first and one event decides, so a file is in force as a whole or not at all.
//! - Rows are sorted by ballot before the ledger gets them, for in that order it reads and writes each of its pages once. Memory
//!   is bounded: what does not fit is sorted in a file without a name.
//! - Rows that are refused go to a list of their own, to be mended and imported; so do ballots that the file does not name, and
//!   what a dry run would change.

mod list;
mod staging;
mod told;

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use self::staging::{Outcome, Staging};
use self::told::{Share, Told};
use super::read::Output;
use crate::clock::Clock;
use crate::control::{Answer, Command, ControlError, Desk};
use crate::event::printable;
use crate::ledger::{Counts, Header, Layout, LayoutError, Rows, Rules};

/// Rows that are staged at a time: well under 20 ms of the ledger's time, and less than a command may have bytes.
const PIECE_ROWS: usize = 1_000;

/// Bytes of rows in a piece; a row has at most a few hundred.
const PIECE_BYTES_MAX: usize = 1024 * 1024;

/// Rows read in one go, after which the daemon hears that we are still there.
const READ_ROWS: usize = 20_000;

/// Memory for rows while they are sorted.
const RUN_BYTES: usize = 24 * 1024 * 1024;

/// Memory for refused rows, and for differences, while they are sorted.
const LIST_BYTES: usize = 2 * 1024 * 1024;

/// Differences that are shown to people; the others are in the file.
const SHOWN_MAX: usize = 20;

/// Where rows are sorted when neither folder takes a file.
const SCRATCH: &str = "/var/tmp";

/// Between two attempts to begin while the import before this one is not finished.
const BUSY_AGAIN: Duration = Duration::from_millis(50);

/// Attempts to begin: two minutes, in which about a million rows are applied.
const BUSY_ATTEMPTS_MAX: usize = 2_400;

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
    /// The folder of all lists; else they go beside the file.
    pub lists: Option<&'a Path>,
    /// Where they go when the file's own folder cannot be written: the current directory.
    pub folder: &'a Path,
    /// What the answer looks like.
    pub output: Output,
    /// How `err` hears how far it is.
    pub progress: Progress,
    /// What time it takes.
    pub clock: &'a dyn Clock,
}

/// Whether an import is to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// It is decided.
    Real,
    /// `--dry-run`: it is given up after it was counted.
    Dry,
}

/// How the caller hears how far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A bar, drawn over itself on a terminal.
    Bar,
    /// A line now and then, where there is no terminal.
    Lines,
    /// Not at all.
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
    /// Ballots of the file's elections that it does not name and that are not voided.
    pub disappeared: u64,
    /// The file of these, when there are any.
    pub disappeared_file: Option<PathBuf>,
    /// Ballots that became another voter's.
    pub voters_changed: u64,
    /// The file of these, when there are any.
    pub voters_file: Option<PathBuf>,
    /// Ballots whose envelopes are in the building and that are voided or rejected by the file.
    pub to_pull: u64,
    /// Of a dry run: the file of what it would change, when there is anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences_file: Option<PathBuf>,
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
    /// Refused rows, or another list, could not be written down: exit code 74.
    #[error("cannot write {}", .path.display())]
    List {
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
    /// Rows could not be sorted: no folder takes a file, or a disk is full: exit code 74.
    #[error("cannot sort the rows in a file of our own")]
    Sort(#[source] io::Error),
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
    let read = Cell::new(0);
    let file = open(request.file)?;
    let bytes = file.metadata().ok().filter(fs::Metadata::is_file).map_or(0, |file| file.len());
    let mut file = Hashed { file, digest: Sha256::new(), read: &read };
    let mut rows = Rows::open(&mut file, request.layout, request.rules.clone())
        .map_err(|e| of_layout(request, e))?;
    say_unknown(rows.header(), err).map_err(ImportError::Out)?;
    let import = begin(desk)?;
    let told = Told::new(request.progress, request.clock, err);
    let mut staging = Staging::new(import, request, told);
    let header = rows.header().clone();
    let taken =
        staging.take(desk, &mut rows, &|| Share { done: read.get(), of: bytes.max(read.get()) });
    drop(rows);
    let outcome = taken.and_then(|()| staging.decide(desk, &header, file.digest));
    if outcome.is_err() {
        // An import that nobody decides is cleared away in any case; this one is so at once.
        drop(desk.ask(Command::ImportAbandon { import, refused: 0 }));
    }
    let outcome = outcome?;
    let counts = outcome.outcome.counts;
    if request.run == Run::Real && counts.rows > counts.unchanged {
        wait_until_applied(desk);
    }
    say(&outcome, request, out).map_err(ImportError::Out)?;
    Ok(outcome.outcome)
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
        Answer::Refused { why, .. } | Answer::Failed { why } => why,
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
    Outcome { outcome, shown }: &Outcome,
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
    let place = |path: &Path| printable(&path.to_string_lossy());
    if rows == 0 {
        writeln!(out, "The file has no rows.")?;
    }
    if let Some(path) = &outcome.voters_file {
        let n = outcome.voters_changed;
        writeln!(
            out,
            "voters changed: {n}; these ballots became another voter's: {}.",
            place(path)
        )?;
    }
    if outcome.to_pull > 0 {
        writeln!(
            out,
            "to pull: {}; these envelopes are in, and the file voids or rejects their ballots: report --exceptions.",
            outcome.to_pull
        )?;
    }
    if let Some(path) = &outcome.refused_file {
        writeln!(out, "The refused rows are in {}.", place(path))?;
    }
    if let Some(path) = &outcome.disappeared_file {
        let n = outcome.disappeared;
        writeln!(out, "{n} ballots are not in the file; they stay, and are in {}.", place(path))?;
    }
    for line in shown {
        writeln!(out, "  {}", printable(line))?;
    }
    if let Some(path) = &outcome.differences_file {
        writeln!(out, "All differences are in {}.", place(path))?;
    }
    if request.run == Run::Dry {
        writeln!(out, "This was a dry run: nothing was changed.")?;
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A file whose digest is made while it is read.
struct Hashed<'a> {
    file: File,
    digest: Sha256,
    /// Bytes read.
    read: &'a Cell<u64>,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.digest.update(buffer.get(..n).unwrap_or_default());
        self.read.set(self.read.get() + u64::try_from(n).unwrap_or(u64::MAX));
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
        fs::write(&path, "abc").unwrap();
        let read_so_far = Cell::new(0);
        let file = open(&path).unwrap();
        let mut hashed = Hashed { file, digest: Sha256::new(), read: &read_so_far };
        let read = io::read_to_string(&mut hashed).unwrap();
        assert_eq!((read.as_str(), hex(&hashed.digest.finalize()).as_str()), ("abc", abc));
    }
}
