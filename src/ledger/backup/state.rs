//! How well the ledger is taken care of: the last backup that can be opened, and how far the log on the second path is.

use super::events::{Found, Lines, files};
use super::{Plan, last_row, schema};
use crate::clock::Micros;
use crate::ledger::key::hex;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Backups looked at, from the newest, until one can be opened.
const LOOKS_MAX: usize = 16;

/// How far from its end a file is read for its last line.
const TAIL_BYTES: u64 = 256 * 1024;

/// What is known of the ledger's copies. Nothing where none is configured, or there is none yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Care {
    /// The last nightly backup.
    pub backup: Option<LastBackup>,
    /// The log on the second path.
    pub log: Option<LastEvents>,
}

/// The newest nightly backup that can be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastBackup {
    /// The file.
    pub path: PathBuf,
    /// When it was made, in local time with offset.
    pub made: String,
    /// Seconds since then.
    pub age: u64,
    /// Its last row.
    pub events: i64,
    /// The hash of that, hexadecimal.
    pub head: String,
}

/// The last line of the log of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastEvents {
    /// The file.
    pub path: PathBuf,
    /// Its last row.
    pub events: i64,
    /// The hash of that, hexadecimal.
    pub head: String,
}

/// Looks at both folders. What cannot be read is as good as not there: `ledger backup` and the log say why.
pub fn state(plan: &Plan, now: Micros) -> Care {
    Care { backup: last_backup(plan, now), log: last_events(plan) }
}

fn last_backup(plan: &Plan, now: Micros) -> Option<LastBackup> {
    let nightly = plan.nightly.as_ref()?;
    let found = nightly.list().ok()?;
    found.into_iter().rev().take(LOOKS_MAX).find_map(|(made, path)| {
        let conn = schema::open_any(&path).ok()?;
        let (events, hash) = last_row(&conn).ok()??;
        let age = now.since(made).as_secs();
        Some(LastBackup { path, made: plan.zone.date_time(made), age, events, head: hex(&hash) })
    })
}

fn last_events(plan: &Plan) -> Option<LastEvents> {
    let prefix = format!("{}-{}-events-", plan.facility, plan.station);
    let found = files(plan.log_dir.as_ref()?, &prefix).ok()?;
    found.into_iter().rev().take(LOOKS_MAX).find_map(|(_, path)| {
        let (events, head) = last_line(&path)?;
        Some(LastEvents { path, events, head })
    })
}

fn last_line(path: &Path) -> Option<(i64, String)> {
    let mut file = File::open(path).ok()?;
    let start = fs::metadata(path).ok()?.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut lines = Lines::new(file);
    let mut last = None;
    // The first may be the end of one.
    while let Found::Line(line, _) = lines.next().ok()? {
        last = line.or(last);
    }
    last.map(|line| (line.seq, line.hash))
}
