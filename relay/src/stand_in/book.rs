//! What the stand-in accepted: in memory by name and by recipient, and in a file, one JSON object a line, written before anybody
//! is answered. A process that was killed had given each line to the operating system whole, or not at all.

use super::settings::Settings;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

/// A text or a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Text,
    Call,
}

impl Kind {
    /// What it goes through when all is well.
    pub(super) const fn way(self) -> &'static [&'static str] {
        match self {
            Self::Text => &["queued", "sent", "delivered"],
            Self::Call => &["queued", "ringing", "in-progress", "completed"],
        }
    }

    /// How its names begin.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Text => "SM",
            Self::Call => "CA",
        }
    }
}

/// Something that was accepted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) sid: String,
    pub(super) kind: Kind,
    pub(super) from: String,
    pub(super) to: String,
    /// A text's words, or what a call does.
    pub(super) body: String,
    /// In microseconds since 1970, by the stand-in's clock.
    pub(super) created: i64,
    pub(super) status: String,
    pub(super) error_code: Option<u32>,
    /// Where its statuses are told.
    pub(super) callback: Option<String>,
    /// Whether it answers a text that came in.
    pub(super) is_reply: bool,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Accepted(Entry),
    Became { sid: String, status: String, error_code: Option<u32> },
    Blocked { number: String },
    Admitted { number: String },
}

/// Why the file does not do.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// It cannot be read or written.
    #[error("cannot use {0}")]
    File(PathBuf, #[source] io::Error),
    /// It is not the stand-in's.
    #[error("line {1} of {0} is none of the stand-in's")]
    Line(PathBuf, usize, #[source] serde_json::Error),
}

/// What was accepted, and what goes wrong.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) settings: Settings,
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
    by_sid: HashMap<String, usize>,
    by_to: HashMap<String, Vec<usize>>,
    /// Who said STOP.
    blocked: BTreeSet<String>,
    /// Creates that were asked for, accepted or not.
    pub(super) n_asked: u64,
    pub(super) n_accepted: u64,
    pub(super) pace: Pace,
}

/// How many were admitted in the second that runs.
#[derive(Debug, Default)]
pub(super) struct Pace {
    second: i64,
    n: u32,
}

impl Pace {
    /// Whether one more is, 0 being no limit.
    pub(super) const fn admits(&mut self, second: i64, rate_per_second: u32) -> bool {
        if second != self.second {
            self.second = second;
            self.n = 0;
        }
        if rate_per_second > 0 && self.n >= rate_per_second {
            return false;
        }
        self.n += 1;
        true
    }
}

impl Book {
    pub(super) fn open(path: &Path, settings: Settings) -> Result<Self, BookError> {
        let unusable = |e| BookError::File(path.to_owned(), e);
        let mut options = OpenOptions::new();
        let file = options.create(true).read(true).append(true).open(path).map_err(unusable)?;
        let lines = BufReader::new(file.try_clone().map_err(unusable)?).lines();
        let mut book = Self {
            settings,
            path: path.to_owned(),
            file,
            entries: Vec::new(),
            by_sid: HashMap::new(),
            by_to: HashMap::new(),
            blocked: BTreeSet::new(),
            n_asked: 0,
            n_accepted: 0,
            pace: Pace::default(),
        };
        for (n, line) in lines.enumerate() {
            let line = line.map_err(unusable)?;
            let line = serde_json::from_str(&line)
                .map_err(|e| BookError::Line(path.to_owned(), n + 1, e))?;
            book.take(line);
        }
        Ok(book)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Accepted(entry) => {
                let place = self.entries.len();
                self.by_sid.insert(entry.sid.clone(), place);
                self.by_to.entry(entry.to.clone()).or_default().push(place);
                self.entries.push(entry);
            }
            Line::Became { sid, status, error_code } => {
                let place = self.by_sid.get(&sid).copied();
                if let Some(entry) = place.and_then(|place| self.entries.get_mut(place)) {
                    entry.status = status;
                    entry.error_code = error_code;
                }
            }
            Line::Blocked { number } => drop(self.blocked.insert(number)),
            Line::Admitted { number } => drop(self.blocked.remove(&number)),
        }
    }

    fn write(&mut self, line: Line) -> Result<(), BookError> {
        let unusable = |e| BookError::File(self.path.clone(), e);
        let mut text = serde_json::to_string(&line).map_err(|e| unusable(e.into()))?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(unusable)?;
        self.take(line);
        Ok(())
    }

    /// Accepts it for good.
    pub(super) fn accept(&mut self, entry: Entry) -> Result<(), BookError> {
        self.write(Line::Accepted(entry))?;
        self.n_accepted += 1;
        Ok(())
    }

    /// It has another status.
    pub(super) fn became(
        &mut self,
        sid: &str,
        status: &str,
        error_code: Option<u32>,
    ) -> Result<(), BookError> {
        self.write(Line::Became { sid: sid.to_owned(), status: status.to_owned(), error_code })
    }

    /// A number said STOP.
    pub(super) fn block(&mut self, number: String) -> Result<(), BookError> {
        self.write(Line::Blocked { number })
    }

    /// A number said START.
    pub(super) fn admit(&mut self, number: String) -> Result<(), BookError> {
        self.write(Line::Admitted { number })
    }

    pub(super) fn is_blocked(&self, number: &str) -> bool {
        self.blocked.contains(number)
    }

    pub(super) fn find(&self, sid: &str) -> Option<&Entry> {
        self.by_sid.get(sid).and_then(|place| self.entries.get(*place))
    }

    /// Everything, the newest first; to one recipient where one is given.
    pub(super) fn newest_first<'b>(
        &'b self,
        to: Option<&str>,
    ) -> Box<dyn Iterator<Item = &'b Entry> + 'b> {
        match to {
            None => Box::new(self.entries.iter().rev()),
            Some(to) => {
                let places = self.by_to.get(to).map(Vec::as_slice).unwrap_or_default();
                Box::new(places.iter().rev().filter_map(|place| self.entries.get(*place)))
            }
        }
    }
}
