//! An office whose ledger is taken care of: what its tests share.

use crate::support::station::Station;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A station whose nightly backups and events go to folders of its own.
pub(crate) fn cared_for(scanners: &[&str]) -> Station {
    let station = Station::with_scanners(scanners, "");
    for folder in ["backups", "log"] {
        fs::create_dir(station.path(folder)).unwrap();
        let key = if folder == "log" { "log_dir" } else { "backup_dir" };
        station.add(&format!("{key} = '{}'", station.path(folder).display()));
    }
    station
}

/// The files of a folder, in the order of their names.
pub(crate) fn listed(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

/// Row and hash of every event, in order.
pub(crate) fn chain(ledger: &Path) -> Vec<(i64, Vec<u8>)> {
    let conn = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut rows = conn.prepare("SELECT seq, hash FROM event ORDER BY seq").unwrap();
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// Makes a backup of that name.
#[track_caller]
pub(crate) fn back_up(station: &Station, name: &str) -> (PathBuf, Value) {
    let file = station.path(name);
    let said = station.json(&["ledger", "backup", file.to_str().unwrap()]).remove(0);
    (file, said)
}

/// Tries to put a backup in place.
pub(crate) fn restore(station: &Station, file: &Path, more: &[&str]) -> Output {
    station.run(&[&["ledger", "restore", file.to_str().unwrap()], more].concat())
}

/// A command that ended with that code and said that.
#[track_caller]
pub(crate) fn check(output: &Output, code: i32, said: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(said), "{error}");
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
