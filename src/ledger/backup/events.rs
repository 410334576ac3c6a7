//! A second record of the chain: every event as a line of JSON, in files that are only ever appended to.
//!
//! - A line is `{"seq":1,"hash":"<hexadecimal>","body":{...}}` with the body as it stands in the ledger, so that anybody can check
//!   the chain with the files alone. A file is called `<facility>-<station>-events-<first row>-<local day>.jsonl`.
//! - Lines are done when they were synced, read back from the disk and found to follow from one another as in the ledger.
//! - What a power cut tore off the last file is cut off: a line without its end, or with bytes that were never written (zeros).
//!   A whole line that is not what the ledger says is an alarm, and nothing is ever written after it.

use super::{Stop, sync_folder};
use crate::clock::{Micros, Zone};
use crate::ledger::book::Head;
use crate::ledger::key::hex;
use crate::ledger::schema::{self, SchemaError};
use rusqlite::{Connection, OptionalExtension as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file that is as long as this gets no more lines.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Longest line, in bytes: a release of all changes that one transaction can make is far shorter.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Events read from the ledger at a time.
const PIECE_ROWS: i64 = 1_000;

/// Bytes written before they are synced: whoever syncs the ledger must not find much more to write.
const SYNC_BYTES: u64 = 1024 * 1024;

const END: &str = ".jsonl";

/// Why events are not on the second path.
#[derive(Debug, thiserror::Error)]
pub enum EventLogError {
    /// The ledger cannot be opened.
    #[error(transparent)]
    Open(SchemaError),
    /// SQLite failed while reading it.
    #[error("cannot read the ledger {path}")]
    Read {
        /// The ledger.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The operating system refused a file.
    #[error("cannot use the log of events {path}")]
    File {
        /// The file or the folder.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// What was written is not what is there.
    #[error("the log of events {path} does not hold what was written to it after row {seq}")]
    NotThere {
        /// The file.
        path: PathBuf,
        /// The last row that is there.
        seq: i64,
    },
    /// The log and the ledger say different things.
    #[error("the log of events {path} and the ledger differ at row {seq}")]
    Diverged {
        /// The file.
        path: PathBuf,
        /// The first row that differs.
        seq: i64,
    },
    /// Asked to stop.
    #[error("the log of events was stopped")]
    Stopped,
}

/// Where the lines go, and how far they are.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) folder: PathBuf,
    pub(super) ledger: PathBuf,
    pub(super) zone: Zone,
    pub(super) facility: String,
    pub(super) station: String,
    /// Nothing until it was looked for, and after a failure.
    pub(super) place: Option<Place>,
}

/// How far the lines are that are done.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The last file, if there is one.
    file: Option<(PathBuf, u64)>,
    head: Head,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) seq: i64,
    pub(super) hash: String,
    pub(super) body: String,
}

impl Line {
    fn text(&self) -> String {
        let Self { seq, hash, body } = self;
        format!("{{\"seq\":{seq},\"hash\":\"{hash}\",\"body\":{body}}}\n")
    }

    /// Reads a line without its end back.
    fn parse(text: &str) -> Option<Self> {
        let (seq, rest) = text.strip_prefix("{\"seq\":")?.split_once(",\"hash\":\"")?;
        let (hash, rest) = rest.split_once("\",\"body\":")?;
        let body = rest.strip_suffix('}')?.to_owned();
        Some(Self { seq: seq.parse().ok()?, hash: hash.to_owned(), body })
    }

    /// The head after this line, if it follows from that one.
    pub(super) fn after(&self, head: Head) -> Option<Head> {
        let next = head.follow(&self.body);
        (next.seq == self.seq && hex(&next.hash) == self.hash).then_some(next)
    }
}

impl Log {
    /// Writes what the ledger has beyond the last line; the last row that is done.
    pub(super) fn flush(&mut self, now: Micros, stop: &Stop) -> Result<i64, EventLogError> {
        let conn = schema::open_reader(&self.ledger).map_err(EventLogError::Open)?;
        let mut place = match self.place.take() {
            Some(place) => place,
            None => self.find(&conn)?,
        };
        self.check(&conn, &place)?;
        while self.write_some(&conn, &mut place, now)? {
            if stop.check().is_err() {
                return Err(EventLogError::Stopped);
            }
        }
        let seq = place.head.seq;
        self.place = Some(place);
        Ok(seq)
    }

    /// The files there are, oldest first, each with its first row.
    pub(super) fn files(&self) -> io::Result<Vec<(i64, PathBuf)>> {
        files(&self.folder, &self.prefix())
    }

    fn prefix(&self) -> String {
        format!("{}-{}-events-", self.facility, self.station)
    }

    /// The last row that is done must be what the ledger has.
    fn check(&self, conn: &Connection, place: &Place) -> Result<(), EventLogError> {
        if place.head == Head::START || self.hash_of(conn, place.head.seq)? == Some(place.head.hash)
        {
            return Ok(());
        }
        Err(self.diverged(place, place.head.seq))
    }

    fn diverged(&self, place: &Place, seq: i64) -> EventLogError {
        let path = place.file.as_ref().map_or(&self.folder, |(path, _)| path);
        EventLogError::Diverged { path: path.clone(), seq }
    }

    fn hash_of(&self, conn: &Connection, seq: i64) -> Result<Option<[u8; 32]>, EventLogError> {
        conn.prepare_cached("SELECT hash FROM event WHERE seq = ?")
            .and_then(|mut hash| hash.query_row([seq], |row| row.get(0)).optional())
            .map_err(|source| EventLogError::Read { path: self.ledger.clone(), source })
    }

    /// Where the lines end, once what is torn was cut off the last file.
    fn find(&self, conn: &Connection) -> Result<Place, EventLogError> {
        let files = self.files().map_err(|source| at(&self.folder, source))?;
        for (first, path) in files.into_iter().rev() {
            let before = match first {
                1 => Head::START,
                _ => match self.hash_of(conn, first - 1)? {
                    Some(hash) => Head { seq: first - 1, hash },
                    None => return Err(EventLogError::Diverged { path, seq: first }),
                },
            };
            let place = self.follow(conn, path, before)?;
            if place.head != before {
                return Ok(place);
            }
            // A file whose first line was torn says nothing; the one before it does.
        }
        Ok(Place { file: None, head: Head::START })
    }

    /// Follows the lines of a file, and cuts off what is torn.
    fn follow(&self, conn: &Connection, path: PathBuf, from: Head) -> Result<Place, EventLogError> {
        let file = from_disk(&path).map_err(|source| at(&path, source))?;
        let (mut lines, mut bytes, mut head) = (Lines::new(file), 0, from);
        loop {
            match lines.next().map_err(|source| at(&path, source))? {
                Found::End => break,
                Found::Torn => {
                    cut(&path, bytes).map_err(|source| at(&path, source))?;
                    break;
                }
                Found::Line(line, length) => {
                    let next = line.as_ref().and_then(|line| line.after(head));
                    match next {
                        Some(next) if self.hash_of(conn, next.seq)? == Some(next.hash) => {
                            head = next;
                        }
                        _ => return Err(EventLogError::Diverged { path, seq: head.seq + 1 }),
                    }
                    bytes += length;
                }
            }
        }
        Ok(Place { file: Some((path, bytes)), head })
    }

    /// Writes events into one file, syncs them, and reads them back; whether there may be more.
    fn write_some(
        &self,
        conn: &Connection,
        place: &mut Place,
        now: Micros,
    ) -> Result<bool, EventLogError> {
        let lines = self.next_lines(conn, place.head.seq)?;
        let Some(first) = lines.first() else { return Ok(false) };
        let (path, start) = self.file_for(place, first.seq, now);
        must_end_at(&path, start).map_err(|source| at(&path, source))?;
        let mut head = place.head;
        let mut text = String::new();
        let mut rest = false;
        for line in &lines {
            // The ledger's own row must follow, or it is the ledger that was changed.
            head = line.after(head).ok_or_else(|| self.diverged(place, head.seq + 1))?;
            text.push_str(&line.text());
            if u64::try_from(text.len()).unwrap_or(u64::MAX) >= SYNC_BYTES {
                rest = true;
                break;
            }
        }
        let end = match self.append(&path, start, &text) {
            Ok(end) => end,
            Err(source) => {
                // What is half there must not be taken for torn by anybody else; if this fails, too, the next look cuts it off.
                if cut(&path, start).is_err() {
                    tracing::debug!("The log of events could not be cut back.");
                }
                return Err(at(&path, source));
            }
        };
        read_back(&path, start, place.head, head)?;
        *place = Place { file: Some((path, end)), head };
        Ok(rest || i64::try_from(lines.len()).unwrap_or(0) == PIECE_ROWS)
    }

    fn next_lines(&self, conn: &Connection, after: i64) -> Result<Vec<Line>, EventLogError> {
        let read = || -> rusqlite::Result<Vec<Line>> {
            conn.prepare_cached(
                "SELECT seq, body, hash FROM event WHERE seq > ? ORDER BY seq LIMIT ?",
            )?
            .query_map([after, PIECE_ROWS], |row| {
                let hash: [u8; 32] = row.get(2)?;
                Ok(Line { seq: row.get(0)?, body: row.get(1)?, hash: hex(&hash) })
            })?
            .collect()
        };
        read().map_err(|source| EventLogError::Read { path: self.ledger.clone(), source })
    }

    /// The file that gets the row, and how long it is: the last one as long as the day is the same.
    fn file_for(&self, place: &Place, seq: i64, now: Micros) -> (PathBuf, u64) {
        let end = format!("-{}{END}", self.zone.date(now));
        match &place.file {
            Some((path, bytes)) if *bytes < FILE_BYTES_MAX && is_of_day(path, &end) => {
                (path.clone(), *bytes)
            }
            _ => (self.folder.join(format!("{}{seq:012}{end}", self.prefix())), 0),
        }
    }

    fn append(&self, path: &Path, start: u64, text: &str) -> io::Result<u64> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o640).open(path)?;
        file.seek(SeekFrom::Start(start))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if start == 0 {
            sync_folder(&self.folder)?;
        }
        file.stream_position()
    }
}

/// The files of a log in a folder, oldest first, each with its first row.
pub(super) fn files(folder: &Path, prefix: &str) -> io::Result<Vec<(i64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let first = name.to_str().and_then(|name| {
            let (first, day) = name.strip_prefix(prefix)?.strip_suffix(END)?.split_once('-')?;
            let is_day = day.len() == 10 && day.chars().all(|c| c.is_ascii_digit() || c == '-');
            first.parse::<i64>().ok().filter(|_| is_day && first.len() >= 12)
        });
        if let Some(first) = first {
            found.push((first, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

fn is_of_day(path: &Path, end: &str) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(end))
}

fn at(path: &Path, source: io::Error) -> EventLogError {
    EventLogError::File { path: path.to_owned(), source }
}

/// Opens a file so that what is read of it comes from the disk, and not from memory that a failed sync has left behind.
fn from_disk(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(file)
}

/// Nobody else writes to these files; whoever does is found out by the next look at all lines.
fn must_end_at(path: &Path, bytes: u64) -> io::Result<()> {
    let there = match fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    if there == bytes { Ok(()) } else { Err(io::Error::other("somebody else has written to it")) }
}

fn cut(path: &Path, bytes: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(bytes)?;
    file.sync_all()
}

/// The lines of a file from `start` must lead from one head to the other.
fn read_back(path: &Path, start: u64, from: Head, to: Head) -> Result<(), EventLogError> {
    let mut file = from_disk(path).map_err(|source| at(path, source))?;
    file.seek(SeekFrom::Start(start)).map_err(|source| at(path, source))?;
    let (mut lines, mut head) = (Lines::new(file), from);
    while let Found::Line(Some(line), _) = lines.next().map_err(|source| at(path, source))? {
        let Some(next) = line.after(head) else { break };
        head = next;
    }
    if head == to {
        return Ok(());
    }
    Err(EventLogError::NotThere { path: path.to_owned(), seq: head.seq })
}

/// What is found at the next place of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A whole line and its length; nothing when it is none of ours.
    Line(Option<Line>, u64),
    /// What a power cut left.
    Torn,
    /// Nothing more.
    End,
}

/// The lines of a file.
pub(super) struct Lines(BufReader<File>);

impl Lines {
    pub(super) fn new(file: File) -> Self {
        Self(BufReader::new(file))
    }

    pub(super) fn next(&mut self) -> io::Result<Found> {
        let mut bytes = Vec::new();
        let n = self.0.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
        if n == 0 {
            return Ok(Found::End);
        }
        let Some(whole) = bytes.strip_suffix(b"\n").filter(|line| !line.contains(&0)) else {
            return Ok(Found::Torn);
        };
        let line = std::str::from_utf8(whole).ok().and_then(Line::parse);
        Ok(Found::Line(line, u64::try_from(n).unwrap_or(u64::MAX)))
    }
}
